"""The stream that events come along, and the rule of acknowledgement.

Knows a buffer, a store and the length of a block. Must not know where events come from.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

import anyio
import attrs
from anyio.abc import TaskGroup

from stellantis_hal.fleet.buffer import Buffer
from stellantis_hal.fleet.checkpoints.store import CheckpointError, CheckpointStore
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.deduplication import Checkpoint
from stellantis_hal.fleet.events import WatchEvent
from stellantis_hal.navigation.concurrency import scoped

__all__ = ["GOODBYE", "Stream"]

GOODBYE = 10.0
"""Seconds that the last acknowledgement may take, and polls under way when a stream is stopped."""


@attrs.frozen
class _Delivery:
    """What is in the buffer: an event, and what acknowledging it saves."""

    event: WatchEvent
    key: str = ""
    after: Checkpoint | None = None


class Stream(AsyncIterator[WatchEvent]):
    """Events, one after the other, inside an ``async with``. It has one consumer.

    Asking for the next event, or leaving the block without an exception, acknowledges the last one. What was not
    acknowledged is delivered again by whoever goes on from the same store, by the same id.
    """

    def __init__(self, store: CheckpointStore, *, size: int) -> None:
        self._store = store
        self._counts = Counts()
        self._buffer: Buffer[_Delivery] = Buffer(size)
        self._scope: AbstractAsyncContextManager[TaskGroup, bool | None] = scoped()
        self._tasks: TaskGroup | None = None
        self._given: _Delivery | None = None
        self._is_over = False

    @abstractmethod
    def _begin(self, tasks: TaskGroup) -> None:
        """Start what fills the buffer."""

    def _taken(self) -> None:
        """Note that there is room in the buffer."""

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("a stream is entered once: make another")
        self._tasks = await self._scope.__aenter__()
        self._begin(self._tasks)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with anyio.move_on_after(GOODBYE, shield=True) as bound:
                    await self._acknowledge()
                if bound.cancelled_caught:
                    raise CheckpointError(f"the last update could not be acknowledged within {GOODBYE} s")
        finally:
            self._is_over = True
            await self._scope.__aexit__(kind, error, traceback)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchEvent:
        """Acknowledge the last event and wait for the next.

        Raises:
            StopAsyncIteration: everything has been delivered.
            CheckpointError: the acknowledgement cannot be kept, or what is known of a vehicle cannot be read.
            Exception: what the source, or a function that was passed in, raised.
        """
        if self._tasks is None:
            raise RuntimeError("a stream works inside its block: async with watch(…) as updates: …")
        await self._acknowledge()
        self._given = delivery = await self._buffer.get()
        self._counts.delivered += 1
        self._taken()
        return delivery.event

    async def _acknowledge(self) -> None:
        given = self._given
        if given is not None and given.after is not None:
            await self._store.save(given.key, given.after.dump())
            self._counts.acknowledged += 1
        self._given = None

    async def _say(self, event: WatchEvent) -> None:
        await self._buffer.put(_Delivery(event))

    async def _offer(self, event: WatchEvent, key: str, after: Checkpoint) -> None:
        await self._buffer.put(_Delivery(event, key, after))
        self._counts.updates += 1

    async def _guarded(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something in a task of its own; what it raises is raised to the consumer, as it is."""
        try:
            await act()
        except Exception as error:  # noqa: BLE001 - raised again where the consumer waits
            self._buffer.fail(error)
