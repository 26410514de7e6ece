"""Watching a fleet: the tasks that poll, and the stream that their news come along.

Knows tasks, the order of things and who is told what. Must not hold a rule of its own: when, what is new, and whether
it is one vehicle or everything, is decided beside it by values alone.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterable, Callable, Iterable
from datetime import datetime, timedelta
from functools import partial

import anyio
from anyio.abc import TaskGroup

from stellantis_hal.client import Account
from stellantis_hal.fleet.checkpoints.store import CheckpointStore, MemoryCheckpoints
from stellantis_hal.fleet.sources import for_each
from stellantis_hal.fleet.stream import CLOSE_TIMEOUT, Stream
from stellantis_hal.fleet.targets import Removed, id_of
from stellantis_hal.fleet.watching.failure_policy import FailurePolicy
from stellantis_hal.fleet.watching.intervals import by_activity
from stellantis_hal.fleet.watching.options import PollOptions, WatchOptions
from stellantis_hal.fleet.watching.pacing_budget import CapacityPlan
from stellantis_hal.fleet.watching.poller import KINDS, Poller
from stellantis_hal.fleet.watching.registry import Registry
from stellantis_hal.fleet.watching.scheduler import PollScheduler
from stellantis_hal.fleet.watching.statistics import FleetStatistics
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.validation import require_type

__all__ = ["BudgetWarning", "Source", "Watch", "watch"]

Source = Account | Vehicle | Iterable[Account | Vehicle] | AsyncIterable[Account | Vehicle | Removed]
"""Whom to watch: accounts with all their vehicles, or vehicles by themselves."""

Clock = Callable[[], datetime]

_OVERLAP = timedelta(hours=6)
_DEEP_EVERY = timedelta(days=1)


class BudgetWarning(UserWarning):
    """The interval asked for does not fit the budget; vehicles are polled as often as it allows."""


class Watch(Stream):
    """A fleet that is watched: iterate over its events inside the ``async with``. Made by :func:`watch`."""

    def __init__(
        self,
        source: Source,
        orders: WatchOptions,
        terms: PollOptions,
        *,
        store: CheckpointStore,
        name: str,
        buffer: int,
        clock: Clock | None,
    ) -> None:
        super().__init__(store, size=buffer)
        self._source = source
        self._roster = roster = Registry(orders, clock)
        self._care = FailurePolicy(roster, counts=self._counts, say=self._emit)
        self._crew = PollScheduler(
            roster,
            self._care,
            Poller(
                terms, store=store, name=name, clock=roster.wall_clock, counts=self._counts, offer=self._emit_update
            ),
            counts=self._counts,
            is_full=lambda: self._buffer.is_full,
            planned=self._planned,
            broken=self._buffer.fail,
        )
        self._plan: CapacityPlan | None = None

    def _start(self, tasks: TaskGroup) -> None:
        tasks.start_soon(self._run_guarded, self._enlist)
        tasks.start_soon(self._run_guarded, partial(self._crew.work, tasks))

    def _on_event_delivered(self) -> None:
        self._crew.wake()

    async def _enlist(self) -> None:
        await for_each(self._source, self._take_in)

    async def _take_in(self, who: Account | Vehicle | Removed) -> None:
        if isinstance(who, Removed):
            self.remove(who.target)
        else:
            self._add(who)

    def _planned(self, plan: CapacityPlan) -> None:
        before, self._plan = self._plan, plan
        if not plan.fits and (before is None or before.fits):
            warnings.warn(str(plan), BudgetWarning, stacklevel=2)

    # ------------------------------------------------------------------------------------------- control

    def pause(self) -> None:
        """Start no more polls until :meth:`resume`; those that were asked for by :meth:`poll_now` go on."""
        self._crew.paused = True

    def resume(self) -> None:
        """Go on after :meth:`pause`; nobody is polled twice to make up for it."""
        self._crew.paused = False
        self._crew.wake()

    def add(self, who: Account | Vehicle) -> None:
        """Watch an account with all its vehicles, or a vehicle by itself, from now on.

        An account that was lost starts again: pass one that has a new token. Vehicles that were removed come with their
        account no more, but when they are added by themselves.

        Raises:
            ValueError: it belongs to another client, or another account that was never lost has the same key.
            RuntimeError: the watch was stopped, or its block was left.
        """
        self._expect_going()
        self._add(who)

    def _add(self, who: Account | Vehicle) -> None:
        self._roster.add(who, anyio.current_time())
        self._crew.wake()

    def remove(self, who: Account | Vehicle | str) -> bool:
        """Watch an account or its key, a vehicle or its id, no more; gives whether it was watched.

        A vehicle of an account that is removed goes on where another account has it too. What is in the buffer is
        delivered all the same. What is known of it stays in the store, so that it goes on there when it comes back.
        """
        return self._roster.remove(who, anyio.current_time())

    def poll_now(self, *vehicles: Vehicle | str) -> None:
        """Poll vehicles, or those with these ids, at once; what is new comes along the stream.

        These polls are interactive: they wait for no turn, no pause and no pace, and are paid for by the share of the
        limits that the polls of the watch leave alone.

        Raises:
            KeyError: one of them is not watched.
            RuntimeError: the watch was stopped, or its block was left.
        """
        self._expect_going()
        for vehicle in vehicles:
            id_ = vehicle if isinstance(vehicle, str) else id_of(vehicle)
            if id_ is None or not self._crew.urge(id_):
                raise KeyError(id_)

    def _expect_going(self) -> None:
        if self._crew.stopped or self._is_closed:
            raise RuntimeError(
                "this watch has ended, and polls nobody: make another, that goes on from its checkpoints"
            )

    def stop(self, *, within: float = CLOSE_TIMEOUT) -> None:
        """Let the stream end: no more polls; those under way have so many seconds, then what is there is the rest.

        Where its block was left there is nothing to do.
        """
        if self._is_closed:
            return
        self._crew.stopped = True
        self._crew.wake()
        if self._tasks is None:
            self._buffer.close()
        else:
            self._tasks.start_soon(self._finish, within)

    async def _finish(self, within: float) -> None:
        with anyio.move_on_after(within):
            await self._crew.rest()
        self._buffer.close()

    @property
    def statistics(self) -> FleetStatistics:
        """What it did so far, and how it stands. Takes a look at every vehicle: not to be asked for all the time."""
        crew, roster, health, counts = self._crew, self._roster, self._care.health, self._counts
        now = anyio.current_time()
        overdue, lag = roster.agenda.overdue(now)
        return FleetStatistics(
            accounts=sum(not watched_account.is_standalone for watched_account in roster.accounts.values()),
            accounts_lost=sum(watched_account.lost_at is not None for watched_account in roster.accounts.values()),
            vehicles=len(roster.vehicles),
            unavailable=sum(len(watched_vehicle.failures or ()) for watched_vehicle in roster.vehicles.values()),
            polls=counts.polls,
            requests=counts.requests,
            updates=counts.updates,
            delivered=counts.delivered,
            acknowledged=counts.acknowledged,
            same=counts.unchanged,
            older=counts.older,
            errors=counts.copy_errors(),
            running=crew.running,
            waiting=len(self._buffer),
            overdue=overdue,
            lag=lag,
            lateness=counts.delay_percentile(0.5),
            lateness_p99=counts.delay_percentile(0.99),
            lateness_most=counts.longest_delay,
            paused=crew.paused,
            outage=None if health.since is None else now - health.since,
            budget=roster.budget(),
            plan=self._plan,
        )


def watch(
    source: Source,
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
) -> Watch:
    """Watch vehicles for news: ``async with watch(accounts, every=timedelta(minutes=5)) as updates: …``.

    Polls are background requests: they leave the client's interactive share alone, and are spread over the day so that
    the subscription lasts. What cannot be polled as often as asked is polled as often as the budget allows, each in
    its turn; a :class:`BudgetWarning` tells so, and which interval would fit.

    Args:
        source: an account, or several of one client, with all their vehicles; or vehicles by themselves. An
            asynchronous source may go on giving them for ever, and :class:`Removed` for those to be watched no more.
        every: between two polls of a vehicle; None: as fast as the budget allows.
        what: "status", "maintenance", "position", "trips".
        checkpoints: where it is kept what was acknowledged; None: nowhere.
        name: of this watch in the store. Watches that share a store need names of their own, or each overwrites what
            the others keep.
        since: trips from then on are delivered; None: those that appear after the first look at a vehicle.
        adapt: gives, by a vehicle's status, how much longer its interval is (0.5: half as long). It is asked when the
            status has changed, and once an hour otherwise.
        rhythm: gives how much longer intervals are at an instant, as :func:`quiet` does.
        weight: gives how much more often than others a vehicle is polled.
        budget: what the watch may spend at most; None: what the client's limiter leaves to background requests.
        repeats: whether snapshots that say nothing new are delivered too.
        late: how far back trips are looked for that appear after newer ones: once a day, else 6 hours.
        buffer: updates that wait for the consumer at most; polls wait while it is full.
        concurrency: polls at a time.
        relist: between two looks at which vehicles an account has.
        max_wait: how long a poll may wait for the limiter.
        clock: the wall clock; None: that of the client.

    Raises:
        ValueError: an option is out of bounds.
        TypeError: an option is of another kind.
    """
    require_type("every", every, timedelta, None, instead="timedelta(seconds=…)")
    for option, span in {"late": late, "relist": relist, "max_wait": max_wait}.items():
        require_type(option, span, timedelta, instead="timedelta(seconds=…)")
    require_type("since", since, datetime, None)
    kinds = (what,) if isinstance(what, str) else tuple(dict.fromkeys(what))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"what can be watched is {', '.join(KINDS)}, not {', '.join(unknown) or 'nothing'}")
    if every is not None and every <= timedelta():
        raise ValueError("the interval has to be positive; None is as fast as the budget allows")
    if since is not None and since.tzinfo is None:
        raise ValueError("since has to be aware")
    if late < _OVERLAP:
        raise ValueError(f"late has to be at least {_OVERLAP}")
    if relist <= timedelta() or max_wait < timedelta():
        raise ValueError("relist has to be positive, max_wait not negative")
    if concurrency < 1:
        raise ValueError(f"at least one poll at a time, not {concurrency}")
    orders = WatchOptions(
        every=0.0 if every is None else every.total_seconds(),
        what=kinds,
        concurrency=concurrency,
        relist=relist.total_seconds(),
        max_wait=max_wait.total_seconds(),
        spend=budget,
        rhythm=rhythm,
        weight=weight,
    )
    terms = PollOptions(
        since=None if since is None else since.timestamp(),
        overlap=_OVERLAP.total_seconds(),
        reach=late.total_seconds(),
        deep_every=_DEEP_EVERY.total_seconds(),
        repeats=repeats,
        adapt=adapt,
    )
    store = MemoryCheckpoints() if checkpoints is None else checkpoints
    return Watch(source, orders, terms, store=store, name=name, buffer=buffer, clock=clock)
