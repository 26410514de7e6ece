"""Inbox of events: its protocol, its error, and an inbox in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

import anyio
import anyio.lowlevel
import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.redaction import redacted_repr

__all__ = [
    "MEMORY",
    "SECOND_CONSUMER",
    "EventVehicle",
    "Inbox",
    "InboxError",
    "InboxStatistics",
    "IncomingEvent",
    "MemoryInbox",
    "StoredEvent",
    "require_bounds",
]

MEMORY: Final = timedelta(days=4)
"""How long identities are remembered: the vendor delivers an event for three days."""


class InboxError(StellantisError):
    """Events could not be stored, read or acknowledged."""


@attrs.frozen(kw_only=True)
class IncomingEvent:
    """An event to be stored.

    Attributes:
        id: its identity.
        kind: which class reads it.
        content: its body as JSON; of an unreadable one the bytes received, or the first of them.
        is_verified: whether it has the receiver's token.
        received_at: when it was received.
        reason: why it is unreadable.
        size: bytes that were received of an unreadable one.
        source_id: the id of its monitor or its operation.
        callback_id: the id of its callback.
        vin: the vehicle that it says it is about.
    """

    __repr__ = redacted_repr

    id: str
    kind: Literal["monitor", "remote", "unreadable"]
    content: bytes = attrs.field(repr=False)
    is_verified: bool
    received_at: datetime
    reason: str = ""
    size: int = 0
    source_id: str | None = None
    callback_id: str | None = None
    vin: str | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether such entries are bounded in number and bytes, because anybody may send them."""
        return not self.is_verified or self.kind == "unreadable"


@attrs.frozen(kw_only=True)
class EventVehicle:
    """The vehicle that a monitor or an operation belongs to."""

    __repr__ = redacted_repr

    vin: str | None
    vehicle_id: str


@attrs.frozen(kw_only=True)
class StoredEvent:
    """An event that is stored.

    Attributes:
        number: its key in the inbox; later events have greater ones.
        entry: the event.
        owner: the vehicle of its monitor or operation, by the registry.
        attempts: how often it was given to a consumer, this time included.
    """

    number: int
    entry: IncomingEvent
    owner: EventVehicle | None
    attempts: int


@attrs.frozen(kw_only=True)
class InboxStatistics:
    """What an inbox holds.

    Attributes:
        waiting: events that no consumer has acknowledged.
        dead: events that were set aside, because their consumer failed too often.
        bounded: unverified and unreadable events.
        dropped: unverified and unreadable events that this object has removed to stay within the bounds.
        refused_duplicates: repetitions that this object did not store.
    """

    waiting: int
    dead: int
    bounded: int
    dropped: int
    refused_duplicates: int


class Inbox(Protocol):
    """Where a receiver keeps events until they are acknowledged."""

    async def put(self, entries: Sequence[IncomingEvent]) -> Sequence[StoredEvent]:
        """Store events in one transaction; return those of them that are new.

        An event whose identity is remembered is not stored again; a verified one replaces an unverified one.

        Raises:
            InboxError: nothing was stored.
        """
        ...

    async def next(self, consumer: str, acknowledge: int | None = None) -> StoredEvent:
        """Acknowledge an event, then return the oldest one that waits; wait until there is one.

        Args:
            consumer: a name that is different for each stream; the same entry given again to one counts once.
            acknowledge: the number of the event that the consumer has finished.

        Raises:
            InboxError: the acknowledgement was not stored, or nothing can be read.
        """
        ...

    async def acknowledge(self, number: int) -> None:
        """Acknowledge an event without asking for the next.

        Raises:
            InboxError: it was not stored.
        """
        ...

    async def release(self, consumer: str) -> None:
        """Put back the event that a consumer has, as if it had not been given."""
        ...

    def consuming(self) -> AbstractAsyncContextManager[None]:
        """Be the only consumer within the ``async with``; wait while another process is.

        Raises:
            RuntimeError: another stream of this process is.
        """
        ...

    def register(self, source_id: str, owner: EventVehicle) -> None:
        """Record the vehicle of a monitor or an operation."""
        ...

    async def forget(
        self, *, vins: Collection[str] = (), vehicle_ids: Collection[str] = (), callback_ids: Collection[str] = ()
    ) -> int:
        """Remove the events of vehicles and callbacks, acknowledged and set aside ones too; return their number.

        Raises:
            InboxError: nothing was removed.
        """
        ...

    async def statistics(self) -> InboxStatistics:
        """Return what it holds."""
        ...

    async def revive(self) -> int:
        """Let the events that were set aside wait again; return their number."""
        ...

    async def aclose(self) -> None:
        """Close it; the next call opens it again."""
        ...


def require_bounds(dead_after: int, max_unverified: int, max_unverified_bytes: int, keep: timedelta | None) -> None:
    """Raise where an option of an inbox makes no sense."""
    if dead_after < 1:
        raise ValueError(f"dead_after must be at least 1, the failures after which an event is set aside: {dead_after}")
    if max_unverified < 1 or max_unverified_bytes < 1:
        raise ValueError(
            f"max_unverified and max_unverified_bytes must be at least 1, not {max_unverified} and "
            f"{max_unverified_bytes}: without room for them, nothing tells that events have a wrong token"
        )
    if keep is not None and keep < timedelta():
        raise ValueError(f"keep must not be negative: {keep}")


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
        require_bounds(dead_after, max_unverified, max_unverified_bytes, None)
        self._dead_after = dead_after
        self._max_rows, self._max_bytes = max_unverified, max_unverified_bytes
        self._clock = clock
        self._rows: OrderedDict[str, _Row] = OrderedDict()  # by identity, oldest first
        self._waiting: OrderedDict[int, _Row] = OrderedDict()
        self._bounded: OrderedDict[str, int] = OrderedDict()  # bytes by identity
        self._owners: dict[str, EventVehicle] = {}
        self._changed = anyio.Event()
        self._number = 0
        self._dropped = 0
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
        owner = self._owners.get(row.entry.source_id or "")
        return StoredEvent(number=row.number, entry=row.entry, owner=owner, attempts=row.attempts)

    def _drop(self) -> None:
        total = sum(self._bounded.values())
        while len(self._bounded) > self._max_rows or total > self._max_bytes:
            identity, size = next(iter(self._bounded.items()))
            total -= size
            self._remove(self._rows[identity])
            self._dropped += 1

    def _forget_old(self) -> None:
        horizon = self._clock() - MEMORY
        while self._rows:
            oldest = next(iter(self._rows.values()))
            if oldest.state != "acknowledged" or oldest.entry.received_at > horizon:
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
        self._owners[source_id] = owner

    async def forget(
        self, *, vins: Collection[str] = (), vehicle_ids: Collection[str] = (), callback_ids: Collection[str] = ()
    ) -> int:
        """Remove the events of vehicles and callbacks; return their number."""
        await anyio.lowlevel.checkpoint()
        sources = {
            source for source, owner in self._owners.items() if owner.vin in vins or owner.vehicle_id in vehicle_ids
        }
        found = [
            row
            for row in self._rows.values()
            if row.entry.vin in vins or row.entry.source_id in sources or row.entry.callback_id in callback_ids
        ]
        for row in found:
            self._remove(row)
        for source in sources:
            del self._owners[source]
        return len(found)

    async def statistics(self) -> InboxStatistics:
        """Return what it holds."""
        await anyio.lowlevel.checkpoint()
        return InboxStatistics(
            waiting=len(self._waiting),
            dead=sum(row.state == "dead" for row in self._rows.values()),
            bounded=len(self._bounded),
            dropped=self._dropped,
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


SECOND_CONSUMER: Final = (
    "this inbox has a consumer already, and two would each get some of the events: end the other `receiver.events()`"
)
