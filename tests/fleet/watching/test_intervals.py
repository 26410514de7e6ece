"""Poll intervals: the next due time and quiet hours."""

import math
from datetime import UTC, datetime, time, timedelta, timezone

import pytest

from stellantis_hal.fleet.watching.intervals import fraction_of, next_due, quiet


def test_a_poll_in_time_keeps_the_rhythm() -> None:
    assert next_due(100.0, 130.0, 60.0) == 160.0


def test_missed_polls_are_not_repeated() -> None:
    assert next_due(100.0, 10_000.0, 60.0) == 10_060.0


def test_an_interval_is_never_zero() -> None:
    assert next_due(5.0, 5.0, 0.0) > 5.0


def test_first_polls_spread_over_the_interval() -> None:
    fractions = sorted(fraction_of(f"vehicle-{number}") for number in range(1_000))
    assert all(0 <= fraction < 1 for fraction in fractions)
    by_tenth = [sum(tenth / 10 <= fraction < (tenth + 1) / 10 for fraction in fractions) for tenth in range(10)]
    assert min(by_tenth) > 60
    assert fraction_of("a", "x") != fraction_of("a")


@pytest.mark.parametrize(("hour", "factor"), [(21, 1.0), (22, 4.0), (23, 4.0), (0, 4.0), (4, 4.0), (5, 1.0), (12, 1.0)])
def test_quiet_hours_may_cross_midnight(hour: int, factor: float) -> None:
    assert quiet(time(22), time(5))(datetime(2026, 1, 1, hour, tzinfo=UTC)) == factor


@pytest.mark.parametrize(("hour", "factor"), [(8, 1.0), (9, 2.5), (16, 2.5), (17, 1.0)])
def test_quiet_hours_may_lie_within_a_day(hour: int, factor: float) -> None:
    assert quiet(time(9), time(17), factor=2.5)(datetime(2026, 1, 1, hour, tzinfo=UTC)) == factor


def test_invalid_quiet_hours_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"factor must be .* more than 0.*, not 0\.0"):
        quiet(time(1), time(2), factor=0.0)
    with pytest.raises(ValueError, match=r"factor must be a finite .*, not inf"):
        quiet(time(1), time(2), factor=math.inf)
    with pytest.raises(ValueError, match="without a zone"):
        quiet(time(1, tzinfo=UTC), time(2))


def test_quiet_hours_are_in_utc_whatever_zone_the_clock_has() -> None:
    assert quiet(time(22), time(5))(datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=5)))) == 4.0
    assert quiet(time(22), time(5))(datetime(2026, 1, 1, 4, tzinfo=timezone(timedelta(hours=-5)))) == 1.0
