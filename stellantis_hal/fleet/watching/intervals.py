"""Poll intervals: the next due time, and policies for a user to choose."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, time
from hashlib import blake2b

from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["by_activity", "fraction_of", "next_due", "quiet"]

_DAY = 86_400.0
_SHORTEST_INTERVAL = 0.001


def next_due(due: float, now: float, interval: float) -> float:
    """Return the next due time of a vehicle that was due and has been polled.

    The rhythm is kept where possible, so that vehicles that started apart stay apart. Where more than an interval was
    missed, the rhythm starts anew: missed polls are not repeated.
    """
    interval = max(interval, _SHORTEST_INTERVAL)
    return due + interval if due + interval > now else now + interval


def fraction_of(key: str, seed: str = "") -> float:
    """Return a number from 0 to 1, always the same for a key: its position within the interval.

    It spreads the first polls, so that neither a start nor a restart polls all vehicles at once.
    """
    return int.from_bytes(blake2b(f"{seed}/{key}".encode(), digest_size=6).digest(), "big") / 2**48


def by_activity(vehicle: Vehicle, status: Status) -> float:
    """Return 0.5 for a vehicle that moves or charges, more than 1 for an inactive one: the default of ``adapt``.

    2.0 where the status is older than a day, 4.0 where it is older than a week, even if it says that the vehicle
    moves: it has been out of reach since.
    """
    age = status.age
    if age is None or age < _DAY:
        return 0.5 if status.is_moving or status.is_charging else 1.0
    return 2.0 if age < 7 * _DAY else 4.0


def quiet(since: time, until: time, *, factor: float = 4.0) -> Callable[[datetime], float]:
    """Return a ``rhythm`` that lengthens intervals between two times of day, in UTC.

    Args:
        since: start of the quiet hours, without a time zone.
        until: their end; before ``since`` where they cross midnight.
        factor: factor of the intervals within them.

    Raises:
        ValueError: the factor is not positive and finite, or a time of day has a time zone.
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"factor must be a finite number more than 0, such as 4.0, not {factor}")
    if since.tzinfo is not None or until.tzinfo is not None:
        raise ValueError("since and until must be times in UTC without a zone, such as time(22)")

    def rhythm(moment: datetime) -> float:
        at = moment.astimezone(UTC).time()
        inside = since <= at < until if since <= until else at >= since or at < until
        return factor if inside else 1.0

    return rhythm
