"""Fleets of the partner, what their drivers hide, and thefts of their vehicles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import attrs

from stellantis_hal.simulator.world.entities import Spot
from stellantis_hal.simulator.world.generator import WorldGenerator
from stellantis_hal.simulator.world.seeded import hex_digits

__all__ = ["Fleet", "Fleets", "Theft"]


@attrs.frozen(kw_only=True)
class Fleet:
    """A fleet of the partner."""

    id: str
    index: int
    name: str
    description: str


@attrs.frozen(kw_only=True)
class Theft:
    """A theft: from ``started_at`` until ``ended_at``, None while it lasts."""

    id: str
    vehicle: str
    started_at: datetime
    start: Spot
    ended_at: datetime | None = None
    end: Spot | None = None


class Fleets:
    """The fleets of the partner. The first one has every generated vehicle; others are added by tests.

    Args:
        seed: of the world.
        generator: of the vehicles.
        spot: returns where a vehicle is.
    """

    def __init__(self, seed: int, generator: WorldGenerator, spot: Callable[[str], Spot]) -> None:
        self._seed = seed
        self._generator = generator
        self._spot = spot
        self._fleets: list[Fleet] = []
        self._members: list[dict[int, None] | None] = []  # numbers of vehicles; None: all
        self._hidden: dict[int, frozenset[str]] = {}
        self._thefts: dict[int, list[Theft]] = {}
        self.add("Fleet 1", description="Every vehicle of the world")
        self._members[0] = None

    @property
    def all(self) -> tuple[Fleet, ...]:
        """All fleets."""
        return tuple(self._fleets)

    def find(self, fleet: str) -> Fleet:
        """Return the fleet with an id. Raises KeyError."""
        for found in self._fleets:
            if found.id == fleet:
                return found
        raise KeyError(fleet)

    def vehicles_of(self, fleet: str) -> list[str]:
        """Return the ids of a fleet's vehicles. Raises KeyError."""
        return [self._generator.vehicle(number).id for number in self._numbers(fleet)]

    def has_vehicle(self, fleet: str, vehicle: str) -> bool:
        """Return whether a fleet has a vehicle. Raises KeyError where either is unknown."""
        number = self._generator.find(vehicle)
        members = self._members[self.find(fleet).index]
        return members is None or number in members

    # ------------------------------------------------------------------ changes

    def add(self, name: str, *, description: str = "", vehicles: Iterable[str] = ()) -> Fleet:
        """Add a fleet with some vehicles of the world."""
        index = len(self._fleets)
        fleet = Fleet(
            id=hex_digits(self._seed, "fleet", index, size=12), index=index, name=name, description=description
        )
        self._fleets.append(fleet)
        self._members.append(dict.fromkeys(self._generator.find(vehicle) for vehicle in vehicles))
        return fleet

    def add_vehicle(self, fleet: str, vehicle: str) -> None:
        """Add a vehicle to a fleet; it may be in several."""
        self._members[self.find(fleet).index] = {**self._numbers(fleet), self._generator.find(vehicle): None}

    def remove_vehicle(self, fleet: str, vehicle: str) -> None:
        """Remove a vehicle from a fleet."""
        members = self._numbers(fleet)
        members.pop(self._generator.find(vehicle), None)
        self._members[self.find(fleet).index] = members

    def hide_from_driver(self, vehicle: str, *kinds: str) -> None:
        """Hide kinds of data (``trips``, ``lastPosition``, ``status`` …) from the profile ``endUser``; none: all."""
        self._hidden[self._generator.find(vehicle)] = frozenset(kinds)

    def is_hidden_from_driver(self, vehicle: str, kind: str) -> bool:
        """Return whether the profile ``endUser`` finds no data of a kind."""
        hidden = self._hidden.get(self._generator.find(vehicle))
        return hidden is not None and (not hidden or kind in hidden)

    # ------------------------------------------------------------------ thefts

    def report_stolen(self, vehicle: str, at: datetime) -> Theft:
        """Report a vehicle stolen, where it is; nothing changes where it is reported already."""
        current = self.current_theft(vehicle)
        if current is not None:
            return current
        number = self._generator.find(vehicle)
        thefts = self._thefts.setdefault(number, [])
        theft = Theft(
            id=hex_digits(self._seed, "theft", number, len(thefts), size=16),
            vehicle=vehicle,
            started_at=at,
            start=self._spot(vehicle),
        )
        thefts.append(theft)
        return theft

    def recover(self, vehicle: str, at: datetime) -> None:
        """End the report that a vehicle is stolen, where there is one."""
        if self.current_theft(vehicle) is not None:
            thefts = self._thefts[self._generator.find(vehicle)]
            thefts[-1] = attrs.evolve(thefts[-1], ended_at=at, end=self._spot(vehicle))

    def thefts(self, vehicle: str) -> list[Theft]:
        """Return the thefts of a vehicle, newest first."""
        return self._thefts.get(self._generator.find(vehicle), [])[::-1]

    def current_theft(self, vehicle: str) -> Theft | None:
        """Return the theft that lasts; None where there is none."""
        found = next(iter(self.thefts(vehicle)), None)
        return None if found is None or found.ended_at is not None else found

    def _numbers(self, fleet: str) -> dict[int, None]:
        members = self._members[self.find(fleet).index]
        return dict.fromkeys(range(self._generator.vehicles)) if members is None else members
