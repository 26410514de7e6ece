"""The share of killed mutants that a sample shows."""

import pytest

from tests.mutants import interval


def test_interval_is_narrow_where_most_mutants_are_run() -> None:
    assert interval(950, 1_000, 1_000) == (0.95, 0.95)
    widths = [high - low for low, high in (interval(190, 200, mutants) for mutants in (201, 400, 4_000))]
    assert widths == sorted(widths)


def test_interval_is_wilson_s() -> None:
    assert interval(95, 100, 10**9) == pytest.approx((0.8882, 0.9785), abs=1e-4)
    assert interval(100, 100, 10**9) == pytest.approx((0.9630, 1.0), abs=1e-4)
