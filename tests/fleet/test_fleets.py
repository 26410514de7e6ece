"""Fleets of a fleet owner as sources of ``watch`` and ``backfill``."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import pytest

from stellantis_hal import (
    AccountEmpty,
    AccountLost,
    Fleet,
    FleetOwnerClient,
    MemoryCheckpoints,
    RateLimits,
    Removed,
    TokenBucketLimiter,
    Update,
    VehicleRemoved,
    backfill,
    watch,
)
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import simulated_fleet_owner
from tests.support.simulated import account_of, client_of

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=5)


def a_simulator(*, vehicles: int = 3, trips: int = 30) -> Simulator:
    world = World(seed=7, vehicles=vehicles, trips=trips)
    return Simulator(world, epoch=world.epoch + timedelta(days=1))


@asynccontextmanager
async def fleet_of(simulator: Simulator, **options: Any) -> AsyncGenerator[tuple[FleetOwnerClient, Fleet]]:
    async with simulated_fleet_owner(simulator, **options) as client:
        yield client, await client.fleet(simulator.world.fleets.all[0].id)


async def updates_of(events: Any, count: int) -> list[Update]:
    found: list[Update] = []
    async for event in events:
        assert isinstance(event, Update)
        found.append(event)
        if len(found) == count:
            break
    return found


async def drain(source: Any) -> None:
    async with watch(source, every=EVERY) as events:
        async for _ in events:
            pass


async def test_events_name_the_fleet_and_the_vehicle() -> None:
    simulator = a_simulator()
    async with fleet_of(simulator) as (_, fleet), watch([fleet], every=EVERY, clock=simulator.now) as events:
        found = await updates_of(events, 3)
        assert {event.account for event in found} == {fleet.id}
        assert {event.vehicle.vin for event in found} == {vehicle.vin for vehicle in simulator.world.vehicles}
        assert (await found[0].vehicle.status(profile="endUser")) is not None
        assert {event.vehicle.identity.account for event in found} == {fleet.id}


async def test_a_fleet_alone_is_a_source() -> None:
    simulator = a_simulator()
    async with fleet_of(simulator) as (_, fleet):
        async with watch(fleet, every=EVERY) as events:
            await updates_of(events, 3)
        async with backfill(fleet, clock=simulator.now) as trips:
            read = [event async for event in trips if isinstance(event, Update)]
    assert len(read) == simulator.world.trip_count()
    assert {event.account for event in read} == {fleet.id}


@pytest.mark.unmeasured
async def test_trips_are_delivered_once_after_a_restart() -> None:
    simulator, store = a_simulator(), MemoryCheckpoints()
    car = simulator.world.vehicles[0].id
    async with fleet_of(simulator) as (_, fleet):
        async with backfill([fleet], checkpoints=store, clock=simulator.now) as trips:
            assert len([event async for event in trips]) == 30
        simulator.world.add_trip(car, at=simulator.now())
        async with backfill([fleet], checkpoints=store, newer=True, clock=simulator.now) as trips:
            assert [event.trip.vin async for event in trips if isinstance(event, Update) and event.trip] == [
                simulator.world.vehicles[0].vin
            ]


async def test_vehicles_are_added_to_and_removed_from_a_fleet() -> None:
    simulator = a_simulator(vehicles=2, trips=0)
    world = simulator.world
    first, second = world.vehicles
    world.fleets.remove_vehicle(world.fleets.all[0].id, second.id)
    async with fleet_of(simulator) as (_, fleet), watch([fleet], every=EVERY, relist=timedelta(hours=1)) as events:
        assert [event.vehicle.id for event in await updates_of(events, 1)] == [first.id]
        world.fleets.add_vehicle(str(fleet.id), second.id)
        assert [event.vehicle.id for event in await updates_of(events, 1)] == [second.id]
        world.fleets.remove_vehicle(str(fleet.id), first.id)
        async for event in events:
            if isinstance(event, VehicleRemoved):
                assert (event.account, event.vehicle.id) == (fleet.id, first.id)
                break


async def test_an_empty_fleet_is_told() -> None:
    simulator = a_simulator(vehicles=1)
    empty = simulator.world.fleets.add("empty")
    async with simulated_fleet_owner(simulator) as client:
        fleet = await client.fleet(empty.id)
        async with watch([fleet], every=EVERY) as events:
            event = await anext(aiter(events))
            assert isinstance(event, AccountEmpty)
            assert event.account == empty.id


@pytest.mark.unmeasured
async def test_a_vehicle_in_two_fleets_is_polled_once() -> None:
    simulator = a_simulator(vehicles=2)
    simulator.world.fleets.add("both", vehicles=[vehicle.id for vehicle in simulator.world.vehicles])
    async with simulated_fleet_owner(simulator) as client:
        fleets = [fleet async for fleet in client.fleets()]
        async with watch(fleets, every=EVERY, adapt=None) as events:
            await updates_of(events, 2)
            with anyio.move_on_after(EVERY.total_seconds() * 1.5):
                async for _ in events:
                    raise AssertionError("nothing changed")
            assert events.remove(fleets[0]) is True
            simulator.world.lock(simulator.world.vehicles[0])
            simulator.world.unlock(simulator.world.vehicles[0])
            found = await updates_of(events, 1)
        assert found[0].account == fleets[1].id  # the other fleet took over
    assert Counter(simulator.statistics.by_kind)["status"] < 9


async def test_a_refused_login_loses_the_fleet() -> None:
    simulator = a_simulator()
    async with fleet_of(simulator) as (_, fleet), watch([fleet], every=EVERY) as events:
        await updates_of(events, 3)
        simulator.gateway.set_partner_login("MZP000001", "changed")
        async for event in events:
            if isinstance(event, AccountLost):
                assert event.account == fleet.id
                break
        simulator.gateway.set_partner_login("MZP000001", simulator.partner_password)
        simulator.world.unlock(simulator.world.vehicles[0])
        async for event in events:
            if isinstance(event, Update):
                break


async def test_a_source_may_remove_a_fleet() -> None:
    simulator = a_simulator()
    async with fleet_of(simulator) as (_, fleet):

        async def source() -> AsyncGenerator[Any]:
            yield fleet
            await anyio.sleep(60)
            yield Removed(fleet)

        async with watch(source(), every=EVERY) as events:
            await updates_of(events, 3)
            await anyio.sleep(61)
            polled = simulator.statistics.requests
            with anyio.move_on_after(4 * EVERY.total_seconds()):
                await updates_of(events, 1)
    assert simulator.statistics.requests == polled
    assert "Fleet" in repr(Removed(fleet))


async def test_fleets_and_vehicles_are_removed_by_id() -> None:
    simulator = a_simulator()
    async with fleet_of(simulator) as (_, fleet), watch([fleet], every=EVERY) as events:
        vehicle = (await updates_of(events, 3))[0].vehicle
        assert [events.remove(vehicle), events.remove(vehicle)] == [True, False]
        assert [events.remove(str(fleet.id)), events.remove(fleet)] == [True, False]
        events.add(fleet)
        await events.released("nothing")
        for each in simulator.world.vehicles:
            simulator.world.unlock(each)
        found = {event.vehicle.id for event in await updates_of(events, 2)}
    assert found == {each.id for each in simulator.world.vehicles} - {vehicle.id}


async def test_a_vehicle_of_a_fleet_is_watched_alone() -> None:
    simulator = a_simulator()
    async with fleet_of(simulator) as (_, fleet):
        vehicle = await fleet.vehicle(vin=simulator.world.vehicles[1].vin)
        async with watch([vehicle], every=EVERY) as events:
            assert [event.vehicle.vin for event in await updates_of(events, 1)] == [vehicle.vin]


# ------------------------------------------------------------------------------------------------- beside accounts


async def test_a_fleet_and_an_account_have_limits_of_their_own() -> None:
    simulator = a_simulator()
    async with fleet_of(simulator) as (_, fleet), client_of(simulator) as client:
        account = account_of(client, simulator)
        with pytest.raises(ValueError, match=r"another client.*one limiter"):
            await drain([fleet, account])


async def test_with_one_limiter_an_account_takes_over_from_a_fleet() -> None:
    simulator = a_simulator(vehicles=1, trips=0)
    limiter = TokenBucketLimiter(RateLimits(per_second=100, per_day=100_000), clock=simulator.now)
    async with (
        fleet_of(simulator, limiter=limiter) as (_, fleet),
        client_of(simulator, limiter=limiter) as client,
        watch([fleet, account_of(client, simulator)], every=EVERY) as events,
    ):
        assert [event.account for event in await updates_of(events, 1)] == [fleet.id]
        await anyio.sleep(1)  # both are listed
        events.remove(fleet)
        simulator.world.unlock(simulator.world.vehicles[0])
        assert [event.account for event in await updates_of(events, 1)] == [simulator.world.accounts[0].key]


async def test_a_fleet_without_id_is_refused() -> None:
    simulator = a_simulator()
    async with fleet_of(simulator):
        with pytest.raises(ValueError, match="without an id"):
            await drain([Fleet()])
