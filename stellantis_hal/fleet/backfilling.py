"""Backfill: all trips of a fleet, resumable."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import attrs
from anyio.abc import TaskGroup

from stellantis_hal.client.account import Account
from stellantis_hal.errors import BudgetExhaustedError, StellantisError
from stellantis_hal.fleet.buffer import Buffer
from stellantis_hal.fleet.checkpoints.loading import load_checkpoint
from stellantis_hal.fleet.checkpoints.store import CheckpointStore, checked_store
from stellantis_hal.fleet.deduplication import Checkpoint, TripDedupFacts, query_start, repair
from stellantis_hal.fleet.events import AccountLost, Outage, Recovered, VehicleUnavailable, loss_id, outage_id
from stellantis_hal.fleet.failure_scopes import back_off, is_fatal, scope_of
from stellantis_hal.fleet.fleet_as_account import FleetAsAccount, PolledAccount, Watchable, credentials_of
from stellantis_hal.fleet.odometer_checks import OdometerChecks
from stellantis_hal.fleet.server_clock import ServerClock
from stellantis_hal.fleet.stream import AcknowledgedStream
from stellantis_hal.fleet.target_sources import for_each, require_source
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle, id_of, rebind
from stellantis_hal.fleet.token_renewal_failures import TokenRenewalFailures
from stellantis_hal.fleet.trip_feed import TripFeed
from stellantis_hal.fleet.trip_order import DatedTrips, TripOrderDetector
from stellantis_hal.navigation.pagination.paginator import Page
from stellantis_hal.resources.fleet import Fleet
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.validation import require_clock, require_flags, require_function, require_type

__all__ = ["Backfill", "BackfillSource", "Progress", "backfill"]

_log = logging.getLogger("stellantis_hal")
_LOOKBACK = timedelta(days=14).total_seconds()
_ATTEMPTS = 6
_FIRST_PAUSE = 15.0
_LONGEST_PAUSE = 300.0
_RENEWING_LISTINGS = 8  # of accounts of one identity server at a time, whose tokens are renewed first

BackfillSource = Watchable | Iterable[Watchable] | AsyncIterable[Watchable]
"""What :func:`backfill` reads: accounts with all their vehicles, and single vehicles."""


@attrs.frozen(kw_only=True)
class Progress:
    """Progress of a backfill.

    Attributes:
        vehicles: vehicles found so far.
        done: vehicles whose history is complete, those completed by earlier runs included.
        failed: accounts and vehicles that this run gave up.
        trips: trips put into the buffer.
        pages: pages read.
        is_complete: whether every vehicle was found and no vehicle is being read.
    """

    vehicles: int
    done: int
    failed: int
    trips: int
    pages: int
    is_complete: bool


class Backfill(AcknowledgedStream):
    """Stream of all trips of a fleet, made by :func:`backfill`: iterate over it inside ``async with``."""

    def __init__(
        self,
        source: BackfillSource,
        *,
        since: datetime | None,
        until: datetime | None,
        newer: bool,
        store: CheckpointStore,
        name: str,
        vehicles: int,
        pages: int,
        buffer: int,
        max_wait: float,
        on_progress: Callable[[Progress], None] | None,
        clock: Callable[[], datetime] | None,
    ) -> None:
        super().__init__(store, name=name, size=buffer)
        self._source = source
        self._since = since
        self._until = until
        self._newer = newer
        self._concurrent_pages = pages
        self._max_wait = max_wait
        self._on_progress = on_progress
        self._clock = ServerClock(clock)
        self._odometers = OdometerChecks()
        self._renewals = TokenRenewalFailures()
        self._queue: Buffer[WatchedVehicle] = Buffer(vehicles)
        self._slots = anyio.Semaphore(vehicles)
        self._renewing_listings: dict[str, anyio.Semaphore] = {}
        self._known_ids: set[str] = set()
        self._all_found = False
        self._vehicles = self._done = self._failed = self._pages = 0
        self._complete_before = 0

    @property
    def progress(self) -> Progress:
        """Progress so far."""
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

    def _report_progress(self, *, complete: bool = False) -> None:
        if self._on_progress is not None:
            self._on_progress(self._progress(complete=complete))

    # ------------------------------------------------------------------------------------------- tasks

    def _start(self, tasks: TaskGroup) -> None:
        tasks.start_soon(self._run_guarded, self._run)

    async def _run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run_guarded, partial(self._process_queue, tasks))
            async with anyio.create_task_group() as listings:
                await self._run_guarded(partial(self._find_vehicles, listings))
            self._queue.close()
        self._report_progress(complete=self._all_found)
        if self._complete_before:
            _log.info(
                "the histories of %d vehicles were complete before and were not read again: "
                "newer=True reads the trips made since, another name= reads all trips",
                self._complete_before,
            )
        self._buffer.close()

    async def _find_vehicles(self, listings: TaskGroup) -> None:
        await for_each(self._source, partial(self._add_target, listings))
        self._all_found = True

    async def _add_target(self, listings: TaskGroup, target: Watchable) -> None:
        require_type("the source's item", target, Account, Fleet, Vehicle)
        if isinstance(target, Vehicle):
            alone = WatchedAccount(
                f"vehicle:{id_of(target)}", None, self._max_wait, self._store.fenced(id_of(target) or "")
            )
            if target.resource is not None:
                self._clock.use_client(target.resource.require_context().clock)
                alone.credentials = credentials_of(target)
            await self._add_vehicle(alone, target)
            return
        await self._add_owner(listings, FleetAsAccount(target) if isinstance(target, Fleet) else target)

    async def _add_owner(self, listings: TaskGroup, target: PolledAccount) -> None:
        self._clock.use_client(target.clock)
        watched_account = WatchedAccount(
            f"account:{target.key}", target, self._max_wait, self._store.fenced(target.key)
        )
        if await _waits_for_server(watched_account):
            # An identity server that is silent for hours must not keep the accounts of other servers from being listed.
            listings.start_soon(self._run_guarded, partial(self._list_later, target, watched_account))
        elif not await self._list_account(target, watched_account, may_wait=False):
            listings.start_soon(self._run_guarded, partial(self._list_later, target, watched_account))

    async def _list_later(self, target: PolledAccount, watched_account: WatchedAccount) -> None:
        assert watched_account.credentials is not None  # noqa: S101 - it waits for the server of its credentials
        server = watched_account.credentials.identity_server
        async with self._renewing_listings.setdefault(server, anyio.Semaphore(_RENEWING_LISTINGS)):
            await self._list_account(target, watched_account, may_wait=True)

    async def _list_account(self, target: PolledAccount, watched_account: WatchedAccount, *, may_wait: bool) -> bool:
        """List the vehicles of an account; return False where its identity server fails and may not be waited for."""
        assert watched_account.background is not None  # noqa: S101 - it has an account
        listed: dict[str, Vehicle] = {}
        attempt = 0
        while True:
            try:
                async for vehicle in watched_account.background.vehicles():
                    self._clock.observe(vehicle.resource)
                    listed.setdefault(id_of(vehicle) or "", rebind(watched_account.background, vehicle))
                await self._end_wait(watched_account)
                break
            except StellantisError as error:
                if is_fatal(error):
                    raise
                if not may_wait and watched_account.credentials is not None and _is_of_server(error):
                    return False
                next_attempt = await self._wait_for_retry(error, attempt)
                if next_attempt is None:
                    await self._emit(
                        AccountLost(
                            id=loss_id(target.key, self._clock.wall_time()),
                            account=target.key,
                            error=error,
                            again_in=0.0,
                        )
                    )
                    break
                attempt = next_attempt
        for vehicle in listed.values():
            await self._add_vehicle(watched_account, vehicle)
        return True

    async def _add_vehicle(self, watched_account: WatchedAccount, vehicle: Vehicle) -> None:
        id_ = id_of(vehicle)
        if id_ is not None and id_ not in self._known_ids:  # two accounts may share a vehicle
            self._known_ids.add(id_)
            self._vehicles += 1
            await self._queue.put(WatchedVehicle(id_, watched_account, vehicle, 1.0))

    async def _wait_for_retry(self, error: StellantisError, attempt: int) -> int | None:
        """Wait out a transient failure; return the number of the next attempt, None to give up.

        Waiting for the rate limit, or for an identity server, does not count as an attempt: nothing was sent to the
        API.
        """
        if isinstance(error, BudgetExhaustedError) and error.retry_after is not None:
            await anyio.sleep(error.retry_after)
            return attempt
        if error.identity_server is not None and _is_of_server(error):
            wait = await self._wait_for_server(error, error.identity_server)
            if wait is not None:
                await anyio.sleep(wait)
                return attempt
            attempt = _ATTEMPTS - 1
        if attempt == _ATTEMPTS - 1 or scope_of(error) in {"account", "vehicle"}:
            self._failed += 1
            self._report_progress()
            return None
        await anyio.sleep(back_off(attempt, _FIRST_PAUSE, _LONGEST_PAUSE))
        return attempt + 1

    async def _wait_for_server(self, error: StellantisError, server: str) -> float | None:
        """Report the outage of an identity server where it begins; return the seconds to wait, None to give up."""
        now = anyio.current_time()
        since = self._renewals.failed(server, now)
        if since is not None:
            began = self._clock.wall_time() - timedelta(seconds=now - since)
            await self._emit(Outage(id=outage_id(server, None, began), error=error, since=began, server=server))
        return self._renewals.wait(server, now)

    async def _end_wait(self, account: WatchedAccount) -> None:
        """Report the end of an outage, where the account's token was renewed since it began."""
        credentials = account.credentials
        if credentials is not None:
            server, now = credentials.identity_server, anyio.current_time()
            length = self._renewals.renewed(server, credentials.replaced_at, now)
            if length is not None:
                await self._emit(Recovered(after=length, server=server))

    async def _process_queue(self, tasks: TaskGroup) -> None:
        """Read as many vehicles at a time as there are slots."""
        while True:
            await self._slots.acquire()
            try:
                watched_vehicle = await self._queue.get()
            except StopAsyncIteration:
                return
            tasks.start_soon(self._run_guarded, partial(self._read_in_slot, watched_vehicle))

    async def _read_in_slot(self, watched_vehicle: WatchedVehicle) -> None:
        slot = _ReturnableSlot(self._slots)
        try:
            await self._read_with_retries(watched_vehicle, slot)
        finally:
            slot.release()

    async def _read_with_retries(self, watched_vehicle: WatchedVehicle, slot: _ReturnableSlot) -> None:
        """Read a vehicle's history; start again from its checkpoint after transient failures."""
        attempt, checkpoint = 0, watched_vehicle.checkpoint
        credentials = watched_vehicle.account.credentials
        while True:
            try:
                if credentials is not None and await _waits_for_server(watched_vehicle.account):
                    slot.release()  # a silent identity server must not hold the slots of other accounts
                    await credentials.headers()
                    await slot.acquire()
                await self._read_history(watched_vehicle)
            except StellantisError as error:
                if is_fatal(error):
                    raise
                if watched_vehicle.checkpoint is not checkpoint:  # there was progress since the last failure
                    attempt, checkpoint = 0, watched_vehicle.checkpoint
                if _is_of_server(error):
                    slot.release()
                next_attempt = await self._wait_for_retry(error, attempt)
                await slot.acquire()
                if next_attempt is None:
                    account, vehicle = watched_vehicle.account.key, watched_vehicle.vehicle
                    await self._emit(
                        VehicleUnavailable(account=account, vehicle=vehicle, what="trips", error=error, again_in=0.0)
                    )
                    return
                attempt = next_attempt
            else:
                await self._end_wait(watched_vehicle.account)
                self._done += 1
                self._report_progress()
                return

    # ------------------------------------------------------------------------------------------- one vehicle

    async def _read_history(self, watched_vehicle: WatchedVehicle) -> None:
        key = f"{self._name}/{watched_vehicle.id}"
        if watched_vehicle.checkpoint is None:
            self._clock.observe(watched_vehicle.vehicle.resource)
            watched_vehicle.checkpoint = await self._load_checkpoint(watched_vehicle.account.store, key)
        if watched_vehicle.checkpoint.is_initialized and not self._newer:
            self._complete_before += 1
            return
        start = query_start(watched_vehicle.checkpoint, overlap=_LOOKBACK, lookback=_LOOKBACK, deep=True)
        query_since = None if start is None else datetime.fromtimestamp(max(0.0, start), UTC)
        if watched_vehicle.checkpoint.is_initialized and _is_empty(query_since, self._until):
            return
        trips = partial(watched_vehicle.vehicle.trips, since=query_since, until=self._until)
        feed = TripFeed(watched_vehicle, key, self._emit_update, odometers=self._odometers, lookback=_LOOKBACK)
        order = TripOrderDetector()
        async with trips().pages().concurrent(self._concurrent_pages) as pages:
            async for page in pages:
                dated_trips = order.add_page(self._date_trips(page), more=page.token is not None)
                self._pages += 1
                if order.is_descending:
                    break
                await feed.add_page(dated_trips)
                self._report_progress()
        if order.is_descending:  # read from its end, so that trips are delivered in chronological order
            async with trips(newest_first=True).pages().ahead(1) as pages:
                async for page in pages:
                    self._pages += 1
                    await feed.add_page(self._date_trips(page))
                    self._report_progress()
        if not await feed.finish():
            await watched_vehicle.account.store.save(key, watched_vehicle.checkpoint.dump())

    async def _load_checkpoint(self, store: CheckpointStore, key: str) -> Checkpoint:
        since = None if self._since is None else self._clock.bound(self._since.timestamp())
        checkpoint = await load_checkpoint(store, key) or Checkpoint(since=since)
        if since is None and not checkpoint.is_initialized:
            since = 0.0  # all trips
        return repair(checkpoint, now=self._clock.now().timestamp(), lookback=_LOOKBACK, since=since)

    def _date_trips(self, page: Page[Trip]) -> DatedTrips:
        self._clock.observe(page.resource)
        now = self._clock.now().timestamp()
        return [(TripDedupFacts.from_trip(trip, now), trip) for trip in page.items]


class _ReturnableSlot:
    """A slot that a task has, returns while it waits, and takes again."""

    __slots__ = ("_is_held", "_slots")

    def __init__(self, slots: anyio.Semaphore) -> None:
        self._slots = slots
        self._is_held = True

    async def acquire(self) -> None:
        """Take it; do nothing where the task has it."""
        if not self._is_held:
            await self._slots.acquire()
            self._is_held = True

    def release(self) -> None:
        """Return it; do nothing where the task has returned it."""
        if self._is_held:
            self._is_held = False
            self._slots.release()


def _is_of_server(error: StellantisError) -> bool:
    """Return whether an identity server failed, so that waiting for it costs no attempt."""
    return error.identity_server is not None and scope_of(error) == "identity"


async def _waits_for_server(account: WatchedAccount) -> bool:
    """Return whether the next request of an account waits for its identity server."""
    credentials = account.credentials
    try:
        return credentials is not None and (credentials.is_renewing or await credentials.is_renewal_due())
    except StellantisError:
        return False  # the request raises it again


def _is_empty(since: datetime | None, until: datetime | None) -> bool:
    return since is not None and until is not None and since >= until


def backfill(
    source: BackfillSource,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    newer: bool = False,
    checkpoints: CheckpointStore | None = None,
    name: str = "backfill",
    vehicles: int = 8,
    pages: int = 4,
    buffer: int = 256,
    max_wait: timedelta = timedelta(minutes=10),
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Backfill:
    """Return a stream of all trips of a fleet, in chronological order for each vehicle.

    Each trip is the ``trip`` of an :class:`Update`. Several vehicles, and several pages of each, are read at a time;
    the options below and the buffer bound the memory, however long the history is.

    With a store, the same call resumes after the last acknowledged update: that of which the next was asked for, or
    after which the block was left without an exception. Histories that are complete are read again with ``newer=True``
    only. An account or vehicle that fails is reported as :class:`AccountLost` or :class:`VehicleUnavailable` and read
    by the next run; transient failures are retried up to 6 times, 15 s to 300 s apart. An outage of an identity server
    is an :class:`Outage`, its end :class:`Recovered`; it is waited out for up to 6 hours.

    ::

        with trip_writer("trips.csv") as writer:
            async with backfill(accounts, checkpoints=store) as updates:
                async for update in updates:
                    if isinstance(update, Update):
                        writer.write(update)

    An update that was written but not acknowledged, as after a crash, comes again with the same id: a writer of a file
    by its path does not write its trip twice.

    Args:
        source: an account, a vehicle, or an iterable or asynchronous iterable of both. Of an account all vehicles are
            read.
        since: earliest start of the trips, an aware datetime. Default None: no limit.
        until: latest start of the trips, an aware datetime. Default None: no limit.
        newer: whether histories that are complete are read again from 14 days before their newest trip, so that trips
            made or finished since are added: at least one request for each vehicle. Default False.
        checkpoints: the store in which progress is saved. Default None: in memory, so that the next run starts again.
        name: prefix of the keys in the store; a backfill with another name starts again. Default "backfill".
        vehicles: vehicles read at a time, at least 1. Default 8.
        pages: pages of each vehicle read at a time, at least 1. Default 4.
        buffer: capacity of the buffer in updates, at least 1; reading waits while it is full. Default 256.
        max_wait: longest time that a request waits for the rate limiter. Default 10 minutes.
        progress: called with a :class:`Progress` after each page, and at the end. Default None.
        clock: wall clock that returns an aware datetime. Default None: the client's. Where the ``Date`` of the API's
            responses differs by more than a minute, trips are judged by that, and a warning is logged.

    Raises:
        ValueError: a number is less than 1, or a datetime has no time zone.
        TypeError: an option has the wrong type.
    """
    require_source(source)
    require_type("name", name, str)
    require_flags(newer=newer)
    require_function("progress", progress)
    if clock is not None:
        require_clock(clock)
    require_type("since", since, datetime, None)
    require_type("until", until, datetime, None)
    require_type("max_wait", max_wait, timedelta, instead="timedelta(seconds=…)")
    require_type("vehicles", vehicles, int)
    require_type("pages", pages, int)
    if vehicles < 1 or pages < 1:
        raise ValueError(f"vehicles and pages must be at least 1, such as 8 and 4, not {vehicles} and {pages}")
    for option, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"{option} must be aware, such as datetime(2026, 1, 1, tzinfo=UTC), not {moment!r}")
    return Backfill(
        source,
        since=since,
        until=until,
        newer=newer,
        store=checked_store(checkpoints),
        name=name,
        vehicles=vehicles,
        pages=pages,
        buffer=buffer,
        max_wait=max_wait.total_seconds(),
        on_progress=progress,
        clock=clock,
    )
