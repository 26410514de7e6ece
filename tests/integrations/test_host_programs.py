"""The guide for host programs: each of its blocks runs."""

from pathlib import Path
from typing import Any

import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator
from tests.support.examples import python_blocks, run_block
from tests.support.simulated import application_of, token_of, world

GUIDE = Path(__file__).parents[2] / "docs" / "host_programs.md"


@pytest.mark.anyio
async def test_the_blocks_of_the_guide_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The simulator stands in for the vendor's addresses, and its transport for the network."""
    simulator = Simulator(world(trips=5))
    made = stellantis_hal.StellantisClient

    def client(application: stellantis_hal.Application, **options: Any) -> stellantis_hal.StellantisClient:
        if "session" not in options:
            options["transport"] = simulator.transport()
        urls: dict[str, Any] = {"base_url": simulator.url, "identity_url": simulator.identity_url}
        return made(application, clock=simulator.now, **urls, **options)

    monkeypatch.setattr(stellantis_hal, "StellantisClient", client)
    names: dict[str, Any] = {
        "application": application_of(simulator),
        "token": token_of(simulator),
        "transport": simulator.transport(),
        "__name__": "guide",
    }
    blocks = python_blocks(GUIDE)
    assert len(blocks) == GUIDE.read_text().count("```py")
    for line, block in blocks:
        source = block.replace("AsyncClient(proxy=None)", "AsyncClient(transport=transport)")
        await run_block(GUIDE, line, source, names)
    assert "b'unit': b'km'" in capsys.readouterr().out
