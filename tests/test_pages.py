"""The Python examples of the documentation run, page by page, against the simulator."""

import os
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest
from click.testing import CliRunner

import stellantis_hal
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import Simulator, World
from tests.support.examples import HalCredentials, issue, python_blocks, run_block, steps_of

ROOT = Path(__file__).parent.parent
FOLDERS = ("start", "howto")
PAGES = [ROOT / "README.md", *(page for name in FOLDERS for page in sorted((ROOT / "docs" / name).glob("*.md")))]
# Their blocks need more than a client, such as a receiver or the files of a program: each has a test of its own.
TESTED_ELSEWHERE = {
    "commands",
    "dataframes",
    "fastapi",
    "fleet_owners",
    "home_assistant",
    "metrics",
    "monitors",
    "mutual_tls",
    "notifications",
    "processes",
    "recording",
    "session",
    "testing_your_service",
}
PAGES_WITH_STEPS = [page for page in PAGES if page.stem not in TESTED_ELSEWHERE and steps_of(page)]
# Their first block is no program of the simulator: files of an integration, a suite of pytest, real credentials.
NO_PROGRAM_FIRST = {"home_assistant", "testing_your_service", "your_car"}
PROGRAMS = [
    pytest.param((page, line, source), id=f"{page.stem}-{line}")
    for page in PAGES
    if page.stem not in NO_PROGRAM_FIRST
    for number, (line, source) in enumerate(python_blocks(page))
    if number == 0 or (line, source) not in steps_of(page)
]


def run_program(page: Path, line: int, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a whole program as a module of its own, where dataclasses and pydantic look for names."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(compile("\n" * line + source, str(page), "exec", dont_inherit=True), vars(module))


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """Put the simulator in the place of the vendor; the current folder has the tokens of alice and bob."""
    monkeypatch.chdir(tmp_path)
    simulator = Simulator(
        World(seed=7, accounts=2, vehicles=4, trips=200), client_id="my-client-id", client_secret="my-client-secret"
    )
    store = stellantis_hal.FileTokenStore(tmp_path / "tokens")
    for account, key in enumerate(("alice", "bob")):
        anyio.run(store.save, key, issue(simulator, account))
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
    return simulator


@pytest.mark.wall_clock  # the programs make their own event loops; some write files in worker threads
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_the_pages_run_as_they_stand(
    program: tuple[Path, int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first block of each page is a whole program, which runs without an account and without other blocks."""
    monkeypatch.chdir(tmp_path)
    run_program(*program, monkeypatch)
    printed = capsys.readouterr()
    assert printed.out
    assert printed.err == ""


@pytest.mark.wall_clock
@pytest.mark.usefixtures("simulator")
def test_program_of_your_own_car_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = ROOT / "docs" / "start" / "your_car.md"
    [(line, source)] = python_blocks(page)
    run_program(page, line, source, monkeypatch)
    assert "km" in capsys.readouterr().out


def commands_of(page: Path) -> list[str]:
    """Return the commands that a page shows with ``--simulate``, but for those that need a terminal."""
    start = r"(?:^ *(?:\$ |\.venv/bin/)?|`)"  # in a block, or within a sentence
    found = re.findall(rf"{start}(stellantis-hal [^`\n]*--simulate[^`\n]*)", page.read_text("utf-8"), re.MULTILINE)
    found = [command.partition(" ")[2] for command in found]
    return [each for each in found if not each.startswith(("browse", "remote")) or "--json" in each]


@pytest.mark.unmeasured
@pytest.mark.wall_clock
@pytest.mark.parametrize("command", [command for page in PAGES for command in commands_of(page)])
def test_commands_of_the_pages_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"STELLANTIS_HAL_CONFIG": str(tmp_path / "config.toml")}
    ran = CliRunner().invoke(commands, shlex.split(command), env=environment)
    assert ran.exit_code == 0
    assert ran.stdout or os.listdir(tmp_path)


@pytest.mark.anyio
@pytest.mark.wall_clock  # some examples write files in worker threads
@pytest.mark.parametrize("page", PAGES_WITH_STEPS, ids=lambda page: page.stem)
async def test_steps_of_the_page_run(page: Path, simulator: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The simulator replaces the vendor's addresses, and its transport the network; the rest of a page is unchanged."""
    names: dict[str, Any] = {
        "auth": HalCredentials(simulator),
        "entry_url": f"{simulator.url}/user",
        "transport": simulator.transport(),
        "__name__": "page",
    }
    for line, example in steps_of(page):
        await run_block(page, line, example, names)
    assert "Error" not in capsys.readouterr().out


OPENINGS = {"start": ("You get ",), "howto": ("You get ",), "explanation": ("You find ", "After this page ")}


@pytest.mark.parametrize("folder", OPENINGS)
def test_pages_begin_with_what_a_reader_has_at_the_end(folder: str) -> None:
    pages = [page for page in sorted((ROOT / "docs" / folder).glob("*.md")) if page.stem != "index"]
    first = {page.stem: page.read_text("utf-8").split("\n\n")[1] for page in pages}
    assert len(pages) > 2
    assert [stem for stem, paragraph in first.items() if not paragraph.startswith(OPENINGS[folder])] == []
