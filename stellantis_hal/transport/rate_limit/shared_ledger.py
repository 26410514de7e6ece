"""Exchanges of processes at a ledger that they share: one value in, one value out.

A process gathers what its tasks want and have done, and hands it in as one :class:`LedgerRequest`;
:meth:`SharedLedger.take` returns what it grants. The ledger is the state of a subscription, wherever it is kept:
``shared_ledger.lua`` does the same on keys of Redis, step by step, and a test compares the two.

A token returns one window after its request was ANSWERED, as in the limiter of one process: the server has counted the
request by then. The smallest round trip is subtracted, but the smallest of ALL processes, and nothing while one of them
does not know its own: a token returned by one process is used by another, on another path.

A request that nothing is free for is granted at the instant at which a token returns, if that lies within the
look-ahead: so waiting processes do not poll.

All spans and instants are whole microseconds, so that Lua's numbers are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import attrs

__all__ = [
    "SECOND",
    "UNLIMITED",
    "LedgerReply",
    "LedgerRequest",
    "MinuteCounts",
    "ScheduledTokenReturn",
    "SharedLedger",
]

SECOND = 1_000_000
UNLIMITED = 10**9
"""What stands for a window without a limit."""

SPAN = SECOND
"""The burst window."""
HOLD = 61 * SECOND
"""How long a granted token stays away without a word of its process, which lives."""
ALIVE = 3 * SECOND
"""How long a process lives without an exchange."""
STALE = 3 * SECOND // 2
"""How long no process may have taken an exchange until the ledger counts as having been away."""
LOOK_AHEAD = SECOND // 10
WAITING = 3 * SECOND // 10
"""How long a process that got less than it wanted is known to wait."""
RETRY = SECOND // 20
RETRY_LATEST = SECOND // 4
"""When to ask again, at the earliest and at the latest, where no token returns within the look-ahead."""
LAPSE = 900 * SECOND
"""How long a response's statement is believed."""
SHARING = 900 * SECOND
"""How long a process counts as a user of background requests."""
MINUTE = 60 * SECOND
DAY = 1_441
"""Minutes after which a minute's tokens have returned: all of them are a day old by then."""
MILLION = 1_000_000
_MOST = 1 << 62


@attrs.frozen
class ScheduledTokenReturn:
    """A request that was answered, or whose token returns for another reason.

    Attributes:
        number: of its grant.
        minute: under which it was booked; -1 if nowhere.
        returns_in: when its token returns, from the exchange on; negative for the past.
    """

    number: int
    minute: int
    returns_in: int


@attrs.frozen(kw_only=True)
class LedgerRequest:
    """What a process hands in.

    Attributes:
        process: its id, without a colon.
        number: of the exchange, higher than those before: an older one that arrives late changes nothing.
        witnessed: exchanges of the ledger so far, as the latest reply had it: a ledger with fewer was set back.
        known: number of the latest grant that arrived; later ones were lost with their reply, and return.
        epoch: of the state, as the latest reply had it; empty to introduce the process.
        former: on introduction, the epoch that it knew before; empty for none.
        interactive: requests wanted now.
        background: likewise, those that can wait.
        per_second: the process's limit.
        per_day: likewise.
        share: millionths of both windows that background requests may not use.
        round_trip: the smallest one; 0 while there are too few.
        pause: grant nothing to any process for so long.
        burst_limit: as the server's headers state it; 0 where they do not.
        burst_remaining: likewise; -1 where they do not.
        burst_returned: tokens that had returned when that request was sent.
        day_limit: likewise.
        day_remaining: likewise.
        answered: requests.
        given_back: numbers and minutes of grants that were not used.
        held: numbers of all grants that are out; on introduction.
        minutes: age in minutes and count of what the subscription has spent, on introduction: they count where the
            ledger has lost its state.
        used: likewise, what this process has spent without the ledger.
        outage: number of the outage in which it did; handed in once.
        processes: how many processes there are at most.
        leaving: whether this is its last exchange.
    """

    process: str
    number: int
    witnessed: int = 0
    known: int = 0
    epoch: str = ""
    former: str = ""
    interactive: int = 0
    background: int = 0
    per_second: int = UNLIMITED
    per_day: int = UNLIMITED
    share: int = 100_000
    round_trip: int = 0
    pause: int = 0
    burst_limit: int = 0
    burst_remaining: int = -1
    burst_returned: int = 0
    day_limit: int = 0
    day_remaining: int = -1
    answered: tuple[ScheduledTokenReturn, ...] = ()
    given_back: tuple[tuple[int, int], ...] = ()
    held: tuple[int, ...] = ()
    minutes: tuple[tuple[int, int], ...] = ()
    used: tuple[tuple[int, int], ...] = ()
    outage: int = 0
    processes: int = 1
    leaving: bool = False


@attrs.frozen(kw_only=True)
class LedgerReply:
    """What the ledger returns.

    Attributes:
        status: "introduce": nothing was done, the ledger does not know the process, or lost its state: hand in again
            with an empty epoch and all that is out. "outdated": nothing was done, a later exchange was taken.
        epoch: of the state.
        interactive: requests granted.
        background: likewise.
        delays: when each of them may be sent, from now on, interactive ones first.
        again_in: when to make the next exchange for those that were not granted; -1 where all were.
        blocked_for: how long nothing is granted, by a pause or the day; 0 where the burst window alone decides.
        is_day: whether the day is what blocks.
        ahead: requests that wait in other processes.
        waiting: processes that wait, this one included.
        sharers: live processes that use background requests, this one included.
        processes: live processes, this one included.
        rank: how many of them come before this one.
        returned: tokens that have returned so far.
        taken: tokens taken so far.
        free: tokens of the burst window.
        day_free: likewise of the day.
        paused_for: the pause that is left.
        per_second: the limit in force.
        per_day: likewise.
        agreed_per_second: the smallest limit that a process was given.
        agreed_per_day: likewise.
        count: exchanges of the ledger so far.
        minute: the present one, under which grants are booked.
        minutes: age and count of each minute; on introduction.
    """

    status: Literal["ok", "introduce", "outdated"] = "ok"
    epoch: str = ""
    interactive: int = 0
    background: int = 0
    delays: tuple[int, ...] = ()
    again_in: int = -1
    blocked_for: int = 0
    is_day: bool = False
    ahead: int = 0
    waiting: int = 0
    sharers: int = 1
    processes: int = 1
    rank: int = 0
    returned: int = 0
    taken: int = 0
    free: int = 0
    day_free: int = 0
    paused_for: int = 0
    per_second: int = UNLIMITED
    per_day: int = UNLIMITED
    agreed_per_second: int = UNLIMITED
    agreed_per_day: int = UNLIMITED
    count: int = 0
    minute: int = 0
    minutes: tuple[tuple[int, int], ...] = ()


class MinuteCounts(Protocol):
    """Counts of requests by minute."""

    def get(self, minute: int, /) -> int | None:
        """Return the count of a minute; None where there is none."""
        ...

    def __setitem__(self, minute: int, count: int, /) -> None: ...

    def __delitem__(self, minute: int, /) -> None: ...

    def items(self) -> Iterable[tuple[int, int]]:
        """Return all of them."""
        ...


@attrs.define
class _Process:
    """A process that lives."""

    until: int
    number: int
    minute: int
    round_trip: int
    waits_until: int
    interactive: int
    background: int
    per_second: int
    per_day: int
    shares_until: int
    outage: int


@attrs.define
class _Offer:
    """What can be granted in one exchange.

    Attributes:
        free: tokens of the burst window, negative where too many are out.
        day_free: likewise of the day.
        most: grants, at most.
        paused_for: how long nothing is granted.
        soon: when tokens return within the look-ahead, ascending.
        foreign: tokens that others than these processes use.
        foreign_in: when those return.
        next_return: when the first token returns.
        horizon: the look-ahead.
        delays: of the grants so far.
    """

    free: int
    day_free: int
    most: int
    paused_for: int
    soon: list[int]
    foreign: int
    foreign_in: int
    next_return: int
    horizon: int
    delays: list[int] = attrs.Factory(list[int])

    def grant(self, wanted: int, keep: int, day_keep: int) -> int:
        """Grant requests, and keep some tokens; return how many."""
        granted = 0
        while granted < wanted and len(self.delays) < self.most and self.day_free > day_keep:
            delay = self._returns_in(keep + 1 - self.free)
            if delay is None or max(delay, self.paused_for) > self.horizon:
                break
            self.delays.append(max(delay, self.paused_for))
            self.free -= 1
            self.day_free -= 1
            granted += 1
        return granted

    def _returns_in(self, count: int) -> int | None:
        """Return when so many tokens will have returned; None where that lies beyond the look-ahead."""
        if count <= 0:
            return 0
        soon = self.soon
        own_return = soon[count - 1] if count <= len(soon) else None
        if not self.foreign:
            return own_return
        left = count - self.foreign
        if left > len(soon):
            return own_return
        with_foreign = self.foreign_in if left <= 0 else max(self.foreign_in, soon[left - 1])
        return with_foreign if own_return is None or own_return > with_foreign else own_return

    def again_in(self, keep: int) -> int:
        """Return when to ask again for what was not granted."""
        first = self._returns_in(keep + 1 - self.free)
        if first is None:  # an answer that comes now returns its token later, an unused grant at once
            first = min(max(self.next_return, RETRY + self.horizon // 2), RETRY_LATEST + self.horizon // 2)
        return max(
            first - self.horizon // 2,
            *(delay // 2 for delay in self.delays[-1:]),
            self.paused_for - self.horizon // 2,
            self.horizon // 4,
        )


def _integers(values: Iterable[Any]) -> list[int]:
    """Return the numbers of a state.

    Raises:
        ValueError: one of them is none that this class has written.
    """
    numbers = list(values)
    if not all(type(number) is int and abs(number) < _MOST for number in numbers):
        raise ValueError("no integers of 63 bits")
    return numbers


class SharedLedger:
    """The state of a subscription that several processes share.

    Args:
        state: what :meth:`dump` returned; None for a new one.
        minutes: the day, kept by the caller.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: it is not such a state, but that of another program.
    """

    __slots__ = (
        "_burst_limit",
        "_burst_limit_until",
        "_count",
        "_day_foreign",
        "_day_foreign_until",
        "_day_limit",
        "_day_limit_until",
        "_epoch",
        "_foreign",
        "_foreign_until",
        "_minute",
        "_minutes",
        "_paused_until",
        "_processes",
        "_returned",
        "_seen",
        "_shift",
        "_since",
        "_spent",
        "_taken",
        "_tokens",
    )

    def __init__(self, state: Mapping[str, Any] | None = None, minutes: MinuteCounts | None = None) -> None:
        scalars: list[int] = [0] * 17 if state is None else _integers(state["scalars"])
        self._epoch: str = "" if state is None else str(state["epoch"])
        (
            self._shift,
            self._seen,
            self._minute,
            self._paused_until,
            self._foreign,
            self._foreign_until,
            self._taken,
            self._returned,
            self._spent,
            self._day_foreign,
            self._day_foreign_until,
            self._burst_limit,
            self._burst_limit_until,
            self._day_limit,
            self._day_limit_until,
            self._count,
            self._since,
        ) = scalars
        self._tokens: dict[tuple[str, int], int] = {}
        self._processes: dict[str, _Process] = {}
        if state is not None:
            self._tokens = {(str(process), int(number)): int(at) for process, number, at in state["tokens"]}
            self._processes = {str(name): _Process(*_integers(values)) for name, values in state["processes"].items()}
        days: dict[int, int] = {}
        self._minutes: MinuteCounts = days if minutes is None else minutes

    def dump(self) -> dict[str, Any]:
        """Return the state as a JSON object, without the minutes."""
        return {
            "epoch": self._epoch,
            "scalars": [
                self._shift,
                self._seen,
                self._minute,
                self._paused_until,
                self._foreign,
                self._foreign_until,
                self._taken,
                self._returned,
                self._spent,
                self._day_foreign,
                self._day_foreign_until,
                self._burst_limit,
                self._burst_limit_until,
                self._day_limit,
                self._day_limit_until,
                self._count,
                self._since,
            ],
            "tokens": [[process, number, at] for (process, number), at in self._tokens.items()],
            "processes": {name: list(attrs.astuple(process)) for name, process in self._processes.items()},
        }

    def take(self, exchange: LedgerRequest, clock: int) -> LedgerReply:
        """Make an exchange.

        Args:
            exchange: of one process.
            clock: the instant, by a clock that all processes share; where it is set back, time goes on from there.
        """
        now = self._advance_clock(clock)
        known = self._processes.get(exchange.process)
        self._find_loss(exchange, now)
        if known is not None and exchange.number <= known.number:
            return LedgerReply(status="outdated", epoch=self._epoch)
        if exchange.epoch and (exchange.epoch != self._epoch or known is None):
            return LedgerReply(status="introduce", epoch=self._epoch)
        self._count += 1
        self._move_day(now)
        self._return_answered(exchange, now)
        self._return_lost_and_unused(exchange, known)
        if not exchange.epoch:
            self._introduce(exchange, known, now)
        own = self._register(exchange, known, now)
        self._bury_dead(now)
        self._return_due(now)
        if exchange.pause > 0:
            self._pause(now + exchange.pause)
        self._correct(exchange, now)
        return self._grant(exchange, own, now)

    # ---------------------------------------------------------------------------------------- before the grants

    def _advance_clock(self, clock: int) -> int:
        now = clock + self._shift
        if now < self._seen:
            self._shift += self._seen - now
            now = self._seen
        return now

    def _find_loss(self, exchange: LedgerRequest, now: int) -> None:
        """Grant nothing for one window where it is not known what was sent a moment ago.

        So it is where the state is gone, or an older one is back, or no process made an exchange although some live.
        """
        if not self._epoch or exchange.witnessed > self._count:
            self._epoch = str(now)
            self._spent = sum(count for _, count in self._minutes.items())
            self._paused_until, self._since = max(self._paused_until, now + SPAN), now
        elif now - self._seen > STALE and self._processes:
            self._paused_until, self._since = max(self._paused_until, now + SPAN), now
        self._seen = now

    def _move_day(self, now: int) -> None:
        minute = now // MINUTE
        if minute > self._minute:
            for old, count in list(self._minutes.items()):
                if old <= minute - DAY:
                    self._spent -= count
                    del self._minutes[old]
            self._minute = minute

    def _book(self, minute: int, count: int) -> None:
        self._minutes[minute] = (self._minutes.get(minute) or 0) + count
        self._spent += count

    def _unbook(self, minute: int) -> bool:
        """Take one request off a minute; return False where none is booked there."""
        count = self._minutes.get(minute) or 0
        if count < 1:
            return False
        self._minutes[minute] = count - 1
        self._spent -= 1
        return True

    def _return_answered(self, exchange: LedgerRequest, now: int) -> None:
        """Let tokens return, known or not: those of a lost state count again by this."""
        for each in exchange.answered:
            self._tokens[exchange.process, each.number] = now + each.returns_in
            if 0 <= each.minute < self._minute and self._unbook(each.minute):
                self._book(self._minute, 1)  # the server may have counted it only now

    def _return_lost_and_unused(self, exchange: LedgerRequest, known: _Process | None) -> None:
        """Return tokens at once whose requests were not sent."""
        if known is not None:
            number = exchange.known + 1
            while self._tokens.pop((exchange.process, number), None) is not None:
                self._taken -= 1
                self._unbook(known.minute)
                number += 1
        for number, minute in exchange.given_back:
            if self._tokens.pop((exchange.process, number), None) is not None:
                self._taken -= 1
                self._unbook(minute)

    def _introduce(self, exchange: LedgerRequest, known: _Process | None, now: int) -> None:
        """Take over what a process says: what it has out, what was spent before a loss, what it spent in an outage."""
        out = {*exchange.held, *(each.number for each in exchange.answered)}
        for key, at in self._tokens.items():
            if key[0] == exchange.process and key[1] not in out:
                self._tokens[key] = min(at, now + SPAN)
        for number in exchange.held:
            self._tokens[exchange.process, number] = now + HOLD
        if exchange.former != self._epoch:
            for age, count in exchange.minutes:
                more = count - (self._minutes.get(self._minute - age) or 0)
                if more > 0 and age < DAY:
                    self._book(self._minute - age, more)
        if known is None or exchange.outage > known.outage:
            for age, count in exchange.used:
                if age < DAY:
                    self._book(self._minute - age, count)

    def _register(self, exchange: LedgerRequest, known: _Process | None, now: int) -> _Process:
        own = _Process(
            until=now if exchange.leaving else now + ALIVE,
            number=exchange.number,
            minute=self._minute,
            round_trip=exchange.round_trip,
            waits_until=0,
            interactive=0,
            background=0,
            per_second=exchange.per_second,
            per_day=exchange.per_day,
            shares_until=now + SHARING if exchange.background else 0 if known is None else known.shares_until,
            outage=max(exchange.outage, 0 if known is None else known.outage),
        )
        self._processes[exchange.process] = own
        return own

    def _bury_dead(self, now: int) -> None:
        """Let the tokens of processes that are gone return one window from now."""
        dead = {name for name, process in self._processes.items() if process.until <= now}
        for name in dead:
            del self._processes[name]
        if dead:
            for key, at in self._tokens.items():
                if at > now + SPAN and key[0] in dead:
                    self._tokens[key] = now + SPAN

    def _return_due(self, now: int) -> None:
        due = [key for key, at in self._tokens.items() if at <= now]
        for key in due:
            del self._tokens[key]
        self._returned += len(due)
        if self._foreign_until <= now:
            self._foreign = 0
        if self._day_foreign_until <= now:
            self._day_foreign = 0
        if self._burst_limit_until <= now:
            self._burst_limit = 0
        if self._day_limit_until <= now:
            self._day_limit = 0

    def _pause(self, until: int) -> None:
        self._paused_until = max(self._paused_until, until)
        for process in self._processes.values():
            process.round_trip = 0

    def _limits(self) -> tuple[int, int]:
        """Return the smallest limits of all processes and of the server's headers."""
        per_second, per_day = self._agreed()
        return min(per_second, self._burst_limit or UNLIMITED), min(per_day, self._day_limit or UNLIMITED)

    def _agreed(self) -> tuple[int, int]:
        return (
            min((process.per_second for process in self._processes.values()), default=UNLIMITED),
            min((process.per_day for process in self._processes.values()), default=UNLIMITED),
        )

    def _correct(self, exchange: LedgerRequest, now: int) -> None:
        """Apply the server's headers: its limits, and requests that no process of ours has sent."""
        if exchange.burst_limit > 0:
            self._burst_limit, self._burst_limit_until = exchange.burst_limit, now + LAPSE
        if exchange.day_limit > 0 and exchange.day_limit >= self._spent - len(self._tokens):
            self._day_limit, self._day_limit_until = exchange.day_limit, now + LAPSE
        per_second, per_day = self._limits()
        if exchange.burst_limit > 0 and exchange.burst_remaining >= 0:
            ours = self._taken - exchange.burst_returned
            self._foreign, self._foreign_until = max(0, per_second - exchange.burst_remaining - ours), now + SPAN
        if exchange.day_limit > 0 and exchange.day_remaining >= 0 and self._day_limit == exchange.day_limit:
            self._day_foreign = max(0, per_day - exchange.day_remaining - self._spent)
            self._day_foreign_until = now + LAPSE

    # -------------------------------------------------------------------------------------------------- grants

    def _grant(self, exchange: LedgerRequest, own: _Process, now: int) -> LedgerReply:
        per_second, per_day = self._limits()
        others = [each for name, each in self._processes.items() if name != exchange.process and each.waits_until > now]
        offer = self._offer(exchange, per_second, per_day, now, is_shared=bool(others))
        reserve, day_reserve = per_second * exchange.share // MILLION, per_day * exchange.share // MILLION
        interactive = offer.grant(exchange.interactive, 0, 0)
        background = 0
        if interactive == exchange.interactive and not any(each.interactive for each in others):
            background = offer.grant(exchange.background, reserve, day_reserve)
        for index, delay in enumerate(offer.delays, start=1):
            self._tokens[exchange.process, exchange.known + index] = now + delay + HOLD
        if offer.delays:
            self._book(self._minute, len(offer.delays))
            self._taken += len(offer.delays)
        lacking_interactive, lacking_background = exchange.interactive - interactive, exchange.background - background
        again_in, blocked_for, is_day = -1, 0, False
        if lacking_interactive or lacking_background:
            own.waits_until = now + WAITING
            own.interactive, own.background = lacking_interactive, lacking_background
            again_in = offer.again_in(0 if lacking_interactive else reserve)
            blocked_for = offer.paused_for
            if offer.day_free <= (0 if lacking_interactive else day_reserve):
                is_day = True
                blocked_for = max(blocked_for, self._day_returns_in(now))
                again_in = min(blocked_for, 5 * SECOND)
        agreed_per_second, agreed_per_day = self._agreed()
        elsewhere = [each for name, each in self._processes.items() if name != exchange.process]
        return LedgerReply(
            epoch=self._epoch,
            interactive=interactive,
            background=background,
            delays=tuple(offer.delays),
            again_in=again_in,
            blocked_for=blocked_for,
            is_day=is_day,
            ahead=sum(each.interactive + each.background for each in others),
            waiting=len(others) + 1,
            sharers=1 + sum(each.shares_until > now for each in elsewhere),
            processes=len(elsewhere) + 1,
            rank=sum(name < exchange.process for name in self._processes),
            returned=self._returned,
            taken=self._taken,
            free=max(0, offer.free),
            day_free=max(0, offer.day_free),
            paused_for=offer.paused_for,
            per_second=per_second,
            per_day=per_day,
            agreed_per_second=agreed_per_second,
            agreed_per_day=agreed_per_day,
            count=self._count,
            minute=self._minute,
            minutes=() if exchange.epoch else tuple((self._minute - at, count) for at, count in self._minutes.items()),
        )

    def _offer(self, exchange: LedgerRequest, per_second: int, per_day: int, now: int, *, is_shared: bool) -> _Offer:
        early = self._smallest_round_trip(exchange)
        horizon = max(LOOK_AHEAD, SPAN // per_second)
        returns = sorted(at for at in self._tokens.values() if at > now + early)
        nexts = [at - now - early for at in returns[:1]] + ([self._foreign_until - now] if self._foreign else [])
        return _Offer(
            free=per_second - len(returns) - self._foreign - self._kept_for_missing(exchange, per_second, now),
            day_free=per_day - self._spent - self._day_foreign,
            most=self._fair_share(exchange, per_second, now + early, is_shared=is_shared),
            paused_for=max(0, self._paused_until - now),
            soon=[at - now - early for at in returns if at <= now + early + horizon],
            foreign=self._foreign,
            foreign_in=self._foreign_until - now,
            next_return=min(nexts, default=0),
            horizon=horizon,
        )

    def _kept_for_missing(self, exchange: LedgerRequest, per_second: int, now: int) -> int:
        """Return the share of processes that may not have noticed yet that the ledger is back, and use it."""
        if now >= self._since + ALIVE:
            return 0
        expected = max(exchange.processes, len(self._processes))
        present = sum(process.until - ALIVE >= self._since for process in self._processes.values())
        return max(0, expected - present) * max(1, per_second // expected)

    def _smallest_round_trip(self, exchange: LedgerRequest) -> int:
        """Return what may be subtracted; 0 while one process does not know its smallest round trip."""
        if exchange.pause > 0 or exchange.leaving:
            return 0
        return min(process.round_trip for process in self._processes.values())

    def _fair_share(self, exchange: LedgerRequest, per_second: int, at: int, *, is_shared: bool) -> int:
        """Return how many tokens a process may take, so that those who wait share alike what others leave."""
        if not is_shared:
            return per_second
        own, left, waiting = 0, per_second, 1
        others: set[str] = set()
        for name, process in self._processes.items():
            if name != exchange.process and process.waits_until > self._seen:
                others.add(name)
                waiting += 1
        for (name, _), returns in self._tokens.items():
            if returns > at:
                if name == exchange.process:
                    own += 1
                elif name not in others:
                    left -= 1
        return max(0, math.ceil(left / waiting) - own)

    def _day_returns_in(self, now: int) -> int:
        """Return when the day has a free request again, at the earliest."""
        if self._day_foreign:
            return max(0, self._day_foreign_until - now)
        oldest = min((at for at, count in self._minutes.items() if count > 0), default=self._minute)
        return (oldest + DAY) * MINUTE - now

    def change_clock(self, clock: int, *, elapsed: int) -> None:
        """Go on by another clock, which shows ``clock`` now; so much time has passed since the latest exchange."""
        self._shift = self._seen + elapsed - clock

    def returning(self, clock: int) -> list[tuple[int, int]]:
        """Return numbers of tokens that return within a window, and when, by the clock; those of a sole process."""
        now = clock + self._shift
        return [(number, at - self._shift) for (_, number), at in self._tokens.items() if now < at <= now + 2 * SPAN]
