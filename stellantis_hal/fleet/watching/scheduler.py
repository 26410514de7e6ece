"""Scheduler of polls: a dispatching task and a bounded number of polling tasks."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from stellantis_hal.errors import LeaseLostError, StellantisError
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.failure_scopes import is_fatal
from stellantis_hal.fleet.resume_state import ResumeStateStore
from stellantis_hal.fleet.targets import PollTarget, WatchedAccount, WatchedVehicle, account_of, id_of, rebind
from stellantis_hal.fleet.watching.bulkhead import Bulkhead
from stellantis_hal.fleet.watching.failure_policy import FailurePolicy
from stellantis_hal.fleet.watching.options import WatchOptions
from stellantis_hal.fleet.watching.pacing import LISTING_COST
from stellantis_hal.fleet.watching.pacing_budget import CapacityPlan
from stellantis_hal.fleet.watching.poller import Poller
from stellantis_hal.fleet.watching.push_feed import RARER
from stellantis_hal.fleet.watching.registry import Registry
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["PollScheduler"]

_URGENT_CONCURRENCY = 8
_MOST_PUSHED = 16
"""Statuses of a vehicle that wait to be reported; older ones are left out, as polls leave out what was in between."""
_RENEWAL_WAIT = 15.0
"""Seconds after which a target that waits for the end of a renewal is looked at again at the latest."""
_PROBE_WAIT = 15.0
"""Seconds that a probe of a kind of data, or a listing, may wait for the limiter where the API limits it."""
_LOOK_AGAIN = 1.0
"""Seconds after which it is looked at again whether polls in progress wait for a renewal."""


class DispatchedPoll(NamedTuple):
    """A poll that was taken from the due queue.

    Attributes:
        target: the vehicle or account.
        account: the account that polls it.
        due: instant at which it was due.
        is_probe: whether it probes for the end of an outage.
    """

    target: PollTarget
    account: WatchedAccount
    due: float
    is_probe: bool


class PollScheduler:
    """Dispatches polls as they come due.

    Args:
        registry: the watched accounts and vehicles.
        options: options of the watch.
        failure_policy: decides what follows from failures and successes.
        poller: reads one kind of data and offers what is new.
        counts: counters of the watch.
        is_full: returns whether the buffer is full.
        on_plan: called with the capacity plan after each listing, and after the first poll of a standalone vehicle.
        on_error: called with an error that ends the watch.
        on_end: called after each poll.
        records: records of when vehicles were polled.

    Attributes:
        running: number of polls in progress, urgent ones not included.
        is_paused: whether only urgent polls are dispatched.
        is_stopped: whether no more polls are dispatched.
    """

    def __init__(
        self,
        registry: Registry,
        options: WatchOptions,
        failure_policy: FailurePolicy,
        poller: Poller,
        *,
        counts: Counts,
        is_full: Callable[[], bool],
        on_plan: Callable[[CapacityPlan], None],
        on_error: Callable[[Exception], None],
        on_end: Callable[[], None],
        records: ResumeStateStore,
    ) -> None:
        self.running: int = 0
        self.is_paused = False
        self.is_stopped = False
        self._registry = registry
        self._pacing = registry.pacing
        self._options = options
        self._failure_policy = failure_policy
        self._poller = poller
        self._counts = counts
        self._is_full = is_full
        self._on_plan = on_plan
        self._on_error = on_error
        self._on_end = on_end
        self._records = records
        self._active: dict[PollTarget, WatchedAccount] = {}
        self._urgent: deque[WatchedVehicle] = deque()
        self._urgent_running = 0
        self._bulkhead = Bulkhead(options.concurrency)
        self._urgent_bulkhead = Bulkhead(_URGENT_CONCURRENCY)
        self._is_probing = False
        self._woken = anyio.Event()
        self._poll_ended = anyio.Event()

    # ------------------------------------------------------------------------------------------- dispatching

    def wake(self) -> None:
        """Look for due polls again."""
        self._woken.set()

    def poll_now(self, id_: str) -> bool:
        """Poll a vehicle at once, with interactive priority; return whether it is watched."""
        watched_vehicle = self._registry.vehicles.get(id_)
        if watched_vehicle is None:
            return False
        self.offer(watched_vehicle, None)
        return True

    def offer(self, watched_vehicle: WatchedVehicle, status: Status | None) -> None:
        """Report a status of a vehicle that was received; without one, poll it at once."""
        if status is None:
            watched_vehicle.must_poll = True
        else:
            watched_vehicle.pushed = [*watched_vehicle.pushed, status][-_MOST_PUSHED:]
        if not watched_vehicle.is_urgent:
            watched_vehicle.is_urgent = True
            self._urgent.append(watched_vehicle)
            self.wake()

    async def run(self, tasks: TaskGroup) -> None:
        """Dispatch polls as they come due, until stopped."""
        while not self.is_stopped:
            self._woken = anyio.Event()
            wait = self._dispatch_next(tasks)
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._woken.wait()
            else:
                await anyio.lowlevel.checkpoint()

    async def wait_idle(self) -> None:
        """Wait until no poll is in progress."""
        while self.running or self._urgent_running:
            self._poll_ended = anyio.Event()
            await self._poll_ended.wait()

    def is_polling(self, key: str) -> bool:
        """Return whether a poll of an account (its key) or of a vehicle (its id) is in progress."""
        return any(
            account.key == key or (isinstance(target, WatchedVehicle) and target.id == key)
            for target, account in self._active.items()
        )

    def _dispatch_next(self, tasks: TaskGroup) -> float:
        """Start the next poll and return 0; where none may start, return the seconds until one may."""
        now = anyio.current_time()
        if self._dispatch_urgent(tasks, now):
            return 0.0
        poll = self._take_due(tasks, now)
        if not isinstance(poll, DispatchedPoll):
            return min(poll, _LOOK_AGAIN) if self._urgent else poll
        tasks.start_soon(self._run_polls, tasks, poll)
        return 0.0

    def _take_due(self, tasks: TaskGroup, now: float) -> DispatchedPoll | float:
        """Take the next poll from the due queue; where none may start, return the seconds until one may."""
        if self.is_paused or self._is_probing or self._is_full():
            return math.inf
        if not self._bulkhead.has_place():
            return _LOOK_AGAIN
        queue, detector = self._pacing.queue, self._failure_policy.outage_detector
        first = queue.first()
        if first is None:
            return math.inf
        wait = max(first.due, detector.probe_at) - now
        if wait <= 0:
            held_until = self._failure_policy.held_until(first.key, now)
            if held_until is not None:
                queue.put(first.key, held_until)
                return 0.0  # the next one may be due
            wait = self._pacing.acquire(first.key, now)
            if wait > 0 and self._pacing.is_exhausted and detector.since is None:
                tasks.start_soon(self._failure_policy.budget_exhausted)
        if wait > 0:
            return wait
        queue.drop(first.key)
        self._failure_policy.begin_poll(first.key)
        self._counts.record_delay(now - first.due)
        self._is_probing = is_probe = detector.since is not None
        self.running += 1
        first.key.is_busy = True
        account = self._active[first.key] = account_of(first.key)
        self._bulkhead.enter(account)
        return DispatchedPoll(first.key, account, first.due, is_probe)

    def _dispatch_urgent(self, tasks: TaskGroup, now: float) -> bool:
        for _ in range(len(self._urgent) if self._urgent_bulkhead.has_place() else 0):
            watched_vehicle = self._urgent.popleft()
            if watched_vehicle.is_busy or self._urgent_bulkhead.is_held(watched_vehicle.account):
                self._urgent.append(watched_vehicle)  # polled after the poll, or the renewal, in progress
                continue
            watched_vehicle.is_urgent = False
            if self._registry.is_watched(watched_vehicle):
                due = self._pacing.queue.due_of(watched_vehicle)
                self._pacing.queue.drop(watched_vehicle)
                watched_vehicle.is_busy = True
                self._active[watched_vehicle] = watched_vehicle.account
                self._urgent_running += 1
                self._urgent_bulkhead.enter(watched_vehicle.account)
                tasks.start_soon(self._run_urgent_poll, watched_vehicle, now, due)
                return True
        return False

    # ------------------------------------------------------------------------------------------- polls

    async def _run_polls(self, tasks: TaskGroup, first: DispatchedPoll) -> None:
        """Run a poll, then others as long as any is due: a task for each would cost a tenth more."""
        poll: DispatchedPoll | float = first
        try:
            while isinstance(poll, DispatchedPoll):
                now = await self._run_poll(poll)
                poll = math.inf if self.is_stopped else self._take_due(tasks, now)
                if self._urgent or self._bulkhead.has_place():
                    self.wake()  # a place is free, or an urgent poll waited for this one
        except Exception as error:  # noqa: BLE001 - raised to the consumer unchanged
            self._on_error(error)
            self.wake()

    async def _run_poll(self, poll: DispatchedPoll) -> float:
        target, account = poll.target, poll.account
        try:
            if await self._failure_policy.must_wait(account):
                return self._put_back(target, 0.0)
            if not await self._admit(target, account):
                return self._put_back(target, _RENEWAL_WAIT)
            if isinstance(target, WatchedAccount):
                now = await self._list_vehicles(target)
                await self._failure_policy.poll_ended(account)
                return now
            now = await self._poll_vehicle(target, target.vehicle, poll.due)
            self._pacing.record_cost(target, now)
            await self._failure_policy.poll_ended(account)
            if self._pacing.is_plan_outdated:
                self._update_plan()
            return now
        finally:
            target.is_busy = False
            self._active.pop(target, None)
            self.running -= 1
            self._release(self._bulkhead.leave(target, account))
            if poll.is_probe:
                self._is_probing = False
            self._poll_ended.set()
            self._on_end()

    async def _admit(self, target: PollTarget, account: WatchedAccount) -> bool:
        """Return whether a poll may go on, maybe after a renewal; one that probes an identity server always may."""
        if account.identity_outage is not None:
            return True
        try:
            return await self._bulkhead.admit(target, account)
        except StellantisError:
            return True  # the poll raises it too

    def _put_back(self, target: PollTarget, wait: float) -> float:
        """Put a target back into the due queue that was not polled, and return the present instant."""
        now = anyio.current_time()
        self._pacing.refund(target, now)
        if self._registry.is_watched(target):
            self._pacing.queue.put(target, now + wait)
        return now

    def _release(self, targets: Iterable[PollTarget]) -> None:
        """Poll at once what waited for a renewal."""
        now = anyio.current_time()
        for target in targets:
            if target in self._pacing.queue:
                self._pacing.queue.put(target, now)
                self.wake()

    async def _run_urgent_poll(self, watched_vehicle: WatchedVehicle, now: float, due: float | None) -> None:
        polled_by, vehicle = watched_vehicle.account, watched_vehicle.vehicle
        account = polled_by.account
        try:
            await self._report_pushed(watched_vehicle)
            if not watched_vehicle.must_poll:
                if due is not None and self._registry.is_watched(watched_vehicle):
                    self._pacing.queue.put(watched_vehicle, due)
                return
            watched_vehicle.must_poll = False
            vehicle = vehicle.with_options(priority="interactive") if account is None else rebind(account, vehicle)
            await self._poll_vehicle(watched_vehicle, vehicle, now, urgent=True)
            await self._failure_policy.poll_ended(polled_by)
        except Exception as error:  # noqa: BLE001 - raised to the consumer unchanged
            self._on_error(error)
        finally:
            watched_vehicle.is_busy = False
            self._active.pop(watched_vehicle, None)
            self._urgent_running -= 1
            self._urgent_bulkhead.leave(watched_vehicle, polled_by)
            self._poll_ended.set()
            self._on_end()
            self.wake()

    async def _report_pushed(self, watched_vehicle: WatchedVehicle) -> None:
        """Report the statuses of notifications; where that fails, poll the vehicle, which reports the failure."""
        pushed, watched_vehicle.pushed = watched_vehicle.pushed, []
        try:
            for status in pushed:
                await self._poller.push(watched_vehicle, status)
        except StellantisError as error:
            if is_fatal(error):
                raise
            watched_vehicle.must_poll = True

    def _is_fed(self, watched_vehicle: WatchedVehicle, what: str, now: float) -> bool:
        """Return whether notifications stand for a poll; trips are polled all the same."""
        has_failed = watched_vehicle.failures is not None and what in watched_vehicle.failures
        if what == "trips" or watched_vehicle.fed_until <= now or has_failed:
            return False
        rarer = RARER * self._pacing.interval(watched_vehicle)
        return now - watched_vehicle.snapshots_at < 0.99 * rarer  # polls start early or late by a little

    def _must_read(self, watched_vehicle: WatchedVehicle, what: str, now: float) -> bool:
        """Return whether a regular poll, or a retry, reads a kind of data."""
        policy = self._failure_policy
        if policy.decides(watched_vehicle, what):
            return True
        if not watched_vehicle.should_poll(what, now) or self._is_fed(watched_vehicle, what, now):
            return False
        return policy.kind_outages.may_read(watched_vehicle, what, now)

    async def _poll_vehicle(
        self, watched_vehicle: WatchedVehicle, vehicle: Vehicle, due: float, *, urgent: bool = False
    ) -> float:
        """Poll all kinds of data of a vehicle, schedule its next poll, and return the instant of the end."""
        self._counts.polls += 1
        watched_vehicle.requests = 0
        account = watched_vehicle.account
        queue = self._pacing.queue
        read_at = watched_vehicle.snapshots_at
        for what in self._failure_policy.outage_detector.in_turn(self._options.what):
            now = anyio.current_time()
            if not (urgent or self._must_read(watched_vehicle, what, now)):
                continue
            if what != "trips":
                read_at = now
            is_refused = self._failure_policy.kind_outages.is_refused(what)
            # A 429 is waited for, before all other requests: that of a probe would stop them.
            seen = vehicle.with_options(max_wait=_PROBE_WAIT) if is_refused else vehicle
            try:
                found = await self._poller.poll(watched_vehicle, seen, what, now=now)
            except LeaseLostError:
                break  # the source says so too, and removes it
            except StellantisError as error:
                if is_fatal(error):
                    raise
                if await self._failure_policy.poll_failed(watched_vehicle, what, error, account=account):
                    continue
                now = anyio.current_time()
                must_retry = watched_vehicle.account.lost_at is None or watched_vehicle.account.is_standalone
                if must_retry and self._registry.is_watched(watched_vehicle) and watched_vehicle not in queue:
                    queue.put(watched_vehicle, now)
                return now
            await self._failure_policy.poll_succeeded(watched_vehicle, what, found=found)
        now = anyio.current_time()
        watched_vehicle.snapshots_at = read_at
        self._records.polled(watched_vehicle, now)
        is_unscheduled = watched_vehicle.account.lost_at is None or watched_vehicle not in queue
        if is_unscheduled and self._registry.is_watched(watched_vehicle):
            self._pacing.schedule_next(watched_vehicle, due, now)
        return now

    async def _list_vehicles(self, account: WatchedAccount) -> float:
        """List an account's vehicles, and return the instant of the end."""
        assert account.background is not None  # noqa: S101 - only accounts are listed
        self._counts.polls += 1
        self._counts.requests += int(LISTING_COST)
        found: dict[str, Vehicle] = {}
        is_partial = False
        try:
            if account.lost_at is not None:  # its entry point may have been the cause
                await account.background.reread()
            is_refused = self._failure_policy.are_listings_refused
            lister = account.background.with_options(max_wait=_PROBE_WAIT) if is_refused else account.background
            async for vehicle in lister.vehicles():
                self._pacing.server_clock.observe(vehicle.resource)
                id_ = id_of(vehicle)
                if id_ is None:
                    is_partial = True
                else:
                    found[id_] = rebind(account.background, vehicle)
        except StellantisError as error:
            if is_fatal(error):
                raise
            account.is_listed = True
            if self._failure_policy.is_empty(account, error):
                await self._process_listing(account, {}, is_partial=False)
            else:
                await self._failure_policy.listing_failed(account, error)
        else:
            account.is_listed = True
            await self._process_listing(account, found, is_partial=is_partial)
        self._update_plan()
        return anyio.current_time()

    async def _process_listing(
        self, account: WatchedAccount, found: Mapping[str, Vehicle], *, is_partial: bool
    ) -> None:
        if self._registry.is_watched(account):
            try:
                new = [id_ for id_ in found if id_ not in self._registry.vehicles]
                records = await self._records.load_vehicles(account.store, new)
            except LeaseLostError:  # the source says so too, and removes it
                self._pacing.queue.put(account, anyio.current_time() + _RENEWAL_WAIT)
                return
            self._registry.vehicle_records.update(records)
        if self._registry.is_watched(account):
            empty_since = account.empty_since
            account.partial_listings = account.partial_listings + 1 if is_partial else 0
            gone = self._registry.update_vehicles(account, found, anyio.current_time())
            if found:
                self._records.listed(account, found, anyio.current_time())
            await self._failure_policy.listing_succeeded(account, empty_since=empty_since)
            await self._failure_policy.vehicles_removed(account, gone)

    def _update_plan(self) -> None:
        self._pacing.is_plan_outdated = False
        plan = self._pacing.plan()
        if plan is not None:
            self._on_plan(plan)
