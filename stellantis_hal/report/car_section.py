"""The section of one car in a report: figures, remarks, map, charts and trips as values, before they become HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

import attrs

from stellantis_hal.report.car_history import CarHistory
from stellantis_hal.report.charts import (
    Chart,
    consumption_chart,
    distance_chart,
    level_chart,
    range_chart,
    rise_chart,
    speed_chart,
)
from stellantis_hal.report.energy_measurements import EnergyMeasurement, measurements
from stellantis_hal.report.escaping import plural
from stellantis_hal.report.levels import LevelSample, days, rises
from stellantis_hal.report.totals import Totals, months
from stellantis_hal.report.trip_facts import Point, TripFacts, known_point, local, sorted_facts
from stellantis_hal.resources.blocks.measured import latest_instant
from stellantis_hal.resources.rows import battery_capacity
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Motorization
from stellantis_hal.structuring.units import convert_unit

__all__ = ["CarSection", "car_section"]

_ENERGIES: Final = ("battery", "fuel")
_MOST_FAULTS: Final = 8
_LONGEST_FAULT: Final = 80


@attrs.frozen(kw_only=True)
class CarSection:
    """Values of a section.

    Attributes:
        history: what was read.
        trips: by their start.
        totals: of all trips.
        first: the start of the first trip.
        last: the start of the last trip.
        status: the latest status; None where there is none.
        told: when the car reported last.
        charts: in the order of the page.
        routes: routes as points.
        remarks: what is missing or left out, as sentences.
    """

    history: CarHistory
    trips: tuple[TripFacts, ...]
    totals: Totals
    first: datetime | None
    last: datetime | None
    status: Status | None
    told: datetime | None
    charts: tuple[Chart, ...]
    routes: tuple[tuple[Point, ...], ...]
    remarks: tuple[str, ...]


def car_section(history: CarHistory, zone: tzinfo | None) -> CarSection:
    """Return the section of a car.

    Args:
        history: what was read of it.
        zone: of days, months and times; None: that of the machine.
    """
    trips, repeated = sorted_facts(history.trips, zone)
    starts = [trip.start for trip in trips if trip.start is not None]
    status = max(history.statuses, key=_reported, default=None)
    measured = [
        each
        for each in measurements(history.statuses, history.telemetry, zone)
        if (history.since is None or each.at >= history.since) and (history.until is None or each.at <= history.until)
    ]  # the current status may be of another time than the trips: it ends no charge of theirs
    routes = [tuple(point for each in route if (point := known_point(each)) is not None) for route in history.routes]
    return CarSection(
        history=history,
        trips=tuple(trips),
        totals=Totals.of(trips),
        first=starts[0] if starts else None,
        last=starts[-1] if starts else None,
        status=status,
        told=None if status is None else local(latest_instant(status), zone),
        charts=_charts(history, trips, measured, status, zone),
        routes=tuple(route for route in routes if len(route) > 1),
        remarks=tuple(_remarks(history, trips, repeated, status)),
    )


def _charts(
    history: CarHistory,
    trips: Sequence[TripFacts],
    measured: Sequence[EnergyMeasurement],
    status: Status | None,
    zone: tzinfo | None,
) -> tuple[Chart, ...]:
    by_month = months(trips, local(history.since, zone), local(history.until, zone))
    energies = _energies(history, trips, measured)
    capacity = convert_unit(None if status is None else battery_capacity(status.electric), "Wh", "kWh")
    return (
        distance_chart(by_month),
        *(consumption_chart(by_month, energy) for energy in energies),
        *(level_chart(days(trips, _samples(measured, energy), energy), energy) for energy in energies),
        *(rise_chart(rises(trips, _latest(measured, energy), energy), energy, capacity) for energy in energies),
        *(range_chart(measured, energy) for energy in energies),
        *(speed_chart(trips, energy) for energy in energies),
    )


def _energies(history: CarHistory, trips: Sequence[TripFacts], measured: Sequence[EnergyMeasurement]) -> list[str]:
    """Return the energies of the car: those with a level or a consumption, else what the motorization says."""
    kinds = {each.energy for each in measured}
    kinds |= {
        energy for energy in _ENERGIES for trip in trips if any(level is not None for level in trip.levels(energy))
    }
    kinds |= {"battery"} if any(trip.kwh is not None for trip in trips) else set()
    kinds |= {"fuel"} if any(trip.litres is not None for trip in trips) else set()
    motorization = history.vehicle.motorization
    if not kinds:
        kinds |= set() if motorization == Motorization.ELECTRIC else {"fuel"}
        kinds |= {"battery"} if motorization in {Motorization.ELECTRIC, Motorization.HYBRID, None} else set()
    return [energy for energy in _ENERGIES if energy in kinds]


def _samples(measured: Sequence[EnergyMeasurement], energy: str) -> list[LevelSample]:
    return [LevelSample(each.at, each.level) for each in measured if each.energy == energy and each.level is not None]


def _latest(measured: Sequence[EnergyMeasurement], energy: str) -> LevelSample | None:
    return next(reversed(_samples(measured, energy)), None)


def _reported(status: Status) -> float:
    at = latest_instant(status)
    return 0.0 if at is None else at.timestamp()


def _remarks(history: CarHistory, trips: Sequence[TripFacts], repeated: int, status: Status | None) -> list[str]:
    counts = (
        (sum(trip.start is None for trip in trips), "no known start: they count in totals, but in no month and day"),
        (sum(trip.km is None for trip in trips), "no known distance"),
        (sum(trip.kwh is None and trip.litres is None for trip in trips), "no known consumption"),
        (sum(trip.origin is None and trip.destination is None for trip in trips), "no known position"),
    )
    found = [f"{count:,} of {len(trips):,} trips: {text}." for count, text in counts if count]
    faults = Counter(fault for trip in trips for fault in dict.fromkeys(trip.faults))
    found += [
        f"{plural(count, 'trip')} with gaps in the record: {fault[:_LONGEST_FAULT]}."
        for fault, count in faults.most_common(_MOST_FAULTS)
    ]
    problems = sum(trip.problems for trip in trips)
    affected = sum(trip.problems > 0 for trip in trips)
    others = (
        (max(0, len(faults) - _MOST_FAULTS), "further kind", "of gaps"),
        (sum(trip.is_done is False for trip in trips), "trip", "not over yet: figures so far"),
        (repeated, "trip", "repeated: counted once"),
        (problems, "value", f"of {plural(affected, 'trip')}: unreadable, or contradicting other values or the clock"),
    )
    found += [f"{plural(count, thing)} {text}." for count, thing, text in others if count]
    if not trips:
        found.append("The API has no trips of this period.")
    if status is None:
        found.append("No status: odometer and current levels are unknown.")
    return [*found, *history.remarks]
