"""Recordings over sessions of a program: aiohttp's and httpx's, borrowed as by ``session=``."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import httpx
import pytest

from stellantis_hal import HalClient, NetworkError, RetryPolicy, StellantisClient, Token
from stellantis_hal.simulator import Simulator
from stellantis_hal.testing import Recorder
from tests.support.simulated import application_of, token_of, world
from tests.support.sockets import reply, serving
from tests.test_blocking import served

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


@pytest.fixture(params=["aiohttp", "httpx"])
async def session(request: pytest.FixtureRequest, anyio_backend_name: str) -> AsyncIterator[Any]:
    if anyio_backend_name == "trio" and request.param == "aiohttp":
        pytest.skip("aiohttp runs on asyncio only")
    async with aiohttp.ClientSession() if request.param == "aiohttp" else httpx.AsyncClient() as session:
        yield session


@pytest.mark.unmeasured
async def test_a_walk_over_a_session_replays(session: Any, tmp_path: Path) -> None:
    simulator = Simulator(world(trips=5))
    recorder = Recorder(clock=simulator.now)

    async def walk(token: Token, **options: Any) -> list[float | None]:
        urls: dict[str, Any] = {"base_url": simulator.url, "identity_url": simulator.identity_url}
        async with StellantisClient(application_of(simulator), **urls, **options) as client:
            vehicle = await client.account(token, brand="peugeot").vehicles().first()
            assert vehicle is not None
            return [trip.distance async for trip in vehicle.trips(page_size=2)]

    with served(simulator):
        simulator.expire_tokens()
        distances = await walk(token_of(simulator), transport=recorder.transport(session))
        await anyio.to_thread.run_sync(recorder.save, tmp_path / "walk.json")
    replay = Recorder.replay(tmp_path / "walk.json")
    assert await walk(Token("any", "any"), transport=replay, clock=replay.now) == distances
    assert replay.unused == ()
    assert not (session.closed if isinstance(session, aiohttp.ClientSession) else session.is_closed)


async def test_requests_are_sent_as_by_the_session(session: Any) -> None:
    """Also bodies of known and unknown length, empty queries and encoded slashes."""
    async with serving(reply(b"{}", Content_Type="application/hal+json", Odd=b"\xff".decode("latin-1"))) as server:
        for transport in (Recorder().transport(session), None):
            options: dict[str, Any] = {"session": session} if transport is None else {"transport": transport}
            async with HalClient(server.url, **options) as client:
                await client.get(f"{server.url}/a%2Fb?")
                await client.request("POST", "/things", json={"a": 1})
                await client.request("PUT", "/things", content=pieces(), content_type="text/plain")
            if transport is not None:
                await transport.aclose()
    recorded, borrowed = server.heads[:3], server.heads[3:]
    assert [head.split(b"\r\n")[0] for head in recorded] == [head.split(b"\r\n")[0] for head in borrowed]
    assert [sorted(head.lower().split(b"\r\n")) for head in recorded] == [
        sorted(head.lower().split(b"\r\n")) for head in borrowed
    ]


async def pieces() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


async def test_a_failure_over_a_session_is_recorded(session: Any, tmp_path: Path) -> None:
    recorder = Recorder()
    async with HalClient(
        "http://127.0.0.1:9/", transport=recorder.transport(session), retry=RetryPolicy(attempts=1)
    ) as client:
        with pytest.raises(NetworkError):
            await client.root()
    await anyio.to_thread.run_sync(recorder.save, tmp_path / "failure.json")
    assert "ConnectError" in await anyio.Path(tmp_path / "failure.json").read_text()


async def test_a_client_without_timeouts_may_use_it(session: Any) -> None:
    async with (
        serving(reply(b"{}")) as server,
        httpx.AsyncClient(transport=Recorder().transport(session), timeout=None) as client,
    ):
        assert (await client.get(server.url)).json() == {}


@pytest.mark.parametrize("inner", ["session", httpx.Client(), object()])
def test_other_values_are_refused(inner: Any) -> None:
    with pytest.raises(TypeError, match=r"around a transport of httpx, an aiohttp\.ClientSession"):
        Recorder().transport(inner)


async def test_a_transport_that_was_not_used_closes(session: Any) -> None:
    await Recorder().transport(session).aclose()
