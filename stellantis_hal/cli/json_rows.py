"""Rows as JSON: instants in UTC, enumerations as texts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["plain", "to_json", "utc"]


def utc(instant: datetime) -> str:
    """Return an instant as JSON has it: UTC, to the second."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """Return a value as JSON has it: instants in UTC, enumerations as texts, numbers to the sixth decimal.

    The rest of a number comes from conversions, as in 30.456000000000003 km/h.
    """
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, str):
        return str(value)
    return round(value, 6) if isinstance(value, float) else value


def to_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it; None stands for unknown."""
    return {name: plain(value) for name, value in row.items()}
