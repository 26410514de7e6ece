"""The token store in Redis, shared by any number of machines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self

from stellantis_hal.credentials.stores.entries import require_entry, require_key
from stellantis_hal.credentials.stores.leased_locks import LeasedLocks
from stellantis_hal.credentials.stores.protocol import LOCK_TIMEOUT
from stellantis_hal.credentials.stores.sealing import Seal
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.storage.durable_redis import DurableRedis
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.redis import Argument, RedisAddress, RedisScript

__all__ = ["RedisTokenStore"]

_LOAD = RedisScript("return {redis.call('HGET', KEYS[1], ARGV[1])}")
_SAVE = RedisScript("""
if #ARGV == 1 then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1
""")
_KEYS = RedisScript("return redis.call('HKEYS', KEYS[1])")
_TAKE = RedisScript("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held then
  local expiry, owner = string.match(held, '^(%d+):(.*)$')
  local left = expiry and tonumber(expiry) - now or 0
  if left > 0 and left <= 2 * tonumber(ARGV[3]) and owner ~= ARGV[2] then return 0 end
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f:%s', now + tonumber(ARGV[3]), ARGV[2]))
return 1
""")
_GIVE = RedisScript("""
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held and string.match(held, '^%d+:(.*)$') == ARGV[2] then redis.call('HDEL', KEYS[2], ARGV[1]) end
return 1
""")


class RedisTokenStore:
    """Keep tokens in Redis: ``async with RedisTokenStore(server) as store``.

    A lock ends with its block, and with its lease of 120 s where its process dies.

    Args:
        server: a URL, or a coredis client of the caller's.
        namespace: text that sets the tokens of one application apart.
        encrypt: called with each token before it is written; None: tokens are plain.
        decrypt: its reverse.
        durable: refuse a server that may forget the last second: a renewed refresh token that is forgotten is a consent
            that is lost.
        lock_timeout: seconds to wait for the lock of an account.
        timeout: seconds that a call may take, repetitions while the server is away included.

    Raises:
        ValueError: only one of ``encrypt`` and ``decrypt`` was passed.
    """

    def __init__(
        self,
        server: RedisAddress,
        *,
        namespace: str = "tokens",
        encrypt: Callable[[bytes], bytes] | None = None,
        decrypt: Callable[[bytes], bytes] | None = None,
        durable: bool = True,
        lock_timeout: float = LOCK_TIMEOUT,
        timeout: float = 10.0,
    ) -> None:
        self._redis = DurableRedis(
            server, "tokens", namespace, "tokens", "locks", durable=durable, timeout=timeout, failure=TokenStoreError
        )
        self._seal = Seal(encrypt, decrypt)
        self._namespace = namespace
        self._locks = LeasedLocks(self._take, self._give, timeout=lock_timeout, place=self._redis.place)

    def __repr__(self) -> str:
        return f"RedisTokenStore({self._redis.place})"

    @property
    def identity(self) -> str:
        """What names this store in every process: the server and the namespace."""
        return f"{self._redis.place}/{self._namespace}"

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            TokenStoreError: the server cannot be reached.
            ConfigurationError: it may forget what it has confirmed, and ``durable`` is set; or coredis is missing.
        """
        await self._redis.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._redis.__aexit__(kind, error, traceback)

    async def load(self, key: str) -> Token | None:
        """Return the token under ``key``; None where there is none.

        Raises:
            TokenStoreError: the server failed, or the entry is damaged.
        """
        require_key(key)
        reply = await self._run(key, _LOAD, _encode(key))
        content = reply[0] if reply else None
        return None if content is None else self._seal.open(key, bytes(content), self._redis.place)

    async def save(self, key: str, token: Token | None) -> None:
        """Store the token under ``key``, as durably as the server does once this returns; None removes it.

        A cancelled call is completed first, or was not begun.

        Raises:
            TokenStoreError: it could not be stored.
        """
        require_entry(key, token)
        content = () if token is None else (self._seal.seal(key, token),)
        await self._run(key, _SAVE, _encode(key), *content)

    async def keys(self) -> tuple[str, ...]:
        """Return the keys that have a token, sorted.

        Raises:
            TokenStoreError: the server failed.
        """
        names = await self._run(None, _KEYS)
        try:
            return tuple(sorted(bytes(name).decode("utf-8", "surrogatepass") for name in names))
        except UnicodeDecodeError as error:
            raise TokenStoreError(
                f"{self._redis.place} has names among the tokens that are not UTF-8: another program wrote them"
            ) from error

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Exclude every other task, process and machine that uses these tokens from ``key``, inside ``async with``.

        Raises:
            TokenStoreError: the lock was not available in time, or the server failed.
        """
        return self._locks.hold(key)

    async def _run(self, key: str | None, script: RedisScript, *arguments: Argument) -> Any:
        try:
            return await self._redis.run(script, *arguments)
        except StorageError as error:
            raise TokenStoreError(f"the tokens cannot be kept: {error}", key=key) from error

    async def _take(self, key: str, owner: str, seconds: float) -> bool:
        return bool(await self._redis.run(_TAKE, _encode(key), owner, round(seconds * 1000)))

    async def _give(self, key: str, owner: str) -> None:
        await self._redis.run(_GIVE, _encode(key), owner)


def _encode(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
