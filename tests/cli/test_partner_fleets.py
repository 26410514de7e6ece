"""The command ``fleet``: fleets, vehicles, the status of one."""

import json
import threading
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stellantis_hal import Fleet, FleetOwnerClient
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import Simulator, World, server

pytestmark = pytest.mark.wall_clock


def run(*arguments: str, **options: str) -> Result:
    return CliRunner().invoke(commands, ["fleet", *arguments], env=options)


@pytest.fixture(scope="module")
def simulator() -> Generator[Simulator]:
    world = World(seed=7, vehicles=3, trips=6)
    world.fleets.add("vans", vehicles=[world.vehicles[1].id])
    world.fleets.hide_from_driver(world.vehicles[2].id)
    simulator = Simulator(world)
    serving, listening = server(simulator)
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
    thread.start()
    yield simulator
    serving.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture
def signed(simulator: Simulator) -> dict[str, str]:
    """The environment that signs in to the simulator."""
    return {
        "STELLANTIS_HAL_CLIENT_ID": simulator.client_id,
        "STELLANTIS_HAL_PARTNER_LOGIN": simulator.partner_login,
        "STELLANTIS_HAL_PARTNER_PASSWORD": simulator.partner_password,
        "STELLANTIS_HAL_PARTNER_URL": simulator.partner_url,
        "STELLANTIS_HAL_PROXY": "direct",
    }


@pytest.mark.unmeasured
def test_fleets_are_listed(simulator: Simulator, signed: dict[str, str]) -> None:
    shown = run("list", **signed)
    assert (shown.exit_code, [line.split("  ")[1] for line in shown.output.splitlines()]) == (0, ["Fleet 1", "vans"])
    rows = json.loads(run("list", "--json", **signed).output)
    assert [row["id"] for row in rows] == [fleet.id for fleet in simulator.world.fleets.all]


def test_vehicles_are_listed_by_fleet(simulator: Simulator, signed: dict[str, str]) -> None:
    every = json.loads(run("vehicles", "--json", **signed).output)
    assert len(every) == 4
    shown = run("vehicles", "--fleet", "vans", **signed)
    assert simulator.world.vehicles[1].vin in shown.output
    assert len(shown.output.splitlines()) == 1


def test_a_status_is_shown(simulator: Simulator, signed: dict[str, str]) -> None:
    vin = simulator.world.vehicles[0].vin
    shown = run("status", vin.lower(), **signed)
    assert (shown.exit_code, "mileage_km" in shown.output) == (0, True)
    assert all(line[26] == " " for line in shown.output.splitlines())  # between a name and its value
    facts = json.loads(run("status", simulator.world.vehicles[0].id, "--json", **signed).output)
    assert facts["mileage_km"] == simulator.world.mileage(simulator.world.vehicles[0].id)


def test_what_a_driver_hides_is_told(simulator: Simulator, signed: dict[str, str]) -> None:
    shown = run("status", simulator.world.vehicles[2].vin, "--view", "endUser", **signed)
    assert (shown.exit_code, "no status in the profile endUser" in shown.output) == (5, True)


def test_unknown_vehicles_and_fleets_are_errors(signed: dict[str, str]) -> None:
    assert "none of 2 fleets has the car" in run("status", "VF3AAAAAA00000000", **signed).output
    assert "the partner has no fleet 'trucks'; it has 2" in run("vehicles", "--fleet", "trucks", **signed).output


def test_a_wrong_password_is_an_error_without_it(signed: dict[str, str]) -> None:
    shown = run("list", **(signed | {"STELLANTIS_HAL_PARTNER_PASSWORD": "s3cret-and-wrong"}))
    assert shown.exit_code != 0
    assert shown.output.endswith("the login is another name than the client id.\n")  # no advice on `login`
    assert "s3cret" not in shown.output


@pytest.mark.parametrize("missing", ["client-id", "login", "password"])
def test_each_part_of_the_credentials_is_needed(missing: str) -> None:
    options = {"client-id": "my-app", "login": "MZP1", "password": "secret"}
    arguments = [text for name, value in options.items() if name != missing for text in (f"--{name}", value)]
    shown = run("list", *arguments)
    assert (shown.exit_code, f"--{missing}" in shown.output) == (8, True)


def test_a_certificate_without_its_key_is_an_error() -> None:
    options = ("--client-id", "a", "--login", "MZP1", "--password", "b", "--base-url", "https://127.0.0.1:1/v3")
    shown = run("list", *options, "--certificate", __file__, "--proxy", "direct")
    assert shown.exit_code != 0
    assert "certificate cannot be used" in shown.output


def test_a_profile_has_values_for_commands_below(signed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[profiles.a]\nclient_id = "{signed.pop("STELLANTIS_HAL_CLIENT_ID")}"\n')
    shown = run("list", STELLANTIS_HAL_CONFIG=str(tmp_path / "config.toml"), **signed)
    assert (shown.exit_code, shown.output.split()[1]) == (0, "Fleet")


def test_a_partner_without_fleets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_fleets(_: FleetOwnerClient) -> AsyncGenerator[Fleet]:
        fleets: tuple[Fleet, ...] = ()
        for fleet in fleets:
            yield fleet

    monkeypatch.setattr(FleetOwnerClient, "fleets", no_fleets)
    for kind, command in (("fleets", "list"), ("vehicles", "vehicles")):
        shown = run(command, "--simulate")
        assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", f"The partner has no {kind}.\n")


def test_a_fleet_is_simulated() -> None:
    shown = run("vehicles", "--simulate")
    assert (shown.exit_code, len(shown.output.splitlines())) == (0, 3)
