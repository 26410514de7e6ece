"""The cache store in an SQLite file."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from stellantis_hal.navigation.cache.row_format import pack, unpack
from stellantis_hal.navigation.cache.store import StoredVariants, bounded, size_of
from stellantis_hal.navigation.cache.stored_response import StoredResponse
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.sqlite import SQLiteDatabase
from stellantis_hal.validation import require_type

__all__ = ["SQLiteCache"]

T = TypeVar("T")

_log = logging.getLogger("stellantis_hal")
_BUSY_TIMEOUT = 2.0  # seconds; a request to the server is a matter of a second, too
_SCHEMA = (
    # Rows without content hold the version of a removal.
    """CREATE TABLE IF NOT EXISTS responses (
        key TEXT PRIMARY KEY, version INTEGER NOT NULL, size INTEGER NOT NULL, content BLOB
    )""",
    "CREATE UNIQUE INDEX IF NOT EXISTS responses_by_version ON responses (version)",
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT OR IGNORE INTO counters VALUES ('last_version', 0), ('absent_version', 0), ('size', 0)",
)

# Another program may have written any type: such a row is damaged, which `unpack` reports, and costs no other one.
_VERSION = "CASE typeof(version) WHEN 'integer' THEN version ELSE 0 END"
_SIZE = "CASE WHEN typeof(size) = 'integer' AND size BETWEEN 0 AND 4294967296 THEN size ELSE 0 END"
_CONTENT = "CASE WHEN content IS NULL OR typeof(content) || typeof(version) = 'blobinteger' THEN content ELSE x'' END"

_SELECT = f"SELECT {_VERSION}, {_CONTENT} FROM responses WHERE key = ?"  # noqa: S608
_SELECT_OLDEST = f"SELECT rowid, {_SIZE}, content IS NOT NULL FROM responses ORDER BY version LIMIT 1"  # noqa: S608
_SELECT_PREFIX = f"SELECT rowid, {_SIZE} FROM responses WHERE substr(CAST(key AS TEXT), 1, ?) = ?"  # noqa: S608
_INSERT = "INSERT INTO responses VALUES (?, ?, ?, ?)"
_DELETE = f"DELETE FROM responses WHERE key = ? RETURNING {_SIZE}"  # noqa: S608
_DELETE_ROW = "DELETE FROM responses WHERE rowid = ?"
_SELECT_COUNTER = "SELECT value FROM counters WHERE name = ?"
_UPDATE_COUNTER = "UPDATE counters SET value = ? WHERE name = ?"


class SQLiteCache:
    """Responses in an SQLite file, at most ``limit`` bytes of them; those stored or renewed longest ago go first.

    Any number of processes may share the file. It holds the bodies of responses in clear: a new file is readable by
    its owner only (0600). A damaged row is logged and counts as absent. Use it as
    ``async with SQLiteCache(path) as cache``, or call :meth:`aclose`.

    Args:
        path: the file, in an existing folder.
        limit: bytes, about 1,000 for each response added; the file itself may be somewhat larger.
        max_body: bytes of a body that is stored; None: an eighth of ``limit``.

    Raises:
        ValueError: ``limit`` is less than 10,000 bytes.

    Example::

        async with SQLiteCache("responses.db") as cache, HalClient("https://api.example.com/", cache=cache) as client:
            ...
    """

    is_persistent = True

    def __init__(self, path: str | os.PathLike[str], limit: int = 256_000_000, *, max_body: int | None = None) -> None:
        require_type("limit", limit, int, instead="bytes, as 256_000_000")
        if limit < 10_000:
            raise ValueError(f"limit must be at least 10,000 bytes, not {limit}: SQLiteCache(path, 256_000_000)")
        require_type("max_body", max_body, int, None)
        self._limit = limit
        self._max_body = limit // 8 if max_body is None else max_body
        self._database = SQLiteDatabase(path, schema=_SCHEMA, synchronous="NORMAL", busy_timeout=_BUSY_TIMEOUT)

    async def load(self, key: str) -> StoredVariants:
        """Return what is stored under a key; a damaged row is logged and counts as absent.

        Raises:
            StorageError: the file cannot be read.
        """
        version, content = await self._run(self._database.read, partial(_select, key))
        if content is None:
            return StoredVariants((), version)
        try:
            return StoredVariants(unpack(content), version)
        except ValueError as error:
            _log.warning("%s: a stored response was left out, and is asked for again: %s", self._database.path, error)
            return StoredVariants((), version)

    async def save(self, key: str, variants: tuple[StoredResponse, ...], version: int) -> None:
        """Replace what is stored under a key, unless it was changed or forgotten since ``version`` was loaded.

        Raises:
            StorageError: the file cannot be written, or stayed locked for two seconds.
        """
        kept = bounded(variants, self._max_body)
        size, content = size_of(key, kept), pack(kept) if kept else None

        def replace(connection: sqlite3.Connection) -> None:
            if _select(key, connection)[0] == version:
                self._put(connection, key, size, content)

        await self._run(self._database.write, replace)

    async def forget(self, key: str) -> None:
        """Remove what is stored under a key.

        Raises:
            StorageError: the file cannot be written, or stayed locked for two seconds.
        """

        def remove(connection: sqlite3.Connection) -> None:
            self._put(connection, key, size_of(key, ()), None)

        await self._run(self._database.write, remove)

    async def clear(self, prefix: str = "") -> None:
        """Remove everything under keys with a prefix.

        Raises:
            StorageError: the file cannot be written, or stayed locked for two seconds.
        """
        await self._run(self._database.write, partial(_clear, prefix))

    async def _run(
        self,
        transact: Callable[[Callable[[sqlite3.Connection], T]], Awaitable[T]],
        function: Callable[[sqlite3.Connection], T],
    ) -> T:
        try:
            return await transact(function)
        except (OverflowError, TypeError, ValueError) as error:
            raise StorageError(
                f"{self._database.path} is damaged, or another program's: delete it", path=self._database.path
            ) from error

    def _put(self, connection: sqlite3.Connection, key: str, size: int, content: bytes | None) -> None:
        version = _next_version(connection)
        total = _counter(connection, "size") + size - _remove(connection, key)
        connection.execute(_INSERT, (key, version, size, content))
        while total > self._limit:
            row: tuple[int, int, int] | None = connection.execute(_SELECT_OLDEST).fetchone()
            if row is None:
                total = 0  # it was counted wrongly
                break
            oldest, dropped, has_content = row
            connection.execute(_DELETE_ROW, (oldest,))
            total -= dropped
            if not has_content:
                _set_counter(connection, "absent_version", version)
        _set_counter(connection, "size", total)

    async def aclose(self) -> None:
        """Close the file and end its thread; the next call opens it again."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._database.__aexit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"SQLiteCache({self._database.path!r}, {self._limit})"


def _select(key: str, connection: sqlite3.Connection) -> tuple[int, bytes | None]:
    row: tuple[int, bytes | None] | None = connection.execute(_SELECT, (key,)).fetchone()
    return (_counter(connection, "absent_version"), None) if row is None else row


def _remove(connection: sqlite3.Connection, key: str) -> int:
    """Remove the row of a key; return its size, 0 where there is none."""
    row: tuple[int] | None = connection.execute(_DELETE, (key,)).fetchone()
    return 0 if row is None else row[0]


def _clear(prefix: str, connection: sqlite3.Connection) -> None:
    removed = connection.execute(_SELECT_PREFIX, (len(prefix), prefix)).fetchall()
    connection.executemany(_DELETE_ROW, [(row,) for row, _ in removed])
    _set_counter(connection, "size", _counter(connection, "size") - sum(size for _, size in removed))
    _set_counter(connection, "absent_version", _next_version(connection))


def _next_version(connection: sqlite3.Connection) -> int:
    version = _counter(connection, "last_version") + 1
    _set_counter(connection, "last_version", version)
    return version


def _counter(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(_SELECT_COUNTER, (name,)).fetchone()[0])


def _set_counter(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute(_UPDATE_COUNTER, (value, name))
