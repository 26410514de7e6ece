"""The pages for parts of a program: each of their steps runs."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator
from tests.support.examples import run_block, steps_of
from tests.support.simulated import application_of, token_of, world

FOLDER = Path(__file__).parents[2] / "docs" / "howto"

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]  # TLS settings and databases are read in worker threads


@pytest.fixture
def unchanged_logger() -> Iterator[None]:
    """Restore the package's logger at the end."""
    logger = logging.getLogger("stellantis_hal")
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Return the names that a page presumes; the simulator stands in for the vendor's addresses."""
    monkeypatch.chdir(tmp_path)
    simulator = Simulator(world(trips=5))
    made = stellantis_hal.StellantisClient

    def client(application: stellantis_hal.Application, **options: Any) -> stellantis_hal.StellantisClient:
        if "session" not in options:
            options["transport"] = simulator.transport()
        urls: dict[str, Any] = {"base_url": simulator.url, "identity_url": simulator.identity_url}
        return made(application, clock=simulator.now, **urls, **options)

    monkeypatch.setattr(stellantis_hal, "StellantisClient", client)
    return {
        "application": application_of(simulator),
        "token": token_of(simulator),
        "transport": simulator.transport(),
        "__name__": "page",
    }


async def run_steps(stem: str, names: dict[str, Any]) -> None:
    page = FOLDER / f"{stem}.md"
    for line, block in steps_of(page):
        source = block.replace("httpx.AsyncClient()", "httpx.AsyncClient(transport=transport)")
        await run_block(page, line, source, names)


@pytest.mark.parametrize("stem", ["fastapi", "mutual_tls", "session"])
async def test_steps_of_the_page_run(stem: str, names: dict[str, Any]) -> None:
    assert steps_of(FOLDER / f"{stem}.md")
    await run_steps(stem, names)


async def test_tables_of_the_page_have_units(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    await run_steps("dataframes", names)
    assert "b'unit': b'km'" in capsys.readouterr().out


@pytest.mark.unmeasured
@pytest.mark.usefixtures("unchanged_logger")
async def test_figures_of_the_page_reach_their_programs(
    names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await run_steps("metrics", names)
    printed, logged = capsys.readouterr()
    assert re.search(
        r'^stellantis_responses_total\{route="/connectedcar/v4/user",status="200"\} 1\.0$', printed, re.MULTILINE
    )
    assert re.search(r'^stellantis_quota_left\{window="day"\} \d+', printed, re.MULTILINE)
    assert "'GET /connectedcar/v4/user'" in printed
    lines = [json.loads(line) for line in logged.splitlines()]
    assert any(line.get("route") == "/connectedcar/v4/user" and line.get("status") == 200 for line in lines)
    assert names["token"].access_token not in logged + printed
