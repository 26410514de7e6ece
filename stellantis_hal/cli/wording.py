"""Values as people read them: ages, instants, distances, bars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Final

from stellantis_hal.fleet.export.spreadsheet_formulas import neutralize
from stellantis_hal.hal.redaction import one_line

__all__ = ["UNKNOWN", "age", "amount", "bar", "cells", "clock", "ending", "in_zone", "remaining", "tabbed"]

UNKNOWN: Final = "unknown"
_FULL, _EMPTY = "█", "░"
_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def amount(value: float | None, unit: str = "", digits: int = 0) -> str:
    """Return a number with thousands separated by commas, and its unit; "unknown" for None."""
    if value is None:
        return UNKNOWN
    return f"{value:,.{digits}f}{f' {unit}' if unit else ''}"


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago an instant was, as "3 minutes ago"; "at an unknown time" for None."""
    if since is None:
        return "at an unknown time"
    seconds = (now - since).total_seconds()
    if seconds < -60:
        return f"{_span(-seconds)} in the future"
    if seconds < 60:
        return "just now"
    return f"{_span(seconds)} ago"


def remaining(span: timedelta | None) -> str:
    """Return a span as "1 h 40 min"; "unknown" for None."""
    if span is None:
        return UNKNOWN
    hours, minutes = divmod(round(span.total_seconds() / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _span(seconds: float) -> str:
    """Return a span of at least a minute in its largest unit."""
    unit, size = next(each for each in _UNITS if seconds >= each[1])
    count = int(seconds // size)
    return f"{count} {unit}{'s' if count > 1 else ''}"


def in_zone(instant: datetime, zone: tzinfo | None) -> datetime:
    """Return an aware instant in a zone, or as it is where the calendar of that zone does not have it."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant


def clock(instant: datetime | None, now: datetime, zone: tzinfo | None) -> str:
    """Return an instant in a zone: the time of today, else with the date; "unknown" for None.

    Args:
        instant: the instant, aware.
        now: the current time, aware.
        zone: where times are shown; None: the zone of the machine.
    """
    if instant is None:
        return UNKNOWN
    local, today = in_zone(instant, zone), now.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"


def bar(percent: float | None, width: int) -> str:
    """Return a bar that is filled to a percentage; an empty one for None."""
    filled = round(min(max(percent or 0.0, 0.0), 100.0) / 100 * width)
    return _FULL * filled + _EMPTY * (width - filled)


def ending(vin: str | None) -> str:
    """Return the end of a VIN, which tells a person's cars apart and does not identify them."""
    return f"…{vin[-4:]}" if vin else ""


def cells(row: list[str], widths: list[int], numbers: set[int]) -> str:
    """Return a line of a table: numbers to the right, texts to the left, without blanks at the end."""
    parts = [
        text.rjust(width) if index in numbers else text.ljust(width)
        for index, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(parts).rstrip()


def tabbed(values: Iterable[str]) -> str:
    """Return values with tabs between them; what a spreadsheet would take for a formula gets an apostrophe."""
    return "\t".join(neutralize(one_line(value)) for value in values)
