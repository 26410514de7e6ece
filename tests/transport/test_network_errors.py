"""Errors of transports mapped to NetworkError."""

import asyncio
import ssl
import sys
import zlib
from typing import Any

import aiohttp
import anyio
import httpcore
import httpx
import idna
import pytest
import trio
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL as URL_

from stellantis_hal.errors import NetworkError
from stellantis_hal.transport.backends.aiohttp_client import to_httpx_error
from stellantis_hal.transport.network_errors import (
    BrokenTunnelError,
    StaleConnectionError,
    is_foreign,
    to_network_error,
    unreadable_body,
)
from stellantis_hal.transport.proxies import Proxy
from stellantis_hal.transport.retry import RetryPolicy
from tests.transport.doubles import call, get, session

pytestmark = pytest.mark.anyio
URL = "https://api.test/user/vehicles/0123456789abcdef0123?client_id=secret"


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def key() -> Any:
    return ConnectionKey("api.test", 443, True, True, None, None, None)


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def alert() -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
    error.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    return error


UNSENT = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.PoolTimeout("full"),
    httpx.ProxyError("no"),
    httpx.UnsupportedProtocol("ftp"),
    httpx.LocalProtocolError("bad header"),
    httpx.InvalidURL("odd"),
    idna.IDNAError("label too long"),
    UnicodeEncodeError("latin-1", "é", 0, 1, "no"),
    ValueError("a header with a line break"),
    caused(httpx.ConnectError("x"), aiohttp.ClientConnectorError(key(), OSError(111, "refused"))),
    caused(httpx.ConnectTimeout("x"), aiohttp.ConnectionTimeoutError("x")),
    caused(httpx.UnsupportedProtocol("x"), aiohttp.InvalidURL("x")),
]
SENT = [
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.CloseError("reset"),
    httpx.ReadTimeout("late"),
    httpx.WriteTimeout("late"),
    httpx.RemoteProtocolError("garbage"),
    httpx.DecodingError("cut"),
    httpx.StreamConsumed(),
    httpcore.ReadError("reset"),
    httpcore.RemoteProtocolError("garbage"),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientPayloadError("short"),
    anyio.BrokenResourceError(),
    anyio.ClosedResourceError(),
    anyio.EndOfStream(),
    trio.BrokenResourceError(),
    asyncio.IncompleteReadError(b"", 3),
    TimeoutError(),
    ConnectionResetError(104, "reset"),
    OSError(101, "unreachable"),
    EOFError(),
    zlib.error("damaged"),
    ssl.SSLError(1, "odd"),
    RuntimeError("Session is closed"),
    ExceptionGroup("both", [OSError(111, "refused"), OSError(101, "unreachable")]),
    # What the httpx-aiohttp package makes of a connection that broke after sending:
    caused(httpx.ConnectTimeout("x"), aiohttp.ServerDisconnectedError()),
    caused(httpx.ConnectTimeout("x"), aiohttp.ClientOSError(104, "reset")),
]
ALL = [*((error, False) for error in UNSENT), *((error, True) for error in SENT)]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("error", "sent"), ALL, ids=lambda value: type(value).__name__)
async def test_errors_of_transports_become_network_errors(error: Exception, sent: bool) -> None:
    with pytest.raises(NetworkError) as failure:
        await call(error, retry=RetryPolicy(attempts=1))
    assert failure.value.sent is sent
    assert failure.value.__cause__ is error


@pytest.mark.parametrize("error", [TypeError("bug"), KeyError("bug"), ExceptionGroup("x", [TypeError("bug")])])
async def test_a_bug_is_no_network_error(error: Exception) -> None:
    assert not is_foreign(error)
    with pytest.raises(type(error)):
        await call(error)


@pytest.mark.parametrize(
    "error",
    [
        httpx.UnsupportedProtocol("ftp"),
        httpx.InvalidURL("odd"),
        ValueError("line break"),
        RuntimeError("closed"),
        caused(httpx.ConnectError("x"), certificate_error()),
        caused(httpx.ReadError("x"), alert()),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_permanent_errors_are_not_transient(error: Exception) -> None:
    opened, transport = session(error)
    async with opened:
        with pytest.raises(NetworkError):
            await get(opened.pipeline())
    assert len(transport.requests) == 1


def test_a_default_network_error_is_transient() -> None:
    assert NetworkError("timed out").is_transient


def test_an_untrusted_certificate_is_named() -> None:
    error = to_network_error(caused(httpx.ConnectError("x"), certificate_error()), URL)
    assert "self-signed certificate" in str(error)
    assert "CA bundle" in str(error)


def test_an_unexplained_certificate_error_is_named() -> None:
    error = to_network_error(caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("no words")), URL)
    assert "certificate is not trusted (it does not fit). Is this the right host" in str(error)


def test_a_certificate_error_hidden_by_aiohttp_is_found() -> None:
    hidden = aiohttp.ClientConnectorCertificateError(key(), certificate_error())
    error = to_network_error(caused(httpx.ConnectError("x"), hidden), URL)
    assert "self-signed certificate" in str(error)
    assert "CA bundle" in str(error)


def test_an_alert_hidden_by_aiohttp_is_found() -> None:
    hidden = aiohttp.ClientConnectorSSLError(key(), alert())
    assert "refused the TLS handshake" in str(to_network_error(caused(httpx.ConnectError("x"), hidden), URL))


def test_a_network_error_has_the_whole_url() -> None:
    assert to_network_error(httpx.ReadError("reset"), URL).url == URL


def test_an_error_without_a_message_is_named_by_its_class() -> None:
    assert "(ReadError)" in str(to_network_error(httpx.ReadError(""), URL))


def test_a_broken_handshake_may_mean_a_missing_certificate() -> None:
    error = to_network_error(caused(httpx.ConnectError("x"), ConnectionResetError(104, "reset")), URL)
    assert "before anything was sent" in str(error)
    assert "client certificate" in str(error)


def test_a_reason_outside_tls_is_no_alert() -> None:
    assert "go in pairs" not in str(to_network_error(UnicodeEncodeError("latin-1", "é", 0, 1, "ALERT"), URL))


def test_without_aiohttp_a_refused_connection_is_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "aiohttp")
    assert not to_network_error(caused(httpx.ConnectError("x"), OSError(111, "refused")), URL).sent


def test_a_tls_error_without_a_reason_is_no_alert() -> None:
    odd = ssl.SSLError(1, "odd")
    odd.reason = "ODD"
    assert "go in pairs" not in str(to_network_error(caused(httpx.ReadError("x"), odd), URL))


def test_an_unknown_host_has_no_certificate_hint() -> None:
    error = to_network_error(caused(httpx.ConnectError("x"), OSError(111, "refused")), URL)
    assert "could not be reached" in str(error)
    assert "certificate" not in str(error)


def test_a_refused_handshake_explains_client_certificates() -> None:
    text = str(to_network_error(caused(httpx.ReadError("x"), alert()), URL))
    for part in (
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "mutual TLS requires the client certificate",
        "other hosts take none",
    ):
        assert part in text


def test_a_broken_connection_may_mean_a_missing_certificate() -> None:
    broke = "the connection broke before a response arrived (ReadError: reset)"
    assert f"{broke}. A host that requires a client certificate" in str(to_network_error(httpx.ReadError("reset"), URL))
    assert str(to_network_error(httpx.ReadError("reset"), "http://api.test/")).endswith(broke)


def test_a_truncated_response_was_sent() -> None:
    error = to_network_error(httpx.ConnectError("odd"), URL, response_started=True)
    assert error.sent
    assert "broke off" in str(error)


def test_a_chain_of_causes_may_be_a_circle() -> None:
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    assert "OSError" in str(to_network_error(first, URL))


def test_no_message_contains_personal_data() -> None:
    text = str(to_network_error(httpx.ReadError("client_id=secret at VF3CUZZ1234567890"), URL))
    assert "secret" not in text
    assert "VF3CUZZ1234567890" not in text
    assert "0123456789abcdef0123" not in text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (aiohttp.ConnectionTimeoutError(), httpx.ConnectTimeout),
        (aiohttp.ClientConnectorError(key(), OSError(111, "refused")), httpx.ConnectError),
        (aiohttp.ServerTimeoutError(), httpx.ReadTimeout),
        (aiohttp.SocketTimeoutError(), httpx.ReadTimeout),
        (aiohttp.InvalidURL("x"), httpx.UnsupportedProtocol),
        (aiohttp.ServerDisconnectedError(), httpx.ReadError),
        (aiohttp.ClientOSError(32, "broken pipe"), httpx.ReadError),
        (aiohttp.ClientPayloadError("short"), httpx.RemoteProtocolError),
    ],
)
def test_aiohttp_errors_tell_whether_anything_was_sent(error: aiohttp.ClientError, kind: type[Exception]) -> None:
    assert type(to_httpx_error(error)) is kind


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ConnectionTimeoutError("words"),
        aiohttp.ServerTimeoutError("words"),
        aiohttp.ClientConnectionError("words"),
        aiohttp.ClientPayloadError("words"),
    ],
)
def test_aiohttp_messages_are_kept(error: aiohttp.ClientError) -> None:
    assert str(to_httpx_error(error)) == "words"


def test_aiohttp_messages_of_refused_connections_are_kept() -> None:
    assert "refused" in str(to_httpx_error(aiohttp.ClientConnectorError(key(), OSError(111, "refused"))))


def test_an_invalid_url_is_not_repeated() -> None:
    assert (
        str(to_httpx_error(aiohttp.InvalidURL("https://api.test/?client_id=secret")))
        == "not a URL that can be requested"
    )


# ------------------------------------------------------------------------------------------------- proxies


def through(error: Exception, **options: Any) -> NetworkError:
    proxy = Proxy("http", "p.test", 3128, "driver", "word", source="HTTPS_PROXY")
    return to_network_error(error, URL, proxy=proxy, **options)


def test_a_proxy_is_named_beside_any_error() -> None:
    for error in (through(httpx.ReadError("reset")), through(httpx.ConnectError("x"), response_started=True)):
        assert str(error).endswith("(through the proxy http://***@p.test:3128 from HTTPS_PROXY)")
        assert error.sent


@pytest.mark.parametrize(
    ("words", "transient"),
    [("407 x", False), ("403 x", False), ("429 x", True), ("408 x", True), ("502 x", True), ("", True), ("40", True)],
)
def test_refusals_by_a_proxy_are_transient_or_not(words: str, transient: bool) -> None:
    error = through(httpx.ProxyError(words))
    assert (error.sent, error.is_transient) == (False, transient)
    assert ": the proxy http://***@p.test:3128 (from HTTPS_PROXY) did not " in str(error)


def test_a_proxy_out_of_reach_is_told_by_class() -> None:
    error = through(httpx.ConnectTimeout(""))
    assert "the proxy http://***@p.test:3128 (from HTTPS_PROXY) could not be reached (ConnectTimeout)" in str(error)
    assert not error.sent


def test_a_broken_tunnel_is_unsent_with_aiohttp_too() -> None:
    error = through(caused(BrokenTunnelError("gone"), aiohttp.ServerDisconnectedError()))
    assert "broke off before there was a connection to the server (gone). Some proxies break off" in str(error)
    assert (error.sent, error.is_transient) == (False, True)


def test_a_refusal_to_connect_is_an_error_of_the_proxy() -> None:
    info = aiohttp.RequestInfo(URL_(URL), "CONNECT", CIMultiDictProxy(CIMultiDict()), URL_(URL))
    mapped = to_httpx_error(aiohttp.ClientHttpProxyError(info, (), status=502, message="Bad Gateway"))
    assert (type(mapped), str(mapped)) == (httpx.ProxyError, "502 Bad Gateway")


# ------------------------------------------------------------------------------------------- whole messages

MASKED = "https://api.test/user/vehicles/***?client_id=***: "
MAY_REFUSE = ". A host that requires a client certificate may refuse the connection in this way"
MUTUAL_TLS = (
    "A host with mutual TLS requires the client certificate registered for this application; other hosts take none."
)
NAMED = "the proxy http://***@p.test:3128 (from HTTPS_PROXY)"
SILENT = "Some proxies break off where a user name and a password are missing or wrong"
UNREACHED = ": check its host and port; proxy=False connects without it"
NOT_CONNECTED = (
    "Does it allow this host, and can it reach it? proxy=False, or the host in NO_PROXY, connects without it"
)
NOT_ACCEPTED = ": check both; special characters in them must be percent-encoded"


@pytest.mark.parametrize(
    ("error", "started", "message"),
    [
        (httpx.ReadTimeout("late"), False, "no response in time (ReadTimeout: late)"),
        (TimeoutError(), True, "no response in time (TimeoutError)"),
        (httpx.ReadError("re  set\n"), True, "the response broke off (ReadError: re set)"),
        (StaleConnectionError("odd bytes"), False, "the server did not process the request: odd bytes"),
        (httpx.ReadError(""), False, f"the connection broke before a response arrived (ReadError){MAY_REFUSE}"),
        (
            caused(httpx.ConnectError("x"), EOFError()),
            False,
            f"the connection broke before anything was sent (ConnectError: x){MAY_REFUSE}",
        ),
        (httpx.ConnectError("refused"), False, "could not be reached (ConnectError: refused)"),
        (httpx.ConnectError("x" * 300), False, f"could not be reached (ConnectError: {'x' * 200})"),
        (
            caused(httpx.ConnectError("x"), certificate_error()),
            False,
            (
                "the server's certificate is not trusted (self-signed certificate). Is this the right host, and does "
                "the CA bundle given know its issuer?"
            ),
        ),
        (
            caused(httpx.ReadError("x"), alert()),
            False,
            f"the server refused the TLS handshake (TLSV13_ALERT_CERTIFICATE_REQUIRED). {MUTUAL_TLS}",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_happened_is_said_whole(error: Exception, started: bool, message: str) -> None:
    assert str(to_network_error(error, URL, response_started=started)) == MASKED + message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BrokenTunnelError("gone"), f"{NAMED} broke off before there was a connection to the server (gone). {SILENT}"),
        (httpx.ProxyError("502 Bad"), f"{NAMED} did not connect to the server (502 Bad). {NOT_CONNECTED}"),
        (
            httpx.ProxyError("407 Who"),
            f"{NAMED} did not accept the user name and the password (407 Who){NOT_ACCEPTED}",
        ),
        (
            httpx.ProxyError("No acceptable methods"),
            f"{NAMED} did not accept the user name and the password (No acceptable methods){NOT_ACCEPTED}",
        ),
        (httpx.ConnectError("refused"), f"{NAMED} could not be reached (ConnectError: refused){UNREACHED}"),
        (httpx.ConnectTimeout(""), f"{NAMED} could not be reached (ConnectTimeout){UNREACHED}"),
        (
            caused(httpx.ConnectError("x"), EOFError()),
            (
                f"the connection broke before anything was sent (ConnectError: x){MAY_REFUSE} "
                "(through the proxy http://***@p.test:3128 from HTTPS_PROXY)"
            ),
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Exception) else "",
)
def test_what_a_proxy_did_is_said_whole(error: Exception, message: str) -> None:
    assert str(through(error)) == MASKED + message


def test_a_proxy_without_a_user_name_is_told_how_to_give_one() -> None:
    proxy = Proxy("http", "p.test", 3128, None, "", source="HTTPS_PROXY")
    assert str(to_network_error(httpx.ProxyError("407 Who"), URL, proxy=proxy)) == (
        f"{MASKED}the proxy http://p.test:3128 (from HTTPS_PROXY) requires a user name and a password (407 Who): give "
        "them in its URL, as in 'http://user:password@p.test:3128'"
    )


@pytest.mark.parametrize(
    ("words", "transient"),
    [("399 x", True), ("400 x", False), ("425 x", True), ("499 x", False), ("500 x", True), ("4000 x", True)],
)
def test_statuses_of_a_proxy_from_400_to_499_are_for_good(words: str, transient: bool) -> None:
    assert through(httpx.ProxyError(words)).is_transient is transient


def test_a_body_that_cannot_be_read_is_said_whole() -> None:
    for sent in (True, False):
        error = unreadable_body(OSError("y" * 300), URL, sent=sent)
        assert str(error) == (f"{MASKED}the body of the request could not be read to its end: OSError, {'y' * 200}")
        assert (error.url, error.sent, error.is_transient) == (URL, sent, False)
