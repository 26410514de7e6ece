"""Prefetching: pages read ahead of the consumer in a background task."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from stellantis_hal.navigation.call_site_warnings import call_site, called_from
from stellantis_hal.navigation.concurrency import scoped
from stellantis_hal.navigation.pagination.raw_page import RawPage

__all__ = ["prefetch"]


class _Prefetcher(AsyncIterator[RawPage]):
    """Receives the pages that the background task reads."""

    def __init__(self, receive: MemoryObjectReceiveStream[RawPage | Exception]) -> None:
        self._receive = receive
        self._failure: Exception | None = None

    async def __anext__(self) -> RawPage:
        if self._failure is not None:
            raise self._failure  # the next call must not look like the end of the collection
        try:
            result = await self._receive.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None
        if isinstance(result, Exception):
            self._failure = result
            raise result
        return result


@asynccontextmanager
async def prefetch(raw_pages: AsyncIterator[RawPage], pages: int) -> AsyncGenerator[AsyncIterator[RawPage], None]:
    """Read up to ``pages`` pages ahead of the consumer, inside the block."""
    if pages < 1:
        raise ValueError(f"pages must be at least 1, as in ahead(1), not {pages}")
    send, receive = anyio.create_memory_object_stream[RawPage | Exception](pages - 1)
    async with scoped() as tasks:
        with receive:
            with called_from(call_site()):
                tasks.start_soon(_run, raw_pages, send)
            yield _Prefetcher(receive)


async def _run(raw_pages: AsyncIterator[RawPage], send: MemoryObjectSendStream[RawPage | Exception]) -> None:
    async with send:
        try:
            async for page in raw_pages:
                await send.send(page)
        except Exception as error:  # noqa: BLE001 - raised to the consumer in its turn, outside of any group
            await send.send(error)
