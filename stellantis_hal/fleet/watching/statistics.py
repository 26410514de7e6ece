"""Statistics of a watch."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from stellantis_hal.fleet.watching.pacing_budget import Budget, CapacityPlan

__all__ = ["FleetStatistics"]


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
