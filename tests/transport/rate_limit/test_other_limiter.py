"""A limiter of another make, through the protocol alone: clients, statistics, pacing, stale slots."""

import inspect
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import httpx
import pytest

import stellantis_hal
from stellantis_hal import HalClient
from stellantis_hal.errors import BudgetExhaustedError, StaleSlotError
from stellantis_hal.fleet import BudgetWarning, Update, watch
from stellantis_hal.hal.headers import Headers
from stellantis_hal.transport.rate_limit.protocol import Capacity, LimiterStatistics, Priority, RateLimiter, RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota
from tests.fleet.fleets import a_fleet, updates_of
from tests.support.transports import ScriptedTransport
from tests.transport.doubles import API, CONVENTIONS, Badge, get, session

pytestmark = pytest.mark.anyio
OK = httpx.Response(200, json={"vin": "x"})


class SpacingSlot:
    """A slot of :class:`SpacingLimiter`."""

    def __init__(self, limiter: "SpacingLimiter") -> None:
        self.limiter = limiter

    def sent(self) -> None:
        if self.limiter.stale > 0:
            self.limiter.stale -= 1
            raise StaleSlotError
        self.limiter.granted += 1

    def answered(self, quota: Quota | None = None) -> None:
        self.limiter.quotas.append(quota)


class SpacingLimiter:
    """At most two requests at once, a fixed time apart; it must be entered."""

    def __init__(self, interval: float = 0.5, *, per_day: int = 50_000, stale: int = 0) -> None:
        self.interval = interval
        self.per_day = per_day
        self.stale = stale
        self.entered = False
        self.granted = self.refused = self.pauses = 0
        self.next_at = -math.inf
        self.quotas: list[Quota | None] = []
        self.reasons: list[str] = []
        self.priorities: set[Priority] = set()

    async def __aenter__(self) -> Self:
        self.semaphore = anyio.Semaphore(2)
        self.entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.entered = False

    @asynccontextmanager
    async def slot(
        self, *, priority: Priority = "interactive", max_wait: float = 60.0
    ) -> AsyncGenerator[SpacingSlot, None]:
        assert self.entered
        self.priorities.add(priority)
        async with self.semaphore:
            now = anyio.current_time()
            turn = max(now, self.next_at)
            if turn - now > max_wait:
                self.refused += 1
                raise BudgetExhaustedError("not in time", retry_after=turn - now)
            self.next_at = turn + self.interval
            await anyio.sleep(turn - now)
            yield SpacingSlot(self)

    def pause(self, seconds: float, reason: str = "") -> None:
        self.pauses += 1
        self.reasons.append(reason)
        self.next_at = max(self.next_at, anyio.current_time() + seconds)

    @property
    def limits(self) -> RateLimits:
        return RateLimits(max(1, int(1 / self.interval)), self.per_day)

    def capacity(self, priority: Priority) -> Capacity:
        share = 0.5 if priority == "background" else 1.0
        return Capacity(
            per_second=share / self.interval, per_day=share * self.per_day, free_today=self.per_day - self.granted
        )

    @property
    def statistics(self) -> LimiterStatistics:
        return LimiterStatistics(
            granted=self.granted,
            given_back=0,
            refused=self.refused,
            waited=0,
            seconds_waited=0.0,
            waiting=0,
            in_flight=0,
            pauses=self.pauses,
            paused_for=0.0,
            free_this_second=None,
            free_today=self.per_day - self.granted,
            smallest_round_trip=None,
        )


def quota_response(status: int = 200, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    fields = {"X-RateLimit-Limit-1": "100", "X-RateLimit-Remaining-1": "99", **headers}
    return lambda request: httpx.Response(status, headers=fields, json={"a": 1})


# ------------------------------------------------------------------------------------------------- clients


async def test_a_generic_client_waits_for_another_limiter() -> None:
    transport = ScriptedTransport(quota_response())
    limiter: RateLimiter = SpacingLimiter()
    async with (
        limiter,
        HalClient(f"{API}/", limiter=limiter, transport=transport, conventions=CONVENTIONS) as client,
    ):
        for _ in range(3):
            await client.reread()
        assert client.limiter.statistics.granted == 3
        assert client.quota.day.remaining == 99
    first, second, third = transport.times
    assert second - first >= 0.5
    assert third - second >= 0.5


async def test_a_429_pauses_another_limiter_with_its_reason() -> None:
    limiter = SpacingLimiter(0.0)
    limiter.interval = 0.01
    opened, transport = session(quota_response(429, **{"Retry-After": "7"}), OK, limiter=limiter)
    async with limiter, opened:
        await get(opened.pipeline())
    assert transport.times[1] >= transport.times[0] + 7.0
    assert (limiter.reasons, limiter.pauses) == (["a 429"], 1)
    expected = Quota.from_headers(
        Headers({"X-RateLimit-Limit-1": "100", "X-RateLimit-Remaining-1": "99"}), CONVENTIONS.quota_headers
    )
    assert limiter.quotas == [expected, None]


async def test_the_pool_is_sized_with_another_limiter() -> None:
    opened, _ = session(OK, limiter=SpacingLimiter(0.5))
    assert opened.connections == 20


async def test_a_watch_is_paced_by_another_limiter() -> None:
    limiter = SpacingLimiter(0.05, per_day=100_000)
    async with (
        limiter,
        a_fleet(vehicles=3, accounts=1, limiter=limiter) as fleet,
        watch(*fleet.accounts, every=timedelta(minutes=5)) as updates,
    ):
        events = await updates_of(updates, 900.0)
        budget = updates.statistics.budget
    assert {event.vehicle.id for event in events if isinstance(event, Update)} == set(fleet.vehicles)
    assert (budget.per_second, budget.per_day) == (10.0, 50_000)
    assert budget.free_today > 90_000
    assert fleet.client.limiter.statistics.granted == limiter.granted > 6
    assert "background" in limiter.priorities


async def test_a_watch_warns_by_the_capacity_of_another_limiter() -> None:
    limiter = SpacingLimiter(0.05, per_day=1_000)
    async with limiter, a_fleet(vehicles=20, accounts=1, limiter=limiter) as fleet:
        with pytest.warns(BudgetWarning, match=r"20 vehicles .* the budget is 500"):
            async with watch(*fleet.accounts, every=timedelta(minutes=5)) as updates:
                await updates_of(updates, 60.0)


def test_the_package_never_asks_for_the_class_of_a_limiter() -> None:
    package = Path(stellantis_hal.__file__).parent
    asking = [path.name for path in package.rglob("*.py") if "isinstance(limiter" in path.read_text("utf-8")]
    assert asking == []


# ------------------------------------------------------------------------------------------------- stale slots


async def test_a_stale_slot_is_replaced_by_a_new_one() -> None:
    limiter = SpacingLimiter(stale=2)
    badge = Badge()
    opened, transport = session(OK, limiter=limiter)
    async with limiter, opened:
        response = await get(opened.pipeline(credentials=badge))
    assert response.status == 200
    assert (len(transport.requests), limiter.granted, limiter.stale) == (1, 1, 0)
    assert transport.requests[0].headers["authorization"] == "Bearer token-1"


async def test_a_stale_slot_is_replaced_under_httpx_auth_too() -> None:
    limiter = SpacingLimiter(stale=2)
    opened, transport = session(OK, limiter=limiter)
    async with limiter, opened:
        await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret")))
    assert len(transport.requests) == 1
    assert transport.requests[0].headers["authorization"].startswith("Basic ")


async def test_waits_for_new_slots_count_against_max_wait() -> None:
    limiter = SpacingLimiter(2.0, stale=5)
    opened, transport = session(OK, limiter=limiter)
    start = anyio.current_time()
    async with limiter, opened:
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=5.0))
    assert anyio.current_time() == pytest.approx(start + 4.0, abs=0.1)
    assert transport.requests == []


@pytest.mark.parametrize(("stale", "sent"), [(9, 1), (10, 0)])
async def test_ten_stale_slots_in_a_row_are_an_error(stale: int, sent: int) -> None:
    limiter = SpacingLimiter(0.01, stale=stale)
    opened, transport = session(OK, limiter=limiter)
    async with limiter, opened:
        if sent:
            await get(opened.pipeline())
        else:
            with pytest.raises(StaleSlotError, match="take a new one") as caught:
                await get(opened.pipeline())
            assert caught.value.retry_after == 0.0
    assert (len(transport.requests), limiter.stale) == (sent, 0)


# ------------------------------------------------------------------------------------------------- frames


async def test_seven_frames_between_fetch_and_the_transport() -> None:
    """Those of this package, from the pipeline's ``__call__`` on, with an injected transport."""
    package = str(Path(stellantis_hal.__file__).parent)
    frames: list[str] = []

    def record(request: httpx.Request) -> httpx.Response:
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_code.co_filename.startswith(package):
                frames.append(frame.f_code.co_qualname)
            frame = frame.f_back
        return OK

    opened, _ = session(record)
    async with opened:
        await get(opened.pipeline(credentials=Badge()))
    assert frames[-1] == "RequestPipeline.__call__"
    assert len(frames) <= 7, frames
