"""Backends over a host program's own session, borrowed and never closed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import httpx

from stellantis_hal.errors import ClosedClientError, ConfigurationError
from stellantis_hal.transport.backends.base import HttpBackend, HttpxBackend

if TYPE_CHECKING:
    import aiohttp

    HostSession: TypeAlias = aiohttp.ClientSession | httpx.AsyncClient
else:
    HostSession = Any  # aiohttp is an extra, and is not imported to name its class

__all__ = ["HostSession", "connections_of", "is_host_session", "make_borrowed_backend"]

_CLOSED = (
    "the borrowed session is closed: keep it open for as long as the client is used, or make the client in the same "
    "`async with`"
)


def is_host_session(session: object) -> bool:
    """Return whether an object is a session that can be borrowed; this loads no library."""
    if isinstance(session, httpx.AsyncClient):
        return True
    aiohttp = sys.modules.get("aiohttp")
    return aiohttp is not None and isinstance(session, aiohttp.ClientSession)


def connections_of(session: HostSession) -> int | None:
    """Return how many connections an aiohttp session allows to one host; None where it states no limit."""
    if isinstance(session, httpx.AsyncClient):
        return None
    connector = session.connector
    limits = () if connector is None else (connector.limit, connector.limit_per_host)
    return min((limit for limit in limits if limit), default=None)


def make_borrowed_backend(session: HostSession, *, timeouts: dict[str, float]) -> HttpBackend:
    """Return a backend over a session of the program.

    Requests are sent byte for byte as by a backend of our own: the session's cookies, default headers, credentials and
    redirects stay out of them.

    Args:
        session: open.
        timeouts: ``connect``, ``read``, ``write``, ``pool`` and ``total``, in seconds, instead of the session's.

    Raises:
        ClosedClientError: the session is closed.
        ConfigurationError: an aiohttp session is used on trio.
    """
    if isinstance(session, httpx.AsyncClient):
        return _BorrowedHttpx(session, timeouts)
    if session.closed:
        raise ClosedClientError(_CLOSED)
    if not anyio.get_cancelled_exc_class().__module__.startswith("asyncio"):
        raise ConfigurationError("an aiohttp.ClientSession needs asyncio: on trio, pass an httpx.AsyncClient")
    from stellantis_hal.transport.backends.aiohttp_client import BorrowedAiohttpBackend  # noqa: PLC0415 - where it is used

    return BorrowedAiohttpBackend(session, timeouts=timeouts, check_open=_checker(lambda: session.closed))


def _checker(is_closed: Callable[[], bool]) -> Callable[[], None]:
    def check() -> None:
        if is_closed():
            raise ClosedClientError(_CLOSED)

    return check


class _BorrowedHttpx(HttpxBackend):
    """Backend over an ``httpx.AsyncClient``: its transports and mounts, without its cookies, headers and redirects."""

    def __init__(self, client: httpx.AsyncClient, timeouts: dict[str, float]) -> None:
        super().__init__(_ClientTransport(client), timeouts)

    async def aclose(self) -> None:
        """Leave the client open: its owner closes it."""


class _ClientTransport(httpx.AsyncBaseTransport):
    """Sends by the transport that a client would choose for a URL."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client: Any = client
        self._check_open = _checker(lambda: client.is_closed)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        self._check_open()
        # client.send() would keep cookies, and log the URL with what identifies the application. There is no public
        # way to a client's proxies and mounts.
        transport: httpx.AsyncBaseTransport = self._client._transport_for_url(request.url)  # noqa: SLF001
        return await transport.handle_async_request(request)
