"""The interface between navigation and transport: requests, responses and Fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import attrs

from stellantis_hal.hal.fast_frozen_init import mutable_twin
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.navigation.streamed_request_bodies import Content

__all__ = [
    "Fetch",
    "PrioritizedFetch",
    "Request",
    "Response",
    "StreamedResponse",
    "StreamingFetch",
    "make_get",
    "make_response",
]

_new = object.__new__


@attrs.frozen(kw_only=True)
class Request:
    """A request, without credentials.

    Attributes:
        url: the absolute URL, byte for byte as it is sent; a query from the server is never parsed and rebuilt.
        method: the HTTP method.
        headers: header fields of this request (``Accept``, ``If-None-Match``, …).
        content: the body: bytes, or a stream that is read while it is sent.
        repeatable: whether it may be sent again after the server may have received it; None: by its method (GET, HEAD,
            PUT and DELETE may). A stream that can be read only once is never sent again.
        on_sending: called before each attempt at which the server may receive it; never, where nothing was sent.
    """

    __repr__ = redacted_repr

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = attrs.field(factory=dict)
    content: Content | None = attrs.field(default=None, repr=False)
    repeatable: bool | None = None
    on_sending: Callable[[], None] | None = attrs.field(default=None, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class Response:
    """A response, with its body read to the end: any 2xx, or 304 to a conditional request.

    Attributes:
        url: its URL, after redirects, without what identifies the application.
        status: the HTTP status.
        headers: the header fields.
        content: the body, decompressed.
        received_at: the time of receipt by the wall clock, aware, UTC; of a copy from a cache, the time at which it
            was received, or last found unchanged.
        initial_age: seconds that it had spent in caches before that.
        from_cache: whether its body came from the client's own cache.
        delay: seconds from the sending of the request to the receipt; None where they were not measured.
    """

    __repr__ = redacted_repr

    url: str
    status: int
    headers: Headers
    content: bytes = attrs.field(repr=False)
    received_at: datetime
    initial_age: float = 0.0
    from_cache: bool = False
    delay: float | None = None


_RequestInTheMaking = mutable_twin(Request)
_ResponseInTheMaking = mutable_twin(Response)


def make_get(url: str, headers: Mapping[str, str]) -> Request:
    """Return a GET request without a body, in a fraction of the time of the class's own ``__init__``."""
    made: Any = _new(_RequestInTheMaking)
    made.url = url
    made.method = "GET"
    made.headers = headers
    made.content = made.repeatable = made.on_sending = None
    made.__class__ = Request
    request: Request = made
    return request


def make_response(
    url: str, status: int, headers: Headers, content: bytes, *, received_at: datetime, delay: float
) -> Response:
    """Return a response of a server, in a fraction of the time of the class's own ``__init__``."""
    made: Any = _new(_ResponseInTheMaking)
    made.url = url
    made.status = status
    made.headers = headers
    made.content = content
    made.received_at = received_at
    made.initial_age = 0.0
    made.from_cache = False
    made.delay = delay
    made.__class__ = Response
    response: Response = made
    return response


class Fetch(Protocol):
    """Send a request and return the response.

    An implementation decides about credentials, waiting and retries, follows redirects by the rules of
    :mod:`stellantis_hal.navigation.origins`, and raises only errors of :mod:`stellantis_hal.errors`:
    an :class:`~stellantis_hal.errors.ApiError` for every other status.
    """

    async def __call__(self, request: Request, /) -> Response: ...


@attrs.frozen(kw_only=True)
class StreamedResponse:
    """A response of 2xx whose body is read piece by piece.

    Attributes:
        url: its URL, after redirects, without what identifies the application.
        status: the HTTP status.
        headers: the header fields.
        received_at: the time of receipt of the headers by the wall clock, aware, UTC.
        chunks: the body, decompressed, in pieces that are not empty.
    """

    __repr__ = redacted_repr

    url: str
    status: int
    headers: Headers
    received_at: datetime
    chunks: AsyncIterator[bytes] = attrs.field(repr=False)


@runtime_checkable
class StreamingFetch(Protocol):
    """A fetch that can return a body piece by piece."""

    def stream(
        self, request: Request, /, *, limit: int, credentials: bool = True
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Send a request and return its response; leaving the context closes the body.

        Args:
            request: the request.
            limit: bytes, decompressed, at most.
            credentials: False: nothing that identifies the caller is sent, and any origin may be asked.
        """
        ...


@runtime_checkable
class PrioritizedFetch(Protocol):
    """A fetch whose requests have a priority and a bound on their wait."""

    def with_options(self, *, priority: Any = None, max_wait: float | None = None) -> Fetch:
        """Return the fetch with other options; None leaves an option as it is."""
        ...
