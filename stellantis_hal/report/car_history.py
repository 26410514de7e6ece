"""What was read of a car for a report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["CarHistory"]


def _count(values: tuple[Any, ...]) -> str:
    return f"<{len(values)}>"


def _to_routes(routes: Iterable[Iterable[Position]]) -> tuple[tuple[Position, ...], ...]:
    return tuple(map(tuple[Position, ...], routes))


@attrs.frozen(kw_only=True)
class CarHistory:
    """A car and what it reported in a period, for a :class:`Report`.

    :func:`read_car_history` makes one of the API; make your own of trips and statuses that you keep.

    Attributes:
        vehicle: the car.
        trips: in any order; one whose id repeats counts once.
        statuses: the latest and older ones, in any order.
        telemetry: in any order.
        routes: positions along trips, a sequence for each.
        since: the start of the period, aware; None: no limit.
        until: the end of the period, aware; None: no limit.
        remarks: sentences about what could not be read; the report shows them.
    """

    __repr__ = redacted_repr

    vehicle: Vehicle
    trips: tuple[Trip, ...] = attrs.field(default=(), converter=tuple[Trip, ...], repr=_count)
    statuses: tuple[Status, ...] = attrs.field(default=(), converter=tuple[Status, ...], repr=_count)
    telemetry: tuple[Telemetry, ...] = attrs.field(default=(), converter=tuple[Telemetry, ...], repr=_count)
    routes: tuple[tuple[Position, ...], ...] = attrs.field(default=(), converter=_to_routes, repr=_count)
    since: datetime | None = None
    until: datetime | None = None
    remarks: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
