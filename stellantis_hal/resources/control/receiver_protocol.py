"""The protocol by which a receiver of notifications feeds operations and monitors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from stellantis_hal.resources.control.operation_step import OperationStep

__all__ = ["EventReceiver", "OperationStep"]


@runtime_checkable
class EventReceiver(Protocol):
    """A source of events, such as a receiver of notifications, that control is fed from."""

    def register(self, source_id: str, *, vin: str | None, vehicle_id: str) -> None:
        """Record whose car a monitor or an operation belongs to, for events that do not say so.

        Args:
            source_id: the id of the monitor or of the operation.
            vin: of the car; None where it is not known.
            vehicle_id: the API's id of the car.
        """
        ...

    def subscribe(self, operation_id: str, listener: Callable[[OperationStep], None]) -> Callable[[], None]:
        """Call the listener for each step of an operation, in the event loop; return what removes it."""
        ...
