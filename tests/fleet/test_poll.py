"""Polls of one vehicle, for programs that have a scheduler of their own."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from stellantis_hal import CheckpointsInUseError, MemoryCheckpoints, ServerError, Update, Vehicle, poll
from stellantis_hal.fleet.resume_records import VehiclePollRecord
from stellantis_hal.simulator import Faults, FaultWindow, ServerFault
from tests.fleet.fleets import EPOCH, Fleet, a_fleet, trips_in

pytestmark = pytest.mark.anyio


async def a_vehicle(fleet: Fleet) -> Vehicle:
    return await fleet.accounts[0].vehicle(fleet.vehicles[0])


async def updates(vehicle: Vehicle, store: MemoryCheckpoints, **options: Any) -> list[Update]:
    async with poll(vehicle, checkpoints=store, **options) as found:
        return [event async for event in found if isinstance(event, Update)]


async def test_what_is_new_is_delivered_once() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        vehicle = await a_vehicle(fleet)
        assert [event.what for event in await updates(vehicle, store)] == ["status"]
        assert await updates(vehicle, store) == []
        trip = fleet.world.add_trip(fleet.vehicles[0])
        found = await updates(vehicle, store, what="trips")
        assert trips_in(found) == [trip.id]
        assert await updates(vehicle, store, what="trips") == []


@pytest.mark.unmeasured
async def test_an_exception_acknowledges_nothing() -> None:
    """Also what was iterated over before, to the end."""
    store = MemoryCheckpoints()
    ids: list[list[str]] = []

    async def fail(vehicle: Vehicle) -> None:
        async with poll(vehicle, since=EPOCH - timedelta(days=400), checkpoints=store) as found:
            ids.append([event.id async for event in found if isinstance(event, Update)])
            raise LookupError

    async with a_fleet(vehicles=1, accounts=1) as fleet:
        vehicle = await a_vehicle(fleet)
        for _ in range(2):
            with pytest.raises(LookupError):
                await fail(vehicle)
        assert ids[0] == ids[1] != []
        assert [event.id for event in await updates(vehicle, store, since=EPOCH - timedelta(days=400))] == ids[0]
        assert await updates(vehicle, store) == []


async def test_leaving_early_acknowledges_what_was_taken() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        vehicle = await a_vehicle(fleet)
        since = EPOCH - timedelta(days=400)
        async with poll(vehicle, what="trips", since=since, checkpoints=store) as found:
            first = [(await anext(found)), (await anext(found))]
        rest = await updates(vehicle, store, what="trips", since=since)
        assert len(trips_in(rest)) == len(set(trips_in(rest)) - set(trips_in(first))) > 0


async def test_a_failure_is_raised() -> None:
    store = MemoryCheckpoints()
    faults = Faults(windows=[FaultWindow(fault=ServerFault(), since=0.0, until=1e9, path="/status$")])
    async with a_fleet(vehicles=1, accounts=1, faults=faults) as fleet:
        vehicle = await a_vehicle(fleet)
        with pytest.raises(ServerError):
            await updates(vehicle, store)


async def test_deep_scans_are_a_day_apart() -> None:
    """Each poll of its own reads the last six hours only, unless a day has passed since the last deep one."""
    store = MemoryCheckpoints()
    now = [EPOCH + timedelta(hours=1)]

    def clock() -> datetime:
        return now[0]

    async with a_fleet(vehicles=1, accounts=1) as fleet:
        vehicle = await a_vehicle(fleet)
        await updates(vehicle, store, what="trips", clock=clock)
        [key] = [key for key in store._contents if key.endswith("#turn")]
        before = await store.load(key)
        now[0] += timedelta(hours=2)
        await updates(vehicle, store, what="trips", clock=clock)
        assert await store.load(key) != before


async def test_a_clock_that_was_ahead_puts_off_no_deep_scan() -> None:
    """What it remembered of the next one lies ten years ahead of the corrected clock: late trips would be missed."""
    store = MemoryCheckpoints()
    ahead = timedelta(days=3_650)
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        vehicle = await a_vehicle(fleet)
        await updates(vehicle, store, what="trips", clock=lambda: fleet.simulator.now() + ahead)
        await updates(vehicle, store, what="trips", clock=fleet.simulator.now)
        [key] = [key for key in store._contents if key.endswith("#turn")]
        content = await store.load(key)
        assert content is not None
        deep_at = VehiclePollRecord.load(content).deep_at
        assert deep_at is not None
        assert deep_at <= (fleet.simulator.now() + timedelta(days=1)).timestamp()


async def test_two_polls_of_one_vehicle_are_refused() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        vehicle = await a_vehicle(fleet)
        async with poll(vehicle, checkpoints=store):
            with pytest.raises(CheckpointsInUseError):
                await updates(vehicle, store)
            await updates(await fleet.accounts[0].vehicle(fleet.vehicles[1]), store)
        await updates(vehicle, store)


async def test_a_poll_without_a_store_delivers_the_present_state() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, poll(await a_vehicle(fleet), what="status") as found:
        assert [event.what async for event in found if isinstance(event, Update)] == ["status"]


async def test_wrong_options_are_refused() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        vehicle = await a_vehicle(fleet)
        with pytest.raises(ValueError, match="what must be one or more of"):
            poll(vehicle, what="fuel")
        with pytest.raises(ValueError, match="late must be at least 6:00:00"):
            poll(vehicle, late=timedelta(hours=1))
        with pytest.raises(ValueError, match="since must be aware"):
            poll(vehicle, since=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="without id or links"):
        poll(Vehicle(id="v"))
