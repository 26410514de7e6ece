"""Failure state: failures in a row of one kind of data of one vehicle."""

from __future__ import annotations

__all__ = ["FailureState"]


class FailureState:
    """Failures in a row of one kind of data of one vehicle.

    Attributes:
        failures: number of failures in a row.
        since: instant of the first one.
        retry_at: instant before which this kind is not polled.
        is_reported: whether `VehicleUnavailable` was emitted.
        is_transient: whether a retry before the next regular poll may succeed.
        is_held: whether it waits for the end of an outage of this kind of data.
        missing_rel: relation that the vehicle has no link of; None where another failure came last.
    """

    __slots__ = ("failures", "is_held", "is_reported", "is_transient", "missing_rel", "retry_at", "since")

    def __init__(self, since: float) -> None:
        self.failures: int = 0
        self.since: float = since
        self.retry_at: float = since
        self.is_reported: bool = False
        self.is_transient: bool = False
        self.is_held: bool = False
        self.missing_rel: str | None = None
