"""Callbacks: registered targets of events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from stellantis_hal.errors import DetachedResourceError, NotFoundError
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.hal.uri import join_segment
from stellantis_hal.resources.control.callback_targets import (
    PushDevices,
    Target,
    TargetKind,
    Webhook,
    WebSocket,
    target_body,
)
from stellantis_hal.resources.control.delivery_policy import Batch, DeliveryRetry, batch_body, retry_body
from stellantis_hal.resources.control.json_writes import send_json
from stellantis_hal.resources.control.unread_parts import require_read, unread_parts
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.field_mapping import names, unread
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.typed_resource import TypedResource
from stellantis_hal.validation import require_flags, require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = [
    "PATHS",
    "Callback",
    "CallbackReference",
    "CallbackStatus",
    "CallbackType",
    "RemoteType",
    "as_sent",
    "callback_body",
    "callback_id",
    "callback_types",
    "fleet_callback_body",
    "sent_callback",
    "set_address",
]

PATHS: Final = {
    "target": "$.subscribe.callback",
    "label": "$.subscribe.label",
    "types": "$.subscribe.type",
    "actions": "$.subscribe.remoteTypes",
    "retry": "$.subscribe.retryPolicy",
    "batch": "$.subscribe.batchNotify",
}
"""Where the parts of a callback stand, by the arguments of :meth:`Callback.update`."""


class CallbackStatus(OpenEnum):
    """Whether a callback delivers events."""

    RUNNING = "Running"
    PAUSED = "Paused"
    FAILED = "Failed"


class CallbackType(OpenEnum):
    """What a callback is for: events of monitors, or steps of commands."""

    MONITOR = "Monitor"
    REMOTE = "Remote"


class RemoteType(OpenEnum):
    """The type of a command, as callbacks of a fleet name it."""

    DOORS = "Doors"
    HORN = "Horn"
    LIGHTS = "Lights"
    WAKE_UP = "WakeUp"
    CHARGING = "ElectricBatteryChargingRequest"
    PRECONDITIONING = "ThermalPreconditioning"
    NAVIGATION = "Navigation"
    IMMOBILIZATION = "Immobilization"
    STOLEN = "Stolen"


class CallbackReference(Protocol):
    """A callback, as ``account.callbacks`` returns it."""

    @property
    def id(self) -> str | None:
        """The API's id."""
        ...


@attrs.frozen(kw_only=True, weakref_slot=False)
class Callback(TypedResource):
    """A registered target of events. Its methods return the callback as it is then; it never changes itself.

    Attributes:
        id: the API's id.
        label: its name.
        status: whether it delivers events.
        types: what it is for; empty: for both.
        webhook: where it delivers to, if to a webhook; :attr:`target` is any kind.
        push_notification: where it delivers to, if to devices.
        web_socket: where it delivers to, if to a websocket.
        actions: the commands that it is for, of a fleet; empty: of an account.
        retry: how a delivery is repeated, of a fleet.
        batch: whether events are delivered together, of a fleet.
    """

    id: str | None = attrs.field(default=None, metadata=names("id", "callbackId"))
    label: str | None = attrs.field(default=None, metadata=names("label", ("subscribe", "label")))
    status: CallbackStatus | None = None
    types: tuple[CallbackType, ...] = attrs.field(default=(), metadata=names(("subscribe", "type")))
    webhook: Webhook | None = attrs.field(default=None, metadata=names(("subscribe", "callback", "webhook")))
    push_notification: PushDevices | None = attrs.field(
        default=None, metadata=names(("subscribe", "callback", "pushnotif"))
    )
    web_socket: WebSocket | None = attrs.field(default=None, metadata=names(("subscribe", "callback", "websocket")))
    actions: tuple[RemoteType, ...] = attrs.field(default=(), metadata=names(("subscribe", "remoteTypes")))
    retry: DeliveryRetry | None = attrs.field(default=None, metadata=names(("subscribe", "retryPolicy")))
    batch: Batch | None = attrs.field(default=None, metadata=names(("subscribe", "batchNotify")))
    _address: str | None = attrs.field(default=None, eq=False, repr=False, metadata=unread())

    @property
    def target(self) -> Target | None:
        """Where it delivers to; None where that could not be read."""
        return self.webhook or self.push_notification or self.web_socket

    @property
    def kind(self) -> TargetKind | None:
        """The kind of its target, by the vendor's name; None where that could not be read."""
        if self.webhook is not None:
            return "webhook"
        if self.push_notification is not None:
            return "pushnotif"
        return None if self.web_socket is None else "websocket"

    @property
    def address(self) -> str:
        """Its own URL; monitors and commands are below it.

        Raises:
            DetachedResourceError: it was not read through a client.
        """
        if self._address is None:
            raise DetachedResourceError("this callback was not read through a client: it has no address")
        return self._address

    @property
    def accepted(self) -> frozenset[str]:
        """The types of events that it is for."""
        if self.is_of_fleet:
            return frozenset((CallbackType.REMOTE,))
        return frozenset(self.types or (CallbackType.MONITOR, CallbackType.REMOTE))

    @property
    def is_of_fleet(self) -> bool:
        """Whether it is for the commands to vehicles of a fleet."""
        return bool(self.actions)

    def accepts(self, type_: CallbackType | str) -> bool:
        """Return whether it is for events of a type, ``"Monitor"`` or ``"Remote"``."""
        return type_ in self.accepted

    async def pause(self) -> Callback:
        """Pause it: no event is posted until :meth:`resume`.

        Raises:
            NotFoundError: there is no such callback any more.
        """
        return await self._set_status(CallbackStatus.PAUSED)

    async def resume(self) -> Callback:
        """Let it deliver events again, after a pause or after it failed.

        Raises:
            NotFoundError: there is no such callback any more.
        """
        return await self._set_status(CallbackStatus.RUNNING)

    async def update(
        self,
        target: Target | None = None,
        *,
        label: str | None = None,
        types: Iterable[CallbackType | str] | None = None,
        actions: Iterable[RemoteType | str] | None = None,
        retry: DeliveryRetry | None = None,
        batch: Batch | None = None,
        allow_http_loopback: bool = False,
    ) -> Callback:
        """Replace it: the whole object is sent, what is not passed stays as it was read.

        Args:
            target: where to deliver to; None: as before.
            label: its name; None: as before.
            types: what it is for, of an account; None: as before.
            actions: the commands that it is for, of a fleet; None: as before.
            retry: how a delivery is repeated, of a fleet; None: as before.
            batch: whether events are delivered together, of a fleet; None: as before.
            allow_http_loopback: whether a webhook on this machine may have no TLS.

        Raises:
            ValueError: the target has no TLS, or cannot be sent, or a part that is not passed could not be read;
                nothing was sent.
            NotFoundError: there is no such callback any more.
        """
        given = {"target": target, "label": label, "types": types, "actions": actions, "retry": retry, "batch": batch}
        require_read("callback", unread_parts(self.problems, PATHS), given)
        new_target = self.target if target is None else target
        require_type("target", new_target, Webhook, PushDevices, instead='Webhook("https://…", token="…")')
        assert new_target is not None  # noqa: S101 - for the type checkers
        new_label = self.label if label is None else label
        if self.is_of_fleet:
            body = fleet_callback_body(
                new_target,
                label=new_label,
                actions=self.actions if actions is None else actions,
                retry=self.retry if retry is None else retry,
                batch=self.batch if batch is None else batch,
                allow_http_loopback=allow_http_loopback,
            )
        else:
            new_types = self.types if types is None else callback_types(types)
            body = callback_body(new_target, label=new_label, types=new_types, allow_http_loopback=allow_http_loopback)
        response = await send_json(self.require_resource(), "PUT", self.address, body)
        return as_sent(response, body, self)

    async def delete(self, *, with_monitors: bool = False) -> None:
        """Delete it. Its monitors go with it, and steps of commands under way are never delivered.

        One that is gone already is deleted.

        Args:
            with_monitors: must be True where it delivers events of monitors.

        Raises:
            ValueError: ``with_monitors`` is False, and it may have monitors; nothing was sent.
        """
        require_flags(with_monitors=with_monitors)
        if not with_monitors and self.accepts(CallbackType.MONITOR):
            raise ValueError("the monitors of a callback are deleted with it: pass with_monitors=True")
        try:
            await send_json(self.require_resource(), "DELETE", self.address)
        except NotFoundError:
            return  # as after a response that was lost

    async def _set_status(self, status: CallbackStatus) -> Callback:
        response = await send_json(
            self.require_resource(), "PUT", join_segment(self.address, "status"), {"status": str(status)}
        )
        return attrs.evolve(self, status=_stated(response).status or status)


def callback_types(types: Iterable[CallbackType | str] | str) -> tuple[CallbackType, ...]:
    """Return what a callback is for, each type once.

    Raises:
        ValueError: there is no such type.
    """
    found = tuple(dict.fromkeys(CallbackType(each) for each in ((types,) if isinstance(types, str) else types)))
    for each in found:
        if not each.is_known:
            raise ValueError(f"types of a callback are Monitor and Remote, not {each!r}")
    return found


def callback_body(
    target: Target,
    *,
    label: str | None,
    types: tuple[CallbackType, ...],
    allow_http_loopback: bool = False,
) -> dict[str, Any]:
    """Return a callback as the API takes it.

    Raises:
        ValueError: the label is empty, or the target cannot be sent.
    """
    require_type("label", label, str, None)
    if label is None or not label.strip():
        raise ValueError("a callback needs a label, by which it is found again")
    body: dict[str, Any] = {"label": label}
    if types:
        body["type"] = [str(each) for each in types]
    body["callback"] = target_body(target, label, allow_http_loopback=allow_http_loopback)
    return body


def fleet_callback_body(
    target: Target,
    *,
    label: str | None,
    actions: Iterable[RemoteType | str] | str,
    retry: DeliveryRetry | None = None,
    batch: Batch | None = None,
    allow_http_loopback: bool = False,
) -> dict[str, Any]:
    """Return a callback of a fleet as the API takes it.

    Raises:
        ValueError: the label is empty, no command is named, or the target cannot be sent.
    """
    require_type("target", target, Webhook, instead='Webhook("https://…", token="…")')
    body = callback_body(target, label=label, types=(), allow_http_loopback=allow_http_loopback)
    kinds = dict.fromkeys(RemoteType(each) for each in ((actions,) if isinstance(actions, str) else actions))
    for each in kinds:
        if not each.is_known:
            raise ValueError(f"actions are {', '.join(RemoteType)}, not {each!r}")
    if not kinds:
        raise ValueError("a callback of a fleet needs the commands that it is for: actions=('Doors',)")
    body["remoteTypes"] = [str(each) for each in kinds]
    if retry is not None:
        body["retryPolicy"] = retry_body(retry, for_remotes=True)
    if batch is not None:
        body["batchNotify"] = batch_body(batch)
    return body


def set_address(callback: Callback, address: str | None) -> Callback:
    """Set the URL of a callback that was not handed out yet, and return it."""
    object.__setattr__(callback, "_address", address)  # frozen
    return callback


def sent_callback(body: dict[str, Any]) -> Callback:
    """Return what was sent as it will be read."""
    label = {} if "remoteTypes" in body else {"label": body["label"]}
    return read({**label, "subscribe": body}, Callback)


def as_sent(response: HalResource, body: dict[str, Any], before: Callback) -> Callback:
    """Return a callback as it was sent, with what the response states of it.

    Args:
        response: of the write.
        body: what was sent.
        before: the callback that was replaced; of one that is new, its resource.
    """
    stated = _stated(response)
    sent = sent_callback(body)
    return attrs.evolve(
        before,
        id=stated.id or before.id,
        label=sent.label,
        status=stated.status or before.status,
        types=sent.types,
        webhook=sent.webhook,
        push_notification=sent.push_notification,
        web_socket=None,
        actions=sent.actions,
        retry=sent.retry,
        batch=sent.batch,
        problems=(),
        extra=sent.extra,
    )


def _stated(response: HalResource) -> Callback:
    """Return what the response of a write states: an id and a status, or nothing."""
    return response.as_(Callback) if response.kind == "object" else Callback()


def callback_id(callback: CallbackReference | str) -> str:
    """Return the id of a callback.

    Raises:
        TypeError: it is no callback and no id.
        ValueError: it has no id.
    """
    id_ = callback if isinstance(callback, str) else getattr(callback, "id", callback)
    if not isinstance(id_, str):
        raise TypeError(f"callback must be a callback or its id, not {type(callback).__name__}")
    if id_.strip() in {"", ".", ".."}:
        raise ValueError(f"the callback has no id that can be used: {mask_repr(id_)}")
    return id_
