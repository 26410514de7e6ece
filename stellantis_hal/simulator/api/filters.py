"""Query filters: time intervals in the vendor's grammar and number ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import attrs

__all__ = ["BadFilterError", "Interval", "is_within", "parse_intervals", "parse_number_range"]

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_REPEAT = re.compile(r"R(\d*)")
_NUMBERS = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)?")
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
_FAR_AHEAD = datetime(9999, 12, 31, tzinfo=UTC)
_MOST_REPEATS = 10_000


class BadFilterError(ValueError):
    """A filter is invalid."""


@attrs.frozen
class Interval:
    """A time interval, both ends included."""

    since: datetime
    until: datetime


def _parse_instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise BadFilterError(f"{text} is not an instant") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _parse_duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    parts = {name: float(value) for name, value in found.groupdict().items() if value} if found else {}
    if not parts:
        raise BadFilterError(f"{text} is not a duration")
    try:
        return timedelta(**parts)
    except OverflowError:
        raise BadFilterError(f"{text} is too long") from None


def _add(instant: datetime, span: timedelta) -> datetime:
    try:
        return instant + span
    except OverflowError:
        return _FAR_AHEAD


def _parse_repetition(parts: list[str]) -> list[Interval]:
    found = _REPEAT.fullmatch(parts[0])
    if found is None or len(parts) not in {3, 4}:
        raise BadFilterError("a repetition must look like R5/2024-01-01T08:00:00Z/PT1H/P1D")
    start, length = _parse_instant(parts[1]), _parse_duration(parts[2])
    step = _parse_duration(parts[3]) if len(parts) == 4 else length
    if step <= timedelta():
        raise BadFilterError("the step of a repetition must be longer than 0 s")
    count = int(found[1]) if found[1] and len(found[1]) < 6 else _MOST_REPEATS
    starts = (_add(start, number * step) for number in range(min(count, _MOST_REPEATS)))
    return [Interval(since, _add(since, length)) for since in starts]


def _parse_one(text: str) -> list[Interval]:
    parts = text.split("/")
    if len(parts) > 2:
        return _parse_repetition(parts)
    if len(parts) < 2 or parts == ["", ""]:
        raise BadFilterError(f"{text} is not an interval")
    first, second = parts
    since = _parse_instant(first) if first else _LONG_AGO
    if not second:
        return [Interval(since, _FAR_AHEAD)]
    until = _add(since, _parse_duration(second)) if second.startswith("P") else _parse_instant(second)
    return [Interval(since, until)]


def parse_intervals(texts: Iterable[str]) -> list[Interval]:
    """Parse up to ten intervals: ``T1/T2``, ``T/D``, ``T/``, ``/T``, ``Rn/T/D[/d]``, ``R/T/D[/d]``.

    Raises BadFilterError.
    """
    found = list(texts)
    if len(found) > 10:
        raise BadFilterError("at most ten intervals")
    return [interval for text in found for interval in _parse_one(text)]


def parse_number_range(text: str | None) -> tuple[float, float]:
    """Parse a range such as ``1-150`` or ``0.1-``; None is unlimited. Raises BadFilterError."""
    if text is None:
        return 0.0, float("inf")
    found = _NUMBERS.fullmatch(text)
    if found is None:
        raise BadFilterError(f"{text} is not a range")
    return float(found[1]), float(found[2]) if found[2] else float("inf")


def is_within(instant: datetime, spans: list[Interval]) -> bool:
    """Return whether an instant lies in one of the intervals; no intervals match every instant."""
    return not spans or any(span.since <= instant <= span.until for span in spans)
