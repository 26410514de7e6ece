"""Reading of a car's trips, statuses, telemetry and routes for a report."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from stellantis_hal.errors import (
    AuthError,
    ClosedClientError,
    ForbiddenError,
    NotFoundError,
    StellantisError,
    UnauthorizedError,
)
from stellantis_hal.report.car_history import CarHistory
from stellantis_hal.report.escaping import plural
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.validation import require_function, require_type

__all__ = ["read_car_history"]

T = TypeVar("T")

_TYPES: Final = ("environment", "vehicle.energies")
_PAGE: Final = 500


async def read_car_history(
    vehicle: Vehicle,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    routes: int = 20,
    measurements: int = 2_000,
    progress: Callable[[int], None] | None = None,
) -> CarHistory:
    """Read what a report shows of a car.

    Trips have to be readable; what else cannot be read is left out with a remark.

    Args:
        vehicle: the car.
        since: trips from then on, aware; None: all.
        until: trips until then, aware; None: all.
        routes: of how many of the latest trips the positions along them are read, a request for each or more; 0: none.
        measurements: how many records of telemetry are read at most, the latest; 0: none.
        progress: is called with the number of trips read so far.

    Raises:
        ValueError: a number is negative, or the period is not one; nothing was sent.
        TypeError: an argument has the wrong type; nothing was sent.
        ApiError: the server responded to the request for trips with an error.
        StellantisError: the network, the log-in or the limits ended the reading.
    """
    require_type("vehicle", vehicle, Vehicle)
    require_type("routes", routes, int)
    require_type("measurements", measurements, int)
    require_function("progress", progress)
    if routes < 0 or measurements < 0:
        raise ValueError(f"routes and measurements must be at least 0, not {routes} and {measurements}")
    trips: list[Trip] = []
    async for trip in vehicle.trips(since=since, until=until):
        trips.append(trip)
        if progress is not None:
            progress(len(trips))
    remarks: list[str] = []
    status = await _optional(vehicle.status, "the current status", remarks)
    telemetry = []
    if measurements:
        walk = vehicle.telemetry(
            types=_TYPES, since=since, until=until, newest_first=True, page_size=min(_PAGE, measurements)
        )
        telemetry = await _optional(lambda: walk.collect(limit=measurements + 1), "telemetry", remarks) or []
        if len(telemetry) > measurements:
            remarks.append(f"Of telemetry only the latest were read: {plural(measurements, 'record')}.")
    return CarHistory(
        vehicle=vehicle,
        trips=trips,
        statuses=() if status is None else (status,),
        telemetry=telemetry[:measurements],
        routes=await _routes(trips, routes, remarks),
        since=since,
        until=until,
        remarks=remarks,
    )


async def _routes(trips: list[Trip], most: int, remarks: list[str]) -> list[tuple[Position, ...]]:
    """Return the routes of the latest trips, as far as they have any."""
    found: list[tuple[Position, ...]] = []
    without = 0
    for trip in deque(trips, maxlen=most):
        points = await _optional(partial(_route, trip), "the route of a trip, so no further one was asked for", remarks)
        if points is None:
            break
        if len(points) > 1:
            found.append(points)
        else:
            without += 1
    if without:
        remarks.append(f"Of the latest {min(most, len(trips)):,} trips, {without:,} have no route.")
    return found


async def _route(trip: Trip) -> tuple[Position, ...]:
    try:
        return tuple([position async for position in trip.waypoints()])
    except (NotFoundError, ForbiddenError):
        return ()


async def _optional(read: Callable[[], Awaitable[T]], what: str, remarks: list[str]) -> T | None:
    """Return what a request reads; None, with a remark, where that fails for another reason than the log-in."""
    try:
        return await read()
    except (AuthError, UnauthorizedError, ClosedClientError):
        raise
    except StellantisError as error:
        remarks.append(f"Could not read {what}: {type(error).__name__}.")
        return None
