"""Where a watch keeps how far it has come.

Knows keys and bytes. Must not know what they mean.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

import anyio
import anyio.to_thread

from stellantis_hal.errors import StellantisError

__all__ = ["CheckpointError", "CheckpointStore", "MemoryCheckpoints", "SQLiteCheckpoints"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS checkpoints (key TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID"
_BUSY_SECONDS = 10.0


class CheckpointError(StellantisError):
    """Checkpoints could not be read or kept."""


class CheckpointStore(Protocol):
    """A place for checkpoints: a few kilobytes for each vehicle, whole or not at all."""

    async def load(self, key: str) -> bytes | None:
        """Give what was saved last; None where nothing was.

        Raises:
            CheckpointError: it cannot be read.
        """
        ...

    async def save(self, key: str, content: bytes) -> None:
        """Keep this from the moment that this returns, whatever happens to the process.

        Raises:
            CheckpointError: it cannot be written.
        """
        ...


class MemoryCheckpoints:
    """Checkpoints that live as long as this object."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    async def load(self, key: str) -> bytes | None:
        """Give what was saved last; None where nothing was."""
        return self._kept.get(key)

    async def save(self, key: str, content: bytes) -> None:
        """Keep this."""
        self._kept[key] = content


class SQLiteCheckpoints:
    """Checkpoints in an SQLite file, read and written in a worker thread.

    A checkpoint survives the end of the process from the moment that it is saved; after a power failure the newest may
    be missing, and their updates are delivered again. Use it as ``async with SQLiteCheckpoints(path) as checkpoints``,
    or call :meth:`aclose`.

    They tell which vehicles there are and how far each was read: a file made here is its owner's alone.

    Args:
        path: the file; its folder has to exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._connection: sqlite3.Connection | None = None
        self._turn = anyio.Lock()

    async def load(self, key: str) -> bytes | None:
        """Read what was saved last; None where nothing was.

        Raises:
            CheckpointError: the file cannot be read.
        """
        async with self._turn:
            return await anyio.to_thread.run_sync(self._load, key)

    async def save(self, key: str, content: bytes) -> None:
        """Write it in a transaction of its own.

        Raises:
            CheckpointError: the file cannot be written.
        """
        async with self._turn:
            await anyio.to_thread.run_sync(self._save, key, content)

    async def aclose(self) -> None:
        """Close the file; it is opened again when it is used again."""
        async with self._turn:
            await anyio.to_thread.run_sync(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):  # bounded: SQLite waits for no more than its own time-out
            await self.aclose()

    # ------------------------------------------------------------------------------------------- in the thread

    def _load(self, key: str) -> bytes | None:
        try:
            row = self._opened().execute("SELECT content FROM checkpoints WHERE key = ?", (key,)).fetchone()
        except (sqlite3.Error, UnicodeError) as error:
            raise CheckpointError(f"the checkpoints in {self._path} cannot be read: {error}") from error
        return None if row is None else bytes(row[0])

    def _save(self, key: str, content: bytes) -> None:
        try:
            connection = self._opened()
            with connection:
                connection.execute("REPLACE INTO checkpoints (key, content) VALUES (?, ?)", (key, content))
        except (sqlite3.Error, UnicodeError) as error:
            raise CheckpointError(f"the checkpoints in {self._path} cannot be written: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._make()
            connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _make(self) -> None:
        """Make the file before SQLite does, which would let others read it; never open one that is there.

        Closing a descriptor gives back every lock that the process has on its file.
        """
        if self._path != ":memory:":
            with suppress(OSError):  # it is there, or SQLite will say why it cannot be
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()
