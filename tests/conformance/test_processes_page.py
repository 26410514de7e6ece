"""The page about several processes: each of its blocks runs, with a Redis and a PostgreSQL."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator, World
from tests.conformance.killing import serving
from tests.conformance.redis_server import COREDIS_LEAVES_STREAMS
from tests.support.examples import run_block, steps_of
from tests.support.simulated import token_of

pytestmark = [pytest.mark.wall_clock, pytest.mark.conformance, COREDIS_LEAVES_STREAMS]

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "processes.md"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the task engines know this one only
async def test_the_blocks_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("taskiq", reason="taskiq is not installed: pip install taskiq")
    pytest.importorskip("procrastinate", reason="procrastinate is not installed: pip install procrastinate")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "page", ModuleType("page"))  # taskiq looks for the module of a task
    simulator = Simulator(
        World(seed=7, accounts=2, vehicles=2, trips=20), client_id="my-client-id", client_secret="my-client-secret"
    )
    made = stellantis_hal.StellantisClient

    def client(application: stellantis_hal.Application, **options: Any) -> stellantis_hal.StellantisClient:
        urls: dict[str, Any] = {"base_url": simulator.url, "identity_url": simulator.identity_url}
        return made(application, transport=simulator.transport(), clock=simulator.now, **urls, **options)

    monkeypatch.setattr(stellantis_hal, "StellantisClient", client)
    alice, bob = simulator.world.accounts
    with serving("postgres", tmp_path) as dsn, serving("redis", tmp_path) as server:
        async with stellantis_hal.PostgresTokenStore(dsn) as postgres:
            await postgres.create_schema()
            for store in (stellantis_hal.SQLiteTokenStore(tmp_path / "tokens.db"), postgres):
                await store.save("alice", token_of(simulator, alice))
                await store.save("bob", token_of(simulator, bob))
        vehicle = next(each for each in simulator.world.vehicles if each.account == alice.key)
        names: dict[str, Any] = {
            "dsn": dsn,
            "server": server,
            "vehicle_id": vehicle.id,
            "__name__": "page",
        }
        for line, block in steps_of(PAGE):
            await run_block(PAGE, line, block, names)
    printed = capsys.readouterr().out
    assert "1 updates" in printed
    assert printed.count("Update") >= 3
