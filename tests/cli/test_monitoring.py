"""The commands ``callbacks`` and ``monitors``, on a simulated account that they share."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stellantis_hal.cli import connection
from stellantis_hal.cli.common_options import Invocation
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import Simulator
from tests.cli.simulated import connection_of
from tests.support.simulated import client_of, world

pytestmark = pytest.mark.wall_clock

URL = "https://hooks.example.org/st/k3Jx0v"


@pytest.fixture(autouse=True)
def simulator(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    simulator = Simulator(world())

    @asynccontextmanager
    async def opened(options: Invocation) -> AsyncGenerator[connection.CommandContext]:
        async with client_of(simulator) as client:
            yield connection_of(client, simulator, options)

    monkeypatch.setattr(connection, "simulated_connection", opened)
    return simulator


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, [*arguments, "--simulate"])


def rows(*arguments: str) -> list[Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    return found if isinstance(found, list) else [found]


def test_a_callback_is_registered_paused_resumed_and_deleted() -> None:
    assert "There are none." in run("callbacks", "list").output
    [made] = rows("callbacks", "ensure", URL, "--label", "garage", "--token", "s3cr3t")
    assert (made["status"], made["host"], made["types"]) == ("Running", "hooks.example.org", ["Monitor", "Remote"])
    assert rows("callbacks", "list") == [made]
    shown = run("callbacks", "list").output
    assert shown.endswith("  hooks.example.org  Monitor, Remote\n")
    assert "garage" in shown
    assert "k3Jx0v" not in shown
    assert "s3cr3t" not in shown
    assert rows("callbacks", "pause", "garage")[0]["status"] == "Paused"
    assert rows("callbacks", "resume", made["id"])[0]["status"] == "Running"
    refused = run("callbacks", "delete", "garage")
    assert (refused.exit_code, "deleted with it: pass --with-monitors" in refused.output) == (2, True)
    assert rows("callbacks", "delete", "garage", "--with-monitors")[0]["status"] == "Deleted"
    gone = run("callbacks", "pause", "garage")
    reason = "the account has no callback 'garage': `stellantis-hal callbacks list` shows those that it has"
    assert (gone.exit_code, gone.output) == (5, f"error: {reason}\n")


def test_a_monitor_is_created_listed_and_deleted() -> None:
    rows("callbacks", "ensure", URL, "--label", "garage")
    condition = ("--leaves", "48.86,2.33,1", "--when", "vehicle.energy.fuel.level<20", "--any", "--refresh", "60")
    [made] = rows("monitors", "create", "out", "--callback", "garage", *condition, "--include", "status")
    assert (made["when"], made["refresh"]) == ("(left | value1)", 60)
    assert made["triggers"] == ["leaves the zone left of 1 km", "vehicle.energy.fuel.level < 20"]
    others = ("--enters", "48.86,2.33,1", "--when", "vehicle.kinetic.moving=true", "--changes", "vehicle.trip.start")
    [other] = rows("monitors", "create", "in", "--callback", "garage", *others, "--when", "vehicle.odometer>1000")
    assert other["when"] == "(entered & value1 & value2 & change1)"
    assert rows("monitors", "list") == [made, other]
    assert "48.86" not in run("monitors", "list").output
    rows("monitors", "create", other["id"], "--callback", "garage", *others)  # a label like the id of another
    twice = run("monitors", "delete", other["id"])
    assert (twice.exit_code, f"the car has 2 monitors {other['id']!r}: name one by its id" in twice.output) == (2, True)
    assert rows("monitors", "delete", "out")[0]["status"] == "Deleted"
    gone = run("monitors", "delete", "out")
    assert (gone.exit_code, "the car has no monitor 'out': `stellantis-hal monitors list`" in gone.output) == (5, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "name a condition"),
        (("--leaves", "48.86"), "a circle is LAT,LON,KM"),
        (("--leaves", "48.86,2.33,0.5"), "with whole kilometres, as 48.86,2.33,1"),
        (("--when", "battery<20"), "battery is no number that is known: those are vehicle.odometer, "),
        (("--when", "vehicle.odometer<far"), "a value of vehicle.odometer must be a number, not 'far'"),
        (("--when", "vehicle.odometer"), "a comparison is"),
        (("--when", "vehicle.kinetic.moving=maybe"), "must be True or False"),
        (("--changes", "vehicle.odometer"), "does not take onChange"),
        (("--when", "vehicle.new=x", "--include", "weather"), "events do not include"),
    ],
)
def test_a_wrong_condition_is_a_wrong_use(arguments: tuple[str, ...], reason: str) -> None:
    rows("callbacks", "ensure", URL, "--label", "garage")
    result = run("monitors", "create", "x", "--callback", "garage", *arguments)
    assert (result.exit_code, reason in result.output) == (2, True)


def test_a_vehicle_that_is_not_there_is_named() -> None:
    result = run("monitors", "list", "--car", "VF3ABCDE0FG123456")
    assert (result.exit_code, "no car 'VF3ABCDE0FG123456'" in result.output) == (5, True)
