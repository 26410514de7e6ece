"""Checkpoint store: the protocol, its errors, and a store in memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Protocol

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import mask_text

__all__ = [
    "CheckpointError",
    "CheckpointStore",
    "CheckpointsInUseError",
    "DamagedCheckpointError",
    "MemoryCheckpoints",
    "checked_store",
    "in_use",
]


class CheckpointError(StellantisError):
    """A checkpoint could not be read or written."""


class CheckpointsInUseError(CheckpointError):
    """A watch or backfill of the same name uses the store already, in this process or another one."""


class DamagedCheckpointError(CheckpointError):
    """The content under a key is not a checkpoint: it is truncated, of another version, or of another program.

    It concerns one vehicle, whose data are unavailable until it is replaced. Nothing overwrites it: restore it from a
    backup, or save ``b"null"`` under the key, so that the vehicle is read as a new one.

    Attributes:
        key: the key in the store.
        copy: the key under which the content was saved once more, before anything is done about it.
    """

    def __init__(self, message: str, *, key: str = "", copy: str = "") -> None:
        super().__init__(message)
        self.key: str = key
        self.copy: str = copy


class CheckpointStore(Protocol):
    """A key-value store of checkpoints: a few kilobytes for each vehicle, each written as a whole or not at all.

    A store of your own is a subclass that has :meth:`load` and :meth:`save`. The other methods have defaults, for a
    store that one process uses: no bulk calls, no reservations, no fence.
    """

    @abstractmethod
    async def load(self, key: str) -> bytes | None:
        """Return the content saved last under the key; None if there is none.

        Raises:
            CheckpointError: it cannot be read.
            LeaseLostError: the store has a fence, and another owner has taken over.
        """
        ...

    @abstractmethod
    async def save(self, key: str, content: bytes) -> None:
        """Write the content, so that it survives the end of the process from the moment that this returns.

        Raises:
            CheckpointError: it cannot be written.
            LeaseLostError: the store has a fence, and another owner has taken over; nothing was written.
        """
        ...

    async def load_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        """Return the contents of those keys that have one. Default: :meth:`load` for each.

        Raises:
            CheckpointError: they cannot be read.
            LeaseLostError: the store has a fence, and another owner has taken over.
        """
        return {key: content for key in keys if (content := await self.load(key)) is not None}

    async def save_many(self, contents: Mapping[str, bytes]) -> None:
        """Write the contents, each as :meth:`save` does. Default: :meth:`save` for each.

        Raises:
            CheckpointError: they cannot be written.
            LeaseLostError: the store has a fence, and another owner has taken over.
        """
        for key, content in contents.items():
            await self.save(key, content)

    def reserve(self, name: str) -> AbstractAsyncContextManager[None]:
        """Reserve a name for one stream within the ``async with``. Default: no reservations.

        With a fence, processes share the name, and the lease decides which of them polls what.

        Raises:
            CheckpointsInUseError: another stream has reserved it.
        """
        del name
        return nullcontext()

    def fenced(self, owner: str) -> CheckpointStore:
        """Return this store as an owner of now sees it. Default: the store itself.

        The calls of what a fence returns raise ``LeaseLostError`` once the owner's lease was lost, for good: also after
        the same process took it again.

        Args:
            owner: the key of an account, or the id of a vehicle that is watched without its account.
        """
        del owner
        return self

    def share(self) -> float:
        """Return the part of the fleet that this process has by its lease, 0 to 1. Default: 1."""
        return 1.0


class MemoryCheckpoints(CheckpointStore):
    """Checkpoints in memory, lost with this object."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._reserved: set[str] = set()

    async def load(self, key: str) -> bytes | None:
        """Return the content saved last under the key; None if there is none."""
        return self._contents.get(key)

    async def save(self, key: str, content: bytes) -> None:
        """Remember the content."""
        self._contents[key] = content

    @asynccontextmanager
    async def reserve(self, name: str) -> AsyncGenerator[None, None]:
        """Reserve a name within the ``async with``.

        Raises:
            CheckpointsInUseError: another stream has reserved it.
        """
        if name in self._reserved:
            raise CheckpointsInUseError(in_use(name, "this MemoryCheckpoints"))
        self._reserved.add(name)
        try:
            yield
        finally:
            self._reserved.discard(name)


def in_use(name: str, place: str) -> str:
    """Return the message for a name that is reserved."""
    return (
        f"a watch or backfill named {mask_text(name)!r} uses {place} already, and two of one name would overwrite each "
        f"other's checkpoints: end the other one, or pass another name="
    )


def checked_store(checkpoints: CheckpointStore | None) -> CheckpointStore:
    """Return the store of a stream; one in memory where there is none.

    Raises:
        TypeError: it is no store.
    """
    if checkpoints is not None and not hasattr(checkpoints, "reserve"):
        kind = type(checkpoints).__name__
        raise TypeError(f"checkpoints must be a CheckpointStore or None, not {kind}: SQLiteCheckpoints('fleet.db')")
    return MemoryCheckpoints() if checkpoints is None else checkpoints
