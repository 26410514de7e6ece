"""Inbox of events: its protocol, its values and its error."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.validation import require_type

__all__ = [
    "MEMORY",
    "SECOND_CONSUMER",
    "EventVehicle",
    "Inbox",
    "InboxError",
    "InboxStatistics",
    "IncomingEvent",
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
    counts = {"dead_after": dead_after, "max_unverified": max_unverified, "max_unverified_bytes": max_unverified_bytes}
    for name, count in counts.items():
        require_type(name, count, int)
    require_type("keep", keep, timedelta, None)
    if dead_after < 1:
        raise ValueError(f"dead_after must be at least 1, the failures after which an event is set aside: {dead_after}")
    if max_unverified < 1 or max_unverified_bytes < 1:
        raise ValueError(
            f"max_unverified and max_unverified_bytes must be at least 1, not {max_unverified} and "
            f"{max_unverified_bytes}: without room for them, nothing tells that events have a wrong token"
        )
    if keep is not None and keep < timedelta():
        raise ValueError(f"keep must not be negative: {keep}")


SECOND_CONSUMER: Final = (
    "this inbox has a consumer already, and two would each get some of the events: end the other `receiver.events()`"
)
