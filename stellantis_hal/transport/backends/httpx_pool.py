"""Backend for httpx: a pool of transports with one connection each.

httpcore's pool looks at all of its connections for each request, which with a hundred of them costs more than the
request; and a task cancelled while others wait in it can leave it unusable. A pool with a single connection that one
task uses at a time has neither problem.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

import anyio
import httpx

from stellantis_hal.hal.uri import split
from stellantis_hal.transport.backends.base import HttpxBackend, HttpxResponse, StreamingResponse

__all__ = ["HttpxPoolBackend"]

_CLOSE_TIMEOUT = 5.0
_KEEPALIVE = 30.0
_ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEPALIVE)


class HttpxPoolBackend:
    """Uses an idle connection to the origin for each request, the one used last first, or a new one.

    The caller bounds the number of connections.

    Args:
        context: for https.
        timeouts: by httpx's names.
    """

    enforces_total = False

    def __init__(self, context: ssl.SSLContext, timeouts: dict[str, float]) -> None:
        self._context = context
        self._timeouts = timeouts
        self._idle: dict[tuple[str | None, str | None], list[HttpxBackend]] = {}
        self._closed = False

    async def open(self, method: str, url: str, headers: dict[str, str], content: bytes | None) -> StreamingResponse:
        """Send a request; return the response once its headers have arrived."""
        origin = split(url)[:2]  # a query may follow the host without a slash
        idle = self._idle.setdefault(origin, [])
        connection = idle.pop() if idle else self._connect()
        try:
            response = await connection.open(method, url, headers, content)
        except BaseException:
            await _discard(connection)
            raise
        return _PooledResponse(response, connection, lambda: self._release(connection, idle))

    def _connect(self) -> HttpxBackend:
        return HttpxBackend(httpx.AsyncHTTPTransport(verify=self._context, limits=_ONE_CONNECTION), self._timeouts)

    async def _release(self, connection: HttpxBackend, idle: list[HttpxBackend]) -> None:
        if self._closed:
            await _discard(connection)
        else:
            idle.append(connection)

    async def aclose(self) -> None:
        """Close all connections: idle ones now, the others as soon as their responses are read."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                await idle.pop().aclose()


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
