"""The page about notifications: each of its blocks runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator
from stellantis_hal.testing import small_world
from tests.support.examples import run_block, steps_of
from tests.support.simulated import application_of, token_of

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "notifications.md"

pytestmark = pytest.mark.anyio


@pytest.mark.long
async def test_the_blocks_of_the_page_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The inbox is in memory, because a jumping clock does not wait for threads."""
    monkeypatch.chdir(tmp_path)
    simulator = Simulator(small_world())
    made = stellantis_hal.StellantisClient

    def client(application: stellantis_hal.Application, **options: Any) -> stellantis_hal.StellantisClient:
        urls: dict[str, Any] = {"base_url": simulator.url, "identity_url": simulator.identity_url}
        return made(application, clock=simulator.now, transport=simulator.transport(), **urls, **options)

    monkeypatch.setattr(stellantis_hal, "StellantisClient", client)

    def inbox(_: str) -> stellantis_hal.MemoryInbox:
        return stellantis_hal.MemoryInbox()

    monkeypatch.setattr(stellantis_hal, "SQLiteInbox", inbox)
    names: dict[str, Any] = {
        "application": application_of(simulator),
        "token": token_of(simulator),
        "simulator": simulator,
        "__name__": "page",
    }
    blocks = steps_of(PAGE)
    assert len(blocks) + 1 == PAGE.read_text().count("```py")
    for number, block in blocks:
        await run_block(PAGE, number, block, names)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("monitor ")
    assert "True True" in printed
    count, distinct = printed[-1].split()
    assert count == distinct
    assert int(count) >= 9
