"""Leases in PostgreSQL: rows with a heartbeat, and a session lock that ends with its process."""

from __future__ import annotations

import random
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from stellantis_hal.errors import LeaseStoreError
from stellantis_hal.storage.leases.table import LeaseView, ShardOwnerRecord
from stellantis_hal.storage.postgres import PostgresConnection

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresLeaseTable"]


class PostgresLeaseTable:
    """Rows of one lease, over a connection of its own.

    A member lives while its session holds an advisory lock, which ends at once with the process, and while it is heard
    of: a process that is stopped keeps its session.

    Args:
        dsn: where to connect.
        name: of the lease.
        timeout: seconds that a call may take.
    """

    def __init__(self, dsn: str, name: str, *, timeout: float) -> None:
        self._connection = PostgresConnection(dsn, timeout=timeout)
        self._name = name
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).digest()
        self._class = int.from_bytes(digest, "big", signed=True)
        self._lock_id = 0
        self._connection.on_connect(self._lock)

    @property
    def place(self) -> str:
        """The server."""
        return self._connection.place

    def _lock(self, connection: Connection[Any]) -> None:
        # Kept for as long as the session lives. A former session of this member may live on for a while with its own.
        self._lock_id = random.SystemRandom().randrange(1, 2**31)
        connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s, %s)", (self._class, self._lock_id))

    async def open(self) -> None:
        """Connect, and check that the session is one of its own.

        Raises:
            LeaseStoreError: a pooler hands each transaction to another session.
        """
        await self._connection.run(lambda _: None)

    async def beat(self, member: str, *, shards: int, ttl: float) -> LeaseView:
        """Record that a member lives, and return the lease."""

        def beat(connection: Connection[Any]) -> LeaseView:
            held = connection.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = %s::bigint::oid AND objid = %s::oid "
                "AND pid = pg_backend_pid() AND granted",
                (self._class % 2**32, self._lock_id),
            ).fetchone()
            if held is None:
                got = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (self._class, self._lock_id)).fetchone()
                if got is None or not got[0]:
                    raise LeaseStoreError(
                        f"{self.place} hands transactions to different sessions, as PgBouncer does with pool_mode = "
                        "transaction: a lease needs a session of its own, so connect it to PostgreSQL itself, or by a "
                        "pool with pool_mode = session"
                    )
            connection.execute(
                "INSERT INTO stellantis_hal.lease_members VALUES (%s, %s, %s, %s, clock_timestamp()) "
                "ON CONFLICT (lease, member) DO UPDATE SET seen = clock_timestamp(), lock_id = excluded.lock_id",
                (self._name, member, shards, self._lock_id),
            )
            rows: list[tuple[str, int, bool]] = connection.execute(
                """
                SELECT member, shards, seen > clock_timestamp() - make_interval(secs => %s) AND EXISTS (
                    SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = lock_id::oid
                    AND classid = %s::bigint::oid
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                ) FROM stellantis_hal.lease_members WHERE lease = %s
                """,
                (ttl, self._class % 2**32, self._name),
            ).fetchall()
            dead = [other for other, _, lives in rows if not lives and other != member]
            if dead:
                connection.execute(
                    "DELETE FROM stellantis_hal.lease_members WHERE lease = %s AND member = ANY(%s)", (self._name, dead)
                )
            owners = connection.execute(
                "SELECT shard, member, epoch FROM stellantis_hal.lease_shards WHERE lease = %s", (self._name,)
            ).fetchall()
            members: Mapping[str, int] = {other: count for other, count, _ in rows if other not in dead}
            return LeaseView(
                members=members, shards={shard: ShardOwnerRecord(owner, epoch) for shard, owner, epoch in owners}
            )

        return await self._connection.run(beat)

    async def take(self, shard: int, member: str, epoch: int) -> int | None:
        """Take a shard whose epoch is still this one."""

        def take(connection: Connection[Any]) -> int | None:
            connection.execute(
                "INSERT INTO stellantis_hal.lease_shards VALUES (%s, %s, '', 0) ON CONFLICT DO NOTHING",
                (self._name, shard),
            )
            row = connection.execute(
                "UPDATE stellantis_hal.lease_shards SET member = %s, epoch = epoch + 1 "
                "WHERE lease = %s AND shard = %s AND epoch = %s RETURNING epoch",
                (member, self._name, shard, epoch),
            ).fetchone()
            return None if row is None else int(row[0])

        return await self._connection.run(take)

    async def give(self, shard: int, member: str, epoch: int) -> None:
        """Release a shard."""

        def give(connection: Connection[Any]) -> None:
            connection.execute(
                "UPDATE stellantis_hal.lease_shards SET member = '' "
                "WHERE lease = %s AND shard = %s AND member = %s AND epoch = %s",
                (self._name, shard, member, epoch),
            )

        await self._connection.run(give)

    async def leave(self, member: str) -> None:
        """Remove a member."""

        def leave(connection: Connection[Any]) -> None:
            connection.execute(
                "UPDATE stellantis_hal.lease_shards SET member = '' WHERE lease = %s AND member = %s",
                (self._name, member),
            )
            connection.execute(
                "DELETE FROM stellantis_hal.lease_members WHERE lease = %s AND member = %s", (self._name, member)
            )

        await self._connection.run(leave)

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.aclose()
