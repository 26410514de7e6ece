"""Events that are told rarely when they happen often."""

from stellantis_hal.hal.log_throttling import LogThrottle


def test_it_is_told_each_time_it_has_doubled() -> None:
    event = LogThrottle()
    assert [number for number in range(1, 40) if event.is_told()] == [1, 2, 4, 8, 16, 32]
    assert event.count == 39


def test_many_at_once_are_counted_as_many() -> None:
    event = LogThrottle()
    assert [event.is_told(times) for times in (10, 9, 1, 100)] == [True, False, True, True]
    assert event.count == 120


def test_it_begins_anew() -> None:
    event = LogThrottle()
    assert event.is_told(3)
    assert event.end() == 3
    assert (event.count, event.is_told()) == (0, True)
