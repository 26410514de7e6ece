"""Computed properties of statuses, trips, positions and vehicles."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stellantis_hal.resources.alarm import Alarm
from stellantis_hal.resources.blocks.capabilities import Capabilities
from stellantis_hal.resources.blocks.consumption import TripConsumption
from stellantis_hal.resources.blocks.energy import (
    BatteryLoad,
    Charging,
    ElectricExtension,
    Energy,
    EnergyExtension,
    FuelConsumptions,
)
from stellantis_hal.resources.blocks.equipment import Doors
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.hooks import make_converter
from tests.resources import bodies

STATUS = read(bodies.status(), Status)
TRIP = read(bodies.trip(), Trip)
NOTHING = Status()


# ------------------------------------------------------------------------------------------------- status


def test_a_status_tells_fuel_from_electricity() -> None:
    assert STATUS.electric is not None
    assert STATUS.fuel is not None
    assert (STATUS.electric.level, STATUS.electric.autonomy) == (60.5, 200.0)
    assert (STATUS.fuel.level, STATUS.fuel.autonomy) == (80.5, 400.0)
    assert (NOTHING.electric, NOTHING.fuel) == (None, None)


@pytest.mark.parametrize(
    ("body", "is_charging"),
    [
        ({}, None),
        ({"energies": [{"type": "Electric"}]}, None),
        ({"energies": [{"type": "Electric", "extension": {"electric": {}}}]}, None),
        ({"energies": [{"type": "Electric", "extension": {"electric": {"charging": {}}}}]}, None),
        ({"energies": [{"type": "Electric", "extension": {"electric": {"charging": {"status": "InProgress"}}}}]}, True),
        ({"energies": [{"type": "Electric", "extension": {"electric": {"charging": {"status": "Finished"}}}}]}, False),
        ({"energies": [{"type": "Electric", "extension": {"electric": {"charging": {"status": "Unknown"}}}}]}, None),
        ({"energies": [{"type": "Electric", "extension": {"electric": {"charging": {"status": "Queued"}}}}]}, None),
    ],
)
def test_whether_it_charges(body: dict[str, Any], is_charging: bool | None) -> None:
    assert read(body, Status).is_charging is is_charging


@pytest.mark.parametrize(
    ("statuses", "is_charging"),
    [
        (["Unknown", "InProgress"], True),
        (["Stopped", "InProgress"], True),
        (["Unknown", "Stopped"], False),
        (["Unknown", "Unknown"], None),
    ],
)
def test_whether_any_of_two_electric_energies_charges(statuses: list[str], is_charging: bool | None) -> None:
    energies = [
        {"type": "Electric", "extension": {"electric": {"charging": {"status": status}}}} for status in statuses
    ]
    assert read({"energies": [{"type": "Electric"}, *energies]}, Status).is_charging is is_charging


@pytest.mark.parametrize(
    ("states", "is_locked"),
    [
        ([], None),
        (["Bolted"], None),
        (["Locked"], True),
        (["SuperLocked"], True),
        (["Unlocked"], False),
        (["Locked", "TrunkUnLocked"], False),
        (["Locked", "Bolted"], True),
        (["CabinDoorsUnlocked"], False),
        (["TrunkLocked"], None),
        (["RearDoorsLocked", "CargoDoorsLocked"], None),
        (["Locked", "HoodUnlocked"], None),
    ],
)
def test_whether_it_is_locked(states: list[str], is_locked: bool | None) -> None:
    assert read({"doorsState": {"lockedStates": states}}, Status).is_locked is is_locked


def test_without_doors_nobody_knows() -> None:
    assert NOTHING.is_locked is None


@pytest.mark.parametrize(
    ("states", "is_open"),
    [
        ([], None),
        ([None], None),
        (["Closed"], False),
        (["Closed", "Open"], True),
        (["Closed", None], False),
        (["Closed", "Ajar"], None),
        (["Ajar", "Open"], True),
        (["Unknown"], None),
    ],
)
def test_whether_any_door_is_open(states: list[str | None], is_open: bool | None) -> None:
    assert read({"opening": [{"state": state} for state in states]}, Doors).is_open is is_open


@pytest.mark.parametrize(
    ("states", "is_open", "sunroof", "rear_window"),
    [
        ({"Driver": "Closed", "Trunk": "Closed", "RoofWindow": "Open"}, False, True, None),
        ({"Driver": "Closed", "RearWindow": "Open"}, False, None, True),
        ({"RoofWindow": "Closed", "RearWindow": "Closed"}, None, False, False),
        ({"RoofWindow": "Unknown"}, None, None, None),
        ({"Trunk": "Open", "RoofWindow": "Closed"}, True, False, None),
        ({"Driver": "Closed", "FuelFlap": "Open"}, None, None, None),
        ({"Driver": "Closed", "FuelFlap": "Closed"}, False, None, None),
        ({"Driver": "Open", "FuelFlap": "Open"}, True, None, None),
    ],
)
def test_windows_and_sunroof_are_no_doors(
    states: dict[str, str], is_open: bool | None, sunroof: bool | None, rear_window: bool | None
) -> None:
    doors = read({"opening": [{"identifier": door, "state": state} for door, state in states.items()]}, Doors)
    assert (doors.is_open, doors.is_sunroof_open, doors.is_rear_window_open) == (is_open, sunroof, rear_window)


@pytest.mark.parametrize(
    ("body", "is_moving"),
    [
        ({}, None),
        ({"kinetic": {"moving": True, "speed": 0}}, True),
        ({"kinetic": {"speed": 0}}, False),
        ({"kinetic": {"speed": 5}}, True),
        ({"kinetic": {}, "ignition": {"type": "Stop"}}, False),
        ({"kinetic": {"moving": True}, "ignition": {"type": "Stop"}}, True),
        ({"kinetic": {"moving": True}, "ignition": {"type": "Limbo"}}, True),
        ({"kinetic": {"moving": True}, "ignition": {}}, True),
        ({"kinetic": {}, "ignition": {"type": "Start"}}, None),
        ({"ignition": {"type": "Start"}}, None),
    ],
)
def test_whether_it_moves(body: dict[str, Any], is_moving: bool | None) -> None:
    assert read(body, Status).is_moving is is_moving


@pytest.mark.parametrize(
    ("moving", "measured", "ignition", "turned", "is_moving"),
    [
        (True, "2025-11-04T08:00:00Z", "Stop", "2025-11-18T08:00:00Z", False),
        (True, "2025-11-18T08:00:01Z", "Stop", "2025-11-18T08:00:00Z", True),
        (True, "2025-11-18T08:00:00Z", "Stop", "2025-11-18T08:00:00Z", True),
        (True, None, "Stop", "2025-11-18T08:00:00Z", True),
        (False, "2025-11-04T08:00:00Z", "Stop", "2025-11-18T08:00:00Z", False),
        (False, "2025-11-18T08:00:00Z", "Stop", "2025-11-04T08:00:00Z", False),
        (True, "2025-11-18T07:59:00Z", "Start", "2025-11-18T08:00:00Z", True),
        (True, "2025-11-04T08:00:00Z", "Start", "2025-11-18T08:00:00Z", None),
        (False, "2025-11-04T08:00:00Z", "StartUp", "2025-11-18T08:00:00Z", None),
        (False, "2025-11-18T08:00:00Z", "Start", None, False),
    ],
)
def test_the_newer_of_kinetic_and_ignition_tells_about_moving(
    moving: bool, measured: str | None, ignition: str, turned: str | None, is_moving: bool | None
) -> None:
    body = {
        "createdAt": "2025-11-18T09:00:00Z",
        "kinetic": {"createdAt": measured, "moving": moving},
        "ignition": {"createdAt": turned, "type": ignition},
    }
    assert read(body, Status).is_moving is is_moving


def test_the_last_update_of_a_block_counts_too() -> None:
    kinetic = {"createdAt": "2025-06-30T08:00:00Z", "updatedAt": "2025-11-18T08:00:00Z", "moving": True}
    ignition = {"updatedAt": "2025-11-17T08:00:00Z", "type": "Stop"}
    assert read({"kinetic": kinetic, "ignition": ignition}, Status).is_moving is True


def test_how_far_it_has_come() -> None:
    assert (STATUS.mileage, NOTHING.mileage) == (12345.5, None)


def test_the_voltage_of_the_12_v_battery_is_its_health() -> None:
    assert STATUS.battery is not None
    assert STATUS.battery.health == STATUS.battery.voltage == 85.5


def test_a_newer_status_is_newer_whatever_the_order_of_arrival() -> None:
    old, new = (read({"createdAt": f"2023-09-1{day}T00:00:00Z"}, Status) for day in (1, 2))
    assert new.is_newer_than(old)
    assert not old.is_newer_than(new)
    assert not old.is_newer_than(old)
    assert old.is_newer_than(NOTHING)


def test_without_created_at_the_last_change_decides() -> None:
    old, new = (read({"createdAt": None, "updatedAt": f"2023-09-1{day}T00:00:00Z"}, Status) for day in (1, 2))
    assert new.is_newer_than(old)
    assert not old.is_newer_than(new)


def test_each_block_has_an_instant_of_its_own() -> None:
    body = bodies.status()
    body["odometer"]["createdAt"] = "2023-04-12T09:41:10Z"
    status = read(body, Status)
    assert status.odometer is not None
    assert status.created_at is not None
    assert status.odometer.created_at is not None
    assert status.created_at - status.odometer.created_at > timedelta(days=150)


def test_the_later_of_two_instants_tells_which_status_is_newer() -> None:
    changed = read({"createdAt": "2025-06-30T00:00:00Z", "updatedAt": "2025-11-18T00:00:00Z"}, Status)
    made = read({"createdAt": "2025-07-30T00:00:00Z"}, Status)
    assert changed.is_newer_than(made)
    assert not made.is_newer_than(changed)


# ------------------------------------------------------------------------------------------------- energy


def test_shortcuts_of_an_energy_lead_into_its_extension() -> None:
    fuel, electric = STATUS.fuel, STATUS.electric
    assert fuel is not None
    assert electric is not None
    assert electric.extension is not None
    assert electric.extension.electric is not None
    assert (electric.charging, electric.battery) == (
        electric.extension.electric.charging,
        electric.extension.electric.battery,
    )
    assert fuel.consumptions is not None
    assert (fuel.charging, fuel.battery, electric.consumptions, Energy().consumptions) == (None, None, None, None)


def charging_energy(remaining: Any = "PT2H30M", status: str | None = "InProgress", **instants: Any) -> dict[str, Any]:
    charging = {"remainingTime": remaining, "status": status}
    return {"type": "Electric", "extension": {"electric": {"charging": charging}}, **instants}


@pytest.mark.parametrize(
    ("energy", "ends_at"),
    [
        (charging_energy(createdAt="2025-06-30T08:00:00Z", updatedAt="2025-11-18T08:00:00Z"), "2025-11-18T10:30:00Z"),
        (charging_energy(createdAt="2025-11-18T08:00:00Z"), "2025-11-18T10:30:00Z"),
        (charging_energy(updatedAt="2025-11-18T08:00:00Z"), "2025-11-18T10:30:00Z"),
        (charging_energy(status=None, createdAt="2025-11-18T08:00:00Z"), "2025-11-18T10:30:00Z"),
        (charging_energy("PT0S", createdAt="2025-11-18T08:00:00Z"), "2025-11-18T08:00:00Z"),
        (charging_energy("PT0S", "Finished", createdAt="2025-11-18T08:00:00Z"), None),
        (charging_energy("-PT5M", createdAt="2025-11-18T08:00:00Z"), None),
        (charging_energy(None, createdAt="2025-11-18T08:00:00Z"), None),
        (charging_energy(createdAt="9999-12-31T23:00:00Z"), None),
        (charging_energy(), None),
    ],
)
def test_remaining_time_counts_from_when_it_was_measured(energy: dict[str, Any], ends_at: str | None) -> None:
    charging = read(energy, Energy).charging
    assert charging is not None
    assert charging.ends_at == (None if ends_at is None else datetime.fromisoformat(ends_at))
    status = read({"createdAt": "2025-11-19T00:00:00Z", "energies": [energy]}, Status)
    assert status.electric is not None
    assert status.electric.charging == charging


def test_the_end_of_charging_counts_from_either_generation() -> None:
    newer = charging_energy(createdAt="2025-06-30T08:00:00Z")
    older = {"type": "Electric", "updatedAt": "2025-11-18T08:00:00Z"}
    status = read({"energies": [newer], "energy": [older]}, Status)
    assert status.electric is not None
    assert status.electric.charging is not None
    assert status.electric.charging.ends_at == datetime(2025, 11, 18, 10, 30, tzinfo=UTC)


def test_hooks_may_make_something_else_of_parts_of_an_energy() -> None:
    energy = charging_energy(createdAt="2025-11-18T08:00:00Z")
    for kind in (Charging, ElectricExtension, EnergyExtension, datetime):
        converter = make_converter()
        converter.register_structure_hook(kind, lambda value, _: "made")
        assert converter.structure(energy, Energy).problems == ()


def test_centilitres_and_watt_hours_come_in_usual_units_too() -> None:
    assert (FuelConsumptions(total=1234.0).total_litres, FuelConsumptions().total_litres) == (12.34, None)
    load = BatteryLoad(capacity=50000.0, residual=30000.0)
    assert (load.capacity_kwh, load.residual_kwh) == (50.0, 30.0)
    assert (BatteryLoad().capacity_kwh, BatteryLoad().residual_kwh) == (None, None)


# ------------------------------------------------------------------------------------------------- trip


def test_the_average_speed_comes_in_km_per_hour_too() -> None:
    assert TRIP.kinetic is not None
    assert (TRIP.kinetic.average_speed, TRIP.average_speed_kmh, TRIP.max_speed_kmh) == (10.0, 36.0, 110.5)
    assert (Trip().average_speed_kmh, Trip().max_speed_kmh) == (None, None)
    assert read({"kinetic": {}}, Trip).average_speed_kmh is None


def test_what_a_trip_used_comes_in_litres_and_kilowatt_hours() -> None:
    fuel, electric = TRIP.energy_consumptions
    assert (fuel.litres, fuel.litres_per_100_km) == (2.5, 6.85)
    assert (fuel.kilowatt_hours, fuel.kilowatt_hours_per_100_km) == (None, None)
    assert (electric.litres, electric.litres_per_100_km) == (None, None)
    assert (electric.kilowatt_hours, electric.kilowatt_hours_per_100_km) == (3.5, 9.6)
    assert (TRIP.litres, TRIP.kilowatt_hours) == (2.5, 3.5)
    assert (Trip().litres, Trip().kilowatt_hours) == (None, None)


def test_the_consumption_of_a_trip_is_added_up() -> None:
    """And divided by its distance."""
    body = bodies.trip()
    body["distance"] = 50.0
    body["energyConsumptions"].append({"type": "Fuel", "consumption": 50.0})
    consumption = read(body, Trip).consumption
    assert (consumption.litres, consumption.litres_per_100_km) == (3.0, 6.0)
    assert (consumption.kilowatt_hours, consumption.kilowatt_hours_per_100_km) == (3.5, 7.0)


def test_energies_of_trips_are_watt_hours_in_every_view() -> None:
    """A trip as cars report it: 2.016 kWh over 13.6 km are 14.8 kWh/100 km."""
    electric = {"type": "Electric", "consumption": 2016.0, "avgConsumption": 14823.5}
    trip = read({"distance": 13.6, "energyConsumptions": [electric]}, Trip)
    [used] = trip.energy_consumptions
    assert (used.kilowatt_hours, trip.kilowatt_hours, trip.consumption.kilowatt_hours) == (2.016, 2.016, 2.016)
    assert used.kilowatt_hours_per_100_km == pytest.approx(14.8235)
    assert trip.consumption.kilowatt_hours_per_100_km == pytest.approx(14.8235, rel=1e-4)
    assert trip.to_dict()["energyConsumptions"] == trip.geojson()["properties"]["energyConsumptions"] == [electric]


def test_centilitres_of_trips_agree_in_every_view() -> None:
    trip = read(
        {"distance": 50, "energyConsumptions": [{"type": "Fuel", "consumption": 300, "avgConsumption": 600}]}, Trip
    )
    [used] = trip.energy_consumptions
    assert (used.litres, trip.litres, trip.consumption.litres) == (3.0, 3.0, 3.0)
    assert (used.litres_per_100_km, trip.consumption.litres_per_100_km) == (6.0, 6.0)


@pytest.mark.parametrize("kind", ["Steam", None])
def test_a_consumption_of_another_energy_has_no_usual_unit(kind: str | None) -> None:
    [used] = read(
        {"energyConsumptions": [{"type": kind, "consumption": 5, "avgConsumption": 5}]}, Trip
    ).energy_consumptions
    assert (used.litres, used.kilowatt_hours) == (None, None)
    assert (used.litres_per_100_km, used.kilowatt_hours_per_100_km) == (None, None)


@pytest.mark.parametrize("distance", [0, -3.5])
def test_without_a_distance_nothing_is_said_per_100_km(distance: float) -> None:
    body = {"energyConsumptions": [{"type": "Fuel", "consumption": 250}], "distance": distance}
    assert read(body, Trip).consumption == TripConsumption(litres=2.5)
    assert Trip().consumption == TripConsumption()


def test_a_trip_is_a_line_in_geojson() -> None:
    feature = TRIP.geojson()
    assert feature["geometry"] == {"type": "LineString", "coordinates": [[2.25, 48.75, 35.5], [3.25, 49.75, 35.5]]}
    assert (feature["type"], feature["id"], feature["properties"]["distance"]) == ("Feature", "trip-1", 36.5)
    assert "startPosition" not in feature["properties"]


def test_a_trip_of_which_one_end_is_known_is_a_point() -> None:
    one = read({"stopPosition": bodies.position(), "startPosition": {"geometry": None}}, Trip)
    assert one.geojson()["geometry"] == {"type": "Point", "coordinates": [2.25, 48.75, 35.5]}
    assert Trip().geojson()["geometry"] is None


# ------------------------------------------------------------------------------------------------- position


def test_longitude_comes_first() -> None:
    position = read(bodies.position(), Position)
    assert (position.longitude, position.latitude, position.altitude) == (2.25, 48.75, 35.5)
    assert read({"geometry": {"coordinates": [2, 48]}}, Position).altitude is None
    assert (Position().longitude, Position().latitude, Position().altitude) == (None, None, None)


def test_a_bare_point_is_a_position() -> None:
    position = read({"type": "Point", "coordinates": [2.25, 48.75]}, Position)
    assert (position.longitude, position.latitude, position.problems) == (2.25, 48.75, ())


def test_a_position_is_a_feature_to_others() -> None:
    assert read(bodies.position(), Position).__geo_interface__ == bodies.position()
    assert Position().__geo_interface__ == {"type": "Feature", "geometry": None, "properties": {}}


def test_positions_and_persons_are_not_shown() -> None:
    assert "48.75" not in repr(read(bodies.position(), Position))
    assert "VR3" not in repr(read(bodies.vehicle(), Vehicle))


# ------------------------------------------------------------------------------------------------- the others


def test_what_a_vehicle_can_do() -> None:
    capabilities = read(bodies.vehicle(), Vehicle).capabilities
    assert capabilities.has("data:trip")
    assert not capabilities.has("data:alert")
    assert capabilities.has("remote:door:write")
    assert capabilities.has("remote:door")
    assert not capabilities.has("remote:horn:write")
    assert not capabilities.has("remote:sunroof:write")
    assert not capabilities.has("remote:extra")
    assert not capabilities.has("door")


def test_nothing_is_known_of_what_was_not_asked_for() -> None:
    assert Vehicle().capabilities == Capabilities()
    assert not Vehicle().capabilities.has("remote:door")
    assert Vehicle().branding is None


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"label": "3008", "brand": "Peugeot"}, "3008"),
        ({"label": " my\ncar ", "brand": "Peugeot"}, "my car"),
        ({"label": None, "brand": "Peugeot", "vin": "VR3ABCDE0FG123456"}, "Peugeot VR3***"),
        ({"label": " ", "vin": "VR3ABCDE0FG123456"}, "VR3***"),
        ({"brand": "Peugeot"}, "Peugeot"),
        ({"_embedded": {"extension": {"branding": {"brand": "Opel", "label": "Corsa"}}}}, "Opel Corsa"),
        ({"brand": "DS", "vin": "VR1", "_embedded": {"extension": {"branding": {"label": "DS 4"}}}}, "DS 4"),
        ({"brand": "Peugeot", "_embedded": {"extension": {"branding": {"label": "PEUGEOT 208"}}}}, "PEUGEOT 208"),
        ({"label": 5, "id": "1"}, "vehicle"),
        ({}, "vehicle"),
    ],
)
def test_a_vehicle_has_a_name_to_show(body: dict[str, Any], name: str) -> None:
    assert read(body, Vehicle).display_name == name


def test_a_vehicle_tells_how_it_is_called() -> None:
    branding = read(bodies.vehicle(), Vehicle).branding
    assert branding is not None
    assert branding.label == "3008"


@pytest.mark.parametrize(
    ("days", "mileage", "is_due"),
    [(None, None, None), (5, None, False), (5, 10.0, False), (5, -1.0, True), (0, None, True)],
)
def test_whether_maintenance_is_due(days: int | None, mileage: float | None, is_due: bool | None) -> None:
    assert Maintenance(days=days, mileage=mileage).is_due is is_due


def test_an_alarm_happened_when_its_trigger_or_status_did() -> None:
    assert read(bodies.alarm(), Alarm).created_at == datetime(2023, 9, 12, 9, 41, 10, 911000, UTC)
    assert read({"status": {"createdAt": bodies.AT}}, Alarm).created_at is not None
    assert Alarm().created_at is None


def test_telemetry_has_the_extensions_asked_for() -> None:
    telemetry = read(bodies.telemetry(), Telemetry)
    assert (telemetry.location, telemetry.maintenance) == (
        read(bodies.position(), Position),
        read(bodies.maintenance(), Maintenance),
    )
    assert (Telemetry().location, Telemetry().maintenance) == (None, None)
