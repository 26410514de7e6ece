"""Vehicles that several accounts have: polled once, with failover to another account."""

from datetime import timedelta
from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal import Brand
from stellantis_hal.client.account import Account
from stellantis_hal.credentials.stores.memory import MemoryTokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.fleet import AccountLost, Recovered, Update, WatchEvent, watch
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Faults, Latency
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.fleet.fleets import EPOCH, Fleet, a_fleet, until, updates_of
from tests.support.profiles import deep, scenario
from tests.support.simulated import token_of

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=5)
STATUS: dict[str, Any] = {"every": EVERY, "what": "status", "repeats": True, "adapt": None}


@attrs.frozen
class Driver:
    """An account that shares all vehicles of a fleet's first account."""

    fleet: Fleet
    account: Account
    store: MemoryTokenStore

    async def lose_consent(self) -> None:
        await self.store.save(self.account.key, Token("gone", "gone", expires_at=EPOCH - timedelta(days=1)))
        self.fleet.simulator.expire_tokens()

    async def consent(self) -> None:
        await self.store.save(self.account.key, token_of(self.fleet.simulator, self.fleet.world.accounts[0].key))

    async def vehicle(self) -> Vehicle:
        vehicle = await self.account.vehicles().first()
        assert vehicle is not None
        return vehicle


def drivers(fleet: Fleet, *keys: str) -> list[Driver]:
    shared = fleet.world.accounts[0]
    brand = next(brand for brand in Brand if brand.domain == shared.domain)
    stores = [MemoryTokenStore(token_of(fleet.simulator, shared.key)) for _ in keys]
    return [
        Driver(fleet, fleet.client.account(store, brand=brand, key=key), store)
        for key, store in zip(keys, stores, strict=True)
    ]


def readers(events: list[WatchEvent]) -> list[str | None]:
    return [event.account for event in events if isinstance(event, Update)]


# ------------------------------------------------------------------------------------------- lost accounts


@pytest.mark.unmeasured
async def test_another_account_takes_over_from_a_lost_one_at_once() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        a, b = drivers(fleet, "a", "b")
        async with watch([a.account], **STATUS) as updates:
            await updates_of(updates, 600)
            updates.add(b.account)
            assert set(readers(await updates_of(updates, 900))) == {"a"}
            await a.lose_consent()
            assert (await until(updates, AccountLost)).account == "a"
            assert len(readers(await updates_of(updates, 3_600))) >= 11
            assert updates.statistics.vehicles == 1
            await a.consent()
            assert (await until(updates, Recovered, within=24 * 3_600)).account == "a"
            await b.lose_consent()
            assert (await until(updates, AccountLost)).account == "b"
            assert set(readers(await updates_of(updates, 600))) == {"a"}


@pytest.mark.parametrize(("seconds", "rate"), [(10, 6), scenario(30, 20), deep(600, 50)])
@pytest.mark.long
async def test_polls_in_progress_do_not_lose_the_next_account(seconds: float, rate: int) -> None:
    """Failures of polls that began with the lost account do not count against the one that took over."""
    async with a_fleet(vehicles=12, accounts=1, faults=Faults(latency=Latency(1.0))) as fleet:
        a, b = drivers(fleet, "a", "b")
        options: dict[str, Any] = {**STATUS, "every": None, "budget": RateLimits(rate, None)}
        async with watch([a.account], **options) as updates:
            await updates_of(updates, seconds)
            updates.add(b.account)
            await updates_of(updates, seconds)
            await a.lose_consent()
            events = await updates_of(updates, seconds)
            assert [event.account for event in events if isinstance(event, AccountLost)] == ["a"]
            late = [event for event in events[-100:] if isinstance(event, Update)]
            assert {event.vehicle.id for event in late} == set(fleet.vehicles)
            assert set(readers(events[-100:])) == {"b"}


@pytest.mark.long
async def test_the_account_that_recovers_first_takes_over() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        a, b = drivers(fleet, "a", "b")
        async with watch([a.account], relist=timedelta(hours=1), **STATUS) as updates:
            await updates_of(updates, 600)
            updates.add(b.account)
            await updates_of(updates, 600)
            for driver in (b, a):
                await driver.lose_consent()
                assert (await until(updates, AccountLost, within=2 * 3_600)).account == driver.account.key
            await b.consent()
            assert (await until(updates, Recovered, within=24 * 3_600)).account == "b"
            events = await updates_of(updates, 3_600)
            assert set(readers(events)) == {"b"}
            assert len(events) >= 22


# ------------------------------------------------------------------------------------------- removed accounts


@pytest.mark.long
@pytest.mark.unmeasured
async def test_another_account_takes_over_from_a_removed_one() -> None:
    """Also where the account that polls a vehicle no longer lists it."""
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        a, b, c = drivers(fleet, "a", "b", "c")
        async with watch([a.account], relist=timedelta(hours=1), **STATUS) as updates:
            await updates_of(updates, 600)
            updates.add(b.account)
            updates.add(c.account)
            await updates_of(updates, 600)
            assert updates.remove(a.account)
            first = readers(await updates_of(updates, 900))
            assert len(first) >= 5
            assert len(set(first)) == 1
            fleet.world.generator.vehicles = 1
            events = await updates_of(updates, 2 * 3_600)
            [*_, last] = [e for e in events if isinstance(e, Update) and e.vehicle.id == fleet.vehicles[0]]
            assert updates.statistics.vehicles == 1
            assert last.account == first[0]
            assert updates.remove(last.account or "")
            assert len(readers(await updates_of(updates, 900))) >= 2


async def test_an_account_that_lists_a_vehicle_takes_it_over() -> None:
    """Until the last account no longer lists it."""
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        sold = fleet.vehicles[1]
        keys = ["a", "b"]
        async with watch(
            [driver.account for driver in drivers(fleet, *keys)], relist=timedelta(hours=1), **STATUS
        ) as updates:
            await updates_of(updates, 900)
            fleet.world.generator.vehicles = 1
            accounts = list[str | None]()
            for _ in range(12):  # each account detects it in its own listing
                events = await updates_of(updates, 300)
                accounts += [e.account for e in events if isinstance(e, Update) and e.vehicle.id == sold]
            await updates_of(updates, 3_600)
            assert set(accounts) == set(keys)
            assert updates.statistics.vehicles == 1


# ------------------------------------------------------------------------------------------- single vehicles


@pytest.mark.unmeasured
async def test_an_account_takes_over_a_single_vehicle() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        a, b = drivers(fleet, "a", "b")
        async with watch([await a.vehicle(), b.account], **STATUS) as updates:
            assert set(readers(await updates_of(updates, 900))) == {None}
            await a.lose_consent()
            events = await updates_of(updates, 3_600)
            assert all(isinstance(event, Update) for event in events)
            assert readers(events)[-1] == "b"
            assert updates.statistics.accounts_lost == 0


async def test_an_account_that_takes_over_a_lost_vehicle_is_reported() -> None:
    """`Recovered` is emitted for the vehicle."""
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        a, b = drivers(fleet, "a", "b")
        vehicle = await a.vehicle()
        async with watch([vehicle], **STATUS) as updates:
            await updates_of(updates, 900)
            await a.lose_consent()
            await until(updates, AccountLost, account=None)
            await updates_of(updates, 300)
            updates.add(b.account)
            recovered = await until(updates, Recovered, within=60)
            assert (recovered.vehicle, recovered.account) == (vehicle, None)
            assert recovered.after >= 300
            assert set(readers(await updates_of(updates, 900))) == {"b"}


# ------------------------------------------------------------------------------------------- removed vehicles


@pytest.mark.unmeasured
@pytest.mark.parametrize("standalone", [False, True])
@pytest.mark.long
async def test_a_removed_vehicle_is_polled_again_only_when_added(standalone: bool) -> None:
    """No listing of an account adds it."""
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        a, b = drivers(fleet, "a", "b")
        vehicle = await a.vehicle()
        source: list[Account | Vehicle] = [vehicle if standalone else a.account, b.account]
        async with watch(source, relist=timedelta(hours=1), **STATUS) as updates:
            await updates_of(updates, 900)
            assert updates.remove(vehicle)
            await updates_of(updates, 24 * 3_600)
            assert updates.statistics.vehicles == 0
            updates.add(vehicle)
            assert len(readers(await updates_of(updates, 3_600))) >= 11
            assert updates.remove(vehicle)
            await updates_of(updates, 24 * 3_600)
            assert updates.statistics.vehicles == 0


# ------------------------------------------------------------------------------------------- new tokens


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_lost_account_added_again_repeats_no_update() -> None:
    async with a_fleet(vehicles=3, accounts=1) as fleet:
        async with watch(fleet.accounts, every=EVERY, since=EPOCH - timedelta(days=30)) as updates:
            await anyio.sleep(3_600)  # a slow consumer
            await fleet.lose_consent("account-0000")
            await anyio.sleep(3_600)
            updates.add(fleet.account("account-0000"))
            await anyio.sleep(3_600)
            ids = [event.id for event in await updates_of(updates, 3_600) if isinstance(event, Update)]
        assert len(ids) > 30
        assert len(set(ids)) == len(ids)


async def test_a_recovered_account_can_be_replaced_by_a_new_token() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet, watch(fleet.accounts, **STATUS) as updates:
        await updates_of(updates, 900)
        await fleet.lose_consent("account-0000")
        await until(updates, AccountLost)
        await fleet.consent("account-0000")
        await until(updates, Recovered, account="account-0000")
        updates.add(fleet.account("account-0000"))
        await fleet.lose_consent("account-0000")  # the replaced token, no longer in use
        events = await updates_of(updates, 3_600)
        assert all(isinstance(event, Update) for event in events)
        assert len(events) >= 22
        assert updates.statistics.accounts == 1
