"""Waits for the limiter."""

import contextlib
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.errors import (
    BudgetExhaustedError,
    RateLimitedError,
)
from stellantis_hal.transport.hooks import Hooks, WaitRecord
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits, Slot
from tests.transport.doubles import OK, call, get, redirect_to, response_with, session, wall

pytestmark = pytest.mark.anyio


async def test_the_limiter_gets_the_headers_quota() -> None:
    limiter = TokenBucketLimiter(clock=wall)
    await call(response_with(200, X_RateLimit_Limit_1="50", X_RateLimit_Remaining_1="7"), limiter=limiter)
    assert limiter.statistics.free_today == 7


@pytest.mark.parametrize("limited", [True, False])
async def test_without_a_limiter_nothing_waits(limited: bool) -> None:
    opened, transport = session(OK)
    async with opened:
        pipeline = opened.pipeline(limited=limited)
        for _ in range(101):
            await get(pipeline)
    assert transport.times[-1] < transport.times[0] + 0.5


async def test_waits_of_all_attempts_together_are_bounded() -> None:
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(redirect_to("/user"), limiter=limiter, max_redirects=9)
    async with opened:
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=2.5))
    assert len(transport.requests) == 3


async def test_the_remaining_wait_may_be_less_than_a_second() -> None:
    limiter = TokenBucketLimiter(RateLimits(None, None), clock=wall)

    def pausing(request: httpx.Request) -> httpx.Response:
        limiter.pause(0.9)
        return redirect_to("/user")

    opened, transport = session(pausing, limiter=limiter, max_redirects=9)
    async with opened:
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=1.0))
    assert len(transport.requests) == 2


@pytest.mark.parametrize(("most", "is_sent"), [(2.5, True), (0.5, False), (None, False)])
async def test_with_options_sets_max_wait_where_given(most: float | None, *, is_sent: bool) -> None:
    """Without one, the bound stays."""
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(OK, limiter=limiter)
    async with opened:
        pipeline = opened.pipeline(max_wait=0.5).with_options(priority="interactive", max_wait=most)
        await get(pipeline)
        with contextlib.suppress(BudgetExhaustedError):
            await get(pipeline)
    assert len(transport.requests) == 1 + is_sent


async def test_with_options_sets_the_priority() -> None:
    waits: list[WaitRecord] = []
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(OK, hooks=Hooks(on_wait=waits.append), limiter=limiter)
    async with opened:
        pipeline = opened.pipeline()
        await get(pipeline.with_options(priority="background"))
        await get(pipeline.with_options(priority="background"))
        await get(pipeline)
    assert pipeline.limiter is limiter
    assert [wait.priority for wait in waits if wait.seconds > 0.5] == ["background", "interactive"]


async def test_a_request_cancelled_in_the_queue_leaves_nothing_behind() -> None:
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(OK, limiter=limiter)
    async with opened:
        pipeline = opened.pipeline()
        await get(pipeline)
        async with anyio.create_task_group() as group:
            group.start_soon(get, pipeline)
            await anyio.sleep(0.1)
            group.cancel_scope.cancel()
        assert limiter.statistics.waiting == 0
        await get(pipeline)
    assert len(transport.requests) == 2


async def test_another_limiter_needs_no_base_class() -> None:
    class Foreign:
        def __init__(self, inner: TokenBucketLimiter) -> None:
            self.slot = inner.slot
            self.pause = inner.pause

        limits = RateLimits(None, None)
        statistics: Any = None

    opened, transport = session(OK, limiter=Foreign(TokenBucketLimiter(clock=wall)))
    async with opened:
        await get(opened.pipeline())
    assert len(transport.requests) == 1


async def test_a_limiter_that_does_not_pause_makes_no_loop() -> None:
    """A second 429 before its pause is over raises."""

    class Restless:
        def __init__(self, inner: TokenBucketLimiter) -> None:
            self.slot = inner.slot

        def pause(self, seconds: float, reason: str = "") -> None:
            """Do nothing, though asked to."""

        limits = RateLimits(None, None)
        statistics: Any = None

    opened, transport = session(response_with(429, Retry_After="5"), limiter=Restless(TokenBucketLimiter(clock=wall)))
    async with opened:
        with pytest.raises(RateLimitedError):
            await get(opened.pipeline())
    assert len(transport.requests) == 2


async def test_a_429_may_have_no_known_wait() -> None:
    """retry_after is None where another limiter does not state the wait."""

    class Vague:
        def __init__(self, inner: TokenBucketLimiter) -> None:
            self.inner = inner
            self.paused = False

        def slot(self, **options: Any) -> contextlib.AbstractAsyncContextManager[Slot, None]:
            if self.paused:
                raise BudgetExhaustedError("not now")
            return self.inner.slot(**options)

        def pause(self, seconds: float, reason: str = "") -> None:
            self.paused = True

        limits = RateLimits(None, None)
        statistics: Any = None

    opened, _ = session(response_with(429, Retry_After="5"), limiter=Vague(TokenBucketLimiter(clock=wall)))
    async with opened:
        with pytest.raises(RateLimitedError) as refusal:
            await get(opened.pipeline())
    assert refusal.value.retry_after is None
