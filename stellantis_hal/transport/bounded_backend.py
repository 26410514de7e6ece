"""Exchange of one request for one response over a backend."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import anyio
import anyio.to_thread
import attrs
from attrs import validators

from stellantis_hal.errors import BodyTooLargeError, ClosedClientError, NetworkError, StellantisError
from stellantis_hal.hal.encoded import load_decoders
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.fetch_protocol import Response, make_response
from stellantis_hal.navigation.streamed_request_bodies import Content, RequestBodyReader, StreamedRequestBody
from stellantis_hal.transport.backends.base import HttpBackend, StreamingResponse
from stellantis_hal.transport.backends.default import backend_loader, make_backend
from stellantis_hal.transport.backends.session_detection import HostSession
from stellantis_hal.transport.decoding import (
    BodyTooLarge,
    UnknownCoding,
    decode_body,
    decode_error_body,
    read_body,
    read_error_body,
)
from stellantis_hal.transport.loop_binding import LoopBinding
from stellantis_hal.transport.loop_handle import loop_time
from stellantis_hal.transport.proxies import DIRECT, ProxySettings
from stellantis_hal.transport.rate_limit.protocol import Slot
from stellantis_hal.transport.rate_limit.quota_headers import QuotaHeaderNames, ReportedQuota
from stellantis_hal.transport.semaphore import TimedSemaphore
from stellantis_hal.transport.streamed_response_bodies import StreamedBody, StreamedBodyHolder
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    import httpx

__all__ = ["BoundedBackend", "OutgoingRequest", "Timeouts"]

_logger = logging.getLogger("stellantis_hal")
_above_zero = validators.gt(0.0)
_CLOSE_TIMEOUT = 5.0
_NO_DEADLINE = nullcontext()
_TOO_MANY_REQUESTS = 429
_READERS = ((read_body, decode_body), (read_error_body, decode_error_body))


def _positive(timeouts: object, attribute: attrs.Attribute[float], value: float) -> None:
    require_type(attribute.name, value, int, float)
    _above_zero(timeouts, attribute, value)


@attrs.frozen(kw_only=True)
class Timeouts:
    """Bounds of one attempt, in seconds.

    Attributes:
        connect: until a connection is made, the look-up of the host's name and TLS included. A look-up that hangs
            goes on in its thread as long as the system lets it; with aiohttp all requests to the host share it.
        read: without a byte from the server. Some gateways respond after 60 s, so a little more than that.
        write: without a byte accepted by the server. aiohttp has no such bound; ``total`` ends it there.
        pool: waiting for a connection of the session's own.
        total: the whole attempt, however much the server sends.
    """

    connect: float = attrs.field(default=10.0, validator=_positive)
    read: float = attrs.field(default=65.0, validator=_positive)
    write: float = attrs.field(default=30.0, validator=_positive)
    pool: float = attrs.field(default=60.0, validator=_positive)
    total: float = attrs.field(default=180.0, validator=_positive)


class OutgoingRequest(NamedTuple):
    """A request as it is sent, credentials included.

    Attributes:
        method: the HTTP method.
        url: absolute.
        headers: by lower-case name.
        content: the body.
        shown_url: the URL without credentials, for the response and for errors.
    """

    method: str
    url: str
    headers: dict[str, str]
    content: Content | None
    shown_url: str


class BoundedBackend:
    """A backend, owned or borrowed, behind semaphores.

    A task that queues inside a pool costs milliseconds, and one cancelled there can spoil the pool: the queue is here.
    Requests to an identity server have a queue of their own, so that its silence takes no connection from the API.

    Args:
        transport: borrowed, never closed; None makes one at the first request.
        host_session: a session of the program instead of it, likewise borrowed.
        ssl_context: makes the TLS settings of that one.
        connections: how many tasks may use the transport at once, the requests of `queue` not counted.
        timeouts: of each attempt.
        max_body: bytes, decompressed.
        quota_headers: the headers that state the quota.
        clock: the wall clock.
        proxies: the proxy of each URL, for the transport that is made.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None,
        *,
        ssl_context: Callable[[], ssl.SSLContext],
        connections: int,
        timeouts: Timeouts,
        max_body: int,
        quota_headers: QuotaHeaderNames,
        clock: Callable[[], datetime],
        proxies: ProxySettings = DIRECT,
        host_session: HostSession | None = None,
    ) -> None:
        self._host_session = host_session
        self._proxies = proxies
        self._timeouts = timeouts
        self._seconds: dict[str, float] = attrs.asdict(timeouts)
        self._backend: HttpBackend | None = None if transport is None else _over(transport, self._seconds)
        self._owned = transport is None
        self._ssl_context = ssl_context
        self.connections = connections
        self._max_body = max_body
        self._quota_headers = quota_headers
        self._clock = clock
        self._queue = self.queue()
        self._closed = False
        self._binding = LoopBinding("this client")
        self.now: Callable[[], float] = loop_time
        """Returns the time of the event loop that the client is bound to."""
        self._making = anyio.Lock()

    def check_use(self) -> None:
        """Check that a request can be sent from here.

        Raises:
            ClosedClientError: it was closed.
            WrongLoopError: it was used before in another event loop, thread or process.
        """
        if self._closed:
            raise ClosedClientError(
                "nothing was sent: this client was closed, as at the end of its `async with`; make a new one"
            )
        self.now = self._binding.check().now

    def queue(self) -> TimedSemaphore:
        """Return another queue for as many requests at once."""
        return TimedSemaphore(self.connections, self._timeouts.pool)

    async def send(
        self,
        request: OutgoingRequest,
        slot: Slot,
        queue: TimedSemaphore | None = None,
        receiver: StreamedBodyHolder | None = None,
    ) -> tuple[Response, ReportedQuota | None]:
        """Send one request, read the response to the end; return it, and the quota that it states.

        Args:
            request: what to send.
            slot: marked as sent when the request goes out, as answered when the response's headers arrive.
            queue: where it waits for a connection; None for that of the API.
            receiver: takes over the body of a response of 2xx, and with it the connection and the place in the queue;
                the response has no content then. None: the body is read here.

        Raises:
            NetworkError: no complete response arrived.
            ConfigurationError: the TLS settings, or the proxy that the environment names, cannot be used.
            LimiterSlotExpiredError: the slot has expired; nothing was sent.
        """
        method, url, request_headers, content, shown_url = request
        reader: RequestBodyReader | None = None
        opened: StreamingResponse | None = None
        is_kept, queue = False, queue or self._queue
        if not (queue.try_acquire() or await queue.acquire()):
            raise self._no_connection(shown_url)
        try:
            backend = self._backend or await self._make_backend(shown_url)
            with (
                _NO_DEADLINE
                if backend.enforces_total and receiver is None
                else anyio.CancelScope(deadline=self.now() + self._timeouts.total)
            ):
                try:
                    slot.sent()
                    started = self.now()
                    if content is not None and isinstance(content, StreamedRequestBody):
                        reader, request_headers = _start_reading(content, request_headers)
                        opened = await backend.open(method, url, request_headers, reader)
                    else:
                        opened = await backend.open(
                            method, url, request_headers, content, is_download=receiver is not None
                        )
                    headers = Headers(opened.raw_headers)
                    fields = headers.by_lower_name
                    quota = ReportedQuota.from_headers(fields, self._quota_headers)
                    slot.answered(_refused(quota) if opened.status == _TOO_MANY_REQUESTS else quota)
                    coding = fields.get("content-encoding") or ""
                    if receiver is not None and 200 <= opened.status < 300:
                        streamed = self._keep(opened, coding, receiver.limit, shown_url, queue)
                        is_kept, body = True, b""
                        await receiver.receive(streamed)
                    else:
                        received, limit = opened.take_received(), self._max_body
                        read, decode = _READERS[opened.status >= 400]
                        body = (
                            await read(opened.stream, coding, limit=limit)
                            if received is None
                            else decode(received, coding, limit=limit)
                        )
                        await opened.aclose()
                except BaseException as error:
                    if opened is not None and not is_kept:
                        await _close(opened)
                    if reader is not None and reader.failure is not None and isinstance(error, Exception):
                        from stellantis_hal.transport.network_errors import unreadable_body

                        raise unreadable_body(reader.failure, shown_url) from reader.failure
                    mapped = self._map_error(error, shown_url, response_started=opened is not None)
                    if mapped is None:
                        raise
                    raise mapped from error
                response = make_response(
                    shown_url, opened.status, headers, body, received_at=self._clock(), delay=self.now() - started
                )
                return response, quota
            raise NetworkError(
                f"{mask_url(shown_url)}: no complete response within {self._timeouts.total:g} s",
                url=shown_url,
                sent=True,
            )
        finally:
            if reader is not None:
                reader.close()
            if not is_kept:
                queue.release()

    def _keep(
        self, opened: StreamingResponse, coding: str, limit: int, shown_url: str, queue: TimedSemaphore
    ) -> StreamedBody:
        """Return the body of a response, which holds the connection until it is closed."""

        async def release() -> None:
            try:
                await _close(opened)
            finally:
                queue.release()

        return StreamedBody(
            opened,
            coding,
            limit=limit,
            silence=self._timeouts.read,
            shown_url=shown_url,
            map_error=lambda error: self._map_error(error, shown_url, response_started=True),
            release=release,
        )

    def _no_connection(self, shown_url: str) -> NetworkError:
        return NetworkError(
            f"{mask_url(shown_url)}: no connection became free within {self._timeouts.pool:g} s; "
            f"all {self.connections} are in use",
            url=shown_url,
        )

    def _map_error(self, error: BaseException, shown_url: str, *, response_started: bool) -> NetworkError | None:
        """Return the error to raise instead; None where it is to be raised unchanged."""
        if isinstance(error, BodyTooLarge):
            return BodyTooLargeError(
                f"{mask_url(shown_url)}: the body is larger than the {self._max_body} bytes allowed; raise max_body if "
                "that much is expected",
                url=shown_url,
                sent=True,
                is_transient=False,
            )
        if isinstance(error, UnknownCoding):
            return NetworkError(
                f"{mask_url(shown_url)}: the body has the content coding {str(error)!r}, which was not asked for",
                url=shown_url,
                sent=True,
                is_transient=False,
            )
        if isinstance(error, StellantisError) or not isinstance(error, Exception):
            return None
        from stellantis_hal.transport.network_errors import is_foreign, to_network_error  # they load httpx

        if not is_foreign(error):
            return None
        proxy = self._proxies.for_url(shown_url)
        return to_network_error(error, shown_url, response_started=response_started, proxy=proxy)

    async def _make_backend(self, shown_url: str) -> HttpBackend:
        """Return the backend, made at the first request: in a thread as far as that takes tens of milliseconds."""
        async with self._making:
            self.check_use()  # it may have been closed while the request waited
            if self._backend is not None:
                return self._backend
            proxy = self._proxies.for_url(shown_url)
            if proxy is not None:
                shown = mask_url(shown_url)
                _logger.debug("requests to %s go through the proxy %s (from %s)", shown, proxy, proxy.source)
            if self._host_session is not None:
                await anyio.to_thread.run_sync(_load_borrowed)
                self.check_use()
                from stellantis_hal.transport.backends.borrowed import make_borrowed_backend  # it loads httpx

                self._backend = make_borrowed_backend(self._host_session, timeouts=self._seconds)
                return self._backend
            context = await anyio.to_thread.run_sync(self._load, backend_loader(self._proxies))
            self.check_use()
            self._backend = make_backend(context, timeouts=self._seconds, proxies=self._proxies)
            return self._backend

    def _load(self, load_backend: Callable[[], None]) -> ssl.SSLContext:
        """Import what the client needs, and make its TLS context."""
        load_backend()
        load_decoders()
        return self._ssl_context()

    async def aclose(self) -> None:
        """Close the backend if it is owned; nothing can be sent afterwards.

        Raises:
            WrongLoopError: it is in use in another event loop, which runs.
        """
        is_abandoned = self._binding.is_abandoned  # then its connections are gone, or those of another process
        if not (self._closed or is_abandoned):
            self._binding.check()
        self._closed = True
        backend, self._backend = self._backend, None
        if self._owned and backend is not None and not is_abandoned:
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
                await backend.aclose()


def _load_borrowed() -> None:
    """Import what a session of the program needs: httpx, whichever kind it is, and what takes documents apart."""
    import_module("stellantis_hal.transport.backends.borrowed")
    load_decoders()


def _over(transport: httpx.AsyncBaseTransport, seconds: dict[str, float]) -> HttpBackend:
    from stellantis_hal.transport.backends.httpx_backend import HttpxBackend

    return HttpxBackend(transport, seconds)


def _start_reading(body: StreamedRequestBody, headers: dict[str, str]) -> tuple[RequestBodyReader, dict[str, str]]:
    length = body.length
    return body.open(), headers if length is None else {**headers, "content-length": str(length)}


def _refused(quota: ReportedQuota | None) -> ReportedQuota:
    """Return what a limiter learns from a response that refuses a request for a limit."""
    return attrs.evolve(ReportedQuota() if quota is None else quota, refused=True)


async def _close(opened: StreamingResponse) -> None:
    """Close a response that will not be read, even in a cancelled task: its connection must not be lost."""
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
        try:
            await opened.aclose()
        except Exception as error:
            from stellantis_hal.transport.network_errors import is_foreign

            if not is_foreign(error):
                raise
            _logger.debug("closing a response failed: %s", type(error).__name__)
