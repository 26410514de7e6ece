"""Trips of a watch: each is delivered once, across restarts, crashes and late uploads."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal.fleet import CheckpointError, MemoryCheckpoints, SQLiteCheckpoints, Update, ValueChange, watch
from stellantis_hal.simulator import BackendVariant, ScriptedFault, ServerFault, Trip, World
from tests.fleet.fleets import (
    EPOCH,
    ChangedBody,
    Fleet,
    a_fleet,
    a_fleet_newest_first,
    trips_in,
    until,
    updates_of,
    without_instants,
)
from tests.support.profiles import deep

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=30)
ROUND = 2_100.0


def watching(fleet: Fleet, store: Any = None, **options: Any) -> Any:
    return watch(fleet.accounts, every=EVERY, what="trips", checkpoints=store, **options)


@pytest.mark.unmeasured
async def test_trips_older_than_the_first_poll_are_not_delivered() -> None:
    async with a_fleet(trips=400) as fleet, watching(fleet) as updates:
        assert await updates_of(updates, 3_600) == []


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("trips", "newest_first"),
    [
        (1, False),
        deep(1, True),
        deep(61, False),
        (61, True),
        deep(100, False),
        deep(100, True),
        (300, False),
        (300, True),
    ],
)
@pytest.mark.long
async def test_the_first_poll_covers_the_lookback(trips: int, newest_first: bool) -> None:
    world = World(seed=7, accounts=1, vehicles=1, trips=trips, epoch=EPOCH)
    async with (
        a_fleet(world=world, variant=BackendVariant(newest_first=newest_first)) as fleet,
        watching(fleet, late=timedelta(days=30)) as updates,
    ):
        assert await updates_of(updates, 25 * 3_600) == []
        driven = fleet.world.add_trip(fleet.vehicles[0])
        assert trips_in(await updates_of(updates, ROUND)) == [driven.id]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_an_empty_first_poll_delivers_no_old_trips_later() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=100) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ServerFault(404, 40400), path="/trips$"))
        await anyio.sleep(7 * 3_600)
        async with watching(fleet) as updates:
            assert await updates_of(updates, 26 * 3_600) == []
            trip = fleet.world.add_trip(fleet.vehicles[0], at=fleet.simulator.now())
            assert trips_in(await updates_of(updates, 26 * 3_600)) == [trip.id]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_the_first_trip_of_a_vehicle_is_delivered() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=0) as fleet, watching(fleet) as updates:
        assert await updates_of(updates, 26 * 3_600) == []
        trips = [fleet.world.add_trip(fleet.vehicles[0]).id for _ in range(2)]
        assert trips_in(await updates_of(updates, 26 * 3_600)) == trips


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_new_trip_is_delivered_once() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet, watching(fleet) as updates:
        await updates_of(updates, ROUND)
        trip = fleet.world.add_trip(fleet.vehicles[1])
        events = await updates_of(updates, 26 * 3_600)
        assert trips_in(events) == [trip.id]
        update = events[0]
        assert isinstance(update, Update)
        assert update.id == f"{fleet.vehicles[1]}/trips/{trip.id}/finished"
        assert update.changes == (ValueChange("trips", None, trip.id),)
        assert update.trip is not None
        assert update.trip.distance == 12.5
        assert update.status is None


@pytest.mark.unmeasured
async def test_trips_are_delivered_in_order() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, watching(fleet) as updates:
        await updates_of(updates, ROUND)
        trips = [fleet.world.add_trip(fleet.vehicles[0]).id for _ in range(150)]
        assert trips_in(await updates_of(updates, ROUND)) == trips


async def test_an_unfinished_trip_is_delivered_again_when_finished() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, watching(fleet) as updates:
        await updates_of(updates, ROUND)
        trip = fleet.world.start_trip(fleet.vehicles[0])
        first = await until(updates, Update)
        fleet.world.drive(fleet.vehicles[0], 20.0)
        assert await updates_of(updates, 3_600) == []
        fleet.world.finish_trip(fleet.vehicles[0])
        second = await until(updates, Update)
        assert [first.trip.id, second.trip.id] == [trip.id, trip.id]
        assert (first.trip.done, second.trip.done) == (False, True)
        assert second.changes == (ValueChange("done", False, True),)
        assert first.id != second.id


async def test_a_trip_open_at_the_first_poll_comes_when_finished() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        fleet.world.start_trip(fleet.vehicles[0])
        async with watching(fleet) as updates:
            assert await updates_of(updates, 3_600) == []
            fleet.world.finish_trip(fleet.vehicles[0])
            assert (await until(updates, Update)).trip.done


@pytest.mark.unmeasured
async def test_a_late_trip_is_delivered_as_late() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=80) as fleet:
        hidden = hide_trip(fleet.world, fleet.vehicles[0], 70)
        async with watching(fleet) as updates:
            await updates_of(updates, ROUND)
            show_trip(fleet.world)
            events = await updates_of(updates, 26 * 3_600)
            assert trips_in(events) == [hidden]
            assert isinstance(events[0], Update)
            assert events[0].late


def hide_trip(world: World, vehicle: str, place: int) -> str:
    """Make the back end lack one of its older trips; return the id of that trip."""
    hidden = world.trip_at(vehicle, place).id
    usual = World.trip_count, World.trip_at

    def count(vehicle_id: str | None = None) -> int:
        return usual[0](world, vehicle_id) - 1

    def at(vehicle_id: str, trip: int) -> Trip:
        return usual[1](world, vehicle_id, trip + (trip >= place))

    world.__dict__.update(trip_count=count, trip_at=at)
    return hidden


def show_trip(world: World) -> None:
    del world.__dict__["trip_count"], world.__dict__["trip_at"]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_since_delivers_older_trips() -> None:
    async with a_fleet(vehicles=2, accounts=1, trips=400) as fleet:
        since = EPOCH - timedelta(days=30)
        wanted = {
            vehicle: [trip.id for trip in fleet.world.trips(vehicle) if trip.started_at >= since]
            for vehicle in fleet.vehicles
        }
        assert min(map(len, wanted.values())) >= 60
        async with watching(fleet, since=since) as updates:
            events = await updates_of(updates, 24 * 3_600)
        for vehicle, trips in wanted.items():
            mine = [event for event in events if isinstance(event, Update) and event.vehicle.id == vehicle]
            assert trips_in(mine) == trips


async def test_trips_of_a_newest_first_back_end_come_in_order() -> None:
    world = World(seed=7, accounts=1, vehicles=1, trips=300, epoch=EPOCH)
    async with a_fleet(world=world, variant=BackendVariant(newest_first=True)) as fleet, watching(fleet) as updates:
        assert await updates_of(updates, ROUND) == []
        trips = [fleet.world.add_trip(fleet.vehicles[0]).id for _ in range(130)]
        assert trips_in(await updates_of(updates, ROUND)) == trips


async def test_first_poll_reads_all_trips_within_the_lookback() -> None:
    world = World(seed=7, accounts=1, vehicles=1, trips=100, epoch=EPOCH)
    async with (
        a_fleet(world=world, variant=BackendVariant(newest_first=True)) as fleet,
        watching(fleet, late=timedelta(days=1_000)) as updates,
    ):
        assert await updates_of(updates, 25 * 3_600) == []
        driven = fleet.world.add_trip(fleet.vehicles[0])
        assert trips_in(await updates_of(updates, ROUND)) == [driven.id]


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("left", [0, 1])
async def test_an_order_not_shown_by_the_first_page_is_detected(left: int) -> None:
    """A first page that is short is read on by ranges, which finds the trip after the newest."""
    async with (
        a_fleet_newest_first(left) as fleet,
        watching(fleet, since=EPOCH - timedelta(days=1_000)) as updates,
    ):
        *older, newest = fleet.world.trip_ids(fleet.vehicles[0])
        assert trips_in(await updates_of(updates, ROUND)) == older[:240] + [newest, older[-1]] * left


@pytest.mark.unmeasured
async def test_a_trip_without_timestamps_does_not_end_the_lookback() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=300) as fleet:
        ids = fleet.world.trip_ids(fleet.vehicles[0])
        fleet.simulator.script(ScriptedFault(fault=ChangedBody(without_instants(ids[-5])), path="/trips$", times=1_000))
        await anyio.sleep(20 * 86_400)
        async with watching(fleet, late=timedelta(days=30)) as updates:
            assert await updates_of(updates, 25 * 3_600) == []


@pytest.mark.unmeasured
@pytest.mark.long
async def test_correcting_a_slow_clock_delivers_no_trip_again() -> None:
    behind = timedelta(days=9_000)
    async with (
        a_fleet(vehicles=1, accounts=1, trips=100) as fleet,
        watching(fleet, clock=lambda: fleet.simulator.now() - behind) as updates,
    ):
        assert await updates_of(updates, 3_600) == []
        behind = timedelta()
        trip = fleet.world.add_trip(fleet.vehicles[0])
        assert trips_in(await updates_of(updates, 26 * 3_600)) == [trip.id]


# ------------------------------------------------------------------------------------------- restarts


@pytest.mark.unmeasured
async def test_a_restart_resumes_after_the_last_acknowledgement() -> None:
    store = MemoryCheckpoints()
    async with a_fleet() as fleet:
        async with watching(fleet, store) as updates:
            await updates_of(updates, ROUND)
        driven = [fleet.world.add_trip(vehicle).id for vehicle in fleet.vehicles for _ in range(3)]
        found = list[str | None]()
        for _ in range(20):
            async with watching(fleet, store) as updates:
                found += trips_in([await until(updates, Update)])
            if len(found) == len(driven):
                break
        assert sorted(filter(None, found)) == sorted(driven)


async def test_an_update_is_repeated_after_an_exception() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        async with watching(fleet, store) as updates:
            await updates_of(updates, ROUND)
        for _ in range(3):
            fleet.world.add_trip(fleet.vehicles[0])
        ids = list[str]()

        async def run() -> None:
            async with watching(fleet, store) as updates:
                async for event in updates:
                    assert isinstance(event, Update)
                    ids.append(event.id)
                    if len(ids) == 2:
                        raise KeyError("the consumer crashed")

        with pytest.raises(KeyError):
            await run()
        async with watching(fleet, store) as updates:
            ids += [event.id for event in await updates_of(updates, ROUND) if isinstance(event, Update)]
        assert ids[2] == ids[1]
        assert len(ids) == 4
        assert len(set(ids)) == 3


async def test_cancelling_the_consumer_acknowledges_nothing() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        async with watching(fleet, store) as updates:
            await updates_of(updates, ROUND)
        trip = fleet.world.add_trip(fleet.vehicles[0])
        with anyio.CancelScope() as scope:
            async with watching(fleet, store) as updates:
                await anext(updates)
                scope.cancel()
                await anyio.sleep(1)
        async with watching(fleet, store) as updates:
            assert trips_in([await until(updates, Update)]) == [trip.id]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_trips_made_between_two_watches_are_delivered() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        async with watching(fleet, store) as updates:
            await updates_of(updates, ROUND)
        trips = [fleet.world.add_trip(fleet.vehicles[0]).id for _ in range(200)]
        async with watching(fleet, store) as updates:
            assert trips_in(await updates_of(updates, ROUND)) == trips


async def test_a_crash_right_after_the_first_poll_loses_nothing() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:

        async def run() -> None:
            async with watching(fleet, store):
                await anyio.sleep(ROUND)
                raise KeyError("crashed")

        with pytest.raises(KeyError):
            await run()
        trip = fleet.world.add_trip(fleet.vehicles[0])
        async with watching(fleet, store) as updates:
            assert trips_in([await until(updates, Update)]) == [trip.id]


async def test_a_crash_before_an_acknowledgement_loses_no_status() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        ids = list[str]()

        async def run() -> None:
            async with watch(fleet.accounts, every=EVERY, checkpoints=store) as updates:
                ids.append((await until(updates, Update, what="status")).id)
                await anyio.sleep(ROUND)  # until the first poll of the trips has been saved
                raise KeyError("crashed")

        with pytest.raises(KeyError):
            await run()
        async with watch(fleet.accounts, every=EVERY, checkpoints=store) as updates:
            ids += [event.id for event in await updates_of(updates, ROUND) if isinstance(event, Update)]
        assert len(ids) == 2
        assert ids[0] == ids[1]


@pytest.mark.unmeasured
async def test_acknowledging_a_status_keeps_the_first_trip_poll() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:

        async def run() -> None:
            async with watch(fleet.accounts, every=EVERY, checkpoints=store) as updates:
                await anyio.sleep(ROUND)
                assert [event.what for event in await updates_of(updates, ROUND) if isinstance(event, Update)] == [
                    "status"
                ]
                raise KeyError("crashed")

        with pytest.raises(KeyError):
            await run()
        trip = fleet.world.add_trip(fleet.vehicles[0])
        async with watch(fleet.accounts, every=EVERY, checkpoints=store) as updates:
            assert trips_in(await updates_of(updates, ROUND)) == [trip.id]


@pytest.mark.unmeasured
async def test_watches_with_different_names_share_a_store() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        async with (
            watching(fleet, store, name="the trips") as trips,
            watch(fleet.accounts, every=EVERY, what="status", checkpoints=store, name="the status") as statuses,
        ):
            assert await updates_of(trips, ROUND) == []
            trip = fleet.world.add_trip(fleet.vehicles[0])
            assert trips_in(await updates_of(trips, ROUND)) == [trip.id]
            assert await updates_of(statuses, ROUND) != []
        async with watching(fleet, store, name="the trips") as trips:
            assert await updates_of(trips, ROUND) == []
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store, name="the status") as statuses:
            assert await updates_of(statuses, ROUND) == []
        assert await store.load(f"the trips/{fleet.vehicles[0]}") is not None


async def test_a_delivered_snapshot_is_not_repeated_after_a_restart() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            assert len(await updates_of(updates, ROUND)) == 1
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            assert await updates_of(updates, ROUND) == []
            fleet.world.update_status(fleet.vehicles[0], battery={"voltage": 12}, createdAt="2026-01-01T12:00:00Z")
            changes = (await until(updates, Update)).changes
            assert ValueChange("battery.voltage", 91.5, 12.0) in changes
            assert len(changes) < 8


@pytest.mark.unmeasured
@pytest.mark.wall_clock
@pytest.mark.filterwarnings("ignore::stellantis_hal.fleet.watching.watch.BudgetWarning")
async def test_restarts_with_checkpoints_in_a_file(tmp_path: Path) -> None:
    async with a_fleet(vehicles=3, accounts=1) as fleet:
        found, driven = list[str | None](), list[str]()
        for number in range(4):
            async with (
                SQLiteCheckpoints(tmp_path / "fleet.db") as store,
                watch(fleet.accounts, every=timedelta(seconds=0.2), what="trips", checkpoints=store) as updates,
            ):
                with anyio.move_on_after(0.6 if number == 0 else 10):
                    async for event in updates:
                        found += trips_in([event])
                        if len(found) == len(driven):
                            break
            driven += [fleet.world.add_trip(vehicle).id for vehicle in fleet.vehicles] if number < 3 else []
        assert sorted(filter(None, found)) == sorted(driven)


# ------------------------------------------------------------------------------------------- stores that fail


@attrs.define
class Broken(MemoryCheckpoints):
    """A store that fails or hangs on request."""

    broken: bool = False
    stuck: bool = False

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    async def save(self, key: str, content: bytes) -> None:
        if self.broken:
            raise CheckpointError("the disk is full")
        if self.stuck:
            await anyio.sleep_forever()
        await super().save(key, content)


async def test_a_failed_acknowledgement_is_an_error() -> None:
    store = Broken()
    async with a_fleet(vehicles=1, accounts=1) as fleet, watching(fleet, store) as updates:
        await updates_of(updates, ROUND)
        fleet.world.add_trip(fleet.vehicles[0])
        await until(updates, Update)
        store.broken = True
        with pytest.raises(CheckpointError, match="disk is full"):
            await anext(updates)
        store.broken = False
        assert await updates_of(updates, ROUND) == []


async def test_a_failed_acknowledgement_on_exit_is_an_error() -> None:
    store = Broken()
    async with a_fleet(vehicles=1, accounts=1) as fleet:

        async def run() -> None:
            async with watching(fleet, store) as updates:
                await updates_of(updates, ROUND)
                fleet.world.add_trip(fleet.vehicles[0])
                await until(updates, Update)
                store.broken = True

        with pytest.raises(CheckpointError):
            await run()


async def test_leaving_is_bounded_when_the_store_hangs() -> None:
    store = Broken()
    async with a_fleet(vehicles=1, accounts=1) as fleet:

        async def run() -> None:
            async with watching(fleet, store) as updates:
                await updates_of(updates, ROUND)
                fleet.world.add_trip(fleet.vehicles[0])
                await until(updates, Update)
                store.stuck = True

        with anyio.fail_after(3_600), pytest.raises(CheckpointError, match="within 10"):
            await run()
