"""Inbox in memory."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

import anyio
import anyio.lowlevel
import attrs

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.log_throttling import LogThrottle
from stellantis_hal.notifications.cleaning_time import CleaningTime
from stellantis_hal.notifications.inbox import (
    MEMORY,
    SECOND_CONSUMER,
    EventVehicle,
    InboxStatistics,
    IncomingEvent,
    StoredEvent,
    require_bounds,
)
from stellantis_hal.notifications.vehicle_registry import VehicleRegistry
from stellantis_hal.validation import require_clock

__all__ = ["MemoryInbox"]

_logger = logging.getLogger(__name__)

_State = Literal["waiting", "acknowledged", "dead"]


@attrs.define
class _Row:
    number: int
    entry: IncomingEvent
    state: _State = "waiting"
    attempts: int = 0
    consumer: str | None = None


class MemoryInbox:
    """An inbox in memory, lost with this object: for tests and for programs whose events may be lost.

    Args:
        dead_after: failures of its consumer after which an event is set aside.
        max_unverified: unverified and unreadable events at most; the oldest are removed.
        max_unverified_bytes: bytes of those events at most.
        clock: returns the wall time.
    """

    def __init__(
        self,
        *,
        dead_after: int = 5,
        max_unverified: int = 1_000,
        max_unverified_bytes: int = 10 * 1024 * 1024,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        require_clock(clock)
        require_bounds(dead_after, max_unverified, max_unverified_bytes, None)
        self._dead_after = dead_after
        self._max_rows, self._max_bytes = max_unverified, max_unverified_bytes
        self._clock = clock
        self._rows: OrderedDict[str, _Row] = OrderedDict()  # by identity, oldest first
        self._waiting: OrderedDict[int, _Row] = OrderedDict()
        self._bounded: OrderedDict[str, int] = OrderedDict()  # bytes by identity
        self._vehicles = VehicleRegistry()
        self._cleaning = CleaningTime()
        self._changed = anyio.Event()
        self._number = 0
        self._dropped = LogThrottle()
        self._duplicates = 0
        self._is_consumed = False

    async def put(self, entries: Sequence[IncomingEvent]) -> Sequence[StoredEvent]:
        """Store events; return those of them that are new."""
        await anyio.lowlevel.checkpoint()
        new = [self._entry_of(row) for row in map(self._put, entries) if row is not None]
        self._drop()
        self._forget_old()
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
        return new

    def _put(self, entry: IncomingEvent) -> _Row | None:
        known = self._rows.get(entry.id)
        if known is not None and (known.entry.is_verified or not entry.is_verified):
            self._duplicates += 1
            return None
        if known is not None:
            self._remove(known)
        self._number += 1
        row = self._rows[entry.id] = self._waiting[self._number] = _Row(self._number, entry)
        if entry.is_bounded:
            self._bounded[entry.id] = len(entry.content)
        return row

    def _entry_of(self, row: _Row) -> StoredEvent:
        owner = self._vehicles.find(row.entry.source_id)
        return StoredEvent(number=row.number, entry=row.entry, owner=owner, attempts=row.attempts)

    def _drop(self) -> None:
        total = sum(self._bounded.values())
        while len(self._bounded) > self._max_rows or total > self._max_bytes:
            identity, size = next(iter(self._bounded.items()))
            total -= size
            row = self._rows[identity]
            if row.state != "acknowledged" and self._dropped.is_told():
                _logger.warning(
                    "the inbox in memory has removed the oldest %d unverified or unreadable events so far: it keeps "
                    "%d, and %d bytes, of them. Compare the receiver's token with that of the callback",
                    self._dropped.count,
                    self._max_rows,
                    self._max_bytes,
                )
            self._remove(row)

    def _forget_old(self) -> None:
        bound = self._cleaning.bound(self._clock())
        while bound is not None and self._rows:
            oldest = next(iter(self._rows.values()))
            if oldest.state != "acknowledged" or oldest.entry.received_at > bound - MEMORY:
                return
            self._remove(oldest)

    def _remove(self, row: _Row) -> None:
        del self._rows[row.entry.id]
        self._waiting.pop(row.number, None)
        self._bounded.pop(row.entry.id, None)

    async def next(self, consumer: str, acknowledge: int | None = None) -> StoredEvent:
        """Acknowledge an event, then return the oldest one that waits; wait until there is one."""
        if acknowledge is not None:
            await self.acknowledge(acknowledge)
        while True:
            await anyio.lowlevel.checkpoint()
            for row in list(self._waiting.values()):
                if row.consumer != consumer and row.attempts >= self._dead_after:
                    row.state = "dead"
                    del self._waiting[row.number]
                    _logger.error(
                        "event %d of the inbox in memory was set aside: its consumer has failed %d times. See revive()",
                        row.number,
                        self._dead_after,
                    )
                    continue
                if row.consumer != consumer:
                    row.consumer = consumer
                    row.attempts += 1
                return self._entry_of(row)
            await self._changed.wait()

    async def acknowledge(self, number: int) -> None:
        """Acknowledge an event without asking for the next."""
        row = self._waiting.pop(number, None)
        if row is not None:
            row.state = "acknowledged"
            row.entry = attrs.evolve(row.entry, content=b"")  # its identity alone is remembered
            if row.entry.id in self._bounded:
                self._bounded[row.entry.id] = 0
                self._bounded.move_to_end(row.entry.id, last=False)  # it goes before those that wait
        await anyio.lowlevel.checkpoint()

    async def release(self, consumer: str) -> None:
        """Put back the event that a consumer has, as if it had not been given."""
        for row in self._waiting.values():
            if row.consumer == consumer:
                row.consumer = None
                row.attempts -= 1
        await anyio.lowlevel.checkpoint()

    @asynccontextmanager
    async def consuming(self) -> AsyncGenerator[None, None]:
        """Be the only consumer within the ``async with``.

        Raises:
            RuntimeError: another stream is.
        """
        if self._is_consumed:
            raise RuntimeError(SECOND_CONSUMER)
        self._is_consumed = True
        try:
            yield
        finally:
            self._is_consumed = False

    def register(self, source_id: str, owner: EventVehicle) -> None:
        """Record the vehicle of a monitor or an operation."""
        self._vehicles.register(source_id, owner)

    async def forget(
        self, *, vins: Collection[str] = (), vehicle_ids: Collection[str] = (), callback_ids: Collection[str] = ()
    ) -> int:
        """Remove the events of vehicles and callbacks; return their number."""
        await anyio.lowlevel.checkpoint()
        sources = self._vehicles.forget(vins, vehicle_ids)
        found = [
            row
            for row in self._rows.values()
            if row.entry.vin in vins or row.entry.source_id in sources or row.entry.callback_id in callback_ids
        ]
        for row in found:
            self._remove(row)
        return len(found)

    async def statistics(self) -> InboxStatistics:
        """Return what it holds."""
        await anyio.lowlevel.checkpoint()
        return InboxStatistics(
            waiting=len(self._waiting),
            dead=sum(row.state == "dead" for row in self._rows.values()),
            bounded=len(self._bounded),
            dropped=self._dropped.count,
            refused_duplicates=self._duplicates,
        )

    async def revive(self) -> int:
        """Let the events that were set aside wait again; return their number."""
        dead = [row for row in self._rows.values() if row.state == "dead"]
        for row in dead:
            row.state, row.attempts, row.consumer = "waiting", 0, None
            self._waiting[row.number] = row
        self._waiting = OrderedDict(sorted(self._waiting.items()))
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
        await anyio.lowlevel.checkpoint()
        return len(dead)

    async def aclose(self) -> None:
        """Do nothing; the events are lost with this object."""
        await anyio.lowlevel.checkpoint()
