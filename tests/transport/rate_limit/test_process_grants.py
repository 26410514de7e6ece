"""Exchange book of one process: replies, quotas, requests that are overdue; smallest round trips."""

import math
from typing import Any

import attrs
import pytest

from stellantis_hal.transport.rate_limit.min_round_trip import MinRoundTrip
from stellantis_hal.transport.rate_limit.process_grants import ProcessGrants, RequestGrant
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.rate_limit.shared_ledger import (
    SECOND,
    LedgerReply,
    LedgerRequest,
    ScheduledTokenReturn,
    SharedLedger,
)

START = 1_000.0


class Process:
    """A book at a ledger of its own."""

    def __init__(self) -> None:
        self.ledger = SharedLedger()
        self.book = ProcessGrants("a", RateLimits(4, 100), 0.0, 1)
        self.take(START, 0)

    def take(self, now: float, interactive: int) -> list[RequestGrant]:
        exchange = self.book.exchange(now, interactive=interactive)
        return self.book.apply(exchange, self.ledger.take(exchange, round(now * SECOND)), taken_at=now, now=now)


def quota_of(remaining: int) -> ReportedQuota:
    return ReportedQuota(burst=ReportedWindow(4, remaining))


def book(**values: Any) -> ProcessGrants:
    """Return a book that has taken a first reply, which granted three requests in minute 500."""
    book = ProcessGrants("a", RateLimits(4, 100), 0.123_456_7, 3)
    exchange = book.exchange(START)
    assert exchange == LedgerRequest(process="a", number=1, per_second=4, per_day=100, share=123_457, processes=3), (
        "an introduction"
    )
    book.apply(exchange, attrs.evolve(FIRST, **values), taken_at=START, now=START)
    return book


FIRST = LedgerReply(
    epoch="e", delays=(0, 50_000, 100_000), count=7, minute=500, returned=5, taken=9, minutes=((0, 3), (9, 1), (60, 0))
)
NEXT = LedgerRequest(
    process="a", number=2, epoch="e", known=3, witnessed=7, per_second=4, per_day=100, share=123_457, processes=3
)


def grants_of(book: ProcessGrants) -> list[RequestGrant]:
    """Return the three grants of another reply."""
    exchange = book.exchange(START)
    return book.apply(exchange, attrs.evolve(FIRST, minutes=()), taken_at=START, now=START)


def test_next_exchange_hands_in_what_was_done() -> None:
    """It is handed in again until a reply has come."""
    process = book()
    answered, unused, held = grants_of(process)
    assert [
        (each.number, each.minute, each.at, each.is_shared, each.returned) for each in (answered, unused, held)
    ] == [
        (4, 500, START, True, 5),
        (5, 500, START + 0.05, True, 5),
        (6, 500, START + 0.1, True, 5),
    ]
    process.sent(answered, START)
    process.answered(answered, START + 0.25, ReportedQuota(day=ReportedWindow(90, 80), burst=ReportedWindow(4, 2)))
    process.unused(unused)
    process.unused(unused)
    expected = attrs.evolve(
        NEXT,
        number=3,
        known=6,
        interactive=2,
        background=1,
        pause=1_500_000,
        burst_limit=4,
        burst_remaining=2,
        burst_returned=5,
        day_limit=90,
        day_remaining=80,
        answered=(ScheduledTokenReturn(4, 500, 752_000),),
        given_back=((5, 500),),
    )
    exchange = process.exchange(START + 0.5, interactive=2, background=1, pause=1.5)
    assert exchange == expected
    again = attrs.evolve(expected, number=4, interactive=0, background=0, pause=0, leaving=True)
    assert process.exchange(START + 0.5, leaving=True) == again
    process.apply(again, attrs.evolve(FIRST, delays=(), count=8), taken_at=START + 0.5, now=START + 0.5)
    assert process.exchange(START + 0.5) == attrs.evolve(NEXT, number=5, known=6, witnessed=8)
    assert process.out == 4


@pytest.mark.parametrize(
    ("quota", "fields"),
    [
        (ReportedQuota(), {}),
        (ReportedQuota(burst=ReportedWindow(4, 0)), {"burst_limit": 4, "burst_remaining": 0}),
        (ReportedQuota(day=ReportedWindow(None, 7)), {"day_remaining": 7}),
        (ReportedQuota(burst=ReportedWindow(3, None), day=ReportedWindow(9, None)), {"burst_limit": 3, "day_limit": 9}),
    ],
)
def test_quota_is_handed_in_as_far_as_it_is_stated(quota: ReportedQuota, fields: dict[str, Any]) -> None:
    process = book()
    process.answered(grants_of(process)[0], START, quota)
    exchange = process.exchange(START)
    assert attrs.evolve(exchange, answered=()) == attrs.evolve(NEXT, number=3, known=6, burst_returned=5, **fields)


@pytest.mark.parametrize(("limits", "expected"), [(RateLimits(None, None), (10**9, 10**9)), (RateLimits(7, 9), (7, 9))])
def test_limits_are_handed_in(limits: RateLimits, expected: tuple[int, int]) -> None:
    exchange = ProcessGrants("a", limits, 0.0).exchange(START)
    assert (exchange.per_second, exchange.per_day, exchange.share, exchange.processes) == (*expected, 0, 1)


def test_process_introduces_itself_with_all_that_is_out() -> None:
    process = book()
    answered, unused, _ = grants_of(process)
    process.answered(answered, START)
    process.unused(unused)
    process.change_ledger(is_shared=True)
    expected = attrs.evolve(
        NEXT,
        number=3,
        known=6,
        epoch="",
        former="e",
        answered=(ScheduledTokenReturn(9, -1, 3_000_000), ScheduledTokenReturn(4, -1, -118_998_000)),
        given_back=((5, -1),),
        held=(1, 2, 3, 6),
        minutes=((2, 3), (11, 1)),
        used=((1, 2),),
        outage=4,
    )
    exchange = process.exchange(START + 120.0, used=[(1, 2)], returning=[(9, START + 123.0)], outage=4)
    assert exchange == expected


def test_ledger_of_one_process_learns_nothing_of_others() -> None:
    process = book()
    process.change_ledger(is_shared=False)
    assert process.exchange(START) == attrs.evolve(NEXT, epoch="", former="e", witnessed=0, held=(1, 2, 3), processes=1)
    reply = attrs.evolve(FIRST, epoch="own", delays=(0,), count=1, minute=3, minutes=())
    (grant,) = process.apply(process.exchange(START), reply, taken_at=START, now=START)
    assert (grant.is_shared, grant.minute) == (False, 3)
    process.change_ledger(is_shared=True)
    again = process.exchange(START)
    assert (again.former, again.witnessed, again.minutes, again.held) == ("e", 7, ((0, 3), (9, 1)), (1, 2, 3, 4))


def test_minutes_of_another_ledger_are_handed_in_as_unknown() -> None:
    process = book()
    answered, unused, _ = grants_of(process)
    process.change_ledger(is_shared=True)
    process.answered(answered, START)
    process.unused(unused)
    exchange = process.exchange(START)
    assert [(each.number, each.minute) for each in exchange.answered] == [(4, -1)]
    assert exchange.given_back == ((5, -1),)


def test_day_is_mirrored_from_replies() -> None:
    process = book()
    for minute, taken in ((500, 11), (501, 12), (500 + 1_441 + 9, 20)):
        process.apply(
            process.exchange(START), LedgerReply(epoch="e", minute=minute, taken=taken), taken_at=START, now=START
        )
    process.change_ledger(is_shared=True)
    minutes = process.exchange(START).minutes
    assert minutes == ((0, 8),)


@pytest.mark.parametrize(
    ("taken_at", "held", "now", "is_stale"),
    [
        (START, START, START + 2.999, False),
        (START, START, START + 3.0, True),
        (START + 100.0, START, START + 60.0, False),
        (START + 100.0, START, START + 60.001, True),
    ],
    ids=["alive", "silent", "held", "held too long"],
)
def test_grant_is_stale_when_others_may_have_its_token(
    taken_at: float, held: float, now: float, *, is_stale: bool
) -> None:
    process = ProcessGrants("a", RateLimits(4, 100), 0.0)
    (grant,) = process.apply(process.exchange(START), attrs.evolve(FIRST, delays=(0,)), taken_at=taken_at, now=held)
    assert process.is_stale(grant, now) is is_stale


def test_no_exchange_makes_a_lapsed_grant_valid_again() -> None:
    """A process that stood still exchanges before its tasks send: others have its tokens by then."""
    process = book()
    old, *_ = grants_of(process)
    later = START + 5.0
    assert not process.is_stale(old, START + 1.0)
    assert process.is_stale(old, later)
    new, *_ = process.apply(
        process.exchange(later), attrs.evolve(FIRST, minutes=(), delays=(0,)), taken_at=later, now=later
    )
    assert process.is_stale(old, later)
    assert not process.is_stale(new, later)
    process.apply(process.exchange(later), attrs.evolve(FIRST, minutes=()), taken_at=later + 1.0, now=later + 1.0)
    assert not process.is_stale(new, later + 1.0)


def test_exchange_is_due_for_what_is_to_be_handed_in() -> None:
    process = book()
    slow, answered, unused = grants_of(process)
    assert process.due_at() == math.inf
    process.sent(slow, START)
    process.sent(slow, START + 9.0)
    assert process.due_at() == pytest.approx(START + 1.105)
    process.answered(answered, START + 0.5)
    assert process.due_at() == pytest.approx(START + 0.5 + 0.002 + 0.2)
    process.unused(unused)
    assert process.due_at() == -math.inf


def test_a_grant_that_was_returned_is_not_overdue() -> None:
    """Its request began to be sent, and was not."""
    process = book()
    grant, *_ = grants_of(process)
    process.sent(grant, START)
    process.unused(grant)
    exchange = process.exchange(START + 60.0)
    assert (exchange.answered, exchange.given_back) == ((), ((grant.number, grant.minute),))


def test_slow_request_returns_its_token_before_its_answer() -> None:
    """It is late by the way to the server, which the ledger subtracts."""
    process = book()
    process.apply(process.exchange(START), attrs.evolve(FIRST, delays=(0,) * 60), taken_at=START, now=START)
    for number in range(200):
        process.round_trips.record(START + (number - 200) * 0.1, 0.04)
    early = process.round_trips.trusted(START + 1.105)
    assert early > 0
    (slow,) = process.apply(process.exchange(START), attrs.evolve(FIRST, delays=(0,)), taken_at=START, now=START)
    process.sent(slow, START)
    assert process.exchange(START + 1.104).answered == ()
    exchange = process.exchange(START + 1.105)
    assert (slow.is_overdue, exchange.round_trip) == (True, round(early * SECOND))
    assert exchange.answered == (ScheduledTokenReturn(slow.number, 500, round(early * SECOND)),)
    assert process.due_at() == pytest.approx(START + 1.105 + early - 1.0 + 0.2)
    process.answered(slow, START + 1.2)
    assert len(process.exchange(START + 1.2).answered) == 1


def test_request_that_is_given_up_says_nothing_of_the_way() -> None:
    process = book()
    first, second, _ = grants_of(process)
    process.sent(first, START)
    process.answered(first, START + 0.01, is_complete=False)
    assert process.round_trips.smallest == math.inf
    process.sent(second, START)
    process.answered(second, START + 0.02)
    assert process.round_trips.smallest == pytest.approx(0.02)
    process.apply(process.exchange(START), FIRST, taken_at=START, now=START)
    assert process.round_trips.smallest == pytest.approx(0.02)
    process.apply(attrs.evolve(NEXT, pause=1), FIRST, taken_at=START, now=START)
    assert process.round_trips.smallest == math.inf


def test_outdated_reply_changes_nothing() -> None:
    process = Process()
    (grant,) = process.take(START + 1.0, 1)
    process.book.answered(grant, START + 1.1)
    exchange = process.book.exchange(START + 1.2, interactive=1)
    reply = LedgerReply(status="outdated")
    assert process.book.apply(exchange, reply, taken_at=START + 1.2, now=START + 1.2) == []
    again = process.book.exchange(START + 1.3)
    assert (again.epoch, len(again.answered)) == (exchange.epoch, 1)


def test_quota_that_comes_during_a_turn_is_in_the_next() -> None:
    process = Process()
    first, second = process.take(START + 1.0, 2)
    process.book.answered(first, START + 1.1, quota_of(3))
    exchange = process.book.exchange(START + 1.2)
    assert exchange.burst_remaining == 3
    process.book.answered(second, START + 1.2, quota_of(1))
    reply = process.ledger.take(exchange, round((START + 1.2) * SECOND))
    process.book.apply(exchange, reply, taken_at=START + 1.2, now=START + 1.3)
    assert process.book.exchange(START + 1.4).burst_remaining == 1


def test_overdue_request_is_not_given_back() -> None:
    """The server may have counted it, even if the connection says that nothing was sent."""
    process = Process()
    (grant,) = process.take(START + 1.0, 1)
    process.book.sent(grant, START + 1.0)
    assert len(process.book.exchange(START + 3.0).answered) == 1
    process.book.unused(grant)
    exchange = process.book.exchange(START + 3.1)
    assert (exchange.given_back, len(exchange.answered)) == ((), 1)


def test_shorter_path_of_the_past_is_forgotten() -> None:
    trips = MinRoundTrip()
    assert trips.smallest == math.inf
    trips.record(0.0, 0.01)
    for index in range(2_500):
        trips.record(index / 100, 0.05)
    assert trips.trusted(30.0) == 0.01
    for index in range(2_000):
        trips.record(30.0 + index / 100, 0.05)
    assert trips.trusted(60.0) == 0.05


def test_answer_without_a_mark_of_sending_took_no_time() -> None:
    process = book()
    first, *_ = grants_of(process)
    process.answered(first, START)
    assert (process.round_trips.smallest, process.out) == (0.0, 5)
