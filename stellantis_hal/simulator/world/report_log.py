"""Reports that vehicles made when they were acted upon, and those who are told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from stellantis_hal.simulator.world.entities import VehicleState

__all__ = ["ReportListener", "ReportLog"]

ReportListener = Callable[[str, VehicleState, VehicleState], None]
"""Called with a vehicle's id, its state before and its state after an act."""

_KEPT = 1_000  # reports of a vehicle


class ReportLog:
    """Keeps the last 1,000 reports of each vehicle and calls listeners."""

    def __init__(self) -> None:
        self._reports: dict[str, deque[VehicleState]] = {}
        self._listeners: list[ReportListener] = []

    def listen(self, listener: ReportListener) -> Callable[[], None]:
        """Call a listener for each report from now on; return what removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def add(self, vehicle: str, before: VehicleState, after: VehicleState) -> None:
        """Add a report, and call the listeners."""
        self._reports.setdefault(vehicle, deque(maxlen=_KEPT)).append(after)
        for listener in tuple(self._listeners):
            listener(vehicle, before, after)

    def of_vehicle(self, vehicle: str) -> Iterator[VehicleState]:
        """Iterate over a vehicle's reports, oldest first."""
        return iter(tuple(self._reports.get(vehicle, ())))
