"""One thing about one vehicle: ask for it, and say what is new.

Knows how snapshots and trips are read. Must not know when, or what to do about failures: they are raised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import attrs

from stellantis_hal.fleet.changes import compare, has_same_body
from stellantis_hal.fleet.checkpoints.loading import load_checkpoint
from stellantis_hal.fleet.checkpoints.store import CheckpointStore
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.deduplication import Checkpoint, TripFacts, admit, query_start, record_trip
from stellantis_hal.fleet.events import Update
from stellantis_hal.fleet.targets import WatchedVehicle
from stellantis_hal.fleet.trips import DatedTrips, TripOrder, is_descending, sort_by_start, trip_update
from stellantis_hal.fleet.watching.options import PollOptions
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.resources.latest import LAST_POSITION, MAINTENANCE, STATUS
from stellantis_hal.resources.queries import OptionalEndpoint
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["KINDS", "Poller"]

SNAPSHOTS: dict[str, OptionalEndpoint[Any]] = {"status": STATUS, "maintenance": MAINTENANCE, "position": LAST_POSITION}
KINDS = (*SNAPSHOTS, "trips")

_ADAPT_EVERY = 3600.0
"""Seconds after which a status that has not changed is judged again: it has become older."""


class Poller:
    """Asks, and offers what is new.

    Args:
        terms: what is wanted.
        store: where checkpoints are.
        name: of the watch that they are kept for.
        clock: the wall clock.
        counts: what is counted.
        offer: hands an update over, with what is known once it was acknowledged; waits while there is no room.
    """

    def __init__(
        self,
        terms: PollOptions,
        *,
        store: CheckpointStore,
        name: str,
        clock: Callable[[], datetime],
        counts: Counts,
        offer: Callable[[Update, str, Checkpoint], Awaitable[None]],
    ) -> None:
        self._terms = terms
        self._store = store
        self._name = name
        self._clock = clock
        self._counts = counts
        self._offer = offer
        # The last that was offered of each vehicle, for as long as it is not acknowledged: the store has it then.
        self._offered: WeakValueDictionary[str, Checkpoint] = WeakValueDictionary()

    async def recall(self, watched_vehicle: WatchedVehicle) -> Checkpoint:
        """Give what is known of a vehicle, from the store where it is not at hand.

        It is at hand, too, when a vehicle that was removed comes back while updates of it wait for the consumer.

        Raises:
            CheckpointError: the store fails, or has something else than a checkpoint.
        """
        if watched_vehicle.checkpoint is None:
            known = (
                self._offered.get(watched_vehicle.id)
                or await load_checkpoint(self._store, self._key(watched_vehicle))
                or Checkpoint()
            )
            met = (
                None
                if known.is_initialized
                else await load_checkpoint(self._store, self._key_of_first_look(watched_vehicle))
            )
            watched_vehicle.checkpoint = known if met is None else attrs.evolve(met, snapshots=known.snapshots)
        return watched_vehicle.checkpoint

    def _key(self, watched_vehicle: WatchedVehicle) -> str:
        """Tell under which key is kept what was acknowledged of a vehicle."""
        return f"{self._name}/{watched_vehicle.id}"

    def _key_of_first_look(self, watched_vehicle: WatchedVehicle) -> str:
        """Tell under which key the first look at its trips is kept, until an acknowledgement tells of it."""
        return f"{self._key(watched_vehicle)}#met"

    async def ask(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, what: str, *, now: float) -> bool:
        """Ask for one thing and offer what is new; gives whether there are any data.

        Raises:
            StellantisError: it cannot be had.
        """
        if what == "trips":
            await self._trips(watched_vehicle, vehicle, now)
            return True
        self._asks(watched_vehicle)
        single = SNAPSHOTS[what]
        found = await single.look(vehicle.require_resource())
        if found is None:
            return False
        if not self._is_read_anyway(watched_vehicle, what, now) and has_same_body(
            (await self.recall(watched_vehicle)).snapshots.get(what), found
        ):
            self._counts.unchanged += 1  # and nothing is read of it: most polls are of vehicles that sleep
            return True
        snapshot: TypedResource = single.read(found)
        if isinstance(snapshot, Status) and self._terms.adapt is not None:
            watched_vehicle.interval_factor = self._terms.adapt(vehicle, snapshot)
            if not 0 < watched_vehicle.interval_factor < float("inf"):
                raise ValueError(f"adapt has to give a number more than 0, not {watched_vehicle.interval_factor!r}")
            watched_vehicle.adapted_at = now
        await self._snapshot(watched_vehicle, what, snapshot)
        return True

    # ------------------------------------------------------------------------------------------- snapshots

    def _is_read_anyway(self, watched_vehicle: WatchedVehicle, what: str, now: float) -> bool:
        adapts = what == "status" and self._terms.adapt is not None and now - watched_vehicle.adapted_at >= _ADAPT_EVERY
        return self._terms.repeats or adapts

    async def _snapshot(self, watched_vehicle: WatchedVehicle, what: str, snapshot: TypedResource) -> None:
        checkpoint = await self.recall(watched_vehicle)
        comparison = compare(checkpoint.snapshots.get(what), snapshot, now=self._clock().timestamp())
        state = comparison.state
        if comparison.outcome == "older":
            self._counts.older += 1
            return
        if comparison.outcome == "unchanged":
            self._counts.unchanged += 1
            if not self._terms.repeats:
                if state is not checkpoint.snapshots.get(what):
                    watched_vehicle.checkpoint = checkpoint.with_snapshot(what, state)
                return
            state = attrs.evolve(state, serial=state.serial + 1)
        update = Update(
            id=f"{watched_vehicle.id}/{what}/{state.serial}-{state.digest.hex()}",
            account=watched_vehicle.account.key,
            vehicle=watched_vehicle.vehicle,
            what=what,
            changes=comparison.changes,
            resource=snapshot,
            age=snapshot.age,
        )
        await self._give(watched_vehicle, update, checkpoint.with_snapshot(what, state))

    async def _give(self, watched_vehicle: WatchedVehicle, update: Update, after: Checkpoint) -> None:
        if (
            watched_vehicle.is_removed
        ):  # while it was polled; whoever watches it by now goes on from what was offered before
            return
        self._offered[watched_vehicle.id] = after
        await self._offer(update, self._key(watched_vehicle), after)
        watched_vehicle.checkpoint = after

    # ------------------------------------------------------------------------------------------- trips

    async def _trips(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, now: float) -> None:
        checkpoint = await self.recall(watched_vehicle)
        if not checkpoint.is_initialized:
            checkpoint = await self._meet(watched_vehicle, vehicle, checkpoint)
            if self._terms.since is None:
                watched_vehicle.deep_scan_at = now + self._terms.deep_every
                return
        deep = now >= watched_vehicle.deep_scan_at
        terms = self._terms
        since = query_start(checkpoint, overlap=terms.overlap, lookback=terms.reach, deep=deep)
        wanted = None if since is None else datetime.fromtimestamp(max(0.0, since), UTC)
        order = TripOrder()
        async for page in vehicle.trips(since=wanted).pages():
            self._asks(watched_vehicle)
            found = order.add_page(self._read(page.items), more=page.token is not None)
            if order.is_descending:
                await self._backwards(watched_vehicle, vehicle.trips(since=wanted, newest_first=True))
                break
            await self._admit(watched_vehicle, found)
        if deep:
            watched_vehicle.deep_scan_at = now + terms.deep_every

    async def _backwards(self, watched_vehicle: WatchedVehicle, trips: Paginator[Trip]) -> None:
        """Walk a collection that has the newest first from its end, so that trips come in order all the same."""
        async for page in trips.pages():
            self._asks(watched_vehicle)
            await self._admit(watched_vehicle, self._read(page.items))

    async def _admit(self, watched_vehicle: WatchedVehicle, found: DatedTrips) -> None:
        for facts, trip in sort_by_start(found):
            checkpoint = await self.recall(watched_vehicle)
            reason, after = admit(checkpoint, facts, lookback=self._terms.reach)
            if reason is None:
                continue
            update = trip_update(watched_vehicle, trip, facts, reason)
            await self._give(watched_vehicle, update, after)

    def _asks(self, watched_vehicle: WatchedVehicle) -> None:
        self._counts.requests += 1
        watched_vehicle.requests += 1

    async def _meet(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, checkpoint: Checkpoint) -> Checkpoint:
        """Look at a vehicle's trips for the first time: those that are there are no news, unless they were asked for.

        It is saved at once, so that what comes between now and the first acknowledgement is news after a crash too; and
        by itself, for it acknowledges nothing, and no acknowledgement of what was offered before may undo it.
        """
        checkpoint = attrs.evolve(checkpoint, is_initialized=True, since=self._terms.since)
        if self._terms.since is None:
            for facts, _ in sort_by_start(await self._newest(watched_vehicle, vehicle)):
                checkpoint = record_trip(checkpoint, facts, lookback=self._terms.reach)
            if checkpoint.newest_start is None:
                # The API says "no data" of vehicles that have some, now and then: their old trips are no news then.
                checkpoint = attrs.evolve(checkpoint, since=self._clock().timestamp() - self._terms.overlap)
        await self._store.save(self._key_of_first_look(watched_vehicle), attrs.evolve(checkpoint, snapshots={}).dump())
        watched_vehicle.checkpoint = checkpoint
        return checkpoint

    async def _newest(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle) -> DatedTrips:
        """Read the newest trips, as far back as they are remembered, whichever end of the collection they are at."""
        found: DatedTrips = []
        self._asks(watched_vehicle)  # the walk backwards begins with a look at the first page
        descending: bool | None = None
        async for page in vehicle.trips(newest_first=True).pages():
            self._asks(watched_vehicle)
            found += self._read(page.items)
            if descending is None and page.token is not None:
                descending = is_descending(found)
                if descending is False:
                    break
            if self._reached(found):
                return found
        if descending is not False:
            return found
        found.clear()
        async for page in vehicle.trips().pages():
            self._asks(watched_vehicle)
            found += self._read(page.items)
            if self._reached(found):
                break
        return found

    def _reached(self, found: DatedTrips) -> bool:
        starts = [facts.start for facts, _ in found if facts.stated_start is not None]
        return bool(starts) and min(starts) < max(starts) - self._terms.reach

    def _read(self, trips: tuple[Trip, ...]) -> DatedTrips:
        now = self._clock().timestamp()
        return [(TripFacts.from_trip(trip, now), trip) for trip in trips]
