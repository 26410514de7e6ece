"""Callbacks of the simulated API: where events of monitors and commands are delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from stellantis_hal.simulator.api.callback_body_checks import (
    KINDS,
    TYPES,
    check_fleet_subscription,
    check_subscription,
    status_of,
)
from stellantis_hal.simulator.api.http_messages import HAL_JSON, Response, json_response
from stellantis_hal.simulator.api.request_context import (
    RequestContext,
    method_not_allowed,
    no_data,
    not_found,
)
from stellantis_hal.simulator.api.serializer import link
from stellantis_hal.simulator.world.seeded import hex_digits

__all__ = ["CallbackRegistry", "RegisteredCallback"]

ListResponse = Callable[[RequestContext, str, Sequence[Any], Callable[[Any], dict[str, Any]]], Response]
"""Returns a page of a collection: its name, its items, and the body of each."""

_SCOPES = (
    "data:telemetry",
    "data:position",
    "data:trip",
    "data:alert",
    "data:collision",
    "remote:door:write",
    "remote:preconditioning:write",
    "remote:horn:write",
    "remote:charging:write",
    "remote:lights:write",
    "remote:wakeup:write",
    "remote:navigation:write",
)


@attrs.define
class RegisteredCallback:
    """A registered callback.

    Attributes:
        id: the API's id.
        owner: key of the account, or id of the fleet, that registered it.
        subscription: the object that was posted.
        status: ``Running``, ``Paused`` or ``Failed``.
    """

    id: str
    owner: str
    subscription: dict[str, Any]
    status: str = "Running"

    @property
    def label(self) -> str | None:
        """Its label."""
        label: str | None = self.subscription.get("label")
        return label

    @property
    def types(self) -> tuple[str, ...]:
        """What it is for: ``Monitor``, ``Remote``."""
        return tuple(self.subscription.get("type") or TYPES)

    @property
    def kind(self) -> str:
        """The kind of its target: ``webhook``, ``pushnotif`` or ``websocket``."""
        return next(kind for kind in KINDS if kind in self.subscription["callback"])

    @property
    def url(self) -> str | None:
        """The URL that events are sent to; None for devices."""
        target: str | None = self.subscription["callback"][self.kind].get("target")
        return target

    @property
    def devices(self) -> list[str]:
        """The devices that events are pushed to."""
        devices: list[str] = self.subscription["callback"][self.kind].get("devices", [])
        return devices

    @property
    def attributes(self) -> list[tuple[str, str, str]]:
        """What travels with every event: (``Header``, ``Body`` or ``Query``; key; value)."""
        found = self.subscription["callback"][self.kind].get("attributes") or []
        return [(each["type"], each["key"], each["value"]) for each in found]

    @property
    def retry(self) -> dict[str, Any] | None:
        """The ``retryPolicy`` of a fleet owner's callback."""
        policy: dict[str, Any] | None = self.subscription.get("retryPolicy")
        return policy

    @property
    def batch(self) -> dict[str, Any] | None:
        """The ``batchNotify`` of a fleet owner's callback."""
        batch: dict[str, Any] | None = self.subscription.get("batchNotify")
        return batch


class CallbackRegistry:
    """The callbacks of all callers, by id."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self._registered: dict[str, RegisteredCallback] = {}
        self._deliveries: dict[str, RegisteredCallback] = {}
        self.on_deleted: list[Callable[[str], None]] = []

    # ------------------------------------------------------------------ state

    def get(self, id_: str) -> RegisteredCallback | None:
        """Return a callback by its id, or the delivery of a fleet's monitor; None where there is none (any more)."""
        return self._registered.get(id_) or self._deliveries.get(id_)

    def of(self, owner: str) -> list[RegisteredCallback]:
        """Return the callbacks of an account or a fleet, the oldest first."""
        return [callback for callback in self._registered.values() if callback.owner == owner]

    def owned(self, owner: str, id_: str) -> RegisteredCallback:
        """Return a callback of an account or a fleet; refuse the request where it has none with this id."""
        callback = self._registered.get(id_)
        if callback is None or callback.owner != owner:
            raise no_data()
        return callback

    def add(self, owner: str, subscription: dict[str, Any]) -> RegisteredCallback:
        """Register a callback."""
        self._made += 1
        callback = RegisteredCallback(hex_digits(self._seed, "callback", self._made, size=16), owner, subscription)
        self._registered[callback.id] = callback
        return callback

    def add_delivery(self, id_: str, owner: str, subscription: dict[str, Any]) -> None:
        """Set where the events of a fleet's monitor are delivered to, by the id of the monitor."""
        self._deliveries[id_] = RegisteredCallback(id_, owner, subscription)

    def remove_delivery(self, id_: str) -> None:
        """Remove the delivery of a monitor."""
        del self._deliveries[id_]

    def delete(self, id_: str) -> None:
        """Delete a callback, and what depends on it."""
        del self._registered[id_]
        for forget in self.on_deleted:
            forget(id_)

    def unregister_device(self, device: str) -> None:
        """Remove a device from all callbacks, as its system may do; a callback goes with its last device."""
        for callback in list(self._registered.values()):
            if device in callback.devices:
                callback.devices.remove(device)
                if not callback.devices:
                    self.delete(callback.id)

    # ------------------------------------------------------------------ requests of account holders

    def respond(self, context: RequestContext, rest: tuple[str, ...], collection: ListResponse) -> Response:
        """Return the response to a request for ``/user/callbacks`` or an address below it."""
        context.require_scope(*_SCOPES)
        owner = context.account.key
        base = f"{context.caller.base}/user/callbacks"
        match context.request.method, rest:
            case "GET" | "HEAD", ():
                wanted = set(context.request.values("types"))
                found = [each for each in self.of(owner) if not wanted or wanted & set(each.types)]
                return collection(context, "callbacks", found, lambda each: _body(each, base))
            case "POST", ():
                callback = self.add(owner, check_subscription(context.json_object()))
                return _reference(200, callback, base)
            case method, (id_, *below):
                return self._respond_to_one(context, method, self.owned(owner, id_), tuple(below), base)
            case _:
                raise method_not_allowed()

    def respond_to_fleet(
        self, context: RequestContext, fleet: str, rest: tuple[str, ...], base: str, collection: ListResponse
    ) -> Response:
        """Return the response to a request for the callbacks of a fleet, or an address below them.

        Args:
            context: the request.
            fleet: the id of the fleet.
            rest: the segments below the collection.
            base: the URL of the collection.
            collection: returns a page of a collection.
        """
        match context.request.method, rest:
            case "GET" | "HEAD", ():
                wanted = set(context.request.values("types"))
                found = [
                    each for each in self.of(fleet) if not wanted or wanted & set(each.subscription["remoteTypes"])
                ]
                return collection(context, "callbacks", found, lambda each: _body(each, base, is_fleet=True))
            case "POST", ():
                callback = self.add(fleet, check_fleet_subscription(context.json_object()))
                return _reference(200, callback, base, is_fleet=True)
            case method, (id_, *below):
                callback = self.owned(fleet, id_)
                return self._respond_to_one(context, method, callback, tuple(below), base, is_fleet=True)
            case _:
                raise method_not_allowed()

    def _respond_to_one(
        self,
        context: RequestContext,
        method: str,
        callback: RegisteredCallback,
        below: tuple[str, ...],
        base: str,
        *,
        is_fleet: bool = False,
    ) -> Response:
        if below == ("status",):
            context.require_method("PUT")
            callback.status = status_of(context.json_object())
            return _reference(202, callback, base, is_fleet=is_fleet)
        if below:
            raise not_found()
        context.require_method("GET", "HEAD", "PUT", "DELETE")
        if method == "PUT":
            check = check_fleet_subscription if is_fleet else check_subscription
            callback.subscription = check(context.json_object())
            return _reference(202, callback, base, is_fleet=is_fleet)
        if method == "DELETE":
            self.delete(callback.id)
            return Response(status=204, kind="callback")
        return json_response(200, _body(callback, base, is_fleet=is_fleet), kind="callback", media_type=HAL_JSON)


# ---------------------------------------------------------------------- bodies


def _body(callback: RegisteredCallback, base: str, *, is_fleet: bool = False) -> dict[str, Any]:
    links = {"self": link(f"{base}/{callback.id}")}
    body: dict[str, Any] = {"id": callback.id, "subscribe": callback.subscription, "status": callback.status}
    if is_fleet:
        return {**body, "_links": {**links, "fleet": link(base.removesuffix("/remote/callbacks"))}}
    return {**body, **({} if callback.label is None else {"label": callback.label}), "_links": links}


def _reference(status: int, callback: RegisteredCallback, base: str, *, is_fleet: bool = False) -> Response:
    links = {"callback": link(f"{base}/{callback.id}")}
    if is_fleet:
        links["fleet"] = link(base.removesuffix("/remote/callbacks"))
    body = {"callbackId": callback.id, "status": callback.status, "_links": links}
    return json_response(status, body, kind="callback", media_type=HAL_JSON)
