"""How a watch stands.

Knows numbers. Must not know where they come from.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from stellantis_hal.fleet.watching.due_queue import Budget, CapacityPlan

__all__ = ["Counts", "FleetStatistics"]

_REMEMBERED = 4_096


@attrs.frozen(kw_only=True)
class FleetStatistics:
    """What a watch did so far, and how it stands.

    Attributes:
        accounts: that are watched.
        accounts_lost: of these, the ones that cannot be used.
        vehicles: that are watched.
        unavailable: things about vehicles that cannot be had.
        polls: turns taken, of vehicles and of accounts whose vehicles were listed.
        requests: what these asked for; attempts after failures, and pages, come on top of one for each thing.
        updates: handed over to the buffer.
        delivered: taken out of it, events included.
        acknowledged: updates that the consumer is done with.
        same: snapshots without news.
        older: snapshots that came after newer ones.
        errors: failures by the name of their class.
        running: polls under way.
        waiting: updates and events in the buffer.
        overdue: vehicles and accounts whose time has come.
        lag: seconds by which the first of them is late.
        lateness: seconds by which the latest polls began late: the median.
        lateness_p99: the same, all but one in a hundred.
        lateness_most: the same, the worst.
        paused: whether polls are paused.
        outage: seconds that nothing has got through; None where things work.
        budget: what may be spent: this watch's share of both windows, and what is left of the day.
        plan: whether the interval fits it; None before it is known.
    """

    accounts: int
    accounts_lost: int
    vehicles: int
    unavailable: int
    polls: int
    requests: int
    updates: int
    delivered: int
    acknowledged: int
    same: int
    older: int
    errors: Mapping[str, int]
    running: int
    waiting: int
    overdue: int
    lag: float
    lateness: float
    lateness_p99: float
    lateness_most: float
    paused: bool
    outage: float | None
    budget: Budget
    plan: CapacityPlan | None


class Counts:
    """What is counted while a watch runs."""

    __slots__ = (
        "acknowledged",
        "delivered",
        "errors",
        "late",
        "most",
        "older",
        "polls",
        "requests",
        "same",
        "updates",
    )

    def __init__(self) -> None:
        self.polls: int = 0
        self.requests: int = 0
        self.updates: int = 0
        self.delivered: int = 0
        self.acknowledged: int = 0
        self.same: int = 0
        self.older: int = 0
        self.errors: Counter[str] = Counter()
        self.late: deque[float] = deque(maxlen=_REMEMBERED)
        self.most: float = 0.0

    def began(self, late: float) -> None:
        """Note by how many seconds a poll began late."""
        late = max(0.0, late)
        self.late.append(late)
        self.most = max(self.most, late)

    def percentile(self, share: float) -> float:
        """Tell what so many of the latest polls were not later than."""
        ordered = sorted(self.late)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0

    def frozen_errors(self) -> Mapping[str, int]:
        """Give the errors as they are now."""
        return MappingProxyType(dict(self.errors))
