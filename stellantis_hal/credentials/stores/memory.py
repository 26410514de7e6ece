"""Where tokens are kept: what a store promises, and the one that forgets.

Knows keys, tokens and locks. Must not know who renews a token, or how.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import anyio

from stellantis_hal.credentials.token import Token, TokenLike
from stellantis_hal.errors import TokenStoreError

__all__ = ["LOCK_TIMEOUT", "MemoryTokenStore", "TokenStore", "store_of"]

LOCK_TIMEOUT = 180.0
"""Seconds to wait for an account's lock: longer than the slowest renewal that somebody else may be at."""


class TokenStore(Protocol):
    """Keep tokens by key: one store holds the accounts of many users.

    A database fits behind it: a row for each key, and for the lock an advisory lock, or a row of its own with an owner
    and an instant at which it lapses. Whoever changes an account's token holds its lock meanwhile and reads again
    after getting it; ``load`` needs no lock. Nothing in it may block the event loop.
    """

    async def load(self, key: str) -> Token | None:
        """Give the token under ``key``; None where there is none.

        Raises:
            TokenStoreError: what is there cannot be read.
        """
        ...

    async def save(self, key: str, token: Token | None) -> None:
        """Keep the token under ``key``, for good once this returns; None forgets it.

        Raises:
            TokenStoreError: it could not be kept; what was there before still is.
        """
        ...

    async def keys(self) -> Collection[str]:
        """Give the keys that have a token."""
        ...

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Exclude every other task, process and machine that uses this store from ``key`` meanwhile.

        The wait is bounded, and leaving it, by an error or a cancellation too, leaves nothing locked.

        Raises:
            TokenStoreError: the lock could not be had in time.
        """
        ...


class _Lock:
    """An account's lock, and how many tasks hold it or wait for it."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = anyio.Semaphore(1, max_value=1)  # not a Lock: a task that asks twice waits for the bound, too
        self.users = 0


class MemoryTokenStore:
    """Keep tokens as long as the process lives: renewed refresh tokens are gone with it.

    Args:
        token: serves every key that nothing was saved for, so give it when there is one account only.
        lock_timeout: seconds to wait for an account's lock.

    Example:
        >>> async def example() -> tuple[str, ...]:
        ...     store = MemoryTokenStore()
        ...     async with store.lock("alice"):
        ...         await store.save("alice", Token("a secret"))
        ...     return await store.keys()
        >>> anyio.run(example)
        ('alice',)
    """

    def __init__(self, token: Token | None = None, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._given = token
        self._tokens: dict[str, Token | None] = {}
        self._locks: dict[str, _Lock] = {}
        self._lock_timeout = lock_timeout

    async def load(self, key: str) -> Token | None:
        """Give the token saved under ``key``, or else the one given at first."""
        return self._tokens.get(key, self._given)

    async def save(self, key: str, token: Token | None) -> None:
        """Keep the token under ``key``; None forgets it, the one given at first included."""
        if token is None and self._given is None:
            self._tokens.pop(key, None)
        else:
            self._tokens[key] = token

    async def keys(self) -> tuple[str, ...]:
        """Give the keys that a token was saved for, sorted."""
        return tuple(sorted(key for key, token in self._tokens.items() if token is not None))

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None, None]:
        """Exclude other tasks from ``key`` meanwhile.

        Raises:
            TokenStoreError: another task did not let go of it in time.
        """
        entry = self._locks.setdefault(key, _Lock())
        entry.users += 1
        try:
            try:
                with anyio.fail_after(self._lock_timeout):
                    await entry.lock.acquire()
            except TimeoutError:
                raise TokenStoreError(
                    f"the lock of account {key!r} was not to be had within {self._lock_timeout:g} s", key=key
                ) from None
            try:
                yield
            finally:
                entry.lock.release()
        finally:
            entry.users -= 1
            if not entry.users:
                del self._locks[key]

    def __repr__(self) -> str:
        return f"MemoryTokenStore({len(self._tokens)} accounts)"


def store_of(given: Token | TokenLike | TokenStore) -> TokenStore:
    """Give a store as it is, and a token in one that forgets.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(given, Token):
        return MemoryTokenStore(given)
    if isinstance(given, TokenLike):
        return MemoryTokenStore(Token(given.access_token, given.refresh_token, given.expires_at, given.scope))
    if not hasattr(given, "load"):
        raise TypeError(
            f"an account needs a Token or a TokenStore, not {type(given).__name__}: "
            "Token(access_token, refresh_token), or FileTokenStore(path)"
        )
    return given
