"""The token store in PostgreSQL, shared by any number of machines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from stellantis_hal.credentials.stores.entries import require_entry, require_key
from stellantis_hal.credentials.stores.leased_locks import LeasedLocks
from stellantis_hal.credentials.stores.protocol import LOCK_TIMEOUT
from stellantis_hal.credentials.stores.sealing import Seal
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.postgres import PostgresConnection, create_schema

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresTokenStore"]

T = TypeVar("T")


class PostgresTokenStore:
    """Keep tokens in PostgreSQL: ``async with PostgresTokenStore(dsn) as store``, or call :meth:`aclose`.

    A saved token is as durable as the server's commits: leave ``synchronous_commit`` on. A lock is a row that ends with
    its block, and with its lease of 120 s where its process dies; it needs no session, so that a pool of transactions
    will do.

    Args:
        dsn: a URL or ``key=value`` pairs, as libpq reads them.
        encrypt: called with the content of each row before it is written; None: rows are plain.
        decrypt: its reverse.
        lock_timeout: seconds to wait for the lock of an account.
        timeout: seconds that a call may take, during which a connection that was cut is made again.

    Raises:
        ValueError: only one of ``encrypt`` and ``decrypt`` was passed.
    """

    def __init__(
        self,
        dsn: str,
        *,
        encrypt: Callable[[bytes], bytes] | None = None,
        decrypt: Callable[[bytes], bytes] | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
        timeout: float = 10.0,
    ) -> None:
        self._connection = PostgresConnection(dsn, timeout=timeout)
        self._seal = Seal(encrypt, decrypt)
        self._locks = LeasedLocks(self._take, self._give, timeout=lock_timeout, place=self._connection.place)

    def __repr__(self) -> str:
        return f"PostgresTokenStore({self._connection.place})"

    @property
    def identity(self) -> str:
        """What names this store in every process: the server and the database."""
        return self._connection.place

    async def create_schema(self) -> None:
        """Create the tables of this package in the schema ``stellantis_hal``, where they are missing.

        Raises:
            TokenStoreError: the server failed, or the user may not create them.
            ConfigurationError: the tables are of a newer version.
        """
        await create_schema(self._connection, TokenStoreError)

    async def load(self, key: str) -> Token | None:
        """Return the token under ``key``; None where there is none.

        Raises:
            TokenStoreError: the server failed, or the row is damaged.
        """
        require_key(key)

        def load(connection: Connection[Any]) -> bytes | None:
            query = "SELECT content FROM stellantis_hal.tokens WHERE key = %s"
            row = connection.execute(query, (_text(key),)).fetchone()
            return None if row is None else bytes(row[0])

        content = await self._run(key, load)
        return None if content is None else self._seal.open(key, content, self._connection.place)

    async def save(self, key: str, token: Token | None) -> None:
        """Store the token under ``key``, durably once this returns; None removes it.

        A cancelled call is completed first, or was not begun.

        Raises:
            TokenStoreError: it could not be stored.
        """
        require_entry(key, token)
        content = None if token is None else self._seal.seal(key, token)

        def save(connection: Connection[Any]) -> None:
            if content is None:
                connection.execute("DELETE FROM stellantis_hal.tokens WHERE key = %s", (_text(key),))
            else:
                connection.execute(
                    "INSERT INTO stellantis_hal.tokens VALUES (%s, %s) "
                    "ON CONFLICT (key) DO UPDATE SET content = excluded.content",
                    (_text(key), content),
                )

        await self._run(key, save)

    async def keys(self) -> tuple[str, ...]:
        """Return the keys that have a token, sorted.

        Raises:
            TokenStoreError: the server failed.
        """

        def keys(connection: Connection[Any]) -> list[str]:
            return [key for (key,) in connection.execute("SELECT key FROM stellantis_hal.tokens").fetchall()]

        return tuple(sorted(await self._run(None, keys)))

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Exclude every other task, process and machine that uses this database from ``key``, inside ``async with``.

        Raises:
            TokenStoreError: the lock was not available in time, or the server failed.
        """
        return self._locks.hold(key)

    async def aclose(self) -> None:
        """Close the connection; the next call makes another one."""
        await self._connection.aclose()

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            TokenStoreError: the server cannot be reached, or refuses the connection.
        """
        try:
            await self._connection.check()
        except StorageError as error:
            raise TokenStoreError(f"the tokens cannot be reached: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self, key: str | None, function: Callable[[Connection[Any]], T]) -> T:
        try:
            return await self._connection.run(function)
        except StorageError as error:
            raise TokenStoreError(f"the tokens cannot be kept: {error}", key=key) from error

    async def _take(self, key: str, owner: str, seconds: float) -> bool:
        def take(connection: Connection[Any]) -> bool:
            row = connection.execute(
                "INSERT INTO stellantis_hal.token_locks AS known "
                "VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s)) ON CONFLICT (key) DO UPDATE "
                "SET owner = excluded.owner, until = excluded.until "
                "WHERE known.until < clock_timestamp() OR known.owner = excluded.owner "
                "OR known.until > clock_timestamp() + make_interval(secs => %s) RETURNING 1",
                (_text(key), owner, seconds, 2 * seconds),
            ).fetchone()
            return row is not None

        return await self._connection.run(take)

    async def _give(self, key: str, owner: str) -> None:
        def give(connection: Connection[Any]) -> None:
            connection.execute(
                "DELETE FROM stellantis_hal.token_locks WHERE key = %s AND owner = %s", (_text(key), owner)
            )

        await self._connection.run(give)


def _text(key: str) -> str:
    """Return a key as PostgreSQL can keep it.

    Raises:
        TokenStoreError: it has a NUL or a lone surrogate.
    """
    try:
        key.encode()
    except UnicodeEncodeError:
        key = "\x00"
    if "\x00" in key:
        raise TokenStoreError("the key of an account has characters that PostgreSQL cannot keep: choose another key")
    return key
