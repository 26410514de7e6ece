"""What vehicles report, and when."""

import math
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

from stellantis_hal.simulator import VehicleState, World
from tests.simulator.test_moving_world import DAY, EPOCH, electric, moving, next_trip
from tests.simulator.test_world_actions import make_world

MINUTE = timedelta(minutes=1)


def test_a_drive_is_reported_each_minute() -> None:
    world, clock = moving()
    car = world.vehicles[0].id
    trip = next_trip(world, clock, car)
    before = trip.started_at - MINUTE
    clock.now = trip.started_at + timedelta(hours=2)
    trip = world.trip(car, trip.id)
    reports = [report for report in world.reports(car, before) if report.at <= trip.stopped_at]
    assert (reports[0].at, reports[-1].at) == (trip.started_at, trip.stopped_at)
    assert len(reports) == math.ceil(trip.duration / MINUTE) + 1
    assert [report.moving for report in reports] == [True] * (len(reports) - 1) + [False]
    assert reports[-1].mileage == pytest.approx(trip.start_mileage + trip.distance)


def test_reports_in_pieces_are_reports_at_once() -> None:
    """However often they are asked for: each is returned once."""
    world, clock = moving(9)
    car = electric(world)[0].id
    pieces = list[VehicleState]()
    since = EPOCH
    for _ in range(8 * 24):
        clock.now += timedelta(minutes=61)
        pieces += world.reports(car, since)
        since = clock.now
    assert pieces == world.reports(car, EPOCH)
    assert all(early.at < late.at for early, late in pairwise(pieces))
    kinds = Counter(report.charging.status for report in pieces if report.charging)
    assert kinds["InProgress"] > 5
    assert kinds["Finished"] >= 1


def test_each_report_is_the_state_of_its_time() -> None:
    world, clock = moving(9)
    car = electric(world)[0].id
    clock.now += 3 * DAY
    reports = world.reports(car, EPOCH)
    assert reports
    for report in reports[::7]:
        clock.now = report.at
        assert world.vehicle_state(car) == report


def test_acts_are_reported_in_their_order() -> None:
    world, clock, car = make_world()
    since = world.vehicle_state(car).at
    world.unlock(car)
    clock.wait(minutes=1)
    world.plug_in(car)
    clock.wait(minutes=1)
    world.start_charging(car)
    clock.wait(minutes=7)
    world.unplug(car)
    world.drive(car, km=5, minutes=10)
    clock.wait(minutes=10)
    world.park(car)
    reports = world.reports(car, since)
    seen = [(report.moving, report.charging.status if report.charging else None, report.locked) for report in reports]
    assert seen[0] == (False, "Disconnected", False)
    assert (False, "Stopped", False) in seen
    assert (False, "InProgress", False) in seen
    assert (True, "Disconnected", False) in seen
    assert seen[-1] == (False, "Disconnected", True)
    assert [report.at for report in reports] == sorted(report.at for report in reports)


def test_listeners_are_called_until_they_are_removed() -> None:
    world, _, car = make_world()
    heard = list[tuple[str, bool, bool]]()

    def listen(vehicle: str, before: VehicleState, after: VehicleState) -> None:
        heard.append((vehicle, before.locked, after.locked))

    remove = world.log.listen(listen)
    world.unlock(car)
    remove()
    remove()
    world.lock(car)
    assert heard == [(car, True, False)]


def test_reports_show_what_was_set_at_their_time() -> None:
    world, clock = moving(9)
    car = world.car(electric(world)[0])
    clock.now += DAY
    car.set_privacy("Geolocation")
    clock.now += DAY
    states = {report.at < EPOCH + DAY: report.controls.privacy for report in world.reports(car.vehicle, EPOCH)}
    assert states == {True: "None", False: "Geolocation"}


def test_a_still_world_reports_nothing_but_acts() -> None:
    world = World(seed=7, vehicles=3, trips=60, epoch=EPOCH)
    world.follow(lambda: EPOCH + DAY)
    assert [world.reports(car, EPOCH) for car in world.vehicles] == [[], [], []]
    world.lock(world.vehicles[0])
    assert [report.at for report in world.reports(world.vehicles[0], EPOCH)] == [EPOCH + DAY]
