"""Helpers of the limiter's tests."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel

from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
from tests.transport.doubles import wall

__all__ = ["DAY", "assert_in_turn", "fail", "make_limiter", "spend", "started", "unset", "wait_and_leave"]

DAY = 86_400.0


def make_limiter(per_second: int | None = None, per_day: int | None = None, **options: Any) -> TokenBucketLimiter:
    return TokenBucketLimiter(RateLimits(per_second, per_day), clock=wall, **options)


def unset() -> datetime:
    """Return the epoch, as the clock of a machine without the time does."""
    return datetime(1970, 1, 1, tzinfo=UTC)


async def spend(
    limiter: RateLimiter,
    *,
    priority: Priority = "interactive",
    max_wait: float = 60.0,
    quota: ReportedQuota | None = None,
) -> float:
    """Send one request that is answered at once; return the time of sending."""
    async with limiter.slot(priority=priority, max_wait=max_wait) as slot:
        slot.sent()
        sent = anyio.current_time()
        slot.answered(quota)
    return sent


async def fail(limiter: RateLimiter, error: Exception) -> None:
    """Leave a slot by an error after sending."""
    async with limiter.slot() as slot:
        slot.sent()
        raise error


def assert_in_turn(times: dict[int, float]) -> None:
    """Assert that tasks were served in order of arrival, except within one exchange, which trio shuffles."""
    latest = 0.0
    for _, time in sorted(times.items()):
        assert time > latest - 0.5
        latest = max(latest, time)


async def started(group: anyio.abc.TaskGroup, act: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> None:
    """Start a task and let it run until it waits."""
    group.start_soon(act, *args)
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()


async def wait_and_leave(limiter: RateLimiter, times: int) -> None:
    """Wait for a token and be cancelled, this many times in a row."""
    for _ in range(times):
        async with anyio.create_task_group() as group:
            await started(group, spend, limiter)
            group.cancel_scope.cancel()
