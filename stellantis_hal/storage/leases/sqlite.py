"""Leases in an SQLite file, for the processes of one machine."""

from __future__ import annotations

import sqlite3
import time
from functools import partial

from stellantis_hal.storage.leases.table import LeaseView, ShardOwnerRecord
from stellantis_hal.storage.sqlite import SQLiteDatabase, undecoded_text

__all__ = ["SCHEMA", "SQLiteLeaseTable"]

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS lease_members (
        lease TEXT NOT NULL, member TEXT NOT NULL, shards INTEGER NOT NULL, seen REAL NOT NULL,
        PRIMARY KEY (lease, member)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS lease_shards (
        lease TEXT NOT NULL, shard INTEGER NOT NULL, member TEXT NOT NULL, epoch INTEGER NOT NULL,
        PRIMARY KEY (lease, shard)
    ) WITHOUT ROWID""",
)


class SQLiteLeaseTable:
    """Rows of one lease in a database that others keep open.

    The clock is the machine's monotonic one, which all of its processes share: no change of the time of day matters. A
    heartbeat that lies in the future was written before the machine started anew.

    Args:
        database: the database, whose schema includes :data:`SCHEMA`.
        name: of the lease.
    """

    def __init__(self, database: SQLiteDatabase, name: str) -> None:
        self._database = database
        self._name = name

    @property
    def place(self) -> str:
        """The file."""
        return self._database.path

    async def open(self) -> None:
        """Do nothing: the database opens itself."""

    async def beat(self, member: str, *, shards: int, ttl: float) -> LeaseView:
        """Record that a member lives, and return the lease."""
        return await self._database.write(partial(self._beat, member, shards, ttl))

    def _beat(self, member: str, shards: int, ttl: float, connection: sqlite3.Connection) -> LeaseView:
        now = time.monotonic()
        connection.execute(
            "DELETE FROM lease_members WHERE lease = ? AND NOT (typeof(seen) = 'real' AND seen BETWEEN ? AND ? "
            "AND typeof(member) = 'text' AND typeof(shards) = 'integer')",
            (self._name, now - ttl, now + ttl),
        )
        # Other programs may have written into the file: what is no row of a lease is removed.
        connection.execute(
            "DELETE FROM lease_shards WHERE lease = ? AND NOT (typeof(shard) = 'integer' "
            "AND typeof(member) = 'text' AND typeof(epoch) = 'integer')",
            (self._name,),
        )
        connection.execute("REPLACE INTO lease_members VALUES (?, ?, ?, ?)", (self._name, member, shards, now))
        with undecoded_text(connection):
            members = connection.execute(
                "SELECT member, shards FROM lease_members WHERE lease = ?", (self._name,)
            ).fetchall()
            owners = connection.execute(
                "SELECT shard, member, epoch FROM lease_shards WHERE lease = ?", (self._name,)
            ).fetchall()
        # A name that is not UTF-8 is no member's: its shards are free, and keep their epochs.
        return LeaseView(
            members={each: count for each, count in members if isinstance(each, str)},
            shards={
                shard: ShardOwnerRecord(owner if isinstance(owner, str) else "", epoch)
                for shard, owner, epoch in owners
            },
        )

    async def take(self, shard: int, member: str, epoch: int) -> int | None:
        """Take a shard whose epoch is still this one."""
        return await self._database.write(partial(self._take, shard, member, epoch))

    def _take(self, shard: int, member: str, epoch: int, connection: sqlite3.Connection) -> int | None:
        connection.execute("INSERT OR IGNORE INTO lease_shards VALUES (?, ?, '', 0)", (self._name, shard))
        changed = connection.execute(
            "UPDATE lease_shards SET member = ?, epoch = epoch + 1 WHERE lease = ? AND shard = ? AND epoch = ?",
            (member, self._name, shard, epoch),
        )
        return epoch + 1 if changed.rowcount else None

    async def give(self, shard: int, member: str, epoch: int) -> None:
        """Release a shard."""
        await self._database.write(partial(self._give, shard, member, epoch))

    def _give(self, shard: int, member: str, epoch: int, connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE lease_shards SET member = '' WHERE lease = ? AND shard = ? AND member = ? AND epoch = ?",
            (self._name, shard, member, epoch),
        )

    async def leave(self, member: str) -> None:
        """Remove a member."""
        await self._database.write(partial(self._leave, member))

    def _leave(self, member: str, connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE lease_shards SET member = '' WHERE lease = ? AND member = ?", (self._name, member))
        connection.execute("DELETE FROM lease_members WHERE lease = ? AND member = ?", (self._name, member))

    async def close(self) -> None:
        """Do nothing: the owner of the database closes it."""
