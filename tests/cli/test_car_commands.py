"""The commands that show cars and trips, with the built-in simulator and against a served one."""

import csv
import io
import json
import os
import re
import stat
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from stellantis_hal import Account, ForbiddenError, NetworkError, Paginator, Trip, Vehicle
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator.world.entities import BRANDS
from tests.support.functions import returns

pytestmark = pytest.mark.wall_clock

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    environment = {"STELLANTIS_HAL_CONFIG": str(tmp_path / "config.toml"), "COLUMNS": "80"}

    def invoke(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(commands, arguments, env=environment | variables)

    return invoke


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", returns(True))


@pytest.mark.unmeasured
def test_vehicles_are_listed(run: Run) -> None:
    ran = run("vehicles", "--simulate")
    assert (ran.exit_code, ran.stderr) == (0, "")
    rows = [line.split("\t") for line in ran.stdout.splitlines()]
    assert [len(row) for row in rows] == [4, 4]
    as_json = json.loads(run("--simulate", "--json", "vehicles").stdout)
    assert [(car["label"], car["vin"], car["id"]) for car in as_json] == [(row[0], *row[2:]) for row in rows]


@pytest.mark.parametrize("label", ["=HYPERLINK(1)", "@x", "-x", "+x"])
def test_a_label_is_no_formula_in_a_pipe(run: Run, monkeypatch: pytest.MonkeyPatch, label: str) -> None:
    async def vehicles(*_: Any, **__: Any) -> AsyncGenerator[Vehicle]:
        yield Vehicle(id="a", label=label)

    monkeypatch.setattr(Account, "vehicles", vehicles)
    assert run("vehicles", "--simulate").stdout.split("\t")[0] == f"'{label}"


def test_an_account_without_cars_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_vehicles(*_: Any, **__: Any) -> AsyncGenerator[Vehicle]:
        vehicles: tuple[Vehicle, ...] = ()
        for vehicle in vehicles:
            yield vehicle

    monkeypatch.setattr(Account, "vehicles", no_vehicles)
    ran = run("vehicles", "--simulate")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "", "The account has no cars.\n")


@pytest.mark.usefixtures("terminal")
def test_columns_leave_where_the_terminal_is_narrow(run: Run) -> None:
    assert run("vehicles", "--simulate", COLUMNS="120").stdout.splitlines()[0].split() == ["Car", "Brand", "VIN", "Id"]
    assert run("vehicles", "--simulate", COLUMNS="40").stdout.splitlines()[0].split() == ["Car", "Brand", "VIN"]
    assert all(len(line) <= 20 for line in run("vehicles", "--simulate", COLUMNS="20").stdout.splitlines())


HOSTILE = "=1+1\x1b]0;title\x07\x9b31m\u202e\u2028 308"


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each car of the simulator have a label that drives a terminal."""
    brands = {key: attrs.evolve(each, models=(HOSTILE,)) for key, each in BRANDS.items()}
    monkeypatch.setattr("stellantis_hal.simulator.world.generator.BRANDS", brands)


@pytest.mark.usefixtures("terminal", "hostile")
@pytest.mark.parametrize(
    "command",
    [
        *("vehicles", "vehicles --json", "status 0000", "status 0000 --json", "status", "maintenance 0000"),
        *("trips 0000 --limit 1", "trips 0000 --csv", "trips 0000 --geojson", "trips 0000 --jsonl"),
        *("alerts 0000 --all", "watch --events 1 --json", "remote lock 0000 --yes --wait 0", "browse --json"),
    ],
)
def test_no_text_of_a_server_drives_the_terminal(run: Run, command: str) -> None:
    ran = run(*command.split(), "--simulate", "--color", "never")
    assert [each for each in set(ran.stdout + ran.stderr) if not each.isprintable() and each != "\n"] == []


@pytest.mark.usefixtures("hostile")
def test_json_of_a_hostile_text_reads_back(run: Run) -> None:
    assert json.loads(run("vehicles", "--simulate", "--json").stdout)[0]["label"] == HOSTILE


@pytest.mark.usefixtures("hostile")
def test_written_trips_keep_each_text_and_are_private(run: Run) -> None:
    run("trips", "0000", "--simulate", "--limit", "1", "-o", "a.csv")
    with Path("a.csv").open(newline="", encoding="utf-8") as file:
        assert f"'{HOSTILE}" in next(csv.DictReader(file)).values()  # an apostrophe, so that it is no formula
    assert stat.S_IMODE(Path("a.csv").stat().st_mode) == 0o600


@pytest.mark.unmeasured
@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("command", ["maintenance 0000", "alerts 0000 --all", "doctor"])
def test_lines_end_between_words_on_a_terminal(run: Run, command: str) -> None:
    narrow = run(*command.split(), "--simulate", COLUMNS="24").stdout
    wide = run(*command.split(), "--simulate", COLUMNS="200").stdout
    assert narrow.split() == wide.split()
    assert all(len(line) <= 24 for line in narrow.splitlines())
    assert len(narrow.splitlines()) > len(wide.splitlines())


def test_the_status_has_what_people_look_for(run: Run) -> None:
    ran = run("status", "0000", "--simulate")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert [line.split()[0] for line in ran.stdout.splitlines()][1:5] == ["Battery", "Doors", "Odometer", "Position"]
    assert all(len(line) <= 80 for line in ran.stdout.splitlines())
    document = json.loads(run("status", "0000", "--simulate", "--json").stdout)
    assert f"{document['status']['mileage_km']:,.0f} km" in ran.stdout
    assert document["vehicle"]["vin"].endswith("0000")


def test_a_car_is_named_by_its_label_or_id(run: Run) -> None:
    [car, _] = json.loads(run("vehicles", "--simulate", "--json").stdout)
    for name in (car["label"].upper(), car["id"]):
        found = json.loads(run("status", name, "--simulate", "--json").stdout)
        assert found["vehicle"]["vin"] == car["vin"]


def test_a_name_of_several_cars_lists_those(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    every = Account.vehicles

    async def twins(account: Account, **options: Any) -> AsyncGenerator[Vehicle]:
        async for vehicle in every(account, **options):
            yield attrs.evolve(vehicle, label="Twin")

    vins = [car["vin"] for car in json.loads(run("vehicles", "--simulate", "--json").stdout)]
    monkeypatch.setattr(Account, "vehicles", twins)
    ran = run("status", "twin", "--simulate")
    message = f"error: 'twin' means 2 cars: name one by its id or more of its VIN: Twin {vins[0]}; Twin {vins[1]}\n"
    assert (ran.exit_code, ran.stdout, ran.stderr) == (2, "", message)


def test_a_car_without_a_service_plan_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: Vehicle) -> None:
        error = ForbiddenError("not consented to", status=403, url="https://api.test/v4")
        error.scopes = ("data:telemetry",)
        raise error

    monkeypatch.setattr(Vehicle, "maintenance", nothing_read)
    ran = run("maintenance", "0000", "--simulate")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert "no service plan" in ran.stderr
    assert json.loads(run("maintenance", "0000", "--simulate", "--json").stdout)["days"] is None
    monkeypatch.setattr(Vehicle, "maintenance", refuse)
    assert run("status", "0000", "--simulate").exit_code == 0
    refused = run("maintenance", "0000", "--simulate").stderr
    assert refused.endswith(" (ask for a scope with: stellantis-hal login --scope)\n")


async def nothing_read(_: Vehicle) -> None:
    """Read a vehicle that does not have the resource."""


def test_service_and_alerts_are_shown(run: Run) -> None:
    document = json.loads(run("maintenance", "0000", "--simulate", "--json").stdout)
    assert f"Service in {document['days']:,.0f} days" in run("maintenance", "0000", "--simulate").stdout
    every = json.loads(run("alerts", "0000", "--all", "--simulate", "--json").stdout)
    assert len(run("alerts", "0000", "--all", "--simulate").stdout.splitlines()) == len(every) > 0
    active = run("alerts", "0000", "--simulate")
    assert len(active.stdout.splitlines()) == len([alert for alert in every if alert["active"]])


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("status", "--simulate"), 2, "error: 2 cars: name one by its label, its id or the end of its VIN: "),
        (("status", "nope", "--simulate"), 5, "error: no car 'nope': the account has "),
        (("trip", "nope", "--car", "0000", "--simulate"), 5, "error: "),
        (("trip", "nope", "--simulate"), 2, "error: 2 cars: name one with --car, by its label, its id or the end of "),
        (("monitors", "list", "--simulate"), 2, "error: 2 cars: name one with --car, by its label, its id or the end "),
        (("status",), 8, "error: no client id: run `stellantis-hal login` once, pass --client-id, or set "),
        (("status", "--client-id", "x"), 8, "error: no brand: "),
        (("status", "--profile", "x"), 8, "error: no profile 'x' in "),
        (
            ("trips", "0000", "--simulate", "--since", "1d", "--until", "2d"),
            2,
            "error: --until 2d is before --since 1d",
        ),
        (("trips", "0000", "--simulate", "--since", "x"), 2, "error: 'x' must look like 30d"),
        (("trips", "0000", "--simulate", "-o", "a.txt"), 2, "error: the format of a.txt is not known"),
        (("trips", "0000", "--simulate", "--parquet"), 2, "error: --parquet needs a file"),
        (("watch", "--simulate", "--every", "5"), 2, "an interval must look like 30s, 5m or 1h"),
        (("watch", "--simulate", "--every", "0s"), 2, "an interval must look like 30s, 5m or 1h"),
    ],
)
def test_failures_have_a_line_and_a_status(run: Run, arguments: tuple[str, ...], status: int, message: str) -> None:
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout) == (status, "")
    assert message in ran.stderr


def test_a_failure_is_an_object_with_json(run: Run) -> None:
    ran = run("trip", "nope", "--car", "0000", "--simulate", "--json")
    document = json.loads(ran.stderr)
    assert (document["exit_status"], document["kind"], document["status"]) == (5, "NotFoundError", 404)
    verbose = run("-v", "trip", "nope", "--car", "0000", "--simulate").stderr
    assert "\n  kind: NotFoundError\n  status: 404\n" in verbose
    assert (
        "transport" in run("-vv", "vehicles", "--simulate").stderr
        or run("-vv", "vehicles", "--simulate").exit_code == 0
    )


def test_a_command_ends_in_time(run: Run) -> None:
    ran = run("watch", "--simulate", "--timeout", "1", "--events", "1000000", "-q")
    assert ran.exit_code == 7
    assert "error: the command did not end within 1 s of --timeout" in ran.stderr


def test_trips_are_listed_newest_first(run: Run) -> None:
    ran = run("trips", "0000", "--simulate", "--limit", "3")
    rows = list(csv.DictReader(io.StringIO(ran.stdout), delimiter="\t"))
    starts = [row["started_at"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    assert len(rows) == 3
    assert ran.stderr.startswith("3 of ")
    assert ran.stderr.endswith("; --all for the rest\n")
    every = run("trips", "0000", "--simulate", "--all", "-q")
    assert every.stderr == ""
    assert len(every.stdout.splitlines()) > 4
    assert not re.search(r"\.\d{7}", every.stdout), "rests of conversions"
    document = json.loads(run("trips", "0000", "--simulate", "--limit", "3", "--json").stdout)
    assert [row["id"] for row in document] == [row["id"] for row in rows]
    long = json.loads(run("trips", "0000", "--simulate", "--all", "--json", "--min-km", "10").stdout)
    assert all(row["distance_km"] >= 10 for row in long)
    latest = run("trips", "0000", "--simulate", "--all", "--since", "10d", "--until", "1d", "--json")
    assert len(json.loads(latest.stdout)) < len(every.stdout.splitlines())


@pytest.mark.usefixtures("terminal")
def test_trips_are_a_table_on_a_terminal(run: Run) -> None:
    wide = run("trips", "0000", "--simulate", "--limit", "2", COLUMNS="120").stdout.splitlines()
    assert wide[0].split()[:3] == ["Start", "km", "min"]
    assert len(wide) == 3
    phone = run("trips", "0000", "--simulate", "--limit", "2", COLUMNS="40").stdout.splitlines()
    assert len(phone) == 6
    assert all(len(line) <= 40 for line in phone)


@pytest.mark.unmeasured
@pytest.mark.parametrize("format_", ["csv", "geojson", "jsonl"])
def test_trips_are_written_in_a_format(run: Run, format_: str) -> None:
    text = run("trips", "0000", "--simulate", "--limit", "2", f"--{format_}").stdout
    ran = run("trips", "0000", "--simulate", "--limit", "2", "-o", f"a.{format_}")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert len(Path(f"a.{format_}").read_text()) >= len(text) > 100


def test_trips_are_written_as_parquet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("trips", "0000", "--simulate", "--limit", "2", "-o", "a.parquet").exit_code == 0
    assert parquet.read_table("a.parquet").num_rows == 2
    assert stat.S_IMODE(Path("a.parquet").stat().st_mode) == 0o600
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    ran = run("trips", "0000", "--simulate", "--limit", "2", "-o", "b.parquet")
    assert ran.exit_code == 8
    assert "pip install 'stellantis-hal[dataframe]'" in ran.stderr


@pytest.mark.parametrize("format_", ["csv", "geojson", "jsonl", "parquet"])
def test_a_file_stays_where_the_server_fails(run: Run, monkeypatch: pytest.MonkeyPatch, format_: str) -> None:
    """The file of an earlier call was empty as soon as the next one began."""
    if format_ == "parquet":
        pytest.importorskip("pyarrow.parquet")
    file = Path(f"a.{format_}")
    file.write_text("of yesterday")
    file.chmod(0o640)

    async def fail(*_: Any, **__: Any) -> AsyncGenerator[Trip]:
        yield Trip(id="a")
        raise NetworkError("cut")

    with monkeypatch.context() as patched:
        patched.setattr(Paginator, "__aiter__", fail)
        assert run("trips", "0000", "--simulate", "--all", "-o", file.name).exit_code == 7
    assert file.read_text() == "of yesterday"
    assert run("trips", "0000", "--simulate", "--limit", "1", "-o", file.name).exit_code == 0
    assert (file.stat().st_size > 100, stat.S_IMODE(file.stat().st_mode)) == (True, 0o640)
    assert [each.name for each in Path().iterdir() if each.name.startswith(f".{file.name}")] == []


def test_a_file_that_cannot_be_replaced_is_refused(run: Run) -> None:
    ran = run("trips", "0000", "--simulate", "--limit", "1", "-o", "missing/a.csv")
    assert ran.exit_code == 1
    assert "missing/a.csv" in ran.stderr


@pytest.mark.parametrize("format_", ["csv", "geojson", "jsonl", "parquet"])
def test_trips_are_written_into_a_pipe(run: Run, tmp_path: Path, format_: str) -> None:
    """As into ``/dev/stdout`` where another program reads it."""
    if format_ == "parquet":
        pytest.importorskip("pyarrow.parquet")
    os.mkfifo(tmp_path / "pipe")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    ran = run("trips", "0000", "--simulate", "--limit", "2", f"--{format_}", "-o", str(tmp_path / "pipe"))
    reader.join()
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert run("trips", "0000", "--simulate", "--limit", "2", "-o", f"a.{format_}").exit_code == 0
    assert found == [Path(f"a.{format_}").read_bytes()]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_device_that_is_full_is_named(run: Run) -> None:
    ran = run("trips", "0000", "--simulate", "--csv", "-o", "/dev/full")
    assert (ran.exit_code, ran.stderr) == (1, "error: /dev/full: No space left on device: free some space there\n")


def test_all_trips_and_a_limit_contradict_each_other(run: Run) -> None:
    ran = run("trips", "0000", "--simulate", "--all", "--limit", "3")
    assert (ran.exit_code, "--all and --limit contradict" in ran.stderr) == (2, True)
    assert run("trips", "0000", "--simulate", "--all", "-q", STELLANTIS_HAL_LIMIT="3").exit_code == 0


def test_one_trip_is_shown_whole(run: Run) -> None:
    found: dict[str, Any] = json.loads(run("trips", "0000", "--simulate", "--limit", "1", "--json").stdout)[0]
    ran = run("trip", found["id"], "--car", "0000", "--simulate")
    assert f"distance_km                {found['distance_km']}" in ran.stdout
    assert json.loads(run("trip", found["id"], "--car", "0000", "--simulate", "--json").stdout) == found


def test_an_export_goes_on_where_it_ended(run: Run) -> None:
    first = json.loads(run("export", "--simulate", "-o", "a.csv", "--json").stdout)
    assert first == {"file": "a.csv", "written": 200, "trips": 200, "failed": 0}
    assert run("export", "--simulate", "-o", "a.csv").stdout == "0 trips written, 200 in a.csv\n"


def test_an_export_of_a_deleted_file_tells_how_to_begin_anew(run: Run, tmp_path: Path) -> None:
    run("export", "--simulate", "-o", "a.csv")
    (tmp_path / "a.csv").unlink()
    ran = run("export", "--simulate", "-o", "a.csv")
    reason = "a.csv is gone, and a.csv.checkpoints.db knows which trips it had: delete that file too to write all"
    assert (ran.exit_code, ran.stderr) == (1, f"error: {reason} trips again\n")
    (tmp_path / "a.csv.checkpoints.db").unlink()
    assert run("export", "--simulate", "-o", "a.csv").stdout == "200 trips written, 200 in a.csv\n"


@pytest.mark.usefixtures("terminal")
def test_an_export_shows_its_progress_on_a_terminal(run: Run) -> None:
    ran = run("export", "--simulate", "-o", "a.csv")
    assert "  2 of 2 cars, 200 trips, " in ran.stderr
    assert "  1 of 2 cars, " in ran.stderr
    assert " left" in ran.stderr
    narrow = run("export", "--simulate", "-o", "b.csv", COLUMNS="40").stderr
    assert "\r2 of 2 cars, 200 trips, " in narrow
    assert all(len(line) < 40 for line in narrow.replace("\r", "\n").splitlines())
    assert run("export", "--simulate", "-o", "c.csv", "-q").stderr == ""


def test_events_of_a_watch_are_lines_or_objects(run: Run) -> None:
    lines = run("watch", "--simulate", "--events", "2").stdout.splitlines()
    assert all("\tstatus\t" in line and line.endswith("changes") for line in lines)
    assert len(lines) == 2
    ran = run("watch", "0000", "--simulate", "--events", "1", "--json", "--every", "60m", "--timeout", "60")
    event = json.loads(ran.stdout)
    assert (event["event"], event["what"], event["vin"][-4:]) == ("Update", "status", "0000")
    assert event["row"]["mileage_km"] > 0


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("width", ["100", "30"])
def test_a_watch_shows_a_table_on_a_terminal(run: Run, width: str) -> None:
    ran = run("watch", "--simulate", "--events", "2", COLUMNS=width)
    assert ran.exit_code == 0
    assert "requests left today" in ran.stdout
    assert "Car" in ran.stdout
    assert ("Told" in ran.stdout) is (width == "100")


def test_warnings_of_the_profile_are_printed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[profiles.a]\nbraand = "x"\ncar = "mum"\naliases = { mum = "0000" }\n')
    ran = run("status", "--simulate")
    assert ran.exit_code == 0
    assert "braand is unknown and not used" in ran.stderr
    assert run("status", "--simulate", "-q").stderr == ""
