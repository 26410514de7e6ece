"""Names of streams that are in use: two of one name would overwrite each other's checkpoints."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol, runtime_checkable

from stellantis_hal.fleet.checkpoints.store import CheckpointStore

__all__ = ["ReservingStore", "reserve"]


@runtime_checkable
class ReservingStore(Protocol):
    """A store that refuses a second stream of one name."""

    def reserve(self, name: str) -> AbstractAsyncContextManager[None]:
        """Reserve a name within the ``async with``.

        Raises:
            CheckpointsInUseError: another stream has reserved it.
        """
        ...


def reserve(store: CheckpointStore, name: str) -> AbstractAsyncContextManager[None]:
    """Reserve a name in a store, where it has reservations."""
    return store.reserve(name) if isinstance(store, ReservingStore) else nullcontext()
