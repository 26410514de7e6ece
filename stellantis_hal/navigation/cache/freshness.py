"""Freshness of responses: lifetime, age, and which may be stored (RFC 9111 sections 3 and 4.2)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.http_dates import parse_http_date
from stellantis_hal.navigation.cache.cache_control import MAX_SECONDS, parse_directives, seconds_of

__all__ = ["freshness_lifetime", "initial_age", "is_storable"]

_AGE: Final = re.compile(r"\s*([0-9]{1,12})[0-9]{0,100}\s*(?:[,;]|$)")
_ALWAYS_STORABLE = frozenset({200, 203})
_UNDERSTOOD = frozenset({200, 203, 204})
_PARTIAL = 206


def freshness_lifetime(headers: Headers, received_at: datetime) -> float | None:
    """Return the seconds that a response is fresh from the instant at which it was generated.

    None where the server does not say: there is no heuristic. A statement that is unreadable, doubled, or forbids
    reuse without asking is 0.
    """
    fields = headers.by_lower_name
    directives = parse_directives(fields.get("cache-control"))
    if "no-cache" in directives or "no-store" in directives:
        return 0.0
    max_age = seconds_of(directives, "max-age")
    if max_age is not None:
        return float(max_age)
    if "expires" not in fields:
        return None
    expires = parse_http_date(fields["expires"])
    if expires is None:
        return 0.0
    generated = parse_http_date(fields.get("date", "")) or received_at
    return max(0.0, (expires - generated).total_seconds())


def initial_age(headers: Headers, received_at: datetime, delay: float) -> float:
    """Return the age in seconds that a response has when it is received (RFC 9111 section 4.2.3).

    Args:
        headers: its header fields.
        received_at: the time of receipt by the wall clock.
        delay: seconds from the sending of the request to the receipt.
    """
    fields = headers.by_lower_name
    date = parse_http_date(fields.get("date", ""))
    apparent = 0.0 if date is None else (received_at - date).total_seconds()
    return max(0.0, apparent, _stated_age(fields.get("age", "")) + max(0.0, delay))


def _stated_age(field: str) -> int:
    """Return the seconds of an ``Age`` field: the first where there are several, 0 where it is unreadable."""
    match = _AGE.match(field)
    return 0 if match is None else min(int(match[1]), MAX_SECONDS)


def is_storable(status: int, headers: Headers) -> bool:
    """Return whether a successful response may be stored, by its status and directives."""
    fields = headers.by_lower_name
    directives = parse_directives(fields.get("cache-control"))
    if "no-store" in directives or not 200 <= status < 300 or status == _PARTIAL:
        return False
    if "must-understand" in directives and status not in _UNDERSTOOD:
        return False
    return status in _ALWAYS_STORABLE or "max-age" in directives or "expires" in fields
