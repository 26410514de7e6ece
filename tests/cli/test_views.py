"""Statuses and trips as lines of text."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from stellantis_hal import Alert, Maintenance, Status, Trip, Vehicle
from stellantis_hal.cli.status_view import CarState, reported_at, status_lines
from stellantis_hal.cli.trip_view import TAB_COLUMNS, tab_line, trip_lines
from stellantis_hal.cli.wording import tabbed
from stellantis_hal.structuring.converter import read

NOW = datetime(2025, 12, 31, 19, 0, tzinfo=UTC)
VEHICLE = {"id": "a", "vin": "VF3AAAAAAAAAA0000", "label": "e-208", "brand": "Peugeot"}
ELECTRIC = {
    "type": "Electric",
    "level": 66,
    "autonomy": 232,
    "createdAt": "2025-12-31T18:57:00Z",
    "extension": {"electric": {"charging": {"plugged": True, "status": "InProgress", "remainingTime": "PT2H43M"}}},
}
FULL: dict[str, Any] = {
    "createdAt": "2025-12-31T18:57:00Z",
    "energies": [ELECTRIC],
    "odometer": {"mileage": 60849},
    "kinetic": {"moving": False},
    "environment": {"air": {"temp": 12}},
    "doorsState": {"lockedStates": ["Locked"]},
    "lastPosition": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [-0.7344, 44.913]}},
}
MAINTENANCE = {"daysBeforeMaintenance": 212, "mileageBeforeMaintenance": 9151}
ALERT = {"type": "lowBattery", "active": True, "startedAt": "2025-12-31T14:02:00Z"}


def lines(status: dict[str, Any] | None, *, width: int = 80, **parts: Any) -> list[str]:
    state = CarState(vehicle=read(VEHICLE, Vehicle), status=None if status is None else read(status, Status), **parts)
    return status_lines(state, now=NOW, zone=UTC, width=width)


def test_a_status_at_eighty_columns() -> None:
    shown = lines(FULL, maintenance=read(MAINTENANCE, Maintenance), alerts=(read(ALERT, Alert),))
    assert [line.split()[0] for line in shown] == ["e-208", "Battery", "Doors", "Odometer", "Position", "!"]
    assert "charging, full 21:40" in shown[1]


def test_a_status_at_forty_columns() -> None:
    shown = lines(FULL, width=40, alerts=(read(ALERT, Alert),))
    assert all(len(line) <= 40 for line in shown)
    assert shown == [
        "e-208  …0000",
        "██████████░░░░░   66 %  232 km",
        "charging, full 21:40",
        "locked · 60,849 km · 12 °C",
        "! lowBattery since 14:02",
        "reported 3 minutes ago",
    ]


def test_an_energy_of_a_new_kind_has_its_own_name() -> None:
    shown = lines({"energies": [{"type": "Hydrogen", "level": 50}, {"type": "Fuel"}, {"level": 5}]})
    assert [line.split()[0] for line in shown[1:4]] == ["Hydrogen", "Fuel", "Energy"]


def test_a_long_name_has_a_line_of_its_own() -> None:
    state = CarState(vehicle=read(VEHICLE | {"label": "e-208 " * 12}, Vehicle), status=read(FULL, Status))
    shown = status_lines(state, now=NOW, zone=UTC, width=80)
    assert shown[0].startswith("e-208 e-208")
    assert shown[1] == "charging, reported 3 minutes ago"


def test_a_status_without_anything_says_unknown() -> None:
    assert lines(None) == ["e-208  …0000", "the API has no data of this car yet"]
    shown = lines({}, width=62)
    assert "state unknown, reported at an unknown time" in " ".join(shown)
    assert "Doors      unknown           Air      unknown" in shown
    assert "Odometer   unknown           Service  unknown" in shown
    assert "Position   unknown" in shown
    assert lines({}, width=50)[0] == "e-208  …0000"


@pytest.mark.parametrize(
    ("changes", "width", "text"),
    [
        ({"kinetic": {"moving": True}}, 80, "moving, reported"),
        ({"doorsState": {"lockedStates": ["Unlocked"]}}, 80, "unlocked"),
        ({"doorsState": {"opening": [{"identifier": "Driver", "state": "Open"}]}}, 80, "open"),
        ({"energies": [{"type": "Fuel", "level": 40, "autonomy": 300}]}, 80, "Fuel"),
        ({"energies": [{"type": "Fuel", "level": 40, "autonomy": 300}]}, 40, "40 %  300 km"),
    ],
)
def test_states_are_words(changes: dict[str, Any], width: int, text: str) -> None:
    assert text in "\n".join(lines({**FULL, **changes}, width=width))


def test_charging_is_told_as_far_as_it_is_known() -> None:
    charging: dict[str, Any] = {"plugged": True, "status": "InProgress"}
    energy = {**ELECTRIC, "extension": {"electric": {"charging": charging}}}
    assert "charging, unknown left" in lines({**FULL, "energies": [energy]})[1]
    charging["status"] = "Disconnected"
    assert lines({**FULL, "energies": [energy]})[1].endswith("plugged in")


def test_a_service_that_is_due_is_said() -> None:
    due = read({"daysBeforeMaintenance": 0}, Maintenance)
    assert any(line.endswith("Service  due now") for line in lines(FULL, maintenance=due))
    days = read({"daysBeforeMaintenance": 30}, Maintenance)
    assert any(line.endswith("Service  in 30 days") for line in lines(FULL, maintenance=days))
    kilometres = read({"mileageBeforeMaintenance": 900}, Maintenance)
    assert any(line.endswith("Service  in 900 km") for line in lines(FULL, maintenance=kilometres))
    assert any(line.endswith("Service  unknown") for line in lines(FULL, maintenance=read({}, Maintenance)))


def test_the_latest_instant_of_any_part_counts() -> None:
    assert reported_at(read(FULL, Status)) == datetime(2025, 12, 31, 18, 57, tzinfo=UTC)
    assert reported_at(read({}, Status)) is None


TRIP = {
    "id": "t1",
    "startedAt": "2025-12-31T20:55:00Z",
    "duration": 1320,
    "distance": 20.3,
    "avgConsumption": [],
    "energyConsumptions": [
        {"type": "Electric", "consumption": 4500},
        {"type": "Fuel", "consumption": 130},
    ],
    "startEnergies": [{"type": "Electric", "level": 52}, {"type": "Fuel", "level": 80}],
    "endEnergies": [{"type": "Electric", "level": 43}],
    "kinetic": {"avgSpeed": 15.5},
}


def test_columns_leave_in_their_order() -> None:
    row = read(TRIP, Trip).row()
    widths = [trip_lines([row], zone=UTC, width=width)[0].split() for width in (120, 60)]
    assert "km/h" in widths[0]
    assert "km/h" not in widths[1]
    assert widths[1][:2] == ["Start", "km"]
    assert all(len(line) <= 60 for line in trip_lines([row], zone=UTC, width=60))
    assert "? → 80" not in "\n".join(trip_lines([row], zone=UTC, width=120))
    assert "80 → ?" in "\n".join(trip_lines([row], zone=UTC, width=120))


def test_narrow_terminals_have_two_lines_a_trip() -> None:
    row = read(TRIP, Trip).row()
    shown = trip_lines([row], zone=UTC, width=40)
    assert shown[0] == "2025-12-31 20:55  20.3 km  22 min"
    assert "4.5 kWh" in shown[1]
    bare = trip_lines([read({"startedAt": "2025-12-31T20:55:00Z"}, Trip).row()], zone=UTC, width=40)
    assert bare == ["2025-12-31 20:55", ""]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("@cell", "'@cell"),
        (" =1", "' =1"),
        ("a;=1", "a;'=1"),
        ("-5.5", "-5.5"),
        ("e-208", "e-208"),
    ],
)
def test_no_value_between_tabs_is_a_formula(text: str, shown: str) -> None:
    assert tabbed(["a", text, "b"]).split("\t") == ["a", shown, "b"]
    assert tab_line(read({"id": text}, Trip).row()).split("\t")[0] == shown


@pytest.mark.parametrize("text", ["a\tb", "a\r\nb", "\t=1", "\r=1", "\x1b[2J"])
def test_a_value_between_tabs_stays_one_column(text: str) -> None:
    line = tabbed([text, "b"])
    assert (line.count("\t"), line.isprintable() or line.replace("\t", "").isprintable()) == (1, True)
    assert not line.lstrip().startswith("=")
    assert len(tab_line(read({"id": text}, Trip).row()).split("\t")) == len(TAB_COLUMNS)


def test_programs_get_whole_values() -> None:
    values = dict(zip(TAB_COLUMNS, tab_line(read(TRIP, Trip).row()).split("\t"), strict=True))
    assert (values["started_at"], values["distance_km"], values["stopped_at"]) == ("2025-12-31T20:55:00Z", "20.3", "")
    assert trip_lines([read({}, Trip).row()], zone=UTC, width=80)[1].startswith("unknown")
    last = read({"startedAt": "9999-12-31T23:59:00Z"}, Trip)
    assert trip_lines([last.row()], zone=timezone(timedelta(hours=1)), width=80)[1].startswith("9999-12-31 23:59")
    assert timedelta(seconds=float(values["duration_s"])) == timedelta(minutes=22)
