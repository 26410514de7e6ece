"""The header fields Deprecation (RFC 9745) and Sunset (RFC 8594)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from stellantis_hal.hal.http_dates import parse_mail_date
from stellantis_hal.hal.redaction import excerpt

__all__ = ["deprecation_notice"]

_SECONDS = re.compile(r"@(-?\d{1,15})(?:;.*)?", re.DOTALL)
_MAX_EXCERPT = 80


def deprecation_notice(headers: Mapping[str, str]) -> str | None:
    """Return what a response says of its deprecation, as part of a sentence; None where it says nothing.

    Both forms of ``Deprecation`` are read: an instant (``@1688169599``), and that of the drafts before the RFC
    (``true``, or an HTTP date). A value that cannot be read counts too, and is quoted.

    >>> deprecation_notice({"deprecation": "@1688169599", "sunset": "Sun, 30 Jun 2024 23:59:59 GMT"})
    'deprecated as of 2023-06-30T23:59:59Z, and stops responding at 2024-06-30T23:59:59Z'
    """
    deprecation, sunset = headers.get("deprecation", "").strip(), headers.get("sunset", "").strip()
    parts: list[str] = []
    if deprecation and deprecation.lower() not in {"false", "?0"}:
        is_flag = deprecation.lower() in {"true", "?1"}
        parts.append("deprecated" if is_flag else f"deprecated as of {_when(deprecation)}")
    if sunset:
        parts.append(f"stops responding at {_when(sunset)}")
    return ", and ".join(parts) or None


def _when(text: str) -> str:
    """Return an instant in ISO 8601, or the text itself, quoted."""
    seconds = _SECONDS.fullmatch(text)
    try:
        moment = parse_mail_date(text) if seconds is None else datetime.fromtimestamp(int(seconds[1]), UTC)
        if moment is not None:
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        pass  # an instant beyond the calendar
    return repr(excerpt(text, _MAX_EXCERPT))
