"""httpx's own transport as a wire, one pool for each connection.

Knows httpx. Must not know what is sent. httpcore's pool looks at all of its connections for each request, which at a
hundred of them costs more than the request; and a task cancelled while others wait in it can leave it unusable. A pool
with a single connection that one task uses at a time has neither trouble.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

import anyio
import httpx

from stellantis_hal.hal.uri import split
from stellantis_hal.transport.backends.base import HttpxBackend, HttpxResponse, StreamingResponse

__all__ = ["HttpxPoolBackend"]

_CLOSING = 5.0
_KEPT = 30.0
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEPT)


class HttpxPoolBackend:
    """Gives each request an idle connection to its origin, the one used last first, or a new one.

    How many there are at once is decided by who asks.

    Args:
        context: for https.
        timeouts: in httpx's words.
    """

    bounded = False

    def __init__(self, context: ssl.SSLContext, timeouts: dict[str, float]) -> None:
        self._context = context
        self._timeouts = timeouts
        self._idle: dict[tuple[str | None, str | None], list[HttpxBackend]] = {}
        self._closed = False

    async def open(self, method: str, url: str, fields: dict[str, str], content: bytes | None) -> StreamingResponse:
        """Send, and give the answer as soon as its headers are there."""
        site = split(url)[:2]  # and not whatever stands before the first slash: a query may follow the host
        lanes = self._idle.setdefault(site, [])
        lane = lanes.pop() if lanes else self._lane()
        try:
            opened = await lane.open(method, url, fields, content)
        except BaseException:
            await _discard(lane)
            raise
        return _PooledResponse(opened, lane, lambda: self._keep(lane, lanes))

    def _lane(self) -> HttpxBackend:
        return HttpxBackend(httpx.AsyncHTTPTransport(verify=self._context, limits=_ONE), self._timeouts)

    async def _keep(self, lane: HttpxBackend, lanes: list[HttpxBackend]) -> None:
        if self._closed:
            await _discard(lane)
        else:
            lanes.append(lane)

    async def aclose(self) -> None:
        """Close all connections: those that are idle now, the others as soon as their answers are read."""
        self._closed = True
        for lanes in self._idle.values():
            while lanes:
                await lanes.pop().aclose()


async def _discard(lane: HttpxBackend) -> None:
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSING):
        await lane.aclose()


class _PooledResponse:
    __slots__ = ("_keep", "_lane", "_opened", "status")

    def __init__(self, opened: HttpxResponse, lane: HttpxBackend, keep: Callable[[], Awaitable[None]]) -> None:
        self._opened = opened
        self._lane: HttpxBackend | None = lane
        self._keep = keep
        self.status = opened.status

    @property
    def fields(self) -> Iterable[tuple[str, str]]:
        return self._opened.fields

    @property
    def stream(self) -> AsyncIterable[bytes]:
        return self._opened.stream

    async def aclose(self) -> None:
        lane, self._lane = self._lane, None
        if lane is None:
            return
        try:
            await self._opened.aclose()
        except BaseException:
            await _discard(lane)
            raise
        await self._keep()
