"""Request budget of a watch: what the limiter leaves to it, and the pace that keeps within it."""

from __future__ import annotations

import math
from collections import deque
from datetime import timedelta

import attrs

from stellantis_hal.transport.rate_limit.protocol import RateLimiter, RateLimits

__all__ = ["Budget", "CapacityPlan", "Pacer", "budget_of"]

DAY = 86_400.0
_SLICES = 96
_FEEDBACK = 1_800.0


@attrs.frozen(kw_only=True)
class Budget:
    """What a watch may spend: its share of both windows of the subscription.

    Attributes:
        per_second: requests within any second; ``inf`` for no such window.
        per_day: requests within any 24 hours; ``inf`` likewise.
        free_today: what is left of those now, whoever spent the rest.
    """

    per_second: float = math.inf
    per_day: float = math.inf
    free_today: float = math.inf

    @property
    def burst(self) -> float:
        """Requests of the day that may be spent at once after a pause: a quarter of an hour's worth."""
        return max(1.0, self.per_day / _SLICES)

    @property
    def pace(self) -> float:
        """Requests per second that last for the whole day.

        With a burst on top they never exceed the day's window, wherever it begins. Where others spend from it too,
        the pace goes down with what is left, instead of stopping short when nothing is.
        """
        if self.per_day == math.inf:
            return self.per_second
        even = max(0.0, self.per_day - self.burst) / DAY
        return min(self.per_second, even, max(0.0, self.free_today) / _FEEDBACK)

    @property
    def daily(self) -> float:
        """Requests that can be made in a day, both windows considered."""
        return min(self.per_day, self.per_second * DAY)


class Pacer:
    """When the next poll may start, so that any second and any 24 hours hold no more requests than the budget.

    The second is a log of what was started within it. The day is a bucket that fills at the budget's pace, so that the
    day's requests are spread over the day.
    """

    __slots__ = ("_at", "_budget", "_burst", "_pace", "_recent", "_spent", "_tokens")

    def __init__(self, budget: Budget, now: float) -> None:
        self._budget = budget
        self._burst, self._pace = budget.burst, budget.pace
        self._at = now
        self._tokens = self._burst
        self._recent: deque[tuple[float, float]] = deque()
        self._spent = 0.0

    @property
    def budget(self) -> Budget:
        """What it was made for, or told last."""
        return self._budget

    def adjust(self, budget: Budget, now: float) -> None:
        """Go on with another budget: limits that headers corrected, what is left by now."""
        self._settle(now)
        self._budget = budget
        self._burst, self._pace = budget.burst, budget.pace
        self._tokens = min(self._tokens, self._burst)

    def _settle(self, now: float) -> None:
        if now > self._at:
            if self._budget.per_day < math.inf:
                self._tokens = min(self._burst, self._tokens + (now - self._at) * self._pace)
            self._at = now
        while self._recent and self._recent[0][0] <= now - 1.0:
            self._spent -= self._recent.popleft()[1]

    def settle(self, now: float, extra: float) -> None:
        """Note that a poll cost so many requests more (or less) than was thought when it started."""
        self._settle(now)
        if self._budget.per_day < math.inf:
            self._tokens = min(self._burst, self._tokens - extra)

    def wait(self, now: float, cost: float = 1.0) -> float:
        """Tell for how many seconds a poll of so many requests has to wait; 0 where it may start now.

        A poll that costs more than fits at once starts on a full bucket, an empty second, and is paid off after.
        """
        self._settle(now)
        until = now
        if self._budget.per_day < math.inf:
            lacking = min(cost, self._burst) - self._tokens
            if lacking > 1e-9:
                until = now + lacking / self._pace if self._pace > 0 else math.inf
        room = self._budget.per_second - min(cost, self._budget.per_second)
        spent = self._spent
        for at, spending in self._recent:
            if spent <= room + 1e-9:
                break
            spent -= spending
            until = max(until, at + 1.0)
        return until - now

    def spend(self, now: float, cost: float = 1.0) -> None:
        """Note that a poll of so many requests starts."""
        self._settle(now)
        if self._budget.per_day < math.inf:
            self._tokens -= cost
        if self._budget.per_second < math.inf:
            self._recent.append((now, cost))
            self._spent += cost


@attrs.frozen(kw_only=True)
class CapacityPlan:
    """Whether an interval fits a budget.

    Attributes:
        vehicles: how many there are.
        cost: requests that a poll of one costs.
        every: seconds between two polls of a vehicle, as asked for; 0 for as fast as allowed.
        budget: requests that may be made in a day.
    """

    vehicles: int
    cost: float
    every: float
    budget: float

    @property
    def needed(self) -> float:
        """Requests in a day that the interval asks for."""
        return self.vehicles * self.cost * DAY / self.every if self.every > 0 else 0.0

    @property
    def fits(self) -> bool:
        """Whether the budget suffices."""
        return self.needed <= self.budget * (1 + 1e-9)  # a rounding error is no reason to warn

    @property
    def fitting(self) -> timedelta:
        """The shortest interval that the budget allows, in whole seconds."""
        if self.budget <= 0:
            return timedelta.max
        return timedelta(seconds=math.ceil(self.vehicles * self.cost * DAY / self.budget))

    def __str__(self) -> str:
        return (
            f"{self.vehicles} vehicles at {self.cost:.3g} requests each, every {timedelta(seconds=self.every)}, need "
            f"{self.needed:.0f} requests a day, and {self.budget:.0f} may be spent: every {self.fitting} would fit, "
            f"timedelta(seconds={math.ceil(self.fitting.total_seconds())})"
        )


def budget_of(limiter: RateLimiter, spend: RateLimits | None) -> Budget:
    """Return what background requests may spend.

    Args:
        limiter: what the requests pass; it takes off what is reserved for interactive ones.
        spend: what the watch may spend at most, where that was said.
    """
    capacity = limiter.capacity("background")
    per_second, per_day = capacity.per_second, capacity.per_day
    if spend is not None:
        per_second = min(per_second, math.inf if spend.per_second is None else spend.per_second)
        per_day = min(per_day, math.inf if spend.per_day is None else spend.per_day)
    return Budget(per_second=per_second, per_day=per_day, free_today=capacity.free_today)
