"""The command ``record``: one file of an account's answers, in which nothing private survives."""

import json
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner, Result

from stellantis_hal import Brand, FileTokenStore, RetryPolicy, StellantisClient, Token
from stellantis_hal.cli.record import proxy_of
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import Faults, ScriptedFault, ServerFault, Simulator, World
from stellantis_hal.testing import Recorder, simulated_client
from tests.support.simulated import token_of
from tests.test_blocking import served

pytestmark = pytest.mark.wall_clock


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(commands, ["record", *arguments], env=env)


def environment_of(simulator: Simulator, folder: Path) -> dict[str, str]:
    """Return the settings of an account of a served simulator, whose token is stored in a folder."""
    anyio.run(FileTokenStore(folder / "tokens").save, "default", token_of(simulator))
    return {
        "STELLANTIS_HAL_CLIENT_ID": simulator.client_id,
        "STELLANTIS_HAL_CLIENT_SECRET": simulator.client_secret,
        "STELLANTIS_HAL_BRAND": "peugeot",
        "STELLANTIS_HAL_REALM": simulator.world.accounts[0].realm,
        "STELLANTIS_HAL_IDENTITY_URL": simulator.identity_url,
        "STELLANTIS_HAL_BASE_URL": simulator.url,
        "STELLANTIS_HAL_STORE": str(folder / "tokens"),
    }


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    script = [ScriptedFault(fault=ServerFault(status=404), path="/alerts", times=1)]
    simulator = Simulator(
        World(seed=7, accounts=1, vehicles=2, trips=30),
        client_id="planted-client-id",
        client_secret="planted-client-secret",
        faults=Faults(script=script),
    )
    with served(simulator):
        yield simulator


def planted(simulator: Simulator) -> set[str]:
    """Return texts of the simulated account that no recording may have."""
    world = simulator.world
    holder = world.accounts[0]
    found = {simulator.client_id, simulator.client_secret, holder.key, holder.email, holder.first_name}
    found |= {holder.last_name, holder.realm}
    for vehicle in world.vehicles:
        found |= {vehicle.vin, vehicle.id}
        found |= {trip.id for trip in world.trips(vehicle.id)}
        found |= {f"{trip.start.longitude:.5f}" for trip in world.trips(vehicle.id)}
    return {text for text in found if text}


def test_nothing_planted_survives(simulator: Simulator, tmp_path: Path) -> None:
    """Neither in the file nor in what is printed; the expired token is renewed on the way."""
    environment = environment_of(simulator, tmp_path)
    first = token_of(simulator)
    simulator.expire_tokens()
    result = run(str(tmp_path / "bug.json"), "--trips", "7", env=environment)
    assert (result.exit_code, result.stderr.splitlines()[:-1]) == (0, []), result.output
    text = (tmp_path / "bug.json").read_text()
    stored = anyio.run(FileTokenStore(tmp_path / "tokens").load, "default")
    assert stored is not None
    tokens = {first.access_token, stored.access_token, stored.refresh_token or ""}
    for secret in planted(simulator) | tokens:
        assert secret.casefold() not in text.casefold()
        assert secret not in result.output
    assert stat.S_IMODE((tmp_path / "bug.json").stat().st_mode) == 0o600
    assert "failed, and recorded: vehicle 1: alerts: " in result.stderr
    for words in ("Recorded ", "secret ", "VIN ", "place ", "Left as they were: ", "Read the file before"):
        assert words in result.stdout


async def _read(path: Path) -> tuple[list[float | None], tuple[str, ...]]:
    replay = Recorder.replay(path)
    async with simulated_client(Simulator(World(seed=7)), transport=replay, clock=replay.now) as client:
        account = client.account(Token("any", "any"), brand=Brand.PEUGEOT)
        await account.user()
        vehicles = await account.vehicles().collect()
        trips = await vehicles[0].trips(newest_first=True).take(20).collect()
    return [trip.distance for trip in trips], replay.unused


def test_a_simulated_recording_replays(tmp_path: Path) -> None:
    result = run("--simulate", str(tmp_path / "car.json"), "--json", "--follow", "self")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert facts["requests"] > 8
    assert facts["replaced"]["VIN"] >= 2
    assert facts["without_response"] == 0
    distances, unused = anyio.run(_read, tmp_path / "car.json")
    assert len(distances) == 20
    assert any("/status" in request for request in unused)


def test_a_file_is_not_replaced_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "car.json"
    path.write_text("mine")
    result = run("--simulate", str(path))
    assert (result.exit_code, path.read_text()) == (2, "mine")
    assert "pass --force" in result.stderr
    assert run("--simulate", str(path), "--force", "--trips", "0").exit_code == 0
    assert "is no regular file" in run("--simulate", os.devnull, "--force", "--trips", "0").stderr
    assert "trips?" not in path.read_text()
    assert "does not exist" in run("--simulate", str(tmp_path / "no" / "car.json")).stderr


def test_an_account_is_needed_without_a_simulation(tmp_path: Path) -> None:
    result = run(str(tmp_path / "car.json"), env={"STELLANTIS_HAL_STORE": str(tmp_path / "tokens")})
    assert result.exit_code == 8
    assert "error: no client id: " in result.stderr


def test_an_account_that_must_log_in_is_recorded_too(simulator: Simulator, tmp_path: Path) -> None:
    environment = environment_of(simulator, tmp_path)
    anyio.run(FileTokenStore(tmp_path / "tokens").save, "default", Token("planted-old", "planted-spent"))
    result = run(str(tmp_path / "bug.json"), env=environment)
    assert result.exit_code == 4
    assert "stellantis-hal login" in result.stderr
    text = (tmp_path / "bug.json").read_text()
    assert "invalid_grant" in text
    assert "planted" not in text


def test_an_api_that_is_away_is_recorded_too(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "stellantis_hal.cli.record.StellantisClient", partial(StellantisClient, retry=RetryPolicy(attempts=1))
    )
    environment = environment_of(simulator, tmp_path) | {"STELLANTIS_HAL_BASE_URL": "http://127.0.0.1:9"}
    result = run(str(tmp_path / "bug.json"), env=environment)
    assert "failed, and recorded: vehicles: " in result.stderr
    exchanges: list[dict[str, Any]] = json.loads((tmp_path / "bug.json").read_text())["exchanges"]
    assert {exchange["failure"] for exchange in exchanges} == {"ConnectError"}


def test_a_certificate_that_cannot_be_used_is_told(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text("none")
    environment = environment_of(simulator, tmp_path) | {"STELLANTIS_HAL_CERTIFICATE": str(tmp_path / "client.pem")}
    result = run(str(tmp_path / "bug.json"), env=environment)
    assert result.exit_code == 8
    assert "the client certificate cannot be used" in result.stderr
    assert not (tmp_path / "bug.json").exists()


def test_a_recording_of_nothing_replaces_no_other(simulator: Simulator, tmp_path: Path) -> None:
    environment = environment_of(simulator, tmp_path)
    (tmp_path / "bug.json").write_text("an earlier one")
    (tmp_path / "tokens").write_text("damaged")
    result = run(str(tmp_path / "bug.json"), "--force", env=environment)
    assert result.exit_code == 1
    assert "nothing was recorded, as no request was sent: user: " in result.stderr
    assert (tmp_path / "bug.json").read_text() == "an earlier one"


def test_a_recording_without_a_request_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "requests", 0)
    result = run(str(tmp_path / "bug.json"), "--simulate")
    assert result.exit_code == 1
    assert "nothing was recorded" in result.stderr
    assert not (tmp_path / "bug.json").exists()


def test_a_proxy_of_the_option_is_used() -> None:
    assert proxy_of(None) is proxy_of("direct") is None
    plain, named = proxy_of("proxy.example:3128"), proxy_of("http://ann:p%40ss@proxy.example:3128")
    assert isinstance(plain, httpx.Proxy)
    assert isinstance(named, httpx.Proxy)
    assert (str(plain.url), plain.auth) == ("http://proxy.example:3128", None)
    assert (str(named.url), named.auth) == ("http://proxy.example:3128", ("ann", "p@ss"))
