"""Facts of trips as a report counts them: local times, kilometres, kWh and litres."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Final

import attrs

from stellantis_hal.resources.blocks.energy import Energy
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.trip import Trip

__all__ = ["Point", "TripFacts", "known_point", "local", "sorted_facts"]

Point = tuple[float, float]
"""Longitude and latitude in degrees."""

_LEVELS: Final = {"battery": ("start_battery", "stop_battery"), "fuel": ("start_fuel", "stop_fuel")}


@attrs.frozen(kw_only=True)
class TripFacts:
    """One trip. Each value is None where it is unknown.

    Attributes:
        start: when it began, in the zone of the report.
        stop: when it ended, in the zone of the report.
        km: distance.
        minutes: duration.
        speed: average, km/h.
        kwh: electricity used.
        litres: fuel used.
        start_battery: percent.
        stop_battery: percent.
        start_fuel: percent.
        stop_fuel: percent.
        origin: where it began.
        destination: where it ended.
        faults: missing parts of its record.
        is_done: whether it is over.
        problems: how many of its values could not be read or contradict others.
    """

    start: datetime | None = None
    stop: datetime | None = None
    km: float | None = None
    minutes: float | None = None
    speed: float | None = None
    kwh: float | None = None
    litres: float | None = None
    start_battery: float | None = None
    stop_battery: float | None = None
    start_fuel: float | None = None
    stop_fuel: float | None = None
    origin: Point | None = None
    destination: Point | None = None
    faults: tuple[str, ...] = ()
    is_done: bool | None = None
    problems: int = 0

    @classmethod
    def of(cls, trip: Trip, zone: tzinfo | None) -> TripFacts:
        """Return the facts of a trip, its times in a zone; None: that of the machine."""
        levels = {
            f"{end}_{name}": _level(energies, kind)
            for end, energies in (("start", trip.start_energies), ("stop", trip.end_energies))
            for name, kind in (("battery", "Electric"), ("fuel", "Fuel"))
        }
        consumption = trip.consumption
        return cls(
            start=local(trip.started_at, zone),
            stop=local(trip.stopped_at, zone),
            km=trip.distance,
            minutes=None if trip.duration is None else trip.duration.total_seconds() / 60,
            speed=trip.average_speed_kmh,
            kwh=consumption.kilowatt_hours,
            litres=consumption.litres,
            origin=known_point(trip.start_position),
            destination=known_point(trip.stop_position),
            faults=tuple(str(gap) for fault in trip.faults if (gap := fault.cause or fault.fault) is not None),
            is_done=trip.done,
            problems=sum(problem.kind != "sentinel" for problem in trip.problems),
            **levels,
        )

    def levels(self, energy: str) -> tuple[float | None, float | None]:
        """Return the levels at start and stop in percent; of "battery" or "fuel"."""
        start, stop = _LEVELS[energy]
        return getattr(self, start), getattr(self, stop)


def local(instant: datetime | None, zone: tzinfo | None) -> datetime | None:
    """Return an instant in a zone; None where it is unknown, or beyond what a calendar of the zone can hold."""
    try:
        return None if instant is None else instant.astimezone(zone)
    except (OverflowError, ValueError):
        return None


def known_point(position: Position | None) -> Point | None:
    """Return longitude and latitude of a position; None where they are unknown, or on no map."""
    if position is None or position.longitude is None or position.latitude is None:
        return None
    if abs(position.longitude) > 180 or abs(position.latitude) > 90:
        return None
    return position.longitude, position.latitude


def sorted_facts(trips: Iterable[Trip], zone: tzinfo | None) -> tuple[list[TripFacts], int]:
    """Return the facts of trips by their start, those without one last, and how many were left out as repeated."""
    seen: set[str] = set()
    found: list[TripFacts] = []
    repeated = 0
    for trip in trips:
        if trip.id is not None and trip.id in seen:
            repeated += 1
            continue
        seen.update(() if trip.id is None else (trip.id,))
        found.append(TripFacts.of(trip, zone))
    return sorted(found, key=_order), repeated


def _order(facts: TripFacts) -> tuple[bool, float]:
    return facts.start is None, 0.0 if facts.start is None else facts.start.timestamp()


def _level(energies: Iterable[Energy], kind: str) -> float | None:
    return next((energy.level for energy in energies if energy.type == kind), None)
