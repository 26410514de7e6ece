"""Pauses of the limiter."""

from functools import partial

import anyio
import pytest

from stellantis_hal.errors import BudgetExhaustedError
from stellantis_hal.transport.rate_limit.protocol import Priority
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from tests.transport.rate_limit.doubles import DAY, make_limiter, spend, started

pytestmark = pytest.mark.anyio


async def test_a_pause_holds_all_requests_until_its_end() -> None:
    limiter = make_limiter(100)
    limiter.pause(5.0)
    start = anyio.current_time()
    times: list[float] = []

    async def one() -> None:
        times.append(await spend(limiter))

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(one)
    assert min(times) >= start + 5.0
    assert max(times) < start + 5.1


async def test_a_pause_refuses_those_who_cannot_wait_for_its_end() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:

        async def impatient() -> None:
            with pytest.raises(BudgetExhaustedError) as refusal:
                await spend(limiter, max_wait=10.0)
            assert refusal.value.retry_after == pytest.approx(100.0, abs=0.5)
            assert anyio.current_time() < start + 0.5

        await started(group, impatient)
        limiter.pause(100.0)


@pytest.mark.parametrize("priority", ["interactive", "background"])
async def test_waiters_refused_by_a_pause_leave_the_queue(priority: Priority) -> None:
    limiter = make_limiter(1)
    await spend(limiter)

    async def impatient() -> None:
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter, priority=priority, max_wait=10.0)

    async with anyio.create_task_group() as group:
        await started(group, impatient)
        assert limiter.statistics.waiting == 1
        limiter.pause(100.0)
        assert limiter.statistics.waiting == 0


async def test_a_pause_exactly_as_long_as_a_wait_refuses_none() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    async with anyio.create_task_group() as group:
        await started(group, partial(spend, limiter, max_wait=10.0))
        limiter.pause(10.0)
        assert limiter.statistics.waiting == 1
    assert limiter.statistics.refused == 0


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    limiter = make_limiter(100)
    limiter.pause(50.0)
    limiter.pause(1.0)
    assert limiter.statistics.paused_for == pytest.approx(50.0, abs=0.5)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
async def test_a_pause_of_no_length_is_none(seconds: float) -> None:
    limiter = make_limiter(100)
    limiter.pause(seconds)
    assert limiter.statistics.pauses == 0


async def test_a_pause_of_less_than_a_second_is_one() -> None:
    limiter = make_limiter(100)
    limiter.pause(0.5)
    start = anyio.current_time()
    assert await spend(limiter) == pytest.approx(start + 0.5, abs=0.1)


async def test_pauses_are_counted() -> None:
    limiter = make_limiter(100)
    limiter.pause(1.0)
    limiter.pause(2.0)
    assert limiter.statistics.pauses == 2


async def test_a_pause_never_lasts_longer_than_a_day() -> None:
    limiter = make_limiter(100)
    limiter.pause(float("inf"))
    assert limiter.statistics.paused_for <= DAY


async def test_without_limits_only_pauses_are_waited_for() -> None:
    limiter = make_limiter()
    start = anyio.current_time()
    for _ in range(500):
        await spend(limiter, quota=ReportedQuota(day=ReportedWindow(10, 0), burst=ReportedWindow(1, 0)))
    assert anyio.current_time() < start + 1.0
    limiter.pause(3.0)
    assert await spend(limiter) >= start + 3.0
    assert limiter.statistics.free_today is None
    assert limiter.statistics.free_this_second is None


async def test_each_waiter_refused_by_a_pause_is_counted() -> None:
    limiter = make_limiter(1)
    await spend(limiter)

    async def impatient() -> None:
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter, max_wait=10.0)

    async with anyio.create_task_group() as group:
        await started(group, impatient)
        await started(group, impatient)
        limiter.pause(100.0)
    assert limiter.statistics.refused == 2


async def test_a_longer_pause_keeps_its_reason() -> None:
    limiter = make_limiter(1)
    limiter.pause(3_598.0, "a 429")
    limiter.pause(5.0, "a test")
    with pytest.raises(BudgetExhaustedError, match=r"paused for 59:58 after a 429\. Retry after 3598 s"):
        await spend(limiter)
