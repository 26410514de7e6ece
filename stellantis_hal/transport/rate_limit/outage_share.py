"""Fixed share of a subscription that a process uses while the shared ledger is away."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.turns import MINUTE, SECOND, SPAN, UNLIMITED, SharedLedger, Turn, TurnReply

__all__ = ["OutageShare", "share_of"]


@attrs.frozen
class Share:
    """One process's part of a subscription.

    Attributes:
        per_second: requests within the span.
        per_day: requests of what is left of the day.
        span: microseconds of the burst window.
    """

    per_second: int
    per_day: int
    span: int


def share_of(limits: RateLimits, processes: int, day_free: int) -> Share:
    """Return the share of one of so many processes: all of them together stay within the limits.

    Fewer requests per second than processes are spread: one request in a longer span.

    Args:
        limits: of the subscription.
        processes: number of processes, at least 1.
        day_free: requests that are left of the day.
    """
    per_second = limits.per_second or UNLIMITED
    each = per_second // processes
    span = SPAN if each else -(-SPAN * processes // per_second)
    per_day = UNLIMITED if limits.per_day is None else max(0, day_free) // processes
    return Share(max(1, each), per_day, span)


class OutageShare:
    """A ledger of one process alone, which takes its turns at once.

    It starts with an empty window: what the shared ledger granted leaves the server's window first.

    Args:
        share: what it may use.
    """

    __slots__ = ("_ledger", "_minutes", "_process", "_share")

    def __init__(self, share: Share) -> None:
        self._share = share
        self._minutes: dict[int, int] = {}
        self._ledger = SharedLedger(minutes=self._minutes, span=share.span)
        self._process = ""

    @property
    def share(self) -> Share:
        return self._share

    def take(self, turn: Turn, now: float) -> TurnReply:
        """Take a turn; ``now`` is in seconds."""
        self._process = turn.process
        mine = attrs.evolve(turn, per_second=self._share.per_second, per_day=self._share.per_day, used=(), minutes=())
        return self._ledger.take(mine, round(now * SECOND))

    def used(self, now: float) -> tuple[tuple[int, int], ...]:
        """Return age in minutes and count of what was sent."""
        minute = round(now * SECOND) // MINUTE
        return tuple((max(0, minute - at), count) for at, count in self._minutes.items() if count > 0)

    def returning(self, now: float) -> Iterator[tuple[int, float]]:
        """Return numbers of tokens that were answered and return later, and when."""
        return ((number, at / SECOND) for number, at in self._ledger.returning(round(now * SECOND)))
