"""Bodies of deliveries and push messages read as events."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stellantis_hal.notifications.events import (
    EventValue,
    MonitorEvent,
    Notification,
    RemoteEvent,
    UnreadableEvent,
)
from stellantis_hal.notifications.extensions import read_extensions, read_models
from stellantis_hal.notifications.splitting import Message, split, step_of
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.collision import Collision
from stellantis_hal.resources.control.failure_causes import FailureCause
from stellantis_hal.resources.control.operation_step import OperationStatus
from stellantis_hal.structuring.problems import Problem, json_type
from stellantis_hal.structuring.timestamps import read_instant
from stellantis_hal.validation import require_type

__all__ = ["TOKEN", "event_of", "has_token", "parse_notification", "parse_push", "read_message", "vin_of"]

TOKEN = "token"  # noqa: S105 - the key of an attribute
_MESSAGE_KEYS = ("mph_message", "message")


def parse_notification(body: bytes, *, token: str | None = None) -> tuple[Notification, ...]:
    """Return the events of a delivery's body, in its order. Raises nothing, for any bytes.

    A body is one message, an array of messages (after an outage), or the envelope of a fleet. What is no event becomes
    an :class:`UnreadableEvent` with the reason.

    Args:
        body: the body of the request.
        token: the token that the callback's body attribute ``token`` carries; events with it are verified.

    >>> body = b'{"callbackId": "c1", "type": "Monitor", "monitorEvent": {"monitorId": "m1", "refresh": true}}'
    >>> [event] = parse_notification(body)
    >>> type(event).__name__, event.is_reminder
    ('MonitorEvent', True)
    """
    require_type("body", body, bytes, bytearray, memoryview, instead="the body of the request, as it was received")
    return tuple(
        read_message(message, is_verified=token is not None and has_token(message.attributes, token))
        for message in split(bytes(body))
    )


def parse_push(data: Mapping[str, Any]) -> tuple[Notification, ...]:
    """Return the events of a push message (FCM). Raises nothing.

    Its attributes are the entries of ``data`` beside the message.

    Args:
        data: the ``data`` of the message, or the message that has it.
    """
    require_type("data", data, Mapping)
    inner = data.get("data")
    data = inner if isinstance(inner, Mapping) else data
    encoded = next((data[key] for key in _MESSAGE_KEYS if key in data), None)
    if not isinstance(encoded, str | bytes):
        reason = f"no {_MESSAGE_KEYS[0]} in a push message"
        return (read_message(Message.unreadable(reason, b"")),)
    try:
        body = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raw = encoded.encode(errors="replace") if isinstance(encoded, str) else encoded
        return (read_message(Message.unreadable("no base64", raw)),)
    around = {key: value for key, value in data.items() if key not in _MESSAGE_KEYS and isinstance(value, str)}
    return tuple(read_message(message, around=around) for message in split(body))


def read_message(
    message: Message,
    *,
    is_verified: bool = False,
    around: Mapping[str, str] | None = None,
    received_at: datetime | None = None,
    vin: str | None = None,
    vehicle_id: str | None = None,
) -> Notification:
    """Read a single message as its class.

    Args:
        message: the message.
        is_verified: whether it has the receiver's token.
        around: attributes that came beside the body.
        received_at: when it was stored.
        vin: the vehicle, where the message does not say it.
        vehicle_id: the vendor's id of that vehicle; left out where the message says another VIN.
    """
    attributes = {**(around or {}), **message.attributes}
    said = vin_of(message.document, attributes)
    common: dict[str, Any] = {
        "id": message.id,
        "is_verified": is_verified,
        "received_at": received_at,
        "attributes": {key: value for key, value in attributes.items() if key != TOKEN},
        "vin": said or vin,
        "vehicle_id": None if said and vin and said.upper() != vin.upper() else vehicle_id,
        "document": message.document,
    }
    if message.kind == "unreadable":
        is_truncated = message.size > len(message.content)
        return UnreadableEvent(
            **common,
            reason=message.reason,
            content=message.content,
            size=message.size,
            is_truncated=is_truncated,
        )
    event, path = event_of(message.document)
    reader = _Reader({**message.document, **event}, path)
    common["callback_id"] = reader.text("callbackId")
    common["fleet_id"] = reader.text("fleetId")
    common["at"] = reader.instant("date", "eventDate")
    if message.kind == "remote":
        return _read_remote(common, reader)
    return _read_monitor(common, reader)


def vin_of(document: Mapping[str, Any], attributes: Mapping[str, str]) -> str | None:
    """Return the VIN that a message says: by the body attribute, else by the event; None where it says none."""
    event, _ = event_of(document)
    candidates = [*(value for key, value in attributes.items() if key.lower() == "vin"), event.get("vin")]
    # A variable that the vendor did not replace arrives as it was written: "$vin".
    return next((vin for vin in candidates if isinstance(vin, str) and vin and not vin.startswith("$")), None)


def has_token(attributes: Mapping[str, str], token: str) -> bool:
    """Return whether the body attribute is the token, in a time that does not depend on how much of it is right."""
    given = attributes.get(TOKEN, "")
    return hmac.compare_digest(given.encode(errors="surrogatepass"), token.encode(errors="surrogatepass"))


def event_of(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return the event of a message, which may stand in an envelope, and its path."""
    events = document.get("events")
    if isinstance(events, list) and len(events) == 1 and isinstance(events[0], dict):
        return events[0], "$.events[0]"
    return document, "$"


def _read_monitor(common: dict[str, Any], reader: _Reader) -> MonitorEvent:
    inner = reader.inner("monitorEvent")
    common["fleet_id"] = common["fleet_id"] or inner.text("fleetId")
    extensions = read_extensions(inner.values.get("extensions"), f"{inner.path}.extensions", inner.problems)
    return MonitorEvent(
        **common,
        **extensions,
        monitor_id=inner.text("monitorId") or reader.text("monitorId"),
        is_reminder=inner.flag("refresh"),
        values=_read_values(inner),
        problems=reader.all_problems(inner),
    )


def _read_remote(common: dict[str, Any], reader: _Reader) -> RemoteEvent:
    inner = reader.inner("remoteEvent")
    status = inner.values.get("eventStatus")
    phase, name, cause = step_of(status)
    if name is None:
        inner.record("eventStatus", status, "no status in it")
    return RemoteEvent(
        **common,
        remote_id=inner.text("remoteActionId") or reader.text("remoteActionId"),
        kind=_first_text(inner.values.get("remoteType")),
        phase=phase,
        status=None if name is None else OperationStatus(name),
        cause=None if cause is None else FailureCause(cause),
        detail=_first_text(status.get("feedbackDetail")) if isinstance(status, dict) else None,
        problems=reader.all_problems(inner),
    )


def _read_values(reader: _Reader) -> tuple[EventValue, ...]:
    given = reader.values.get("values")
    values: list[EventValue] = []
    for index, item in enumerate(given if isinstance(given, list) else [] if given is None else [given]):
        path = f"{reader.path}.values[{index}]"
        if isinstance(item, dict):
            values.append(_read_value(item, path, reader.problems))
        else:
            reader.problems.append(Problem(path=path, value_type=json_type(item), reason="not an object"))
    return tuple(values)


def _read_value(item: Mapping[str, Any], path: str, problems: list[Problem]) -> EventValue:
    value = item.get("value")
    body = value.get("body", value) if isinstance(value, dict) else {"literalValue": value}
    kind = value.get("type") if isinstance(value, dict) else None
    body = body if isinstance(body, dict) else {"literalValue": body}
    objects = body.get("objectValues")
    place = f"{path}.value.body.objectValues"
    alerts: tuple[Alert, ...] = ()
    collisions: tuple[Collision, ...] = ()
    others: tuple[Mapping[str, Any], ...] = ()
    if kind == "obj.alert":
        alerts = () if objects is None else read_models(Alert, objects, place, problems)
    elif kind == "obj.collision":
        collisions = () if objects is None else read_models(Collision, objects, place, problems)
    elif isinstance(objects, list):
        others = tuple(entry for entry in objects if isinstance(entry, dict))
    literal = body.get("literalValue")
    literals = literal if isinstance(literal, list) else [literal]
    return EventValue(
        data=_first_text(item.get("data")),
        texts=tuple(text for text in map(_literal, literals) if text is not None),
        previous=_literal(item.get("previous")),
        alerts=alerts,
        collisions=collisions,
        objects=others,
    )


def _literal(value: Any) -> str | None:
    """Return a literal as the text that the vendor writes: numbers and booleans are text too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | str) else None


def _first_text(value: Any) -> str | None:
    """Return a text, or the first of a list, which some pages show."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else None


class _Reader:
    """Reads members of an object, and records what it cannot read."""

    def __init__(self, values: Mapping[str, Any], path: str) -> None:
        self.values: Mapping[str, Any] = values
        self.path: str = path
        self.problems: list[Problem] = []

    def inner(self, key: str) -> _Reader:
        """Return the reader of an object in this one; this one itself where there is none, as in fleets' events."""
        value = self.values.get(key)
        if isinstance(value, dict):
            return _Reader(value, f"{self.path}.{key}")
        if value is not None:
            self.record(key, value, "not an object")
        return self

    def all_problems(self, inner: _Reader) -> tuple[Problem, ...]:
        return tuple(self.problems if inner is self else [*self.problems, *inner.problems])

    def record(self, key: str, value: Any, reason: str) -> None:
        self.problems.append(Problem(path=f"{self.path}.{key}", value_type=json_type(value), reason=reason))

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        self.record(key, value, "not a text")
        return None

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value is True
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        self.record(key, value, "not a boolean")
        return False

    def instant(self, *keys: str) -> datetime | None:
        for key in keys:
            value = self.values.get(key)
            if value is None:
                continue
            try:
                return read_instant(value)
            except (TypeError, ValueError):
                self.record(key, value, "not an instant")
        return None
