"""All the trips there ever were: a walk through a fleet's history that can be taken up again anywhere.

Knows vehicles, pages and what was given. Must not know what the trips are wanted for.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import attrs
from anyio.abc import TaskGroup

from stellantis_hal.client import Account
from stellantis_hal.errors import BudgetExhaustedError, StellantisError
from stellantis_hal.fleet.buffer import Buffer
from stellantis_hal.fleet.checkpoints.loading import load_checkpoint
from stellantis_hal.fleet.checkpoints.store import CheckpointError, CheckpointStore, MemoryCheckpoints
from stellantis_hal.fleet.deduplication import Checkpoint, facts_of, window
from stellantis_hal.fleet.events import AccountLost, VehicleUnavailable
from stellantis_hal.fleet.failures import back_off, scope_of
from stellantis_hal.fleet.sources import for_each
from stellantis_hal.fleet.stream import Stream
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle, id_of, rebind
from stellantis_hal.fleet.trip_feed import TripFeed
from stellantis_hal.fleet.trips import DatedTrips, TripOrder
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.validation import require_type

__all__ = ["Backfill", "Progress", "backfill"]

_REACH = timedelta(days=14).total_seconds()
_ATTEMPTS = 6
_FIRST_PAUSE = 15.0
_LONGEST_PAUSE = 300.0

Source = Account | Vehicle | Iterable[Account | Vehicle] | AsyncIterable[Account | Vehicle]


@attrs.frozen(kw_only=True)
class Progress:
    """How far a backfill has come.

    Attributes:
        vehicles: found so far.
        done: of these, the ones whose history is complete, those of earlier runs included.
        failed: accounts and vehicles that were given up in this run.
        trips: handed over to the buffer.
        pages: read.
        is_complete: whether every vehicle has been found and none is under way.
    """

    vehicles: int
    done: int
    failed: int
    trips: int
    pages: int
    is_complete: bool


class Backfill(Stream):
    """A fleet's history: iterate over its trips inside the ``async with``. Made by :func:`backfill`."""

    def __init__(
        self,
        source: Source,
        *,
        since: datetime | None,
        until: datetime | None,
        store: CheckpointStore,
        name: str,
        vehicles: int,
        pages: int,
        buffer: int,
        max_wait: float,
        told: Callable[[Progress], None] | None,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(store, size=buffer)
        self._source = source
        self._since = since
        self._until = until
        self._name = name
        self._workers = vehicles
        self._ranges = pages
        self._max_wait = max_wait
        self._told = told
        self._clock = clock
        self._found: Buffer[WatchedVehicle] = Buffer(vehicles)
        self._known: set[str] = set()
        self._all_found = False
        self._vehicles = self._done = self._failed = self._pages = 0

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return self._progress(complete=False)

    def _progress(self, *, complete: bool) -> Progress:
        return Progress(
            vehicles=self._vehicles,
            done=self._done,
            failed=self._failed,
            trips=self._counts.updates,
            pages=self._pages,
            is_complete=complete,
        )

    def _tell(self, *, complete: bool = False) -> None:
        if self._told is not None:
            self._told(self._progress(complete=complete))

    # ------------------------------------------------------------------------------------------- its tasks

    def _begin(self, tasks: TaskGroup) -> None:
        tasks.start_soon(self._guarded, self._run)

    async def _run(self) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(self._workers):
                tasks.start_soon(self._guarded, self._work)
            await self._guarded(self._find)
            self._found.close()
        self._tell(complete=self._all_found)
        self._buffer.close()

    async def _find(self) -> None:
        await for_each(self._source, self._find_of)
        self._all_found = True

    async def _find_of(self, who: Account | Vehicle) -> None:
        require_type("what is walked", who, Account, Vehicle)
        if not isinstance(who, Account):
            await self._enter(WatchedAccount(f"vehicle:{id_of(who)}", None, self._max_wait), who)
            return
        watched_account = WatchedAccount(f"account:{who.key}", who, self._max_wait)
        assert watched_account.background is not None  # noqa: S101 - it has an account
        listed: dict[str, Vehicle] = {}
        attempt = 0
        while True:
            try:
                async for vehicle in watched_account.background.vehicles():
                    listed.setdefault(id_of(vehicle) or "", rebind(watched_account.background, vehicle))
                break
            except StellantisError as error:
                again = await self._waited(error, attempt)
                if again is None:
                    await self._say(AccountLost(account=who.key, error=error, again_in=0.0))
                    break
                attempt = again
        for vehicle in listed.values():
            await self._enter(watched_account, vehicle)

    async def _enter(self, watched_account: WatchedAccount, vehicle: Vehicle) -> None:
        id_ = id_of(vehicle)
        if id_ is not None and id_ not in self._known:  # two accounts may share a vehicle
            self._known.add(id_)
            self._vehicles += 1
            await self._found.put(WatchedVehicle(id_, watched_account, vehicle, 1.0))

    async def _waited(self, error: StellantisError, attempt: int) -> int | None:
        """Wait for what may pass, and give the number of the next attempt; None where there is no more point in it.

        Waiting for the budget is no attempt: nothing was sent, and the limiter serves everybody in turn.
        """
        if isinstance(error, BudgetExhaustedError) and error.retry_after is not None:
            await anyio.sleep(error.retry_after)
            return attempt
        if attempt == _ATTEMPTS - 1 or scope_of(error) not in {"everything", "budget"}:
            self._failed += 1
            self._tell()
            return None
        await anyio.sleep(back_off(attempt, _FIRST_PAUSE, _LONGEST_PAUSE))
        return attempt + 1

    async def _work(self) -> None:
        while True:
            try:
                watched_vehicle = await self._found.get()
            except StopAsyncIteration:
                return
            await self._insist(watched_vehicle)

    async def _insist(self, watched_vehicle: WatchedVehicle) -> None:
        """Walk a vehicle's history, over failures that pass."""
        attempt, reached = 0, watched_vehicle.checkpoint
        while True:
            try:
                await self._walk(watched_vehicle)
            except CheckpointError:
                raise
            except StellantisError as error:
                if watched_vehicle.checkpoint is not reached:  # it has come further since
                    attempt, reached = 0, watched_vehicle.checkpoint
                again = await self._waited(error, attempt)
                if again is None:
                    account, vehicle = watched_vehicle.account.key, watched_vehicle.vehicle
                    await self._say(
                        VehicleUnavailable(account=account, vehicle=vehicle, what="trips", error=error, again_in=0.0)
                    )
                    return
                attempt = again
            else:
                self._done += 1
                self._tell()
                return

    # ------------------------------------------------------------------------------------------- one vehicle

    async def _walk(self, watched_vehicle: WatchedVehicle) -> None:
        key = f"{self._name}/{watched_vehicle.id}"
        if watched_vehicle.checkpoint is None:
            since = None if self._since is None else self._since.timestamp()
            watched_vehicle.checkpoint = await load_checkpoint(self._store, key) or Checkpoint(since=since)
        if watched_vehicle.checkpoint.met:
            return
        from_ = window(watched_vehicle.checkpoint, overlap=_REACH, reach=_REACH, deep=True)
        begin = None if from_ is None else datetime.fromtimestamp(max(0.0, from_), UTC)
        trips = partial(watched_vehicle.vehicle.trips, since=begin, until=self._until)
        giving = TripFeed(watched_vehicle, key, self._offer, reach=_REACH)
        order = TripOrder()
        async with trips().pages().concurrent(self._ranges) as walk:
            async for page in walk:
                found = order.add_page(self._facts(page.items), more=page.token is not None)
                self._pages += 1
                if order.is_descending:
                    break
                await giving.take(found)
                self._tell()
        if order.is_descending:  # the newest first: from the end, so that trips come in order all the same
            async with trips(newest_first=True).pages().ahead(1) as backwards:
                async for page in backwards:
                    self._pages += 1
                    await giving.take(self._facts(page.items))
                    self._tell()
        if not await giving.finish():
            await self._store.save(key, watched_vehicle.checkpoint.dump())

    def _facts(self, trips: tuple[Trip, ...]) -> DatedTrips:
        now = self._clock().timestamp()
        return [(facts_of(trip, now), trip) for trip in trips]


def backfill(
    source: Source,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    checkpoints: CheckpointStore | None = None,
    name: str = "backfill",
    vehicles: int = 8,
    pages: int = 4,
    buffer: int = 256,
    max_wait: timedelta = timedelta(minutes=10),
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Backfill:
    """Walk all trips of a fleet, each vehicle's in order: ``async with backfill(accounts) as updates: async for …``.

    Each trip comes as ``update.trip`` of an :class:`Update`.
    Vehicles are walked side by side, and so are a vehicle's pages; memory is bounded by these numbers and the buffer,
    whatever the length of the history. With a store it can be left anywhere and taken up again by the same call:
    what was acknowledged is not delivered again. What cannot be had is an :class:`AccountLost` or a
    :class:`VehicleUnavailable` on the stream, and is tried again by the next run.

    Args:
        source: an account, or several, with all their vehicles; or vehicles by themselves.
        since: trips from then on, aware; None: all.
        until: trips until then, aware; None: all.
        checkpoints: where it is kept how far it has come; None: nowhere.
        name: of this backfill in the store; another one begins anew.
        vehicles: walked at a time.
        pages: of each vehicle read at a time.
        buffer: trips that wait for the consumer at most.
        max_wait: how long a request may wait for the limiter.
        progress: is called after every page, and at the end.
        clock: the wall clock.

    Raises:
        ValueError: an option is out of bounds.
        TypeError: an option is of another kind.
    """
    require_type("since", since, datetime, None)
    require_type("until", until, datetime, None)
    require_type("max_wait", max_wait, timedelta, instead="timedelta(seconds=…)")
    if vehicles < 1 or pages < 1:
        raise ValueError("at least one vehicle and one page at a time")
    if any(moment is not None and moment.tzinfo is None for moment in (since, until)):
        raise ValueError("since and until have to be aware")
    return Backfill(
        source,
        since=since,
        until=until,
        store=MemoryCheckpoints() if checkpoints is None else checkpoints,
        name=name,
        vehicles=vehicles,
        pages=pages,
        buffer=buffer,
        max_wait=max_wait.total_seconds(),
        told=progress,
        clock=clock,
    )
