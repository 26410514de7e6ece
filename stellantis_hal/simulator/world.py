"""Knows the truth: which accounts, vehicles and trips exist, all derived from a seed when they are asked for.

Must not know HTTP, HAL or the API's wording. Nothing but what was changed by hand is held, so that a world of
10,000 vehicles and 1,000,000 trips costs no more memory than a small one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import attrs

from stellantis_hal.simulator import happenings
from stellantis_hal.simulator.dice import dice, fraction, mark
from stellantis_hal.simulator.truth import BRANDS, Account, Alarm, Alert, Collision, Energy, Spot, Trip, Vehicle

__all__ = ["World"]

_FIRST_NAMES = ("Ada", "Blaise", "Camille", "Dora", "Emile", "Fanny", "Gaston", "Hanna", "Ines", "Jules")
_LAST_NAMES = ("Arnaud", "Becker", "Conti", "Dupont", "Evans", "Fischer", "Garnier", "Haas", "Ito", "Jansen")
_MOTORIZATIONS = (("Electric", ("Electric",)), ("Hybrid", ("Fuel", "Electric")), ("Thermic", ("Fuel",)))
_BETWEEN_TRIPS = timedelta(hours=6)
_MEAN_TENTHS = 140  # of a km per trip; with the wobble below each trip has 1.4 to 26.6 km
_WOBBLE_TENTHS = 126
_REMEMBERED = 256  # vehicles looked at lately: a walk asks for the same one again and again


class World:
    """The same world for the same seed: accounts with vehicles, vehicles with trips.

    ``trips`` is the number in the whole world; the vehicles have different shares of it. All trips that were not
    added by hand ended before ``epoch``. Times of a vehicle never overlap, its odometer grows by what its trips
    drove, and each trip starts where the one before it stopped.

    Example:
        >>> world = World(seed=7, accounts=2, vehicles=3, trips=30)
        >>> world.trip_count(), sum(world.trip_count(vehicle.id) for vehicle in world.vehicles)
        (30, 30)
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        accounts: int = 1,
        vehicles: int = 1,
        trips: int = 0,
        epoch: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        if accounts < 1 or vehicles < 0 or trips < 0:
            raise ValueError("A world has at least one account, and no negative number of vehicles or trips.")
        if trips and not vehicles:
            raise ValueError("There is no vehicle that could have made the trips.")
        self.seed = seed
        self.epoch = epoch
        self._accounts = accounts
        self._vehicles = vehicles
        self._trips = trips
        self._added: dict[int, list[Trip]] = {}
        self._added_total = 0
        self._alerts: dict[int, list[Alert]] = {}
        self._changes: dict[int, dict[str, Any]] = {}
        self._hidden: set[int] = set()
        self._vehicle = lru_cache(maxsize=_REMEMBERED)(self._make_vehicle)
        self._generated = lru_cache(maxsize=_REMEMBERED)(self._share)
        self._index = lru_cache(maxsize=_REMEMBERED)(self._find)

    def __repr__(self) -> str:
        return (
            f"World(seed={self.seed}, accounts={self._accounts}, vehicles={self._vehicles}, trips={self.trip_count()})"
        )

    # ------------------------------------------------------------------ accounts

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account."""
        return tuple(self._account(index) for index in range(self._accounts))

    def account(self, key: str) -> Account:
        """Find an account by its key. Raises KeyError."""
        _, _, number = key.rpartition("-")
        if number.isdecimal() and int(number) < self._accounts:
            account = self._account(int(number))
            if account.key == key:
                return account
        raise KeyError(key)

    def _account(self, index: int) -> Account:
        rolls = dice(self.seed, "account", index)
        first, last = rolls.choice(_FIRST_NAMES), rolls.choice(_LAST_NAMES)
        owned = self._owned(index)
        return Account(
            key=f"account-{index:04d}",
            index=index,
            brand=tuple(BRANDS)[index % len(BRANDS)],
            email=f"{first}.{last}.{index}@example.test".lower(),
            first_name=first,
            last_name=last,
            vehicles=len(owned),
        )

    def _owned(self, account: int) -> range:
        return range(self._vehicles * account // self._accounts, self._vehicles * (account + 1) // self._accounts)

    # ------------------------------------------------------------------ vehicles

    @property
    def vehicles(self) -> tuple[Vehicle, ...]:
        """Every vehicle."""
        return tuple(self._vehicle(index) for index in range(self._vehicles))

    def vehicles_of(self, account: str) -> tuple[Vehicle, ...]:
        """Every vehicle of an account, in the API's order."""
        return tuple(self._vehicle(index) for index in self._owned(self.account(account).index))

    def vehicle(self, vehicle: str) -> Vehicle:
        """Find a vehicle by its id. Raises KeyError."""
        return self._vehicle(self._index(vehicle))

    def _find(self, vehicle: str) -> int:
        try:
            index = int(vehicle[-6:], 16)
        except ValueError:
            raise KeyError(vehicle) from None
        if not 0 <= index < self._vehicles or self._vehicle_id(index) != vehicle:
            raise KeyError(vehicle)
        return index

    def _vehicle_id(self, index: int) -> str:
        return f"{mark(self.seed, 'vehicle', index, size=13)}{index:06x}"

    def _make_vehicle(self, index: int) -> Vehicle:
        owner = ((index + 1) * self._accounts - 1) // self._vehicles
        brand = tuple(BRANDS)[owner % len(BRANDS)]
        rolls = dice(self.seed, "make", index)
        motorization, energies = rolls.choice(_MOTORIZATIONS)
        return Vehicle(
            id=self._vehicle_id(index),
            index=index,
            vin=f"{BRANDS[brand].vin_prefix}{mark(self.seed, 'vin', index, size=3).upper()}{index:08d}",
            account=f"account-{owner:04d}",
            brand=brand,
            label=rolls.choice(BRANDS[brand].models),
            motorization=motorization,
            energies=energies,
            home=Spot(round(rolls.uniform(-1.0, 9.0), 5), round(rolls.uniform(44.0, 53.0), 5)),
            has_maintenance=rolls.random() < 0.9,
        )

    # ------------------------------------------------------------------ trips

    def trip_count(self, vehicle: str | None = None) -> int:
        """Count the trips of a vehicle, or of the world."""
        if vehicle is None:
            return self._trips + self._added_total
        index = self._index(vehicle)
        return self._generated(index) + len(self._added.get(index, ()))

    def trips(self, vehicle: str) -> Iterator[Trip]:
        """Walk the trips of a vehicle, the oldest first."""
        return (self.trip_at(vehicle, number) for number in range(self.trip_count(vehicle)))

    def trip_ids(self, vehicle: str) -> list[str]:
        """List the ids of a vehicle's trips, the oldest first."""
        index = self._index(vehicle)
        return [self._trip_id(index, number) for number in range(self.trip_count(vehicle))]

    def trip(self, vehicle: str, trip: str) -> Trip:
        """Find a trip by its id. Raises KeyError."""
        index = self._index(vehicle)
        try:
            number = int(trip[-6:], 16)
        except ValueError:
            raise KeyError(trip) from None
        if not 0 <= number < self.trip_count(vehicle) or self._trip_id(index, number) != trip:
            raise KeyError(trip)
        return self.trip_at(vehicle, number)

    def trip_at(self, vehicle: str, number: int) -> Trip:
        """Give a vehicle's trip by its place, the oldest being 0. Raises IndexError."""
        index = self._index(vehicle)
        generated = self._generated(index)
        if not 0 <= number < self.trip_count(vehicle):
            raise IndexError(number)
        return self._trip(index, number) if number < generated else self._added[index][number - generated]

    def kilometres(self, vehicle: str | None = None) -> float:
        """Add up what a vehicle, or the whole world, drove: km, exact to 0.1."""
        if vehicle is None:
            return round(sum(self.kilometres(self._vehicle_id(index)) for index in range(self._vehicles)), 1)
        index = self._index(vehicle)
        driven = self._odometer(index, self._generated(index)) - self._odometer(index, 0)
        return round(driven / 10 + sum(trip.distance for trip in self._added.get(index, ())), 1)

    def mileage(self, vehicle: str) -> float:
        """Read a vehicle's odometer: km."""
        index = self._index(vehicle)
        added = self._added.get(index)
        if added:
            return round(added[-1].start_mileage + added[-1].distance, 1)
        return self._odometer(index, self._generated(index)) / 10

    def levels(self, vehicle: str) -> tuple[Energy, ...]:
        """Read how full a vehicle is, in percent."""
        last = self._last(vehicle)
        if last is not None:
            return last.after
        car = self.vehicle(vehicle)
        return tuple(Energy(type=kind, level=self._level(car.index, 0, kind)) for kind in car.energies)

    def spot(self, vehicle: str) -> Spot:
        """Say where a vehicle stands: where its last trip ended."""
        last = self._last(vehicle)
        return self.vehicle(vehicle).home if last is None else last.stop

    def changed_at(self, vehicle: str) -> datetime:
        """Say when a vehicle last reported."""
        last = self._last(vehicle)
        return self.epoch if last is None else last.stopped_at

    def is_moving(self, vehicle: str) -> bool:
        """Say whether a vehicle is on a trip."""
        last = self._last(vehicle)
        return last is not None and not last.done

    def _last(self, vehicle: str) -> Trip | None:
        count = self.trip_count(vehicle)
        return self.trip_at(vehicle, count - 1) if count else None

    def _share(self, index: int) -> int:
        share = self._trips * (index + 1) // self._vehicles - self._trips * index // self._vehicles
        other = index ^ 1
        if other >= self._vehicles:
            return share
        smaller = self._trips // self._vehicles
        moved = int(fraction(self.seed, "share", index >> 1) * smaller * 0.6)
        return share + moved if index & 1 else share - moved

    def _trip_id(self, index: int, number: int) -> str:
        return f"{mark(self.seed, 'trip', index, number, size=9)}{number:06x}"

    def _odometer(self, index: int, number: int) -> int:
        """Tenths of a km when a generated trip starts: a steady mean and a wobble that cannot turn it back."""
        at_first = 10_000 + int(fraction(self.seed, "odometer", index) * 900_000)
        return at_first + number * _MEAN_TENTHS + int(fraction(self.seed, "km", index, number) * _WOBBLE_TENTHS)

    def _level(self, index: int, number: int, kind: str) -> float:
        return round(35.0 + 60.0 * fraction(self.seed, kind, index, number), 1)

    def _spot_at(self, index: int, number: int, home: Spot) -> Spot:
        return Spot(
            round(home.longitude + 0.2 * (fraction(self.seed, "east", index, number) - 0.5), 6),
            round(home.latitude + 0.2 * (fraction(self.seed, "north", index, number) - 0.5), 6),
            round(300.0 * fraction(self.seed, "up", index, number), 1),
        )

    def _trip(self, index: int, number: int) -> Trip:
        car = self._vehicle(index)
        rolls = dice(self.seed, "drive", index, number)
        start_tenths = self._odometer(index, number)
        distance = (self._odometer(index, number + 1) - start_tenths) / 10
        speed = rolls.uniform(24.0, 80.0)
        to_the_epoch = self._generated(index) - number
        started = self.epoch - to_the_epoch * _BETWEEN_TRIPS + timedelta(milliseconds=rolls.randrange(14_000_000))
        before = tuple(Energy(type=kind, level=self._level(index, number, kind)) for kind in car.energies)
        after = tuple(
            attrs.evolve(energy, level=round(energy.level - distance * rolls.uniform(0.1, 0.5), 1)) for energy in before
        )
        return Trip(
            id=self._trip_id(index, number),
            index=number,
            vehicle=car.id,
            started_at=started,
            duration=timedelta(seconds=round(distance / speed * 3600)),
            distance=distance,
            start_mileage=start_tenths / 10,
            start=self._spot_at(index, number, car.home),
            stop=self._spot_at(index, number + 1, car.home),
            before=before,
            after=after,
            average_speed=speed,
            max_speed=round(speed * rolls.uniform(1.2, 1.6), 1),
            fault="DataLacking" if rolls.random() < 0.02 else None,
        )

    # ------------------------------------------------------------------ warnings

    def alerts(self, vehicle: str) -> list[Alert]:
        """List a vehicle's alerts, the newest first."""
        index = self._index(vehicle)
        raised = happenings.alerts(self.seed, self.vehicle(vehicle), self._witnesses(vehicle, "alert", 5), self.epoch)
        return [*reversed(self._alerts.get(index, [])), *raised]

    def alarms(self, vehicle: str) -> list[Alarm]:
        """List a vehicle's burglar alarms, the newest first."""
        return happenings.alarms(self.seed, self.vehicle(vehicle), self._witnesses(vehicle, "alarm", 3))

    def collisions(self, vehicle: str) -> list[Collision]:
        """List a vehicle's collisions, the newest first."""
        return happenings.collisions(self.seed, self.vehicle(vehicle), self._witnesses(vehicle, "collision", 2))

    def _witnesses(self, vehicle: str, kind: str, most: int) -> list[Trip]:
        """Choose the generated trips on which something happened: up to ``most``, the newest first."""
        index = self._index(vehicle)
        generated = self._generated(index)
        count = min(generated, int(fraction(self.seed, kind, index) * (most + 1)))
        return [self._trip(index, generated - 1 - place * generated // count) for place in range(count)]

    # ------------------------------------------------------------------ changes

    def start_trip(self, vehicle: str, *, at: datetime | None = None) -> Trip:
        """Set out: a trip that is not done. Starts an hour after the last one, or ``at``."""
        index = self._index(vehicle)
        last = self._last(vehicle)
        if last is not None and not last.done:
            raise ValueError(f"The vehicle is on trip {last.id} already.")
        number = self.trip_count(vehicle)
        levels = self.levels(vehicle)
        spot = self.spot(vehicle)
        trip = Trip(
            id=self._trip_id(index, number),
            index=number,
            vehicle=vehicle,
            started_at=at or self.changed_at(vehicle) + timedelta(hours=1),
            duration=timedelta(),
            distance=0.0,
            start_mileage=self.mileage(vehicle),
            start=spot,
            stop=spot,
            before=levels,
            after=levels,
            average_speed=0.0,
            max_speed=0.0,
            fault="Unfinished",
            done=False,
        )
        self._added.setdefault(index, []).append(trip)
        self._added_total += 1
        return trip

    def drive(self, vehicle: str, km: float, *, minutes: float | None = None) -> Trip:
        """Go on by some km (at 40 km/h unless told): odometer, place and energy follow."""
        trip = self._under_way(vehicle)
        distance = round(trip.distance + km, 1)
        duration = trip.duration + timedelta(minutes=km * 1.5 if minutes is None else minutes)
        speed = distance / (duration.total_seconds() / 3600) if duration else 0.0
        used = round(distance * 0.2, 1)
        return self._replace(
            trip,
            distance=distance,
            duration=duration,
            stop=Spot(round(trip.start.longitude + distance * 0.005, 6), trip.start.latitude, trip.start.altitude),
            after=tuple(attrs.evolve(energy, level=max(0.0, round(energy.level - used, 1))) for energy in trip.before),
            average_speed=speed,
            max_speed=round(max(trip.max_speed, speed * 1.3), 1),
        )

    def finish_trip(self, vehicle: str) -> Trip:
        """Arrive."""
        return self._replace(self._under_way(vehicle), fault=None, done=True)

    def add_trip(self, vehicle: str, *, km: float = 12.5, at: datetime | None = None) -> Trip:
        """Drive a whole trip."""
        self.start_trip(vehicle, at=at)
        self.drive(vehicle, km)
        return self.finish_trip(vehicle)

    def add_alert(self, vehicle: str, type_: str = "FuelLevelLow", *, at: datetime | None = None) -> Alert:
        """Raise an alert: it arrives at the head of the vehicle's alerts."""
        index = self._index(vehicle)
        raised = self._alerts.setdefault(index, [])
        alert = Alert(
            id=f"{mark(self.seed, 'raised', index, len(raised), size=10)}",
            vehicle=vehicle,
            type=type_,
            severity="Warning",
            active=True,
            started_at=at or self.changed_at(vehicle),
            ended_at=None,
            spot=self.spot(vehicle),
            trip=None,
        )
        raised.append(alert)
        return alert

    def update_status(self, vehicle: str, **blocks: Any) -> None:
        """Put blocks of the status body in place of the derived ones; None takes a block away."""
        self._changes.setdefault(self._index(vehicle), {}).update(blocks)

    def changes(self, vehicle: str) -> Mapping[str, Any]:
        """Give the blocks that :meth:`update_status` has put in place."""
        return self._changes.get(self._index(vehicle), {})

    def hide_status(self, vehicle: str, hidden: bool = True) -> None:
        """Make the back end have no status of the vehicle, or have it again."""
        (self._hidden.add if hidden else self._hidden.discard)(self._index(vehicle))

    def has_status(self, vehicle: str) -> bool:
        """Say whether the back end has a status of the vehicle."""
        return self._index(vehicle) not in self._hidden

    def _under_way(self, vehicle: str) -> Trip:
        last = self._last(vehicle)
        if last is None or last.done:
            raise ValueError("The vehicle is not on a trip.")
        return last

    def _replace(self, trip: Trip, **changes: Any) -> Trip:
        changed = attrs.evolve(trip, **changes)
        self._added[self._index(trip.vehicle)][-1] = changed
        return changed
