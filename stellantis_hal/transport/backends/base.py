"""HTTP backend protocol.

A backend takes and returns plain values: httpx's request and response objects cost more than all the rest of transport,
so aiohttp's client is used without them.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Protocol, TypeAlias

__all__ = ["HttpBackend", "Outgoing", "StreamingResponse"]

Outgoing: TypeAlias = bytes | AsyncIterable[bytes] | None
"""The body of a request. An iterable without a Content-Length field is sent in chunks."""


class StreamingResponse(Protocol):
    """A response whose headers have arrived."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def raw_headers(self) -> Iterable[tuple[str, str]]:
        """The header fields, repeated ones included."""
        ...

    @property
    def stream(self) -> AsyncIterable[bytes]:
        """The raw body."""
        ...

    def take_received(self) -> bytes | None:
        """Return the whole raw body where all of it has been received, and it was not read yet; else None."""
        ...

    async def aclose(self) -> None:
        """Return the connection to the pool, or close it where the body was not read to its end."""
        ...


class HttpBackend(Protocol):
    """A pool of connections.

    Attributes:
        enforces_total: whether the backend enforces the total timeout itself.
    """

    @property
    def enforces_total(self) -> bool: ...

    async def open(
        self, method: str, url: str, headers: dict[str, str], content: Outgoing, *, is_download: bool = ...
    ) -> StreamingResponse:
        """Send a request; return the response once its headers have arrived.

        Args:
            is_download: do not enforce the total timeout, because the caller reads the body at its own pace.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
