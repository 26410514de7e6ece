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
    """How a fleet is to be polled.

    Attributes:
        every: seconds between two polls of a vehicle; 0: as fast as the budget allows.
        what: the kinds of things to ask for.
        concurrency: polls at a time.
        relist: seconds between two looks at an account's vehicles.
        max_wait: seconds that a poll may wait for the limiter.
        spend: what may be spent at most; None: what the limiter leaves to background requests.
        rhythm: how much longer intervals are at an instant.
        weight: how much more often a vehicle is polled than others.
    """

    every: float
    what: tuple[str, ...]
    concurrency: int
    relist: float
    max_wait: float
    spend: RateLimits | None
    rhythm: Callable[[datetime], float] | None
    weight: Callable[[Vehicle], float] | None


@attrs.frozen(kw_only=True)
class PollOptions:
    """What is wanted of vehicles.

    Attributes:
        since: trips that started before are not wanted; None: those that come after the first look.
        overlap: seconds before the newest trip that every look goes back.
        reach: seconds before the newest trip that late ones are looked for in.
        deep_every: seconds between two looks that go back so far.
        repeats: whether snapshots without news are wanted too.
        adapt: how much longer or shorter intervals are, by the vehicle's status; asked when that changed, and hourly.
    """

    since: float | None
    overlap: float
    reach: float
    deep_every: float
    repeats: bool
    adapt: Callable[[Vehicle, Status], float] | None
