"""Bodies that are read after their exchange, piece by piece."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import anyio

from stellantis_hal.errors import BodyTooLargeError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.transport.backends.base import StreamingResponse
from stellantis_hal.transport.decoding import BodyDecoder, BodyTooLarge

__all__ = ["StreamedBody", "StreamedBodyHolder"]

_CLOSE_TIMEOUT = 5.0


class StreamedBody(AsyncIterator[bytes]):
    """An asynchronous iterator over a body, decompressed.

    Args:
        opened: the response.
        coding: its ``Content-Encoding`` field.
        limit: bytes, decompressed, at most.
        silence: seconds without a byte, at most.
        shown_url: the URL for errors.
        map_error: returns the error to raise instead of another; None where it is to be raised unchanged.
        release: called once when it is closed.
    """

    def __init__(
        self,
        opened: StreamingResponse,
        coding: str,
        *,
        limit: int,
        silence: float,
        shown_url: str,
        map_error: Callable[[BaseException], BaseException | None],
        release: Callable[[], Awaitable[None]],
    ) -> None:
        self._chunks = aiter(opened.stream)
        self._decoder = BodyDecoder(coding, limit=limit)
        self._pieces: Iterator[bytes] = iter(())
        self._limit = limit
        self._silence = silence
        self._url = shown_url
        self._map_error = map_error
        self._release: Callable[[], Awaitable[None]] | None = release

    async def __anext__(self) -> bytes:
        if self._release is None:
            raise StopAsyncIteration
        try:
            while True:
                piece = next(self._pieces, None)
                if piece is not None:
                    return piece
                with anyio.fail_after(self._silence):
                    chunk = await anext(self._chunks, None)
                if chunk is None:
                    self._decoder.finish()
                    break
                self._pieces = self._decoder.feed(chunk)
        except BodyTooLarge as error:
            await self.aclose()
            raise BodyTooLargeError(
                f"{mask_url(self._url)}: the body is larger than the {self._limit} bytes allowed; raise limit= if that "
                "much is expected",
                url=self._url,
                sent=True,
                is_transient=False,
            ) from error
        except BaseException as error:
            await self.aclose()
            mapped = self._map_error(error)
            if mapped is None:
                raise
            raise mapped from error
        await self.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Return the connection, or close it where the body was not read to its end; a second time does nothing."""
        release, self._release = self._release, None
        if release is not None:
            try:
                await _close(self._chunks)
            finally:
                await release()


class StreamedBodyHolder:
    """Takes over the body of a response of 2xx from its exchange.

    Args:
        limit: bytes, decompressed, at most.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._body: StreamedBody | None = None

    @property
    def body(self) -> StreamedBody:
        """The body of the latest response."""
        assert self._body is not None  # noqa: S101 - a response of 2xx has set it
        return self._body

    async def receive(self, body: StreamedBody) -> None:
        """Take over a body, and close the one before it, which a flow of authentication may have had."""
        before, self._body = self._body, body
        if before is not None:
            await before.aclose()

    async def aclose(self) -> None:
        """Close the body, if there is one."""
        if self._body is not None:
            await self._body.aclose()


async def _close(iterator: AsyncIterator[bytes]) -> None:
    """Close an iterator that is not read to its end, and the generators that it reads from.

    The garbage collector would close them in another task, or never. Closing a generator does not close one that it
    iterates over, but cancelling the innermost does.
    """
    close = getattr(iterator, "aclose", None)
    if close is None:
        return
    with anyio.CancelScope(shield=True) as scope:
        scope.cancel()
        with contextlib.suppress(Exception):
            await anext(iterator)
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
        await close()
