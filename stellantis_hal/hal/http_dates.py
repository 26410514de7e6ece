"""Dates of HTTP (RFC 9110 section 5.6.7), of mail, and as ``java.util.Date`` prints them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

__all__ = ["parse_http_date", "parse_java_date", "parse_mail_date"]

_JAVA_DATE: Final = re.compile(
    r"[A-Za-z]{3} (?P<month>[A-Za-z]{3}) +(?P<day>\d{1,2}) (?P<clock>\d{2}:\d{2}:\d{2}) (?:GMT|UTC|Z) (?P<year>\d{4})",
    re.ASCII,
)
_CLOCK = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
_HTTP_DATES: Final = (
    re.compile(rf"[a-z]{{3}}, (?P<day>\d{{2}}) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {_CLOCK} gmt", re.ASCII),
    re.compile(rf"[a-z]{{6,9}}, (?P<day>\d{{2}})-(?P<month>[a-z]{{3}})-(?P<year>\d{{2}}) {_CLOCK} gmt", re.ASCII),
    re.compile(rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})", re.ASCII),
)
"""IMF-fixdate, RFC 850 with two digits of the year, asctime."""
_MAX_LENGTH = 40
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse_java_date(text: str) -> datetime | None:
    """Return the instant, aware, in UTC; None where the text is not spelt so.

    Raises:
        ValueError: it is spelt so, but there is no such instant.

    >>> parse_java_date("Mon Jun 03 08:35:36 GMT 2019")
    datetime.datetime(2019, 6, 3, 8, 35, 36, tzinfo=datetime.timezone.utc)
    """
    match = _JAVA_DATE.fullmatch(text)
    if match is None:
        return None
    month = match["month"].lower()
    if month not in _MONTHS:
        raise ValueError("no such month")
    hour, minute, second = map(int, match["clock"].split(":"))
    return datetime(int(match["year"]), _MONTHS.index(month) + 1, int(match["day"]), hour, minute, second, tzinfo=UTC)


def parse_mail_date(text: str) -> datetime | None:
    """Return the instant of a date of mail (RFC 5322), of which those of HTTP are a part; None where it is unreadable.

    A date without a zone, or with ``-0000``, is one of UTC.

    >>> parse_mail_date("Sun, 30 Jun 2024 23:59:59 +0200").isoformat()
    '2024-06-30T23:59:59+02:00'
    """
    try:
        instant = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):  # each occurs, on text that resembles a date
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


def parse_http_date(text: str) -> datetime | None:
    """Return the instant of an HTTP date, aware, in UTC; None where it is unreadable, or not in GMT.

    A year of two digits is the one of its century that is not after 2079.

    >>> parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT")
    datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.timezone.utc)
    """
    return _parse_http_date(text) if len(text) <= _MAX_LENGTH else None


@lru_cache(maxsize=256)
def _parse_http_date(text: str) -> datetime | None:
    text = text.strip().lower()
    match = next((found for pattern in _HTTP_DATES if (found := pattern.fullmatch(text))), None)
    if match is None or match["month"] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[name]) for name in ("day", "year", "hour", "minute", "second"))
    if len(match["year"]) == 2:
        year += 1900 if year >= 80 else 2000
    try:
        return datetime(year, _MONTHS.index(match["month"]) + 1, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
