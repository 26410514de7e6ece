"""aiohttp's client as a wire, asyncio only.

Knows aiohttp. Must not know what is sent. Written against aiohttp itself, because the httpx-aiohttp package lets yarl
rewrite queries (``%2F`` becomes ``/``), keeps cookies for whoever comes next, and reports a connection that broke after
sending as one that was never made.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable

import aiohttp
import httpx
from yarl import URL

__all__ = ["AiohttpBackend", "named"]

# httpx and our session say these themselves, or mean not to.
_OWN_FIELDS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_KEPT = 30.0
_SHORT = 2_048


class AiohttpBackend:
    """Sends requests byte for byte as they are.

    Args:
        context: for https.
        connections: how many there are at most.
        timeouts: in httpx's words, and ``total``.
    """

    bounded = True

    def __init__(self, context: ssl.SSLContext, *, connections: int, timeouts: dict[str, float]) -> None:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=context, keepalive_timeout=_KEPT),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_OWN_FIELDS,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(
                total=timeouts["total"],
                connect=timeouts["pool"] + timeouts["connect"],
                sock_connect=timeouts["connect"],
                sock_read=timeouts["read"],
            ),
        )
        # It would send again by itself what broke on a connection used before: every attempt is ours to count and pay.
        self._client._retry_connection = False

    async def open(self, method: str, url: str, fields: dict[str, str], content: bytes | None) -> _AiohttpResponse:
        """Send, and give the answer as soon as its headers are there."""
        # Made by httpx's rules where they are needed: it encodes what no request line may hold, and nothing else. It
        # refuses what is too long, too, of which yarl would remember a hundred.
        target = URL(url if len(url) <= _SHORT and _is_plain(url) else str(httpx.URL(url)), encoded=True)
        try:
            response = await self._client.request(method, target, headers=fields, data=content, allow_redirects=False)
        except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as error:
            raise named(error) from None  # its text has the whole address
        except aiohttp.ClientError as error:
            raise named(error) from error
        return _AiohttpResponse(response)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()


_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?[]@!$&'()*+,;=%")


def _is_plain(url: str) -> bool:
    return _PLAIN.issuperset(url)


class _AiohttpResponse:
    __slots__ = ("_response", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    @property
    def fields(self) -> Iterable[tuple[str, str]]:
        return self._response.headers.items()

    @property
    def stream(self) -> AsyncIterator[bytes]:
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except aiohttp.ClientError as error:
            raise httpx.ReadError(str(error)) from error

    async def aclose(self) -> None:
        self._response.release()


def named(error: aiohttp.ClientError) -> httpx.TransportError:
    """Tell in httpx's words what aiohttp says; what matters is whether anything was sent."""
    words = f"{error.status}, {error.message}" if isinstance(error, aiohttp.ClientResponseError) else str(error)
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
