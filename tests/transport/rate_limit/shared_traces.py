"""Traces of processes that share a ledger: exchanges, replies, what each keeps, and outages."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Final

import attrs

from stellantis_hal.transport.rate_limit.fallback_ledger import FixedShareLedger, share_of
from stellantis_hal.transport.rate_limit.process_grants import ProcessGrants, RequestGrant
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.rate_limit.shared_ledger import (
    ALIVE,
    DAY,
    HOLD,
    LAPSE,
    MINUTE,
    SECOND,
    SPAN,
    STALE,
    LedgerReply,
    LedgerRequest,
    SharedLedger,
)
from tests.transport.rate_limit.trace_steps import Trace, in_parts, step_of, text_of

__all__ = ["SHARED_TRACES", "stated_fields"]

_WAITS: Final = (0, 1_000, 20_000, 50_000, 100_000, 250_000, 400_000)
_LONG_WAITS: Final = (SPAN, STALE, STALE + 1, ALIVE - 1, ALIVE, HOLD, MINUTE, LAPSE - 1, LAPSE, DAY * MINUTE)


def stated_fields(exchange: LedgerRequest | LedgerReply) -> dict[str, Any]:
    """Return the fields that are not their defaults."""
    fields = attrs.fields(type(exchange))
    values = {each.name: getattr(exchange, each.name) for each in fields}
    return {
        each.name: [attrs.astuple(one) if attrs.has(type(one)) else one for one in value]
        if isinstance(value := values[each.name], tuple)
        else value
        for each in fields
        if values[each.name] != each.default
    }


class _Process:
    """A process, the ledger of its outage, and its requests."""

    def __init__(self, name: str, limits: RateLimits, share: float) -> None:
        self.book = ProcessGrants(name, limits, share, 3)
        for number in range(150):
            self.book.round_trips.record(number / 10, 0.03)
        self.private: FixedShareLedger | None = None
        self.outages = 0
        self.held: list[RequestGrant] = []
        self.under_way: list[RequestGrant] = []


class _Scene:
    """Processes and their ledger, at an instant of a clock in microseconds."""

    def __init__(self, seed: int, limits: RateLimits, share: float, *, is_busy: bool, outages: int) -> None:
        self.random = Random(seed)
        self.is_busy = is_busy
        self.outages = outages
        self.former: tuple[_Process, LedgerRequest] | None = None
        self.minutes: dict[int, int] = {}
        self.ledger = SharedLedger(minutes=self.minutes)
        self.processes = [_Process(name, limits, share) for name in "abc"]
        self.clock = 500 * MINUTE
        self.older = self.ledger.dump()
        self.limits = limits

    def seconds(self) -> float:
        return self.clock / SECOND

    def move(self) -> None:
        """Go on, often to an instant at which something changes, or to the last before it."""
        random, kind = self.random, self.random.randrange(10)
        if self.is_busy and kind > 2:
            self.clock += random.choice([0, 0, 0, 1_000, 20_000, 50_000])
        elif kind < 4:
            state = self.ledger.dump()
            shift = state["scalars"][0]
            changes = [
                *(at - trip for _, _, at in state["tokens"] for trip in (0, 20_000, 30_000)),
                *(state["scalars"][place] for place in (3, 5, 10, 12, 14)),
                state["scalars"][-1] + ALIVE,
                *(value for process in state["processes"].values() for value in (process[0], process[4], process[9])),
            ]
            soon = sorted(at for at in changes if self.clock + shift < at < self.clock + shift + 1_500_000)
            if soon:
                self.clock = random.choice(soon[:4]) - shift - random.randrange(2)
        elif kind < 9:
            self.clock += random.choice(_WAITS)
        elif random.randrange(9) == 0:
            self.clock += random.choice(_LONG_WAITS)

    def exchange(self, process: _Process) -> tuple[str, Any]:
        """Make an exchange; return what was handed in, and the reply."""
        random, book, now = self.random, process.book, self.seconds()
        kind = random.randrange(24)
        wants: dict[str, Any] = {"interactive": 5, "background": random.choice([0, 3])}
        if not self.is_busy or kind > 20:
            wants = {"interactive": random.choice([0, 1, 2, 5]), "background": random.choice([0, 0, 1, 5])}
        if kind == 0 and random.randrange(3) == 0:
            wants["pause"] = random.choice([0.05, 0.1, 0.100_001, 1.5])
        elif kind == 1 and random.randrange(3) == 0:
            wants = {"leaving": True}
        if process.private is None:
            exchange = book.exchange(now, **wants)
            if kind < 6:
                exchange = attrs.evolve(exchange, round_trip=random.choice([20_000, 30_000]))
            reply = self.ledger.take(exchange, self.clock)
            self.former = process, exchange
        else:
            exchange = book.exchange(now, **wants)
            reply = process.private.take(exchange, now)
        if kind == 23:
            return f"lost {text_of(stated_fields(exchange))}", stated_fields(reply)
        self.apply(process, exchange, reply)
        return text_of(stated_fields(exchange)), stated_fields(reply)

    def apply(self, process: _Process, exchange: LedgerRequest, reply: LedgerReply) -> None:
        now = self.seconds()
        later = now + self.random.choice([0.0, 0.0, 0.004])
        process.held += process.book.apply(exchange, reply, taken_at=now, now=later)

    def outage(self, process: _Process) -> tuple[str, Any]:
        """Let the ledger go away for a process, or come back."""
        book, now = process.book, self.seconds()
        if process.private is None:
            latest = book.latest
            rank, free = (0, 30) if latest is None else (latest.rank, latest.day_free)
            share = share_of(self.limits, 2 + self.random.randrange(5), day_free=free, rank=rank)
            if share.per_second == 0:
                return "no share", share.per_day
            process.private = FixedShareLedger(share)
            process.outages += 1
            book.change_ledger(is_shared=False)
            return "away", (share.per_second, share.per_day)
        private, process.private = process.private, None
        book.change_ledger(is_shared=True)
        exchange = book.exchange(
            now,
            pause=1.05,
            used=private.used(now),
            returning=private.returning(now),
            outage=process.outages,
            leaving=self.random.randrange(8) == 0,
        )
        reply = self.ledger.take(exchange, self.clock)
        self.apply(process, exchange, reply)
        return f"back {text_of(stated_fields(exchange))}", stated_fields(reply)

    def request(self, process: _Process) -> tuple[str, Any]:
        """Send, answer, give up or return a request."""
        random, book, now = self.random, process.book, self.seconds()
        kind = random.randrange(12)
        if kind < 5 and process.held:
            grant = process.held.pop(0)
            is_stale = book.is_stale(grant, now)
            if not is_stale:
                book.sent(grant, now)
                process.under_way.append(grant)
            return f"send {grant.number}", is_stale
        if kind < 9 and process.under_way:
            grant = process.under_way.pop(random.randrange(len(process.under_way)))
            quota = None
            if random.randrange(5) == 0:
                quota = ReportedQuota(
                    day=ReportedWindow(random.choice([None, 5, 28, 28, 100]), random.choice([None, 0, 4, 20])),
                    burst=ReportedWindow(random.choice([None, 3, 6, 6]), random.choice([None, 0, 1, 3])),
                )
            book.answered(grant, now, quota, is_complete=random.randrange(6) > 0)
            return f"answer {grant.number} {quota}", None
        if kind == 9 and (process.held or process.under_way):
            grant = (process.held or process.under_way).pop()
            book.unused(grant)
            return f"return {grant.number}", None
        return "wait", None

    def step(self) -> str:
        """Go on by one call; return its line."""
        random = self.random
        self.move()
        process = random.choice(self.processes)
        kind = random.randrange(40)
        call, returned = "", None
        if kind < 17:
            call, returned = self.exchange(process)
        elif kind < 37:
            call, returned = self.request(process)
        elif kind == 37 and (process.private is not None or random.randrange(self.outages) == 0):
            call, returned = self.outage(process)
        elif kind == 38 and random.randrange(4) == 0:
            call = "set the clock back"
            self.clock -= random.choice([1, 400_000, 100 * SECOND])
        elif kind == 38 and self.former is not None:
            process, exchange = self.former
            reply = self.ledger.take(exchange, self.clock)
            self.apply(process, exchange, reply)
            call, returned = "late", stated_fields(reply)
        elif kind == 39 and random.randrange(2) == 0:
            call = self.fault()
        book = process.book
        grants = [
            (grant.number, grant.minute, grant.at, grant.is_overdue, book.is_stale(grant, self.seconds()))
            for grant in [*process.held, *process.under_way][:4]
        ]
        state = self.ledger.dump()
        return step_of(
            f"{book.process}: {call}",
            returned,
            self.clock,
            book.out,
            book.due_at(),
            book.round_trips.smallest,
            grants,
            *state.values(),
            self.minutes,
        )

    def fault(self) -> str:
        """Write the state down and read it again, lose it, set it back, or go on by another clock."""
        kind = self.random.randrange(8)
        if kind == 0:
            self.minutes.clear()
            self.ledger = SharedLedger(minutes=self.minutes)
            return "lose the state"
        if kind == 1:
            self.ledger = SharedLedger(self.older, self.minutes)
            return "set back the state"
        if kind == 2:
            self.ledger.change_clock(self.clock, elapsed=self.random.choice([0, 250_000, 2 * SECOND]))
            return "change the clock"
        if kind == 3:
            self.older = self.ledger.dump()
        self.ledger = SharedLedger(self.ledger.dump(), self.minutes)
        return "read the state"


def _shared(
    seed: int,
    limits: RateLimits,
    *,
    share: float = 0.25,
    steps: int = 200,
    is_busy: bool = False,
    outages: int = 8,
) -> Trace:
    def trace() -> Iterator[str]:
        scene = _Scene(seed, limits, share, is_busy=is_busy, outages=outages)
        for _ in range(steps):
            yield scene.step()

    return trace


def _shares() -> Iterator[str]:
    for per_second in (None, 1, 2, 5, 10):
        for per_day in (None, 1, 7):
            for processes in (1, 2, 3, 7):
                limits = RateLimits(per_second, per_day)
                shares = [
                    share_of(limits, processes, day_free=free, rank=rank) for rank in range(3) for free in (-1, 0, 1, 6)
                ]
                yield step_of(f"{per_second} {per_day} {processes}", [attrs.astuple(share) for share in shares])


SHARED_TRACES: Final[dict[str, Trace]] = {
    **in_parts(
        "three processes, 6 a second and 30 a day", lambda seed: _shared(seed, RateLimits(6, 30)), seed=31, parts=4
    ),
    **in_parts(
        "three processes, 4 a second", lambda seed: _shared(seed, RateLimits(4, None), share=0.0), seed=32, parts=4
    ),
    **in_parts(
        "three processes, 20 a second", lambda seed: _shared(seed, RateLimits(20, 10_000), share=0.5), seed=33, parts=4
    ),
    **in_parts(
        "three processes, 12 a day", lambda seed: _shared(seed, RateLimits(None, 12), share=0.1), seed=34, parts=4
    ),
    **in_parts(
        "three processes, 1 a second", lambda seed: _shared(seed, RateLimits(1, 100), outages=2), seed=35, parts=4
    ),
    **in_parts(
        "busy processes, 9 a second",
        lambda seed: _shared(seed, RateLimits(9, None), share=0.0, is_busy=True, outages=40, steps=350),
        seed=36,
        parts=3,
    ),
    **in_parts(
        "busy processes, 12 a second",
        lambda seed: _shared(seed, RateLimits(12, 500), is_busy=True, outages=40, steps=350),
        seed=37,
        parts=3,
    ),
    "shares of an outage": _shares,
}
