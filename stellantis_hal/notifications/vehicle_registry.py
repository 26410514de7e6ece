"""Registry in memory: which vehicle a monitor or an operation belongs to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from stellantis_hal.notifications.inbox import EventVehicle

__all__ = ["VehicleRegistry"]

_MOST = 100_000  # each command registers one, for months


class VehicleRegistry:
    """The vehicles of the latest 100,000 monitors and operations that were registered or had an event."""

    def __init__(self) -> None:
        self._vehicles: OrderedDict[str, EventVehicle] = OrderedDict()

    def register(self, source_id: str, vehicle: EventVehicle) -> None:
        """Record the vehicle of a monitor or an operation."""
        self._vehicles[source_id] = vehicle
        self._vehicles.move_to_end(source_id)
        if len(self._vehicles) > _MOST:
            self._vehicles.popitem(last=False)

    def find(self, source_id: str | None) -> EventVehicle | None:
        """Return the vehicle of a monitor or an operation; None where it is not known."""
        vehicle = None if source_id is None else self._vehicles.get(source_id)
        if source_id is not None and vehicle is not None:
            self._vehicles.move_to_end(source_id)
        return vehicle

    def forget(self, vins: Collection[str], vehicle_ids: Collection[str]) -> set[str]:
        """Remove what is recorded of vehicles; return the ids of their monitors and operations."""
        found = {
            source
            for source, vehicle in self._vehicles.items()
            if vehicle.vin in vins or vehicle.vehicle_id in vehicle_ids
        }
        for source in found:
            del self._vehicles[source]
        return found
