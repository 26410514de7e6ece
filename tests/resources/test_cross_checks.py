"""Views of one fact that disagree, instants ahead of the clock, and figures beyond what is plausible."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import cattrs
import pytest

from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.blocks.energy import Energy
from stellantis_hal.resources.cross_checks import TOLERANCES, OdometerReading
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.theft import Theft
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import TypedConverter, read
from stellantis_hal.structuring.hooks import make_converter
from tests.resources import bodies
from tests.resources.served import Served


def resource_of(body: dict[str, Any]) -> HalResource:
    return Served({}).resource("/status", body)


def told(body: dict[str, Any], kind: Any) -> list[tuple[str, str]]:
    value = read(body, kind, strict=True)  # a disagreement never raises
    assert {problem.kind for problem in value.problems} <= {"disagreement"}
    return [(problem.path, problem.reason) for problem in value.problems]


def electric(level: float | None, electric_: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Electric", "level": level, "extension": {"electric": electric_}}


def load(residual: float | None, capacity: float | None) -> dict[str, Any]:
    return {"battery": {"load": {"residual": residual, "capacity": capacity}}}


# ------------------------------------------------------------------------------------------------- energies


def test_a_level_is_compared_with_residual_and_capacity() -> None:
    body = {"energies": [electric(72, load(26400, 50000))]}
    status = read(body, Status)
    [problem] = status.problems
    assert (problem.path, problem.kind, problem.value_type) == ("$.energies[0].level", "disagreement", "number")
    assert problem.reason == "level 72 %, but residual/capacity 52.8 % (26400 Wh of 50000 Wh)"
    assert status.electric is not None
    assert status.electric.level == 72
    assert status.electric.battery is not None
    assert status.electric.battery.load is not None
    assert status.electric.battery.load.residual == 26400
    assert [found.path for found in status.electric.problems] == ["$.level"]


@pytest.mark.parametrize(
    ("level", "block"),
    [
        (72, load(36000, 50000)),
        (72, load(33500, 50000)),  # 5 points
        (72, load(None, 50000)),
        (72, load(36000, None)),
        (72, load(36000, 0)),
        (None, load(36000, 50000)),
        (72, {"battery": {}}),
        (72, {}),
        (72, {"residual": {"consumption": 36}, "battery": {"capacity": 50000}}),
        (72, {"residual": {"consumption": 36}, "battery": {"capacity": 50000, **load(36000, 50000)["battery"]}}),
        (72, {"residual": {"consumption": 36}}),
    ],
)
def test_levels_that_agree_within_the_tolerance(level: float | None, block: dict[str, Any]) -> None:
    assert told(electric(level, block), Energy) == []


def test_views_of_the_battery_in_other_units_are_told() -> None:
    block = {"residual": {"consumption": 36}, "battery": {"capacity": 50, "load": {"capacity": 50000, "residual": 36}}}
    found = told(electric(72, block), Energy)
    assert found == [
        (
            "$.extension.electric.battery.capacity",
            "capacity 50 Wh, but load.capacity 50000 Wh (a factor of about 1000: one of them is in another unit)",
        ),
        (
            "$.extension.electric.residual.consumption",
            "residual 36 kWh, but load.residual 36 Wh (a factor of about 1000: one of them is in another unit)",
        ),
        (
            "$.level",
            (
                "level 72 %, but residual/capacity 0.072 % (36 Wh of 50000 Wh) "
                "(a factor of about 1000: one of them is in another unit)"
            ),
        ),
    ]


def test_older_views_of_the_battery_are_compared_too() -> None:
    block = {"residual": {"consumption": 26.4}, "battery": {"capacity": 50000}}
    [(path, reason)] = told(electric(72, block), Energy)
    assert (path, "52.8 %" in reason) == ("$.level", True)


# ------------------------------------------------------------------------------------------------- trips


def used(consumption: float, average: float, kind: str = "Electric", distance: float = 13.6) -> dict[str, Any]:
    energy = {"type": kind, "consumption": consumption, "avgConsumption": average}
    return {"distance": distance, "energyConsumptions": [energy]}


def test_an_average_is_compared_with_consumption_and_distance() -> None:
    path = "$.energyConsumptions[0].avgConsumption"
    assert told(used(2016, 14823.5), Trip) == []
    assert told(used(2.016, 14823.5), Trip) == [
        (
            path,
            (
                "average 14823.5 Wh/100 km, but 2.016 Wh over 13.6 km are 14.8235 Wh/100 km "
                "(a factor of about 1000: one of them is in another unit)"
            ),
        )
    ]
    [(_, litres)] = told(used(3.0, 600, "Fuel", 50), Trip)
    assert "cL/100 km" in litres
    assert "a factor of about 100:" in litres
    [(_, plain)] = told(used(2016, 40000), Trip)
    assert plain == "average 40000 Wh/100 km, but 2016 Wh over 13.6 km are 14823.5 Wh/100 km"
    assert [place for place, _ in told(used(0, 14823.5), Trip)] == [path]
    assert [place for place, _ in told(used(-2016, 14823.5), Trip)] == [path]


@pytest.mark.parametrize(
    ("consumption", "average", "distance"),
    [
        (2016, 14823.5, 13.6),
        (2016, 29000, 13.6),
        (0, 0, 13.6),
        (3, 0, 0.4),
        (0, 2000, 0.4),
        (2016, 1, 0),
        (-50, -400, 13),
    ],
)
def test_averages_that_agree_within_the_tolerance(consumption: float, average: float, distance: float) -> None:
    assert told(used(consumption, average, distance=distance), Trip) == []


def test_consumption_without_distance_or_average_is_not_compared() -> None:
    assert told({"energyConsumptions": [{"type": "Fuel", "consumption": 5, "avgConsumption": 5000}]}, Trip) == []
    assert (
        told({"distance": 5, "energyConsumptions": [{"type": "Fuel", "consumption": 5}, {"avgConsumption": 1}]}, Trip)
        == []
    )


def test_a_trip_that_ends_before_it_starts_is_told() -> None:
    body = {"startedAt": "2023-09-12T09:00:00Z", "stoppedAt": "2023-09-12T08:00:00Z"}
    assert told(body, Trip) == [("$.stoppedAt", "it stops 3600 s before it starts")]
    assert told(body | {"duration": 3600}, Trip) == [("$.stoppedAt", "it stops 3600 s before it starts")]
    assert told(body | {"startedAt": "2023-09-15T08:00:00Z"}, Trip) == [
        ("$.stoppedAt", "it stops 3 days before it starts")
    ]


def test_a_duration_is_compared_with_start_and_stop() -> None:
    body = {"startedAt": "2023-09-12T08:00:00Z", "stoppedAt": "2023-09-12T09:00:00Z"}
    assert told(body | {"duration": 60}, Trip) == [("$.duration", "a duration of 60 s, but 3600 s from start to stop")]
    assert told(body | {"duration": 2700}, Trip) == []
    assert told(body | {"stoppedAt": "2023-09-12T08:00:30Z", "duration": 90}, Trip) == []
    assert told(body | {"duration": -60}, Trip) == [("$.duration", "a duration of -60 s is negative")]
    assert told({"duration": -60}, Trip) == [("$.duration", "a duration of -60 s is negative")]


def test_speeds_are_compared_with_distance_and_duration() -> None:
    body = {"distance": 36, "duration": 3600}
    assert told(body | {"kinetic": {"avgSpeed": 10, "maxSpeed": 90}}, Trip) == []
    assert told(body | {"kinetic": {"avgSpeed": 36, "maxSpeed": 90}}, Trip) == [
        ("$.kinetic.maxSpeed", "an average of 129.6 km/h, but at most 90 km/h"),
        (
            "$.kinetic.avgSpeed",
            (
                "an average of 129.6 km/h, but 36 km in 3600 s are 36 km/h "
                "(a factor of about 3.6: one of them is in another unit)"
            ),
        ),
    ]
    assert told({"distance": 36, "duration": 5, "kinetic": {"avgSpeed": 1}}, Trip) == []
    assert told({"kinetic": {"maxSpeed": 1}}, Trip) == told({"kinetic": {"avgSpeed": 1}}, Trip) == []


def test_shares_of_a_trip_are_compared_with_its_distance() -> None:
    segments = [{"percent": 75, "distance": 30}, {"percent": 20, "distance": 10}, {"percent": 1}, {"distance": 1}]
    assert told({"distance": 40, "segments": segments}, Trip) == []
    segments[1]["percent"] = 60
    assert told({"distance": 40, "segments": segments}, Trip) == [
        ("$.segments[1].percent", "60 % of the trip, but 10 of 40 km are 25 %")
    ]
    assert told({"distance": 0.4, "segments": [{"percent": 60, "distance": 0.1}]}, Trip) == []


def test_segments_are_compared_with_the_distance_of_the_trip() -> None:
    segments = [{"percent": 60, "distance": 60}, {"percent": 60, "distance": 60}]
    assert told({"distance": 100, "segments": segments}, Trip) == [
        ("$.segments", "segments of 120 km together, but 100 km of distance")
    ]
    segments[1] = {"percent": 40, "distance": 44}
    assert told({"distance": 100, "segments": segments}, Trip) == []
    assert told({"distance": 2, "segments": [{"distance": 2}, {"distance": 1.5}]}, Trip) == []


TWICE = [{"type": "Electric", "level": 10}, {"type": "Electric", "level": 80}]


@pytest.mark.parametrize(
    ("kind", "body", "path"),
    [
        (Status, {"energies": TWICE}, "$.energies[1].level"),
        (Status, {"energy": TWICE}, "$.energies[1].level"),
        (Status, {"energies": [{"type": "Fuel", "level": 80}, *TWICE, TWICE[0]]}, "$.energies[2].level"),
        (Telemetry, {"vehicle": {"energies": TWICE}}, "$.vehicle.energies[1].level"),
        (Trip, {"startEnergies": TWICE}, "$.startEnergies[1].level"),
        (Trip, {"endEnergies": TWICE}, "$.endEnergies[1].level"),
    ],
)
def test_energies_of_one_type_have_one_level(kind: Any, body: dict[str, Any], path: str) -> None:
    found = told(body, kind)
    assert found[0] == (path, "80 %, but another one of the same type has 10 %")
    value = read(body, kind)
    assert json.loads(json.dumps(value.to_dict()))  # all of them are kept


@pytest.mark.parametrize(
    "energies",
    [
        [{"level": 10}, {"level": 80}],
        [
            {"type": "Fuel", "subType": "Hydrogen", "level": 10},
            {"type": "Fuel", "subType": "FossilEnergy", "level": 80},
        ],
        [{"type": "Fuel", "level": 10}, {"type": "Fuel", "level": 15}],
        [{"type": "Fuel", "level": 10}, {"type": "Fuel"}, {"type": "Electric", "level": 80}],
        [{"type": "Fuel"}, {"type": "Fuel", "level": 10}],
    ],
)
def test_energies_that_do_not_contradict_each_other(energies: list[dict[str, Any]]) -> None:
    assert told({"energies": energies}, Status) == []


def test_a_car_that_charges_is_plugged_in() -> None:
    body = electric(50, {"charging": {"plugged": False, "status": "InProgress"}})
    assert told({"energies": [body]}, Status) == [
        ("$.energies[0].extension.electric.charging.plugged", "not plugged in, but charging")
    ]
    for charging in ({"plugged": False, "status": "Stopped"}, {"plugged": True, "status": "InProgress"}):
        assert told(electric(50, {"charging": charging}), Energy) == []
    assert told(electric(50, {"charging": {"plugged": False, "status": "Odd"}}), Energy) == []


def test_a_car_that_does_not_move_has_no_speed() -> None:
    assert told({"kinetic": {"moving": False, "speed": 80}}, Status) == [("$.kinetic.speed", "80 km/h, but not moving")]
    for kinetic in (
        {"moving": False, "speed": 5},
        {"moving": True, "speed": 80},
        {"moving": True, "speed": 0},
        {"speed": 9},
    ):
        assert told({"kinetic": kinetic}, Status) == []
    assert told({"kinetic": {"moving": False}}, Status) == []


def test_a_later_mileage_is_compared_with_start_and_distance() -> None:
    reading = OdometerReading.after(Trip(start_mileage=12_000.0, distance=40.0, stopped_at=NOW))
    assert reading is not None
    assert reading.compare_later(12_038.0, NOW, "$.mileage") is None
    assert reading.compare_later(12_500.0, NOW, "$.mileage") is None
    assert reading.compare_later(None, NOW, "$.mileage") is None
    assert reading.compare_later(1.0, NOW - timedelta(seconds=1), "$.mileage") is None
    problem = reading.compare_later(12_037.5, NOW, "$.mileage")
    assert problem is not None
    assert (problem.kind, problem.path) == ("disagreement", "$.mileage")
    assert problem.reason == (
        "mileage 12037.5 km after the trip, but 12000 km at its start and 40 km of distance are 12040 km"
    )
    assert OdometerReading.after(Trip(distance=1.0)) is OdometerReading.after(Trip(start_mileage=1.0)) is None


def test_the_tolerances_are_those_of_the_table() -> None:
    assert (TOLERANCES.level, TOLERANCES.average, TOLERANCES.mileage) == (5, 2, 2)


# ------------------------------------------------------------------------------------------------- single figures


@pytest.mark.parametrize(
    ("kind", "body", "path", "reason"),
    [
        (Trip, {"distance": -3.5}, "$.distance", "-3.5 is less than 0"),
        (Trip, {"distance": -3}, "$.distance", "-3 is less than 0"),
        (Trip, {"startMileage": -3.5}, "$.startMileage", "-3.5 is less than 0"),
        (Trip, {"segments": [{"distance": -1}]}, "$.segments[0].distance", "-1 is less than 0"),
        (Energy, {"level": 130}, "$.level", "130 is not within 0 to 100"),
        (Energy, {"level": -0.5}, "$.level", "-0.5 is not within 0 to 100"),
        (Energy, {"autonomy": -5}, "$.autonomy", "-5 is less than 0"),
        (Status, {"odometer": {"mileage": -5}}, "$.odometer.mileage", "-5 is less than 0"),
        (Position, {"properties": {"heading": -10}}, "$.properties.heading", "-10 is not within 0 to 360"),
        (Position, {"properties": {"heading": 361}}, "$.properties.heading", "361 is not within 0 to 360"),
        (Position, {"coordinates": [180.5, 48]}, "$.coordinates[0]", "not within -180 to 180 degrees"),
        (Position, {"coordinates": [-181.0, 48.0, 5.0]}, "$.coordinates[0]", "not within -180 to 180 degrees"),
        (Position, {"coordinates": [2.5, -90.5, 5.0]}, "$.coordinates[1]", "not within -90 to 90 degrees"),
        (Position, {"coordinates": [2.5, 152]}, "$.coordinates[1]", "not within -90 to 90 degrees"),
        (
            Alert,
            {"startedAt": "2023-09-12T08:01:00Z", "endAt": "2023-09-12T08:00:00Z"},
            "$.endAt",
            "it ends 60 s before it starts",
        ),
        (
            Theft,
            {"startedAt": "2023-09-12T08:01:00Z", "endAt": "2023-09-12T08:00:00Z"},
            "$.endAt",
            "it ends 60 s before it starts",
        ),
        (
            Status,
            {"stolen": {"startedAt": "2023-09-14T08:00:00Z", "endAt": "2023-09-12T08:00:00Z"}},
            "$.stolen.endAt",
            "it ends 2 days before it starts",
        ),
    ],
)
def test_figures_beyond_what_is_plausible_are_told(kind: Any, body: dict[str, Any], path: str, reason: str) -> None:
    assert told(body, kind) == [(path, reason)]


def test_plausible_figures_are_not_told() -> None:
    assert told({"level": 0, "autonomy": 0}, Energy) == told({"level": 100.0, "autonomy": 1e9}, Energy) == []
    assert told({"mileageBeforeMaintenance": -500, "daysBeforeMaintenance": -3}, Maintenance) == []
    assert told({"startedAt": bodies.AT, "endAt": bodies.AT}, Alert) == told({"endAt": bodies.AT}, Alert) == []


# ------------------------------------------------------------------------------------------------- the clock

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_instants_ahead_of_the_clients_clock_are_told() -> None:
    converter = TypedConverter(clock=lambda: NOW)
    body = {"createdAt": "2026-05-04T12:00:00Z", "odometer": {"createdAt": "2026-05-01T12:10:00Z"}}
    status = converter.structure(resource_of(body), Status)
    assert [(problem.path, problem.reason, problem.kind) for problem in status.problems] == [
        ("$.createdAt", "an instant 3 days ahead of the client's clock", "disagreement"),
        ("$.odometer.createdAt", "an instant 600 s ahead of the client's clock", "disagreement"),
    ]
    assert status.created_at == NOW + timedelta(days=3)


def test_the_clock_of_today_is_asked_when_it_matters() -> None:
    now = [NOW]
    converter = TypedConverter(clock=lambda: now[0])
    body = {"createdAt": "2026-05-04T12:00:00Z"}
    assert len(converter.structure(resource_of(body), Status).problems) == 1
    now[0] += timedelta(days=3)
    assert converter.structure(resource_of(body), Status).problems == ()


def test_old_blocks_and_instants_of_plans_are_none() -> None:
    converter = TypedConverter(clock=lambda: NOW)
    charging = {"chargingEndTime": "2026-05-01T18:00:00Z"}
    body = {
        "createdAt": "2026-05-01T12:04:59Z",
        "kinetic": {"createdAt": "2019-01-01T00:00:00Z"},
        "energies": [electric(50, {"charging": charging})],
    }
    assert converter.structure(resource_of(body), Status).problems == ()


def test_future_instants_without_a_client_use_system_time() -> None:
    [(path, reason)] = told({"createdAt": "2999-01-01T00:00:00+0000"}, Trip)
    assert (path, reason.endswith("days ahead of the client's clock")) == ("$.createdAt", True)


# ------------------------------------------------------------------------------------------------- reporting


def test_a_disagreement_is_logged_once_for_each_path(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "stellantis_hal")
    converter = TypedConverter(strict=True)
    for level in (72, 10):
        converter.structure(resource_of({"energies": [electric(level, load(26400, 50000))]}), Status)
    levels = [record.levelname for record in caplog.records if "residual/capacity" in record.getMessage()]
    assert levels == ["WARNING", "DEBUG"]


def test_types_of_a_users_hook_are_not_compared() -> None:
    converter = make_converter()
    converter.register_structure_hook(float, lambda value, _: f"{value}!")
    body = {"level": -5, "extension": electric(5, load(1, 2))["extension"]}
    assert converter.structure(body, Energy).problems == ()
    assert (
        converter.structure({"distance": -5, "energyConsumptions": used(1, 1000)["energyConsumptions"]}, Trip).problems
        == ()
    )
    assert isinstance(converter, cattrs.Converter)


BATTERY = {"extension": {"electric": {"battery": {"load": {"capacity": 50_000, "residual": 20_000}}}}}
CONTRADICTING = [
    ({"level": 93}, BATTERY),
    (BATTERY, {"level": 93}),
    ({"level": 93} | BATTERY, {"level": 93, "updatedAt": "2026-01-01T00:00:00Z"}),
]


@pytest.mark.parametrize(("newer", "older"), CONTRADICTING)
def test_what_is_merged_of_two_generations_is_checked(newer: dict[str, Any], older: dict[str, Any]) -> None:
    """Neither body may contradict itself: the level is of one generation, the battery of the other."""
    body = {"energies": [{"type": "Fuel"}, {"type": "Electric", **newer}], "energy": [{"type": "Electric", **older}]}
    status = read(body, Status)
    [problem] = status.problems
    assert (problem.kind, problem.path) == ("disagreement", "$.energies[1].level")
    assert [each.path for each in status.energies[1].problems] == ["$.level"]
    assert status.energies[1].level == 93


@pytest.mark.parametrize("older", [{"level": 41}, {"level": 40, "createdAt": "2026-01-01T00:00:00Z"}, {}])
def test_what_is_merged_and_agrees_is_no_problem(older: dict[str, Any]) -> None:
    body = {"energies": [{"type": "Electric", **BATTERY}], "energy": [{"type": "Electric", **older}]}
    assert read(body, Status).problems == ()


def test_merged_values_of_a_users_type_are_not_compared() -> None:
    converter = make_converter()
    converter.register_structure_hook(float, lambda value, _: str(value))
    body = {"energies": [{"type": "Electric", "level": 93}], "energy": [{"type": "Electric", **BATTERY}]}
    status = TypedConverter(converter).structure(resource_of(body), Status)
    assert status.problems == ()
