"""Connections, timeouts, cancellation."""

import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.errors import (
    NetworkError,
)
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from tests.transport.doubles import API, OK, WatchedBody, call, get, session, wall

pytestmark = pytest.mark.anyio


async def test_requests_under_way_are_bounded_by_connections() -> None:
    async def respond(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(1)
        return httpx.Response(200)

    opened, transport = session(respond, connections=3)
    async with opened, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(get, opened.pipeline())
    assert transport.most_running == 3
    assert len(transport.requests) == 10


async def test_waiting_for_a_connection_times_out() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(50)
        return httpx.Response(200)

    opened, transport = session(hang, connections=1, timeouts=Timeouts(pool=5.0), retry=RetryPolicy(attempts=1))
    async with opened, anyio.create_task_group() as group:
        group.start_soon(get, opened.pipeline())
        await anyio.sleep(1)
        with pytest.raises(NetworkError, match="no connection became free") as failure:
            await get(opened.pipeline())
        assert failure.value.url == f"{API}/user"
        assert not failure.value.sent
        group.cancel_scope.cancel()
    assert len(transport.requests) == 1


async def test_an_attempt_with_a_slow_body_times_out() -> None:
    """The total bounds an attempt although bytes keep arriving."""

    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await anyio.sleep(1)
                yield b"."

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Dripping())

    start = anyio.current_time()
    with pytest.raises(NetworkError, match="within 9 s"):
        await call(respond, timeouts=Timeouts(total=9.0), retry=RetryPolicy(attempts=1))
    assert anyio.current_time() == pytest.approx(start + 9.0, abs=0.5)


async def test_an_attempt_that_times_out_was_sent() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(1000)
        return httpx.Response(200)

    with pytest.raises(NetworkError, match="within 5 s") as failure:
        await call(hang, timeouts=Timeouts(total=5.0), retry=RetryPolicy(attempts=1))
    assert (failure.value.url, failure.value.sent) == (f"{API}/user", True)


async def test_the_transport_gets_the_timeouts() -> None:
    opened, transport = session(OK, timeouts=Timeouts(connect=1, read=2, write=3, pool=4, total=5))
    async with opened:
        await get(opened.pipeline())
    spans = transport.requests[0].extensions["timeout"]
    assert [spans[name] for name in ("connect", "read", "write", "pool")] == [1, 2, 3, 4]


async def test_a_cancelled_request_frees_its_connection() -> None:
    """Its response is closed."""
    body = WatchedBody(None)
    opened, transport = session(lambda request: httpx.Response(200, stream=body), OK, connections=1)
    async with opened:
        pipeline = opened.pipeline()
        with anyio.move_on_after(1):
            await get(pipeline)
        assert body.closed
        await get(pipeline)
    assert len(transport.requests) == 2


class SlowConnection(httpx.AsyncBaseTransport):
    """A connection that responds late and closes slowly."""

    def __init__(self, delay: float, closing: float) -> None:
        self.delay = delay
        self.closing = closing
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep(self.delay)
        return httpx.Response(200)

    async def aclose(self) -> None:
        await anyio.sleep(self.closing)
        self.closed = True


def session_over(connection: SlowConnection, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session that opens this connection."""

    def connect(**options: Any) -> SlowConnection:
        return connection

    monkeypatch.setitem(sys.modules, "stellantis_hal.transport.backends.aiohttp_client", None)
    monkeypatch.setattr(httpx, "AsyncHTTPTransport", connect)
    return Session(Origins(API), clock=wall)


@pytest.mark.parametrize(("closing", "is_closed"), [(0.5, True), (1000.0, False)])
async def test_closing_a_cancelled_connection_is_bounded(
    monkeypatch: pytest.MonkeyPatch, closing: float, *, is_closed: bool
) -> None:
    """The connection of a cancelled request gets some seconds to close."""
    connection = SlowConnection(1000.0, closing)
    start = anyio.current_time()
    async with session_over(connection, monkeypatch) as opened:
        with anyio.move_on_after(1):
            await get(opened.pipeline())
    assert connection.closed is is_closed
    assert anyio.current_time() < start + 100


@pytest.mark.parametrize(("closing", "is_closed"), [(0.5, True), (1000.0, False)])
async def test_closing_a_session_is_bounded_when_cancelled(
    monkeypatch: pytest.MonkeyPatch, closing: float, *, is_closed: bool
) -> None:
    """Connections get some seconds to close, even where the task is cancelled."""
    connection = SlowConnection(0.0, closing)
    opened = session_over(connection, monkeypatch)
    await get(opened.pipeline())
    start = anyio.current_time()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await opened.aclose()
    assert connection.closed is is_closed
    assert anyio.current_time() < start + 100
