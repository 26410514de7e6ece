"""Backends over a host program's own session, borrowed and never closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from stellantis_hal.errors import ClosedClientError, ConfigurationError, WrongLoopError
from stellantis_hal.transport.backends.base import HttpBackend, StreamingResponse
from stellantis_hal.transport.backends.httpx_backend import HttpxBackend
from stellantis_hal.transport.backends.session_detection import HostSession

if TYPE_CHECKING:
    import aiohttp

__all__ = ["make_borrowed_backend", "session_transport"]

_CLOSED = (
    "the borrowed session is closed: keep it open for as long as the client is used, or make the client in the same "
    "`async with`"
)


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
        WrongLoopError: an aiohttp session was made in another event loop.
    """
    if isinstance(session, httpx.AsyncClient):
        return _BorrowedHttpx(session, timeouts)
    if session.closed:
        raise ClosedClientError(_CLOSED)
    if not anyio.get_cancelled_exc_class().__module__.startswith("asyncio"):
        raise ConfigurationError("an aiohttp.ClientSession needs asyncio: on trio, pass an httpx.AsyncClient")
    from stellantis_hal.transport.backends.aiohttp_client import (  # where it is used
        BorrowedAiohttpBackend,
        runs_in_this_loop,
    )

    if not runs_in_this_loop(session):
        raise WrongLoopError(
            "nothing was sent: the borrowed session was made in another event loop: make it in the one that uses it, "
            "because connections belong to their loop"
        )
    return BorrowedAiohttpBackend(session, timeouts=timeouts, check_open=_checker(lambda: session.closed))


def session_transport(session: HostSession) -> httpx.AsyncBaseTransport:
    """Return a transport of httpx over a session of the program, as :func:`make_borrowed_backend` has a backend."""
    return _ClientTransport(session) if isinstance(session, httpx.AsyncClient) else _SessionTransport(session)


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


_SILENCE = 60.0
"""Seconds without a byte or a connection, where a request states no bound."""
_OF_THE_WIRE = frozenset(("host", "transfer-encoding"))  # aiohttp states them itself


class _SessionTransport(httpx.AsyncBaseTransport):
    """Sends by the connections of an aiohttp session.

    Each request has a backend of its own, closed with its response: a transport of the program may never be closed.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        stated: dict[str, float | None] = request.extensions.get("timeout", {})
        timeouts = {name: stated.get(name) or _SILENCE for name in ("connect", "read", "write", "pool")}
        timeouts["total"] = 0.0  # none: the caller has one
        url, stream = request.url, request.stream
        target = f"{url.scheme}://{url.netloc.decode()}{url.raw_path.decode()}"
        headers = {name: value for name, value in request.headers.items() if name not in _OF_THE_WIRE}
        content: Any = stream
        if isinstance(stream, httpx.ByteStream):
            content = next(iter(stream)) or None  # it has one chunk
        backend = make_borrowed_backend(self._session, timeouts=timeouts)
        try:
            opened = await backend.open(request.method, target, headers, content)
        except BaseException:
            await backend.aclose()  # it does not wait: the connections are the session's
            raise
        fields = [
            (name.encode(errors="surrogateescape"), value.encode(errors="surrogateescape"))
            for name, value in opened.raw_headers
        ]
        return httpx.Response(opened.status, headers=fields, stream=_OpenedStream(opened, backend))


class _OpenedStream(httpx.AsyncByteStream):
    def __init__(self, opened: StreamingResponse, backend: HttpBackend) -> None:
        self._opened = opened
        self._backend = backend

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._opened.stream)

    async def aclose(self) -> None:
        try:
            await self._opened.aclose()
        finally:
            await self._backend.aclose()
