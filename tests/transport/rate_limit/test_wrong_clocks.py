"""Wall clocks that are wrong for a moment: the day's count must not be lost."""

from collections.abc import Callable
from datetime import datetime, timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.single_process_ledger import QuotaLedger
from tests.transport.doubles import wall
from tests.transport.rate_limit.doubles import DAY, spend
from tests.transport.rate_limit.test_persistence import MemoryStore

pytestmark = pytest.mark.anyio
HOUR = 3_600.0
WRONG = [25 * HOUR, -25 * HOUR, 400 * DAY, -400 * DAY, 10 * HOUR, -10 * HOUR]


def settable() -> tuple[Callable[[], datetime], Callable[[float], None]]:
    """Return a wall clock, and a function that sets it wrong by some seconds."""
    error = timedelta()

    def clock() -> datetime:
        return wall() + error

    def set_wrong(seconds: float) -> None:
        nonlocal error
        error = timedelta(seconds=seconds)

    return clock, set_wrong


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_clock_wrong_for_a_moment_loses_no_count(wrong: float) -> None:
    clock, set_wrong = settable()
    limiter = TokenBucketLimiter(RateLimits(None, 10), clock=clock)
    for _ in range(4):
        await spend(limiter)
    set_wrong(wrong)
    await spend(limiter)
    set_wrong(0.0)
    assert limiter.statistics.free_today == 5
    await anyio.sleep(DAY - 120)
    assert limiter.statistics.free_today == 5
    await anyio.sleep(240)
    assert limiter.statistics.free_today == 10


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_clock_that_stays_wrong_holds_nothing_for_longer(wrong: float) -> None:
    clock, set_wrong = settable()
    limiter = TokenBucketLimiter(RateLimits(None, 10), clock=clock)
    await spend(limiter)
    set_wrong(wrong)
    await anyio.sleep(DAY + 120)
    assert limiter.statistics.free_today == 10


@pytest.mark.parametrize("wrong", [25 * HOUR, 400 * DAY, 10 * HOUR])
async def test_a_count_saved_by_a_clock_ahead_is_restored(wrong: float) -> None:
    store = MemoryStore()
    clock, set_wrong = settable()
    async with TokenBucketLimiter(RateLimits(None, 10), store=store, clock=clock) as before:
        for _ in range(4):
            await spend(before)
        set_wrong(wrong)
    set_wrong(0.0)
    async with TokenBucketLimiter(RateLimits(None, 10), store=store, clock=clock) as after:
        assert after.statistics.free_today == 6
        await anyio.sleep(DAY + 180)
        assert after.statistics.free_today == 10


@pytest.mark.parametrize("wrong", [25 * HOUR, 400 * DAY, 10 * HOUR])
async def test_a_count_loaded_by_a_clock_ahead_is_not_lost(wrong: float) -> None:
    store = MemoryStore()
    clock, set_wrong = settable()
    async with TokenBucketLimiter(RateLimits(None, 10), store=store, clock=clock) as before:
        for _ in range(4):
            await spend(before)
    set_wrong(wrong)
    async with TokenBucketLimiter(RateLimits(None, 10), store=store, clock=clock) as after:
        await spend(after)
        set_wrong(0.0)
        assert after.statistics.free_today == 5
        await anyio.sleep(DAY - 300)
        assert after.statistics.free_today == 5
        await anyio.sleep(600)
        assert after.statistics.free_today == 10


async def test_a_restored_count_survives_a_clock_ahead() -> None:
    store = MemoryStore()
    clock, set_wrong = settable()
    async with TokenBucketLimiter(RateLimits(None, 10), store=store, clock=clock) as before:
        for _ in range(4):
            await spend(before)
    async with TokenBucketLimiter(RateLimits(None, 10), store=store, clock=clock) as after:
        set_wrong(25 * HOUR)
        assert after.statistics.free_today == 6
        set_wrong(0.0)
        assert after.statistics.free_today == 6


# ------------------------------------------------------------------------------------------------- without clocks


def loaded(minutes: str, *, saved: float, now: float, wall: float) -> QuotaLedger:
    ledger = QuotaLedger(RateLimits(None, 1_000), interactive_share=0.0)
    ledger.load(f'{{"format":1,"saved":{saved},"minutes":{minutes}}}'.encode(), now, wall)
    return ledger


def test_restored_minutes_are_placed_by_their_age() -> None:
    ledger = loaded("[[100,3],[101,4]]", saved=6_060.0, now=600_000.0, wall=6_060.0)
    assert ledger.day.minutes() == {9_999: 3, 10_000: 4}


def test_minutes_after_the_saving_are_dropped() -> None:
    ledger = loaded("[[100,3],[102,4]]", saved=6_060.0, now=600_000.0, wall=6_060.0)
    assert ledger.day.minutes() == {9_999: 3}


@pytest.mark.parametrize(("back", "moved"), [(59.0, False), (60.0, False), (61.0, True), (3_600.0, True)])
def test_restored_minutes_move_where_the_clock_was_ahead(*, back: float, moved: bool) -> None:
    ledger = loaded("[[100,3]]", saved=6_000.0, now=600_000.0, wall=12_000.0)
    assert ledger.day.minutes() == {9_900: 3}
    ledger.check_wall(600_000.0, 12_000.0 - back)
    assert (ledger.day.minutes() != {9_900: 3}) is moved
    assert ledger.day.spent == 3


def test_restored_minutes_never_become_younger_than_the_saving() -> None:
    ledger = loaded("[[100,3]]", saved=6_000.0, now=600_000.0, wall=12_000.0)
    ledger.check_wall(600_000.0, -1e9)
    assert ledger.day.minutes() == {10_000: 3}
    ledger.check_wall(600_000.0, 12_000.0)
    assert ledger.day.minutes() == {10_000: 3}


def test_a_day_after_loading_nothing_moves_any_more() -> None:
    ledger = loaded("[[100,3]]", saved=6_000.0, now=600_000.0, wall=6_000.0)
    assert ledger.has_restored
    may_move: list[bool] = []
    for later in (DAY, DAY + 1, DAY + 2):
        ledger.check_wall(600_000.0 + later, 6_000.0 + later)
        may_move.append(ledger.has_restored)
    assert may_move == [True, False, False]


@pytest.mark.parametrize("text", ["[[NaN,1]]", "[[Infinity,1]]", "[[1e999,1]]"])
def test_minutes_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        loaded(text, saved=1e9, now=0.0, wall=1e9)


def test_a_count_beyond_all_bounds_is_bounded() -> None:
    ledger = loaded(f"[[100,{10**30}]]", saved=6_000.0, now=600_000.0, wall=6_000.0)
    assert ledger.day.spent == 10**12


@pytest.mark.unmeasured
@given(
    st.lists(st.tuples(st.floats(0.0, 7_200.0), st.floats(-3 * DAY, 3 * DAY)), max_size=40),
    st.floats(-2 * DAY, 2 * DAY),
)
def test_whatever_the_clock_no_request_of_a_day_is_forgotten(steps: list[tuple[float, float]], offset: float) -> None:
    ledger = QuotaLedger(RateLimits(None, 1_000_000), interactive_share=0.0)
    now = 600_000.0
    booked: list[float] = []
    for gap, wrong in steps:
        now += gap
        ledger.advance(now)
        ledger.check_wall(now, now + offset + wrong)
        ledger.answered(now, ledger.take(now, background=False), 0.0)
        booked.append(now)
        assert ledger.day.spent >= sum(1 for at in booked if at > now - DAY)
        assert ledger.day.spent <= sum(1 for at in booked if at > now - DAY - 120)
