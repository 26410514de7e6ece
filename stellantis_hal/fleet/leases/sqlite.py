"""Lease of a fleet in an SQLite file."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Protocol, Self

from stellantis_hal.fleet.leases.lease import Lease
from stellantis_hal.storage.leases.sqlite import SQLiteLeaseTable
from stellantis_hal.storage.sqlite import SQLiteDatabase
from stellantis_hal.validation import require_type

__all__ = ["TTL", "FencedStore", "SQLiteLease"]

TTL: Final = 3.0
"""Seconds after which a process that is not heard of has lost its shards, by default."""
_INTERVAL: Final = 0.5


class FencedStore(Protocol):
    """A store that accepts checkpoints only of accounts whose shard a lease holds."""

    def use_fence(self, lease: Lease) -> None:
        """Accept the checkpoints only of owners whose shard a lease holds.

        Raises:
            RuntimeError: the store has a lease already.
        """
        ...

    def drop_fence(self, lease: Lease) -> None:
        """Accept all checkpoints again, after a lease has ended."""
        ...


class SQLiteLease(Lease):
    """A lease in the file of :class:`SQLiteCheckpoints`. Made by :meth:`SQLiteCheckpoints.lease`."""

    def __init__(self, store: FencedStore, database: SQLiteDatabase, name: str, shards: int, ttl: float) -> None:
        require_type("ttl", ttl, int, float)
        super().__init__(
            SQLiteLeaseTable(database, name), name, shards=shards, ttl=ttl, interval=min(_INTERVAL, ttl / 3)
        )
        self._store = store

    async def __aenter__(self) -> Self:
        """Take part, and fence the store.

        Raises:
            LeaseStoreError: the file failed, or another process uses the name with another number of shards.
            RuntimeError: it was entered before, or the store has a lease already.
        """
        self._store.use_fence(self)
        try:
            return await super().__aenter__()
        except BaseException:
            self._store.drop_fence(self)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(kind, error, traceback)
        finally:
            self._store.drop_fence(self)
