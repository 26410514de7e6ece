"""Dates of HTTP, and as ``java.util.Date`` prints them: ``Mon Jun 03 08:35:36 GMT 2019``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["parse_http_date", "parse_java_date"]

_JAVA_DATE: Final = re.compile(
    r"[A-Za-z]{3} (?P<month>[A-Za-z]{3}) +(?P<day>\d{1,2}) (?P<clock>\d{2}:\d{2}:\d{2}) (?:GMT|UTC|Z) (?P<year>\d{4})",
    re.ASCII,
)
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


def parse_http_date(text: str) -> datetime | None:
    """Return the instant of a header field (RFC 9110 section 5.6.7), aware, in UTC; None where it cannot be parsed.

    >>> parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT")
    datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.timezone.utc)
    """
    try:
        instant = parsedate_to_datetime(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):  # each occurs, on text that resembles a date
        return None
