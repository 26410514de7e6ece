"""Calls of the functions of transport whose outcomes stand in ``outcomes.txt``.

``python -m tests.support.outcomes tests.transport.cases`` renews that file.
"""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import asyncio
import gzip
import json
import ssl
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import aiohttp
import anyio
import httpcore
import httpx
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL as YARL

from stellantis_hal.errors import (
    ApiError,
    BodyTooLargeError,
    BudgetExhaustedError,
    ConfigurationError,
    NetworkError,
    RateLimitedError,
    ServerError,
    TooManyRedirectsError,
)
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody, to_source
from stellantis_hal.transport import (
    api_errors,
    base_client,
    credentials,
    decoding,
    echoed_secrets,
    network_errors,
    proxies,
    retry,
    session,
    tls,
)
from stellantis_hal.transport.backends import aiohttp_client
from stellantis_hal.transport.backends.stray_bytes_connector import StrayBytesError, body_length
from stellantis_hal.transport.bounded_backend import OutgoingRequest, Timeouts
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.httpx_auth_runner import send_with_auth
from stellantis_hal.transport.loop_handle import running_loop
from stellantis_hal.transport.retry import RetryPolicy
from tests.support.outcomes import Case, described
from tests.transport.doubles import CONVENTIONS

__all__ = ["CASES", "FILE"]

FILE: Final = Path(__file__).with_name("outcomes.txt")
CASES: Final[dict[str, Case]] = {}
NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTEXT: Final = ssl.create_default_context()
URL: Final = "https://api.test/user/vehicles/0123456789abcdef0123?client_id=secret"

_value: Any  # names of loops below
_proxy: Any
_name: Any
_error: Any
_started: Any
_body: Any


def _add(name: str, case: Case) -> None:
    assert name not in CASES, name
    CASES[name] = case


def _call(name: str, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Add a call of a function."""
    _add(name, lambda _: function(*args, **options))


def _each(label: str, function: Callable[..., Any], values: Iterable[Any]) -> None:
    """Add a call of a function for each value."""
    for index, value in enumerate(values):
        _call(f"{label} {index} {repr(value)[:60]!a}", function, value)


def _told(function: Callable[..., Any], *args: Any, **options: Any) -> str:
    """Return the outcome of one of several calls of a case."""
    try:
        return described(function(*args, **options))
    except Exception as error:  # noqa: BLE001 - told, whatever it is
        return f"! {described(error)}"


# ------------------------------------------------------------------------------------------- proxies

PROXIES: Final = (
    "http://proxy.test:3128",
    "HTTP://Proxy.Test:3128/",
    " proxy.test:3128\n",
    "localhost",
    "http://proxy.test:",
    "http://proxy.test:80",
    "https://proxy.test",
    "https://proxy.test:80",
    "socks5://proxy.test",
    "SOCKS5H://u:p@[::1]:9",
    "http://u:p@a/b?@10.0.0.1:1",
    "http://u:a://b@proxy.test:1",
    "http://u@proxy.test:80",
    "u:%C3%A9%3A@proxy.test",
    "http://@proxy.test",
    "http://:p@proxy.test",
    "http://u::p:@proxy.test",
    "http://u:p@proxy.test//",
    "http://proxy.test:123456",
    "http://proxy.test:١",
    "",
    "://",
    "http://",
    "ftp://u:secret@h:1",
    "http://u:secret@",
    "http://u:secret@h:0",
    "h:secret",
    "http://u:secret@h:1/path",
    "http://u:secret@h?a=1",
    "http://h#a",
    "http://h h:1",
    "http://u:secret@[::1",
    "socks5://u@h:1",
    "socks5://:p@h:1",
    f"socks5://{'u' * 255}:{'p' * 255}@h:1",
    f"socks5://{'u' * 256}:p@h:1",
    f"socks5://u:{'é' * 128}@h:1",
    "u:secret://h",
)
ASKED: Final = ("http://api.test/a", "HTTP://api.test", "https://api.test/a", "httpx:a", "http")


def _proxy_of(text: str) -> list[Any]:
    proxy = proxies.parse_proxy(text, "PROXY")
    answers = [proxy.answers(url) for url in ASKED]
    return [proxy, proxy.url, str(proxy), repr(proxy), proxy.is_socks, proxy.authorization(), answers]


_each("proxy", _proxy_of, PROXIES)
_call("proxy of the option", lambda: [proxies.parse_proxy("p"), proxies.Proxy("http", "p", 1)])

RULES: Final = (
    "",
    ",, \n",
    "*",
    "*:443",
    "*:0",
    "*:65535",
    "*:65536",
    "*:123456",
    "example.com",
    ".example.com",
    "*.example.com",
    "**.example.com",
    "..example.com..",
    "EXAMPLE.com:443",
    "example.com:",
    "example.com:0",
    "example.com:1",
    "example.com:65535",
    "example.com:65536",
    "example.com:000443",
    "example.com:a",
    "a.test, example.com\tb.test",
    "10.0.0.1",
    "10.0.0.0/8",
    "10.1.2.3/8:8080",
    "10.0.0.0/33",
    "10.0.0.1/abc",
    "::1",
    "[::1]:8080",
    "[::1",
    "::1]",
    "[fd00::/8]",
    "[fd00::/8]:80",
    "[fd00::]/8",
    "fd00::/129",
    "[a/8]",
    "::ffff:10.0.0.1",
    "0.0.0.0/0 ::/0",
    "https://a.test",
    "u@a.test",
    "a.test/path",
    ".",
    "é.test",
    "com",
    "10.0.0.1, *:443",
    "*, a.example, b.example:80, 10.0.0.0/8, ::1 [",
)
HOSTS: Final = (
    "https://example.com/a",
    "http://example.com",
    "https://api.example.com.:443/",
    "https://notexample.com",
    "http://example.com:8080",
    "http://example.com:1",
    "https://example.com:65535",
    "http://10.0.0.1",
    "http://10.255.0.1:8080",
    "https://11.0.0.1",
    "http://[::1]:8080/a",
    "https://[::1]",
    "http://[::ffff:10.0.0.1]",
    "http://[fd12::1]",
    "https://exa mple.com",
    "ftp://example.com",
)


def _rules_of(text: str) -> list[Any]:
    rules = proxies.NoProxyHosts(text)
    return [rules, rules.unreadable, "".join("-+"[rules.matches(url)] for url in HOSTS)]


_each("no proxy", _rules_of, RULES)
_call("no proxy without an argument", lambda: [repr(proxies.NoProxyHosts()), proxies.NoProxyHosts().unreadable])

ENVIRONMENTS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"HTTP_PROXY": "a:1"},
    {"http_proxy": "https://a:1"},
    {"HTTPS_PROXY": "socks5://a:1"},
    {"ALL_PROXY": " SOCKS5H://u:p@a:1 "},
    {"HTTP_PROXY": "a:1", "HTTPS_PROXY": " HTTP://b:2", "ALL_PROXY": "c:3"},
    {"HTTP_PROXY": "a:1", "all_proxy": "c:3"},
    {"HTTPS_PROXY": "a:1", "https_proxy": "b:2"},
    {"HTTPS_PROXY": "a:1", "https_proxy": ""},
    {"HTTPS_PROXY": " ", "ALL_PROXY": "c:3"},
    {"HTTP_PROXY": "evil:1", "REQUEST_METHOD": ""},
    {"HTTPS_PROXY": "b:2", "REQUEST_METHOD": "GET"},
    {"http_proxy": "b:2", "REQUEST_METHOD": "GET"},
    {"ALL_PROXY": "c:3", "REQUEST_METHOD": "GET"},
    {"ALL_PROXY": "c:3", "NO_PROXY": "api.test"},
    {"ALL_PROXY": "c:3", "no_proxy": "", "NO_PROXY": "api.test"},
    {"ALL_PROXY": "c:3", "no_proxy": "other.test", "NO_PROXY": "api.test"},
    {"ALL_PROXY": "c:3", "NO_PROXY": "api.test:80"},
    {"ALL_PROXY": "c:3", "NO_PROXY": "api.test:0,.,b.test,é.test"},
    {"ALL_PROXY": "ftp://u:secret@h"},
)


def _settings_of(environment: Mapping[str, str], option: Any = None) -> list[Any]:
    settings = proxies.ProxySettings.of(option, environment)
    urls = ("http://api.test/a", "HTTPS://api.test", "https://api.test:444/?a", "ftp://api.test", "/relative")
    found = [_told(settings.for_url, url) for url in (*urls, *urls)]
    return [settings, settings is proxies.DIRECT, settings.is_used, settings.needs_httpx, found]


_each("proxies of", _settings_of, ENVIRONMENTS)
for _value in (None, True, False, "direct", "DIRECT", "", 5, b"p:1", "p:1", "socks5://p", "https://u:p@p", "ftp://p"):
    _call(f"proxies of the option {_value!r}", _settings_of, {"ALL_PROXY": "e:9", "NO_PROXY": "*"}, _value)


def _without_socks(option: Any) -> Any:
    with patch("stellantis_hal.transport.proxies.find_spec", lambda name: None if name == "socksio" else name):
        return _settings_of({"HTTP_PROXY": "socks5://u:p@p"}, option)


_each("proxies without the extra", _without_socks, (None, "socks5h://u:p@p:1", "http://p"))


def _remembered() -> list[int]:
    settings = proxies.ProxySettings.of("p:1", {})
    with patch("stellantis_hal.transport.proxies.parse_proxy", wraps=proxies.parse_proxy) as parse:
        counts: list[int] = []
        for numbers in (range(63), range(63), range(62, 66), range(60, 66)):
            for number in numbers:
                settings.for_url(f"http://h{number}.test/")
            counts.append(parse.call_count)
    return counts


_call("proxies remembered", _remembered)

# ------------------------------------------------------------------------------------------- errors of the API

VENDOR: Final = {"code": 40499, "message": "No data", "uuid": "u-1", "timestamp": "2023-09-12T09:41:10.911Z"}
BODIES: Final[tuple[Any, ...]] = (
    b"",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"\xff\xfe\x00",
    b"{",
    {},
    VENDOR,
    {**VENDOR, "error": "no_data", "moreInformation": "more"},
    {"code": "495"},
    {"code": " 495 "},
    {"code": "1" * 9},
    {"code": "1" * 10},
    {"code": "x495"},
    {"code": True, "httpCode": "401"},
    {"code": -1, "httpCode": 0},
    {"code": 10**9 - 1},
    {"code": 10**9},
    {"code": 4.5},
    {"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "Token expired"},
    {"error": "invalid_grant", "error_description": "gone"},
    {"error": "invalid_grant"},
    {"error": {"code": "50038", "message": "inner", "error": "deep"}},
    {"error": {"code": 1, "message": "inner"}, "message": "outer", "uuid": "u"},
    {"error": ["a"], "message": ["b"], "uuid": 5, "moreInformation": {}},
    {"message": " ", "error_description": "", "httpMessage": None, "detail": "of detail", "title": "of title"},
    {"title": "of title"},
    {"uuid": " ", "timestamp": "yesterday"},
    {"timestamp": "Mon Jun 03 08:35:36 GMT 2019"},
    {"timestamp": " 2017-08-10T15:46:39+02:00 "},
    {"timestamp": "2017-08-10T13:46:39"},
    {"timestamp": "0001-01-01T00:00:00+0200"},
    {"timestamp": 1694511670},
    b"<html><head><STYLE a='b'>p{}\n</STYLE><title>502</title></head><script>a\n</script><p>nginx<br/>is</p></html>",
    b"<style>never closed \n",
    b"<scripted>said</scripted> <b",
    b"a  <p>\n b\t" + b"x " * 4_500,
    b"y " * 4_095 + b"yzz",
    b"IN THE BOX. ",
    b"x&amp;y \xff",
    {"age": ["bad"], "name": ["long", "odd"]},
    {"type": "https://e.test/p", "title": "Unfit", "detail": "of me@example.org", "errors": [{"pointer": "#/a"}]},
)


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


_each("error body", lambda body: api_errors.parse_error_body(_bytes(body)), BODIES)


def _made(
    status: int,
    body: Any = b"",
    *,
    method: str = "GET",
    asked: Mapping[str, str] | None = None,
    content: Any = None,
    conventions: ApiConventions = CONVENTIONS,
    **fields: str,
) -> Any:
    headers = Headers({name.replace("_", "-"): value for name, value in fields.items()})
    response = Response(url=URL, status=status, headers=headers, content=_bytes(body), received_at=NOON)
    request = Request(url=URL, method=method, headers=asked or {}, content=content)
    return api_errors.make_error(request, response, now=NOON, conventions=conventions)


_each("error of the body", lambda body: _made(422, body), BODIES)
_each("error of the problem", lambda body: _made(422, body, content_type="application/problem+json; a=b"), BODIES)
_each("error of the status", _made, [100, 101, 199, 200, 201, 206, 226, 299, *range(300, 309), *range(399, 430), 451])
_each("error of the status", _made, [499, *range(500, 512), 599, 600])
for _value in (301, 302, 303, 304, 307, 308, 399):
    for _name in ("GET", "HEAD", "POST", "get"):
        _call(
            f"error of the redirect {_value} {_name}",
            lambda status, method: [
                _made(status, method=method),
                _made(status, method=method, location="../x?client_id=s&é#f"),
                _made(status, method=method, asked={"IF-NONE-MATCH": "1"}),
                _made(status, method=method, asked={"If-Modified-Since": "1"}),
                _made(status, method=method, asked={"If-Match": "1"}, location="https://b.test"),
            ],
            _value,
            _name,
        )


async def _after_a_stream(status: int) -> list[Any]:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"

    found: list[Any] = []
    for source in (to_source(pieces(), "content"), b"ab"):
        body = StreamedRequestBody([source])
        found.append(_made(status, method="POST", content=body, location="/x"))
        reader = body.open()
        async for _ in reader:
            pass
        reader.close()
        found += [_made(status, method="POST", content=body, location="/x"), _made(status, content=body)]
    return found


_each("error after a stream", _after_a_stream, (302, 307, 308))
PHRASES: Final = (
    {"message": "NOT registered to PLAN"},
    {"moreInformation": "Invalid client id or secret. token=abc."},
    {"error": "not registered to plan", "error_description": "no"},
    {"message": "registered to plan"},
)
for _value in (401, 403, 500):
    _each(f"error of the application {_value}", lambda body, status=_value: _made(status, body), PHRASES)
_each(
    "error with the fields",
    lambda fields: [_made(status, VENDOR, **fields) for status in (429, 503)],
    (
        {"Retry_After": "90"},
        {"Retry_After": "0.5"},
        {"Retry_After": "name=rate-limit-1,15001"},
        {"Retry_After": "Sun, 01 Mar 2026 12:00:30 GMT"},
        {"Retry_After": "12345678901.25"},
        {"X_Global_Transaction_ID": "t-9", "X_Request_Id": "r-9"},
    ),
)
_each(
    "error of a key",
    lambda asked: [_made(409, asked=asked), _made(410, asked=asked)],
    ({"IDEMPOTENCY-key": "k"}, {"Idempotency-Keys": "k"}, {}),
)
_each(
    "error by the conventions",
    lambda conventions: [
        _made(status, body, conventions=conventions, x_request_id="r-9", x_id="x-9")
        for status in (400, 403, 404, 406)
        for body in (b"", {"error": "temporarily_unavailable", "error_description": "Please wait. "}, {"error": "busy"})
    ],
    (
        ApiConventions(),
        ApiConventions(advice={404: "Look again.", 406: ""}, transient_errors=frozenset({"busy"})),
        ApiConventions(transaction_id_header="X-Id", misconfiguration_phrases=("busy",)),
        ApiConventions(scopes=lambda url: ("a:b", "data:trip") if url == URL else ()),
        ApiConventions(scopes=lambda url: ()),
    ),
)
_call(
    "conventions by default",
    lambda: [ApiConventions(transient_errors=frozenset()), sorted(ApiConventions().transient_errors)],
)

# ------------------------------------------------------------------------------------------- errors of the network


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def _with(error: Exception, **attributes: Any) -> Exception:
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def _key() -> Any:
    return ConnectionKey("api.test", 443, True, True, None, None, None)


def _info() -> RequestInfo:
    headers = CIMultiDictProxy(CIMultiDict[str]())
    return RequestInfo(YARL(URL), "GET", headers, YARL(URL))


def _certificate() -> Exception:
    return _with(ssl.SSLCertVerificationError(1, "verify failed"), verify_message="self-signed certificate")


def _alert() -> Exception:
    return _with(ssl.SSLError(1, "[SSL] alert"), reason="tlsv13_Alert_certificate_required")


def _circle() -> Exception:
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    return first


def _in_context() -> Exception:
    error = httpx.ConnectError("x")
    error.__context__ = ConnectionResetError(104, "reset")
    return error


ERRORS: Final[dict[str, Callable[[], BaseException]]] = {
    "ConnectError": lambda: httpx.ConnectError("refused  by\n peer"),
    "ConnectError, no words": lambda: httpx.ConnectError(""),
    "ConnectError, long": lambda: httpx.ConnectError("w " * 4_500),
    "ConnectError, reset": lambda: _caused(httpx.ConnectError("x"), ConnectionResetError(104, "reset")),
    "ConnectError, reset before": _in_context,
    "ConnectError, end": lambda: _caused(httpx.ConnectError("x"), anyio.EndOfStream()),
    "ConnectError, SSL": lambda: _caused(httpx.ConnectError("x"), _with(ssl.SSLError(1, "odd"), reason="ODD")),
    "ConnectError, refused": lambda: _caused(httpx.ConnectError("x"), OSError(111, "refused")),
    "ConnectError, certificate": lambda: _caused(httpx.ConnectError("x"), _certificate()),
    "ConnectError, certificate without words": lambda: _caused(
        httpx.ConnectError("x"), ssl.SSLCertVerificationError("no words")
    ),
    "ConnectError, hidden certificate": lambda: _caused(
        httpx.ConnectError("x"), aiohttp.ClientConnectorCertificateError(_key(), _certificate())
    ),
    "ConnectError, hidden alert": lambda: _caused(
        httpx.ConnectError("x"),
        aiohttp.ClientConnectorSSLError(_key(), _alert()),
    ),
    "ConnectError, of aiohttp": lambda: _caused(
        httpx.ConnectError("x"), aiohttp.ClientConnectorError(_key(), OSError(111, "refused"))
    ),
    "ConnectTimeout": lambda: httpx.ConnectTimeout("slow"),
    "ConnectTimeout, of aiohttp": lambda: _caused(httpx.ConnectTimeout("x"), aiohttp.ConnectionTimeoutError("x")),
    "ConnectTimeout, broken": lambda: _caused(httpx.ConnectTimeout("x"), aiohttp.ServerDisconnectedError()),
    "PoolTimeout": lambda: httpx.PoolTimeout("full"),
    "ReadTimeout": lambda: httpx.ReadTimeout(""),
    "TimeoutError": TimeoutError,
    "UnsupportedProtocol": lambda: httpx.UnsupportedProtocol("ftp"),
    "UnsupportedProtocol, of aiohttp": lambda: _caused(httpx.UnsupportedProtocol("x"), aiohttp.InvalidURL("x")),
    "LocalProtocolError": lambda: httpx.LocalProtocolError("bad header"),
    "InvalidURL": lambda: httpx.InvalidURL("odd"),
    "ValueError": lambda: ValueError("a header with a line break"),
    "UnicodeEncodeError": lambda: UnicodeEncodeError("latin-1", "é", 0, 1, "ALERT"),
    "ReadError": lambda: httpx.ReadError("reset"),
    "ReadError, alert": lambda: _caused(httpx.ReadError("x"), _alert()),
    "ReadError, secret": lambda: httpx.ReadError("client_id=secret at VF3CUZZ1234567890"),
    "WriteError": lambda: httpx.WriteError("reset"),
    "RemoteProtocolError": lambda: httpx.RemoteProtocolError("garbage"),
    "StreamConsumed": httpx.StreamConsumed,
    "httpcore": lambda: httpcore.ReadError("reset"),
    "aiohttp": aiohttp.ServerDisconnectedError,
    "anyio": anyio.BrokenResourceError,
    "asyncio": lambda: asyncio.IncompleteReadError(b"", 3),
    "OSError": lambda: OSError(101, "unreachable"),
    "circle": _circle,
    "EOFError": EOFError,
    "zlib": lambda: zlib.error("damaged"),
    "RuntimeError": lambda: RuntimeError("Session is closed"),
    "NotImplementedError": lambda: NotImplementedError("of a subclass"),
    "group": lambda: ExceptionGroup("both", [OSError(111, "refused"), OSError(101, "unreachable")]),
    "group, bug": lambda: ExceptionGroup("both", [OSError(111, "refused"), TypeError("bug")]),
    "TypeError": lambda: TypeError("bug"),
    "KeyError": lambda: KeyError("bug"),
    "BrokenTunnelError": lambda: network_errors.BrokenTunnelError("cut"),
    "StaleConnectionError": lambda: network_errors.StaleConnectionError("408 on a connection that was idle"),
    **{
        f"ProxyError {words}": partial(httpx.ProxyError, words)
        for words in (
            "",
            "40",
            "399 x",
            "400 x",
            "403 x",
            "407 x",
            "408 x",
            "425 x",
            "429 x",
            "499 x",
            "500 x",
            "4077",
            "x 407",
            "Username rejected",
            "no Authentication",
            "No Acceptable Methods",
        )
    },
}
WAYS: Final[dict[str, dict[str, Any]]] = {
    "https": {"url": URL},
    "http": {"url": URL.replace("https", "http")},
    "https, started": {"url": URL, "response_started": True},
    "https, proxy": {"url": URL, "proxy": proxies.Proxy("http", "p.test", 3128, "driver", "word", "HTTPS_PROXY")},
    "http, proxy": {"url": URL.replace("https", "http"), "proxy": proxies.Proxy("http", "p.test", 3128)},
    "https, socks, started": {"url": URL, "response_started": True, "proxy": proxies.Proxy("socks5", "p.test", 1080)},
}


for _name, _value in ERRORS.items():
    for _started, _body in WAYS.items():
        _call(
            f"network error {_name}: {_started}",
            lambda make, options: [
                network_errors.is_foreign(error := make()),
                network_errors.to_network_error(error, **options),
                str(error)[:100],  # what is left of its words
            ],
            _value,
            _body,
        )
_each(
    "unreadable body",
    lambda error: [
        network_errors.unreadable_body(error, URL),
        network_errors.unreadable_body(error, URL, sent=False),
    ],
    (ValueError("w" * 300), OSError(5, "input/output of VF3CUZZ1234567890"), KeyError()),
)
AIOHTTP: Final[dict[str, Callable[[], aiohttp.ClientError]]] = {
    "proxy": lambda: aiohttp.ClientHttpProxyError(_info(), (), status=407, message="Who?"),
    "response": lambda: aiohttp.ClientResponseError(_info(), (), status=400, message="bad"),
    "connection timeout": lambda: aiohttp.ConnectionTimeoutError("words"),
    "stray": lambda: StrayBytesError("words"),
    "connector": lambda: aiohttp.ClientConnectorError(_key(), OSError(111, "refused")),
    "server timeout": lambda: aiohttp.ServerTimeoutError("words"),
    "socket timeout": lambda: aiohttp.SocketTimeoutError("words"),
    "invalid URL": lambda: aiohttp.InvalidURL("https://api.test/?client_id=secret"),
    "disconnected": aiohttp.ServerDisconnectedError,
    "connection": lambda: aiohttp.ClientConnectionError("words"),
    "payload": lambda: aiohttp.ClientPayloadError("words"),
}
for _name, _value in AIOHTTP.items():
    _call(
        f"error of aiohttp {_name}",
        lambda make: [
            aiohttp_client.to_httpx_error(make()),
            aiohttp_client.to_httpx_error(make(), in_tunnel=True),
            aiohttp_client.to_httpx_error(make(), in_tunnel=False),
        ],
        _value,
    )

# ------------------------------------------------------------------------------------------- secrets, client ids

FIELDS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"Authorization": "Bearer abcd"},
    {"authorization": "Bearer abc"},
    {"PROXY-AUTHORIZATION": "opaque-key"},
    {"Cookie": "a=1; session=xyz"},
    {"X-Api-Key": " key1 key2 "},
    {"Accept": "secret-looking"},
    {"Authorization": "Basic dXNlcjpwYSUyQnNz"},
    {"Authorization": "BASIC dXNlcjpsb25nZXIrd29yZCUyMQ=="},
    {"Authorization": "Basic !!!!"},
    {"Authorization": "Basic dXNlcg=="},
    {"Authorization": ""},
    {"Authorization": "Basic dXNl!cjpwYXNzd29yZA=="},
    {"Authorization": "Basic dXNlcjr/cGFzcw=="},
    {"Authorization": "Basic dXNlcjphOmxvbmc6b25l"},
    {"Authorization": "Digest abcd efgh"},
)
FORM: Final = (
    b"grant_type=refresh_token&refresh_token=re%20fresh&client_secret=very+secret&code=c0de&token=t&password=p%C3%A4ss"
    b"&assertion=asse&client_assertion=clas&code_verifier=veri&username=someone&code=%FF%FFff&password=\xffabc"
)


def _secrets(fields: Mapping[str, str]) -> list[Any]:
    kinds: tuple[dict[str, str], ...] = (
        {},
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        {"content-TYPE": "application/json"},
    )
    found = [
        echoed_secrets.secrets_of({**fields, **kind}, content)
        for kind in kinds
        for content in (None, FORM, StreamedRequestBody([FORM]))
    ]
    return [([*map(len, secrets)], sorted(secrets)) for secrets in found]  # of one length they come in any order


_each("secrets of", _secrets, FIELDS)
_each(
    "secrets of a form",
    lambda size: echoed_secrets.secrets_of(
        {"content-type": "application/x-www-form-urlencoded"}, b"token=abcdef&x=".ljust(size, b"x")
    ),
    (20, 65_536, 65_537),
)


def _hidden(secrets: tuple[str, ...]) -> list[Any]:
    errors: list[Any] = [
        ApiError("is a.b? x.a.b: yes ab a.bc", status=400, description="a.b or abc", detail="a.b"),
        ConfigurationError("a.b abc", more_information="abc a.b"),
        ApiError("none", status=400),
    ]
    errors[-1].args = ("a.b", 5, None)
    for error in errors:
        echoed_secrets.hide_echoed_secrets(error, secrets)
    return [*map(described, errors), [error.args for error in errors]]


_each("hidden", _hidden, ((), ("a.b",), ("abc", "a.b"), ("x",)))
QUERIES: Final = ("", "client_id=app", "client_id=x=y&c=z", "client_id=app&realm=a.b", "a=1")
URLS: Final = (
    "https://a.test",
    "https://a.test/?",
    "https://a.test/?a=1",
    "https://a.test/?client_id=app",
    "https://a.test/?a=1&client_id=app#f",
    "https://a.test/?client_id=app&b=2",
    "https://a.test/?client_id=app&realm=a.b#client_id=app",
    "https://a.test/?client_id=other&realm=axb",
    "https://a.test/?client_id=app&client_id=app&c",
    "https://a.test/?xclient_id=app&client_id=apps&client_id",
    "https://a.test/#f?a=1",
    "https://a.test/#f",
    "https://a.test/&client_id=app&",
    "https://a.test/?client_id=app&",
    "https://a.test/?client_id=1?b=2",
    "https://a.test/?client_id=a=b&c=d=e",
    "/client_id=app",
)
for _value in QUERIES:
    _each(
        f"client id {_value}",
        lambda url, query=_value: [credentials.add_client_id(url, query), credentials.remove_client_id(url, query)],
        URLS,
    )
_call("client id, none", lambda: [credentials.Anonymous.query, credentials.is_httpx_auth(httpx.BasicAuth("a", "b"))])


def _without_httpx() -> list[bool]:
    with patch.dict("sys.modules"):
        del sys.modules["httpx"]
        return [credentials.is_httpx_auth(httpx.BasicAuth("a", "b")), credentials.is_httpx_auth(None)]


async def _anonymous() -> list[Any]:
    anonymous = credentials.Anonymous()
    response = Response(url=URL, status=401, headers=Headers(), content=b"", received_at=NOON)
    return [await anonymous.headers(), await anonymous.refused(response, {}), anonymous.query]


_call("client id without httpx", _without_httpx)
_call("client id, anonymous", _anonymous)
_call("no client id", lambda: [credentials.is_httpx_auth(each) for each in (None, object(), ("a", "b"))])

# ------------------------------------------------------------------------------------------- bodies of responses

TEXT: Final = b"0123456789" * 20


def _gzip(content: bytes) -> bytes:
    """Compress in blocks that are stored, as every version of zlib does it."""
    return gzip.compress(content, 0, mtime=0)


def _zlib(content: bytes) -> bytes:
    return zlib.compress(content, 0)


ENCODED: Final[dict[str, bytes]] = {
    "": TEXT,
    "identity": TEXT,
    " , Identity ,": TEXT,
    "gzip": _gzip(TEXT),
    "X-GZIP": _gzip(TEXT[:90]) + _gzip(TEXT[90:]),
    "deflate": _zlib(TEXT),
    "identity, deflate": _zlib(TEXT)[2:-4],
    "gzip ": _gzip(TEXT)[:-1],
    " gzip": b"nonsense",
    "gzip,": b"",
    ",gzip": _gzip(b"") * 90,
    "deflate,": _zlib(TEXT) + b"padding",
    "DEFLATE": _zlib(TEXT)[:-1],
    ",deflate": b"\x88nonsense",
    ", gzip": _zlib(TEXT),
    "x-gzip,": _gzip(TEXT) + b"\0\t\r\n ",
    ",x-gzip": _gzip(TEXT[:90]) + b"\n" + _gzip(TEXT[90:]) + b" x",
    "gzip, br": TEXT,
    "br": TEXT,
    "b" * 90: TEXT,
}


def _cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def _decoded(coding: str, content: bytes, limit: int, sizes: Iterable[int] = (7, 1_000)) -> list[str]:
    def fed(size: int) -> list[Any]:
        decoder = decoding.BodyDecoder(coding, limit=limit)
        pieces = [[len(piece) for piece in decoder.feed(chunk)] for chunk in _cut(content, size)]
        decoder.finish()
        return [len(pieces), [each for each in pieces if each]]

    return [_told(decoding.decode_body, content, coding, limit=limit), *(_told(fed, size) for size in sizes)]


async def _of_an_error(coding: str, content: bytes, limit: int) -> list[str]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in _cut(content, 7):
            yield chunk

    read = described(await decoding.read_error_body(stream(), coding, limit=limit))
    return [read, described(decoding.decode_error_body(content, coding, limit=limit))]


async def _read(coding: str, content: bytes, limit: int) -> list[str]:
    found: list[str] = []
    for size in (1, 7, 1_000):
        closed: list[int] = []

        async def stream(size: int = size, closed: list[int] = closed) -> AsyncIterator[bytes]:
            count = 0
            try:
                for chunk in _cut(content, size):
                    count += 1
                    yield chunk
            finally:
                closed.append(count)

        try:
            found.append(described(await decoding.read_body(stream(), coding, limit=limit)))
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            found.append(f"! {described(error)}")
        found.append(f"read {closed}")
    return found


for _name, _body in ENCODED.items():
    for _value in (199, 200, 300):
        _call(f"decoded {_name[:20]!r} {_value}", _decoded, _name, _body, _value)
        _call(f"read {_name[:20]!r} {_value}", _read, _name, _body, _value)
        _call(f"read error {_name[:20]!r} {_value}", _of_an_error, _name, _body, _value)
HUGE: Final = b"x" * 200_000
for _name, _body in (("gzip", gzip.compress(HUGE, mtime=0)), ("deflate", zlib.compress(HUGE)), ("", HUGE)):
    for _value in (0, 1, 65_536, 199_999, 200_000):
        _call(
            f"decoded much {_name!r} {_value}",
            lambda coding, content, limit: [each[:300] for each in _decoded(coding, content, limit, [1_000])],
            _name,
            _body,
            _value,
        )
for _value in (511, 512, 513):  # a kilobyte and twice the limit may be received
    _call(f"decoded padding {_value}", _decoded, "deflate", (_zlib(b"a") + b"\0" * 3_000)[: 2 * 512 + 1_024], _value)
    _call(f"read padding {_value}", _read, "deflate", (_zlib(b"a") + b"\0" * 3_000)[: 2 * 512 + 1_024], _value)
_each(
    "length of a body",
    body_length,
    (
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-LENGTH:\t 2 \r\nA: b\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}x",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r{}",
        b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\r\nA: b\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\rc\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\nc\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Content-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0000000000000002\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 000000000000002\r\n\r\n{}",
    ),
)

# ------------------------------------------------------------------------------------------- flows of httpx


class _Asking(httpx.Auth):
    """Notes what a flow is given, and asks once more."""

    def __init__(self, events: list[Any], *, fails: Exception | None = None) -> None:
        self.events = events
        self.fails = fails
        self.requires_response_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        response = yield request
        self.events.append([response.status_code, response.headers.raw, response.content, response.request is request])
        if self.fails is not None:
            raise self.fails
        yield request


async def _by_flow(events: list[Any], *, url: str = URL, fails: Exception | None = None) -> Response:
    fields = Headers(
        {
            "WWW-Authenticate": 'Basic realm="b", Digest realm="r", qop="auth"',
            "X-Other": "a b=c, d e=f",
            "Content-Encoding": "gzip",
            "X-Odd": "\udce9",
            "x-\udce9": "1",
        }
    )

    async def send(request: OutgoingRequest) -> Response:
        events.append(list(request))
        return Response(url=URL, status=401, headers=fields, content=b"who?", received_at=NOON)

    outgoing = OutgoingRequest("PUT", url, {"a": "b"}, b"abc", url)
    return await send_with_auth(_Asking(events, fails=fails), outgoing, send)


_add("flow that asks twice", _by_flow)
for _name in ("http://[::1", "http://a.test/\0"):
    _add(f"flow of a URL {_name!a}", partial(_by_flow, url=_name))
for _value in (KeyError("realm"), ValueError("odd"), httpx.ProtocolError("none"), TypeError("bug")):
    _add(f"flow that fails by {type(_value).__name__}", partial(_by_flow, fails=_value))

# ------------------------------------------------------------------------------------------- event loops


def _loop_of(token: Any) -> list[bool]:
    with patch("anyio.lowlevel.current_token", lambda: token):
        loop = running_loop()
    return [loop is token, loop is CONTEXT]


_add("loop of a token of its own", lambda _: _loop_of(object()))
_add("loop of a token that wraps it", lambda _: _loop_of(SimpleNamespace(native_token=CONTEXT)))

# ------------------------------------------------------------------------------------------- TLS

OF_SERVERS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
FILES: Final = ("client.pem", "client.key")
SETTINGS: Final[dict[str, Any]] = {
    "nothing": None,
    "files": FILES,
    "files, password": (*FILES, "word"),
    "others": ("other.pem", "other.key"),
    "context": CONTEXT,
    "of servers": OF_SERVERS,
    "text": "client.pem",
}


def _shown(settings: tls.Tls) -> list[Any]:
    named = {id(CONTEXT): "the context", id(OF_SERVERS): "that of servers"}
    return [
        repr(settings),
        named.get(id(settings.context), settings.context),
        settings.certificate,
        settings.authorities,
    ]


for _name, _value in SETTINGS.items():
    _call(
        f"TLS {_name}",
        lambda value: [
            _told(lambda **options: _shown(tls.Tls(**options)), **options)
            for options in (
                {"context": value},
                {"certificate": value},
                {"authorities": "ca.pem", "certificate": value},
                {"authorities": "ca.pem", "context": value},
                {"context": CONTEXT, "certificate": value},
            )
        ],
        _value,
    )
    _call(
        f"TLS with the certificate {_name}",
        lambda value: [
            _told(lambda before, certificate: _shown(tls.with_certificate(before, certificate)), before, value)
            for before in (
                None,
                tls.Tls(),
                tls.Tls(authorities="ca.pem"),
                tls.Tls(certificate=FILES),
                tls.Tls(certificate=FILES, authorities="ca.pem"),
                tls.Tls(context=CONTEXT),
                tls.Tls(context=ssl.create_default_context(capath="/nowhere")),
                "ca.pem",
            )
        ],
        _value,
    )


class _FakeContext:
    def __init__(self, calls: list[str], sources: Mapping[str, Any]) -> None:
        self._calls = calls
        calls.append(f"made {dict(sources)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            self._calls.append(f"{name} {value!s}")
        super().__setattr__(name, value)

    def load_cert_chain(self, *args: Any) -> None:
        self._calls.append(f"load_cert_chain {args}")
        if args[0] == "missing":
            raise _with(OSError(2, "No such file", "/home/name/missing"), reason=None)
        if args[0] == "odd":
            raise _with(ssl.SSLError(1, "[SSL] odd"), reason="KEY_VALUES_MISMATCH")
        if args[0] == "wrong":
            raise ValueError("a path of someone")


def _context(settings: tls.Tls, environment: Mapping[str, str], *, fails: bool = False) -> list[Any]:
    calls: list[str] = []

    def make(**sources: Any) -> Any:
        if fails:
            raise FileNotFoundError(2, "No such file or directory", "/home/name/ca.pem")
        return _FakeContext(calls, sources)

    with (
        patch("ssl.create_default_context", make),
        patch.dict("os.environ", environment, clear=True),
        patch("os.path.isdir", lambda place: place == "folder"),
        patch("certifi.where", lambda: "of certifi"),
    ):
        return [_told(lambda: type(settings.make_context()).__name__), calls]


for _name, _value in {
    "default": tls.Tls(),
    "file": tls.Tls(authorities="ca.pem"),
    "folder": tls.Tls(authorities=Path("folder")),
    "files": tls.Tls(certificate=FILES),
    "password": tls.Tls(certificate=("a", "b", "c"), authorities="ca.pem"),
    "missing": tls.Tls(certificate=("missing", "b")),
    "odd": tls.Tls(certificate=("odd", "b")),
    "wrong": tls.Tls(certificate=("wrong", "b")),
    "own": tls.Tls(context=CONTEXT),
}.items():
    _call(
        f"TLS context {_name}",
        lambda settings: [
            _context(settings, environment)
            for environment in (
                {},
                {"SSL_CERT_DIR": "folder of the environment"},
                {"SSL_CERT_DIR": "d", "SSL_CERT_FILE": "file of the environment"},
                {"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""},
            )
        ],
        _value,
    )
for _name, _value in {"file": tls.Tls(authorities="ca.pem"), "folder": tls.Tls(authorities="folder")}.items():
    _call(f"TLS context {_name} that is missing", _context, _value, {}, fails=True)

# ------------------------------------------------------------------------------------------- options

_call("timeouts by default", Timeouts)
_call("retries by default", RetryPolicy)
for _name in ("connect", "read", "write", "pool", "total"):
    _each(f"timeouts {_name}", lambda value, name=_name: Timeouts(**{name: value}), (0, 0.0, -1, 1e-9, 1, "1"))
for _name in ("attempts", "initial", "longest", "total"):
    _each(f"retries {_name}", lambda value, name=_name: RetryPolicy(**{name: value}), (-1, -0.1, 0, 0.5, 1, 2, "1"))
_each(
    "timeout of a client",
    base_client.to_timeouts,
    (None, 5, 10, 10.5, 0.5, 180, 181, 0, -1, True, "5", Timeouts(read=3)),
)
_each(
    "origins of a client",
    lambda trusted: base_client.to_origins("https://a.test/b", trusted),
    ((), "https://b.test/c", ["https://b.test", "http://c.test:80"], "nowhere", ["/relative"]),
)
FAILURES: Final[dict[str, BaseException]] = {
    "server": ServerError("x", status=503, is_transient=True),
    "permanent": ApiError("x", status=404),
    "refused": RateLimitedError("x", status=429, is_transient=True),
    "unsent": NetworkError("x", sent=False),
    "sent": NetworkError("x", sent=True),
    "unsent, permanent": NetworkError("x", sent=False, is_transient=False),
    "large": BodyTooLargeError("x", sent=True, is_transient=True),
    "redirects": TooManyRedirectsError("x", sent=True, is_transient=True),
    "budget": BudgetExhaustedError("x"),
    "of an identity server": _with(NetworkError("x", sent=False), identity_server="id.test"),
    "bug": TypeError("x"),
}
for _name, _error in FAILURES.items():
    _call(
        f"retryable {_name}",
        lambda error: [retry.is_retryable(error, repeatable=repeatable) for repeatable in (True, False)],
        _error,
    )
_call("session by default", lambda: [session.MAX_BODY, session.MAX_REDIRECTS])
