"""The queue: order, cancellation, the shared timer."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

import anyio
import pytest

from stellantis_hal.errors import BudgetExhaustedError
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimits
from tests.support.clocks import jump
from tests.transport.doubles import wall
from tests.transport.rate_limit.doubles import assert_in_turn, make_limiter, spend, started, unset, wait_and_leave

pytestmark = pytest.mark.anyio


async def test_a_thousand_tasks_are_served_in_order() -> None:
    limiter = make_limiter(100)
    times: dict[int, float] = {}

    async def one(number: int) -> None:
        times[number] = await spend(limiter, quota=None)

    async with anyio.create_task_group() as group:
        for number in range(1000):
            await started(group, one, number)
    assert_in_turn(times)


async def test_the_queue_ahead_is_part_of_the_wait() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    async with anyio.create_task_group() as group:
        await started(group, spend, limiter)
        await started(group, spend, limiter)
        with pytest.raises(BudgetExhaustedError) as refusal:
            await spend(limiter, max_wait=1.5)
        assert refusal.value.retry_after == pytest.approx(3.0, abs=0.2)


async def test_a_token_given_back_goes_to_a_waiter() -> None:
    limiter = make_limiter(1)
    start = anyio.current_time()
    async with anyio.create_task_group() as group, limiter.slot():
        await started(group, spend, limiter)
        await anyio.sleep(0.5)
    assert anyio.current_time() < start + 0.6


async def test_a_cancelled_waiter_leaves_the_queue() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    async with anyio.create_task_group() as group:
        await started(group, spend, limiter)
        assert limiter.statistics.waiting == 1
        group.cancel_scope.cancel()
    assert limiter.statistics.waiting == 0


async def test_the_timer_is_handed_over_when_its_task_is_cancelled() -> None:
    limiter = make_limiter(1)
    first = await spend(limiter)
    served: list[float] = []

    async def other() -> None:
        served.append(await spend(limiter))

    async with anyio.create_task_group() as outer, anyio.create_task_group() as keeper:
        await started(keeper, spend, limiter)
        await started(outer, other)
        await started(outer, other)
        keeper.cancel_scope.cancel()
    assert len(served) == 2
    assert served[0] == pytest.approx(first + 1.0, abs=0.1)


@pytest.mark.parametrize("clock", [wall, unset])
async def test_a_waiter_cancelled_when_granted_gives_the_token_back(
    clock: Callable[[], datetime],
) -> None:
    limiter = TokenBucketLimiter(RateLimits(5, None), clock=clock)
    limiter.pause(1.0)
    scope = anyio.CancelScope()
    sent: list[float] = []

    async def victim() -> None:
        with scope:
            sent.append(await spend(limiter))

    async def killer() -> None:
        async with limiter.slot():
            scope.cancel()

    async with anyio.create_task_group() as group:
        await started(group, victim)
        await started(group, killer)
    assert limiter.statistics.granted == len(sent)
    assert limiter.statistics.free_this_second == 5 - len(sent)


@pytest.mark.parametrize("priority", ["interactive", "background"])
async def test_no_request_overtakes_the_queue_after_a_standstill(priority: Priority) -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    async with anyio.create_task_group() as group:
        await started(group, partial(spend, limiter, priority=priority))
        jump(1.5)
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter, priority=priority, max_wait=0.0)


async def test_a_response_during_a_wait_brings_the_timer_forward() -> None:
    limiter = make_limiter(1)
    start = anyio.current_time()
    async with anyio.create_task_group() as group, limiter.slot() as slot:
        slot.sent()
        await started(group, spend, limiter)
        await started(group, spend, limiter)
        await anyio.sleep(0.3)
        slot.answered()
    assert anyio.current_time() == pytest.approx(start + 0.3 + 2 * 1.002, abs=0.1)


async def test_waiters_who_left_are_forgotten() -> None:
    limiter = make_limiter(1)
    async with limiter.slot() as slot:
        slot.sent()
        await wait_and_leave(limiter, 200)
        assert len(limiter._queue._latest) < 100
