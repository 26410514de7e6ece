"""Bytes that arrive outside a response: the connection is dropped, and no other request gets them."""

import asyncio
import select
import socket
import ssl
from typing import Any

import aiohttp
import anyio
import anyio.abc
import httpx
import pytest
import trustme

from stellantis_hal.errors import ApiError, NetworkError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.backends.httpx_pool import HttpxPoolBackend, has_trailing_data, has_unread_bytes
from stellantis_hal.transport.backends.stray_bytes_connector import StrayBytesConnector, StrayBytesProtocol
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls
from tests.support.sockets import Server, reply, serving, simple

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock, pytest.mark.both_loops_measured]
ONCE = RetryPolicy(attempts=1)
TWICE = RetryPolicy(attempts=2, initial=0.0)
STRAYS = {
    "response": reply(b'"stray"'),
    "two responses": reply(b'"stray"') * 2,
    "partial head": b"HTT",
    "head": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
    "line end": b"\r\n",
    "garbage": b"\x00",
    "early hints": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "time-out": reply(b"", "408 Request Timeout", Connection="close"),
    "chunked": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n"stray"\r\n0\r\n\r\n',
}
BODIES = ["sized", "chunked", "empty", "hinted"]


@pytest.fixture(params=["aiohttp", "httpx"])
def library(request: pytest.FixtureRequest, anyio_backend_name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run on each library of the package's own connections; on trio, httpx."""
    if request.param == "httpx":
        monkeypatch.setitem(__import__("sys").modules, "stellantis_hal.transport.backends.aiohttp_client", None)
    elif anyio_backend_name == "trio":
        pytest.skip("aiohttp runs on asyncio only")
    return str(request.param)


def response_to(head: bytes, shape: str = "sized") -> bytes:
    """Return a response whose header names the account that asked."""
    account = head.partition(b"account: ")[2].partition(b"\r\n")[0].decode()
    if shape == "sized":
        return reply(b'{"a": 1}', Account=account)
    if shape == "empty":
        return f"HTTP/1.1 204 No Content\r\nAccount: {account}\r\n\r\n".encode()
    hints = "HTTP/1.1 103 Early Hints\r\n\r\n" if shape == "hinted" else ""
    fields = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nAccount: {account}\r\n\r\n"
    return f"{hints}{fields}2\r\n{{}}\r\n0\r\n\r\n".encode()


class Turn:
    """The order of a request: the response is received, then the server strays."""

    def __init__(self) -> None:
        self.received = anyio.Event()
        self.strayed = anyio.Event()


async def ask_in_turn(server: Server, session: Session, *, number: int = 4, turns: list[Turn] | None = None) -> None:
    """Ask for two accounts in turn, each time after the server has strayed, and check whose responses arrive."""
    for account in ("abab" * 3)[:number]:
        response = await session.pipeline()(Request(url=server.url, headers={"Account": account}))
        assert response.headers["account"] == account
        assert b"stray" not in response.content
        if turns is not None:
            turns[-1].received.set()
            await turns[-1].strayed.wait()


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("stray", "shape"), [*((stray, "sized") for stray in STRAYS), *(("partial head", shape) for shape in BODIES[1:])]
)
@pytest.mark.usefixtures("library")
async def test_bytes_in_the_segment_of_a_response_reach_no_other(stray: str, shape: str) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        await stream.send(response_to(head, shape) + STRAYS[stray])

    async with serving(serve) as server, Session(Origins(server.url), retry=ONCE) as session:
        await ask_in_turn(server, session)
    assert server.connections == 4


@pytest.mark.unmeasured
@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.usefixtures("library")
async def test_bytes_on_an_idle_connection_reach_no_request(stray: str) -> None:
    turns = list[Turn]()

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        turns.append(Turn())
        await stream.send(response_to(head))
        await turns[-1].received.wait()
        await stream.send(STRAYS[stray])
        turns[-1].strayed.set()

    async with serving(serve) as server, Session(Origins(server.url), retry=ONCE) as session:
        await ask_in_turn(server, session, turns=turns)
    assert server.connections == 4


@pytest.mark.usefixtures("library")
async def test_bytes_that_arrive_one_by_one_reach_no_request() -> None:
    turns = list[Turn]()

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        turns.append(Turn())
        content = response_to(head, "chunked") + STRAYS["response"]
        try:
            for position in range(len(content)):
                await stream.send(content[position : position + 1])
        finally:  # the client has closed the connection
            turns[-1].strayed.set()

    async with serving(serve) as server, Session(Origins(server.url), retry=ONCE) as session:
        await ask_in_turn(server, session, turns=turns)
    assert server.connections == 4


@pytest.mark.usefixtures("library")
async def test_a_second_tls_record_reaches_no_request() -> None:
    authority, turns = trustme.CA(), list[Turn]()

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        turns.append(Turn())
        await stream.send(response_to(head))
        await stream.send(STRAYS["response"])
        turns[-1].strayed.set()

    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        serving(serve, simple(authority)) as server,
        Session(Origins(server.url), tls=Tls(context=context), retry=ONCE) as session,
    ):
        await ask_in_turn(server, session, turns=turns)
    assert server.connections == 4


@pytest.mark.unmeasured
@pytest.mark.usefixtures("library")
async def test_a_connection_without_stray_bytes_is_used_again() -> None:
    """Responses of each shape, sent whole or byte by byte, leave it clean."""

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        shape = BODIES[len(server.heads) % 4]
        for byte in response_to(head, shape) if len(server.heads) % 3 else b"":
            await stream.send(bytes([byte]))
        if len(server.heads) % 3 == 0:
            await stream.send(response_to(head, shape))

    async with serving(serve) as server, Session(Origins(server.url), retry=ONCE) as session:
        await ask_in_turn(server, session, number=12)
    assert server.connections == 1


@pytest.mark.usefixtures("library")
async def test_a_408_that_crosses_a_request_is_no_response() -> None:
    """On a connection that was idle it means that the server did not see the request: it is sent again."""
    late = list[bytes]()

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        late.append(head)
        await stream.send(STRAYS["time-out"] if len(late) == 2 else response_to(head))
        if len(late) == 2:
            await stream.aclose()

    async with serving(serve) as server, Session(Origins(server.url), retry=TWICE) as session:
        for account in "ab":
            request = Request(url=server.url, method="POST", headers={"Account": account}, content=b"{}")
            response = await session.pipeline()(request)
            assert response.headers["account"] == account
    assert server.connections == 2
    assert len(late) == 3


@pytest.mark.usefixtures("library")
async def test_a_408_that_crosses_the_last_attempt_is_told() -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        await stream.send(STRAYS["time-out"] if len(server.heads) == 2 else response_to(head))

    async with serving(serve) as server, Session(Origins(server.url), retry=ONCE) as session:
        await session.pipeline()(Request(url=server.url))
        with pytest.raises(NetworkError) as caught:
            await session.pipeline()(Request(url=server.url))
    reason = "408 on a connection that was idle"
    assert str(caught.value) == f"{server.url}: the server did not process the request: {reason}"


@pytest.mark.unmeasured
@pytest.mark.usefixtures("library")
async def test_a_408_on_a_new_connection_is_the_response() -> None:
    async with serving(STRAYS["time-out"]) as server, Session(Origins(server.url), retry=ONCE) as session:
        with pytest.raises(ApiError) as caught:
            await session.pipeline()(Request(url=server.url))
    assert caught.value.status == 408


def test_a_server_that_speaks_first_gets_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp: what arrived on a new connection before its request was sent is not taken for its response."""
    connect = aiohttp.TCPConnector.connect
    requests, spoke = list[bytes](), asyncio.Event()

    async def connect_and_wait(connector: Any, *args: Any, **options: Any) -> Any:
        connection = await connect(connector, *args, **options)
        await spoke.wait()
        return connection

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STRAYS["response"])
        await writer.drain()
        spoke.set()
        requests.append(await reader.read(1))
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(speak, "127.0.0.1") as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with Session(Origins(url), retry=ONCE) as session:
                with pytest.raises(NetworkError, match="before it was asked") as caught:
                    await session.pipeline()(Request(url=url))
                assert not caught.value.sent

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect_and_wait)
    anyio.run(main)
    assert requests in ([], [b""])


@pytest.mark.unmeasured
async def test_the_places_of_unread_bytes_exist(anyio_backend_name: str) -> None:
    """httpcore, anyio and trio have no public way to see them: a version that moves them fails here."""
    authority = trustme.CA()
    async with serving(reply(), simple(authority)) as server, serving(reply()) as plain:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        for url in (server.url, plain.url):
            async with httpx.AsyncHTTPTransport(verify=context) as transport:
                response = await transport.handle_async_request(httpx.Request("GET", url))
                await response.aread()
                await response.aclose()
                stream = response.extensions["network_stream"]
                assert not has_trailing_data(transport)
                assert not has_unread_bytes(stream)
                connections: list[Any] = transport._pool.connections
                [connection] = connections
                assert connection._connection._h11_state.trailing_data == (b"", False)
                inner = stream._stream
                if url.startswith("https"):
                    records = inner._read_bio if anyio_backend_name == "asyncio" else inner._incoming
                    assert records.pending == 0
                    assert inner._ssl_object.pending() == 0
                    inner = inner.transport_stream
                if anyio_backend_name == "asyncio":
                    assert not inner._protocol.read_queue


class Wire(asyncio.Transport):
    """One end of a socket pair, as a transport that nothing reads."""

    def __init__(self, *, over_tls: bool = False) -> None:
        super().__init__()
        self.near, self.far = socket.socketpair()
        self.closed = False
        self.extra: dict[str, Any] = {"socket": self.near, "ssl_object": object() if over_tls else None}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.extra.get(name, default)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.near.close()
        self.far.close()


def protocol_on(wire: Wire) -> StrayBytesProtocol:
    protocol = StrayBytesProtocol(asyncio.get_running_loop())
    protocol.connection_made(wire)
    return protocol


@pytest.mark.parametrize("has_poll", [True, False])
def test_a_connection_is_clean_while_nothing_has_arrived(has_poll: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the kernel, which the event loop reads later, nor before the first request."""
    if not has_poll:  # as on Windows
        monkeypatch.delattr(select, "poll")

    async def main() -> None:
        wire = Wire()
        protocol = protocol_on(wire)
        assert protocol.is_clean()
        wire.far.send(b"H")
        assert not protocol.is_clean()
        wire.close()
        early = protocol_on(Wire())
        early.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
        assert not early.is_clean()
        early.close()
        assert not early.is_clean()

    asyncio.run(main())


def test_messages_of_tls_are_no_bytes_of_a_response() -> None:
    """A server sends session tickets after the handshake; the event loop reads them before the connection is judged."""

    async def main() -> None:
        ticket = Wire(over_tls=True)
        ticket.far.send(b"ticket")
        asyncio.get_running_loop().add_reader(ticket.near, ticket.near.recv, 100)
        protocol = protocol_on(ticket)
        assert not protocol.is_clean()
        await protocol.read_tls_messages()
        assert protocol.is_clean()
        asyncio.get_running_loop().remove_reader(ticket.near)

        unread = Wire(over_tls=True)  # bytes that the event loop does not take are stray
        unread.far.send(b"H")
        protocol = protocol_on(unread)
        await protocol.read_tls_messages()
        assert not protocol.is_clean()
        unread.closed = True
        await protocol.read_tls_messages()

        plain = Wire()
        plain.far.send(b"H")
        protocol = protocol_on(plain)
        await protocol.read_tls_messages()
        assert not protocol.is_clean()
        protocol.connection_lost(None)
        await protocol.read_tls_messages()
        for wire in (ticket, unread, plain):
            wire.close()

    asyncio.run(main())


def test_a_connection_is_closed_where_its_wait_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(over_tls=True)

    class Handed:
        """A connection of aiohttp."""

        def __init__(self) -> None:
            self.protocol = protocol_on(wire)

        def close(self) -> None:
            wire.close()

    async def connect(connector: Any, *args: Any) -> Any:
        wire.far.send(b"ticket")
        return Handed()

    async def main() -> None:
        async with StrayBytesConnector() as connector:
            arguments: Any = (None, [], None)
            with anyio.CancelScope() as scope:
                scope.cancel()
                await connector.connect(*arguments)
            assert scope.cancelled_caught
        assert wire.closed

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)
    asyncio.run(main())


def test_an_unclean_connection_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp takes another one, as long as it has some that were used before."""
    handed_out = list[Any]()

    class Handed:
        """A connection of aiohttp."""

        def __init__(self, protocol: StrayBytesProtocol) -> None:
            self.protocol = protocol
            handed_out.append(self)

        def close(self) -> None:
            self.protocol.close()

    async def connect(connector: Any, *args: Any) -> Any:
        wire = Wire()
        protocol = protocol_on(wire)
        protocol.set_response_params()
        if not handed_out:
            wire.far.send(b"stray")
        return Handed(protocol)

    async def main() -> None:
        async with StrayBytesConnector() as connector:
            arguments: Any = (None, [], None)
            connection = await connector.connect(*arguments)
            assert connection is handed_out[1]
            assert not handed_out[0].protocol.is_connected()
            connection.close()

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)
    asyncio.run(main())


def test_a_response_goes_on_after_a_pause() -> None:
    """aiohttp calls its protocol without data where it resumes."""

    async def main() -> None:
        protocol = protocol_on(Wire())
        protocol.set_response_params()
        protocol.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        protocol.data_received(b"")
        protocol.data_received(b"}")
        _, body = await protocol.read()
        assert not protocol.should_close
        assert await body.read() == b"{}"
        protocol.close()

    asyncio.run(main())


async def test_an_idle_connection_with_bytes_is_closed_and_not_used() -> None:
    """Bytes that came into a buffer after the connection was given back, as a second TLS record."""

    class Idle:
        def __init__(self, stray: bool) -> None:
            self.stray = stray
            self.closed = False

        def has_stray_bytes(self) -> bool:
            return self.stray

        async def aclose(self) -> None:
            self.closed = True

    pool = HttpxPoolBackend(Tls().make_context(), {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0})
    good, bad = Idle(stray=False), Idle(stray=True)
    idle: list[Any] = [good, bad]
    found: Any = await pool._idle_connection(idle)
    assert found is good
    assert (bad.closed, good.closed, idle) == (True, False, [])
    assert await pool._idle_connection(idle) is None
