"""The wall clock that is used where no other is handed in.

Knows the system's clock. Must not know what the time is for.
"""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["utc_now"]


def utc_now() -> datetime:
    """Give the present instant, aware, in UTC."""
    return datetime.now(UTC)
