"""The protocol of a token store."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from stellantis_hal.credentials.token import Token

__all__ = ["LOCK_TIMEOUT", "TokenStore"]

LOCK_TIMEOUT = 180.0
"""Seconds to wait for the lock of an account: longer than the slowest renewal in another process."""


class TokenStore(Protocol):
    """Keep tokens by key; one store holds the accounts of many users.

    A database fits behind it: a row for each key, and for the lock an advisory lock, or a row with an owner and an
    expiry. A caller that changes the token of an account holds its lock and reads the token again after getting it;
    ``load`` needs no lock. No method may block the event loop.

    A store may have an attribute ``identity``, a text that is the same in every process which uses these tokens, and
    differs from every other store's: a cache that outlives the process finds an account's responses by it.
    """

    async def load(self, key: str) -> Token | None:
        """Return the token under ``key``; None where there is none.

        Raises:
            TokenStoreError: the stored token cannot be read.
        """
        ...

    async def save(self, key: str, token: Token | None) -> None:
        """Store the token under ``key``, durably once this returns; None removes it.

        Raises:
            TokenStoreError: it could not be stored; the previous token still is.
        """
        ...

    async def keys(self) -> Collection[str]:
        """Return the keys that have a token."""
        ...

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Exclude every other task, process and machine that uses this store from ``key``, inside ``async with``.

        The wait is bounded. Leaving the block, by an error or a cancellation too, releases the lock.

        Raises:
            TokenStoreError: the lock was not available in time.
        """
        ...
