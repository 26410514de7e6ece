"""One vehicle's history on its way to the consumer.

Knows what was given already. Must not know pages, or where trips come from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from stellantis_hal.fleet.deduplication import Checkpoint, admit
from stellantis_hal.fleet.events import Update
from stellantis_hal.fleet.targets import WatchedVehicle
from stellantis_hal.fleet.trips import DatedTrips, sort_by_start, trip_update

__all__ = ["TripFeed"]


class TripFeed:
    """Trips of one vehicle on their way to the consumer, the last always held back.

    So the last of all can say that it is the last: whoever acknowledges it says that the history is complete.
    """

    def __init__(
        self,
        watched_vehicle: WatchedVehicle,
        key: str,
        offer: Callable[[Update, str, Checkpoint], Awaitable[None]],
        *,
        reach: float,
    ) -> None:
        self._watched_vehicle = watched_vehicle
        self._key = key
        self._offer = offer
        self._reach = reach
        self._after = watched_vehicle.checkpoint or Checkpoint()
        self._held: Update | None = None

    async def take(self, found: DatedTrips) -> None:
        """Give what was not given yet."""
        for facts, trip in sort_by_start(found):
            verdict, after = admit(self._after, facts, reach=self._reach)
            if verdict is not None:
                if self._held is not None:
                    await self._give(self._held, self._after)
                self._held = trip_update(self._watched_vehicle, trip, facts, verdict)
                self._after = after

    async def finish(self) -> bool:
        """Give the last; tell whether there was one."""
        self._after = attrs.evolve(self._after, met=True)
        if self._held is None:
            self._watched_vehicle.checkpoint = self._after
            return False
        await self._give(self._held, self._after)
        return True

    async def _give(self, update: Update, after: Checkpoint) -> None:
        await self._offer(update, self._key, after)
        self._watched_vehicle.checkpoint = after
