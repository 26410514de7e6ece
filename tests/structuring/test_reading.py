"""Tolerant reading: values that fit are read, others are recorded, nothing raises."""

import json
import logging
import pickle
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType
from typing import Annotated, Any

import attrs
import pytest

from stellantis_hal.errors import StructureError
from stellantis_hal.resources.alarm import Alarm
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.blocks.energy import (
    ChargeProgram,
    Charging,
    ChargingStatus,
    Energy,
    EnergyBattery,
    EnergyType,
    FuelConsumptions,
)
from stellantis_hal.resources.blocks.powertrain import Odometer
from stellantis_hal.resources.collision import Collision
from stellantis_hal.resources.control.monitor import Monitor
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.user import User
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.field_mapping import names, schema_of
from stellantis_hal.structuring.hooks import make_converter
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import Problem
from stellantis_hal.structuring.scalars import BOOLEAN, INTEGER, NUMBER, STRING
from tests.resources import bodies

AT = datetime(2023, 9, 12, 9, 41, 10, 911000, UTC)
FULL: list[tuple[type[Model], dict[str, Any]]] = [
    (User, bodies.user()),
    (Vehicle, bodies.vehicle()),
    (Status, bodies.status()),
    (Position, bodies.position()),
    (Maintenance, bodies.maintenance()),
    (Alert, bodies.alert()),
    (Alarm, bodies.alarm()),
    (Collision, bodies.collision()),
    (Trip, bodies.trip()),
    (Telemetry, bodies.telemetry()),
    (Energy, bodies.fuel()),
    (Energy, bodies.electric()),
]
each_kind = pytest.mark.parametrize(("kind", "body"), FULL)


@each_kind
def test_everything_in_a_full_body_is_read(kind: type[Model], body: dict[str, Any]) -> None:
    value = read(body, kind)
    assert json.loads(json.dumps(value.to_dict())) == body
    assert (value.problems, dict(value.extra)) == ((), {})


@each_kind
def test_an_empty_body_reads_as_nothing_known(kind: type[Model], body: dict[str, Any]) -> None:
    value = read({}, kind)
    assert {getattr(value, field.name) for field in schema_of(kind).fields} <= {None, ()}
    assert value.problems == ()
    assert body


@each_kind
def test_null_reads_as_missing_without_a_record(kind: type[Model], body: dict[str, Any]) -> None:
    assert read(dict.fromkeys(body), kind) == read({}, kind)


@each_kind
def test_what_is_written_with_the_vendors_names_reads_as_equal(kind: type[Model], body: dict[str, Any]) -> None:
    value = read({**body, "unheardOf": [1, {"a": None}]}, kind)
    assert read(value.to_dict(), kind) == value


@each_kind
def test_values_of_equal_bodies_are_equal_and_hash_alike(kind: type[Model], body: dict[str, Any]) -> None:
    assert read(body, kind) == read(dict(body), kind)
    assert hash(read(body, kind)) == hash(read(dict(body), kind))
    assert read(body, kind) != read({}, kind)


@each_kind
def test_values_pickle(kind: type[Model], body: dict[str, Any]) -> None:
    value = read({**body, "unheardOf": 1}, kind)
    again = pickle.loads(pickle.dumps(value))
    assert (again, again.extra) == (value, {"unheardOf": 1})


@each_kind
def test_values_are_frozen(kind: type[Model], body: dict[str, Any]) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        read(body, kind).extra = {}  # type: ignore[misc]  # forbidden on purpose


def test_any_mapping_may_be_read() -> None:
    assert read(MappingProxyType({"distance": 1.5}), Trip).distance == 1.5


def test_values_can_be_made_by_hand() -> None:
    assert Trip(distance=1.5) == read({"distance": 1.5}, Trip)


# ------------------------------------------------------------------------------------------------- values


def test_the_fields_of_a_trip() -> None:
    trip = read(bodies.trip(), Trip)
    assert (trip.id, trip.created_at, trip.duration, trip.distance) == ("trip-1", AT, timedelta(hours=1), 36.5)
    assert trip.start_position is not None
    assert (trip.start_position.longitude, trip.start_position.latitude) == (2.25, 48.75)
    assert [energy.autonomy for energy in trip.start_energies] == [400]


def test_an_electric_energy_and_its_charging() -> None:
    energy = read(bodies.electric(), Energy)
    charging = energy.charging
    assert charging is not None
    assert (charging.status, charging.remaining_time) == (ChargingStatus.IN_PROGRESS, timedelta(hours=2, minutes=30))
    assert charging.next_delayed_time == time(22, 30)
    assert charging.schedule is not None
    assert charging.schedule.programs[0].start == time(22, 30)


@pytest.mark.parametrize(("written", "number"), [(3, 3.0), (3.0, 3.0), (-0.5, -0.5), (2**60, 2.0**60)])
def test_a_number_is_a_float_whatever_the_server_writes(written: float, number: float) -> None:
    distance = read({"distance": written}, Trip).distance
    assert (distance, type(distance)) == (number, float)


@pytest.mark.parametrize("written", [45, 45.0])
def test_a_whole_number_may_be_written_as_a_float(written: float) -> None:
    days = read({"daysBeforeMaintenance": written}, Maintenance).days
    assert (days, type(days)) == (45, int)


@pytest.mark.parametrize("written", [90, 90.0, 10**9])
def test_a_duration_in_seconds_may_be_written_either_way(written: float) -> None:
    assert read({"duration": written}, Trip).duration == timedelta(seconds=written)


def test_codecs_accept_values_that_fit() -> None:
    assert (BOOLEAN.read(True), INTEGER.read(5), STRING.read("a"), NUMBER.read(1.5)) == (True, 5, "a", 1.5)


def test_an_unknown_enumeration_value_is_kept() -> None:
    """An unknown member of an enumeration is kept, without a problem."""
    energy = read({"type": "Steam"}, Energy)
    assert energy.type is not None
    assert (energy.type, energy.type.is_known, energy.problems) == ("Steam", False, ())


def test_an_instant_of_another_zone_is_in_utc() -> None:
    started_at = read({"startedAt": "2023-09-12T11:41:10.911+02:00"}, Trip).started_at
    assert (started_at, started_at and started_at.tzinfo) == (AT, UTC)


def test_a_time_of_day_out_of_the_day_is_recorded() -> None:
    assert read({"start": "-PT1H"}, ChargeProgram).problems[0].reason == "not within a day"


# ------------------------------------------------------------------------------------------------- the unknown


def test_unknown_keys_are_kept_wherever_they_stand() -> None:
    body = bodies.trip()
    body["new"] = [1]
    body["kinetic"]["new"] = {"a": 1}
    body["segments"][1]["new"] = None
    body["startPosition"]["properties"]["new"] = 1
    trip = read(body, Trip)
    assert trip.kinetic is not None
    assert trip.start_position is not None
    assert (trip.extra, trip.kinetic.extra, trip.segments[1].extra, trip.start_position.extra) == (
        {"new": [1]},
        {"new": {"a": 1}},
        {"new": None},
        {"properties": {"new": 1}},
    )
    assert trip.problems == ()
    assert trip.to_dict() == body


def test_links_and_embedded_documents_are_no_unknown_keys() -> None:
    assert dict(read({"_links": {"self": {"href": "/"}}, "_embedded": {}}, Trip).extra) == {}
    assert dict(read({"_embedded": {"x": [1]}}, Trip).extra) == {"_embedded": {"x": [1]}}
    assert dict(read({"_embedded": {"Vehicles": [1], "x": 1}}, User).extra) == {"_embedded": {"x": 1}}


def test_links_of_a_part_without_a_resource_are_kept() -> None:
    links = {"_links": {"self": {"href": "/"}}}
    trip = read({"startPosition": links, "kinetic": links}, Trip)
    assert trip.start_position is not None
    assert trip.kinetic is not None
    assert trip.start_position.extra == trip.kinetic.extra == links


def test_an_older_generation_beside_a_newer_one_is_kept() -> None:
    body = {"odometer": {"mileage": 7.5}, "timed": {"odometer": {"mileage": 5.5}, "x": 1}, "energy": [{"level": 1}]}
    status = read(body | {"energies": [{"level": 2}]}, Status)
    assert dict(status.extra) == {"timed": {"odometer": {"mileage": 5.5}, "x": 1}, "energy": [{"level": 1}]}
    assert read(status.to_dict(), Status) == status


def test_a_geometry_of_another_type_is_told() -> None:
    [problem] = read(
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [2.5, 48.5]}}, Position
    ).problems
    assert (problem.path, problem.kind) == ("$.geometry.type", "disagreement")


def test_the_unknown_is_shown_by_name_alone() -> None:
    assert repr(read({"new": "secret"}, Trip).extra) == "Extra(new)"


def test_python_names_can_be_written_too() -> None:
    trip = read({**bodies.trip(), "new": 1}, Trip)
    written = trip.to_dict("python")
    assert (written["start_mileage"], written["extra"]) == (12345.5, {"new": 1})
    assert written["energy_consumptions"][0]["average"] == 685.0
    assert written["start_position"]["coordinates"] == [2.25, 48.75, 35.5]


# ------------------------------------------------------------------------------------------------- the broken


WRONG = [
    ({"distance": "1"}, ("$.distance", "string", "not a number")),
    ({"distance": True}, ("$.distance", "boolean", "not a number")),
    ({"distance": float("nan")}, ("$.distance", "number", "not a finite number")),
    ({"distance": float("inf")}, ("$.distance", "number", "not a finite number")),
    ({"distance": 10**400}, ("$.distance", "number", "a number too large to hold")),
    ({"duration": 1e300}, ("$.duration", "number", "a duration too long to hold")),
    ({"duration": []}, ("$.duration", "array", "not a number")),
    ({"id": 5}, ("$.id", "number", "not a string")),
    ({"done": 1}, ("$.done", "number", "not a boolean")),
    ({"startedAt": 5}, ("$.startedAt", "number", "not a string")),
    ({"startedAt": "soon"}, ("$.startedAt", "string", "not an instant")),
    ({"startedAt": "2023-09-12T09:41:10"}, ("$.startedAt", "string", "not an instant")),
    ({"kinetic": [{}]}, ("$.kinetic", "array", "not an object")),
    ({"kinetic": {"maxSpeed": "fast"}}, ("$.kinetic.maxSpeed", "string", "not a number")),
    ({"segments": {}}, ("$.segments", "object", "not an array")),
    ({"segments": [{}, 5]}, ("$.segments[1]", "number", "not an object")),
    ({"segments": [None]}, ("$.segments[0]", "null", "not an object")),
    ({"segments": [{}, {"percent": {}}]}, ("$.segments[1].percent", "object", "not a number")),
    ({"faults": [{"fault": 1}]}, ("$.faults[0].fault", "number", "not a string")),
    ({"startPosition": {"geometry": 5}}, ("$.startPosition.geometry", "number", "not an object")),
    ({"startPosition": {"type": 5}}, ("$.startPosition.type", "number", "not a string")),
]


@pytest.mark.parametrize(("body", "problem"), WRONG)
def test_a_value_that_cannot_be_read_is_recorded(body: dict[str, Any], problem: tuple[str, str, str]) -> None:
    [record] = read(body, Trip).problems
    assert (record.path, record.value_type, record.reason) == problem
    assert record.kind == "unreadable"


def test_whole_numbers_are_whole() -> None:
    assert [read({"daysBeforeMaintenance": days}, Maintenance).days for days in (1.5, True, "1", 1e400)] == [None] * 4


def test_an_unreadable_element_does_not_affect_others() -> None:
    trip = read({"segments": [{"percent": 1}, None, {"percent": "x"}, {"percent": 3}]}, Trip)
    assert [segment.percent for segment in trip.segments] == [1.0, None, 3.0]
    assert [problem.path for problem in trip.problems] == ["$.segments[1]", "$.segments[2].percent"]


def test_single_values_in_arrays_are_recorded_one_by_one() -> None:
    vehicle = read({"pictures": ["a", 5, None, "b"]}, Vehicle)
    assert vehicle.pictures == ("a", "b")
    assert [problem.path for problem in vehicle.problems] == ["$.pictures[1]", "$.pictures[2]"]
    assert read({"pictures": "a"}, Vehicle).problems[0].reason == "not an array"


def test_a_nested_model_has_its_own_problems() -> None:
    """The paths of its problems are relative to itself."""
    status = read({"energies": [{"level": "full", "extension": {"electric": []}}]}, Status)
    assert [problem.path for problem in status.problems] == ["$.energies[0].level", "$.energies[0].extension.electric"]
    assert [problem.path for problem in status.energies[0].problems] == ["$.level", "$.extension.electric"]


def test_paths_begin_where_the_body_stands() -> None:
    problems = read({"distance": "x"}, Trip, path="$._embedded.trips[3]").problems
    assert [problem.path for problem in problems] == ["$._embedded.trips[3].distance"]


def test_each_problem_is_logged_once_without_its_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="stellantis_hal"):
        read({"distance": "1 Secret Street", "startMileage": 0.0}, Trip)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Trip: $.distance (string): not a number"),
        ("DEBUG", "Trip: $.startMileage (number): an odometer at 0 stands for an unknown one"),
    ]


def test_problems_are_no_part_of_the_value() -> None:
    assert read({"distance": "x"}, Trip) == read({"distance": None}, Trip)


def test_strict_reading_names_every_path() -> None:
    body = {"distance": "x", "segments": [5], "startMileage": 0.0}
    with pytest.raises(StructureError, match=r"Trip: 2 values.*\$\.distance.*\$\.segments\[0\]") as caught:
        read(body, Trip, strict=True)
    assert [problem.path for problem in caught.value.problems] == ["$.distance", "$.segments[0]"]


def test_strict_reading_names_some_of_many_paths() -> None:
    with pytest.raises(StructureError, match=r"Trip: 10000 values.*, …$") as caught:
        read({"segments": [5] * 10_000}, Trip, strict=True)
    assert len(str(caught.value)) < 2_000
    assert len(caught.value.problems) == 10_000


def test_strict_reading_lets_sentinels_pass() -> None:
    assert read({"startMileage": 0.0}, Trip, strict=True).start_mileage is None


# ------------------------------------------------------------------------------------------------- generations


GENERATIONS = [
    ({"energies": [bodies.fuel()]}, {"energy": [bodies.fuel()]}),
    ({"energies": [bodies.fuel()]}, {"energy": bodies.fuel()}),
    ({"odometer": {"mileage": 5.5}}, {"timed": {"odometer": {"mileage": 5.5}}}),
    (
        {"preconditioning": {"airConditioning": {"status": "Enabled"}}},
        {"preconditionning": {"airConditioning": {"status": "Enabled"}}},
    ),
    ({"lastPosition": bodies.position()}, {"lastPosition": bodies.position()}),
]


@pytest.mark.parametrize(("new", "old"), GENERATIONS)
def test_generations_of_names_read_into_one_shape(new: dict[str, Any], old: dict[str, Any]) -> None:
    assert read(old, Status) == read(new, Status)
    assert read(old, Status).problems == ()


@pytest.mark.parametrize("newest", [None, [], "missing"])
def test_an_older_name_counts_where_the_newest_is_empty(newest: Any) -> None:
    body = {"energy": bodies.fuel()} | ({} if newest == "missing" else {"energies": newest})
    assert [energy.type for energy in read(body, Status).energies] == [EnergyType.FUEL]


@pytest.mark.parametrize("newest", [None, {}, "missing"])
def test_an_older_block_counts_where_the_newest_is_empty(newest: Any) -> None:
    body = {"timed": {"odometer": {"mileage": 5.5}}} | ({} if newest == "missing" else {"odometer": newest})
    assert read(body, Status).mileage == 5.5


def test_what_the_newest_name_has_wins() -> None:
    status = read({"energies": [{"type": "Fuel", "level": 1.0}], "energy": bodies.fuel()}, Status)
    assert [(energy.level, energy.autonomy) for energy in status.energies] == [(1.0, 400.0)]


def test_a_newer_item_gets_what_it_lacks_from_the_older_one() -> None:
    """As every car reports its battery since July 2025."""
    newer = {"type": "Electric", "level": 93, "createdAt": "2025-06-30T19:36:55Z"}
    older = newer | {"updatedAt": "2025-11-18T06:40:16Z", "extension": bodies.electric(93)["extension"]}
    status = read({"energies": [newer], "energy": [bodies.fuel(), older]}, Status)
    electric, fuel = status.energies
    assert (electric, fuel) == (read(older, Energy), read(bodies.fuel(), Energy))
    assert electric.updated_at == datetime(2025, 11, 18, 6, 40, 16, tzinfo=UTC)
    assert status.electric == electric
    assert status.is_charging is True
    assert status.problems == ()


@pytest.mark.parametrize(
    ("newer", "older", "updated_at"),
    [
        ({"level": 93}, {"level": 93, "createdAt": "2025-11-18T00:00:00Z"}, "2025-11-18T00:00:00Z"),
        ({"level": 93}, {"createdAt": "2025-11-18T00:00:00Z"}, "2025-11-18T00:00:00Z"),
        ({"level": 93}, {"level": 40, "createdAt": "2025-11-18T00:00:00Z"}, None),
        ({"level": 93}, {"level": 93, "createdAt": "2025-05-18T00:00:00Z"}, None),
        (
            {"level": 93, "updatedAt": "2025-07-01T00:00:00Z"},
            {"level": 93, "updatedAt": "2025-11-18T00:00:00Z"},
            "2025-11-18T00:00:00Z",
        ),
    ],
)
def test_a_later_instant_of_an_older_item_counts_if_both_agree(
    newer: dict[str, Any], older: dict[str, Any], updated_at: str | None
) -> None:
    first = {"type": "Electric", "createdAt": "2025-06-30T00:00:00Z"}
    electric = read({"energies": [first | newer], "energy": [{"type": "Electric"} | older]}, Status).electric
    assert electric is not None
    assert electric.level == 93.0
    assert electric.updated_at == (None if updated_at is None else datetime.fromisoformat(updated_at))
    assert electric.created_at == datetime(2025, 6, 30, tzinfo=UTC)


def test_members_are_merged_at_any_depth() -> None:
    def energy(**charging: Any) -> dict[str, Any]:
        return {"type": "Electric", "extension": {"electric": {"charging": charging}}, **charging.pop("beside", {})}

    status = read(
        {
            "energies": [energy(status="Finished", beside={"mood": 1})],
            "energy": [energy(status="InProgress", plugged=True, beside={"mood": 2, "older": 3})],
        },
        Status,
    )
    assert status.electric is not None
    assert status.electric.charging == Charging(status=ChargingStatus.FINISHED, plugged=True)
    assert dict(status.electric.extra) == {"mood": 1, "older": 3}


def test_two_energies_of_one_type_match_by_subtype_or_order() -> None:
    def fuel(kind: str | None, **others: Any) -> dict[str, Any]:
        return {"type": "Fuel", "subType": kind, **others}

    hydrogen_first = [fuel("Hydrogen", autonomy=300), fuel("FossilEnergy", autonomy=400)]
    status = read(
        {"energies": [fuel("FossilEnergy", level=4), fuel("Hydrogen", level=3)], "energy": hydrogen_first}, Status
    )
    assert [(energy.level, energy.autonomy) for energy in status.energies] == [(4.0, 400.0), (3.0, 300.0)]
    status = read({"energies": [fuel(None, level=3), fuel(None, level=4)], "energy": hydrogen_first}, Status)
    assert [(energy.level, energy.autonomy) for energy in status.energies] == [(3.0, 300.0), (4.0, 400.0)]


@pytest.mark.parametrize(
    ("newer", "older", "merged"),
    [
        ({"odometer": {"createdAt": bodies.AT}}, {"timed": {"odometer": {"mileage": 5.5}}}, {"mileage": 5.5}),
        ({"odometer": {"mileage": 0}}, {"timed": {"odometer": {"mileage": 5.5}}}, {"mileage": 5.5}),
        ({"odometer": {"mileage": 6}}, {"timed": {"odometer": {"mileage": 5.5}}}, {"mileage": 6.0}),
        ({"odometer": {"mileage": 6}}, {"timed": {"odometer": []}}, {"mileage": 6.0}),
    ],
)
def test_what_a_newer_block_lacks_comes_from_the_older_one(
    newer: dict[str, Any], older: dict[str, Any], merged: dict[str, Any]
) -> None:
    odometer = read(newer | older, Status).odometer
    assert odometer is not None
    assert odometer.mileage == merged["mileage"]


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (
            Status,
            {"energies": [{"type": "Electric", "level": 93}], "energy": [{"type": "Electric", "level": 40}]},
            {"$.energies[0].level": "93 percent, but 40 in the older energy"},
        ),
        (
            Status,
            {
                "energies": [{"type": "Fuel"}, {"type": "Electric", "level": 93}],
                "energy": {"type": "Electric", "level": 5},
            },
            {"$.energies[1].level": "93 percent, but 5 in the older energy"},
        ),
        (
            Status,
            {"odometer": {"mileage": 7.5}, "timed.odometer": {"mileage": 9}},
            {"$.odometer.mileage": "7.5 km, but 9 in the older timed.odometer"},
        ),
        (
            Status,
            {"kinetic": {"moving": True}, "_embedded": {"extension": {"kinetic": {"moving": False}}}},
            {"$.kinetic.moving": "another value than in the older _embedded.extension.kinetic"},
        ),
        (
            Status,
            {"doorsState": {"lockedStates": ["Locked"], "lockedState": ["Unlocked"]}},
            {"$.doorsState.lockedStates": "another value than in the older lockedState"},
        ),
        (
            Energy,
            {"extension": {"electric": {"charging": {"status": "Stopped"}}}, "charging": {"status": "InProgress"}},
            {"$.extension.electric.charging.status": "another value than in the older charging"},
        ),
        (
            Position,
            {"geometry": {"coordinates": [2.5, 48.5]}, "coordinates": [3.5, 48.5]},
            {"$.geometry.coordinates": "another value than in the older coordinates"},
        ),
        (Monitor, {"monitorId": "a", "id": "b"}, {"$.monitorId": "another value than in the older id"}),
        (Status, {"odometer": {"mileage": 7.5}, "timed.odometer": {"mileage": 7}}, {}),  # rounded
        (Status, {"odometer": {"createdAt": bodies.AT}, "timed.odometer": {"updatedAt": "2020-01-01T00:00:00Z"}}, {}),
        (Status, {"energies": [{"type": "Fuel", "level": 5}], "energy": [{"type": "Electric", "level": 40}]}, {}),
        (Monitor, {"monitorId": "a", "id": "a"}, {}),
    ],
)
def test_a_value_that_an_older_generation_has_otherwise_is_told(
    kind: type[Model], body: dict[str, Any], told: dict[str, str]
) -> None:
    problems = read(body, kind, strict=True).problems  # a disagreement never raises
    assert {problem.path: problem.reason for problem in problems} == told
    assert {problem.kind for problem in problems} <= {"disagreement"}


def test_a_part_has_what_its_older_generation_has_otherwise() -> None:
    body = {"energies": [{"type": "Fuel", "level": 5, "x": 1}], "energy": [{"type": "Fuel", "level": 40, "x": 2}]}
    status = read(body, Status)
    assert [problem.path for problem in status.energies[0].problems] == ["$.level"]
    assert status.extra["energy"] == body["energy"]


def test_items_that_only_one_generation_has_are_all_there() -> None:
    body = {
        "energies": [{"type": "Fuel", "level": 1}],
        "energy": [{"type": "Electric", "level": 2}],
        "engines": [{"type": "Thermic"}],
        "engine": [{"type": "Electric", "speed": 5}, {"type": "Thermic", "speed": 6}],
    }
    status = read(body, Status)
    assert [(energy.type, energy.level) for energy in status.energies] == [("Fuel", 1.0), ("Electric", 2.0)]
    assert [(engine.type, engine.speed) for engine in status.engines] == [("Thermic", 6.0), ("Electric", 5.0)]


def test_the_flat_energies_before_2023_read_into_todays_places() -> None:
    electric = bodies.electric()["extension"]["electric"]
    flat = {"type": "Electric", "level": 60.5, "updatedAt": bodies.AT, "mood": 1}
    flat |= {name: electric[name] for name in ("charging", "battery", "residual")}
    status = read({"energy": [flat, {"type": "Fuel", "consumptions": {"total": 5}}]}, Status)
    energy = status.electric
    assert energy is not None
    assert energy.charging == read(electric["charging"], Charging)
    assert energy.battery == read(electric["battery"], EnergyBattery)
    assert energy.extension is not None
    assert energy.extension.electric is not None
    assert energy.extension.electric.residual is not None
    assert energy.charging is not None
    assert energy.charging.ends_at is not None
    assert (dict(energy.extra), status.problems, status.is_charging) == ({"mood": 1}, (), True)
    assert status.fuel is not None
    assert status.fuel.consumptions == FuelConsumptions(total=5.0)
    assert read(status.to_dict(), Status) == status


def test_todays_places_win_over_flat_ones() -> None:
    nested = {"electric": {"charging": {"status": "Stopped"}}}
    body = {"extension": nested, "charging": {"status": "InProgress", "plugged": True}, "battery": None}
    assert read(body, Energy).charging == Charging(status=ChargingStatus.STOPPED, plugged=True)


def test_problems_in_flat_places_have_their_path() -> None:
    energy = read({"charging": {"plugged": 5}, "battery": [], "residual": 7}, Energy)
    assert [(problem.path, problem.kind == "sentinel") for problem in energy.problems] == [
        ("$.charging.plugged", False),
        ("$.battery", True),
        ("$.residual", False),
    ]


def test_hooks_read_flat_places_too() -> None:
    converter = make_converter()
    converter.register_structure_hook(Charging, lambda value, _: value["status"])
    energy: Any = converter.structure({"charging": {"status": "Stopped"}, "battery": {"capacity": 5}}, Energy)
    assert (energy.charging, energy.battery.capacity) == ("Stopped", 5.0)


@pytest.mark.parametrize(
    "body",
    [
        {"timed.odometer": {"mileage": 1539}},
        {"timed": {"odometer": {"mileage": 1539}}},
        {"_embedded": {"extension": {"odometer": {"mileage": 1539}}}},
        {"odometer": {"createdAt": None}, "_embedded": {"extension": {"odometer": {"mileage": 1539}}}},
        {"odometer": [], "timed.odometer": None, "_embedded": {"extension": {"odometer": {"mileage": 1539}}}},
    ],
)
def test_a_mileage_is_read_wherever_a_generation_has_it(body: dict[str, Any]) -> None:
    assert read(body, Status, strict=True).mileage == 1539.0


def test_blocks_in_the_extension_of_a_status_are_read() -> None:
    whole = bodies.status()
    instants = {name: whole.pop(name) for name in ("createdAt", "updatedAt")}
    status = read(instants | {"_embedded": {"extension": whole}}, Status)
    assert status == read(bodies.status(), Status)
    assert status.problems == ()


def test_unknown_blocks_in_the_extension_of_a_status_are_extra() -> None:
    body = {"_embedded": {"extension": {"kinetic": {"moving": True}, "mood": "sunny"}, "other": [{"a": 1}]}}
    status = read(body, Status)
    kept = {"extension": {"mood": "sunny"}, "other": [{"a": 1}]}
    assert (status.is_moving, dict(status.extra)) == (True, {"_embedded": kept})
    assert read(status.to_dict(), Status) == status


@pytest.mark.parametrize("embedded", [None, [], {}, {"extension": None}, {"extension": []}])
def test_a_status_without_an_extension_is_read(embedded: Any) -> None:
    status = read({"_embedded": embedded, "odometer": {"mileage": 5}, "mood": 1}, Status, strict=True)
    assert (status.mileage, dict(status.extra)) == (5.0, {"mood": 1})


def test_the_last_update_of_an_older_block_is_its_instant() -> None:
    body = {
        "doorsState": {"updatedAt": bodies.AT, "lockedState": ["Locked"]},
        "lastPosition": {"geometry": {"coordinates": [2, 48]}, "properties": {"updatedAt": bodies.AT}},
        "alarm": {"status": {"updatedAt": bodies.AT}},
        "battery": {"createdAt": "2023-06-12T09:41:10Z", "updatedAt": bodies.AT},
    }
    status = read(body, Status)
    at = datetime.fromisoformat(bodies.AT)
    assert status.doors is not None
    assert status.last_position is not None
    assert (status.doors.created_at, status.doors.updated_at, status.doors.measured_at) == (at, at, at)
    assert (status.last_position.created_at, status.last_position.updated_at) == (at, at)
    assert status.battery is not None
    assert status.battery.created_at == datetime(2023, 6, 12, 9, 41, 10, tzinfo=UTC)
    assert status.battery.measured_at == at
    assert read(status.to_dict(), Status) == status


def test_lists_without_a_kind_are_of_one_generation() -> None:
    def preconditioning(start: str) -> dict[str, Any]:
        return {"airConditioning": {"programs": [{"start": start}]}}

    body = {"preconditioning": preconditioning("PT7H"), "preconditionning": preconditioning("PT8H")}
    assert (
        read(body, Status).preconditioning == read({"preconditioning": preconditioning("PT7H")}, Status).preconditioning
    )


def test_what_hooks_make_is_of_one_generation() -> None:
    converter = make_converter()
    converter.register_structure_hook(Energy, lambda value, _: value["level"])
    converter.register_structure_hook(Odometer, lambda value, _: value.get("mileage"))
    body = {"energies": [{"level": 1}], "energy": [{"level": 2}], "odometer": {}, "timed": {"odometer": {"mileage": 3}}}
    status: Any = converter.structure(body, Status)
    assert (status.energies, status.odometer) == ((1,), 3)


def test_an_empty_block_is_there_where_no_generation_says_more() -> None:
    assert read({"odometer": {}, "timed": None}, Status).odometer is not None
    assert read({"odometer": {}, "timed": {"odometer": {}}}, Status).odometer is not None


def test_an_older_name_counts_where_the_newest_is_broken() -> None:
    status = read({"energies": 5, "energy": bodies.fuel()}, Status)
    assert [energy.type for energy in status.energies] == [EnergyType.FUEL]
    assert [problem.path for problem in status.problems] == ["$.energies"]


def test_what_else_an_older_container_holds_is_kept() -> None:
    status = read({"timed": {"odometer": {"mileage": 5.5}, "new": 1}}, Status)
    assert dict(status.extra) == {"timed": {"new": 1}}


def test_problems_under_an_older_name_have_its_path() -> None:
    paths = [
        problem.path
        for body in ({"energy": {"level": "x"}}, {"energy": [{"level": "x"}]}, {"energy": 5}, {"timed": 5})
        for problem in read(body, Status).problems
    ]
    assert paths == ["$.energy.level", "$.energy[0].level", "$.energy", "$.timed"]


def test_a_class_with_a_field_that_no_json_fits_is_refused() -> None:
    @attrs.frozen(kw_only=True)
    class Odd(Model):
        number: complex | None = None

    with pytest.raises(TypeError, match="no JSON value reads as complex"):
        read({}, Odd)


def test_a_whole_number_below_its_minimum_is_read_and_told() -> None:
    @attrs.frozen(kw_only=True, weakref_slot=False)
    class Doors(Model):
        count: int | None = attrs.field(default=None, metadata=names(minimum=1))

    assert [read({"count": count}, Doors) for count in (1, None)] == [Doors(count=1), Doors()]
    doors = read({"count": 0}, Doors, strict=True)  # a disagreement never raises
    assert doors.count == 0
    assert doors.problems == (
        Problem(path="$.count", value_type="number", reason="0 is less than 1", kind="disagreement"),
    )
    [problem] = read({"count": "many"}, Doors).problems
    assert (problem.path, problem.kind) == ("$.count", "unreadable")


def test_types_that_are_not_json_are_named_as_they_are() -> None:
    assert read({"distance": {1}}, Trip).problems == (
        Problem(path="$.distance", value_type="set", reason="not a number"),
    )


@pytest.mark.parametrize(
    "decorate",
    [attrs.frozen, attrs.define, attrs.frozen(kw_only=True, slots=False), attrs.frozen(weakref_slot=False)],
)
@pytest.mark.parametrize("base", [Model, Trip])
def test_classes_of_ones_own_are_read(decorate: Any, base: type[Model]) -> None:
    """With and without slots and weak references, and with more attributes than the class above."""

    @decorate
    class Own(base):  # type: ignore[misc, valid-type]
        driver_name: str | None = None

    own = read({"id": "a", "driverName": "Ada", "mood": "sunny"}, Own)
    assert (type(own), own.driver_name, own.extra["mood"]) == (Own, "Ada", "sunny")
    assert own == read({"id": "a", "driverName": "Ada", "mood": "sunny"}, Own)


def test_annotations_that_are_no_codec_are_passed_over() -> None:
    @attrs.frozen(kw_only=True)
    class Annotations(Model):
        level: Annotated[float, "of the battery"] | None = None
        many: tuple[Annotated[str, "names"], ...] = ()

    assert read({"level": 3, "many": ["a"]}, Annotations) == Annotations(level=3.0, many=("a",))


def test_a_class_without_attributes_of_its_own_is_read() -> None:
    class Own(Trip):
        def double(self) -> float:
            return 2 * (self.distance or 0.0)

    assert read({"distance": 3.0}, Own).double() == 6.0
