"""Causes of failed operations, what to do about them, and whether to try again."""

from __future__ import annotations

from typing import Final, NamedTuple

from stellantis_hal.structuring.open_enum import OpenEnum

__all__ = ["FailureCause"]


class _Group(NamedTuple):
    advice: str
    is_retryable: bool


_RIGHTS: Final = _Group("ask the account holder for the right, or for another privacy level of the car", False)
_WRONG: Final = _Group("the car does not take this command: check its values", False)
_TOO_MUCH: Final = _Group("wait until the running operation is over, then try again", True)
_WAKE_UPS: Final = _Group("the car will not be woken again before the next month", False)
_ENERGY: Final = _Group("try again once the car was charged or driven", False)
_STATE: Final = _Group("try again once the car is in order: parked, closed, locked, its key not inside", False)
_REACH: Final = _Group("try again once the car has network again", True)
_FAULT: Final = _Group("the car or its server failed: try again later", True)
_UNKNOWN: Final = _Group("this cause is not known: look at the car before trying again", False)


class FailureCause(OpenEnum):
    """Why an operation failed; causes that this library does not list are kept."""

    MISSING_RIGHTS = "MissingRights"
    VEHICLE_PRIVACY_LEVEL = "NotPossibleDueToVehiclePrivacyLevel"
    WRONG_COMMAND = "WrongCommand"
    SAME_ACTION_IN_PROGRESS = "SameActionInProgress"
    TOO_MANY_REQUEST_IN_SHORT_TIME = "TooManyRequestInShortTime"
    TOO_MANY_REQUEST_SENT = "TooManyRequestSent"
    TOO_MANY_WAKE_UPS_OVER_MONTH = "TooManyWakeUpsOverMonth"
    VEHICLE_BATTERY_LEVEL = "NotPossibleDueToVehicleBatteryLevel"
    VEHICLE_BATTERY_CHARGE_TOO_LOW = "VehicleBatteryChargeTooLow"
    VEHICLE_IN_USE = "VehicleInUse"
    DOORS_OPEN = "DoorsOpen"
    VEHICLE_IS_NOT_LOCKED = "VehicleIsNotLocked"
    CID_INSIDE = "CidInside"
    VEHICLE_ERROR_OR_CID_INSIDE = "VehicleErrorOrCidInside"
    VEHICLE_STOLEN_STATE = "NotPossibleDueToVehicleStolenState"
    CANCELED_BY_DRIVER = "CanceledByDriver"
    VEHICLE_CONNECTION_TIMEOUT = "VehicleConnectionTimeout"
    GENERAL_ERROR = "GeneralError"
    VEHICLE_ERROR = "VehicleError"
    EXTERNAL_CHARGING_SYSTEM_ERROR = "ExternalChargingSystemError"
    VEHICLE_CHARGING_SYSTEM_ERROR = "VehicleChargingSystemError"

    @classmethod
    def _spellings(cls) -> dict[str, str]:
        return {"TooManyWakesUpsOverMonth": "TooManyWakeUpsOverMonth"}

    @property
    def advice(self) -> str:
        """What to do, in one sentence."""
        return _group(self).advice

    @property
    def is_retryable(self) -> bool:
        """Whether the same command may succeed later without a change of the car or its rights."""
        return _group(self).is_retryable


def _group(cause: FailureCause) -> _Group:
    return _GROUPS.get(cause, _UNKNOWN)


_GROUPS: Final[dict[str, _Group]] = {
    FailureCause.MISSING_RIGHTS: _RIGHTS,
    FailureCause.VEHICLE_PRIVACY_LEVEL: _RIGHTS,
    FailureCause.WRONG_COMMAND: _WRONG,
    FailureCause.SAME_ACTION_IN_PROGRESS: _TOO_MUCH,
    FailureCause.TOO_MANY_REQUEST_IN_SHORT_TIME: _TOO_MUCH,
    FailureCause.TOO_MANY_REQUEST_SENT: _TOO_MUCH,
    FailureCause.TOO_MANY_WAKE_UPS_OVER_MONTH: _WAKE_UPS,
    FailureCause.VEHICLE_BATTERY_LEVEL: _ENERGY,
    FailureCause.VEHICLE_BATTERY_CHARGE_TOO_LOW: _ENERGY,
    FailureCause.VEHICLE_IN_USE: _STATE,
    FailureCause.DOORS_OPEN: _STATE,
    FailureCause.VEHICLE_IS_NOT_LOCKED: _STATE,
    FailureCause.CID_INSIDE: _STATE,
    FailureCause.VEHICLE_ERROR_OR_CID_INSIDE: _STATE,
    FailureCause.VEHICLE_STOLEN_STATE: _STATE,
    FailureCause.CANCELED_BY_DRIVER: _STATE,
    FailureCause.VEHICLE_CONNECTION_TIMEOUT: _REACH,
    FailureCause.GENERAL_ERROR: _FAULT,
    FailureCause.VEHICLE_ERROR: _FAULT,
    FailureCause.EXTERNAL_CHARGING_SYSTEM_ERROR: _FAULT,
    FailureCause.VEHICLE_CHARGING_SYSTEM_ERROR: _FAULT,
}
