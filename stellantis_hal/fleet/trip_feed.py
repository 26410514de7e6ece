"""Trip feed: new trips of one vehicle's history, from its pages to the consumer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from stellantis_hal.fleet.deduplication import Checkpoint, admit
from stellantis_hal.fleet.events import Update
from stellantis_hal.fleet.odometer_checks import OdometerChecks
from stellantis_hal.fleet.stream import Acknowledgement
from stellantis_hal.fleet.targets import WatchedVehicle
from stellantis_hal.fleet.trip_order import DatedTrips, sort_by_start, trip_update

__all__ = ["TripFeed"]


class TripFeed:
    """Emits the trips of one vehicle that were not delivered yet, one behind.

    The last trip is emitted by :meth:`finish` only, with a checkpoint that marks the history as complete: acknowledging
    that trip is what completes it, and a crash before delivers it again.

    Args:
        watched_vehicle: the vehicle; its checkpoint follows what was emitted.
        key: of its checkpoint in the store.
        emit: puts an update into the buffer, with what acknowledges it.
        odometers: checks of the mileage of its trips.
        lookback: seconds before the newest trip for which trips are remembered.
    """

    def __init__(
        self,
        watched_vehicle: WatchedVehicle,
        key: str,
        emit: Callable[[Update, Acknowledgement], Awaitable[None]],
        *,
        odometers: OdometerChecks,
        lookback: float,
    ) -> None:
        self._watched_vehicle = watched_vehicle
        self._key = key
        self._emit_update = emit
        self._odometers = odometers
        self._lookback = lookback
        self._checkpoint = watched_vehicle.checkpoint or Checkpoint()
        self._pending: Update | None = None

    async def add_page(self, trips: DatedTrips) -> None:
        """Emit the trips of a page that were not delivered yet, but for the last."""
        for facts, trip in sort_by_start(trips):
            reason, checkpoint = admit(self._checkpoint, facts, lookback=self._lookback)
            if reason is not None:
                if self._pending is not None:
                    await self._emit(self._pending)
                checked = self._odometers.check_trip(self._watched_vehicle, trip)
                self._pending = trip_update(self._watched_vehicle, checked, facts, reason)
                self._checkpoint = checkpoint

    async def finish(self) -> bool:
        """Emit the last trip; return whether there was one."""
        self._checkpoint = attrs.evolve(self._checkpoint, is_initialized=True)
        if self._pending is None:
            self._watched_vehicle.checkpoint = self._checkpoint
            return False
        await self._emit(self._pending)
        return True

    async def _emit(self, update: Update) -> None:
        await self._emit_update(
            update, Acknowledgement(self._watched_vehicle.account.store, self._key, self._checkpoint)
        )
        self._watched_vehicle.checkpoint = self._checkpoint
