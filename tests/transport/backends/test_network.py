"""Backends over real sockets, on both event loops, with each library."""

import gzip
import ssl
import sys
import traceback
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.abc
import httpx
import pytest
import trustme

from stellantis_hal.errors import ConfigurationError, NetworkError, UntrustedOriginError
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.backends.aiohttp_client import AiohttpBackend
from stellantis_hal.transport.backends.default import make_backend
from stellantis_hal.transport.backends.httpx_pool import HttpxPoolBackend
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls
from tests.support.sockets import mutual, reply, serving, simple, write_certificates
from tests.support.transports import ScriptedTransport
from tests.transport.doubles import CONVENTIONS, Badge

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
ONCE = RetryPolicy(attempts=1)
SPANS = {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0, "total": 5.0}
OWN = ["own", "session-httpx", "session-aiohttp"]  # what is sent is what was given, byte for byte
BACKENDS = [*OWN, "httpx", "httpx-aiohttp"]


@asynccontextmanager
async def opened_backend(name: str, loop: str) -> AsyncGenerator[dict[str, Any]]:
    """Yield the options of a backend: the default one, an injected transport, or a session of a program."""
    if loop == "trio":
        name = {"httpx-aiohttp": "httpx", "session-aiohttp": "session-httpx"}.get(name, name)  # asyncio only
    if name == "own":
        yield {}
    elif name == "httpx":
        async with httpx.AsyncHTTPTransport() as transport:
            yield {"transport": transport}
    elif name == "httpx-aiohttp":
        import httpx_aiohttp

        async with httpx_aiohttp.AiohttpTransport() as other:
            yield {"transport": other}
    elif name == "session-httpx":
        async with httpx.AsyncClient(headers={"X-Host": "1"}, cookies={"host": "1"}, auth=("a", "b")) as client:
            yield {"host_session": client}
    else:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(headers={"X-Host": "1"}, cookies={"host": "1"}, cookie_jar=jar) as session:
            yield {"host_session": session}


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest, anyio_backend_name: str) -> AsyncIterator[dict[str, Any]]:
    """Return the options of each backend in turn."""
    async with opened_backend(request.param, anyio_backend_name) as options:
        yield options


@pytest.fixture(params=OWN)
async def own_backend(request: pytest.FixtureRequest, anyio_backend_name: str) -> AsyncIterator[dict[str, Any]]:
    """Return the options of each backend of this library in turn, those over a program's session included."""
    async with opened_backend(request.param, anyio_backend_name) as options:
        yield options


@pytest.fixture
def without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lanes be the way to the network on asyncio, too."""
    monkeypatch.setitem(sys.modules, "stellantis_hal.transport.backends.aiohttp_client", None)


async def ask(url: str, path: str = "/user", **options: Any) -> Response:
    request = Request(url=url + path, **options.pop("request", {}))
    async with Session(Origins(url), **options) as session:
        return await session.pipeline()(request)


@pytest.mark.unmeasured
async def test_a_get_returns_a_response(backend: dict[str, Any]) -> None:
    async with serving(reply(b'{"a":1}', X_One="1")) as server:
        response = await ask(server.url, **backend)
    assert (response.status, response.content, response.headers["x-one"]) == (200, b'{"a":1}', "1")


@pytest.mark.unmeasured
async def test_a_post_carries_its_body(backend: dict[str, Any]) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        await stream.send(reply(head.partition(b"\r\n\r\n")[2], "202 Accepted"))

    async with serving(serve) as server:
        response = await ask(server.url, **backend, request={"method": "POST", "content": b'{"b":2}'})
    assert (response.status, response.content) == (202, b'{"b":2}')
    assert b"content-length: 7" in server.heads[0].lower()


async def test_no_content_type_is_added(own_backend: dict[str, Any]) -> None:
    async with serving(reply()) as server:
        await ask(server.url, **own_backend, request={"method": "POST", "content": b"{}"})
    assert b"content-type" not in server.heads[0].lower()


@pytest.mark.unmeasured
async def test_a_compressed_body_is_decompressed(backend: dict[str, Any]) -> None:
    async with serving(reply(gzip.compress(b'{"c":3}'), Content_Encoding="gzip")) as server:
        assert (await ask(server.url, **backend)).content == b'{"c":3}'
    assert b"accept-encoding: gzip, deflate\r\n" in server.heads[0].lower() + b"\r\n"


@pytest.mark.unmeasured
@pytest.mark.parametrize("query", ["a=1&a=2&t=x%3D%3D", "t=ab==&u=%2F%2f", "p=%2B+%20", "k=%7e~%41", "q='(x)'"])
async def test_a_query_arrives_byte_for_byte(query: str, own_backend: dict[str, Any]) -> None:
    async with serving(reply()) as server:
        await ask(server.url, f"/%41/trips?{query}", **own_backend)
    assert server.heads[0].startswith(f"GET /%41/trips?{query} HTTP/1.1\r\n".encode())


async def test_characters_invalid_in_a_request_line_are_encoded(own_backend: dict[str, Any]) -> None:
    async with serving(reply()) as server:
        await ask(server.url, '/trips?a="|"', **own_backend)
    assert server.heads[0].startswith(b"GET /trips?a=%22|%22 HTTP/1.1\r\n")


@pytest.mark.unmeasured
async def test_cookies_are_not_kept(own_backend: dict[str, Any]) -> None:
    async with serving(reply(Set_Cookie="account=one")) as server:
        to_httpx_error = server.url.replace("127.0.0.1", "localhost")  # a jar may leave out hosts without a name
        async with Session(Origins(to_httpx_error), **own_backend) as session:
            for _ in range(2):
                await session.pipeline()(Request(url=to_httpx_error + "/user"))
    assert b"account=one" not in server.heads[1]


async def test_a_hosts_headers_and_credentials_are_not_sent(own_backend: dict[str, Any]) -> None:
    async with serving(reply()) as server:
        await ask(server.url, **own_backend)
    head = server.heads[0].lower()
    assert not {name for name in (b"x-host", b"cookie", b"authorization") if name in head}
    assert head.count(b"user-agent: stellantis_hal/") == 1


@pytest.mark.unmeasured
async def test_a_redirect_is_left_to_the_pipeline(own_backend: dict[str, Any]) -> None:
    async with serving(reply()) as other, serving(reply(status="302 Found", Location=other.url)) as server:
        with pytest.raises(UntrustedOriginError):
            await ask(server.url, **own_backend)
    assert (len(server.heads), other.heads) == (1, [])


@pytest.mark.unmeasured
async def test_a_connection_is_reused(backend: dict[str, Any]) -> None:
    async with serving(reply()) as server, Session(Origins(server.url), **backend) as session:
        for _ in range(5):
            await session.pipeline()(Request(url=server.url + "/user"))
    assert server.connections == 1


@pytest.mark.unmeasured
async def test_a_refused_connection_is_unsent(backend: dict[str, Any]) -> None:
    async with serving(reply()) as server:
        pass
    with pytest.raises(NetworkError) as failure:
        await ask(server.url, **backend, retry=ONCE)
    assert not failure.value.sent


@pytest.mark.unmeasured
async def test_a_reset_before_the_headers_may_be_sent(backend: dict[str, Any]) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        await stream.aclose()

    async with serving(serve) as server:
        with pytest.raises(NetworkError) as failure:
            await ask(server.url, **backend, retry=ONCE, request={"method": "POST"})
    assert failure.value.sent


@pytest.mark.parametrize(
    "broken", [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b"HTTP/1.1 what\r\n\r\n", b"\x00\x01"]
)
async def test_a_truncated_or_invalid_response_is_sent(backend: dict[str, Any], broken: bytes) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        await stream.send(broken)
        await stream.aclose()

    async with serving(serve) as server:
        with pytest.raises(NetworkError) as failure:
            await ask(server.url, **backend, retry=ONCE)
    assert failure.value.sent
    assert "None" not in str(failure.value)


@pytest.mark.unmeasured
async def test_silence_ends_in_time(backend: dict[str, Any]) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        await anyio.sleep(60)

    async with serving(serve) as server:
        with pytest.raises(NetworkError) as failure:
            await ask(server.url, **backend, retry=ONCE, timeouts=Timeouts(read=0.1))
    assert failure.value.sent


@pytest.mark.unmeasured
async def test_a_body_that_drips_forever_times_out(backend: dict[str, Any]) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            await stream.send(b".")
            await anyio.sleep(0.02)

    async with serving(serve) as server:
        with pytest.raises(NetworkError):
            await ask(server.url, **backend, retry=ONCE, timeouts=Timeouts(total=0.2))


@pytest.mark.unmeasured
async def test_an_invalid_header_is_unsent(backend: dict[str, Any]) -> None:
    async with serving(reply()) as server:
        with pytest.raises(NetworkError) as failure:
            await ask(server.url, **backend, request={"headers": {"X-Odd": "one\r\ntwo"}})
    assert not failure.value.sent
    assert server.heads == []


@pytest.mark.unmeasured
async def test_cancelled_requests_leave_a_working_pool(backend: dict[str, Any]) -> None:
    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        if b"/slow" in head:
            await anyio.sleep(60)
        await stream.send(reply())

    async with (
        serving(serve) as server,
        Session(Origins(server.url), **backend, connections=10, retry=ONCE) as session,
    ):
        pipeline = session.pipeline()
        for _ in range(3):
            with anyio.move_on_after(0.05):
                async with anyio.create_task_group() as group:
                    for _ in range(60):
                        group.start_soon(pipeline, Request(url=server.url + "/slow"))
        for _ in range(20):
            assert (await pipeline(Request(url=server.url + "/quick"))).status == 200


@pytest.mark.unmeasured
async def test_a_strict_window_over_sockets_refuses_no_request() -> None:
    window: list[float] = []
    refused = 0

    async def serve(head: bytes, stream: anyio.abc.ByteStream) -> None:
        nonlocal refused
        await anyio.sleep(0.005)
        now = anyio.current_time()
        if len(window) >= 50 and window[-50] > now - 1.0:
            refused += 1
            await stream.send(reply(status="429 Too Many Requests", Retry_After="1"))
            return
        window.append(now)
        await anyio.sleep(0.005)
        await stream.send(reply(X_RateLimit_Limit_2="50", X_RateLimit_Remaining_2="0"))

    statuses: list[int] = []
    async with serving(serve) as server:
        limiter = TokenBucketLimiter(RateLimits(50, None))
        async with Session(Origins(server.url), limiter=limiter, conventions=CONVENTIONS) as session:

            async def one() -> None:
                statuses.append((await session.pipeline()(Request(url=server.url + "/user"))).status)

            async with anyio.create_task_group() as group:
                for _ in range(80):
                    group.start_soon(one)
    assert refused == 0
    assert statuses == [200] * 80


async def test_aiohttp_is_the_default_on_asyncio(anyio_backend_name: str) -> None:
    backend = make_backend(ssl.create_default_context(), timeouts=SPANS)
    await backend.aclose()
    assert backend.enforces_total == (anyio_backend_name == "asyncio")


def test_aiohttp_gets_the_timeouts() -> None:
    async def main() -> None:
        spans = {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0, "total": 60.0}
        backend = AiohttpBackend(ssl.create_default_context(), timeouts=spans)
        client = backend._client
        assert client.timeout == aiohttp.ClientTimeout(total=60.0, connect=1.0, sock_connect=1.0, sock_read=2.0)
        assert client.connector is not None
        assert client.connector.limit == 0
        await backend.aclose()

    anyio.run(main)


@pytest.mark.usefixtures("without_aiohttp")
async def test_httpx_is_the_default_without_aiohttp() -> None:
    async with serving(reply()) as server:
        assert (await ask(server.url)).status == 200
        assert not make_backend(ssl.create_default_context(), timeouts={}).enforces_total


# ------------------------------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificates(authority, tmp_path_factory.mktemp("tls"))


def test_a_missing_certificate_has_the_systems_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        Tls(certificate=(tmp_path / "no.pem", tmp_path / "no.key")).make_context()


def test_a_key_that_does_not_match_has_openssls_message(files: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\(KEY_VALUES_MISMATCH\).* the key's password"):
        Tls(certificate=(files / "client.pem", files / "stranger.key")).make_context()


def test_an_invalid_path_is_named_by_the_errors_class(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\(ValueError\)"):
        Tls(certificate=(tmp_path / "no\0.pem", tmp_path / "no.key")).make_context()


def test_a_missing_ca_bundle_has_the_systems_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        Tls(authorities=tmp_path / "no.pem").make_context()


async def test_a_given_authority_is_trusted(authority: trustme.CA, files: Path) -> None:
    async with serving(reply(), simple(authority)) as server:
        assert (await ask(server.url, tls=Tls(authorities=files / "ca.pem"))).status == 200


async def test_an_untrusted_server_is_refused(authority: trustme.CA) -> None:
    async with serving(reply(), simple(authority)) as server:
        with pytest.raises(NetworkError, match="not trusted"):
            await ask(server.url)
    assert server.heads == []


async def test_a_server_with_another_name_is_refused(authority: trustme.CA, files: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(context)
    async with serving(reply(), context) as server:
        with pytest.raises(NetworkError, match="right host"):
            await ask(server.url, tls=Tls(authorities=files / "ca.pem"))


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_is_sent(authority: trustme.CA, files: Path, newest: ssl.TLSVersion) -> None:
    tls = Tls(certificate=(files / "client.pem", files / "client.key"), authorities=files / "ca.pem")
    async with serving(reply(), mutual(authority, newest=newest)) as server:
        assert (await ask(server.url, tls=tls)).status == 200


async def test_a_key_may_have_a_password(authority: trustme.CA, files: Path) -> None:
    tls = Tls(certificate=(files / "client.pem", files / "locked.key", "open"), authorities=files / "ca.pem")
    async with serving(reply(), mutual(authority)) as server:
        assert (await ask(server.url, tls=tls)).status == 200


async def test_a_context_is_used_unchanged(authority: trustme.CA, files: Path) -> None:
    context = ssl.create_default_context(cafile=files / "ca.pem")
    context.load_cert_chain(files / "client.pem", files / "client.key")
    async with serving(reply(), mutual(authority)) as server:
        assert (await ask(server.url, tls=Tls(context=context))).status == 200


@pytest.mark.usefixtures("without_aiohttp")
async def test_pooled_connections_use_the_same_tls(authority: trustme.CA, files: Path) -> None:
    tls = Tls(certificate=(files / "client.pem", files / "client.key"), authorities=files / "ca.pem")
    async with serving(reply(), mutual(authority)) as server:
        assert (await ask(server.url, tls=tls)).status == 200


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", [None, "stranger"])
async def test_a_wrong_client_certificate_is_named_as_the_cause(
    authority: trustme.CA, files: Path, newest: ssl.TLSVersion, name: str | None
) -> None:
    certificate = None if name is None else (files / f"{name}.pem", files / f"{name}.key")
    async with serving(reply(), mutual(authority, newest=newest)) as server:
        with pytest.raises(NetworkError, match="client certificate"):
            await ask(server.url, tls=Tls(certificate=certificate, authorities=files / "ca.pem"), retry=ONCE)
    assert server.heads == []


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "certificate",
    [
        ("client.pem", "locked.key"),
        ("client.pem", "locked.key", "wrong"),
        ("client.pem", "stranger.key"),
        ("nowhere.pem", "client.key"),
        ("ca.pem", "ca.pem"),
    ],
)
async def test_an_unusable_certificate_is_a_configuration_error(files: Path, certificate: tuple[str, ...]) -> None:
    cert, key, *password = certificate
    tls = Tls(certificate=(files / cert, files / key, *password))  # type: ignore[arg-type]  # two or three
    with pytest.raises(ConfigurationError, match="client certificate") as failure:
        await ask("https://localhost:1", tls=tls)
    assert str(files) not in str(failure.value)


@pytest.mark.parametrize("name", ["client.key", "nowhere.pem"])
async def test_an_unusable_ca_bundle_is_a_configuration_error(files: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="CA bundle"):
        await ask("https://localhost:1", tls=Tls(authorities=files / name))


async def test_authorities_may_be_a_folder(files: Path) -> None:
    context = Tls(authorities=files / "folder").make_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509_ca"] == 0  # those of a folder are read when they are needed, and no others


async def test_the_certificates_password_is_not_shown(files: Path) -> None:
    assert "secret" not in repr(Tls(certificate=("a", "b", "secret")))


# ------------------------------------------------------------------------------------------------- lanes


@pytest.mark.usefixtures("without_aiohttp")
async def test_connections_are_kept_by_origin() -> None:
    async with serving(reply()) as one, serving(reply()) as other, Session(Origins(one.url, other.url)) as session:
        pipeline = session.pipeline()
        for number in range(3):
            await pipeline(Request(url=one.url))
            await pipeline(Request(url=f"{other.url}/user/{number}"))
    assert (one.connections, other.connections) == (1, 1)


class Body(httpx.AsyncByteStream):
    """A body whose connection cannot be given back."""

    def __init__(self, closing: Exception | None) -> None:
        self.closing = closing

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{}"

    async def aclose(self) -> None:
        if self.closing is not None:
            raise self.closing


async def test_a_response_that_cannot_be_closed_drops_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes: list[ScriptedTransport] = []
    bodies = [Body(httpx.CloseError("no")), Body(None), Body(None)]

    def lane(**options: Any) -> ScriptedTransport:
        lanes.append(ScriptedTransport(lambda request: httpx.Response(200, stream=bodies.pop(0))))
        return lanes[-1]

    monkeypatch.setattr(httpx, "AsyncHTTPTransport", lane)
    backend = HttpxPoolBackend(ssl.create_default_context(), {})
    opened = await backend.open("GET", "http://a.test", {}, None)
    with pytest.raises(httpx.CloseError):
        await opened.aclose()
    assert lanes[0].closed
    for _ in range(2):
        opened = await backend.open("GET", "http://a.test", {}, None)
        await opened.aclose()
        await opened.aclose()
    assert len(lanes) == 2
    await backend.aclose()
    assert lanes[1].closed


@pytest.mark.usefixtures("without_aiohttp")
async def test_a_query_right_after_the_host_shares_connections() -> None:
    async with serving(reply()) as server, Session(Origins(server.url)) as session:
        pipeline = session.pipeline()
        for number in range(5):
            await pipeline(Request(url=f"{server.url}?page={number}&next=/x"))
    assert server.connections == 1


async def test_a_url_that_is_too_long_is_not_sent(backend: dict[str, Any]) -> None:
    async with serving(reply()) as server:
        with pytest.raises(NetworkError, match="too long") as caught:
            await ask(server.url, "/" + "a" * 70_000, **backend)
        assert (await ask(server.url, "/" + "a" * 3_000, **backend)).status == 200
    assert not caught.value.sent
    assert len(str(caught.value)) < 10_000


async def test_a_failure_on_a_reused_connection_is_not_resent() -> None:
    served = 0

    async def answer_once(_: bytes, stream: anyio.abc.ByteStream) -> None:
        nonlocal served
        served += 1
        if served > 1:
            await stream.aclose()
        else:
            await stream.send(reply())

    limiter = TokenBucketLimiter(RateLimits(100, None))
    async with (
        serving(answer_once) as server,
        Session(Origins(server.url), retry=ONCE, limiter=limiter) as session,
    ):
        pipeline = session.pipeline()
        await pipeline(Request(url=server.url, method="PUT"))
        with pytest.raises(NetworkError) as caught:
            await pipeline(Request(url=server.url, method="PUT"))
        assert caught.value.sent
        assert len(server.heads) == limiter.statistics.granted == 2


async def test_closing_a_session_during_a_response_leaves_nothing() -> None:
    gone = anyio.Event()

    async def slowly(_: bytes, stream: anyio.abc.ByteStream) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        await anyio.sleep(0.05)
        await stream.send(b"}")
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            gone.set()
            raise

    async with serving(slowly) as server, anyio.create_task_group() as group:
        backend = HttpxPoolBackend(Tls().make_context(), SPANS)
        opened = await backend.open("GET", server.url, {"host": "127.0.0.1"}, None)
        await backend.aclose()
        group.start_soon(_read_and_close, opened)
        await gone.wait()


async def _read_and_close(opened: Any) -> None:
    async for _ in opened.stream:
        pass
    await opened.aclose()


async def test_no_backend_error_contains_the_client_id() -> None:
    endless = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000 + b"\r\nContent-Length: 2\r\n\r\n{}"
    secret = "-".join("abc")
    async with serving(endless) as server, Session(Origins(server.url), retry=ONCE) as session:
        with pytest.raises(NetworkError) as caught:
            await session.pipeline(credentials=Badge(f"client_id={secret}"))(Request(url=f"{server.url}/a"))
    assert secret not in "".join(traceback.format_exception(caught.value))
