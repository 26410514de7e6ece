"""What one process has out of a shared ledger, and hands in with its next exchange."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable

import attrs

from stellantis_hal.transport.rate_limit.min_round_trip import MinRoundTrip
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
from stellantis_hal.transport.rate_limit.shared_ledger import (
    ALIVE,
    DAY,
    HOLD,
    MILLION,
    SECOND,
    SPAN,
    UNLIMITED,
    LedgerReply,
    LedgerRequest,
    ScheduledTokenReturn,
)

__all__ = ["ProcessGrants", "RequestGrant"]

_SPAN = SPAN / SECOND
_GUARD = 0.002
_LATE = 0.105
"""Seconds: how late the server counts a request that is under way for longer than the window, at most."""
_ANSWERS_WAIT = 0.2
"""Seconds that an answer may wait for the next exchange: its token returns a window later."""
_HELD = HOLD / SECOND - 1.0


@attrs.define(eq=False)
class RequestGrant:
    """The right to send one request.

    Attributes:
        number: of the grant.
        minute: under which the ledger has booked it; -1 where another ledger did.
        at: the instant from which on the request may be sent.
        is_shared: whether other processes use the ledger that granted it.
        returned: tokens that had returned when it was granted.
        sent_at: when its request was sent; None before.
        is_overdue: whether its token has returned because the response takes longer than the window.
    """

    number: int
    minute: int
    at: float
    is_shared: bool
    returned: int
    sent_at: float | None = None
    is_overdue: bool = False


class ProcessGrants:
    """Grants that are out, answers and unused grants that the ledger does not know yet.

    Args:
        process: id of the process.
        limits: as given.
        share: the part of each window that background requests may not use.
        processes: how many processes there are at most.

    Attributes:
        round_trips: of this process.
        latest: the latest reply; None before the first.
    """

    __slots__ = (
        "_alive_until",
        "_answered",
        "_day",
        "_epoch",
        "_former",
        "_given_back",
        "_handed_in",
        "_is_shared",
        "_known",
        "_lapsed",
        "_mirrored",
        "_number",
        "_out",
        "_quota",
        "_under_way",
        "_witnessed",
        "latest",
        "limits",
        "process",
        "processes",
        "round_trips",
        "share",
    )

    def __init__(self, process: str, limits: RateLimits, share: float, processes: int = 1) -> None:
        self.process: str = process
        self.limits: RateLimits = limits
        self.share: float = share
        self.processes: int = processes
        self.round_trips: MinRoundTrip = MinRoundTrip()
        self.latest: LedgerReply | None = None
        self._number = self._known = self._witnessed = 0
        self._epoch = self._former = ""
        self._is_shared = True
        self._alive_until = -math.inf
        self._lapsed: int  # the last grant that the ledger took back while the process stood still; set by a reply
        self._out: dict[int, RequestGrant] = {}
        self._under_way: OrderedDict[int, RequestGrant] = OrderedDict()
        self._answered: list[tuple[int, int, float]] = []
        self._given_back: list[tuple[int, int]] = []
        self._quota: tuple[ReportedQuota, int] | None = None
        self._day: dict[int, int] = {}
        self._mirrored = (0, 0.0)
        self._handed_in: tuple[int, int, tuple[ReportedQuota, int] | None]  # set by an exchange

    @property
    def out(self) -> int:
        """Grants that are not answered, given back or returned."""
        return len(self._out)

    # ------------------------------------------------------------------------------------------------ requests

    def is_stale(self, grant: RequestGrant, now: float) -> bool:
        """Return whether the ledger may have given a grant to another process, as it does where one stands still."""
        return now > grant.at + _HELD or (
            grant.is_shared and (now >= self._alive_until or grant.number <= self._lapsed)
        )

    def sent(self, grant: RequestGrant, now: float) -> None:
        """Book a request as sent."""
        if grant.sent_at is None:
            grant.sent_at = now
            self._under_way[grant.number] = grant

    def unused(self, grant: RequestGrant) -> None:
        """Return a grant, because nothing was sent."""
        self._under_way.pop(grant.number, None)
        if self._out.pop(grant.number, None) is not None:
            self._given_back.append((grant.number, grant.minute))

    def answered(
        self, grant: RequestGrant, now: float, quota: ReportedQuota | None = None, *, is_complete: bool = True
    ) -> None:
        """Book a request as answered, or as given up after it was sent."""
        self.sent(grant, now)
        self._under_way.pop(grant.number, None)
        if is_complete and grant.sent_at is not None:
            self.round_trips.record(now, now - grant.sent_at)
        if quota is not None:
            self._quota = quota, grant.returned
        if self._out.pop(grant.number, None) is not None:
            self._answered.append((grant.number, grant.minute, now + _SPAN + _GUARD))

    def _return_overdue(self, now: float) -> None:
        """Let tokens of slow requests return: the server has counted them on arrival."""
        while self._under_way and self._overdue_at() <= now:
            number, grant = self._under_way.popitem(last=False)
            grant.is_overdue = True
            self._out.pop(number, None)
            early = self.round_trips.trusted(now)  # the ledger subtracts at most this
            self._answered.append((number, grant.minute, (grant.sent_at or now) + _SPAN + _LATE + early))

    def _overdue_at(self) -> float:
        grant = next(iter(self._under_way.values()), None)
        return math.inf if grant is None or grant.sent_at is None else grant.sent_at + _SPAN + _LATE

    def due_at(self) -> float:
        """Return when the next exchange has to be made for what is to be handed in; ``inf`` where nothing is."""
        if self._given_back:
            return -math.inf
        answers = self._answered[0][2] - _SPAN + _ANSWERS_WAIT if self._answered else math.inf
        return min(answers, self._overdue_at())

    # --------------------------------------------------------------------------------------------------- exchanges

    def change_ledger(self, *, is_shared: bool) -> None:
        """Introduce this process to another ledger by the next exchange, or anew to the same."""
        if self._is_shared and self._epoch:
            self._former = self._epoch
        self._epoch = ""
        self._is_shared = is_shared
        for grant in self._out.values():
            grant.minute = -1
        self._answered = [(number, -1, at) for number, _, at in self._answered]
        self._given_back = [(number, -1) for number, _ in self._given_back]

    def exchange(
        self,
        now: float,
        *,
        interactive: int = 0,
        background: int = 0,
        pause: float = 0.0,
        used: Iterable[tuple[int, int]] = (),
        returning: Iterable[tuple[int, float]] = (),
        outage: int = 0,
        leaving: bool = False,
    ) -> LedgerRequest:
        """Return the next exchange. Until :meth:`apply` takes its reply, the one after it hands in the same again.

        Args:
            now: the instant.
            interactive: requests wanted.
            background: likewise.
            pause: seconds without a grant for any process.
            used: age in minutes and count of what was sent in an outage.
            returning: numbers, and instants of return, of tokens that another ledger had.
            outage: number of the outage.
            leaving: whether it is the last exchange.
        """
        self._return_overdue(now)
        self._number += 1
        introduces = not self._epoch
        burst = day = None
        returned = 0
        if self._quota is not None:
            quota, returned = self._quota
            burst, day = quota.burst, quota.day
        self._handed_in = len(self._answered), len(self._given_back), self._quota
        minute = self._mirrored[0] + max(0, int((now - self._mirrored[1]) // 60))
        return LedgerRequest(
            process=self.process,
            number=self._number,
            witnessed=self._witnessed if self._is_shared else 0,
            known=self._known,
            epoch=self._epoch,
            former=self._former,
            interactive=interactive,
            background=background,
            per_second=self.limits.per_second or UNLIMITED,
            per_day=self.limits.per_day or UNLIMITED,
            share=round(self.share * MILLION),
            round_trip=_micro(self.round_trips.trusted(now)),
            pause=_micro(pause),
            burst_limit=0 if burst is None else burst.limit or 0,
            burst_remaining=-1 if burst is None or burst.remaining is None else burst.remaining,
            burst_returned=returned,
            day_limit=0 if day is None else day.limit or 0,
            day_remaining=-1 if day is None or day.remaining is None else day.remaining,
            answered=(
                *(ScheduledTokenReturn(number, -1, _micro(at - now)) for number, at in returning),
                *(ScheduledTokenReturn(number, minute, _micro(at - now)) for number, minute, at in self._answered),
            ),
            given_back=tuple(self._given_back),
            held=tuple(self._out) if introduces else (),
            minutes=tuple((minute - at, count) for at, count in self._day.items() if count > 0)
            if introduces and self._is_shared
            else (),
            used=tuple(used),
            outage=outage,
            processes=self.processes if self._is_shared else 1,
            leaving=leaving,
        )

    def apply(self, exchange: LedgerRequest, reply: LedgerReply, *, taken_at: float, now: float) -> list[RequestGrant]:
        """Apply a reply; return the grants, interactive ones first.

        Args:
            exchange: what was handed in.
            reply: to it.
            taken_at: when the exchange was handed in.
            now: when the reply arrived.
        """
        if reply.status != "ok":
            if reply.status == "introduce":
                self.change_ledger(is_shared=self._is_shared)
            return []
        answered, given_back, quota = self._handed_in
        del self._answered[:answered]
        del self._given_back[:given_back]
        if self._quota is quota:
            self._quota = None
        self._mirror_day(reply, now)
        if exchange.pause > 0:
            self.round_trips.forget()
        self._epoch = reply.epoch
        if taken_at >= self._alive_until:
            self._lapsed = self._known  # an exchange makes none of them valid again
        self._alive_until = taken_at + ALIVE / SECOND
        self.latest = reply
        grants: list[RequestGrant] = []
        for delay in reply.delays:
            self._known += 1
            grant = RequestGrant(self._known, reply.minute, now + delay / SECOND, self._is_shared, reply.returned)
            self._out[grant.number] = grant
            grants.append(grant)
        return grants

    def _mirror_day(self, reply: LedgerReply, now: float) -> None:
        """Keep what the subscription has spent by minute, for a ledger that loses its state."""
        if not self._is_shared:
            return
        if self.latest is None or not self._epoch:
            self._day = {reply.minute - age: count for age, count in reply.minutes}
        else:
            before = self.latest.taken
            if reply.minute not in self._day:
                self._day = {minute: count for minute, count in self._day.items() if minute > reply.minute - DAY}
            self._day[reply.minute] = self._day.get(reply.minute, 0) + reply.taken - before
        self._witnessed = reply.count
        self._mirrored = reply.minute, now


def _micro(seconds: float) -> int:
    return round(min(seconds, 1e9) * SECOND)
