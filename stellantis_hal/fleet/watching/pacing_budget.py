"""Request budget of a watch: what the limiter leaves to it, and the pace that keeps within it."""

from __future__ import annotations

import math
from collections import deque
from datetime import timedelta

import attrs

from stellantis_hal.transport.rate_limit.protocol import RateLimiter, RateLimits

__all__ = ["Budget", "CapacityPlan", "PollRateLimiter", "budget_of"]

_DAY = 86_400.0
_SLICES = 96
_CATCH_UP = 1_800.0


@attrs.frozen(kw_only=True)
class Budget:
    """Requests that a watch may make: its share of both windows of the rate limit.

    Attributes:
        per_second: requests within any second; ``inf``: unlimited.
        per_day: requests within any 24 hours; ``inf``: unlimited.
        free_today: requests of the day that are left now, those of other users of the limit subtracted.
    """

    per_second: float = math.inf
    per_day: float = math.inf
    free_today: float = math.inf

    @property
    def burst(self) -> float:
        """Requests that may be made at once after a pause: the day's share of 15 minutes, at least 1."""
        return max(1.0, self.per_day / _SLICES)

    @property
    def pace(self) -> float:
        """Requests per second that can be kept up for a whole day.

        Together with one burst they stay within any 24 hours. Where others use the limit too, the pace decreases with
        what is left of the day, instead of stopping when nothing is left.
        """
        if self.per_day == math.inf:
            return self.per_second
        even = max(0.0, self.per_day - self.burst) / _DAY
        return min(self.per_second, even, max(0.0, self.free_today) / _CATCH_UP)

    @property
    def daily(self) -> float:
        """Requests that can be made in a day within both windows."""
        return min(self.per_day, self.per_second * _DAY)


class PollRateLimiter:
    """Rate of polls within a budget: a sliding window for the second, a token bucket for the day.

    The bucket fills at the budget's pace, so that the day's requests are spread over the day.

    Args:
        budget: the budget.
        now: the present instant, in seconds of a monotonic clock.
    """

    __slots__ = ("_at", "_budget", "_burst", "_pace", "_recent", "_recent_cost", "_tokens")

    def __init__(self, budget: Budget, now: float) -> None:
        self._budget = budget
        self._burst, self._pace = budget.burst, budget.pace
        self._at = now
        self._tokens = self._burst
        self._recent: deque[tuple[float, float]] = deque()
        self._recent_cost = 0.0

    @property
    def budget(self) -> Budget:
        """The present budget."""
        return self._budget

    def level(self, now: float) -> float:
        """Return what is left of the burst: 1 for all of it, negative where more was spent."""
        self._advance(now)
        return self._tokens / self._burst

    def restore(self, level: float) -> None:
        """Begin with a part of the burst only."""
        self._tokens = self._burst * level

    def adjust(self, budget: Budget, now: float) -> None:
        """Use another budget from now on."""
        self._advance(now)
        self._budget = budget
        self._burst, self._pace = budget.burst, budget.pace
        self._tokens = min(self._tokens, self._burst)

    def _advance(self, now: float) -> None:
        if now > self._at:
            if self._budget.per_day < math.inf:
                self._tokens = min(self._burst, self._tokens + (now - self._at) * self._pace)
            self._at = now
        while self._recent and self._recent[0][0] <= now - 1.0:
            self._recent_cost -= self._recent.popleft()[1]

    def correct(self, now: float, extra: float) -> None:
        """Spend the requests by which a poll exceeded its estimate; negative where it needed fewer."""
        self._advance(now)
        if self._budget.per_day < math.inf:
            self._tokens = min(self._burst, self._tokens - extra)

    def wait(self, now: float, cost: float = 1.0) -> float:
        """Return the seconds until a poll of so many requests may start; 0: now.

        A poll above the limits starts with a full bucket and an empty second, and the next ones wait longer.
        """
        self._advance(now)
        start = now
        if self._budget.per_day < math.inf:
            missing = min(cost, self._burst) - self._tokens
            if missing > 1e-9:
                start = now + missing / self._pace if self._pace > 0 else math.inf
        room = self._budget.per_second - min(cost, self._budget.per_second)
        recent_cost = self._recent_cost
        for at, each in self._recent:
            if recent_cost <= room + 1e-9:
                break
            recent_cost -= each
            start = max(start, at + 1.0)
        return start - now

    def spend(self, now: float, cost: float = 1.0) -> None:
        """Spend the requests of a poll that starts now."""
        self._advance(now)
        if self._budget.per_day < math.inf:
            self._tokens -= cost
        if self._budget.per_second < math.inf:
            self._recent.append((now, cost))
            self._recent_cost += cost


@attrs.frozen(kw_only=True)
class CapacityPlan:
    """Whether an interval fits a budget.

    Attributes:
        vehicles: number of vehicles.
        cost: requests of one poll, on average.
        every: wanted seconds between two polls of a vehicle; 0: as fast as the budget allows.
        budget: requests that can be made in a day.
    """

    vehicles: int
    cost: float
    every: float
    budget: float

    @property
    def needed(self) -> float:
        """Requests per day at the wanted interval."""
        return self.vehicles * self.cost * _DAY / self.every if self.every > 0 else 0.0

    @property
    def fits(self) -> bool:
        """Whether the budget is sufficient."""
        return self.needed <= self.budget * (1 + 1e-9)  # a rounding error is no reason to warn

    @property
    def fitting(self) -> timedelta:
        """The shortest interval that fits the budget, in whole seconds."""
        if self.budget <= 0:
            return timedelta.max
        return timedelta(seconds=math.ceil(self.vehicles * self.cost * _DAY / self.budget))

    def __str__(self) -> str:
        return (
            f"polling {self.vehicles} vehicles every {timedelta(seconds=self.every)} at {self.cost:.3g} requests each "
            f"needs {self.needed:.0f} requests per day, and the budget is {self.budget:.0f}: the shortest interval "
            f"that fits is {self.fitting}, every=timedelta(seconds={math.ceil(self.fitting.total_seconds())})"
        )


def budget_of(limiter: RateLimiter, bound: RateLimits | None, share: float = 1.0) -> Budget:
    """Return what a limiter leaves to background requests.

    Args:
        limiter: the client's limiter; its reserve for interactive requests is taken off.
        bound: upper bound of the budget; None: no other bound.
        share: the part of it that this process may use, where several share a fleet.
    """
    capacity = limiter.capacity("background")
    per_second, per_day = capacity.per_second, capacity.per_day
    if bound is not None:
        per_second = min(per_second, math.inf if bound.per_second is None else bound.per_second)
        per_day = min(per_day, math.inf if bound.per_day is None else bound.per_day)
    return Budget(
        per_second=_part(per_second, share), per_day=_part(per_day, share), free_today=_part(capacity.free_today, share)
    )


def _part(requests: float, share: float) -> float:
    return requests if requests == math.inf else requests * share
