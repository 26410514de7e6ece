"""Slow answers: requests under way for longer than the window."""

import math
import random
from collections import deque
from collections.abc import Callable

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import NetworkError
from stellantis_hal.transport.rate_limit.burst_window import BurstWindow
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.support.profiles import deep, scenario
from tests.transport.doubles import OK, get, response_with, session, wall
from tests.transport.rate_limit.doubles import make_limiter, spend, started

pytestmark = pytest.mark.anyio
SECONDS = 60.0


async def serve_strictly(
    per_second: int, answer: Callable[[random.Random], float], late: tuple[float, float]
) -> tuple[float, int]:
    """Send by many tasks to a strict window that counts arrivals late; return the share used and the refusals."""
    chance = random.Random(5)
    window: deque[float] = deque()
    served: list[float] = []
    refused = 0

    async def respond(request: httpx.Request) -> httpx.Response:
        nonlocal refused
        await anyio.sleep(chance.uniform(*late))
        now = anyio.current_time()
        while window and window[0] <= now - 1.0:
            window.popleft()
        if len(window) >= per_second:
            refused += 1
            return response_with(429, Retry_After="1")
        window.append(now)
        served.append(now)
        await anyio.sleep(answer(chance))
        return OK

    opened, _ = session(respond, limiter=TokenBucketLimiter(RateLimits(per_second, None), clock=wall))
    start = anyio.current_time()
    async with opened:
        pipeline = opened.pipeline(max_wait=3600.0)

        async def one() -> None:
            while anyio.current_time() < start + SECONDS:
                await get(pipeline)

        async with anyio.create_task_group() as group:
            for _ in range(per_second * 70):
                group.start_soon(one)
    within = [at for at in served if at < start + SECONDS]
    return len(within) / (per_second * SECONDS), refused


def one_of(*seconds: float) -> Callable[[random.Random], float]:
    """Return a function that chooses the seconds of an answer."""
    return lambda chance: chance.choice(seconds)


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("per_second", "answer", "share"),
    [
        (10, one_of(2.0), 0.88),
        scenario(5, one_of(5.0), 0.88),
        (5, one_of(60.0), 0.88),
        scenario(10, one_of(1.0), 0.75),
        scenario(10, one_of(0.1, 2.0), 0.85),
        (10, one_of(0.05, 0.5, 4.0), 0.7),
        scenario(10, one_of(0.1, 0.5, 1.0), 0.6),
    ],
)
@pytest.mark.parametrize("late", [(0.0, 0.1), deep((0.0, 0.0)), deep((0.02, 0.03))])
async def test_slow_answers_do_not_stop_other_requests(
    per_second: int, answer: Callable[[random.Random], float], share: float, late: tuple[float, float]
) -> None:
    used, refused = await serve_strictly(per_second, answer, late)
    assert refused == 0
    assert used >= share


async def test_the_token_of_a_slow_request_returns_before_its_answer() -> None:
    limiter = make_limiter(1)
    start = anyio.current_time()
    async with limiter.slot() as slot:
        slot.sent()
        assert await spend(limiter) == pytest.approx(start + 1.105, abs=0.01)
        assert limiter.statistics.in_flight == 1
        slot.answered()
    assert limiter.statistics.in_flight == 0


async def test_a_slot_that_is_held_and_not_sent_keeps_its_token() -> None:
    limiter = make_limiter(1)
    async with limiter.slot():
        await anyio.sleep(10.0)
        assert limiter.statistics.free_this_second == 0


async def test_a_slow_request_that_was_not_sent_gives_back_once() -> None:
    """A connection that is refused after ten seconds has no token left to give back."""
    limiter = make_limiter(2)

    async def fail_late() -> None:
        async with limiter.slot() as slot:
            slot.sent()
            await anyio.sleep(10.0)
            raise NetworkError("refused", sent=False)

    with pytest.raises(NetworkError):
        await fail_late()
    assert limiter.statistics.free_this_second == 2
    assert limiter.statistics.in_flight == 0
    await spend(limiter)
    assert limiter.statistics.free_this_second == 1


async def test_a_slow_request_that_is_cancelled_has_spent_its_token() -> None:
    limiter = make_limiter(1)
    with anyio.move_on_after(5.0):
        async with limiter.slot() as slot:
            slot.sent()
            await anyio.sleep(10.0)
    assert (limiter.statistics.in_flight, limiter.statistics.free_this_second) == (0, 1)


async def test_a_waiter_is_woken_when_a_request_is_overdue() -> None:
    limiter = make_limiter(2)
    start = anyio.current_time()
    times: list[float] = []

    async def hold() -> None:
        async with limiter.slot() as slot:
            slot.sent()
            times.append(anyio.current_time() - start)
            await anyio.sleep(30.0)

    async with anyio.create_task_group() as group:
        await started(group, hold)
        await anyio.sleep(0.5)
        for _ in range(5):
            await started(group, hold)
    assert times == pytest.approx([0.0, 0.5, 1.105, 1.605, 2.21, 2.71], abs=0.02)


# ------------------------------------------------------------------------------------------------- without clocks


def send(window: BurstWindow, now: float) -> int:
    window.advance(now)
    window.take()
    return window.sent(now)


def test_a_request_is_overdue_after_the_window_and_a_guard() -> None:
    window = BurstWindow(1)
    send(window, 5.0)
    window.advance(6.104)
    assert (window.in_flight, window.overdue, window.returned) == (1, 0, 0)
    window.advance(6.106)
    assert (window.in_flight, window.overdue, window.returned) == (0, 1, 1)
    assert window.available() == 1


def test_an_overdue_answer_returns_no_second_token() -> None:
    window = BurstWindow(1)
    sending = send(window, 5.0)
    window.advance(8.0)
    window.answered(8.0, 3.0, sending)
    assert (window.in_flight, window.overdue, window.returned) == (0, 0, 1)
    assert window.available() == 1
    assert window.smallest_round_trip == 3.0


@pytest.mark.parametrize("answered", [0.1, 0.3, 0.9])
def test_an_answer_within_the_window_returns_a_window_later(answered: float) -> None:
    """However late the server has counted the request, it has done so by then."""
    window = BurstWindow(1)
    sending = send(window, 0.0)
    window.answered(answered, answered, sending)
    assert window.available_at(1, answered) == pytest.approx(answered + 1.002)


def test_the_time_of_each_token_is_known() -> None:
    window = BurstWindow(4)
    first = send(window, 0.0)
    send(window, 0.2)
    send(window, 0.3)
    last = send(window, 0.35)
    window.answered(0.36, 0.01, last)
    assert [window.available_at(count, 0.36) for count in (1, 2, 3, 4)] == pytest.approx([1.105, 1.305, 1.362, 1.405])
    window.answered(0.4, 0.4, first)
    assert [window.available_at(count, 0.4) for count in (1, 2, 3, 4)] == pytest.approx([1.305, 1.362, 1.402, 1.405])
    assert window.available_at(5, 0.4) == math.inf


def test_the_latest_token_may_be_an_answered_one() -> None:
    window = BurstWindow(2)
    window.take()
    window.answered(0.9, None)
    send(window, 0.1)
    assert window.available_at(2, 0.9) == pytest.approx(1.902)
    assert window.available_at(1, 0.9) == pytest.approx(1.205)


def test_an_estimate_counts_requests_under_way() -> None:
    window = BurstWindow(2)
    send(window, 0.0)
    send(window, 0.5)
    assert window.estimate(2, 0.5) == pytest.approx(1.605)
    assert window.estimate(3, 0.5) == pytest.approx(2.105)
    assert window.estimate(5, 0.5) == pytest.approx(3.105)


def test_an_overdue_request_given_back_is_forgotten() -> None:
    window = BurstWindow(2)
    sending = send(window, 0.0)
    window.advance(2.0)
    window.give_back(sending)
    assert (window.in_flight, window.overdue, window.taken, window.returned) == (0, 0, 1, 1)
    sending = send(window, 2.0)
    window.give_back(sending)
    assert (window.in_flight, window.overdue, window.taken, window.returned) == (0, 0, 1, 1)


@pytest.mark.unmeasured
@given(
    st.integers(1, 10),
    st.lists(st.tuples(st.floats(0.0, 0.1), st.floats(0.0, 6.0)), max_size=80),
)
def test_a_strict_window_is_kept_with_slow_answers(limit: int, trips: list[tuple[float, float]]) -> None:
    """No arrival that is counted at most 100 ms late exceeds it, and no token is lost."""
    window = BurstWindow(limit)
    under_way: list[tuple[float, float, int]] = []
    counted: list[float] = []
    now = 0.0
    waiting = deque(trips)
    while waiting or under_way:
        window.advance(now)
        while waiting and window.available() >= 1:
            late, rest = waiting.popleft()
            window.take()
            counted.append(now + late)
            under_way.append((now + late + rest, late + rest, window.sent(now)))
        events = [answer for answer, _, _ in under_way]
        if waiting:
            events.append(max(window.available_at(1, now), math.nextafter(now, math.inf)))
        now = min(events)
        for each in [each for each in under_way if each[0] <= now]:
            under_way.remove(each)
            window.advance(now)
            window.answered(now, each[1], each[2])
    counted.sort()
    assert all(later - earlier > 1.0 for earlier, later in zip(counted, counted[limit:], strict=False))
    window.advance(now + 10.0)
    assert (window.available(), window.in_flight, window.overdue) == (limit, 0, 0)
