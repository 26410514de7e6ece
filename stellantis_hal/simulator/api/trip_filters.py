"""Knows which of a vehicle's trips pass a request's filters, without looking at more of them than it must.

Must not know how trips are worded, nor paging.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from stellantis_hal.simulator.api.filters import BadFilterError, intervals, number_range, within
from stellantis_hal.simulator.api.messages import Request
from stellantis_hal.simulator.world.entities import Trip
from stellantis_hal.simulator.world.world import World

__all__ = ["Trips", "matching"]

_STATES = frozenset({"Nominal", "Unstarted", "DataLacking", "Unfinished"})


class Trips(Sequence[Trip]):
    """Trips of a vehicle by their numbers, made when they are looked at."""

    def __init__(self, world: World, vehicle: str, numbers: Sequence[int]) -> None:
        self._world, self._vehicle, self._numbers = world, vehicle, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: Any) -> Any:
        return self._world.trip_at(self._vehicle, self._numbers[place])


def matching(world: World, call: Request, vehicle: str) -> Sequence[int]:
    """Find the numbers of the trips that pass the filters ``timestamps``, ``distance``, ``duration`` and ``states``.

    A trip passes an interval of time when it starts in it; one interval is searched for, not scanned.
    Raises BadFilterError.
    """

    def started(trip: int) -> datetime:
        return world.trip_at(vehicle, trip).started_at

    total = world.trip_count(vehicle)
    spans = intervals(call.values("timestamps"))
    numbers: Sequence[int] = range(total)
    if len(spans) == 1:
        since = bisect_left(range(total), spans[0].since, key=started)
        numbers = range(since, bisect_right(range(total), spans[0].until, lo=since, key=started))
    elif spans:
        numbers = [trip for trip in range(total) if within(started(trip), spans)]
    km, seconds = number_range(call.value("distance")), number_range(call.value("duration"))
    states = frozenset(call.values("states"))
    if not states <= _STATES:
        raise BadFilterError("states knows Nominal, Unstarted, DataLacking and Unfinished")
    if not states and call.value("distance") is None and call.value("duration") is None:
        return numbers

    def passes(trip: Trip) -> bool:
        lasted = trip.duration.total_seconds()
        in_range = km[0] <= trip.distance <= km[1] and seconds[0] <= lasted <= seconds[1]
        return in_range and (not states or trip.state in states)

    return [trip for trip in numbers if passes(world.trip_at(vehicle, trip))]
