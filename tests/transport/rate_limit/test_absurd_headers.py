"""Headers that cannot be true: what one response states must not silence a client for long."""

import math
from functools import partial

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import BudgetExhaustedError, RateLimitedError
from stellantis_hal.transport.rate_limit.burst_window import BurstWindow
from stellantis_hal.transport.rate_limit.day_window import DayWindow
from stellantis_hal.transport.rate_limit.effective_limit import LAPSE, EffectiveLimit
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from tests.support.profiles import few_examples
from tests.transport.doubles import OK, get, response_with, session, wall
from tests.transport.rate_limit.doubles import DAY, make_limiter, spend

pytestmark = pytest.mark.anyio
ABSURD = {
    "a day of one request": ReportedQuota(day=ReportedWindow(1, 0)),
    "a day without rest": ReportedQuota(day=ReportedWindow(100_000, 0)),
    "a day of one and no word of the rest": ReportedQuota(day=ReportedWindow(1, None)),
    "a day of two": ReportedQuota(day=ReportedWindow(2, 0)),
    "less than was answered": ReportedQuota(day=ReportedWindow(3, 0)),
    "a second of one": ReportedQuota(burst=ReportedWindow(1, 0)),
    "more left than there is": ReportedQuota(day=ReportedWindow(1, 100), burst=ReportedWindow(1, 100)),
    "both windows closed": ReportedQuota(day=ReportedWindow(1, 0), burst=ReportedWindow(1, 0)),
}


@pytest.mark.parametrize("priority", ["interactive", "background"])
@pytest.mark.parametrize("limits", [None, RateLimits(100, 100_000)])
@pytest.mark.parametrize("name", ABSURD)
async def test_one_absurd_header_holds_a_quarter_of_an_hour(
    name: str, limits: RateLimits | None, priority: Priority
) -> None:
    limiter = TokenBucketLimiter(limits, clock=wall)
    await spend(limiter, quota=ABSURD[name], priority=priority)
    start = anyio.current_time()
    await spend(limiter, priority=priority, max_wait=DAY)
    assert anyio.current_time() <= start + LAPSE + 1.0
    await anyio.sleep(LAPSE)
    start = anyio.current_time()
    for _ in range(20):
        await spend(limiter, priority=priority)
    assert anyio.current_time() < start + 0.5


async def test_a_day_limit_below_what_was_answered_is_not_believed() -> None:
    limiter = make_limiter(100, 100_000)
    for _ in range(5):
        await spend(limiter)
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(5, 0)))
    assert limiter.limits.per_day == 100_000
    assert limiter.statistics.free_today == 100_000 - 6
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(7, 0)))
    assert limiter.limits.per_day == 7


@pytest.mark.parametrize("seconds", [0.0, 1.5], ids=["recent", "overdue"])
async def test_requests_under_way_do_not_count_as_answered(seconds: float) -> None:
    limiter = make_limiter(100, 100_000)
    async with limiter.slot() as first, limiter.slot() as second:
        first.sent()
        second.sent()
        await anyio.sleep(seconds)
        await spend(limiter, quota=ReportedQuota(day=ReportedWindow(1, 0)))
        assert limiter.limits.per_day == 1


async def test_after_an_absurd_limit_one_request_goes_first() -> None:
    sent: list[float] = []

    async def respond(request: httpx.Request) -> httpx.Response:
        sent.append(anyio.current_time())
        await anyio.sleep(0.5)
        return response_with(200, X_RateLimit_Limit_1="1", X_RateLimit_Remaining_1="0") if len(sent) == 1 else OK

    opened, _ = session(respond, limiter=TokenBucketLimiter(RateLimits(100, 100_000), clock=wall))
    async with opened:
        pipeline = opened.pipeline(max_wait=2 * LAPSE)
        await get(pipeline)
        async with anyio.create_task_group() as group:
            for _ in range(7):
                group.start_soon(get, pipeline)
    probe = sent[1]
    assert probe == pytest.approx(sent[0] + 0.5 + LAPSE, abs=0.1)
    assert [round((at - probe) / 0.5) for at in sent[1:]] == [0, 1, 1, 2, 2, 2, 2]


async def test_a_limit_served_twice_does_not_lapse() -> None:
    """A limit known from headers that left something, twice, is that of the subscription: it is not probed."""
    limiter = TokenBucketLimiter(clock=wall)
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(3, 2)))
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(3, 1)))
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(3, 0)))
    await anyio.sleep(4 * LAPSE)
    with pytest.raises(BudgetExhaustedError):
        await spend(limiter)
    start = anyio.current_time()
    await spend(limiter, max_wait=2 * DAY)
    assert anyio.current_time() > start + DAY - 5 * LAPSE


async def test_waiters_beyond_the_lapse_are_not_refused() -> None:
    limiter = make_limiter(100, 100_000)
    await spend(limiter, quota=ReportedQuota(day=ReportedWindow(1, 0)))
    with pytest.raises(BudgetExhaustedError, match=r"daily limit of 1 reached") as refusal:
        await spend(limiter, max_wait=LAPSE - 10)
    assert refusal.value.retry_after == pytest.approx(LAPSE, abs=1.0)
    await spend(limiter, max_wait=LAPSE + 10)


@pytest.mark.parametrize(
    "fields",
    [
        {"Retry_After": "99999999999"},
        {"Retry_After": "86400"},
        {"Retry_After": "Fri, 31 Dec 9999 23:59:59 GMT"},
        {"X_RateLimit_Reset": "9999999999"},
        {"X_RateLimit_Reset": "1772366430000"},
        {"Retry_After": "0, 1e9, 999999999"},
    ],
)
async def test_a_wait_of_years_is_tried_after_a_quarter_of_an_hour(fields: dict[str, str]) -> None:
    opened, transport = session(response_with(429, **fields), OK)
    async with opened:
        with pytest.raises(RateLimitedError) as refusal:
            await get(opened.pipeline())
        assert refusal.value.retry_after == pytest.approx(LAPSE, abs=2.0)
        await get(opened.pipeline(max_wait=DAY))
    assert transport.times[1] == pytest.approx(transport.times[0] + LAPSE, abs=2.0)


async def test_a_wait_of_less_than_a_day_is_kept() -> None:
    limiter = make_limiter(1)
    limiter.pause(DAY - 1)
    assert limiter.statistics.paused_for == pytest.approx(DAY - 1, abs=0.1)
    limiter.pause(DAY)
    assert limiter.statistics.paused_for == pytest.approx(DAY - 1, abs=0.1)


async def test_a_pause_of_a_day_is_one_of_a_quarter_of_an_hour() -> None:
    limiter = make_limiter(1)
    limiter.pause(math.inf)
    assert limiter.statistics.paused_for == pytest.approx(LAPSE, abs=0.1)


# ------------------------------------------------------------------------------------------------- without clocks


def test_an_unconfirmed_limit_lapses() -> None:
    limit = EffectiveLimit(100, None)
    limit.state(5.0, 10, sent_at=4.0, exhausted=False)
    assert (limit.value, limit.confirmed, limit.lapses_at) == (10, 100, 905.0)
    limit.lapse()
    assert (limit.value, limit.lapses_at) == (100, math.inf)


@pytest.mark.parametrize(
    ("sent_at", "exhausted", "confirmed"), [(5.0, False, 10), (4.9, False, 100), (5.0, True, 100), (6.0, False, 10)]
)
def test_a_later_request_that_is_served_confirms(sent_at: float, exhausted: bool, confirmed: int) -> None:
    limit = EffectiveLimit(100, None)
    limit.state(5.0, 10, sent_at=4.0, exhausted=False)
    limit.state(7.0, 10, sent_at=sent_at, exhausted=exhausted)
    assert limit.confirmed == confirmed
    assert limit.lapses_at == (math.inf if confirmed == 10 else 907.0)


@pytest.mark.parametrize(("remaining", "confirmed"), [(0, False), (1, True), (None, True)])
def test_a_window_confirms_no_limit_that_leaves_nothing(remaining: int | None, confirmed: bool) -> None:
    day, burst = DayWindow(100), BurstWindow(100)
    for window, correct in ((day, day.correct), (burst, partial(burst.correct, returned_at_sending=0))):
        window.advance(60.0)
        assert correct(60.0, 10, 5, sent_at=59.0)
        assert correct(61.0, 10, remaining, sent_at=61.0)
        assert correct(62.0, 10, 0, sent_at=61.0) is not confirmed
        window.advance(3_600.0)
        assert window.limit == (10 if confirmed else 100)


def test_a_clock_set_back_by_years_is_another_clock() -> None:
    window = DayWindow(100)
    window.advance(1e9)
    window.take()
    window.advance(60.0)
    assert (window.minute, window.spent, window.external, window.available()) == (1, 1, 0, 99)


def test_another_limit_is_to_be_confirmed_again() -> None:
    limit = EffectiveLimit(100, None)
    for now, stated in ((1.0, 10), (2.0, 10), (3.0, 20)):
        limit.state(now, stated, sent_at=now, exhausted=False)
    assert (limit.value, limit.confirmed, limit.lapses_at) == (20, 10, 903.0)
    limit.lapse()
    limit.state(1_000.0, 20, sent_at=999.0, exhausted=False)
    assert limit.confirmed == 10


def test_a_ceiling_bounds_what_is_confirmed() -> None:
    limit = EffectiveLimit(100, 100)
    limit.state(1.0, 500, sent_at=1.0, exhausted=False)
    assert (limit.value, limit.lapses_at) == (100, math.inf)
    limit.state(2.0, 500, sent_at=2.0, exhausted=False)
    assert limit.confirmed == 100


def test_a_limit_is_stated_for_a_quarter_of_an_hour() -> None:
    limit = EffectiveLimit(100, None)
    assert limit.stated(0.0) == math.inf
    limit.state(1.0, 10, sent_at=1.0, exhausted=False)
    assert (limit.stated(900.9), limit.stated(901.0)) == (10, math.inf)


def test_a_burst_limit_stated_once_lapses() -> None:
    window = BurstWindow(100)
    window.correct(1.0, 1, None, returned_at_sending=0, sent_at=0.5)
    assert window.advance(900.9) is False
    assert window.available() == 1
    assert window.advance(901.0) is True
    assert window.available() == 100
    assert window.stated_limit(901.0) == math.inf


def test_requests_of_others_lapse_with_the_limit() -> None:
    window = DayWindow(1_000)
    window.advance(60.0)
    window.take()
    window.correct(60.0, 500, 0, sent_at=59.0)
    assert window.available_at(1, 60.0) == 960.0
    assert window.available_at(499, 60.0) == 960.0
    assert window.available_at(999, 60.0) == 960.0
    assert window.advance(959.9) is False
    assert window.advance(960.0) is True
    assert window.available() == 999


def test_of_limit_and_others_one_may_lapse_alone() -> None:
    window = DayWindow(1_000)
    window.correct(0.0, 500, None, sent_at=0.0)
    window.correct(300.0, 500, 100, sent_at=300.0)
    assert window.advance(900.0) is False
    assert window.available() == 100
    assert window.advance(1_200.0) is True
    assert window.available() == 500
    window.correct(1_300.0, 400, 400, sent_at=1_200.0)
    assert window.advance(2_200.0) is True
    assert window.available() == 500


@pytest.mark.unmeasured
@few_examples()
@given(
    st.lists(
        st.tuples(st.floats(0.0, 2_000.0), st.integers(0, 10**15), st.none() | st.integers(0, 10**15)), max_size=30
    )
)
def test_no_header_closes_a_day_for_longer(steps: list[tuple[float, int, int | None]]) -> None:
    """Whatever is stated, a request can be sent a quarter of an hour later."""
    window = DayWindow(1_000)
    now = 0.0
    for gap, limit, remaining in steps:
        now += gap
        window.advance(now)
        window.correct(now, limit, remaining, sent_at=now - 1, in_flight=0)
        before = window.available_at(1, now)
        assert before <= now + LAPSE or window.limit <= window.spent
        if before <= now:
            window.take()
    window.advance(now + LAPSE)
    assert window.available() >= 1 or window.spent >= window.limit
