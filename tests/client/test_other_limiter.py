"""A limiter of another make, through the protocol alone: clients, statistics, pacing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

import stellantis_hal
from stellantis_hal import HalClient
from stellantis_hal.fleet import BudgetWarning, Update, watch
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.transport.rate_limit.protocol import RateLimiter
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
from tests.fleet.fleets import a_fleet, updates_of
from tests.support.limiters import SpacingLimiter
from tests.support.transports import ScriptedTransport
from tests.transport.doubles import API, CONVENTIONS, get, session

pytestmark = pytest.mark.anyio
OK = httpx.Response(200, json={"vin": "x"})


def quota_response(status: int = 200, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    fields = {"X-RateLimit-Limit-1": "100", "X-RateLimit-Remaining-1": "99", **headers}
    return lambda request: httpx.Response(status, headers=fields, json={"a": 1})


async def test_a_generic_client_waits_for_another_limiter() -> None:
    transport = ScriptedTransport(quota_response())
    limiter: RateLimiter = SpacingLimiter()
    async with (
        limiter,
        HalClient(f"{API}/", limiter=limiter, transport=transport, conventions=CONVENTIONS) as client,
    ):
        for _ in range(3):
            await client.reread()
        assert client.limiter.statistics.granted == 3
        assert client.quota.day.remaining == 99
    first, second, third = transport.times
    assert second - first >= 0.5
    assert third - second >= 0.5


async def test_a_429_pauses_another_limiter_with_its_reason() -> None:
    limiter = SpacingLimiter(0.0)
    limiter.interval = 0.01
    opened, transport = session(quota_response(429, **{"Retry-After": "7"}), OK, limiter=limiter)
    async with limiter, opened:
        await get(opened.pipeline())
    assert transport.times[1] >= transport.times[0] + 7.0
    assert (limiter.reasons, limiter.pauses) == (["a 429"], 1)
    expected = ReportedQuota.from_headers(
        Headers({"X-RateLimit-Limit-1": "100", "X-RateLimit-Remaining-1": "99"}), CONVENTIONS.quota_headers
    )
    assert limiter.quotas == [expected, None]


async def test_the_pool_is_sized_with_another_limiter() -> None:
    opened, _ = session(OK, limiter=SpacingLimiter(0.5))
    assert opened.connections == 120


@pytest.mark.unmeasured
async def test_a_watch_is_paced_by_another_limiter() -> None:
    limiter = SpacingLimiter(0.05, per_day=100_000)
    async with (
        limiter,
        a_fleet(vehicles=3, accounts=1, limiter=limiter) as fleet,
        watch(*fleet.accounts, every=timedelta(minutes=5)) as updates,
    ):
        events = await updates_of(updates, 900.0)
        budget = updates.statistics.budget
    assert {event.vehicle.id for event in events if isinstance(event, Update)} == set(fleet.vehicles)
    assert (budget.per_second, budget.per_day) == (10.0, 50_000)
    assert budget.free_today > 90_000
    assert fleet.client.limiter.statistics.granted == limiter.granted > 6
    assert "background" in limiter.priorities


async def test_a_watch_warns_by_the_capacity_of_another_limiter() -> None:
    limiter = SpacingLimiter(0.05, per_day=1_000)
    async with limiter, a_fleet(vehicles=20, accounts=1, limiter=limiter) as fleet:
        with pytest.warns(BudgetWarning, match=r"20 vehicles .* the budget is 500"):
            async with watch(*fleet.accounts, every=timedelta(minutes=5)) as updates:
                await updates_of(updates, 60.0)


def test_the_package_never_asks_for_the_class_of_a_limiter() -> None:
    package = Path(stellantis_hal.__file__).parent
    asking = [path.name for path in package.rglob("*.py") if "isinstance(limiter" in path.read_text("utf-8")]
    assert asking == []
