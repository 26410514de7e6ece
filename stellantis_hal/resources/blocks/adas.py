"""Driver assistance."""

from __future__ import annotations

import attrs

from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum

__all__ = [
    "Adas",
    "AdasState",
    "CruiseControl",
    "EmergencyBraking",
    "GearIndication",
    "LaneDeparture",
    "LaneKeeping",
    "ParkAssist",
    "ParkAssistState",
    "SpeedRegulation",
    "TimeGap",
]


class ParkAssistState(OpenEnum):
    """State of a parking aid."""

    FAULT = "Fault"
    DRIVER_INHIBITION = "DriverInhibition"
    TRAILER_INHIBITION = "TrailerInhibition"
    ACTIVE = "Active"
    WAIT = "Wait"
    OUT_OF_SERVICE = "OutOfService"


class CruiseControl(OpenEnum):
    """State of the adaptive cruise control."""

    ACTIVATED = "Activated"
    FAULT = "Fault"
    HOLD = "Hold"
    HOLD_WITH_OVER_SPEEDING = "HoldWithOverSpeeding"
    OFF = "Off"
    OVER_SPEEDING_BY_PEDAL_PRESS = "OverSpeedingByPedalPress"
    STAND_BY = "StandBy"


class SpeedRegulation(OpenEnum):
    """State of the speed regulation."""

    OFF = "Off"
    NO_BEST_FIT = "NoBestFit"
    BEST_FIT_IN_PROGRESS = "BestFitInProgress"
    BEST_FIT_MAX = "BestFitMax"
    BEST_FIT_MIN = "BestFitMin"
    BEST_FIT_DEACTIVATED = "BestFitDeactivated"
    AUTO_DEACTIVATED = "AutoDeactivated"
    OVERFLOW_SPEED_CONSIGN = "OverflowSpeedConsign"
    LACK_OF_VISIBILITY_RADAR = "LackOfVisibilityRadar"
    LEARNING_RADAR = "LearningRadar"
    DEACTIVATED = "Deactivated"
    LIMIT_SETTING = "LimitSetting"


class EmergencyBraking(OpenEnum):
    """State of the warning light of the emergency braking."""

    OFF = "off"
    FIXED = "Fixed"
    ON_FLASHING = "OnFlashing"


class LaneDeparture(OpenEnum):
    """State of the lane departure warning light."""

    FLASHING_FAULT = "FlashingFault"
    FLASHING_WARNING = "FlashingWarning"
    OFF = "Off"
    ON_FIXED = "OnFixed"


class TimeGap(OpenEnum):
    """Whether the time gap assistance is selected."""

    NOT_SELECTED = "NotSelected"
    SELECTED = "Selected"
    UNAVAILABLE = "Unavailable"


class AdasState(OpenEnum):
    """State of the blind spot monitoring."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    DISABLED = "Disabled"
    FAULT = "Fault"


class LaneKeeping(OpenEnum):
    """State of a lane keeping assistance."""

    AUTHORIZED = "Authorized"
    CORRECTION_IN_PROGRESS = "CorrectionInProgress"
    NOT_AUTHORIZED = "NotAuthorized"
    NOT_SELECTED = "NotSelected"


class GearIndication(OpenEnum):
    """The recommended gear change."""

    NONE = "None"
    UP = "Up"
    DOWN = "Down"
    UP_DOWN = "UpDown"


@attrs.frozen(kw_only=True, weakref_slot=False)
class ParkAssist(Model):
    """The parking aids at both ends."""

    front: tuple[ParkAssistState, ...] = ()
    rear: tuple[ParkAssistState, ...] = ()


@attrs.frozen(kw_only=True, weakref_slot=False)
class Adas(Model):
    """Driver assistance, under the vendor's abbreviations.

    Attributes:
        park_assist: parking aids.
        accr: adaptive cruise control.
        lvv: speed limiter.
        rvv: speed regulation.
        aebs: emergency braking.
        afil: lane departure warning.
        artiv: time gap to the vehicle ahead.
        bsm: blind spot monitoring.
        esp: stability program.
        abs: anti-lock brakes.
        fse: electric brake.
        sli: the recognised speed limit, in km/h.
        rlka: lane keeping on the right.
        llka: lane keeping on the left.
        rgi: the recommended gear change.
    """

    park_assist: ParkAssist | None = None
    accr: CruiseControl | None = None
    lvv: bool | None = None
    rvv: SpeedRegulation | None = None
    aebs: EmergencyBraking | None = None
    afil: LaneDeparture | None = None
    artiv: TimeGap | None = None
    bsm: AdasState | None = None
    esp: bool | None = None
    abs: bool | None = None
    fse: bool | None = None
    sli: int | None = attrs.field(default=None, metadata=names(unit="km/h"))
    rlka: LaneKeeping | None = None
    llka: LaneKeeping | None = None
    rgi: GearIndication | None = None
