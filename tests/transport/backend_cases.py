"""Calls of backends whose outcomes stand in ``backend_outcomes.txt``: what they hand on to their libraries.

``python -m tests.support.outcomes tests.transport.backend_cases`` renews that file.
"""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import gzip
import logging
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import aiohttp
import anyio
import httpx
import socksio
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http import RawResponseMessage
from multidict import CIMultiDict

from stellantis_hal.__version__ import __version__
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport import decoding
from stellantis_hal.transport.backends import (
    aiohttp_client,
    borrowed,
    default,
    httpx_backend,
    httpx_pool,
    session_detection,
    stray_bytes_connector,
)
from stellantis_hal.transport.backends.httpx_backend import HttpxBackend
from stellantis_hal.transport.backends.stray_bytes_connector import StrayBytesConnector, StrayBytesProtocol
from stellantis_hal.transport.proxies import DIRECT, ProxySettings
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from tests.support.clocks import jumping
from tests.support.outcomes import Case, described
from tests.transport.doubles import wall

__all__ = ["BACKEND", "CASES", "FILE"]

FILE: Final = Path(__file__).with_name("backend_outcomes.txt")
BACKEND: Final = jumping("asyncio")
CASES: Final[dict[str, Case]] = {}
SECONDS: Final = {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0, "total": 9.0}
CONTEXT: Final = ssl.create_default_context()
URL: Final = "https://api.test/a%2Fb?x=%2f"

_value: Any  # names of loops below
_name: Any
_way: Any


class _Event(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _shown(value: Any) -> str:
    """Return what is handed on, without addresses."""
    if value is CONTEXT:
        return "the context"
    if isinstance(value, _Fake):
        return value.name
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, str | bytes | int | float | tuple | None) or type(value).__module__.startswith("yarl"):
        return repr(value)
    if isinstance(value, httpx.Proxy):
        auth = value.raw_auth
        plain = None if auth is None else [bytes(part).decode() for part in auth]
        return f"{value!r} {auth} {plain} {_shown(value.ssl_context)}"
    if isinstance(value, httpx.Limits | aiohttp.ClientTimeout):
        return repr(value)
    return type(value).__name__


class _Fake:
    """Notes what it is called with; its methods return what is given."""

    def __init__(self, name: str, events: list[Any], **methods: Any) -> None:
        self.name = name
        self.events = events
        self.__dict__.update(methods)

    def note(self, what: str, *args: Any, **options: Any) -> None:
        shown = [*map(_shown, args), *(f"{name}={_shown(value)}" for name, value in options.items())]
        self.events.append(_Event(f"{self.name}.{what}({', '.join(shown)})".replace(__version__, "VERSION")))


def _add(name: str, case: Case) -> None:
    assert name not in CASES, name
    CASES[name] = case


def _note(requests: list[Any], text: str) -> None:
    requests.append(_Event(text))


async def _told(requests: list[Any], awaitable: Any) -> Any:
    """Note the outcome of one of several calls; return its result."""
    try:
        result = await awaitable
    except Exception as error:  # noqa: BLE001 - told, whatever it is
        cause = "" if error.__context__ is None else f", suppressed {error.__suppress_context__}"
        _note(requests, f"! {described(error)}{cause}")
        return None
    return result


# ------------------------------------------------------------------------------------------- aiohttp


class _Content(_Fake):
    def __init__(self, events: list[Any], chunks: Sequence[Any], *, eof: bool, broken: bool = False) -> None:
        super().__init__("content", events)
        self.chunks = [*chunks]
        self.eof = eof
        self.broken = broken

    def is_eof(self) -> bool:
        return self.eof

    def exception(self) -> Exception | None:
        return aiohttp.ClientPayloadError("cut") if self.broken else None

    def read_nowait(self) -> bytes:
        self.note("read_nowait")
        return b"".join(self.chunks)

    async def readany(self) -> bytes:
        self.note("readany")
        chunk: Any = self.chunks.pop(0) if self.chunks else b""
        if isinstance(chunk, Exception):
            raise chunk
        return bytes(chunk)


class _Response(_Fake):
    def __init__(
        self, events: list[Any], status: int = 200, chunks: Sequence[Any] = (b"ab", b"c"), **state: Any
    ) -> None:
        super().__init__("response", events)
        self.status = status
        self.headers = CIMultiDict([("Link", "</1>"), ("link", "</2>")])
        self.content = _Content(events, chunks, **{"eof": True, **state})

    def release(self) -> None:
        self.note("release")

    def close(self) -> None:
        self.note("close")


@contextmanager
def _fake_aiohttp(events: list[Any], *acts: Any) -> Generator[None]:
    replies = [*acts]

    class Client(_Fake):
        def __init__(self, **options: Any) -> None:
            super().__init__("client", events)
            self.note("made", **options)
            traces = options["trace_configs"] or []
            for trace in traces:
                self.note("trace", *[signal for signal in vars(trace) if "on_" in signal and getattr(trace, signal)])
            self.traces = traces

        async def request(self, method: str, target: Any, **options: Any) -> Any:
            self.note("request", method, target, **options)
            self.note("repeats", getattr(self, "_retry_connection", True))
            act = replies.pop(0)
            if isinstance(act, tuple):  # sent first
                for trace in self.traces:
                    context = SimpleNamespace(trace_request_ctx=options.get("trace_request_ctx"))
                    for signal in trace.on_request_headers_sent:
                        await signal(None, context, None)
                (act,) = act
            if isinstance(act, Exception):
                raise act
            return act

        async def close(self) -> None:
            self.note("close")

    class Connector(_Fake):
        def __init__(self, **options: Any) -> None:
            super().__init__("connector", events)
            self.note("made", **options)

    with patch("aiohttp.ClientSession", Client), patch.object(aiohttp_client, "StrayBytesConnector", Connector):
        yield


async def _use(events: list[Any], backend: Any, **options: Any) -> None:
    """Send a request; read its response in both ways, and close it."""
    fields: dict[str, Any] = {"method": "PUT", "url": URL, "headers": {"a": "b"}, "content": b"abc", **options}
    opened = await _told(events, backend.open(**fields))
    if opened is None:
        return
    _note(events, f"status {opened.status} {[*opened.raw_headers]}")
    _note(events, f"received {opened.take_received()!r}")

    async def read() -> None:
        _note(events, f"chunks {[chunk async for chunk in opened.stream]}")

    await _told(events, read())
    await opened.aclose()
    await opened.aclose()


WAYS: Final[dict[str, Any]] = {
    "direct": DIRECT,
    "proxy": ProxySettings.of("http://u:p@p.test:3128", {}),
    "proxy without credentials": ProxySettings.of("p.test:3128", {}),
    "proxy of http": ProxySettings.of(None, {"HTTP_PROXY": "http://p.test:1"}),
}


def _broken() -> dict[str, Any]:
    key = ConnectionKey("api.test", 443, True, True, None, None, None)
    info = aiohttp.RequestInfo(URL, "GET", CIMultiDict(), URL)  # type: ignore[arg-type]
    return {
        "connection": aiohttp.ClientConnectionError("cut"),
        "connection, sent": (aiohttp.ClientConnectionError("cut"),),
        "connector": aiohttp.ClientConnectorError(key, OSError(111, "refused")),
        "response": aiohttp.ClientResponseError(info, (), status=400, message="bad"),
        "URL": aiohttp.InvalidURL("https://api.test/?client_id=secret"),
        "proxy": aiohttp.ClientHttpProxyError(info, (), status=407, message="Who?"),
    }


def _failing(events: list[Any], *, error: str) -> list[Any]:
    return [_broken()[error]]


def _in_state(events: list[Any], *, state: str) -> list[Any]:
    return [_Response(events, **STATES[state])]


async def _by_aiohttp(events: list[Any], way: str, acts: Callable[[list[Any]], Sequence[Any]], **options: Any) -> None:
    with _fake_aiohttp(events, *acts(events)):
        backend = aiohttp_client.AiohttpBackend(CONTEXT, timeouts=SECONDS, proxies=WAYS[way])
        _note(events, f"enforces {backend.enforces_total}")
        aiohttp_client._cached_target.cache_clear()
        await _use(events, backend, **options)
        _note(events, f"cached {aiohttp_client._cached_target.cache_info().currsize}")
        await backend.aclose()


for _name in WAYS:
    for _value in (URL, URL.replace("https", "http")):
        _add(
            f"aiohttp, {_name}, {_value[:5]}",
            partial(_by_aiohttp, way=_name, acts=lambda events: [_Response(events)], url=_value),
        )
        _add(
            f"aiohttp, {_name}, {_value[:5]}, download that is asked for credentials",
            partial(_by_aiohttp, way=_name, acts=lambda events: [_Response(events, 407)], url=_value, is_download=True),
        )
        for _error in _broken():
            _add(
                f"aiohttp, {_name}, {_value[:5]}, error {_error}",
                partial(_by_aiohttp, way=_name, acts=partial(_failing, error=_error), url=_value),
            )
STATES: Final[dict[str, dict[str, Any]]] = {
    "whole": {"eof": True},
    "begun": {"eof": False},
    "broken": {"eof": True, "broken": True},
    "cut": {"eof": False, "chunks": [b"a", aiohttp.ClientPayloadError("cut")]},
}
for _name in STATES:
    _add(
        f"aiohttp, response that is {_name}",
        partial(_by_aiohttp, way="direct", acts=partial(_in_state, state=_name)),
    )
for _name in (
    "https://api.test",
    "https://api.test?",
    "https://api.test/p?",
    "https://api.test/p?a?",
    "https://api.test/p?a=%2f&b=c d",
    "https://api.test/caf\u00e9?a=\u00e9|b",
    "https://api.test/" + "a" * 2_031,
    "https://api.test/" + "a" * 2_032,
    "https://api.test/" + "a b" * 800,
):
    _add(
        f"aiohttp, URL {_name[:40]!a} {len(_name)}",
        partial(_by_aiohttp, way="direct", acts=lambda events: [_Response(events)], url=_name),
    )


async def _by_borrowed_aiohttp(
    events: list[Any], *, closed: Sequence[bool] = (), is_download: bool = False, **attributes: Any
) -> None:
    answers = [*closed]

    class Owner(_Fake):
        @property
        def closed(self) -> bool:
            return answers.pop(0) if answers else False

    connector = _Fake("connector of the program", events)
    session: Any = Owner("session", events, connector=connector, trace_configs=[], trust_env="trust", **attributes)
    with _fake_aiohttp(events, _Response(events)):
        backend = await _told(events, _made(session))
        if backend is not None:
            await _use(events, backend, **({"is_download": True} if is_download else {}))
            await backend.aclose()


async def _made(session: Any) -> Any:
    return borrowed.make_borrowed_backend(session, timeouts=SECONDS)


for _name, _value in {
    "plain": {},
    "download": {"is_download": True},
    "with a proxy": {"_default_proxy": "http://p.test:1", "_default_proxy_auth": "the credentials"},
    "without its proxy": {"_default_proxy": None},
    "closed before": {"closed": [True]},
    "closed meanwhile": {"closed": [False, True]},
    "of another loop": {"_loop": object()},
    "of no loop": {"_loop": None},
}.items():
    _add(f"borrowed aiohttp, {_name}", partial(_by_borrowed_aiohttp, **_value))


class _Backend(_Fake):
    """A backend that answers as it is told."""

    enforces_total = True

    def __init__(self, events: list[Any], opened: Any) -> None:
        super().__init__("backend", events)
        self.opened = opened

    delay = 0.0

    async def open(self, *args: Any, **options: Any) -> Any:
        await anyio.sleep(self.delay)
        if len(args) > 3 and hasattr(args[3], "__aiter__"):
            args = (*args[:3], [chunk async for chunk in args[3]])
        self.note("open", *args, **options)
        if isinstance(self.opened, Exception):
            raise self.opened
        return self.opened

    async def aclose(self) -> None:
        self.note("aclose")


class _Opened(_Fake):
    status = 207
    raw_headers = (("X-Odd", "\udce9"), ("a\xe9", "1"), ("A\xe9", "2"), ("b\udce9", "3"))

    @property
    def stream(self) -> AsyncIterator[bytes]:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        return chunks()

    async def aclose(self) -> None:
        self.note("aclose")


async def _as_transport(events: list[Any], request: Callable[[], httpx.Request], *, fails: bool = False) -> None:
    def make(session: Any, *, timeouts: Mapping[str, float]) -> Any:
        _note(events, f"made over {session} with {timeouts}")
        return _Backend(events, httpx.ReadError("cut") if fails else _Opened("opened", events))

    with patch.object(borrowed, "make_borrowed_backend", make):
        transport = borrowed.session_transport("the session")  # type: ignore[arg-type]
        response = await _told(events, transport.handle_async_request(request()))
        if response is not None:
            _note(events, f"{response.status_code} {response.headers.raw} {await response.aread()!r}")
            await response.aclose()


async def _body() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


for _name, _value in {
    "plain": lambda: httpx.Request("GET", "https://api.test/a%2F?b=%2f"),
    "body": lambda: httpx.Request("POST", "https://api.test:444/", content=b"abc", headers={"X-One": "1", "a": "b"}),
    "empty body": lambda: httpx.Request("POST", "http://api.test", content=b""),
    "stream": lambda: httpx.Request("PUT", "http://caf\u00e9.test/", content=_body()),
    "bounds": lambda: httpx.Request(
        "GET", "http://[::1]/", extensions={"timeout": {"connect": 1, "read": 2, "write": 0, "pool": None}}
    ),
}.items():
    for _fails in (False, True):
        _add(f"session as a transport, {_name}, {_fails}", partial(_as_transport, request=_value, fails=_fails))


async def _borrowed_httpx(events: list[Any], *, closed: bool = False) -> None:
    own = httpx.MockTransport(lambda request: httpx.Response(200, text=f"{request.url} {request.extensions}"))
    mounted = httpx.MockTransport(lambda request: httpx.Response(201, text=str(request.url)))
    client = httpx.AsyncClient(transport=own, mounts={"https://mounted.test": mounted})
    backend: Any = borrowed.make_borrowed_backend(client, timeouts=SECONDS)
    if closed:
        await client.aclose()
    for url in (URL, "https://mounted.test/a"):
        opened = await _told(events, backend.open("GET", url, {}, None))
        if opened is not None:
            _note(events, f"{opened.status} {b''.join([chunk async for chunk in opened.stream])!r}")
    await backend.aclose()
    _note(events, f"closed {client.is_closed}")
    await client.aclose()


_add("borrowed httpx", _borrowed_httpx)
_add("borrowed httpx, closed", partial(_borrowed_httpx, closed=True))

# ------------------------------------------------------------------------------------------- httpx


class _Stream(httpx.AsyncByteStream):
    def __init__(self, events: list[Any], *, fails: bool = False) -> None:
        self.events = events
        self.fails = fails

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"ab"

    async def aclose(self) -> None:
        _note(self.events, "stream closed")
        if self.fails:
            raise httpx.CloseError("no")


@contextmanager
def _fake_httpx(events: list[Any], *acts: Any) -> Generator[None]:
    replies = [*acts]
    numbers = iter(range(99))

    class Transport(_Fake):
        def __init__(self, **options: Any) -> None:
            super().__init__(f"transport{next(numbers)}", events)
            self.note("made", **options)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            trace: Any = request.extensions.get("trace")
            shown = {name: value for name, value in request.extensions.items() if name != "trace"}
            self.note("sent", request.method, str(request.url), dict(request.headers), await request.aread(), shown)
            status, events_of_trace, state = replies.pop(0)
            for event in events_of_trace:
                await trace(event, {"return_value": _Socket("socket", events)})
            if isinstance(status, BaseException):
                raise status
            self._pool = SimpleNamespace(connections=[_h11(state == "trailing")])
            network: Any = None if state is None else SimpleNamespace(_stream=_stream(state))
            if state == "later":
                self.later = network._stream._protocol.read_queue
            extensions = {} if network is None else {"network_stream": network}
            return httpx.Response(
                status, stream=_Stream(events, fails=state == "unclosable"), extensions=extensions, headers={"a": "b"}
            )

        async def aclose(self) -> None:
            self.note("aclose")

    with patch("httpx.AsyncHTTPTransport", Transport):
        yield


async def _abandoned(events: list[Any], *, seconds: float) -> None:
    """Cancel a request whose connection takes some seconds to close."""
    start = anyio.current_time()

    class Transport(_Fake):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await anyio.sleep(1_000)
            raise AssertionError

        async def aclose(self) -> None:
            _note(events, f"closes at {anyio.current_time() - start:g}")
            await anyio.sleep(seconds)
            _note(events, f"closed at {anyio.current_time() - start:g}")

    with patch("httpx.AsyncHTTPTransport", lambda **_: Transport("transport", events)):
        pool = httpx_pool.HttpxPoolBackend(CONTEXT, SECONDS)
        with anyio.move_on_after(1):
            await pool.open("GET", URL, {}, None)
        _note(events, f"left at {anyio.current_time() - start:g}")
        await pool.aclose()


for _name, _value in {"soon": 2.0, "late": 100.0}.items():
    _add(f"cancelled, {_name} closed", partial(_abandoned, seconds=_value))


class _Socket(_Fake):
    async def aclose(self) -> None:
        self.note("aclose")


def _h11(trailing: bool) -> Any:
    return SimpleNamespace(
        _connection=SimpleNamespace(_h11_state=SimpleNamespace(trailing_data=(b"x" * trailing, False))),
        is_idle=lambda: True,
        is_closed=lambda: False,
    )


def _stream(state: str | None) -> Any:
    return SimpleNamespace(_protocol=SimpleNamespace(read_queue=[b"x"] * (state == "unread")))


PLAIN: Final = (200, (), None)
POOLED: Final[dict[str, tuple[str, Sequence[Any]]]] = {
    "reused": ("direct", [PLAIN, PLAIN, PLAIN]),
    "strays later": ("direct", [(200, (), "later"), PLAIN, PLAIN]),
    "read": ("direct", [(200, (), "read"), PLAIN, PLAIN]),
    "unread": ("direct", [(200, (), "unread"), PLAIN, PLAIN]),
    "trailing": ("direct", [(200, (), "trailing"), PLAIN, PLAIN]),
    "unclosable": ("direct", [(200, (), "unclosable"), PLAIN, PLAIN]),
    "408 at once": ("direct", [(408, (), None), PLAIN, PLAIN]),
    "408 later": ("direct", [PLAIN, (408, (), None), PLAIN]),
    "407": ("direct", [(407, (), None), PLAIN, PLAIN]),
    "407 of a proxy": ("proxy", [(407, (), None), PLAIN, PLAIN]),
    "broken": ("direct", [(httpx.ReadError("cut"), (), None), PLAIN, PLAIN]),
    "cancelled": ("direct", [(httpx.PoolTimeout("cut"), (), None), PLAIN, PLAIN]),
}
TUNNELS: Final = (
    (),
    ("connection.connect_tcp.complete",),
    ("connection.connect_tcp.complete", "proxy.start_tls.complete"),
    ("x.connect_tcp.complete", "socks.setup_socks5_connection.complete"),
    ("connection.connect_tcp.started", "connection.start_tls.complete"),
)
BREAKS: Final = (
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.ReadTimeout,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.ConnectError,
    socksio.ProtocolError,
    AssertionError,
    KeyError,
    ValueError,
)


async def _pool(
    events: list[Any], *, way: Any, acts: Sequence[Any], urls: Sequence[str] = (URL,) * 3, leaves: bool = False
) -> None:
    left: Any = None
    with _fake_httpx(events, *acts):
        pool = httpx_pool.HttpxPoolBackend(CONTEXT, SECONDS, way)
        _note(events, f"enforces {pool.enforces_total}")
        for url in urls:
            opened = await _told(events, pool.open("PUT", url, {"x": "y"}, b"abc"))
            if opened is None:
                continue
            _note(events, f"{opened.status} {[*opened.raw_headers]} {opened.take_received()}")
            if not leaves:
                _note(events, f"read {[chunk async for chunk in opened.stream]}")
                await _told(events, opened.aclose())
                await _told(events, opened.aclose())
            for connection in [one for idle in pool._idle.values() for one in idle]:
                late: Any = connection._http_transport
                if hasattr(late, "later"):
                    late.later.append(b"x")
            left = opened
        await pool.aclose()
        if leaves:
            await _told(events, left.aclose())


for _name, (_way, _acts) in POOLED.items():
    for _url in (URL, URL.replace("https", "http")):
        _add(f"pool, {_name}, {_url[:5]}", partial(_pool, way=WAYS[_way], acts=_acts, urls=[_url] * 3))
_add(
    "pool, origins",
    partial(
        _pool,
        way=DIRECT,
        acts=[PLAIN] * 5,
        urls=["https://a.test/b", "https://a.test?c", "http://a.test/", "https://a.test:444", "https://a.test/d"],
    ),
)
_add("pool, closed before its response", partial(_pool, way=DIRECT, acts=[PLAIN], urls=[URL], leaves=True))
for _name in (
    "http://u:p@p.test:1",
    "https://u:p@p.test:1",
    "socks5://u:p@p.test:1",
    "socks5h://p.test",
    "https://p.test",
):
    for _url in (URL, URL.replace("https", "http")):
        for _tunnel in TUNNELS if _name.startswith("socks") else TUNNELS[2:3]:
            _way = ProxySettings.of(_name, {})
            is_tunnel = _name.startswith("socks") or _url.startswith("https")
            _add(
                f"pool by {_name}, {_url[:5]}, {len(_tunnel)} {_tunnel[-1:]}",
                partial(_pool, way=_way, acts=[(200, _tunnel if is_tunnel else (), None), PLAIN], urls=[_url] * 2),
            )
for _break in BREAKS:
    for _tunnel in TUNNELS[1:3]:
        _add(
            f"pool, tunnel that breaks by {_break.__name__}, {len(_tunnel)}",
            partial(_pool, way=WAYS["proxy"], acts=[(_break("words"), _tunnel, None)], urls=[URL]),
        )
_add(
    "pool, proxy of http that breaks",
    partial(_pool, way=WAYS["proxy"], acts=[(httpx.ReadError("words"), (), None)], urls=["http://api.test/"]),
)


def _of_value(function: Callable[[Any], Any], value: Any, requests: list[Any]) -> Any:
    return function(value)


def _of(**attributes: Any) -> Any:
    return SimpleNamespace(**attributes)


UNREAD: Final[dict[str, Any]] = {
    "nothing": None,
    "no stream": _of(),
    "empty stream": _of(_stream=_of()),
    "records": _of(_stream=_of(_read_bio=_of(pending=3))),
    "no records": _of(_stream=_of(_read_bio=_of(pending=0))),
    "incoming": _of(_stream=_of(_incoming=_of(pending=3))),
    "no incoming": _of(_stream=_of(_incoming=_of(pending=0))),
    "object": _of(_stream=_of(_ssl_object=_of(pending=lambda: 3))),
    "no object": _of(_stream=_of(_ssl_object=_of(pending=lambda: 0))),
    "queue": _of(_stream=_of(_protocol=_of(read_queue=[b"x"]))),
    "no queue": _of(_stream=_of(_protocol=_of(read_queue=[]))),
    "within": _of(_stream=_of(transport_stream=_of(_protocol=_of(read_queue=[b"x"])))),
    "far within": _of(_stream=_of(transport_stream=_of(transport_stream=_of(_incoming=_of(pending=1))))),
    "nothing within": _of(_stream=_of(transport_stream=_of(_protocol=_of(read_queue=[])))),
}
for _name, _value in UNREAD.items():
    _add(f"unread bytes, {_name}", partial(_of_value, httpx_pool.has_unread_bytes, _value))
TRAILING: Final[dict[str, Any]] = {
    "no pool": _of(),
    "no connections": _of(_pool=_of()),
    "empty": _of(_pool=_of(connections=[])),
    "not connected": _of(_pool=_of(connections=[_of()])),
    "no h11": _of(_pool=_of(connections=[_of(_connection=_of())])),
    "none": _of(_pool=_of(connections=[_h11(False)])),
    "some": _of(_pool=_of(connections=[_of(), _h11(False), _h11(True)])),
}
for _name, _value in TRAILING.items():
    _add(f"trailing bytes, {_name}", partial(_of_value, httpx_pool.has_trailing_data, _value))


async def _by_httpx(events: list[Any], url: str) -> None:
    async def send(request: httpx.Request) -> httpx.Response:
        _note(events, f"{request.method} {request.url} {request.headers.raw} {await request.aread()!r}")
        _note(events, f"{request.extensions}")
        return httpx.Response(201, stream=_Stream(events), headers=[(b"a", b"\xe9"), (b"b\xe9", b"1")])

    backend = HttpxBackend(httpx.MockTransport(send), SECONDS, {"own": 1})
    _note(events, f"enforces {backend.enforces_total}")
    httpx_backend._cached_url.cache_clear()
    await _use(events, backend, url=url)
    _note(events, f"cached {httpx_backend._cached_url.cache_info().currsize}")
    await backend.aclose()


for _name in (
    URL,
    "https://api.test/" + "a" * 2_031,
    "https://api.test/" + "a" * 2_032,
    "https://api.test/a b?c=\u00e9",
):
    _add(f"httpx, URL {_name[:40]!a} {len(_name)}", partial(_by_httpx, url=_name))

# ------------------------------------------------------------------------------------------- the choice of a backend


def _chosen(events: list[Any], proxies: ProxySettings, *, installed: bool = True) -> list[str]:
    imported: list[str] = []

    def load(name: str) -> None:
        imported.append(name)
        if not installed and name.endswith("aiohttp_client"):
            raise ImportError(name)

    modules = {} if installed else {"stellantis_hal.transport.backends.aiohttp_client": None}
    with (
        _fake_aiohttp(events),
        _fake_httpx(events),
        patch.dict("sys.modules", modules),
        patch.object(default, "import_module", load),
    ):
        default.backend_loader(proxies)()
        backend: Any = default.make_backend(CONTEXT, timeouts=SECONDS, proxies=proxies)
    own = sorted(
        name for name, value in vars(backend).items() if value is proxies or value is SECONDS or value is CONTEXT
    )
    return [type(backend).__name__, *imported, *own]


for _name in ("http://p.test", "socks5://p.test", "https://p.test"):
    for _value in (True, False):
        _add(f"chosen for {_name}, {_value}", partial(_chosen, proxies=ProxySettings.of(_name, {}), installed=_value))
for _value in (True, False):
    _add(f"chosen without a proxy, {_value}", partial(_chosen, proxies=DIRECT, installed=_value))


async def _first(events: list[Any], **options: Any) -> None:
    """Note what a session does at its first request."""

    class Log(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "proxy" in record.getMessage():
                _note(events, record.getMessage())

    made: list[str] = []

    def make(context: Any, *, timeouts: Mapping[str, float], proxies: ProxySettings) -> Any:
        made.append(f"{_shown(context)} {timeouts} {proxies}")
        return _Backend(events, httpx.ConnectError("refused"))

    def load(proxies: ProxySettings) -> Callable[[], None]:
        made.append(f"loader {proxies}")
        return lambda: made.append("loaded")

    logger, handler = logging.getLogger("stellantis_hal"), Log()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    module = "stellantis_hal.transport.bounded_backend"
    try:
        with (
            patch(f"{module}.make_backend", make),
            patch(f"{module}.backend_loader", load),
            patch(f"{module}.load_decoders", lambda: made.append("decoders")),
            patch.dict("os.environ", {"HTTPS_PROXY": "http://u:p@env.test:1", "NO_PROXY": "b.test"}, clear=True),
            patch("ssl.create_default_context", lambda **_: CONTEXT),
        ):
            async with Session(
                Origins("https://api.test", "https://b.test"), clock=wall, retry=RetryPolicy(attempts=1), **options
            ) as session:
                for url in ("https://b.test/?x=1", "https://api.test/?x=1"):
                    await _told(events, session.pipeline()(Request(url=url)))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    events += map(_Event, made)


for _name, _value in {"environment": {}, "option": {"proxy": "https://q.test"}, "none": {"proxy": False}}.items():
    _add(f"first request, {_name}", partial(_first, **_value))


async def _known(events: list[Any]) -> None:
    async with aiohttp.ClientSession() as session:
        for missing in ("", "httpx", "aiohttp"):
            with patch.dict("sys.modules"):
                if missing:
                    del sys.modules[missing]
                known = [session_detection.is_host_session(each) for each in (session, httpx.AsyncClient(), events)]
            _note(events, f"without {missing}: {known}")


async def _by_backend(
    events: list[Any],
    *,
    borrowed_one: bool = False,
    streams: bool = False,
    delay: float = 0.0,
    closing: float = 0.0,
    leaves_at: float = 99.0,
    **reply: Any,
) -> None:
    """Note what a session hands on to a backend, and how it closes it."""
    start = anyio.current_time()

    class Closing(_Backend):
        async def aclose(self) -> None:
            _note(events, f"closes at {anyio.current_time() - start:g}")
            await anyio.sleep(closing)
            _note(events, f"closed at {anyio.current_time() - start:g}")

    opened = _Received("opened", events, **{"status": 200, "raw_headers": [], "received": b"{}", **reply})

    def make(*args: Any, **options: Any) -> Any:
        _note(events, f"made {[_shown(one) for one in args]} { {name: _shown(one) for name, one in options.items()} }")
        made = Closing(events, opened)
        made.delay = delay
        return made

    module = "stellantis_hal.transport"
    async with httpx.AsyncClient() as client:
        with (
            patch(f"{module}.bounded_backend.make_backend", make),
            patch(f"{module}.backends.borrowed.make_borrowed_backend", make),
            patch("ssl.create_default_context", lambda **_: CONTEXT),
        ):
            own: dict[str, Any] = {"host_session": client} if borrowed_one else {}
            session = Session(
                Origins("https://api.test"), clock=wall, retry=RetryPolicy(attempts=1), max_body=300, **own
            )
            request = Request(url="https://api.test/?x=1")

            async def read() -> Any:
                async with session.pipeline().stream(request, limit=9) as found:
                    return SimpleNamespace(status=found.status, content=[chunk async for chunk in found.chunks])

            response: Any = await _told(events, read() if streams else session.pipeline()(request))
            if response is not None:
                _note(events, f"{response.status} {response.content!r} at {anyio.current_time() - start:g}")
            with anyio.move_on_after(leaves_at - 1):
                await session.aclose()
            _note(events, f"left at {anyio.current_time() - start:g}")


class _Received(_Opened):
    """A response that has been received, or not."""

    received: bytes | None

    def take_received(self) -> bytes | None:
        return self.received


GZIP: Final = [("Content-Encoding", "gzip")]
for _name, _value in {
    "received": {},
    "not received": {"received": None},
    "compressed": {"raw_headers": GZIP, "received": gzip.compress(b"x" * 300, 0, mtime=0)},
    "large": {"raw_headers": GZIP, "received": gzip.compress(b"x" * 301, 0, mtime=0)},
    "large error": {"status": 404, "raw_headers": GZIP, "received": gzip.compress(b"x" * 301, 0, mtime=0)},
    "error of another coding": {"status": 404, "raw_headers": GZIP, "received": b"no gzip"},
    "error": {"status": 400, "received": None},
    "error of another coding, 400": {"status": 400, "raw_headers": GZIP, "received": b"no gzip"},
    "nearly an error": {"status": 399, "raw_headers": GZIP, "received": b"no gzip"},
    "borrowed": {"borrowed_one": True},
    "late": {"delay": 300.0},
    "download": {"streams": True},
    "late download": {"streams": True, "delay": 300.0},
    "closed soon": {"closing": 2.0, "leaves_at": 2.0},
    "closed late": {"closing": 100.0},
}.items():
    _add(f"by a backend, {_name}", partial(_by_backend, **_value))


class _Slow(httpx.AsyncByteStream):
    """A body that hangs, and takes some seconds to close, or fails to."""

    def __init__(self, note: Callable[[str], None], seconds: float, error: Exception | None) -> None:
        self.note = note
        self.seconds = seconds
        self.error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a"
        await anyio.sleep(1_000)

    async def aclose(self) -> None:
        self.note("closes")
        await anyio.sleep(self.seconds)
        self.note("closed")
        if self.error is not None:
            raise self.error


class _Iterator:
    """A body that hangs after its first chunk, or breaks."""

    def __init__(self, *, breaks: bool) -> None:
        self.breaks = breaks
        self.count = 0

    def __aiter__(self) -> "_Iterator":
        return self

    async def __anext__(self) -> bytes:
        self.count += 1
        if self.count > 1:
            await anyio.sleep(0 if self.breaks else 1_000)
            raise httpx.ReadError("cut")
        return b"a"


async def _read_body(events: list[Any], *, seconds: float | None, breaks: bool) -> None:
    """Leave a body that takes some seconds to close, or cannot be closed."""
    start = anyio.current_time()

    class Closable(_Iterator):
        async def aclose(self) -> None:
            _note(events, f"closes at {anyio.current_time() - start:g}")
            await anyio.sleep(seconds or 0)
            _note(events, f"closed at {anyio.current_time() - start:g}")

    stream = _Iterator(breaks=breaks) if seconds is None else Closable(breaks=breaks)
    with anyio.move_on_after(1):
        await _told(events, decoding.read_body(stream, "", limit=9))
    _note(events, f"left at {anyio.current_time() - start:g}")


for _value in (None, 2.0, 100.0):
    for _fails in (False, True):
        _add(f"body that is left, {_value}, {_fails}", partial(_read_body, seconds=_value, breaks=_fails))


async def _leave(events: list[Any], *, seconds: float, error: Exception | None = None) -> None:
    """Cancel a request whose response takes some seconds to close."""
    start = anyio.current_time()

    def note(what: str) -> None:
        _note(events, f"{what} at {anyio.current_time() - start:g}")

    logged = logging.getLogger("stellantis_hal")
    level = logged.level
    logged.setLevel(logging.DEBUG)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=_Slow(note, seconds, error)))
    try:
        async with Session(Origins("https://api.test"), clock=wall, transport=transport) as session:
            with anyio.move_on_after(1):
                await _told(events, session.pipeline()(Request(url="https://api.test/?x=1")))
            note("left")
    finally:
        logged.setLevel(level)


for _name, _value in {
    "soon": {"seconds": 2.0},
    "late": {"seconds": 100.0},
    "with an error": {"seconds": 2.0, "error": httpx.CloseError("no")},
    "with a bug": {"seconds": 2.0, "error": TypeError("bug")},
}.items():
    _add(f"response that is left, {_name} closed", partial(_leave, **_value))
_add("sessions and their libraries", _known)
_add(
    "sessions that are known",
    lambda _: [
        session_detection.is_host_session(value)
        for value in (httpx.AsyncClient(), httpx.Client(), object(), None, httpx.AsyncClient, aiohttp.ClientSession)
    ],
)
for _name, _value in {
    "no session": None,
    "none": SimpleNamespace(),
    "closed": SimpleNamespace(connector=None),
    "no limit": SimpleNamespace(connector=SimpleNamespace(limit=0, limit_per_host=0)),
    "limit": SimpleNamespace(connector=SimpleNamespace(limit=7, limit_per_host=0)),
    "limits": SimpleNamespace(connector=SimpleNamespace(limit=7, limit_per_host=3)),
    "limit of a host": SimpleNamespace(connector=SimpleNamespace(limit=0, limit_per_host=9)),
}.items():
    _add(f"connections of a session, {_name}", partial(_of_value, session_detection.connections_of, _value))


# ------------------------------------------------------------------------------------------- stray bytes


class _Timer(_Fake):
    def __init__(self, events: list[Any], at: float) -> None:
        super().__init__("timer", events)
        self.at = at

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.note("cancel", self.at)


class _Loop(_Fake):
    """A loop whose timers fire when they are told to."""

    def __init__(self, events: list[Any]) -> None:
        super().__init__("loop", events)
        self.now = 100.0

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, function: Any) -> _Timer:
        self.note("call_at", at, function.__name__)
        return _Timer(self.events, at)

    def call_soon(self, *args: Any) -> None:
        """Do nothing."""

    def create_future(self) -> Any:
        return SimpleNamespace(done=lambda: False, cancelled=lambda: False)


def _timers(events: list[Any], *, steps: Sequence[Any]) -> None:
    """Note the timers of a protocol: a number moves the clock, a name calls a method, a pair sets the time-out."""
    loop = _Loop(events)
    protocol: Any = StrayBytesProtocol(loop)
    protocol.transport = object()
    with patch.object(StrayBytesProtocol, "_on_read_timeout", lambda self: _note(events, "timed out")):
        for step in steps:
            if isinstance(step, int | float):
                loop.now += step
            elif isinstance(step, tuple):
                protocol._read_timeout = step[0]
                protocol._reschedule_timeout()
            elif step == "closed":
                protocol.transport = None
            else:
                getattr(protocol, step)()
            _note(events, f"{step} until {protocol._read_until}")


for _index, _value in enumerate(
    (
        [(5.0,), 1.0, (5.0,), 4.0, "_check_timeout", 2.0, "_check_timeout"],
        [(5.0,), "_drop_timeout", 5.0, "_check_timeout", (5.0,)],
        [(5.0,), (3.0,), (5.0,), (9.0,)],
        [(None,), (0,), "_check_timeout", "_drop_timeout", "_cancel_timer"],
        [(5.0,), "closed", "_drop_timeout", "_cancel_timer", (5.0,)],
        [(5.0,), 5.0, "_check_timeout", "_check_timeout"],
        [(5.0,), (5.0,), 1.0, (4.0,)],
        ["_cancel_timer", "_check_timeout"],
    )
):
    _add(f"timers of a connection {_index}", partial(_timers, steps=_value))


class _Wire(_Fake):
    """A transport whose state is given."""

    def __init__(self, events: list[Any], *, closing: bool = False, **extra: Any) -> None:
        super().__init__("wire", events)
        self.closing = closing
        self.extra = extra

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str) -> Any:
        return self.extra.get(name)


READABLE: Final = "stellantis_hal.transport.backends.stray_bytes_connector._readable"


def _clean(
    events: list[Any], *, wire: Mapping[str, Any] | None, strayed: bool = False, readable: Any = ()
) -> list[Any]:
    protocol: Any = StrayBytesProtocol(_Loop(events))
    protocol.transport = None if wire is None else _Wire(events, **wire)
    protocol._strayed = strayed

    def look(descriptor: int) -> Any:
        _note(events, f"looks at {descriptor}")
        return lambda: readable

    with patch(READABLE, look):
        return [protocol.is_clean(), protocol.is_clean()]


async def _tls(events: list[Any], *, wire: Mapping[str, Any] | None, times: int = 99) -> list[int]:
    protocol: Any = StrayBytesProtocol(_Loop(events))
    protocol.transport = None if wire is None else _Wire(events, **wire)
    looks: list[int] = []

    def look(descriptor: int) -> Any:
        looks.append(descriptor)
        return lambda: len(looks) <= times

    with patch(READABLE, look):
        await protocol.read_tls_messages()
    return looks


SOCKET: Final = SimpleNamespace(fileno=lambda: 7)
WIRES: Final[dict[str, Any]] = {
    "none": None,
    "closing": {"closing": True, "socket": SOCKET, "ssl_object": object()},
    "no socket": {"ssl_object": object()},
    "socket": {"socket": SOCKET},
    "TLS": {"socket": SOCKET, "ssl_object": object()},
}
for _name, _value in WIRES.items():
    _add(f"clean connection, {_name}", partial(_clean, wire=_value))
    _add(f"clean connection, {_name}, readable", partial(_clean, wire=_value, readable=[(7, 1)]))
    _add(f"clean connection, {_name}, strayed", partial(_clean, wire=_value, strayed=True))
    for _times in (0, 3, 99):
        _add(f"TLS messages, {_name}, {_times}", partial(_tls, wire=_value, times=_times))


async def _connect(events: list[Any], *, requests: Sequence[int], clean: Sequence[bool], fails: bool = False) -> None:
    """Note which connections a connector hands out."""
    found = iter(zip(requests, clean, strict=True))

    class Protocol(_Fake):
        def __init__(self, requests: int, clean: bool) -> None:
            super().__init__("protocol", events)
            self.requests = requests
            self.clean = clean

        async def read_tls_messages(self) -> None:
            self.note("read_tls_messages")
            if fails:
                raise OSError(5, "odd")

        def is_clean(self) -> bool:
            return self.clean

    class Connection(_Fake):
        protocol: Any

        def close(self) -> None:
            self.note("close")

    async def connect(self: Any, req: Any, traces: Any, timeout: Any) -> Any:
        _note(events, f"connect {req} {traces} {timeout}")
        return Connection("connection", events, protocol=Protocol(*next(found)))

    connector = StrayBytesConnector()
    with patch.object(aiohttp.TCPConnector, "connect", connect):
        arguments: Any = ("the request", ["a trace"], "the time-out")
        connection: Any = await _told(events, connector.connect(*arguments))
        if connection is not None:
            _note(events, f"got one of {connection.protocol.requests}")
    made: Any = connector._factory()
    _note(events, f"makes {type(made).__name__} {made._loop is connector._loop}")
    await connector.close()


for _name, _value in {
    "new": {"requests": [0], "clean": [True]},
    "new, dirty": {"requests": [0], "clean": [False]},
    "new, broken": {"requests": [0], "clean": [True], "fails": True},
    "used": {"requests": [1], "clean": [True]},
    "used, dirty, new": {"requests": [2, 1, 0], "clean": [False, False, True]},
}.items():
    _add(f"connector, {_name}", partial(_connect, **_value))


class _Watched(StrayBytesProtocol):
    """Notes what reaches aiohttp."""

    events: list[Any]

    def force_close(self) -> None:
        _note(self.events, "force_close")

    def close(self) -> None:
        _note(self.events, "close")


class _Parser:
    """A parser of responses, of which each is at its end after a brace, a stop or a question mark."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.begin()

    def begin(self) -> None:
        self.text = b""
        self.has_head = False

    def parse(self, data: bytes) -> None:
        self.text += data
        head, end, rest = self.text.partition(b"\r\n\r\n")
        if self.has_head or not end:
            return
        self.text, code = rest, int(head[9:12])
        self.has_head = code >= 200
        self.protocol.feed_data((SimpleNamespace(code=code), self), 3)

    def is_eof(self) -> bool:
        return self.text.endswith((b"}", b".", b"?"))

    @property
    def total_bytes(self) -> int:
        return len(self.text) - self.text.count(b"?")


def _received(events: list[Any], *, pieces: Sequence[Any]) -> None:
    """Note what a protocol does with pieces; an integer begins so many requests."""
    protocol: Any = _Watched(_Loop(events))
    protocol.events = events
    protocol.transport = _Wire(events)
    parser = _Parser(protocol)

    def feed(self: Any, data: tuple[RawResponseMessage, Any], size: int = 0) -> None:
        _note(events, f"response {data[0].code} {size}")

    def received(self: Any, data: bytes) -> None:
        _note(events, f"passed {bytes(data)!r}")
        parser.parse(data)

    def begin(self: Any, **options: Any) -> None:
        _note(events, f"parameters {options}")
        parser.begin()

    base = StrayBytesProtocol.__mro__[1]
    with (
        patch.object(base, "feed_data", feed),
        patch.object(base, "data_received", received),
        patch.object(base, "set_response_params", begin),
        patch.object(base, "set_exception", lambda self, error, cause=None: _note(events, f"fails {error!r}")),
        patch.object(base, "exception", lambda self: None),
    ):
        for piece in pieces:
            if isinstance(piece, int):
                for _ in range(piece):
                    protocol.set_response_params(read_until_eof=True)
            else:
                protocol.data_received(piece)
            state = [protocol._strayed, protocol._is_waiting, protocol._has_begun, protocol._body is None]
            _note(events, f"{piece!r} requests {protocol.requests} {state}")


def _lost(events: list[Any]) -> None:
    protocol: Any = StrayBytesProtocol(_Loop(events))
    protocol._read_timer = _Timer(events, 1.0)
    base = StrayBytesProtocol.__mro__[1]
    with patch.object(base, "connection_lost", lambda self, error: _note(events, f"lost by {error!r}")):
        protocol.connection_lost(OSError(5, "odd"))
    _note(events, f"timer {protocol._read_timer}")


_add("connection that is lost", _lost)


def _looked(events: list[Any], *, polls: bool) -> list[Any]:
    """Note how a descriptor is looked at where the system has poll, and where it has not."""

    class Poll(_Fake):
        def register(self, *args: Any) -> None:
            self.note("register", *args)

        def poll(self, *args: Any) -> list[Any]:
            self.note("poll", *args)
            return [(7, 1)]

    def look(*args: Any) -> tuple[list[int], list[int], list[int]]:
        _note(events, f"select {args}")
        return [7], [], []

    module = SimpleNamespace(select=look)
    if polls:
        module.poll, module.POLLIN = partial(Poll, "poll", events), 64
    with patch("stellantis_hal.transport.backends.stray_bytes_connector.select", module):
        readable = stray_bytes_connector._readable(7)
        return [readable(), readable()]


for _value in (True, False):
    _add(f"descriptor that is looked at, {_value}", partial(_looked, polls=_value))
SIZED: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HEAD: Final = b"HTTP/1.1 200 OK\r\n\r\n"
for _index, _value in enumerate(
    (
        [1, SIZED, 1, SIZED],
        [1, SIZED + b"x"],
        [1, SIZED, b"x"],
        [b"", 1, b"", b"x"],
        [b"HTTP/1.1 200 Connection established\r\n\r\n"],
        [1, HEAD, b"a", b"b."],
        [1, HEAD, b"a.b"],
        [1, HEAD, b"."],
        [1, HEAD, SIZED],
        [1, SIZED.replace(b"{}", b"{?")],
        [1, SIZED.replace(b"{}", b"{~"), b"x"],
        [1, HEAD, b"ab", b"c."],
        [1, b"HTTP/1.1 103 Early\r\n\r\n", SIZED],
        [1, b"HTTP/1.1 103 Early\r\nContent-Length: 0\r\n\r\n", SIZED],
        [1, b"HTTP/1.1 101 Switching\r\n\r\n", b"a"],
        [1, SIZED.replace(b"200", b"408")],
        [2, SIZED.replace(b"200", b"408")],
        [2, SIZED.replace(b"200", b"409")],
        [1, SIZED.replace(b"200", b"199")],
    )
):
    _add(f"bytes of a connection {_index}", partial(_received, pieces=_value))
