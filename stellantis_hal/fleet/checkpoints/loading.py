"""Checkpoints read from a store."""

from __future__ import annotations

from stellantis_hal.fleet.checkpoints.store import CheckpointError, CheckpointStore
from stellantis_hal.fleet.deduplication import Checkpoint
from stellantis_hal.hal.redaction import MASK, mask_text

__all__ = ["load_checkpoint"]


async def load_checkpoint(store: CheckpointStore, key: str) -> Checkpoint | None:
    """Return the checkpoint under a key; None where there is none.

    Raises:
        CheckpointError: the store failed, or its content is not a checkpoint.
    """
    content = await store.load(key)
    try:
        return None if content is None else Checkpoint.load(content)
    except ValueError as error:
        name, _, _ = key.rpartition("/")  # what follows is the id of a vehicle
        raise CheckpointError(f"the checkpoint {mask_text(name)}/{MASK} cannot be read: {error}") from error
