"""Parameters of collections: checked before anything is sent, written as the vendor takes them.

Knows the vendor's bounds. Must not know which collection takes which.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite

from stellantis_hal.resources.time_range import TimeRange
from stellantis_hal.validation import require_type

__all__ = [
    "PAGE_SIZE",
    "TELEMETRY_PAGE_SIZE",
    "AlarmType",
    "TelemetryType",
    "TripState",
    "choices",
    "index_range",
    "page_size",
    "seconds_range",
    "span",
    "text",
    "timestamps",
    "tolerance",
]

PAGE_SIZE = 60
TELEMETRY_PAGE_SIZE = 2000
_INTERVALS = 10

Range = tuple[float | None, float | None]


class TripState(StrEnum):
    """What is known of a trip."""

    NOMINAL = "Nominal"
    UNSTARTED = "Unstarted"
    DATA_LACKING = "DataLacking"
    UNFINISHED = "Unfinished"


class AlarmType(StrEnum):
    """Which events of the alarm."""

    STATUS = "vehicle.alarm.status"
    TRIGGER = "vehicle.alarm.trigger"


class TelemetryType(StrEnum):
    """Which parts of a telemetry."""

    ENVIRONMENT = "environment"
    PRIVACY = "privacy"
    VEHICLE = "vehicle"
    ADAS = "vehicle.adas"
    BATTERY = "vehicle.battery"
    DOORS = "vehicle.doorsState"
    ENERGIES = "vehicle.energies"
    ENGINES = "vehicle.engines"
    IGNITION = "vehicle.ignition"
    LIGHTING = "vehicle.lightingSystem"
    SAFETY = "vehicle.safety"
    TRANSMISSION = "vehicle.transmission"
    ALARM_STATUS = "vehicle.alarm.status"
    ALARM_TRIGGER = "vehicle.alarm.trigger"
    WIPING_BLADES = "vehicle.wipingBlades"


def page_size(size: int | None, *, most: int = PAGE_SIZE) -> int | None:
    """Check how many items a page may have.

    Raises:
        ValueError: fewer than 1 or more than the vendor gives.
        TypeError: it is no number.
    """
    require_type("page_size", size, int, None)
    if size is not None and not 1 <= size <= most:
        raise ValueError(f"page_size must be between 1 and {most}, not {size}")
    return size


def index_range(bounds: tuple[int, int | None] | None) -> str | None:
    """Write the first and the last index, both included, the last one open where it is None.

    Raises:
        ValueError: negative, or the wrong way round.
    """
    if bounds is None:
        return None
    require_type("index_range", bounds, tuple, list)
    first, last = bounds
    if first < 0 or (last is not None and last < first):
        raise ValueError("index_range must be (first, last) with 0 <= first <= last, or (first, None)")
    return f"{first}-{'' if last is None else last}"


def span(name: str, bounds: Range | None) -> str | None:
    """Write a range of numbers, open above where the second is None: ``1-150``, ``0.1-``.

    Raises:
        ValueError: negative, not finite, or the wrong way round.
    """
    if bounds is None:
        return None
    require_type(name, bounds, tuple, list)
    low, high = bounds[0] or 0, bounds[1]
    if not isfinite(low) or low < 0 or (high is not None and (not isfinite(high) or high < low)):
        raise ValueError(f"{name} must be (low, high) with 0 <= low <= high, either of them None")
    return f"{_decimal(low)}-{'' if high is None else _decimal(high)}"


def _decimal(number: float) -> str:
    """Write a number without an exponent, whose minus sign would be taken for the range's."""
    written = f"{number:.6f}".rstrip("0").rstrip(".")
    return written or "0"


def seconds_range(name: str, bounds: tuple[timedelta | float | None, timedelta | float | None] | None) -> str | None:
    """Write a range of durations in seconds.

    Raises:
        ValueError: negative, or the wrong way round.
    """
    if bounds is None:
        return None
    require_type(name, bounds, tuple, list)
    low, high = (bound.total_seconds() if isinstance(bound, timedelta) else bound for bound in bounds)
    return span(name, (low, high))


def timestamps(
    since: datetime | None, until: datetime | None, ranges: Iterable[TimeRange] | TimeRange | None
) -> list[str] | None:
    """Write intervals: from ``since`` and ``until``, or up to ten of one's own.

    Raises:
        ValueError: both ways at once, more than ten or none, a datetime without a time zone.
    """
    if ranges is None:
        return None if since is None and until is None else [str(TimeRange(since, until))]
    if since is not None or until is not None:
        raise ValueError("give either since and until, or ranges")
    written = [str(interval) for interval in ([ranges] if isinstance(ranges, TimeRange) else ranges)]
    if not 1 <= len(written) <= _INTERVALS:
        raise ValueError(f"between 1 and {_INTERVALS} ranges, not {len(written)}")
    return written


def choices(name: str, values: Iterable[str] | str | None, *, most: int | None = None) -> list[str] | None:
    """Write several names, each once; any the vendor may come to know is let through.

    Raises:
        ValueError: none, one that is empty, or more than the vendor takes.
    """
    if values is None:
        return None
    written = list(dict.fromkeys(str(value) for value in ([values] if isinstance(values, str) else values)))
    if not written or not all(written) or (most is not None and len(written) > most):
        raise ValueError(f"{name} takes {'one or more names' if most is None else f'1 to {most} names'}")
    return written


def text(name: str, value: str | None) -> str | None:
    """Check a text.

    Raises:
        ValueError: it is empty or has blanks.
    """
    if value is not None and (not value or value.split() != [value]):
        raise ValueError(f"{name} must be a text without blanks")
    return value


def tolerance(kilometres: float | None) -> float | None:
    """Check a tolerance in kilometres.

    Raises:
        ValueError: negative or not finite.
    """
    if kilometres is not None and (not isfinite(kilometres) or kilometres < 0):
        raise ValueError("tolerance must be a number of kilometres that is not negative")
    return kilometres
