"""A limiter of another make, which shares no code with the package's."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import anyio

from stellantis_hal.errors import BudgetExhaustedError, LimiterSlotExpiredError
from stellantis_hal.transport.rate_limit.protocol import Capacity, LimiterStatistics, Priority, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota

__all__ = ["SpacingLimiter"]


class SpacingSlot:
    """A slot of :class:`SpacingLimiter`."""

    def __init__(self, limiter: "SpacingLimiter") -> None:
        self.limiter = limiter

    def sent(self) -> None:
        if self.limiter.stale > 0:
            self.limiter.stale -= 1
            raise LimiterSlotExpiredError
        self.limiter.granted += 1

    def answered(self, quota: ReportedQuota | None = None) -> None:
        self.limiter.quotas.append(quota)


class SpacingLimiter:
    """At most two requests at once, a fixed time apart; it must be entered."""

    def __init__(self, interval: float = 0.5, *, per_day: int = 50_000, stale: int = 0) -> None:
        self.interval = interval
        self.per_day = per_day
        self.stale = stale
        self.entered = False
        self.granted = self.refused = self.pauses = 0
        self.next_at = -math.inf
        self.quotas: list[ReportedQuota | None] = []
        self.reasons: list[str] = []
        self.priorities: set[Priority] = set()

    async def __aenter__(self) -> Self:
        self.semaphore = anyio.Semaphore(2)
        self.entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.entered = False

    @asynccontextmanager
    async def slot(
        self, *, priority: Priority = "interactive", max_wait: float = 60.0
    ) -> AsyncGenerator[SpacingSlot, None]:
        assert self.entered
        self.priorities.add(priority)
        async with self.semaphore:
            now = anyio.current_time()
            exchange = max(now, self.next_at)
            if exchange - now > max_wait:
                self.refused += 1
                raise BudgetExhaustedError("not in time", retry_after=exchange - now)
            self.next_at = exchange + self.interval
            await anyio.sleep(exchange - now)
            yield SpacingSlot(self)

    def pause(self, seconds: float, reason: str = "") -> None:
        self.pauses += 1
        self.reasons.append(reason)
        self.next_at = max(self.next_at, anyio.current_time() + seconds)

    @property
    def limits(self) -> RateLimits:
        return RateLimits(max(1, int(1 / self.interval)), self.per_day)

    def capacity(self, priority: Priority) -> Capacity:
        share = 0.5 if priority == "background" else 1.0
        return Capacity(
            per_second=share / self.interval, per_day=share * self.per_day, free_today=self.per_day - self.granted
        )

    @property
    def statistics(self) -> LimiterStatistics:
        return LimiterStatistics(
            granted=self.granted,
            given_back=0,
            refused=self.refused,
            waited=0,
            seconds_waited=0.0,
            waiting=0,
            in_flight=0,
            pauses=self.pauses,
            paused_for=0.0,
            free_this_second=None,
            free_today=self.per_day - self.granted,
            smallest_round_trip=None,
        )
