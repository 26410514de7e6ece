"""Generation of the world, and changes of it."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.simulator import World


def worlds(max_trips: int = 120) -> st.SearchStrategy[World]:
    return st.builds(
        World,
        seed=st.integers(0, 1000),
        accounts=st.integers(1, 5),
        vehicles=st.integers(1, 7),
        trips=st.integers(0, max_trips),
    )


def make_world() -> World:
    return World(seed=5, accounts=2, vehicles=4, trips=60)


def test_same_seed_same_world() -> None:
    one, other = make_world(), make_world()
    assert one.accounts == other.accounts
    assert one.vehicles == other.vehicles
    assert [list(one.trips(car.id)) for car in one.vehicles] == [list(other.trips(car.id)) for car in other.vehicles]


def test_vehicles_of_a_large_world_are_made_once() -> None:
    world = World(seed=1, vehicles=1_000, trips=0)
    assert all(first is again for first, again in zip(world.vehicles, world.vehicles, strict=True))


def test_other_seed_other_world() -> None:
    assert World(seed=1, vehicles=3).vehicles != World(seed=2, vehicles=3).vehicles


@pytest.mark.unmeasured
@given(worlds())
def test_trip_counts_add_up_to_the_total(world: World) -> None:
    assert sum(world.trip_count(car.id) for car in world.vehicles) == world.trip_count()


@pytest.mark.unmeasured
@given(worlds())
def test_every_vehicle_has_exactly_one_account(world: World) -> None:
    owned = [car for account in world.accounts for car in world.vehicles_of(account.key)]
    assert owned == list(world.vehicles)
    assert [len(world.vehicles_of(account.key)) for account in world.accounts] == [
        account.vehicles for account in world.accounts
    ]
    assert all(car.account == account.key for account in world.accounts for car in world.vehicles_of(account.key))


@pytest.mark.unmeasured
@settings(max_examples=30)
@given(worlds())
def test_trips_are_contiguous_in_time_place_and_mileage(world: World) -> None:
    for car in world.vehicles:
        trips = list(world.trips(car.id))
        for earlier, later in pairwise(trips):
            assert earlier.stopped_at < later.started_at
            assert earlier.stop == later.start
            assert earlier.start_mileage + earlier.distance == pytest.approx(later.start_mileage)
        assert all(trip.distance > 0 and trip.stopped_at < world.epoch for trip in trips)
        assert all(0 <= energy.level <= 100 for trip in trips for energy in (*trip.before, *trip.after))


@settings(max_examples=30)
@given(worlds())
def test_kilometres_equal_the_sum_of_trip_distances(world: World) -> None:
    for car in world.vehicles:
        assert world.kilometres(car.id) == pytest.approx(sum(trip.distance for trip in world.trips(car.id)))
    assert world.kilometres() == pytest.approx(sum(world.kilometres(car.id) for car in world.vehicles))


@pytest.mark.unmeasured
@settings(max_examples=30)
@given(worlds(40))
def test_entities_are_found_by_id(world: World) -> None:
    for account in world.accounts:
        assert world.account(account.key) == account
    for car in world.vehicles:
        assert world.vehicle(car.id) == car
        ids = world.trip_ids(car.id)
        assert [world.trip(car.id, trip).id for trip in ids] == ids


def test_vins_are_17_characters_and_unique() -> None:
    vins = {car.vin for car in World(accounts=7, vehicles=200).vehicles}
    assert len(vins) == 200
    assert {len(vin) for vin in vins} == {17}


@pytest.mark.parametrize("key", ["account-9999", "account-1", "account-00000", "0000", "", f"account-{'9' * 5000}"])
def test_unknown_account_raises_key_error(key: str) -> None:
    with pytest.raises(KeyError):
        make_world().account(key)


@pytest.mark.parametrize("vehicle", ["", "zzzzzz", "ffffff", "0" * 32, "-00001"])
def test_unknown_vehicle_raises_key_error(vehicle: str) -> None:
    with pytest.raises(KeyError):
        make_world().vehicle(vehicle)


@pytest.mark.parametrize("trip", ["", "zzzzzz", "ffffff", "000000"])
def test_unknown_trip_raises_key_error(trip: str) -> None:
    world = make_world()
    with pytest.raises(KeyError):
        world.trip(world.vehicles[0].id, trip)


def test_trip_beyond_the_last_raises_index_error() -> None:
    world = make_world()
    with pytest.raises(IndexError):
        world.trip_at(world.vehicles[0].id, 10_000)


@pytest.mark.parametrize(("accounts", "vehicles", "trips"), [(0, 1, 1), (1, -1, 0), (1, 1, -1), (1, 0, 1)], ids=str)
def test_invalid_sizes_raise_value_error(accounts: int, vehicles: int, trips: int) -> None:
    with pytest.raises(ValueError, match=r"account|vehicle"):
        World(accounts=accounts, vehicles=vehicles, trips=trips)


def test_large_world_is_generated_on_demand() -> None:
    world = World(seed=1, accounts=1000, vehicles=10_000, trips=1_000_000)
    car = world.vehicles_of("account-0999")[-1]
    last = world.trip_at(car.id, world.trip_count(car.id) - 1)
    assert world.trip_count() == 1_000_000
    assert world.trip(car.id, last.id) == last


def test_repr_shows_the_sizes() -> None:
    assert repr(make_world()) == "World(seed=5, accounts=2, vehicles=4, trips=60)"


def test_added_trip_starts_where_the_last_ended() -> None:
    world = make_world()
    car = world.vehicles[0].id
    before = world.vehicle_state(car)
    count, total, km = world.trip_count(car), world.trip_count(), world.kilometres(car)
    trip = world.add_trip(car, km=20.0)
    assert (world.trip_count(car), world.trip_count()) == (count + 1, total + 1)
    assert world.trip_ids(car)[-1] == trip.id
    assert world.trip(car, trip.id) == trip
    assert trip.start == before.spot
    assert trip.start_mileage == before.mileage
    assert trip.started_at == before.at + timedelta(hours=1)
    assert world.mileage(car) == pytest.approx(before.mileage + 20.0)
    assert world.kilometres(car) == pytest.approx(km + 20.0)
    assert world.spot(car) == trip.stop != before.spot
    assert all(now.level < then.level for now, then in zip(world.levels(car), before.levels, strict=True))


def test_trip_starts_at_the_given_time() -> None:
    world = make_world()
    at = datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert world.add_trip(world.vehicles[0].id, at=at).started_at == at


def test_started_trip_is_unfinished_until_it_ends() -> None:
    world = make_world()
    car = world.vehicles[0].id
    world.start_trip(car)
    trip = world.drive(car, 5.0, minutes=6)
    assert (trip.done, trip.state, world.vehicle_state(car).moving) == (False, "Unfinished", True)
    assert trip.average_speed == pytest.approx(50.0)
    trip = world.finish_trip(car)
    assert (trip.done, trip.state, world.vehicle_state(car).moving) == (True, "Nominal", False)


def test_short_drives_of_one_trip_add_up() -> None:
    """Each was rounded to nothing."""
    world = make_world()
    car = world.vehicles[0].id
    before = world.vehicle_state(car).mileage
    distances = [world.drive(car, 0.04, minutes=0.1).distance for _ in range(5)]
    assert distances == [0.0, 0.1, 0.1, 0.2, 0.2]
    assert world.vehicle_state(car).mileage == pytest.approx(before + 0.2)


def test_driving_for_no_time_has_no_speed() -> None:
    world = make_world()
    car = world.vehicles[0].id
    world.start_trip(car)
    assert world.drive(car, 0.0, minutes=0).average_speed == 0.0


def test_vehicle_cannot_be_on_two_trips() -> None:
    world = make_world()
    car = world.vehicles[0].id
    world.start_trip(car)
    with pytest.raises(ValueError, match="on a trip"):
        world.start_trip(car)


def test_trip_cannot_start_before_the_last_ended() -> None:
    world = make_world()
    with pytest.raises(ValueError, match="on a trip"):
        world.start_trip(world.vehicles[0].id, at=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("finished", [False, True])
def test_parked_vehicle_has_no_trip_to_finish(finished: bool) -> None:
    world = make_world()
    car = world.vehicles[0].id
    if finished:
        world.add_trip(car)
    with pytest.raises(ValueError, match="not on a trip"):
        world.finish_trip(car)


def test_vehicle_without_trips_is_at_home_since_the_epoch() -> None:
    world = World(seed=2)
    car = world.vehicles[0]
    now = world.vehicle_state(car.id)
    assert (now.at, now.moving) == (world.epoch, False)
    assert now.spot.longitude == pytest.approx(car.home.longitude, abs=0.11)
    assert [energy.type for energy in world.levels(car.id)] == list(car.energies)


def test_added_alert_comes_first() -> None:
    world = make_world()
    car = world.vehicles[0].id
    before = world.alerts(car)
    first, second = world.add_alert(car), world.add_alert(car, "RiskOfIce", at=datetime(2026, 2, 2, tzinfo=UTC))
    assert world.alerts(car) == [second, first, *before]
    assert first.id != second.id


@pytest.mark.unmeasured
def test_incidents_belong_to_trips_newest_first() -> None:
    world = World(seed=9, vehicles=30, trips=900)
    raised = [alert for car in world.vehicles for alert in world.alerts(car.id)]
    assert raised
    for car in world.vehicles:
        assert all(alert.trip in world.trip_ids(car.id) for alert in world.alerts(car.id))
        assert all(collision.trip in world.trip_ids(car.id) for collision in world.collisions(car.id))
        for times in (
            [alert.started_at for alert in world.alerts(car.id)],
            [alarm.started_at for alarm in world.alarms(car.id)],
            [collision.at for collision in world.collisions(car.id)],
        ):
            assert times == sorted(times, reverse=True)


def test_status_can_be_hidden_and_shown() -> None:
    world = make_world()
    car = world.vehicles[0].id
    world.hide_status(car)
    assert not world.has_status(car)
    world.show_status(car)
    assert world.has_status(car)


@pytest.mark.parametrize(
    "act",
    [
        lambda world, car: world.add_trip(car),
        lambda world, car: world.start_trip(car) and world.finish_trip(car),
        lambda world, car: world.add_alert(car),
        lambda world, car: world.update_status(car, battery=None),
        lambda world, car: world.hide_status(car),
        lambda world, car: world.show_status(car),
    ],
    ids=["add_trip", "start_trip", "add_alert", "update_status", "hide_status", "show_status"],
)
def test_acts_take_a_vehicle_or_its_id(act: Callable[[World, Any], object]) -> None:
    by_id, by_vehicle = make_world(), make_world()
    car = by_id.vehicles[0]
    act(by_id, car.id)
    act(by_vehicle, car)
    for look in (World.alerts, World.trip_ids, World.changes, World.has_status):
        assert look(by_vehicle, car.id) == look(by_id, car.id)
    with pytest.raises(TypeError, match=r"^a vehicle must be one of the world, one that was read, or its id, not 3$"):
        act(by_id, 3)
