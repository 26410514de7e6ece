"""Requests of deliveries: bodies with the attributes of their callback."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from stellantis_hal.simulator.notifications.outbox import PendingEvent

__all__ = ["DeliveryRequest", "Target", "is_envelope", "push_message", "request_of"]

_VARIABLE = re.compile(r"\$([A-Za-z]+)")


class Target(Protocol):
    """Where events are sent: a callback, or a fleet's monitor."""

    @property
    def label(self) -> str | None: ...
    @property
    def status(self) -> str: ...
    @status.setter
    def status(self, status: str) -> None: ...
    @property
    def kind(self) -> str: ...
    @property
    def url(self) -> str | None: ...
    @property
    def attributes(self) -> list[tuple[str, str, str]]: ...
    @property
    def retry(self) -> dict[str, Any] | None: ...
    @property
    def batch(self) -> dict[str, Any] | None: ...


@dataclass(frozen=True)
class DeliveryRequest:
    """One request to a webhook."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)


def is_envelope(event: PendingEvent) -> bool:
    """Return whether the event is one of a fleet owner."""
    return "events" in event.message


def request_of(
    target: Target,
    events: Sequence[PendingEvent],
    *,
    is_batch: bool,
    literal: bool = False,
    loses_headers: bool = False,
) -> DeliveryRequest:
    """Return the request that delivers events.

    Args:
        target: the callback.
        events: the events; more than one of account holders are sent as an array.
        is_batch: whether the request is one of a batch, which has neither headers nor a query.
        literal: whether variables stay as they were written.
        loses_headers: whether header attributes are lost.
    """
    if is_envelope(events[0]):
        message = {**events[0].message, **_body_attributes(target, events[0], literal)}
        document: Any = {**message, "events": [each for event in events for each in event.message["events"]]}
    else:
        messages = [{**event.message, **_body_attributes(target, event, literal)} for event in events]
        document = messages if is_batch else messages[0]
    body = json.dumps(document, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"}
    if is_batch:
        return DeliveryRequest(body, headers)
    if not loses_headers:
        headers |= _attributes(target, "Header", events[0], literal)
    return DeliveryRequest(body, headers, _attributes(target, "Query", events[0], literal))


def push_message(target: Target, event: PendingEvent) -> dict[str, Any]:
    """Return the push message that delivers an event to devices."""
    message = {**event.message, **_body_attributes(target, event, False)}
    encoded = base64.b64encode(json.dumps(message).encode()).decode()
    return {"name": target.label or "", "data": {**_attributes(target, "Header", event, False), "mph_message": encoded}}


def _body_attributes(target: Target, event: PendingEvent, literal: bool) -> dict[str, Any]:
    pairs = _attributes(target, "Body", event, literal)
    return {"attributes": [{"key": key, "value": value} for key, value in pairs.items()]} if pairs else {}


def _attributes(target: Target, place: str, event: PendingEvent, literal: bool) -> dict[str, str]:
    found = {key: value for where, key, value in target.attributes if where == place}
    if literal:
        return found
    variables = _variables(target, event)
    return {
        key: _VARIABLE.sub(lambda match: variables.get(match[1].lower(), match[0]), value)
        for key, value in found.items()
    }


def _variables(target: Target, event: PendingEvent) -> dict[str, str]:
    """Return the values of the vendor's variables, by their names in small letters."""
    message: Mapping[str, Any] = event.message
    inner = {**message, **(message["events"][0] if is_envelope(event) else {})}
    inner |= inner.get("monitorEvent", {}) | inner.get("remoteEvent", {})
    values = {
        "vin": event.vin,
        "callbackid": event.callback_id,
        "callbacklabel": target.label,
        "monitorid": inner.get("monitorId"),
        "fleetid": inner.get("fleetId"),
        "remotetype": inner.get("remoteType"),
        "remotestatus": inner.get("eventStatus", {}).get("status"),
    }
    return {name: value for name, value in values.items() if value is not None}
