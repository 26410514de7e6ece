"""Limiters of several processes at one ledger: slots, pauses, outages, life cycle."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal.errors import (
    BudgetExhaustedError,
    ClosedClientError,
    ConfigurationError,
    LimiterSlotExpiredError,
    NetworkError,
)
from stellantis_hal.transport.rate_limit.protocol import REFUSAL, Capacity, Priority, RateLimiter, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.rate_limit.shared_limiter import SharedLimiter
from tests.support.clocks import jumping
from tests.support.shared_ledgers import MemoryLedger
from tests.support.shared_processes import StrictWindow
from tests.transport.rate_limit.doubles import fail, spend, started

pytestmark = pytest.mark.anyio


def limiter_of(
    ledger: MemoryLedger, per_second: int | None = 10, per_day: int | None = None, **options: Any
) -> SharedLimiter:
    return SharedLimiter(ledger, RateLimits(per_second, per_day), processes=options.pop("processes", 2), **options)


@asynccontextmanager
async def entered(*limiters: SharedLimiter) -> AsyncGenerator[None]:
    """Enter limiters, and let the window pass that a new ledger waits."""
    async with AsyncExitStack() as stack:
        for limiter in limiters:
            await stack.enter_async_context(limiter)
        await anyio.sleep(1.1)
        yield


class Server:
    """A strict window that tasks send to."""

    def __init__(self, limit: int) -> None:
        self.window = StrictWindow(limit)

    async def send(self, limiter: RateLimiter, priority: Priority = "interactive") -> None:
        async with limiter.slot(priority=priority, max_wait=math.inf) as slot:
            slot.sent()
            await anyio.sleep(0.02)
            self.window.arrive(anyio.current_time())
            await anyio.sleep(0.02)
            slot.answered()

    async def load(self, limiter: RateLimiter) -> None:
        """Send until cancelled, and again what met a slot that was not used."""
        while True:
            try:
                await self.send(limiter)
            except LimiterSlotExpiredError:
                continue


async def test_limiter_of_processes_is_a_rate_limiter() -> None:
    limiter: RateLimiter = limiter_of(MemoryLedger())
    async with limiter:
        await spend(limiter)
    assert limiter.statistics.granted == 1


@pytest.mark.unmeasured
async def test_processes_share_one_window() -> None:
    ledger, server = MemoryLedger(), Server(20)
    limiters = [limiter_of(ledger, 20, processes=4) for _ in range(4)]
    start = anyio.current_time() + 1.1
    async with entered(*limiters), anyio.create_task_group() as group:
        for limiter in limiters:
            for _ in range(10):
                group.start_soon(server.load, limiter)
        await anyio.sleep(8.0)
        group.cancel_scope.cancel()
    assert server.window.refused == 0
    assert server.window.served >= 0.9 * 20 * (anyio.current_time() - start - 1)
    granted = [limiter.statistics.granted for limiter in limiters]
    assert max(granted) <= 1.3 * min(granted)


async def test_one_busy_process_uses_the_whole_window() -> None:
    ledger, server = MemoryLedger(), Server(20)
    busy, idle = limiter_of(ledger, 20), limiter_of(ledger, 20)
    async with entered(busy, idle), anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(server.load, busy)
        await anyio.sleep(5.0)
        group.cancel_scope.cancel()
    assert server.window.refused == 0
    assert server.window.served >= 80


async def test_day_is_shared_and_refuses_at_once() -> None:
    ledger = MemoryLedger()
    first, second = limiter_of(ledger, 10, 3, interactive_share=0.0), limiter_of(ledger, 10, 3, interactive_share=0.0)
    async with entered(first, second):
        await spend(first)
        await spend(second)
        await spend(second)
        for limiter in (first, second):
            with pytest.raises(BudgetExhaustedError, match="daily limit of 3 reached") as caught:
                await spend(limiter)
            assert caught.value.retry_after is not None
            assert caught.value.retry_after > 80_000
        start = anyio.current_time()
        with pytest.raises(BudgetExhaustedError):
            await spend(first)
        assert anyio.current_time() - start < 0.001
        assert first.statistics.free_today == 0


async def test_background_is_refused_by_the_share_of_the_day() -> None:
    limiter = limiter_of(MemoryLedger(), 10, 10)
    async with entered(limiter):
        for _ in range(9):
            await spend(limiter, priority="background")
        with pytest.raises(BudgetExhaustedError, match="daily limit"):
            await spend(limiter, priority="background")
        await spend(limiter)


async def test_capacity_divides_the_day_among_background_users() -> None:
    ledger = MemoryLedger()
    first, second = limiter_of(ledger, 10, 100), limiter_of(ledger, 10, 100)
    assert first.capacity("background") == Capacity(per_second=9, per_day=90, free_today=90)
    async with entered(first, second):
        await spend(first, priority="background")
        await spend(second, priority="background")
        await anyio.sleep(2.0)
        assert first.capacity("background") == Capacity(per_second=9, per_day=45, free_today=44)
        assert first.capacity("interactive") == Capacity(per_second=10, per_day=100, free_today=98)
    assert limiter_of(ledger, None, None).capacity("background") == Capacity()


async def test_pause_of_one_process_holds_for_all() -> None:
    ledger = MemoryLedger()
    first, second = limiter_of(ledger), limiter_of(ledger)
    async with entered(first, second):
        first.pause(5.0, REFUSAL)
        first.pause(0.0)
        await anyio.sleep(1.2)
        assert second.statistics.paused_for == pytest.approx(3.8, abs=0.1)
        with pytest.raises(BudgetExhaustedError, match="paused"):
            await spend(second, max_wait=2.0)
        with pytest.raises(BudgetExhaustedError, match="after a 429"):
            await spend(first, max_wait=2.0)
        start = anyio.current_time()
        assert await spend(second) >= start + 3.7
    assert first.statistics.pauses == 1


async def test_shorter_pause_shortens_nothing() -> None:
    limiter = limiter_of(MemoryLedger())
    async with entered(limiter):
        limiter.pause(10.0)
        limiter.pause(5.0)
        assert limiter.statistics.paused_for == pytest.approx(10.0, abs=0.1)


async def test_statistics_of_another_thread_are_those_of_the_turn() -> None:
    limiter = limiter_of(MemoryLedger())
    async with entered(limiter):
        limiter.pause(10.0)
        with ThreadPoolExecutor() as threads:
            statistics = threads.submit(lambda: limiter.statistics).result()
        assert statistics.paused_for == pytest.approx(10.0, abs=0.1)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_absurd_pause_is_a_quarter_of_an_hour() -> None:
    limiter = limiter_of(MemoryLedger())
    async with entered(limiter):
        limiter.pause(1e9)
        start = anyio.current_time()
        assert await spend(limiter, max_wait=math.inf) == pytest.approx(start + 900, abs=1.0)


async def test_refused_response_holds_back_at_once() -> None:
    limiter = limiter_of(MemoryLedger())
    async with entered(limiter):
        start = anyio.current_time()
        await spend(limiter, quota=ReportedQuota(refused=True))
        assert await spend(limiter) >= start + 0.1


async def test_waiting_task_is_refused_by_a_long_pause() -> None:
    limiter = limiter_of(MemoryLedger(), 1)
    async with entered(limiter), anyio.create_task_group() as group:
        await spend(limiter)
        refusals: list[BudgetExhaustedError] = []

        async def wait() -> None:
            try:
                await spend(limiter, max_wait=10.0)
            except BudgetExhaustedError as error:
                refusals.append(error)

        await started(group, wait)
        limiter.pause(100.0)
        await anyio.sleep(0.01)
        assert len(refusals) == 1


async def test_headers_lower_the_limits_of_all() -> None:
    ledger = MemoryLedger()
    first, second = limiter_of(ledger, 10, 1_000), limiter_of(ledger, 10, 1_000)
    async with entered(first, second):
        await spend(first, quota=ReportedQuota(day=ReportedWindow(500, 400), burst=ReportedWindow(5, 4)))
        await anyio.sleep(2.0)
        assert second.limits == RateLimits(5, 500)
        assert second.statistics.free_today == 400


async def test_lower_limits_of_another_process_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    first, second = limiter_of(ledger, 10, 100, processes=1), limiter_of(ledger, 4, 1_000)
    async with entered(first, second):
        await anyio.sleep(5.0)
        assert first.limits == second.limits == RateLimits(4, 100)
    messages = [record.getMessage() for record in caplog.records]
    assert sum("lower limits" in message for message in messages) == 2
    assert sum("2 processes share" in message for message in messages) == 1


async def test_impatient_and_cancelled_tasks_leave_nothing() -> None:
    limiter = limiter_of(MemoryLedger(), 1)
    async with entered(limiter), anyio.create_task_group() as group:
        await spend(limiter)
        with pytest.raises(BudgetExhaustedError):
            await spend(limiter, max_wait=0.1)
        for seconds in (0.0, 0.5, 1.0):
            await started(group, spend, limiter)
            await started(group, spend, limiter)
            await anyio.sleep(seconds)
        group.cancel_scope.cancel()
    async with entered(limiter):
        await anyio.sleep(3.0)
        assert limiter.statistics.waiting == limiter.statistics.in_flight == 0
        start = anyio.current_time()
        assert await spend(limiter) < start + 0.2


async def test_deadline_refuses_at_once() -> None:
    limiter = limiter_of(MemoryLedger(), 1)
    async with entered(limiter):
        limiter.pause(10.0)
        await anyio.sleep(0.1)
        with anyio.fail_after(5.0), pytest.raises(BudgetExhaustedError):
            await spend(limiter)


async def test_slot_that_was_not_used_returns_at_once() -> None:
    limiter = limiter_of(MemoryLedger(), 10, 100)
    async with entered(limiter):
        async with limiter.slot():
            pass
        with pytest.raises(NetworkError):
            await fail(limiter, NetworkError("refused", sent=False))
        await anyio.sleep(0.1)
        assert limiter.statistics.free_today == 100
        assert (limiter.statistics.granted, limiter.statistics.given_back) == (0, 2)
        with pytest.raises(NetworkError):
            await fail(limiter, NetworkError("broken", sent=True))
        await anyio.sleep(1.5)
        assert limiter.statistics.free_today == 99


async def test_grant_of_a_task_that_left_returns() -> None:
    ledger = MemoryLedger()
    ledger.delay = 0.5
    limiter = limiter_of(ledger, 10, 100)
    async with entered(limiter):
        for phase in range(10):  # of the exchanges that the limiter takes anyway
            await anyio.sleep(2.0 + phase / 10)
            with anyio.move_on_after(0.45):
                await spend(limiter)
        await anyio.sleep(5.0)
        statistics = limiter.statistics
        assert (statistics.granted, statistics.in_flight, statistics.free_today) == (0, 0, 100)


async def test_outdated_turn_is_taken_anew() -> None:
    """As after an exchange that the ledger takes long after its connection was given up."""
    ledger = MemoryLedger()
    limiter = limiter_of(ledger)
    async with entered(limiter):
        late = attrs.evolve(ledger.exchanges[-1], number=ledger.exchanges[-1].number + 1)
        assert ledger.ledger.take(late, round(anyio.current_time() * 1_000_000)).status == "ok"
        await spend(limiter)
        assert limiter.statistics.granted == 1


async def test_stale_slot_is_refused() -> None:
    """A process that stood still may have lost its token to another."""
    ledger = MemoryLedger()
    limiter = limiter_of(ledger, on_outage="wait")
    async with entered(limiter):
        async with limiter.slot() as slot:
            ledger.is_away = True
            await anyio.sleep(4.0)
            with pytest.raises(LimiterSlotExpiredError):
                slot.sent()
            ledger.is_away = False
        async with limiter.slot() as slot:
            await anyio.sleep(61.0)
            with pytest.raises(LimiterSlotExpiredError):
                slot.sent()


async def test_slow_response_does_not_hold_its_token() -> None:
    limiter = limiter_of(MemoryLedger(), 1)
    async with entered(limiter), limiter.slot() as slot:
        slot.sent()
        start = anyio.current_time()
        await spend(limiter)
        assert 1.0 < anyio.current_time() - start < 2.5
        slot.answered()
        slot.answered()
        slot.sent()
    assert limiter.statistics.in_flight == 0


async def test_unentered_or_left_limiter_refuses() -> None:
    limiter = limiter_of(MemoryLedger())
    with pytest.raises(ConfigurationError, match="async with limiter"):
        await spend(limiter)
    async with limiter:
        with pytest.raises(RuntimeError, match="entered already"):
            await limiter.__aenter__()
        await spend(limiter)
    with pytest.raises(ClosedClientError):
        await spend(limiter)
    async with limiter:
        await spend(limiter)
    assert limiter.statistics.granted == 2


async def test_waiting_tasks_are_refused_when_the_limiter_is_left() -> None:
    limiter = limiter_of(MemoryLedger(), 1)
    async with anyio.create_task_group() as group, entered(limiter):
        await spend(limiter)

        async def wait() -> None:
            with pytest.raises(ClosedClientError):
                await spend(limiter)

        await started(group, wait)
        await started(group, wait)


async def test_error_of_the_block_is_raised_as_it_is() -> None:
    async def fail() -> None:
        async with limiter_of(MemoryLedger()):
            raise KeyError

    with pytest.raises(KeyError):
        await fail()


async def test_cancelled_block_takes_its_leave() -> None:
    ledger = MemoryLedger()
    with anyio.move_on_after(2.0):
        async with limiter_of(ledger):
            await anyio.sleep_forever()
    assert ledger.exchanges[-1].leaving


@pytest.mark.parametrize("anyio_backend", [jumping("asyncio")], ids=["asyncio"])
async def test_natively_cancelled_block_takes_its_leave() -> None:
    ledger = MemoryLedger()

    async def hold() -> None:
        async with limiter_of(ledger) as limiter:
            await spend(limiter)
            await asyncio.sleep(100)

    task = asyncio.create_task(hold())
    await asyncio.sleep(1.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ledger.exchanges[-1].leaving


async def test_failed_enter_of_the_ledger_leaves_the_limiter_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger)

    async def fail(self: MemoryLedger) -> MemoryLedger:
        raise ConfigurationError("not installed")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryLedger, "__aenter__", fail)
        with pytest.raises(ConfigurationError):
            await limiter.__aenter__()
    async with limiter:
        await spend(limiter)


async def test_limiter_takes_its_leave_once() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger)
    async with entered(limiter):
        pass
    await limiter.__aexit__(None, None, None)
    assert [exchange.leaving for exchange in ledger.exchanges].count(True) == 1


# ------------------------------------------------------------------------------------------------- outages


async def test_ledger_that_goes_away_while_the_limiter_is_left() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger)
    refusals: list[ClosedClientError] = []

    async def wait() -> None:
        try:
            await spend(limiter)
        except ClosedClientError as error:
            refusals.append(error)

    async with anyio.create_task_group() as group, entered(limiter):
        ledger.is_away = ledger.is_deaf = True
        ledger.silence = 1.0
        await started(group, wait)
        await anyio.sleep(0.5)
    assert limiter.is_away
    assert len(refusals) == 1


async def test_cut_calls_cost_nothing() -> None:
    ledger, server = MemoryLedger(), Server(10)
    limiter = limiter_of(ledger, 10, 100)
    async with entered(limiter), anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(server.load, limiter)
        for _ in range(20):
            ledger.cuts = 2
            await anyio.sleep(0.2)
        group.cancel_scope.cancel()
    assert server.window.refused == 0
    assert not limiter.is_away
    assert server.window.served >= 30


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("silence", [0.0, 1.0])
async def test_share_is_used_in_an_outage(silence: float, caplog: pytest.LogCaptureFixture) -> None:
    """No request is refused in it, before it and after it, and a part of the window is used in it."""
    ledger, server = MemoryLedger(), Server(20)
    ledger.silence = silence
    limiters = [limiter_of(ledger, 20, 10_000, processes=4) for _ in range(4)]
    async with entered(*limiters), anyio.create_task_group() as group:
        for limiter in limiters:
            for _ in range(10):
                group.start_soon(server.load, limiter)
        await anyio.sleep(2.0)
        ledger.is_away = True
        await anyio.sleep(4.0)
        assert all(limiter.is_away for limiter in limiters)
        before = server.window.served
        await anyio.sleep(4.0)
        assert server.window.served - before > 50
        ledger.is_away = False
        await anyio.sleep(3.0)
        assert not any(limiter.is_away for limiter in limiters)
        before = server.window.served
        await anyio.sleep(4.0)
        assert server.window.served - before > 70
        group.cancel_scope.cancel()
    assert server.window.refused == 0
    statistics = [limiter.statistics for limiter in limiters]
    assert sum("is away" in record.getMessage() for record in caplog.records) == 4
    assert statistics[0].free_today is not None


@pytest.mark.parametrize(("outages", "free"), [(1, 93), (2, 87)])
async def test_day_of_an_outage_is_booked(outages: int, free: int) -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger, 10, 100, processes=1)
    async with entered(limiter):
        await spend(limiter)
        for _ in range(outages):
            ledger.is_away = True
            await anyio.sleep(1.5)
            for _ in range(5):
                await spend(limiter)
            ledger.is_away = False
            await anyio.sleep(3.0)
            await spend(limiter)
        await anyio.sleep(2.0)
        assert limiter.statistics.free_today == free


async def test_pause_of_an_outage_is_handed_in_after_it(caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    first, second = limiter_of(ledger), limiter_of(ledger)
    async with entered(first, second):
        ledger.is_away = True
        await anyio.sleep(1.5)
        first.pause(20.0)
        ledger.is_away = False
        await anyio.sleep(3.0)
        assert not first.is_away
        assert second.statistics.paused_for == pytest.approx(17.0, abs=0.5)
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("the limiter's ledger is back after 0.603 s") == 2


async def test_day_is_divided_in_an_outage() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger, 10, 4, interactive_share=0.0)
    async with entered(limiter):
        await spend(limiter)
        ledger.is_away = True
        await anyio.sleep(1.5)
        await spend(limiter)
        with pytest.raises(BudgetExhaustedError, match="daily limit"):
            await spend(limiter)


@pytest.mark.unmeasured
async def test_lost_state_restores_the_day(caplog: pytest.LogCaptureFixture) -> None:
    from stellantis_hal.transport.rate_limit.shared_ledger import SharedLedger

    ledger = MemoryLedger()
    limiters = [limiter_of(ledger, 10, 100) for _ in range(2)]
    async with entered(*limiters):
        for limiter in limiters:
            for _ in range(5):
                await spend(limiter)
        await anyio.sleep(150.0)
        ledger.ledger = SharedLedger()
        await anyio.sleep(3.0)
        assert [limiter.statistics.free_today for limiter in limiters] == [90, 90]
    assert sum("lost the state" in record.getMessage() for record in caplog.records) >= 1


async def test_fewer_requests_than_processes_are_spread_in_an_outage() -> None:
    ledger, server = MemoryLedger(), Server(2)
    limiters = [limiter_of(ledger, 2, processes=4) for _ in range(4)]
    async with entered(*limiters), anyio.create_task_group() as group:
        for limiter in limiters:
            group.start_soon(server.load, limiter)
        ledger.is_away = True
        await anyio.sleep(12.0)
        ledger.is_away = False
        await anyio.sleep(5.0)
        group.cancel_scope.cancel()
    assert server.window.refused == 0
    assert server.window.served > 15


async def test_refuse_refuses_at_once_in_an_outage() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger, 1, on_outage="refuse")
    async with entered(limiter), anyio.create_task_group() as group:
        await spend(limiter)

        async def wait() -> None:
            with pytest.raises(BudgetExhaustedError, match="the ledger of the test"):
                await spend(limiter)

        await started(group, wait)
        ledger.is_away = True
        await anyio.sleep(1.5)
        with pytest.raises(BudgetExhaustedError, match="refuse"):
            await spend(limiter)
        ledger.is_away = False
        await anyio.sleep(3.0)
        await spend(limiter)


async def test_wait_waits_in_an_outage() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger, on_outage="wait")
    async with entered(limiter), anyio.create_task_group() as group:
        ledger.is_away = True
        await anyio.sleep(1.5)
        with pytest.raises(BudgetExhaustedError, match="has been away"):
            await spend(limiter, max_wait=2.0)
        start = anyio.current_time()

        async def wait() -> None:
            assert await spend(limiter) > start + 5.0

        group.start_soon(wait)
        await anyio.sleep(5.0)
        ledger.is_away = False


async def test_ledger_that_is_away_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """An exchange that fails when the ledger was reached again leaves the share in force."""
    caplog.set_level(logging.CRITICAL, logger="stellantis_hal")
    ledger = MemoryLedger()
    for on_outage in ("share", "wait"):
        limiter = limiter_of(ledger, 10, 100, on_outage=on_outage)
        async with entered(limiter):
            await spend(limiter)
            ledger.is_away = True
            await anyio.sleep(3.0)
            ledger.is_away = False
            ledger.cuts = 3
            await anyio.sleep(3.0)
            assert not limiter.is_away
            await spend(limiter)
            await anyio.sleep(1.5)
        ledger.is_away = False


async def test_ledger_that_is_away_at_the_start() -> None:
    ledger = MemoryLedger()
    ledger.is_away = True
    limiter = limiter_of(ledger, 10, 100)
    async with entered(limiter):
        await spend(limiter)
        assert limiter.is_away
        assert limiter.limits == RateLimits(10, 100)
    assert ledger.exchanges == []


def test_statistics_need_no_event_loop() -> None:
    limiter = limiter_of(MemoryLedger())
    statistics = limiter.statistics
    assert (statistics.free_this_second, statistics.free_today, statistics.smallest_round_trip) == (None, None, None)
    assert limiter.limits == RateLimits(10, None)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"processes": 0}, ValueError),
        ({"processes": True}, TypeError),
        ({"processes": 2.0}, TypeError),
        ({"on_outage": "open"}, ValueError),
        ({"interactive_share": 1.0}, ValueError),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        limiter_of(MemoryLedger(), **options)
