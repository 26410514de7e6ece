"""Bodies read to the end and decompressed, within a bound."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator

import anyio

__all__ = ["ACCEPTED", "BodyTooLarge", "UnknownCoding", "read_body"]

ACCEPTED = "gzip, deflate"
"""The content codings asked for (RFC 9110 section 8.4.1): those whose decompression can be bounded step by step."""

_CLOSE_TIMEOUT = 5.0
_FRAMING = 1_024


class BodyTooLarge(Exception):  # noqa: N818 - internal, mapped before it leaves transport
    """The body exceeds the limit."""


class UnknownCoding(Exception):  # noqa: N818 - internal, mapped before it leaves transport
    """The body has a content coding that was not asked for."""


async def read_body(stream: AsyncIterable[bytes], coding: str, *, limit: int) -> bytes:
    """Read a body to its end, decompressed.

    Decompression stops at the limit, so that a small body cannot expand without bound; so does a body of any length
    that decompresses to nothing.

    Args:
        stream: the raw body.
        coding: the ``Content-Encoding`` field; empty for none.
        limit: bytes, decompressed, at most.

    Raises:
        BodyTooLarge: the body has more.
        UnknownCoding: the coding is not one of those accepted.
        EOFError: a compressed body is truncated.
        zlib.error: a compressed body is corrupt.
    """
    iterator = aiter(stream)
    try:
        return await _read(iterator, coding, limit)
    except BaseException:
        close = getattr(iterator, "aclose", None)
        if close is not None:  # the garbage collector would close it in another task, or never
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
                await close()
        raise


async def _read(stream: AsyncIterator[bytes], coding: str, limit: int) -> bytes:
    names = [name for part in coding.lower().split(",") if (name := part.strip()) not in {"", "identity"}]
    chunks: list[bytes] = []
    size = 0
    if not names:
        async for chunk in stream:
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if len(names) > 1 or names[0] not in {"gzip", "x-gzip", "deflate"}:
        raise UnknownCoding(", ".join(names)[:80])
    decompressor = _Decompressor(names[0] == "deflate")
    compressed = 0
    async for chunk in stream:
        compressed += len(chunk)
        if compressed > 2 * limit + _FRAMING:
            raise BodyTooLarge
        for piece in decompressor.feed(chunk, limit + 1):
            size += len(piece)
            if size > limit:
                raise BodyTooLarge
            chunks.append(piece)
    decompressor.finish()
    return b"".join(chunks)


class _Decompressor:
    """Decompresses one or more members in a row."""

    def __init__(self, deflate: bool) -> None:
        self._deflate = deflate
        self._member = None if deflate else zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._fed = False

    def feed(self, chunk: bytes, limit: int) -> list[bytes]:
        """Decompress a chunk into pieces of at most ``limit`` bytes; stop soon after that many in all."""
        pieces: list[bytes] = []
        size = 0
        while chunk and size < limit:
            if self._member is None:
                # Some servers send deflate without the zlib header.
                raw = chunk[0] & 0x0F != 8 or chunk[0] >> 4 > 7
                self._member = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
            if self._member.eof:
                if self._deflate:
                    break  # padding
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            self._fed = True
            piece = self._member.decompress(chunk, limit)
            if piece:
                size += len(piece)
                pieces.append(piece)
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return pieces

    def finish(self) -> None:
        """Raise EOFError for a truncated body; an empty one is complete (204, 304, HEAD)."""
        if self._fed and self._member is not None and not self._member.eof:
            raise EOFError("the compressed body is truncated")
