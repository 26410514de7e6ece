"""The examples of the README and of docstrings run."""

import doctest
import json
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import stellantis_hal
from stellantis_hal import Token
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.transport.credentials import Anonymous
from tests.support.examples import python_blocks, run_block

README = Path(__file__).parent.parent / "README.md"


class Credentials(Anonymous):
    """Credentials of the simulator for a generic client."""

    def __init__(self, simulator: Simulator) -> None:
        account = simulator.world.accounts[0]
        self.query = f"client_id={simulator.client_id}"
        self._fields = {
            "Authorization": f"Bearer {simulator.token_for(account).access_token}",
            "x-introspect-realm": account.realm,
        }

    async def headers(self) -> Mapping[str, str]:
        return self._fields


def issue(simulator: Simulator, account: int = 0) -> Token:
    """Return a new token pair; a refresh token that is used twice would revoke its grant."""
    issued = simulator.token_for(simulator.world.accounts[account])
    return Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)


@pytest.mark.anyio
@pytest.mark.wall_clock  # some examples write files in worker threads
async def test_examples_of_the_readme_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    world = World(seed=7, accounts=2, vehicles=4, trips=200)
    simulator = Simulator(world, client_id="my-client-id", client_secret="my-client-secret")
    for account, key in enumerate(("alice", "bob")):
        await stellantis_hal.FileTokenStore(tmp_path / "tokens").save(key, issue(simulator, account))
    simulated: dict[str, Any] = {
        "base_url": simulator.url,
        "identity_url": simulator.identity_url,
        "transport": simulator.transport(),
        "clock": simulator.now,
    }
    names: dict[str, Any] = {
        "Token": Token,
        "auth": Credentials(simulator),
        "entry_url": f"{simulator.url}/user",
        "simulated": simulated,
        "transport": simulator.transport(),
        "__name__": "readme",
    }
    application = stellantis_hal.Application(simulator.client_id, simulator.client_secret)
    async with stellantis_hal.StellantisClient(application, **simulated) as client:
        for line, example in python_blocks(README):
            # The simulator replaces the vendor's default URLs; the rest of each example is unchanged.
            source = example.replace("StellantisClient(application", "StellantisClient(application, **simulated")
            names["account"] = client.account(issue(simulator), brand=stellantis_hal.Brand.PEUGEOT)
            await run_block(README, line, source, names)
    printed = capsys.readouterr().out
    assert "after two 503 responses" in printed
    assert "bob C5 X 2025-" in printed
    assert "km cL|Wh\n5.3 kWh\n" in printed
    assert "Error" not in printed
    assert json.loads((tmp_path / "trips.geojson").read_text())["features"]


def modules() -> list[str]:
    """Return the names of all modules of the package."""
    return [name for _, name, _ in pkgutil.walk_packages(stellantis_hal.__path__, "stellantis_hal.")]


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings_are_true(name: str) -> None:
    outcome = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0
