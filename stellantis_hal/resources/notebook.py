"""Trips and statuses as a notebook shows them: small tables without VINs, ids and places."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from stellantis_hal.hal.html_tables import facts_table
from stellantis_hal.resources.blocks.measured import latest_instant
from stellantis_hal.structuring.problems import Problem

if TYPE_CHECKING:
    from stellantis_hal.resources.blocks.energy import Energy
    from stellantis_hal.resources.position import Position
    from stellantis_hal.resources.status import Status
    from stellantis_hal.resources.trip import Trip

__all__ = ["status_html", "trip_html"]

_HIDDEN = "known, not shown here"


def trip_html(trip: Trip) -> str:
    """Return a trip as a table."""
    used = trip.consumption
    facts = [
        ("Start", _instant(trip.started_at)),
        ("Stop", _instant(trip.stopped_at)),
        ("Distance", _amount(trip.distance, "km", 1)),
        ("Duration", _span(trip.duration)),
        ("Average speed", _amount(trip.average_speed_kmh, "km/h")),
    ]
    if used.kilowatt_hours is not None:
        facts.append(("Electricity", _used(used.kilowatt_hours, "kWh", used.kilowatt_hours_per_100_km)))
    if used.litres is not None:
        facts.append(("Fuel", _used(used.litres, "l", used.litres_per_100_km)))
    facts += [
        (f"{name} at start, stop", f"{_level(trip.start_energies, kind)}, {_level(trip.end_energies, kind)}")
        for name, kind in (("Battery", "Electric"), ("Fuel level", "Fuel"))
        if any(energy.type == kind for energy in (*trip.start_energies, *trip.end_energies))
    ]
    facts.append(("Positions", _places(trip.start_position, trip.stop_position)))
    if trip.faults:
        facts.append(("Gaps", ", ".join(str(fault.cause or fault.fault) for fault in trip.faults)))
    if trip.done is False:
        facts.append(("State", "not over yet"))
    return facts_table("Trip", [*facts, *_problems(trip.problems)])


def status_html(status: Status) -> str:
    """Return a status as a table."""
    facts = [("Told", _instant(latest_instant(status)))]
    for name, energy in (("Battery", status.electric), ("Fuel", status.fuel)):
        if energy is not None:
            facts.append(
                (name, f"{_amount(energy.level, '%') or 'unknown'}, {_amount(energy.autonomy, 'km') or 'unknown'}")
            )
    if status.electric is not None:
        facts.append(("Charging", _choice(status.is_charging, "yes", "no")))
    air = None if status.environment is None else status.environment.air
    facts += [
        ("Odometer", _amount(status.mileage, "km")),
        ("Moving", _choice(status.is_moving, "yes", "no")),
        ("Doors", _choice(status.is_locked, "locked", "not all locked")),
        ("Air outside", None if air is None else _amount(air.temperature, "°C")),
        ("Position", _places(status.last_position)),
    ]
    return facts_table("Status", [*facts, *_problems(status.problems)])


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _amount(value: float | None, unit: str, digits: int = 0) -> str | None:
    return None if value is None else f"{value:,.{digits}f} {unit}"


def _span(span: timedelta | None) -> str | None:
    return None if span is None else f"{span.total_seconds() / 60:,.0f} min"


def _used(amount: float, unit: str, per_100_km: float | None) -> str:
    rate = "" if per_100_km is None else f", {per_100_km:.1f} {unit}/100 km"
    return f"{amount:,.1f} {unit}{rate}"


def _level(energies: Iterable[Energy], kind: str) -> str:
    level = next((energy.level for energy in energies if energy.type == kind), None)
    return _amount(level, "%") or "unknown"


def _choice(value: bool | None, yes: str, no: str) -> str | None:
    return None if value is None else yes if value else no


def _places(*positions: Position | None) -> str | None:
    return _HIDDEN if any(each is not None and each.coordinates is not None for each in positions) else None


def _problems(problems: Iterable[Problem]) -> list[tuple[str, str]]:
    count = sum(problem.kind != "sentinel" for problem in problems)
    return [("Problems", f"{count:,}, see .problems")] if count else []
