"""Store of one partition: one account's part of a cache store, whose failures cost requests and no results."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Final

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import mask_text
from stellantis_hal.navigation.cache.store import CacheStore, StoredVariants
from stellantis_hal.navigation.cache.stored_response import StoredResponse

__all__ = ["PartitionResponses"]

_log = logging.getLogger("stellantis_hal")
_UNAVAILABLE: Final = StoredVariants((), 0, is_current=False)
_MAX_PENDING = 1_000
_unsettled: set[PartitionResponses] = set()
"""Those with keys to be forgotten, which must not be lost with the last client that uses them."""


class PartitionResponses:
    """The stored responses of one account.

    A key that is to be forgotten is neither served nor stored until the store has forgotten it, whether the store
    fails meanwhile or the task is cancelled.

    Args:
        store: the store.
        prefix: of the account's keys.
    """

    def __init__(self, store: CacheStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._writing: Counter[str] = Counter()
        self._pending: set[str] = set()
        self._is_off = False
        self._is_to_clear = False
        self._failed: set[str] = set()

    async def clear(self) -> bool:
        """Remove all responses of the account; return whether the store has done so, or is asked again by `load`."""
        self._is_to_clear = True
        try:
            await self._store.clear(self._prefix)
        except StellantisError as error:
            self._report("written", error)
            return False
        self._is_to_clear = False
        return True

    async def load(self, key: str) -> StoredVariants:
        """Return what is stored; nothing while the resource is written to, or the store fails."""
        if (
            self._is_off
            or (self._is_to_clear and not await self.clear())
            or key in self._writing
            or (key in self._pending and not await self.forget(()))
        ):
            return _UNAVAILABLE
        try:
            found = await self._store.load(self._prefix + key)
        except StellantisError as error:
            self._report("read", error)
            return _UNAVAILABLE
        self._failed.discard("read")
        return found

    async def save(self, key: str, variants: tuple[StoredResponse, ...], loaded: StoredVariants) -> None:
        """Store variants, unless the key was changed or forgotten since others were loaded."""
        if not loaded.is_current or self._is_to_clear or key in self._writing or key in self._pending:
            return
        try:
            await self._store.save(self._prefix + key, variants, loaded.version)
        except StellantisError as error:
            self._report("written", error)
        else:
            self._failed.discard("written")

    @contextmanager
    def writing(self, key: str) -> Generator[None, None, None]:
        """Neither serve nor store a resource within the block, in which it is written to."""
        self._writing[key] += 1
        try:
            yield
        finally:
            self._writing[key] -= 1
            if not self._writing[key]:
                del self._writing[key]

    def condemn(self, keys: Iterable[str]) -> None:
        """Stop serving keys, which :meth:`forget` or the next :meth:`load` removes from the store."""
        self._pending.update(keys)
        _unsettled.add(self)
        if len(self._pending) > _MAX_PENDING:
            self._is_off = True
            _log.warning("the cache is off from now on: its store has not forgotten %d resources", len(self._pending))

    async def forget(self, keys: Iterable[str]) -> bool:
        """Remove keys, and those condemned before, from the store; return whether it has forgotten all of them."""
        self.condemn(keys)
        try:
            for key in tuple(self._pending):
                await self._store.forget(self._prefix + key)
                self._pending.discard(key)
        except StellantisError as error:
            self._report("written", error)
            return False
        self._failed.discard("written")
        _unsettled.discard(self)
        return True

    def _report(self, act: str, error: StellantisError) -> None:
        """Log a failure of the store; further ones without a success between them at a lower level."""
        level = logging.DEBUG if act in self._failed else logging.WARNING
        self._failed.add(act)
        _log.log(level, "the cache could not be %s, and is passed by: %s", act, mask_text(str(error)))
