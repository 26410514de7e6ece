"""Source of the accounts that a lease of this process holds."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Self

import anyio

from stellantis_hal.fleet.fleet_as_account import Watchable, key_of
from stellantis_hal.fleet.target_sources import DetachableSource, Removed, for_each

if TYPE_CHECKING:
    from stellantis_hal.fleet.leases.lease import Lease

__all__ = ["LeasedAccounts"]

_log = logging.getLogger("stellantis_hal")


class LeasedAccounts(AsyncIterator[Watchable | Removed], DetachableSource):
    """Source of the accounts that a process holds. Made by :meth:`Lease.of`.

    A second watch of it, after the first has ended, begins with the accounts that are held then.
    """

    def __init__(
        self,
        lease: Lease,
        accounts: Watchable | Iterable[Watchable] | AsyncIterable[Watchable | Removed],
    ) -> None:
        self._lease = lease
        self._accounts = accounts
        self._targets: dict[str, Watchable] = {}
        self._pending: deque[tuple[str, Watchable | Removed]] = deque()
        self._shown: set[str] = set()
        self._on_released: dict[str, Callable[[], None]] = {}  # of accounts that were taken back
        self._changed = anyio.Event()
        self._failure: Exception | None = None
        self._is_attached = True

    def __aiter__(self) -> Self:
        if not self._lease.is_entered:
            raise RuntimeError(
                "this lease is not entered, and holds no account: use `async with checkpoints.lease(…) as lease` "
                "around the watch"
            )
        if not self._is_attached:
            self._is_attached = True
            self._lease.attach(self)
            for owner in list(self._targets):
                if self._lease.shard_of(owner) in self._lease.shards:
                    self._show(owner)
        return self

    def detach(self) -> None:
        """Leave the lease, which waits for nothing of this consumer any more."""
        self._is_attached = False
        self._lease.detach(self)
        self._shown.clear()
        self._pending.clear()
        on_released, self._on_released = self._on_released, {}
        for function in on_released.values():
            function()

    async def __anext__(self) -> Watchable | Removed:
        """Wait for the next account that this process gained or lost.

        Raises:
            Exception: what the accounts' own source, or the lease, raised.
        """
        while not self._pending:
            failure = self._failure or self._lease.failure
            if failure is not None:
                raise failure
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._pending.popleft()[1]

    async def read(self) -> None:
        """Read the accounts; errors are raised to the consumer."""
        try:
            await for_each(self._accounts, self._add)
            if not self._targets:
                _log.warning(
                    "the source of lease %r has ended, and has no account: nothing is watched", self._lease.name
                )
        except Exception as error:  # noqa: BLE001 - raised in the consumer
            self._failure = error
            self.wake()

    async def _add(self, item: Watchable | Removed) -> None:
        if isinstance(item, Removed):
            owner = key_of(item.target)
            self._targets.pop(owner, None)
            if owner in self._shown:
                self._shown.discard(owner)
                self._put(owner, item)
            return
        owner = key_of(item)
        self._targets[owner] = item
        if self._is_attached and self._lease.shard_of(owner) in self._lease.shards:
            self._show(owner)

    def _show(self, owner: str) -> None:
        self._shown.add(owner)
        self._put(owner, self._targets[owner])

    def _put(self, owner: str, item: Watchable | Removed) -> None:
        self._pending.append((owner, item))
        self.wake()

    def wake(self) -> None:
        """Let the consumer look again."""
        self._changed.set()

    # ------------------------------------------------------------------------------------------- called by the lease

    def owners(self, shard: int) -> list[str]:
        """Return the owners of a shard that the consumer has."""
        return [owner for owner in self._shown if self._lease.shard_of(owner) == shard]

    def gained(self, shard: int) -> None:
        """Pass the accounts of a shard on."""
        for owner in list(self._targets):
            if self._lease.shard_of(owner) == shard:
                self._show(owner)

    def lost(self, shard: int) -> None:
        """Take the accounts of a shard back at once."""
        for owner in self.owners(shard):
            self.drain(owner, None)

    def drain(self, owner: str, on_released: Callable[[], None] | None) -> None:
        """Take an account back, and call a function once nothing of it is in progress."""
        self._shown.discard(owner)
        unseen = [each for each in self._pending if each[0] == owner and not isinstance(each[1], Removed)]
        if not unseen:
            if on_released is not None:
                self._on_released[owner] = on_released
            self._put(owner, Removed(owner, on_released))
            return
        for each in unseen:
            self._pending.remove(each)
        if on_released is not None:
            on_released()
