"""Backend for any httpx transport."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from functools import lru_cache
from typing import Any

import httpx

from stellantis_hal.navigation.streamed_request_bodies import RequestBodyReader
from stellantis_hal.transport.backends.base import Outgoing

__all__ = ["HttpxBackend", "HttpxResponse"]

_MAX_CACHED_URL = 2_048
_cached_url = lru_cache(maxsize=1024)(httpx.URL)


def _parse_url(url: str) -> httpx.URL:
    return _cached_url(url) if len(url) <= _MAX_CACHED_URL else httpx.URL(url)


class HttpxBackend:
    """Backend for any httpx transport.

    Args:
        transport: called directly, because ``httpx.AsyncClient`` merges queries, keeps cookies and follows redirects.
        timeouts: by httpx's names.
        extensions: of httpx, for each request.
    """

    enforces_total = False

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        timeouts: dict[str, float],
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        self._transport = transport
        self._extensions: dict[str, Any] = {"timeout": timeouts, **(extensions or {})}

    async def open(
        self, method: str, url: str, headers: dict[str, str], content: Outgoing, *, is_download: bool = False
    ) -> HttpxResponse:
        """Send a request; return the response once its headers have arrived."""
        request = httpx.Request(method, _parse_url(url), headers=headers, content=content, extensions=self._extensions)
        if content is not None:
            request.stream = _Bytes(content) if isinstance(content, bytes) else _Chunks(content)
        return HttpxResponse(await self._transport.handle_async_request(request))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


# The bodies of httpx are asynchronous generators. A request that is cancelled while it is sent leaves them half read,
# and trio warns of each (ResourceWarning).


class _Bytes(httpx.ByteStream):
    """A body of one chunk."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return RequestBodyReader((self._content,), None)


class _Chunks(httpx.AsyncByteStream):
    """A body that is read while it is sent."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._chunks)


class HttpxResponse:
    """A response of httpx."""

    __slots__ = ("_response", "status")

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status: int = response.status_code

    @property
    def raw_headers(self) -> Iterable[tuple[str, str]]:
        raw = self._response.headers.raw
        return [(name.decode("latin-1"), value.decode(errors="surrogateescape")) for name, value in raw]

    @property
    def network_stream(self) -> Any:
        """The connection that it came on, as httpcore states it; None for other transports."""
        return self._response.extensions.get("network_stream")

    @property
    def stream(self) -> AsyncIterable[bytes]:
        stream = self._response.stream
        if isinstance(stream, httpx.AsyncByteStream):
            return stream
        raise TypeError(f"an asynchronous transport must return an asynchronous stream, not {stream!r}")

    def take_received(self) -> bytes | None:
        return None  # httpx does not tell

    async def aclose(self) -> None:
        await self._response.aclose()
