"""Events of the vendor: their classes and parser, the inbox that keeps them, and the receiver that takes them in."""

from __future__ import annotations

from stellantis_hal.notifications.events import EventValue, MonitorEvent, Notification, RemoteEvent, UnreadableEvent
from stellantis_hal.notifications.parsing import parse_notification, parse_push

__all__ = [
    "EventValue",
    "MonitorEvent",
    "Notification",
    "RemoteEvent",
    "UnreadableEvent",
    "parse_notification",
    "parse_push",
]
