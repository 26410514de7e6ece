"""What the server says is left of a subscription, and when to come back.

Knows the header fields of the vendor's gateway and RFC 9110 section 10.2.3. Must not wait, count or send anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import attrs

__all__ = ["LONGEST_PAUSE", "UNREADABLE", "Quota", "Window", "parse_retry_after", "retry_after"]

LONGEST_PAUSE = 86_400.0
"""Seconds: the longest window there is, so nothing pauses for longer."""

UNREADABLE = 1.0
"""Seconds that an instruction to wait counts for when nobody can read it."""

_COUNT = re.compile(r"\s*(\d{1,15})\s*", re.ASCII)
_SECONDS = re.compile(r"\s*(\d+(?:\.\d*)?)\s*", re.ASCII)


@attrs.frozen
class Window:
    """One window of a subscription, as the server sees it.

    Attributes:
        limit: requests that fit into it; None where no answer has said so yet.
        remaining: requests left in it at the time of the latest answer; None likewise.
    """

    limit: int | None = None
    remaining: int | None = None


_UNKNOWN = Window()
_INSTANT = 1e9


@attrs.frozen(kw_only=True)
class Quota:
    """Both windows of a subscription: 24 hours (``-1``) and one second (``-2``)."""

    day: Window = _UNKNOWN
    burst: Window = _UNKNOWN

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Quota | None:
        """Read the four ``X-RateLimit`` fields; None where there is none that can be read.

        Names are looked up in lower case first, as :class:`~stellantis_hal.navigation.fetch.Headers` keeps them.
        """
        day = _window(headers, "1")
        burst = _window(headers, "2")
        return None if day is _UNKNOWN and burst is _UNKNOWN else cls(day=day, burst=burst)

    def updated(self, newer: Quota) -> Quota:
        """Give the newer values, and keep the older ones where the newer answer was silent."""
        return Quota(day=_merged(self.day, newer.day), burst=_merged(self.burst, newer.burst))


def _window(headers: Mapping[str, str], number: str) -> Window:
    limit = _count(headers.get(f"x-ratelimit-limit-{number}"))
    remaining = _count(headers.get(f"x-ratelimit-remaining-{number}"))
    return _UNKNOWN if limit is None and remaining is None else Window(limit, remaining)


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    match = _COUNT.fullmatch(text)
    return None if match is None else int(match[1])


def _merged(older: Window, newer: Window) -> Window:
    if newer.limit is not None and newer.remaining is not None:
        return newer
    return Window(
        older.limit if newer.limit is None else newer.limit,
        older.remaining if newer.remaining is None else newer.remaining,
    )


def parse_retry_after(text: str, *, now: datetime) -> float:
    """Read a ``Retry-After`` in whatever form: seconds, an HTTP date, ``name=rate-limit-1,15001``.

    Args:
        text: the field's value.
        now: the wall clock, aware; an HTTP date is measured against it.

    Returns:
        Seconds from 0 to 86,400. What cannot be read (negative numbers, ``inf`` and ``nan`` included) counts as one
        second; a date in the past as none. Of several numbers the largest counts.
    """
    numbers = [float(match[1]) for part in text.split(",") if (match := _SECONDS.fullmatch(part))]
    if numbers:
        return min(max(numbers), LONGEST_PAUSE)
    try:
        instant = parsedate_to_datetime(text)
        if instant.tzinfo is None:  # "-0000": UTC, as RFC 5322 section 3.3 has it
            instant = instant.replace(tzinfo=UTC)
        seconds = (instant - now).total_seconds()
    except (TypeError, ValueError, IndexError, OverflowError):  # all of them occur, on garbage that resembles a date
        return UNREADABLE
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Tell how long the server wants us to stay away: ``Retry-After``, else ``X-RateLimit-Reset``; None if neither."""
    text = headers.get("retry-after")
    if text is not None:
        return parse_retry_after(text, now=now)
    text = headers.get("x-ratelimit-reset")
    if text is None:
        return None
    match = _SECONDS.fullmatch(text)
    if match and float(match[1]) >= _INSTANT:  # other APIs say an instant there, in seconds since the epoch
        return min(max(float(match[1]) - now.timestamp(), 0.0), LONGEST_PAUSE)
    return parse_retry_after(text, now=now)
