"""Time intervals and number ranges in queries."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.simulator.api.filters import (
    BadFilterError,
    Interval,
    is_within,
    parse_intervals,
    parse_number_range,
)

EIGHT = datetime(2024, 1, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("2024-01-01T08:00:00Z/2024-01-01T09:00:00Z", [(EIGHT, EIGHT + HOUR)]),
        ("2024-01-01T08:00:00/PT1H", [(EIGHT, EIGHT + HOUR)]),
        ("2024-01-01T10:00:00+02:00/PT60M", [(EIGHT, EIGHT + HOUR)]),
        ("2024-01-01T10:00:00 02:00/PT3600S", [(EIGHT, EIGHT + HOUR)]),
        ("2024-01-01T08:00:00Z/P1W", [(EIGHT, EIGHT + timedelta(days=7))]),
        ("R2/2024-01-01T08:00:00Z/PT1H/P1D", [(EIGHT, EIGHT + HOUR), (EIGHT + 24 * HOUR, EIGHT + 25 * HOUR)]),
        ("R2/2024-01-01T08:00:00Z/PT1H", [(EIGHT, EIGHT + HOUR), (EIGHT + HOUR, EIGHT + 2 * HOUR)]),
    ],
)
def test_interval_is_parsed(text: str, spans: list[tuple[datetime, datetime]]) -> None:
    assert parse_intervals([text]) == [Interval(since, until) for since, until in spans]


def test_open_end_is_the_far_future() -> None:
    (span,) = parse_intervals(["2024-01-01T08:00:00Z/"])
    assert (span.since, span.until.year) == (EIGHT, 9999)


def test_open_start_is_the_distant_past() -> None:
    (span,) = parse_intervals(["/2024-01-01T08:00:00Z"])
    assert (span.since.year, span.until) == (1, EIGHT)


def test_unlimited_repetition_lasts_for_years() -> None:
    spans = parse_intervals(["R/2024-01-01T08:00:00Z/PT1H/P1D"])
    assert spans[3000].since == EIGHT + timedelta(days=3000)


def test_interval_ends_at_the_end_of_the_calendar() -> None:
    (span,) = parse_intervals(["2024-01-01T08:00:00Z/P9999999D"])
    assert span.until.year == 9999


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "yesterday/",
        "2024-01-01T08:00:00Z",
        "2024-01-01T08:00:00Z/P",
        "2024-01-01T08:00:00Z/PT",
        "2024-01-01T08:00:00Z/P99999999999999D",
        "X/2024-01-01T08:00:00Z/PT1H",
        "R2/2024-01-01T08:00:00Z/PT1H/P1D/P1D",
        "R2/2024-01-01T08:00:00Z/PT1H/PT0S",
    ],
)
def test_invalid_interval_is_refused(text: str) -> None:
    with pytest.raises(BadFilterError):
        parse_intervals([text])


def test_more_than_ten_intervals_are_refused() -> None:
    with pytest.raises(BadFilterError, match="ten"):
        parse_intervals(["2024-01-01T08:00:00Z/PT1H"] * 11)


@pytest.mark.parametrize(
    ("text", "found"), [("1-150", (1, 150)), ("0.1-", (0.1, float("inf"))), (None, (0, float("inf")))]
)
def test_number_range_is_parsed(text: str | None, found: tuple[float, float]) -> None:
    assert parse_number_range(text) == found


@pytest.mark.parametrize("text", ["", "-5", "a-b", "5"])
def test_invalid_number_range_is_refused(text: str) -> None:
    with pytest.raises(BadFilterError):
        parse_number_range(text)


@pytest.mark.unmeasured
@given(st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(timezone.utc)))  # noqa: DTZ001, UP017
def test_without_intervals_every_instant_passes(instant: datetime) -> None:
    assert is_within(instant, [])
    assert is_within(instant, [Interval(instant, instant)])
    assert not is_within(instant, [Interval(instant + HOUR, instant + 2 * HOUR)])
