"""Locks by key, for the tasks of one process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from stellantis_hal.errors import TokenStoreError
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.validation import require_seconds

__all__ = ["KeyLocks"]


class _Lock:
    """The lock of a key, and the number of tasks that hold it or wait for it."""

    __slots__ = ("semaphore", "users")

    def __init__(self) -> None:
        # Not an anyio.Lock: a task that takes it twice must wait and time out as any other.
        self.semaphore = anyio.Semaphore(1, max_value=1)
        self.users = 0


class KeyLocks:
    """One lock for each key, kept only while a task holds it or waits for it.

    Args:
        timeout: seconds to wait for a lock.
    """

    __slots__ = ("_locks", "_timeout")

    def __init__(self, timeout: float) -> None:
        require_seconds("lock_timeout", timeout)
        self._locks: dict[str, _Lock] = {}
        self._timeout = timeout

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncGenerator[None, None]:
        """Exclude other tasks from a key, inside ``async with``.

        Raises:
            TokenStoreError: another task did not release the lock in time.
        """
        entry = self._locks.setdefault(key, _Lock())
        entry.users += 1
        try:
            try:
                with anyio.fail_after(self._timeout):
                    await entry.semaphore.acquire()
            except TimeoutError:
                raise TokenStoreError(
                    f"the lock of account {mask_repr(key)} was not available within {self._timeout:g} s: "
                    "another task holds it",
                    key=key,
                ) from None
            try:
                yield
            finally:
                entry.semaphore.release()
        finally:
            entry.users -= 1
            if not entry.users:
                del self._locks[key]
