"""Who is polled next, and how fast: arithmetic on instants, intervals and quotas.

Knows numbers: instants of some clock in seconds, requests, limits. Must not wait, send anything or read a clock.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time, timedelta
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

import attrs

__all__ = [
    "Budget",
    "CapacityPlan",
    "DueEntry",
    "DueQueue",
    "Pacer",
    "fraction_of",
    "next_due",
    "next_polls",
    "quiet",
]

DAY = 86_400.0
_SLICES = 96
_FEEDBACK = 1_800.0
_LEAST_INTERVAL = 0.001

K = TypeVar("K")


# ----------------------------------------------------------------------------------------------- budget


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


# ----------------------------------------------------------------------------------------------- turns


class DueEntry(NamedTuple, Generic[K]):
    """When somebody is due."""

    due: float
    key: K


def next_polls(entries: Iterable[DueEntry[K]], now: float) -> list[K]:
    """Say who is to be polled, the most overdue first. This is the whole rule; :class:`DueQueue` is it, made quick.

    Whoever waits keeps the instant at which it was due, whoever is polled gets a later one; so everybody's turn comes,
    however little there is to go round.

    Args:
        entries: everybody, with the instant at which each is due.
        now: the present instant.
    """
    return [entry.key for entry in sorted(entries, key=lambda entry: entry.due) if entry.due <= now]


class DueQueue(Generic[K]):
    """Everybody with the instant at which each is due; the first to be had in logarithmic time."""

    __slots__ = ("_due", "_heap", "_number")

    def __init__(self) -> None:
        self._due: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def put(self, key: K, due: float) -> None:
        """Enter somebody, or change when it is due."""
        self._number += 1
        self._due[key] = (due, self._number)
        heapq.heappush(self._heap, (due, self._number, key))
        if len(self._heap) > 64 + 2 * len(self._due):
            self._heap = [(due, number, key) for key, (due, number) in self._due.items()]
            heapq.heapify(self._heap)

    def drop(self, key: K) -> None:
        """Take somebody out, if it is there."""
        self._due.pop(key, None)

    def first(self) -> DueEntry[K] | None:
        """Give the one that is due first; None where there is nobody."""
        while self._heap:
            due, number, key = self._heap[0]
            if self._due.get(key) == (due, number):
                return DueEntry(due, key)
            heapq.heappop(self._heap)
        return None

    def take(self) -> DueEntry[K] | None:
        """Take out the one that is due first."""
        entry = self.first()
        if entry is not None:
            heapq.heappop(self._heap)
            del self._due[entry.key]
        return entry

    def overdue(self, now: float) -> tuple[int, float]:
        """Count those whose time has come, and tell by how many seconds the first of them is late."""
        late = [now - due for due, _ in self._due.values() if due <= now]
        return len(late), max(late, default=0.0)


def next_due(due: float, now: float, interval: float) -> float:
    """Tell when somebody who was due and has been polled is due again.

    The rhythm stays where it can be kept, so that those who started apart stay apart. Where more than an interval was
    missed it begins anew: nobody is polled twice to make up for it.
    """
    interval = max(interval, _LEAST_INTERVAL)
    return due + interval if due + interval > now else now + interval


def fraction_of(key: str, seed: str = "") -> float:
    """Give a number from 0 to 1 that is always the same for a key: where in the interval its turns lie.

    So neither a start nor a restart polls everybody at once.
    """
    return int.from_bytes(blake2b(f"{seed}/{key}".encode(), digest_size=6).digest(), "big") / 2**48


def quiet(since: time, until: time, *, factor: float = 4.0) -> Callable[[datetime], float]:
    """Make a rhythm of the day: between two times of day, in UTC, intervals are so many times longer.

    Raises:
        ValueError: the factor is not more than 0, or not finite; or a time of day has a zone of its own.
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"the factor has to be more than 0, and finite, not {factor}")
    if since.tzinfo is not None or until.tzinfo is not None:
        raise ValueError("times of day are in UTC, and so without a zone")

    def rhythm(moment: datetime) -> float:
        at = moment.astimezone(UTC).time()
        inside = since <= at < until if since <= until else at >= since or at < until
        return factor if inside else 1.0

    return rhythm
