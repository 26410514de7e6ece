"""One request, one answer, nothing left open.

Knows a transport, its connections and time-outs. Must not know credentials, retries or what an answer means.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterable, Callable
from typing import NamedTuple

import anyio
import attrs
import httpx
from attrs import validators

from stellantis_hal.errors import BodyTooLargeError, NetworkError, StellantisError
from stellantis_hal.hal.masking import mask_url
from stellantis_hal.navigation.fetch import Headers
from stellantis_hal.transport.body import BodyTooLarge, UnknownCoding, read_body
from stellantis_hal.transport.border import is_foreign, translated
from stellantis_hal.transport.limiter import Slot
from stellantis_hal.transport.network import make_transport
from stellantis_hal.transport.quota import Quota

__all__ = ["Exchange", "Received", "Timeouts"]

_logger = logging.getLogger("stellantis_hal")
_POSITIVE = validators.gt(0.0)
_CLOSING = 5.0


@attrs.frozen(kw_only=True)
class Timeouts:
    """Bounds of one attempt, in seconds.

    Attributes:
        connect: until a connection is made, TLS included.
        read: without a byte from the server. The vendor has answered after 60 s, so a little more than that.
        write: without a byte accepted by the server.
        pool: waiting for one of our own connections.
        total: all of it, however busy the server seems.
    """

    connect: float = attrs.field(default=10.0, validator=_POSITIVE)
    read: float = attrs.field(default=65.0, validator=_POSITIVE)
    write: float = attrs.field(default=30.0, validator=_POSITIVE)
    pool: float = attrs.field(default=60.0, validator=_POSITIVE)
    total: float = attrs.field(default=180.0, validator=_POSITIVE)


class Received(NamedTuple):
    """An answer before anybody judged it."""

    status: int
    headers: Headers
    content: bytes
    quota: Quota | None
    seconds: float


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
        self._transport = transport
        self._owned = transport is None
        self._context = context
        self._connections = connections
        self._timeouts = timeouts
        self._extensions = {
            "timeout": {
                "connect": timeouts.connect,
                "read": timeouts.read,
                "write": timeouts.write,
                "pool": timeouts.pool,
            }
        }
        self._max_body = max_body
        self._gate: anyio.Semaphore | None = None
        self._closed = False

    async def send(
        self,
        method: str,
        url: str,
        fields: list[tuple[str, str]],
        content: bytes | None,
        *,
        slot: Slot,
        shown: str,
    ) -> Received:
        """Send one request and read its answer to the end.

        Args:
            method: of the request.
            url: to be sent, credentials included.
            fields: of the header.
            content: the body.
            slot: is told when the request goes out and when the answer's headers are there.
            shown: the URL without credentials, for errors.

        Raises:
            NetworkError: there is no complete answer.
            ConfigurationError: TLS is not set up rightly.
        """
        gate = self._gate
        if gate is None:
            gate = self._gate = anyio.Semaphore(self._connections, fast_acquire=True)
        try:
            gate.acquire_nowait()
        except anyio.WouldBlock:
            await self._queue(gate, shown)
        try:
            started = anyio.current_time()
            with anyio.CancelScope(deadline=started + self._timeouts.total):
                return await self._exchanged(method, url, fields, content, slot=slot, shown=shown, started=started)
            raise NetworkError(
                f"{mask_url(shown)}: no complete answer within {self._timeouts.total:g} s", url=shown, sent=True
            )
        finally:
            gate.release()

    async def _queue(self, gate: anyio.Semaphore, shown: str) -> None:
        with anyio.CancelScope(deadline=anyio.current_time() + self._timeouts.pool):
            await gate.acquire()
            return
        raise NetworkError(
            f"{mask_url(shown)}: no connection became free within {self._timeouts.pool:g} s; "
            f"all {self._connections} are busy",
            url=shown,
        )

    async def _exchanged(
        self,
        method: str,
        url: str,
        fields: list[tuple[str, str]],
        content: bytes | None,
        *,
        slot: Slot,
        shown: str,
        started: float,
    ) -> Received:
        answering = False
        response: httpx.Response | None = None
        try:
            transport = self._reach(shown)
            request = httpx.Request(method, url, headers=fields, content=content, extensions=self._extensions)
            slot.sent()
            response = await transport.handle_async_request(request)
            answering = True
            headers = Headers(
                [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
            )
            quota = Quota.from_headers(headers)
            slot.answered(quota)
            stream = response.stream
            body = await read_body(_asynchronous(stream), headers.get("content-encoding", ""), limit=self._max_body)
            await response.aclose()
        except BaseException as error:
            if response is not None:
                await _close(response)
            ours = self._ours(error, shown, answering=answering)
            if ours is None:
                raise
            raise ours from error
        return Received(response.status_code, headers, body, quota, anyio.current_time() - started)

    def _ours(self, error: BaseException, shown: str, *, answering: bool) -> NetworkError | None:
        if isinstance(error, BodyTooLarge):
            return BodyTooLargeError(
                f"{mask_url(shown)}: the body is larger than the {self._max_body} bytes allowed; raise max_body if "
                "that much is expected",
                url=shown,
                sent=True,
            )
        if isinstance(error, UnknownCoding):
            return NetworkError(
                f"{mask_url(shown)}: the body is compressed as {str(error)!r}, which was not asked for",
                url=shown,
                sent=True,
            )
        if isinstance(error, StellantisError) or not isinstance(error, Exception) or not is_foreign(error):
            return None
        return translated(error, shown, answering=answering)

    def _reach(self, shown: str) -> httpx.AsyncBaseTransport:
        if self._closed:
            raise NetworkError(f"{mask_url(shown)}: the session is closed, open a new one", url=shown)
        if self._transport is None:
            self._transport = make_transport(self._context(), connections=self._connections)
        return self._transport

    async def aclose(self) -> None:
        """Close the transport if it is ours; nothing can be sent afterwards."""
        self._closed = True
        if self._owned and self._transport is not None:
            transport, self._transport = self._transport, None
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSING):
                await transport.aclose()


def _asynchronous(stream: object) -> AsyncIterable[bytes]:
    if isinstance(stream, httpx.AsyncByteStream):
        return stream
    raise TypeError(f"a transport for httpx's asynchronous client answers with asynchronous streams, not {stream!r}")


async def _close(response: httpx.Response) -> None:
    """Close an answer that will not be read, even where the task is cancelled: its connection must not be lost."""
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSING):
        try:
            await response.aclose()
        except Exception as error:
            if not is_foreign(error):
                raise
            _logger.debug("closing an answer failed: %s", type(error).__name__)
