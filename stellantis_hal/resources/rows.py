"""Flat rows of typed values: one column for each quantity, with its unit in the column's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from stellantis_hal.resources.blocks.energy import Energy, EnergyType
from stellantis_hal.resources.blocks.measured import latest_instant
from stellantis_hal.structuring.units import convert_unit

if TYPE_CHECKING:
    from stellantis_hal.resources.status import Status
    from stellantis_hal.resources.trip import Trip

__all__ = ["POSITION_COLUMNS", "STATUS_COLUMNS", "TRIP_COLUMNS", "Cell", "Column", "battery_capacity", "to_row", "used"]

Cell = str | float | int | bool | datetime | None
"""A value of a row; instants are aware, in UTC."""


def _at(path: str) -> Callable[[Any], Cell]:
    """Return a function that reads an attribute of an attribute, and None behind a None."""
    names = path.split(".")

    def read(value: Any) -> Cell:
        for name in names:
            if value is None:
                return None
            value = getattr(value, name)
        return _to_cell(value)

    return read


def _to_cell(value: Any) -> Cell:
    if isinstance(value, timedelta):
        return value.total_seconds()
    cell: Cell = value.value if isinstance(value, Enum) else value
    return cell


def _reader(source: str | Callable[[Any], Cell]) -> Callable[[Any], Cell]:
    return _at(source) if isinstance(source, str) else source


@attrs.frozen
class Column:
    """A column of a row.

    Attributes:
        name: its name, which ends in the unit where there is one.
        type: of its values; None may stand in each column.
        read: returns its value; made from the path of an attribute.
        unit: of its numbers, as ``unit_of`` names units; None where there is none.
    """

    name: str
    type: Literal["text", "number", "flag", "instant"]
    read: Callable[[Any], Cell] = attrs.field(converter=_reader)
    unit: str | None = None


def to_row(value: Any, columns: Iterable[Column]) -> dict[str, Cell]:
    """Return the row of a value, by the names of its columns."""
    return {column.name: column.read(value) for column in columns}


def used(trip: Trip, energy: EnergyType) -> float | None:
    """Return what a trip used of an energy in the vendor's unit, centilitres of fuel or Wh; None where unknown."""
    amounts = [
        each.consumption for each in trip.energy_consumptions if each.type == energy and each.consumption is not None
    ]
    return sum(amounts) if amounts else None


def _level(energies: str, kind: EnergyType) -> Callable[[Any], Cell]:
    """Return a function that reads the level of an energy from a trip's levels at its start or end."""
    return lambda trip: next((energy.level for energy in getattr(trip, energies) if energy.type == kind), None)


def _measured(part: str) -> Callable[[Any], Cell]:
    """Return a function that reads when a part of a status was measured."""
    return lambda status: latest_instant(getattr(status, part))


def battery_capacity(energy: Energy | None) -> float | None:
    """Return the Wh of a full traction battery: of its load, else as older responses have them."""
    battery = None if energy is None else energy.battery
    if battery is None or battery.load is None or battery.load.capacity is None:
        return None if battery is None else battery.capacity
    return battery.load.capacity


def _residual(status: Status) -> Cell:
    """Return the Wh left in the traction battery: of its load, else of the kWh that older responses have."""
    energy = status.electric
    battery = None if energy is None else energy.battery
    if battery is not None and battery.load is not None and battery.load.residual is not None:
        return battery.load.residual
    electric = None if energy is None or energy.extension is None else energy.extension.electric
    older = None if electric is None or electric.residual is None else electric.residual.consumption
    return convert_unit(older, "kWh", "Wh")


TRIP_COLUMNS: Final = (
    Column("vehicle", "text", "vehicle_identity.id"),
    Column("vin", "text", "vehicle_identity.vin"),
    Column("label", "text", "vehicle_identity.label"),
    Column("id", "text", "id"),
    Column("started_at", "instant", "started_at"),
    Column("stopped_at", "instant", "stopped_at"),
    Column("duration_s", "number", "duration", "s"),
    Column("distance_km", "number", "distance", "km"),
    Column("start_mileage_km", "number", "start_mileage", "km"),
    Column("start_longitude", "number", "start_position.longitude", "deg"),
    Column("start_latitude", "number", "start_position.latitude", "deg"),
    Column("stop_longitude", "number", "stop_position.longitude", "deg"),
    Column("stop_latitude", "number", "stop_position.latitude", "deg"),
    Column("fuel_cl", "number", lambda trip: used(trip, EnergyType.FUEL), "cL"),
    Column("electricity_wh", "number", lambda trip: used(trip, EnergyType.ELECTRIC), "Wh"),
    Column("fuel_l_per_100km", "number", "consumption.litres_per_100_km", "L/100km"),
    Column("electricity_kwh_per_100km", "number", "consumption.kilowatt_hours_per_100_km", "kWh/100km"),
    Column("start_fuel_percent", "number", _level("start_energies", EnergyType.FUEL), "percent"),
    Column("stop_fuel_percent", "number", _level("end_energies", EnergyType.FUEL), "percent"),
    Column("start_battery_percent", "number", _level("start_energies", EnergyType.ELECTRIC), "percent"),
    Column("stop_battery_percent", "number", _level("end_energies", EnergyType.ELECTRIC), "percent"),
    Column("average_speed_kmh", "number", "average_speed_kmh", "km/h"),
    Column("max_speed_kmh", "number", "max_speed_kmh", "km/h"),
    Column("faults", "text", lambda trip: ";".join(each.fault.value for each in trip.faults if each.fault is not None)),
    Column("done", "flag", "done"),
)
"""Columns of ``Trip.row()``."""

STATUS_COLUMNS: Final = (
    Column("created_at", "instant", "created_at"),
    Column("updated_at", "instant", "updated_at"),
    Column("longitude", "number", "last_position.longitude", "deg"),
    Column("latitude", "number", "last_position.latitude", "deg"),
    Column("altitude_m", "number", "last_position.altitude", "m"),
    Column("heading_deg", "number", "last_position.heading", "deg"),
    Column("position_at", "instant", _measured("last_position")),
    Column("mileage_km", "number", "mileage", "km"),
    Column("mileage_at", "instant", "odometer.measured_at"),
    Column("fuel_percent", "number", "fuel.level", "percent"),
    Column("fuel_range_km", "number", "fuel.autonomy", "km"),
    Column("fuel_at", "instant", _measured("fuel")),
    Column("battery_percent", "number", "electric.level", "percent"),
    Column("battery_range_km", "number", "electric.autonomy", "km"),
    Column("battery_at", "instant", _measured("electric")),
    Column("battery_capacity_wh", "number", lambda status: battery_capacity(status.electric), "Wh"),
    Column("battery_residual_wh", "number", _residual, "Wh"),
    Column("battery_health_percent", "number", "electric.battery.health.capacity", "percent"),
    Column("is_charging", "flag", "is_charging"),
    Column("plugged", "flag", "electric.charging.plugged"),
    Column("charging_status", "text", "electric.charging.status"),
    Column("charging_rate_kmh", "number", "electric.charging.charging_rate", "km/h"),
    Column("charging_remaining_s", "number", "electric.charging.remaining_time", "s"),
    Column("charging_ends_at", "instant", "electric.charging.ends_at"),
    Column("ignition", "text", "ignition.type"),
    Column("is_moving", "flag", "is_moving"),
    Column("speed_kmh", "number", "kinetic.speed", "km/h"),
    Column("is_locked", "flag", "is_locked"),
    Column("is_open", "flag", "doors.is_open"),
    Column("outside_temperature_degc", "number", "environment.air.temperature", "degC"),
    Column("starter_battery_percent", "number", "battery.health", "percent"),
    Column("privacy", "text", "privacy.state"),
    Column("service", "text", "service.type"),
)
"""Columns of ``Status.row()``."""

POSITION_COLUMNS: Final = (
    Column("longitude", "number", "longitude", "deg"),
    Column("latitude", "number", "latitude", "deg"),
    Column("altitude_m", "number", "altitude", "m"),
    Column("heading_deg", "number", "heading", "deg"),
    Column("created_at", "instant", "created_at"),
    Column("updated_at", "instant", "updated_at"),
    Column("signal_quality", "number", "signal_quality", "1"),
    Column("type", "text", "type"),
    Column("fix_status", "text", "fix_status"),
)
"""Columns of ``Position.row()``."""
