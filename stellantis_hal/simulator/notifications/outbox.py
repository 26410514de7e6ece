"""Events that wait to be delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import anyio

__all__ = ["Outbox", "PendingEvent"]


@dataclass
class PendingEvent:
    """An event that was raised and not yet delivered.

    Attributes:
        number: its place in the order in which events were raised.
        callback_id: the callback that it is for; of an event of a fleet's monitor, the monitor.
        message: its body without attributes: a message (B2C), or an envelope with one event (B2B).
        vin: the vehicle that it is about.
        raised_at: when it was raised, by the simulator's wall clock.
    """

    number: int
    callback_id: str
    message: Mapping[str, Any]
    vin: str | None
    raised_at: datetime


class Outbox:
    """The events that were raised, in order, until they are delivered or dropped."""

    def __init__(self) -> None:
        self.pending: dict[str, list[PendingEvent]] = {}
        self.raised: int = 0
        self.emptied: anyio.Event = anyio.Event()
        self._listeners: list[Callable[[PendingEvent], None]] = []

    def add(self, callback_id: str, message: Mapping[str, Any], *, vin: str | None, raised_at: datetime) -> None:
        """Add an event.

        Args:
            callback_id: the callback whose target it is sent to; of an event of a fleet's monitor, the monitor.
            message: its body without attributes; the delivery adds those of the callback.
            vin: the vehicle, for attributes with the variable ``$vin``.
            raised_at: when it was raised, by the simulator's wall clock.
        """
        pending = PendingEvent(self.raised, callback_id, message, vin, raised_at)
        self.raised += 1
        self.pending.setdefault(callback_id, []).append(pending)
        for listener in self._listeners:
            listener(pending)

    def listen(self, listener: Callable[[PendingEvent], None]) -> Callable[[], None]:
        """Call a function with each event that is added from now on; return the function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def remove(self, events: list[PendingEvent]) -> None:
        """Remove events that were delivered or dropped."""
        for callback_id in {event.callback_id for event in events}:
            gone = {id(event) for event in events}
            waiting = self.pending[callback_id]
            waiting[:] = [event for event in waiting if id(event) not in gone]
            if not waiting:
                del self.pending[callback_id]
        if not self.pending:
            emptied, self.emptied = self.emptied, anyio.Event()
            emptied.set()

    def __len__(self) -> int:
        return sum(map(len, self.pending.values()))
