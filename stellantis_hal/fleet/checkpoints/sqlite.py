"""Checkpoints in an SQLite file."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from stellantis_hal.fleet.checkpoints.store import (
    CheckpointError,
    CheckpointsInUseError,
    CheckpointStore,
    MemoryCheckpoints,
    in_use,
)
from stellantis_hal.storage.file_lock import FileLock
from stellantis_hal.storage.sqlite import SQLiteDatabase, StorageError
from stellantis_hal.storage.threads import run_to_end

__all__ = ["SQLiteCheckpoints"]

_SCHEMA = ("CREATE TABLE IF NOT EXISTS checkpoints (key TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID",)


class SQLiteCheckpoints(CheckpointStore):
    """Checkpoints in an SQLite file, read and written in a thread of its own.

    A saved checkpoint survives the end of the process, and no cancellation undoes it; after a power failure the latest
    ones may be missing, and their updates are delivered again. Use it as
    ``async with SQLiteCheckpoints(path) as checkpoints``, or call :meth:`aclose`.

    Checkpoints show which vehicles exist and how far each was read: a new file is readable by its owner only.

    Args:
        path: the file; its folder has to exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._database = SQLiteDatabase(path, schema=_SCHEMA, synchronous="NORMAL")
        self._memory = MemoryCheckpoints()
        self._lock_path = None if self._database.path == ":memory:" else Path(path).absolute()

    async def load(self, key: str) -> bytes | None:
        """Return the content saved last under the key; None if there is none.

        Raises:
            CheckpointError: the file cannot be read, or stayed locked for 10 s.
        """
        try:
            return await self._database.read(partial(_select, key))
        except StorageError as error:
            raise CheckpointError(f"the checkpoints cannot be read: {error}") from error

    async def save(self, key: str, content: bytes) -> None:
        """Write the content in a transaction of its own.

        Once the transaction has begun, a cancelled call completes it; later calls run after it.

        Raises:
            CheckpointError: the file cannot be written, or stayed locked for 10 s.
        """
        try:
            await self._database.write(partial(_replace, key, content))
        except StorageError as error:
            raise CheckpointError(f"the checkpoints cannot be written: {error}") from error

    @asynccontextmanager
    async def reserve(self, name: str) -> AsyncGenerator[None, None]:
        """Reserve a name within the ``async with``, by a lock file beside the file.

        The lock ends with its process, however that ends. There is none on systems and file systems without ``flock``.

        Raises:
            CheckpointsInUseError: another stream has reserved it, in this process or another one of this machine.
            CheckpointError: the lock file cannot be made.
        """
        async with self._memory.reserve(name) if self._lock_path is None else self._lock(self._lock_path, name):
            yield

    @asynccontextmanager
    async def _lock(self, path: Path, name: str) -> AsyncGenerator[None, None]:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        lock: FileLock | None = None

        def acquire() -> bool:
            nonlocal lock, path
            path = Path(os.path.realpath(path))  # locks are beside the file that links lead to
            lock = FileLock(path.with_name(f".{path.name}.{digest}.lock"))
            return lock.acquire()

        try:
            try:
                is_held = await run_to_end(acquire)
            except OSError as error:
                raise CheckpointError(f"the checkpoints in {path} cannot be locked: {error}") from error
            if not is_held:
                raise CheckpointsInUseError(in_use(name, str(path)))
            yield
        finally:
            if lock is not None:
                with anyio.CancelScope(shield=True):  # removing a file
                    await run_to_end(lock.release)

    async def aclose(self) -> None:
        """Close the file and end its thread; the next call opens it again."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._database.__aexit__(kind, error, traceback)


def _select(key: str, connection: sqlite3.Connection) -> bytes | None:
    # Another program may have written a number, or text that is not UTF-8, which sqlite3 would not return.
    query = "SELECT CAST(content AS BLOB) FROM checkpoints WHERE key = ?"
    row: tuple[bytes] | None = connection.execute(query, (key,)).fetchone()
    return None if row is None else row[0]


def _replace(key: str, content: bytes, connection: sqlite3.Connection) -> None:
    connection.execute("REPLACE INTO checkpoints (key, content) VALUES (?, ?)", (key, content))
