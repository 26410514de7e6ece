"""Who polls: one task that decides who is next, and short-lived ones that ask.

Knows tasks and turns. Must not know the consumer, what is new in what comes, or what a failure means.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.checkpoints.store import CheckpointError
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle, id_of, rebind
from stellantis_hal.fleet.watching.failure_policy import FailurePolicy
from stellantis_hal.fleet.watching.pacing_budget import CapacityPlan
from stellantis_hal.fleet.watching.poller import Poller
from stellantis_hal.fleet.watching.registry import LISTING_COST, Registry, Turn
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["PollScheduler"]

_URGENT = 8


class _DispatchedPoll(NamedTuple):
    turn: Turn
    due: float
    probing: bool


class PollScheduler:
    """Keeps a fleet polled.

    Args:
        roster: who is due when.
        care: judges failures.
        poller: asks for one thing and offers what is new.
        counts: what is counted.
        is_full: tells whether the consumer has more to do than there is room for.
        planned: is told whether the interval fits the budget, whenever an account was listed, or polls of vehicles
            by themselves began.
        broken: is told of what ends the watch.
    """

    def __init__(
        self,
        roster: Registry,
        care: FailurePolicy,
        poller: Poller,
        *,
        counts: Counts,
        is_full: Callable[[], bool],
        planned: Callable[[CapacityPlan], None],
        broken: Callable[[Exception], None],
    ) -> None:
        self.running: int = 0
        self.paused = False
        self.stopped = False
        self._roster = roster
        self._care = care
        self._poller = poller
        self._counts = counts
        self._is_full = is_full
        self._planned = planned
        self._broken = broken
        self._urgent: deque[WatchedVehicle] = deque()
        self._urgent_running = 0
        self._probing = False
        self._wake = anyio.Event()
        self._ended = anyio.Event()

    # ------------------------------------------------------------------------------------------- when

    def wake(self) -> None:
        """Look again who is next: something changed."""
        self._wake.set()

    def urge(self, id_: str) -> bool:
        """Poll a vehicle now, from the share of interactive requests; gives whether it is watched."""
        watched_vehicle = self._roster.vehicles.get(id_)
        if watched_vehicle is None:
            return False
        if not watched_vehicle.is_urgent:
            watched_vehicle.is_urgent = True
            self._urgent.append(watched_vehicle)
            self.wake()
        return True

    async def work(self, tasks: TaskGroup) -> None:
        """Start polls as they come due, until it is stopped."""
        while not self.stopped:
            self._wake = anyio.Event()
            wait = self._start_next(tasks)
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._wake.wait()
            else:
                await anyio.lowlevel.checkpoint()

    async def rest(self) -> None:
        """Wait until no poll is under way."""
        while self.running or self._urgent_running:
            self._ended = anyio.Event()
            await self._ended.wait()

    def _start_next(self, tasks: TaskGroup) -> float:
        """Start whoever is next, and give 0; else the seconds until there may be somebody."""
        now = anyio.current_time()
        if self._start_urgent(tasks, now):
            return 0.0
        claim = self._claim(tasks, now)
        if not isinstance(claim, _DispatchedPoll):
            return claim
        tasks.start_soon(self._take_turns, tasks, claim)
        return 0.0

    def _claim(self, tasks: TaskGroup, now: float) -> _DispatchedPoll | float:
        """Give whoever is next, no longer to be found by others; else the seconds until there may be somebody."""
        roster = self._roster
        if self.paused or self._probing or self.running >= roster.orders.concurrency or self._is_full():
            return math.inf
        first = roster.agenda.first()
        if first is None:
            return math.inf
        wait = max(first.due, self._care.health.probe_at) - now
        if wait <= 0:
            wait = roster.wait(first.key, now)
            if wait > 0 and roster.is_spent and self._care.health.since is None:
                tasks.start_soon(self._care.spent)
        if wait > 0:
            return wait
        roster.agenda.drop(first.key)
        self._counts.record_delay(now - first.due)
        self._probing = probing = self._care.health.since is not None
        self.running += 1
        first.key.is_busy = True
        return _DispatchedPoll(first.key, first.due, probing)

    def _start_urgent(self, tasks: TaskGroup, now: float) -> bool:
        for _ in range(len(self._urgent) if self._urgent_running < _URGENT else 0):
            watched_vehicle = self._urgent.popleft()
            if watched_vehicle.is_busy:
                self._urgent.append(watched_vehicle)  # it is being polled: once more after that
                continue
            watched_vehicle.is_urgent = False
            if self._roster.watches(watched_vehicle):
                self._roster.agenda.drop(watched_vehicle)
                watched_vehicle.is_busy = True
                self._urgent_running += 1
                tasks.start_soon(self._take_urgent_turn, watched_vehicle, now)
                return True
        return False

    # ------------------------------------------------------------------------------------------- turns

    async def _take_turns(self, tasks: TaskGroup, claim: _DispatchedPoll) -> None:
        """Take a turn, and go on with the next as long as somebody is due: a task for each costs a tenth more."""
        following: _DispatchedPoll | float = claim
        try:
            while isinstance(following, _DispatchedPoll):
                now = await self._take_turn(following)
                following = math.inf if self.stopped else self._claim(tasks, now)
                if self._urgent or self.running < self._roster.orders.concurrency:
                    self.wake()  # for there is room, or somebody who waited for this one
        except Exception as error:  # noqa: BLE001 - the consumer gets it, as it is
            self._broken(error)
            self.wake()

    async def _take_turn(self, claim: _DispatchedPoll) -> float:
        turn = claim.turn
        try:
            if isinstance(turn, WatchedAccount):
                return await self._list(turn)
            now = await self._poll(turn, turn.vehicle, claim.due)
            self._roster.learn(turn, now)
            if self._roster.has_grown:  # of accounts their listings tell
                self._replan()
            return now
        finally:
            turn.is_busy = False
            self.running -= 1
            if claim.probing:
                self._probing = False
            self._ended.set()

    async def _take_urgent_turn(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        account = watched_vehicle.account.account
        try:
            vehicle = (
                watched_vehicle.vehicle.with_options(priority="interactive")
                if account is None
                else rebind(account, watched_vehicle.vehicle)
            )
            await self._poll(watched_vehicle, vehicle, now, urgent=True)
        except Exception as error:  # noqa: BLE001 - the consumer gets it, as it is
            self._broken(error)
        finally:
            watched_vehicle.is_busy = False
            self._urgent_running -= 1
            self._ended.set()
            self.wake()

    async def _poll(
        self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, due: float, *, urgent: bool = False
    ) -> float:
        """Ask for everything that is wanted of a vehicle, and give the instant at which that was done."""
        self._counts.polls += 1
        watched_vehicle.requests = 0
        watched_account = watched_vehicle.account
        for what in self._roster.orders.what:
            now = anyio.current_time()
            if not (urgent or watched_vehicle.should_poll(what, now)):
                continue
            try:
                found = await self._poller.ask(watched_vehicle, vehicle, what, now=now)
            except CheckpointError:
                raise
            except StellantisError as error:
                if await self._care.failed(watched_vehicle, what, error, by=watched_account):
                    continue
                now = anyio.current_time()
                if self._roster.watches(watched_vehicle) and watched_vehicle.account.lost_at is None:
                    self._roster.agenda.put(watched_vehicle, now)
                return now
            await self._care.answered(watched_vehicle, what, found=found)
        now = anyio.current_time()
        if self._roster.watches(watched_vehicle) and (
            watched_vehicle.account.lost_at is None or watched_vehicle not in self._roster.agenda
        ):
            self._roster.reenter(watched_vehicle, due, now)
        return now

    async def _list(self, watched_account: WatchedAccount) -> float:
        """Look which vehicles an account has by now, and give the instant at which that was done."""
        assert watched_account.background is not None  # noqa: S101 - only accounts are listed
        self._counts.polls += 1
        self._counts.requests += int(LISTING_COST)
        found: dict[str, Vehicle] = {}
        try:
            if watched_account.lost_at is not None:  # perhaps by what its entry said
                await watched_account.background.reread()
            async for vehicle in watched_account.background.vehicles():
                id_ = id_of(vehicle)
                if id_ is not None:
                    found[id_] = rebind(watched_account.background, vehicle)
        except StellantisError as error:
            watched_account.is_listed = True
            await self._care.not_listed(watched_account, error)
        else:
            watched_account.is_listed = True
            if self._roster.watches(watched_account):
                self._roster.listed(watched_account, found, anyio.current_time())
                await self._care.listed(watched_account)
        self._replan()
        return anyio.current_time()

    def _replan(self) -> None:
        self._roster.has_grown = False
        plan = self._roster.plan()
        if plan is not None:
            self._planned(plan)
