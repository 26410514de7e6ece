"""Retries of the pipeline."""

import httpx
import pytest

from stellantis_hal.errors import (
    ApiError,
    NetworkError,
    ServerError,
)
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from tests.transport.doubles import OK, Badge, get, redirect_to, response_with, session, wall

pytestmark = pytest.mark.anyio


async def test_a_503_and_a_502_are_retried() -> None:
    opened, transport = session(httpx.Response(503), httpx.Response(502), OK)
    async with opened:
        await get(opened.pipeline())
    assert len(transport.requests) == 3


async def test_a_post_that_may_have_arrived_is_not_retried() -> None:
    for act in (httpx.Response(503), httpx.ReadError("reset"), httpx.ReadTimeout("late")):
        opened, transport = session(act, OK)
        async with opened:
            with pytest.raises((ServerError, NetworkError)):
                await get(opened.pipeline(), method="POST")
        assert len(transport.requests) == 1


async def test_a_post_that_was_not_sent_is_retried() -> None:
    opened, transport = session(httpx.ConnectError("refused"), OK)
    async with opened:
        await get(opened.pipeline(), method="POST")
    assert len(transport.requests) == 2


async def test_a_repeatable_post_is_retried() -> None:
    opened, transport = session(httpx.ReadError("reset"), OK)
    async with opened:
        await get(opened.pipeline(), method="POST", repeatable=True)
    assert len(transport.requests) == 2


async def test_a_request_that_was_never_sent_costs_no_token() -> None:
    limiter = TokenBucketLimiter(RateLimits(None, 10), clock=wall)
    opened, _ = session(httpx.ConnectError("refused"), httpx.ConnectError("refused"), OK, limiter=limiter)
    async with opened:
        await get(opened.pipeline())
    assert limiter.statistics.free_today == 9


async def test_every_attempt_costs_a_token() -> None:
    limiter = TokenBucketLimiter(RateLimits(None, 10), clock=wall)
    opened, _ = session(httpx.Response(503), httpx.ReadError("reset"), redirect_to("/b"), OK, limiter=limiter)
    async with opened:
        await get(opened.pipeline())
    assert limiter.statistics.free_today == 6


async def test_retries_end_with_the_policys_total() -> None:
    """A Retry-After beyond the total ends them at once, where nothing was waited for."""
    opened, transport = session(response_with(503, Retry_After="20"), OK)
    async with opened:
        with pytest.raises(ServerError):
            await get(opened.pipeline(retry=RetryPolicy(total=10.0)))
    assert len(transport.requests) == 1


async def test_credentials_are_asked_before_each_attempt() -> None:
    badge = Badge()

    def fail(request: httpx.Request) -> httpx.Response:
        badge.serial += 1
        return httpx.Response(503)

    opened, transport = session(fail, OK)
    async with opened:
        await get(opened.pipeline(credentials=badge))
    assert transport.requests[1].headers["authorization"] == "Bearer token-2"


async def test_a_pipeline_may_have_its_own_retry_policy() -> None:
    opened, transport = session(httpx.Response(503), OK)
    async with opened:
        with pytest.raises(ServerError):
            await get(opened.pipeline(retry=RetryPolicy(attempts=1)))
    assert len(transport.requests) == 1


async def test_waits_for_the_limiter_do_not_use_up_retries() -> None:
    limiter = TokenBucketLimiter(RateLimits(100, None), clock=wall)
    limiter.pause(400)
    opened, transport = session(httpx.Response(503), OK, limiter=limiter)
    async with opened:
        assert (await get(opened.pipeline(max_wait=600))).status == 200
    assert len(transport.requests) == 2


async def test_a_409_to_a_key_is_waited_for() -> None:
    """The same request may still be under way, as a draft of the IETF has it; a 422 says that the key was misused."""
    key = {"Idempotency-Key": '"k"'}
    opened, transport = session(response_with(409, Retry_After="3"), OK)
    async with opened:
        await get(opened.pipeline(), method="POST", headers=key, repeatable=True)
    assert [request.headers["idempotency-key"] for request in transport.requests] == ['"k"'] * 2
    assert transport.times[1] - transport.times[0] >= 3
    for status, headers in ((422, key), (409, {}), (412, key)):
        opened, transport = session(response_with(status), OK)
        async with opened:
            with pytest.raises(ApiError):
                await get(opened.pipeline(), method="POST", headers=headers, repeatable=True)
        assert len(transport.requests) == 1
