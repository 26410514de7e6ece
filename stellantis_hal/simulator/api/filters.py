"""Knows the API's filters: intervals of time in the vendor's grammar, ranges of numbers.

Must not know what they are applied to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import attrs

__all__ = ["BadFilterError", "Interval", "intervals", "number_range", "within"]

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
    """A filter cannot be read."""


@attrs.frozen
class Interval:
    """A span of time, both ends included."""

    since: datetime
    until: datetime


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise BadFilterError(f"{text} is no instant") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    parts = {name: float(value) for name, value in found.groupdict().items() if value} if found else {}
    if not parts:
        raise BadFilterError(f"{text} is no duration")
    try:
        return timedelta(**parts)
    except OverflowError:
        raise BadFilterError(f"{text} is too long") from None


def _plus(instant: datetime, span: timedelta) -> datetime:
    try:
        return instant + span
    except OverflowError:
        return _FAR_AHEAD


def _repeated(parts: list[str]) -> list[Interval]:
    found = _REPEAT.fullmatch(parts[0])
    if found is None or len(parts) not in {3, 4}:
        raise BadFilterError("a repetition looks like R5/2024-01-01T08:00:00Z/PT1H/P1D")
    start, length = _instant(parts[1]), _duration(parts[2])
    step = _duration(parts[3]) if len(parts) == 4 else length
    if step <= timedelta():
        raise BadFilterError("a repetition has to move on")
    count = int(found[1]) if found[1] and len(found[1]) < 6 else _MOST_REPEATS
    starts = (_plus(start, number * step) for number in range(min(count, _MOST_REPEATS)))
    return [Interval(since, _plus(since, length)) for since in starts]


def _one(text: str) -> list[Interval]:
    parts = text.split("/")
    if len(parts) > 2:
        return _repeated(parts)
    if len(parts) < 2 or parts == ["", ""]:
        raise BadFilterError(f"{text} is no interval")
    first, second = parts
    since = _instant(first) if first else _LONG_AGO
    if not second:
        return [Interval(since, _FAR_AHEAD)]
    until = _plus(since, _duration(second)) if second.startswith("P") else _instant(second)
    return [Interval(since, until)]


def intervals(texts: Iterable[str]) -> list[Interval]:
    """Read up to ten intervals: ``T1/T2``, ``T/D``, ``T/``, ``/T``, ``Rn/T/D[/d]``, ``R/T/D[/d]``.

    Raises BadFilterError.
    """
    found = list(texts)
    if len(found) > 10:
        raise BadFilterError("at most ten intervals")
    return [interval for text in found for interval in _one(text)]


def number_range(text: str | None) -> tuple[float, float]:
    """Read a range such as ``1-150`` or ``0.1-``; none: everything. Raises BadFilterError."""
    if text is None:
        return 0.0, float("inf")
    found = _NUMBERS.fullmatch(text)
    if found is None:
        raise BadFilterError(f"{text} is no range")
    return float(found[1]), float(found[2]) if found[2] else float("inf")


def within(instant: datetime, spans: list[Interval]) -> bool:
    """Say whether an instant lies in one of the intervals; no interval: it does."""
    return not spans or any(span.since <= instant <= span.until for span in spans)
