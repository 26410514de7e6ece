"""Events of the vendor: their classes and parser, the inbox that keeps them, and the receiver that takes them in."""

from __future__ import annotations

from stellantis_hal.notifications.events import EventValue, MonitorEvent, Notification, RemoteEvent, UnreadableEvent
from stellantis_hal.notifications.inbox import (
    EventVehicle,
    Inbox,
    InboxError,
    InboxStatistics,
    IncomingEvent,
    StoredEvent,
)
from stellantis_hal.notifications.memory_inbox import MemoryInbox
from stellantis_hal.notifications.parsing import parse_notification, parse_push
from stellantis_hal.notifications.receiver import Receiver
from stellantis_hal.notifications.sqlite_inbox import SQLiteInbox
from stellantis_hal.notifications.stream import EventStream

__all__ = [
    "EventStream",
    "EventValue",
    "EventVehicle",
    "Inbox",
    "InboxError",
    "InboxStatistics",
    "IncomingEvent",
    "MemoryInbox",
    "MonitorEvent",
    "Notification",
    "Receiver",
    "RemoteEvent",
    "SQLiteInbox",
    "StoredEvent",
    "UnreadableEvent",
    "parse_notification",
    "parse_push",
]
