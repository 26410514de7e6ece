"""Backend for aiohttp's client, asyncio only.

The httpx-aiohttp package is not used: it lets yarl rewrite queries (``%2F`` becomes ``/``), keeps cookies, and reports
a connection that broke after sending as one that was never made.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
from yarl import URL

from stellantis_hal.transport.backends.base import Outgoing
from stellantis_hal.transport.backends.stray_bytes_connector import StrayBytesConnector, StrayBytesError
from stellantis_hal.transport.loop_handle import running_loop
from stellantis_hal.transport.proxies import AUTHENTICATION_REQUIRED, DIRECT, ProxySettings

if TYPE_CHECKING:
    import httpx


__all__ = ["AiohttpBackend", "BorrowedAiohttpBackend", "runs_in_this_loop", "to_httpx_error"]

# The session sets these itself, or leaves them out on purpose.
_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_KEEPALIVE = 30.0
_MAX_CACHED_URL = 2_048


class AiohttpBackend:
    """Backend for aiohttp's client; URLs are sent byte for byte.

    Args:
        context: for https.
        timeouts: by httpx's names, and ``total``.
        proxies: the proxy of each URL, an http one.
    """

    enforces_total = True

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        timeouts: dict[str, float],
        proxies: ProxySettings = DIRECT,
    ) -> None:
        self._proxies = proxies
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_record_sent)
        self._client = aiohttp.ClientSession(
            # Not limited: the caller bounds the requests under way, so that `connect` measures no wait for the pool.
            connector=StrayBytesConnector(limit=0, ssl=context, keepalive_timeout=_KEEPALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_OWN_HEADERS,
            trace_configs=[trace] if proxies.is_used else None,
            auto_decompress=False,
            timeout=_timeout(timeouts, connect=timeouts["connect"]),  # the look-up of the name included
        )
        self._download_timeout = _timeout({**timeouts, "total": None}, connect=timeouts["connect"])
        _forbid_repeats(self._client)

    async def open(
        self, method: str, url: str, headers: dict[str, str], content: Outgoing, *, is_download: bool = False
    ) -> _AiohttpResponse:
        """Send a request; return the response once its headers have arrived."""
        # httpx refuses URLs that are too long, of which yarl would cache a hundred.
        target = _cached_target(url) if len(url) <= _MAX_CACHED_URL else _parse_url(_encoded(url))
        proxy = self._proxies.for_url(url)
        options: dict[str, Any] = {}
        if is_download:
            options["timeout"] = self._download_timeout
        sent: anyio.Event | None = None
        answers = proxy is not None and proxy.answers(url)
        if proxy is not None:
            sent = anyio.Event()
            options["proxy"] = proxy.url
            options["trace_request_ctx"] = sent
            authorization = proxy.authorization()
            if authorization is not None:
                # aiohttp sends proxy_headers with CONNECT only.
                fields = {"Proxy-Authorization": authorization}
                if answers:
                    headers = {**headers, **fields}
                else:
                    options["proxy_headers"] = fields
        try:
            response = await self._client.request(
                method, target, headers=headers, data=content, allow_redirects=False, **options
            )
        except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as error:
            raise to_httpx_error(error) from None  # its text has the whole URL
        except aiohttp.ClientError as error:
            raise to_httpx_error(error, in_tunnel=sent is None or answers or sent.is_set()) from error
        if answers and response.status == AUTHENTICATION_REQUIRED:
            response.close()
            import httpx

            raise httpx.ProxyError("407 Proxy Authentication Required")
        return _AiohttpResponse(response)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()


class BorrowedAiohttpBackend(AiohttpBackend):
    """Backend over a session of the program: its connector with its TLS settings, its proxies and trace configs.

    The requests are sent by a session of our own over the same connector, without the other's cookies and headers.

    Args:
        session: open, of this event loop.
        timeouts: by httpx's names, and ``total``.
        check_open: raises where the session has been closed.
    """

    def __init__(
        self, session: aiohttp.ClientSession, *, timeouts: dict[str, float], check_open: Callable[[], None]
    ) -> None:
        self._proxies = DIRECT
        self._check_open = check_open
        connect = timeouts["connect"] + timeouts["pool"]  # a connector that others use too may be full for a while
        self._download_timeout = _timeout({**timeouts, "total": None}, connect=connect)
        # The default proxy of a session has no public attribute; versions before 3.11 have none.
        proxy = {name: getattr(session, f"_default_{name}", None) for name in ("proxy", "proxy_auth")}
        self._client = aiohttp.ClientSession(
            connector=session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_OWN_HEADERS,
            trace_configs=session.trace_configs,
            trust_env=session.trust_env,
            auto_decompress=False,
            timeout=_timeout(timeouts, connect=connect),
            **{name: value for name, value in proxy.items() if value is not None},
        )
        _forbid_repeats(self._client)

    async def open(
        self, method: str, url: str, headers: dict[str, str], content: Outgoing, *, is_download: bool = False
    ) -> _AiohttpResponse:
        """Send a request; return the response once its headers have arrived."""
        self._check_open()
        return await super().open(method, url, headers, content, is_download=is_download)


def runs_in_this_loop(session: aiohttp.ClientSession) -> bool:
    """Return whether a session was made in the running event loop; its own attribute for that is deprecated."""
    loop: object = getattr(session, "_loop", None)
    return loop is None or loop is running_loop()


def _timeout(timeouts: Mapping[str, float | None], *, connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=timeouts["total"], connect=connect, sock_connect=timeouts["connect"], sock_read=timeouts["read"]
    )


def _forbid_repeats(client: aiohttp.ClientSession) -> None:
    """Keep aiohttp from repeating a request that failed on a reused connection: each attempt must pass the limiter."""
    client._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - it has no public option


async def _record_sent(
    client: aiohttp.ClientSession, context: SimpleNamespace, parameters: aiohttp.TraceRequestHeadersSentParams
) -> None:
    """Record that a request has gone out; aiohttp does not call this for CONNECT."""
    sent: anyio.Event | None = context.trace_request_ctx
    if sent is not None:
        sent.set()


_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?[]@!$&'()*+,;=%")


def _parse_url(url: str) -> URL:
    """Return a URL to be sent byte for byte; yarl drops an empty query, which is kept as the end of the path."""
    target = URL(url, encoded=True)
    return target.with_path(f"{target.raw_path}?", encoded=True) if url.find("?") == len(url) - 1 else target


def _encoded(url: str) -> str:
    import httpx

    return str(httpx.URL(url))


@lru_cache(maxsize=1024)
def _cached_target(url: str) -> URL:
    return _parse_url(url if _PLAIN.issuperset(url) else _encoded(url))  # httpx encodes what no request line may hold


class _AiohttpResponse:
    __slots__ = ("_response", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    @property
    def raw_headers(self) -> Iterable[tuple[str, str]]:
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
            import httpx

            raise httpx.ReadError(str(error)) from error

    def take_received(self) -> bytes | None:
        content = self._response.content
        return content.read_nowait() if content.is_eof() and content.exception() is None else None

    async def aclose(self) -> None:
        self._response.release()


def to_httpx_error(error: aiohttp.ClientError, *, in_tunnel: bool = True) -> httpx.TransportError:
    """Return the httpx error for an aiohttp error; it tells whether anything was sent.

    Args:
        error: of aiohttp.
        in_tunnel: False where the way leads through a proxy and there was no tunnel to the server yet.
    """
    import httpx

    from stellantis_hal.transport.network_errors import BrokenTunnelError, StaleConnectionError

    if isinstance(error, aiohttp.ClientHttpProxyError):
        return httpx.ProxyError(f"{error.status} {error.message}")
    message = f"{error.status}, {error.message}" if isinstance(error, aiohttp.ClientResponseError) else str(error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(message)
    if isinstance(error, StrayBytesError):
        return StaleConnectionError(message)
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError(message)
    if isinstance(error, aiohttp.ServerTimeoutError):
        return httpx.ReadTimeout(message)
    if isinstance(error, aiohttp.InvalidURL):
        return httpx.UnsupportedProtocol("not a URL that can be requested")
    if isinstance(error, aiohttp.ClientConnectionError):
        return httpx.ReadError(message) if in_tunnel else BrokenTunnelError(message)
    return httpx.RemoteProtocolError(message)
