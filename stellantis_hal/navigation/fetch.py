"""The seam between navigation and whatever moves bytes.

Knows a request and an answer as values. Must not know any HTTP library, credentials, or what a body means.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import attrs

from stellantis_hal.hal.headers import Headers

__all__ = ["ConfigurableFetch", "Fetch", "Request", "Response"]


@attrs.frozen(kw_only=True)
class Request:
    """What navigation asks for: an absolute URL, byte for byte as it has to be sent, without credentials.

    Attributes:
        url: absolute; a server-made query in it is never parsed and rebuilt.
        method: the HTTP method.
        headers: fields of this request alone (``Accept``, ``If-None-Match``, …).
        content: the body.
        repeatable: whether it may be sent again after the server may have seen it; None: as its method says
            (GET, HEAD, PUT and DELETE may).
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = attrs.field(factory=dict)
    content: bytes | None = attrs.field(default=None, repr=False)
    repeatable: bool | None = None


@attrs.frozen(kw_only=True)
class Response:
    """What came back: any 2xx, or the 304 that a conditional request asked for. Its body is read to the end.

    Attributes:
        url: where it came from, after redirects, without what identifies the application.
        status: the HTTP status.
        headers: its header fields.
        content: its body, decompressed.
        received_at: by the wall clock, aware, UTC.
    """

    url: str
    status: int
    headers: Headers
    content: bytes = attrs.field(repr=False)
    received_at: datetime


class Fetch(Protocol):
    """Send a request, give its answer.

    Whoever implements it decides about credentials, waiting and retries, follows redirects by the rules of
    :mod:`stellantis_hal.navigation.origins`, and raises nothing but errors of :mod:`stellantis_hal.errors`:
    an :class:`~stellantis_hal.errors.ApiError` for every other status.
    """

    async def __call__(self, request: Request, /) -> Response: ...


@runtime_checkable
class ConfigurableFetch(Protocol):
    """A fetch whose requests have a priority and a bound on their wait."""

    def with_options(self, *, priority: Any = None, max_wait: float | None = None) -> Fetch:
        """Return the fetch with other options; None leaves an option as it is."""
        ...
