"""Bodies of deliveries split into single messages: one message, an array, or the envelope of a fleet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal

import attrs

from stellantis_hal.hal.error_documents import is_deep
from stellantis_hal.hal.json import decode_received
from stellantis_hal.notifications.identity import identify_bytes, identify_document, identify_step, write_canonical
from stellantis_hal.resources.control.failure_causes import FailureCause

__all__ = ["Message", "read_id", "split", "step_of"]

_MONITOR_KEYS = frozenset({"monitorEvent", "values", "extensions"})
_REMOTE_KEYS = frozenset({"remoteEvent", "eventStatus"})
_EVENT_KEYS = _MONITOR_KEYS | _REMOTE_KEYS
_MAX_KEPT = 64 * 1024
_MAX_EVENTS = 10_000  # a hundred times what the vendor sends, and a third of a second
_MAX_REPEATED = 16 * 1024 * 1024  # bytes of envelopes, counted for each event; each is stored with its envelope


@attrs.frozen(kw_only=True)
class Message:
    """One event of a body, before it is read.

    Attributes:
        id: its identity.
        kind: which class reads it.
        document: a body of its own with this event alone, without attributes; empty where it is unreadable.
        attributes: the body attributes, by their key.
        reason: why it is unreadable.
        content: the bytes of an unreadable one, or the first of them.
        size: the number of those bytes.
    """

    id: str
    kind: Literal["monitor", "remote", "unreadable"]
    document: Mapping[str, Any] = attrs.field(factory=dict)
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    reason: str = ""
    content: bytes = b""
    size: int = 0

    @classmethod
    def unreadable(cls, reason: str, content: bytes, *, size: int | None = None) -> Message:
        """Return a message of bytes that are no event.

        Args:
            reason: why they are none.
            content: the bytes, or the first of them.
            size: how many there were; None: all of ``content``.
        """
        size = len(content) if size is None else size
        identity = identify_bytes(content if size == len(content) else b"%d %b" % (size, content))
        return cls(id=identity, kind="unreadable", reason=reason, content=content[:_MAX_KEPT], size=size)


def split(body: bytes) -> tuple[Message, ...]:
    """Return the messages of a body, in its order; what is none becomes an unreadable one. Raises nothing."""
    if not body.strip():
        return (Message.unreadable("an empty body", body),)
    try:
        decoded = decode_received(body)
    except ValueError as error:
        return (Message.unreadable(f"no JSON: {error}", body),)
    if is_deep(decoded):  # it could be read here, and not be written or read again where the stack is deeper
        return (Message.unreadable("nested too deeply", body),)
    items = decoded if isinstance(decoded, list) else [decoded]
    envelopes = _Envelopes()
    events = (message for item in items for message in _split_item(item, envelopes))
    try:
        messages = tuple(islice(events, _MAX_EVENTS + 1))
    except ValueError as error:
        return (Message.unreadable(str(error), body),)
    if len(messages) > _MAX_EVENTS:
        return (Message.unreadable(f"more than {_MAX_EVENTS} events in one body", body),)
    return messages


class _Envelopes:
    """The bytes of the envelopes of a body, counted for each event in them."""

    def __init__(self) -> None:
        self._repeated = 0

    def add(self, envelope: Mapping[str, Any], events: int) -> None:
        """Count an envelope.

        Raises:
            ValueError: they are too large for so many events, or one is nested too deeply.
        """
        if events > 1:
            self._repeated += events * len(write_canonical(envelope))
        if self._repeated > _MAX_REPEATED:
            raise ValueError(f"envelopes of more than {_MAX_REPEATED} bytes in all, counted for each event")


def _split_item(item: Any, envelopes: _Envelopes) -> Iterator[Message]:
    if not isinstance(item, dict):
        yield _refuse("no JSON object", item)
    elif isinstance(events := item.get("events"), list) and _EVENT_KEYS.isdisjoint(item):
        envelopes.add({key: value for key, value in item.items() if key != "events"}, min(len(events), _MAX_EVENTS))
        envelope = _without_attributes(item)
        attributes = _attributes(item)
        for event in events:
            if isinstance(event, dict):
                yield _message(envelope, event, attributes)
            else:
                yield _refuse("an item of events is no JSON object", event)
    else:
        yield _message({}, item, {})


def _message(envelope: dict[str, Any], event: dict[str, Any], attributes: dict[str, str]) -> Message:
    """Return the message of an event, in an envelope or without one."""
    attributes = _shared(attributes, event.get("vin")) | _attributes(event)
    event = _without_attributes(event)
    document = {**envelope, "events": [event]} if envelope else event
    if _REMOTE_KEYS & event.keys() or (event.get("type") == "Remote" and "monitorEvent" not in event):
        kind: Literal["monitor", "remote"] = "remote"
    elif (
        _MONITOR_KEYS & event.keys()
        or event.get("type") == "Monitor"
        or "monitorId" in event
        or "monitorId" in envelope
    ):
        kind = "monitor"
    elif "remoteActionId" in event:
        kind = "remote"
    else:
        return _refuse("neither an event of a monitor nor one of a remote", document)
    return Message(id=_identify(kind, envelope, event, attributes), kind=kind, document=document, attributes=attributes)


def _shared(attributes: dict[str, str], vin: Any) -> dict[str, str]:
    """Return the attributes of an envelope that are an event's too.

    They stand once for all its events: a VIN among them is that of one car, and each event states its own.
    """
    if not isinstance(vin, str) or not vin:
        return attributes
    return {key: value for key, value in attributes.items() if key.lower() != "vin" or value == vin}


def _identify(kind: str, envelope: Mapping[str, Any], event: Mapping[str, Any], attributes: Mapping[str, str]) -> str:
    part = event.get("remoteEvent" if kind == "remote" else "monitorEvent")
    part = part if isinstance(part, dict) else event
    if kind == "remote":
        operation_id = read_id(part.get("remoteActionId"))
        if operation_id is not None:
            return identify_step(operation_id, *step_of(part.get("eventStatus")))
    sender = {key: envelope[key] for key in ("callbackId", "monitorId") if key in envelope}
    if all(read_id(each.get("monitorId")) is None for each in (envelope, event, part)):
        # The attribute alone tells two cars apart, whose events may be equal.
        sender |= {key.lower(): value for key, value in attributes.items() if key.lower() == "vin"}
    return identify_document([sender, event] if sender else event)


def read_id(value: Any) -> str | None:
    """Return an id as text, which some servers write as a number; None where it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def step_of(status: Any) -> tuple[str | None, str | None, str | None]:
    """Return phase, status and cause of an ``eventStatus``, in any of its spellings."""
    if not isinstance(status, dict):
        return None, status if isinstance(status, str) else None, None
    phase, name, cause = (_text(status.get(key)) for key in ("type", "status", "failureCause"))
    if phase == "Failed":  # another page's spelling, whose status may be the cause
        if cause is None and name is not None and FailureCause(name).is_known:
            cause = name
        return "Done", phase, cause
    return phase, name, cause


def _text(value: Any) -> str | None:
    """Return a text, or the only one in an object that names its type."""
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return value if isinstance(value, str) else None


def _without_attributes(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "attributes"}


def _attributes(item: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of an event or envelope by key; they are a list of keys and values, or a mapping."""
    given = item.get("attributes")
    if isinstance(given, dict):
        pairs = list(given.items())
    else:
        entries = given if isinstance(given, list) else []
        pairs = [(entry.get("key"), entry.get("value")) for entry in entries if isinstance(entry, dict)]
    return {key: value for key, value in pairs if isinstance(key, str) and isinstance(value, str)}


def _refuse(reason: str, item: Any) -> Message:
    """Return an unreadable message of an item.

    Raises:
        ValueError: it is nested too deeply to be written again.
    """
    return Message.unreadable(reason, write_canonical(item))
