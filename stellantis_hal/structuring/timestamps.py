"""Instants and durations as text: RFC 3339 and ISO 8601."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from stellantis_hal.hal.http_dates import parse_java_date

__all__ = ["read_duration", "read_instant", "write_duration", "write_instant"]

_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:(?P<seconds>\d{2})(?:[.,]\d+)?(?:[Zz]|[+-]\d{2}:?\d{2})", re.ASCII
)
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=\d|T\d)"
    r"(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+(?:[.,]\d+)?)W)?(?:(?P<days>\d+(?:[.,]\d+)?)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+(?:[.,]\d+)?)H)?(?:(?P<minutes>\d+(?:[.,]\d+)?)M)?(?:(?P<seconds>\d+(?:[.,]\d+)?)S)?)?",
    re.ASCII,
)


_USUAL: Final = 16  # characters


def read_instant(text: str) -> datetime:
    """Read an instant in any of the three spellings as an aware datetime in UTC.

    ``2023-09-12T09:41:10.911Z`` and ``2017-08-10T13:46:39.652+0000`` (RFC 3339, the offset with or without its
    colon) and ``Mon Jun 03 08:35:36 GMT 2019``. A leap second is the instant that follows it.

    Raises:
        ValueError: none of them, or an instant outside the years 1 to 9999. An instant without an offset is none.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        return _read_java_date(text)
    leap = match["seconds"] == "60"
    if leap:
        text = f"{text[:17]}59{text[19:]}"
    try:
        instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
        return instant.replace(microsecond=0) + timedelta(seconds=1) if leap else instant
    except (ValueError, OverflowError):
        raise ValueError("no such instant") from None


def _read_java_date(text: str) -> datetime:
    try:
        instant = parse_java_date(text)
    except ValueError:
        raise ValueError("no such instant") from None
    if instant is None:
        raise ValueError("not an instant")
    return instant


def write_instant(instant: datetime) -> str:
    """Write an aware instant in RFC 3339, in UTC, with as many decimals as it needs (none, three or six)."""
    if instant.tzinfo is UTC:
        text, microsecond = instant.isoformat(), instant.microsecond  # with an offset of six characters
        return f"{text[:-9] if microsecond and microsecond % 1000 == 0 else text[:-6]}Z"
    instant = instant.astimezone(UTC).replace(tzinfo=None)
    precision = "milliseconds" if instant.microsecond and instant.microsecond % 1000 == 0 else "auto"
    return f"{instant.isoformat(timespec=precision)}Z"


def read_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration: ``PT1H30M``, ``P2DT12H``, ``P1W``, ``-PT5M``, ``PT0.5S``.

    Raises:
        ValueError: no duration, or longer than a timedelta, or one with years or months, which have no fixed length.
    """
    return _read_duration(text) if len(text) > _USUAL else _read_usual_duration(text)


def _read_duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 duration")
    if int(match["years"] or 0) or int(match["months"] or 0):
        raise ValueError("years and months have no fixed length")
    try:
        span = timedelta(
            **{
                unit: float(match[unit].replace(",", "."))
                for unit in ("weeks", "days", "hours", "minutes", "seconds")
                if match[unit] is not None
            }
        )
    except (ValueError, OverflowError):
        raise ValueError("a duration too long to hold") from None
    return -span if match["sign"] == "-" else span


_read_usual_duration = functools.lru_cache(maxsize=1_024)(_read_duration)  # vehicles have a few, again and again


def write_duration(span: timedelta) -> str:
    """Write an ISO 8601 duration: days, hours, minutes and seconds, only those that are not zero."""
    if span < timedelta():
        return f"-{write_duration(-span)}"
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{span.microseconds:06}".rstrip("0") if span.microseconds else ""
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    clock += f"{seconds}{fraction}S" if seconds or fraction else ""
    days = f"{span.days}D" if span.days else ""
    return f"P{days}T{clock}" if clock else f"P{days}" if days else "PT0S"
