"""Values as people read and type them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest

from stellantis_hal.cli.finite_range import FiniteRange
from stellantis_hal.cli.json_rows import to_json
from stellantis_hal.cli.time_arguments import parse_since
from stellantis_hal.cli.wording import age, amount, bar, cells, clock, ending, remaining

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "just now"), (60, "1 minute ago"), (180, "3 minutes ago"), (7_300, "2 hours ago"), (90_000, "1 day ago")],
)
def test_an_age_is_in_its_largest_unit(seconds: float, text: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == text


def test_what_is_unknown_is_said() -> None:
    assert age(None, NOW) == "at an unknown time"
    assert age(NOW + timedelta(seconds=61.5), NOW) == "1 minute in the future"
    assert amount(None) == clock(None, NOW, UTC) == remaining(None) == "unknown"
    assert ending(None) == ""


def test_values_have_their_units() -> None:
    assert amount(60_849.4, "km") == "60,849 km"
    assert amount(1.25, digits=1) == "1.2"
    assert remaining(timedelta(minutes=100)) == "1 h 40 min"
    assert remaining(timedelta(minutes=4)) == "4 min"
    assert clock(NOW, NOW, PARIS) == "13:00"
    assert clock(datetime.max.replace(tzinfo=UTC), NOW, PARIS) == "9999-12-31 23:59"
    assert clock(NOW - timedelta(days=1), NOW, UTC) == "2026-03-04 12:00"
    assert ending("VF300000000001234") == "…1234"


@pytest.mark.parametrize(("level", "text"), [(None, "░░░░"), (0, "░░░░"), (50, "██░░"), (100, "████"), (250, "████")])
def test_a_bar_is_filled_by_its_level(level: float | None, text: str) -> None:
    assert bar(level, 4) == text


def test_cells_are_aligned_and_json_is_in_utc() -> None:
    assert cells(["a", "1", ""], [2, 3, 4], {1}) == "a     1"
    assert to_json({"a": NOW.astimezone(PARIS), "b": None, "c": "x", "d": 1.5}) == {
        "a": "2026-03-05T12:00:00Z",
        "b": None,
        "c": "x",
        "d": 1.5,
    }


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("12h", NOW - timedelta(hours=12), NOW - timedelta(hours=12)),
        ("30d", NOW - timedelta(days=30), NOW - timedelta(days=30)),
        ("2w", NOW - timedelta(days=14), NOW - timedelta(days=14)),
        ("2025", datetime(2025, 1, 1, tzinfo=PARIS), datetime(2026, 1, 1, tzinfo=PARIS)),
        ("2025-12", datetime(2025, 12, 1, tzinfo=PARIS), datetime(2026, 1, 1, tzinfo=PARIS)),
        ("2025-11", datetime(2025, 11, 1, tzinfo=PARIS), datetime(2025, 12, 1, tzinfo=PARIS)),
        ("2025-12-31", datetime(2025, 12, 31, tzinfo=PARIS), datetime(2026, 1, 1, tzinfo=PARIS)),
        ("2025-12-31T20:55", *[datetime(2025, 12, 31, 20, 55, tzinfo=PARIS)] * 2),
    ],
)
def test_instants_are_typed_short(text: str, start: datetime, end: datetime) -> None:
    assert parse_since(text, now=NOW, zone=PARIS) == start
    assert parse_since(text, now=NOW, zone=PARIS, is_end=True) == end
    assert parse_since("2025", now=NOW, zone=None).year in {2024, 2025}


@pytest.mark.parametrize("text", ["", "yesterday", "30", "2025-12T20:55", "2025T20:55"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must look like 30d, 2025"):
        parse_since(text, now=NOW, zone=PARIS)


@pytest.mark.parametrize("text", ["2025-13", "2025-02-29", "9999-12-31T25:00", "0000", "99999y"])
def test_a_day_that_there_is_not_is_refused_as_such(text: str) -> None:
    with pytest.raises(ValueError, match=f"there is no '{text}'"):
        parse_since(text, now=NOW, zone=PARIS)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "x"])
def test_an_option_takes_finite_numbers_of_its_range(text: str) -> None:
    """The command ``trips --min-km nan`` ended in a traceback."""
    assert FiniteRange(0).convert("2.5", None, None) == 2.5
    with pytest.raises(click.BadParameter):
        FiniteRange(0).convert(text, None, None)
