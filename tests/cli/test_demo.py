"""The commands ``demo`` and ``simulate``."""

import json
import socket
import sys
from io import StringIO

import attrs
import pytest
import uvicorn
from click.testing import CliRunner
from rich.console import Console

from stellantis_hal import __version__
from stellantis_hal.cli import main
from stellantis_hal.cli import standard_streams as output
from stellantis_hal.cli.demo import BAD_DAY, DemoResult, DemoSettings, DemoVehicleRow, demonstrate
from stellantis_hal.cli.demo_screen import DemoOutput
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import Faults, ScriptedFault, ServerFault, VanishedFields, World
from tests.support.functions import returns

SMALL = DemoSettings(accounts=2, vehicles=4, trips=200, per_second=10, seed=7)


class Listener:
    """Records the progress."""

    def __init__(self) -> None:
        self.rows: list[DemoVehicleRow] = []
        self.requests = 0

    def on_vehicle(self, row: DemoVehicleRow) -> None:
        self.rows.append(row)

    def on_response(self, requests: int, waiting: int) -> None:
        self.requests = requests


@pytest.mark.anyio
async def test_fleet_is_read_completely_without_429() -> None:
    listener = Listener()
    result = await demonstrate(SMALL, listener)
    world = World(seed=7, accounts=2, vehicles=4, trips=200)
    assert result.failures == ()
    assert {row.vin: row.trips for row in result.rows} == {
        vehicle.vin: world.trip_count(vehicle.id) for vehicle in world.vehicles
    }
    assert sum(row.kilometres for row in result.rows) == pytest.approx(world.kilometres())
    assert all(row.position and row.level is not None for row in result.rows)
    assert result.refused == 0
    assert result.waited > 0
    assert result.left_today is not None
    assert 0 <= result.left_today - (100_000 - result.requests) < 4  # responses can arrive out of order
    assert listener.requests == result.requests
    assert sorted(listener.rows, key=lambda row: row.vin) == list(result.rows)


@pytest.mark.unmeasured
@pytest.mark.anyio
async def test_same_seed_same_fleet() -> None:
    first, second = [(await demonstrate(SMALL, Listener())).rows for _ in range(2)]
    assert first == second


def make_result(*failures: str) -> DemoResult:
    """Return a result with two vehicles."""
    known = DemoVehicleRow(
        vin="VF3A", brand="Peugeot", trips=1200, kilometres=15_000.4, position=(48.8566, 2.3522), level=41.6
    )
    unknown = DemoVehicleRow(vin="VF3B", brand="DS", trips=0, kilometres=0, position=None, level=None)
    return DemoResult(
        rows=(known, unknown),
        failures=failures,
        requests=50,
        refused=3,
        seconds=2.0,
        waited=11.0,
        left_today=None if failures else 99_950,
    )


def printed(result: DemoResult) -> str:
    """Return a result as printed on a wide page."""
    page = StringIO()
    DemoOutput(Console(file=page, width=120)).show(result)
    return page.getvalue()


def test_table_has_a_row_per_vehicle_and_totals() -> None:
    text = printed(make_result())
    assert "VF3A" in text
    assert "48.8566, 2.3522" in text
    assert "42 %" in text
    assert "2 cars, 1,200 trips, 15,000 km" in text
    assert "50 requests in 2.0 s: 25.0 per second, 3 with 429" in text
    assert "11 s waited for the rate limit, all tasks together; requests left today: 99,950" in text


def test_table_shows_failures_and_unknown_values() -> None:
    text = printed(make_result("account-0000: no network"))
    assert "failed: account-0000: no network" in text
    assert "left today: unknown" in text
    assert text.count("unknown") == 3


def test_without_a_terminal_vehicles_are_plain_lines() -> None:
    page = StringIO()
    screen = DemoOutput(Console(file=page, width=40))
    with screen.show_progress(SMALL):
        screen.on_response(1, 0)
        screen.on_vehicle(make_result().rows[0])
    assert page.getvalue().splitlines() == [
        "Polling 4 cars of 2 accounts, about 200 trips, at most 10 requests per second",
        "VF3A Peugeot 1200 15,000 48.8566, 2.3522 42 %",
    ]


def test_progress_is_live_on_a_terminal() -> None:
    page = StringIO()
    screen = DemoOutput(Console(file=page, width=120, force_terminal=True))
    with screen.show_progress(SMALL):
        screen.on_response(12, 5)
        screen.on_vehicle(make_result().rows[0])
    assert "1/4" in page.getvalue()
    assert "12 requests, 5 waiting" in page.getvalue()


def test_silent_screen_prints_no_progress() -> None:
    page = StringIO()
    screen = DemoOutput(Console(file=page), silent=True)
    with screen.show_progress(SMALL):
        screen.on_vehicle(make_result().rows[0])
    assert page.getvalue() == ""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_demo_prints_json(backend: str) -> None:
    options = ["--accounts", "3", "--vehicles", "2", "--trips", "10", "--limit", "100", "--json", "--backend", backend]
    ran = CliRunner().invoke(commands, ["demo", *options])
    assert ran.exit_code == 0
    result = json.loads(ran.stdout)
    assert sum(row["trips"] for row in result["rows"]) == 10
    assert result["refused"] == 0


def test_demo_prints_a_table_and_its_help_lists_all_options() -> None:
    ran = CliRunner().invoke(commands, ["demo", "--accounts", "1", "--vehicles", "1", "--trips", "1", "--limit", "100"])
    assert ran.exit_code == 0
    assert "Last position" in ran.output
    help_text = CliRunner().invoke(commands, ["demo", "--help"]).output
    assert all(option in help_text for option in ("--seed", "--vehicles", "--accounts", "--json", "--trips", "--limit"))
    assert __version__ in CliRunner().invoke(commands, ["--version"]).output


@pytest.mark.unmeasured
@pytest.mark.anyio
async def test_bad_day_loses_no_trip() -> None:
    result = await demonstrate(attrs.evolve(SMALL, faults=BAD_DAY), Listener())
    assert result.failures == ()
    assert sum(row.trips for row in result.rows) == 200
    assert result.requests > 20


@pytest.mark.anyio
async def test_permanent_failure_is_reported_and_others_are_read() -> None:
    one = World(seed=7, accounts=2, vehicles=4, trips=200).vehicles[0].id
    broken = ScriptedFault(fault=ServerFault(), path=f"/{one}/status$", times=1000)
    result = await demonstrate(attrs.evolve(SMALL, faults=Faults(script=[broken])), Listener())
    assert len(result.failures) == 1
    assert len(result.rows) == 3


@pytest.mark.anyio
async def test_account_with_unreadable_vehicles_is_reported() -> None:
    broken = ScriptedFault(fault=ServerFault(), path="/vehicles$", times=1000)
    result = await demonstrate(attrs.evolve(SMALL, faults=Faults(script=[broken])), Listener())
    assert sorted(failure[:12] for failure in result.failures) == ["account-0000", "account-0001"]


@pytest.mark.anyio
async def test_unknown_position_is_none() -> None:
    hidden = ScriptedFault(fault=VanishedFields(("geometry",)), path="/lastPosition$", times=1)
    result = await demonstrate(attrs.evolve(SMALL, faults=Faults(script=[hidden])), Listener())
    assert [row.position for row in result.rows].count(None) == 1


def test_demo_has_a_bad_day_option() -> None:
    options = ["--accounts", "1", "--vehicles", "1", "--trips", "1", "--limit", "100", "--bad-day", "--seed", "3"]
    assert CliRunner().invoke(commands, ["demo", *options]).exit_code == 0


def test_missing_backend_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trio", None)
    ran = CliRunner().invoke(commands, ["demo", "--backend", "trio"])
    assert ran.exit_code == 8
    assert "pip install 'stellantis-hal[trio]'" in ran.output


def test_invalid_option_sets_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = CliRunner().invoke(commands, ["demo", "--accounts", "0"])
    assert ran.exit_code == 2
    assert "accounts" in ran.output


@pytest.mark.wall_clock
@pytest.mark.parametrize(("host", "is_exposed"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_simulate_prints_how_to_reach_it(host: str, is_exposed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[bool] = []

    def run(*_: object, **__: object) -> None:
        served.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", run)
    ran = CliRunner().invoke(commands, ["simulate", "--host", host, "--port", "0", "--vehicles", "2"])
    assert ran.exit_code == 0
    assert served
    assert "curl -H" in ran.output
    assert ("Warning" in ran.output) is is_exposed


@pytest.mark.wall_clock
def test_simulate_names_a_busy_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = CliRunner().invoke(commands, ["simulate", "--port", str(port)])
    assert refused.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in refused.output


def test_entry_point_runs_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stellantis-hal", "--version"])
    prepared: list[bool] = []
    monkeypatch.setattr(output, "prepare_process", lambda: prepared.append(True))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert prepared


def test_missing_extra_names_its_installation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "stellantis_hal.cli.root_group")
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 8
    assert "pip install 'stellantis-hal[cli]'" in capsys.readouterr().err


def test_missing_module_of_the_package_is_not_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stellantis_hal.cli.root_group", None)
    with pytest.raises(ModuleNotFoundError, match=r"stellantis_hal\.cli\.root_group"):
        main()


def test_simulate_takes_latency_faults_speed_and_a_control_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn.Server, "run", returns(None))
    options = ["--latency", "50ms", "--fault", "cut-body=0.2", "--fault", "html", "--speed", "60", "--control", "0"]
    ran = CliRunner().invoke(commands, ["simulate", "--port", "0", "--vehicles", "2", *options])
    assert ran.exit_code == 0, ran.output
    assert "control   http://127.0.0.1:" in ran.output


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--latency", "soon", "like 50ms"),
        ("--fault", "nothing", "cut-body"),
        ("--fault", "html=3", "from 0 to 1"),
        ("--speed", "0", "0<x"),
        ("--control", "70000", "65535"),
    ],
)
def test_simulate_explains_a_wrong_option(option: str, value: str, message: str) -> None:
    refused = CliRunner().invoke(commands, ["simulate", option, value])
    assert refused.exit_code == 2
    assert message in " ".join(refused.output.split())


def test_simulate_names_the_faults_in_its_help() -> None:
    text = " ".join(CliRunner().invoke(commands, ["simulate", "--help"]).output.split())
    assert all(name in text.replace("- ", "-") for name in ("cut-body", "too-many-requests", "expired-token"))


@pytest.mark.wall_clock
def test_simulate_names_a_busy_control_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = CliRunner().invoke(commands, ["simulate", "--port", "0", "--control", str(port)])
    assert refused.exit_code == 1
    assert f"127.0.0.1:{port}" in refused.output
