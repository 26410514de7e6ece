"""Trips as updates, in chronological order."""

from __future__ import annotations

from stellantis_hal.fleet.deduplication import TripDedupFacts, UpdateReason
from stellantis_hal.fleet.events import Update, ValueChange
from stellantis_hal.fleet.targets import WatchedVehicle
from stellantis_hal.resources.trip import Trip

__all__ = ["DatedTrips", "TripOrderDetector", "is_descending", "sort_by_start", "trip_update"]

DatedTrips = list[tuple[TripDedupFacts, Trip]]
"""Trips, each with its facts."""


def sort_by_start(trips: DatedTrips) -> DatedTrips:
    """Return trips in the order in which they started."""
    return sorted(trips, key=lambda each: each[0].sort_key)


def is_descending(trips: DatedTrips) -> bool | None:
    """Return whether trips come newest first; None where their timestamps do not decide."""
    starts = [facts.stated_start for facts, _ in trips if facts.stated_start is not None]
    return starts[0] > starts[-1] if starts and starts[0] != starts[-1] else None


class TripOrderDetector:
    """Detects whether a collection has its newest trip first.

    Pages may be empty or have a single trip: trips are held back until two timestamps differ.

    Attributes:
        is_descending: whether the collection has the newest trip first, so that it must be read from its end.
    """

    def __init__(self) -> None:
        self.is_descending: bool = False
        self._pending: DatedTrips | None = []

    def add_page(self, trips: DatedTrips, *, more: bool) -> DatedTrips:
        """Add the trips of the next page and return those that can be processed: none while the order is unknown.

        Args:
            trips: the page's trips.
            more: whether there are more pages. Without any, all trips are known and can be sorted.
        """
        if self._pending is None:
            return trips
        pending = self._pending = self._pending + trips
        descending = is_descending(pending) if more else False
        if descending is None:
            return []
        self._pending = None
        self.is_descending = descending
        return [] if descending else pending


def trip_update(watched_vehicle: WatchedVehicle, trip: Trip, facts: TripDedupFacts, reason: UpdateReason) -> Update:
    """Return the update for a trip."""
    return Update(
        id=f"{watched_vehicle.id}/trips/{facts.update_id}",
        account=watched_vehicle.account.key,
        vehicle=watched_vehicle.vehicle,
        what="trips",
        changes=(ValueChange("done", False, True) if reason == "finished" else ValueChange("trips", None, trip.id),),
        resource=trip,
        age=trip.age,
        late=reason == "late",
    )
