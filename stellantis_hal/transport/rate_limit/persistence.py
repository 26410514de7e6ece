"""When books are read from a store, and when they are written to it.

Knows a store and a clock that waits. Must not know what books say. Requests do not depend on a store: what it fails at
goes to the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import anyio

__all__ = ["LimiterStore", "StatePersister"]

_logger = logging.getLogger("stellantis_hal")
_BOUND = 10.0


class LimiterStore(Protocol):
    """Where the books wait for the next process: a few kilobytes under no particular name."""

    async def load(self) -> bytes | None:
        """Give what was saved last; None where nothing was.

        Raises:
            OSError: it cannot be read.
        """
        ...

    async def save(self, content: bytes) -> None:
        """Keep this, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        ...


class StatePersister:
    """Reads once, before anything is booked; writes now and then.

    Args:
        store: where to.
        every: seconds between two writings, at least.
    """

    __slots__ = ("_every", "_lock", "_store", "_written_at", "opened")

    def __init__(self, store: LimiterStore, every: float) -> None:
        self._store = store
        self._every = every
        self._lock: anyio.Lock | None = None
        self._written_at = 0.0
        self.opened: bool = False

    async def open(self, load: Callable[[bytes], None]) -> None:
        """Read the store, once, whoever comes first; ``load`` raises ValueError where it understands nothing."""
        if self._lock is None:
            self._lock = anyio.Lock()
        async with self._lock:
            if self.opened:
                return
            content = None
            try:
                with anyio.move_on_after(_BOUND) as bound:
                    content = await self._store.load()
                if bound.cancelled_caught:
                    _logger.warning("the limiter's books were not read within %s s", _BOUND)
            except OSError as error:
                _logger.warning("the limiter's books could not be read: %s", type(error).__name__)
            self.opened = True
            self._written_at = anyio.current_time()
            if content is not None:
                try:
                    load(content)
                except ValueError as error:
                    _logger.warning("the limiter's books could not be understood, starting anew: %s", error)

    def is_due(self) -> bool:
        """Tell whether it is time to write."""
        return self.opened and anyio.current_time() - self._written_at >= self._every

    async def save(self, dump: Callable[[], bytes]) -> None:
        """Write, unless nothing was read yet."""
        if not self.opened:
            return
        self._written_at = anyio.current_time()
        try:
            with anyio.move_on_after(_BOUND) as bound:
                await self._store.save(dump())
            if bound.cancelled_caught:
                _logger.warning("the limiter's books were not saved within %s s", _BOUND)
        except OSError as error:
            _logger.warning("the limiter's books could not be saved: %s", type(error).__name__)
