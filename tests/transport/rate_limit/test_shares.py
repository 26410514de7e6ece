"""Priorities, and the share reserved for interactive requests."""

from functools import partial

import anyio
import pytest

from stellantis_hal.errors import BudgetExhaustedError
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimits
from stellantis_hal.transport.rate_limit.single_process_ledger import QuotaLedger
from tests.transport.rate_limit.doubles import make_limiter, spend, started

pytestmark = pytest.mark.anyio


async def test_interactive_requests_go_before_background_ones() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    order: list[str] = []

    async def one(priority: Priority) -> None:
        await spend(limiter, priority=priority)
        order.append(priority)

    async with anyio.create_task_group() as group:
        await started(group, one, "background")
        await started(group, one, "interactive")
    assert order == ["interactive", "background"]


async def test_a_burst_share_is_reserved_for_interactive() -> None:
    limiter = make_limiter(10, interactive_share=0.3)
    for _ in range(7):
        await spend(limiter, priority="background")
    with pytest.raises(BudgetExhaustedError):
        await spend(limiter, priority="background", max_wait=0.0)
    await spend(limiter, max_wait=0.0)


async def test_a_reserved_token_given_back_stays_reserved() -> None:
    limiter = make_limiter(2, interactive_share=0.5)
    times: list[float] = []

    async def wait() -> None:
        times.append(await spend(limiter, priority="background"))

    await spend(limiter)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        await started(group, wait)
        async with limiter.slot():
            pass
    assert times[0] >= start + 1.0


async def test_background_waits_count_the_whole_queue() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    async with anyio.create_task_group() as group:
        await started(group, spend, limiter)
        group.start_soon(partial(spend, limiter, priority="background"))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BudgetExhaustedError) as refusal:
            await spend(limiter, priority="background", max_wait=1.5)
        assert refusal.value.retry_after == pytest.approx(3.0, abs=0.2)


async def test_interactive_waits_do_not_count_background_ones() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    async with anyio.create_task_group() as group:
        group.start_soon(partial(spend, limiter, priority="background"))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BudgetExhaustedError) as refusal:
            await spend(limiter, max_wait=0.5)
        assert refusal.value.retry_after == pytest.approx(1.0, abs=0.2)


async def test_a_late_background_refusal_counts_the_whole_queue() -> None:
    limiter = make_limiter(1)
    async with anyio.create_task_group() as group, limiter.slot():
        await started(group, spend, limiter)
        await started(group, partial(spend, limiter, priority="background"))
        with pytest.raises(BudgetExhaustedError) as refusal:
            await spend(limiter, priority="background", max_wait=3.5)
        assert refusal.value.retry_after is not None
        assert refusal.value.retry_after >= 3.0


async def test_waiting_interactive_requests_use_their_share() -> None:
    limiter = make_limiter(2, interactive_share=0.5)
    first = await spend(limiter)
    await anyio.sleep(0.5)
    await spend(limiter)
    assert await spend(limiter) == pytest.approx(first + 1.0, abs=0.1)


async def test_interactive_requests_pass_waiting_background_ones() -> None:
    limiter = make_limiter(4, interactive_share=0.25)
    for _ in range(3):
        await spend(limiter)
    async with anyio.create_task_group() as group:
        await started(group, partial(spend, limiter, priority="background"))
        start = anyio.current_time()
        assert (limiter.statistics.waiting, await spend(limiter), limiter.statistics.waited) == (1, start, 0)


async def test_no_waiter_wakes_while_only_reserved_tokens_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    advances = 0
    advance = QuotaLedger.advance

    def count(ledger: QuotaLedger, now: float) -> None:
        nonlocal advances
        advances += 1
        advance(ledger, now)

    monkeypatch.setattr(QuotaLedger, "advance", count)
    limiter = TokenBucketLimiter(RateLimits(2, None), interactive_share=0.5)
    first = await spend(limiter)
    assert await spend(limiter, priority="background") >= first + 1.0
    assert 0 < advances < 30


async def test_background_estimates_leave_the_reserved_share() -> None:
    limiter = make_limiter(2, interactive_share=0.5)
    await spend(limiter)
    with pytest.raises(BudgetExhaustedError) as refusal:
        await spend(limiter, priority="background", max_wait=0.5)
    assert refusal.value.retry_after == pytest.approx(1.0, abs=0.2)


async def test_a_day_share_is_reserved_for_interactive() -> None:
    limiter = make_limiter(None, 10, interactive_share=0.3)
    for _ in range(7):
        await spend(limiter, priority="background")
    with pytest.raises(BudgetExhaustedError):
        await spend(limiter, priority="background")
    await spend(limiter, max_wait=0.0)


@pytest.mark.parametrize("share", [-0.1, 1.0])
async def test_interactive_share_must_be_a_fraction(share: float) -> None:
    with pytest.raises(ValueError, match="interactive_share"):
        make_limiter(10, interactive_share=share)
