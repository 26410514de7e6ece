"""A queue with an end: whoever fills it waits until there is room.

Knows tasks. Must not know what goes through. Nothing is lost when a waiting task is cancelled, on either side, which
is why this is none of anyio's streams: an item leaves the queue in the step that hands it over.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel

__all__ = ["Buffer"]

T = TypeVar("T")


class Buffer(Generic[T]):
    """A bounded queue.

    Args:
        size: items that it holds, at least 1.
    """

    __slots__ = ("_changed", "_closed", "_failed", "_failure", "_items", "_puts", "size")

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"the buffer has to hold at least one item, not {size}")
        self.size: int = size
        self._items: deque[T] = deque()
        self._closed = False
        self._failed = False
        self._failure: Exception | None = None
        self._changed = anyio.Event()
        self._puts = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether the next item would have to wait."""
        return self._failed or len(self._items) >= self.size

    async def put(self, item: T) -> None:
        """Add an item; wait until there is room: after a failure there is none any more, and it waits for ever."""
        while self.is_full and (self._failed or not self._closed):
            await self._changed.wait()
        self._items.append(item)
        self._tell()
        self._puts += 1
        if self._puts % 64 == 0:
            await anyio.lowlevel.checkpoint()  # a producer that never has to wait must not starve the others

    async def get(self) -> T:
        """Take the next item; wait until there is one.

        Raises:
            StopAsyncIteration: it was closed, and is empty.
            Exception: what it was told to fail with.
        """
        await anyio.lowlevel.checkpoint()
        while not self._items:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if self._failed or self._closed:
                raise StopAsyncIteration
            await self._changed.wait()
        item = self._items.popleft()
        self._tell()
        return item

    def close(self) -> None:
        """Let no more be waited for: what is in it can still be taken."""
        self._closed = True
        self._tell()

    def fail(self, error: Exception) -> None:
        """Raise an error after what is in it now, and take nothing more: a slow taker never saw it otherwise.

        The first one counts.
        """
        if not self._failed:
            self._failed, self._failure = True, error
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
