"""Knows the truth: which accounts, vehicles and trips exist, made from a seed when asked for, and changed by hand.

Must not know HTTP, HAL or the API's wording. Nothing but what was changed by hand is held, so that a world of
10,000 vehicles and 1,000,000 trips costs no more memory than a small one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from stellantis_hal.simulator.world import incidents as happenings
from stellantis_hal.simulator.world.entities import (
    Account,
    Alarm,
    Alert,
    Collision,
    Energy,
    Snapshot,
    Spot,
    Trip,
    Vehicle,
)
from stellantis_hal.simulator.world.generator import WorldGenerator
from stellantis_hal.simulator.world.seeded import mark

__all__ = ["World"]


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
        self._made = WorldGenerator(seed=seed, accounts=accounts, vehicles=vehicles, trips=trips, epoch=epoch)
        self._added: dict[int, list[Trip]] = {}
        self._alerts: dict[int, list[Alert]] = {}
        self._changes: dict[int, dict[str, Any]] = {}
        self._hidden: set[int] = set()

    def __repr__(self) -> str:
        made = self._made
        return f"World(seed={self.seed}, accounts={made.accounts}, vehicles={made.vehicles}, trips={self.trip_count()})"

    # ------------------------------------------------------------------ accounts and vehicles

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account."""
        return tuple(self._made.account(account) for account in range(self._made.accounts))

    def account(self, key: str) -> Account:
        """Find an account by its key. Raises KeyError."""
        number = key.rpartition("-")[2]
        if number.isdecimal() and len(number) < 10 and int(number) < self._made.accounts:
            account = self._made.account(int(number))
            if account.key == key:
                return account
        raise KeyError(key)

    @property
    def vehicles(self) -> tuple[Vehicle, ...]:
        """Every vehicle."""
        return tuple(self._made.vehicle(vehicle) for vehicle in range(self._made.vehicles))

    def vehicles_of(self, account: str) -> tuple[Vehicle, ...]:
        """Give every vehicle of an account, in the API's order. Raises KeyError."""
        return tuple(self._made.vehicle(vehicle) for vehicle in self._made.owned(self.account(account).index))

    def vehicle(self, vehicle: str) -> Vehicle:
        """Find a vehicle by its id. Raises KeyError."""
        return self._made.vehicle(self._made.find(vehicle))

    def vehicle_by_vin(self, vin: str) -> Vehicle:
        """Find a vehicle by its VIN. Raises KeyError."""
        return self._made.vehicle(self._made.find_vin(vin))

    # ------------------------------------------------------------------ trips

    def trip_count(self, vehicle: str | None = None) -> int:
        """Count the trips of a vehicle, or of the world."""
        if vehicle is None:
            return self._made.trips + sum(map(len, self._added.values()))
        number = self._made.find(vehicle)
        return self._made.trips_of(number) + len(self._added.get(number, ()))

    def trips(self, vehicle: str) -> Iterator[Trip]:
        """Walk the trips of a vehicle, the oldest first."""
        return (self.trip_at(vehicle, trip) for trip in range(self.trip_count(vehicle)))

    def trip_ids(self, vehicle: str) -> list[str]:
        """List the ids of a vehicle's trips, the oldest first."""
        number = self._made.find(vehicle)
        return [self._made.trip_id(number, trip) for trip in range(self.trip_count(vehicle))]

    def trip(self, vehicle: str, trip: str) -> Trip:
        """Find a trip by its id. Raises KeyError."""
        try:
            found = int(trip[-6:], 16)
        except ValueError:
            raise KeyError(trip) from None
        inside = 0 <= found < self.trip_count(vehicle)
        if not inside or self._made.trip_id(self._made.find(vehicle), found) != trip:
            raise KeyError(trip)
        return self.trip_at(vehicle, found)

    def trip_at(self, vehicle: str, trip: int) -> Trip:
        """Give a vehicle's trip by its place, the oldest being 0. Raises IndexError."""
        number = self._made.find(vehicle)
        made = self._made.trips_of(number)
        if 0 <= trip < made:
            return self._made.trip(number, trip)
        if made <= trip < self.trip_count(vehicle):
            return self._added[number][trip - made]
        raise IndexError(trip)

    def kilometres(self, vehicle: str | None = None) -> float:
        """Add up what a vehicle, or the whole world, drove: km, exact to 0.1."""
        if vehicle is None:
            return round(sum(self.kilometres(car.id) for car in self.vehicles), 1)
        number = self._made.find(vehicle)
        driven = self._made.tenths(number, self._made.trips_of(number)) - self._made.tenths(number, 0)
        return round(driven / 10 + sum(trip.distance for trip in self._added.get(number, ())), 1)

    # ------------------------------------------------------------------ the present

    def snapshot(self, vehicle: str, trip: int | None = None) -> Snapshot:
        """Say how a vehicle is now, or was after one of its trips. Raises IndexError."""
        count = self.trip_count(vehicle)
        if trip is None and not count:
            number = self._made.find(vehicle)
            return Snapshot(
                at=self.epoch,
                spot=self._made.spot(number, 0),
                mileage=self._made.tenths(number, 0) / 10,
                levels=self._made.levels(number, 0),
                moving=False,
            )
        last = self.trip_at(vehicle, count - 1 if trip is None else trip)
        return Snapshot(
            at=last.stopped_at,
            spot=last.stop,
            mileage=round(last.start_mileage + last.distance, 1),
            levels=last.after,
            moving=not last.done,
        )

    def mileage(self, vehicle: str) -> float:
        """Read a vehicle's odometer: km."""
        return self.snapshot(vehicle).mileage

    def levels(self, vehicle: str) -> tuple[Energy, ...]:
        """Read how full a vehicle is, in percent."""
        return self.snapshot(vehicle).levels

    def spot(self, vehicle: str) -> Spot:
        """Say where a vehicle stands: where its last trip ended."""
        return self.snapshot(vehicle).spot

    def alerts(self, vehicle: str) -> list[Alert]:
        """List a vehicle's alerts, the newest first."""
        number = self._made.find(vehicle)
        witnesses = self._made.witnesses(number, "alert", 5)
        raised = happenings.alerts(self.seed, self._made.vehicle(number), witnesses, self.epoch)
        return [*reversed(self._alerts.get(number, [])), *raised]

    def alarms(self, vehicle: str) -> list[Alarm]:
        """List a vehicle's burglar alarms, the newest first."""
        number = self._made.find(vehicle)
        return happenings.alarms(self.seed, self._made.vehicle(number), self._made.witnesses(number, "alarm", 3))

    def collisions(self, vehicle: str) -> list[Collision]:
        """List a vehicle's collisions, the newest first."""
        number = self._made.find(vehicle)
        witnesses = self._made.witnesses(number, "collision", 2)
        return happenings.collisions(self.seed, self._made.vehicle(number), witnesses)

    def changes(self, vehicle: str) -> Mapping[str, Any]:
        """Give the blocks that :meth:`update_status` has put in place."""
        return self._changes.get(self._made.find(vehicle), {})

    def has_status(self, vehicle: str) -> bool:
        """Say whether the back end has a status of the vehicle."""
        return self._made.find(vehicle) not in self._hidden

    # ------------------------------------------------------------------ changes

    def start_trip(self, vehicle: str, *, at: datetime | None = None) -> Trip:
        """Set out: a trip that is not done. Starts an hour after the last one, or ``at``.

        Raises ValueError when the vehicle is on a trip, or was at that time.
        """
        number = self._made.find(vehicle)
        here = self.snapshot(vehicle)
        started = here.at + timedelta(hours=1) if at is None else at
        if here.moving or started < here.at:
            raise ValueError(f"The vehicle is on a trip until {here.at}.")
        index = self.trip_count(vehicle)
        trip = Trip(
            id=self._made.trip_id(number, index),
            index=index,
            vehicle=vehicle,
            started_at=started,
            duration=timedelta(),
            distance=0.0,
            start_mileage=here.mileage,
            start=here.spot,
            stop=here.spot,
            before=here.levels,
            after=here.levels,
            average_speed=0.0,
            max_speed=0.0,
            fault="Unfinished",
            done=False,
        )
        self._added.setdefault(number, []).append(trip)
        return trip

    def drive(self, vehicle: str, km: float, *, minutes: float | None = None) -> Trip:
        """Go on by some km (at 40 km/h unless told): odometer, place and energy follow.

        Raises ValueError when the vehicle is not on a trip.
        """
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
        """Arrive. Raises ValueError when the vehicle is not on a trip."""
        return self._replace(self._under_way(vehicle), fault=None, done=True)

    def add_trip(self, vehicle: str, *, km: float = 12.5, at: datetime | None = None) -> Trip:
        """Drive a whole trip. Raises ValueError when the vehicle is on one."""
        self.start_trip(vehicle, at=at)
        self.drive(vehicle, km)
        return self.finish_trip(vehicle)

    def add_alert(self, vehicle: str, type_: str = "FuelLevelLow", *, at: datetime | None = None) -> Alert:
        """Raise an alert: it arrives at the head of the vehicle's alerts."""
        number = self._made.find(vehicle)
        here = self.snapshot(vehicle)
        raised = self._alerts.setdefault(number, [])
        alert = Alert(
            id=mark(self.seed, "raised", number, len(raised), size=10),
            vehicle=vehicle,
            type=type_,
            severity="Warning",
            active=True,
            started_at=here.at if at is None else at,
            ended_at=None,
            spot=here.spot,
            trip=None,
        )
        raised.append(alert)
        return alert

    def update_status(self, vehicle: str, **blocks: Any) -> None:
        """Put blocks of the status body in place of the derived ones; None takes a block away."""
        self._changes.setdefault(self._made.find(vehicle), {}).update(blocks)

    def hide_status(self, vehicle: str) -> None:
        """Make the back end have no status of the vehicle."""
        self._hidden.add(self._made.find(vehicle))

    def show_status(self, vehicle: str) -> None:
        """Make the back end have a status of the vehicle again."""
        self._hidden.discard(self._made.find(vehicle))

    def _under_way(self, vehicle: str) -> Trip:
        added = self._added.get(self._made.find(vehicle))
        if not added or added[-1].done:
            raise ValueError("The vehicle is not on a trip.")
        return added[-1]

    def _replace(self, trip: Trip, **changes: Any) -> Trip:
        changed = attrs.evolve(trip, **changes)
        self._added[self._made.find(trip.vehicle)][-1] = changed
        return changed
