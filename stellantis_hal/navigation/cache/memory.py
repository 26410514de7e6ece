"""The cache store in memory."""

from __future__ import annotations

from collections import OrderedDict

import attrs

from stellantis_hal.navigation.cache.store import StoredVariants, bounded, size_of
from stellantis_hal.navigation.cache.stored_response import StoredResponse
from stellantis_hal.validation import require_type

__all__ = ["MemoryCache"]


@attrs.frozen
class _Entry:
    """What is held under a key, and its size in bytes. Without variants it only holds the version of a removal."""

    held: StoredVariants
    size: int


class MemoryCache:
    """Responses in memory, at most ``limit`` bytes of them; those used least recently go first.

    Args:
        limit: bytes, about 1,000 for each response added.
        max_body: bytes of a body that is stored; None: an eighth of ``limit``.

    Raises:
        ValueError: ``limit`` is less than 10,000 bytes.

    Example::

        client = HalClient("https://api.example.com/", cache=MemoryCache(32_000_000))
    """

    is_persistent = False

    def __init__(self, limit: int = 32_000_000, *, max_body: int | None = None) -> None:
        require_type("limit", limit, int, instead="bytes, as 32_000_000")
        if limit < 10_000:
            raise ValueError(f"limit must be at least 10,000 bytes, not {limit}: MemoryCache(32_000_000)")
        require_type("max_body", max_body, int, None)
        self._limit = limit
        self._max_body = limit // 8 if max_body is None else max_body
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._size = 0
        self._last_version = 0
        self._absent_version = 0  # of keys that are not held; newer than any removal that is not held

    @property
    def size(self) -> int:
        """About how many bytes are stored."""
        return self._size

    async def load(self, key: str) -> StoredVariants:
        """Return what is stored under a key."""
        entry = self._entries.get(key)
        if entry is None:
            return StoredVariants((), self._absent_version)
        self._entries.move_to_end(key)
        return entry.held

    async def save(self, key: str, variants: tuple[StoredResponse, ...], version: int) -> None:
        """Replace what is stored under a key, unless it was changed or forgotten since ``version`` was loaded."""
        entry = self._entries.get(key)
        if version == (self._absent_version if entry is None else entry.held.version):
            self._put(key, bounded(variants, self._max_body))

    async def forget(self, key: str) -> None:
        """Remove what is stored under a key."""
        self._put(key, ())

    async def clear(self, prefix: str = "") -> None:
        """Remove everything under keys with a prefix."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            self._size -= self._entries.pop(key).size
        self._last_version += 1
        self._absent_version = self._last_version

    def _put(self, key: str, variants: tuple[StoredResponse, ...]) -> None:
        old = self._entries.pop(key, None)
        self._size -= 0 if old is None else old.size
        self._last_version += 1
        entry = _Entry(StoredVariants(variants, self._last_version), size_of(key, variants))
        self._entries[key] = entry
        self._size += entry.size
        while self._size > self._limit:
            _, dropped = self._entries.popitem(last=False)
            self._size -= dropped.size
            if not dropped.held.variants:
                self._absent_version = self._last_version

    def __repr__(self) -> str:
        return f"MemoryCache({len(self._entries)} resources, {self._size} of {self._limit} bytes)"
