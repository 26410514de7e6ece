"""The vendor's grammar of intervals."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.resources.time_range import TimeRange
from tests.support.clocks import Autumn

T1 = datetime(2023, 1, 1, tzinfo=UTC)
T2 = datetime(2023, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

GRAMMAR = [
    ("2023-01-01T00:00:00Z/2023-02-01T00:00:00Z", TimeRange(T1, T2)),
    ("2023-01-01T00:00:00Z/PT1H", TimeRange(T1, duration=HOUR)),
    ("2023-01-01T00:00:00Z/", TimeRange(T1)),
    ("/2023-02-01T00:00:00Z", TimeRange(None, T2)),
    ("R5/2023-01-01T00:00:00Z/PT1H", TimeRange(T1, duration=HOUR, repeat=5)),
    ("R5/2023-01-01T00:00:00Z/PT1H/P1D", TimeRange(T1, duration=HOUR, repeat=5, every=DAY)),
    ("R/2023-01-01T00:00:00Z/PT1H/P1D", TimeRange(T1, duration=HOUR, repeat=0, every=DAY)),
]


def test_an_interval_over_the_repeated_hour_is_valid() -> None:
    """In autumn an hour comes twice; instants are compared, not local times."""
    before = datetime(2026, 10, 25, 2, 50, tzinfo=Autumn())
    after = datetime(2026, 10, 25, 2, 10, tzinfo=before.tzinfo, fold=1)
    assert str(TimeRange(before, after)) == "2026-10-25T00:50:00Z/2026-10-25T01:10:00Z"
    with pytest.raises(ValueError, match="until must not be before since"):
        TimeRange(after, before)


@pytest.mark.parametrize(("text", "interval"), GRAMMAR)
def test_each_form_is_written_in_the_vendors_grammar(text: str, interval: TimeRange) -> None:
    assert str(interval) == text


@pytest.mark.parametrize(("text", "interval"), GRAMMAR)
def test_each_form_of_the_grammar_is_read(text: str, interval: TimeRange) -> None:
    assert TimeRange.parse(text) == interval


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "2023-01-01T00:00:00Z",
        "2023-01-01T00:00:00Z/PT1H/P1D",
        "R5/2023-01-01T00:00:00Z",
        "R5/2023-01-01T00:00:00Z/2023-02-01T00:00:00Z",
        "R-1/2023-01-01T00:00:00Z/PT1H",
        "Rx/2023-01-01T00:00:00Z/PT1H",
        "R5/2023-01-01T00:00:00Z/PT1H/P1D/P1D",
        "/PT1H",
        "2023-01-01T00:00:00Z/-PT1H",
        "2023-02-01T00:00:00Z/2023-01-01T00:00:00Z",
        "2023-01-01/2023-02-01",
    ],
)
def test_what_is_not_in_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        TimeRange.parse(text)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"since": datetime(2023, 1, 1)},  # noqa: DTZ001
        {"until": datetime(2023, 1, 1)},  # noqa: DTZ001
        {"since": datetime.max.replace(tzinfo=timezone(-HOUR))},
        {"until": datetime.min.replace(tzinfo=timezone(HOUR))},
        {"since": T1, "until": T2, "duration": HOUR},
        {"until": T2, "duration": HOUR},
        {"since": T1, "duration": timedelta()},
        {"since": T1, "repeat": 2},
        {"since": T1, "duration": HOUR, "repeat": -1},
        {"since": T1, "duration": HOUR, "every": DAY},
    ],
)
def test_parts_that_make_no_interval_are_refused(parts: dict[str, datetime]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        TimeRange(**parts)  # type: ignore[arg-type]  # wrong on purpose


def test_an_instant_without_a_zone_is_shown_with_a_right_one() -> None:
    message = r"^since must be aware, as datetime\(2023, 1, 2, tzinfo=UTC\), not 2023-01-01 00:00:00$"
    with pytest.raises(ValueError, match=message):
        TimeRange(since=datetime(2023, 1, 1))  # noqa: DTZ001


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.timedeltas(timedelta(days=-700_000), timedelta(days=2_900_000)).map(lambda span: EPOCH + span)
spans = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=900))


@pytest.mark.unmeasured
@given(moments, spans, st.none() | st.integers(0, 99), st.none() | spans)
def test_what_is_written_reads_as_itself(
    since: datetime, duration: timedelta, repeat: int | None, every: timedelta | None
) -> None:
    interval = TimeRange(since, duration=duration, repeat=repeat, every=None if repeat is None else every)
    assert TimeRange.parse(str(interval)) == interval
