"""The wall clock."""

from datetime import UTC, datetime, timedelta

from stellantis_hal.hal.clock import utc_now


def test_the_time_is_current_and_aware() -> None:
    now = utc_now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=10)
