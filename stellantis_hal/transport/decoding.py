"""A body read to its end, and never further than allowed.

Knows content codings (RFC 9110 section 8.4.1) and one bound. Must not know what a body means. Decompression stops at
the bound, too: a bomb is noticed after that many bytes, whatever it would have become; so is a body that goes on for
ever and unfolds to nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator

import anyio

__all__ = ["ACCEPTED", "BodyTooLarge", "UnknownCoding", "read_body"]

ACCEPTED = "gzip, deflate"
"""What we ask for: codings whose decompression can be bounded step by step."""


_CLOSING = 5.0
_OVERHEAD = 1_024


class BodyTooLarge(Exception):  # noqa: N818 - a signal within this floor, not an error that leaves it
    """More than was allowed."""


class UnknownCoding(Exception):  # noqa: N818 - a signal within this floor, not an error that leaves it
    """Compressed in a way that we did not ask for."""


async def read_body(stream: AsyncIterable[bytes], coding: str, *, limit: int) -> bytes:
    """Read and decompress.

    Args:
        stream: the raw body.
        coding: the ``Content-Encoding`` field; empty for none.
        limit: bytes, decompressed, that are read at most.

    Raises:
        BodyTooLarge: there are more.
        UnknownCoding: the coding is not one of those accepted.
        EOFError: a compressed body breaks off.
        zlib.error: it is damaged.
    """
    iterator = aiter(stream)
    try:
        return await _read(iterator, coding, limit)
    except BaseException:
        abandon = getattr(iterator, "aclose", None)
        if abandon is not None:  # a generator left to the garbage collector would end in another task, or never
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSING):
                await abandon()
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
    inflating = _Decompressor(names[0] == "deflate")
    packed = 0
    async for chunk in stream:
        packed += len(chunk)
        if packed > 2 * limit + _OVERHEAD:
            raise BodyTooLarge
        for piece in inflating.feed(chunk, limit + 1):
            size += len(piece)
            if size > limit:
                raise BodyTooLarge
            chunks.append(piece)
    inflating.finish()
    return b"".join(chunks)


class _Decompressor:
    """One or more compressed members in a row."""

    def __init__(self, deflate: bool) -> None:
        self._deflate = deflate
        self._member = None if deflate else zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._fed = False

    def feed(self, chunk: bytes, most: int) -> list[bytes]:
        """Decompress a chunk; each piece has at most ``most`` bytes, and their list ends soon after that many."""
        pieces: list[bytes] = []
        size = 0
        while chunk and size < most:
            if self._member is None:
                # Servers send deflate with a zlib header, as they should, or without.
                raw = chunk[0] & 0x0F != 8 or chunk[0] >> 4 > 7
                self._member = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
            if self._member.eof:
                if self._deflate:
                    break  # what trails is padding
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            self._fed = True
            piece = self._member.decompress(chunk, most)
            if piece:
                size += len(piece)
                pieces.append(piece)
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return pieces

    def finish(self) -> None:
        """Refuse a body that breaks off; an empty one is fine (204, 304, HEAD)."""
        if self._fed and self._member is not None and not self._member.eof:
            raise EOFError("the compressed body breaks off")
