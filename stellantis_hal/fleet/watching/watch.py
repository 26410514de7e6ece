"""Watching a fleet: a stream of updates within a rate limit."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterable, Callable, Iterable
from datetime import datetime, timedelta
from functools import partial

import anyio
from anyio.abc import TaskGroup

from stellantis_hal.errors import LeaseLostError
from stellantis_hal.fleet.checkpoints.store import CheckpointStore, checked_store
from stellantis_hal.fleet.events import AccountLost, WatchEvent
from stellantis_hal.fleet.fleet_as_account import PolledAccount, Watchable, as_polled, key_of
from stellantis_hal.fleet.resume_state import ResumeStateStore
from stellantis_hal.fleet.stream import CLOSE_TIMEOUT, AcknowledgedStream, Acknowledgement
from stellantis_hal.fleet.target_sources import Removed, for_each, require_source
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle, id_of
from stellantis_hal.fleet.watching.failure_policy import FailurePolicy
from stellantis_hal.fleet.watching.intervals import by_activity
from stellantis_hal.fleet.watching.options import PollOptions, WatchOptions, checked_kinds, checked_late, checked_since
from stellantis_hal.fleet.watching.pacing_budget import CapacityPlan
from stellantis_hal.fleet.watching.poller import KINDS, Poller
from stellantis_hal.fleet.watching.push_feed import NotificationSource, PushFeed
from stellantis_hal.fleet.watching.registry import Registry
from stellantis_hal.fleet.watching.scheduler import PollScheduler
from stellantis_hal.fleet.watching.statistics import FleetStatistics
from stellantis_hal.navigation.call_site_warnings import warn_at
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.loop_handle import LoopHandle, loop_time
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.validation import require_clock, require_flags, require_function, require_type

__all__ = ["BudgetWarning", "Watch", "WatchSource", "watch"]

WatchSource = Watchable | Iterable[Watchable] | AsyncIterable[Watchable | Removed]
"""What to watch: accounts and fleets with all their vehicles, or single vehicles."""

Clock = Callable[[], datetime]

_log = logging.getLogger("stellantis_hal")
_OVERLAP = timedelta(hours=6).total_seconds()
_DEEP_EVERY = timedelta(days=1)


class BudgetWarning(UserWarning):
    """The interval does not fit the rate limit: vehicles are polled as often as it allows."""


class Watch(AcknowledgedStream):
    """A watched fleet: iterate over its events inside the ``async with``. Made by :func:`watch`."""

    def __init__(
        self,
        source: WatchSource,
        watch_options: WatchOptions,
        poll_options: PollOptions,
        *,
        store: CheckpointStore,
        keeps_records: bool,
        name: str,
        buffer: int,
        clock: Clock | None,
        events: NotificationSource | None = None,
        refresh: timedelta | None = None,
    ) -> None:
        super().__init__(store, name=name, size=buffer)
        self._source = source
        self._registry = registry = Registry(watch_options, clock, store)
        self._pacing = pacing = registry.pacing
        self._records = records = ResumeStateStore(
            store if keeps_records else None, name, wall_clock=pacing.wall_clock, level=pacing.level
        )
        self._relist = watch_options.relist
        self._failure_policy = FailurePolicy(registry, counts=self._counts, emit=self._emit, emit_loss=self._emit_loss)
        self._scheduler = PollScheduler(
            registry,
            watch_options,
            self._failure_policy,
            Poller(
                poll_options,
                name=name,
                clock=pacing.server_clock,
                counts=self._counts,
                offer=self._emit_update,
            ),
            counts=self._counts,
            is_full=lambda: self._buffer.is_full,
            on_plan=self._set_plan,
            on_error=self._buffer.fail,
            on_end=self._note_progress,
            records=records,
        )
        self._feed: PushFeed | None = None
        if events is not None:
            self._feed = PushFeed(
                events,
                registry,
                interval=pacing.interval,
                refresh=None if refresh is None else refresh.total_seconds(),
                reads_status="status" in watch_options.what,
                offer=self._offer_pushed,
                emit=self._emit,
                counts=self._counts,
            )
        self._asked_in_pause: dict[WatchedVehicle, None] = {}
        self._plan: CapacityPlan | None = None
        self._loop: LoopHandle | None = None
        self._stopped = anyio.Event()
        self._progress = anyio.Event()
        self._task_group: TaskGroup | None = None
        self._finishing: anyio.CancelScope | None = None
        self._finish_by = math.inf

    def _start(self, tasks: TaskGroup) -> None:
        self._loop = LoopHandle()
        self._counts.read_at = self._now()
        self._task_group = tasks
        tasks.start_soon(self._finish)
        tasks.start_soon(self._run_guarded, self._records.run)
        tasks.start_soon(self._run_guarded, self._read_source)
        tasks.start_soon(self._run_guarded, partial(self._scheduler.run, tasks))
        if self._feed is not None:
            tasks.start_soon(self._run_guarded, self._feed.run)

    def _on_event_delivered(self) -> None:
        self._scheduler.wake()

    async def _read_source(self) -> None:
        pacing = await self._records.load_pacing()
        if pacing is not None:
            self._pacing.restore(pacing.level, pacing.at)
        await for_each(self._source, self._process_item)
        if not self._registry.accounts:
            _log.warning("the source of the watch has ended, and nothing is watched: it waits for add() or stop()")

    async def _process_item(self, item: Watchable | Removed) -> None:
        if isinstance(item, Removed):
            self.remove(item.target)
            if item.on_released is not None and self._task_group is not None:
                self._task_group.start_soon(self._call_when_released, item.target, item.on_released)
        elif isinstance(owner := as_polled(item), Vehicle):
            self._add(owner)
        else:
            await self._add_restored(owner)

    async def _add_restored(self, account: PolledAccount) -> None:
        """Add an account as its last owner left it, so that it is not listed and its vehicles are not polled anew."""
        store = self._store.fenced(account.key)
        self._pacing.use_clock(account.clock)
        try:
            restored = await self._records.load_account(store, account, relist=self._relist)
        except LeaseLostError:
            return  # lost again: the source says so next
        self._registry.add(account, self._now(), store=store, restored=restored)
        self._scheduler.wake()

    async def _call_when_released(self, target: Watchable | str, then: Callable[[], None]) -> None:
        await self.released(target)
        await self._records.flush()
        then()

    async def _emit_loss(self, account: WatchedAccount, event: AccountLost, since: datetime) -> None:
        """Emit the loss of an account; its acknowledgement lets the next process know of it."""
        if account.key is None:
            await self._emit(event)
            return
        record = self._records.lost(account, since)
        key = self._records.account_key(account.key)
        await self._emit(event, Acknowledgement(account.store, key, record))

    def _offer_pushed(self, vehicle: WatchedVehicle, status: Status | None) -> None:
        """Pass on what an event says of a vehicle; a poll that it asks for waits for the end of a pause."""
        if status is not None or not self._scheduler.is_paused:
            self._scheduler.offer(vehicle, status)
        else:
            self._asked_in_pause[vehicle] = None

    def _end_pause(self) -> None:
        if not self._scheduler.is_paused:
            asked, self._asked_in_pause = self._asked_in_pause, {}
            for vehicle in asked:
                if not vehicle.is_removed:
                    self._scheduler.offer(vehicle, None)
        self._scheduler.wake()

    def _note_progress(self) -> None:
        progress, self._progress = self._progress, anyio.Event()
        progress.set()

    def _on_settled(self) -> None:
        self._note_progress()

    async def _on_leaving(self) -> None:
        await self._records.flush()

    def _set_plan(self, plan: CapacityPlan) -> None:
        before, self._plan = self._plan, plan
        if not plan.fits and (before is None or before.fits):
            warn_at(self._made_at, str(plan), BudgetWarning)

    # ------------------------------------------------------------------------------------------- control

    def pause(self) -> None:
        """Start no more polls until :meth:`resume`, except those requested by :meth:`poll_now`."""
        self._scheduler.is_paused = True

    def resume(self) -> None:
        """Continue after :meth:`pause`; missed polls are not repeated, except those of which an event came."""
        self._scheduler.is_paused = False
        self._call_soon(self._end_pause)

    def add(self, target: Watchable) -> None:
        """Watch an account or fleet with its vehicles, or a single vehicle; in a task or a callback of the event loop.

        An account that was lost starts again: pass one with a new token. A vehicle that was removed is no longer added
        by its account's listing; add it here.

        Args:
            target: the account, fleet or vehicle.

        Raises:
            ValueError: it belongs to another client, or another account that was never lost has the same key.
            RuntimeError: the watch has ended.
        """
        self._require_running()
        self._add(target)

    def _add(self, target: Watchable) -> None:
        self._registry.add(as_polled(target), self._now())
        self._scheduler.wake()

    def remove(self, target: Watchable | str) -> bool:
        """Stop watching an account or a vehicle; return whether it was watched.

        A vehicle of a removed account is polled by another account that has it. Updates in the buffer are still
        delivered. The checkpoint stays in the store and is used when the vehicle is added again.

        Args:
            target: an account or its key, a fleet or a vehicle or its id.
        """
        return self._registry.remove(target, self._now())

    async def released(self, target: Watchable | str) -> None:
        """Wait until nothing of a target is in progress: no poll, no event in the buffer, none to be acknowledged.

        Call it after :meth:`remove`, before another process takes the target over; in another task than the one that
        consumes the events. It returns at once when the block was left.

        Args:
            target: an account or its key, a fleet or a vehicle or its id.
        """
        key = key_of(target)

        def belongs(event: WatchEvent) -> bool:
            vehicle = getattr(event, "vehicle", None)
            return getattr(event, "account", None) == key or (vehicle is not None and id_of(vehicle) == key)

        while not self._is_closed and (self._scheduler.is_polling(key) or self._holds(belongs)):
            await self._progress.wait()

    def poll_now(self, *vehicles: Vehicle | str) -> None:
        """Poll vehicles at once; the updates come in the stream.

        These polls have interactive priority: they wait neither for the interval nor for :meth:`resume`, and use the
        share of the rate limit that is reserved for interactive requests.

        Args:
            vehicles: vehicles or their ids.

        Raises:
            KeyError: one of them is not watched.
            RuntimeError: the watch has ended.
        """
        self._require_running()
        for vehicle in vehicles:
            require_type("a vehicle", vehicle, Vehicle, str)
            id_ = vehicle if isinstance(vehicle, str) else id_of(vehicle)
            if id_ is None or not self._scheduler.poll_now(id_):
                raise KeyError(id_)

    def _require_running(self) -> None:
        if self._scheduler.is_stopped or self._is_closed:
            raise RuntimeError(
                "this watch has ended: call watch() again, with the same checkpoints and name to continue from there"
            )

    def stop(self, *, within: float = CLOSE_TIMEOUT) -> None:
        """End the stream: start no more polls, wait for those in progress, deliver what is in the buffer.

        Works in handlers of signals (``loop.add_signal_handler(signal.SIGTERM, updates.stop)``), in callbacks of the
        event loop, and in other threads. Does nothing once the block was left.

        Args:
            within: seconds to wait for the polls in progress; of several calls, the first to pass counts.

        Raises:
            TypeError: ``within`` is no number.
            ValueError: it is NaN.
        """
        require_type("within", within, int, float)
        if math.isnan(within):
            raise ValueError("within must be a number of seconds, not NaN, which would wait without a bound")
        if self._is_closed:
            return
        self._scheduler.is_stopped = True
        if self._loop is None:
            self._buffer.close()
        else:
            self._loop.call_soon(partial(self._begin_finishing, self._loop.now() + within))

    def _begin_finishing(self, deadline: float) -> None:
        self._finish_by = min(self._finish_by, deadline)
        if self._finishing is not None:
            self._finishing.deadline = self._finish_by
        self._stopped.set()
        self._scheduler.wake()

    def _call_soon(self, function: Callable[[], object]) -> None:
        """Call a function in the event loop; from callbacks, handlers of signals and other threads, too."""
        if self._loop is None:
            function()
        else:
            self._loop.call_soon(function)

    def _now(self) -> float:
        return loop_time() if self._loop is None else self._loop.now()

    async def _finish(self) -> None:
        # A task from the start, because anyio starts none outside of tasks.
        await self._stopped.wait()
        with anyio.CancelScope(deadline=self._finish_by) as self._finishing:
            await self._scheduler.wait_idle()
        self._buffer.close()

    @property
    def statistics(self) -> FleetStatistics:
        """Counters and state, from any thread once the watch runs.

        Each access visits every vehicle: read it every few seconds at most.
        """
        scheduler, registry, counts = self._scheduler, self._registry, self._counts
        outage_since = self._failure_policy.outage_detector.since
        now = self._now()
        accounts, vehicles = list(registry.accounts.values()), list(registry.vehicles.values())  # for other threads
        overdue, lag = self._pacing.queue.overdue(now)
        return FleetStatistics(
            accounts=sum(not account.is_standalone for account in accounts),
            accounts_lost=sum(account.lost_at is not None for account in accounts),
            accounts_empty=sum(account.empty_since is not None for account in accounts),
            vehicles=len(vehicles),
            unavailable=sum(len(vehicle.failures or ()) for vehicle in vehicles),
            polls=counts.polls,
            requests=counts.requests,
            updates=counts.updates,
            delivered=counts.delivered,
            acknowledged=counts.acknowledged,
            unchanged=counts.unchanged,
            older=counts.older,
            pushed=counts.pushed,
            errors=counts.copy_errors(),
            running=scheduler.running,
            waiting=len(self._buffer),
            overdue=overdue,
            lag=lag,
            lateness=counts.delay_percentile(0.5),
            lateness_p99=counts.delay_percentile(0.99),
            lateness_most=counts.longest_delay,
            silent_for=0.0 if counts.read_at is None else now - counts.read_at,
            paused=scheduler.is_paused,
            outage=None if outage_since is None else now - outage_since,
            kind_outages=self._failure_policy.kind_outage_ages(now),
            identity_outages=self._failure_policy.identity_outages.ages(now),
            budget=self._pacing.budget(),
            plan=self._plan,
        )


def watch(
    source: WatchSource,
    *,
    every: timedelta | None,
    what: Iterable[str] = ("status", "trips"),
    checkpoints: CheckpointStore | None = None,
    name: str = "watch",
    since: datetime | None = None,
    adapt: Callable[[Vehicle, Status], float] | None = by_activity,
    rhythm: Callable[[datetime], float] | None = None,
    weight: Callable[[Vehicle], float] | None = None,
    budget: RateLimits | None = None,
    repeats: bool = False,
    late: timedelta = timedelta(days=14),
    buffer: int = 256,
    concurrency: int = 64,
    relist: timedelta = timedelta(hours=12),
    max_wait: timedelta = timedelta(minutes=10),
    clock: Clock | None = None,
    events: NotificationSource | None = None,
    refresh: timedelta | None = None,
) -> Watch:
    """Watch vehicles and return a stream: ``async with watch(accounts, every=timedelta(minutes=5)) as updates: …``.

    Polls are background requests: they leave the interactive share of the rate limit alone and are spread over the day.
    Charging or moving vehicles are polled more often, inactive ones less. If the interval does not fit the rate limit,
    vehicles are polled as often as it allows, and a :class:`BudgetWarning` states the shortest interval that fits.

    Args:
        source: an account, or several of one client, with all their vehicles; or single vehicles. An asynchronous
            source may go on without end, and yield :class:`Removed` for what is no longer to be watched. One that ends
            without any is logged as a warning; the watch waits for :meth:`Watch.add`.
        every: interval between two polls of a vehicle, a timedelta; None: as fast as the rate limit allows. Required.
        what: kinds of data to poll, of "status", "maintenance", "position", "trips". Default: status and trips.
        checkpoints: store for what the consumer has acknowledged; None (default): in memory, lost at the end.
        name: name of this watch in the store. Watches that share a store need different names: entering a second one
            of a name raises :class:`CheckpointsInUseError`, on ``SQLiteCheckpoints`` in other processes of the machine
            too. Default: "watch".
        since: start of the trips to report, an aware datetime; None (default): trips that appear after the first poll.
        adapt: returns the factor of a vehicle's interval (0.5: polled twice as often) for its status. Called when the
            status has changed, else once an hour. Default: :func:`by_activity`; None: no adaptation.
        rhythm: returns the factor of all intervals at an instant, as :func:`quiet` does; None (default): always 1.
        weight: returns how much more often than others a vehicle is polled (2.0: twice); None (default): all the same.
        budget: upper bound of the requests per second and per day; None (default): what the client's limiter leaves to
            background requests.
        repeats: whether unchanged snapshots are reported too. Default: False.
        late: how far before the newest trip to look for trips that the API adds late, a timedelta of at least 6 hours.
            The last 6 hours are read at each poll, the rest once a day. Default: 14 days.
        buffer: number of updates that may wait for the consumer; no polls start while so many do. Default: 256.
        concurrency: number of polls at a time. Default: 64.
        relist: interval between two listings of an account's vehicles, a timedelta. Default: 12 hours.
        max_wait: longest time that a request may wait for the rate limit, a timedelta. Default: 10 minutes.
        clock: wall clock that returns an aware datetime; None (default): the client's. Where the ``Date`` of the API's
            responses differs by more than a minute, trips and ages are judged by that, and a warning is logged.
        events: a :class:`~stellantis_hal.Receiver`, whose verified events are reported as updates of the source
            "event", or cause a poll. While events of a vehicle arrive, all but its trips is polled four times more
            rarely. Default: None.
        refresh: time between two reminders of monitors whose condition always holds (``refresh=`` of a monitor): after
            twice that time without an event comes :class:`CallbackFailed`. None (default): learnt from the reminders,
            which end with their condition, so :class:`CallbackFailed` comes only where the callback does not run.

    Raises:
        ValueError: an option is out of bounds.
        TypeError: an option has the wrong type.
    """
    require_source(source)
    require_type("every", every, timedelta, None, instead="timedelta(seconds=…)")
    for option, span in {"relist": relist, "max_wait": max_wait}.items():
        require_type(option, span, timedelta, instead="timedelta(seconds=…)")
    require_type("refresh", refresh, timedelta, None, instead="timedelta(minutes=…)")
    if refresh is not None and (events is None or refresh <= timedelta()):
        raise ValueError(
            f"refresh needs events=, and must be more than 0, such as timedelta(minutes=10), not {refresh}"
        )
    kinds, lookback, first = checked_kinds(what, KINDS), checked_late(late, at_least=_OVERLAP), checked_since(since)
    if every is not None and every <= timedelta():
        raise ValueError(f"every must be more than 0, such as timedelta(minutes=5), or None, not {every}")
    if relist <= timedelta():
        raise ValueError(f"relist must be more than 0, such as timedelta(hours=12), not {relist}")
    if max_wait < timedelta():
        raise ValueError(f"max_wait must be 0 or more, such as timedelta(minutes=10), not {max_wait}")
    require_type("concurrency", concurrency, int)
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, such as 64, not {concurrency}")
    watch_options = WatchOptions(
        every=0.0 if every is None else every.total_seconds(),
        what=kinds,
        concurrency=concurrency,
        relist=relist.total_seconds(),
        max_wait=max_wait.total_seconds(),
        budget=budget,
        rhythm=rhythm,
        weight=weight,
    )
    poll_options = PollOptions(
        since=first,
        overlap=_OVERLAP,
        lookback=lookback,
        deep_every=_DEEP_EVERY.total_seconds(),
        repeats=repeats,
        adapt=adapt,
    )
    require_type("name", name, str)
    require_flags(repeats=repeats)
    require_type("budget", budget, RateLimits, None, instead="RateLimits(per_second=…, per_day=…)")
    for called, function in (("rhythm", rhythm), ("weight", weight), ("adapt", adapt)):
        require_function(called, function)
    if clock is not None:
        require_clock(clock)
    if events is not None and not hasattr(events, "listen"):
        raise TypeError(f"events must be a Receiver or None, not {type(events).__name__}: Receiver(inbox, path=…)")
    store = checked_store(checkpoints)
    return Watch(
        source,
        watch_options,
        poll_options,
        store=store,
        keeps_records=checkpoints is not None,
        name=name,
        buffer=buffer,
        clock=clock,
        events=events,
        refresh=refresh,
    )
