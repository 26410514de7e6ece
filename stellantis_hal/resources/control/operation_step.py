"""Steps of an operation."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, TypeAlias

import attrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.resources.control.failure_causes import FailureCause
from stellantis_hal.structuring.open_enum import OpenEnum

__all__ = ["OperationStatus", "OperationStep", "StepSource"]

StepSource: TypeAlias = Literal["poll", "event"]


class OperationStatus(OpenEnum):
    """The status of an operation, Pending and Done alike."""

    ACCEPTED = "Accepted"
    CHECKING_VEHICLE = "CheckingVehicle"
    WAKING_UP_VEHICLE = "WakingUpVehicle"
    SENT_TO_VEHICLE = "SentToVehicle"
    VEHICLE_BATTERY_CHARGE_TOO_LOW = "VehicleBatteryChargeTooLow"
    TOO_MANY_WAKE_UPS_OVER_MONTH = "TooManyWakeUpsOverMonth"
    ALREADY_DONE = "AlreadyDone"
    SUCCESS = "Success"
    FAILED = "Failed"

    @property
    def is_final(self) -> bool:
        """Whether the operation is over; False for a status that this library does not list."""
        return self in _FINAL

    @classmethod
    def _spellings(cls) -> dict[str, str]:
        return {"TooManyWakesUpsOverMonth": "TooManyWakeUpsOverMonth"}


_FINAL: Final = frozenset({OperationStatus.ALREADY_DONE, OperationStatus.SUCCESS, OperationStatus.FAILED})


@attrs.frozen
class OperationStep:
    """One step of an operation, by a poll or by an event.

    Attributes:
        status: what the API calls it; statuses that this library does not list are kept.
        cause: why the operation failed; None where it did not, or the API does not say.
        at: the time of the step: the event's own, else the time of the poll.
        source: ``"poll"`` or ``"event"``.
        detail: the API's ``feedbackDetail``; None where it sends none.
    """

    status: OperationStatus = attrs.field(converter=OperationStatus)
    cause: FailureCause | None = attrs.field(default=None, converter=attrs.converters.optional(FailureCause))
    at: datetime | None = attrs.field(default=None, eq=False)
    source: StepSource = attrs.field(default="poll", eq=False)
    detail: str | None = attrs.field(default=None, eq=False)

    __repr__ = redacted_repr
