"""Levels of batteries and tanks over time, and the charges and refuellings that they show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

import attrs

from stellantis_hal.report.trip_facts import TripFacts

__all__ = ["LEAST_RISE", "LevelDay", "LevelSample", "Rise", "days", "rises"]

LEAST_RISE: Final = 2.0
"""Percentage points below which a level that rose is taken for the rounding of the car."""


@attrs.frozen
class LevelSample:
    """A level at an instant.

    Attributes:
        at: the instant, in the zone of the report.
        level: percent.
    """

    at: datetime
    level: float


@attrs.frozen
class LevelDay:
    """The lowest and the highest level of a day, in percent."""

    day: date
    low: float
    high: float


@attrs.frozen(kw_only=True)
class Rise:
    """A level that rose while the car was not driven.

    Attributes:
        after: the instant of the lower level.
        before: the instant of the higher level.
        low: percent before it.
        high: percent after it.
    """

    after: datetime
    before: datetime
    low: float
    high: float

    @property
    def points(self) -> float:
        """By how many percentage points it rose."""
        return self.high - self.low


def days(trips: Iterable[TripFacts], others: Iterable[LevelSample], energy: str) -> list[LevelDay]:
    """Return the days that have a level, in order.

    Args:
        trips: their levels at start and stop count.
        others: levels that the car reported besides.
        energy: "battery" or "fuel".
    """
    by_day: dict[date, list[float]] = {}
    for sample in (*_ends(trips, energy), *others):
        by_day.setdefault(sample.at.date(), []).append(sample.level)
    return [LevelDay(day, min(levels), max(levels)) for day, levels in sorted(by_day.items())]


def rises(trips: Sequence[TripFacts], latest: LevelSample | None, energy: str) -> list[Rise]:
    """Return what was charged or refuelled between trips, an estimate: the API does not report sessions.

    Args:
        trips: by their start.
        latest: the level now, where it is known.
        energy: "battery" or "fuel".
    """
    found: list[Rise] = []
    known: LevelSample | None = None
    for trip in trips:
        start, stop = trip.levels(energy)
        if known is not None and trip.start is not None and start is not None:
            found += _rise(known, LevelSample(trip.start, start))
        if stop is not None and trip.stop is not None:
            known = LevelSample(trip.stop, stop)
        elif start is not None and trip.start is not None:
            known = LevelSample(trip.start, start)
    if known is not None and latest is not None:
        found += _rise(known, latest)
    return found


def _rise(low: LevelSample, high: LevelSample) -> list[Rise]:
    # Two times of one zone compare by their clocks, which show an hour twice where summer time ends.
    if high.at.timestamp() < low.at.timestamp() or high.level - low.level < LEAST_RISE:
        return []
    return [Rise(after=low.at, before=high.at, low=low.level, high=high.level)]


def _ends(trips: Iterable[TripFacts], energy: str) -> Iterable[LevelSample]:
    for trip in trips:
        for at, level in zip((trip.start, trip.stop), trip.levels(energy), strict=True):
            if at is not None and level is not None:
                yield LevelSample(at, level)
