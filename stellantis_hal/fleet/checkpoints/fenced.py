"""Checkpoint stores that several processes share: fenced reads and writes over any engine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from stellantis_hal.errors import LeaseLostError
from stellantis_hal.fleet.checkpoints.store import CheckpointError, CheckpointsInUseError, CheckpointStore, in_use
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.fencing import FenceToken, FencingLease, lease_lost

__all__ = ["FencedView", "SharedCheckpoints"]


class SharedCheckpoints(CheckpointStore):
    """A checkpoint store over an engine that checks fencing tokens in the transaction of each read and write."""

    _fence: FencingLease | None = None
    _reservations: tuple[Callable[[], Awaitable[None]], ...] = ()

    @abstractmethod
    async def _read(self, keys: Collection[str], token: FenceToken | None) -> Mapping[str, bytes]:
        """Return contents; with a token, record its epoch and raise ``LeaseLostError`` where a larger one is known."""
        ...

    @abstractmethod
    async def _write(self, contents: Mapping[str, bytes], token: FenceToken | None) -> None:
        """Write contents in one transaction; with a token likewise."""
        ...

    @abstractmethod
    def _reserve(self, name: str, *, shared: bool) -> AbstractAsyncContextManager[None]:
        """Reserve a name, for one process or for all that have a lease."""
        ...

    async def load(self, key: str) -> bytes | None:
        """Return the content saved last under the key; None if there is none.

        Raises:
            CheckpointError: the store failed.
        """
        return (await self.load_many([key])).get(key)

    async def save(self, key: str, content: bytes) -> None:
        """Write the content in a transaction of its own; a call that has begun is completed if it is cancelled.

        Raises:
            CheckpointError: the store failed.
        """
        await self.save_many({key: content})

    async def load_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        """Return the contents of those keys that have one, by one query.

        Raises:
            CheckpointError: the store failed.
        """
        return await self.read_as(keys, None)

    async def save_many(self, contents: Mapping[str, bytes]) -> None:
        """Write the contents in one transaction; in Redis, 500 at a time.

        Raises:
            CheckpointError: the store failed.
        """
        await self.write_as(contents, None)

    async def read_as(self, keys: Collection[str], token: FenceToken | None) -> Mapping[str, bytes]:
        """Return contents as the owner of a token.

        Raises:
            CheckpointError: the store failed.
            LeaseLostError: the token is of a former owner.
        """
        try:
            return await self._read(keys, token) if keys else {}
        except StorageError as error:
            raise CheckpointError(f"the checkpoints cannot be read: {error}") from error

    async def write_as(self, contents: Mapping[str, bytes], token: FenceToken | None) -> None:
        """Write contents as the owner of a token.

        Raises:
            CheckpointsInUseError: another stream has reserved a name that was reserved here, while this process was
                stopped or cut off from the store; nothing was written.
            CheckpointError: the store failed.
            LeaseLostError: the token is of a former owner; nothing was written.
        """
        try:
            if contents:
                for renew in self._reservations:
                    await renew()
                await self._write(contents, token)
        except StorageError as error:
            raise CheckpointError(f"the checkpoints cannot be written: {error}") from error

    @asynccontextmanager
    async def reserve(self, name: str) -> AsyncGenerator[None, None]:
        """Reserve a name within the ``async with``; with a fence, processes that have one share it.

        Raises:
            CheckpointsInUseError: another stream has reserved it, in this process or another one.
            CheckpointError: the store failed.
        """
        async with self._reserve(name, shared=self._fence is not None):
            yield

    @contextmanager
    def _renewed(self, renew: Callable[[], Awaitable[None]]) -> Generator[None, None, None]:
        """Call a function before each write within the block: it makes sure that a reservation still holds."""
        self._reservations = (*self._reservations, renew)
        try:
            yield
        finally:
            self._reservations = tuple(other for other in self._reservations if other is not renew)

    def fenced(self, owner: str) -> CheckpointStore:
        """Return this store as an owner of now sees it; the store itself where it has no fence."""
        if self._fence is None:
            return self
        try:
            return FencedView(self, self._fence, owner, self._fence.token(owner))
        except LeaseLostError:
            return FencedView(self, self._fence, owner, None)

    def share(self) -> float:
        """Return the part of the fleet that this process has by its lease; 1 where it has no fence."""
        return 1.0 if self._fence is None else self._fence.share()

    def refuse(self, name: str, place: str) -> CheckpointsInUseError:
        """Return the error of a name that is reserved."""
        return CheckpointsInUseError(in_use(name, place))


class FencedView(CheckpointStore):
    """A shared store as one owner sees it, for as long as that holds the token of now.

    Args:
        store: the store.
        fence: the lease.
        owner: the key of an account, or the id of a vehicle.
        token: the token of now; None where the lease is not held.
    """

    def __init__(self, store: SharedCheckpoints, fence: FencingLease, owner: str, token: FenceToken | None) -> None:
        self._store = store
        self._fence = fence
        self._owner = owner
        self._token = token

    def __repr__(self) -> str:
        return f"<FencedView of {self._store!r}>"

    def _current(self) -> FenceToken:
        """Return the token, if it is still that of now."""
        token = self._fence.token(self._owner)
        if self._token != token:
            known = self._token
            raise lease_lost(token.scope, None if known is None else known.epoch, token.epoch)
        return token

    async def load(self, key: str) -> bytes | None:
        """Return the content under the key."""
        return (await self.load_many([key])).get(key)

    async def save(self, key: str, content: bytes) -> None:
        """Write the content."""
        await self.save_many({key: content})

    async def load_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        """Return the contents of those keys that have one."""
        return await self._store.read_as(keys, self._current())

    async def save_many(self, contents: Mapping[str, bytes]) -> None:
        """Write the contents as the store does."""
        await self._store.write_as(contents, self._current())

    def share(self) -> float:
        """Return the part of the fleet that this process has."""
        return self._store.share()
