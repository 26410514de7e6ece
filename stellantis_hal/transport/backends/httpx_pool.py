"""Backend for httpx: a pool of transports with one connection each.

httpcore's pool looks at all of its connections for each request, which with a hundred of them costs more than the
request; and a task cancelled while others wait in it can leave it unusable. A pool with a single connection that one
task uses at a time has neither problem.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any

import anyio
import httpx

from stellantis_hal.hal.redaction import MASK
from stellantis_hal.hal.uri import split
from stellantis_hal.transport.backends.base import Outgoing, StreamingResponse
from stellantis_hal.transport.backends.httpx_backend import HttpxBackend, HttpxResponse
from stellantis_hal.transport.network_errors import BrokenTunnelError, StaleConnectionError
from stellantis_hal.transport.proxies import AUTHENTICATION_REQUIRED, DIRECT, Proxy, ProxySettings

__all__ = ["HttpxPoolBackend"]

_CLOSE_TIMEOUT = 5.0
_KEEPALIVE = 30.0
_REQUEST_TIMEOUT = 408
_ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEPALIVE)


class HttpxPoolBackend:
    """Uses an idle connection to the origin for each request, the one used last first, or a new one.

    The caller bounds the number of connections.

    Args:
        context: for https.
        timeouts: by httpx's names.
        proxies: the proxy of each URL.
    """

    enforces_total = False

    def __init__(self, context: ssl.SSLContext, timeouts: dict[str, float], proxies: ProxySettings = DIRECT) -> None:
        self._proxies = proxies
        self._context = context
        self._timeouts = timeouts
        self._idle: dict[tuple[str | None, str | None], list[_Connection]] = {}
        self._closed = False

    async def open(
        self, method: str, url: str, headers: dict[str, str], content: Outgoing, *, is_download: bool = False
    ) -> StreamingResponse:
        """Send a request; return the response once its headers have arrived."""
        origin = split(url)[:2]  # a query may follow the host without a slash
        idle = self._idle.setdefault(origin, [])
        proxy = self._proxies.for_url(url)
        connection = await self._idle_connection(idle)
        is_reused = connection is not None
        connection = connection or self._connect(url, proxy)
        try:
            response = await connection.open(method, url, headers, content)
            if response.status == _REQUEST_TIMEOUT and is_reused:
                # The server was tired of waiting for a request; this one crossed it on the way.
                raise StaleConnectionError("408 on a connection that was idle")
            if response.status == AUTHENTICATION_REQUIRED and proxy and proxy.answers(url):
                raise httpx.ProxyError("407 Proxy Authentication Required")
        except BaseException as error:
            await _discard(connection)
            if isinstance(connection, _ProxiedBackend) and not connection.has_tunnel:
                if isinstance(error, _BROKEN):
                    raise BrokenTunnelError(str(error)) from error
                if _is_no_socks(error):
                    raise httpx.ProxyError("its response is not one of SOCKS5") from error
            raise
        return _PooledResponse(response, connection, lambda: self._release(connection, idle))

    async def _idle_connection(self, idle: list[_Connection]) -> _Connection | None:
        """Return the connection used last on which nothing has arrived since; close the others."""
        while idle:
            connection = idle.pop()
            if not connection.has_stray_bytes():
                return connection
            await _discard(connection)
        return None

    def _connect(self, url: str, proxy: Proxy | None) -> _Connection:
        transport = httpx.AsyncHTTPTransport(
            verify=self._context, limits=_ONE_CONNECTION, proxy=None if proxy is None else self._to_httpx(proxy)
        )
        if proxy is None or proxy.answers(url):
            return _Connection(transport, self._timeouts)
        return _ProxiedBackend(transport, self._timeouts)

    def _to_httpx(self, proxy: Proxy) -> httpx.Proxy:
        auth = None if proxy.username is None else (proxy.username, proxy.password)
        return _MaskedProxy(proxy.url, auth=auth, ssl_context=self._context if proxy.scheme == "https" else None)

    async def _release(self, connection: _Connection, idle: list[_Connection]) -> None:
        if self._closed or connection.is_in_use() or connection.has_stray_bytes():
            await _discard(connection)
        else:
            idle.append(connection)

    async def aclose(self) -> None:
        """Close all connections: idle ones now, the others as soon as their responses are read."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                await idle.pop().aclose()


# What happens to a tunnel that is not complete; nothing has gone to the server then.
_BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout)
_TUNNEL_EVENTS = ("proxy.start_tls.complete", "socks.setup_socks5_connection.complete")


class _Connection(HttpxBackend):
    """A connection, which must not be used again once bytes arrived on it outside a response.

    httpcore looks at the socket before it reuses one, but not at what it, h11, anyio or TLS have read already: a stray
    response there would be that to the next request, which may be another account's. One that arrives after the next
    request was sent cannot be told from its response: HTTP/1.1 has no numbers.
    """

    def __init__(
        self,
        transport: httpx.AsyncHTTPTransport,
        timeouts: dict[str, float],
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(transport, timeouts, extensions)
        self._http_transport = transport
        self._network_stream: Any = None

    async def open(
        self, method: str, url: str, headers: dict[str, str], content: Outgoing, *, is_download: bool = False
    ) -> HttpxResponse:
        """Send a request; return the response once its headers have arrived."""
        response = await super().open(method, url, headers, content)
        self._network_stream = response.network_stream
        return response

    def is_in_use(self) -> bool:
        """Return whether httpcore takes its last response for one that is being read: the next request would wait.

        Closing a response is cut off where the task is cancelled natively meanwhile, and is not repeated.
        """
        connections = getattr(getattr(self._http_transport, "_pool", None), "connections", ())
        return any(not (connection.is_idle() or connection.is_closed()) for connection in connections)

    def has_stray_bytes(self) -> bool:
        """Return whether bytes were read that belong to no response."""
        return has_trailing_data(self._http_transport) or has_unread_bytes(self._network_stream)


def has_trailing_data(transport: httpx.AsyncHTTPTransport) -> bool:
    """Return whether h11 has bytes that follow the last response; neither httpx nor httpcore states this."""
    for connection in getattr(getattr(transport, "_pool", None), "connections", ()):
        state = getattr(getattr(connection, "_connection", None), "_h11_state", None)
        if state is not None and state.trailing_data[0]:
            return True
    return False


def has_unread_bytes(network_stream: Any) -> bool:
    """Return whether bytes have arrived that httpcore has not read yet, in TLS or in anyio's queue.

    There is no public way to see them: reading waits where there are none.
    """
    stream = getattr(network_stream, "_stream", None)  # of anyio or trio
    while stream is not None:
        records = getattr(stream, "_read_bio", None) or getattr(stream, "_incoming", None)
        ssl_object = getattr(stream, "_ssl_object", None)
        protocol = getattr(stream, "_protocol", None)
        if (
            (records is not None and records.pending)
            or (ssl_object is not None and ssl_object.pending())
            or (protocol is not None and protocol.read_queue)
        ):
            return True
        stream = getattr(stream, "transport_stream", None)
    return False


class _ProxiedBackend(_Connection):
    """A connection through a tunnel.

    httpcore leaves the socket open where a SOCKS proxy refuses: it is closed here.

    Attributes:
        has_tunnel: whether the tunnel to the server is complete.
    """

    def __init__(self, transport: httpx.AsyncHTTPTransport, timeouts: dict[str, float]) -> None:
        super().__init__(transport, timeouts, {"trace": self._trace})
        self._stream: Any = None
        self.has_tunnel = False

    async def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            self._stream = info["return_value"]
        elif event in _TUNNEL_EVENTS:
            self.has_tunnel = True

    async def aclose(self) -> None:
        """Close all connections."""
        await super().aclose()
        if self._stream is not None:
            await self._stream.aclose()


class _Hidden(bytes):
    def __repr__(self) -> str:
        return MASK


class _MaskedProxy(httpx.Proxy):
    """A proxy whose credentials httpcore does not write to its log: it logs those for SOCKS at DEBUG."""

    @property
    def raw_auth(self) -> tuple[bytes, bytes] | None:
        auth = super().raw_auth
        return None if auth is None else (_Hidden(auth[0]), _Hidden(auth[1]))


def _is_no_socks(error: BaseException) -> bool:
    """Return whether httpcore could not read what a SOCKS proxy sent; it has no error of its own for that."""
    return isinstance(error, AssertionError | LookupError) or type(error).__module__.startswith("socksio")


async def _discard(connection: HttpxBackend) -> None:
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
        await connection.aclose()


class _PooledResponse:
    __slots__ = ("_connection", "_release", "_response", "status")

    def __init__(
        self, response: HttpxResponse, connection: HttpxBackend, release: Callable[[], Awaitable[None]]
    ) -> None:
        self._response = response
        self._connection: HttpxBackend | None = connection
        self._release = release
        self.status = response.status

    @property
    def raw_headers(self) -> Iterable[tuple[str, str]]:
        return self._response.raw_headers

    @property
    def stream(self) -> AsyncIterable[bytes]:
        return self._response.stream

    def take_received(self) -> bytes | None:
        return self._response.take_received()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._response.aclose()
        except BaseException:
            await _discard(connection)
            raise
        await self._release()
