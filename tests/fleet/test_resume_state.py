"""What the next owner of a fleet knows: no listing, no early poll, no new burst, no second event."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import anyio
import pytest

from stellantis_hal import AccountLost, LeaseLostError, MemoryCheckpoints, RateLimits, Recovered, Update, watch
from stellantis_hal.fleet.resume_records import AccountRecord, RemainingBurst, VehiclePollRecord
from stellantis_hal.fleet.resume_state import ResumeStateStore
from stellantis_hal.fleet.targets import WatchedAccount
from stellantis_hal.simulator import SubscriptionLimits
from tests.fleet.fleets import a_fleet, until, updates_of

pytestmark = pytest.mark.anyio

EVERY = timedelta(minutes=5)


@pytest.mark.unmeasured
async def test_a_second_watch_goes_on_where_the_first_stopped() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=4, accounts=2) as fleet:
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            first = await updates_of(updates, 1_000)
            assert len(first) >= 4
        before = fleet.simulator.statistics.requests
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            await updates_of(updates, 20)
            assert updates.statistics.vehicles == 4
            assert fleet.simulator.statistics.requests - before <= 2
            await updates_of(updates, 300)
            assert fleet.simulator.statistics.requests - before >= 4


@pytest.mark.long
@pytest.mark.parametrize(
    "damage", [b"{", b"[1]", b"[]", b'["a","b","c"]', b"[1,2,-1]", b"[true,[],null,0]", b'[1,"v",null,0]', b"null"]
)
async def test_damaged_records_are_not_used(damage: bytes) -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            await updates_of(updates, 400)
        for key in [key for key in store._contents if "#" in key]:
            await store.save(key, damage)
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            await updates_of(updates, 400)
            assert updates.statistics.vehicles == 2
            assert updates.statistics.polls >= 3


async def test_a_damaged_document_is_listed_again() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        for damage in (b"{", b"[]", b"{}", b'{"url": 1}', None):
            async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
                await updates_of(updates, 700)
                assert updates.statistics.vehicles == 2
            key = next(key for key in store._contents if key.endswith("#document"))
            if damage is None:
                del store._contents[key]
            else:
                await store.save(key, damage)


@pytest.mark.unmeasured
async def test_a_document_is_written_where_it_changed() -> None:
    documents: list[str] = []

    class Store(MemoryCheckpoints):
        async def save_many(self, contents: Mapping[str, bytes]) -> None:
            documents.extend(key for key in contents if key.endswith("#document"))
            await super().save_many(contents)

    async with a_fleet(vehicles=2, accounts=1) as fleet:
        options: dict[str, Any] = {"what": "status", "relist": timedelta(minutes=5)}
        store = Store()
        for _ in range(2):
            async with watch(fleet.accounts, every=EVERY, checkpoints=store, **options) as updates:
                await updates_of(updates, 2_000)
    assert len(documents) == len(set(documents)) == 2


async def test_a_document_that_was_not_written_is_written_later() -> None:
    """The lease was lost, and taken again before anyone else wrote it."""
    documents: list[list[str]] = []

    class Store(MemoryCheckpoints):
        async def save_many(self, contents: Mapping[str, bytes]) -> None:
            documents.append([key for key in contents if key.endswith("#document")])
            if len(documents) == 1:
                raise LeaseLostError("lost")
            await super().save_many(contents)

    async with a_fleet(vehicles=1, accounts=1) as fleet:
        vehicle = (await fleet.accounts[0].vehicles().collect())[0]
        account = WatchedAccount("account:1", fleet.accounts[0], 60.0, Store())
        records = ResumeStateStore(account.store, "watch", wall_clock=fleet.simulator.now, level=lambda: None)
        for _ in range(3):
            records.listed(account, {str(vehicle.id): vehicle}, anyio.current_time())
            await records.flush()
    assert [len(keys) for keys in documents] == [1, 1, 0]


async def test_records_of_a_lost_lease_are_left_to_its_owner() -> None:
    class Store(MemoryCheckpoints):
        async def save_many(self, contents: Mapping[str, bytes]) -> None:
            if any("#" in key for key in contents):
                raise LeaseLostError("another process took over")
            await super().save_many(contents)

    store = Store()
    async with (
        a_fleet(vehicles=2, accounts=1) as fleet,
        watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates,
    ):
        assert len(await updates_of(updates, 1_000)) >= 2
    assert not [key for key in store._contents if key.endswith(("#turn", "#document"))]


async def test_an_old_listing_is_made_again() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        options: dict[str, Any] = {"what": "status", "checkpoints": store, "relist": timedelta(minutes=1)}
        async with watch(fleet.accounts, every=EVERY, **options) as updates:
            await updates_of(updates, 10)
        await anyio.sleep(3_600)
        async with watch(fleet.accounts, every=EVERY, **options) as updates:
            await updates_of(updates, 400)
            assert updates.statistics.vehicles == 2


async def test_a_lost_account_is_told_once() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=2) as fleet:
        key = fleet.accounts[0].key
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            await updates_of(updates, 400)
            await fleet.lose_consent(key)
            lost = await until(updates, AccountLost)
            assert lost.id.startswith(f"{key}/lost/")
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            events = await updates_of(updates, 3_000)
            assert not [event for event in events if isinstance(event, AccountLost)]
            assert updates.statistics.accounts_lost == 1
            await fleet.consent(key)
            back = await until(updates, Recovered, within=100_000.0)
            assert back.account == key
            assert back.after > 400


async def test_no_loss_lasts_less_than_nothing() -> None:
    """Where the wall clock was ahead when the account was lost, and has been corrected since."""
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        key = fleet.accounts[0].key
        options: dict[str, Any] = {"what": "status", "checkpoints": store}
        ahead: dict[str, Any] = {"clock": lambda: fleet.simulator.now() + timedelta(days=3_650)}
        async with watch(fleet.accounts, every=EVERY, **options, **ahead) as updates:
            await updates_of(updates, 400)
            await fleet.lose_consent(key)
            await until(updates, AccountLost)
            await updates_of(updates, 10)
        async with watch(fleet.accounts, every=EVERY, **options) as updates:
            await fleet.consent(key)
            assert (await until(updates, Recovered, within=100_000.0)).after >= 0


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_take_over_has_no_new_burst() -> None:
    store = MemoryCheckpoints()
    limits: dict[str, Any] = {"limits": SubscriptionLimits(100, 100_000), "rate_limits": RateLimits(100, 9_600)}
    polls: list[int] = []
    async with a_fleet(vehicles=40, accounts=2, **limits) as fleet:
        for _ in range(2):
            async with watch(fleet.accounts, every=None, what="status", checkpoints=store) as updates:
                await updates_of(updates, 300)
                polls.append(updates.statistics.polls)
    assert polls[0] > 90  # the day's share of 15 minutes, and what came since
    assert polls[1] <= 300 * 8_640 / 86_400 + 2


def test_records_are_read_as_they_were_written() -> None:
    for record in (
        VehiclePollRecord(polled_at=1.5, deep_at=None, factor=0.5),
        AccountRecord(listed_at=2.0, vehicles=("a", "b"), lost_at=3.0, failures=4),
        RemainingBurst(at=1.0, level=-0.5),
    ):
        assert type(record).load(record.dump()) == record


@pytest.mark.unmeasured
async def test_updates_are_the_same_with_records() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        seen: list[str] = []
        for _ in range(4):
            async with watch(fleet.accounts, every=EVERY, checkpoints=store) as updates:
                seen += [event.id for event in await updates_of(updates, 700) if isinstance(event, Update)]
            fleet.world.add_trip(fleet.vehicles[0])
        assert len(seen) == len(set(seen))
        assert sum("/trips/" in id_ for id_ in seen) == 3
