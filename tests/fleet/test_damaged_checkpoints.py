"""Damaged checkpoints: one vehicle is unavailable, the others go on, and nothing is overwritten."""

import pickle
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal.fleet import (
    CheckpointStore,
    DamagedCheckpointError,
    MemoryCheckpoints,
    Recovered,
    SQLiteCheckpoints,
    Update,
    VehicleUnavailable,
    WatchEvent,
    backfill,
    watch,
)
from stellantis_hal.fleet.deduplication import Checkpoint
from stellantis_hal.simulator import SubscriptionLimits
from tests.fleet.fleets import Fleet, a_fleet, trips_in, updates_of
from tests.support.profiles import scenario

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=5)
ROUND = 700.0
DAMAGED = {
    "empty": b"",
    "other": b"something else",
    "binary": b"\x00\xff\x80",
    "truncated": Checkpoint(is_initialized=True).dump()[:-3],
    "version": b'[2,true,null,null,"","",{}]',
    "types": b'[1,true,"soon",null,"","",{}]',
    "records": b'[1,true,null,null,"AAAA","",{}]',
    "leaves": b'[1,true,null,null,"","",{"status":[null,"00",1,"AAAA"]}]',
    "object": b'{"is_initialized":true}',
    "deep": b"[" * 5_000,
}


async def drive_all(fleet: Fleet, updates: Any) -> tuple[set[str | None], list[WatchEvent]]:
    """Drive a trip with each vehicle; return their ids and the events."""
    driven: set[str | None] = {fleet.world.add_trip(vehicle).id for vehicle in fleet.vehicles}
    return driven, await updates_of(updates, ROUND)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("damage", "suffix"),
    [
        *((damage, "") for damage in DAMAGED),
        ("binary", "#met"),
        *(scenario(damage, "#met") for damage in DAMAGED if damage != "binary"),
    ],
)
@pytest.mark.long
async def test_one_damaged_row_makes_one_vehicle_unavailable(damage: str, suffix: str) -> None:
    store, content = MemoryCheckpoints(), DAMAGED[damage]
    async with a_fleet(vehicles=3, accounts=1) as fleet:
        key = f"watch/{fleet.vehicles[1]}{suffix}"
        await store.save(key, content)
        for _ in range(2):  # at every start
            async with watch(fleet.accounts, every=EVERY, checkpoints=store) as updates:
                events = await updates_of(updates, ROUND)
                driven, more = await drive_all(fleet, updates)
                assert updates.statistics.unavailable == 2
            events += more
            lost = [event for event in events if isinstance(event, VehicleUnavailable)]
            assert {(event.vehicle.id, event.what) for event in lost} == {
                (fleet.vehicles[1], "status"),
                (fleet.vehicles[1], "trips"),
            }
            error = lost[0].error
            assert isinstance(error, DamagedCheckpointError)
            assert (error.key, await store.load(error.key)) == (key, content)
            assert await store.load(error.copy) == content
            assert len(driven & set(trips_in(events))) == 2
            assert fleet.vehicles[1] not in f"{error} {error!r}"


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_replaced_row_makes_the_vehicle_available() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        key = f"watch/{fleet.vehicles[0]}"
        await store.save(key, b"{")
        async with watch(fleet.accounts, every=EVERY, what="trips", checkpoints=store) as updates:
            [lost] = await updates_of(updates, ROUND)
            assert isinstance(lost, VehicleUnavailable)
            await store.save(key, b"null")
            [found] = await updates_of(updates, 2 * 3_600)
            assert isinstance(found, Recovered)
            assert found.vehicle is not None
            assert found.vehicle.id == fleet.vehicles[0]
            driven, events = await drive_all(fleet, updates)
            assert set(trips_in(events)) == driven


async def test_a_second_damage_does_not_replace_the_first_copy() -> None:
    store, copies = MemoryCheckpoints(), list[str]()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        for content in (b"first", b"second", b"first"):
            await store.save(f"watch/{fleet.vehicles[0]}", content)
            async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
                [event] = await updates_of(updates, ROUND)
                assert isinstance(event, VehicleUnavailable)
                assert isinstance(event.error, DamagedCheckpointError)
                copies.append(event.error.copy)
                assert await store.load(copies[-1]) == content
    assert copies[0] == copies[2] != copies[1]
    assert await store.load(copies[1]) == b"second"


class Loose(MemoryCheckpoints):
    """A store of one's own that returns what it was not given."""

    async def load(self, key: str) -> Any:
        content = await super().load(key)
        return content.decode() if content == b"text" else content


async def test_content_that_is_no_bytes_is_damaged() -> None:
    store = Loose()
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        await store.save(f"watch/{fleet.vehicles[0]}", b"text")
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            kinds = [type(event) for event in await updates_of(updates, ROUND)]
        assert sorted(kinds, key=str) == sorted([VehicleUnavailable, Update], key=str)


async def test_poll_now_of_a_damaged_vehicle_is_told() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        await store.save(f"watch/{fleet.vehicles[0]}", b"{")
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            [event] = await updates_of(updates, ROUND)
            updates.poll_now(fleet.vehicles[0])
            assert await updates_of(updates, 10) == []
            assert updates.statistics.errors == {"DamagedCheckpointError": updates.statistics.polls - 1}
        assert isinstance(event, VehicleUnavailable)


async def test_a_backfill_goes_on_beside_a_damaged_row() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=3, accounts=1) as fleet:
        key = f"backfill/{fleet.vehicles[1]}"
        await store.save(key, b"[1,")
        async with backfill(fleet.accounts, checkpoints=store) as updates:
            events = [event async for event in updates]
            assert (updates.progress.done, updates.progress.failed) == (2, 1)
        [lost] = [event for event in events if isinstance(event, VehicleUnavailable)]
        assert isinstance(lost.error, DamagedCheckpointError)
        assert lost.vehicle.id == fleet.vehicles[1]
        expected = [id_ for vehicle in (fleet.vehicles[0], fleet.vehicles[2]) for id_ in fleet.world.trip_ids(vehicle)]
        assert sorted(trips_in(events), key=str) == sorted(expected)
        assert await store.load(key) == b"[1,"


@pytest.mark.wall_clock
async def test_a_row_of_another_type_in_a_file_is_damaged(tmp_path: Path) -> None:
    """A number, a text, a blob and a text that is not UTF-8, which another program has written into the table."""
    path = tmp_path / "fleet.db"
    store: CheckpointStore
    limits = SubscriptionLimits(100, 10_000_000)
    async with a_fleet(vehicles=5, accounts=1, limits=limits) as fleet, SQLiteCheckpoints(path) as store:
        await store.save("a", b"b")
        with sqlite3.connect(path) as connection:
            for vehicle, content in zip(fleet.vehicles, ("5", "'text'", "x'01'", "CAST(x'ff' AS TEXT)"), strict=False):
                connection.execute(f"REPLACE INTO checkpoints VALUES (?, {content})", (f"watch/{vehicle}",))
        connection.close()
        seen = set[str | None]()
        async with watch(fleet.accounts, every=timedelta(seconds=0.5), what="status", checkpoints=store) as updates:
            async for event in updates:
                assert isinstance(event, VehicleUnavailable | Update)
                assert isinstance(event, Update) == (event.vehicle.id == fleet.vehicles[4])
                seen.add(event.vehicle.id)
                if len(seen) == 5:
                    break


def test_a_damaged_checkpoint_error_is_pickled_whole() -> None:
    error = pickle.loads(pickle.dumps(DamagedCheckpointError("no", key="watch/a", copy="watch/a#damaged-1")))
    assert (str(error), error.key, error.copy) == ("no", "watch/a", "watch/a#damaged-1")
