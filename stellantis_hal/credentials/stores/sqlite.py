"""The token store in an SQLite file, shared by the processes of one user on one machine.

A change writes one row, independent of how many accounts the file has.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from stellantis_hal.credentials.stores.entries import require_entry, require_key
from stellantis_hal.credentials.stores.key_locks import KeyLocks
from stellantis_hal.credentials.stores.polled_lock import hold_polled_lock
from stellantis_hal.credentials.stores.private_files import check_private
from stellantis_hal.credentials.stores.protocol import LOCK_TIMEOUT
from stellantis_hal.credentials.stores.sealing import Seal
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.storage.advice import with_advice
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.file_lock import FileLock
from stellantis_hal.storage.sqlite import SQLiteDatabase, undecoded_text
from stellantis_hal.storage.threads import run_to_end
from stellantis_hal.validation import require_flags

__all__ = ["SQLiteTokenStore"]

T = TypeVar("T")

_SCHEMA = ("CREATE TABLE IF NOT EXISTS tokens (key TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID",)


class SQLiteTokenStore:
    """Keep tokens in an SQLite file that only its owner may read, shared by the processes of one user.

    A saved token survives a power failure. Locks are lock files beside it, which end with their process.

    Args:
        path: the file; its folder must exist and be writable by this user.
        encrypt: called with the content of each row before it is written, in a thread of the event loop; None: rows are
            plain.
        decrypt: its reverse.
        allow_others: accept a file that other users may read, or that belongs to another user.
        lock_timeout: seconds to wait for the lock of an account.

    Raises:
        ValueError: only one of ``encrypt`` and ``decrypt`` was passed, or the path names no file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        encrypt: Callable[[bytes], bytes] | None = None,
        decrypt: Callable[[bytes], bytes] | None = None,
        allow_others: bool = False,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        if os.fspath(path) == ":memory:":
            raise ValueError('path must be a file, not ":memory:": MemoryTokenStore() keeps tokens in memory')
        require_flags(allow_others=allow_others)
        self._path = Path(path).absolute()  # the working directory may change later
        self._seal = Seal(encrypt, decrypt)
        self._allow_others = allow_others
        self._lock_timeout = lock_timeout
        self._database = SQLiteDatabase(self._path, schema=_SCHEMA)
        self._locks = KeyLocks(lock_timeout)
        self._is_checked = False

    def __repr__(self) -> str:
        return f"SQLiteTokenStore({str(self._path)!r})"

    @property
    def identity(self) -> str:
        """What names this store in every process: its path."""
        return f"sqlite:{self._path}"

    async def load(self, key: str) -> Token | None:
        """Return the token under ``key``; None where there is none.

        Raises:
            TokenStoreError: the file or the row is damaged, or may be read by other users.
        """
        require_key(key)
        content = await self._with_errors(key, partial(self._database.read, partial(_select, key)))
        return None if content is None else self._seal.open(key, content, str(self._path))

    async def save(self, key: str, token: Token | None) -> None:
        """Store the token under ``key``, durably once this returns; None removes it.

        A cancelled call is completed first, or was not begun.

        Raises:
            TokenStoreError: it could not be stored; the previous token still is.
        """
        require_entry(key, token)
        content = None if token is None else self._seal.seal(key, token)
        await self._with_errors(key, partial(self._database.write, partial(_replace, key, content)))

    async def keys(self) -> tuple[str, ...]:
        """Return the keys that have a token, sorted.

        Raises:
            TokenStoreError: the file is damaged, has keys of another program, or may be read by other users.
        """
        keys = await self._with_errors(None, partial(self._database.read, _keys))
        names = tuple(key for key in keys if isinstance(key, str))
        if len(names) < len(keys):
            raise TokenStoreError(
                f"{self._path} has keys that are no text in UTF-8 ({len(keys) - len(names)} of {len(keys)}): another "
                "program wrote them. Remove these rows, or restore the file from a backup; single accounts can be read"
            )
        return names

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None, None]:
        """Exclude every other task and process that uses this file from ``key``, inside ``async with``.

        Raises:
            TokenStoreError: the lock was not available in time.
        """
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        async with self._locks.hold(key):
            lock = FileLock(self._path.with_name(f".{self._path.name}.{digest}.lock"))
            async with hold_polled_lock(
                partial(self._with_errors, key, partial(run_to_end, lock.acquire)),
                partial(self._with_errors, key, partial(run_to_end, lock.release)),
                key=key,
                path=self._path,
                timeout=self._lock_timeout,
            ):
                yield

    async def aclose(self) -> None:
        """Close the file and end its thread; the next call opens it again."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            TokenStoreError: it cannot be written, or is refused.
        """
        await self._with_errors(None, self._database.check)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._database.__aexit__(kind, error, traceback)

    async def _with_errors(self, key: str | None, call: Callable[[], Awaitable[T]]) -> T:
        try:
            if not self._is_checked:
                await run_to_end(partial(_check, self._path, self._allow_others))
                self._is_checked = True
            return await call()
        except StorageError as error:
            raise TokenStoreError(f"the tokens cannot be kept: {error}", key=key) from error
        except OSError as error:
            raise TokenStoreError(f"{self._path}: {with_advice(error.strerror or str(error))}", key=key) from error


def _check(path: Path, allow_others: bool) -> None:
    """Check who may read a file.

    Raises:
        TokenStoreError: others may, or it is not a file.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not path.is_file() or path.is_symlink():
        raise TokenStoreError(f"{path} is not a file: pass the path of a file, not of a link or folder")
    if not allow_others:
        check_private(path, status)


def _select(key: str, connection: sqlite3.Connection) -> bytes | None:
    query = "SELECT CAST(content AS BLOB) FROM tokens WHERE key = ?"
    row: tuple[bytes] | None = connection.execute(query, (key,)).fetchone()
    return None if row is None else row[0]


def _replace(key: str, content: bytes | None, connection: sqlite3.Connection) -> None:
    if content is None:
        connection.execute("DELETE FROM tokens WHERE key = ?", (key,))
    else:
        connection.execute("REPLACE INTO tokens (key, content) VALUES (?, ?)", (key, content))


def _keys(connection: sqlite3.Connection) -> tuple[str | bytes, ...]:
    with undecoded_text(connection):
        return tuple(key for (key,) in connection.execute("SELECT key FROM tokens ORDER BY key"))
