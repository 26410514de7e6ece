"""Messages written to an inbox, and read from it."""

from __future__ import annotations

from datetime import datetime

import attrs

from stellantis_hal.notifications.events import Notification
from stellantis_hal.notifications.identity import write_canonical
from stellantis_hal.notifications.inbox import IncomingEvent, StoredEvent
from stellantis_hal.notifications.parsing import TOKEN, event_of, read_message, vin_of
from stellantis_hal.notifications.splitting import Message, read_id, split

__all__ = ["read_entry", "write_entry"]


def write_entry(message: Message, *, is_verified: bool, received_at: datetime) -> IncomingEvent:
    """Return a message as an inbox keeps it: without the token."""
    attributes = [{"key": key, "value": value} for key, value in message.attributes.items() if key != TOKEN]
    content = message.content
    if message.kind != "unreadable":
        content = write_canonical({**message.document, "attributes": attributes} if attributes else message.document)
    event = {**message.document, **event_of(message.document)[0]}
    inner = event.get("monitorEvent" if message.kind == "monitor" else "remoteEvent")
    sources = event | inner if isinstance(inner, dict) else event
    return IncomingEvent(
        id=message.id,
        kind=message.kind,
        content=content,
        is_verified=is_verified,
        received_at=received_at,
        reason=message.reason,
        size=message.size,
        source_id=read_id(sources.get("monitorId" if message.kind == "monitor" else "remoteActionId")),
        callback_id=read_id(event.get("callbackId")),
        vin=vin_of(message.document, message.attributes),
    )


def read_entry(entry: StoredEvent) -> Notification:
    """Read an entry of an inbox as an event."""
    stored = entry.entry
    if stored.kind == "unreadable":
        message = Message(
            id=stored.id, kind="unreadable", reason=stored.reason, content=stored.content, size=stored.size
        )
    else:
        message = attrs.evolve(split(stored.content)[0], id=stored.id)
    return read_message(
        message,
        is_verified=stored.is_verified,
        received_at=stored.received_at,
        vin=None if entry.owner is None else entry.owner.vin,
        vehicle_id=None if entry.owner is None else entry.owner.vehicle_id,
    )
