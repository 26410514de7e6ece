"""Options of a watch, as values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.rate_limit.protocol import RateLimits

__all__ = ["PollOptions", "WatchOptions"]


@attrs.frozen(kw_only=True)
class WatchOptions:
    """When vehicles are polled.

    Attributes:
        every: seconds between two polls of a vehicle; 0: as fast as the budget allows.
        what: kinds of data to poll.
        concurrency: largest number of polls at a time.
        relist: seconds between two listings of an account's vehicles.
        max_wait: seconds that a request may wait for the limiter.
        budget: upper bound of the watch's requests; None: what the limiter leaves to background requests.
        rhythm: returns the factor of all intervals at an instant.
        weight: returns how much more often than others a vehicle is polled.
    """

    every: float
    what: tuple[str, ...]
    concurrency: int
    relist: float
    max_wait: float
    budget: RateLimits | None
    rhythm: Callable[[datetime], float] | None
    weight: Callable[[Vehicle], float] | None


@attrs.frozen(kw_only=True)
class PollOptions:
    """What a poll reads and reports.

    Attributes:
        since: start of the trips to report, in seconds since the epoch; None: trips that appear after the first poll.
        overlap: seconds before the newest trip from which each poll reads trips.
        lookback: seconds before the newest trip from which a deep scan reads trips.
        deep_every: seconds between two deep scans.
        repeats: whether unchanged snapshots are reported too.
        adapt: returns the factor of a vehicle's interval for its status; called when that has changed, and hourly.
    """

    since: float | None
    overlap: float
    lookback: float
    deep_every: float
    repeats: bool
    adapt: Callable[[Vehicle, Status], float] | None
