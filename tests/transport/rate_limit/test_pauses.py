"""Pauses of the limiter."""

from functools import partial

import anyio
import anyio.lowlevel
import pytest

from stellantis_hal.errors import BudgetExhaustedError
from stellantis_hal.transport.rate_limit.protocol import Priority
from stellantis_hal.transport.rate_limit.quota import Quota, Window
from tests.transport.rate_limit.doubles import DAY, limiter, spend, started

pytestmark = pytest.mark.anyio


async def test_a_pause_holds_all_requests_until_its_end() -> None:
    rates = limiter(100)
    rates.pause(5.0)
    start = anyio.current_time()
    times: list[float] = []

    async def one() -> None:
        times.append(await spend(rates))

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(one)
    assert min(times) >= start + 5.0
    assert max(times) < start + 5.1


async def test_a_pause_refuses_those_who_cannot_wait_for_its_end() -> None:
    rates = limiter(1)
    await spend(rates)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:

        async def impatient() -> None:
            with pytest.raises(BudgetExhaustedError) as refusal:
                await spend(rates, max_wait=10.0)
            assert refusal.value.retry_after == pytest.approx(100.0, abs=0.5)
            assert anyio.current_time() < start + 0.5

        await started(group, impatient)
        rates.pause(100.0)


@pytest.mark.parametrize("priority", ["interactive", "background"])
async def test_waiters_refused_by_a_pause_leave_the_queue(priority: Priority) -> None:
    rates = limiter(1)
    await spend(rates)

    async def impatient() -> None:
        with pytest.raises(BudgetExhaustedError):
            await spend(rates, priority=priority, max_wait=10.0)

    async with anyio.create_task_group() as group:
        await started(group, impatient)
        assert rates.statistics.waiting == 1
        rates.pause(100.0)
        assert rates.statistics.waiting == 0


async def test_a_pause_exactly_as_long_as_a_wait_refuses_none() -> None:
    rates = limiter(1)
    await spend(rates)
    async with anyio.create_task_group() as group:
        await started(group, partial(spend, rates, max_wait=10.0))
        rates.pause(10.0)
        assert rates.statistics.waiting == 1
    assert rates.statistics.refused == 0


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    rates = limiter(100)
    rates.pause(50.0)
    rates.pause(1.0)
    assert rates.statistics.paused_for == pytest.approx(50.0, abs=0.5)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
async def test_a_pause_of_no_length_is_none(seconds: float) -> None:
    rates = limiter(100)
    rates.pause(seconds)
    assert rates.statistics.pauses == 0


async def test_a_pause_of_less_than_a_second_is_one() -> None:
    rates = limiter(100)
    rates.pause(0.5)
    start = anyio.current_time()
    assert await spend(rates) == pytest.approx(start + 0.5, abs=0.1)


async def test_pauses_are_counted() -> None:
    rates = limiter(100)
    rates.pause(1.0)
    rates.pause(2.0)
    assert rates.statistics.pauses == 2


async def test_a_pause_never_lasts_longer_than_a_day() -> None:
    rates = limiter(100)
    rates.pause(float("inf"))
    assert rates.statistics.paused_for <= DAY


async def test_without_limits_only_pauses_are_waited_for() -> None:
    rates = limiter()
    start = anyio.current_time()
    for _ in range(500):
        await spend(rates, quota=Quota(day=Window(10, 0), burst=Window(1, 0)))
    assert anyio.current_time() < start + 1.0
    rates.pause(3.0)
    assert await spend(rates) >= start + 3.0
    assert rates.statistics.free_today is None
    assert rates.statistics.free_this_second is None


async def test_each_waiter_refused_by_a_pause_is_counted() -> None:
    rates = limiter(1)
    await spend(rates)

    async def impatient() -> None:
        with pytest.raises(BudgetExhaustedError):
            await spend(rates, max_wait=10.0)

    async with anyio.create_task_group() as group:
        await started(group, impatient)
        await started(group, impatient)
        rates.pause(100.0)
    assert rates.statistics.refused == 2


async def test_a_longer_pause_keeps_its_reason() -> None:
    rates = limiter(1)
    rates.pause(3_598.0, "a 429")
    rates.pause(5.0, "a test")
    with pytest.raises(BudgetExhaustedError, match=r"paused for 59:58 after a 429\. Retry after 3598 s"):
        await spend(rates)
