"""What a process does with replies of a shared ledger: estimates, refusals and warnings, word for word."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal.errors import BudgetExhaustedError, ClosedClientError, ConfigurationError, LimiterSlotExpiredError
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.transport.rate_limit.fallback_ledger import FixedShareLedger, share_of
from stellantis_hal.transport.rate_limit.ledger_client import OnOutage
from stellantis_hal.transport.rate_limit.protocol import REFUSAL, Capacity, Priority, RateLimiter, RateLimits
from stellantis_hal.transport.rate_limit.shared_ledger import SECOND, LedgerReply, LedgerRequest, ScheduledTokenReturn
from stellantis_hal.transport.rate_limit.shared_limiter import SharedLimiter
from tests.support.shared_ledgers import MemoryLedger
from tests.transport.rate_limit.doubles import make_limiter, spend, started

pytestmark = pytest.mark.anyio

OK = LedgerReply(epoch="1", per_second=4, per_day=100, agreed_per_second=4, agreed_per_day=100, free=4, day_free=50)
AWAY = "the ledger of the test has been away for"


class Answering(MemoryLedger):
    """A ledger that answers as it is told; it grants nothing."""

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.reply = attrs.evolve(OK, **values)

    async def take(self, exchange: LedgerRequest) -> LedgerReply:
        await self.check()
        self.exchanges.append(exchange)
        wanted = exchange.interactive + exchange.background
        return attrs.evolve(self.reply, again_in=10 * SECOND if wanted else -1)


def limiter_of(ledger: MemoryLedger, **options: Any) -> SharedLimiter:
    return SharedLimiter(ledger, RateLimits(4, 100), processes=options.pop("processes", 2), **options)


async def refusal(limiter: SharedLimiter, *, max_wait: float = 0.0, priority: Priority = "interactive") -> str:
    """Return the refusal of a request, and check the wait that it states."""
    with pytest.raises(BudgetExhaustedError) as caught:
        await spend(limiter, priority=priority, max_wait=max_wait)
    advice = ", or raise max_wait and the deadline."
    text, wait = str(caught.value), caught.value.retry_after
    if wait is None:
        return text
    start, _, span = text.removesuffix(advice).rpartition(". Retry after ")
    assert text.endswith(advice)
    assert float(span.partition(" ")[0]) == pytest.approx(wait, rel=0.01, abs=0.5 if "h:mm:ss" in span else 0.0)
    return f"{start} | {span}"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"processes": 0}, ValueError, "processes must be at least 1, the number of processes that share it, not 0"),
        ({"processes": True}, TypeError, "processes must be an int, for example 4, not True"),
        ({"processes": 2.0}, TypeError, "processes must be an int, for example 4, not 2.0"),
        ({"on_outage": "open"}, ValueError, 'on_outage must be "share", "refuse" or "wait", not \'open\''),
        (
            {"interactive_share": 1.0},
            ValueError,
            "interactive_share must be at least 0 and less than 1, for example 0.1, not 1.0",
        ),
        ({"interactive_share": -0.1}, ValueError, None),
        ({"processes": 1, "interactive_share": 0.0}, None, None),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_options_are_checked(options: dict[str, Any], error: type[Exception] | None, message: str | None) -> None:
    if error is None:
        limiter_of(MemoryLedger(), **options)
        return
    with pytest.raises(error) as caught:
        limiter_of(MemoryLedger(), **options)
    assert message is None or str(caught.value) == message


def test_limits_that_are_not_given_are_the_default_ones() -> None:
    assert SharedLimiter(MemoryLedger(), processes=1).limits == RateLimits(100, 100_000)


async def test_limiter_that_is_not_entered_says_how() -> None:
    limiter = limiter_of(MemoryLedger())
    with pytest.raises(ConfigurationError) as before:
        await spend(limiter)
    assert str(before.value) == (
        "nothing was sent: this limiter is shared by several processes and is not entered. Write "
        "`async with limiter:` around the clients that use it."
    )
    async with limiter:
        with pytest.raises(RuntimeError) as twice:
            await limiter.__aenter__()
        assert str(twice.value) == (
            "this limiter is entered already: enter it once, around all clients that share it (`async with limiter: …`)"
        )
    with pytest.raises(ClosedClientError) as after:
        await spend(limiter)
    assert str(after.value) == "nothing was sent: the limiter was left (`async with limiter:` has ended)"


@pytest.mark.parametrize(
    ("values", "wait"),
    [
        ({"free": 1, "per_second": 1}, None),
        ({"free": 0, "per_second": 1}, "1"),
        ({"free": 0, "per_second": 1, "waiting": 3}, "3"),
        ({"free": 0, "per_second": 2, "waiting": 3}, "1"),
        ({"free": 0, "per_second": 4, "waiting": 3}, None),
    ],
    ids=["free", "none", "shared", "rounded", "soon"],
)
async def test_wait_is_estimated_by_the_latest_reply(values: dict[str, Any], wait: str | None) -> None:
    limiter = limiter_of(Answering(**values))
    async with limiter:
        await anyio.sleep(0.1)
        found = await refusal(limiter, max_wait=0.5)
    limit = values["per_second"]
    cause = f"nothing was sent: limit of {limit} requests per second reached by all processes together"
    assert found == (f"{cause} | {wait} s" if wait else f"{cause}, 1 queued in this process, 0 in others | 0 s")


async def test_wait_as_long_as_estimated_is_allowed() -> None:
    async with limiter_of(Answering(free=0, per_second=1)) as limiter:
        await anyio.sleep(0.1)
        start = anyio.current_time()
        assert await refusal(limiter, max_wait=1.0) == (
            "nothing was sent: limit of 1 requests per second reached by all processes together, "
            "1 queued in this process, 0 in others | 0 s"
        )
        assert anyio.current_time() >= start + 1.0


async def test_tasks_ahead_are_counted_and_named() -> None:
    """Interactive ones go before background ones, and do not wait for these."""
    limiter = limiter_of(Answering(free=1, per_second=1, ahead=1_234))
    async with limiter, anyio.create_task_group() as group:
        await anyio.sleep(0.1)
        for priority in ("interactive", "interactive", "background"):
            await started(group, limiter.slot(priority=priority, max_wait=60.0).__aenter__)
        cause = (
            "nothing was sent: limit of 1 requests per second reached by all processes together, "
            "3 queued in this process, 1,234 in others"
        )
        assert await refusal(limiter, max_wait=1.5) == f"{cause} | 2 s"
        assert await refusal(limiter, max_wait=1.5, priority="background") == f"{cause} | 3 s"
        assert (limiter.statistics.waiting, limiter.statistics.refused) == (3, 2)
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("seconds", "reason", "found"),
    [
        (20.0, REFUSAL, "paused for 20 s after a 429 | 20 s"),
        (599.4, "", "paused for 599 s | 599 s"),
        (700.0, "", "paused for 700 s | 700 s (0:11:40 h:mm:ss)"),
        (1e9, "", "paused for 900 s | 900 s (0:15:00 h:mm:ss)"),
    ],
    ids=["reason", "no reason", "long", "absurd"],
)
async def test_pause_is_said_with_its_length(seconds: float, reason: str, found: str) -> None:
    limiter = limiter_of(Answering())
    async with limiter:
        limiter.pause(seconds, reason)
        assert await refusal(limiter, max_wait=1.0) == f"nothing was sent: {found}"
        limiter.pause(0.0, "another")
        limiter.pause(-1.0, "another")
        limiter.pause(seconds / 2 if seconds < 1e9 else 1.0, "another")
        assert await refusal(limiter, max_wait=1.0) == f"nothing was sent: {found}"
        assert limiter.statistics.pauses == 2


async def test_day_that_is_used_up_is_said_with_its_end() -> None:
    limiter = limiter_of(Answering(is_day=True, blocked_for=7_200 * SECOND))
    both: tuple[Priority, ...] = "background", "interactive"
    async with limiter:
        for priority in both:
            assert await refusal(limiter, priority=priority, max_wait=100.0) == (
                "nothing was sent: daily limit of 100 reached by all processes together, 1 queued in this process, "
                "0 in others | 7200 s (2:00:00 h:mm:ss)"
            )
        for priority in both:  # known by now: refused at once
            assert await refusal(limiter, priority=priority, max_wait=100.0) == (
                "nothing was sent: daily limit of 100 reached by all processes together | 7200 s (2:00:00 h:mm:ss)"
            )


@pytest.mark.parametrize(
    ("on_outage", "consequence"),
    [
        ("refuse", ', and on_outage is "refuse"'),
        ("wait", " | 0 s"),
    ],
)
async def test_outage_is_said_with_its_length(on_outage: str, consequence: str) -> None:
    ledger = MemoryLedger()
    ledger.is_away = True
    limiter = limiter_of(ledger, on_outage=on_outage)
    async with limiter:
        await anyio.sleep(1.503)  # the first exchange fails three times, after a millisecond each
        assert await refusal(limiter) == f"nothing was sent: {AWAY} 1.5 s (no answer){consequence}"


async def test_outage_refuses_requests_that_wait_and_says_why() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger, on_outage="refuse", interactive_share=0.0)
    refusals: list[str] = []

    async def wait() -> None:
        refusals.append(await refusal(limiter, max_wait=60.0))

    async with limiter:
        await anyio.sleep(1.5)
        for _ in range(4):
            await spend(limiter)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            ledger.is_away = True
    assert refusals == [f'nothing was sent: {AWAY} 0 s (no answer), and on_outage is "refuse"']


SHARED = "after one window this process sends at most 2 of 4 requests per second, and 50 of the day"


@pytest.mark.parametrize(
    ("options", "consequence"),
    [
        ({"on_outage": "refuse"}, "requests are refused"),
        ({"on_outage": "wait"}, "requests wait"),
        ({"on_outage": "share"}, SHARED),
        ({"processes": 5}, "after one window this process sends at most 1 of 4 requests per second, and 20 of the day"),
    ],
    ids=["refuse", "wait", "share", "small share"],
)
async def test_outage_is_logged_once(
    options: dict[str, Any], consequence: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = MemoryLedger()
    async with limiter_of(ledger, **options):
        await anyio.sleep(1.5)
        ledger.is_away = True
        await anyio.sleep(4.0)
        ledger.is_away = False
        await anyio.sleep(1.0)
    before, after = [record.getMessage() for record in caplog.records]
    assert before == f"the limiter's ledger is away (no answer): {consequence} until it is back"
    assert after.startswith("the limiter's ledger is back after 3.")
    assert {record.levelname for record in caplog.records} == {"WARNING"}


@pytest.mark.parametrize(
    ("limits", "share"),
    [
        (RateLimits(4, 100), "at most 2 of 4 requests per second, and 50 of the day"),
        (RateLimits(4, None), "at most 2 of 4 requests per second"),
        (RateLimits(None, 100), "at most 50 requests of the day"),
        (RateLimits(None, None), "without a limit"),
    ],
)
async def test_share_of_an_outage_from_the_start_is_said(
    limits: RateLimits, share: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = MemoryLedger()
    ledger.is_away = True
    async with SharedLimiter(ledger, limits, processes=2):
        await anyio.sleep(0.5)
    assert caplog.messages == [
        f"the limiter's ledger is away (no answer): after one window this process sends {share} until it is back"
    ]


async def test_request_of_another_priority_is_asked_for_at_once() -> None:
    """Those that wait already ask again ten seconds later."""
    ledger = Answering(free=0)
    async with limiter_of(ledger) as limiter, anyio.create_task_group() as group:
        await started(group, limiter.slot(priority="background", max_wait=60.0).__aenter__)
        await anyio.sleep(0.1)
        await started(group, limiter.slot(max_wait=60.0).__aenter__)
        await anyio.sleep(0.1)
        assert (ledger.exchanges[-1].interactive, ledger.exchanges[-1].background) == (1, 1)
        group.cancel_scope.cancel()


async def test_process_without_a_share_says_that_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Answering(per_second=1, agreed_per_second=1, processes=2, rank=1)
    limiter = limiter_of(ledger)
    async with limiter:
        await anyio.sleep(0.5)
        ledger.is_away = True
        await anyio.sleep(2.0)
    assert caplog.records[-1].getMessage() == (
        "the limiter's ledger is away (no answer): other processes use all 1 requests per second, and requests of this "
        "one wait until it is back"
    )


async def test_share_begins_with_an_empty_window(caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    ledger.is_away = True
    limiter = limiter_of(ledger)
    async with limiter:
        await anyio.sleep(0.05)
        assert await refusal(limiter) == "nothing was sent: paused for 1 s after the limiter's ledger went away | 1 s"
        assert limiter.statistics.paused_for == pytest.approx(1.0, abs=0.02)


async def test_share_grants_requests_of_both_priorities() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger, processes=1)
    async with limiter:
        await anyio.sleep(1.5)
        ledger.is_away = True
        await anyio.sleep(2.5)
        await spend(limiter, max_wait=5.0)
        await spend(limiter, max_wait=5.0, priority="background")
        assert limiter.statistics.granted == 2


THREE_PROCESSES = (
    "3 processes share this limiter, and processes=2 was given: raise it, because an outage divides the limits by it"
)
LOSS = (
    "the ledger of the test lost the state of the limiter: nothing is sent for one window, and the day's count is "
    "restored from what its processes know"
)


async def test_lower_limits_and_more_processes_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async with limiter_of(Answering(agreed_per_second=3, agreed_per_day=10**9, processes=3)):
        await anyio.sleep(5.0)
    assert [record.getMessage() for record in caplog.records] == [
        "another process of this subscription was given lower limits: 3 per second, None per day apply to all",
        THREE_PROCESSES,
    ]


@pytest.mark.parametrize("values", [{}, {"processes": 2}, {"agreed_per_second": 5, "agreed_per_day": 101}])
async def test_limits_that_are_no_lower_are_not_said(values: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    async with limiter_of(Answering(**values)):
        await anyio.sleep(2.0)
    assert caplog.records == []


async def test_loss_of_the_state_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(limiter_of(ledger))
        for _ in range(2):
            await anyio.sleep(2.0)
            ledger.ledger = type(ledger.ledger)()
        await anyio.sleep(2.0)
    assert [record.getMessage() for record in caplog.records] == [LOSS]


async def test_slot_that_was_held_too_long_is_said_with_its_age() -> None:
    limiter = limiter_of(MemoryLedger())
    async with limiter:
        await anyio.sleep(1.5)
        async with limiter.slot() as slot:
            await anyio.sleep(61.0)
            with pytest.raises(LimiterSlotExpiredError) as caught:
                slot.sent()
    assert str(caught.value) == (
        "nothing was sent: the slot was held for 61 s, or this process stood still, so that its token may be another "
        "process's by now: take a new slot"
    )


async def test_statistics_count_each_outcome() -> None:
    limiter = limiter_of(MemoryLedger(), interactive_share=0.0)
    async with limiter:
        await anyio.sleep(1.5)
        for _ in range(4):
            await spend(limiter)
        await spend(limiter)
        await spend(limiter)
        async with limiter.slot():
            assert limiter.statistics.in_flight == 1
        statistics = limiter.statistics
        assert (statistics.granted, statistics.given_back, statistics.refused) == (6, 1, 0)
        assert statistics.waited == 3
        assert 1.0 < statistics.seconds_waited < 3.0
        await anyio.sleep(2.0)
        later = limiter.statistics
        assert (later.free_this_second, later.free_today, later.in_flight, later.waiting) == (4, 94, 0, 0)


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        ("interactive", Capacity(per_second=4, per_day=100, free_today=50)),
        ("background", Capacity(per_second=3, per_day=35, free_today=10)),
    ],
)
async def test_capacity_is_that_of_the_latest_reply(priority: Priority, expected: Capacity) -> None:
    limiter = limiter_of(Answering(sharers=2), interactive_share=0.3)
    async with limiter:
        await anyio.sleep(0.1)
        assert limiter.capacity(priority) == expected
        assert (limiter.statistics.free_this_second, limiter.statistics.free_today) == (4, 50)


@pytest.mark.parametrize("make", [lambda: limiter_of(Answering()), lambda: make_limiter(4)], ids=["shared", "own"])
async def test_a_slot_is_waited_for_a_minute_by_default(make: Callable[[], RateLimiter]) -> None:
    limiter = make()
    async with limiter:
        await anyio.sleep(0.1)
        limiter.pause(60.5)
        with pytest.raises(BudgetExhaustedError, match=r"sent: paused for [0-9:.]+( s)?\. "):
            async with limiter.slot():
                pytest.fail("the pause is longer")


@pytest.mark.parametrize(
    ("limits", "processes", "day_free", "rank", "expected"),
    [
        (RateLimits(10, 100), 4, 50, 0, (2, 12)),
        (RateLimits(10, 100), 10, 9, 9, (1, 0)),
        (RateLimits(2, None), 4, 0, 0, (1, None)),
        (RateLimits(2, None), 4, 0, 1, (1, None)),
        (RateLimits(2, None), 4, 0, 2, (0, None)),
        (RateLimits(None, 7), 2, -3, 1, (None, 0)),
        (RateLimits(None, 7), 1, 7, 0, (None, 7)),
    ],
)
def test_shares_of_all_processes_are_within_the_limits(
    limits: RateLimits, processes: int, day_free: int, *, rank: int, expected: tuple[int | None, int | None]
) -> None:
    share = share_of(limits, processes, day_free=day_free, rank=rank)
    assert (share.per_second, share.per_day) == expected


def test_ledger_of_an_outage_counts_what_was_sent_in_it() -> None:
    ledger = FixedShareLedger(share_of(RateLimits(None, None), 2, day_free=0, rank=0))
    first = LedgerRequest(process="a", number=1, interactive=3, per_second=1, per_day=1, minutes=((1, 9),))
    ledger.take(first, 90.0)
    taken = ledger.take(attrs.evolve(first, number=2), 91.0)
    assert (taken.interactive, taken.per_second, taken.per_day, taken.minutes) == (3, 10**9, 10**9, ((0, 3),))
    known = attrs.evolve(first, number=3, epoch=taken.epoch, interactive=0, known=3)
    ledger.take(attrs.evolve(known, answered=(ScheduledTokenReturn(2, 1, 700_000),)), 91.5)
    assert ledger.used(91.5) == ((0, 3),)
    assert ledger.used(180.0) == ((2, 3),)
    assert ledger.used(0.0) == ((0, 3),)
    assert list(ledger.returning(91.6)) == [(2, 92.2)]


async def test_what_an_outage_used_is_handed_in_at_its_end() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger)
    async with limiter:
        await anyio.sleep(1.5)
        epoch = ledger.exchanges[-1].epoch
        ledger.is_away = True
        await anyio.sleep(3.0)
        await spend(limiter)
        before = len(ledger.exchanges)
        ledger.is_away = False
        await anyio.sleep(1.0)
    back, following = ledger.exchanges[before : before + 2]
    assert (back.leaving, back.processes, back.outage, back.pause) == (False, 2, 1, 1_050_000)
    assert (back.epoch, back.former, sum(count for _, count in back.used)) == ("", epoch, 1)
    assert (following.epoch, following.outage, following.pause, following.used) == (epoch, 0, 0, ())


async def test_a_limiter_left_in_an_outage_hands_in_what_it_used() -> None:
    ledger = MemoryLedger()
    limiter = limiter_of(ledger)
    async with limiter:
        await anyio.sleep(1.5)
        ledger.is_away = True
        await anyio.sleep(3.0)
        await spend(limiter)
        ledger.is_away = False
    last = ledger.exchanges[-1]
    assert (last.leaving, last.outage, sum(count for _, count in last.used)) == (True, 1, 1)


class Unwritable(MemoryLedger):
    """A ledger that can be reached, and makes no exchange any more."""

    def __init__(self) -> None:
        super().__init__()
        self.is_broken = False
        self.failures = 0

    async def take(self, exchange: LedgerRequest) -> LedgerReply:
        if not self.is_broken:
            return await super().take(exchange)
        await self.check()
        self.failures += 1
        raise StorageError("the disk is full")


@pytest.mark.parametrize("on_outage", ["share", "refuse", "wait"])
async def test_ledger_that_is_reached_and_fails_is_tried_at_times(on_outage: OnOutage) -> None:
    """Five times a second, with two more attempts each: a call that fails at once may have been cut."""
    ledger = Unwritable()
    async with limiter_of(ledger, on_outage=on_outage) as limiter:
        await anyio.sleep(1.5)
        ledger.is_broken = True
        await anyio.sleep(4.0)
        assert limiter.is_away
        assert 30 < ledger.failures < 70
        ledger.is_broken = False
        await anyio.sleep(1.5)
        assert not limiter.is_away


async def test_outdated_reply_of_another_state_is_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    class Outdated(Answering):
        async def take(self, exchange: LedgerRequest) -> LedgerReply:
            reply = await super().take(exchange)
            return reply if len(self.exchanges) > 1 else LedgerReply(status="outdated", epoch="another")

    ledger = Outdated()
    async with limiter_of(ledger):
        await anyio.sleep(0.1)
        assert len(ledger.exchanges) == 2
    assert caplog.messages == []
