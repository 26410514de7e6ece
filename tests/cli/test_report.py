"""The command that writes a report, with the built-in simulator."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stellantis_hal import (
    CarHistory,
    ConfigurationError,
    ForbiddenError,
    NotFoundError,
    Vehicle,
    read_car_history,
)
from stellantis_hal.cli.root_group import commands
from tests.support.functions import returns

pytestmark = pytest.mark.wall_clock

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command in an empty folder, without the charts, which take seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stellantis_hal.report.report.runtime", returns("window.vegaEmbed = null;"))
    monkeypatch.setattr("stellantis_hal.cli.report.runtime", returns(""))

    def invoke(*arguments: str) -> Result:
        environment = {"STELLANTIS_HAL_CONFIG": str(tmp_path / "config.toml")}
        return CliRunner().invoke(commands, ("report", "--simulate", *arguments), env=environment)

    return invoke


def trips(*arguments: str) -> list[Any]:
    """Return the trips that the command ``trips`` lists."""
    ran = CliRunner().invoke(commands, ("trips", "--simulate", "--all", "--json", *arguments))
    rows: list[Any] = json.loads(ran.stdout)
    return rows


def test_all_cars_stand_in_one_file(run: Run) -> None:
    ran = run()
    assert (ran.exit_code, ran.stderr) == (0, "")
    text = Path("report.html").read_text("utf-8")
    assert ran.stdout.startswith("2 cars, 200 trips, ")
    assert ran.stdout.endswith(" MB in report.html\n")
    assert "Report of 2 cars" in text
    assert "Data of the built-in simulator, not of a real car." in text


@pytest.mark.parametrize("as_json", [False, True])
def test_a_pipe_has_the_report_alone(run: Run, tmp_path: Path, as_json: bool) -> None:
    """As standard output that another program reads."""
    os.mkfifo(tmp_path / "pipe")
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_text("utf-8")))
    reader.start()
    ran = run("-o", "pipe", *(("--json",) if as_json else ()))
    reader.join()
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert "200" in ran.stderr
    assert found[0].rstrip().endswith("</html>")


def test_one_car_of_a_period_has_the_trips_of_the_list(run: Run) -> None:
    ran = run("0000", "--since", "20d", "--until", "2d", "-o", "r.html", "--json", "--routes", "0")
    document = json.loads(ran.stdout)
    assert document == {
        "file": "r.html",
        "cars": 1,
        "trips": len(trips("0000", "--since", "20d", "--until", "2d")),
        "bytes": Path("r.html").stat().st_size,
        "failed": 0,
    }
    assert 0 < document["trips"] < len(trips("0000"))


@pytest.mark.unmeasured
def test_vins_and_places_are_shown_on_request(run: Run) -> None:
    vin = trips("0000")[0]["vin"]
    run("0000")
    hidden = Path("report.html").read_text("utf-8")
    run("0000", "--show-vin", "--no-places")
    shown = Path("report.html").read_text("utf-8")
    assert vin not in hidden
    assert vin in shown
    assert ("<svg" in hidden, "<svg" in shown) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("nope",), 5, "error: no car 'nope'"),
        (("0000", "--since", "x"), 2, "error: 'x' must look like 30d"),
        (("0000", "-o", "missing/r.html"), 2, "error: there is no folder missing: create it, or pass another --output"),
        (("0000", "--since", "1d", "--until", "30d"), 2, "error: --until 30d is before --since 1d"),
        (("0000", "--routes", "-1"), 2, "error: "),
    ],
)
def test_failures_have_a_line_and_a_status(run: Run, arguments: tuple[str, ...], status: int, message: str) -> None:
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout) == (status, "")
    assert message in ran.stderr


def test_a_missing_extra_is_told_before_requests(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ConfigurationError("vl-convert-python is not installed")

    monkeypatch.setattr("stellantis_hal.cli.report.runtime", missing)
    monkeypatch.setattr("stellantis_hal.cli.report.read_car_history", returns(None))
    ran = run("0000")
    assert (ran.exit_code, ran.stderr) == (8, "error: vl-convert-python is not installed\n")


def test_what_could_not_be_read_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(_: Vehicle) -> None:
        raise NotFoundError("none", status=404, url="https://api.test/v4")

    monkeypatch.setattr(Vehicle, "status", missing)
    assert run("0000").stderr == "warning: Could not read the current status: NotFoundError.\n"
    assert run("0000", "-q").stderr == ""


def test_a_car_that_cannot_be_read_is_left_out_and_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    read = read_car_history

    async def refuse(vehicle: Vehicle, **options: Any) -> CarHistory:
        if vehicle.vin is not None and vehicle.vin.endswith("0000"):
            raise ForbiddenError("not consented to", status=403, url="https://api.test/v4")
        return await read(vehicle, **options)

    monkeypatch.setattr("stellantis_hal.cli.report.read_car_history", refuse)
    ran = run("--json")
    assert ran.exit_code == 3
    assert (json.loads(ran.stdout)["cars"], json.loads(ran.stdout)["failed"]) == (1, 1)
    assert "its trips could not be read (ForbiddenError)" in ran.stderr
    assert "its trips could not be read (ForbiddenError)" in Path("report.html").read_text("utf-8")
    assert run("0000").exit_code == 1


def test_progress_is_shown_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", returns(True))
    ran = run("0000")
    assert f": {len(trips('0000')):,} trips\n" in ran.stderr
    assert run("0000", "-q").stderr == ""
