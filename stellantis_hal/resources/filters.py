"""Query parameters of collections, checked against the vendor's bounds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any

from stellantis_hal.resources.time_range import TimeRange
from stellantis_hal.validation import require_type

__all__ = [
    "PAGE_SIZE",
    "TELEMETRY_PAGE_SIZE",
    "AlarmEventType",
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
    """How complete the record of a trip is."""

    NOMINAL = "Nominal"
    UNSTARTED = "Unstarted"
    DATA_LACKING = "DataLacking"
    UNFINISHED = "Unfinished"


class AlarmEventType(StrEnum):
    """Kinds of events of the alarm."""

    STATUS = "vehicle.alarm.status"
    TRIGGER = "vehicle.alarm.trigger"


class TelemetryType(StrEnum):
    """Parts of a telemetry."""

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
    """Check the number of items on a page.

    Raises:
        ValueError: fewer than 1 or more than the vendor allows.
        TypeError: not a number.
    """
    require_type("page_size", size, int, None)
    if size is not None and not 1 <= size <= most:
        raise ValueError(f"page_size must be between 1 and {most}, not {size}")
    return size


def index_range(bounds: tuple[int, int | None] | None) -> str | None:
    """Return the first and the last index as a query value; both are included, None leaves the end open.

    Raises:
        ValueError: negative, or the wrong way round.
    """
    if bounds is None:
        return None
    first, last = _pair("index_range", bounds)
    require_type("the first index", first, int)
    require_type("the last index", last, int, None)
    if first < 0 or (last is not None and last < first):
        raise ValueError("index_range must be (first, last) with 0 <= first <= last, or (first, None)")
    return f"{first}-{'' if last is None else last}"


def span(name: str, bounds: Range | None) -> str | None:
    """Return a range of numbers as a query value; None leaves the end open: ``1-150``, ``0.1-``.

    Raises:
        ValueError: negative, not finite, or the wrong way round.
    """
    if bounds is None:
        return None
    for bound in _pair(name, bounds):
        require_type(f"each bound of {name}", bound, int, float, None)
    low, high = bounds[0] or 0, bounds[1]
    if not isfinite(low) or low < 0 or (high is not None and (not isfinite(high) or high < low)):
        raise ValueError(f"{name} must be (low, high) with 0 <= low <= high, either of them None")
    return f"{_decimal(low)}-{'' if high is None else _decimal(high)}"


def _pair(name: str, bounds: Any) -> tuple[Any, Any]:
    """Return both bounds of a range.

    Raises:
        TypeError: it is no tuple or list.
        ValueError: it has not two of them.
    """
    require_type(name, bounds, tuple, list)
    if len(bounds) != 2:
        raise ValueError(f"{name} must be a pair, as (1, 5) or (1, None), not {len(bounds)} values")
    first, last = bounds
    return first, last


def _decimal(number: float) -> str:
    """Return a number without an exponent, whose minus sign could be taken for that of the range."""
    written = f"{number:.6f}".rstrip("0").rstrip(".")
    return written or "0"


def seconds_range(name: str, bounds: tuple[timedelta | float | None, timedelta | float | None] | None) -> str | None:
    """Return a range of durations as a query value, in seconds.

    Raises:
        ValueError: negative, or the wrong way round.
    """
    if bounds is None:
        return None
    low, high = (bound.total_seconds() if isinstance(bound, timedelta) else bound for bound in _pair(name, bounds))
    return span(name, (low, high))


def timestamps(
    since: datetime | None, until: datetime | None, ranges: Iterable[TimeRange] | TimeRange | None
) -> list[str] | None:
    """Return intervals as query values: of ``since`` and ``until``, or up to ten given ones.

    Raises:
        ValueError: both ways at once, more than ten or none, a datetime without a time zone.
    """
    if ranges is None:
        return None if since is None and until is None else [str(TimeRange(since, until))]
    if since is not None or until is not None:
        raise ValueError("pass either since and until, or ranges, not both")
    written = [str(interval) for interval in ([ranges] if isinstance(ranges, TimeRange) else ranges)]
    if not 1 <= len(written) <= _INTERVALS:
        raise ValueError(f"there must be between 1 and {_INTERVALS} ranges, not {len(written)}")
    return written


def choices(name: str, values: Iterable[str] | str | None, *, most: int | None = None) -> list[str] | None:
    """Return names as query values, each once; names that the vendor may add later are accepted.

    Raises:
        ValueError: no name, an empty one, or more than the vendor accepts.
    """
    if values is None:
        return None
    written = list(dict.fromkeys(str(value) for value in ([values] if isinstance(values, str) else values)))
    if not written or not all(written) or (most is not None and len(written) > most):
        raise ValueError(f"{name} must be {'one or more names' if most is None else f'1 to {most} names'}")
    return written


def text(name: str, value: str | None) -> str | None:
    """Check a text.

    Raises:
        ValueError: empty, or with blanks.
    """
    if value is not None and (not value or value.split() != [value]):
        raise ValueError(f"{name} must be a text without blanks, as 'fr-FR' is")
    return value


def tolerance(kilometres: float | None) -> float | None:
    """Check a tolerance in kilometres.

    Raises:
        ValueError: negative or not finite.
    """
    require_type("tolerance", kilometres, int, float, None)
    if kilometres is not None and (not isfinite(kilometres) or kilometres < 0):
        raise ValueError(f"tolerance must be kilometres, at least 0, not {kilometres!r}")
    return kilometres
