"""Options of a watch, as values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

import attrs

from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.validation import require_type

__all__ = ["PollOptions", "WatchOptions", "checked_kinds", "checked_late", "checked_since"]


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


def checked_kinds(what: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Return the kinds of data to poll, each once.

    Raises:
        ValueError: one is unknown, or there is none.
    """
    kinds = (what,) if isinstance(what, str) else tuple(dict.fromkeys(what))
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        raise ValueError(f"what must be one or more of {', '.join(known)}, not {', '.join(unknown) or 'empty'}")
    return kinds


def checked_since(since: datetime | None) -> float | None:
    """Return the start of the trips to report, in seconds since the epoch.

    Raises:
        ValueError: it is naive.
        TypeError: it is no datetime.
    """
    require_type("since", since, datetime, None)
    if since is not None and since.tzinfo is None:
        raise ValueError(f"since must be aware, such as datetime(2026, 1, 1, tzinfo=UTC), not {since}")
    return None if since is None else since.timestamp()


def checked_late(late: timedelta, *, at_least: float) -> float:
    """Return the seconds before the newest trip in which late trips are looked for.

    Raises:
        ValueError: it is too short.
        TypeError: it is no timedelta.
    """
    require_type("late", late, timedelta, instead="timedelta(seconds=…)")
    if late.total_seconds() < at_least:
        shortest = timedelta(seconds=at_least)
        raise ValueError(f"late must be at least {shortest}, such as timedelta(days=14), not {late}")
    return late.total_seconds()
