"""Token-bucket limiter: tokens, limits, slots."""

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.errors import NetworkError
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Capacity, Priority, RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota, Window
from tests.support.clocks import BACKENDS, jumping
from tests.transport.doubles import wall
from tests.transport.rate_limit.doubles import DAY, assert_in_turn, fail, limiter, spend, started, unset

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
    assert await spend(limiter(1)) == pytest.approx(start, abs=0.01)


async def test_the_second_window_is_waited_for() -> None:
    rates = limiter(1)
    first = await spend(rates)
    assert await spend(rates) >= first + 1.0


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


async def test_a_slot_left_before_sending_gives_its_token_back() -> None:
    rates = limiter(1)
    async with rates.slot():
        pass
    assert rates.statistics.free_this_second == 1
    assert rates.statistics.given_back == 1


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
