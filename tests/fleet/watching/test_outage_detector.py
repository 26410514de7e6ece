"""Outage detector: one vehicle that fails, or an outage."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet.watching.outage_detector import OutageDetector

pytestmark = pytest.mark.unmeasured


def test_failures_of_several_vehicles_in_a_row_are_an_outage() -> None:
    detector = OutageDetector(needed=5)
    outcomes = [detector.failed(f"vehicle-{number % 3}", number, vehicles=100) for number in range(6)]
    assert outcomes == [False, False, False, False, True, False]
    assert detector.since == 0


def test_repeated_failures_of_one_vehicle_are_no_outage() -> None:
    detector = OutageDetector(needed=5)
    assert not any(detector.failed("a", number, vehicles=100) for number in range(50))


def test_repeated_failures_of_the_only_vehicle_are_an_outage() -> None:
    detector = OutageDetector(needed=5)
    assert [detector.failed("a", number, vehicles=1) for number in range(5)][-1]


def test_a_success_between_failures_prevents_an_outage() -> None:
    detector = OutageDetector(needed=5)
    for number in range(40):
        assert not detector.failed(f"vehicle-{number}", number, vehicles=100)
        if number % 4 == 3:
            assert detector.succeeded(number) is None


def test_failures_of_one_kind_of_several_are_suspected_only() -> None:
    detector = OutageDetector(needed=5)
    for number in range(20):
        assert not detector.failed(f"v{number}", number, vehicles=100, what="trips", kinds=2)
        assert detector.is_suspected == (number >= 4)
    assert detector.failed("v1", 20, vehicles=100, what="status", kinds=2)
    assert not detector.is_suspected


def test_failed_listings_decide_where_no_kind_is_read() -> None:
    detector = OutageDetector(needed=5)
    assert [detector.failed(f"a{number}", number, vehicles=0, kinds=0) for number in range(5)][-1]
    detector.succeeded(5)
    assert not any(detector.failed(f"a{number}", number, vehicles=3, kinds=1) for number in range(20))
    assert detector.failed("v", 20, vehicles=3, what="status", kinds=1)


def test_a_kind_that_is_out_is_ignored() -> None:
    detector = OutageDetector(needed=5)
    for number in range(5):
        detector.failed(f"v{number}", number, vehicles=9, what="trips", kinds=2)
    detector.ignore("trips")
    assert not detector.is_suspected
    outcomes = [detector.failed(f"v{number}", number, vehicles=9, what="status", kinds=1) for number in range(5)]
    assert outcomes == [False] * 4 + [True]


def test_each_kind_is_the_first_of_a_probe_in_turn() -> None:
    detector = OutageDetector(needed=1)
    assert detector.in_turn(("a", "b")) == ("a", "b")
    detector.failed("v", 0.0, vehicles=1)
    orders = list[str]()
    for _ in range(4):
        orders.append("".join(detector.in_turn(("a", "b", "c"))))
        detector.failed("v", detector.probe_at, vehicles=1)
    assert orders == ["abc", "bca", "cab", "abc"]
    detector.succeeded(9_999.0)
    assert detector.in_turn(("a", "b", "c")) == ("a", "b", "c")


def test_probe_intervals_double_up_to_240_seconds() -> None:
    detector = OutageDetector(needed=1)
    detector.failed("a", 0.0, vehicles=1)
    probes = list[float]()
    for _ in range(8):
        probes.append(detector.probe_at)
        detector.failed("a", detector.probe_at, vehicles=1)
    gaps = [after - before for before, after in itertools.pairwise(probes)]
    assert probes[0] == 15.0
    assert gaps == [30.0, 60.0, 120.0, 240.0, 240.0, 240.0, 240.0]


def test_failures_between_probes_do_not_delay_the_next() -> None:
    detector = OutageDetector(needed=1)
    detector.failed("a", 0.0, vehicles=1)
    detector.failed("b", 1.0, vehicles=1)
    assert detector.probe_at == 15.0


def test_a_success_ends_the_outage_and_returns_its_length() -> None:
    detector = OutageDetector(needed=1)
    detector.failed("a", 10.0, vehicles=1)
    assert detector.succeeded(110.0) == 100.0
    assert detector.since is None
    assert detector.probe_at < 0


def test_an_exhausted_budget_is_an_outage_at_once() -> None:
    detector = OutageDetector(needed=5)
    assert detector.failed("a", 0.0, vehicles=100, hold=900.0)
    assert detector.probe_at == 900.0
    detector.failed("a", 900.0, vehicles=100, hold=1e9)
    assert detector.probe_at == 900.0 + 3_600.0


@given(st.lists(st.booleans() | st.just("hold"), max_size=60))
def test_outages_begin_and_end_alternately(outcomes: list[object]) -> None:
    detector, on = OutageDetector(needed=3), False
    for at, outcome in enumerate(outcomes):
        if outcome is True:
            ended = detector.succeeded(at) is not None
            assert ended == on
            on = False
        else:
            began = detector.failed(f"v{at}", at, vehicles=10, hold=5.0 if outcome == "hold" else None)
            assert not (began and on)
            on = on or began
        assert on == (detector.since is not None)
