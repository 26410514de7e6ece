"""Bodies of callbacks: what the simulated API takes. Shares nothing with the client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from stellantis_hal.simulator.api.body_checks import refusal, require, require_object

__all__ = [
    "KINDS",
    "TYPES",
    "check_attributes",
    "check_delivery",
    "check_fleet_subscription",
    "check_subscription",
    "check_webhook",
    "status_of",
]

KINDS = ("webhook", "pushnotif", "websocket")
TYPES = ("Monitor", "Remote")
_REMOTE_TYPES = (
    "Doors",
    "Horn",
    "Lights",
    "WakeUp",
    "ElectricBatteryChargingRequest",
    "ThermalPreconditioning",
    "Navigation",
    "Immobilization",
    "Stolen",
)
_PLACES = {"webhook": ("Header", "Body", "Query"), "pushnotif": ("Header", "Body"), "websocket": ("Body",)}
_PUSH_WORDS = ("from", "message_type")
_PUSH_PREFIXES = ("google", "gcm")


def status_of(body: dict[str, Any]) -> str:
    """Return the status that a PUT asks for; refuse others than Running and Paused."""
    status = body.get("status")
    if status not in {"Running", "Paused"}:
        raise refusal("status must be Running or Paused.")
    return str(status)


def check_subscription(body: dict[str, Any]) -> dict[str, Any]:
    """Return the subscription of an account holder; refuse one off the specification."""
    label, types, target = body.get("label"), body.get("type"), body.get("callback")
    if label is not None and not isinstance(label, str):
        raise refusal("label must be a string.")
    if types is not None and (not isinstance(types, list) or not set(types) <= set(TYPES)):
        raise refusal("type must be a list of Monitor and Remote.")
    if not isinstance(target, dict):
        raise refusal("callback is required.")
    kinds = [kind for kind in KINDS if target.get(kind) is not None]
    if len(kinds) != 1:
        raise refusal("callback must have one of webhook, pushnotif and websocket.")
    kind = kinds[0]
    if kind == "pushnotif":
        _check_push(target[kind])
    else:
        check_webhook(target[kind], kind)
    return body


def check_fleet_subscription(body: dict[str, Any]) -> dict[str, Any]:
    """Return the subscription of a fleet owner, for commands; refuse one off the specification."""
    types, target = body.get("remoteTypes"), body.get("callback")
    if not isinstance(types, list) or not types or not set(types) <= set(_REMOTE_TYPES):
        raise refusal("remoteTypes must be a list of types of remotes.")
    if not isinstance(target, dict):
        raise refusal("callback is required.")
    check_webhook(target.get("webhook"))
    check_delivery(body, ("None", "Bounded"))
    return body


def check_webhook(value: Any, kind: str = "webhook") -> None:
    """Refuse a webhook or websocket off the specification."""
    if not isinstance(value, dict):
        raise refusal(f"{kind} must be an object.")
    if kind == "webhook" and not isinstance(value.get("name"), str):
        raise refusal("name of the webhook is required.")
    url = value.get("target")
    if not isinstance(url, str) or not urlsplit(url).hostname:
        raise refusal("target must be a URL.")
    check_attributes(value.get("attributes"), _PLACES[kind])


def _check_push(value: Any) -> None:
    devices = value.get("devices") if isinstance(value, dict) else None
    if not isinstance(devices, list) or not devices or not all(isinstance(each, str) for each in devices):
        raise refusal("devices must be a list of one or more strings.")
    check_attributes(value.get("attributes"), _PLACES["pushnotif"])
    for attribute in value.get("attributes") or []:
        if attribute["key"] in _PUSH_WORDS or attribute["key"].startswith(_PUSH_PREFIXES):
            raise refusal("the key of an attribute is reserved.")


def check_attributes(value: Any, places: Sequence[str] = _PLACES["webhook"]) -> None:
    """Refuse attributes off the specification."""
    if value is None:
        return
    if not isinstance(value, list):
        raise refusal("attributes must be a list.")
    for attribute in value:
        if not isinstance(attribute, dict) or attribute.get("type") not in places:
            raise refusal(f"type of an attribute must be one of {', '.join(places)}.")
        if not isinstance(attribute.get("key"), str) or not isinstance(attribute.get("value"), str):
            raise refusal("key and value of an attribute are required.")


def check_delivery(subscription: Mapping[str, Any], policies: tuple[str, ...]) -> None:
    """Refuse policies of delivery off the specification."""
    retry, batch = subscription.get("retryPolicy"), subscription.get("batchNotify")
    if retry is not None:
        policy = require_object(retry, "retryPolicy must be an object.")
        require(policy.get("policy") in policies, f"policy must be one of {', '.join(policies)}.")
        for name in ("retryNumber", "retryDelay"):
            number = policy.get(name, 1)
            require(type(number) is int and number >= 1, f"{name} must be at least 1.")
    if batch is not None:
        policy = require_object(batch, "batchNotify must be an object.")
        size, window = policy.get("size"), policy.get("timeWindow", 60)
        require(type(size) is int and size >= 1, "size must be at least 1.")
        require(type(window) is int and window >= 5, "timeWindow must be at least 5.")
