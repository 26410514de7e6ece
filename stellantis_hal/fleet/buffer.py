"""Bounded queue that can be closed or failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel

from stellantis_hal.validation import require_type

__all__ = ["Buffer"]

T = TypeVar("T")


class Buffer(Generic[T]):
    """A bounded FIFO queue that can be closed or failed.

    An item leaves the queue in the same step in which :meth:`get` returns it, so that cancelling either side loses
    none; a memory object stream of anyio can lose an item to a receiver that is cancelled meanwhile.

    Args:
        size: capacity in items, at least 1.
    """

    __slots__ = ("_changed", "_closed", "_failed", "_failure", "_items", "_puts", "size")

    def __init__(self, size: int) -> None:
        require_type("the size of the buffer", size, int)
        if size < 1:
            raise ValueError(f"the size of the buffer must be at least one item, such as 256, not {size}")
        self.size: int = size
        self._items: deque[T] = deque()
        self._closed = False
        self._failed = False
        self._failure: Exception | None = None
        self._changed = anyio.Event()
        self._puts = 0

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items that wait, without removing them."""
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether :meth:`put` would wait; always so after a failure."""
        return self._failed or len(self._items) >= self.size

    async def put(self, item: T) -> None:
        """Add an item; wait while the buffer is full. After a failure this waits until it is cancelled."""
        while self.is_full and (self._failed or not self._closed):
            await self._changed.wait()
        self._items.append(item)
        self._notify()
        self._puts += 1
        if self._puts % 64 == 0:
            await anyio.lowlevel.checkpoint()  # a producer that never waits must not starve other tasks

    async def get(self) -> T:
        """Remove and return the next item; wait while the buffer is empty.

        Raises:
            StopAsyncIteration: the buffer is closed and empty.
            Exception: the error passed to :meth:`fail`.
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
        self._notify()
        return item

    def close(self) -> None:
        """End the queue after the items that it has; no task waits any more."""
        self._closed = True
        self._notify()

    def fail(self, error: Exception) -> None:
        """Raise an error after the items that the queue has now; only the first error counts.

        Further items are not accepted: with a slow consumer the error would never be reached.
        """
        if not self._failed:
            self._failed, self._failure = True, error
        self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
