"""Stale slots: the pipeline takes a new one."""

import anyio
import httpx
import pytest

from stellantis_hal.errors import BudgetExhaustedError, LimiterSlotExpiredError
from tests.support.limiters import SpacingLimiter
from tests.transport.doubles import Badge, get, session

pytestmark = pytest.mark.anyio
OK = httpx.Response(200, json={"vin": "x"})


async def test_a_stale_slot_is_replaced_by_a_new_one() -> None:
    limiter = SpacingLimiter(stale=2)
    badge = Badge()
    opened, transport = session(OK, limiter=limiter)
    async with limiter, opened:
        response = await get(opened.pipeline(credentials=badge))
    assert response.status == 200
    assert (len(transport.requests), limiter.granted, limiter.stale) == (1, 1, 0)
    assert transport.requests[0].headers["authorization"] == "Bearer token-1"


async def test_a_stale_slot_is_replaced_under_auth_flows_too() -> None:
    limiter = SpacingLimiter(stale=2)
    opened, transport = session(OK, limiter=limiter)
    async with limiter, opened:
        await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret")))
    assert len(transport.requests) == 1
    assert transport.requests[0].headers["authorization"].startswith("Basic ")


async def test_waits_for_new_slots_count_against_max_wait() -> None:
    limiter = SpacingLimiter(2.0, stale=5)
    opened, transport = session(OK, limiter=limiter)
    start = anyio.current_time()
    async with limiter, opened:
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=5.0))
    assert anyio.current_time() == pytest.approx(start + 4.0, abs=0.1)
    assert transport.requests == []


@pytest.mark.parametrize(("stale", "sent"), [(9, 1), (10, 0)])
async def test_ten_stale_slots_in_a_row_are_an_error(stale: int, sent: int) -> None:
    limiter = SpacingLimiter(0.01, stale=stale)
    opened, transport = session(OK, limiter=limiter)
    async with limiter, opened:
        if sent:
            await get(opened.pipeline())
        else:
            with pytest.raises(LimiterSlotExpiredError, match="take a new one") as caught:
                await get(opened.pipeline())
            assert caught.value.retry_after == 0.0
    assert (len(transport.requests), limiter.stale) == (sent, 0)
