"""Fleets of the partner, and what their drivers hide."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from stellantis_hal.simulator.world.generator import WorldGenerator
from stellantis_hal.simulator.world.seeded import hex_digits

__all__ = ["Fleet", "Fleets"]


@attrs.frozen(kw_only=True)
class Fleet:
    """A fleet of the partner."""

    id: str
    index: int
    name: str
    description: str


class Fleets:
    """The fleets of the partner. The first one has every generated vehicle; others are added by tests.

    Args:
        seed: of the world.
        generator: of the vehicles.
    """

    def __init__(self, seed: int, generator: WorldGenerator) -> None:
        self._seed = seed
        self._generator = generator
        self._fleets: list[Fleet] = []
        self._members: list[dict[int, None] | None] = []  # numbers of vehicles; None: all
        self._hidden: dict[int, frozenset[str]] = {}
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

    def _numbers(self, fleet: str) -> dict[int, None]:
        members = self._members[self.find(fleet).index]
        return dict.fromkeys(range(self._generator.vehicles)) if members is None else members
