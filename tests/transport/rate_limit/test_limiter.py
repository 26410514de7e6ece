"""Token-bucket limiter: tokens, limits, slots."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.errors import NetworkError
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Capacity, Priority, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.rate_limit.sqlite import SQLiteLimiter
from tests.support.clocks import BACKENDS, jump, jumping
from tests.transport.doubles import wall
from tests.transport.rate_limit.doubles import DAY, assert_in_turn, fail, make_limiter, spend, started, unset

pytestmark = pytest.mark.anyio
Act = tuple[str, float, float]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["interactive", "background", "cancelled", "unsent", "pause"]),
        st.floats(0.0, 1.5),
        st.floats(0.0, 0.4),
    ),
    max_size=40,
)


async def test_a_free_slot_costs_no_time() -> None:
    start = anyio.current_time()
    assert await spend(make_limiter(1)) == pytest.approx(start, abs=0.01)


async def test_the_second_window_is_waited_for() -> None:
    limiter = make_limiter(1)
    first = await spend(limiter)
    assert await spend(limiter) >= first + 1.0


async def test_no_second_holds_more_than_the_limit() -> None:
    limiter = make_limiter(20)
    times: list[float] = []

    async def one() -> None:
        times.append(await spend(limiter))

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(one)
    times.sort()
    assert all(later - earlier > 1.0 for earlier, later in zip(times, times[20:], strict=False))


async def test_the_day_window_follows_the_wall_clock() -> None:
    limiter = make_limiter(None, 1)
    first = await spend(limiter)
    assert await spend(limiter, max_wait=2 * DAY) >= first + DAY


async def test_a_slot_left_before_sending_gives_its_token_back() -> None:
    limiter = make_limiter(1)
    async with limiter.slot():
        pass
    assert limiter.statistics.free_this_second == 1
    assert limiter.statistics.given_back == 1


async def test_an_unsent_request_gives_its_token_back() -> None:
    """The slot is left by a NetworkError with sent=False."""
    limiter = make_limiter(1)
    with pytest.raises(NetworkError):
        await fail(limiter, NetworkError("refused", sent=False))
    assert limiter.statistics.free_this_second == 1


async def test_a_slot_left_after_sending_has_spent_its_token() -> None:
    limiter = make_limiter(1)
    with pytest.raises(NetworkError):
        await fail(limiter, NetworkError("reset", sent=True))
    assert limiter.statistics.free_this_second == 0


async def test_a_task_cancelled_after_sending_has_spent_its_token() -> None:
    limiter = make_limiter(1)
    with anyio.move_on_after(0.1):
        async with limiter.slot() as slot:
            slot.sent()
            await anyio.sleep(10)
    assert limiter.statistics.free_this_second == 0
    assert limiter.statistics.in_flight == 0


async def test_answering_twice_counts_once() -> None:
    limiter = make_limiter(2)
    async with limiter.slot() as slot:
        slot.sent()
        slot.answered()
        slot.answered()
    assert limiter.statistics.free_this_second == 1


async def test_answered_after_leaving_the_slot_changes_nothing() -> None:
    limiter = make_limiter(2)
    async with limiter.slot() as slot:
        slot.sent()
    slot.answered()
    assert limiter.statistics.in_flight == 0
    assert limiter.statistics.free_this_second == 1


async def test_a_wall_clock_at_the_epoch_works() -> None:
    limiter = TokenBucketLimiter(RateLimits(1, 10), clock=unset)
    first = await spend(limiter)
    async with limiter.slot() as slot:
        slot.sent()
    assert await spend(limiter) >= first + 2.0
    async with limiter.slot():
        pass
    figures = limiter.statistics
    assert (figures.granted, figures.given_back, figures.waited, figures.in_flight) == (3, 1, 3, 0)
    assert figures.free_today == 7
    assert figures.smallest_round_trip is not None  # the response was measured


async def test_the_default_clock_is_the_systems() -> None:
    assert await spend(TokenBucketLimiter()) >= 0


async def test_headers_count_requests_of_other_processes() -> None:
    limiter = make_limiter(100, 1000)
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(1000, 300), burst=ReportedWindow(100, 40)))
    assert limiter.statistics.free_today == 300
    assert limiter.statistics.free_this_second == 40


async def test_given_limits_are_ceilings() -> None:
    limiter = make_limiter(100, 1000)
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(5000, 4999), burst=ReportedWindow(500, 499)))
    assert limiter.statistics.free_today == 999
    assert limiter.statistics.free_this_second == 99


async def test_default_limits_follow_headers_up_and_down() -> None:
    limiter = TokenBucketLimiter(clock=wall)
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(200_000, 199_999), burst=ReportedWindow(500, 499)))
    assert limiter.statistics.free_today == 199_999
    assert limiter.statistics.free_this_second == 499


async def test_limits_and_capacity_are_those_known_now() -> None:
    limiter = TokenBucketLimiter(clock=wall)
    assert limiter.limits == RateLimits(100, 100_000)
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(1_000, 500), burst=ReportedWindow(10, 9)))
    assert limiter.limits == RateLimits(10, 1_000)
    assert limiter.capacity("interactive") == Capacity(per_second=10, per_day=1_000, free_today=500)
    assert limiter.capacity("background") == Capacity(per_second=9, per_day=900, free_today=400)
    assert make_limiter().limits == RateLimits(None, None)
    assert make_limiter().capacity("background") == Capacity()


async def test_capacity_is_never_negative_and_returns_with_time() -> None:
    limiter = make_limiter(None, 10, interactive_share=0.5)
    for _ in range(8):
        await spend(limiter)
    assert limiter.capacity("background") == Capacity(per_day=5, free_today=0)
    await anyio.sleep(1.1 * DAY)
    assert limiter.capacity("background") == Capacity(per_day=5, free_today=5)


@pytest.mark.unmeasured
@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25)
@given(acts=ACTS, limit=st.integers(1, 4))
def test_tokens_are_neither_lost_nor_made(backend: str, acts: list[Act], limit: int) -> None:
    async def main() -> None:
        limiter = make_limiter(limit, 1000, interactive_share=0.0)
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
                async with limiter.slot(priority=priority, max_wait=900.0) as slot:
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
                    limiter.pause(span)
                else:
                    await started(group, one, number, kind, span)
        assert limiter.statistics.in_flight == 0
        assert limiter.statistics.waiting == 0
        assert limiter.statistics.granted == len(times)
        assert limiter.statistics.free_today == 1000 - len(times)
        assert all(later - earlier > 1.0 for earlier, later in zip(times, times[limit:], strict=False))
        for turns in served.values():
            assert_in_turn(turns)
        await anyio.sleep(2.0)
        assert limiter.statistics.free_this_second == limit

    name, options = jumping(backend)
    anyio.run(main, backend=name, backend_options=dict(options))


async def test_limiter_with_a_request_under_way_is_entered_again() -> None:
    limiter = make_limiter(1)
    async with limiter, limiter.slot(), limiter:
        assert limiter.statistics.in_flight == 1


async def test_statistics_of_another_thread_are_of_the_last_request() -> None:
    limiter = make_limiter(1, 10)
    await spend(limiter)
    await anyio.sleep(5.0)
    with ThreadPoolExecutor() as threads:
        elsewhere = threads.submit(lambda: limiter.statistics).result()
    assert (elsewhere.free_this_second, elsewhere.free_today) == (0, 9)
    assert limiter.statistics.free_this_second == 1


async def test_statistics_of_another_loop_are_of_the_last_request() -> None:
    """Its clock is another one, which says nothing of the limiter's tokens."""
    limiter = make_limiter(1, 10)
    await spend(limiter)

    async def read() -> list[float | None]:
        statistics = limiter.statistics
        return [statistics.free_this_second, statistics.free_today, limiter.capacity("interactive").free_today]

    with ThreadPoolExecutor() as threads:
        assert threads.submit(anyio.run, read).result() == [0, 9, 9]


def test_statistics_without_a_loop_are_of_the_last_request() -> None:
    limiter = make_limiter(2, 100)
    assert (limiter.statistics.free_this_second, limiter.capacity("background").per_day) == (2, 90)
    anyio.run(spend, limiter)
    statistics = limiter.statistics
    assert (statistics.granted, statistics.in_flight, statistics.free_today) == (1, 0, 99)
    assert limiter.capacity("interactive").free_today == 99


async def test_slots_of_the_clocks_first_minute_are_like_others() -> None:
    jump(10.0 - anyio.current_time())
    limiter = make_limiter(4, 100)
    await spend(limiter)
    async with limiter.slot():
        assert limiter.statistics.in_flight == 1
    with pytest.raises(NetworkError):
        await fail(limiter, NetworkError("refused", sent=False))
    with pytest.raises(NetworkError):
        await fail(limiter, NetworkError("no answer", sent=True))
    statistics = limiter.statistics
    assert (statistics.granted, statistics.given_back, statistics.in_flight) == (2, 2, 0)
    assert (statistics.free_this_second, statistics.free_today) == (2, 98)


@pytest.mark.parametrize("options", [{"priority": "backgruond"}, {"priority": None}, {"max_wait": math.nan}])
async def test_a_slot_of_wrong_options_is_refused(options: dict[str, Any]) -> None:
    """As interactive requests they would go before all others, or wait without a bound."""
    slots: list[Callable[..., object]] = [TokenBucketLimiter().slot, SQLiteLimiter("limits.db", "x", processes=1).slot]
    for slot in slots:
        with pytest.raises(ValueError, match="a slot takes priority="):
            slot(**options)


async def test_a_slot_that_is_not_entered_books_nothing() -> None:
    limiter = make_limiter(4, 100)
    slot: Any = limiter.slot()
    before = limiter.statistics
    slot.sent()
    slot.answered()
    assert limiter.statistics == before


async def test_an_answer_without_a_mark_of_sending_counts() -> None:
    limiter = make_limiter(1, 10)
    async with limiter.slot() as slot:
        slot.answered()
        assert (limiter.statistics.in_flight, limiter.statistics.free_this_second) == (0, 0)
    await anyio.sleep(1.002)
    assert (limiter.statistics.free_this_second, limiter.statistics.free_today) == (1, 9)
