"""httpx's transport interface on aiohttp's client, asyncio only.

Knows aiohttp. Must not know what is sent. Written against aiohttp itself, because the httpx-aiohttp package lets yarl
rewrite queries (``%2F`` becomes ``/``), keeps cookies for whoever comes next, and reports a connection that broke after
sending as one that was never made.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import aiohttp
import httpx
from yarl import URL

__all__ = ["AiohttpNetwork"]

_CHUNK = 65_536
_OWN_FIELDS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AiohttpNetwork(httpx.AsyncBaseTransport):
    """Send requests byte for byte as they are, over a pool of aiohttp's.

    Args:
        context: for https.
        connections: how many there are at most.
    """

    def __init__(self, context: ssl.SSLContext, *, connections: int) -> None:
        self._context = context
        self._connections = connections
        self._client: aiohttp.ClientSession | None = None
        self._timeouts: dict[tuple[float | None, ...], aiohttp.ClientTimeout] = {}

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=self._connections, ssl=self._context, keepalive_timeout=30.0)
        self._client = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_OWN_FIELDS,
            auto_decompress=False,
        )
        return self._client

    def _timeout(self, request: httpx.Request) -> aiohttp.ClientTimeout:
        spans = request.extensions.get("timeout", {})
        key = (spans.get("pool"), spans.get("connect"), spans.get("read"))
        timeout = self._timeouts.get(key)
        if timeout is None:
            pool, connect, read = key
            both = None if pool is None or connect is None else pool + connect
            timeout = aiohttp.ClientTimeout(total=None, connect=both, sock_connect=connect, sock_read=read)
            if len(self._timeouts) < 16:
                self._timeouts[key] = timeout
        return timeout

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and give the answer as soon as its headers are there."""
        client = self._client or self._open()
        try:
            response = await client.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                timeout=self._timeout(request),
            )
        except aiohttp.ClientError as error:
            raise _named(error) from error
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response), request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()


class _Body(httpx.AsyncByteStream):
    """The raw body of an answer."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_chunked(_CHUNK):
                yield chunk
        except aiohttp.ClientError as error:
            raise httpx.ReadError(str(error)) from error

    async def aclose(self) -> None:
        self._response.release()


def _named(error: aiohttp.ClientError) -> httpx.TransportError:
    """Tell in httpx's words what aiohttp says; what matters is whether anything was sent."""
    words = str(error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(words)
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError(words)
    if isinstance(error, aiohttp.ServerTimeoutError):
        return httpx.ReadTimeout(words)
    if isinstance(error, aiohttp.InvalidURL):
        return httpx.UnsupportedProtocol("no URL that could be sent to")
    if isinstance(error, aiohttp.ClientConnectionError):
        return httpx.ReadError(words)
    return httpx.RemoteProtocolError(words)
