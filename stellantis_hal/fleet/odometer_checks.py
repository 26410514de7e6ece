"""Odometers: the mileage of a status and of trips against each other."""

from __future__ import annotations

import logging
from typing import TypeVar

import attrs

from stellantis_hal.fleet.targets import WatchedVehicle
from stellantis_hal.resources.cross_checks import OdometerReading
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.problems import Problem
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["OdometerChecks"]

R = TypeVar("R", bound=TypedResource)

_log = logging.getLogger("stellantis_hal")


class OdometerChecks:
    """Compares what a vehicle's bodies say of its odometer, and adds what disagrees to their problems.

    An odometer that goes backwards is a disagreement; a higher one is none, for trips may be missing. Each kind of body
    is logged once.
    """

    __slots__ = ("_reported",)

    def __init__(self) -> None:
        self._reported: set[str] = set()

    def check_status(self, watched_vehicle: WatchedVehicle, status: Status) -> Status:
        """Return a status, with a problem where its mileage is below that after the last trip."""
        odometer, block, mileage = watched_vehicle.odometer, status.odometer, status.mileage
        at = None if block is None else block.measured_at or status.created_at
        if mileage is not None and at is not None:
            watched_vehicle.reported_mileage = (mileage, at)
        problem = None if odometer is None else odometer.compare_later(mileage, at, "$.odometer.mileage")
        return self._with(status, problem)

    def check_trip(self, watched_vehicle: WatchedVehicle, trip: Trip) -> Trip:
        """Return a trip, with problems where a later mileage is below that after it, or it starts below an earlier."""
        before, after = watched_vehicle.odometer, OdometerReading.after(trip)
        if before is not None:
            trip = self._with(trip, before.compare_later(trip.start_mileage, trip.started_at, "$.startMileage"))
        if after is not None:
            if watched_vehicle.reported_mileage is not None:
                mileage, at = watched_vehicle.reported_mileage
                trip = self._with(trip, after.compare_later(mileage, at, "$.distance"))
            watched_vehicle.odometer = after
        return trip

    def _with(self, value: R, problem: Problem | None) -> R:
        if problem is None:
            return value
        if problem.path not in self._reported:
            self._reported.add(problem.path)
            _log.warning("%s of a %s: %s", problem.path, type(value).__name__, problem.reason)
        return attrs.evolve(value, problems=(*value.problems, problem))
