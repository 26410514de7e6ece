"""The network as this floor uses it: a request out, an answer in, as plain values.

Knows what every way of sending has in common, and how any of httpx's transports becomes one. Must not know limits,
credentials or bodies' meanings. aiohttp's client is driven without httpx's request and response objects in between:
making those costs more than all the rest of this floor.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from functools import lru_cache
from typing import Any, Protocol

import httpx

__all__ = ["HttpBackend", "HttpxBackend", "HttpxResponse", "StreamingResponse"]


class StreamingResponse(Protocol):
    """An answer whose headers are here."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def fields(self) -> Iterable[tuple[str, str]]:
        """The header, field by field."""
        ...

    @property
    def stream(self) -> AsyncIterable[bytes]:
        """The raw body."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or drop it where the body was not read to its end."""
        ...


class HttpBackend(Protocol):
    """A pool of connections.

    Attributes:
        bounded: whether it ends an exchange by itself when the whole of it takes too long.
    """

    @property
    def bounded(self) -> bool: ...

    async def open(self, method: str, url: str, fields: dict[str, str], content: bytes | None) -> StreamingResponse:
        """Send, and give the answer as soon as its headers are there."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


_SHORT = 2_048
_remembered = lru_cache(maxsize=1024)(httpx.URL)


def _parsed(url: str) -> httpx.URL:
    return _remembered(url) if len(url) <= _SHORT else httpx.URL(url)


class HttpxBackend:
    """Any transport of httpx's.

    Args:
        transport: is asked directly: ``httpx.AsyncClient`` would merge queries, keep cookies and follow redirects.
        timeouts: in httpx's words.
    """

    bounded = False

    def __init__(self, transport: httpx.AsyncBaseTransport, timeouts: dict[str, float]) -> None:
        self._transport = transport
        self._extensions: dict[str, Any] = {"timeout": timeouts}

    async def open(self, method: str, url: str, fields: dict[str, str], content: bytes | None) -> HttpxResponse:
        """Send, and give the answer as soon as its headers are there."""
        request = httpx.Request(method, _parsed(url), headers=fields, content=content, extensions=self._extensions)
        return HttpxResponse(await self._transport.handle_async_request(request))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


class HttpxResponse:
    """An answer of httpx's."""

    __slots__ = ("_response", "status")

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status: int = response.status_code

    @property
    def fields(self) -> Iterable[tuple[str, str]]:
        raw = self._response.headers.raw
        return [(name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in raw]

    @property
    def stream(self) -> AsyncIterable[bytes]:
        stream = self._response.stream
        if isinstance(stream, httpx.AsyncByteStream):
            return stream
        raise TypeError(f"an asynchronous transport has to answer with an asynchronous stream, not {stream!r}")

    async def aclose(self) -> None:
        await self._response.aclose()
