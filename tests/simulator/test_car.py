"""A car of the world: awake and asleep, what can be set on it, and the next status."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from stellantis_hal.simulator import CarActions, CarRefusal, ChargeProgram, ClimateProgram, GeoPoint, World
from tests.simulator.test_world_actions import Clock, body_of, charging_of, make_world

MINUTES = timedelta(minutes=1)


def make_car(energies: tuple[str, ...] = ("Electric",)) -> tuple[World, Clock, CarActions]:
    world, clock, vehicle = make_world(energies)
    return world, clock, world.car(vehicle)


def test_a_stopped_car_falls_asleep_after_three_minutes() -> None:
    world, clock, car = make_car()
    seen = [car.is_awake]
    world.drive(car.vehicle, km=1)
    seen.append(car.is_awake)
    world.park(car.vehicle)
    clock.wait(seconds=179)
    seen.append(car.is_awake)
    clock.wait(seconds=1)
    assert [*seen, car.is_awake] == [False, True, True, False]


def test_each_message_adds_three_minutes() -> None:
    _, clock, car = make_car()
    assert car.wake()
    car.receive()
    car.receive()
    assert car.awake_until == clock.now + 9 * MINUTES
    assert not car.wake()
    assert car.wake_ups == 1


def test_a_wake_up_is_a_report_and_counts_for_the_month() -> None:
    world, clock, car = make_car()
    car.wake_ups_per_month = 2
    for _ in range(2):
        assert car.wake()
        assert world.vehicle_state(car.vehicle).at == clock.now
        clock.wait(hours=1)
    with pytest.raises(CarRefusal, match="2 times") as refused:
        car.wake()
    assert refused.value.cause == "TooManyWakeUpsOverMonth"
    clock.wait(days=31)
    assert (car.wake_ups, car.wake(), car.wake_ups) == (0, True, 1)


def break_network(car: CarActions) -> None:
    car.set_reachable(False)


def empty_battery(car: CarActions) -> None:
    car.set_battery(40.0)


@pytest.mark.parametrize(
    ("prepare", "cause"),
    [(break_network, "VehicleConnectionTimeout"), (empty_battery, "VehicleBatteryChargeTooLow")],
)
def test_a_car_that_cannot_be_woken_refuses(prepare: Callable[[CarActions], None], cause: str) -> None:
    _, _, car = make_car()
    prepare(car)
    with pytest.raises(CarRefusal) as refused:
        car.wake()
    assert (refused.value.cause, car.is_awake, car.wake_ups) == (cause, False, 0)


def test_messages_are_refused_without_network_or_in_private() -> None:
    _, _, car = make_car()
    car.set_privacy("Full")
    with pytest.raises(CarRefusal, match="privacy"):
        car.receive()
    car.set_reachable(False)
    with pytest.raises(CarRefusal, match="no network"):
        car.receive()


def test_an_open_door_prevents_locking() -> None:
    world, _, car = make_car()
    car.lock()
    assert car.open_door("Trunk")
    assert car.open_door("Driver")
    doors = body_of(world, car.vehicle)["doorsState"]
    assert {door["identifier"] for door in doors["opening"] if door["state"] == "Open"} == {"Driver", "Trunk"}
    assert doors["lockedStates"] == ["Unlocked"]
    with pytest.raises(CarRefusal, match="Driver, Trunk"):
        car.lock()
    assert car.close_doors()
    assert (car.lock(), car.lock(), car.unlock(), car.unlock()) == (True, False, True, False)
    with pytest.raises(ValueError, match="not 'Bonnet'"):
        car.open_door("Bonnet")


def test_lights_and_horn_go_out_after_some_seconds() -> None:
    world, clock, car = make_car()
    assert car.switch_lights(True)
    assert car.sound_horn()
    assert body_of(world, car.vehicle)["lightingSystem"]["turn"][0]["status"] == "On"
    clock.wait(seconds=11)
    car.report()
    assert body_of(world, car.vehicle)["lightingSystem"]["turn"][0]["status"] == "Off"
    assert car.switch_lights(False)
    assert car.sound_horn(False)


def test_a_charge_can_be_stopped_and_started_again() -> None:
    world, clock, car = make_car()
    before = car.level
    assert before is not None
    with pytest.raises(CarRefusal, match="plug_in first"):
        car.start_charging()
    assert (car.plug_in(), car.plug_in()) == (True, False)
    assert (car.start_charging(), car.start_charging()) == (True, False)
    clock.wait(minutes=20)
    assert car.is_charging
    assert (car.stop_charging(), car.stop_charging()) == (True, False)
    stopped = car.level
    assert stopped == pytest.approx(before + 5, abs=0.1)
    clock.wait(hours=2)
    assert (car.level, car.is_plugged, charging_of(world, car.vehicle)["status"]) == (stopped, True, "Stopped")
    assert car.start_charging()
    clock.wait(minutes=20)
    assert car.level == pytest.approx(before + 10, abs=0.1)
    assert (car.unplug(), car.unplug()) == (True, False)


def test_a_delayed_charge_starts_at_its_time() -> None:
    world, clock, car = make_car()
    level = car.level
    car.plug_in()
    assert car.charge_at(clock.now + timedelta(hours=4, minutes=15))
    assert charging_of(world, car.vehicle)["nextDelayedTime"] == "PT10H15M"
    clock.wait(hours=4)
    seen = [(car.level, car.is_charging)]
    clock.wait(minutes=30)
    assert [*seen, car.is_charging] == [(level, False), True]
    assert car.level is not None
    assert level is not None
    assert car.level > level


def test_a_delay_that_was_set_before_plugging_in_holds() -> None:
    _, clock, car = make_car()
    car.charge_at(clock.now + timedelta(hours=1))
    car.plug_in()
    seen = [car.is_charging]
    clock.wait(hours=1, minutes=1)
    assert [*seen, car.is_charging] == [False, True]
    car.stop_charging()
    assert car.controls.charge_at is None


def test_a_charge_ends_at_its_end_time() -> None:
    world, clock, car = make_car()
    with pytest.raises(ValueError, match="was ever set"):
        car.charge_until(enabled=True)
    car.plug_in()
    car.start_charging()
    assert car.charge_until(clock.now + timedelta(minutes=20))
    charging = charging_of(world, car.vehicle)
    assert (charging["stopChargeStatus"], charging["status"]) == ("Activated", "InProgress")
    clock.wait(hours=5)
    assert charging_of(world, car.vehicle)["status"] == "Stopped"
    assert car.charge_until(enabled=False)
    assert charging_of(world, car.vehicle)["stopChargeStatus"] == "Deactivated"


def test_a_partial_charge_ends_at_eighty_percent() -> None:
    world, clock, car = make_car()
    car.plug_in()
    car.start_charging()
    assert car.set_charge_preferences(level="Level1", type_="Partial")
    clock.wait(hours=5)
    charging = charging_of(world, car.vehicle)
    assert (car.level, charging["status"]) == (80.0, "Finished")
    assert (charging["type"], charging["chargingPowerLevel"]) == ("Partial", "Level1")
    with pytest.raises(ValueError, match="Level6"):
        car.set_charge_preferences(level="Level6")


def test_climate_runs_for_ten_minutes() -> None:
    world, clock, car = make_car()

    def climate() -> Any:
        return body_of(world, car.vehicle)["preconditioning"]["airConditioning"]

    assert climate()["status"] == "Disabled"
    assert (car.start_climate(), car.start_climate()) == (True, False)
    assert (climate()["status"], climate()["startingCause"]) == ("Enabled", "Immediate")
    clock.wait(minutes=10)
    car.report()
    assert (climate()["status"], car.stop_climate()) == ("Finished", False)
    car.start_climate()
    assert (car.stop_climate(), car.has_climate_on) == (True, False)


def unlock(world: World, car: CarActions) -> None:
    car.unlock()


def open_door(world: World, car: CarActions) -> None:
    car.open_door()


def drive(world: World, car: CarActions) -> None:
    world.drive(car.vehicle, km=1)


def steal(world: World, car: CarActions) -> None:
    car.set_stolen(True)


def discharge(world: World, car: CarActions) -> None:
    world.drive(car.vehicle, km=300)
    world.park(car.vehicle)


@pytest.mark.parametrize(
    ("prepare", "cause"),
    [
        (unlock, "VehicleIsNotLocked"),
        (open_door, "DoorsOpen"),
        (drive, "VehicleInUse"),
        (steal, "NotPossibleDueToVehicleStolenState"),
        (discharge, "NotPossibleDueToVehicleBatteryLevel"),
    ],
)
def test_climate_is_refused_in_a_wrong_state(prepare: Callable[[World, CarActions], None], cause: str) -> None:
    world, _, car = make_car()
    prepare(world, car)
    with pytest.raises(CarRefusal) as refused:
        car.start_climate()
    assert refused.value.cause == cause


def test_climate_programs_are_set_by_slot() -> None:
    world, _, car = make_car()
    first, second, other = (
        ClimateProgram(slot=slot, start=timedelta(hours=hour, minutes=30), days=("Mon", "Fri"))
        for slot, hour in ((1, 7), (2, 18), (1, 8))
    )
    assert car.set_climate_programs([second, first])
    assert car.controls.climate_programs == (first, second)
    assert car.set_climate_programs([other], deleted=[2, 4])
    assert body_of(world, car.vehicle)["preconditioning"]["airConditioning"]["programs"] == [
        {"slot": 1, "enabled": True, "recurrence": "Daily", "start": "PT8H30M", "occurence": {"day": ["Mon", "Fri"]}}
    ]


def test_charge_programs_are_replaced() -> None:
    world, _, car = make_car()
    night = ChargeProgram(start=timedelta(hours=23), end=timedelta(hours=6), days=("Sun",), slot=1)
    car.set_charge_programs([ChargeProgram(start=timedelta(hours=1)), night])
    car.set_charge_programs([night, ChargeProgram(start=timedelta(hours=1), enabled=False)])
    assert charging_of(world, car.vehicle)["schedule"]["programs"] == [
        {"enabled": True, "start": "PT23H", "occurence": {"day": ["Sun"]}, "end": "PT6H", "slot": 1},
        {"enabled": False, "start": "PT1H", "occurence": {"day": []}},
    ]


def test_a_car_without_a_battery_takes_no_charge() -> None:
    _, clock, car = make_car(("Fuel",))
    for act in (
        car.plug_in,
        car.start_charging,
        car.stop_charging,
        lambda: car.charge_at(clock.now),
        car.charge_until,
        lambda: car.set_charge_programs([]),
        car.set_charge_preferences,
    ):
        with pytest.raises(CarRefusal) as refused:
            act()
        assert refused.value.cause == "WrongCommand"
    assert car.start_climate()


def test_privacy_theft_and_the_rest_are_set() -> None:
    world, clock, car = make_car()
    assert car.set_privacy("Geolocation")
    body = body_of(world, car.vehicle)
    assert body["privacy"]["state"] == "Geolocation"
    assert "lastPosition" not in body
    with pytest.raises(ValueError, match="'All'"):
        car.set_privacy("All")
    changed = [car.set_stolen(True), car.set_stolen(True)]
    since = car.controls.stolen_since
    with pytest.raises(CarRefusal, match="stolen"):
        car.unlock()
    changed += [car.set_stolen(False), car.set_tracking(running=5, standing=60), car.immobilize(), car.immobilize()]
    changed.append(car.navigate([GeoPoint(2.0, 48.0)]))
    assert changed == [True, False, True, True, True, False, True]
    assert since == clock.now
    assert list(car.controls.tracking or ()) == [5, 60]
    assert repr(car) == f"CarActions(vehicle={car.vehicle!r})"


def test_a_car_without_trips_stopped_at_the_epoch() -> None:
    world = World(seed=6)
    car = world.car(world.vehicles[0])
    assert world.stopped_at(car.vehicle) == car.now == world.epoch
    assert car.is_awake
