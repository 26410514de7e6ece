"""The token store over a host program's own functions."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from stellantis_hal.credentials.stores.entries import require_entry, require_key
from stellantis_hal.credentials.stores.key_locks import KeyLocks
from stellantis_hal.credentials.stores.protocol import LOCK_TIMEOUT
from stellantis_hal.credentials.token import Token, TokenLike
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.hal.redaction import mask_repr

__all__ = ["CallbackTokenStore"]

_Stored = Token | TokenLike | Mapping[str, Any] | None


class CallbackTokenStore:
    """Keep tokens where the host program keeps its data, through two functions of it.

    Its lock excludes the tasks of this process. Where several processes share the data, write a
    :class:`~stellantis_hal.TokenStore` with a lock for all of them.

    Args:
        load: called with the key of an account; returns its token, the mapping of ``Token.to_dict``, or None.
        save: called with the key and the token, or with None to remove it. The token must be stored once it returns.
        keys: returns the keys that have a token; None: those that this store loaded or saved.
        lock_timeout: seconds to wait for the lock of an account.

    Each function may be a plain one, which must not block the event loop, or a coroutine function. Its error becomes a
    ``TokenStoreError`` with that error as its cause.

    Raises:
        TypeError: ``load``, ``save`` or ``keys`` is no function.

    Example:
        >>> import json
        >>> kept: dict[str, str] = {}
        >>> def load(key: str) -> dict[str, object] | None:
        ...     return json.loads(kept[key]) if key in kept else None
        >>> def save(key: str, token: Token | None) -> None:
        ...     kept[key] = json.dumps(token and token.to_dict())
        >>> store = CallbackTokenStore(load, save)
    """

    def __init__(
        self,
        load: Callable[[str], _Stored | Awaitable[_Stored]],
        save: Callable[[str, Token | None], Awaitable[object] | object],
        *,
        keys: Callable[[], Any] | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        for name, function in (("load", load), ("save", save), ("keys", keys)):
            if not callable(function) and not (name == "keys" and keys is None):
                raise TypeError(f"{name} must be a function, not {type(function).__name__}")
        self._load = load
        self._save = save
        self._keys = keys
        self._seen: set[str] = set()
        self._locks = KeyLocks(lock_timeout)

    async def load(self, key: str) -> Token | None:
        """Return the token that the host's ``load`` returns for ``key``; None where it has none.

        Raises:
            TokenStoreError: the function raised, or returned something else than a token.
        """
        require_key(key)
        stored = await _call("load", key, self._load, key)
        try:
            token = _to_token(stored)
        except (TypeError, ValueError) as error:
            raise TokenStoreError(
                f"load returned no token for account {mask_repr(key)}: {error}; return a Token, the mapping of "
                "token.to_dict(), or None",
                key=key,
            ) from error
        self._note(key, token)
        return token

    async def save(self, key: str, token: Token | None) -> None:
        """Hand the token to the host's ``save``; None removes it.

        Raises:
            TokenStoreError: the function raised.
        """
        require_entry(key, token)
        await _call("save", key, self._save, key, token)
        self._note(key, token)

    async def keys(self) -> tuple[str, ...]:
        """Return the keys that have a token, sorted.

        Raises:
            TokenStoreError: the host's ``keys`` raised.
        """
        found = self._seen if self._keys is None else await _call("keys", "", self._keys)
        return tuple(sorted(found))

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Exclude other tasks of this process from ``key``, inside ``async with``.

        Raises:
            TokenStoreError: another task did not release the lock in time.
        """
        return self._locks.hold(key)

    def _note(self, key: str, token: Token | None) -> None:
        if token is None:
            self._seen.discard(key)
        else:
            self._seen.add(key)

    def __repr__(self) -> str:
        return f"CallbackTokenStore({len(self._seen)} accounts seen)"


async def _call(name: str, key: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a plain or coroutine function of the host; its error becomes a TokenStoreError."""
    try:
        result = function(*arguments)
        return await result if inspect.isawaitable(result) else result
    except Exception as error:  # the host's code may raise anything
        of = f" of account {mask_repr(key)}" if key else ""
        raise TokenStoreError(f"{name}{of} raised {type(error).__name__}; see __cause__", key=key) from error


def _to_token(stored: Any) -> Token | None:
    """Return the token of what a host's function returned.

    Raises:
        TypeError: it is neither a token nor a mapping.
        ValueError: the mapping is not of a token.
    """
    if stored is None or isinstance(stored, Token):
        return stored
    if isinstance(stored, TokenLike):
        return Token.copy_of(stored)
    return Token.from_dict(stored)
