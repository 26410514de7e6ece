"""World generator: derives accounts, vehicles and their lives from a seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial

from stellantis_hal.simulator.world.driver import Driver
from stellantis_hal.simulator.world.entities import BRANDS, Account, Vehicle
from stellantis_hal.simulator.world.life import GeneratedDays, Life, SegmentCache
from stellantis_hal.simulator.world.places import home_of
from stellantis_hal.simulator.world.seeded import fraction, hex_digits, seeded_random

__all__ = ["WorldGenerator"]

_FIRST_NAMES = ("Ada", "Blaise", "Camille", "Dora", "Emile", "Fanny", "Gaston", "Hanna", "Ines", "Jules")
_LAST_NAMES = ("Arnaud", "Becker", "Conti", "Dupont", "Evans", "Fischer", "Garnier", "Haas", "Ito", "Jansen")
_MOTORIZATIONS = (("Electric", ("Electric",)), ("Hybrid", ("Fuel", "Electric")), ("Thermic", ("Fuel",)))
_BRANDS = tuple(BRANDS)
_CACHE_SIZE = (
    16_384  # vehicles: a page of a fleet goes through all of them, and a smaller cache would hold none by then
)


class WorldGenerator:
    """Derives entities from a seed; accounts, vehicles and trips are numbered from 0, oldest first."""

    def __init__(self, *, seed: int, accounts: int, vehicles: int, trips: int, epoch: datetime, moving: bool) -> None:
        self.moving = moving
        self.seed = seed
        self.accounts = accounts
        self.vehicles = vehicles
        self.trips = trips
        self.epoch = epoch
        self.vehicle: Callable[[int], Vehicle] = lru_cache(maxsize=_CACHE_SIZE)(self._vehicle)
        self.trips_of: Callable[[int], int] = lru_cache(maxsize=_CACHE_SIZE)(self._trips_of)
        self.find: Callable[[str], int] = lru_cache(maxsize=_CACHE_SIZE)(self._find)
        self.memory: SegmentCache = SegmentCache()

    # ------------------------------------------------------------------ accounts and vehicles

    def account(self, account: int) -> Account:
        """Return an account."""
        random = seeded_random(self.seed, "account", account)
        first, last = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
        return Account(
            key=f"account-{account:04d}",
            index=account,
            brand=_BRANDS[account % len(_BRANDS)],
            email=f"{first}.{last}.{account}@example.test".lower(),
            first_name=first,
            last_name=last,
            vehicles=len(self.vehicles_of_account(account)),
        )

    def vehicles_of_account(self, account: int) -> range:
        """Return the numbers of an account's vehicles."""
        return range(self.vehicles * account // self.accounts, self.vehicles * (account + 1) // self.accounts)

    def vehicle_id(self, vehicle: int) -> str:
        """Return a vehicle's id."""
        return f"{hex_digits(self.seed, 'vehicle', vehicle, size=13)}{vehicle:06x}"

    def _find(self, vehicle_id: str) -> int:
        """Return the number of the vehicle with an id. Raises KeyError."""
        try:
            vehicle = int(vehicle_id[-6:], 16)
        except ValueError:
            raise KeyError(vehicle_id) from None
        if not 0 <= vehicle < self.vehicles or self.vehicle_id(vehicle) != vehicle_id:
            raise KeyError(vehicle_id)
        return vehicle

    def _vehicle(self, vehicle: int) -> Vehicle:
        owner = ((vehicle + 1) * self.accounts - 1) // self.vehicles
        brand = _BRANDS[owner % len(_BRANDS)]
        random = seeded_random(self.seed, "make", vehicle)
        motorization, energies = random.choice(_MOTORIZATIONS)
        return Vehicle(
            id=self.vehicle_id(vehicle),
            index=vehicle,
            vin=f"{BRANDS[brand].vin_prefix}{hex_digits(self.seed, 'vin', vehicle, size=3).upper()}{vehicle:08d}",
            account=f"account-{owner:04d}",
            brand=brand,
            label=random.choice(BRANDS[brand].models),
            motorization=motorization,
            energies=energies,
            home=home_of(brand, self.seed, vehicle),
            has_maintenance=random.random() < 0.9,
        )

    def find_vin(self, vin: str) -> int:
        """Return the number of the vehicle with a VIN. Raises KeyError."""
        number = vin[-8:]
        if number.isdecimal() and int(number) < self.vehicles and self.vehicle(int(number)).vin == vin:
            return int(number)
        raise KeyError(vin)

    # ------------------------------------------------------------------ trips

    def _trips_of(self, vehicle: int) -> int:
        """Return the number of a vehicle's trips: an equal share, moved in part to the neighbour for variety."""
        share = self.trips * (vehicle + 1) // self.vehicles - self.trips * vehicle // self.vehicles
        if vehicle ^ 1 >= self.vehicles:
            return share
        moved = int(fraction(self.seed, "share", vehicle >> 1) * (self.trips // self.vehicles) * 0.6)
        return share + moved if vehicle & 1 else share - moved

    def trip_id(self, vehicle: int, trip: int) -> str:
        """Return a trip's id."""
        return f"{hex_digits(self.seed, 'trip', vehicle, trip, size=9)}{trip:06x}"

    def _first_odometer_tenths(self, vehicle: int) -> int:
        return 10_000 + int(fraction(self.seed, "odometer", vehicle) * 900_000)

    def life(self, vehicle: int) -> Life:
        """Return a vehicle's life, whose past has the vehicle's trips."""
        owner = Driver(self.seed, self.vehicle(vehicle), partial(self.trip_id, vehicle))
        trips = self.trips_of(vehicle)
        stand, skip = owner.first_stand(self.epoch, trips, self._first_odometer_tenths(vehicle))
        last = None if self.moving else trips
        history = GeneratedDays(owner, stand, since=stand.since, memory=self.memory, skip=skip, last=last)
        return Life(owner, history, self.memory)

    def incident_trip_numbers(self, vehicle: int, kind: str, limit: int) -> list[int]:
        """Return the numbers of the generated trips with an incident of a kind, at most ``limit``, newest first."""
        trips = self.trips_of(vehicle)
        count = min(trips, int(fraction(self.seed, kind, vehicle) * (limit + 1)))
        return [trips - 1 - place * trips // count for place in range(count)]
