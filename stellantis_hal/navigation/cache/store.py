"""The protocol of a cache store."""

from __future__ import annotations

from typing import Protocol

import attrs

from stellantis_hal.navigation.cache.stored_response import StoredResponse

__all__ = ["MAX_VARIANTS", "CacheStore", "StoredVariants", "bounded", "size_of"]

MAX_VARIANTS = 8
"""Variants of one resource that are stored; the oldest go first."""

_OVERHEAD = 1_000


@attrs.frozen
class StoredVariants:
    """The stored variants of a resource, the oldest first.

    Attributes:
        variants: the responses; none where nothing is stored.
        version: changes whenever something is stored or forgotten under the key.
        is_current: False where the store could not be asked.
    """

    variants: tuple[StoredResponse, ...] = attrs.field(repr=False)
    version: int
    is_current: bool = attrs.field(default=True, kw_only=True)


class CacheStore(Protocol):
    """Keep responses by key: the account and the URL.

    One store serves any number of clients and accounts, whose keys differ. A store that fails, by raising a
    :class:`~stellantis_hal.StellantisError`, costs requests and no results: the failure is logged, and nothing is
    served from the store. No method may block the event loop.
    """

    @property
    def is_persistent(self) -> bool:
        """Whether what is stored outlives the process: then every account needs a lasting name."""
        ...

    async def load(self, key: str) -> StoredVariants:
        """Return what is stored under a key."""
        ...

    async def save(self, key: str, variants: tuple[StoredResponse, ...], version: int) -> None:
        """Replace what is stored under a key, unless it was changed or forgotten since ``version`` was loaded.

        A store may leave out what is too large, and drop other keys to make room.
        """
        ...

    async def forget(self, key: str) -> None:
        """Remove what is stored under a key; a ``save`` of a version that was loaded before has no effect."""
        ...

    async def clear(self, prefix: str = "") -> None:
        """Remove everything under keys with a prefix; a ``save`` of a version that was loaded before has no effect."""
        ...


def bounded(variants: tuple[StoredResponse, ...], max_body: int) -> tuple[StoredResponse, ...]:
    """Return the newest variants whose bodies are within a number of bytes."""
    return tuple(variant for variant in variants if len(variant.content) <= max_body)[-MAX_VARIANTS:]


def size_of(key: str, variants: tuple[StoredResponse, ...]) -> int:
    """Return about how many bytes variants take, their headers included."""
    total = _OVERHEAD + len(key)
    for variant in variants:
        total += _OVERHEAD + len(variant.content) + sum(map(len, variant.headers.values()))
    return total
