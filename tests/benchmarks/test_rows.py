"""Targets, ratios, calibrated values and verdicts of rows."""

import pytest

from benchmarks.harness.calibration import CALIBRATION, REFERENCE_MS, calibrate
from benchmarks.harness.numbers import number, reached
from benchmarks.harness.rows import Figure, Row, absolute, change_of, plain, relative

FOUND = {"ours": [10.0, 20.0, 30.0], "peer": [5.0, 5.0, 10.0], CALIBRATION: [REFERENCE_MS] * 2 + [2 * REFERENCE_MS]}


def test_target_is_met_on_its_side() -> None:
    assert Figure(least=0.85).is_met(0.9)
    assert not Figure(least=0.85).is_met(0.8)
    assert Figure(most=10.0).is_met(10.0)
    assert not Figure(most=10.0).is_met(10.1)
    assert (str(Figure(least=0.85)), str(Figure(most=10.0))) == ("≥ 0.85", "≤ 10")


def test_ratio_to_the_reference_is_compared_round_by_round() -> None:
    row = relative("a page", "µs", FOUND, "ours", "peer", figure=Figure(most=3.0))
    assert row.ratios == (2.0, 4.0, 3.0)
    assert (row.reached, row.is_met, row.against, row.is_ratio) == (3.0, True, "peer", True)


def test_inverse_ratio_is_the_reference_by_the_value() -> None:
    assert relative("a page", "µs", FOUND, "ours", "peer", inverse=True).ratios == (0.5, 0.25, 1 / 3)


def test_value_is_calibrated_by_the_loop_of_its_round() -> None:
    row = absolute("a call", "µs", FOUND, "ours", figure=Figure(most=15.0))
    assert row.values == (10.0, 20.0, 30.0)
    assert row.calibrated == (10.0, 20.0, 15.0)
    assert (row.reached, row.is_met, row.is_ratio) == (15.0, True, False)


def test_plain_value_is_compared_as_it_is() -> None:
    row = plain("429s", "", [0.0, 2.0, 1.0], figure=Figure(most=0))
    assert (row.reached, row.is_met) == (1.0, False)


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.9, "reached"), (1.0, "floor reached"), (1.6, "floor reached"), (1.7, "missed")]
)
def test_verdict_names_the_target_or_the_floor(value: float, verdict: str) -> None:
    row = plain("a page", "", [value], figure=Figure(most=0.9), floor=Figure(most=1.6))
    assert (row.verdict, row.target) == (verdict, "≤ 0.9 (floor ≤ 1.6)")


def test_row_without_a_target_has_no_verdict() -> None:
    row = plain("a peer", "", [1.0])
    assert (row.verdict, row.target, row.is_met) == ("", "", None)


def test_change_is_the_median_of_rounds_beside_each_other() -> None:
    now, was = (Row(what="x", unit="", values=values) for values in ((1.0, 4.0, 9.0), (2.0, 4.0)))
    assert change_of(now, was) == 0.75


@pytest.mark.parametrize(("now", "was", "change"), [(0.0, 0.0, 1.0), (3.0, 0.0, 0.0), (0.0, 3.0, 0.0)])
def test_change_of_counts_that_are_none(now: float, was: float, change: float) -> None:
    assert change_of(plain("x", "", [now]), plain("x", "", [was])) == change


def test_numbers_have_three_digits_or_are_whole() -> None:
    assert [number(value) for value in (0.12345, 12.0, 1234.5, 12.34)] == ["0.123", "12", "1,234", "12.3"]
    assert reached(relative("a page", "µs", FOUND, "ours", "peer")) == "3.00"
    assert reached(plain("held", "MiB", [45.67])) == "45.7 MiB"


@pytest.mark.wall_clock
def test_calibration_loop_takes_time() -> None:
    assert calibrate() > 0
