"""Checkpoints in an SQLite file."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from stellantis_hal.fleet.checkpoints.fenced import SharedCheckpoints
from stellantis_hal.fleet.checkpoints.store import CheckpointError, MemoryCheckpoints
from stellantis_hal.fleet.leases.lease import Lease
from stellantis_hal.fleet.leases.sqlite import TTL, SQLiteLease
from stellantis_hal.storage.advice import describe
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.fencing import FenceToken, lease_lost
from stellantis_hal.storage.file_lock import FileLock
from stellantis_hal.storage.leases.sqlite import SCHEMA as LEASES
from stellantis_hal.storage.sqlite import SQLiteDatabase
from stellantis_hal.storage.threads import run_to_end

__all__ = ["SQLiteCheckpoints"]

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS checkpoints (key TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS fences (scope TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID",
    *LEASES,
)
_MOST_KEYS = 500
"""Keys of one query: SQLite allows 999 variables where it is old."""


class SQLiteCheckpoints(SharedCheckpoints):
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

    def lease(self, name: str, *, shards: int = 1, ttl: float = TTL) -> SQLiteLease:
        """Return a lease in this file, for the processes of this machine: ``async with checkpoints.lease("fleet")``.

        While it is entered, this store accepts the checkpoints of accounts whose shard it holds. Several watches of one
        name may then use the file, in as many processes.

        Args:
            name: the same in every process.
            shards: the same in every process; 1: one process is active, the others stand by.
            ttl: seconds after which a process that is not heard of has lost its shards.
        """
        return SQLiteLease(self, self._database, name, shards, ttl)

    def use_fence(self, lease: Lease) -> None:
        """Accept the checkpoints only of owners whose shard a lease holds.

        Raises:
            RuntimeError: the store has a lease already.
        """
        if self._fence is not None:
            raise RuntimeError(
                "this store has a lease already: make another SQLiteCheckpoints of the file for this one"
            )
        self._fence = lease

    def drop_fence(self, lease: Lease) -> None:
        """Accept all checkpoints again, after a lease has ended."""
        if self._fence is lease:
            self._fence = None

    async def _read(self, keys: Collection[str], token: FenceToken | None) -> Mapping[str, bytes]:
        call = partial(_select, list(keys), token)
        return await (self._database.read(call) if token is None else self._database.write(call))

    async def _write(self, contents: Mapping[str, bytes], token: FenceToken | None) -> None:
        await self._database.write(partial(_replace, dict(contents), token))

    def _reserve(self, name: str, *, shared: bool) -> AbstractAsyncContextManager[None]:
        """Reserve a name by a lock file beside the file.

        The lock ends with its process, however that ends. There is none on file systems without such locks, and no
        shared one on Windows.
        """
        return self._memory.reserve(name) if self._lock_path is None else self._lock(self._lock_path, name, shared)

    @asynccontextmanager
    async def _lock(self, path: Path, name: str, shared: bool) -> AsyncGenerator[None, None]:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        lock: FileLock | None = None

        def acquire() -> bool:
            nonlocal lock, path
            path = Path(os.path.realpath(path))  # locks are beside the file that links lead to
            lock = FileLock(path.with_name(f".{path.name}.{digest}.lock"), shared=shared)
            return lock.acquire()

        async with self._memory.reserve(name) if shared else nullcontext():
            try:
                try:
                    is_held = await run_to_end(acquire)
                except OSError as error:
                    raise CheckpointError(f"the checkpoints in {path} cannot be locked: {describe(error)}") from error
                if not is_held:
                    raise self.refuse(name, str(path))
                yield
            finally:
                if lock is not None:
                    with anyio.CancelScope(shield=True):  # removing a file
                        await run_to_end(lock.release)

    async def aclose(self) -> None:
        """Close the file and end its thread; the next call opens it again."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            CheckpointError: it cannot be written.
        """
        try:
            await self._database.check()
        except StorageError as error:
            raise CheckpointError(f"the checkpoints cannot be written: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._database.__aexit__(kind, error, traceback)


def _select(keys: list[str], token: FenceToken | None, connection: sqlite3.Connection) -> dict[str, bytes]:
    _check(token, connection)
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), _MOST_KEYS):
        some = keys[start : start + _MOST_KEYS]
        # Another program may have written a number, or text that is not UTF-8, which sqlite3 would not return.
        query = f"SELECT key, CAST(content AS BLOB) FROM checkpoints WHERE key IN ({', '.join('?' * len(some))})"  # noqa: S608
        found.update(connection.execute(query, some).fetchall())
    return found


def _replace(contents: dict[str, bytes], token: FenceToken | None, connection: sqlite3.Connection) -> None:
    _check(token, connection)
    connection.executemany("REPLACE INTO checkpoints (key, content) VALUES (?, ?)", list(contents.items()))


def _check(token: FenceToken | None, connection: sqlite3.Connection) -> None:
    """Record the epoch of a token.

    Raises:
        LeaseLostError: a larger one is known.
    """
    if token is None:
        return
    row = connection.execute("SELECT CAST(epoch AS INTEGER) FROM fences WHERE scope = ?", (token.scope,)).fetchone()
    known: int = 0 if row is None else row[0]
    if known > token.epoch:
        raise lease_lost(token.scope, token.epoch, known)
    if known < token.epoch:
        connection.execute("REPLACE INTO fences VALUES (?, ?)", (token.scope, token.epoch))
