"""Commands of a profile against a served simulator, and what is shown where cars lack something."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from stellantis_hal import FileTokenStore, ForbiddenError, Token, Vehicle
from stellantis_hal.cli.profiles import add_profile
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import Simulator, World, server
from tests.support.functions import returns
from tests.support.simulated import token_of

pytestmark = pytest.mark.wall_clock

Run = Callable[..., Result]


@contextmanager
def served(world: World) -> Generator[Simulator, None, None]:
    simulator = Simulator(world)
    running, listening = server(simulator)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield simulator
    running.should_exit = True
    thread.join(10)
    listening.close()


def profile_of(simulator: Simulator, folder: Path, token: Token | None = None) -> Run:
    """Write a profile and a token, as a log-in does, and return a function that runs a command with them."""
    anyio.run(FileTokenStore(folder / "tokens").save, "alice", token or token_of(simulator))
    values = {
        "client_id": simulator.client_id,
        "brand": "peugeot",
        "realm": simulator.world.accounts[0].realm,
        "base_url": simulator.url,
        "identity_url": simulator.identity_url,
        "store": str(folder / "tokens"),
        "account": "alice",
    }
    add_profile(folder / "config.toml", "family", values, secret=simulator.client_secret)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(commands, arguments, env={"STELLANTIS_HAL_CONFIG": str(folder / "config.toml")})

    return invoke


def test_a_profile_is_all_that_a_command_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(World(seed=7, accounts=1, vehicles=1, trips=5)) as simulator:
        run = profile_of(simulator, tmp_path)
        assert [run(*each).exit_code for each in (("status",), ("trips", "--all"), ("whoami",), ("alerts",))] == [0] * 4
        assert run("watch", "--events", "1").exit_code == 0

        async def missing(self: Vehicle) -> None:
            return None

        async def forbidden(self: Vehicle) -> None:
            raise ForbiddenError("no", status=403, url="https://a.example")

        monkeypatch.setattr(Vehicle, "maintenance", missing)
        ran = run("maintenance")
        assert (ran.stdout, ran.stderr) == ("", "The API has no service plan of this car.\n")
        monkeypatch.setattr(Vehicle, "maintenance", forbidden)
        assert "Service  unknown" in run("status").stdout


def test_an_account_without_cars_says_so(tmp_path: Path) -> None:
    with served(World(seed=7, accounts=1, vehicles=0, trips=0)) as simulator:
        run = profile_of(simulator, tmp_path)
        ran = run("vehicles")
        assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "", "The account has no cars.\n")
        assert run("status").stderr == "error: the account has no cars\n"
        assert run("alerts", "x").stderr == "error: no car 'x': the account has none\n"
        lines = run("watch", "--events", "1").stdout
        assert "\tAccountEmpty\t" in lines
        assert '"event": "AccountEmpty"' in run("watch", "--events", "1", "--json").stdout


@pytest.mark.usefixtures("terminal")
def test_other_events_stand_above_the_table(tmp_path: Path) -> None:
    with served(World(seed=7, accounts=1, vehicles=0, trips=0)) as simulator:
        assert "AccountEmpty" in profile_of(simulator, tmp_path)("watch", "--events", "1").stdout


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", returns(True))


def test_an_export_says_what_failed(tmp_path: Path) -> None:
    with served(World(seed=7, accounts=1, vehicles=1, trips=5)) as simulator:
        run = profile_of(simulator, tmp_path, Token("wrong", "wrong"))
        ran = run("export", "-o", str(tmp_path / "a.csv"))
        assert ran.exit_code == 3
        assert ran.stderr.startswith("AccountLost: ")
        assert "0 trips written, 0 in " in ran.stdout


def test_alerts_that_ended_have_their_end(tmp_path: Path) -> None:
    with served(World(seed=7, accounts=1, vehicles=1, trips=50)) as simulator:
        ran: Any = profile_of(simulator, tmp_path)("alerts", "--all")
        assert " until " in ran.stdout
