"""Exchange book of one process: replies, quotas, requests that are overdue; smallest round trips."""

import math

from stellantis_hal.transport.rate_limit.process_grants import ProcessGrants, TokenGrant
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import Quota, Window
from stellantis_hal.transport.rate_limit.round_trips import RoundTrips
from stellantis_hal.transport.rate_limit.shared_ledger import SECOND, LedgerReply, SharedLedger

START = 1_000.0


class Process:
    """A book at a ledger of its own."""

    def __init__(self) -> None:
        self.ledger = SharedLedger()
        self.book = ProcessGrants("a", RateLimits(4, 100), 0.0, 1)
        self.take(START, 0)

    def take(self, now: float, interactive: int) -> list[TokenGrant]:
        exchange = self.book.exchange(now, interactive=interactive)
        return self.book.apply(exchange, self.ledger.take(exchange, round(now * SECOND)), taken_at=now, now=now)


def quota_of(remaining: int) -> Quota:
    return Quota(burst=Window(4, remaining))


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
    trips = RoundTrips()
    assert trips.smallest == math.inf
    trips.record(0.0, 0.01)
    for index in range(2_500):
        trips.record(index / 100, 0.05)
    assert trips.trusted(30.0) == 0.01
    for index in range(2_000):
        trips.record(30.0 + index / 100, 0.05)
    assert trips.trusted(60.0) == 0.05
