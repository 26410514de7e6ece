"""The command ``remote``: it asks, shows each step, and tells an unknown outcome by its exit status."""

import json
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner, Result

from stellantis_hal import FileTokenStore, RetryPolicy, Token, Webhook
from stellantis_hal.cli import connection
from stellantis_hal.cli import remote as module
from stellantis_hal.cli.common_options import Invocation
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import CommandCourseDeviation, Simulator, World, server
from tests.cli.simulated import connection_of
from tests.resources.control.commanded import SEED, Line
from tests.support.clocks import JumpingEventLoop
from tests.support.simulated import account_of, client_of

pytestmark = pytest.mark.wall_clock


class Case:
    """A simulated car, and the account that the command opens."""

    def __init__(self, *, vehicles: int = 1) -> None:
        self.simulator = Simulator(World(seed=SEED, vehicles=vehicles, trips=3))
        self.line = Line(self.simulator)
        self.is_terminal = False

    @asynccontextmanager
    async def open(self, options: Invocation) -> AsyncGenerator[connection.CommandContext]:
        settings: dict[str, Any] = {"transport": self.line, "retry": RetryPolicy(attempts=1)}
        async with client_of(self.simulator, **settings) as client:
            yield connection_of(client, self.simulator, options)

    @property
    def car(self) -> str:
        """What the question calls the car."""
        vehicle = self.simulator.world.vehicles[0]
        return f"{vehicle.label} …{vehicle.vin[-4:]}"

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [command.remote for command in self.simulator.remotes.commands]


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    case = Case()
    options = {"loop_factory": JumpingEventLoop}
    monkeypatch.setattr(connection, "simulated_connection", case.open)
    monkeypatch.setattr(anyio, "run", partial(anyio.run, backend_options=options))
    return case


def run(*arguments: str, answer: str | None = None, **options: Any) -> Result:
    return CliRunner().invoke(commands, ["remote", *arguments], input=answer, **options)


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (["lock"], {"door": {"state": "Locked"}}),
        (["unlock"], {"door": {"state": "Unlocked"}}),
        (["horn"], {"horn": {"state": "Activated"}}),
        (["lights"], {"lights": {"on": True}}),
        (["lights", "off"], {"lights": {"on": False}}),
        (["wake"], {"wakeUp": {"action": "WakeUp"}}),
        (["charge"], {"charging": {"immediate": True}}),
        (["charge", "stop"], {"charging": {"immediate": False}}),
        (["climate"], {"preconditioning": {"airConditioning": {"immediate": True}}}),
        (["climate", "stop"], {"preconditioning": {"airConditioning": {"immediate": False}}}),
    ],
)
def test_each_command_sends_its_action(case: Case, arguments: list[str], body: dict[str, Any]) -> None:
    case.simulator.world.car(case.simulator.world.vehicles[0]).plug_in()
    result = run(*arguments, "--simulate", "--yes")
    assert result.exit_code == 0, result.output
    assert [{key: value for key, value in sent.items() if key != "label"} for sent in case.sent] == [body]
    assert result.stdout.splitlines()[-1] in {"Done.", "The car was in this state already."}
    assert "WakingUpVehicle" in result.stdout


@pytest.mark.parametrize(("option", "member"), [("--at", "nextDelayedTime"), ("--until", "chargingEndTime")])
def test_hours_of_charging_are_local_times(case: Case, option: str, member: str) -> None:
    result = run("charge", option, "2100-01-01T22:00", "--simulate", "--yes")
    assert result.exit_code == 0, result.output
    assert case.sent[0]["charging"]["schedule"][member].endswith("Z")
    assert run("charge", option, "2000-01-01T22:00", "--simulate", "--yes").exit_code == 2
    assert run("charge", "--at", "2100-01-01T22:00", "--until", "2100-01-01T23:00", "--simulate").exit_code == 2
    assert run("charge", "stop", option, "2100-01-01T22:00", "--simulate").exit_code == 2
    assert len(case.sent) == 1


@pytest.mark.usefixtures("in_new_york")
def test_an_hour_beyond_the_calendar_is_refused(case: Case) -> None:
    result = run("charge", "--at", "9999-12-31T22:00", "--simulate", "--yes")
    assert (result.exit_code, case.sent) == (2, [])
    assert "9999-12-31T22:00 is outside the years 1 to 9999 in UTC" in result.stderr


def test_a_command_is_asked_for_on_a_terminal(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("lock", "--simulate")
    assert (result.exit_code, case.sent) == (2, [])
    assert "pass --yes" in result.stderr
    monkeypatch.setattr(module, "_has_terminal", lambda: True)
    refused = run("lock", "--simulate", answer="n\n")
    assert (refused.exit_code, case.sent) == (1, [])
    assert f"{case.car}: lock the doors?" in refused.stderr
    assert run("lock", "--simulate", answer="y\n").exit_code == 0
    assert len(case.sent) == 1


def test_steps_as_json(case: Case) -> None:
    result = run("unlock", "--simulate", "--yes", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0]["sent"] == "unlock the doors"
    assert [line["status"] for line in lines[1:-1]] == ["WakingUpVehicle", "Success"]
    assert lines[-1] == {"outcome": "Success"}


def test_failures_and_refusals(case: Case) -> None:
    case.simulator.world.car(case.simulator.world.vehicles[0]).open_door()
    failed = run("lock", "--simulate", "--yes")
    assert failed.exit_code == 1
    assert "Failed (DoorsOpen)" in failed.stdout
    assert "once the car is in order" in failed.stderr
    case.simulator.remotes.order(CommandCourseDeviation(stops_at="Accepted"))
    late = run("horn", "--simulate", "--yes", "--wait", "30")
    assert late.exit_code == 9
    assert "goes on, and is not taken back" in late.stderr


def test_refusals_of_the_policy(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> bool:
        return True

    monkeypatch.setattr("stellantis_hal.resources.control.remote._is_unsupported", refuse)
    result = run("lock", "--simulate", "--yes")
    assert result.exit_code == 1
    assert "does not support it" in result.stderr
    assert run("lock", "--simulate", "--yes", "--force").exit_code == 0


def test_an_unknown_outcome_is_looked_for_and_has_its_own_status(case: Case) -> None:
    async def after(request: httpx.Request, line: Line) -> httpx.Response:
        await line.deliver(request)
        raise httpx.ReadError("Connection reset by peer")

    async def before(request: httpx.Request, line: Line) -> httpx.Response:
        raise httpx.ReadError("Connection reset by peer")

    case.line.faults = [after]
    found = run("unlock", "--simulate", "--yes")
    assert found.exit_code == 0
    assert "The response was lost; looking" in found.stderr
    case.line.faults = [before]
    unknown = run("unlock", "--simulate", "--yes")
    assert unknown.exit_code == 9
    assert "before sending it again" in unknown.stderr
    case.line.faults, case.line.poll_faults = [before], [httpx.ReadError("gone")] * 99
    assert run("horn", "--simulate", "--yes").exit_code == 9
    case.line.poll_faults = [httpx.ReadError("gone")] * 3
    unread = run("horn", "--simulate", "--yes")
    assert unread.exit_code == 9
    assert "its end cannot be read" in unread.stderr


def test_the_vehicle_and_the_callback_are_named(case: Case) -> None:
    vehicle = case.simulator.world.vehicles[0]
    assert run("lock", "--simulate", "--yes", vehicle.vin[-5:]).exit_code == 0
    unknown = run("lock", "none", "--simulate", "--yes")
    assert (unknown.exit_code, "no car 'none'" in unknown.stderr) == (5, True)
    assert run("lock", "--simulate", "--yes", "--callback", "cli").exit_code == 0
    assert (
        "the account has no callback 'none' for commands: "
        in run("lock", "--simulate", "--yes", "--callback", "none").stderr
    )


def test_one_of_several_vehicles_is_to_be_named(case: Case) -> None:
    several = Case(vehicles=2)
    case.simulator, case.line = several.simulator, several.line
    unnamed = run("lock", "--simulate", "--yes")
    assert (unnamed.exit_code, "2 cars: name one by its label" in unnamed.stderr) == (2, True)
    assert run("lights", "on", several.simulator.world.vehicles[1].vin, "--simulate", "--yes").exit_code == 0


def test_an_account_without_a_callback(case: Case) -> None:
    result = run("lock", "--simulate", "--yes", "--callback", "garage")
    assert result.exit_code == 5
    assert "register one with `stellantis-hal callbacks ensure`" in result.stderr


@pytest.fixture(scope="module")
def served() -> Generator[Simulator]:
    simulator = Simulator(World(seed=SEED, vehicles=1, trips=0))
    running, listening = server(simulator)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield simulator
    running.should_exit = True
    thread.join(10)
    listening.close()


def test_a_car_of_an_account_is_commanded(served: Simulator, tmp_path: Path) -> None:
    store = tmp_path / "tokens"
    holder = served.world.accounts[0]

    async def prepare() -> None:
        issued = served.token_for(holder)
        token = Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)
        await FileTokenStore(store).save("default", token)
        async with client_of(served, transport=None, tls=None) as client:
            account = account_of(client, served)
            for label in ("garage", "porch"):
                await account.callbacks.ensure(Webhook("https://hooks.example.org/st", token="x"), label=label)

    anyio.run(prepare)
    environment = {
        "STELLANTIS_HAL_CLIENT_ID": served.client_id,
        "STELLANTIS_HAL_CLIENT_SECRET": served.client_secret,
        "STELLANTIS_HAL_BRAND": holder.brand.lower(),
        "STELLANTIS_HAL_REALM": holder.realm,
        "STELLANTIS_HAL_IDENTITY_URL": served.identity_url,
        "STELLANTIS_HAL_BASE_URL": served.url,
        "STELLANTIS_HAL_STORE": str(store),
    }
    several = run("lock", "--yes", "--wait", "0", env=environment)
    assert "2 callbacks for commands: name one with --callback" in several.stderr
    listed = CliRunner().invoke(commands, ["callbacks", "list", "--json"], env=environment)
    assert [row["label"] for row in json.loads(listed.stdout)] == ["garage", "porch"]
    arguments = ("lock", "--yes", "--wait", "0", "--callback", "garage")
    result = run(*arguments, env=environment)
    assert result.exit_code == 9, result.output
    assert "Sent: lock the doors" in result.stdout
    assert (tmp_path / "tokens-commands.db").exists()
    again = run(*arguments, env=environment)
    assert (again.exit_code, "same kind is under way" in again.stderr) == (1, True)
    assert len(served.remotes.commands) == 1


def test_an_account_needs_a_client_id() -> None:
    result = run("lock", "--yes", env={"STELLANTIS_HAL_CLIENT_ID": "", "STELLANTIS_HAL_BRAND": ""})
    assert result.exit_code == 8
    assert "error: no client id: " in result.stderr
