"""Lease of a fleet in Redis."""

from __future__ import annotations

from stellantis_hal.fleet.leases.lease import Lease
from stellantis_hal.storage.leases.redis import RedisLeaseTable
from stellantis_hal.storage.redis import RedisAddress
from stellantis_hal.validation import require_type

__all__ = ["RedisLease"]

_TTL = 3.0
_INTERVAL = 0.4


class RedisLease(Lease):
    """A lease in Redis: accounts that belong to one process at a time.

    A Redis that forgets forgets the owners too: they are fenced by the epochs that the checkpoints know, and the shards
    are distributed anew.

    Args:
        server: a URL, or a coredis client of the caller's.
        name: the same in every process.
        shards: the same in every process; 1: one process is active, the others stand by.
        ttl: seconds after which a process that is not heard of has lost its shards, by the clock of the server.
    """

    def __init__(self, server: RedisAddress, name: str, *, shards: int = 1, ttl: float = _TTL) -> None:
        require_type("ttl", ttl, int, float)
        table = RedisLeaseTable(server, name, timeout=ttl)
        super().__init__(table, name, shards=shards, ttl=ttl, interval=min(_INTERVAL, ttl / 3))
