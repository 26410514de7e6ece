"""The wall clock that is used where no other is handed in."""

from datetime import UTC, datetime, timedelta

from stellantis_hal.auth.clock import utc_now


def test_the_present_is_aware_and_in_utc() -> None:
    now = utc_now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
