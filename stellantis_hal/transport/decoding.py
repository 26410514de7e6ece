"""Bodies read to the end and decompressed, within a bound."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any

import anyio

__all__ = [
    "ACCEPTED",
    "BodyDecoder",
    "BodyTooLarge",
    "UnknownCoding",
    "decode_body",
    "decode_error_body",
    "read_body",
    "read_error_body",
]

ACCEPTED = "gzip, deflate"
"""The content codings asked for (RFC 9110 section 8.4.1): those whose decompression can be bounded step by step."""

_CLOSE_TIMEOUT = 5.0
_FRAMING = 1_024
_PIECE = 64 * 1024
_PADDING = b"\0\t\r\n "  # some servers add line breaks or zeros behind a compressed body


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


def decode_body(content: bytes, coding: str, *, limit: int) -> bytes:
    """Return a body that has been received, decompressed; see :func:`read_body`."""
    if not coding:
        if len(content) > limit:
            raise BodyTooLarge
        return content
    decoder = BodyDecoder(coding, limit=limit)
    pieces = [*decoder.feed(content)]
    decoder.finish()
    return b"".join(pieces)


async def read_error_body(stream: AsyncIterable[bytes], coding: str, *, limit: int) -> bytes:
    """Read the body of an error, whose status counts more: one that is too large counts as empty.

    See :func:`decode_error_body`.
    """
    try:
        return decode_error_body(await read_body(stream, "", limit=limit), coding, limit=limit)
    except BodyTooLarge:
        return b""


def decode_error_body(content: bytes, coding: str, *, limit: int) -> bytes:
    """Return the body of an error, decompressed; one that is not of its coding as it is where it is text, else empty.

    Gateways state the coding of the response that they replaced by their own.
    """
    try:
        return decode_body(content, coding, limit=limit)
    except BodyTooLarge:
        return b""
    except (UnknownCoding, EOFError, zlib.error):
        try:
            content.decode()
        except UnicodeDecodeError:
            return b""
        return content


async def _read(stream: AsyncIterator[bytes], coding: str, limit: int) -> bytes:
    decoder = BodyDecoder(coding, limit=limit)
    pieces: list[bytes] = []
    async for chunk in stream:
        pieces += decoder.feed(chunk)
    decoder.finish()
    return b"".join(pieces)


class BodyDecoder:
    """Decompresses a body chunk by chunk, into pieces of at most 64 KiB.

    Args:
        coding: the ``Content-Encoding`` field; empty for none.
        limit: bytes, decompressed, at most.

    Raises:
        UnknownCoding: the coding is not one of those accepted.
    """

    def __init__(self, coding: str, *, limit: int) -> None:
        self._decompressor = _decompressor(coding)
        self._limit = limit
        self._received = 0
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the decompressed pieces of a chunk, none of them empty.

        Raises:
            BodyTooLarge: the body is larger than the limit.
            zlib.error: it is corrupt.
        """
        self._received += len(chunk)
        if self._decompressor is not None and self._received > 2 * self._limit + _FRAMING:
            raise BodyTooLarge
        for piece in [chunk] if self._decompressor is None else self._decompressor.pieces(chunk, _PIECE):
            self._size += len(piece)
            if self._size > self._limit:
                raise BodyTooLarge
            if piece:
                yield piece

    def finish(self) -> None:
        """Raise EOFError for a truncated body."""
        if self._decompressor is not None:
            self._decompressor.finish()


def _decompressor(coding: str) -> _Decompressor | None:
    if not coding:
        return None
    names = [name for part in coding.lower().split(",") if (name := part.strip()) not in {"", "identity"}]
    if not names:
        return None
    if len(names) > 1 or names[0] not in {"gzip", "x-gzip", "deflate"}:
        raise UnknownCoding(", ".join(names)[:80])
    return _Decompressor(names[0] == "deflate")


class _Decompressor:
    """Decompresses one or more members in a row."""

    def __init__(self, deflate: bool) -> None:
        self._deflate = deflate
        self._member: Any = None  # zlib.decompressobj() of the present one; None before the first byte

    def pieces(self, chunk: bytes, size: int) -> Iterator[bytes]:
        """Yield a chunk decompressed, in pieces of at most ``size`` bytes, some of them empty."""
        while chunk:
            member = self._member
            if member is not None and member.eof:
                if self._deflate or not (chunk := chunk.lstrip(_PADDING)):
                    return
                member = None
            if member is None:
                member = self._member = zlib.decompressobj(self._window(chunk[0]))
            piece: bytes = member.decompress(chunk, size)
            chunk = member.unused_data if member.eof else member.unconsumed_tail
            yield piece

    def _window(self, first: int) -> int:
        """Return what zlib takes for the format of a member, by its first byte."""
        if not self._deflate:
            return 16 + zlib.MAX_WBITS
        # Some servers send deflate without the zlib header.
        return -zlib.MAX_WBITS if first & 0x0F != 8 or first >> 4 > 7 else zlib.MAX_WBITS

    def finish(self) -> None:
        """Raise EOFError for a truncated body; an empty one is complete (204, 304, HEAD)."""
        if self._member is not None and not self._member.eof:
            raise EOFError("the compressed body is truncated")
