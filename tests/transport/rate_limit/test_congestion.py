"""Congestion control: what follows a refusal, against models of servers that state no limit."""

import gc
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import BudgetExhaustedError, StellantisError
from stellantis_hal.transport.rate_limit.congestion import INITIAL_WINDOW, CongestionControl
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import REFUSAL, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from tests.support.limiting_servers import HaproxyRequestRate, LimitingServer, NginxLimitReq, SlidingWindow
from tests.support.profiles import deep, scenario
from tests.transport.doubles import OK, get, response_with, session, wall
from tests.transport.rate_limit.doubles import make_limiter, spend, started

pytestmark = pytest.mark.anyio
REFUSED = ReportedQuota(refused=True)
WARM_UP = 10.0
SECONDS = 120.0
SERVERS: dict[str, tuple[Callable[[], Callable[[float], float | None]], str | None, float]] = {
    "nginx": (lambda: NginxLimitReq(5, 5), None, 5.0),
    "nginx without delay": (lambda: NginxLimitReq(5, 5, nodelay=True), None, 5.0),
    "nginx without burst": (lambda: NginxLimitReq(5, 0), None, 5.0),
    "sliding window": (lambda: SlidingWindow(20, 10), None, 2.0),
    "sliding window with a wait": (lambda: SlidingWindow(20, 10), "1", 2.0),
    "sliding window of all requests": (lambda: SlidingWindow(20, 10, counts_refused=True), None, 2.0),
    "haproxy": (lambda: HaproxyRequestRate(8, 10), None, 0.8),
}


async def load(server: LimitingServer, limiter: TokenBucketLimiter | None, *, tasks: int) -> list[StellantisError]:
    """Send requests by tasks that each have 60 s for a request, until shortly before the end; return their errors."""
    errors: list[StellantisError] = []
    opened, _ = session(server) if limiter is None else session(server, limiter=limiter)
    start = anyio.current_time()
    async with opened:
        pipeline = opened.pipeline(max_wait=60.0)

        async def one() -> None:
            while anyio.current_time() < start + SECONDS:
                try:
                    await get(pipeline)
                except StellantisError as error:
                    errors.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(tasks):
                group.start_soon(one)
    return errors


@pytest.mark.unmeasured
@pytest.mark.parametrize("limits", [None, scenario(RateLimits(100, None))])
@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.long
async def test_an_unstated_limit_is_found_and_kept(name: str, limits: RateLimits | None) -> None:
    """At most 10 % are refused after 10 s, no task fails, and at least 80 % of what the server allows is used."""
    make, retry_after, rate = SERVERS[name]
    server = LimitingServer(make(), retry_after=retry_after)
    start = anyio.current_time()
    limiter = None if limits is None else TokenBucketLimiter(limits, clock=wall)
    assert await load(server, limiter, tasks=20) == []
    served = [at for at in server.served if start + WARM_UP <= at < start + SECONDS]
    refused = [at for at in server.refused if start + WARM_UP <= at < start + SECONDS]
    assert len(refused) <= 0.1 * (len(served) + len(refused))
    assert len(served) >= 0.8 * rate * (SECONDS - WARM_UP)


async def test_a_hundred_tasks_of_one_request_all_succeed() -> None:
    """With nginx's limit_req of 5 a second, 732 of 804 requests once met a 429, and 28 tasks failed."""
    server = LimitingServer(NginxLimitReq(5, 5))
    opened, _ = session(server)
    start = anyio.current_time()
    async with opened, anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(get, opened.pipeline(max_wait=60.0))
    assert anyio.current_time() < start + 30.0
    assert len(server.refused) <= 15


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_limit_that_is_raised_is_found() -> None:
    model = NginxLimitReq(5, 5)
    server = LimitingServer(model)
    start = anyio.current_time()

    async def raise_limit() -> None:
        await anyio.sleep(40.0)
        model.rate = 50.0
        model.burst = 50

    async with anyio.create_task_group() as group:
        group.start_soon(raise_limit)
        assert await load(server, None, tasks=20) == []
    late = [at for at in server.served if start + 100.0 <= at < start + SECONDS]
    assert len(late) > 20.0 * 20


@pytest.mark.unmeasured
@pytest.mark.parametrize("at", [38.1, deep(36.0), deep(38.8), deep(39.5), deep(40.0)])
@pytest.mark.long
async def test_a_limit_that_is_lowered_is_found(at: float) -> None:
    model = NginxLimitReq(50, 20)
    server = LimitingServer(model)
    start = anyio.current_time()

    async def lower_limit() -> None:
        await anyio.sleep(at)
        model.rate = 5.0
        model.burst = 5

    async with anyio.create_task_group() as group:
        group.start_soon(lower_limit)
        assert await load(server, None, tasks=50) == []
    refused = [at for at in server.refused if start + 60.0 <= at < start + SECONDS]
    served = [at for at in server.served if start + 60.0 <= at < start + SECONDS]
    assert len(refused) <= 0.1 * len(served)
    assert len(served) >= 0.8 * 5.0 * 60.0


@pytest.mark.parametrize("limits", [None, RateLimits(1_000, None)])
async def test_after_a_429_one_goes_first_then_two_then_four(limits: RateLimits | None) -> None:
    sent: list[float] = []

    async def respond(request: httpx.Request) -> httpx.Response:
        sent.append(anyio.current_time())
        await anyio.sleep(0.5)
        return response_with(429, Retry_After="2") if len(sent) == 1 else OK

    opened, _ = session(respond, limiter=None if limits is None else TokenBucketLimiter(limits, clock=wall))
    async with opened:
        pipeline = opened.pipeline()
        async with anyio.create_task_group() as group:
            group.start_soon(get, pipeline)
            await anyio.sleep(1.0)
            for _ in range(14):
                group.start_soon(get, pipeline)
    rounds = [sum(1 for at in sent[1:] if abs(at - sent[1] - 0.5 * turn) < 0.1) for turn in range(4)]
    assert rounds == [1, 2, 4, 8]


async def test_a_refused_request_keeps_its_place_in_the_queue() -> None:
    order: list[str] = []

    async def respond(request: httpx.Request) -> httpx.Response:
        order.append(request.url.path)
        return response_with(429, Retry_After="1") if len(order) == 1 else OK

    opened, _ = session(respond)
    async with opened:
        pipeline = opened.pipeline()
        async with anyio.create_task_group() as group:
            await started(group, get, pipeline, "/first")
            for _ in range(5):
                group.start_soon(get, pipeline, "/later")
    assert order[:2] == ["/first", "/first"] or (order.count("/first") == 2 and order.index("/later") == 1)
    assert order[order.index("/later") :].count("/later") == 5


async def test_a_refused_task_goes_first_once() -> None:
    limiter = make_limiter(1)
    order: list[str] = []
    refused = anyio.Event()

    async def one(name: str) -> None:
        await spend(limiter)
        order.append(name)

    async def refused_one() -> None:
        async with limiter.slot() as slot:
            slot.sent()
            await refused.wait()
            slot.answered(REFUSED)
        await one("refused")
        await one("next")

    async with anyio.create_task_group() as group:
        await started(group, refused_one)
        for name in ("first", "second"):
            await started(group, one, name)
        refused.set()
    assert order == ["refused", "first", "second", "next"]


@pytest.mark.long
async def test_refused_tasks_that_are_over_are_forgotten() -> None:
    """Others that get their place in memory do not go before the tasks that wait."""
    limiter = make_limiter(100)
    refused = anyio.Event()

    async def refuse_one() -> None:
        async with limiter.slot() as slot:
            slot.sent()
            await refused.wait()
            slot.answered(REFUSED)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(refuse_one)
        await anyio.wait_all_tasks_blocked()
        refused.set()
    gc.collect()
    assert len(limiter._queue._refused_tasks) == 0


async def test_a_request_marked_as_sent_twice_was_sent_first() -> None:
    limiter = make_limiter(1)
    start = anyio.current_time()
    async with limiter.slot() as slot:
        slot.sent()
        await anyio.sleep(1.0)
        slot.sent()
        assert await spend(limiter) < start + 1.2


async def test_interactive_requests_go_before_refused_background_ones() -> None:
    limiter = make_limiter(None)
    async with limiter.slot(priority="background") as slot:
        slot.sent()
        slot.answered(REFUSED)
    limiter.pause(1.0, REFUSAL)
    order: list[str] = []

    async def one(name: str, **options: str) -> None:
        await spend(limiter, **options)  # type: ignore[arg-type]  # a priority
        order.append(name)

    async with anyio.create_task_group() as group:
        await started(group, partial(one, priority="background"), "background")
        await started(group, partial(one, priority="interactive"), "interactive")
    assert order == ["interactive", "background"]


async def test_a_single_429_without_a_success_lowers_no_rate() -> None:
    opened, transport = session(response_with(429, Retry_After="1"), OK)
    async with opened:
        pipeline = opened.pipeline()
        async with anyio.create_task_group() as group:
            for _ in range(200):
                group.start_soon(get, pipeline)
    assert transport.times[-1] < transport.times[0] + 2.5


@pytest.mark.long
@pytest.mark.unmeasured
async def test_where_headers_state_the_limit_it_is_reached_again_soon() -> None:
    quota = {"X_RateLimit_Limit_2": "100", "X_RateLimit_Remaining_2": "50"}
    served = 0

    def respond(request: httpx.Request) -> httpx.Response:
        nonlocal served
        served += 1
        return response_with(429, Retry_After="1") if served == 50 else response_with(200, **quota)

    opened, transport = session(respond, limiter=TokenBucketLimiter(RateLimits(100, None), clock=wall))
    async with opened:
        pipeline = opened.pipeline()
        for _ in range(49):
            await get(pipeline)
            await anyio.sleep(1.0)
        async with anyio.create_task_group() as group:
            for _ in range(500):
                group.start_soon(get, pipeline)
    assert transport.times[-1] - transport.times[49] < 12.0


async def test_before_any_response_ten_requests_are_under_way() -> None:
    async def respond(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(0.5)
        return OK

    opened, transport = session(respond)
    async with opened, anyio.create_task_group() as group:
        pipeline = opened.pipeline()
        for _ in range(100):
            group.start_soon(get, pipeline)
        await anyio.sleep(0.4)
        assert transport.running == 10
        await anyio.sleep(0.5)
        assert transport.running == 20
    assert transport.times[-1] - transport.times[0] < 2.1


async def test_without_a_limit_a_request_that_cannot_wait_is_sent() -> None:
    limiter = make_limiter(None)
    async with anyio.create_task_group() as group:

        async def hold() -> None:
            async with limiter.slot(max_wait=0.0):
                await anyio.sleep(10.0)

        for _ in range(30):
            await started(group, hold)
        await anyio.sleep(1.0)
        assert limiter.statistics.in_flight == 30
    assert limiter.statistics.refused == 0


async def test_before_a_refusal_each_round_is_answered_first() -> None:
    """The crowd that a server meets before it refuses is what it had to count: ten, though some were served sooner."""
    sent: list[float] = []

    async def respond(request: httpx.Request) -> httpx.Response:
        sent.append(anyio.current_time())
        turn = len(sent)
        await anyio.sleep(0.01 * turn)
        return OK if turn <= 8 or turn > 10 else response_with(429, Retry_After="1")

    opened, _ = session(respond)
    async with opened, anyio.create_task_group() as group:
        pipeline = opened.pipeline()
        for _ in range(30):
            group.start_soon(get, pipeline)
    assert sum(1 for at in sent if at < sent[0] + 1.0) == 10


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("limit", [10, deep(100)])
@pytest.mark.parametrize("gap", [0.05, 0.9])
async def test_after_one_429_a_given_limit_is_reached_again_soon(limit: int, gap: float) -> None:
    served = 0

    def respond(request: httpx.Request) -> httpx.Response:
        nonlocal served
        served += 1
        return response_with(429, Retry_After="1") if served == 50 else OK

    opened, transport = session(respond, limiter=TokenBucketLimiter(RateLimits(limit, None), clock=wall))
    async with opened:
        pipeline = opened.pipeline()
        for _ in range(49):
            await get(pipeline)
            await anyio.sleep(gap)
        async with anyio.create_task_group() as group:
            for _ in range(20 * limit):
                group.start_soon(get, pipeline)
    assert transport.times[-1] - transport.times[49] < 26.0


def test_slow_responses_are_no_idle_time() -> None:
    """A round that took more than a second to be answered counts among what was served before a refusal."""
    control = CongestionControl(10)
    for _ in range(10):
        control.take(100.0)
    for _ in range(10):
        control.succeeded(103.0, 100.0, stated=math.inf)
    control.take(103.1)
    refuse(control, 103.2)
    control.succeeded(105.0, 104.9, stated=math.inf)
    assert control.rate == pytest.approx(1.5 * 10 / 5.0)


def test_a_burst_counts_as_what_a_second_serves() -> None:
    """Ten requests in half a second do not speak for a limit of 30 a second."""
    control = CongestionControl()
    for turn in range(10):
        succeed(control, 100.0 + turn / 50)
    refuse(control, 100.2)
    control.succeeded(100.7, 100.69, limit=30.0)
    assert control.rate == pytest.approx(15.0)
    control.succeeded(100.8, 100.79)
    assert control.rate == pytest.approx(15.0 + 0.3 * (20.0 - 15.0))


def test_a_given_limit_far_above_a_crowd_is_no_aim() -> None:
    """Eight requests served at once, and then a refusal, do not speak for a limit of 100 a second."""
    control = CongestionControl()
    for _ in range(8):
        succeed(control, 10.0)
    refuse(control, 10.0)
    control.succeeded(11.0, 11.0, stated=math.inf, limit=100.0)
    for turn in range(20):
        control.succeeded(11.0 + turn / 100, 11.0 + turn / 100, stated=math.inf)
    assert control.rate < 25.0


async def test_slow_responses_let_more_requests_go() -> None:
    limiter = make_limiter(None)

    async def hold() -> None:
        async with limiter.slot() as slot:
            slot.sent()
            await anyio.sleep(30.0)

    async with anyio.create_task_group() as group:
        for _ in range(70):
            group.start_soon(hold)
        await anyio.sleep(4.0)
        assert limiter.statistics.in_flight == 70


async def test_the_capacity_is_the_rate_since_a_refusal() -> None:
    limiter = make_limiter(100)
    for _ in range(20):
        await spend(limiter)
        await anyio.sleep(0.5)
    async with limiter.slot() as slot:
        slot.sent()
        slot.answered(REFUSED)
    limiter.pause(1.0, REFUSAL)
    await spend(limiter)
    assert 1.0 < limiter.capacity("interactive").per_second < 4.0
    with pytest.raises(BudgetExhaustedError, match=r"the rate is [\d.]+ requests per second since a 429"):
        async with limiter.slot(max_wait=0.01):
            pass


async def test_refusals_in_a_row_double_the_pause() -> None:
    opened, transport = session(response_with(429))
    async with opened:
        with pytest.raises(StellantisError):
            await get(opened.pipeline(max_wait=15.0))
    waits = [later - earlier for earlier, later in zip(transport.times, transport.times[1:], strict=False)]
    for wait, floor in zip(waits, [1.0, 2.0, 4.0, 4.0], strict=True):
        assert floor - 1e-6 <= wait <= floor + 0.2


# ------------------------------------------------------------------------------------------------- without clocks


def refuse(control: CongestionControl, now: float) -> None:
    control.refused(now, now)


def succeed(control: CongestionControl, now: float) -> None:
    control.take(now)
    control.succeeded(now, now, stated=math.inf)


def test_refusals_of_requests_sent_before_belong_together() -> None:
    control = CongestionControl()
    control.refused(10.0, 9.0)
    control.refused(10.5, 9.5)
    control.refused(10.6, 10.0)
    assert control.back_off(1.0) == 1.0
    control.refused(12.0, 11.0)
    assert control.back_off(1.0) == 2.0


async def test_requests_granted_before_a_refusal_belong_to_it() -> None:
    """A slot that was granted before, and sent after the refusal of another, is no second refusal."""
    limiter = make_limiter(None)
    async with limiter.slot() as first, limiter.slot() as second:
        first.sent()
        first.answered(REFUSED)
        await anyio.sleep(0.01)
        second.sent()
        await anyio.sleep(0.01)
        second.answered(REFUSED)
    limiter.pause(1.0, REFUSAL)
    assert limiter.statistics.paused_for == pytest.approx(1.0, abs=0.01)


def test_a_success_sent_before_a_refusal_opens_nothing() -> None:
    control = CongestionControl()
    refuse(control, 10.0)
    control.succeeded(10.1, 9.9, stated=math.inf)
    assert control.is_refused
    assert control.window == 1


@pytest.mark.parametrize("asked", [0.1, 0.5, 0.999])
def test_a_server_that_asks_for_less_than_a_second_is_believed(asked: float) -> None:
    control = CongestionControl()
    for now in (1.0, 2.0, 3.0):
        refuse(control, now)
        assert control.back_off(asked) == asked


@pytest.mark.parametrize(("asked", "expected"), [(1.0, [1.0, 2.0, 4.0, 4.0]), (3.0, [3.0, 3.0, 4.0, 4.0])])
def test_pauses_double_up_to_four_seconds(asked: float, expected: list[float]) -> None:
    control = CongestionControl()
    pauses: list[float] = []
    for now in (1.0, 10.0, 20.0, 30.0):
        refuse(control, now)
        pauses.append(control.back_off(asked))
    assert pauses == expected


def test_the_first_pause_decides_whether_the_server_is_believed() -> None:
    control = CongestionControl()
    pauses: list[float] = []
    for asked in (0.2, 1.0, 1.0):
        refuse(control, 10.0 * (len(pauses) + 1))
        pauses.append(control.back_off(asked))
    assert pauses == [0.2, 1.0, 1.0]


@pytest.mark.parametrize(("taken", "left"), [(2, 2), (3, 1)])
def test_a_booking_taken_back_leaves_the_round_its_place(taken: int, left: int) -> None:
    control = CongestionControl(3)
    for in_flight in range(taken):
        control.take(1.0, in_flight)
    control.give_back()
    assert [control.try_take(1.0, 3 - left + more) for more in range(left)] == [True] * left
    assert not control.try_take(1.0, 2)


@pytest.mark.parametrize(("successes", "refusals", "rate"), [(4, 1, 1.5 * 4 / 3.0), (4, 2, 1.3 * 4 / 4.0), (3, 2, 3.0)])
def test_four_successes_are_evidence(successes: int, refusals: int, rate: float) -> None:
    control = CongestionControl()
    for turn in range(successes):
        succeed(control, 100.0 + turn / 2)
    for turn in range(refusals):
        refuse(control, 102.0 + turn)
    end = 102.0 + refusals
    control.succeeded(end, end - 0.01)
    assert control.rate == pytest.approx(rate)
    assert not control.is_refused
    assert control.available_at(end, 0) == pytest.approx(end + 1 / control.rate)
    assert control.try_take(control.available_at(end, 0), 0)


def test_a_longer_wait_of_the_server_is_kept() -> None:
    control = CongestionControl()
    refuse(control, 1.0)
    refuse(control, 2.0)
    assert control.back_off(30.0) == 30.0


def rate_after(successes: int, *, gap: float, paused: float = 1.0) -> CongestionControl:
    """Return the control after some successes, a refusal, a pause and another success."""
    control = CongestionControl()
    now = 100.0
    for _ in range(successes):
        succeed(control, now)
        now += gap
    control.take(now)
    refuse(control, now)
    control.take(now + paused)
    control.succeeded(now + paused, now + paused - 0.01, stated=math.inf)
    return control


def test_the_first_rate_is_what_was_served_and_a_half() -> None:
    assert rate_after(10, gap=0.5).rate == pytest.approx(1.5 * 10 / 6.0)


@pytest.mark.parametrize(("refusals", "factor"), [(1, 1.5), (2, 1.3), (5, 1.3), (6, 1.5)])
def test_the_first_rate_is_lower_after_refusals_in_a_row(refusals: int, factor: float) -> None:
    """A few tell how long the server's window takes to empty; after many it seems to count what it refuses."""
    control = CongestionControl()
    for turn in range(10):
        succeed(control, 100.0 + turn / 2)
    for turn in range(refusals):
        refuse(control, 105.0 + turn)
    end = 105.0 + refusals
    control.succeeded(end, end - 0.01, stated=math.inf)
    assert control.rate == pytest.approx(factor * 10 / (end - 100.0))


def test_with_little_evidence_no_rate_is_set() -> None:
    assert rate_after(3, gap=0.1).rate == math.inf
    assert rate_after(4, gap=0.1).rate < math.inf


def test_refusals_soon_after_another_lower_no_rate() -> None:
    """Up to three in a row say that the server's window is full; the fourth, that the rate is too high."""
    control = rate_after(10, gap=0.5)
    rates = [control.rate]
    now = 106.0
    for _ in range(3):
        refuse(control, now)
        succeed(control, now + 1.0)
        rates.append(control.rate)
        assert control.available_at(now + 1.0, 0) == pytest.approx(now + 1.0 + 1 / control.rate)
        now += 2.0
    assert rates[:3] == [rates[0]] * 3
    assert rates[3] < rates[0]


def test_a_rate_is_paced_evenly() -> None:
    control = rate_after(10, gap=0.5)
    now = 106.0
    assert not control.allows(now, 0)
    assert control.available_at(now, 0) == pytest.approx(now + 1 / 2.5)
    assert control.available_at(now, 2) == math.inf
    assert control.estimate(now, 5) == pytest.approx(now + 1 / 2.5 + 5 / 2.5)
    control.take(now + 0.4)
    assert control.available_at(now + 0.4, 0) == pytest.approx(now + 0.8)


def test_a_late_request_delays_the_next_by_little_less() -> None:
    control = rate_after(10, gap=0.5)
    control.take(106.5)  # 0.1 s late
    assert control.available_at(106.5, 0) == pytest.approx(106.5 - 0.05 + 0.4)


def test_a_booking_taken_back_leaves_the_pace_as_it_was() -> None:
    control = rate_after(10, gap=0.5)
    before = control.available_at(106.0, 0)
    control.take(before)
    control.give_back()
    assert control.available_at(before, 0) == pytest.approx(before)
    control.take(before)
    assert control.available_at(before, 0) == pytest.approx(before + 0.4)


def test_without_a_rate_nothing_is_paced() -> None:
    control = CongestionControl()
    control.take(1.0)
    control.give_back()
    assert control.allows(1.0, 1_000)
    assert control.estimate(1.0, 1_000) == 1.0


def test_a_rate_is_forgotten_after_a_quarter_of_an_hour() -> None:
    control = rate_after(10, gap=0.5)
    succeed(control, 105.0 + 899.9)
    assert control.rate < math.inf
    succeed(control, 105.0 + 900.0)
    assert control.rate == math.inf
    assert control.allows(105.0 + 900.0, 1)


def test_the_window_is_dropped_only_before_a_refusal() -> None:
    control = CongestionControl(10)
    assert not control.allows(0.0, 10)
    assert control.lift()
    assert control.allows(0.0, 10)
    assert not control.lift()
    refuse(control, 1.0)
    assert not control.lift()
    assert control.window == 1


def test_a_window_of_64_is_the_widest() -> None:
    control = CongestionControl(63)
    control.widen()
    assert control.window == 64
    control.widen()
    assert control.window == math.inf


def test_a_stated_limit_is_the_aim_of_the_growth() -> None:
    control = CongestionControl()
    for turn in range(10):
        succeed(control, float(turn))
    refuse(control, 9.5)
    control.succeeded(11.0, 10.0, stated=100.0)
    for turn in range(20):
        control.succeeded(11.0 + turn / 100, 11.0 + turn / 100, stated=math.inf)
    assert 92.0 < control.rate < 200.0


@pytest.mark.unmeasured
@given(st.lists(st.tuples(st.floats(0.001, 30.0), st.booleans()), max_size=200))
def test_a_rate_never_stops(steps: list[tuple[float, bool]]) -> None:
    """Whatever is refused, there is a next request, at most 20 s later."""
    control = CongestionControl(INITIAL_WINDOW)
    now = 100.0
    for gap, served in steps:
        now = max(now + gap, control.available_at(now, 0))
        assert control.allows(now, 0)
        control.take(now)
        if served:
            control.succeeded(now, now, stated=math.inf)
        else:
            refuse(control, now)
        assert control.available_at(now, 0) <= now + 20.0
        assert control.window >= 1


def test_a_quota_is_equal_whether_or_not_it_refuses() -> None:
    assert ReportedQuota(burst=ReportedWindow(5, 1), refused=True) == ReportedQuota(burst=ReportedWindow(5, 1))


def played(
    admit: SlidingWindow, *, window: float = 10.0, asked: float = 1.0, latency: float = 0.25, limit: float = math.inf
) -> list[tuple[int, int, float, float]]:
    """Send as much as may be sent for a minute; return what was served and refused, rate and window, at some times."""
    control = CongestionControl(window)
    under_way: deque[tuple[float, float, bool]] = deque()  # when answered, when sent, whether served
    served = refused = 0
    paused_until = 0.0
    found: list[tuple[int, int, float, float]] = []
    for tick in range(2_401):
        now = tick / 40
        while under_way and under_way[0][0] <= now:
            _, sent_at, is_served = under_way.popleft()
            if is_served:
                control.succeeded(now, sent_at, limit=limit)
            else:
                control.refused(now, sent_at)
                paused_until = max(paused_until, now + control.back_off(asked))
        for _ in range(4):
            if now < paused_until or len(under_way) == 30 or not control.try_take(now, len(under_way)):
                break
            if tick % 7 == 3:
                control.give_back()  # a request that is not sent after all
                continue
            is_served = admit(now) is not None
            served, refused = served + is_served, refused + (not is_served)
            under_way.append((now + latency, now, is_served))
        if tick in {80, 400, 1_200, 2_400}:
            found.append((served, refused, round(control.rate, 3), control.window))
    return found


PLAYED: dict[str, tuple[dict[str, Any], list[tuple[int, int, float, float]]]] = {
    "five a second": (
        {"admits": (5, 1.0)},
        [(7, 5, 4.762, 2), (25, 6, 3.007, 13), (97, 6, 4.466, math.inf), (209, 7, 4.442, math.inf)],
    ),
    "twenty in ten seconds": (
        {"admits": (20, 10.0)},
        [(20, 11, math.inf, 1), (20, 13, math.inf, 1), (56, 14, 2.438, 17), (111, 17, 2.082, 32)],
    ),
    "twenty in ten seconds, slow": (
        {"admits": (20, 10.0), "latency": 0.6, "asked": 2.0},
        [(20, 10, math.inf, 1), (20, 12, math.inf, 1), (58, 15, 2.493, 18), (104, 18, 1.911, 21)],
    ),
    "three a second, no wait": (
        {"admits": (3, 1.0), "asked": 0.2, "latency": 0.05},
        [(6, 8, 3.51, 4), (28, 9, 3.012, 22), (83, 11, 2.977, 26), (166, 14, 2.956, 20)],
    ),
    "one in five seconds": (
        {"admits": (1, 5.0), "latency": 0.1},
        [(1, 10, math.inf, 1), (2, 12, 3.0, 1), (4, 13, 0.147, 3), (9, 13, 0.207, 8)],
    ),
    "a limit given": (
        {"admits": (8, 1.0), "window": math.inf, "limit": 10.0},
        [(10, 26, 6.761, 2), (59, 27, 7.743, 39), (196, 29, 8.001, math.inf), (394, 30, 7.51, math.inf)],
    ),
    "a limit given that is too high": (
        {"admits": (40, 20.0), "window": math.inf, "limit": 100.0, "latency": 0.1},
        [(40, 17, math.inf, 1), (40, 19, math.inf, 1), (80, 22, 5.353, 1), (112, 25, 2.072, 32)],
    ),
    "hundred a second": (
        {"admits": (100, 1.0), "latency": 0.05},
        [(111, 2, 101.789, 8), (762, 5, 96.189, math.inf), (2388, 7, 84.419, 8), (4948, 9, 99.082, 1)],
    ),
    "long pause": (
        {"admits": (10, 2.0), "asked": 9.0},
        [(10, 20, math.inf, 1), (11, 20, 1.515, 2), (54, 20, 2.698, 45), (161, 20, 4.556, math.inf)],
    ),
}


@pytest.mark.parametrize("name", PLAYED)
def test_a_minute_of_sending_goes_as_before(name: str) -> None:
    """What each constant is for, the module says; a change of one changes these figures, and is to be weighed."""
    options, expected = PLAYED[name]
    limit, span = options["admits"]
    given = {key: value for key, value in options.items() if key != "admits"}
    assert played(SlidingWindow(limit, span), **given) == expected


@pytest.mark.parametrize(
    ("successes", "active", "limit", "aim"),
    [
        (4, 2.0, 1_000.0, 1_000.0),
        (4, 1.999, 1_000.0, 2 * 4 / 2.999),
        (4, 1.0, 8.0, 8.0),
        (4, 1.0, 8.001, 2 * 4 / 2.0),
        (4, 0.5, 8.0, 8.0),
        (3, 2.0, 8.0, math.inf),
    ],
    ids=["lasting", "short", "half of the limit", "less", "in a second", "too few"],
)
def test_first_rate_aims_at_a_limit_that_was_nearly_served(
    successes: int, active: float, *, limit: float, aim: float
) -> None:
    """What was served in two seconds, or half of the limit, speaks for the limit that was given."""
    control = CongestionControl()
    for _ in range(successes):
        control.take(10.0)
        control.succeeded(10.0, 10.0)
    control.refused(10.0 + active, 10.0 + active)
    control.succeeded(11.0 + active, 10.5 + active, limit=limit)
    rate = control.rate
    control.succeeded(11.0 + active, 10.75 + active)
    assert control.rate == (math.inf if aim == math.inf else pytest.approx(rate + 0.3 * (aim - rate)))


@pytest.mark.parametrize(("since", "rate"), [(899.999, None), (900.0, math.inf)])
def test_rate_is_forgotten_after_a_quarter_of_an_hour(since: float, rate: float | None) -> None:
    control = CongestionControl()
    for _ in range(4):
        control.take(10.0)
        control.succeeded(10.0, 10.0)
    control.refused(16.0, 16.0)
    control.succeeded(17.0, 16.5)
    control.succeeded(16.0 + since, 16.75)
    assert (control.rate == math.inf) is (rate == math.inf)


def test_first_pause_after_refusals_without_one_is_kept() -> None:
    control = CongestionControl()
    control.refused(10.0, 10.0)
    control.refused(11.0, 10.5)
    assert control.back_off(1.5) == 1.5
