"""Responses with status 429."""

from types import SimpleNamespace

import anyio
import httpx
import pytest

from stellantis_hal.errors import (
    BudgetExhaustedError,
    RateLimitedError,
)
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.transport.doubles import OK, get, response_with, session, wall

pytestmark = [pytest.mark.anyio, pytest.mark.unmeasured]


async def test_a_429_is_waited_for_and_retried() -> None:
    opened, transport = session(response_with(429, Retry_After="7"), OK)
    async with opened:
        await get(opened.pipeline())
    assert transport.times[0] + 7.0 <= transport.times[1] <= transport.times[0] + 8.2


async def test_a_429_of_a_post_is_retried() -> None:
    opened, transport = session(response_with(429, Retry_After="1"), httpx.Response(202))
    async with opened:
        await get(opened.pipeline(), method="POST")
    assert len(transport.requests) == 2


async def test_one_429_pauses_all_requests() -> None:
    opened, transport = session(response_with(429, Retry_After="7"), OK)
    async with opened:
        pipeline = opened.pipeline()
        async with anyio.create_task_group() as group:
            group.start_soon(get, pipeline)
            await anyio.sleep(1)
            for _ in range(20):
                group.start_soon(get, pipeline)
    assert len(transport.requests) == 22
    assert min(transport.times[1:]) >= transport.times[0] + 7.0


async def test_a_429_longer_than_max_wait_raises_at_once() -> None:
    """Later requests are refused without being sent."""
    opened, transport = session(response_with(429, Retry_After="15001"))
    async with opened:
        with pytest.raises(RateLimitedError) as refusal:
            await get(opened.pipeline())
        assert refusal.value.retry_after == pytest.approx(15001, abs=2)
        assert anyio.current_time() < transport.times[0] + 1.0
        with pytest.raises(BudgetExhaustedError, match=r"paused for 4:10:0\d after a 429\. Retry after 1500\d s"):
            await get(opened.pipeline())
    assert len(transport.requests) == 1


@pytest.mark.parametrize("seconds", [15001, 0.5])
async def test_retry_after_is_the_servers_without_jitter(seconds: float) -> None:
    """The error states the server's wait, without the random delay added to it."""
    opened, _ = session(response_with(429, Retry_After=str(seconds)))
    async with opened:
        with pytest.raises(RateLimitedError) as refusal:
            await get(opened.pipeline(max_wait=0.1))
    assert refusal.value.retry_after == pytest.approx(seconds, abs=0.05)


async def test_jitter_is_any_part_of_a_second() -> None:
    delays: list[float] = []
    for _ in range(20):
        opened, transport = session(response_with(429, Retry_After="60"), OK)
        async with opened:
            await get(opened.pipeline(max_wait=120.0))
        delays.append(transport.times[1] - transport.times[0] - 60.0)
    assert 0.2 < max(delays) <= 1.3


async def test_a_429_exactly_as_long_as_max_wait_is_waited_for() -> None:
    opened, transport = session(response_with(429, Retry_After="60"), OK)
    async with opened:
        assert (await get(opened.pipeline(max_wait=60.0))).status == 200
    assert transport.times[1] == pytest.approx(transport.times[0] + 60.0, abs=0.01)


async def test_a_429_longer_than_the_deadline_raises_at_once() -> None:
    opened, _ = session(response_with(429, Retry_After="20"))
    async with opened:
        with anyio.fail_after(10), pytest.raises(RateLimitedError):
            await get(opened.pipeline())


@pytest.mark.parametrize("fields", [{}, {"Retry_After": "soon"}])
async def test_a_429_without_retry_after_pauses_for_a_second(fields: dict[str, str]) -> None:
    opened, transport = session(response_with(429, **fields), OK)
    async with opened:
        await get(opened.pipeline())
    assert transport.times[0] + 1.0 <= transport.times[1] <= transport.times[0] + 1.3


async def test_repeated_429s_without_a_wait_end() -> None:
    """A server that says Retry-After: 0 again and again is asked less and less often."""
    opened, transport = session(response_with(429, Retry_After="0"))
    async with opened:
        with pytest.raises(RateLimitedError):
            await get(opened.pipeline(max_wait=60.0))
    assert len(transport.requests) < 20
    assert anyio.current_time() < transport.times[0] + 61.0


async def test_waits_after_429s_without_a_wait_double() -> None:
    """Each Retry-After: 0 doubles the shortest wait, up to ten seconds."""
    opened, transport = session(*[response_with(429, Retry_After="0")] * 9, OK)
    async with opened:
        await get(opened.pipeline(max_wait=60.0))
    waits = [later - earlier for earlier, later in zip(transport.times, transport.times[1:], strict=False)]
    for wait, floor in zip(waits, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0], strict=True):
        assert floor <= wait <= 1.05 * floor + 0.35  # a little more, so that not all come at once, and a slow machine


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_storm_of_429_loses_and_rushes_no_request() -> None:
    """All of a thousand requests succeed, none is sent during a pause."""
    storm_ends = anyio.current_time() + 10.0
    early: list[float] = []
    refused_at = open_at = 0.0

    def respond(request: httpx.Request) -> httpx.Response:
        nonlocal refused_at, open_at
        now = anyio.current_time()
        if refused_at + 0.5 < now < open_at:  # those of the same turn were on their way already
            early.append(now)
        if now < storm_ends:
            if now >= open_at:
                refused_at, open_at = now, now + 3.0
            return response_with(429, Retry_After="3")
        return OK

    limiter = TokenBucketLimiter(RateLimits(100, None), clock=wall)
    opened, _ = session(respond, limiter=limiter)
    statuses: list[int] = []
    async with opened:
        pipeline = opened.pipeline(max_wait=300.0)

        async def one() -> None:
            statuses.append((await get(pipeline)).status)

        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(one)
    assert statuses == [200] * 1000
    assert early == []


async def test_an_unlimited_pipelines_429_does_not_pause_others() -> None:
    opened, transport = session(response_with(429, Retry_After="30"), OK)
    async with opened:
        with pytest.raises(RateLimitedError):
            await get(opened.pipeline(limited=False, max_wait=1.0))
        await get(opened.pipeline())
    assert transport.times[1] < transport.times[0] + 1.0


@pytest.mark.unmeasured
async def test_a_day_of_polling_at_the_days_limit_meets_no_429() -> None:
    sent: list[float] = []

    def strict(request: httpx.Request) -> httpx.Response:
        now = anyio.current_time()
        if len(sent) >= 300 and sent[-300] > now - 86_400:
            return response_with(429, Retry_After="60")
        sent.append(now)
        left = 300 - sum(1 for time in sent if time > now - 86_400)
        return response_with(200, X_RateLimit_Limit_1="300", X_RateLimit_Remaining_1=str(left))

    limiter = TokenBucketLimiter(RateLimits(100, 300), clock=wall)
    opened, transport = session(strict, limiter=limiter)
    async with opened:
        pipeline = opened.pipeline(max_wait=90_000.0)
        start = anyio.current_time()
        while anyio.current_time() < start + 1.5 * 86_400:
            await get(pipeline)
            await anyio.sleep(200)
    assert len(transport.requests) == len(sent)
    assert len(sent) > 430


async def test_an_error_after_a_429_is_not_replaced_by_it() -> None:
    limiter = TokenBucketLimiter(RateLimits(100, 2), clock=wall)
    opened, _ = session(response_with(429, Retry_After="1"), httpx.Response(503), OK, limiter=limiter)
    async with opened:
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=600))


async def test_jitter_fits_into_the_deadline() -> None:
    for _ in range(20):
        opened, _transport = session(response_with(429, Retry_After="500"), OK)
        async with opened:
            with anyio.fail_after(500.5):  # half a second for us, however slow the machine
                assert (await get(opened.pipeline(max_wait=900.0))).status == 200


async def test_jitter_takes_half_of_what_the_deadline_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    def most_of(least: float, most: float) -> float:
        return most

    monkeypatch.setattr("stellantis_hal.transport.pipeline._random", SimpleNamespace(uniform=most_of))
    opened, transport = session(response_with(429, Retry_After="500"), OK)
    async with opened:
        with anyio.fail_after(501):
            assert (await get(opened.pipeline(max_wait=900.0))).status == 200
    assert transport.times[1] - transport.times[0] == pytest.approx(500.5, abs=0.05)
