"""The page about several processes: each of its blocks runs, with a Redis and a PostgreSQL."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator, World
from tests.conformance.killing import serving
from tests.conformance.redis_server import COREDIS_LEAVES_STREAMS
from tests.notifications.bodies import body, monitor_message
from tests.support.examples import run_block, steps_of
from tests.support.simulated import token_of

pytestmark = [pytest.mark.wall_clock, pytest.mark.conformance, COREDIS_LEAVES_STREAMS]

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "processes.md"


async def check_shared_events(dsn: str, make: Callable[[], Any]) -> None:
    """Send an event to two machines, and another one without the token to one: one row is stored."""
    from psycopg import AsyncConnection

    foreign = monitor_message(1, attributes=[{"key": "token", "value": "another"}])
    for content in (body(monitor_message()), body([monitor_message(), foreign])):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(make()), base_url="https://host.test") as client:
            assert (await client.post("/st/k3Jx0v", content=content)).status_code == 200
    async with await AsyncConnection.connect(dsn) as connection:
        [row] = await (await connection.execute("SELECT content FROM notifications")).fetchall()
    assert "monitor" in row[0].lower()


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
        await check_shared_events(
            dsn, lambda: stellantis_hal.Receiver(handle=names["save"], path="/st/k3Jx0v", token="s3cr3t")
        )
    printed = capsys.readouterr().out
    assert "1 updates" in printed
    assert printed.count("Update") >= 3
