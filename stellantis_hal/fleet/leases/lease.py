"""Lease of a fleet: which of several processes watches which accounts."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from hashlib import blake2b
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from stellantis_hal.errors import LeaseStoreError
from stellantis_hal.fleet.fleet_as_account import Watchable
from stellantis_hal.fleet.leases.leased_account_source import LeasedAccounts
from stellantis_hal.fleet.target_sources import Removed
from stellantis_hal.navigation.concurrency import scoped
from stellantis_hal.storage.entering_task import EnteringTask
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.fencing import FenceToken, lease_lost
from stellantis_hal.storage.leases.table import LeaseTable, LeaseView, decide
from stellantis_hal.storage.run_to_completion import run_to_completion
from stellantis_hal.validation import require_type

__all__ = ["Lease"]

_log = logging.getLogger("stellantis_hal")

_LEAVING = 5.0
"""Seconds that giving up may take at the end; other members then wait until the lease expires."""
_DRAINING = 60.0
"""Seconds that a shard's events may wait for the consumer before the shard is handed over all the same."""


class Lease:
    """Accounts that belong to one process at a time, entered around the watch: ``async with``.

    The processes that enter a lease of one name share its shards evenly; each account belongs to one shard. With one
    shard, one process is active and the others stand by. A process that ends gives its shards up after the watch has
    ended; one that is killed, stopped, or cut off from the store loses them, and its checkpoints are refused.

    Args:
        table: where the owners are kept.
        name: the same in every process.
        shards: number of shards, the same in every process.
        ttl: seconds after which a process that is not heard of has lost its shards.
        interval: seconds between two looks at the table.

    Raises:
        ValueError: there are no shards, or more than 10,000; or ``ttl`` is not longer than ``interval``.
        TypeError: ``shards`` is no whole number.
    """

    def __init__(self, table: LeaseTable, name: str, *, shards: int = 1, ttl: float, interval: float) -> None:
        require_type("shards", shards, int)
        if not 1 <= shards <= 10_000:
            raise ValueError(f"shards must be 1 to 10,000, such as 1 or 16, not {shards}")
        if not 0 < interval < ttl:
            raise ValueError(f"ttl must be longer than the {interval:g} s between two heartbeats, not {ttl:g} s")
        self._table = table
        self._name = name
        self._shards = shards
        self._ttl = ttl
        self._interval = interval
        self._member = uuid.uuid4().hex
        self._held: dict[int, int] = {}
        self._draining: dict[int, set[str]] = {}
        self._valid_until = -math.inf
        self._sources: list[LeasedAccounts] = []
        self._scope: AbstractAsyncContextManager[TaskGroup, bool | None] = scoped()
        self._tasks: TaskGroup | None = None
        self._task = EnteringTask("this lease")
        self._woken = anyio.Event()
        self._failure: Exception | None = None
        self._is_failing = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r}: {len(self._held)} of {self._shards} shards>"

    @property
    def name(self) -> str:
        """The name of the lease."""
        return self._name

    @property
    def is_entered(self) -> bool:
        """Whether its block was entered."""
        return self._tasks is not None

    @property
    def shards(self) -> frozenset[int]:
        """The shards that this process holds now."""
        return frozenset(self._held) if self._is_valid() else frozenset()

    def shard_of(self, owner: str) -> int:
        """Return the shard of an owner: the key of an account, or the id of a vehicle."""
        digest = blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self._shards

    def share(self) -> float:
        """Return the part of the shards that this process holds, 0 to 1."""
        return len(self.shards) / self._shards

    def token(self, owner: str) -> FenceToken:
        """Return the token by which a store accepts what an owner writes.

        Raises:
            LeaseLostError: the shard of the owner is not held.
        """
        shard = self.shard_of(owner)
        scope = f"{self._name}/{shard}"
        if shard not in self._held or not self._is_valid():
            raise lease_lost(scope)
        return FenceToken(scope, self._held[shard])

    def _is_valid(self) -> bool:
        return self._tasks is not None and anyio.current_time() < self._valid_until

    def of(
        self,
        accounts: Watchable | Iterable[Watchable] | AsyncIterable[Watchable | Removed],
    ) -> LeasedAccounts:
        """Return a source for :func:`watch`: those of the accounts that this process holds, as they come and go.

        Accounts that may read the same vehicle must be of one shard, or the vehicle is watched twice: use ``shards=1``,
        or give :func:`watch` one account of each vehicle.

        Args:
            accounts: the accounts of all processes: the same in each of them.
        """
        source = LeasedAccounts(self, accounts)
        self._sources.append(source)
        if self._tasks is not None:
            self._tasks.start_soon(source.read)
        return source

    def attach(self, source: LeasedAccounts) -> None:
        """Notify a source again of the shards that this process gains and loses."""
        self._sources.append(source)

    def detach(self, source: LeasedAccounts) -> None:
        """Forget a source whose consumer has ended."""
        if source in self._sources:
            self._sources.remove(source)

    # ------------------------------------------------------------------------------------------- life

    async def __aenter__(self) -> Self:
        """Take part, with the shards that are free; this does not wait for one.

        Raises:
            LeaseStoreError: the store failed, or another process uses the name with another number of shards.
            RuntimeError: it was entered before.
        """
        if self._tasks is not None or self._failure is not None:
            raise RuntimeError("this lease was entered before: make a new one for each `async with`")
        try:
            await self._table.open()  # in no scope: it may enter a task group, which `_close` leaves
            with anyio.fail_after(self._ttl + _LEAVING):
                started = anyio.current_time()
                view = await self._table.beat(self._member, shards=self._shards, ttl=self._ttl)
        except (StorageError, TimeoutError) as error:
            await self._close()
            raise LeaseStoreError(
                f"lease {self._name!r} cannot be taken part in: {str(error) or 'the store is silent'}"
            ) from error
        except BaseException:
            await self._close()
            raise
        others = {shards for member, shards in view.members.items() if member != self._member} - {self._shards}
        if others:
            await self._close()
            raise LeaseStoreError(
                f"lease {self._name!r} has {others.pop()} shards in another process, and {self._shards} in this one: "
                "pass the same number in all of them, after all have ended"
            )
        self._valid_until = started + self._ttl
        try:
            with anyio.fail_after(self._ttl):
                await self._follow(view)
        except (StorageError, TimeoutError):
            pass  # the next turn tries again
        except BaseException:
            await self._close()
            raise
        self._task.enter()
        self._tasks = await self._scope.__aenter__()
        self._tasks.start_soon(self._run)
        for source in self._sources:
            self._tasks.start_soon(source.read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._task.leaving():
            try:
                await self._scope.__aexit__(kind, error, traceback)
            finally:
                self._held.clear()
                self._valid_until = -math.inf
                await self._close()

    async def _close(self) -> None:
        """Release everything; bounded, and not cut short by a cancellation, of an asyncio task too."""
        try:
            with anyio.CancelScope(shield=True):  # bounded by `_leave`
                await run_to_completion(self._leave)
        finally:
            await self._table.close()

    async def _leave(self) -> None:
        with anyio.move_on_after(_LEAVING):
            try:
                await self._table.leave(self._member)
            except StorageError as error:
                _log.warning("lease %r was not given up: others take over in %g s (%s)", self._name, self._ttl, error)

    async def _run(self) -> None:
        try:
            while True:
                await self._turn()
                with anyio.move_on_after(self._interval):
                    await self._woken.wait()
                self._woken = anyio.Event()
        except Exception as error:  # noqa: BLE001 - raised in the sources
            self._failure = error
            self._lose(list(self._held), "the lease failed")
            for source in self._sources:
                source.wake()

    async def _turn(self) -> None:
        started = anyio.current_time()
        try:
            with anyio.fail_after(self._ttl):
                view = await self._table.beat(self._member, shards=self._shards, ttl=self._ttl)
                if started + self._ttl > self._valid_until:
                    if anyio.current_time() >= self._valid_until:
                        self._lose(list(self._held), "this process was stopped, or cut off from the store")
                    self._valid_until = started + self._ttl
                await self._follow(view)
            if self._is_failing:
                self._is_failing = False
                _log.warning("lease %r: the store works again", self._name)
        except (StorageError, TimeoutError) as error:
            if not self._is_failing:
                self._is_failing = True
                _log.warning("lease %r: no heartbeat (%s); it is lost in %g s", self._name, error, self._ttl)
            if anyio.current_time() >= self._valid_until:
                self._lose(list(self._held), "the store did not respond in time")

    async def _follow(self, view: LeaseView) -> None:
        change = decide(view, self._member, held=self._held, shards=self._shards)
        self._lose(change.lost, "another process took over")
        for shard, epoch in change.take:
            taken = await self._table.take(shard, self._member, epoch)
            if taken is not None:
                self._held[shard] = taken
                for source in self._sources:
                    source.gained(shard)
        for shard, epoch in change.forgotten:
            await self._table.give(shard, self._member, epoch)
        surplus = change.give - len(self._draining)
        for shard in [shard for shard in self._held if shard not in self._draining][: max(0, surplus)]:
            self._drain(shard)
        for shard in [shard for shard, waiting in self._draining.items() if not waiting]:
            del self._draining[shard]
            epoch = self._held.pop(shard)
            await self._table.give(shard, self._member, epoch)

    def _lose(self, shards: Iterable[int], reason: str) -> None:
        for shard in list(shards):
            _log.warning("lease %r: shard %d was lost: %s", self._name, shard, reason)
            del self._held[shard]
            self._draining.pop(shard, None)
            for source in self._sources:
                source.lost(shard)

    def _drain(self, shard: int) -> None:
        """Stop watching a shard, and hand it over once its events were processed."""
        waiting = self._draining[shard] = set()
        for source in self._sources:
            for owner in source.owners(shard):
                waiting.add(owner)
                source.drain(owner, self._on_released(shard, owner))
        if self._tasks is not None and waiting:
            self._tasks.start_soon(self._end_draining, shard, waiting)

    def _on_released(self, shard: int, owner: str) -> Callable[[], None]:
        def on_released() -> None:
            waiting = self._draining.get(shard)
            if waiting is not None:
                waiting.discard(owner)
                self._woken.set()

        return on_released

    async def _end_draining(self, shard: int, waiting: set[str]) -> None:
        await anyio.sleep(_DRAINING)
        if waiting and self._draining.get(shard) is waiting:
            _log.warning(
                "lease %r: shard %d is handed over although its events were not processed within %g s: they are "
                "delivered again by its next owner",
                self._name,
                shard,
                _DRAINING,
            )
            waiting.clear()
            self._woken.set()

    @property
    def failure(self) -> Exception | None:
        """The error that ended the lease; None while it works."""
        return self._failure
