"""The token store in memory."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from stellantis_hal.credentials.stores.entries import require_entry, require_key
from stellantis_hal.credentials.stores.key_locks import KeyLocks
from stellantis_hal.credentials.stores.protocol import LOCK_TIMEOUT, TokenStore
from stellantis_hal.credentials.token import Token, TokenLike

__all__ = ["MemoryTokenStore", "as_token_store"]


class MemoryTokenStore:
    """Keep tokens in memory: renewed refresh tokens are lost when the process ends.

    Args:
        token: returned for every key under which none was saved, so pass it for a single account only.
        lock_timeout: seconds to wait for the lock of an account.

    Example:
        >>> import anyio
        >>> async def example() -> tuple[str, ...]:
        ...     store = MemoryTokenStore()
        ...     async with store.lock("alice"):
        ...         await store.save("alice", Token("a secret"))
        ...     return await store.keys()
        >>> anyio.run(example)
        ('alice',)
    """

    def __init__(self, token: Token | None = None, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._default = token
        self._tokens: dict[str, Token | None] = {}
        self._locks = KeyLocks(lock_timeout)

    async def load(self, key: str) -> Token | None:
        """Return the token saved under ``key``, else the default token."""
        require_key(key)
        return self._tokens.get(key, self._default)

    async def save(self, key: str, token: Token | None) -> None:
        """Store the token under ``key``; None removes it, and hides the default token under this key."""
        require_entry(key, token)
        if token is None and self._default is None:
            self._tokens.pop(key, None)
        else:
            self._tokens[key] = token

    async def keys(self) -> tuple[str, ...]:
        """Return the keys under which a token was saved, sorted."""
        return tuple(sorted(key for key, token in self._tokens.items() if token is not None))

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Exclude other tasks from ``key``, inside ``async with``.

        Raises:
            TokenStoreError: another task did not release the lock in time.
        """
        return self._locks.hold(key)

    def __repr__(self) -> str:
        return f"MemoryTokenStore({len(self._tokens)} accounts)"


def as_token_store(token_or_store: Token | TokenLike | TokenStore) -> TokenStore:
    """Return a store as it is, and a token in a new :class:`MemoryTokenStore`.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(token_or_store, Token):
        return MemoryTokenStore(token_or_store)
    if isinstance(token_or_store, TokenLike):
        return MemoryTokenStore(Token.copy_of(token_or_store))
    if not hasattr(token_or_store, "load"):
        raise TypeError(
            f"an account needs a Token or a TokenStore, not {type(token_or_store).__name__}: "
            "Token(access_token, refresh_token), or FileTokenStore(path)"
        )
    return token_or_store
