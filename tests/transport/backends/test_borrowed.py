"""Sessions of a host program: borrowed, never closed, with their connections, proxies, TLS and trace configs."""

import asyncio
import ssl
import sys
import threading
from typing import Any

import aiohttp
import anyio
import anyio.abc
import httpx
import pytest
import trustme

from stellantis_hal import Application, HalClient, StellantisClient, Tls
from stellantis_hal.errors import ClosedClientError, ConfigurationError, NetworkError, WrongLoopError
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.backends.aiohttp_client import AiohttpBackend
from stellantis_hal.transport.backends.borrowed import make_borrowed_backend, session_transport
from stellantis_hal.transport.backends.session_detection import connections_of, is_host_session
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from tests.support.sockets import mutual, reply, serving, simple, write_certificates

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])
ONCE = RetryPolicy(attempts=1)
DOCUMENT = reply(b'{"a": 1}', Content_Type="application/hal+json")


def make_session(kind: str, **options: Any) -> Any:
    """Return a session of aiohttp, or a client of httpx."""
    return aiohttp.ClientSession(**options) if kind == "aiohttp" else httpx.AsyncClient(**options)


@pytest.fixture(params=["aiohttp", "httpx"])
def kind(request: pytest.FixtureRequest, anyio_backend_name: str) -> str:
    if anyio_backend_name == "trio" and request.param == "aiohttp":
        pytest.skip("aiohttp runs on asyncio only")
    name: str = request.param
    return name


async def test_a_borrowed_session_stays_open(kind: str) -> None:
    async with serving(DOCUMENT) as server, make_session(kind) as session:
        for _ in range(2):
            async with HalClient(server.url, session=session) as client:
                assert (await client.root())["a"] == 1
        assert not (session.closed if kind == "aiohttp" else session.is_closed)
        assert server.connections == 1  # both clients used the connection of the session


@pytest.mark.unmeasured
async def test_libraries_are_loaded_in_a_thread(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of the program has its own library loaded; that of documents, and httpx, may be new."""
    threads: list[threading.Thread] = []
    monkeypatch.setattr(
        "stellantis_hal.transport.bounded_backend.load_decoders", lambda: threads.append(threading.current_thread())
    )
    async with serving(DOCUMENT) as server, make_session(kind) as session:
        for client in (HalClient(server.url, session=session), HalClient(server.url)):
            async with client:
                await client.root()
    assert len(threads) == 2
    assert threading.main_thread() not in threads


async def test_a_closed_session_is_told(kind: str) -> None:
    async with serving(DOCUMENT) as server:
        async with make_session(kind) as session:
            client = HalClient(server.url, session=session)
            await client.root()
        with pytest.raises(ClosedClientError, match="the borrowed session is closed: keep it open"):
            await client.get(server.url)
        with pytest.raises(ClosedClientError, match="the borrowed session is closed: keep it open"):
            await HalClient(server.url, session=session).root()
        await client.aclose()


async def test_a_request_on_a_broken_connection_is_not_repeated(kind: str) -> None:
    """The library retries, by its own policy; the session does not, behind the limiter's back."""
    count = 0

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        nonlocal count
        count += 1
        if count > 1:
            await stream.aclose()
        else:
            await stream.send(DOCUMENT)

    async with (
        serving(serve) as server,
        make_session(kind) as session,
        HalClient(server.url, session=session, retry=ONCE) as client,
    ):
        await client.root()
        with pytest.raises(NetworkError):
            await client.get(server.url)
    assert count == 2


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.unmeasured
async def test_the_tls_settings_of_the_session_count(kind: str, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    trusting = {"connector": aiohttp.TCPConnector(ssl=context)} if kind == "aiohttp" else {"verify": context}
    async with serving(DOCUMENT, simple(authority)) as server:
        async with make_session(kind, **trusting) as session, HalClient(server.url, session=session) as client:
            assert (await client.root())["a"] == 1
        async with make_session(kind) as session, HalClient(server.url, session=session, retry=ONCE) as client:
            with pytest.raises(NetworkError, match="certificate"):
                await client.root()


async def test_the_client_certificate_of_the_session_counts(
    kind: str, authority: trustme.CA, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_certificates(authority, tmp_path)
    context = Tls(
        certificate=(folder / "client.pem", folder / "client.key"), authorities=folder / "ca.pem"
    ).make_context()
    mine = {"connector": aiohttp.TCPConnector(ssl=context)} if kind == "aiohttp" else {"verify": context}
    async with serving(DOCUMENT, mutual(authority)) as server, make_session(kind, **mine) as session:
        async with HalClient(server.url, session=session) as client:
            assert (await client.root())["a"] == 1
        application = Application("id", certificate=(folder / "stranger.pem", folder / "stranger.key"))
        async with StellantisClient(application, base_url=server.url, session=session):
            pass
    assert "the client certificate of the borrowed session counts" in caplog.text


@ON_ASYNCIO
async def test_trace_configs_of_a_session_are_called(anyio_backend: Any) -> None:
    seen: list[str] = []

    async def started(*arguments: Any) -> None:
        seen.append(arguments[2].method)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(started)
    async with (
        serving(DOCUMENT) as server,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
        HalClient(server.url, session=session) as client,
    ):
        await client.root()
    assert seen == ["GET"]


async def test_the_proxy_of_the_session_is_used(kind: str) -> None:
    async with (
        serving(DOCUMENT) as proxy,
        make_session(kind, proxy=proxy.url) as session,
        HalClient("http://api.test/entry", session=session) as client,
    ):
        assert (await client.root())["a"] == 1
    assert proxy.heads[0].startswith(b"GET http://api.test/entry HTTP/1.1")


@ON_ASYNCIO
async def test_the_proxy_of_the_environment_is_the_sessions_choice(
    anyio_backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(DOCUMENT) as proxy, serving(DOCUMENT) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for trust, uses in ((False, 0), (True, 1)):
            async with (
                aiohttp.ClientSession(trust_env=trust) as session,
                HalClient(server.url.replace("127.0.0.1", "localhost"), session=session) as client,
            ):
                await client.root()
            assert len(proxy.heads) == uses


async def test_what_has_no_effect_beside_a_session_is_refused(kind: str) -> None:
    async with make_session(kind) as session:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"proxy": "http://proxy.test:3128"}, "proxy= has no effect on a session"),
            ({"proxy": False}, "proxy= has no effect on a session"),
            ({"tls": Tls()}, "tls= has no effect on a session"),
            ({"transport": httpx.AsyncHTTPTransport()}, "session= and transport= both"),
        ]
        for options, words in cases:
            with pytest.raises(ValueError, match=words):
                HalClient("http://api.test", session=session, **options)
            with pytest.raises(ValueError, match=words):
                StellantisClient(Application("id"), session=session, **options)


@pytest.mark.parametrize("value", [object(), "session", httpx.Client(), httpx.AsyncHTTPTransport()])
async def test_what_is_no_session_is_refused(value: Any) -> None:
    with pytest.raises(
        TypeError, match=r"must be an aiohttp.ClientSession or an httpx.AsyncClient, not \w+; a transport"
    ):
        HalClient("http://api.test", session=value)


@ON_ASYNCIO
async def test_a_session_bounds_the_requests_under_way(anyio_backend: Any) -> None:
    """As many requests are under way as the session has connections, so that none waits in its pool."""
    for connector, allowed in (
        (aiohttp.TCPConnector(limit=7), 7),
        (aiohttp.TCPConnector(limit=7, limit_per_host=3), 3),
        (aiohttp.TCPConnector(limit=0), None),
    ):
        async with aiohttp.ClientSession(connector=connector) as session:
            assert connections_of(session) == allowed
            assert Session(Origins("http://api.test"), host_session=session).connections == (allowed or 100)
    assert connections_of(session) is None  # a closed session has no connector
    async with httpx.AsyncClient() as client:
        assert connections_of(client) is None
        assert Session(Origins("http://api.test"), host_session=client).connections == 100


def test_an_aiohttp_session_needs_asyncio() -> None:
    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    async def use() -> None:
        with pytest.raises(ConfigurationError) as caught:
            await HalClient("http://api.test", session=session).root()
        assert str(caught.value) == "an aiohttp.ClientSession needs asyncio: on trio, pass an httpx.AsyncClient"

    loop = asyncio.new_event_loop()
    session = loop.run_until_complete(opened())
    try:
        anyio.run(use, backend="trio")
    finally:
        loop.run_until_complete(session.close())
        loop.close()


def test_an_aiohttp_session_of_another_loop_is_refused() -> None:
    """It would look like an outage, at the first request."""

    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    async def use() -> None:
        with pytest.raises(WrongLoopError, match="the borrowed session was made in another event loop"):
            await HalClient("http://api.test", session=session).root()

    loop = asyncio.new_event_loop()
    session = loop.run_until_complete(opened())
    try:
        asyncio.run(use())
    finally:
        loop.run_until_complete(session.close())
        loop.close()


SECONDS = {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0, "total": 9.0}


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientTimeout]:
    """Return the bounds of each request that aiohttp is asked to send; none is sent."""
    found: list[aiohttp.ClientTimeout] = []

    async def refuse(self: aiohttp.ClientSession, method: str, url: Any, **options: Any) -> None:
        found.append(options.get("timeout", self.timeout))
        raise aiohttp.ClientConnectionError

    monkeypatch.setattr(aiohttp.ClientSession, "request", refuse)
    return found


@ON_ASYNCIO
@pytest.mark.parametrize("is_borrowed", [True, False])
async def test_a_download_has_no_bound_of_the_whole(*, is_borrowed: bool, bounds: list[aiohttp.ClientTimeout]) -> None:
    """A connector that others use too may be full for a while; one of the library's own is never full."""
    async with aiohttp.ClientSession() as session:
        backend = (
            make_borrowed_backend(session, timeouts=SECONDS)
            if is_borrowed
            else AiohttpBackend(ssl.create_default_context(), timeouts=SECONDS)
        )
        for is_download in (True, False):
            with pytest.raises(httpx.HTTPError):
                await backend.open("GET", "http://api.test/", {}, None, is_download=is_download)
        await backend.aclose()
    connect = 5.0 if is_borrowed else 1.0
    assert [(each.total, each.connect, each.sock_read) for each in bounds] == [
        (None, connect, 2.0),
        (9.0, connect, 2.0),
    ]


@ON_ASYNCIO
async def test_a_session_as_a_transport_has_the_bounds_of_each_request(bounds: list[aiohttp.ClientTimeout]) -> None:
    """A bound that the request does not state is a minute."""
    stated = {"connect": 1.0, "read": 2.0, "write": None, "pool": None}
    async with aiohttp.ClientSession() as session:
        transport = session_transport(session)
        for extensions in ({"timeout": stated}, {}):
            with pytest.raises(httpx.HTTPError):
                await transport.handle_async_request(httpx.Request("GET", "http://api.test/", extensions=extensions))
    assert [(each.connect, each.sock_read) for each in bounds] == [(61.0, 2.0), (120.0, 60.0)]


@ON_ASYNCIO
async def test_a_session_as_a_transport_sends_what_it_is_given() -> None:
    async with serving(reply(b"[1]", X_Odd="é")) as server, aiohttp.ClientSession() as session:
        async with httpx.AsyncClient(transport=session_transport(session)) as client:
            response = await client.post(f"{server.url}/a?b=%2f", content=b"body", headers={"X-One": "1"})
        assert (response.status_code, response.content, response.headers["x-odd"]) == (200, b"[1]", "é")
        (head,) = server.heads
        assert head.startswith(b"POST /a?b=%2f HTTP/1.1\r\n")
        assert b"\r\nx-one: 1\r\n" in head.lower()
        assert not session.closed


async def test_a_client_as_a_transport_sends_by_its_own_transports() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text=str(request.url))

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
        request = httpx.Request("GET", "http://api.test/a")
        response = await session_transport(client).handle_async_request(request)
        assert await response.aread() == b"http://api.test/a"
    assert seen == [request]  # the same object


def test_without_its_library_nothing_is_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("aiohttp", "httpx"):
        monkeypatch.delitem(sys.modules, name)
    assert not is_host_session(object())
