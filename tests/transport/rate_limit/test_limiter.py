"""Who may send next, on both backends, in jumped time."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.errors import BudgetExhaustedError, NetworkError
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Capacity, Priority, RateLimiter, RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota, Window
from tests.support.clocks import BACKENDS, jump, jumping
from tests.transport.doubles import wall

pytestmark = pytest.mark.anyio
DAY = 86_400.0


def limiter(per_second: int | None = None, per_day: int | None = None, **options: Any) -> TokenBucketLimiter:
    return TokenBucketLimiter(RateLimits(per_second, per_day), clock=wall, **options)


def unset() -> datetime:
    """Give the time of a machine that has none: the epoch's."""
    return datetime(1970, 1, 1, tzinfo=UTC)


async def spend(
    rates: RateLimiter, *, priority: Priority = "interactive", max_wait: float = 60.0, quota: Quota | None = None
) -> float:
    """Send one request that is answered at once; gives the time of sending."""
    async with rates.slot(priority=priority, max_wait=max_wait) as slot:
        slot.sent()
        sent = anyio.current_time()
        slot.answered(quota)
    return sent


async def fail(rates: RateLimiter, error: Exception) -> None:
    """Leave a slot by an error after sending."""
    async with rates.slot() as slot:
        slot.sent()
        raise error


def assert_in_turn(times: dict[int, float]) -> None:
    """Hold that nobody was served before somebody who came earlier, but in the same turn (trio shuffles those)."""
    latest = 0.0
    for _, time in sorted(times.items()):
        assert time > latest - 0.5
        latest = max(latest, time)


async def started(group: anyio.abc.TaskGroup, act: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> None:
    """Start a task, and let it run until it waits."""
    group.start_soon(act, *args)
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()


async def wait_and_leave(rates: RateLimiter, times: int) -> None:
    """Wait for a token and be cancelled, one after the other, so many times."""
    for _ in range(times):
        async with anyio.create_task_group() as group:
            await started(group, spend, rates)
            group.cancel_scope.cancel()


async def test_a_free_slot_costs_no_time() -> None:
    start = anyio.current_time()
    assert await spend(limiter(1)) == pytest.approx(start, abs=0.01)


async def test_the_second_window_is_waited_for() -> None:
    rates = limiter(1)
    first = await spend(rates)
    assert await spend(rates) >= first + 1.0


async def test_a_thousand_tasks_are_served_in_order() -> None:
    rates = limiter(100)
    times: dict[int, float] = {}

    async def one(number: int) -> None:
        times[number] = await spend(rates, quota=None)

    async with anyio.create_task_group() as group:
        for number in range(1000):
            await started(group, one, number)
    assert_in_turn(times)


async def test_no_second_holds_more_than_the_limit() -> None:
    rates = limiter(20)
    times: list[float] = []

    async def one() -> None:
        times.append(await spend(rates))

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(one)
    times.sort()
    assert all(later - earlier > 1.0 for earlier, later in zip(times, times[20:], strict=False))


async def test_the_day_window_follows_the_wall_clock() -> None:
    rates = limiter(None, 1)
    first = await spend(rates)
    assert await spend(rates, max_wait=2 * DAY) >= first + DAY


async def test_a_wait_longer_than_max_wait_is_refused_at_once() -> None:
    rates = limiter(1)
    before = await spend(rates)
    with pytest.raises(BudgetExhaustedError) as refusal:
        await spend(rates, max_wait=0.5)
    assert refusal.value.retry_after == pytest.approx(1.0, abs=0.1)
    assert anyio.current_time() < before + 0.4


async def test_max_wait_may_be_less_than_a_second() -> None:
    rates = limiter(1)
    first = await spend(rates)
    await anyio.sleep(0.8)
    assert await spend(rates, max_wait=0.5) == pytest.approx(first + 1.0, abs=0.1)


async def test_a_wait_longer_than_the_deadline_is_refused_at_once() -> None:
    rates = limiter(1)
    before = await spend(rates)
    with anyio.fail_after(0.5):
        with pytest.raises(BudgetExhaustedError):
            await spend(rates)
    assert anyio.current_time() < before + 0.4


async def test_a_refused_task_that_asks_again_lets_others_run() -> None:
    rates = limiter(1)
    await spend(rates)
    ran = False

    async def other() -> None:
        nonlocal ran
        ran = True

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        for _ in range(5):
            with pytest.raises(BudgetExhaustedError):
                await spend(rates, max_wait=0.1)
        assert ran


async def test_the_queue_ahead_is_part_of_the_wait() -> None:
    rates = limiter(1)
    await spend(rates)
    async with anyio.create_task_group() as group:
        await started(group, spend, rates)
        await started(group, spend, rates)
        with pytest.raises(BudgetExhaustedError) as refusal:
            await spend(rates, max_wait=1.5)
        assert refusal.value.retry_after == pytest.approx(3.0, abs=0.2)


async def test_a_waiter_is_refused_when_its_max_wait_is_over() -> None:
    rates = limiter(1)
    async with anyio.create_task_group() as group, rates.slot() as slot:
        slot.sent()  # not answered: nobody can tell when the token returns
        start = anyio.current_time()

        async def impatient() -> None:
            with pytest.raises(BudgetExhaustedError, match=r"Retry after [\d.]+ s, or raise max_wait"):
                await spend(rates, max_wait=1.5)
            assert anyio.current_time() == pytest.approx(start + 1.5, abs=0.1)

        await started(group, impatient)
        await anyio.sleep(3)


async def test_a_short_max_wait_behind_a_long_one_is_honoured() -> None:
    """The timer, set for the longer wait, is brought forward."""
    rates = limiter(1)
    async with anyio.create_task_group() as group, rates.slot() as slot:
        slot.sent()
        await started(group, partial(spend, rates, max_wait=60.0))
        start = anyio.current_time()
        with pytest.raises(BudgetExhaustedError):
            await spend(rates, max_wait=3.0)
        assert anyio.current_time() == pytest.approx(start + 3.0, abs=0.1)


async def test_a_waiter_is_refused_in_time_after_many_have_left() -> None:
    rates = limiter(1)
    async with rates.slot() as slot:
        slot.sent()
        await wait_and_leave(rates, 70)
        start = anyio.current_time()
        with anyio.fail_after(30), pytest.raises(BudgetExhaustedError):
            await spend(rates, max_wait=1.5)
        assert anyio.current_time() == pytest.approx(start + 1.5, abs=0.1)


async def test_a_waiter_that_left_is_not_refused_later() -> None:
    rates = limiter(1)
    async with anyio.create_task_group() as group, rates.slot() as slot:
        slot.sent()
        async with anyio.create_task_group() as leaving:
            await started(leaving, partial(spend, rates, max_wait=2.0))
            leaving.cancel_scope.cancel()
        await started(group, spend, rates)
        await anyio.sleep(5)
        slot.answered()
    assert rates.statistics.refused == 0


@pytest.mark.parametrize("answered", [True, False])
async def test_late_waiters_are_refused_after_a_standstill(*, answered: bool) -> None:
    """The first event after a standstill of the process refuses those whose time is over."""
    rates = limiter(1)

    async def impatient() -> None:
        with pytest.raises(BudgetExhaustedError):
            await spend(rates, max_wait=1.5)

    async with anyio.create_task_group() as group:
        async with rates.slot() as slot:
            slot.sent()
            await started(group, impatient)
            jump(2.0)
            if answered:
                slot.answered()
        assert rates.statistics.refused == 1


async def test_a_slot_left_before_sending_gives_its_token_back() -> None:
    rates = limiter(1)
    async with rates.slot():
        pass
    assert rates.statistics.free_this_second == 1
    assert rates.statistics.given_back == 1


async def test_a_token_given_back_goes_to_a_waiter() -> None:
    rates = limiter(1)
    start = anyio.current_time()
    async with anyio.create_task_group() as group, rates.slot():
        await started(group, spend, rates)
        await anyio.sleep(0.5)
    assert anyio.current_time() < start + 0.6


async def test_an_unsent_request_gives_its_token_back() -> None:
    """The slot is left by a NetworkError with sent=False."""
    rates = limiter(1)
    with pytest.raises(NetworkError):
        await fail(rates, NetworkError("refused", sent=False))
    assert rates.statistics.free_this_second == 1


async def test_a_slot_left_after_sending_has_spent_its_token() -> None:
    rates = limiter(1)
    with pytest.raises(NetworkError):
        await fail(rates, NetworkError("reset", sent=True))
    assert rates.statistics.free_this_second == 0


async def test_a_task_cancelled_after_sending_has_spent_its_token() -> None:
    rates = limiter(1)
    with anyio.move_on_after(0.1):
        async with rates.slot() as slot:
            slot.sent()
            await anyio.sleep(10)
    assert rates.statistics.free_this_second == 0
    assert rates.statistics.in_flight == 0


async def test_answering_twice_counts_once() -> None:
    rates = limiter(2)
    async with rates.slot() as slot:
        slot.sent()
        slot.answered()
        slot.answered()
    assert rates.statistics.free_this_second == 1


async def test_answered_after_leaving_the_slot_changes_nothing() -> None:
    rates = limiter(2)
    async with rates.slot() as slot:
        slot.sent()
    slot.answered()
    assert rates.statistics.in_flight == 0
    assert rates.statistics.free_this_second == 1


async def test_a_cancelled_waiter_leaves_the_queue() -> None:
    rates = limiter(1)
    await spend(rates)
    async with anyio.create_task_group() as group:
        await started(group, spend, rates)
        assert rates.statistics.waiting == 1
        group.cancel_scope.cancel()
    assert rates.statistics.waiting == 0


async def test_the_timer_is_handed_over_when_its_task_is_cancelled() -> None:
    rates = limiter(1)
    first = await spend(rates)
    served: list[float] = []

    async def other() -> None:
        served.append(await spend(rates))

    async with anyio.create_task_group() as outer, anyio.create_task_group() as keeper:
        await started(keeper, spend, rates)
        await started(outer, other)
        await started(outer, other)
        keeper.cancel_scope.cancel()
    assert len(served) == 2
    assert served[0] == pytest.approx(first + 1.0, abs=0.1)


@pytest.mark.parametrize("clock", [wall, unset])
async def test_a_waiter_cancelled_when_granted_gives_the_token_back(
    clock: Callable[[], datetime],
) -> None:
    rates = TokenBucketLimiter(RateLimits(5, None), clock=clock)
    rates.pause(1.0)
    scope = anyio.CancelScope()
    sent: list[float] = []

    async def victim() -> None:
        with scope:
            sent.append(await spend(rates))

    async def killer() -> None:
        async with rates.slot():
            scope.cancel()

    async with anyio.create_task_group() as group:
        await started(group, victim)
        await started(group, killer)
    assert rates.statistics.granted == len(sent)
    assert rates.statistics.free_this_second == 5 - len(sent)


async def test_a_wall_clock_at_the_epoch_works() -> None:
    rates = TokenBucketLimiter(RateLimits(1, 10), clock=unset)
    first = await spend(rates)
    async with rates.slot() as slot:
        slot.sent()
    assert await spend(rates) >= first + 2.0
    async with rates.slot():
        pass
    figures = rates.statistics
    assert (figures.granted, figures.given_back, figures.waited, figures.in_flight) == (3, 1, 3, 0)
    assert figures.free_today == 7
    assert figures.smallest_round_trip is not None  # an answer counted as one


async def test_the_default_clock_is_the_systems() -> None:
    assert await spend(TokenBucketLimiter()) >= 0


async def test_interactive_requests_go_before_background_ones() -> None:
    rates = limiter(1)
    await spend(rates)
    order: list[str] = []

    async def one(priority: Priority) -> None:
        await spend(rates, priority=priority)
        order.append(priority)

    async with anyio.create_task_group() as group:
        await started(group, one, "background")
        await started(group, one, "interactive")
    assert order == ["interactive", "background"]


async def test_a_burst_share_is_reserved_for_interactive() -> None:
    rates = limiter(10, interactive_share=0.3)
    for _ in range(7):
        await spend(rates, priority="background")
    with pytest.raises(BudgetExhaustedError):
        await spend(rates, priority="background", max_wait=0.0)
    await spend(rates, max_wait=0.0)


async def test_a_reserved_token_given_back_stays_reserved() -> None:
    rates = limiter(2, interactive_share=0.5)
    times: list[float] = []

    async def wait() -> None:
        times.append(await spend(rates, priority="background"))

    await spend(rates)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        await started(group, wait)
        async with rates.slot():
            pass
    assert times[0] >= start + 1.0


@pytest.mark.parametrize("priority", ["interactive", "background"])
async def test_no_request_overtakes_the_queue_after_a_standstill(priority: Priority) -> None:
    rates = limiter(1)
    await spend(rates)
    async with anyio.create_task_group() as group:
        await started(group, partial(spend, rates, priority=priority))
        jump(1.5)
        with pytest.raises(BudgetExhaustedError):
            await spend(rates, priority=priority, max_wait=0.0)


async def test_background_waits_count_the_whole_queue() -> None:
    rates = limiter(1)
    await spend(rates)
    async with anyio.create_task_group() as group:
        await started(group, spend, rates)
        group.start_soon(partial(spend, rates, priority="background"))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BudgetExhaustedError) as refusal:
            await spend(rates, priority="background", max_wait=1.5)
        assert refusal.value.retry_after == pytest.approx(3.0, abs=0.2)


async def test_interactive_waits_do_not_count_background_ones() -> None:
    rates = limiter(1)
    await spend(rates)
    async with anyio.create_task_group() as group:
        group.start_soon(partial(spend, rates, priority="background"))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BudgetExhaustedError) as refusal:
            await spend(rates, max_wait=0.5)
        assert refusal.value.retry_after == pytest.approx(1.0, abs=0.2)


async def test_a_late_background_refusal_counts_the_whole_queue() -> None:
    rates = limiter(1)
    async with anyio.create_task_group() as group, rates.slot() as slot:
        slot.sent()
        await started(group, spend, rates)
        await started(group, partial(spend, rates, priority="background"))
        with pytest.raises(BudgetExhaustedError) as refusal:
            await spend(rates, priority="background", max_wait=3.5)
        assert refusal.value.retry_after is not None
        assert refusal.value.retry_after >= 3.0


async def test_waiting_interactive_requests_use_their_share() -> None:
    rates = limiter(2, interactive_share=0.5)
    first = await spend(rates)
    await anyio.sleep(0.5)
    await spend(rates)
    assert await spend(rates) == pytest.approx(first + 1.0, abs=0.1)


async def test_no_waiter_wakes_while_only_reserved_tokens_are_left() -> None:
    readings = 0

    def clock() -> datetime:
        nonlocal readings
        readings += 1
        return wall()

    rates = TokenBucketLimiter(RateLimits(2, None), interactive_share=0.5, clock=clock)
    first = await spend(rates)
    assert await spend(rates, priority="background") >= first + 1.0
    assert readings < 30


async def test_background_estimates_leave_the_reserved_share() -> None:
    rates = limiter(2, interactive_share=0.5)
    await spend(rates)
    with pytest.raises(BudgetExhaustedError) as refusal:
        await spend(rates, priority="background", max_wait=0.5)
    assert refusal.value.retry_after == pytest.approx(1.0, abs=0.2)


async def test_a_day_share_is_reserved_for_interactive() -> None:
    rates = limiter(None, 10, interactive_share=0.3)
    for _ in range(7):
        await spend(rates, priority="background")
    with pytest.raises(BudgetExhaustedError):
        await spend(rates, priority="background")
    await spend(rates, max_wait=0.0)


@pytest.mark.parametrize("share", [-0.1, 1.0])
async def test_interactive_share_must_be_a_fraction(share: float) -> None:
    with pytest.raises(ValueError, match="interactive_share"):
        limiter(10, interactive_share=share)


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


async def test_headers_count_requests_of_other_processes() -> None:
    rates = limiter(100, 1000)
    await spend(rates, quota=Quota(day=Window(1000, 300), burst=Window(100, 40)))
    assert rates.statistics.free_today == 300
    assert rates.statistics.free_this_second == 40


async def test_given_limits_are_ceilings() -> None:
    rates = limiter(100, 1000)
    await spend(rates, quota=Quota(day=Window(5000, 4999), burst=Window(500, 499)))
    assert rates.statistics.free_today == 999
    assert rates.statistics.free_this_second == 99


async def test_default_limits_follow_headers_up_and_down() -> None:
    rates = TokenBucketLimiter(clock=wall)
    await spend(rates, quota=Quota(day=Window(200_000, 199_999), burst=Window(500, 499)))
    assert rates.statistics.free_today == 199_999
    assert rates.statistics.free_this_second == 499


async def test_a_response_during_a_wait_brings_the_timer_forward() -> None:
    rates = limiter(1)
    start = anyio.current_time()
    async with anyio.create_task_group() as group, rates.slot() as slot:
        slot.sent()
        await started(group, spend, rates)
        await started(group, spend, rates)
        await anyio.sleep(0.3)
        slot.answered()
    assert anyio.current_time() == pytest.approx(start + 0.3 + 2 * 1.002, abs=0.1)


async def test_statistics_add_up() -> None:
    rates = limiter(1)
    await spend(rates)
    await spend(rates)
    figures = rates.statistics
    assert (figures.granted, figures.waited, figures.refused) == (2, 1, 0)
    assert figures.seconds_waited == pytest.approx(1.0, abs=0.1)
    assert figures.smallest_round_trip is not None


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


async def test_a_refusal_states_the_wait_and_the_wait_allowed() -> None:
    rates = limiter(1)
    rates.pause(100.0)
    said = r"^nothing was sent: paused for 1:40\. Retry after 100 s, or raise max_wait and the deadline; 0\.5 s are all"
    with pytest.raises(BudgetExhaustedError, match=said):
        await spend(rates, max_wait=0.5)


async def test_a_refusal_states_long_waits_in_hours() -> None:
    rates = limiter(1)
    rates.pause(15_001.0, "a 429")
    said = r"paused for 4:10:01 after a 429\. Retry after 15001 s \(4:10:01 h:mm:ss\), .*; 0\.5 s are allowed\.$"
    with pytest.raises(BudgetExhaustedError, match=said):
        await spend(rates, max_wait=0.5)


async def test_a_longer_pause_keeps_its_reason() -> None:
    rates = limiter(1)
    rates.pause(3_598.0, "a 429")
    rates.pause(5.0, "a test")
    with pytest.raises(BudgetExhaustedError, match=r"paused for 59:58 after a 429\. Retry after 3598 s"):
        await spend(rates)


async def test_a_refusal_names_the_daily_limit() -> None:
    rates = limiter(None, 1_000)
    for _ in range(900):
        await spend(rates)
    reserved = r"daily limit of 1,000 reached \(100 of it reserved for interactive requests\)\. Retry after 864\d\d s"
    with pytest.raises(BudgetExhaustedError, match=reserved):
        await spend(rates, priority="background")
    for _ in range(100):
        await spend(rates)
    with pytest.raises(BudgetExhaustedError, match=r"sent: daily limit of 1,000 reached\. Retry after 864\d\d s"):
        await spend(rates)


async def test_a_refusal_names_the_limit_per_second_and_the_queue() -> None:
    rates = limiter(10)
    for _ in range(10):
        await spend(rates)
    with pytest.raises(BudgetExhaustedError, match=r"sent: limit of 10 requests per second reached\. Retry after 1 s"):
        await spend(rates, max_wait=0.5)
    async with anyio.create_task_group() as group:
        for _ in range(12):
            await started(group, spend, rates)
        said = (
            r"limit of 10 requests per second reached \(1 of it reserved for interactive requests\), 12 requests queued"
        )
        with pytest.raises(BudgetExhaustedError, match=said):
            await spend(rates, priority="background", max_wait=0.5)


async def test_limits_and_capacity_are_those_known_now() -> None:
    rates = TokenBucketLimiter(clock=wall)
    assert rates.limits == RateLimits(100, 100_000)
    await spend(rates, quota=Quota(day=Window(1_000, 500), burst=Window(10, 9)))
    assert rates.limits == RateLimits(10, 1_000)
    assert rates.capacity("interactive") == Capacity(per_second=10, per_day=1_000, free_today=500)
    assert rates.capacity("background") == Capacity(per_second=9, per_day=900, free_today=400)
    assert limiter().limits == RateLimits(None, None)
    assert limiter().capacity("background") == Capacity()


async def test_capacity_is_never_negative_and_returns_with_time() -> None:
    rates = limiter(None, 10, interactive_share=0.5)
    for _ in range(8):
        await spend(rates)
    assert rates.capacity("background") == Capacity(per_day=5, free_today=0)
    await anyio.sleep(1.1 * DAY)
    assert rates.capacity("background") == Capacity(per_day=5, free_today=5)


async def test_waits_are_counted_and_added_up() -> None:
    rates = limiter(1)
    for _ in range(3):
        await spend(rates)
    assert rates.statistics.waited == 2
    assert rates.statistics.seconds_waited == pytest.approx(2.0, abs=0.1)


async def test_tokens_given_back_are_counted() -> None:
    rates = limiter(1)
    for _ in range(2):
        async with rates.slot():
            pass
    assert rates.statistics.given_back == 2


async def test_each_refusal_is_counted() -> None:
    rates = limiter(1)
    await spend(rates)
    for _ in range(2):
        with pytest.raises(BudgetExhaustedError):
            await spend(rates, max_wait=0.5)
    assert rates.statistics.refused == 2


async def test_max_wait_may_be_infinite() -> None:
    rates = limiter(1)
    await spend(rates)
    await spend(rates, max_wait=float("inf"))
    assert rates.statistics.waited == 1


async def test_waiters_who_left_are_forgotten() -> None:
    rates = limiter(1)
    async with rates.slot() as slot:
        slot.sent()
        await wait_and_leave(rates, 200)
        assert len(rates._queue._latest) < 100


# ------------------------------------------------------------------------------------------------- laws

Act = tuple[str, float, float]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["interactive", "background", "cancelled", "unsent", "pause"]),
        st.floats(0.0, 1.5),
        st.floats(0.0, 0.4),
    ),
    max_size=40,
)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25)
@given(acts=ACTS, limit=st.integers(1, 4))
def test_tokens_are_neither_lost_nor_made(backend: str, acts: list[Act], limit: int) -> None:
    async def main() -> None:
        rates = limiter(limit, 1000, interactive_share=0.0)
        times: list[float] = []
        served: dict[str, dict[int, float]] = {"interactive": {}, "background": {}}

        async def later(scope: anyio.CancelScope, span: float) -> None:
            await anyio.sleep(span)
            scope.cancel()

        async def one(number: int, kind: str, span: float) -> None:
            priority: Priority = "background" if kind == "background" else "interactive"
            with anyio.CancelScope() as scope:
                if kind == "cancelled":
                    group.start_soon(later, scope, span)
                async with rates.slot(priority=priority, max_wait=900.0) as slot:
                    if kind == "unsent":
                        return
                    slot.sent()
                    times.append(anyio.current_time())
                    served[priority][number] = times[-1]
                    await anyio.sleep(span)
                    slot.answered()

        async with anyio.create_task_group() as group:
            for number, (kind, delay, span) in enumerate(acts):
                await anyio.sleep(delay)
                if kind == "pause":
                    rates.pause(span)
                else:
                    await started(group, one, number, kind, span)
        assert rates.statistics.in_flight == 0
        assert rates.statistics.waiting == 0
        assert rates.statistics.granted == len(times)
        assert rates.statistics.free_today == 1000 - len(times)
        assert all(later - earlier > 1.0 for earlier, later in zip(times, times[limit:], strict=False))
        for turns in served.values():
            assert_in_turn(turns)
        await anyio.sleep(2.0)
        assert rates.statistics.free_this_second == limit

    name, options = jumping(backend)
    anyio.run(main, backend=name, backend_options=dict(options))


async def test_a_refusal_estimates_when_a_response_frees_a_token() -> None:
    rates = limiter(1)
    async with rates.slot() as slot:
        slot.sent()
        with pytest.raises(BudgetExhaustedError) as at_once:
            async with rates.slot(max_wait=0.5):
                pass
        with pytest.raises(BudgetExhaustedError) as later:
            async with rates.slot(max_wait=1.2):
                pass
    for caught in (at_once, later):
        assert caught.value.retry_after is not None
        assert 0.0 < caught.value.retry_after < 5.0
