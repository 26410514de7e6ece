"""The page about commands: each of its blocks runs."""

from pathlib import Path
from typing import Any

import httpx
import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator, World
from tests.resources.control.commanded import SEED, Line
from tests.support.examples import run_block, steps_of
from tests.support.simulated import application_of, token_of

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "commands.md"

pytestmark = pytest.mark.anyio


async def test_the_blocks_of_the_page_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The store is in memory, because a jumping clock does not wait for threads."""
    monkeypatch.chdir(tmp_path)
    simulator = Simulator(World(seed=SEED, vehicles=1, trips=3))
    simulator.world.car(simulator.world.vehicles[0]).unlock()
    line = Line(simulator)
    made = stellantis_hal.StellantisClient

    def client(application: stellantis_hal.Application, **options: Any) -> stellantis_hal.StellantisClient:
        urls: dict[str, Any] = {"base_url": simulator.url, "identity_url": simulator.identity_url}
        return made(application, clock=simulator.now, transport=line, **urls, **options)

    class State(stellantis_hal.MemoryState):
        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

        async def aclose(self) -> None:
            """Do nothing."""

    async def lost(request: httpx.Request, line: Line) -> httpx.Response:
        await line.deliver(request)
        raise httpx.ReadError("Connection reset by peer")

    monkeypatch.setattr(stellantis_hal, "StellantisClient", client)
    monkeypatch.setattr(stellantis_hal, "SQLiteState", State)
    names: dict[str, Any] = {
        "application": application_of(simulator),
        "token": token_of(simulator),
        "lose_the_next_answer": lambda: line.faults.append(lost),
        "__name__": "page",
    }
    blocks = steps_of(PAGE)
    assert len(blocks) + 1 == PAGE.read_text().count("```py")
    for number, block in blocks:
        await run_block(PAGE, number, block, names)
    printed = capsys.readouterr().out
    assert "Success 20" in printed
    assert "same_action 20" in printed
    assert len(simulator.remotes.commands) == 3
