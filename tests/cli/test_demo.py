"""The command line's demonstration: what it prints, and that it tells the truth."""

import json
import os
import signal
import socket
import sys
import threading
from io import StringIO

import attrs
import httpx
import pytest
from click.testing import CliRunner
from rich.console import Console

from stellantis_hal import __version__
from stellantis_hal.cli import main
from stellantis_hal.cli.commands import commands
from stellantis_hal.cli.demo import BAD_DAY, DemoResult, DemoSettings, VehicleRow, demonstrate
from stellantis_hal.cli.screen import Screen
from stellantis_hal.simulator import Faults, ScriptedFault, ServerFault, VanishedFields, World

SMALL = DemoSettings(accounts=2, vehicles=4, trips=200, per_second=10, seed=7)


class Listener:
    """An audience that remembers."""

    def __init__(self) -> None:
        self.lines: list[VehicleRow] = []
        self.requests = 0

    def read(self, line: VehicleRow) -> None:
        self.lines.append(line)

    def answered(self, requests: int, waiting: int) -> None:
        self.requests = requests


@pytest.mark.anyio
async def test_the_fleet_is_read_whole_under_a_tight_limit_without_one_429() -> None:
    listener = Listener()
    report = await demonstrate(SMALL, listener)
    world = World(seed=7, accounts=2, vehicles=4, trips=200)
    assert report.failures == ()
    assert {line.vin: line.trips for line in report.lines} == {
        vehicle.vin: world.trip_count(vehicle.id) for vehicle in world.vehicles
    }
    assert sum(line.kilometres for line in report.lines) == pytest.approx(world.kilometres())
    assert all(line.position and line.level is not None for line in report.lines)
    assert report.refused == 0
    assert report.waited > 0
    assert report.left_today is not None
    assert 0 <= report.left_today - (100_000 - report.requests) < 4  # answers overtake each other
    assert listener.requests == report.requests
    assert sorted(listener.lines, key=lambda line: line.vin) == list(report.lines)


@pytest.mark.anyio
async def test_the_same_seed_gives_the_same_fleet() -> None:
    first, second = [(await demonstrate(SMALL, Listener())).lines for _ in range(2)]
    assert first == second


def report_of(*failures: str) -> DemoResult:
    """Make a report about two vehicles."""
    known = VehicleRow(
        vin="VF3A", brand="Peugeot", trips=1200, kilometres=15_000.4, position=(48.8566, 2.3522), level=41.6
    )
    unknown = VehicleRow(vin="VF3B", brand="DS", trips=0, kilometres=0, position=None, level=None)
    return DemoResult(
        lines=(known, unknown),
        failures=failures,
        requests=50,
        refused=3,
        seconds=2.0,
        waited=11.0,
        left_today=None if failures else 99_950,
    )


def shown(report: DemoResult) -> str:
    """Print a report on a wide page."""
    page = StringIO()
    Screen(Console(file=page, width=120)).show(report)
    return page.getvalue()


def test_the_table_has_a_row_per_vehicle_and_the_totals_below() -> None:
    text = shown(report_of())
    assert "VF3A" in text
    assert "48.8566, 2.3522" in text
    assert "42 %" in text
    assert "2 vehicles, 1,200 trips, 15,000 km" in text
    assert "50 requests in 2.0 s: 25.0 a second, 3 met a 429" in text
    assert "left today: 99,950" in text


def test_failures_and_what_is_unknown_are_said() -> None:
    text = shown(report_of("account-0000: no network"))
    assert "failed: account-0000: no network" in text
    assert "left today: unknown" in text
    assert text.count("unknown") == 3


def test_without_a_terminal_each_vehicle_is_a_plain_line() -> None:
    page = StringIO()
    screen = Screen(Console(file=page, width=40))
    with screen.following(SMALL):
        screen.answered(1, 0)
        screen.read(report_of().lines[0])
    assert page.getvalue().splitlines() == [
        "Polling 4 vehicles of 2 accounts, about 200 trips, at no more than 10 requests a second",
        "VF3A Peugeot 1200 15,000 48.8566, 2.3522 42 %",
    ]


def test_on_a_terminal_progress_is_shown_live() -> None:
    page = StringIO()
    screen = Screen(Console(file=page, width=120, force_terminal=True))
    with screen.following(SMALL):
        screen.answered(12, 5)
        screen.read(report_of().lines[0])
    assert "1/4" in page.getvalue()
    assert "12 requests, 5 waiting" in page.getvalue()


def test_a_silent_screen_prints_nothing_on_the_way() -> None:
    page = StringIO()
    screen = Screen(Console(file=page), silent=True)
    with screen.following(SMALL):
        screen.read(report_of().lines[0])
    assert page.getvalue() == ""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_command_prints_json_and_ends_well(backend: str) -> None:
    options = ["--accounts", "3", "--vehicles", "2", "--trips", "10", "--limit", "100", "--json", "--backend", backend]
    ran = CliRunner().invoke(commands, ["demo", *options])
    assert ran.exit_code == 0
    report = json.loads(ran.stdout)
    assert sum(line["trips"] for line in report["lines"]) == 10
    assert report["refused"] == 0


def test_the_command_shows_a_table_and_its_help_says_everything() -> None:
    ran = CliRunner().invoke(commands, ["demo", "--accounts", "1", "--vehicles", "1", "--trips", "1", "--limit", "100"])
    assert ran.exit_code == 0
    assert "Last position" in ran.output
    told = CliRunner().invoke(commands, ["demo", "--help"]).output
    assert all(option in told for option in ("--seed", "--vehicles", "--accounts", "--json", "--trips", "--limit"))
    assert __version__ in CliRunner().invoke(commands, ["--version"]).output


@pytest.mark.anyio
async def test_a_bad_day_costs_time_and_no_trip() -> None:
    report = await demonstrate(attrs.evolve(SMALL, faults=BAD_DAY), Listener())
    assert report.failures == ()
    assert sum(line.trips for line in report.lines) == 200
    assert report.requests > 20


@pytest.mark.anyio
async def test_what_fails_for_good_is_reported_and_the_rest_goes_on() -> None:
    one = World(seed=7, accounts=2, vehicles=4, trips=200).vehicles[0].id
    broken = ScriptedFault(fault=ServerFault(), path=f"/{one}/status$", times=1000)
    report = await demonstrate(attrs.evolve(SMALL, faults=Faults(script=[broken])), Listener())
    assert len(report.failures) == 1
    assert len(report.lines) == 3


@pytest.mark.anyio
async def test_an_account_whose_vehicles_cannot_be_read_is_reported() -> None:
    broken = ScriptedFault(fault=ServerFault(), path="/vehicles$", times=1000)
    report = await demonstrate(attrs.evolve(SMALL, faults=Faults(script=[broken])), Listener())
    assert sorted(failure[:12] for failure in report.failures) == ["account-0000", "account-0001"]


@pytest.mark.anyio
async def test_a_position_that_is_unknown_is_none() -> None:
    hidden = ScriptedFault(fault=VanishedFields(("geometry",)), path="/lastPosition$", times=1)
    report = await demonstrate(attrs.evolve(SMALL, faults=Faults(script=[hidden])), Listener())
    assert [line.position for line in report.lines].count(None) == 1


def test_a_bad_day_is_an_option_of_the_command() -> None:
    options = ["--accounts", "1", "--vehicles", "1", "--trips", "1", "--limit", "100", "--bad-day", "--seed", "3"]
    assert CliRunner().invoke(commands, ["demo", *options]).exit_code == 0


def test_a_backend_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trio", None)
    ran = CliRunner().invoke(commands, ["demo", "--backend", "trio"])
    assert ran.exit_code == 1
    assert "pip install 'stellantis-hal[trio]'" in ran.output


def test_a_failure_is_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = CliRunner().invoke(commands, ["demo", "--accounts", "0"])
    assert ran.exit_code == 2
    assert "accounts" in ran.output


@pytest.mark.wall_clock
@pytest.mark.parametrize(("host", "is_exposed"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_the_simulator_is_served_until_it_is_interrupted(host: str, is_exposed: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = CliRunner().invoke(commands, ["simulate", "--port", str(port)])
    assert refused.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in refused.output

    answers: list[int] = []

    def visit_and_interrupt() -> None:
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport) as client:
            answers.append(client.get(f"http://127.0.0.1:{port}/connectedcar/v4/user").status_code)
        os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit_and_interrupt)
    visitor.start()
    served = CliRunner().invoke(commands, ["simulate", "--host", host, "--port", str(port), "--vehicles", "2"])
    visitor.join()
    assert served.exit_code == 0
    assert "curl -H" in served.output
    assert ("Warning" in served.output) is is_exposed
    assert answers == [401]


def test_the_entry_point_runs_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stellantis-hal", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def test_without_the_extra_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "stellantis_hal.cli.commands")
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit, match=r"pip install 'stellantis-hal\[cli\]'"):
        main()


def test_a_module_of_our_own_that_is_missing_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stellantis_hal.cli.commands", None)
    with pytest.raises(ModuleNotFoundError, match=r"stellantis_hal\.cli\.commands"):
        main()
