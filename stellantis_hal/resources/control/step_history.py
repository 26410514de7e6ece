"""The history of an operation: its steps, folded alike in every order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from stellantis_hal.resources.control.failure_causes import FailureCause
from stellantis_hal.resources.control.operation_step import OperationStatus, OperationStep, StepSource

__all__ = ["GRACE", "StepHistory", "failure_cause", "read_step"]

GRACE: Final = 15.0
"""Seconds without a step after which a blocked operation counts as over."""

_FAILED = OperationStatus.FAILED
# Pending by the schemas, final failures by the vendor's flow chart.
_BLOCKED: Final = frozenset(
    {OperationStatus.VEHICLE_BATTERY_CHARGE_TOO_LOW, OperationStatus.TOO_MANY_WAKE_UPS_OVER_MONTH}
)
_RANKS: Final[Mapping[str, int]] = {
    OperationStatus.ACCEPTED: 1,
    OperationStatus.CHECKING_VEHICLE: 2,
    OperationStatus.WAKING_UP_VEHICLE: 3,
    OperationStatus.SENT_TO_VEHICLE: 5,
    OperationStatus.VEHICLE_BATTERY_CHARGE_TOO_LOW: 6,
    OperationStatus.TOO_MANY_WAKE_UPS_OVER_MONTH: 7,
    # A failure may be reported while the car is out of reach, and followed by success.
    OperationStatus.FAILED: 8,
    OperationStatus.ALREADY_DONE: 9,
    OperationStatus.SUCCESS: 10,
}
_UNKNOWN_RANK: Final = 4


@attrs.frozen
class StepHistory:
    """The different steps of an operation so far.

    The result depends on which steps there were, not on their order or number: events arrive in any order.

    Attributes:
        steps: the different steps, by status and cause.
    """

    steps: frozenset[OperationStep] = frozenset()

    def with_step(self, step: OperationStep) -> StepHistory:
        """Return the history with one more step; this one where it had the step."""
        return self if step in self.steps else StepHistory(self.steps | {step})

    @property
    def latest(self) -> OperationStep | None:
        """The step that is furthest on; None before the first."""
        return max(self.steps, key=_rank, default=None)

    @property
    def outcome(self) -> OperationStep | None:
        """The final step; None before it."""
        latest = self.latest
        return latest if latest is not None and latest.status.is_final else None

    @property
    def is_blocked(self) -> bool:
        """Whether the furthest step is one that stands for a failure unless another step follows soon."""
        latest = self.latest
        return latest is not None and latest.status in _BLOCKED


def _rank(step: OperationStep) -> tuple[int, bool, str]:
    return _RANKS.get(step.status, _UNKNOWN_RANK), step.cause is not None, f"{step.status} {step.cause}"


def failure_cause(step: OperationStep) -> FailureCause | None:
    """Return the cause of a failure that a step stands for: its own, or its blocked status."""
    if step.cause is None and step.status in _BLOCKED:
        return FailureCause(step.status.value)
    return step.cause


def read_step(value: Mapping[str, Any], *, source: StepSource, at: datetime | None) -> OperationStep | None:
    """Return the step of an operation's resource, or of the ``eventStatus`` of an event; None where it has none.

    The status may be a text, or an object with one (``{"RemoteDoneEventStatus": "Success"}``); an event may state a
    failure by its type alone.

    Args:
        value: the resource's state, or the event's ``eventStatus``.
        source: where it came from.
        at: its time.
    """
    status, cause, detail = _text(value.get("status")), _text(value.get("failureCause")), value.get("feedbackDetail")
    if value.get("type") == _FAILED.value and status != _FAILED:
        if cause is None and status is not None and FailureCause(status).is_known:
            cause = status
        status = _FAILED.value
    if status is None:
        return None
    return OperationStep(status, cause, at, source, detail if isinstance(detail, str) else None)


def _text(value: Any) -> str | None:
    if isinstance(value, Mapping):
        value = next((inner for inner in value.values() if isinstance(inner, str)), None)
    return value if isinstance(value, str) and value else None
