"""Commands to the vehicles of fleets."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import time, timedelta
from typing import Any

import anyio
import pytest

from stellantis_hal import ChargingProgram, FleetOwnerClient, OperationOutcome, Remote, RemotePolicy, Vehicle, Webhook
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import simulated_fleet_owner
from tests.resources.control.commanded import SEED

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def fleet_remote(
    policy: RemotePolicy | None = None,
) -> AsyncGenerator[tuple[Simulator, Vehicle, Remote, FleetOwnerClient]]:
    simulator = Simulator(World(seed=SEED, vehicles=1, trips=3))
    async with simulated_fleet_owner(simulator, policy=policy) as client:
        fleet = await client.fleets().first()
        assert fleet is not None
        vehicle = await fleet.vehicles().first()
        assert vehicle is not None
        hook = Webhook("https://hooks.example.org/st", token="s3cr3t")
        callback = await fleet.callbacks.ensure(hook, actions=("Doors", "Stolen"), label="garage")
        yield simulator, vehicle, vehicle.remote(callback), client


async def test_a_vehicle_of_a_fleet_is_locked_and_resumed() -> None:
    async with fleet_remote() as (simulator, _, remote, client):
        operation = await remote.doors.unlock()
        assert "/fleets/" in operation.url
        resumed = client.operation(operation.token)
        assert await resumed.result() is OperationOutcome.SUCCESS
        status = await resumed.confirmed(lambda status: status.is_locked is False)
        assert status.is_locked is False
        message = next(iter(simulator.outbox.pending.values()))[0].message
        assert message["events"][0]["eventStatus"] == {"type": "Pending", "status": "Accepted"}
        assert [each.kind async for each in remote.operations()] == ["door"]


async def test_a_stolen_vehicle_is_declared_tracked_and_immobilized() -> None:
    async with fleet_remote(RemotePolicy(cooldown=timedelta(0))) as (simulator, vehicle, remote, _):
        vin, car = vehicle.vin or "", simulator.world.car(vehicle)
        with pytest.raises(ValueError, match="typed again"):
            await remote.stolen.declare(confirm="VF3ABCDE0FG123456")
        calls: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
            (lambda: remote.stolen.declare(confirm=vin), lambda: car.is_stolen is True),
            (
                lambda: remote.stolen.track(running=timedelta(seconds=30), shutdown=timedelta(minutes=5), confirm=vin),
                lambda: car.controls.tracking == (30, 300),
            ),
            (lambda: remote.stolen.immobilize(confirm=vin), lambda: car.controls.immobilized is True),
            (lambda: remote.immobilize(active=False, confirm=vin), lambda: car.controls.immobilized is False),
            (lambda: remote.stolen.clear(confirm=vin), lambda: car.is_stolen is False),
        ]
        for call, holds in calls:
            assert await (await call()).result() is OperationOutcome.SUCCESS
            assert holds()
            await anyio.sleep(1)


async def test_charging_programs_of_a_fleet_have_slots() -> None:
    async with fleet_remote() as (simulator, vehicle, remote, _):
        operation = await remote.charging.programs([ChargingProgram(start=time(22), slot=2)])
        assert await operation.result() is OperationOutcome.SUCCESS
        assert simulator.world.car(vehicle).controls.charge_programs[0].slot == 2
