"""The burglar alarm."""

from __future__ import annotations

from datetime import datetime

import attrs

from stellantis_hal.resources.blocks.measured import MeasuredBlock
from stellantis_hal.resources.position import Position
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["Alarm", "AlarmActivation", "AlarmState", "AlarmStatus", "AlarmTrigger", "AlarmTriggerType"]


class AlarmActivation(OpenEnum):
    """Whether the alarm is armed."""

    INACTIVE = "Inactive"
    ACTIVE = "Active"


class AlarmTriggerType(OpenEnum):
    """What set the alarm off."""

    NO_BREAK_IN = "NoBreakIn"
    FRONT_RIGHT_DOOR = "FrontRightDoorBreakIn"
    FRONT_LEFT_DOOR = "FrontLeftDoorBreakIn"
    REAR_RIGHT_FRONT_DOOR = "RearRightFrontDoorBreakIn"
    REAR_LEFT_FRONT_DOOR = "RearLeftFrontDoorBreakIn"
    HOOD = "HoodDoorBreakIn"
    TRUNK = "TrunkDoorBreakIn"
    BACKLITE = "BackliteDoorBreakIn"
    ROOF = "RoofBreakIn"
    VOLUMETRIC = "VolumetricBreakIn"
    VEHICLE_LIFTING = "VehicleLifting"
    ELECTRICAL_SYSTEM = "ElectricalsystemBreakIn"
    KEY_LEARNING = "KeyLearning"
    UNAUTHENTICATED_STARTUP = "UnauthenticatedStartup"


@attrs.frozen(kw_only=True, weakref_slot=False)
class AlarmTrigger(MeasuredBlock):
    """What set the alarm off, where and when.

    Attributes:
        started_at: when it went off.
    """

    type: AlarmTriggerType | None = None
    position: Position | None = None
    started_at: datetime | None = attrs.field(default=None, metadata=names("startAt"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class AlarmStatus(MeasuredBlock):
    """Whether the alarm is armed, and since when."""

    activation: AlarmActivation | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class AlarmState(Model):
    """The alarm in a status: whether it is armed, and what last set it off."""

    trigger: AlarmTrigger | None = None
    status: AlarmStatus | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Alarm(TypedResource):
    """One event of the alarm: it was set off, or armed or disarmed; only one of both is there.

    Attributes:
        id: its id at the API.
    """

    id: str | None = None
    trigger: AlarmTrigger | None = None
    status: AlarmStatus | None = None

    @property
    def created_at(self) -> datetime | None:
        """When it happened."""
        happened = self.trigger or self.status
        return None if happened is None else happened.created_at
