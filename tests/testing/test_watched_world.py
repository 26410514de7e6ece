"""What happens in the simulated world, seen by a watch in jumped time and by reads."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import attrs
import pytest

from stellantis_hal import Account, Update, Watch, watch
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import simulated_account, simulated_client, simulated_token, small_world

pytestmark = [pytest.mark.anyio, pytest.mark.unmeasured]
CHARGING = "energies[0].extension.electric.charging"


@attrs.frozen
class Scene:
    simulator: Simulator
    account: Account
    updates: Watch
    car: str
    waiting: list[Update] = attrs.field(factory=list)

    @property
    def world(self) -> World:
        return self.simulator.world

    async def changes(self, what: str = "status") -> dict[str, object]:
        """Return the new values of the next update of a kind; updates of another kind wait."""
        with anyio.fail_after(3_600):
            while not (found := [update for update in self.waiting if update.what == what]):
                event = await anext(self.updates)
                assert isinstance(event, Update)
                self.waiting.append(event)
        self.waiting.remove(found[0])
        assert found[0].age is not None
        assert found[0].age >= 0
        return {change.path: change.new for change in found[0].changes}


@asynccontextmanager
async def a_scene(*what: str) -> AsyncGenerator[Scene]:
    """Yield a watch that has delivered its first snapshots."""
    world = small_world()
    simulator = Simulator(world, epoch=world.epoch)
    async with simulated_client(simulator) as client:
        account = simulated_account(client, simulator)
        async with watch([account], every=timedelta(minutes=5), what=what or ("status",)) as updates:
            scene = Scene(simulator, account, updates, world.vehicles[0].id)
            await scene.changes()  # trips of the past are not delivered
            yield scene


async def test_each_act_of_charging_is_a_change() -> None:
    async with a_scene() as scene:
        scene.world.plug_in(scene.car)
        changes = await scene.changes()
        assert (changes[f"{CHARGING}.plugged"], changes[f"{CHARGING}.status"]) == (True, "Stopped")
        scene.world.start_charging(scene.car)
        changes = await scene.changes()
        assert changes[f"{CHARGING}.status"] == "InProgress"
        assert changes[f"{CHARGING}.mode"] == "Slow"
        assert changes["energies[0].level"] == 80.9  # it is read five minutes later
        changes = await scene.changes()
        assert changes["energies[0].level"] == pytest.approx(82.0)
        scene.world.unplug(scene.car)
        changes = await scene.changes()
        assert (changes[f"{CHARGING}.plugged"], changes[f"{CHARGING}.status"]) == (False, "Disconnected")


async def test_a_charge_ends_when_the_battery_is_full() -> None:
    async with a_scene() as scene:
        scene.world.plug_in(scene.car)
        scene.world.start_charging(scene.car)
        begun = scene.simulator.now()
        seen = dict[str, object]()
        while seen.get(f"{CHARGING}.status") != "Finished":
            seen = await scene.changes()
        assert seen["energies[0].level"] == 100.0
        hours = (scene.simulator.now() - begun) / timedelta(hours=1)
        assert hours == pytest.approx(2.71, abs=0.2)  # slower from 80 % on


async def test_locks_are_changes() -> None:
    async with a_scene() as scene:
        scene.world.unlock(scene.car)
        assert (await scene.changes())["doors.locked_states[0]"] == "Unlocked"
        scene.world.lock(scene.car)
        assert (await scene.changes())["doors.locked_states[0]"] == "Locked"


async def test_a_drive_is_a_trip_and_moves_the_vehicle() -> None:
    async with a_scene("status", "trips") as scene:
        await anyio.sleep(3_600)
        before = scene.world.vehicle_state(scene.car)
        scene.world.drive(scene.car, km=12.0, minutes=20)
        assert "trips" in await scene.changes("trips")
        changes = await scene.changes()
        assert changes["kinetic.moving"] is True
        assert changes["ignition.type"] == "Start"
        assert changes["odometer.mileage"] == pytest.approx(before.mileage + 12.0)
        await anyio.sleep(600)
        scene.world.drive(scene.car, km=3.0, minutes=10)
        scene.world.park(scene.car)
        assert (await scene.changes("trips"))["done"] is True
        changes = await scene.changes()
        assert changes["kinetic.moving"] is False
        assert changes["doors.locked_states[0]"] == "Locked"


async def test_a_holder_may_be_given_whole() -> None:
    simulator = Simulator(World(accounts=2, vehicles=2))
    async with simulated_client(simulator) as client:
        first, second = (simulated_account(client, simulator, holder) for holder in simulator.world.accounts)
        assert (first.key, second.key) == ("account-0000", "account-0001")
        with pytest.raises(KeyError):
            simulated_account(client, simulator, "account-0002")


async def test_reads_agree_after_a_trip() -> None:
    world = small_world()
    simulator = Simulator(world, epoch=world.epoch)
    async with simulated_client(simulator) as client:
        holder = world.accounts[0].key
        account = simulated_account(client, simulator, holder, tokens=simulated_token(simulator, holder))
        vehicle = await account.vehicles().first()
        assert vehicle is not None
        await anyio.sleep(3_600)
        mileage, levels = world.mileage(world.vehicles[0].id), world.levels(world.vehicles[0].id)
        world.drive(vehicle, km=12.0, minutes=20)
        world.park(vehicle)
        newest = [trip async for trip in vehicle.trips()][-1]
        status, position = await vehicle.status(), await vehicle.last_position()
        assert status is not None
        assert position is not None
        assert (newest.distance, newest.duration) == (12.0, timedelta(minutes=20))
        assert newest.done
        assert newest.started_at == simulator.now() - timedelta(minutes=20)
        assert newest.stopped_at == simulator.now()
        assert newest.start_mileage == mileage
        assert status.odometer is not None
        assert status.odometer.mileage == pytest.approx(mileage + 12.0)
        level = status.energies[0].level
        assert level is not None
        assert level < levels[0].level
        assert newest.stop_position is not None
        assert (position.latitude, position.longitude) == (
            newest.stop_position.latitude,
            newest.stop_position.longitude,
        )
