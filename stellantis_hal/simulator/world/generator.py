"""World generator: derives accounts, vehicles and trips from a seed, each in constant time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

import attrs

from stellantis_hal.simulator.world.entities import BRANDS, Account, Energy, Spot, Trip, Vehicle
from stellantis_hal.simulator.world.seeded import fraction, fractions, hex_digits, seeded_random

__all__ = ["WorldGenerator"]

_FIRST_NAMES = ("Ada", "Blaise", "Camille", "Dora", "Emile", "Fanny", "Gaston", "Hanna", "Ines", "Jules")
_LAST_NAMES = ("Arnaud", "Becker", "Conti", "Dupont", "Evans", "Fischer", "Garnier", "Haas", "Ito", "Jansen")
_MOTORIZATIONS = (("Electric", ("Electric",)), ("Hybrid", ("Fuel", "Electric")), ("Thermic", ("Fuel",)))
_BRANDS = tuple(BRANDS)
_BETWEEN_TRIPS = timedelta(hours=6)
_LATEST_START = 14_000_000  # ms after the start of the slot; the longest trip takes 1.2 h, so trips never overlap
_MEAN_TENTHS = 140  # of a km per trip; with the variation below each trip has 1.4 to 26.6 km
_VARIATION_TENTHS = 126
_CACHE_SIZE = 256  # vehicles; a pagination reads the same vehicle many times
_TRIP_CACHE_SIZE = 2_048  # about 2 MB; a fleet is polled for its last trips again and again


class WorldGenerator:
    """Derives entities from a seed; accounts, vehicles and trips (oldest first) are numbered from 0."""

    def __init__(self, *, seed: int, accounts: int, vehicles: int, trips: int, epoch: datetime) -> None:
        self.seed = seed
        self.accounts = accounts
        self.vehicles = vehicles
        self.trips = trips
        self.epoch = epoch
        self.vehicle: Callable[[int], Vehicle] = lru_cache(maxsize=_CACHE_SIZE)(self._vehicle)
        self.trips_of: Callable[[int], int] = lru_cache(maxsize=_CACHE_SIZE)(self._trips_of)
        self.first_odometer_tenths: Callable[[int], int] = lru_cache(maxsize=_CACHE_SIZE)(self._first_odometer_tenths)
        self.find: Callable[[str], int] = lru_cache(maxsize=_CACHE_SIZE)(self._find)
        self.trip: Callable[[int, int], Trip] = lru_cache(maxsize=_TRIP_CACHE_SIZE)(self._trip)

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
            home=Spot(round(random.uniform(-1.0, 9.0), 5), round(random.uniform(44.0, 53.0), 5)),
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

    def odometer_tenths(self, vehicle: int, trip: int) -> int:
        """Return the odometer at the start of a trip in tenths of a km; it never decreases."""
        return (
            self.first_odometer_tenths(vehicle)
            + trip * _MEAN_TENTHS
            + int(fraction(self.seed, "km", vehicle, trip) * _VARIATION_TENTHS)
        )

    def _first_odometer_tenths(self, vehicle: int) -> int:
        return 10_000 + int(fraction(self.seed, "odometer", vehicle) * 900_000)

    def levels(self, vehicle: int, trip: int) -> tuple[Energy, ...]:
        """Return a vehicle's energy levels at the start of a trip."""
        return tuple(
            Energy(type=kind, level=round(35.0 + 60.0 * fraction(self.seed, kind, vehicle, trip), 1))
            for kind in self.vehicle(vehicle).energies
        )

    def spot(self, vehicle: int, trip: int) -> Spot:
        """Return the start of a trip, within 0.1 degrees of home."""
        home = self.vehicle(vehicle).home
        east, north, up = fractions(self.seed, "place", vehicle, trip)
        return Spot(
            round(home.longitude + 0.2 * (east - 0.5), 6),
            round(home.latitude + 0.2 * (north - 0.5), 6),
            round(300.0 * up, 1),
        )

    def _trip(self, vehicle: int, trip: int) -> Trip:
        """Return a trip."""
        random = seeded_random(self.seed, "drive", vehicle, trip)
        start_tenths = self.odometer_tenths(vehicle, trip)
        distance = (self.odometer_tenths(vehicle, trip + 1) - start_tenths) / 10
        speed = random.uniform(24.0, 80.0)
        before = self.levels(vehicle, trip)
        trips_left = self.trips_of(vehicle) - trip
        return Trip(
            id=self.trip_id(vehicle, trip),
            index=trip,
            vehicle=self.vehicle(vehicle).id,
            started_at=self.epoch
            - trips_left * _BETWEEN_TRIPS
            + timedelta(milliseconds=random.randrange(_LATEST_START)),
            duration=timedelta(seconds=round(distance / speed * 3600)),
            distance=distance,
            start_mileage=start_tenths / 10,
            start=self.spot(vehicle, trip),
            stop=self.spot(vehicle, trip + 1),
            before=before,
            after=tuple(
                attrs.evolve(energy, level=round(energy.level - distance * random.uniform(0.1, 0.5), 1))
                for energy in before
            ),
            average_speed=speed,
            max_speed=round(speed * random.uniform(1.2, 1.6), 1),
            fault="DataLacking" if random.random() < 0.02 else None,
        )

    def incident_trips(self, vehicle: int, kind: str, limit: int) -> list[Trip]:
        """Return the trips with an incident of a kind, at most ``limit``, newest first."""
        trips = self.trips_of(vehicle)
        count = min(trips, int(fraction(self.seed, kind, vehicle) * (limit + 1)))
        return [self.trip(vehicle, trips - 1 - place * trips // count) for place in range(count)]
