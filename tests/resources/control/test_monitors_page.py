"""The page about monitors: each of its blocks runs."""

from pathlib import Path
from typing import Any

import pytest

from stellantis_hal.simulator import Simulator
from tests.support.examples import run_block, steps_of
from tests.support.simulated import account_of, client_of, world

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "monitors.md"


@pytest.mark.anyio
async def test_the_blocks_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        names: dict[str, Any] = {"account": account_of(client, simulator), "__name__": "page"}
        blocks = steps_of(PAGE)
        assert len(blocks) + 1 == PAGE.read_text().count("```py")
        for number, block in blocks:
            await run_block(PAGE, number, block, names)
    printed = capsys.readouterr().out
    assert "(home & (low | !night))\nleft home Running (home & (low | !night))" in printed
    assert "keep    left home  (as wanted)\ncreate  unlocked  (missing)" in printed
    assert simulator.monitors.monitors == ()
