"""Thefts of vehicles: from the report that one is stolen until it is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

from stellantis_hal.simulator.world.entities import GeoPoint
from stellantis_hal.simulator.world.seeded import hex_digits

__all__ = ["Theft", "Thefts"]


@attrs.frozen(kw_only=True)
class Theft:
    """A theft: from ``started_at`` until ``ended_at``, None while it lasts."""

    id: str
    vehicle: str
    started_at: datetime
    start: GeoPoint
    ended_at: datetime | None = None
    end: GeoPoint | None = None


class Thefts:
    """The thefts of all vehicles.

    Args:
        seed: of the world.
        spot: returns where a vehicle is.
    """

    def __init__(self, seed: int, spot: Callable[[str], GeoPoint]) -> None:
        self._seed = seed
        self._spot = spot
        self._thefts: dict[str, list[Theft]] = {}

    def report(self, vehicle: str, at: datetime) -> Theft:
        """Report a vehicle stolen, where it is; nothing changes where it is reported already."""
        current = self.current(vehicle)
        if current is not None:
            return current
        thefts = self._thefts.setdefault(vehicle, [])
        theft = Theft(
            id=hex_digits(self._seed, "theft", vehicle, len(thefts), size=16),
            vehicle=vehicle,
            started_at=at,
            start=self._spot(vehicle),
        )
        thefts.append(theft)
        return theft

    def end(self, vehicle: str, at: datetime) -> None:
        """End the report that a vehicle is stolen, where there is one."""
        if self.current(vehicle) is not None:
            thefts = self._thefts[vehicle]
            thefts[-1] = attrs.evolve(thefts[-1], ended_at=at, end=self._spot(vehicle))

    def of_vehicle(self, vehicle: str) -> list[Theft]:
        """Return the thefts of a vehicle, newest first."""
        return self._thefts.get(vehicle, [])[::-1]

    def current(self, vehicle: str) -> Theft | None:
        """Return the theft that lasts; None where there is none."""
        found = next(iter(self.of_vehicle(vehicle)), None)
        return None if found is None or found.ended_at is not None else found
