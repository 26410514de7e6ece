"""Lease table: the protocol of a store of leases, and the rule by which members share shards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import attrs

__all__ = ["LeaseTable", "LeaseView", "RebalanceSteps", "ShardOwnerRecord", "decide"]


class ShardOwnerRecord(NamedTuple):
    """Ownership of a shard.

    Attributes:
        member: its owner; "" for none.
        epoch: how often it changed hands.
    """

    member: str
    epoch: int


@attrs.frozen
class LeaseView:
    """A lease as its table shows it at one instant.

    Attributes:
        members: number of shards that each living member was configured with, by member.
        shards: owners of the shards that ever had one.
    """

    members: Mapping[str, int]
    shards: Mapping[int, ShardOwnerRecord]


class LeaseTable(Protocol):
    """Rows of one lease: its members with a heartbeat, and the owner of each shard.

    Liveness is judged by the clock of the store, never by those of the processes. Each call is atomic, raises
    ``StorageError`` where the store fails, and may be repeated.
    """

    @property
    def place(self) -> str:
        """The store, for messages."""
        ...

    async def open(self) -> None:
        """Connect."""
        ...

    async def beat(self, member: str, *, shards: int, ttl: float) -> LeaseView:
        """Record that a member lives, forget those that did not for ``ttl`` seconds, and return the lease."""
        ...

    async def take(self, shard: int, member: str, epoch: int) -> int | None:
        """Take a shard whose epoch is still ``epoch`` (0: never owned); return the new epoch, None if it changed."""
        ...

    async def give(self, shard: int, member: str, epoch: int) -> None:
        """Release a shard, if the member still owns it with this epoch."""
        ...

    async def leave(self, member: str) -> None:
        """Remove a member, and give up what it owns."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


@attrs.frozen
class RebalanceSteps:
    """What a member is to do.

    Attributes:
        take: shards that it should take, each with the epoch that it has now.
        give: how many of its shards it should hand over.
        lost: shards that it held, and that another member owns by now.
        forgotten: shards that it owns and does not hold, because an answer was lost, and that others should have.
    """

    take: tuple[tuple[int, int], ...]
    give: int
    lost: tuple[int, ...]
    forgotten: tuple[tuple[int, int], ...]


def decide(view: LeaseView, member: str, *, held: Mapping[int, int], shards: int) -> RebalanceSteps:
    """Return what a member is to do, so that all living members get the same number of shards, give or take one.

    With fewer shards than members the surplus members stand by, and nothing moves while its owner lives.

    Args:
        view: the lease.
        member: the member.
        held: epochs of the shards that it holds.
        shards: number of shards.
    """
    lost = tuple(shard for shard, epoch in held.items() if view.shards.get(shard) != ShardOwnerRecord(member, epoch))
    kept = len(held) - len(lost)
    living = view.members.keys() | {member}
    owned = dict.fromkeys(living, 0)
    owned[member] = kept
    free: list[tuple[int, int]] = []
    own: list[tuple[int, int]] = []
    first = sum(member.encode())  # members that look at the same time begin at different shards
    for step in range(shards):
        shard = (first + step) % shards
        owner = view.shards.get(shard, ShardOwnerRecord("", 0))
        if owner.member == member:
            if held.get(shard) != owner.epoch:  # of an answer that was lost
                own.append((shard, owner.epoch))
        elif owner.member in living:
            owned[owner.member] += 1
        else:
            free.append((shard, owner.epoch))
    floor, ceiling = shards // len(living), -(-shards // len(living))
    missing = sum(max(0, floor - count) for count in owned.values()) - len(free) - len(own)
    give = kept - ceiling if kept > ceiling else min(kept - floor, missing) if kept > floor else 0
    room = max(0, ceiling - kept)
    return RebalanceSteps(take=tuple([*own, *free][:room]), give=max(0, give), lost=lost, forgotten=tuple(own[room:]))
