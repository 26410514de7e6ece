"""Hooks."""

from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.errors import (
    ServerError,
)
from stellantis_hal.transport.hooks import Hooks, ResponseRecord, RetryRecord, WaitRecord
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota, Window
from tests.transport.doubles import API, OK, Badge, get, response_with, session, wall

pytestmark = pytest.mark.anyio


async def test_hooks_are_called_on_responses_retries_and_waits() -> None:
    heard: list[Any] = []
    hooks = Hooks(on_response=heard.append, on_retry=heard.append, on_wait=heard.append)
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(httpx.Response(503), OK, hooks=hooks, limiter=limiter)
    async with opened:
        await get(opened.pipeline(credentials=Badge()), "/user?secret=1")
    kinds = [type(record) for record in heard]
    assert kinds[:2] == [ResponseRecord, RetryRecord]
    assert kinds[-1] is ResponseRecord
    assert {record.request_id for record in heard} == {1}
    assert {record.url for record in heard} == {f"{API}/user?secret=***"}
    assert [record.attempt for record in heard if isinstance(record, ResponseRecord)] == [1, 2]


async def test_a_wait_is_recorded_with_its_duration() -> None:
    waits: list[WaitRecord] = []
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(OK, hooks=Hooks(on_wait=waits.append), limiter=limiter)
    async with opened:
        pipeline = opened.pipeline(priority="background")
        await get(pipeline)
        await get(pipeline)
    assert waits[-1].seconds == pytest.approx(1.0, abs=0.1)  # on a slow machine, waits of milliseconds come first
    assert (waits[-1].method, waits[-1].priority) == ("GET", "background")


async def test_a_response_is_recorded_with_its_figures() -> None:
    async def late(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(2)
        return response_with(202, X_RateLimit_Limit_1="5", X_RateLimit_Remaining_1="4")

    heard: list[ResponseRecord] = []
    opened, _ = session(late, hooks=Hooks(on_response=heard.append))
    async with opened:
        await get(opened.pipeline(), method="POST")
    assert [(each.method, each.status, each.quota) for each in heard] == [("POST", 202, Quota(day=Window(5, 4)))]
    assert heard[0].seconds == pytest.approx(2.0, abs=0.1)


async def test_a_retry_is_recorded_with_its_figures() -> None:
    heard: list[RetryRecord] = []
    opened, transport = session(httpx.Response(503), OK, hooks=Hooks(on_retry=heard.append))
    async with opened:
        await get(opened.pipeline())
    assert [(each.method, each.attempt, type(each.error)) for each in heard] == [("GET", 1, ServerError)]
    assert heard[0].wait == pytest.approx(transport.times[1] - transport.times[0], abs=0.1)
