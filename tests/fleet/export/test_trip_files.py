"""Files of trips: continued, refused, mended."""

import csv
import errno
import io
import json
import os
import resource
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal import StellantisError, TripFileError, trip_writer
from stellantis_hal.fleet.export import resumable_trip_file
from stellantis_hal.fleet.export.csv_rows import CSV_COLUMNS
from stellantis_hal.fleet.export.lenient_json import first_value
from stellantis_hal.fleet.export.resumable_trip_file import FileMode
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import read
from tests.fleet.export.test_writer import KINDS, Kind

TAILS = {"jsonl": "", "csv": "", "geojson": "\n]}\n"}
HEADER = ",".join(CSV_COLUMNS) + "\r\n"


@pytest.fixture(autouse=True)
def without_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", int)


def trip(number: int, **changes: Any) -> Trip:
    position = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.5, 48.5]}}
    body = {"id": f"trip-{number}", "distance": number, "startPosition": position, "done": True}
    return read({**body, **changes}, Trip)


def write(path: Path, *numbers: int, kind: Kind | None = None, vehicle: str = "v,1\né") -> list[bool]:
    with trip_writer(path, kind) as writer:
        return [writer.write(trip(number), vehicle=vehicle) for number in numbers]


def ids(path: Path, kind: Kind) -> list[str]:
    """Return the ids of the trips in a file, read by other code than the package's."""
    text = path.read_bytes().decode()
    if kind == "csv":
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        assert tuple(header) == CSV_COLUMNS
        assert all(len(row) == len(CSV_COLUMNS) for row in rows)
        return [row[CSV_COLUMNS.index("id")] for row in rows]
    if kind == "jsonl":
        return [json.loads(line)["trip"].get("id") for line in text.splitlines()]
    return [feature["id"] for feature in json.loads(text)["features"]]


def path_of(folder: Path, kind: Kind) -> Path:
    return folder / f"trips.{kind}"


# ------------------------------------------------------------------------------------------------- continuing


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_continued_by_the_next_writer(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    for numbers in ((), (1,), (2, 3), (), (4,)):
        assert write(path, *numbers) == [True] * len(numbers)
    assert ids(path, kind) == ["trip-1", "trip-2", "trip-3", "trip-4"]
    at_once = tmp_path / "at once"
    write(at_once, 1, 2, 3, 4, kind=kind)
    assert at_once.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_complete_after_each_trip(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    with trip_writer(path) as writer:
        assert ids(path, kind) == []
        for number in range(3):
            writer.write(trip(number), vehicle="v1")
            assert ids(path, kind) == [f"trip-{each}" for each in range(number + 1)]
        before = path.read_bytes()
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_trip_that_the_file_has_is_not_written_again(
    tmp_path: Path, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    path = path_of(tmp_path, kind)
    write(path, 1, 2)
    caplog.set_level("INFO")
    with trip_writer(path) as writer:
        assert writer.found == 2
        assert [writer.write(trip(number), vehicle="v,1\né") for number in (1, 2, 3, 3)] == [False, False, True, False]
        assert writer.write(trip(1), vehicle="v2")
        assert (writer.written, writer.skipped) == (2, 3)
    assert ids(path, kind) == ["trip-1", "trip-2", "trip-3", "trip-1"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} is continued after 2 trips",
        f"3 trips were in {path} already and were not written again",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trip_is_written_again_when_it_has_finished(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    states: list[dict[str, Any]] = [
        {"done": False},
        {"done": None, "faults": [{"fault": "DataLacking"}, {"fault": "Unfinished"}]},
        {"done": True},
        {"done": None, "faults": [{"cause": "Connection"}]},
        {"done": False},
    ]
    written = list[bool]()
    for state in states:
        with trip_writer(path) as writer:
            written.append(writer.write(trip(1, **state), vehicle="v1"))
    assert written == [True, False, True, False, False]


@pytest.mark.parametrize("kind", KINDS)
def test_trips_without_ids_are_always_written(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    for _ in range(2):
        with trip_writer(path) as writer:
            assert writer.write(trip(1, id=None), vehicle="v1")
            assert writer.write(trip(1))
    assert len(ids(path, kind)) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_trips_is_not_overwritten_unasked(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    with trip_writer(path, mode="new") as writer:
        writer.write(trip(1), vehicle="v1")
    before = path.read_bytes()
    with pytest.raises(TripFileError) as caught:
        trip_writer(path, mode="new")
    assert str(caught.value) == (
        f'{path} exists and has 1 trip ({len(before):,} bytes): pass mode="append" to continue it, or mode="replace" '
        "to overwrite it"
    )
    assert caught.value.path == str(path)
    assert isinstance(caught.value, FileExistsError)
    assert isinstance(caught.value, StellantisError)
    assert path.read_bytes() == before
    with trip_writer(path, mode="replace") as writer:
        writer.write(trip(2), vehicle="v1")
    assert ids(path, kind) == ["trip-2"]


def test_the_format_may_be_given_or_told_by_the_suffix(tmp_path: Path) -> None:
    for name, kind in (("a.NDJSON", "jsonl"), ("b.CSV", "csv"), ("c.GeoJSON", "geojson")):
        write(tmp_path / name, 1)
        assert ids(tmp_path / name, kind) == ["trip-1"]  # type: ignore[arg-type]  # a kind
    write(tmp_path / "trips.txt", 1, kind="csv")
    assert ids(tmp_path / "trips.txt", "csv") == ["trip-1"]
    with trip_writer(str(tmp_path / "d.csv")):
        pass
    assert (tmp_path / "d.csv").read_bytes() == HEADER.encode()


# ------------------------------------------------------------------------------------------------- other content


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        ("jsonl", "hello", 'line 1 is no object with "trip"'),
        ("jsonl", '{"trip": {}}\n{"account": \n{"trip": {}}\n', 'line 2 is no object with "trip"'),
        ("jsonl", '{"trip": 5}', 'line 1 is no object with "trip"'),
        ("jsonl", "null\n", 'line 1 is no object with "trip"'),
        ("csv", "account;vehicle\r\n", "its columns are account;vehicle, not account, vehicle, vin"),
        ("csv", "account,vehicle,id,litres,kilowatt_hours\r\na,b,c,1,2\r\n", "its columns are account, vehicle, id"),
        ("csv", "\n", "its columns are , not account"),
        ("csv", HEADER + "a,b\r\n", "the row that ends in line 2 has 2 columns, not 20"),
        ("csv", HEADER + 'a,"b\r\nc,d\r\n', "the row that ends in line 3 has 2 columns, not 20"),
        ("csv", 'a,"' + "x" * 200_000 + '"\n', "it is no CSV: field larger than field limit"),
        ("csv", HEADER + '"' + "x" * 50_000 + ("\n" + "x" * 50_000) * 30, "it is no CSV: field larger"),
        ("geojson", "hello", "it is no GeoJSON FeatureCollection"),
        ("geojson", '{"type": "FeatureCollection"}', "it is no GeoJSON FeatureCollection"),
        ("geojson", '{"type": "FeatureCollection", "features": [5]}', "it is no GeoJSON FeatureCollection"),
        ("geojson", '{"type": "Feature", "features": []}', "it is no GeoJSON FeatureCollection"),
        ("geojson", '{"type": "FeatureCollection", "features": [\nhello\n]}\n', "it is no GeoJSON FeatureCollection"),
        ("geojson", '{"type": "FeatureCollection", "features": [\n\n]}\nhello', "it is no GeoJSON FeatureCollection"),
        ("geojson", '{"type": "FeatureCollection", "features": [\nhello world', "it is no GeoJSON FeatureCollection"),
    ],
)
@pytest.mark.parametrize("mode", ["append", "new"])
def test_other_content_is_never_overwritten(tmp_path: Path, kind: Kind, content: str, reason: str, mode: Any) -> None:
    path = path_of(tmp_path, kind)
    path.write_bytes(content.encode())
    with pytest.raises(TripFileError) as caught:
        trip_writer(path, mode=mode)
    message = str(caught.value)
    assert message.startswith(f"{path} exists and has no trips as {kind}: {reason}")
    assert message.endswith(f'({len(content):,} bytes): choose another path, or pass mode="replace" to overwrite it')
    assert path.read_bytes() == content.encode()
    with trip_writer(path, mode="replace"):
        pass
    assert ids(path, kind) == []


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_lines_that_end_with_a_carriage_return_are_refused(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    write(path, 1, 2, vehicle="v1")
    content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r")
    path.write_bytes(content)
    with pytest.raises(TripFileError, match=f"has no trips as {kind}: "):
        trip_writer(path)
    assert path.read_bytes() == content


def test_a_mark_alone_is_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "trips.csv"
    path.write_text("", encoding="utf-8-sig")
    with pytest.raises(TripFileError, match="has no trips as csv: its columns are"):
        trip_writer(path)


def test_a_second_writer_of_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trips.csv"
    with trip_writer(path) as writer:
        modes: tuple[FileMode, ...] = ("append", "new", "replace")
        for mode in modes:
            with pytest.raises(TripFileError, match=r"trips\.csv is open in another writer: close that one first"):
                trip_writer(path, mode=mode)
        writer.write(trip(1), vehicle="v1")
    write(path, 2)
    assert ids(path, "csv") == ["trip-1", "trip-2"]


@pytest.mark.parametrize("failure", ["no module", "no locks"])
def test_a_system_without_locks_has_writers_all_the_same(
    tmp_path: Path, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: Any) -> None:
        raise OSError("not supported")

    if failure == "no module":
        monkeypatch.setitem(sys.modules, "fcntl", None)
    else:
        monkeypatch.setattr("fcntl.flock", flock)
    write(tmp_path / "trips.csv", 1)
    assert ids(tmp_path / "trips.csv", "csv") == ["trip-1"]


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "trips.csv")
    with pytest.raises(TripFileError, match="is no regular file: pass an open text file"):
        trip_writer(tmp_path / "trips.csv")
    with pytest.raises(IsADirectoryError):
        trip_writer(tmp_path, "csv")
    with pytest.raises(FileNotFoundError):
        trip_writer(tmp_path / "nowhere" / "trips.csv")


def test_an_error_of_the_system_closes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(resumable_trip_file, "_lock", fail)
        with pytest.raises(MemoryError):
            trip_writer(tmp_path / "trips.csv")
    write(tmp_path / "trips.csv", 1)


# ------------------------------------------------------------------------------------------------- other layouts


@pytest.mark.parametrize("indent", [None, 2])
def test_geojson_that_another_program_wrote_is_continued(
    tmp_path: Path, indent: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "trips.geojson"
    write(path, 1, 2)
    collection = json.loads(path.read_text())
    other = {"type": "Feature", "geometry": None, "properties": None}
    collection["features"].append(other)
    path.write_text(json.dumps({"bbox": [0, 0, 1, 1], **collection, "name": "my trips"}, indent=indent))
    path.chmod(0o640)
    caplog.set_level("INFO")
    assert write(path, 2, 3) == [False, True]
    assert f"{path} had another layout and was written anew, to be continued" in caplog.messages
    continued = json.loads(path.read_text())
    assert [feature.get("id") for feature in continued["features"]] == ["trip-1", "trip-2", None, "trip-3"]
    assert continued["features"][2] == other
    assert continued["name"] == "my trips"
    assert "bbox" not in continued
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["trips.geojson"]
    caplog.clear()
    assert write(path, 3, 4) == [False, True]
    assert not any("anew" in message for message in caplog.messages)
    assert len(json.loads(path.read_text())["features"]) == 5


def test_an_error_while_writing_anew_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trips.geojson"
    path.write_text('{"features": [], "type": "FeatureCollection"}')

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="disk full"):
            trip_writer(path)
    assert path.read_text() == '{"features": [], "type": "FeatureCollection"}'
    assert [each.name for each in tmp_path.iterdir()] == ["trips.geojson"]
    write(path, 1)
    assert ids(path, "geojson") == ["trip-1"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    writer = trip_writer(path)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error") as failure:
        writer.close()
    assert failure.value.filename == str(path)


def test_files_that_were_edited_are_continued(tmp_path: Path) -> None:
    """A byte order mark, blank lines and a missing last line break are what editors leave."""
    write(tmp_path / "trips.csv", 1, 2)
    content = (tmp_path / "trips.csv").read_bytes().removesuffix(b"\r\n")
    (tmp_path / "trips.csv").write_bytes(b"\xef\xbb\xbf" + content.replace(b"\r\n", b"\r\r\n\r\n"))
    assert write(tmp_path / "trips.csv", 2, 3) == [False, True]
    text = (tmp_path / "trips.csv").read_bytes().decode("utf-8-sig").replace("\r\r\n", "\r\n")
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    assert [row[4] for row in rows] == ["id", "trip-1", "trip-2", "trip-3"]
    write(tmp_path / "trips.jsonl", 1, 2)
    content = (tmp_path / "trips.jsonl").read_bytes().removesuffix(b"\n").replace(b"\n", b"\r\n\r\n")
    (tmp_path / "trips.jsonl").write_bytes(content)
    assert write(tmp_path / "trips.jsonl", 2, 3) == [False, True]
    lines = (tmp_path / "trips.jsonl").read_text().splitlines()
    assert [json.loads(line)["trip"]["id"] for line in lines if line] == ["trip-1", "trip-2", "trip-3"]
    (tmp_path / "header.csv").write_text(HEADER.strip())
    write(tmp_path / "header.csv", 1)
    assert ids(tmp_path / "header.csv", "csv") == ["trip-1"]


# ------------------------------------------------------------------------------------------------- torn writes


def test_a_head_cut_off_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "trips.geojson"
    path.write_bytes(b'{"type": "Feature')
    assert write(path, 1) == [True]
    assert ids(path, "geojson") == ["trip-1"]


def test_a_value_ends_where_the_rest_of_an_older_write_begins() -> None:
    assert first_value('{"a": "é"}\n]}'.encode()) == ({"a": "é"}, 11)


@pytest.mark.scenario
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_mended_and_loses_one_trip(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    write(path, 1, 2, 3, vehicle="v1")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with trip_writer(path) as writer:
            found = writer.found
            for number in (1, 2, 3, 4):
                writer.write(trip(number), vehicle="v1")
        assert ids(path, kind) == ["trip-1", "trip-2", "trip-3", "trip-4"]
        assert writer.skipped == found
        assert writer.written == 4 - found


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
def test_a_write_cut_anywhere_loses_no_earlier_trip(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    for kept in (0, 1, 2):
        path.unlink(missing_ok=True)
        with trip_writer(path) as writer:
            for number in range(kept):
                writer.write(trip(number + 1), vehicle="v1")
            before = path.read_bytes()
            writer.write(trip(kept + 1), vehicle="v1")
            after = path.read_bytes()
        for cut in range(len(before) - len(TAILS[kind]), len(after)):
            path.write_bytes(after[:cut] + before[cut:])
            with trip_writer(path) as writer:
                assert writer.found in {kept, kept + 1}
                writer.write(trip(kept + 1), vehicle="v1")
            assert ids(path, kind) == [f"trip-{number + 1}" for number in range(kept + 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_torn_record_is_removed_and_told(tmp_path: Path, kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    path = path_of(tmp_path, kind)
    write(path, 1, vehicle="v1")
    before = path.read_bytes()
    write(path, 2, vehicle="v1")
    after = path.read_bytes()
    path.write_bytes(after[: len(before) + 20] + b"\0" * 3)
    with trip_writer(path) as writer:
        assert writer.found == 1
    assert ids(path, kind) == ["trip-1"]
    [record] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert f"{path} ended with an incomplete record of " in record.getMessage()
    assert "bytes, which was removed: its write was interrupted" in record.getMessage()
    assert "trip-2" not in record.getMessage()


def test_a_last_row_without_a_line_break_is_complete_or_torn(tmp_path: Path) -> None:
    path = tmp_path / "trips.csv"
    write(path, 1, 2, vehicle="v1")
    path.write_bytes(path.read_bytes().removesuffix(b"\r\n"))
    with trip_writer(path) as writer:
        assert writer.found == 2
    path.write_bytes(path.read_bytes().removesuffix(b"e"))
    with trip_writer(path) as writer:
        assert writer.found == 1
    assert ids(path, "csv") == ["trip-1"]


@contextmanager
def largest_file(size: int) -> Generator[None]:
    """Let no file become larger, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_costs_the_trip_that_did_not_fit(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    with trip_writer(path) as writer:
        writer.write(trip(1), vehicle="v1")
        before = path.read_bytes()
        with largest_file(len(before) + 20), pytest.raises(OSError, match="File too large") as failure:
            writer.write(trip(2), vehicle="v1")
        assert failure.value.filename == str(path)
        assert path.read_bytes() == before
        assert writer.written == 1
        assert writer.write(trip(2), vehicle="v1")
    assert ids(path, kind) == ["trip-1", "trip-2"]


# ------------------------------------------------------------------------------------------------- open text files


def test_an_open_csv_is_continued_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "trips.csv"
    for number in (1, 2):
        with open(path, "a", encoding="utf-8", newline="") as file, trip_writer(file) as writer:
            writer.write(trip(number), vehicle="v1")
    assert ids(path, "csv") == ["trip-1", "trip-2"]
    memory = io.StringIO(newline="")
    for numbers in ((1,), (2,), ()):
        with trip_writer(memory, "csv") as writer:
            for number in numbers:
                writer.write(trip(number), vehicle="v1")
    assert memory.getvalue().count("started_at") == 1
    assert memory.getvalue().count("\r\n") == 3


def test_open_json_lines_are_continued(tmp_path: Path) -> None:
    path = tmp_path / "trips.jsonl"
    for number in (1, 2):
        with open(path, "a", encoding="utf-8") as file, trip_writer(file) as writer:
            writer.write(trip(number), vehicle="v1")
    assert ids(path, "jsonl") == ["trip-1", "trip-2"]


def test_an_open_geojson_with_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trips.geojson"
    write(path, 1)
    before = path.read_bytes()
    with open(path, "a", encoding="utf-8") as file, pytest.raises(TripFileError) as caught:
        trip_writer(file)
    assert f"the file {path} has content and cannot be continued" in str(caught.value)
    assert 'pass its path to trip_writer(), as in trip_writer("trips.geojson")' in str(caught.value)
    assert caught.value.path == str(path)
    memory = io.StringIO("{}")
    memory.seek(2)
    with pytest.raises(TripFileError, match="the file object has content and cannot be continued"):
        trip_writer(memory, "geojson")
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", KINDS)
def test_an_open_file_is_not_overwritten(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    write(path, 1)
    before = path.read_bytes()
    with (
        open(path, "r+", encoding="utf-8", newline="") as file,
        pytest.raises(
            TripFileError, match="has content after its position 0, which would be overwritten: open it with"
        ),
    ):
        trip_writer(file)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_open_file_with_a_torn_record_is_refused(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    write(path, 1)
    path.write_bytes(path.read_bytes()[:-1])
    with (
        open(path, "a", encoding="utf-8", newline="") as file,
        pytest.raises(TripFileError, match="its last record is incomplete or has no line break; pass its path"),
    ):
        trip_writer(file)


def test_csv_has_no_blank_lines_where_line_ends_are_translated(tmp_path: Path) -> None:
    """A text file on Windows, opened without ``newline=""``, translates each line feed."""
    for mode in ("w", "a"):
        with (
            open(tmp_path / "trips.csv", mode, encoding="utf-8", newline="\r\n") as file,
            trip_writer(file) as writer,
        ):
            writer.write(trip(1), vehicle="v1")
    content = (tmp_path / "trips.csv").read_bytes()
    assert b"\r\r" not in content
    assert content.count(b"\r\n") == content.count(b"\n") == 3
    with open(tmp_path / "trips.csv", "a+", encoding="utf-8", newline="") as file:
        file.seek(0)
        file.read()
        with trip_writer(file) as writer:  # its line ends cannot be set any more
            writer.write(trip(2), vehicle="v1")
    assert ids(tmp_path / "trips.csv", "csv") == ["trip-1", "trip-1", "trip-2"]


@pytest.mark.parametrize("kind", ["jsonl", "geojson"])
def test_json_is_valid_in_any_encoding_of_an_open_file(tmp_path: Path, kind: Kind) -> None:
    path = path_of(tmp_path, kind)
    vehicle = "é 🚗 ł"
    with open(path, "w", encoding="cp1252") as file, trip_writer(file) as writer:
        writer.write(trip(1), vehicle=vehicle)
    body = json.loads(path.read_bytes().decode("ascii"))
    assert (body if kind == "jsonl" else body["features"][0]["properties"])["vehicle"] == vehicle


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_an_open_file_reach_the_system_at_once(tmp_path: Path, kind: Kind) -> None:
    with open(path_of(tmp_path, kind), "w", encoding="utf-8") as file, trip_writer(file) as writer:
        writer.write(trip(1), vehicle="v1")
        assert b"trip-1" in path_of(tmp_path, kind).read_bytes()


def test_a_file_without_a_name_or_position_is_written(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as file, trip_writer(file, "csv") as writer:
        writer.write(trip(1), vehicle="v1")
    with open(reading, encoding="utf-8") as file:
        assert file.readline() == HEADER.replace("\r\n", "\n")


# ------------------------------------------------------------------------------------------------- removed meanwhile


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("replaced", "words"), [(False, "removed or renamed"), (True, "replaced")])
def test_a_file_that_was_removed_is_told(tmp_path: Path, kind: Kind, replaced: bool, words: str) -> None:
    """The system writes on to the removed file, in which nothing would be found."""
    path = path_of(tmp_path, kind)
    writer = trip_writer(path)
    writer.write(trip(1), vehicle="v")
    path.rename(tmp_path / "other")
    if replaced:
        path.write_text("of another program")
    with pytest.raises(TripFileError, match=f"was {words} by another program") as caught:
        writer.write(trip(2), vehicle="v")
    assert caught.value.path == str(path)
    assert writer.written == 1
    with pytest.raises(TripFileError, match=words):
        writer.close()
    writer.close()
    assert path.exists() is replaced
    assert ids(tmp_path / "other", kind) == ["trip-1"]


def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with trip_writer("trips.csv") as writer:
        monkeypatch.chdir("/")
        assert writer.write(trip(1), vehicle="v")
    assert ids(tmp_path / "trips.csv", "csv") == ["trip-1"]


def test_a_file_replaced_before_it_is_locked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer that writes a collection anew has a new file, and the lock of it."""
    path = tmp_path / "trips.csv"

    def lock(file: io.FileIO) -> None:
        (tmp_path / "new").write_text("")
        (tmp_path / "new").replace(path)

    monkeypatch.setattr(resumable_trip_file, "_lock", lock)
    with pytest.raises(TripFileError, match="open in another writer"):
        trip_writer(path)
