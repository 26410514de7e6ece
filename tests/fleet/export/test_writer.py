"""Writers for trips: what a row has, in JSON Lines, CSV and GeoJSON."""

import csv
import inspect
import io
import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from stellantis_hal.fleet import Update, trip_writer
from stellantis_hal.fleet.export.csv_rows import CSV_COLUMNS
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import read
from tests.support.simulated import account_of, client_of, world

VIN = "VF3ABCDEF12345678"
BODY: dict[str, Any] = {
    "id": 'trip "one", é',
    "startedAt": "2026-01-01T10:00:00Z",
    "stoppedAt": "2026-01-01T10:30:00Z",
    "startPosition": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.1, 48.8]}},
    "stopPosition": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.2, 48.9, 30.0]}},
    "duration": 1800,
    "distance": 20.5,
    "startMileage": 1000.5,
    "energyConsumptions": [
        {"type": "Electric", "consumption": 2016.0},
        {"type": "Electric", "consumption": 0.5},
        {"type": "Electric"},
        {"type": "Fuel", "consumption": 140},
    ],
    "kinetic": {"avgSpeed": 10.0, "maxSpeed": 90},
    "done": True,
    "faults": [{"fault": "DataLacking"}, {"fault": "Unstarted"}, {"cause": "Connection"}],
    "news": {"unknown": True},
}
TRIP = read(BODY, Trip)
EMPTY = read({}, Trip)
VEHICLE = read({"id": "vehicle-1", "vin": VIN, "label": "e-208"}, Vehicle)

Kind = Literal["jsonl", "csv", "geojson"]
KINDS: tuple[Kind, ...] = ("jsonl", "csv", "geojson")


def update_of(resource: Any, what: str = "trips", account: str | None = "account-1") -> Update:
    return Update(id="1", account=account, vehicle=VEHICLE, what=what, changes=(), resource=resource, age=None)


def identities(text: str, kind: Kind) -> list[tuple[Any, ...]]:
    """Return account, vehicle, VIN and label of each row; None for an empty cell."""
    names = ("account", "vehicle", "vin", "label")
    rows: list[dict[str, Any]]
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    elif kind == "jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
    else:
        rows = [feature["properties"] for feature in json.loads(text)["features"]]
    return [tuple(row[name] or None for name in names) for row in rows]


# ------------------------------------------------------------------------------------------------- formats


def test_json_lines_have_one_complete_object_a_line() -> None:
    file = io.StringIO()
    with trip_writer(file, "jsonl") as writer:
        writer.write(update_of(TRIP))
        writer.write(EMPTY, vehicle="vehicle-2")
    one, other = map(json.loads, file.getvalue().splitlines())
    assert (one["account"], one["vehicle"], one["vin"], one["label"]) == ("account-1", "vehicle-1", VIN, "e-208")
    assert read(one["trip"], Trip) == TRIP
    assert other == {"account": None, "vehicle": "vehicle-2", "vin": None, "label": None, "trip": {}}
    assert writer.written == 2


def test_csv_has_a_header_and_one_row_for_each_trip() -> None:
    file = io.StringIO(newline="")
    with trip_writer(file, "csv") as writer:
        writer.write(update_of(TRIP))
        writer.write(EMPTY)
    rows = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0] == {
        "account": "account-1",
        "vehicle": "vehicle-1",
        "vin": VIN,
        "label": "e-208",
        "id": 'trip "one", é',
        "started_at": "2026-01-01T10:00:00+00:00",
        "stopped_at": "2026-01-01T10:30:00+00:00",
        "duration_s": "1800.0",
        "distance_km": "20.5",
        "start_mileage_km": "1000.5",
        "start_longitude": "2.1",
        "start_latitude": "48.8",
        "stop_longitude": "2.2",
        "stop_latitude": "48.9",
        "fuel_cl": "140.0",
        "electricity_wh": "2016.5",
        "average_speed_kmh": "36.0",
        "max_speed_kmh": "90.0",
        "faults": "DataLacking;Unstarted",
        "done": "true",
    }
    assert set(rows[1].values()) == {""}


def test_csv_without_trips_is_a_header() -> None:
    file = io.StringIO(newline="")
    with trip_writer(file, "csv"):
        pass
    assert file.getvalue() == ",".join(CSV_COLUMNS) + "\r\n"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_geojson_is_a_valid_collection(count: int) -> None:
    file = io.StringIO()
    with trip_writer(file, "geojson") as writer:
        for _ in range(count):
            writer.write(update_of(TRIP))
    collection = json.loads(file.getvalue())
    assert collection["type"] == "FeatureCollection"
    assert len(collection["features"]) == count
    for feature in collection["features"]:
        assert feature["geometry"] == {"type": "LineString", "coordinates": [[2.1, 48.8], [2.2, 48.9, 30.0]]}
        assert feature["properties"]["vehicle"] == "vehicle-1"
        assert feature["properties"]["distance"] == 20.5


def test_geojson_keeps_properties_of_the_trip_with_our_names() -> None:
    file = io.StringIO()
    with trip_writer(file, "geojson") as writer:
        writer.write(update_of(read({"id": "1", "vin": "other", "vehicle": {"id": 5}}, Trip)))
    [feature] = json.loads(file.getvalue())["features"]
    properties = feature["properties"]
    assert (properties["vin"], properties["trip_vin"]) == (VIN, "other")
    assert (properties["vehicle"], properties["trip_vehicle"]) == ("vehicle-1", {"id": 5})


def test_geojson_is_valid_after_an_error() -> None:
    file = io.StringIO()

    def fail() -> None:
        with trip_writer(file, "geojson") as writer:
            writer.write(TRIP)
            raise KeyError("gone")

    with pytest.raises(KeyError):
        fail()
    assert len(json.loads(file.getvalue())["features"]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_writer_refuses_trips(kind: Kind) -> None:
    file = io.StringIO()
    writer = trip_writer(file, kind)
    writer.close()
    before = file.getvalue()
    writer.close()
    with pytest.raises(ValueError, match="the writer is closed: write every trip before"):
        writer.write(TRIP)
    assert file.getvalue() == before


def test_each_trip_is_one_write() -> None:
    writes = list[str]()

    class Recorder:
        def write(self, text: str, /) -> None:
            writes.append(text)

    for format_ in KINDS:
        writes.clear()
        writer = trip_writer(Recorder(), format_)
        writer.write(TRIP)
        writer.write(TRIP)
        assert len(writes) == 2


def test_an_update_without_a_trip_is_refused() -> None:
    with pytest.raises(ValueError, match="an update of status has no trip: check"):
        trip_writer(io.StringIO(), "jsonl").write(update_of(read({}, Status), "status"))


@pytest.mark.parametrize("kind", KINDS)
def test_surrogates_and_infinities_cost_no_trip(tmp_path: Path, kind: Kind) -> None:
    odd = read({**BODY, "id": "half \ud83d", "news": {"large": [math.inf, 1.5], "\ud83d": -math.inf}}, Trip)
    with open(tmp_path / "trips", "w", encoding="utf-8", newline="") as file, trip_writer(file, kind) as writer:
        writer.write(odd)
        writer.write(TRIP)
    with trip_writer(tmp_path / "again", kind) as writer:
        writer.write(odd)
        writer.write(TRIP)
    assert (tmp_path / "trips").read_bytes() == (tmp_path / "again").read_bytes()
    text = (tmp_path / "trips").read_text(encoding="utf-8")
    assert "half " in text
    assert 'trip ""one"", é' in text or 'trip \\"one\\", é' in text
    if kind == "jsonl":
        trip = json.loads(text.splitlines()[0])["trip"]
        assert (trip["id"], trip["news"]["large"]) == ("half \ud83d", [None, 1.5])


# ------------------------------------------------------------------------------------------------- vehicles


@pytest.mark.unmeasured
@pytest.mark.anyio
@pytest.mark.parametrize("kind", KINDS)
async def test_trips_of_two_cars_are_never_mixed(kind: Kind) -> None:
    simulator = Simulator(world(vehicles=2, trips=10))
    file = io.StringIO(newline="")
    expected = list[tuple[Any, ...]]()
    async with client_of(simulator) as client:
        with trip_writer(file, kind) as writer:
            async for vehicle in account_of(client, simulator, key="alice").vehicles():
                async for trip in vehicle.trips():
                    assert writer.write(trip)
                    expected.append(("alice", vehicle.id, vehicle.vin, vehicle.label))
    assert identities(file.getvalue(), kind) == expected
    assert len(set(expected)) == 2
    assert all(all(row) for row in expected)


def test_what_is_given_replaces_what_the_trip_knows() -> None:
    other = read({"id": "vehicle-9", "vin": "VF3", "label": "C5 X"}, Vehicle)
    file = io.StringIO()
    with trip_writer(file, "jsonl") as writer:
        writer.write(update_of(TRIP), account="bob")
        writer.write(update_of(TRIP, account=None), vehicle=other)
        writer.write(TRIP, vehicle=other)
        writer.write(update_of(TRIP), vehicle="my car")
    assert identities(file.getvalue(), "jsonl") == [
        ("bob", "vehicle-1", VIN, "e-208"),
        (None, "vehicle-9", "VF3", "C5 X"),
        (None, "vehicle-9", "VF3", "C5 X"),
        ("account-1", "my car", VIN, "e-208"),
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("form", "written"), [("whole", VIN), ("masked", "VF3***"), ("none", None)])
def test_the_vin_is_written_as_asked(kind: Kind, form: Any, written: str | None) -> None:
    file = io.StringIO(newline="")
    with trip_writer(file, kind, vin=form) as writer:
        writer.write(update_of(TRIP))
    assert identities(file.getvalue(), kind) == [("account-1", "vehicle-1", written, "e-208")]
    assert (VIN in file.getvalue()) is (form == "whole")


def test_a_trip_without_a_vehicle_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with trip_writer(io.StringIO(), "jsonl") as writer:
        writer.write(TRIP, vehicle="vehicle-1")
        assert not caplog.records
        writer.write(TRIP)
        writer.write(EMPTY)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "without its vehicle" in record.getMessage()
    assert "pass vehicle= to write()" in record.getMessage()


def test_logs_mask_a_vin_in_the_name_of_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for _ in range(2):
        with trip_writer(tmp_path / f"{VIN}.csv") as writer:
            writer.write(TRIP)
            writer.write(TRIP, vehicle="vehicle-1")
    (tmp_path / f"{VIN}.geojson").write_text('{"features": [], "type": "FeatureCollection"}')
    trip_writer(tmp_path / f"{VIN}.geojson").close()
    assert len(caplog.messages) == 5
    assert all("/***." in message and VIN not in message for message in caplog.messages)


# ------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("xml",), {}, "the format must be one of jsonl, csv, geojson, not 'xml'"),
        (("csv",), {"vin": "half"}, "vin must be one of whole, masked, none, not 'half'"),
        (("csv",), {"mode": "w"}, "mode must be one of append, new, replace, not 'w'"),
        (("csv",), {"mode": "replace"}, 'mode="replace" needs a path, as in trip_writer'),
        ((), {}, "the suffix '' tells no format: name the file with one of .jsonl, .ndjson, .csv, .geojson, or pass"),
    ],
)
def test_unknown_options_are_refused(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trip_writer(io.StringIO(), *arguments, **options)


@pytest.mark.parametrize("name", ["trips.json", "trips.csv.gz", "trips"])
def test_a_suffix_that_tells_no_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="tells no format"):
        trip_writer(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_file_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a path or an open text file, not int"):
        trip_writer(5, "csv")  # type: ignore[arg-type]  # the point of it


def test_the_help_names_every_format_and_option() -> None:
    text = inspect.getdoc(trip_writer) or ""
    for word in ("file:", "format_:", '"jsonl"', '"csv"', '"geojson"', "No default"):
        assert word in text
    for word in ("mode:", '"append"', '"new"', '"replace"', "vin:", '"whole"', '"masked"', '"none"', "personal data"):
        assert word in text


@pytest.mark.wall_clock
@pytest.mark.parametrize("name", ["trips.csv", "trips.jsonl", "trips.geojson"])
def test_several_threads_may_write(tmp_path: Path, name: str) -> None:
    """Rows of two threads were mixed, and some were lost."""
    trips = [read({"id": f"trip-{number}"}, Trip) for number in range(400)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with trip_writer(tmp_path / name) as writer, ThreadPoolExecutor(8) as threads:
            assert all(threads.map(partial(writer.write, vehicle="car-1"), trips))
    finally:
        sys.setswitchinterval(before)
    with trip_writer(tmp_path / name) as again:
        assert again.found == writer.written == 400
