"""Cassettes of vcrpy: they record and replay clients over each kind of session, with whatever they were not told."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import vcr

from stellantis_hal import StellantisClient, Token
from stellantis_hal.simulator import Simulator
from tests.support.simulated import application_of, token_of, world
from tests.test_blocking import served

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
KINDS = ("own, aiohttp", "own, httpx", "borrowed aiohttp", "borrowed httpx", "transport of httpx")


async def walk(kind: str, simulator: Simulator, token: Token) -> list[float | None]:
    """Return the distances of a vehicle's trips."""
    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"base_url": simulator.url, "identity_url": simulator.identity_url}
        if kind == "borrowed aiohttp":
            options["session"] = await stack.enter_async_context(aiohttp.ClientSession())
        elif kind == "borrowed httpx":
            options["session"] = await stack.enter_async_context(httpx.AsyncClient())
        elif kind == "transport of httpx":
            options["transport"] = await stack.enter_async_context(httpx.AsyncHTTPTransport())
        client = await stack.enter_async_context(
            StellantisClient(application_of(simulator), clock=simulator.now, **options)
        )
        vehicle = await client.account(token, brand="peugeot").vehicles().first()
        assert vehicle is not None
        return [trip.distance async for trip in vehicle.trips(page_size=2)]


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
async def test_a_cassette_replays(
    kind: str, anyio_backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if anyio_backend_name == "trio" and "aiohttp" in kind:
        pytest.skip("aiohttp runs on asyncio only")
    if kind == "own, httpx":
        monkeypatch.setitem(sys.modules, "stellantis_hal.transport.backends.aiohttp_client", None)
    simulator = Simulator(world(trips=5))
    path = tmp_path / "walk.yaml"
    filters = {"filter_headers": ["authorization"], "filter_query_parameters": ["client_id"]}
    token = token_of(simulator)
    with served(simulator), vcr.use_cassette(str(path), record_mode="once", **filters):
        distances = await walk(kind, simulator, token)
    with vcr.use_cassette(str(path), record_mode="none", **filters) as cassette:
        assert await walk(kind, simulator, token) == distances
    assert cassette.all_played
    text = path.read_text()
    assert token.access_token not in text
    assert simulator.client_id not in text
    assert simulator.world.vehicles[0].vin in text  # what the guide warns of
