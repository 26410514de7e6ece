"""Statistics of a watch."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from stellantis_hal.fleet.watching.pacing_budget import Budget, CapacityPlan

__all__ = ["FleetStatistics"]


@attrs.frozen(kw_only=True)
class FleetStatistics:
    """Counters and state of a watch.

    Attributes:
        accounts: watched accounts.
        accounts_lost: accounts that cannot be used at present.
        accounts_empty: accounts that have no vehicles at present.
        vehicles: watched vehicles.
        unavailable: kinds of data that cannot be read at present, summed over the vehicles.
        polls: polls of vehicles, and listings of accounts' vehicles.
        requests: requests of these polls, without retries.
        updates: updates put into the buffer.
        delivered: updates and events taken out of it.
        acknowledged: updates that the consumer has processed.
        unchanged: snapshots without a change.
        older: snapshots that were older than the one before.
        pushed: notifications that concerned a watched vehicle.
        errors: number of failures, by the name of their class.
        running: polls in progress.
        waiting: updates and events in the buffer.
        overdue: vehicles and accounts that are due.
        lag: seconds by which the most overdue of them is late.
        lateness: median delay of the latest 4,096 polls, in seconds.
        lateness_p99: 99th percentile of it.
        lateness_most: largest delay of all polls.
        silent_for: seconds since a vehicle was last read, or else since the watch was entered; 0 before that.
        paused: whether the watch is paused.
        outage: seconds since the present outage of the API began; None where there is none.
        kind_outages: seconds since the present outages of one kind of data began, by that kind; "vehicles" where the
            listings of several accounts fail.
        identity_outages: seconds since the present outages of identity servers began, by the server's host.
        budget: what the limiter leaves to this watch.
        plan: whether the interval fits the budget; None until the vehicles are known.
    """

    accounts: int
    accounts_lost: int
    accounts_empty: int
    vehicles: int
    unavailable: int
    polls: int
    requests: int
    updates: int
    delivered: int
    acknowledged: int
    unchanged: int
    older: int
    pushed: int
    errors: Mapping[str, int]
    running: int
    waiting: int
    overdue: int
    lag: float
    lateness: float
    lateness_p99: float
    lateness_most: float
    silent_for: float
    paused: bool
    outage: float | None
    kind_outages: Mapping[str, float]
    identity_outages: Mapping[str, float]
    budget: Budget
    plan: CapacityPlan | None
