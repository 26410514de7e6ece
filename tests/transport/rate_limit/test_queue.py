"""The queue: order, cancellation, the shared timer."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from stellantis_hal.errors import BudgetExhaustedError, ConfigurationError
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.persistence import FileLimiterStore
from stellantis_hal.transport.rate_limit.protocol import LimiterStatistics, Priority, RateLimits
from tests.support.clocks import jump
from tests.transport.doubles import wall
from tests.transport.rate_limit.doubles import assert_in_turn, make_limiter, spend, started, unset, wait_and_leave

pytestmark = pytest.mark.anyio


@pytest.mark.unmeasured
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


@pytest.mark.parametrize(
    ("clock", "start"), [(wall, None), (unset, None), (wall, 10.0)], ids=["wall", "unset", "early"]
)
async def test_a_waiter_cancelled_when_granted_gives_the_token_back(
    clock: Callable[[], datetime], start: float | None
) -> None:
    """Also in the first minute of the event loop's clock."""
    if start is not None:
        jump(start - anyio.current_time())
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


async def test_no_request_overtakes_who_stays_when_another_leaves() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    async with anyio.create_task_group() as group:
        await started(group, spend, limiter)
        await wait_and_leave(limiter, 1)
        jump(1.5)
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter, max_wait=0.0)


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


async def refusal(limiter: TokenBucketLimiter, **options: Any) -> BudgetExhaustedError:
    with pytest.raises(BudgetExhaustedError) as caught:
        await spend(limiter, **options)
    return caught.value


@pytest.mark.parametrize(
    ("pause", "max_wait", "message"),
    [
        (20.0, 5.0, "paused for 0:20. Retry after 20 s, or raise max_wait and the deadline; 5 s are allowed."),
        (20.0, -1.0, "paused for 0:20. Retry after 20 s, or raise max_wait and the deadline; 0 s are allowed."),
        (599.4, 0.0, "paused for 9:59. Retry after 599 s, or raise max_wait and the deadline; 0 s are allowed."),
        (
            600.0,
            0.25,
            (
                "paused for 10:00. Retry after 600 s (0:10:00 h:mm:ss), or raise max_wait and the deadline; 0.25 s are "
                "allowed."
            ),
        ),
    ],
    ids=["seconds", "negative", "just seconds", "minutes"],
)
async def test_a_refusal_says_how_long_to_wait(pause: float, max_wait: float, message: str) -> None:
    limiter = make_limiter(10)
    limiter.pause(pause)
    error = await refusal(limiter, max_wait=max_wait)
    assert str(error) == f"nothing was sent: {message}"
    assert error.retry_after == pytest.approx(pause)
    assert limiter.statistics.refused == 1


async def test_a_refusal_names_what_is_ahead() -> None:
    """Background requests wait for all of them, interactive ones for their like."""
    limiter = make_limiter(1)
    await spend(limiter)
    async with anyio.create_task_group() as group:
        await started(group, spend, limiter)
        await started(group, partial(spend, limiter, priority="background"))
        for priority, ahead, wait in (("interactive", "1 request", 2.0), ("background", "2 requests", 3.0)):
            error = await refusal(limiter, priority=priority, max_wait=1.5)
            assert str(error).startswith(
                f"nothing was sent: limit of 1 requests per second reached, {ahead} queued ahead. Retry after "
            )
            assert error.retry_after == pytest.approx(wait, abs=0.1)


async def test_a_waiter_is_refused_with_the_rest_of_a_pause() -> None:
    limiter = make_limiter(1)
    await spend(limiter)
    found: list[str] = []

    async def wait(max_wait: float) -> None:
        try:
            await spend(limiter, max_wait=max_wait)
        except BudgetExhaustedError as error:
            found.append(str(error))

    async with anyio.create_task_group() as group:
        await started(group, wait, 10.0)
        await started(group, partial(wait, 100.0))
        limiter.pause(30.0, "a fault")
        await anyio.sleep(0.1)
        said = "paused for 0:30 after a fault. Retry after 30 s, or raise max_wait and the deadline."
        assert found == [f"nothing was sent: {said}"]
        assert limiter.statistics.waiting == 1


async def test_statistics_count_what_happened() -> None:
    limiter = make_limiter(2, 100)
    assert limiter.statistics == LimiterStatistics(
        granted=0,
        given_back=0,
        refused=0,
        waited=0,
        seconds_waited=0.0,
        waiting=0,
        in_flight=0,
        pauses=0,
        paused_for=0.0,
        free_this_second=2,
        free_today=100,
        smallest_round_trip=None,
    )
    for _ in range(3):
        await spend(limiter)
    async with limiter.slot():
        assert (limiter.statistics.in_flight, limiter.statistics.free_this_second) == (1, 0)
    limiter.pause(2.0)
    limiter.pause(1.0)
    found = limiter.statistics
    assert (found.granted, found.given_back, found.waited, found.pauses) == (3, 1, 1, 2)
    assert found.seconds_waited == pytest.approx(1.0, abs=0.1)
    assert found.paused_for == pytest.approx(2.0, abs=0.01)
    assert (found.in_flight, found.free_today, found.waiting) == (0, 97, 0)


async def test_without_limits_nothing_is_counted_as_free() -> None:
    statistics = make_limiter().statistics
    assert (statistics.free_this_second, statistics.free_today) == (None, None)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_is_less_than_the_whole(share: float) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        make_limiter(1, interactive_share=share)
    assert str(caught.value) == (f"interactive_share must be at least 0 and less than 1, for example 0.1, not {share}")
    make_limiter(1, interactive_share=0.0)


async def test_a_limiter_with_a_store_says_how_it_is_entered(tmp_path: Path) -> None:
    limiter = make_limiter(1, store=FileLimiterStore(tmp_path / "limiter.json"))
    with pytest.raises(ConfigurationError) as caught:
        await spend(limiter)
    assert str(caught.value) == (
        "nothing was sent: this limiter has a store and is not entered, so its count would be lost. Write "
        "`async with TokenBucketLimiter(limits, store=store) as limiter:` around the clients that use it."
    )
