"""The simulated world: generated from a seed, changed by tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs

from stellantis_hal.simulator.world import incidents
from stellantis_hal.simulator.world.car import Car
from stellantis_hal.simulator.world.controls import NO_CONTROLS, Controls
from stellantis_hal.simulator.world.entities import (
    Account,
    Alarm,
    Alert,
    Collision,
    Energy,
    HasId,
    Spot,
    Trip,
    Vehicle,
    VehicleState,
)
from stellantis_hal.simulator.world.fleets import Fleets
from stellantis_hal.simulator.world.generator import WorldGenerator
from stellantis_hal.simulator.world.parking import Charge, Parking
from stellantis_hal.simulator.world.seeded import hex_digits
from stellantis_hal.simulator.world.thefts import Thefts

__all__ = ["World"]


class World:
    """Accounts with vehicles and vehicles with trips; the same seed makes the same world.

    ``trips`` is the number of trips in the whole world; vehicles have different shares of it. Generated trips ended
    before ``epoch``. The trips of a vehicle do not overlap, its odometer grows by their distances, and each trip starts
    where the previous one ended.

    Entities are generated on access and only changes are stored, so a world of 10,000 vehicles and 1,000,000 trips
    needs no more memory than a small one.

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
            raise ValueError("accounts must be at least 1, vehicles and trips at least 0.")
        if trips and not vehicles:
            raise ValueError("vehicles must be at least 1 where trips is not 0.")
        self.seed = seed
        self.epoch = epoch
        self.generator: WorldGenerator = WorldGenerator(
            seed=seed, accounts=accounts, vehicles=vehicles, trips=trips, epoch=epoch
        )
        self._added: dict[int, list[Trip]] = {}
        self._alerts: dict[int, list[Alert]] = {}
        self._changes: dict[int, dict[str, Any]] = {}
        self._parked: dict[int, Parking] = {}
        self._controls: dict[int, Controls] = {}
        self._cars: dict[int, Car] = {}
        self._clock: Callable[[], datetime] | None = None
        self._hidden: set[int] = set()
        self.fleets: Fleets = Fleets(seed, self.generator)
        self.thefts: Thefts = Thefts(seed, self.spot)

    def __repr__(self) -> str:
        accounts, vehicles = self.generator.accounts, self.generator.vehicles
        return f"World(seed={self.seed}, accounts={accounts}, vehicles={vehicles}, trips={self.trip_count()})"

    # ------------------------------------------------------------------ accounts and vehicles

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts."""
        return tuple(self.generator.account(account) for account in range(self.generator.accounts))

    def account(self, key: str) -> Account:
        """Return the account with a key. Raises KeyError."""
        number = key.rpartition("-")[2]
        if number.isdecimal() and len(number) < 10 and int(number) < self.generator.accounts:
            account = self.generator.account(int(number))
            if account.key == key:
                return account
        raise KeyError(key)

    @property
    def vehicles(self) -> tuple[Vehicle, ...]:
        """All vehicles."""
        return tuple(self.generator.vehicle(vehicle) for vehicle in range(self.generator.vehicles))

    def vehicles_of(self, account: str) -> tuple[Vehicle, ...]:
        """Return the vehicles of an account, in the API's order. Raises KeyError."""
        numbers = self.generator.vehicles_of_account(self.account(account).index)
        return tuple(self.generator.vehicle(number) for number in numbers)

    def vehicle(self, vehicle: str) -> Vehicle:
        """Return the vehicle with an id. Raises KeyError."""
        return self.generator.vehicle(self.generator.find(vehicle))

    def vehicle_by_vin(self, vin: str) -> Vehicle:
        """Return the vehicle with a VIN. Raises KeyError."""
        return self.generator.vehicle(self.generator.find_vin(vin))

    # ------------------------------------------------------------------ trips

    def trip_count(self, vehicle: str | None = None) -> int:
        """Return the number of trips of a vehicle, or of the world."""
        if vehicle is None:
            return self.generator.trips + sum(map(len, self._added.values()))
        number = self.generator.find(vehicle)
        return self.generator.trips_of(number) + len(self._added.get(number, ()))

    def trips(self, vehicle: str) -> Iterator[Trip]:
        """Iterate over the trips of a vehicle, oldest first."""
        return (self.trip_at(vehicle, trip) for trip in range(self.trip_count(vehicle)))

    def trip_ids(self, vehicle: str) -> list[str]:
        """Return the ids of a vehicle's trips, oldest first."""
        number = self.generator.find(vehicle)
        return [self.generator.trip_id(number, trip) for trip in range(self.trip_count(vehicle))]

    def trip(self, vehicle: str, trip: str) -> Trip:
        """Return the trip with an id. Raises KeyError."""
        try:
            found = int(trip[-6:], 16)
        except ValueError:
            raise KeyError(trip) from None
        exists = 0 <= found < self.trip_count(vehicle)
        if not exists or self.generator.trip_id(self.generator.find(vehicle), found) != trip:
            raise KeyError(trip)
        return self.trip_at(vehicle, found)

    def trip_at(self, vehicle: str, trip: int) -> Trip:
        """Return a vehicle's trip by its number; the oldest is 0. Raises IndexError."""
        number = self.generator.find(vehicle)
        generated = self.generator.trips_of(number)
        if 0 <= trip < generated:
            return self.generator.trip(number, trip)
        if generated <= trip < self.trip_count(vehicle):
            return self._added[number][trip - generated]
        raise IndexError(trip)

    def kilometres(self, vehicle: str | None = None) -> float:
        """Return the total distance of a vehicle, or of the world, in km rounded to 0.1."""
        if vehicle is None:
            return round(sum(self.kilometres(car.id) for car in self.vehicles), 1)
        number = self.generator.find(vehicle)
        odometer, trips = partial(self.generator.odometer_tenths, number), self.generator.trips_of(number)
        driven = odometer(trips) - odometer(0)
        return round(driven / 10 + sum(trip.distance for trip in self._added.get(number, ())), 1)

    # ------------------------------------------------------------------ state

    def vehicle_state(self, vehicle: str, trip: int | None = None) -> VehicleState:
        """Return a vehicle's current state, or its state after a trip. Raises IndexError."""
        number, count = self.generator.find(vehicle), self.trip_count(vehicle)
        if trip is None and not count:
            state = VehicleState(
                at=self.epoch,
                spot=self.generator.spot(number, 0),
                mileage=self.generator.odometer_tenths(number, 0) / 10,
                levels=self.generator.levels(number, 0),
                moving=False,
            )
        else:
            last = self.trip_at(vehicle, count - 1 if trip is None else trip)
            state = VehicleState(
                at=last.stopped_at,
                spot=last.stop,
                mileage=round(last.start_mileage + last.distance, 1),
                levels=last.after,
                moving=not last.done,
            )
        if trip not in {None, count - 1}:
            return state
        if (controls := self._controls.get(number)) is not None:
            state = attrs.evolve(state, controls=controls)
        parking = self._parked.get(number)
        return state if parking is None else parking.applied_to(state, self._now(state))

    def car(self, vehicle: str | HasId) -> Car:
        """Return the car of a vehicle: awake or asleep, with doors, plug, charge, climate, programs and more."""
        number = self.generator.find(self._id(vehicle))
        if number not in self._cars:
            self._cars[number] = Car(self, self._id(vehicle))
        return self._cars[number]

    def time_of(self, vehicle: str) -> datetime:
        """Return the time by the clock that the world follows; without one, that of the vehicle's last report."""
        return self._now(self.vehicle_state(vehicle))

    def stopped_at(self, vehicle: str) -> datetime:
        """Return when a vehicle stopped last: the end of its last trip."""
        count = self.trip_count(vehicle)
        return self.trip_at(vehicle, count - 1).stopped_at if count else self.epoch

    def mileage(self, vehicle: str) -> float:
        """Return a vehicle's odometer in km."""
        return self.vehicle_state(vehicle).mileage

    def levels(self, vehicle: str) -> tuple[Energy, ...]:
        """Return a vehicle's energy levels in percent."""
        return self.vehicle_state(vehicle).levels

    def spot(self, vehicle: str) -> Spot:
        """Return a vehicle's position, where its last trip ended."""
        return self.vehicle_state(vehicle).spot

    def alerts(self, vehicle: str) -> list[Alert]:
        """Return a vehicle's alerts, newest first."""
        number = self.generator.find(vehicle)
        trips = self.generator.incident_trips(number, "alert", 5)
        raised = incidents.alerts(self.seed, self.generator.vehicle(number), trips, self.epoch)
        return [*reversed(self._alerts.get(number, [])), *raised]

    def alarms(self, vehicle: str) -> list[Alarm]:
        """Return a vehicle's burglar alarms, newest first."""
        number = self.generator.find(vehicle)
        trips = self.generator.incident_trips(number, "alarm", 3)
        return incidents.alarms(self.seed, self.generator.vehicle(number), trips)

    def collisions(self, vehicle: str) -> list[Collision]:
        """Return a vehicle's collisions, newest first."""
        number = self.generator.find(vehicle)
        trips = self.generator.incident_trips(number, "collision", 2)
        return incidents.collisions(self.seed, self.generator.vehicle(number), trips)

    def changes(self, vehicle: str) -> Mapping[str, Any]:
        """Return the blocks set by :meth:`update_status`."""
        return self._changes.get(self.generator.find(vehicle), {})

    def has_status(self, vehicle: str) -> bool:
        """Return whether the back end has a status of the vehicle."""
        return self.generator.find(vehicle) not in self._hidden

    # ------------------------------------------------------------------ changes

    def start_trip(self, vehicle: str, *, at: datetime | None = None) -> Trip:
        """Start a trip, an hour after the last one or at ``at``; it stays unfinished until :meth:`finish_trip`.

        Raises ValueError when the vehicle is on a trip, or was at that time.
        """
        number = self.generator.find(vehicle)
        state = self.vehicle_state(vehicle)
        started = state.at + timedelta(hours=1) if at is None else at
        if self._parking(number).plugged:
            raise ValueError("the vehicle is plugged in: call unplug first")
        if state.moving or started < state.at:
            raise ValueError(f"the vehicle is on a trip until {state.at}: start a later one")
        index = self.trip_count(vehicle)
        trip = Trip(
            id=self.generator.trip_id(number, index),
            index=index,
            vehicle=vehicle,
            started_at=started,
            duration=timedelta(),
            distance=0.0,
            start_mileage=state.mileage,
            start=state.spot,
            stop=state.spot,
            before=state.levels,
            after=state.levels,
            average_speed=0.0,
            max_speed=0.0,
            fault="Unfinished",
            done=False,
        )
        self._added.setdefault(number, []).append(trip)
        self._parked[number] = Parking(plugged=False)
        return trip

    def drive(self, vehicle: str | HasId, km: float, *, minutes: float | None = None) -> Trip:
        """Drive some km in some minutes, at 40 km/h unless ``minutes`` is given; return the trip.

        A parked vehicle starts a trip. It ends now by the simulator's clock, but never starts before the vehicle's last
        report. A vehicle on a trip extends it. Odometer, position and energy levels change with it, and the trip stays
        unfinished until :meth:`park`. Raises ValueError when the vehicle is plugged in, or km or minutes are negative.
        """
        minutes = km * 1.5 if minutes is None else minutes
        if not (0 <= km < math.inf and 0 <= minutes < math.inf):
            raise ValueError(f"km and minutes must be at least 0, not {km} km in {minutes} minutes")
        vehicle = self._id(vehicle)
        state = self.vehicle_state(vehicle)
        if not state.moving:
            started = max(state.at, self._now(state) - timedelta(minutes=minutes))
            self.start_trip(vehicle, at=None if self._clock is None else started)
        trip = self._current_trip(vehicle)
        distance = round(trip.distance + km, 1)
        duration = trip.duration + timedelta(minutes=minutes)
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
        """Finish the current trip. Raises ValueError when the vehicle is not on a trip."""
        return self._replace(self._current_trip(vehicle), fault=None, done=True)

    def add_trip(self, vehicle: str, *, km: float = 12.5, at: datetime | None = None) -> Trip:
        """Add a finished trip. Raises ValueError when the vehicle is on a trip."""
        self.start_trip(vehicle, at=at)
        self.drive(vehicle, km)
        return self.finish_trip(vehicle)

    def park(self, vehicle: str | HasId) -> Trip:
        """Finish the current trip, lock the doors and return the trip. Raises ValueError when there is no trip."""
        vehicle = self._id(vehicle)
        trip = self.finish_trip(vehicle)
        self._set_parking(vehicle, plugged=False, locked=True)
        return trip

    def plug_in(self, vehicle: str | HasId) -> None:
        """Plug the charging cable in; the battery is not charged until :meth:`start_charging`.

        Raises ValueError when the vehicle has no battery to charge, or is on a trip.
        """
        self.car(vehicle).plug_in()

    def start_charging(self, vehicle: str | HasId) -> None:
        """Charge the battery, by 15 % per hour of the simulator's clock until it is full.

        The level is reported every 5 minutes. Raises ValueError when the vehicle is not plugged in.
        """
        self.car(vehicle).start_charging()

    def unplug(self, vehicle: str | HasId) -> None:
        """Pull the charging cable out; the battery keeps its level. Nothing changes when it is out."""
        self.car(vehicle).unplug()

    def lock(self, vehicle: str | HasId) -> None:
        """Lock the doors. Raises ValueError when one is open."""
        self.car(vehicle).lock()

    def unlock(self, vehicle: str | HasId) -> None:
        """Unlock the doors."""
        self.car(vehicle).unlock()

    # ------------------------------------------------------------------ changes by a car

    def set_controls(self, vehicle: str, controls: Controls) -> bool:
        """Replace what is set on a car, reported now; return whether it differs."""
        number = self.generator.find(vehicle)
        changed = controls != self._controls.get(number, NO_CONTROLS)
        self._controls[number] = controls
        self._set_parking(vehicle)
        return changed

    def set_locked(self, vehicle: str, locked: bool) -> None:
        """Lock or unlock the doors."""
        self._set_parking(vehicle, locked=locked)

    def set_plug(self, vehicle: str, *, plugged: bool) -> bool:
        """Plug the cable in or pull it out, with which a charge ends; return whether that changed something."""
        parking = self._parking(self.generator.find(vehicle))
        if parking.plugged is plugged:
            return False
        levels = self._charged_levels(vehicle)
        self._set_parking(vehicle, plugged=plugged, charge=None, levels=levels)
        start = self._controls.get(self.generator.find(vehicle), NO_CONTROLS).charge_at
        if plugged and start is not None and start >= self.time_of(vehicle):
            self.set_charge(vehicle, since=start)
        return True

    def set_charge(self, vehicle: str, *, since: datetime | None) -> bool:
        """End the charge, and start another at a time where the cable is in; return whether that changed something."""
        parking = self._parking(self.generator.find(vehicle))
        levels = self._charged_levels(vehicle) or self.levels(vehicle)
        before = self.vehicle_state(vehicle).charging
        charge = None
        if since is not None and parking.plugged:
            level = next(energy.level for energy in levels if energy.type == "Electric")
            controls = self._controls.get(self.generator.find(vehicle), NO_CONTROLS)
            charge = Charge(
                since=max(since, self.vehicle_state(vehicle).at),
                level=level,
                target=80.0 if controls.charge_type == "Partial" else 100.0,
                until=controls.charge_until if controls.ends_charges else None,
            )
        self._set_parking(vehicle, charge=charge, levels=levels)
        return self.vehicle_state(vehicle).charging != before

    def replan_charge(self, vehicle: str) -> None:
        """Apply changed preferences to the charge that goes on or is delayed."""
        charge = self._parking(self.generator.find(vehicle)).charge
        if charge is not None:
            self.set_charge(vehicle, since=max(charge.since, self.time_of(vehicle)))

    # ------------------------------------------------------------------ other changes

    def follow(self, clock: Callable[[], datetime]) -> None:
        """Date what happens by a clock, such as the simulator's; before, a world's time stands still."""
        self._clock = clock

    def add_alert(self, vehicle: str, type_: str = "FuelLevelLow", *, at: datetime | None = None) -> Alert:
        """Add an alert before the vehicle's other alerts."""
        number = self.generator.find(vehicle)
        state = self.vehicle_state(vehicle)
        raised = self._alerts.setdefault(number, [])
        alert = Alert(
            id=hex_digits(self.seed, "raised", number, len(raised), size=10),
            vehicle=vehicle,
            type=type_,
            severity="Warning",
            active=True,
            started_at=state.at if at is None else at,
            ended_at=None,
            spot=state.spot,
            trip=None,
        )
        raised.append(alert)
        return alert

    def update_status(self, vehicle: str, **blocks: Any) -> None:
        """Replace blocks of the status body; None removes a block."""
        self._changes.setdefault(self.generator.find(vehicle), {}).update(blocks)

    def hide_status(self, vehicle: str) -> None:
        """Remove the vehicle's status from the back end (404)."""
        self._hidden.add(self.generator.find(vehicle))

    def show_status(self, vehicle: str) -> None:
        """Restore the vehicle's status."""
        self._hidden.discard(self.generator.find(vehicle))

    # ------------------------------------------------------------------ helpers

    def _id(self, vehicle: str | HasId) -> str:
        """Return the id of a vehicle of this world. Raises KeyError."""
        id_ = vehicle if isinstance(vehicle, str) else vehicle.id
        if id_ is None:
            raise KeyError("the vehicle has no id")
        self.generator.find(id_)
        return id_

    def _now(self, state: VehicleState) -> datetime:
        return state.at if self._clock is None else self._clock()

    def _parking(self, number: int) -> Parking:
        return self._parked.get(number, Parking())

    def _set_parking(self, vehicle: str, **changes: Any) -> None:
        number, state = self.generator.find(vehicle), self.vehicle_state(vehicle)
        at = max(state.at, self._now(state))
        self._parked[number] = attrs.evolve(self._parking(number), at=at, **changes)

    def _charged_levels(self, vehicle: str) -> tuple[Energy, ...] | None:
        """Return the levels after a charge until now; None without a charge: those at the end of the trip stay."""
        parking = self._parking(self.generator.find(vehicle))
        if parking.charge is None:
            return parking.levels
        state = self.vehicle_state(vehicle)
        level = parking.charge.level_at(max(state.at, self._now(state)))
        return tuple(attrs.evolve(each, level=level) if each.type == "Electric" else each for each in state.levels)

    def _current_trip(self, vehicle: str) -> Trip:
        added = self._added.get(self.generator.find(vehicle))
        if not added or added[-1].done:
            raise ValueError("the vehicle is not on a trip: call drive or start_trip first")
        return added[-1]

    def _replace(self, trip: Trip, **changes: Any) -> Trip:
        changed = attrs.evolve(trip, **changes)
        self._added[self.generator.find(trip.vehicle)][-1] = changed
        return changed
