"""Targets of callbacks: where events are delivered, and the attributes that travel with them."""

from __future__ import annotations

import ipaddress
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import attrs

from stellantis_hal.hal.redaction import MASK, hide
from stellantis_hal.structuring.extra import NO_EXTRA
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import Problem
from stellantis_hal.validation import require_flags, require_type

__all__ = [
    "AttributePlacement",
    "CallbackAttribute",
    "PushDevices",
    "SecretNotInBatchWarning",
    "Target",
    "TargetKind",
    "WebSocket",
    "Webhook",
    "attributes_body",
    "check_attributes",
    "complete_attributes",
    "require_webhook",
    "target_body",
]

VIN_VARIABLE: Final = "$vin"
_TOKEN_KEY: Final = "token"  # noqa: S105 - the name of an attribute
_VIN_KEY: Final = "vin"
_SECRET_KEY = re.compile(r"auth|token|secret|passw|signature|api-?_?key|credential", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(?:Bearer|Basic)\s", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")

TargetKind: TypeAlias = Literal["webhook", "pushnotif", "websocket"]
"""The kinds of targets, by the vendor's names."""


class SecretNotInBatchWarning(UserWarning):
    """A secret of a webhook stands where a batch of events does not have it."""


class AttributePlacement(OpenEnum):
    """Where an attribute travels: in a header, in the query, or in the body of each event."""

    HEADER = "Header"
    QUERY = "Query"
    BODY = "Body"


_VARIABLES: Final = frozenset(
    (
        *("vin", "vid", "callbackid", "callbacklabel", "remotetype", "remotestatus", "remotelabel"),
        *("monitorid", "monitorlabel", "fleetid", "channelid", "channellabel"),
    )
)


def _show_value(value: object) -> str:
    """Show a variable of the vendor; other values may be secrets, those with a dollar sign too."""
    is_variable = isinstance(value, str) and value.startswith("$") and value[1:].lower() in _VARIABLES
    return repr(value) if is_variable else hide(value)


def _show_origin(url: object) -> str:
    """Show the origin of a URL: its path may be the secret."""
    if not isinstance(url, str):
        return repr(url)
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return repr(MASK)
    return repr(f"{parts.scheme}://{parts.hostname}{port}/{MASK}") if parts.hostname else repr(MASK)


@attrs.frozen(kw_only=True, weakref_slot=False)
class CallbackAttribute(Model):
    """A key and a value that travel with every event.

    Attributes:
        part: where it travels; a batch of events has those in the body only.
        key: its name.
        value: a text, or a variable such as ``$vin``.
    """

    part: AttributePlacement | None = attrs.field(default=None, metadata=names("type"))
    key: str | None = None
    value: str | None = attrs.field(default=None, repr=_show_value)


def _as_attributes(attributes: Iterable[CallbackAttribute]) -> tuple[CallbackAttribute, ...]:
    return tuple(map(_as_attribute, attributes))


def _as_attribute(attribute: CallbackAttribute) -> CallbackAttribute:
    """Return an attribute whose place is a member, where it was given by its name."""
    require_type("an attribute", attribute, CallbackAttribute, instead='CallbackAttribute(part="Body", key=…, value=…)')
    part: object = attribute.part
    if isinstance(part, str) and not isinstance(part, AttributePlacement):
        return attrs.evolve(attribute, part=AttributePlacement(part))
    return attribute


def _initialize(value: Model, **fields: Any) -> None:
    """Set the fields of a frozen value in its ``__init__``."""
    for name, field in fields.items():
        object.__setattr__(value, name, field)


@attrs.frozen(init=False, weakref_slot=False)
class Webhook(Model):
    """An HTTPS address that events are posted to: ``Webhook("https://…/st/k3Jx0v", token="s3cr3t")``.

    Attributes:
        url: the address.
        name: its name; the callback's label where it has none.
        attributes: what travels with every event; the token is one of them.
    """

    url: str | None = attrs.field(default=None, repr=_show_origin, metadata=names("target"))
    name: str | None = None
    attributes: tuple[CallbackAttribute, ...] = ()

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        name: str | None = None,
        attributes: Iterable[CallbackAttribute] = (),
        problems: tuple[Problem, ...] = (),
        extra: Mapping[str, Any] = NO_EXTRA,
    ) -> None:
        """Make a webhook; whether its address may be used is checked when it is sent.

        Args:
            url: the address.
            token: a secret by which the receiver knows the sender; it becomes an attribute in the body.
            name: its name; None: the callback's label.
            attributes: more attributes.
            problems: what could not be read in it.
            extra: keys that no attribute has.

        Raises:
            TypeError: an argument has another type.
        """
        require_type("url", url, str, None)
        require_type("token", token, str, None)
        found = _as_attributes(attributes)
        if token is not None:
            found = (*found, CallbackAttribute(part=AttributePlacement.BODY, key=_TOKEN_KEY, value=token))
        _initialize(self, url=url, name=name, attributes=found, problems=problems, extra=extra)

    @property
    def token(self) -> str | None:
        """The secret in the body of each event; None where there is none."""
        return next(
            (each.value for each in self.attributes if each.part == AttributePlacement.BODY and each.key == _TOKEN_KEY),
            None,
        )


@attrs.frozen(init=False, weakref_slot=False)
class PushDevices(Model):
    """Devices that events are pushed to (FCM). The vendor deletes the callback with its last device.

    Attributes:
        devices: their tokens.
        attributes: what travels with every event.
    """

    devices: tuple[str, ...] = attrs.field(default=(), repr=hide)
    attributes: tuple[CallbackAttribute, ...] = ()

    def __init__(
        self,
        devices: Iterable[str] = (),
        *,
        attributes: Iterable[CallbackAttribute] = (),
        problems: tuple[Problem, ...] = (),
        extra: Mapping[str, Any] = NO_EXTRA,
    ) -> None:
        """Make a push target.

        Args:
            devices: the tokens of the devices, at least one.
            attributes: attributes of each event.
            problems: what could not be read in it.
            extra: keys that no attribute has.

        Raises:
            TypeError: an argument has another type.
        """
        found = (devices,) if isinstance(devices, str) else tuple(devices)
        _initialize(self, devices=found, attributes=_as_attributes(attributes), problems=problems, extra=extra)


@attrs.frozen(kw_only=True, weakref_slot=False)
class WebSocket(Model):
    """A websocket that the vendor connects to. It is read only: how events arrive there is not documented.

    Attributes:
        url: the address.
        attributes: what travels with every event.
    """

    url: str | None = attrs.field(default=None, repr=_show_origin, metadata=names("target"))
    attributes: tuple[CallbackAttribute, ...] = ()


Target: TypeAlias = Webhook | PushDevices | WebSocket
"""Where events are delivered."""

# ------------------------------------------------------------------------------------------------- writing


def require_webhook(webhook: Webhook, *, allow_http_loopback: bool = False) -> str:
    """Return the address of a webhook that may be sent.

    Raises:
        ValueError: the address is not absolute, has no TLS, or cannot be requested; the message shows its origin only.
        TypeError: ``allow_http_loopback`` is no bool.
    """
    require_flags(allow_http_loopback=allow_http_loopback)
    url = webhook.url
    if not url:
        raise ValueError('a webhook needs an address: Webhook("https://hooks.example.org/st/…")')
    if _UNPRINTABLE.search(url) or not url.isascii():
        raise ValueError("the address of a webhook has a space or a character outside ASCII: percent-encode it")
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise ValueError("the address of a webhook is not a URL: check its host and its port") from None
    if not host or parts.scheme not in {"https", "http"}:
        raise ValueError(f"the address of a webhook must be an absolute https URL, not {_show_origin(url)}")
    if "@" in parts.netloc or "\\" in url:  # programs differ in which host they take from such a URL
        raise ValueError(
            "the address of a webhook has a user, a password or a backslash: write the host alone, and pass a secret "
            "as token="
        )
    if "#" in url:
        raise ValueError(f"the address of a webhook has no fragment, but {_show_origin(url)} has one: remove it")
    if parts.scheme == "http":
        if not _is_loopback(host):
            raise ValueError(
                f"the address of a webhook must have TLS: {_show_origin(url)} would send tokens and positions "
                "in the clear; use https"
            )
        if not allow_http_loopback:
            raise ValueError(
                f"{_show_origin(url)} has no TLS: use https, or for tests on this machine pass allow_http_loopback=True"
            )
    return url


def _require_token(token: str | None) -> None:
    """Raise where no event could ever have the token."""
    if token is not None and (not token or token.startswith("$")):
        raise ValueError(
            "the token of a webhook is empty or begins with a dollar sign, which the vendor replaces by a value of the "
            "event: no receiver would verify it"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def complete_attributes(attributes: Iterable[CallbackAttribute]) -> tuple[CallbackAttribute, ...]:
    """Return attributes with the VIN in the body of each event, each part and key once: the last counts.

    Raises:
        ValueError: an attribute has no part, key or value.
    """
    vin = CallbackAttribute(part=AttributePlacement.BODY, key=_VIN_KEY, value=VIN_VARIABLE)
    return check_attributes((vin, *attributes))


def check_attributes(attributes: Iterable[CallbackAttribute]) -> tuple[CallbackAttribute, ...]:
    """Return attributes, each part and key once: the last counts.

    Raises:
        ValueError: an attribute has no part, key or value.
        TypeError: one is no attribute.
    """
    found: dict[tuple[object, object], CallbackAttribute] = {}
    for attribute in _as_attributes(attributes):
        if not attribute.part or not attribute.part.is_known or not attribute.key or attribute.value is None:
            raise ValueError("an attribute needs part (Header, Query or Body), key and value")
        require_type("the key of an attribute", attribute.key, str)
        require_type("the value of an attribute", attribute.value, str)
        found[attribute.part, attribute.key] = attribute
    return tuple(found.values())


def warn_of_lost_secrets(attributes: Iterable[CallbackAttribute]) -> None:
    """Warn where a secret stands in headers or in the query only: a batch of events has neither."""
    found = tuple(attributes)
    kept = {each.value for each in found if each.part == AttributePlacement.BODY}
    for each in found:
        value = each.value or ""
        if each.part == AttributePlacement.BODY or value.startswith("$") or value in kept:
            continue
        if _SECRET_KEY.search(each.key or "") or _SECRET_VALUE.match(value):
            warnings.warn(
                f"the secret of the {each.part} attribute {each.key!r} is missing from every batch, and the vendor "
                'sends batches after each outage: pass it as Webhook(…, token="…") too, which is in the body',
                SecretNotInBatchWarning,
                stacklevel=4,
            )
            return


def attributes_body(attributes: Iterable[CallbackAttribute]) -> list[dict[str, Any]]:
    """Return attributes as the API takes them."""
    return [{"type": str(each.part), "key": each.key, "value": each.value} for each in attributes]


def target_body(target: Target, label: str, *, allow_http_loopback: bool = False) -> dict[str, Any]:
    """Return a target as the API takes it, with the VIN in the body of each event.

    Raises:
        ValueError: the address has no TLS, there is no device, or an attribute is incomplete.
        TypeError: it is no target that can be sent.
    """
    require_type("target", target, Webhook, PushDevices, instead='Webhook("https://…", token="…")')
    attributes = complete_attributes(target.attributes)
    if isinstance(target, Webhook):
        url = require_webhook(target, allow_http_loopback=allow_http_loopback)
        _require_token(target.token)
        warn_of_lost_secrets(attributes)
        webhook = {"name": target.name or label, "target": url, "attributes": attributes_body(attributes)}
        return {"webhook": webhook}
    assert isinstance(target, PushDevices)  # noqa: S101 - checked above, for the type checkers
    if not target.devices:
        raise ValueError("a push target needs at least one device")
    return {"pushnotif": {"devices": list(target.devices), "attributes": attributes_body(attributes)}}
