"""Lease of a fleet in PostgreSQL."""

from __future__ import annotations

from stellantis_hal.fleet.leases.lease import Lease
from stellantis_hal.storage.leases.postgres import PostgresLeaseTable
from stellantis_hal.validation import require_type

__all__ = ["PostgresLease"]

_TTL = 5.0
_INTERVAL = 0.25


class PostgresLease(Lease):
    """A lease in PostgreSQL: accounts that belong to one process at a time.

    Args:
        dsn: a URL or ``key=value`` pairs, as libpq reads them, of PostgreSQL itself or of a pool of sessions: the lease
            holds a session of its own. The tables must exist: ``await PostgresCheckpoints(dsn).create_schema()``.
        name: the same in every process.
        shards: the same in every process; 1: one process is active, the others stand by.
        ttl: seconds after which a process that is not heard of, because it is stopped or cut off, has lost its shards;
            one that was killed has lost them at once.
    """

    def __init__(self, dsn: str, name: str, *, shards: int = 1, ttl: float = _TTL) -> None:
        require_type("ttl", ttl, int, float)
        table = PostgresLeaseTable(dsn, name, timeout=ttl)
        super().__init__(table, name, shards=shards, ttl=ttl, interval=min(_INTERVAL, ttl / 4))
