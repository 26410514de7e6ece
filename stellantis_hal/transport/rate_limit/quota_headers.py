"""Rate-limit headers: quota, ``Retry-After``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from stellantis_hal.hal.fast_frozen_init import mutable_twin
from stellantis_hal.hal.http_dates import parse_mail_date
from stellantis_hal.hal.redaction import redacted_repr

__all__ = [
    "LONGEST_PAUSE",
    "UNREADABLE",
    "QuotaHeaderNames",
    "ReportedQuota",
    "ReportedWindow",
    "parse_retry_after",
    "retry_after",
]

LONGEST_PAUSE = 86_400.0
"""Seconds: the length of the longest window, and so of the longest pause."""

UNREADABLE = 1.0
"""Seconds to wait where ``Retry-After`` cannot be parsed."""

_DIGITS = 15
_COUNT = re.compile(rf"\s*(\d{{1,{_DIGITS}}})\s*", re.ASCII)
_SECONDS = re.compile(r"\s*(\d+(?:\.\d*)?)\s*", re.ASCII)


@attrs.frozen
class ReportedWindow:
    """One window of a subscription, as the server sees it.

    Attributes:
        limit: requests that fit into it; None where no response has said so yet.
        remaining: requests left in it at the time of the latest response; None likewise.
    """

    limit: int | None = None
    remaining: int | None = None


_UNKNOWN = ReportedWindow()
_new = object.__new__
_FIRST_TIMESTAMP = 1e9


def _lower(name: str) -> str:
    return name.lower()


@attrs.frozen(kw_only=True)
class QuotaHeaderNames:
    """Names of the headers that state a quota; empty where an API has no such header.

    Attributes:
        day_limit: requests that fit into 24 hours.
        day_remaining: requests left of them.
        burst_limit: requests that fit into one second.
        burst_remaining: requests left of them.
    """

    __repr__ = redacted_repr

    day_limit: str = attrs.field(default="", converter=_lower)
    day_remaining: str = attrs.field(default="", converter=_lower)
    burst_limit: str = attrs.field(default="", converter=_lower)
    burst_remaining: str = attrs.field(default="", converter=_lower)


@attrs.frozen(kw_only=True)
class ReportedQuota:
    """Both windows of a subscription: 24 hours and one second.

    Attributes:
        day: 24 hours.
        burst: one second.
        refused: whether the response refused its request for a limit.
    """

    day: ReportedWindow = _UNKNOWN
    burst: ReportedWindow = _UNKNOWN
    refused: bool = attrs.field(default=False, eq=False)

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], names: QuotaHeaderNames) -> ReportedQuota | None:
        """Return the quota that a response states; None where it states none that can be parsed.

        Names are looked up in lower case, as :class:`~stellantis_hal.hal.header_mapping.Headers` keeps them.
        """
        get = headers.get
        name = names.day_limit
        limit = get(name) if name else None
        name = names.day_remaining
        day = _window(limit, get(name) if name else None)
        name = names.burst_limit
        limit = get(name) if name else None
        name = names.burst_remaining
        burst = _window(limit, get(name) if name else None)
        if day is _UNKNOWN and burst is _UNKNOWN:
            return None
        made: Any = _new(_QuotaInTheMaking)
        made.day = day
        made.burst = burst
        made.refused = False
        made.__class__ = ReportedQuota
        quota: ReportedQuota = made
        return quota

    def updated(self, newer: ReportedQuota) -> ReportedQuota:
        """Return the newer values, and the older ones where the newer response states none."""
        day, burst = newer.day, newer.burst
        if (
            day.limit is not None
            and day.remaining is not None
            and burst.limit is not None
            and burst.remaining is not None
            and not newer.refused
        ):
            return newer
        return ReportedQuota(day=_merged(self.day, day), burst=_merged(self.burst, burst))


_WindowInTheMaking = mutable_twin(ReportedWindow)
_QuotaInTheMaking = mutable_twin(ReportedQuota)


def _window(limit_text: str | None, remaining_text: str | None) -> ReportedWindow:
    limit = None if limit_text is None else _count(limit_text)
    remaining = None if remaining_text is None else _count(remaining_text)
    if limit is None and remaining is None:
        return _UNKNOWN
    made: Any = _new(_WindowInTheMaking)  # their own __init__ takes several times as long
    made.limit = limit
    made.remaining = remaining
    made.__class__ = ReportedWindow
    window: ReportedWindow = made
    return window


def _count(text: str) -> int | None:
    if text.isdigit() and text.isascii() and len(text) <= _DIGITS:
        return int(text)
    match = _COUNT.fullmatch(text)
    return None if match is None else int(match[1])


def _merged(older: ReportedWindow, newer: ReportedWindow) -> ReportedWindow:
    if newer.limit is not None and newer.remaining is not None:
        return newer
    return ReportedWindow(
        older.limit if newer.limit is None else newer.limit,
        older.remaining if newer.remaining is None else newer.remaining,
    )


def parse_retry_after(text: str, *, now: datetime) -> float:
    """Return the seconds of a ``Retry-After``: a number, an HTTP date, or ``name=rate-limit-1,15001``.

    Args:
        text: the field's value.
        now: the wall clock, aware; an HTTP date is measured against it.

    Returns:
        Seconds from 0 to 86,400; 1 for text that cannot be parsed (negative numbers, ``inf`` and ``nan`` included), 0
        for a date in the past, the largest of several numbers.
    """
    numbers = [float(match[1]) for part in text.split(",") if (match := _SECONDS.fullmatch(part))]
    if numbers:
        return min(max(numbers), LONGEST_PAUSE)
    instant = parse_mail_date(text)
    return UNREADABLE if instant is None else min(max((instant - now).total_seconds(), 0.0), LONGEST_PAUSE)


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the seconds of ``Retry-After``, else of ``X-RateLimit-Reset``; None without either header."""
    text = headers.get("retry-after")
    if text is not None:
        return parse_retry_after(text, now=now)
    text = headers.get("x-ratelimit-reset")
    if text is None:
        return None
    match = _SECONDS.fullmatch(text)
    if match and float(match[1]) >= _FIRST_TIMESTAMP:  # some APIs send a timestamp
        return min(max(float(match[1]) - now.timestamp(), 0.0), LONGEST_PAUSE)
    return parse_retry_after(text, now=now)
