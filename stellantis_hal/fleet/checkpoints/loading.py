"""Checkpoints read from a store."""

from __future__ import annotations

from hashlib import blake2b

from stellantis_hal.fleet.checkpoints.store import CheckpointStore, DamagedCheckpointError
from stellantis_hal.fleet.deduplication import Checkpoint
from stellantis_hal.hal.redaction import MASK, mask_text

__all__ = ["load_checkpoint"]

_NONE = b"null"
"""Content that stands for no checkpoint: what the operator of a damaged one saves."""


async def load_checkpoint(store: CheckpointStore, key: str) -> Checkpoint | None:
    """Return the checkpoint under a key; None where there is none.

    Content that is not a checkpoint is saved once more, under a key of its own, and left where it is.

    Raises:
        DamagedCheckpointError: the content is not a checkpoint.
        CheckpointError: the store failed.
    """
    content = await store.load(key)
    if content is None or content == _NONE:
        return None
    try:
        return Checkpoint.load(content)
    except ValueError as error:
        name, _, _ = key.rpartition("/")  # what follows is the id of a vehicle
        reason = f"the checkpoint {mask_text(name)}/{MASK} cannot be read: {error}"
    copy = await _copy(store, key, content)
    raise DamagedCheckpointError(
        f"{reason}. It stays as it is, and once more under a key of its own (see .copy): restore it, or save "
        f"{_NONE!r} under its key (.key), so that the vehicle is read as a new one",
        key=key,
        copy=copy,
    )


async def _copy(store: CheckpointStore, key: str, content: object) -> str:
    """Save content under a key derived from it, so that a second damage does not replace the first; return the key."""
    content = content if isinstance(content, bytes) else repr(content).encode()
    copy = f"{key}#damaged-{blake2b(content, digest_size=4).hexdigest()}"
    if await store.load(copy) is None:
        await store.save(copy, content)
    return copy
