"""Priority queue by due time."""

from __future__ import annotations

import heapq
from typing import Generic, NamedTuple, TypeVar

__all__ = ["DueEntry", "DueQueue"]

K = TypeVar("K")


class DueEntry(NamedTuple, Generic[K]):
    """A key and the instant at which it is due."""

    due: float
    key: K


class DueQueue(Generic[K]):
    """Priority queue by due time: a heap in which replaced entries are skipped.

    A key that waits keeps its due time and a polled one gets a later one, so that no key starves.
    """

    __slots__ = ("_due", "_heap", "_number")

    def __init__(self) -> None:
        self._due: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def put(self, key: K, due: float) -> None:
        """Add a key, or change its due time."""
        self._number += 1
        self._due[key] = (due, self._number)
        heapq.heappush(self._heap, (due, self._number, key))
        if len(self._heap) > 64 + 2 * len(self._due):
            self._heap = [(due, number, key) for key, (due, number) in self._due.items()]
            heapq.heapify(self._heap)

    def due_of(self, key: K) -> float | None:
        """Return when a key is due; None where it is not in the queue."""
        entry = self._due.get(key)
        return None if entry is None else entry[0]

    def drop(self, key: K) -> None:
        """Remove a key, if it is there."""
        self._due.pop(key, None)

    def first(self) -> DueEntry[K] | None:
        """Return the entry that is due first; None where the queue is empty."""
        while self._heap:
            due, number, key = self._heap[0]
            if self._due.get(key) == (due, number):
                return DueEntry(due, key)
            heapq.heappop(self._heap)
        return None

    def overdue(self, now: float) -> tuple[int, float]:
        """Return the number of keys that are due, and the largest delay in seconds."""
        delays = [now - due for due, _ in list(self._due.values()) if due <= now]
        return len(delays), max(delays, default=0.0)
