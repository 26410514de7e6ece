"""Events that the vendor sends to a callback."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from stellantis_hal.hal.deep_pickle import reduce_fields
from stellantis_hal.hal.redaction import hide, redacted_repr
from stellantis_hal.resources.alarm import Alarm
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.blocks.equipment import Doors
from stellantis_hal.resources.collision import Collision
from stellantis_hal.resources.control.failure_causes import FailureCause
from stellantis_hal.resources.control.operation_step import OperationStatus, OperationStep
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.problems import Problem

__all__ = ["EventValue", "MonitorEvent", "Notification", "RemoteEvent", "UnreadableEvent"]

_NOTHING: Mapping[str, Any] = {}


@attrs.frozen(kw_only=True)
class Notification:
    """One event as the vendor sent it. Attributes are None or empty where the body has nothing for them.

    Attributes:
        id: the identity of the event, the same in every delivery, alone and in a batch.
        callback_id: the callback that it was sent for; missing from events of a fleet's monitors.
        fleet_id: the fleet.
        at: when it was raised.
        vin: the vehicle: by the body attribute ``vin``, by the event itself, or by the registry of the receiver.
        vehicle_id: the vendor's id of the vehicle, where the registry of the receiver has it.
        attributes: the body attributes that travelled with it, without the token.
        is_verified: whether it came with the receiver's token, or by the secret path where there is no token.
        received_at: when the receiver stored it; None where it was parsed only.
        document: the event as it was received, without attributes.
        problems: what could not be read, by its path in the document.
    """

    __repr__ = redacted_repr

    def __reduce__(self) -> Any:
        return reduce_fields(self)

    id: str
    callback_id: str | None = attrs.field(default=None, repr=hide)
    fleet_id: str | None = attrs.field(default=None, repr=hide)
    at: datetime | None = None
    vin: str | None = None
    vehicle_id: str | None = None
    attributes: Mapping[str, str] = attrs.field(default=_NOTHING, hash=False)
    is_verified: bool = False
    received_at: datetime | None = attrs.field(default=None, eq=False)
    document: Mapping[str, Any] = attrs.field(default=_NOTHING, eq=False, repr=False)
    problems: tuple[Problem, ...] = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen(kw_only=True)
class EventValue:
    """A value that fired a trigger.

    Attributes:
        data: the data item: ``"vehicle.energy.electric.level"``.
        texts: the values as text, one as a rule: ``("19",)``, ``("true",)``.
        previous: what it was before, where the trigger asked for it.
        alerts: the alerts of a value that is one.
        collisions: the collisions of a value that is one.
        objects: other values that are objects, as received.
    """

    __repr__ = redacted_repr

    def __reduce__(self) -> Any:
        return reduce_fields(self)

    data: str | None = None
    texts: tuple[str, ...] = ()
    previous: str | None = None
    alerts: tuple[Alert, ...] = ()
    collisions: tuple[Collision, ...] = ()
    objects: tuple[Mapping[str, Any], ...] = attrs.field(default=(), repr=False, hash=False)

    @property
    def text(self) -> str | None:
        """The first value as text; None where there is none."""
        return self.texts[0] if self.texts else None

    @property
    def number(self) -> float | None:
        """The first value as a number; None where it is none."""
        return _number(self.text)

    @property
    def is_true(self) -> bool | None:
        """The first value as a boolean; None where it is neither ``true`` nor ``false``."""
        return {"true": True, "false": False}.get((self.text or "").lower())


@attrs.frozen(kw_only=True, repr=False)
class MonitorEvent(Notification):
    """A monitor's expression became true, or still is.

    Attributes:
        monitor_id: the monitor.
        is_reminder: whether the expression was true before; False where it has just become true.
        values: the values that fired it.
        status: the status, where the monitor includes it; likewise the following.
        position: the position.
        doors: the doors.
        maintenance: the next maintenance.
        alerts: the active alerts.
        alarm: the alarm.
        trip: the trip that the event belongs to.
        telemetry: measurements, one for each kind that was asked for.
        collisions: the collisions.
        stolen: the theft, as received.
    """

    monitor_id: str | None = attrs.field(default=None, repr=hide)
    is_reminder: bool = False
    values: tuple[EventValue, ...] = ()
    status: Status | None = None
    position: Position | None = None
    doors: Doors | None = None
    maintenance: Maintenance | None = None
    alerts: tuple[Alert, ...] = ()
    alarm: Alarm | None = None
    trip: Trip | None = None
    telemetry: tuple[Telemetry, ...] = ()
    collisions: tuple[Collision, ...] = ()
    stolen: Mapping[str, Any] | None = attrs.field(default=None, repr=hide, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class RemoteEvent(Notification):
    """A step of a command.

    Attributes:
        remote_id: the operation.
        kind: what was commanded: ``"Doors"``; ``"ChargingState"`` and ``"VehicleState"`` occur in events only.
        phase: ``"Pending"`` or ``"Done"``.
        status: ``"Accepted"``, ``"Success"``, ``"Failed"`` and so on.
        cause: why it failed.
        detail: more about a success of forced locking.
    """

    remote_id: str | None = attrs.field(default=None, repr=hide)
    kind: str | None = None
    phase: str | None = None
    status: OperationStatus | None = None
    cause: FailureCause | None = None
    detail: str | None = None

    @property
    def step(self) -> OperationStep | None:
        """The step of the operation; None where the event has no status."""
        if self.status is None:
            return None
        return OperationStep(self.status, self.cause, self.at, "event", self.detail)


@attrs.frozen(kw_only=True, repr=False)
class UnreadableEvent(Notification):
    """A body, or an item of a batch, that is no event.

    Attributes:
        reason: what is wrong with it.
        content: the bytes that were received; the first of them where it is truncated.
        size: the number of bytes that were received.
        is_truncated: whether ``content`` is not all of them.
    """

    reason: str = ""
    content: bytes = b""
    size: int = 0
    is_truncated: bool = False


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and number - number == 0.0 else None
