"""Instants and spans as people type them: ``30d``, ``2025-12``, ``2025-12-31``, ``2025-12-31T20:55``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

__all__ = ["parse_since"]

_SPAN: Final = re.compile(r"(\d{1,5})([hdwmy])")
_DAYS: Final = {"h": 1 / 24, "d": 1.0, "w": 7.0, "m": 30.0, "y": 365.0}
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?(?:[T ](\d{2}):(\d{2}))?")


def parse_since(text: str, *, now: datetime, zone: tzinfo | None, is_end: bool = False) -> datetime:
    """Return the instant that a text means.

    Args:
        text: a span before now (``12h``, ``30d``, ``8w``, ``6m``, ``1y``), or a year, month, day or minute.
        now: the current time, aware.
        zone: the zone of the text; None: that of the machine.
        is_end: whether a year, month or day means its end.

    Raises:
        ValueError: the text is none of these.
    """
    span, date = _SPAN.fullmatch(text.strip()), _DATE.fullmatch(text.strip())
    try:
        if span is not None:
            return now - timedelta(days=int(span[1]) * _DAYS[span[2]])
        if date is None or (date[4] and not date[3]):
            raise ValueError
        year, month, day, hour, minute = (int(part or 0) for part in date.groups())
        start = datetime(year, month or 1, day or 1, hour, minute)  # noqa: DTZ001 - the zone is added below
        if is_end and not date[4]:
            start = _next(start, has_month=bool(month), has_day=bool(day))
        return (start.astimezone() if zone is None else start.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        if span is not None or (date is not None and (date[3] or not date[4])):
            raise ValueError(f"there is no {text!r}: no such day or time, or one outside the years 1 to 9999") from None
        raise ValueError(f"{text!r} must look like 30d, 2025, 2025-12, 2025-12-31 or 2025-12-31T20:55") from None


def _next(start: datetime, *, has_month: bool, has_day: bool) -> datetime:
    """Return the start of the next day, month or year."""
    if has_day:
        return start + timedelta(days=1)
    if has_month:
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start.replace(year=start.year + 1)
