"""Trip filters, evaluated by binary search where the order of trips allows it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from stellantis_hal.simulator.api.filters import BadFilterError, is_within, parse_intervals, parse_number_range
from stellantis_hal.simulator.api.http_messages import Request
from stellantis_hal.simulator.world.entities import Trip
from stellantis_hal.simulator.world.world import World

__all__ = ["LazyTrips", "find_trips"]

_STATES = frozenset({"Nominal", "Unstarted", "DataLacking", "Unfinished"})


class LazyTrips(Sequence[Trip]):
    """Trips of a vehicle by their numbers, generated on access."""

    def __init__(self, world: World, vehicle: str, numbers: Sequence[int]) -> None:
        self._world, self._vehicle, self._numbers = world, vehicle, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return self._world.trip_at(self._vehicle, self._numbers[index])


def find_trips(world: World, request: Request, vehicle: str) -> Sequence[int]:
    """Return the numbers of the trips that pass the filters ``timestamps``, ``distance``, ``duration`` and ``states``.

    A trip passes a time interval when it starts in it; a single interval is found by binary search.
    Raises BadFilterError.
    """

    def started(trip: int) -> datetime:
        return world.trip_at(vehicle, trip).started_at

    total = world.trip_count(vehicle)
    spans = parse_intervals(request.values("timestamps"))
    numbers: Sequence[int] = range(total)
    if len(spans) == 1:
        since = bisect_left(range(total), spans[0].since, key=started)
        numbers = range(since, bisect_right(range(total), spans[0].until, lo=since, key=started))
    elif spans:
        numbers = [trip for trip in range(total) if is_within(started(trip), spans)]
    km, seconds = parse_number_range(request.value("distance")), parse_number_range(request.value("duration"))
    states = frozenset(request.values("states"))
    if not states <= _STATES:
        raise BadFilterError("states must be Nominal, Unstarted, DataLacking or Unfinished")
    if not states and request.value("distance") is None and request.value("duration") is None:
        return numbers

    def passes(trip: Trip) -> bool:
        lasted = trip.duration.total_seconds()
        in_range = km[0] <= trip.distance <= km[1] and seconds[0] <= lasted <= seconds[1]
        return in_range and (not states or trip.state in states)

    return [trip for trip in numbers if passes(world.trip_at(vehicle, trip))]
