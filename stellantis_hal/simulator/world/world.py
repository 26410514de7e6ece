"""The simulated world: generated from a seed, changed by tests."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs

from stellantis_hal.simulator.flag_checks import require_flags
from stellantis_hal.simulator.world import incidents
from stellantis_hal.simulator.world.car_actions import CarActions
from stellantis_hal.simulator.world.car_control_state import NO_CONTROLS, CarControlState
from stellantis_hal.simulator.world.driver import Driver, Stand, TripAndStand
from stellantis_hal.simulator.world.entities import (
    Account,
    Alarm,
    Alert,
    ChargingState,
    Collision,
    Energy,
    GeoPoint,
    HasId,
    Trip,
    Vehicle,
    VehicleState,
)
from stellantis_hal.simulator.world.fleets import Fleets
from stellantis_hal.simulator.world.generator import WorldGenerator
from stellantis_hal.simulator.world.life import Life, ManualTrip
from stellantis_hal.simulator.world.places import away
from stellantis_hal.simulator.world.report_log import ReportLog
from stellantis_hal.simulator.world.seeded import fraction, hex_digits
from stellantis_hal.simulator.world.thefts import Thefts
from stellantis_hal.simulator.world.weather import temperature

__all__ = ["World"]

_USUAL_SPEED = 40.0
_LONGEST_DRIVE = 1_000_000.0  # km, and minutes
_INCIDENTS = {"alert": 0.012, "alarm": 0.002, "collision": 0.0005}  # per trip of a moving world


class World:
    """Accounts with vehicles and vehicles with trips; the same seed makes the same world.

    ``trips`` is the number of trips in the whole world; vehicles have different shares of it. Generated trips ended
    before ``epoch``. The trips of a vehicle do not overlap, its odometer grows by their distances, and each trip starts
    where the previous one ended.

    Entities are generated on access and only changes are stored, so a world of 10,000 vehicles and 1,000,000 trips
    needs a few megabytes more than a small one.

    Args:
        seed: what the world is made of.
        accounts: at least 1.
        vehicles: of all accounts together.
        trips: of all vehicles together.
        epoch: when all generated trips have ended, aware.
        moving: whether vehicles drive, park and charge as the simulator's clock goes on; otherwise they stand still
            until a test changes them.

    Raises:
        ValueError: a number is less than its least, or there are trips without vehicles.

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
        moving: bool = False,
    ) -> None:
        require_flags(moving=moving)
        if accounts < 1 or vehicles < 0 or trips < 0:
            raise ValueError("accounts must be at least 1, vehicles and trips at least 0.")
        if trips and not vehicles:
            raise ValueError("vehicles must be at least 1 where trips is not 0.")
        self.seed = seed
        self.epoch = epoch
        self.generator: WorldGenerator = WorldGenerator(
            seed=seed, accounts=accounts, vehicles=vehicles, trips=trips, epoch=epoch, moving=moving
        )
        self._lives: dict[int, Life] = {}
        self._alerts: dict[int, list[Alert]] = {}
        self._changes: dict[int, dict[str, Any]] = {}
        self._locks: dict[int, tuple[datetime, bool]] = {}
        self._reports: dict[int, datetime] = {}
        self._controls: dict[int, CarControlState] = {}
        self._cars: dict[int, CarActions] = {}
        self.log: ReportLog = ReportLog()
        self._clock: Callable[[], datetime] | None = None
        self._hidden: set[int] = set()
        self.fleets: Fleets = Fleets(seed, self.generator)
        self.thefts: Thefts = Thefts(seed, self.spot)

    def __repr__(self) -> str:
        made = self.generator
        sizes = f"accounts={made.accounts}, vehicles={made.vehicles}, trips={made.trips}"
        return f"World(seed={self.seed}, {sizes}{', moving=True' if made.moving else ''})"

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
            return sum(self._count(number) for number in range(self.generator.vehicles))
        return self._count(self.generator.find(vehicle))

    def _count(self, number: int) -> int:
        if number not in self._lives and not self.generator.moving:
            return self.generator.trips_of(number)
        return self._life(number).count(self._now(number))

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
        if not 0 <= trip < self._count(number):
            raise IndexError(trip)
        return self._life(number).trip(trip, self._now(number))

    def kilometres(self, vehicle: str | None = None) -> float:
        """Return the total distance of a vehicle, or of the world, in km rounded to 0.1."""
        if vehicle is None:
            return round(sum(self.kilometres(car.id) for car in self.vehicles), 1)
        count = self.trip_count(vehicle)
        if not count:
            return 0.0
        first, last = self.trip_at(vehicle, 0), self.trip_at(vehicle, count - 1)
        return round(last.start_mileage + last.distance - first.start_mileage, 1)

    # ------------------------------------------------------------------ state

    def vehicle_state(self, vehicle: str, trip: int | None = None) -> VehicleState:
        """Return a vehicle's current state, or its state after a trip. Raises IndexError."""
        number = self.generator.find(vehicle)
        if trip is not None and trip != self._count(number) - 1:
            return self._state_after(self.trip_at(vehicle, trip))
        return self._state(number, self._now(number))

    def _state(self, number: int, now: datetime) -> VehicleState:
        life = self._life(number)
        stand, current = life.at(now)
        if current is None:
            return self._standing(number, life.owner, stand, now)
        current = life.trip(current.index, now)
        controls = self._controls.get(number, NO_CONTROLS)
        lock = self._locks.get(number)
        return attrs.evolve(
            self._state_after(current),
            at=self._driving_since(number, current),
            moving=True,
            speed=round(current.average_speed, 1),
            locked=lock[1] if lock is not None and lock[0] >= current.started_at else False,
            load=stand.load,
            controls=attrs.evolve(controls, open_doors=()) if controls.open_doors else controls,
        )

    def reported_at(self, vehicle: str) -> datetime:
        """Return when a vehicle has reported last: the time of its state, without the rest of it."""
        number = self.generator.find(vehicle)
        now, life = self._now(number), self._life(number)
        stand, current = life.at(now)
        if current is None:
            return self._standing_since(number, stand, now)
        return self._driving_since(number, life.trip(current.index, now))

    def _standing_since(self, number: int, stand: Stand, now: datetime) -> datetime:
        at = max(stand.since, self._reports.get(number, stand.since))
        return at if stand.charge is None or now < stand.charge.since else max(at, stand.charge.reported_at(now))

    def _driving_since(self, number: int, trip: Trip) -> datetime:
        return max(trip.stopped_at, self._reports.get(number, trip.stopped_at))

    def reports(self, vehicle: str | HasId, since: datetime) -> list[VehicleState]:
        """Return the states that a vehicle has reported after an instant, oldest first, until now.

        A vehicle reports when it starts, each minute while it drives, and when it stops; when a charge begins, each
        five minutes of it, and when it ends; and whenever it is acted upon, woken, or commanded.
        """
        vehicle = self._id(vehicle)
        number = self.generator.find(vehicle)
        acts = list(self.log.of_vehicle(vehicle))
        found = [state for state in acts if state.at > since]
        for at in self._life(number).reports(since, self._now(number)):
            known = next((state.controls for state in reversed(acts) if state.at <= at), NO_CONTROLS)
            found.append(attrs.evolve(self._state(number, at), at=at, controls=known))
        return sorted(found, key=lambda state: state.at)

    def _state_after(self, trip: Trip) -> VehicleState:
        has_battery = any(energy.type == "Electric" for energy in trip.after)
        return VehicleState(
            at=trip.stopped_at,
            spot=trip.stop,
            mileage=round(trip.start_mileage + trip.distance, 1),
            levels=trip.after,
            moving=False,
            charging=ChargingState(plugged=False, status="Disconnected") if has_battery else None,
            temperature=trip.temperature,
        )

    def _standing(self, number: int, owner: Driver, stand: Stand, now: datetime) -> VehicleState:
        at = self._standing_since(number, stand, now)
        level = stand.battery_at(at)
        controls = self._controls.get(number, NO_CONTROLS)
        lock = self._locks.get(number)
        if lock is not None and lock[0] < stand.since:
            lock = None
        if controls.open_doors and lock is None:
            controls = attrs.evolve(controls, open_doors=())
        return VehicleState(
            at=at,
            spot=stand.spot,
            mileage=stand.tenths / 10,
            levels=stand.energies(owner.vehicle.energies, level),
            moving=False,
            locked=lock is None or lock[1],
            charging=None if level is None else _charging(stand, at, level),
            load=stand.load,
            temperature=temperature(self.seed, stand.spot, at),
            controls=controls,
        )

    def car(self, vehicle: str | HasId) -> CarActions:
        """Return the car of a vehicle: awake or asleep, with doors, plug, charge, climate, programs and more."""
        number = self.generator.find(self._id(vehicle))
        if number not in self._cars:
            self._cars[number] = CarActions(self, self._id(vehicle))
        return self._cars[number]

    def time_of(self, vehicle: str) -> datetime:
        """Return the time by the clock that the world follows; without one, that of the vehicle's last report."""
        return self._now(self.generator.find(vehicle))

    def stopped_at(self, vehicle: str) -> datetime:
        """Return when a vehicle stopped last: the end of its last trip."""
        number = self.generator.find(vehicle)
        return self._life(number).at(self._now(number))[0].since

    def mileage(self, vehicle: str) -> float:
        """Return a vehicle's odometer in km."""
        return self.vehicle_state(vehicle).mileage

    def levels(self, vehicle: str) -> tuple[Energy, ...]:
        """Return a vehicle's energy levels in percent."""
        return self.vehicle_state(vehicle).levels

    def spot(self, vehicle: str) -> GeoPoint:
        """Return a vehicle's position, where its last trip ended."""
        return self.vehicle_state(vehicle).spot

    def alerts(self, vehicle: str) -> list[Alert]:
        """Return a vehicle's alerts, newest first."""
        number = self.generator.find(vehicle)
        trips = self._incident_trips(vehicle, "alert", 5)
        raised = incidents.alerts(self.seed, self.generator.vehicle(number), trips, self._incident_time(number))
        return [*reversed(self._alerts.get(number, [])), *raised]

    def alarms(self, vehicle: str) -> list[Alarm]:
        """Return a vehicle's burglar alarms, newest first."""
        number = self.generator.find(vehicle)
        trips = self._incident_trips(vehicle, "alarm", 3)
        alarms = incidents.alarms(self.seed, self.generator.vehicle(number), trips)
        return [alarm for alarm in alarms if not self.generator.moving or alarm.started_at <= self._now(number)]

    def collisions(self, vehicle: str) -> list[Collision]:
        """Return a vehicle's collisions, newest first."""
        number = self.generator.find(vehicle)
        trips = self._incident_trips(vehicle, "collision", 2)
        return incidents.collisions(self.seed, self.generator.vehicle(number), trips)

    def changes(self, vehicle: str) -> Mapping[str, Any]:
        """Return the blocks set by :meth:`update_status`."""
        return self._changes.get(self.generator.find(vehicle), {})

    def has_status(self, vehicle: str) -> bool:
        """Return whether the server has a status of the vehicle."""
        return self.generator.find(vehicle) not in self._hidden

    # ------------------------------------------------------------------ changes

    def start_trip(self, vehicle: str | HasId, *, at: datetime | None = None) -> Trip:
        """Start a trip, an hour after the last one or at ``at``; it stays unfinished until :meth:`finish_trip`.

        Raises ValueError when the vehicle is on a trip, or was at that time.
        """
        vehicle = self._id(vehicle)
        number = self.generator.find(vehicle)
        state = self.vehicle_state(vehicle)
        started = state.at + timedelta(hours=1) if at is None else at
        if state.charging is not None and state.charging.plugged:
            raise ValueError("the vehicle is plugged in: call unplug first")
        if state.moving or started < state.at:
            raise ValueError(f"the vehicle is on a trip until {state.at}: start a later one")
        if state.controls.immobilized:
            raise ValueError("the vehicle is immobilized: call car(…).immobilize(False) first")
        life = self._life(number)
        stand = self._stand(number)
        stand = attrs.evolve(stand, battery=stand.battery_at(started), plugged=False, charge=None)
        with self._logged(number):
            life.start_trip(ManualTrip(before=stand, leg=_drive(life.owner, stand, started, 0.0, timedelta())))
        return self._current_trip(vehicle).leg.trip

    def drive(self, vehicle: str | HasId, km: float, *, minutes: float | None = None) -> Trip:
        """Drive some km in some minutes, at 40 km/h unless ``minutes`` is given; return the trip.

        A parked vehicle starts a trip. It ends now by the simulator's clock, but never starts before the vehicle's last
        report. A vehicle on a trip extends it. Odometer, position and energy levels change with it, and the trip stays
        unfinished until :meth:`park`. Raises ValueError when the vehicle is plugged in, or km or minutes are
        negative or more than a million.
        """
        minutes = km * 1.5 if minutes is None else minutes
        if not (0 <= km <= _LONGEST_DRIVE and 0 <= minutes <= _LONGEST_DRIVE):
            raise ValueError(f"km and minutes must be at least 0 and at most a million, not {km} in {minutes} minutes")
        vehicle = self._id(vehicle)
        state = self.vehicle_state(vehicle)
        if not state.moving:
            started = max(state.at, self._now(self.generator.find(vehicle)) - timedelta(minutes=minutes))
            self.start_trip(vehicle, at=None if self._clock is None else started)
        made = self._current_trip(vehicle)
        trip = made.leg.trip
        made.km += km
        distance = round(made.km, 1)
        duration = trip.duration + timedelta(minutes=minutes)
        number = self.generator.find(vehicle)
        with self._logged(number):
            made.leg = _drive(self._life(number).owner, made.before, trip.started_at, distance, duration)
        return made.leg.trip

    def finish_trip(self, vehicle: str | HasId) -> Trip:
        """Finish the current trip. Raises ValueError when the vehicle is not on a trip."""
        vehicle = self._id(vehicle)
        made = self._current_trip(vehicle)
        number = self.generator.find(vehicle)
        with self._logged(number):
            made.leg = TripAndStand(attrs.evolve(made.leg.trip, fault=None, done=True), made.leg.after)
            self._restart(number, made.leg.after)
        return made.leg.trip

    def add_trip(self, vehicle: str | HasId, *, km: float = 12.5, at: datetime | None = None) -> Trip:
        """Add a finished trip. Raises ValueError when the vehicle is on a trip."""
        self.start_trip(vehicle, at=at)
        self.drive(vehicle, km)
        return self.finish_trip(vehicle)

    def park(self, vehicle: str | HasId) -> Trip:
        """Finish the current trip, lock the doors and return the trip. Raises ValueError when there is no trip."""
        vehicle = self._id(vehicle)
        trip = self.finish_trip(vehicle)
        self.set_locked(vehicle, True)
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

    def set_controls(self, vehicle: str, controls: CarControlState) -> bool:
        """Replace what is set on a car, reported now; return whether it differs."""
        number = self.generator.find(vehicle)
        before = self._controls.get(number, NO_CONTROLS)
        with self._act(number):
            self._controls[number] = controls
            if controls.immobilized and not before.immobilized:
                self._life(number).halt(self._now(number))
            elif before.immobilized and not controls.immobilized and not self.vehicle_state(vehicle).moving:
                self._restart(number, self._stand(number))
        return controls != before

    def set_locked(self, vehicle: str, locked: bool) -> None:
        """Lock or unlock the doors."""
        number = self.generator.find(vehicle)
        with self._act(number) as at:
            self._locks[number] = (at, locked)

    def set_plug(self, vehicle: str, *, plugged: bool) -> bool:
        """Plug the cable in or pull it out, with which a charge ends; return whether that changed something."""
        number = self.generator.find(vehicle)
        stand = self._stand(number)
        if stand.plugged is plugged or self.vehicle_state(vehicle).moving:
            return False
        with self._act(number) as at:
            self._restart(number, attrs.evolve(stand, battery=stand.battery_at(at), plugged=plugged, charge=None))
        start = self._controls.get(number, NO_CONTROLS).charge_at
        if plugged and start is not None and start >= at:
            self.set_charge(vehicle, since=start)
        return True

    def set_charge(self, vehicle: str, *, since: datetime | None) -> bool:
        """End the charge, and start another at a time where the cable is in; return whether that changed something."""
        number = self.generator.find(vehicle)
        state = self.vehicle_state(vehicle)
        if state.moving:
            return False
        stand = self._stand(number)
        at = max(state.at, self._now(number))
        level, charge = stand.battery_at(at), None
        if since is not None and stand.plugged and level is not None:
            controls = self._controls.get(number, NO_CONTROLS)
            charge = self._life(number).owner.charge(
                max(since, at),
                level,
                target=80.0 if controls.charge_type == "Partial" else 100.0,
                until=controls.charge_until if controls.ends_charges else None,
            )
        with self._act(number):
            self._restart(number, attrs.evolve(stand, battery=level, charge=charge))
        return self.vehicle_state(vehicle).charging != state.charging

    def replan_charge(self, vehicle: str) -> None:
        """Apply changed preferences to the charge that goes on or is delayed."""
        charge = self._stand(self.generator.find(vehicle)).charge
        if charge is not None:  # a later charge is planned with the new preferences
            self.set_charge(vehicle, since=max(charge.since, self.time_of(vehicle)))

    # ------------------------------------------------------------------ other changes

    def follow(self, clock: Callable[[], datetime]) -> None:
        """Date what happens by a clock, such as the simulator's; before, a world's time stands still."""
        self._clock = clock

    @contextmanager
    def as_of(self, instant: datetime) -> Generator[None]:
        """Show the trips of the world as they were at an instant, within the block."""
        clock, self._clock = self._clock, lambda: instant
        try:
            yield
        finally:
            self._clock = clock

    def add_alert(self, vehicle: str | HasId, type_: str = "FuelLevelLow", *, at: datetime | None = None) -> Alert:
        """Add an alert before the vehicle's other alerts."""
        vehicle = self._id(vehicle)
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
        with self._logged(number):
            raised.append(alert)
        return alert

    def update_status(self, vehicle: str | HasId, **blocks: Any) -> None:
        """Replace blocks of the status body; None removes a block."""
        number = self.generator.find(self._id(vehicle))
        with self._logged(number):
            self._changes.setdefault(number, {}).update(blocks)

    def hide_status(self, vehicle: str | HasId) -> None:
        """Remove the vehicle's status from the server (404)."""
        self._hidden.add(self.generator.find(self._id(vehicle)))

    def show_status(self, vehicle: str | HasId) -> None:
        """Restore the vehicle's status."""
        self._hidden.discard(self.generator.find(self._id(vehicle)))

    # ------------------------------------------------------------------ helpers

    def _id(self, vehicle: str | HasId) -> str:
        """Return the id of a vehicle of this world. Raises KeyError."""
        if not (isinstance(vehicle, str) or hasattr(vehicle, "id")):
            raise TypeError(f"a vehicle must be one of the world, one that was read, or its id, not {vehicle!r:.50}")
        id_ = vehicle if isinstance(vehicle, str) else vehicle.id
        if id_ is None:
            raise KeyError("the vehicle has no id")
        self.generator.find(id_)
        return id_

    def _life(self, number: int) -> Life:
        if number not in self._lives:
            self._lives[number] = self.generator.life(number)
        return self._lives[number]

    def _now(self, number: int) -> datetime:
        """Return the time, in a moving world the epoch or later; without a clock, that of the last report."""
        if self._clock is not None:
            return max(self.epoch, self._clock()) if self.generator.moving else self._clock()
        if self.generator.moving:
            return max(self.epoch, self._reports.get(number, self.epoch))
        stand, trip = self._life(number).at(self.epoch)
        stopped = stand.since if trip is None else trip.stopped_at
        return max(stopped, self._reports.get(number, stopped))

    def _stand(self, number: int) -> Stand:
        return self._life(number).at(self._now(number))[0]

    @contextmanager
    def _logged(self, number: int) -> Generator[None]:
        """Log what a block changes as a report."""
        vehicle = self.generator.vehicle_id(number)
        before = self.vehicle_state(vehicle)
        yield
        self.log.add(vehicle, before, self.vehicle_state(vehicle))

    @contextmanager
    def _act(self, number: int) -> Generator[datetime]:
        """Have a vehicle report, now or at the time of its last report, what a block changes; yield that time."""
        at = max(self._state(number, self._now(number)).at, self._now(number))
        with self._logged(number):
            yield at
            self._reports[number] = at

    def _restart(self, number: int, stand: Stand) -> None:
        """Let a vehicle's life go on from a stand."""
        stands_still = not self.generator.moving or self._controls.get(number, NO_CONTROLS).immobilized
        now = max(stand.since, self._now(number))
        self._life(number).restart(stand, now, last=stand.trips if stands_still else None)

    def _incident_trips(self, vehicle: str, kind: str, limit: int) -> list[Trip]:
        number = self.generator.find(vehicle)
        numbers = self.generator.incident_trip_numbers(number, kind, limit)
        if self.generator.moving:
            later = range(self.generator.trips_of(number), self._count(number))
            rate = _INCIDENTS[kind]
            found = [trip for trip in later if fraction(self.seed, kind, number, trip) < rate]
            numbers = [*reversed(found), *numbers]
        return [trip for trip in map(partial(self.trip_at, vehicle), numbers) if trip.done]

    def _incident_time(self, number: int) -> datetime:
        return self._now(number) if self.generator.moving else self.epoch

    def _current_trip(self, vehicle: str) -> ManualTrip:
        made = self._life(self.generator.find(vehicle)).made
        if made is None:
            if (state := self.vehicle_state(vehicle)).moving:
                raise ValueError(
                    f"the vehicle is on a trip of its owner, last reported at {state.at}: wait for its end"
                )
            raise ValueError("the vehicle is not on a trip: call drive or start_trip first")
        return made


def _charging(stand: Stand, at: datetime, level: float) -> ChargingState:
    charge = stand.charge
    if not stand.plugged:
        return ChargingState(plugged=False, status="Disconnected")
    if charge is None or at < charge.since:
        return ChargingState(plugged=True, status="Stopped")
    if at >= charge.ends_at:
        return ChargingState(plugged=True, status="Finished" if at >= charge.full_at else "Stopped")
    return ChargingState(
        plugged=True,
        status="InProgress",
        rate=charge.rate_at(level),
        remaining=charge.full_at - at,
        quick=charge.quick,
    )


def _drive(owner: Driver, stand: Stand, at: datetime, km: float, duration: timedelta) -> TripAndStand:
    """Return a trip made by hand, which is not over, and the stand after it."""
    hours = duration / timedelta(hours=1)
    turn = fraction(stand.spot.longitude, stand.trips)
    stop = away(stand.spot, km / 1.25, turn) if km else stand.spot
    pace = min(130.0, max(8.0, km / hours)) if hours else _USUAL_SPEED
    trip, after = owner.drive(stand, stop, at, (0.5, 0.5, 0.5, 0.5), speed=pace, km=km)
    speed = km / hours if hours else 0.0
    trip = attrs.evolve(
        trip, duration=duration, average_speed=speed, max_speed=round(speed * 1.3, 1), fault="Unfinished", done=False
    )
    return TripAndStand(trip, attrs.evolve(after, since=at + duration))
