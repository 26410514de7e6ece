"""Fixed share of a subscription that a process uses while the shared ledger is away."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.shared_ledger import (
    MINUTE,
    SECOND,
    UNLIMITED,
    LedgerReply,
    LedgerRequest,
    SharedLedger,
)

__all__ = ["FixedShareLedger", "share_of"]


@attrs.frozen
class Share:
    """One process's part of the limits; None for no limit, 0 for nothing.

    Attributes:
        per_second: requests within any second.
        per_day: requests of what is left of the day.
    """

    per_second: int | None
    per_day: int | None


def share_of(limits: RateLimits, processes: int, *, day_free: int, rank: int) -> Share:
    """Return the share of one of several processes: all of them together stay within the limits.

    Where a second has fewer requests than there are processes, the first of them send one each, the others none.

    Args:
        limits: of the subscription.
        processes: their number, at least 1.
        day_free: requests that are left of the day.
        rank: how many of them come before this one.
    """
    per_second = None if limits.per_second is None else limits.per_second // processes
    if per_second == 0:
        per_second = int(limits.per_second is not None and rank < limits.per_second)
    return Share(per_second, None if limits.per_day is None else max(0, day_free) // processes)


class FixedShareLedger:
    """A ledger of one process alone, which makes its exchanges at once.

    It starts with an empty window: what the shared ledger granted leaves the server's window first.

    Args:
        share: what it may use, at least one request per second.
    """

    __slots__ = ("_ledger", "_minutes", "_share")

    def __init__(self, share: Share) -> None:
        self._share = share
        self._minutes: dict[int, int] = {}
        self._ledger = SharedLedger(minutes=self._minutes)

    def take(self, exchange: LedgerRequest, now: float) -> LedgerReply:
        """Make an exchange; ``now`` is in seconds."""
        per_second, per_day = self._share.per_second, self._share.per_day
        mine = attrs.evolve(
            exchange,
            per_second=UNLIMITED if per_second is None else per_second,
            per_day=UNLIMITED if per_day is None else per_day,
            minutes=(),
        )
        return self._ledger.take(mine, round(now * SECOND))

    def used(self, now: float) -> tuple[tuple[int, int], ...]:
        """Return age in minutes and count of what was sent."""
        minute = round(now * SECOND) // MINUTE
        return tuple((max(0, minute - at), count) for at, count in self._minutes.items() if count > 0)

    def returning(self, now: float) -> Iterator[tuple[int, float]]:
        """Return numbers of tokens that were answered and return later, and when."""
        return ((number, at / SECOND) for number, at in self._ledger.returning(round(now * SECOND)))
