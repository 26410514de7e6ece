"""Locks of token stores that machines share: a row with an owner and an expiry."""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from stellantis_hal.credentials.stores.key_locks import KeyLocks
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.run_to_completion import run_to_completion

__all__ = ["LOCK_LEASE", "LeasedLocks"]

_log = logging.getLogger("stellantis_hal")

LOCK_LEASE = 120.0
"""Seconds after which the lock of a process that died is free: longer than the slowest renewal, which takes 100 s."""
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


class LeasedLocks:
    """Locks by key that end with their lease, where their process does not end them.

    The lock is no connection, so that one which is cut while a token is renewed lets no other process renew it too.

    Args:
        take: takes the lock of a key for an owner and so many seconds, unless another owner has it; returns whether.
        give: gives up the lock of a key, if the owner has it.
        timeout: seconds to wait for a lock.
        place: the store, for messages.
    """

    def __init__(
        self,
        take: Callable[[str, str, float], Awaitable[bool]],
        give: Callable[[str, str], Awaitable[None]],
        *,
        timeout: float,
        place: str,
    ) -> None:
        self._take = take
        self._give = give
        self._timeout = timeout
        self._place = place
        self._locks = KeyLocks(timeout)

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncGenerator[None, None]:
        """Exclude every other task, process and machine from a key, inside ``async with``.

        Raises:
            TokenStoreError: the lock was not available in time, or the store failed.
        """
        owner = uuid.uuid4().hex
        async with self._locks.hold(key):
            deadline = anyio.current_time() + self._timeout
            pause = _FIRST_PAUSE
            try:
                while not await self._try(key, owner):
                    if anyio.current_time() + pause >= deadline:
                        raise TokenStoreError(
                            f"the lock of account {mask_repr(key)} in {self._place} was not available within "
                            f"{self._timeout:g} s: another process holds it",
                            key=key,
                        )
                    await anyio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads attempts, guards nothing
                    pause = min(2 * pause, _LONGEST_PAUSE)
                yield
            finally:
                with anyio.CancelScope(shield=True):  # bounded by the store
                    await self._release(key, owner)

    async def _try(self, key: str, owner: str) -> bool:
        try:
            return await run_to_completion(lambda: self._take(key, owner, LOCK_LEASE))
        except StorageError as error:
            raise TokenStoreError(f"the lock of account {mask_repr(key)} failed: {error}", key=key) from error

    async def _release(self, key: str, owner: str) -> None:
        try:
            await run_to_completion(lambda: self._give(key, owner))
        except StorageError as error:
            _log.warning(
                "the lock of an account was not given up: others wait for it for up to %g s (%s)", LOCK_LEASE, error
            )
