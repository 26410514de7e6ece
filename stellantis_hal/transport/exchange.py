"""One request, one answer, nothing left open.

Knows a transport, its connections and time-outs. Must not know credentials, retries or what an answer means.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import NamedTuple

import anyio
import attrs
import httpx
from attrs import validators

from stellantis_hal.errors import BodyTooLargeError, NetworkError, StellantisError
from stellantis_hal.hal.headers import Headers
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.transport.backends.base import HttpBackend, HttpxBackend, StreamingResponse
from stellantis_hal.transport.backends.default import make_backend
from stellantis_hal.transport.decoding import BodyTooLarge, UnknownCoding, read_body
from stellantis_hal.transport.network_errors import is_foreign, to_network_error
from stellantis_hal.transport.rate_limit.protocol import Slot
from stellantis_hal.transport.rate_limit.quota import Quota
from stellantis_hal.transport.semaphore import TimedSemaphore

__all__ = ["Exchange", "RawResponse", "Timeouts"]

_logger = logging.getLogger("stellantis_hal")
_POSITIVE = validators.gt(0.0)
_CLOSING = 5.0


@attrs.frozen(kw_only=True)
class Timeouts:
    """Bounds of one attempt, in seconds.

    Attributes:
        connect: until a connection is made, TLS included.
        read: without a byte from the server. The vendor has answered after 60 s, so a little more than that.
        write: without a byte accepted by the server. aiohttp knows no such bound; ``total`` ends it there.
        pool: waiting for one of our own connections.
        total: all of it, however busy the server seems.
    """

    connect: float = attrs.field(default=10.0, validator=_POSITIVE)
    read: float = attrs.field(default=65.0, validator=_POSITIVE)
    write: float = attrs.field(default=30.0, validator=_POSITIVE)
    pool: float = attrs.field(default=60.0, validator=_POSITIVE)
    total: float = attrs.field(default=180.0, validator=_POSITIVE)


class RawResponse(NamedTuple):
    """An answer before anybody judged it."""

    status: int
    headers: Headers
    content: bytes
    quota: Quota | None


class Exchange:
    """Owns or borrows a transport, and lets no more tasks reach it than it has connections.

    A task that queues inside a pool costs milliseconds, and one cancelled there can spoil the pool: the queue is here.

    Args:
        transport: borrowed, never closed; None makes one at the first request.
        context: gives the TLS settings for that one.
        connections: how many tasks may be inside the transport.
        timeouts: of each attempt.
        max_body: bytes, decompressed.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None,
        *,
        context: Callable[[], ssl.SSLContext],
        connections: int,
        timeouts: Timeouts,
        max_body: int,
    ) -> None:
        spans = attrs.asdict(timeouts)
        self._backend: HttpBackend | None = None if transport is None else HttpxBackend(transport, spans)
        self._owned = transport is None
        self._context = context
        self.connections = connections
        self._timeouts = timeouts
        self._spans: dict[str, float] = spans
        self._max_body = max_body
        self._semaphore = TimedSemaphore(connections, timeouts.pool)
        self._closed = False

    async def send(
        self,
        method: str,
        url: str,
        fields: dict[str, str],
        content: bytes | None,
        *,
        slot: Slot,
        shown: str,
    ) -> RawResponse:
        """Send one request and read its answer to the end.

        Args:
            method: of the request.
            url: to be sent, credentials included.
            fields: of the header, by lower-case name.
            content: the body.
            slot: is told when the request goes out and when the answer's headers are there.
            shown: the URL without credentials, for errors.

        Raises:
            NetworkError: there is no complete answer.
            ConfigurationError: TLS is not set up rightly.
        """
        if not self._semaphore.try_enter():
            await self._queue(shown)
        try:
            backend = self._backend or self._reach(shown)
            if backend.bounded:
                return await self._exchanged(backend, method, url, fields, content, slot=slot, shown=shown)
            with anyio.CancelScope(deadline=anyio.current_time() + self._timeouts.total):
                return await self._exchanged(backend, method, url, fields, content, slot=slot, shown=shown)
            raise NetworkError(
                f"{mask_url(shown)}: no complete answer within {self._timeouts.total:g} s", url=shown, sent=True
            )
        finally:
            self._semaphore.leave()

    async def _queue(self, shown: str) -> None:
        try:
            await self._semaphore.enter()
        except TimeoutError:
            raise NetworkError(
                f"{mask_url(shown)}: no connection became free within {self._timeouts.pool:g} s; "
                f"all {self.connections} are busy",
                url=shown,
            ) from None

    async def _exchanged(
        self,
        backend: HttpBackend,
        method: str,
        url: str,
        fields: dict[str, str],
        content: bytes | None,
        *,
        slot: Slot,
        shown: str,
    ) -> RawResponse:
        opened: StreamingResponse | None = None
        try:
            slot.sent()
            opened = await backend.open(method, url, fields, content)
            headers = Headers(opened.fields)
            quota = Quota.from_headers(headers)
            slot.answered(quota)
            body = await read_body(opened.stream, headers.get("content-encoding", ""), limit=self._max_body)
            await opened.aclose()
        except BaseException as error:
            if opened is not None:
                await _close(opened)
            ours = self._ours(error, shown, answering=opened is not None)
            if ours is None:
                raise
            raise ours from error
        return RawResponse(opened.status, headers, body, quota)

    def _ours(self, error: BaseException, shown: str, *, answering: bool) -> NetworkError | None:
        if isinstance(error, BodyTooLarge):
            return BodyTooLargeError(
                f"{mask_url(shown)}: the body is larger than the {self._max_body} bytes allowed; raise max_body if "
                "that much is expected",
                url=shown,
                sent=True,
                is_transient=False,
            )
        if isinstance(error, UnknownCoding):
            return NetworkError(
                f"{mask_url(shown)}: the body is compressed as {str(error)!r}, which was not asked for",
                url=shown,
                sent=True,
                is_transient=False,
            )
        if isinstance(error, StellantisError) or not isinstance(error, Exception) or not is_foreign(error):
            return None
        return to_network_error(error, shown, answering=answering)

    def _reach(self, shown: str) -> HttpBackend:
        if self._closed:
            raise NetworkError(
                f"{mask_url(shown)}: the session is closed, open a new one", url=shown, is_transient=False
            )
        self._backend = make_backend(self._context(), connections=self.connections, timeouts=self._spans)
        return self._backend

    async def aclose(self) -> None:
        """Close the transport if it is ours; nothing can be sent afterwards."""
        self._closed = True
        backend, self._backend = self._backend, None
        if self._owned and backend is not None:
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSING):
                await backend.aclose()


async def _close(opened: StreamingResponse) -> None:
    """Close an answer that will not be read, even where the task is cancelled: its connection must not be lost."""
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSING):
        try:
            await opened.aclose()
        except Exception as error:
            if not is_foreign(error):
                raise
            _logger.debug("closing an answer failed: %s", type(error).__name__)
