"""Writers for trips: JSON Lines, CSV, GeoJSON."""

import csv
import inspect
import io
import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest

from stellantis_hal.fleet import Update, trip_writer
from stellantis_hal.fleet.export import CSV_COLUMNS, CsvTrips, GeoJsonTrips, JsonLinesTrips
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import read

BODY: dict[str, Any] = {
    "id": 'trip "one", é',
    "startedAt": "2026-01-01T10:00:00Z",
    "stoppedAt": "2026-01-01T10:30:00Z",
    "startPosition": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.1, 48.8]}},
    "stopPosition": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.2, 48.9, 30.0]}},
    "duration": 1800,
    "distance": 20.5,
    "startMileage": 1000.5,
    "energyConsumptions": [{"type": "Electric", "consumption": 4.3}],
    "kinetic": {"avgSpeed": 10.0, "maxSpeed": 90},
    "done": True,
    "faults": [{"fault": "DataLacking"}, {"fault": "Unstarted"}, {"cause": "Connection"}],
    "news": {"unknown": True},
}
TRIP = read(BODY, Trip)
EMPTY = read({}, Trip)
VEHICLE = read({"id": "vehicle-1"}, Vehicle)


def update_of(resource: Any, what: str = "trips") -> Update:
    return Update(id="1", account="account-1", vehicle=VEHICLE, what=what, changes=(), resource=resource, age=None)


def test_json_lines_have_one_complete_object_a_line() -> None:
    file = io.StringIO()
    with JsonLinesTrips(file) as writer:
        writer.write(update_of(TRIP))
        writer.write(EMPTY, vehicle="vehicle-2")
    one, other = map(json.loads, file.getvalue().splitlines())
    assert (one["account"], one["vehicle"]) == ("account-1", "vehicle-1")
    assert read(one["trip"], Trip) == TRIP
    assert other == {"account": None, "vehicle": "vehicle-2", "trip": {}}
    assert writer.written == 2


def test_csv_has_a_header_and_one_row_for_each_trip() -> None:
    file = io.StringIO(newline="")
    with CsvTrips(file) as writer:
        writer.write(update_of(TRIP))
        writer.write(EMPTY)
    rows = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0] == {
        "account": "account-1",
        "vehicle": "vehicle-1",
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
        "litres": "",
        "kilowatt_hours": "4.3",
        "average_speed_kmh": "36.0",
        "max_speed_kmh": "90.0",
        "done": "true",
        "faults": "DataLacking;Unstarted",
    }
    assert set(rows[1].values()) == {""}


def test_csv_without_trips_is_a_header() -> None:
    file = io.StringIO(newline="")
    with trip_writer(file, "csv"):
        pass
    assert file.getvalue() == ",".join(CSV_COLUMNS) + "\r\n"


def test_csv_can_be_continued_without_a_header() -> None:
    file = io.StringIO(newline="")
    with CsvTrips(file, header=False) as writer:
        writer.write(TRIP)
    assert file.getvalue().count("\r\n") == 1
    assert "started_at" not in file.getvalue()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_geojson_is_a_valid_collection(count: int) -> None:
    file = io.StringIO()
    with GeoJsonTrips(file) as writer:
        for _ in range(count):
            writer.write(update_of(TRIP))
    collection = json.loads(file.getvalue())
    assert collection["type"] == "FeatureCollection"
    assert len(collection["features"]) == count
    for feature in collection["features"]:
        assert feature["geometry"] == {"type": "LineString", "coordinates": [[2.1, 48.8], [2.2, 48.9, 30.0]]}
        assert feature["properties"]["vehicle"] == "vehicle-1"
        assert feature["properties"]["distance"] == 20.5


def test_geojson_is_valid_after_an_error() -> None:
    file = io.StringIO()

    def fail() -> None:
        with GeoJsonTrips(file) as writer:
            writer.write(TRIP)
            raise KeyError("gone")

    with pytest.raises(KeyError):
        fail()
    assert len(json.loads(file.getvalue())["features"]) == 1


def test_a_closed_collection_refuses_trips() -> None:
    writer = GeoJsonTrips(io.StringIO())
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="the GeoJSON collection is closed: write every trip before"):
        writer.write(TRIP)


def test_each_trip_is_one_write() -> None:
    writes = list[str]()

    class Recorder:
        def write(self, text: str, /) -> None:
            writes.append(text)

    formats: tuple[Literal["jsonl", "csv", "geojson"], ...] = ("jsonl", "csv", "geojson")
    for format_ in formats:
        writes.clear()
        writer = trip_writer(Recorder(), format_)
        writer.write(TRIP)
        writer.write(TRIP)
        assert len(writes) == 2


def test_an_update_without_a_trip_is_refused() -> None:
    with pytest.raises(ValueError, match="an update of status has no trip: check"):
        trip_writer(io.StringIO(), "jsonl").write(update_of(read({}, Status), "status"))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of jsonl, csv, geojson, not 'xml'"):
        trip_writer(io.StringIO(), "xml")  # type: ignore[arg-type]  # the point of it


@pytest.mark.parametrize("kind", ["jsonl", "csv", "geojson"])
def test_surrogates_and_infinities_cost_no_trip(tmp_path: Path, kind: Literal["jsonl", "csv", "geojson"]) -> None:
    odd = read({**BODY, "id": "half \ud83d", "news": {"large": [math.inf, 1.5], "\ud83d": -math.inf}}, Trip)
    with open(tmp_path / "trips", "w", encoding="utf-8", newline="") as file, trip_writer(file, kind) as writer:
        writer.write(odd)
        writer.write(TRIP)
    text = (tmp_path / "trips").read_text(encoding="utf-8")
    assert "half " in text
    assert 'trip ""one"", é' in text or 'trip \\"one\\", é' in text
    if kind == "jsonl":
        trip = json.loads(text.splitlines()[0])["trip"]
        assert (trip["id"], trip["news"]["large"]) == ("half \ud83d", [None, 1.5])


def test_the_help_names_every_format() -> None:
    text = inspect.getdoc(trip_writer) or ""
    for word in ("file:", "format_:", '"jsonl"', '"csv"', '"geojson"', "No default", 'newline=""'):
        assert word in text
