"""Credentials and the limiter's slot: ready before it is taken, looked at again when it is granted."""

from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.errors import BudgetExhaustedError, NetworkError
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.transport.doubles import OK, Badge, call, get, session

pytestmark = pytest.mark.anyio


class Expiring(Badge):
    """Credentials that live some seconds; a renewal takes a while."""

    def __init__(self, lives: float, *, takes: float = 0.0) -> None:
        super().__init__()
        self.lives = lives
        self.takes = takes
        self.made_at = -1e9
        self.renewed: list[float] = []

    async def headers(self) -> Mapping[str, str]:
        if self.current_headers() is None:
            await anyio.sleep(self.takes)
            self.made_at = anyio.current_time()
            self.renewed.append(self.made_at)
            self.serial += 1
        return await super().headers()

    def current_headers(self) -> Mapping[str, str] | None:
        alive = anyio.current_time() - self.made_at < self.lives
        return {"Authorization": f"Bearer token-{self.serial}"} if alive else None


def one_per_second(**options: Any) -> TokenBucketLimiter:
    return TokenBucketLimiter(RateLimits(per_second=1, per_day=None), **options)


async def test_a_renewal_holds_no_slot() -> None:
    limiter = one_per_second()
    opened, transport = session(OK, limiter=limiter)
    async with opened, anyio.create_task_group() as tasks:
        tasks.start_soon(get, opened.pipeline(credentials=Expiring(3600, takes=50)))
        await anyio.sleep(1)
        assert limiter.statistics.granted == limiter.statistics.in_flight == 0
        started = anyio.current_time()
        await get(opened.pipeline())
        assert anyio.current_time() == started
    assert len(transport.requests) == 2


async def test_credentials_that_expire_in_the_queue_are_renewed() -> None:
    """The slot is given back, and the request is sent once, with the new ones."""
    limiter, credentials = one_per_second(), Expiring(5, takes=2)
    opened, transport = session(OK, limiter=limiter)
    async with opened:
        pipeline = opened.pipeline(credentials=credentials)
        started = anyio.current_time()
        limiter.pause(10)
        await get(pipeline)
        assert [instant - started for instant in credentials.renewed] == [2, 12]
        assert [request.headers["Authorization"] for request in transport.requests] == ["Bearer token-3"]
        assert limiter.statistics.given_back == limiter.statistics.granted == 1


async def test_slots_given_back_are_bounded() -> None:
    """The server decides about credentials that never live long enough."""
    limiter, credentials = one_per_second(), Expiring(0)
    opened, transport = session(OK, limiter=limiter)
    async with opened:
        await get(opened.pipeline(credentials=credentials))
    assert len(credentials.renewed) == 4
    assert limiter.statistics.given_back == 3
    assert transport.requests[0].headers["Authorization"] == "Bearer token-5"


async def test_all_slots_of_a_call_share_its_wait() -> None:
    limiter = one_per_second()

    class Pausing(Expiring):
        async def headers(self) -> Mapping[str, str]:
            limiter.pause(10)
            return await super().headers()

    opened, transport = session(OK, limiter=limiter)
    async with opened:
        started = anyio.current_time()
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(credentials=Pausing(5), max_wait=15))
        assert anyio.current_time() - started == 10
    assert transport.requests == []


async def test_a_failed_renewal_takes_no_slot() -> None:
    class Failing(Badge):
        async def headers(self) -> Mapping[str, str]:
            raise NetworkError("no answer", is_transient=False)

    limiter = one_per_second()
    opened, transport = session(OK, limiter=limiter)
    async with opened:
        with pytest.raises(NetworkError, match="no answer"):
            await get(opened.pipeline(credentials=Failing()))
    assert limiter.statistics.granted == limiter.statistics.given_back == 0
    assert transport.requests == []


async def test_credentials_without_a_second_look_are_sent() -> None:
    """The method is optional: a 401 renews those of others."""
    response = await call(OK)
    assert response.status == 200
    opened, transport = session(httpx.Response(401), OK)
    async with opened:
        await get(opened.pipeline(credentials=Badge(renewals=1)))
    assert [request.headers["Authorization"][-1] for request in transport.requests] == ["1", "2"]
