"""Acts upon a vehicle of the world, and what its bodies show afterwards."""

import math
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.simulator import Simulator, World
from stellantis_hal.simulator.api.serializer import Serializer
from stellantis_hal.simulator.api.status_body import format_duration, status

ELECTRIC = 6  # the seed of a world whose vehicle is electric, at 79.6 %
ACTS = ("plug_in", "start_charging", "unplug", "lock", "unlock", "park", "drive", "wait")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, world: World) -> None:
        self.now = world.epoch + timedelta(hours=6)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def make_world(energies: tuple[str, ...] = ("Electric",)) -> tuple[World, Clock, str]:
    """Return a world with a clock, and the id of a vehicle with these energies."""
    world = next(
        world
        for seed in range(100)
        if (world := World(seed=seed, trips=3)).vehicles[0].energies == energies and 50 < world_level(world) < 75
    )
    clock = Clock(world)
    Simulator(world, clock=clock)
    return world, clock, world.vehicles[0].id


def world_level(world: World) -> float:
    return world.levels(world.vehicles[0].id)[-1].level


def body_of(world: World, car: str) -> dict[str, Any]:
    return status(Serializer(world=world, base=""), world.vehicle(car), world.vehicle_state(car))


def charging_of(world: World, car: str) -> dict[str, Any]:
    energy = next(energy for energy in body_of(world, car)["energies"] if energy["type"] == "Electric")
    charging: dict[str, Any] = energy["extension"]["electric"]["charging"]
    return charging


@pytest.mark.parametrize("energies", [("Electric",), ("Fuel", "Electric")])
def test_a_charge_from_plug_to_plug(energies: tuple[str, ...]) -> None:
    world, clock, car = make_world(energies)
    level = world_level(world)
    fuel = [energy for energy in world.levels(car) if energy.type == "Fuel"]
    world.plug_in(car)
    assert (charging_of(world, car)["plugged"], charging_of(world, car)["status"]) == (True, "Stopped")
    world.start_charging(car)
    world.start_charging(car)
    clock.wait(minutes=10)
    world.plug_in(car)
    percent_per_hour = 30 if len(energies) == 2 else 15  # a hybrid has a small battery
    assert world_level(world) == pytest.approx(level + percent_per_hour / 6, abs=0.1)
    charging = charging_of(world, car)
    assert (charging["status"], charging["chargingMode"]) == ("InProgress", "Slow")
    assert 15 < charging["chargingRate"] < 60
    clock.wait(minutes=7)
    world.unplug(car)
    unplugged_at = clock.now
    assert charging_of(world, car)["status"] == "Disconnected"
    assert charging_of(world, car)["remainingTime"] == "PT0S"
    assert world_level(world) == pytest.approx(level + percent_per_hour * 17 / 60, abs=0.1)
    clock.wait(hours=5)
    world.unplug(car)
    assert world_level(world) == pytest.approx(level + percent_per_hour * 17 / 60, abs=0.1)
    assert world.vehicle_state(car).at == unplugged_at
    assert [energy for energy in world.levels(car) if energy.type == "Fuel"] == fuel


def test_a_full_battery_is_finished() -> None:
    world, clock, car = make_world()
    world.plug_in(car)
    world.start_charging(car)
    since = clock.now
    level = world_level(world)
    clock.wait(hours=10)
    assert charging_of(world, car)["status"] == "Finished"
    assert world_level(world) == 100.0
    hours = (80 - level) / 15 + math.log(5) / 0.04 / 15  # the power falls to a fifth above 80 %
    assert (world.vehicle_state(car).at - since) / timedelta(hours=1) == pytest.approx(hours, abs=0.01)


def test_levels_are_reported_every_five_minutes() -> None:
    world, clock, car = make_world()
    world.plug_in(car)
    world.start_charging(car)
    since = clock.now
    clock.wait(minutes=14)
    assert world.vehicle_state(car).at == since + timedelta(minutes=10)


@pytest.mark.parametrize(("charged", "text"), [(0, "PT2H42M"), (40, "PT2H2M"), (155, "PT7M")])
def test_remaining_time_is_in_the_form_of_the_api(charged: int, text: str) -> None:
    world, clock = World(seed=ELECTRIC, trips=3), timedelta()
    car = world.vehicles[0]
    start = world.vehicle_state(car.id).at
    world.follow(lambda: start + clock)
    world.plug_in(car)
    world.start_charging(car)
    clock = timedelta(minutes=charged)
    assert charging_of(world, car.id)["remainingTime"] == text


@pytest.mark.parametrize(("minutes", "text"), [(0, "PT0S"), (5, "PT5M"), (120, "PT2H"), (1_501, "PT25H1M")])
def test_durations_are_in_whole_minutes(minutes: int, text: str) -> None:
    assert format_duration(timedelta(minutes=minutes)) == text


def test_acts_in_a_wrong_state_are_refused() -> None:
    world, _, car = make_world()
    with pytest.raises(ValueError, match="plug_in first"):
        world.start_charging(car)
    with pytest.raises(ValueError, match="not on a trip"):
        world.park(car)
    world.plug_in(car)
    with pytest.raises(ValueError, match="unplug first"):
        world.drive(car, km=1)
    world.unplug(car)
    world.drive(car, km=1)
    with pytest.raises(ValueError, match="park first"):
        world.plug_in(car)
    world, _, car = make_world(("Fuel",))
    with pytest.raises(ValueError, match="no battery"):
        world.plug_in(car)


@pytest.mark.parametrize(("km", "minutes"), [(-1, 1), (1, -1), (math.nan, 1), (1, math.nan), (math.inf, 1), (-1, None)])
def test_absurd_drives_are_refused(km: float, minutes: float | None) -> None:
    world, _, car = make_world()
    with pytest.raises(ValueError, match="at least 0"):
        world.drive(car, km=km, minutes=minutes)
    assert not world.vehicle_state(car).moving


def test_a_drive_ends_now() -> None:
    world, clock, car = make_world()
    before = world.vehicle_state(car)
    trip = world.drive(car, km=10, minutes=15)
    assert (trip.started_at, trip.stopped_at) == (clock.now - timedelta(minutes=15), clock.now)
    assert (trip.start_mileage, trip.distance, trip.start) == (before.mileage, 10, before.spot)
    clock.wait(minutes=15)
    assert world.drive(car, km=10, minutes=15).stopped_at == clock.now
    parked = world.park(car)
    assert (parked.done, parked.distance, parked.fault) == (True, 20, None)
    assert world.mileage(car) == pytest.approx(before.mileage + 20)
    assert world.spot(car) == parked.stop
    assert body_of(world, car)["doorsState"]["lockedStates"] == ["Locked"]
    assert charging_of(world, car)["plugged"] is False


def test_a_drive_never_begins_before_the_last_report() -> None:
    world, clock, car = make_world()
    world.plug_in(car)
    world.unplug(car)
    assert world.drive(car, km=10, minutes=15).started_at == clock.now


def test_a_world_without_a_simulator_has_no_clock() -> None:
    world = World(seed=ELECTRIC, trips=3)
    car = world.vehicles[0]
    before = world.vehicle_state(car.id)
    trip = world.drive(car, km=4)
    assert (trip.started_at, trip.duration) == (before.at + timedelta(hours=1), timedelta(minutes=6))
    world.park(car)
    world.plug_in(car)
    world.start_charging(car)
    world.lock(car)
    assert world.vehicle_state(car.id).at == trip.stopped_at
    assert world.levels(car.id) == trip.after


def test_doors_are_as_the_test_says() -> None:
    world, _, car = make_world()
    for act, state in ((world.unlock, "Unlocked"), (world.lock, "Locked"), (world.unlock, "Unlocked")):
        act(car)
        assert body_of(world, car)["doorsState"]["lockedStates"] == [state]
    world.drive(car, km=1)
    assert body_of(world, car)["doorsState"]["lockedStates"] == ["Unlocked"]
    world.lock(car)
    assert body_of(world, car)["doorsState"]["lockedStates"] == ["Locked"]


def test_states_after_earlier_trips_stay() -> None:
    world, _, car = make_world()
    earlier = world.vehicle_state(car, 1)
    world.unlock(car)
    assert world.vehicle_state(car, 1) == earlier
    assert world.vehicle_state(car, 2) == world.vehicle_state(car)


def test_a_vehicle_without_trips_takes_acts() -> None:
    world = World(seed=ELECTRIC)
    car = world.vehicles[0]
    world.unlock(car)
    assert world.vehicle_state(car.id).locked is False
    world.drive(car, km=1)
    assert world.trip_count(car.id) == 1


class Unknown:
    """A vehicle whose id is missing."""

    id = None


@pytest.mark.parametrize("vehicle", ["", "zzzzzz", Unknown()])
def test_acts_on_an_unknown_vehicle_raise_key_error(vehicle: Any) -> None:
    world, _, _ = make_world()
    for act in (world.plug_in, world.start_charging, world.unplug, world.lock, world.unlock, world.park):
        with pytest.raises(KeyError):
            act(vehicle)
    with pytest.raises(KeyError):
        world.drive(vehicle, km=1)


@pytest.mark.unmeasured
@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(1, 400)), max_size=30))
def test_any_order_of_acts_is_consistent(acts: list[tuple[str, int]]) -> None:
    """Time, mileage and trips never go back, levels stay percentages, and a plugged vehicle stands."""
    world, clock, car = make_world()
    before = world.vehicle_state(car)
    for act, number in acts:
        clock.wait(minutes=number)
        with suppress(ValueError):  # refused in this state
            if act == "drive":
                world.drive(car, km=number / 10, minutes=number)
            elif act != "wait":
                getattr(world, act)(car)
        after = world.vehicle_state(car)
        assert before.at <= after.at
        assert before.mileage <= after.mileage
        assert all(0 <= energy.level <= 100 for energy in after.levels)
        assert not (after.moving and after.charging and after.charging.plugged)
        assert after.moving or after.at <= clock.now
        before = after
    trips = list(world.trips(car))
    assert all(early.stopped_at <= late.started_at for early, late in pairwise(trips))
    assert all(late.before[0].level >= early.after[0].level for early, late in pairwise(trips[2:]))
