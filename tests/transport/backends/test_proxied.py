"""Requests through proxies over real sockets, on both event loops, with each library."""

import base64
import logging
import sys
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import trustme

from stellantis_hal.errors import ApiError, ConfigurationError, NetworkError
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.hooks import Hooks, RetryRecord
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls
from tests.support.proxies import HttpProxy, SocksProxy, proxying
from tests.support.sockets import mutual, reply, serving, simple, write_certificates

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
ONCE = RetryPolicy(attempts=1)
SECRET = "pa:s@s"
LOGIN = "driver:pa:s%40s"
BASIC = f"Basic {base64.b64encode(f'driver:{SECRET}'.encode()).decode()}"
REFUSED = "HTTP/1.1 {} {}\r\nContent-Length: 0\r\n\r\n"
needs_socks = pytest.mark.skipif(find_spec("socksio") is None, reason="the extra `socks` is not installed")


@pytest.fixture(params=["default", "httpx"], autouse=True)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use aiohttp where it can be used, then httpx alone."""
    if request.param == "httpx":
        monkeypatch.setitem(sys.modules, "stellantis_hal.transport.backends.aiohttp_client", None)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificates(authority, tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(files: Path) -> Tls:
    """Return a client certificate and the authority of the server."""
    return Tls(certificate=(files / "client.pem", files / "client.key"), authorities=files / "ca.pem")


async def ask(url: str, path: str = "/user", **options: Any) -> Response:
    async with Session(Origins(url), retry=options.pop("retry", ONCE), **options) as session:
        return await session.pipeline()(Request(url=url + path))


async def fail(url: str, **options: Any) -> NetworkError:
    """Return the error of a request; no credentials are in it, or in its causes."""
    with pytest.raises(NetworkError) as caught:
        await ask(url, **options)
    text = "".join(traceback.format_exception(caught.value))
    assert SECRET not in text
    assert "s%40s" not in text
    assert BASIC[6:] not in text
    return caught.value


async def test_http_requests_are_forwarded_byte_for_byte() -> None:
    async with serving(reply(b'{"a":1}')) as server, proxying(proxy := HttpProxy(BASIC)) as address:
        response = await ask(server.url, "/%41/trips?t=a%2Fb&a=1&a=2", proxy=f"http://{LOGIN}@{address}")
    assert response.content == b'{"a":1}'
    assert proxy.heads[0].startswith(f"GET {server.url}/%41/trips?t=a%2Fb&a=1&a=2 HTTP/1.1\r\n".encode())
    assert server.heads[0].startswith(b"GET /%41/trips?t=a%2Fb&a=1&a=2 HTTP/1.1\r\n")


async def test_https_goes_through_a_tunnel_with_mutual_tls(authority: trustme.CA, tls: Tls) -> None:
    async with (
        serving(reply(b'{"a":1}'), mutual(authority)) as server,
        proxying(proxy := HttpProxy(BASIC)) as address,
        Session(Origins(server.url), tls=tls, proxy=f"http://{LOGIN}@{address}") as session,
    ):
        responses = [await session.pipeline()(Request(url=server.url + "/user")) for _ in range(3)]
    assert [response.content for response in responses] == [b'{"a":1}'] * 3
    assert [head.split(b" ")[0] for head in proxy.heads] == [b"CONNECT"]  # the tunnel is reused
    assert len(server.heads) == 3
    assert not any(b"proxy-authorization" in head.lower() for head in server.heads)


async def test_a_tunnel_needs_no_credentials(authority: trustme.CA, tls: Tls) -> None:
    async with serving(reply(), mutual(authority)) as server, proxying(proxy := HttpProxy()) as address:
        assert (await ask(server.url, tls=tls, proxy=address)).status == 200
    assert b"proxy-authorization" not in proxy.heads[0].lower()


async def test_the_environment_names_the_proxy(
    authority: trustme.CA, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(reply(), mutual(authority)) as server, proxying(proxy := HttpProxy()) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        assert (await ask(server.url, tls=tls)).status == 200
        assert len(proxy.heads) == 1
        for off in (False, "direct"):
            assert (await ask(server.url, tls=tls, proxy=off)).status == 200
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert (await ask(server.url, tls=tls)).status == 200
        assert len(proxy.heads) == 1


# ------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("login", "words"),
    [("", r"requires a user name and a password \(407.*'http://user:password@127"), ("driver:no@", "did not accept")],
)
async def test_credentials_that_a_proxy_wants_are_asked_for(scheme: str, login: str, words: str) -> None:
    async with serving(reply()) as server, proxying(HttpProxy(BASIC)) as address:
        url = server.url.replace("http", scheme)
        error = await fail(url, proxy=f"http://{login}{address}")
        assert server.heads == []
    with pytest.raises(NetworkError, match=words):
        raise error
    assert f"the proxy http://{login and '***@'}{address} (from proxy=)" in str(error)
    assert (error.sent, error.is_transient) == (False, False)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("status", "phrase", "transient"),
    [(502, "Bad Gateway", True), (403, "Forbidden", False), (429, "Too Many Requests", True)],
)
async def test_a_refused_tunnel_is_told(status: int, phrase: str, transient: bool) -> None:
    async with proxying(HttpProxy(refusal=REFUSED.format(status, phrase).encode())) as address:
        error = await fail("https://localhost:1", proxy=f"http://{LOGIN}@{address}")
    expected = f"the proxy http://***@{address} (from proxy=) did not connect to the server ({status} {phrase})"
    assert expected in str(error)
    assert "NO_PROXY" in str(error)
    assert (error.sent, error.is_transient) == (False, transient)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_named(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying(HttpProxy()) as address:
        pass
    monkeypatch.setenv("all_proxy", f"http://{LOGIN}@{address}")
    error = await fail(f"{scheme}://localhost:1")
    assert f"the proxy http://***@{address} (from all_proxy) could not be reached" in str(error)
    assert "check its host and port" in str(error)
    assert (error.sent, error.is_transient) == (False, True)


@pytest.mark.unmeasured
async def test_errors_past_the_proxy_name_it_too(authority: trustme.CA) -> None:
    async with serving(reply(), simple(authority)) as server, proxying(HttpProxy()) as address:
        error = await fail(server.url, proxy=f"http://{address}")
        assert "not trusted" in str(error)
        assert str(error).endswith(f"(through the proxy http://{address} from proxy=)")
        assert not error.is_transient


async def test_a_tunnel_that_closes_at_once_is_told(authority: trustme.CA) -> None:
    async with proxying(HttpProxy(refusal=b"HTTP/1.1 200 OK\r\n\r\n")) as address:
        error = await fail("https://localhost:1", proxy=f"http://{address}")
    assert "the connection broke before" in str(error)
    assert f"(through the proxy http://{address} from proxy=)" in str(error)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 what"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_breaks_off_is_named(scheme: str, greeting: bytes) -> None:
    """Nothing was sent to the server where there was no tunnel yet."""
    async with proxying(HttpProxy(refusal=greeting)) as address:
        error = await fail(f"{scheme}://localhost:1", proxy=f"http://{address}")
    assert f"the proxy http://{address}" in str(error)
    if greeting == b"":
        assert "Some proxies break off where a user name and a password are missing or wrong" in str(error)
        assert error.is_transient
        assert error.sent == (scheme == "http")


async def test_a_connection_that_breaks_in_the_tunnel_may_be_sent(authority: trustme.CA, tls: Tls) -> None:
    async def serve(head: bytes, stream: Any) -> None:
        await stream.aclose()

    async with serving(serve, mutual(authority)) as server, proxying(HttpProxy()) as address:
        error = await fail(server.url, tls=tls, proxy=f"http://{address}")
    assert error.sent
    assert str(error).endswith(f"(through the proxy http://{address} from proxy=)")


async def test_a_407_of_the_server_stays_its_own(authority: trustme.CA, tls: Tls) -> None:
    served = reply(status="407 Proxy Authentication Required")
    async with serving(served, mutual(authority)) as server, proxying(HttpProxy()) as address:
        with pytest.raises(ApiError) as caught:
            await ask(server.url, tls=tls, proxy=f"http://{address}")
    assert caught.value.status == 407


@pytest.mark.unmeasured
async def test_no_log_line_and_no_hook_has_the_credentials(caplog: pytest.LogCaptureFixture) -> None:
    records: list[RetryRecord] = []
    caplog.set_level(logging.DEBUG)
    async with proxying(HttpProxy(refusal=REFUSED.format(502, "Bad Gateway").encode())) as address:
        hooks = Hooks(on_retry=records.append)
        await fail("https://localhost:1", proxy=f"http://{LOGIN}@{address}", retry=RetryPolicy(attempts=2), hooks=hooks)
    assert f"go through the proxy http://***@{address} (from proxy=)" in caplog.text
    for text in (caplog.text, str(records[0]), repr(records[0].error)):
        assert SECRET not in text
        assert "s%40s" not in text
        assert BASIC[6:] not in text


async def test_a_variable_that_is_no_url_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"gopher://{LOGIN}@proxy.test:1")
    with pytest.raises(ConfigurationError, match=r"HTTP_PROXY must be an http, https, socks5") as caught:
        await ask("http://127.0.0.1:1")
    assert SECRET not in str(caught.value)


# ------------------------------------------------------------------------------------------------- TLS, SOCKS


async def test_a_proxy_may_be_reached_by_tls(authority: trustme.CA, tls: Tls) -> None:
    """The same authorities are trusted, and TLS to the server is inside of it."""
    seen: list[bytes] = []

    async def serve(head: bytes, stream: Any) -> None:
        seen.append(head.split(b"\r\n")[0])
        await stream.send(reply(b'{"a":1}'))

    async with serving(serve, simple(authority)) as proxy:
        response = await ask("http://car.test", proxy=proxy.url, tls=tls)
    assert response.content == b'{"a":1}'
    assert seen == [b"GET http://car.test/user HTTP/1.1"]


@pytest.mark.unmeasured
@needs_socks
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks_makes_tunnels_with_mutual_tls(authority: trustme.CA, tls: Tls, scheme: str) -> None:
    proxy = SocksProxy((b"driver", SECRET.encode()))
    async with serving(reply(b'{"a":1}'), mutual(authority)) as server, proxying(proxy) as address:
        response = await ask(server.url, tls=tls, proxy=f"{scheme}://{LOGIN}@{address}")
    assert response.content == b'{"a":1}'
    assert proxy.targets == [("localhost", int(server.url.rpartition(":")[2]))]


@needs_socks
async def test_socks_serves_http_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(reply(status="407 Odd")) as server, proxying(proxy := SocksProxy()) as address:
        monkeypatch.setenv("ALL_PROXY", f"socks5://{address}")
        with pytest.raises(ApiError):
            await ask(server.url)
    assert proxy.targets[0][0] == "127.0.0.1"


@needs_socks
@pytest.mark.parametrize(
    ("proxy", "login", "words", "transient"),
    [
        (SocksProxy((b"driver", b"x")), f"{LOGIN}@", "did not accept the user name", False),
        (SocksProxy((b"driver", b"x")), "", "requires a user name and a password", False),
        (
            SocksProxy(reply=5),
            "",
            "did not connect to the server (Proxy Server could not connect: Connection ",
            True,
        ),
        (
            SocksProxy(greeting=b"HTTP/1.1 400 Bad"),
            "",
            "did not connect to the server (its response is not one of",
            True,
        ),
    ],
)
async def test_refusals_by_socks_are_told(
    proxy: SocksProxy, login: str, words: str, transient: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with proxying(proxy) as address:
        error = await fail("https://localhost:1", proxy=f"socks5://{login}{address}")
    assert words in str(error)
    assert (error.sent, error.is_transient) == (False, transient)
    assert SECRET not in caplog.text
