"""Poller: reads one kind of data of one vehicle and offers what is new."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

import attrs

from stellantis_hal.fleet.checkpoints.loading import load_checkpoint
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.deduplication import Checkpoint, TripDedupFacts, admit, query_start, record_trip, repair
from stellantis_hal.fleet.events import Update
from stellantis_hal.fleet.odometer_checks import OdometerChecks
from stellantis_hal.fleet.server_clock import ServerClock
from stellantis_hal.fleet.snapshot_diff import compare, has_same_body
from stellantis_hal.fleet.stream import Acknowledgement
from stellantis_hal.fleet.targets import WatchedVehicle
from stellantis_hal.fleet.trip_order import DatedTrips, TripOrderDetector, is_descending, sort_by_start, trip_update
from stellantis_hal.fleet.watching.options import PollOptions
from stellantis_hal.navigation.pagination.paginator import Page, Paginator
from stellantis_hal.resources.latest_endpoints import LAST_POSITION, MAINTENANCE, STATUS
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.typed_requests import OptionalEndpoint
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.resources.vin_checks import check_vin
from stellantis_hal.structuring.typed_resource import ClockHolder, TypedResource, set_clock

__all__ = ["KINDS", "Poller"]

R = TypeVar("R", bound=TypedResource)

_log = logging.getLogger("stellantis_hal")

SNAPSHOTS: dict[str, OptionalEndpoint[Any]] = {"status": STATUS, "maintenance": MAINTENANCE, "position": LAST_POSITION}
KINDS = (*SNAPSHOTS, "trips")

_ADAPT_EVERY = 3600.0
"""Seconds after which `adapt` is called again for an unchanged status: it is older by then."""


class Poller:
    """Reads one kind of data of one vehicle and offers what is new.

    Args:
        options: what to read and report.
        name: name of the watch in the store.
        clock: wall clock, checked against the server's.
        counts: counters of the watch.
        offer: puts an update into the buffer, with what its acknowledgement saves; waits while the buffer is full.
    """

    def __init__(
        self,
        options: PollOptions,
        *,
        name: str,
        clock: ServerClock,
        counts: Counts,
        offer: Callable[[Update, Acknowledgement], Awaitable[None]],
    ) -> None:
        self._options = options
        self._name = name
        self._clock = clock
        self._counts = counts
        self._offer = offer
        self._odometers = OdometerChecks()
        # The last offered checkpoint of each vehicle, until it is acknowledged: from then on the store has it.
        self._offered: WeakValueDictionary[tuple[str, int], Checkpoint] = WeakValueDictionary()

    async def poll(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, what: str, *, now: float) -> bool:
        """Read one kind of data and offer what is new; return whether the API has any data.

        Raises:
            StellantisError: it cannot be read.
        """
        if not self._clock.is_checked:
            self._clock.observe(vehicle.resource)
        if what == "trips":
            await self._poll_trips(watched_vehicle, vehicle, now)
            return True
        self._count_request(watched_vehicle)
        endpoint = SNAPSHOTS[what]
        found = await endpoint.fetch_resource(vehicle.require_resource())
        if found is None:
            return False
        self._clock.observe(found)
        if not self._must_structure(watched_vehicle, what, now):
            checkpoint = await self._checkpoint(watched_vehicle)
            if has_same_body(checkpoint.snapshots.get(what), found):
                self._counts.unchanged += 1  # the usual case of a parked vehicle: nothing is structured
                return True
        structured = check_vin(endpoint.structure(found), lambda: vehicle.vin)
        snapshot: TypedResource = self._with_clock(structured)
        if isinstance(snapshot, Status) and self._options.adapt is not None:
            factor = self._options.adapt(vehicle, snapshot)
            if not 0 < factor < float("inf"):
                raise ValueError(f"adapt must return a finite number more than 0, such as 1.0, not {factor!r}")
            watched_vehicle.interval_factor = factor
            watched_vehicle.adapted_at = now
        await self._process_snapshot(watched_vehicle, what, snapshot)
        return True

    async def push(self, watched_vehicle: WatchedVehicle, status: Status) -> None:
        """Offer the status of a notification, where it is newer than what was delivered.

        Raises:
            StellantisError: the checkpoint cannot be read.
        """
        set_clock(status, ClockHolder(self._clock.time))
        await self._process_snapshot(watched_vehicle, "status", status, source="event")

    def _with_clock(self, value: R) -> R:
        """Return a value whose ages are measured by the server's time, where the wall clock is wrong."""
        if not self._clock.is_wrong:
            return value
        resource = value.require_resource()
        context = attrs.evolve(resource.require_context(), clock=self._clock.time)
        timed = attrs.evolve(value, resource=resource.rebind(context))
        set_clock(timed, ClockHolder(self._clock.time))
        return timed

    def _count_request(self, watched_vehicle: WatchedVehicle) -> None:
        self._counts.requests += 1
        watched_vehicle.requests += 1

    # ------------------------------------------------------------------------------------------- checkpoints

    async def _checkpoint(self, watched_vehicle: WatchedVehicle) -> Checkpoint:
        """Return a vehicle's checkpoint, loaded where it is not in memory.

        It is also in memory where a removed vehicle is added again while its updates wait for the consumer.

        Raises:
            CheckpointError: the store failed, or its content is not a checkpoint.
        """
        if watched_vehicle.checkpoint is None:
            store = watched_vehicle.account.store
            checkpoint = (
                self._offered.get((watched_vehicle.id, id(store)))
                or await load_checkpoint(store, self._key(watched_vehicle))
                or Checkpoint()
            )
            if not checkpoint.is_initialized:
                initial = await load_checkpoint(store, self._initial_key(watched_vehicle))
                if initial is not None:
                    checkpoint = attrs.evolve(initial, snapshots=checkpoint.snapshots)
            watched_vehicle.checkpoint = checkpoint
        return watched_vehicle.checkpoint

    def _key(self, watched_vehicle: WatchedVehicle) -> str:
        """Return the key of a vehicle's acknowledged checkpoint."""
        return f"{self._name}/{watched_vehicle.id}"

    def _initial_key(self, watched_vehicle: WatchedVehicle) -> str:
        """Return the key of the checkpoint after the first read of a vehicle's trips."""
        return f"{self._key(watched_vehicle)}#met"

    async def _deliver(self, watched_vehicle: WatchedVehicle, update: Update, after: Checkpoint) -> None:
        if watched_vehicle.is_removed:  # during the poll; another watch may have taken over from its checkpoint
            return
        store = watched_vehicle.account.store
        self._offered[watched_vehicle.id, id(store)] = after
        await self._offer(update, Acknowledgement(store, self._key(watched_vehicle), after))
        watched_vehicle.checkpoint = after

    # ------------------------------------------------------------------------------------------- snapshots

    def _must_structure(self, watched_vehicle: WatchedVehicle, what: str, now: float) -> bool:
        """Return whether a snapshot in the same bytes must be structured all the same."""
        is_adapt_due = (
            what == "status"
            and self._options.adapt is not None
            and not 0 <= now - watched_vehicle.adapted_at < _ADAPT_EVERY
        )
        return self._options.repeats or is_adapt_due

    async def _process_snapshot(
        self,
        watched_vehicle: WatchedVehicle,
        what: str,
        snapshot: TypedResource,
        source: Literal["poll", "event"] = "poll",
    ) -> None:
        checkpoint = await self._checkpoint(watched_vehicle)
        comparison = compare(checkpoint.snapshots.get(what), snapshot, now=self._clock.now().timestamp())
        state = comparison.state
        if comparison.outcome == "older":
            self._counts.older += 1
            return
        if comparison.outcome == "unchanged":
            self._counts.unchanged += 1
            if not self._options.repeats or source == "event":
                if state is not checkpoint.snapshots.get(what):
                    watched_vehicle.checkpoint = checkpoint.with_snapshot(what, state)
                return
            state = attrs.evolve(state, serial=state.serial + 1)
        if isinstance(snapshot, Status):
            snapshot = self._odometers.check_status(watched_vehicle, snapshot)
        update = Update(
            id=f"{watched_vehicle.id}/{what}/{state.serial}-{state.digest.hex()}",
            account=watched_vehicle.account.key,
            vehicle=watched_vehicle.vehicle,
            what=what,
            changes=comparison.changes,
            resource=snapshot,
            age=snapshot.age,
            source=source,
        )
        await self._deliver(watched_vehicle, update, checkpoint.with_snapshot(what, state))

    # ------------------------------------------------------------------------------------------- trips

    async def _poll_trips(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, now: float) -> None:
        checkpoint = await self._checkpoint(watched_vehicle)
        options = self._options
        if not checkpoint.is_initialized:
            await self._initialize(watched_vehicle, vehicle, checkpoint)
            if options.since is None:
                watched_vehicle.deep_scan_at = now + options.deep_every
                return
        # An instant farther ahead was remembered while the wall clock was ahead.
        deep = not now < watched_vehicle.deep_scan_at <= now + options.deep_every
        await self._repair(watched_vehicle)
        if not await self._read_new(watched_vehicle, vehicle, deep=deep):
            await self._read_new(watched_vehicle, vehicle, deep=deep)
        if deep:
            watched_vehicle.deep_scan_at = now + options.deep_every

    async def _read_new(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, *, deep: bool) -> bool:
        """Read what is new since the checkpoint; return False where it was repaired meanwhile, and nothing was read."""
        options = self._options
        checkpoint = await self._checkpoint(watched_vehicle)
        start = query_start(checkpoint, overlap=options.overlap, lookback=options.lookback, deep=deep)
        since = None if start is None else datetime.fromtimestamp(max(0.0, start), UTC)
        order = TripOrderDetector()
        async for page in vehicle.trips(since=since).pages():
            self._count_request(watched_vehicle)
            trips = order.add_page(self._with_facts(page), more=page.token is not None)
            if await self._repair(watched_vehicle):  # the first response may be the first to say what time it is
                return False
            if order.is_descending:
                await self._read_from_end(watched_vehicle, vehicle.trips(since=since, newest_first=True))
                break
            await self._process_trips(watched_vehicle, trips)
        return True

    async def _repair(self, watched_vehicle: WatchedVehicle) -> bool:
        """Repair a checkpoint that a wall clock which was ahead has written; return whether it was one."""
        checkpoint, since = await self._checkpoint(watched_vehicle), self._options.since
        repaired = repair(
            checkpoint,
            now=self._clock.now().timestamp(),
            lookback=self._options.lookback,
            since=None if since is None else self._clock.bound(since),
        )
        if repaired is checkpoint:
            return False
        _log.warning(
            "the checkpoint of a vehicle lies in the future, so the clock was ahead when it was written: trips of the "
            "last %d days are looked for again",
            round(self._options.lookback / 86_400),
        )
        watched_vehicle.checkpoint = repaired
        return True

    async def _read_from_end(self, watched_vehicle: WatchedVehicle, trips: Paginator[Trip]) -> None:
        """Read a collection that has its newest trip first from its end, so that trips come in order."""
        async for page in trips.pages():
            self._count_request(watched_vehicle)
            await self._process_trips(watched_vehicle, self._with_facts(page))

    async def _process_trips(self, watched_vehicle: WatchedVehicle, trips: DatedTrips) -> None:
        for facts, trip in sort_by_start(trips):
            checkpoint = await self._checkpoint(watched_vehicle)
            reason, after = admit(checkpoint, facts, lookback=self._options.lookback)
            if reason is None:
                continue
            checked = self._odometers.check_trip(watched_vehicle, trip)
            await self._deliver(watched_vehicle, trip_update(watched_vehicle, checked, facts, reason), after)

    async def _initialize(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, checkpoint: Checkpoint) -> None:
        """Read a vehicle's trips for the first time: existing ones are not reported, unless ``since`` says so.

        The checkpoint is saved at once, so that trips that appear before the first acknowledgement are reported after a
        crash too; under a key of its own, because it acknowledges nothing, and no earlier acknowledgement may undo it.
        """
        since = self._options.since
        if since is None:
            checkpoint = attrs.evolve(checkpoint, is_initialized=True, since=None)
            for facts, _ in sort_by_start(await self._read_newest(watched_vehicle, vehicle)):
                checkpoint = record_trip(checkpoint, facts, lookback=self._options.lookback)
            if checkpoint.newest_start is None:
                # The API now and then returns no data for vehicles that have some: their old trips are not new.
                checkpoint = attrs.evolve(checkpoint, since=self._earliest(checkpoint) - self._options.overlap)
        else:
            checkpoint = attrs.evolve(checkpoint, is_initialized=True, since=self._clock.bound(since))
        store = watched_vehicle.account.store
        await store.save(self._initial_key(watched_vehicle), attrs.evolve(checkpoint, snapshots={}).dump())
        watched_vehicle.checkpoint = checkpoint

    async def _read_newest(self, watched_vehicle: WatchedVehicle, vehicle: Vehicle) -> DatedTrips:
        """Read the newest trips back to ``lookback``, from whichever end of the collection they are at."""
        trips: DatedTrips = []
        self._count_request(watched_vehicle)  # reading from the end requests the first page too
        descending: bool | None = None
        async for page in vehicle.trips(newest_first=True).pages():
            self._count_request(watched_vehicle)
            trips += self._with_facts(page)
            if descending is None and page.token is not None:
                descending = is_descending(trips)
                if descending is False:
                    break
            if self._covers_lookback(trips):
                return trips
        if descending is not False:
            return trips
        trips.clear()
        async for page in vehicle.trips().pages():
            self._count_request(watched_vehicle)
            trips += self._with_facts(page)
            if self._covers_lookback(trips):
                break
        return trips

    def _covers_lookback(self, trips: DatedTrips) -> bool:
        starts = [facts.start for facts, _ in trips if facts.stated_start is not None]
        return bool(starts) and min(starts) < max(starts) - self._options.lookback

    def _with_facts(self, page: Page[Trip]) -> DatedTrips:
        self._clock.observe(page.resource)
        now = self._clock.now().timestamp()
        return [(TripDedupFacts.from_trip(trip, now), self._with_clock(trip)) for trip in page.items]

    def _earliest(self, checkpoint: Checkpoint) -> float:
        """Return the present time; where only the wall clock tells it, at most that of the vehicle's last report."""
        now = self._clock.now().timestamp()
        reported = [state.timestamps[1] for state in checkpoint.snapshots.values() if state.timestamps is not None]
        return now if self._clock.is_checked or not reported else min(now, max(reported))
