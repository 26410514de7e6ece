"""The Python examples of the documentation run, page by page, against the simulator."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import stellantis_hal
from stellantis_hal.cli.commands import commands
from stellantis_hal.simulator import Simulator, World
from tests.support.examples import HalCredentials, issue, python_blocks, run_block

ROOT = Path(__file__).parent.parent
FOLDERS = ("start", "howto")
PAGES = [ROOT / "README.md", *(page for name in FOLDERS for page in sorted((ROOT / "docs" / name).glob("*.md")))]
# Their blocks need more than a client, such as a receiver or the files of a program: each has a test of its own.
TESTED_ELSEWHERE = {
    "commands",
    "fleet_owners",
    "home_assistant",
    "host_programs",
    "monitors",
    "notifications",
    "processes",
    "recording",
    "testing_your_service",
}
PAGES_WITH_EXAMPLES = [page for page in PAGES if page.stem not in TESTED_ELSEWHERE and python_blocks(page)]


def run_program(source: str) -> None:
    """Run a whole program in a process of its own; it has to print something, and nothing to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def commands_of(page: Path) -> list[str]:
    """Return the commands that a page shows with ``--simulate``."""
    found = re.findall(r"^ *(?:\$ |\.venv/bin/)(stellantis-hal .*--simulate.*)$", page.read_text("utf-8"), re.MULTILINE)
    return [command.partition(" ")[2] for command in found]


@pytest.mark.wall_clock
@pytest.mark.parametrize("command", [command for page in PAGES for command in commands_of(page)])
def test_commands_of_the_pages_run(command: str, tmp_path: Path) -> None:
    ran = CliRunner().invoke(
        commands, shlex.split(command), env={"STELLANTIS_HAL_CONFIG": str(tmp_path / "config.toml")}
    )
    assert ran.exit_code == 0
    assert ran.stdout


@pytest.mark.anyio
@pytest.mark.wall_clock  # some examples write files in worker threads
@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES, ids=lambda page: page.stem)
async def test_examples_of_the_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The simulator replaces the vendor's addresses, and its transport the network; the rest of a page is unchanged."""
    monkeypatch.chdir(tmp_path)
    simulator = Simulator(
        World(seed=7, accounts=2, vehicles=4, trips=200), client_id="my-client-id", client_secret="my-client-secret"
    )
    for account, key in enumerate(("alice", "bob")):
        await stellantis_hal.FileTokenStore(tmp_path / "tokens").save(key, issue(simulator, account))
    original = stellantis_hal.StellantisClient

    def connected(application: stellantis_hal.Application, **options: Any) -> stellantis_hal.StellantisClient:
        simulated: dict[str, Any] = {
            "base_url": simulator.url,
            "identity_url": simulator.identity_url,
            "transport": simulator.transport(),
            "clock": simulator.now,
        }
        return original(application, **(simulated | options))

    monkeypatch.setattr(stellantis_hal, "StellantisClient", connected)
    names: dict[str, Any] = {
        "auth": HalCredentials(simulator),
        "entry_url": f"{simulator.url}/user",
        "transport": simulator.transport(),
        "__name__": "page",
    }
    for line, example in python_blocks(page):
        if "asyncio.run(" in example:  # a whole program
            run_program(example)
        else:
            await run_block(page, line, example, names)
    assert "Error" not in capsys.readouterr().out
