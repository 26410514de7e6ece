"""Monitors: conditions that the vendor watches, and of whose fulfilment it posts events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs

from stellantis_hal.errors import DetachedResourceError, NotFoundError
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.hal.uri import join_segment
from stellantis_hal.resources.control.callback_targets import (
    CallbackAttribute,
    Webhook,
    attributes_body,
    check_attributes,
    target_body,
)
from stellantis_hal.resources.control.conditions import CONDITION, UNKNOWN_TRIGGER, MonitorCondition, condition_body
from stellantis_hal.resources.control.delivery_policy import Batch, DeliveryRetry, batch_body, retry_body
from stellantis_hal.resources.control.expressions import Expression
from stellantis_hal.resources.control.json_writes import send_json
from stellantis_hal.resources.control.trigger import Trigger
from stellantis_hal.resources.control.unread_parts import require_read, unread_parts
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.field_mapping import names, unread
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.typed_resource import TypedResource
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = [
    "PATHS",
    "Monitor",
    "MonitorSpec",
    "MonitorStatus",
    "monitor_body",
    "sent_monitor",
    "set_monitor_address",
    "stated_monitor",
]

_SHORTEST_REFRESH: Final = 60
_PREFIX: Final = "vehicle."
_TELEMETRY: Final = "telemetry"
_EXTENSIONS: Final = frozenset({"doorsState", "status", "maintenance", "position", "telemetry", "alerts", "trip"})
_HOLDERS: Final = _EXTENSIONS | {"alarm"}
_FLEETS: Final = _EXTENSIONS | {"collisions", "stolen"}
_CALLBACK_ATTRIBUTES: Final = "callbackAttributes"
_SUBSCRIPTION: Final = "$.monitor.subscribeParam"

PATHS: Final = {
    "when": "$.monitor.triggerParam",
    "include": "$.monitor.extendedEventParam",
    "refresh": f"{_SUBSCRIPTION}.refreshEvent",
    "attributes": "$.monitor.attributes",
    "deliver": f"{_SUBSCRIPTION}.callback",
    "retry": f"{_SUBSCRIPTION}.retryPolicy",
    "batch": f"{_SUBSCRIPTION}.batchNotify",
}
"""Where the parts of a monitor stand, by the arguments of :meth:`Monitor.update`."""


class MonitorStatus(OpenEnum):
    """Whether a monitor watches."""

    RUNNING = "Running"
    PAUSED = "Paused"
    FAILED = "Failed"


@attrs.frozen(kw_only=True, repr=False)
class MonitorSpec:
    """A monitor as it is wanted; checked when it is sent.

    Attributes:
        label: its name, by which it is found again.
        when: the condition: triggers, joined by ``& | ~``.
        include: data of the car in each event: ``status``, ``position``, ``telemetry``, ….
        refresh: at least how long after an event another one comes, as long as the condition holds; None: one event.
        attributes: what travels with its events, besides that of its callback; not for fleets.
        deliver: where its events go; for fleets, whose monitors have no callback.
        retry: how a delivery is repeated; for fleets.
        batch: whether several events are delivered together; for fleets.
    """

    label: str
    when: Expression = attrs.field(eq=str)
    include: Iterable[str] | str = ()
    refresh: timedelta | float | None = None
    attributes: Iterable[CallbackAttribute] = ()
    deliver: Webhook | None = None
    retry: DeliveryRetry | None = None
    batch: Batch | None = None

    __repr__ = redacted_repr


@attrs.frozen(kw_only=True, weakref_slot=False)
class Monitor(TypedResource):
    """A condition that the vendor watches. Its methods return the monitor as it is then; it never changes itself.

    Attributes:
        id: the API's id.
        label: its name.
        status: whether it watches.
        condition: what it waits for, as it was read; :attr:`when` is the expression.
        include: data of the car in each event.
        refresh: seconds, at least, between events while the condition holds; None: one event.
        attributes: what travels with its events, besides that of its callback.
        deliver: where its events go, of a monitor of a fleet.
        retry: how a delivery is repeated, of a monitor of a fleet.
        batch: whether events are delivered together, of a monitor of a fleet.
        created_at: when it was created.
        updated_at: when it was last changed.
    """

    id: str | None = attrs.field(default=None, metadata=names("monitorId", "id"))
    label: str | None = attrs.field(default=None, metadata=names(("monitor", "label")))
    status: MonitorStatus | None = None
    condition: Annotated[MonitorCondition, CONDITION] | None = attrs.field(
        default=None, metadata=names(("monitor", "triggerParam"))
    )
    include: tuple[str, ...] = attrs.field(default=(), metadata=names(("monitor", "extendedEventParam")))
    refresh: float | None = attrs.field(
        default=None, metadata=names(("monitor", "subscribeParam", "refreshEvent"), unit="s")
    )
    attributes: tuple[CallbackAttribute, ...] = attrs.field(default=(), metadata=names(("monitor", "attributes")))
    deliver: Webhook | None = attrs.field(
        default=None, metadata=names(("monitor", "subscribeParam", "callback", "webhook"))
    )
    retry: DeliveryRetry | None = attrs.field(
        default=None, metadata=names(("monitor", "subscribeParam", "retryPolicy"))
    )
    batch: Batch | None = attrs.field(default=None, metadata=names(("monitor", "subscribeParam", "batchNotify")))
    created_at: datetime | None = None
    updated_at: datetime | None = None
    _address: str | None = attrs.field(default=None, eq=False, repr=False, metadata=unread())

    @property
    def when(self) -> Expression | None:
        """The condition; None where its text does not parse: :attr:`when_text` has it, and ``problems`` why."""
        return None if self.condition is None else self.condition.expression

    @property
    def when_text(self) -> str | None:
        """The text of the condition, as the API states it."""
        return None if self.condition is None else self.condition.text

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """Its triggers."""
        return () if self.condition is None else self.condition.triggers

    @property
    def is_of_fleet(self) -> bool:
        """Whether it watches every vehicle of a fleet, and delivers to a webhook of its own."""
        return self.deliver is not None

    @property
    def address(self) -> str:
        """Its own URL.

        Raises:
            DetachedResourceError: it was not read through a client.
        """
        if self._address is None:
            raise DetachedResourceError("this monitor was not read through a client: it has no address")
        return self._address

    async def pause(self) -> Monitor:
        """Pause it: nothing is watched until :meth:`resume`.

        Raises:
            NotFoundError: there is no such monitor any more.
        """
        return await self._set_status(MonitorStatus.PAUSED)

    async def resume(self) -> Monitor:
        """Let it watch again, after a pause or after it failed.

        Raises:
            NotFoundError: there is no such monitor any more.
        """
        return await self._set_status(MonitorStatus.RUNNING)

    async def update(
        self,
        *,
        label: str | None = None,
        when: Expression | None = None,
        include: Iterable[str] | str | None = None,
        refresh: timedelta | float | None = None,
        attributes: Iterable[CallbackAttribute] | None = None,
        deliver: Webhook | None = None,
        retry: DeliveryRetry | None = None,
        batch: Batch | None = None,
        allow_http_loopback: bool = False,
    ) -> Monitor:
        """Replace it: the whole object is sent, what is not passed stays as it was read.

        Args:
            label: its name; None: as before.
            when: the condition; None: as before.
            include: data of the car in each event; None: as before.
            refresh: seconds between events while the condition holds; 0: one event only; None: as before.
            attributes: what travels with its events; None: as before.
            deliver: where its events go, of a monitor of a fleet; None: as before.
            retry: how a delivery is repeated, of a monitor of a fleet; None: as before.
            batch: whether events are delivered together, of a monitor of a fleet; None: as before.
            allow_http_loopback: whether a webhook on this machine may have no TLS, for tests.

        Raises:
            ValueError: the API would refuse it, or a part that is not passed could not be read; nothing was sent.
            NotFoundError: there is no such monitor any more.
        """
        wanted = self.when if when is None else when
        if wanted is None:
            raise ValueError("the condition of this monitor could not be read: pass when=, which replaces it")
        kept = [problem for problem in self.problems if problem.reason != UNKNOWN_TRIGGER]  # sent as it was read
        given: dict[str, object] = {"when": when, "include": include, "refresh": refresh, "attributes": attributes}
        given |= {"deliver": deliver, "retry": retry, "batch": batch}
        require_read("monitor", unread_parts(kept, PATHS), given)
        spec = MonitorSpec(
            label=(self.label or "") if label is None else label,
            when=wanted,
            include=self.include if include is None else include,
            refresh=self.refresh if refresh is None else (refresh or None),
            attributes=self.attributes if attributes is None else attributes,
            deliver=self.deliver if deliver is None else deliver,
            retry=self.retry if retry is None else retry,
            batch=self.batch if batch is None else batch,
        )
        body = monitor_body(spec, for_fleets=self.is_of_fleet, allow_http_loopback=allow_http_loopback)
        own = self._callback_attributes()
        if own is not None:
            body["subscribeParam"] = {**body.get("subscribeParam", {}), _CALLBACK_ATTRIBUTES: own}
        return await self._replace(body)

    def _callback_attributes(self) -> Any:
        """Return what this monitor adds to the attributes of its callback, as it was read; None where it adds none."""
        extra: Any = self.extra
        for key in ("monitor", "subscribeParam", _CALLBACK_ATTRIBUTES):
            extra = extra.get(key) if isinstance(extra, Mapping) else None
        return extra

    async def delete(self) -> None:
        """Delete it; one that is gone already is deleted."""
        try:
            await send_json(self.require_resource(), "DELETE", self.address)
        except NotFoundError:
            return  # as after a response that was lost

    async def _replace(self, body: dict[str, Any]) -> Monitor:
        response = await send_json(self.require_resource(), "PUT", self.address, body)
        return sent_monitor(response, body, self)

    async def _set_status(self, status: MonitorStatus) -> Monitor:
        url = join_segment(self.address, "status")
        stated = stated_monitor(await send_json(self.require_resource(), "PUT", url, {"status": str(status)}))
        return attrs.evolve(self, status=stated.status or status, updated_at=stated.updated_at or self.updated_at)

    async def replaced_by(self, spec: MonitorSpec, *, allow_http_loopback: bool = False) -> Monitor:
        """Replace it by another one, whole, and return that.

        Raises:
            ValueError: the API would refuse it; nothing was sent.
            NotFoundError: there is no such monitor any more.
        """
        return await self._replace(
            monitor_body(spec, for_fleets=self.is_of_fleet, allow_http_loopback=allow_http_loopback)
        )


# ------------------------------------------------------------------------------------------------- bodies


def monitor_body(spec: MonitorSpec, *, for_fleets: bool = False, allow_http_loopback: bool = False) -> dict[str, Any]:
    """Return a monitor as the API takes it.

    Args:
        spec: the monitor.
        for_fleets: whether it is for a fleet (B2B), not for an account holder's vehicle (B2C).
        allow_http_loopback: whether a webhook on this machine may have no TLS.

    Raises:
        ValueError: the API would refuse it; the message says what to do.
        TypeError: a value has another type.
    """
    require_type("label", spec.label, str)
    if not spec.label.strip():
        raise ValueError("a monitor needs a label, by which it is found again")
    body: dict[str, Any] = {
        "label": spec.label,
        "triggerParam": condition_body(spec.when, for_fleets=for_fleets),
    }
    subscription = _subscription(spec, for_fleets=for_fleets, allow_http_loopback=allow_http_loopback)
    if subscription:
        body["subscribeParam"] = subscription
    attributes = check_attributes(spec.attributes)
    if attributes:
        if for_fleets:
            raise ValueError("monitors of fleets have no attributes: put them into deliver=Webhook(…, attributes=…)")
        if any(each.part == "Query" for each in attributes):
            raise ValueError("an attribute of a monitor travels in a header or in the body, not in the query")
        body["attributes"] = attributes_body(attributes)
    included = extensions(spec.include, for_fleets=for_fleets)
    if included:
        body["extendedEventParam"] = included
    return body


def _subscription(spec: MonitorSpec, *, for_fleets: bool, allow_http_loopback: bool) -> dict[str, Any]:
    subscription: dict[str, Any] = {}
    if spec.refresh is not None:
        subscription["refreshEvent"] = _refresh(spec.refresh)
    if not for_fleets:
        if spec.deliver is not None or spec.retry is not None or spec.batch is not None:
            raise ValueError(
                "deliver, retry and batch are for monitors of fleets: this one delivers as its callback does"
            )
        return subscription
    if spec.deliver is None:
        raise ValueError('a monitor of a fleet needs deliver=Webhook("https://…", token="…")')
    require_type("deliver", spec.deliver, Webhook)
    subscription["callback"] = target_body(spec.deliver, spec.label, allow_http_loopback=allow_http_loopback)
    if spec.retry is not None:
        require_type("retry", spec.retry, DeliveryRetry, instead="DeliveryRetry.bounded(3)")
        subscription["retryPolicy"] = retry_body(spec.retry)
    if spec.batch is not None:
        require_type("batch", spec.batch, Batch, instead="Batch(10)")
        subscription["batchNotify"] = batch_body(spec.batch)
    return subscription


def _refresh(refresh: timedelta | float) -> int:
    seconds = refresh.total_seconds() if isinstance(refresh, timedelta) else refresh
    if isinstance(seconds, bool):
        raise TypeError("refresh must be a timedelta or a number of seconds, not bool")
    require_type("refresh", seconds, int, float)
    if not _SHORTEST_REFRESH <= seconds < math.inf or seconds != int(seconds):
        raise ValueError(f"refresh must be whole seconds, at least {_SHORTEST_REFRESH}, not {seconds:g}")
    return int(seconds)


def extensions(include: Iterable[str] | str, *, for_fleets: bool = False) -> list[str]:
    """Return data of the car as the API names it: ``status`` is ``vehicle.status``.

    Raises:
        ValueError: events have no such data.
    """
    offered = _FLEETS if for_fleets else _HOLDERS
    found: list[str] = []
    for each in (include,) if isinstance(include, str) else include:
        require_type("include", each, str)
        name = str(each).removeprefix(_PREFIX)
        kind, dot, type_ = name.partition(".")
        if kind not in offered or (dot and (kind != _TELEMETRY or not type_)):
            raise ValueError(
                f"events do not include {name[:40]!r}: they include {', '.join(sorted(offered))}, "
                "and telemetry.TYPE as in telemetry.vehicle.battery"
            )
        found.append(_PREFIX + name)
    return list(dict.fromkeys(found))


# ------------------------------------------------------------------------------------------------- answers


def set_monitor_address(monitor: Monitor, address: str | None) -> Monitor:
    """Set the URL of a monitor that was not handed out yet, and return it."""
    object.__setattr__(monitor, "_address", address)  # frozen
    return monitor


def stated_monitor(response: HalResource) -> Monitor:
    """Return what the response of a write states: id, status and times, or nothing."""
    return response.as_(Monitor) if response.kind == "object" else Monitor()


def sent_monitor(response: HalResource, body: dict[str, Any], before: Monitor) -> Monitor:
    """Return a monitor as it was sent, with what the response states of it.

    Args:
        response: of the write.
        body: what was sent.
        before: the monitor that was replaced; of one that is new, its resource and address.
    """
    stated, sent = stated_monitor(response), read({"monitor": body}, Monitor)
    return attrs.evolve(
        before,
        id=stated.id or before.id,
        label=sent.label,
        status=stated.status or before.status,
        condition=sent.condition,
        include=sent.include,
        refresh=sent.refresh,
        attributes=sent.attributes,
        deliver=sent.deliver,
        retry=sent.retry,
        batch=sent.batch,
        created_at=stated.created_at or before.created_at,
        updated_at=stated.updated_at or before.updated_at,
        problems=(),
        extra=sent.extra,
    )
