"""Body of a request to an ASGI application, read within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol

import anyio
import attrs

__all__ = ["ReceivedBody", "SenderDisconnectedError", "SlowBodyError", "read_body"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_MAGIC: Final = b"\x1f\x8b"
_WINDOWS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_PIECE = 64 * 1024
_COMPRESSED: Final = "compressed"
_MAX_MEMBERS = 100  # each costs a copy of what follows it, however little it holds


class SenderDisconnectedError(Exception):
    """The sender went away before its body was complete."""


class SlowBodyError(Exception):
    """The body was not complete within its time."""


@attrs.frozen
class ReceivedBody:
    """A body, or the beginning of one that is too large or cannot be decompressed.

    Attributes:
        content: the bytes, decompressed; as received where none of them can be.
        size: how many there were; of a body that was not read further, how many were seen.
        problem: why it is not the whole body; empty where it is.
    """

    content: bytes
    size: int
    problem: str = ""


async def read_body(receive: Receive, encoding: str, *, limit: int, timeout: float) -> ReceivedBody:
    """Read a body; what is beyond the limit is received and not kept, so that the sender gets its response.

    Args:
        receive: the ASGI callable.
        encoding: the field ``Content-Encoding``.
        limit: bytes to keep, decompressed.
        timeout: seconds that it may take.

    Raises:
        Disconnected: the sender went away.
        SlowBodyError: it took longer.
    """
    kept = _Kept(encoding.strip().lower(), limit)
    try:
        with anyio.fail_after(timeout):
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise SenderDisconnectedError
                kept.add(event.get("body", b""))
                if not event.get("more_body"):
                    return kept.finish()
    except TimeoutError:
        raise SlowBodyError(f"{kept.seen} bytes within {timeout:g} s, and the body had not ended") from None


class _Decompressing(Protocol):
    """A decompression object of :mod:`zlib`, whose class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Kept:
    """The pieces of a body up to the limit, decompressed."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._limit = limit
        self._received = bytearray()  # of a compressed body
        self._content = bytearray()  # a list would need fifty bytes for each piece, and senders choose their size
        self._size = 0
        self._members = 1
        self._held = b""
        self._problem = ""
        self._inflate: _Decompressing | None = zlib.decompressobj(_WINDOWS[encoding]) if encoding in _WINDOWS else None
        self._is_inside = False  # a compressed stream that has begun and not ended
        if encoding not in {"", "identity", *_WINDOWS}:
            self._problem = "in an encoding that is not read"
        self.seen: int = 0

    def add(self, piece: bytes) -> None:
        self.seen += len(piece)
        if self._inflate is None or self._problem:
            self._keep(piece)
        else:
            self._decompress(self._inflate, piece)
        if self._inflate is not None:
            self._received += piece[: max(0, self._limit - len(self._received))]

    def _decompress(self, inflate: _Decompressing, piece: bytes) -> None:
        if not self._is_inside and self._members > 1:
            piece = self._begin_member(piece)
        while piece and not self._problem:
            self._is_inside = True
            try:
                # One piece at a time, so that a small body cannot become gigabytes at once.
                self._keep(inflate.decompress(piece, _PIECE))
            except zlib.error:
                self._problem = f"{_COMPRESSED}, and damaged"
                return
            piece = inflate.unconsumed_tail
            if inflate.eof:  # another member may follow (RFC 1952)
                self._is_inside = False
                self._members += 1
                piece = self._begin_member(inflate.unused_data)
                self._inflate = inflate = zlib.decompressobj(_GZIP)
                if self._members > _MAX_MEMBERS and piece:
                    self._problem = f"{_COMPRESSED}, in more than {_MAX_MEMBERS} parts"

    def _begin_member(self, piece: bytes) -> bytes:
        """Return what follows a complete member if it begins another one; else it is padding."""
        piece, self._held = self._held + piece, b""
        if piece == _GZIP_MAGIC[:1]:
            self._held = piece  # the rest of the magic number is in the next piece
            return b""
        return piece if piece.startswith(_GZIP_MAGIC) else b""

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        self._content += piece[: max(0, self._limit - len(self._content))]
        if self._size > self._limit and not self._problem:
            self._problem = f"larger than {self._limit} bytes"

    def finish(self) -> ReceivedBody:
        if self._is_inside and not self._problem:
            self._problem = f"{_COMPRESSED}, and cut off"
        if self._problem.startswith(_COMPRESSED) and not self._content:  # else all of these would be one event
            return ReceivedBody(bytes(self._received), self.seen, self._problem)
        return ReceivedBody(bytes(self._content), self._size, self._problem)
