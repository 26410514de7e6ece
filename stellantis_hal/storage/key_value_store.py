"""State stores: bytes by key, changed by compare and swap."""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from stellantis_hal.storage.sqlite import SQLiteDatabase

__all__ = ["MemoryState", "SQLiteState", "StateStore"]

_SCHEMA = ("CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",)


@runtime_checkable
class StateStore(Protocol):
    """A store of bytes by key, which any number of tasks and processes may share.

    A change is made by :meth:`load`, then :meth:`replace` with what was loaded: it fails where another task or process
    was faster, and is made again.
    """

    async def load(self, key: str) -> bytes | None:
        """Return the value under the key; None if there is none."""
        ...

    async def replace(self, key: str, expected: bytes | None, value: bytes | None) -> bool:
        """Set the value under the key if it is still the expected one, atomically; return whether it was set.

        Args:
            key: the key.
            expected: the value that :meth:`load` returned; None: there was none.
            value: the new value; None removes it.
        """
        ...


class MemoryState:
    """State in memory, which ends with the process and is shared with no other."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"<MemoryState {len(self._values)} keys>"

    async def load(self, key: str) -> bytes | None:
        """Return the value under the key; None if there is none."""
        return self._values.get(key)

    async def replace(self, key: str, expected: bytes | None, value: bytes | None) -> bool:
        """Set the value under the key if it is still the expected one; return whether it was set."""
        if self._values.get(key) != expected:
            return False
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
        return True


class SQLiteState:
    """State in an SQLite file, which any number of processes of one machine may share.

    Use it as ``async with SQLiteState(path) as state``, or call :meth:`aclose`. A new file is readable by its owner
    only.

    Args:
        path: the file; its folder has to exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._database = SQLiteDatabase(path, schema=_SCHEMA)

    def __repr__(self) -> str:
        return f"<SQLiteState {self._database.path!r}>"

    async def load(self, key: str) -> bytes | None:
        """Return the value under the key; None if there is none.

        Raises:
            StorageError: the file cannot be read, or stayed locked for 10 s.
        """
        return await self._database.read(partial(_select, key))

    async def replace(self, key: str, expected: bytes | None, value: bytes | None) -> bool:
        """Set the value under the key if it is still the expected one; return whether it was set.

        Once its transaction has begun, a cancelled call completes it.

        Raises:
            StorageError: the file cannot be written, or stayed locked for 10 s.
        """
        return await self._database.write(partial(_swap, key, expected, value))

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
    row: tuple[bytes] | None = connection.execute(
        "SELECT CAST(value AS BLOB) FROM state WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else row[0]


def _swap(key: str, expected: bytes | None, value: bytes | None, connection: sqlite3.Connection) -> bool:
    if _select(key, connection) != expected:
        return False
    if value is None:
        connection.execute("DELETE FROM state WHERE key = ?", (key,))
    else:
        connection.execute("REPLACE INTO state (key, value) VALUES (?, ?)", (key, value))
    return True
