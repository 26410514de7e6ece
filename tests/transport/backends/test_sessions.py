"""Behaviours that are the same over sessions of our own and of the program; the guide's table is made of them."""

import gzip
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.abc
import httpx
import pytest
import trustme

from stellantis_hal import HalClient, Timeouts, Tls
from stellantis_hal.errors import ClosedClientError, NetworkError
from stellantis_hal.transport.retry import RetryPolicy
from tests.support.sockets import mutual, reply, serving, write_certificates

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]

GUIDE = Path(__file__).parents[3] / "docs" / "howto" / "session.md"
KINDS = ("own, aiohttp", "own, httpx", "borrowed aiohttp", "borrowed httpx", "transport of httpx")
OWN, BORROWED = KINDS[:2], KINDS[2:4]
DOCUMENT = reply(b'{"a": 1}', Content_Type="application/hal+json")
ONCE = RetryPolicy(attempts=1)
Check = Callable[["Sessions"], Awaitable[None]]
BEHAVIOURS: dict[str, tuple[Check, tuple[str, ...]]] = {}


def behaviour(title: str, kinds: tuple[str, ...] = KINDS) -> Callable[[Check], Check]:
    """Register a behaviour, and the sessions that have it; for the others it has no meaning."""

    def register(check: Check) -> Check:
        BEHAVIOURS[title] = check, kinds
        return check

    return register


class Sessions:
    """Makes clients of one kind; sessions of the program are closed at the end."""

    def __init__(self, kind: str, authority: trustme.CA, folder: Path) -> None:
        self.kind = kind
        self.authority = authority
        self.folder = folder
        self.session: Any = None

    @asynccontextmanager
    async def client(self, url: str, *, tls: Tls | None = None, **options: Any) -> AsyncGenerator[HalClient]:
        """Open a client; its session or transport has what a program would have set on it."""
        options = {"retry": ONCE, **options}
        proxy = options.pop("proxy", None)
        context = None if tls is None else tls.make_context()
        if self.kind.startswith("own"):
            async with HalClient(url, tls=tls, proxy=False if proxy is None else proxy, **options) as client:
                yield client
        elif self.kind == "borrowed aiohttp":
            connector = aiohttp.TCPConnector(ssl=True if context is None else context)
            headers = {"X-Of-The-Session": "1", "Authorization": "Bearer of-the-session"}
            cookies = {"session": "1"}
            async with (
                aiohttp.ClientSession(
                    connector=connector, headers=headers, cookies=cookies, proxy=proxy
                ) as self.session,
                HalClient(url, session=self.session, **options) as client,
            ):
                yield client
        elif self.kind == "borrowed httpx":
            async with (
                httpx.AsyncClient(
                    verify=True if context is None else context,
                    headers={"X-Of-The-Session": "1"},
                    auth=("of", "the-session"),
                    cookies={"session": "1"},
                    proxy=proxy,
                    follow_redirects=True,
                ) as self.session,
                HalClient(url, session=self.session, **options) as client,
            ):
                yield client
        else:
            async with (
                httpx.AsyncHTTPTransport(verify=True if context is None else context, proxy=proxy) as transport,
                HalClient(url, transport=transport, **options) as client,
            ):
                yield client

    @property
    def is_open(self) -> bool:
        """Whether the program's session is open."""
        return not (self.session.closed if self.kind == "borrowed aiohttp" else self.session.is_closed)


# ------------------------------------------------------------------------------------------------- behaviours


@behaviour("cookies are neither kept nor sent")
async def _cookies(sessions: Sessions) -> None:
    async with serving(reply(b"{}", Set_Cookie="a=1; Path=/")) as server, sessions.client(server.url) as client:
        await client.get(server.url)
        await client.get(server.url)
    assert [b"cookie" in head.lower() for head in server.heads] == [False, False]


@behaviour("default headers and credentials of the session are not sent", BORROWED)
async def _defaults(sessions: Sessions) -> None:
    async with serving(DOCUMENT) as server, sessions.client(server.url) as client:
        await client.get(server.url)
    head = server.heads[0].lower()
    assert b"of-the-session" not in head
    assert b"authorization" not in head
    assert b"user-agent: stellantis_hal/" in head


@behaviour("encoded slashes and blanks of a path and a query are sent as they are")
async def _encoded(sessions: Sessions) -> None:
    async with serving(DOCUMENT) as server, sessions.client(server.url) as client:
        await client.get(f"{server.url}/a%2Fb%20c/%C3%A9?x=%2F&y=a+b%20c")
    assert server.heads[0].startswith(b"GET /a%2Fb%20c/%C3%A9?x=%2F&y=a+b%20c HTTP/1.1\r\n")


@behaviour("an empty query (`/p?`) is kept")
async def _empty_query(sessions: Sessions) -> None:
    async with serving(DOCUMENT) as server, sessions.client(server.url) as client:
        await client.get(f"{server.url}/p?")
    assert server.heads[0].startswith(b"GET /p? HTTP/1.1\r\n")


@behaviour("redirects are followed by the library, within its bound")
async def _redirects(sessions: Sessions) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        path = head.split(b" ")[1]
        moved = reply(b"", "302 Found", Location=f"{path.decode()}1")
        await stream.send(DOCUMENT if path == b"/11" else moved)

    async with serving(serve) as server:
        async with sessions.client(server.url) as client:
            assert (await client.get(f"{server.url}/"))["a"] == 1
        async with sessions.client(server.url, max_redirects=1) as client:
            with pytest.raises(NetworkError, match="redirect"):
                await client.get(f"{server.url}/")


@behaviour("a redirect to another origin takes no credentials there, and none leads to an untrusted one")
async def _other_origin(sessions: Sessions) -> None:
    async with serving(DOCUMENT) as other:
        away = reply(b"", "302 Found", Location=f"{other.url}/")
        async with serving(away) as server, sessions.client(server.url) as client:
            with pytest.raises(Exception, match="not trusted"):
                await client.get(server.url)
    assert other.heads == []


@behaviour("a request on a connection that breaks is not sent again behind the limiter's back")
async def _broken(sessions: Sessions) -> None:
    count = 0

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        nonlocal count
        count += 1
        await (stream.aclose() if count > 1 else stream.send(DOCUMENT))

    async with serving(serve) as server, sessions.client(server.url) as client:
        await client.get(server.url)
        with pytest.raises(NetworkError):
            await client.get(server.url)
    assert count == 2


@behaviour("a compressed body is decompressed, up to `max_body`")
async def _compressed(sessions: Sessions) -> None:
    body = gzip.compress(b'{"a": "' + b"x" * 100_000 + b'"}')
    async with serving(reply(body, Content_Encoding="gzip")) as server:
        async with sessions.client(server.url) as client:
            assert len((await client.get(server.url))["a"]) == 100_000
        async with sessions.client(server.url, max_body=1_000) as client:
            with pytest.raises(NetworkError, match="larger than the 1000 bytes"):
                await client.get(server.url)


@behaviour("repeated header fields are kept")
async def _repeated(sessions: Sessions) -> None:
    links = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLink: </1>; rel="a"\r\nLink: </2>; rel="b"\r\n\r\n{}'
    async with serving(links) as server, sessions.client(server.url) as client:
        assert set((await client.get(server.url)).rels) >= {"a", "b"}


@behaviour("bodies are sent in pieces")
async def _pieces(sessions: Sessions) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with serving(DOCUMENT) as server, sessions.client(server.url) as client:
        await client.request("POST", "/", content=pieces(), content_type="text/plain")
    assert b"transfer-encoding: chunked" in server.heads[0].lower()


@behaviour("timeouts are the client's, not the session's")
async def _silence(sessions: Sessions) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        await anyio.sleep_forever()

    async with serving(serve) as server, sessions.client(server.url, timeout=Timeouts(read=0.05)) as client:
        with pytest.raises(NetworkError) as failure:
            await client.get(server.url)
    assert failure.value.sent


@behaviour("a cancelled request leaves its connection to no other")
async def _cancelled(sessions: Sessions) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        if b"/slow" in head:
            await anyio.sleep_forever()
        await stream.send(DOCUMENT)

    async with serving(serve) as server, sessions.client(server.url) as client:
        with anyio.move_on_after(0.05) as scope:
            await client.get(f"{server.url}/slow")
        assert scope.cancelled_caught
        assert (await client.get(server.url))["a"] == 1


@behaviour("a proxy is used: of the session, or `proxy=`")
async def _proxy(sessions: Sessions) -> None:
    async with serving(DOCUMENT) as proxy, sessions.client("http://api.test/", proxy=proxy.url) as client:
        assert (await client.get("http://api.test/entry"))["a"] == 1
    assert proxy.heads[0].startswith(b"GET http://api.test/entry HTTP/1.1")


@behaviour("a client certificate is sent: of the session, or `tls=`")
async def _certificate(sessions: Sessions) -> None:
    folder = write_certificates(sessions.authority, sessions.folder)
    tls = Tls(certificate=(folder / "client.pem", folder / "client.key"), authorities=folder / "ca.pem")
    async with serving(DOCUMENT, mutual(sessions.authority)) as server, sessions.client(server.url, tls=tls) as client:
        assert (await client.get(server.url))["a"] == 1


@behaviour("an untrusted server is refused")
async def _untrusted(sessions: Sessions) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with serving(DOCUMENT, context) as server, sessions.client(server.url) as client:
        with pytest.raises(NetworkError, match="not trusted"):
            await client.get(server.url)


@behaviour("a closed client says so")
async def _closed_client(sessions: Sessions) -> None:
    async with serving(DOCUMENT) as server, sessions.client(server.url) as client:
        await client.get(server.url)
        await client.aclose()
        with pytest.raises(ClosedClientError, match="this client was closed"):
            await client.get(server.url)


@behaviour("closing the client leaves the session open", BORROWED)
async def _stays_open(sessions: Sessions) -> None:
    async with serving(DOCUMENT) as server, sessions.client(server.url) as client:
        await client.get(server.url)
        await client.aclose()
        assert sessions.is_open


@behaviour("a session that its owner closed, also during a request, is told", BORROWED)
async def _closed_session(sessions: Sessions) -> None:
    arrived = anyio.Event()

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        if b"/slow" in head:
            arrived.set()
            await anyio.sleep_forever()
        await stream.send(DOCUMENT)

    async with serving(serve) as server, sessions.client(server.url) as client:
        await client.get(server.url)

        async def ask() -> None:
            with pytest.raises((NetworkError, ClosedClientError)):
                await client.get(f"{server.url}/slow")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await arrived.wait()
            await (sessions.session.close() if sessions.kind == "borrowed aiohttp" else sessions.session.aclose())
        with pytest.raises(ClosedClientError, match="the borrowed session is closed"):
            await client.get(server.url)


@behaviour("bytes that follow a response reach no other request", OWN)
async def _stray_bytes(sessions: Sessions) -> None:
    stray = reply(b'{"a": 2}', Content_Type="application/hal+json")
    async with serving(DOCUMENT + stray) as server, sessions.client(server.url) as client:
        for _ in range(3):
            assert (await client.get(server.url))["a"] == 1


# ------------------------------------------------------------------------------------------------- the suite, the table


# httpcore closes none of its generators where a body is left; trio says so.
@pytest.mark.filterwarnings("ignore:.*httpcore.*was garbage collected before it had been exhausted:ResourceWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("title", BEHAVIOURS)
async def test_sessions_behave_alike(
    title: str, kind: str, anyio_backend_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check, kinds = BEHAVIOURS[title]
    if kind not in kinds or (anyio_backend_name == "trio" and "aiohttp" in kind):
        return  # it has no meaning here, or aiohttp, which runs on asyncio only
    if kind == "own, httpx":
        monkeypatch.setitem(sys.modules, "stellantis_hal.transport.backends.aiohttp_client", None)
    await check(Sessions(kind, trustme.CA(), tmp_path))


def table() -> str:
    """Return the guide's table of behaviours and sessions."""
    lines = [f"| behaviour | {' | '.join(KINDS)} |", f"|---{'|---' * len(KINDS)}|"]
    for title, (_, kinds) in BEHAVIOURS.items():
        lines.append(f"| {title} | {' | '.join('yes' if kind in kinds else NOT[title] for kind in KINDS)} |")
    return "\n".join(lines)


NOT = dict.fromkeys(BEHAVIOURS, "–") | {"bytes that follow a response reach no other request": "no"}
"""What stands in the table for the other sessions."""


def test_the_table_of_the_guide_is_that_of_the_suite() -> None:
    assert table() in GUIDE.read_text("utf-8")
