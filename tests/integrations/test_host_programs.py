"""The guide for host programs: each of its blocks runs."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator
from tests.support.examples import python_blocks, run_block
from tests.support.simulated import application_of, token_of, world

GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "host_programs.md"


@pytest.fixture
def unchanged_logger() -> Iterator[None]:
    """Restore the package's logger at the end."""
    logger = logging.getLogger("stellantis_hal")
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.anyio
@pytest.mark.wall_clock  # a database is read in worker threads
@pytest.mark.usefixtures("unchanged_logger")
async def test_the_blocks_of_the_guide_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The simulator stands in for the vendor's addresses, and its transport for the network."""
    monkeypatch.chdir(tmp_path)
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
    printed, logged = capsys.readouterr()
    assert "b'unit': b'km'" in printed
    assert re.search(
        r'^stellantis_responses_total\{route="/connectedcar/v4/user",status="200"\} 1\.0$', printed, re.MULTILINE
    )
    assert re.search(r'^stellantis_quota_left\{window="day"\} \d+', printed, re.MULTILINE)
    lines = [json.loads(line) for line in logged.splitlines()]
    assert any(line.get("route") == "/connectedcar/v4/user" and line.get("status") == 200 for line in lines)
    assert names["token"].access_token not in logged
    await names["save"]("alice", None)
    assert (await names["store"].keys(), await names["store"].load("alice")) == ((), None)
