"""A watch after a header that cannot be true: it polls again within a quarter of an hour."""

from datetime import timedelta

import anyio
import httpx
import pytest

from stellantis_hal.fleet import Update, watch
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.fleet.fleets import a_fleet, until, updates_of

pytestmark = pytest.mark.anyio
ONCE = [
    {"X-RateLimit-Limit-1": "1", "X-RateLimit-Remaining-1": "0"},
    {"X-RateLimit-Limit-1": "100000", "X-RateLimit-Remaining-1": "0"},
]


class AbsurdOnce(httpx.AsyncBaseTransport):
    """Changes the headers of the first response of the API; records the requests to it."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = fields
        self.inner: httpx.AsyncBaseTransport | None = None
        self.times: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert self.inner is not None
        response = await self.inner.handle_async_request(request)
        if "oauth2" not in request.url.path:
            if not self.times:
                response.headers.update(self.fields)
            self.times.append(anyio.current_time())
        return response


@pytest.mark.unmeasured
@pytest.mark.parametrize("limits", [None, RateLimits(100, 100_000)])
@pytest.mark.parametrize("fields", ONCE)
@pytest.mark.long
async def test_a_watch_polls_again_after_an_absurd_header(fields: dict[str, str], limits: RateLimits | None) -> None:
    transport = AbsurdOnce(fields)
    limiter = TokenBucketLimiter(limits)
    async with a_fleet(vehicles=4, accounts=2, transport=transport, limiter=limiter) as fleet:
        transport.inner = fleet.simulator.transport()
        async with watch(fleet.accounts, every=timedelta(minutes=5)) as updates:
            await until(updates, Update, what="status", within=1_200.0)
            events = await updates_of(updates, 1_800.0)
        polled = {event.vehicle.id for event in events if isinstance(event, Update)}
        assert polled <= set(fleet.vehicles)
        assert sum(1 for at in transport.times if at > transport.times[0] + 1_200.0) >= 8
        assert fleet.simulator.statistics.refused == 0
