"""Flat rows of trips, statuses and positions."""

from datetime import UTC, datetime
from typing import Any

import pytest

from stellantis_hal import Position, Status, Trip, VehicleIdentity, unit_of
from stellantis_hal.resources.rows import POSITION_COLUMNS, STATUS_COLUMNS, TRIP_COLUMNS, Cell, Column
from stellantis_hal.structuring.converter import read
from tests.resources import bodies

TRIP = read(bodies.trip(), Trip)
STATUS = read(bodies.status(), Status)
ALL = {Trip: TRIP_COLUMNS, Status: STATUS_COLUMNS, Position: POSITION_COLUMNS}
SUFFIXES = {
    "km": "_km", "s": "_s", "cL": "_cl", "Wh": "_wh", "percent": "_percent", "km/h": "_kmh", "degC": "_degc", "m": "_m",
    "L/100km": "_l_per_100km", "kWh/100km": "_kwh_per_100km",
}  # fmt: skip
TYPES: dict[str, tuple[type, ...]] = {"text": (str,), "number": (float, int), "flag": (bool,), "instant": (datetime,)}


def test_the_row_of_a_trip() -> None:
    row = TRIP.row()
    assert row["id"] == "trip-1"
    assert row["started_at"] == datetime(2023, 9, 12, 8, tzinfo=UTC)
    assert (row["duration_s"], row["distance_km"], row["start_mileage_km"]) == (3600.0, 36.5, 12345.5)
    assert (row["start_longitude"], row["stop_latitude"]) == (2.25, 49.75)
    assert (row["fuel_cl"], row["electricity_wh"]) == (250.0, 3500.0)
    assert (row["start_fuel_percent"], row["stop_fuel_percent"], row["start_battery_percent"]) == (80.5, 70.5, None)
    assert (row["average_speed_kmh"], row["max_speed_kmh"]) == (36.0, 110.5)
    assert (row["faults"], row["done"]) == ("DataLacking", True)


def test_the_row_of_a_trip_names_its_vehicle() -> None:
    kind: Any = Trip
    trip = kind(id="t", read_of=VehicleIdentity(id="v", vin="VF3", label="208"))
    row = trip.row()
    assert (row["vehicle"], row["vin"], row["label"]) == ("v", "VF3", "208")


def test_amounts_of_one_energy_are_added_up() -> None:
    parts = [{"type": "Fuel", "consumption": 100}, {"type": "Fuel"}, {"type": "Fuel", "consumption": 50}]
    row = read({"energyConsumptions": parts, "distance": 10}, Trip).row()
    assert (row["fuel_cl"], row["electricity_wh"], row["fuel_l_per_100km"]) == (150.0, None, 15.0)


def test_the_row_of_a_status() -> None:
    row = STATUS.row()
    assert (row["mileage_km"], row["battery_percent"], row["battery_range_km"]) == (12345.5, 60.5, 200.0)
    assert (row["battery_capacity_wh"], row["battery_residual_wh"]) == (50000.0, 30250.0)
    assert (row["charging_status"], row["charging_remaining_s"]) == ("InProgress", 9000.0)
    assert (row["is_locked"], row["is_open"], row["plugged"]) == (True, False, True)
    assert row["battery_at"] == row["charging_ends_at"] - STATUS.electric.charging.remaining_time  # type: ignore[union-attr,operator]


def test_the_capacity_of_older_responses_is_found() -> None:
    electric = {"battery": {"capacity": 46000}}
    row = read({"energies": [{"type": "Electric", "extension": {"electric": electric}}]}, Status).row()
    assert (row["battery_capacity_wh"], row["battery_residual_wh"]) == (46000.0, None)


def test_the_residual_of_older_responses_is_found() -> None:
    electric = {"battery": {"capacity": 46000}, "residual": {"consumption": 23.5}}
    row = read({"energies": [{"type": "Electric", "extension": {"electric": electric}}]}, Status).row()
    assert row["battery_residual_wh"] == 23500.0


def test_a_row_has_the_later_instant_of_a_position() -> None:
    properties = {"createdAt": "2025-06-30T19:36:55Z", "updatedAt": "2025-11-18T06:40:16Z"}
    position = {"geometry": {"coordinates": [2.25, 48.75]}, "properties": properties}
    assert read({"lastPosition": position}, Status).row()["position_at"] == datetime(
        2025, 11, 18, 6, 40, 16, tzinfo=UTC
    )


def test_the_row_of_a_position() -> None:
    row = read({"type": "Point", "coordinates": [2.25, 48.75]}, Position).row()
    assert (row["longitude"], row["latitude"], row["altitude_m"]) == (2.25, 48.75, None)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_empty_value_has_a_row_with_every_column(kind: Any) -> None:
    row = kind().row()
    assert list(row) == [column.name for column in ALL[kind]]
    assert set(row.values()) <= {None, ""}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_names_of_columns_end_in_their_unit(kind: Any) -> None:
    names = [column.name for column in ALL[kind]]
    assert len(set(names)) == len(names)
    for column in ALL[kind]:
        if column.unit not in {None, "deg", "1"}:
            assert column.name.endswith(SUFFIXES[column.unit or ""]), column.name
        assert (column.unit is None) == (column.type != "number"), column.name


@pytest.mark.parametrize("value", [TRIP, STATUS, STATUS.last_position], ids=lambda value: type(value).__name__)
def test_values_have_the_type_of_their_column(value: Any) -> None:
    row = value.row()
    for column in ALL[type(value)]:
        cell = row[column.name]
        assert cell is None or isinstance(cell, TYPES[column.type]), column.name
        assert not isinstance(cell, str) or type(cell) is str, column.name


def test_units_are_those_of_the_fields() -> None:
    """A column that is a field as it was read has the field's unit."""
    for kind, columns in ALL.items():
        fields = {name: unit_of(kind, name) for name in ("distance", "start_mileage", "heading") if hasattr(kind, name)}
        found = {column.name.rpartition("_")[0]: column.unit for column in columns}
        assert {name: found[name] for name in fields} == fields


def test_a_column_reads_nothing_behind_a_none() -> None:
    column = Column("level_percent", "number", "electric.level", "percent")
    assert column.read(Status()) is None


def test_an_unknown_member_of_an_enumeration_is_kept() -> None:
    cell: Cell = read({"ignition": {"type": "Hyper"}}, Status).row()["ignition"]
    assert cell == "Hyper"
