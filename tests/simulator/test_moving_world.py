"""A world that moves with the clock, and the model from which its past and its future come."""

import statistics
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.simulator import Simulator, Trip, Vehicle, VehicleState, World
from stellantis_hal.simulator.api.serializer import Serializer
from stellantis_hal.simulator.api.status_body import status

EPOCH = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)


class Clock:
    """A clock that is set."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def moving(vehicles: int = 1, *, seed: int = 7, trips: int | None = None) -> tuple[World, Clock]:
    world = World(
        seed=seed, vehicles=vehicles, trips=vehicles * 20 if trips is None else trips, epoch=EPOCH, moving=True
    )
    clock = Clock()
    Simulator(world, clock=clock)
    return world, clock


@pytest.fixture(scope="module")
def past() -> World:
    """Five months of 12 vehicles, as a report shows it."""
    return World(seed=3, vehicles=12, trips=12 * 400)


def electric(world: World) -> list[Vehicle]:
    return [car for car in world.vehicles if car.motorization == "Electric"]


def long_trips(world: World) -> Iterator[Trip]:
    return (trip for car in electric(world) for trip in world.trips(car.id) if trip.distance >= 3)


def consumption(trip: Trip) -> float:
    """Return kWh per 100 km."""
    return trip.used[0] / trip.distance / 10


def body_of(world: World, car: str) -> dict[str, Any]:
    return status(Serializer(world=world, base=""), world.vehicle(car), world.vehicle_state(car))


# ---------------------------------------------------------------------- the past looks true


@pytest.mark.unmeasured
def test_faster_trips_use_more_at_the_same_temperature(past: World) -> None:
    mild = [trip for trip in long_trips(past) if 12 < trip.temperature < 20]
    assert len(mild) > 300
    assert statistics.correlation([trip.average_speed for trip in mild], list(map(consumption, mild))) > 0.4


@pytest.mark.unmeasured
def test_cold_trips_use_more(past: World) -> None:
    trips = list(long_trips(past))
    assert statistics.correlation([trip.temperature for trip in trips], list(map(consumption, trips))) < -0.3


@pytest.mark.unmeasured
def test_consumption_and_speed_are_plausible(past: World) -> None:
    for trip in long_trips(past):
        assert 8 < consumption(trip) < 30
        assert 10 < trip.average_speed < 120 <= trip.max_speed + 120
        assert trip.average_speed < trip.max_speed < 165
        assert -25 < trip.temperature < 42
    litres = [
        trip.used[0] / trip.distance
        for car in past.vehicles
        if car.energies == ("Fuel",)
        for trip in past.trips(car.id)
    ]
    assert 4 < statistics.mean(litres) < 10


@pytest.mark.unmeasured
def test_trips_are_contiguous_in_time_place_and_mileage(past: World) -> None:
    for car in past.vehicles:
        for earlier, later in pairwise(past.trips(car.id)):
            assert earlier.stopped_at < later.started_at
            assert earlier.stop == later.start
            assert earlier.start_mileage + earlier.distance == pytest.approx(later.start_mileage)


@pytest.mark.unmeasured
def test_levels_rise_by_charges_only_and_not_every_day(past: World) -> None:
    """A battery gains at most what its power allows in the time between two trips."""
    for car in past.vehicles:
        trips = list(past.trips(car.id))
        charges = 0
        for earlier, later in pairwise(trips):
            for before, after in zip(earlier.after, later.before, strict=True):
                assert 0 <= before.level <= 100
                assert 0 <= after.level <= 100
                if before.type == "Electric":
                    hours = (later.started_at - earlier.stopped_at) / timedelta(hours=1)
                    power = 15 if car.motorization == "Electric" and earlier.stop == car.home else 100
                    assert after.level >= before.level
                    assert after.level - before.level <= hours * power + 0.2
                    charges += after.level > before.level + 0.2
        weeks = (trips[-1].stopped_at - trips[0].started_at) / timedelta(weeks=1)
        if car.motorization == "Electric":
            assert 0.2 < charges / weeks < 4.5
        if "Electric" not in car.energies:
            assert charges == 0


def test_a_charge_at_home_begins_in_the_evening_or_when_low(past: World) -> None:
    """It begins after the last trip of a day, at a level that its owner takes for low, or before a long trip."""
    for car in electric(past):
        for earlier, later in pairwise(past.trips(car.id)):
            if later.before[0].level > earlier.after[0].level + 0.2 and earlier.stop == car.home:
                assert earlier.after[0].level < 75.1
                assert earlier.stopped_at.date() != later.started_at.date() or earlier.stopped_at.hour < 3


@pytest.mark.unmeasured
def test_places_are_few_and_home_is_where_nights_are(past: World) -> None:
    for car in past.vehicles:
        stops = Counter(trip.stop for trip in past.trips(car.id))
        assert len(stops) <= 6
        nights = [
            early.stop
            for early, late in pairwise(past.trips(car.id))
            if early.stopped_at.date() < late.started_at.date()
        ]
        assert set(nights) == {car.home}


@pytest.mark.unmeasured
def test_weekdays_differ_from_weekends(past: World) -> None:
    """Most trips of working days start at the same two hours; on Sundays hardly anything starts before nine."""
    weekdays, sundays = Counter[int](), Counter[int]()
    for car in past.vehicles:
        for trip in past.trips(car.id):
            at = trip.started_at + timedelta(hours=1)
            if at.weekday() < 5:
                weekdays[at.hour] += 1
            elif at.weekday() == 6:
                sundays[at.hour] += 1
    early = range(5, 9)
    assert sum(weekdays[hour] for hour in early) > 0.15 * weekdays.total()
    assert sum(sundays[hour] for hour in early) < 0.02 * sundays.total()


def test_ranges_bend_with_temperature_and_at_low_levels() -> None:
    world, clock = moving(9, trips=0)
    car = electric(world)[0]

    def range_per_percent(level: float, temperature: float) -> float:
        state = attrs.evolve(
            world.vehicle_state(car.id),
            temperature=temperature,
            levels=(attrs.evolve(world.levels(car.id)[0], level=level),),
        )
        body = status(Serializer(world=world, base=""), car, state)
        return float(body["energies"][0]["autonomy"]) / level

    assert range_per_percent(90, 20) > 1.15 * range_per_percent(90, -5)
    assert range_per_percent(90, 20) > 1.08 * range_per_percent(10, 20)
    assert 250 < 100 * range_per_percent(100, 20) < 450
    assert clock.now == EPOCH


# ---------------------------------------------------------------------- the future


def states(world: World, clock: Clock, times: list[int]) -> dict[int, list[tuple[VehicleState, list[Trip]]]]:
    found = {}
    for minutes in times:
        clock.now = EPOCH + timedelta(minutes=minutes)
        found[minutes] = [(world.vehicle_state(car.id), list(world.trips(car.id))) for car in world.vehicles]
    return found


@pytest.mark.unmeasured
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50), st.lists(st.integers(0, 60 * 24 * 30), min_size=1, max_size=8))
def test_states_depend_on_the_clock_only(seed: int, times: list[int]) -> None:
    """However the clock jumps, also backwards, and in which order vehicles are asked."""
    one, other = moving(2, seed=seed), moving(2, seed=seed)
    for car in reversed(other[0].vehicles):
        other[0].vehicle_state(car.id)
    assert states(*one, times) == states(*other, sorted(times))


@pytest.mark.unmeasured
def test_cars_drive_park_and_charge_as_time_passes() -> None:
    world, clock = moving(12)
    seen = Counter[str]()
    for _ in range(7 * 24 * 4):
        clock.now += timedelta(minutes=15)
        for car in world.vehicles:
            state = world.vehicle_state(car.id)
            assert state.at <= clock.now
            seen["driving" if state.moving else state.charging.status if state.charging else "parked"] += 1
    assert seen["driving"] > 50
    assert seen["InProgress"] > 20
    assert seen["parked"] + seen["Disconnected"] > 5_000
    assert seen["driving"] < 0.2 * seen.total()


@pytest.mark.unmeasured
def test_nothing_goes_back_while_time_passes() -> None:
    world, clock = moving(6)
    before = {car.id: world.vehicle_state(car.id) for car in world.vehicles}
    counts = {car.id: world.trip_count(car.id) for car in world.vehicles}
    for _ in range(400):
        clock.now += timedelta(minutes=37)
        for car in world.vehicles:
            state = world.vehicle_state(car.id)
            assert state.at >= before[car.id].at
            assert state.mileage >= before[car.id].mileage
            assert world.trip_count(car.id) >= counts[car.id]
            before[car.id], counts[car.id] = state, world.trip_count(car.id)


def next_trip(world: World, clock: Clock, car: str) -> Trip:
    """Set the clock to a while after the start of the next trip; return the trip so far."""
    while not world.vehicle_state(car).moving:
        clock.now += timedelta(minutes=2)
    return world.trip_at(car, world.trip_count(car) - 1)


def test_a_trip_that_goes_on_grows_until_its_end() -> None:
    world, clock = moving()
    car = world.vehicles[0].id
    count = world.trip_count(car)
    first = next_trip(world, clock, car)
    assert (first.state, first.done, world.trip_count(car)) == ("Unfinished", False, count + 1)
    assert body_of(world, car)["ignition"]["type"] == "Start"
    clock.now += timedelta(minutes=3)
    later = world.trip(car, first.id)
    assert later.distance > first.distance
    assert later.stopped_at <= clock.now
    assert world.mileage(car) == pytest.approx(later.start_mileage + later.distance)
    clock.now += timedelta(hours=3)
    done = world.trip(car, first.id)
    assert (done.done, done.started_at, done.start) == (True, first.started_at, first.start)
    assert done.distance >= later.distance


def test_days_end_at_home() -> None:
    world, clock = moving(10)
    for _ in range(14):
        clock.now = clock.now.replace(hour=2) + DAY
        assert [world.spot(car.id) for car in world.vehicles] == [car.home for car in world.vehicles]


def test_a_still_world_stands_still() -> None:
    world = World(seed=7, vehicles=3, trips=60, epoch=EPOCH)
    clock = Clock()
    Simulator(world, clock=clock)
    before = states(world, clock, [0])[0]
    assert states(world, clock, [60 * 24 * 40])[60 * 24 * 40] == before
    assert all(trip.stopped_at < EPOCH for _, trips in before for trip in trips)


def test_a_moving_world_has_the_past_of_a_still_one() -> None:
    still = World(seed=7, vehicles=3, trips=60, epoch=EPOCH)
    world, _ = moving(3, trips=60)
    for car in still.vehicles:
        old = list(still.trips(car.id))
        assert list(world.trips(car.id))[: len(old)] == old


def test_the_world_before_its_epoch_is_that_of_the_epoch() -> None:
    world, clock = moving(2)
    now = states(world, clock, [0])[0]
    assert states(world, clock, [-600])[-600] == now
    assert (
        World(seed=7, vehicles=2, trips=40, epoch=EPOCH, moving=True).vehicle_state(world.vehicles[0].id) == now[0][0]
    )


# ---------------------------------------------------------------------- acts in a moving world


def test_a_car_that_was_moved_by_hand_goes_on_from_there() -> None:
    world, clock = moving()
    car = world.vehicles[0].id
    clock.now = EPOCH.replace(hour=2) + DAY
    made = world.drive(car, km=30, minutes=40)
    clock.now += timedelta(minutes=5)
    parked = world.park(car)
    assert parked.id == made.id
    following = next_trip(world, clock, car)
    assert following.start == parked.stop
    assert following.start_mileage == pytest.approx(parked.start_mileage + 30)
    clock.now += 2 * DAY
    trips = list(world.trips(car))
    assert [trip.index for trip in trips] == list(range(len(trips)))
    for earlier, later in pairwise(trips):
        assert earlier.stopped_at <= later.started_at
        assert earlier.start_mileage + earlier.distance == pytest.approx(later.start_mileage)


def test_a_car_on_its_owners_trip_takes_no_trip_by_hand() -> None:
    world, clock = moving()
    car = world.vehicles[0].id
    next_trip(world, clock, car)
    with pytest.raises(ValueError, match="of its owner"):
        world.park(car)
    with pytest.raises(ValueError, match="of its owner"):
        world.drive(car, km=1)
    count = world.trip_count(car)
    assert world.car(car).unplug() is False
    assert world.trip_count(car) == count


def test_a_charge_by_hand_ends_when_the_owner_leaves() -> None:
    world, clock = moving(9)
    car = electric(world)[0].id
    clock.now = EPOCH.replace(hour=2) + DAY
    if not world.car(car).is_plugged:
        world.plug_in(car)
    world.car(car).start_charging()
    level = world.levels(car)[0].level
    trip = next_trip(world, clock, car)
    assert trip.before[0].level >= level
    charging = world.vehicle_state(car).charging
    assert charging is not None
    assert not charging.plugged


def test_charging_by_command_while_driving_changes_nothing() -> None:
    world, clock = moving(9)
    car = electric(world)[0].id
    trip = next_trip(world, clock, car)
    assert not world.car(car).stop_charging()
    assert world.car(car).charge_at(clock.now + DAY)
    clock.now += timedelta(hours=6)
    assert world.trip(car, trip.id).done


def test_an_immobilized_car_does_not_start() -> None:
    world, clock = moving()
    car = world.car(world.vehicles[0])
    trip = next_trip(world, clock, car.vehicle)
    car.immobilize()
    clock.now += timedelta(days=3)
    assert world.trip(car.vehicle, trip.id).done
    stopped = world.trip_count(car.vehicle)
    assert stopped == trip.index + 1
    with pytest.raises(ValueError, match="immobilized"):
        world.drive(car.vehicle, km=1)
    car.immobilize(False)
    clock.now += timedelta(days=3)
    assert world.trip_count(car.vehicle) > stopped


def test_a_car_that_was_immobilized_on_a_trip_by_hand_stays() -> None:
    world, clock = moving()
    car = world.car(world.vehicles[0])
    clock.now = EPOCH.replace(hour=2) + DAY
    world.drive(car.vehicle, km=5, minutes=10)
    car.immobilize()
    world.park(car.vehicle)
    count = world.trip_count(car.vehicle)
    clock.now += 3 * DAY
    assert world.trip_count(car.vehicle) == count


def test_trips_that_were_forgotten_are_the_same_when_asked_again() -> None:
    """The world keeps the days of some vehicles only."""
    world = World(seed=7, vehicles=300, trips=9_000)
    first = [list(world.trips(car.id)) for car in world.vehicles[:3]]
    for car in world.vehicles:
        for _ in world.trips(car.id):
            pass
    assert [list(world.trips(car.id)) for car in world.vehicles[:3]] == first


def test_doors_are_closed_and_locked_by_the_next_trip() -> None:
    world, clock = moving()
    car = world.car(world.vehicles[0])
    clock.now = EPOCH.replace(hour=2) + DAY
    car.open_door("Trunk")
    seen: list[Any] = [(car.controls.open_doors, car.is_locked)]
    next_trip(world, clock, car.vehicle)
    seen.append((car.controls.open_doors, car.is_locked))
    clock.now += timedelta(hours=2)
    assert [*seen, (car.controls.open_doors, car.is_locked)] == [(("Trunk",), False), ((), False), ((), True)]


@pytest.mark.unmeasured
def test_incidents_agree_with_trips_and_levels() -> None:
    world, clock = moving(20, seed=5, trips=600)
    clock.now += timedelta(days=60)
    alerts = [alert for car in world.vehicles for alert in world.alerts(car.id)]
    later = [alert for alert in alerts if alert.started_at > EPOCH]
    assert later
    for alert in alerts:
        assert alert.trip is not None
        trip = world.trip(alert.vehicle, alert.trip)
        assert alert.started_at == trip.started_at <= clock.now
        assert alert.active == (alert.ended_at is None)
        if alert.type == "FuelLevelLow":
            assert next(energy.level for energy in trip.after if energy.type == "Fuel") < 15
    for car in world.vehicles:
        times = [alert.started_at for alert in world.alerts(car.id)]
        assert times == sorted(times, reverse=True)
        assert all(alarm.started_at <= clock.now for alarm in world.alarms(car.id))
        assert all(collision.at <= clock.now for collision in world.collisions(car.id))


@pytest.mark.unmeasured
def test_ten_thousand_vehicles_are_advanced_when_asked() -> None:
    world, clock = moving(10_000, trips=100_000)
    car = world.vehicles[9_999].id
    clock.now += 10 * DAY
    assert world.trip_count(car) > 10
    assert repr(world) == "World(seed=7, accounts=1, vehicles=10000, trips=100000, moving=True)"
