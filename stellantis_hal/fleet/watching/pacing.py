"""Pacing of polls: when each account and vehicle is due, and how fast the budget allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime

import anyio

from stellantis_hal.fleet.failure_scopes import back_off
from stellantis_hal.fleet.server_clock import ServerClock
from stellantis_hal.fleet.targets import PollTarget, WatchedAccount, WatchedVehicle
from stellantis_hal.fleet.watching.due_queue import DueQueue
from stellantis_hal.fleet.watching.intervals import fraction_of, next_due
from stellantis_hal.fleet.watching.options import WatchOptions
from stellantis_hal.fleet.watching.pacing_budget import Budget, CapacityPlan, PollRateLimiter, budget_of
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.transport.rate_limit.protocol import RateLimiter

__all__ = ["LISTING_COST", "PollPlanner"]

LISTING_COST = 2.0
"""Requests for listing an account's vehicles: the entry point and the first page."""

_DAY = 86_400.0
_UNREACHABLE = 0.1
_COST_SMOOTHING = 0.02
_BUDGET_REFRESH = 30.0
_SAMPLE = 20
_UNBELIEVED_RETRY = 30.0
_EMPTY_RETRY = 15.0
_LONGEST_EMPTY_RETRY = 900.0


class PollPlanner:
    """Due times and budget of the watched accounts and vehicles.

    Args:
        options: options of the watch.
        accounts: the watched accounts by name; only read.
        vehicles: the watched vehicles by id; only read.
        clock: wall clock; None: the one set by :meth:`use_client`.
        share: returns the part of the budget that this process may use.

    Attributes:
        server_clock: that clock, checked against the server's.
    """

    def __init__(
        self,
        options: WatchOptions,
        accounts: Mapping[str, WatchedAccount],
        vehicles: Mapping[str, WatchedVehicle],
        clock: Callable[[], datetime] | None,
        share: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.queue: DueQueue[PollTarget] = DueQueue()
        self.is_plan_outdated: bool = False  # standalone vehicles were added since the last plan
        self._options = options
        self._accounts = accounts
        self._vehicles = vehicles
        self._clock = clock
        self.server_clock: ServerClock = ServerClock(self.wall_clock)
        self._limiter: RateLimiter | None = None
        self._cost = float(len(options.what))
        self._pacer: PollRateLimiter | None = None
        self._share = share
        self._restored: tuple[float, float] | None = None
        self._budget_read_at = -math.inf

    def use_client(self, limiter: RateLimiter | None, clock: Callable[[], datetime]) -> None:
        """Take the limiter and the clock of the client whose vehicles are watched."""
        self._limiter = limiter
        self._clock = self._clock or clock

    def wall_clock(self) -> datetime:
        """Return the present time by the wall clock."""
        return utc_now() if self._clock is None else self._clock()

    def age(self, at: float) -> float:
        """Return how many seconds ago a time in seconds since the epoch was; negative for one to come."""
        return self.wall_clock().timestamp() - at

    # ------------------------------------------------------------------------------------------- due times

    def schedule_first(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        """Schedule a vehicle's first poll.

        First polls are spread over the time that all of them take, at most over the interval, so that a start does not
        poll all vehicles at once. A single vehicle, added before anything was polled, is polled soon too.
        """
        every = spread = self._options.every
        if every > 0:
            pace = (self.budget() if self._pacer is None else self._pacer.budget).pace
            spread = min(every, self._expected_vehicles() * self._cost / pace if pace > 0 else math.inf)
            watched_vehicle.spread = spread / every
        self.queue.put(watched_vehicle, now + fraction_of(watched_vehicle.id) * spread)

    def schedule_restored(self, watched_vehicle: WatchedVehicle, polled_at: float, now: float) -> None:
        """Schedule a vehicle that another process polled last, as that one would have; an overdue one is polled soon.

        Where all are overdue by more than an interval, as after a long stop, the polls are spread as at a first start.
        """
        watched_vehicle.is_initialized = True
        due = polled_at + self.interval(watched_vehicle)
        if due < now - self.interval(watched_vehicle):
            self.schedule_first(watched_vehicle, now)
        else:
            watched_vehicle.spread = 1.0
            self.queue.put(watched_vehicle, min(due, now + self.interval(watched_vehicle)))

    def schedule_next(self, watched_vehicle: WatchedVehicle, due: float, now: float) -> None:
        """Schedule the next poll of a vehicle that was due and has been polled."""
        regular = watched_vehicle.regular_due
        if regular is None:
            interval = self.interval(watched_vehicle)
            spread = watched_vehicle.spread
            if spread < 1:  # vehicles that started close together are spread over the whole interval
                interval *= spread + (1 - spread) * fraction_of(watched_vehicle.id, "again")
                watched_vehicle.spread = 1.0
            regular = next_due(due, now, interval)
        failures = watched_vehicle.failures
        if failures is not None and len(failures) == len(self._options.what):
            regular = max(regular, min(state.retry_at for state in failures.values()))
        retry_at = watched_vehicle.retry_at
        watched_vehicle.regular_due = regular if retry_at < regular else None
        self.queue.put(watched_vehicle, min(retry_at, regular))

    def schedule_listing(self, account: WatchedAccount, now: float) -> float:
        """Schedule the next listing of an account's vehicles, and return the seconds until then.

        It is listed sooner where it has no vehicles (yet), or a listing without vehicles that it had was not believed,
        or a vehicle had neither id nor link.
        """
        relist = self._options.relist
        delay = relist * (0.75 + 0.5 * fraction_of(account.name))
        if account.empty_since is not None:
            delay = min(relist, back_off(account.empty_listings, _EMPTY_RETRY, _LONGEST_EMPTY_RETRY))
        elif account.empty_listings or account.short_listings:
            delay = min(relist, _UNBELIEVED_RETRY * 2 ** max(account.empty_listings, account.short_listings))
        elif account.partial_listings:
            delay = min(relist, back_off(2 * (account.partial_listings - 1), _EMPTY_RETRY, relist))
        self.queue.put(account, now + delay)
        return delay

    def relist_soon(self, account: WatchedAccount, now: float) -> None:
        """List an account's vehicles again soon: one of them lacks a link that it may get."""
        if not account.is_busy and account.lost_at is None and account.empty_since is None:
            self.queue.put(account, now + min(self._options.relist, _EMPTY_RETRY))

    def refund(self, target: PollTarget, now: float) -> None:
        """Add the requests of a poll that was not made to the budget again."""
        assert self._pacer is not None  # noqa: S101 - what waits for a renewal has a limiter, and acquired the poll
        self._pacer.correct(now, -(self._cost if isinstance(target, WatchedVehicle) else LISTING_COST))

    def interval(self, watched_vehicle: WatchedVehicle) -> float:
        """Return the seconds between two polls of a vehicle at present.

        Raises:
            ValueError: ``rhythm`` returned a number that is not positive and finite.
        """
        rhythm = 1.0 if self._options.rhythm is None else self._options.rhythm(self.wall_clock())
        if not 0 < rhythm < math.inf:
            raise ValueError(f"rhythm must return a finite number more than 0, such as 1.0, not {rhythm!r}")
        every = self._options.every if self._options.every > 0 else self._unreachable_interval()
        return every * watched_vehicle.interval_factor * rhythm / watched_vehicle.weight

    def _unreachable_interval(self) -> float:
        """Return an interval too short for the budget: there is always a vehicle due, and the budget sets the pace."""
        per_day = math.inf if self._pacer is None else self._pacer.budget.daily
        return _UNREACHABLE * len(self._vehicles) * self._cost * _DAY / max(per_day, 1.0)

    # ------------------------------------------------------------------------------------------- budget

    def acquire(self, target: PollTarget, now: float) -> float:
        """Spend the requests of a poll and return 0; where the budget delays it, return the seconds to wait."""
        if self._limiter is None:
            return 0.0
        if self._pacer is None or now - self._budget_read_at >= _BUDGET_REFRESH:
            self._budget_read_at = now
            if self._pacer is None:
                self._pacer = self._make_pacer(now)
            else:
                self._pacer.adjust(self.budget(), now)
        cost = self._cost if isinstance(target, WatchedVehicle) else LISTING_COST
        wait = self._pacer.wait(now, cost)
        if wait > 0:
            return min(wait, _BUDGET_REFRESH)
        self._pacer.spend(now, cost)
        return 0.0

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is left of the day's budget."""
        return self._pacer is not None and self._pacer.budget.free_today < 1

    def record_cost(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        """Correct the budget, and the average cost of a poll, by the requests that a poll needed.

        A vehicle's first poll may read a long history; it does not count for the average.
        """
        extra = watched_vehicle.requests - self._cost
        if extra:
            if self._pacer is not None:
                self._pacer.correct(now, extra)
            if watched_vehicle.is_initialized:
                self._cost += _COST_SMOOTHING * extra
        watched_vehicle.is_initialized = watched_vehicle.deep_scan_at > -math.inf or "trips" not in self._options.what

    def budget(self) -> Budget:
        """Return what the limiter leaves to the watch now."""
        if self._limiter is None:
            return Budget()
        return budget_of(self._limiter, self._options.budget, self._share())

    def level(self) -> float | None:
        """Return what is left of the burst, 1 for all of it; None while nothing was spent."""
        return None if self._pacer is None else self._pacer.level(anyio.current_time())

    def restore(self, level: float, at: float) -> None:
        """Go on with what another process left of the burst at a time in seconds since the epoch."""
        self._restored = level, at

    def use_clock(self, clock: Callable[[], datetime]) -> None:
        """Take the clock of the client whose vehicles will be watched."""
        self._clock = self._clock or clock

    def _make_pacer(self, now: float) -> PollRateLimiter:
        budget = self.budget()
        pacer = PollRateLimiter(budget, now)
        if self._restored is not None:
            level, at = self._restored
            pacer.restore(min(1.0, level + max(0.0, self.age(at)) * budget.pace / budget.burst))
        return pacer

    def plan(self) -> CapacityPlan | None:
        """Return whether the interval fits the budget, for the expected number of vehicles.

        None until all accounts were listed, or a sample of 20.
        """
        listed = sum(account.is_listed for account in self._accounts.values())
        if listed < min(len(self._accounts), _SAMPLE):
            return None
        return CapacityPlan(
            vehicles=self._expected_vehicles(),
            cost=self._cost,
            every=self._options.every,
            budget=self.budget().daily,
        )

    def _expected_vehicles(self) -> int:
        """Estimate the number of vehicles once every account was listed."""
        listed = sum(account.is_listed for account in self._accounts.values())
        return round(len(self._vehicles) * len(self._accounts) / max(1, listed))
