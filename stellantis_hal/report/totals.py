"""Totals of trips, whole and by month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

import attrs

from stellantis_hal.report.trip_facts import TripFacts

__all__ = ["MonthTotals", "Totals", "months"]

_MOST_MONTHS: Final = 600


@attrs.frozen(kw_only=True)
class Totals:
    """Sums over trips. A sum is None where no trip has the value; a consumption counts trips that have both values.

    Attributes:
        trips: how many.
        km: distance.
        hours: duration.
        kwh: electricity.
        litres: fuel.
        kwh_per_100_km: electricity by distance.
        litres_per_100_km: fuel by distance.
        longest: kilometres of the longest trip.
    """

    trips: int
    km: float | None = None
    hours: float | None = None
    kwh: float | None = None
    litres: float | None = None
    kwh_per_100_km: float | None = None
    litres_per_100_km: float | None = None
    longest: float | None = None

    @classmethod
    def of(cls, trips: Sequence[TripFacts]) -> Totals:
        """Add up trips."""
        minutes = _sum(trip.minutes for trip in trips)
        return cls(
            trips=len(trips),
            km=_sum(trip.km for trip in trips),
            hours=None if minutes is None else minutes / 60,
            kwh=_sum(trip.kwh for trip in trips),
            litres=_sum(trip.litres for trip in trips),
            kwh_per_100_km=_per_100_km((trip.kwh, trip.km) for trip in trips),
            litres_per_100_km=_per_100_km((trip.litres, trip.km) for trip in trips),
            longest=max((trip.km for trip in trips if trip.km is not None), default=None),
        )


@attrs.frozen(kw_only=True)
class MonthTotals:
    """A month in the zone of the report.

    Attributes:
        name: as 2025-12.
        totals: of the trips that began in it.
        is_partial: whether the period covers a part of it only.
    """

    name: str
    totals: Totals
    is_partial: bool


def months(trips: Sequence[TripFacts], first: datetime | None, last: datetime | None) -> list[MonthTotals]:
    """Return the months from the first to the last trip that has a start, also those without trips.

    Args:
        trips: all of the report.
        first: the start of the period; None: the first trip's.
        last: the end of the period; None: the last trip's.
    """
    starts = [trip.start for trip in trips if trip.start is not None]
    if not starts:
        return []
    by_name: dict[tuple[int, int], list[TripFacts]] = {}
    for trip in trips:
        if trip.start is not None:
            by_name.setdefault((trip.start.year, trip.start.month), []).append(trip)
    begin, end = first or min(starts), last or max(starts)
    year, month = min(by_name)
    names: list[tuple[int, int]] = []
    while (year, month) <= max(by_name) and len(names) < _MOST_MONTHS:
        names.append((year, month))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    if names[-1] != max(by_name):  # a trip of another century stretches the axis: keep the months that have trips
        names = sorted(by_name)
    return [
        MonthTotals(
            name=f"{name[0]:04d}-{name[1]:02d}",
            totals=Totals.of(by_name.get(name, [])),
            is_partial=_is_partial(name, begin.date(), end),
        )
        for name in names
    ]


def _is_partial(name: tuple[int, int], begin: date, end: datetime) -> bool:
    starts_late = (begin.year, begin.month) == name and begin.day > 1
    ends_early = (end.year, end.month) == name
    return starts_late or ends_early


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _per_100_km(pairs: Iterable[tuple[float | None, float | None]]) -> float | None:
    known = [(used, km) for used, km in pairs if used is not None and km is not None]
    distance = sum(km for _, km in known)
    return 100 * sum(used for used, _ in known) / distance if distance > 0 else None
