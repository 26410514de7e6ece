"""Waits that are too long: refusals, their messages, statistics."""

from functools import partial

import anyio
import pytest

from stellantis_hal.errors import BudgetExhaustedError
from tests.support.clocks import jump
from tests.transport.rate_limit.doubles import make_limiter, spend, started, wait_and_leave

pytestmark = pytest.mark.anyio


async def test_a_wait_longer_than_max_wait_is_refused_at_once() -> None:
    limiter = make_limiter(1)
    before = await spend(limiter)
    with pytest.raises(BudgetExhaustedError) as refusal:
        await spend(limiter, max_wait=0.5)
    assert refusal.value.retry_after == pytest.approx(1.0, abs=0.1)
    assert anyio.current_time() < before + 0.4


async def test_max_wait_may_be_less_than_a_second() -> None:
    limiter = make_limiter(1)
    first = await spend(limiter)
    await anyio.sleep(0.8)
    assert await spend(limiter, max_wait=0.5) == pytest.approx(first + 1.0, abs=0.1)


async def test_a_wait_longer_than_the_deadline_is_refused_at_once() -> None:
    limiter = make_limiter(1)
    before = await spend(limiter)
    with anyio.fail_after(0.5):
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter)
    assert anyio.current_time() < before + 0.4


async def test_a_refused_task_that_asks_again_lets_others_run() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    ran = False

    async def other() -> None:
        nonlocal ran
        ran = True

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        for _ in range(5):
            with pytest.raises(BudgetExhaustedError):
                await spend(limiter, max_wait=0.1)
        assert ran


async def test_a_waiter_is_refused_when_its_max_wait_is_over() -> None:
    limiter = make_limiter(1)
    async with anyio.create_task_group() as group, limiter.slot():  # not sent: when the token returns is unknown
        start = anyio.current_time()

        async def impatient() -> None:
            with pytest.raises(BudgetExhaustedError, match=r"Retry after [\d.]+ s, or raise max_wait"):
                await spend(limiter, max_wait=1.5)
            assert anyio.current_time() == pytest.approx(start + 1.5, abs=0.1)

        await started(group, impatient)
        await anyio.sleep(3)


async def test_a_short_max_wait_behind_a_long_one_is_honoured() -> None:
    """The timer, set for the longer wait, is brought forward."""
    limiter = make_limiter(1)
    async with anyio.create_task_group() as group, limiter.slot():
        await started(group, partial(spend, limiter, max_wait=60.0))
        start = anyio.current_time()
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter, max_wait=3.0)
        assert anyio.current_time() == pytest.approx(start + 3.0, abs=0.1)


async def test_a_waiter_is_refused_in_time_after_many_have_left() -> None:
    limiter = make_limiter(1)
    async with limiter.slot():
        await wait_and_leave(limiter, 70)
        start = anyio.current_time()
        with anyio.fail_after(30), pytest.raises(BudgetExhaustedError):
            await spend(limiter, max_wait=1.5)
        assert anyio.current_time() == pytest.approx(start + 1.5, abs=0.1)


async def test_a_waiter_that_left_is_not_refused_later() -> None:
    limiter = make_limiter(1)
    async with anyio.create_task_group() as group, limiter.slot() as slot:
        slot.sent()
        async with anyio.create_task_group() as leaving:
            await started(leaving, partial(spend, limiter, max_wait=2.0))
            leaving.cancel_scope.cancel()
        await started(group, spend, limiter)
        await anyio.sleep(5)
        slot.answered()
    assert limiter.statistics.refused == 0


@pytest.mark.parametrize("answered", [True, False])
async def test_late_waiters_are_refused_after_a_standstill(*, answered: bool) -> None:
    """The first event after a standstill of the process refuses those whose time is over."""
    limiter = make_limiter(1)

    async def impatient() -> None:
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter, max_wait=1.5)

    async with anyio.create_task_group() as group:
        async with limiter.slot() as slot:
            await started(group, impatient)
            jump(2.0)
            slot.sent()
            if answered:
                slot.answered()
        assert limiter.statistics.refused == 1


async def test_statistics_add_up() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    await spend(limiter)
    figures = limiter.statistics
    assert (figures.granted, figures.waited, figures.refused) == (2, 1, 0)
    assert figures.seconds_waited == pytest.approx(1.0, abs=0.1)
    assert figures.smallest_round_trip is not None


async def test_a_refusal_states_the_wait_and_the_wait_allowed() -> None:
    limiter = make_limiter(1)
    limiter.pause(100.0)
    said = r"^nothing was sent: paused for 1:40\. Retry after 100 s, or raise max_wait and the deadline; 0\.5 s are all"
    with pytest.raises(BudgetExhaustedError, match=said):
        await spend(limiter, max_wait=0.5)


async def test_a_refusal_states_long_waits_in_hours() -> None:
    limiter = make_limiter(1)
    limiter.pause(15_001.0, "a 429")
    said = r"paused for 4:10:01 after a 429\. Retry after 15001 s \(4:10:01 h:mm:ss\), .*; 0\.5 s are allowed\.$"
    with pytest.raises(BudgetExhaustedError, match=said):
        await spend(limiter, max_wait=0.5)


async def test_a_refusal_names_the_daily_limit() -> None:
    limiter = make_limiter(None, 1_000)
    for _ in range(900):
        await spend(limiter)
    reserved = r"daily limit of 1,000 reached \(100 of it reserved for interactive requests\)\. Retry after 864\d\d s"
    with pytest.raises(BudgetExhaustedError, match=reserved):
        await spend(limiter, priority="background")
    for _ in range(100):
        await spend(limiter)
    with pytest.raises(BudgetExhaustedError, match=r"sent: daily limit of 1,000 reached\. Retry after 864\d\d s"):
        await spend(limiter)


async def test_a_refusal_names_the_limit_per_second_and_the_queue() -> None:
    limiter = make_limiter(10)
    for _ in range(10):
        await spend(limiter)
    with pytest.raises(BudgetExhaustedError, match=r"sent: limit of 10 requests per second reached\. Retry after 1 s"):
        await spend(limiter, max_wait=0.5)
    async with anyio.create_task_group() as group:
        for _ in range(12):
            await started(group, spend, limiter)
        said = (
            r"limit of 10 requests per second reached \(1 of it reserved for interactive requests\), 12 requests queued"
        )
        with pytest.raises(BudgetExhaustedError, match=said):
            await spend(limiter, priority="background", max_wait=0.5)


async def test_waits_are_counted_and_added_up() -> None:
    limiter = make_limiter(1)
    for _ in range(3):
        await spend(limiter)
    assert limiter.statistics.waited == 2
    assert limiter.statistics.seconds_waited == pytest.approx(2.0, abs=0.1)


async def test_tokens_given_back_are_counted() -> None:
    limiter = make_limiter(1)
    for _ in range(2):
        async with limiter.slot():
            pass
    assert limiter.statistics.given_back == 2


async def test_each_refusal_is_counted() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    for _ in range(2):
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter, max_wait=0.5)
    assert limiter.statistics.refused == 2


async def test_max_wait_may_be_infinite() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    await spend(limiter, max_wait=float("inf"))
    assert limiter.statistics.waited == 1


async def test_a_refusal_estimates_when_a_response_frees_a_token() -> None:
    limiter = make_limiter(1)
    async with limiter.slot():
        with pytest.raises(BudgetExhaustedError) as at_once:
            async with limiter.slot(max_wait=0.5):
                pass
        with pytest.raises(BudgetExhaustedError) as later:
            async with limiter.slot(max_wait=1.2):
                pass
    for caught in (at_once, later):
        assert caught.value.retry_after is not None
        assert 0.0 < caught.value.retry_after < 5.0
