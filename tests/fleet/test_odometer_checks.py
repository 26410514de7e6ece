"""The mileage of a status and of trips against each other, in watches and backfills."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from stellantis_hal.fleet import Update, backfill, watch
from stellantis_hal.fleet.odometer_checks import OdometerChecks
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Faults, FaultWindow
from stellantis_hal.structuring.converter import read
from tests.fleet.fleets import EPOCH, ChangedBody, a_fleet, updates_of

pytestmark = pytest.mark.anyio


def vehicle() -> WatchedVehicle:
    return WatchedVehicle("v", WatchedAccount("account:1", None, 60.0), Vehicle(id="v"), 1.0)


def status(mileage: float | None, hour: int, **block: Any) -> Status:
    instant = f"2026-01-01T{hour:02}:00:00Z"
    return read({"createdAt": instant, "odometer": {"mileage": mileage, "createdAt": instant} | block}, Status)


def trip(start: float | None, distance: float, hour: int) -> Trip:
    body = {"startedAt": f"2026-01-01T{hour:02}:00:00Z", "stoppedAt": f"2026-01-01T{hour:02}:30:00Z"}
    return read(body | {"startMileage": start, "distance": distance}, Trip)


def told(*bodies: Status | Trip) -> list[tuple[str, str]]:
    """Return kind and path of what disagrees, in the order of the bodies."""
    checks, watched, found = OdometerChecks(), vehicle(), list[tuple[str, str]]()
    for body in bodies:
        checked = checks.check_trip(watched, body) if isinstance(body, Trip) else checks.check_status(watched, body)
        found += [(problem.kind, problem.path) for problem in checked.problems]
        assert checked == body
    return found


BACKWARDS = "disagreement"


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([trip(100, 40, 8), status(140, 9)], []),
        ([trip(100, 40, 8), status(139, 9)], []),
        ([trip(100, 40, 8), status(300, 9)], []),
        ([trip(100, 40, 8), status(100, 9)], [(BACKWARDS, "$.odometer.mileage")]),
        ([trip(100, 40_000, 8), status(140, 9)], [(BACKWARDS, "$.odometer.mileage")]),
        ([trip(100, 40, 8), status(100, 7)], []),
        ([trip(100, 40, 8), status(100, 9, createdAt="2025-06-01T00:00:00Z")], []),
        ([trip(100, 40, 8), status(None, 9)], []),
        ([trip(None, 40, 8), status(100, 9)], []),
        ([status(100, 9), trip(100, 40, 8)], [(BACKWARDS, "$.distance")]),
        ([status(140, 9), trip(100, 40, 8)], []),
        ([status(100, 7), trip(100, 40, 8)], []),
        ([read({}, Status), trip(100, 40, 8)], []),
        ([trip(100, 40, 8), trip(140, 5, 10)], []),
        ([trip(100, 40, 8), trip(200, 5, 10)], []),
        ([trip(100, 40, 8), trip(100, 5, 10)], [(BACKWARDS, "$.startMileage")]),
        ([trip(100, 40, 8), trip(None, 5, 10)], []),
        ([trip(100, 40, 8), trip(60, 40, 6)], []),
    ],
)
def test_an_odometer_that_goes_backwards_is_told(bodies: list[Status | Trip], expected: list[tuple[str, str]]) -> None:
    assert told(*bodies) == expected


def test_each_kind_of_body_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    checks, watched = OdometerChecks(), vehicle()
    for hour in range(8, 20, 2):
        checks.check_trip(watched, trip(100, 40, hour))
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "mileage 100 km after the trip, but 100 km at its start and 40 km of distance" in record.getMessage()


async def test_a_watch_and_a_backfill_tell_it() -> None:
    """Distances in metres: each trip contradicts the next one, and the status."""

    def metres(body: Any) -> None:
        for item in body["_embedded"]["trips"]:
            item["distance"] *= 1_000

    faults = Faults(windows=[FaultWindow(fault=ChangedBody(metres), since=0.0, until=1e9, path="/trips$")])
    async with a_fleet(vehicles=1, accounts=1, trips=3, faults=faults) as fleet:
        async with watch(fleet.accounts, every=timedelta(minutes=5), since=EPOCH - timedelta(days=900)) as updates:
            watched = [event for event in await updates_of(updates, 700) if isinstance(event, Update)]
        async with backfill(fleet.accounts) as history:
            filled = [event async for event in history if isinstance(event, Update)]
    for events in (watched, filled):
        trips = [event.trip for event in events if event.trip is not None]
        paths = [[problem.path for problem in item.problems if "after the trip" in problem.reason] for item in trips]
        assert all("$.startMileage" in found for found in paths[1:])
    assert "$.distance" in [problem.path for item in watched for problem in item.resource.problems]
    assert len(filled) == 3


@pytest.mark.unmeasured
async def test_the_simulator_has_no_such_contradiction() -> None:
    async with a_fleet(vehicles=3, accounts=1, trips=60) as fleet:
        async with watch(fleet.accounts, every=timedelta(minutes=5), since=EPOCH - timedelta(days=900)) as updates:
            events = await updates_of(updates, 700)
        resources = [event.resource for event in events if isinstance(event, Update)]
        assert len(resources) == 63
        assert not [problem for item in resources for problem in item.problems if problem.kind == BACKWARDS]
