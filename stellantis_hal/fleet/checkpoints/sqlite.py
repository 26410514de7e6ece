"""Checkpoints in an SQLite file."""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from types import TracebackType
from typing import Self

from stellantis_hal.fleet.checkpoints.store import CheckpointError
from stellantis_hal.storage.sqlite import SQLiteDatabase, StorageError

__all__ = ["SQLiteCheckpoints"]

_SCHEMA = ("CREATE TABLE IF NOT EXISTS checkpoints (key TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID",)


class SQLiteCheckpoints:
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
    row = connection.execute("SELECT content FROM checkpoints WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    return row[0] if isinstance(row[0], bytes) else str(row[0]).encode()  # another program may have written it


def _replace(key: str, content: bytes, connection: sqlite3.Connection) -> None:
    connection.execute("REPLACE INTO checkpoints (key, content) VALUES (?, ?)", (key, content))
