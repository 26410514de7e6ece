"""Downloads over real sockets, on both event loops, with each backend."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import asyncio

import anyio
import anyio.abc
import pytest

from stellantis_hal.errors import NetworkError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.backends import default
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.session import Session
from tests.support.sockets import reply, serving

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def trickle(request: bytes, stream: anyio.abc.ByteStream) -> None:
    """Send a chunk, and only a little later the rest; ``/endless`` never ends."""
    if b"GET /short" in request:
        await stream.send(reply(b"short"))
        return
    await stream.send(HEAD + b"2\r\nab\r\n")
    if b"GET /broken" in request:
        await stream.aclose()
        return
    await anyio.sleep(1000 if b"GET /endless" in request else 0.6)
    await stream.send(b"1\r\nc\r\n0\r\n\r\n")


async def test_a_download_outlives_the_total_timeout() -> None:
    """The bound on a whole attempt ends at the headers."""
    async with serving(trickle) as server, Session(Origins(server.url), timeouts=Timeouts(total=0.3)) as session:
        async with session.pipeline().stream(Request(url=f"{server.url}/slow"), limit=9) as response:
            assert b"".join([chunk async for chunk in response.chunks]) == b"abc"
        async with session.pipeline().stream(Request(url=f"{server.url}/short"), limit=9) as response:
            assert b"".join([chunk async for chunk in response.chunks]) == b"short"
        assert server.connections == 1


@pytest.mark.parametrize("path", ["/endless", "/broken"])
async def test_silence_and_breaking_off_are_errors(path: str) -> None:
    timeouts = Timeouts(read=0.3, total=5)
    async with (
        serving(trickle) as server,
        Session(Origins(server.url), timeouts=timeouts) as session,
        session.pipeline().stream(Request(url=server.url + path), limit=9) as response,
    ):
        assert await anext(response.chunks) == b"ab"
        with pytest.raises(NetworkError):
            await anext(response.chunks)


@pytest.mark.parametrize("how", ["leave", "cancel"])
async def test_nothing_is_left_of_an_abandoned_download(how: str) -> None:
    async with serving(trickle) as server, Session(Origins(server.url), connections=1) as session:
        pipeline = session.pipeline()
        with anyio.CancelScope() as scope:
            async with pipeline.stream(Request(url=f"{server.url}/endless"), limit=9) as response:
                assert await anext(response.chunks) == b"ab"
                if how == "cancel":
                    scope.deadline = anyio.current_time() + 0.05
                    await anext(response.chunks)
        async with pipeline.stream(Request(url=f"{server.url}/short"), limit=9) as response:
            assert await anext(response.chunks) == b"short"
        assert server.connections == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("prefers_aiohttp", [False, True])
async def test_native_cancellations_leave_no_connection_in_use(
    monkeypatch: pytest.MonkeyPatch, prefers_aiohttp: bool
) -> None:
    """However many come while the response is closed: the next request waits for none that has ended."""
    monkeypatch.setattr(default, "_prefers_aiohttp", lambda _: prefers_aiohttp)
    started = asyncio.Event()
    async with serving(trickle) as server, Session(Origins(server.url), connections=1) as session:
        pipeline = session.pipeline()

        async def download() -> None:
            async with pipeline.stream(Request(url=f"{server.url}/endless"), limit=9) as response:
                async for _ in response.chunks:
                    started.set()

        for cancellations in range(1, 8):
            started.clear()
            task = asyncio.ensure_future(download())
            await started.wait()
            for _ in range(cancellations):
                task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([task])
            with anyio.fail_after(5):
                async with pipeline.stream(Request(url=f"{server.url}/short"), limit=9) as response:
                    assert await anext(response.chunks) == b"short"
