"""A watch that is fed with events of a receiver."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal.fleet import (
    CallbackFailed,
    CheckpointError,
    DamagedCheckpointError,
    MemoryCheckpoints,
    Update,
    VehicleUnavailable,
    Watch,
    watch,
)
from stellantis_hal.notifications import MemoryInbox, Receiver
from stellantis_hal.resources.control.callback_targets import Webhook
from stellantis_hal.resources.vehicle import Vehicle
from tests.fleet.fleets import Fleet, a_fleet, until, updates_of
from tests.notifications.bodies import body
from tests.notifications.receiving import PATH, TOKEN, post

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=15)
HOUR = 3_600.0


@attrs.define
class Scene:
    """A watched vehicle, and a receiver that gets events of it."""

    fleet: Fleet
    receiver: Receiver
    vehicle: Vehicle
    status: dict[str, Any]
    callback_id: str = "callback-1"
    sent: int = 0

    def now(self) -> datetime:
        return self.fleet.simulator.now()

    async def send(
        self,
        mileage: float | None = None,
        *,
        token: str = TOKEN,
        vin: str | None = None,
        is_dated: bool = True,
        **members: Any,
    ) -> None:
        """Let an event arrive, with a status of now where there is a mileage."""
        self.sent += 1
        extensions: list[Any] = []
        if mileage is not None:
            status = copy.deepcopy(self.status)
            now = self.now().isoformat()
            status |= {"updatedAt": now, "createdAt": now, "odometer": {"mileage": mileage, "createdAt": now}}
            extensions = [{"type": "vehicle.status", "body": [{"status": status}]}]
        attributes = [{"key": "token", "value": token}, {"key": "vin", "value": vin or self.vehicle.vin}]
        event = {"monitorId": "m1", "values": [], "extensions": extensions, "refresh": False, **members}
        message = {"callbackId": self.callback_id, "type": "Monitor", "n": self.sent}
        if is_dated:
            message["date"] = self.now().isoformat()
        await post(self.receiver, body({**message, "attributes": attributes, "monitorEvent": event}))

    async def remote(self, status: str) -> None:
        step = {"type": "Done", "status": status}
        event = {"remoteActionId": f"r{self.sent}", "remoteType": "Doors", "eventStatus": step}
        attributes = [{"key": "token", "value": TOKEN}, {"key": "vin", "value": self.vehicle.vin}]
        await post(self.receiver, body({"type": "Remote", "attributes": attributes, "remoteEvent": event}))


@asynccontextmanager
async def a_scene(vehicles: int = 1) -> AsyncGenerator[Scene, None]:
    async with a_fleet(vehicles=vehicles, accounts=1, trips=3) as fleet:
        vehicle = await fleet.accounts[0].vehicles().first()
        assert vehicle is not None
        status = await vehicle.status()
        assert status is not None
        assert status.document is not None
        plain = {key: value for key, value in status.document.body.items() if key != "_links"}
        receiver = Receiver(MemoryInbox(), path=PATH, token=TOKEN)
        yield Scene(fleet, receiver, vehicle, plain)


def watched(scene: Scene, **options: Any) -> Watch:
    chosen: dict[str, Any] = {"what": "status", "every": EVERY, "adapt": None} | options
    return watch(scene.fleet.accounts[0], events=scene.receiver, **chosen)


async def test_newer_status_is_an_update_without_a_poll() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        polls = updates.statistics.requests
        await scene.send(123_456.0)
        update = await until(updates, Update, within=1)
        assert (update.source, update.what, update.status.mileage) == ("event", "status", 123_456.0)
        assert "odometer.mileage" in {change.path for change in update.changes}
        assert update.age is not None
        assert update.age < 10
        assert updates.statistics.requests == polls
        assert updates.statistics.pushed == 1


async def test_update_is_acknowledged_like_others() -> None:
    checkpoints = MemoryCheckpoints()
    async with a_scene() as scene:
        async with watched(scene, checkpoints=checkpoints) as updates:
            await until(updates, Update)
            await scene.send(123_456.0)
            first = await until(updates, Update, source="event")
        async with watched(scene, checkpoints=checkpoints) as updates:
            await updates_of(updates, 1)
            await scene.send(123_456.0, vin=None)
            again = await until(updates, Update, source="event")
        assert again.id != first.id  # a newer status, compared with the one that was acknowledged
        assert "odometer.mileage" not in {change.path for change in again.changes}


async def test_older_and_equal_statuses_are_not_reported() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        await scene.send(123_456.0)
        await until(updates, Update, source="event")
        extension = [{"type": "vehicle.status", "body": [{"status": scene.status}]}]
        await scene.send(extensions=extension)
        assert [event for event in await updates_of(updates, 60) if isinstance(event, Update)] == []
        assert updates.statistics.older == 1


async def test_event_without_a_status_causes_a_poll() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        before = updates.statistics.requests
        await scene.send()
        await updates_of(updates, 1)
        assert updates.statistics.requests == before + 1
        await scene.remote("VehicleUnavailable")
        await updates_of(updates, 1)
        assert updates.statistics.requests == before + 1
        scene.sent += 1
        await scene.remote("Success")
        await updates_of(updates, 1)
        assert updates.statistics.requests == before + 2


async def test_paused_watch_reports_statuses_and_polls_nothing() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        updates.pause()
        before = updates.statistics.requests
        await scene.send()
        await scene.send(123_456.0)
        assert (await until(updates, Update, within=1)).source == "event"
        assert updates.statistics.requests == before


async def test_events_of_a_pause_cause_a_poll_at_its_end() -> None:
    """While events come, the next poll of the interval would be hours away."""
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        before = updates.statistics.requests
        updates.pause()
        for _ in range(3):
            await scene.send()
        await updates_of(updates, 10)
        assert updates.statistics.requests == before
        updates.resume()
        updates.pause()  # at once: the poll waits for the end of this pause
        await updates_of(updates, 10)
        assert updates.statistics.requests == before
        updates.resume()
        await updates_of(updates, 10)
        assert updates.statistics.requests == before + 1
        updates.resume()
        await updates_of(updates, 10)
        assert updates.statistics.requests == before + 1


async def test_a_vehicle_removed_in_a_pause_is_not_polled() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        before = updates.statistics.requests
        updates.pause()
        await scene.send()
        await updates_of(updates, 10)
        updates.remove(scene.vehicle)
        updates.resume()
        await updates_of(updates, 10)
        assert updates.statistics.requests == before


async def test_watch_without_statuses_polls() -> None:
    async with a_scene() as scene, watched(scene, what="position") as updates:
        await until(updates, Update)
        before = updates.statistics.requests
        await scene.send(1.0)
        await updates_of(updates, 1)
        assert updates.statistics.requests == before + 1


async def test_unverified_and_foreign_events_change_nothing() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        before = updates.statistics.requests
        await scene.send(123_456.0, token="wrong")
        await scene.send(123_456.0, vin="VF3ABCDE0FG000000")
        await post(scene.receiver, b"5")
        assert await updates_of(updates, 60) == []
        assert (updates.statistics.requests, updates.statistics.pushed) == (before, 0)


async def test_vehicle_is_found_by_its_registered_id() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        assert scene.vehicle.id is not None
        scene.receiver.register("m1", vin=None, vehicle_id=scene.vehicle.id)
        await scene.send(123_456.0, vin="$vin")
        assert (await until(updates, Update, within=1)).source == "event"


# ------------------------------------------------------------------------------------------------ intervals


async def requests_in(scene: Scene, updates: Watch, hours: int, *, events: bool) -> int:
    """Return the requests of so many hours, with an event every 5 minutes or none."""
    before = updates.statistics.requests
    for number in range(hours * 12):
        if events:
            await scene.send(200_000.0 + scene.sent + number, refresh=True)
        await updates_of(updates, 300)
    return updates.statistics.requests - before


@pytest.mark.long
@pytest.mark.unmeasured
async def test_polls_are_rarer_while_events_arrive() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await updates_of(updates, HOUR)
        assert 31 <= await requests_in(scene, updates, 8, events=False) <= 33
        assert 7 <= await requests_in(scene, updates, 8, events=True) <= 11  # a listing may be among them
        assert 31 <= await requests_in(scene, updates, 8, events=False) <= 34


@pytest.mark.unmeasured
@pytest.mark.long
async def test_trips_are_polled_all_the_same() -> None:
    async with a_scene() as scene, watched(scene, what=("status", "trips")) as updates:
        await updates_of(updates, HOUR)
        both = await requests_in(scene, updates, 8, events=False)
        assert await requests_in(scene, updates, 8, events=True) == pytest.approx(both * 5 / 8, abs=3)


# ------------------------------------------------------------------------------------------------ silence


@pytest.mark.unmeasured
async def test_silence_beyond_twice_the_refresh_is_reported() -> None:
    async with a_scene() as scene, watched(scene, refresh=timedelta(minutes=10)) as updates:
        await until(updates, Update)
        await scene.send(200_000.0)
        began = anyio.current_time()
        failed = await until(updates, CallbackFailed, within=HOUR)
        assert anyio.current_time() - began == pytest.approx(1_200, abs=2)
        assert failed.silent_for == pytest.approx(1_200, abs=2)
        assert (failed.status, failed.vehicle.id) == ("Deleted", scene.vehicle.id)
        assert scene.callback_id not in repr(failed)
        assert [event for event in await updates_of(updates, 5 * HOUR) if isinstance(event, CallbackFailed)] == []


async def test_refresh_is_learnt_from_reminders() -> None:
    async with a_scene() as scene, watched(scene) as updates:
        await until(updates, Update)
        for number in range(4):
            await scene.send(200_000.0 + number, refresh=number > 0)
            await updates_of(updates, 600)
        failed = await until(updates, CallbackFailed, within=2_000)
        assert failed.silent_for == pytest.approx(1_200, abs=5)


@pytest.mark.unmeasured
async def test_event_without_reminders_may_be_the_last() -> None:
    async with a_scene() as scene:
        account = scene.fleet.accounts[0]
        callback = await account.callbacks.ensure(Webhook(f"https://hooks.example.org{PATH}", token=TOKEN), label="x")
        assert callback.id is not None
        scene.callback_id = callback.id
        async with watched(scene) as updates:
            await until(updates, Update)
            await scene.send(200_000.0)
            events = await updates_of(updates, 10 * HOUR)
            assert not any(isinstance(event, CallbackFailed) for event in events)
            await callback.pause()
            await scene.send(200_001.0)
            failed = await until(updates, CallbackFailed, within=2 * HOUR)
            assert failed.status == "Paused"


@pytest.mark.long
async def test_reminders_that_teach_no_refresh_announce_none() -> None:
    async with a_scene() as scene:
        account = scene.fleet.accounts[0]
        callback = await account.callbacks.ensure(Webhook(f"https://hooks.example.org{PATH}", token=TOKEN), label="x")
        assert callback.id is not None
        scene.callback_id = callback.id
        async with watched(scene) as updates:
            await until(updates, Update)
            for number in range(4):  # without an instant, or too close for a refresh
                await scene.send(200_000.0 + number, refresh=True, is_dated=number > 1)
                await updates_of(updates, 10)
            events = await updates_of(updates, 10 * HOUR)
            assert not any(isinstance(event, CallbackFailed) for event in events)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_reminders_that_end_with_their_condition_are_no_failure() -> None:
    """The callback runs: the car has parked, and its monitor has nothing to remind of."""
    async with a_scene() as scene:
        account = scene.fleet.accounts[0]
        callback = await account.callbacks.ensure(Webhook(f"https://hooks.example.org{PATH}", token=TOKEN), label="x")
        assert callback.id is not None
        scene.callback_id = callback.id
        async with watched(scene) as updates:
            await until(updates, Update)
            for number in range(4):
                await scene.send(200_000.0 + number, refresh=number > 0)
                await updates_of(updates, 600)
            events = await updates_of(updates, 10 * HOUR)
            assert not any(isinstance(event, CallbackFailed) for event in events)


async def test_silence_of_two_vehicles_lists_callbacks_once() -> None:
    async with a_scene(vehicles=2) as scene, watched(scene, refresh=timedelta(minutes=10)) as updates:
        await updates_of(updates, 60)
        vins = {vehicle.vin async for vehicle in scene.fleet.accounts[0].vehicles()}
        for vin in vins:
            await scene.send(200_000.0, vin=vin)
        events = [event for event in await updates_of(updates, HOUR) if isinstance(event, CallbackFailed)]
        assert {(event.vehicle.vin, event.status) for event in events} == {(vin, "Deleted") for vin in vins}


async def test_events_beyond_the_bound_are_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stellantis_hal.fleet.watching.push_feed._MAX_WAITING", 2)
    async with a_scene() as scene, watched(scene, refresh=EVERY, buffer=1) as updates:
        await until(updates, Update)
        await scene.send(200_000.0)
        await anyio.sleep(HOUR)  # the update fills the buffer, so the report of the silence waits
        for number in range(7):
            await scene.send(200_001.0 + number)
        told = [record.getMessage() for record in caplog.records if "were not reported" in record.getMessage()]
        assert [text.split(":")[0] for text in told] == [
            f"{number} notifications were not reported so far" for number in (1, 2, 4)
        ]
        events = await updates_of(updates, 60)
        assert any(isinstance(event, CallbackFailed) for event in events)
        pushed = [event.status for event in events if isinstance(event, Update) and event.source == "event"]
        mileages = {status.mileage for status in pushed if status is not None}
        assert 200_007.0 in mileages
        assert 200_001.0 not in mileages


async def test_status_of_the_callback_may_be_unknown() -> None:
    options: dict[str, Any] = {"what": "status", "refresh": EVERY}
    async with (
        a_scene() as scene,
        watch(scene.vehicle, every=EVERY, events=scene.receiver, **options) as updates,
    ):
        await until(updates, Update)
        await scene.send(200_000.0)
        assert (await until(updates, CallbackFailed, within=HOUR)).status is None


async def test_removed_vehicle_is_not_reported() -> None:
    async with a_scene() as scene, watched(scene, refresh=EVERY) as updates:
        await until(updates, Update)
        await scene.send(200_000.0)
        await until(updates, Update, source="event")
        updates.remove(scene.vehicle)
        await scene.send(200_001.0)
        assert await updates_of(updates, 2 * HOUR) == []


async def test_vehicle_removed_while_its_status_waits_is_not_polled() -> None:
    async with a_scene() as scene, watched(scene, buffer=1) as updates:
        await until(updates, Update)
        for number in range(2):  # the first fills the buffer, so the second waits
            await scene.send(200_000.0 + number)
            await anyio.sleep(1)
        updates.remove(scene.vehicle)
        before = updates.statistics.requests
        assert [event.source for event in await updates_of(updates, HOUR) if isinstance(event, Update)] == ["event"] * 2
        assert updates.statistics.requests == before


async def test_status_with_a_damaged_checkpoint_causes_a_poll() -> None:
    checkpoints = MemoryCheckpoints()
    async with a_scene() as scene:
        await checkpoints.save(f"watch/{scene.vehicle.id}", b"{")
        updates = watch(scene.vehicle, every=EVERY, what="status", events=scene.receiver, checkpoints=checkpoints)
        updates.pause()
        async with updates:
            assert await updates_of(updates, 60) == []
            await scene.send(200_000.0)
            failed = await until(updates, VehicleUnavailable, within=60)
            assert isinstance(failed.error, DamagedCheckpointError)


async def test_status_with_a_failing_store_ends_the_watch() -> None:
    class Failing(MemoryCheckpoints):
        async def load(self, key: str) -> bytes | None:
            if key.startswith("watch/"):  # the checkpoint of a vehicle
                raise CheckpointError("the disk is full")
            return await super().load(key)

    async with a_scene() as scene:
        checkpoints = Failing()
        updates = watch(scene.vehicle, every=EVERY, what="status", events=scene.receiver, checkpoints=checkpoints)
        updates.pause()
        async with updates:
            assert await updates_of(updates, 60) == []
            await scene.send(200_000.0)
            with pytest.raises(CheckpointError, match="the disk is full"):  # although the watch is paused
                await until(updates, within=60)


async def test_unlistable_callbacks_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with a_scene() as scene, watched(scene, refresh=timedelta(hours=1)) as updates:
        await until(updates, Update)
        await scene.send(200_000.0)
        await updates_of(updates, 60)
        await scene.fleet.lose_consent(scene.fleet.world.accounts[0].key)
        failed = await until(updates, CallbackFailed, within=3 * HOUR)
        assert failed.status is None
    assert "could not be listed: ConsentRequiredError" in caplog.text


@pytest.mark.parametrize("options", [{"refresh": EVERY, "events": None}, {"refresh": timedelta()}])
async def test_refresh_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    async with a_scene() as scene:
        given: dict[str, Any] = {"events": scene.receiver} | options
        with pytest.raises(ValueError, match="needs events="):
            watch(scene.fleet.accounts[0], every=EVERY, **given)
