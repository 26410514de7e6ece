"""Accounts without vehicles, listings that fail, and vehicles without links, in a watch."""

from datetime import timedelta
from typing import Any

import pytest

from stellantis_hal.errors import LinkNotFoundError, ServerError
from stellantis_hal.fleet import AccountEmpty, AccountLost, Outage, Recovered, Update, VehicleUnavailable, watch
from stellantis_hal.simulator import ConnectionRefused, Fault, Faults, FaultWindow, ScriptedFault, ServerFault, World
from stellantis_hal.simulator.faults import kinds
from stellantis_hal.transport.retry import RetryPolicy
from tests.fleet.fleets import EPOCH, ChangedBody, Fleet, a_fleet, until, updates_of

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=5)
ONCE = RetryPolicy(attempts=1)
SEVEN_MINUTES = 420.0


def no_vehicles(body: Any) -> None:
    body["_embedded"] = {"vehicles": []}
    body["total"] = 0


def no_collection(body: Any) -> None:
    del body["_embedded"]


def without_first(body: Any) -> None:
    body["_embedded"]["vehicles"][0].pop("id")
    body["_embedded"]["vehicles"][0]["_links"] = {}


def during(seconds: float, fault: Fault, path: str = "/user/vehicles$", *, since: float = 0.0) -> Faults:
    return Faults(windows=[FaultWindow(fault=fault, since=since, until=since + seconds, path=path)])


def elapsed(fleet: Fleet) -> float:
    return (fleet.simulator.now() - EPOCH).total_seconds()


EMPTY = {
    "40400": (ServerFault(404, 40400), "/user/vehicles$"),
    "40410": (ServerFault(404, 40410), "/user/vehicles$"),
    "empty": (ChangedBody(no_vehicles), "/user/vehicles$"),
    "nothing embedded": (ChangedBody(no_collection), "/user/vehicles$"),
    "40400 of the entry point": (ServerFault(404, 40400), "/user$"),
}


@pytest.mark.parametrize(("fault", "path"), EMPTY.values(), ids=EMPTY)
@pytest.mark.long
async def test_a_new_account_without_vehicles_is_told_and_listed_soon(fault: Fault, path: str) -> None:
    """An account has no vehicles in the first minutes after a log-in."""
    async with (
        a_fleet(vehicles=2, accounts=1, faults=during(SEVEN_MINUTES, fault, path), retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        empty = await until(updates, within=10)
        assert empty == AccountEmpty(account="account-0000", again_in=15.0)
        assert updates.statistics.accounts_empty == 1
        recovered = await until(updates, within=900)
        assert isinstance(recovered, Recovered)
        assert (recovered.account, recovered.server, recovered.vehicle) == ("account-0000", None, None)
        assert SEVEN_MINUTES - 10 <= recovered.after <= 2 * SEVEN_MINUTES + 60
        assert recovered.after == pytest.approx(elapsed(fleet), abs=10)
        assert fleet.simulator.statistics.requests <= 14
        events = await updates_of(updates, 300)
        assert {event.vehicle.id for event in events if isinstance(event, Update)} == set(fleet.vehicles)
        assert updates.statistics.accounts_empty == 0
        listings = fleet.simulator.statistics.by_kind["vehicles"]
        assert all(isinstance(event, Update) for event in await updates_of(updates, 2 * 3_600))
        assert fleet.simulator.statistics.by_kind["vehicles"] == listings


async def test_vehicles_that_appear_soon_are_watched_soon() -> None:
    async with (
        a_fleet(vehicles=2, accounts=1, faults=during(10, ServerFault(404, 40400))) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        assert isinstance(await until(updates, within=5), AccountEmpty)
        assert isinstance(await until(updates, within=16), Recovered)


@pytest.mark.unmeasured
async def test_an_account_that_stays_empty_is_told_once() -> None:
    """It is listed every 15 minutes."""
    world = World(seed=1, accounts=1, vehicles=0, epoch=EPOCH)
    async with a_fleet(world=world) as fleet, watch(fleet.accounts, every=timedelta(minutes=1)) as updates:
        assert [type(event) for event in await updates_of(updates, 24 * 3_600)] == [AccountEmpty]
        assert 24 * 4 - 2 <= fleet.simulator.statistics.requests <= 24 * 4 + 40
        assert updates.statistics.accounts_empty == 1


@pytest.mark.unmeasured
@pytest.mark.long
async def test_an_empty_account_is_not_listed_less_often_than_relist() -> None:
    world = World(seed=1, accounts=1, vehicles=0, epoch=EPOCH)
    async with a_fleet(world=world) as fleet, watch(fleet.accounts, every=EVERY, relist=EVERY) as updates:
        await updates_of(updates, 24 * 3_600)
        assert fleet.simulator.statistics.requests >= 24 * 12


@pytest.mark.unmeasured
async def test_other_accounts_of_an_empty_one_are_watched() -> None:
    async with a_fleet(vehicles=2, accounts=2) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ChangedBody(no_vehicles), path="/user/vehicles$"))
        async with watch(fleet.accounts, every=EVERY) as updates:
            events = await updates_of(updates, 900)
            failures = [event for event in events if not isinstance(event, Update)]
            assert [type(event) for event in failures] == [AccountEmpty, Recovered]
            assert len({event.vehicle.id for event in events if isinstance(event, Update)}) == 2


@pytest.mark.unmeasured
async def test_an_account_that_becomes_empty_is_told_once() -> None:
    """Its vehicles are polled on until the empty listing is believed."""
    async with (
        a_fleet(vehicles=2, accounts=1) as fleet,
        watch(fleet.accounts, every=EVERY, relist=timedelta(hours=1), what="status") as updates,
    ):
        await updates_of(updates, 900)
        fleet.simulator.script(ScriptedFault(fault=ServerFault(404, 40400), path="/user/vehicles$", times=20))
        empty = await until(updates, AccountEmpty, within=2 * 3_600)
        assert empty == AccountEmpty(account="account-0000", again_in=15.0)
        assert (updates.statistics.vehicles, updates.statistics.accounts_empty) == (0, 1)
        events = await updates_of(updates, 6 * 3_600)
        assert [type(event) for event in events] == [Recovered]
        assert (updates.statistics.vehicles, updates.statistics.accounts_empty) == (2, 0)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_one_empty_listing_of_a_known_account_is_no_event() -> None:
    async with (
        a_fleet(vehicles=2, accounts=1) as fleet,
        watch(fleet.accounts, every=EVERY, relist=timedelta(hours=1)) as updates,
    ):
        await updates_of(updates, 900)
        fleet.simulator.script(ScriptedFault(fault=ChangedBody(no_vehicles), path="/user/vehicles$"))
        assert await updates_of(updates, 6 * 3_600) == []
        assert updates.statistics.vehicles == 2


async def test_a_wrong_address_is_no_empty_account() -> None:
    """A 404 without a code of the API does not say that there are no data yet."""
    async with (
        a_fleet(accounts=1, faults=during(1e9, ServerFault(404, 1001))) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        assert [type(event) for event in await updates_of(updates, 3_600)] == [AccountLost]


async def test_a_lost_account_that_is_empty_recovers_and_is_told() -> None:
    faults = [
        FaultWindow(fault=ServerFault(403, 40300), since=0.0, until=600.0, path="/user$"),
        FaultWindow(fault=ChangedBody(no_vehicles), since=600.0, until=1_200.0, path="/user/vehicles$"),
    ]
    async with (
        a_fleet(vehicles=1, accounts=1, faults=Faults(windows=faults)) as fleet,
        watch(fleet.accounts, every=EVERY, what="status") as updates,
    ):
        kinds_ = [type(event) for event in await updates_of(updates, 3_600)]
        assert kinds_ == [AccountLost, Recovered, AccountEmpty, Recovered, Update]


# ------------------------------------------------------------------------------------------- listings that fail


async def test_a_first_listing_that_fails_in_passing_is_repeated_soon() -> None:
    async with (
        a_fleet(vehicles=2, accounts=1, faults=during(20, ServerFault(503)), retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, what="status") as updates,
    ):
        assert isinstance(await until(updates, within=60), Update)
        assert elapsed(fleet) <= 60


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_listing_that_fails_for_hours_is_told_with_its_account() -> None:
    """Other accounts are listed and polled: it is no outage of everything."""
    async with (
        a_fleet(vehicles=8, accounts=2, retry=ONCE, faults=during(5 * 3_600, ServerFault(503), since=900.0)) as fleet,
        watch(fleet.accounts, every=2 * EVERY, relist=timedelta(hours=1), what="status") as updates,
    ):
        await updates_of(updates, 900)
        events = await updates_of(updates, 8 * 3_600)
        outages = [event for event in events if isinstance(event, Outage)]
        recovered = [event for event in events if isinstance(event, Recovered)]
        assert len(events) == len(outages) + len(recovered) == 4
        assert {event.account for event in outages} == {"account-0000", "account-0001"}
        assert {event.account for event in recovered} == {"account-0000", "account-0001"}
        assert {event.server for event in outages + recovered} == {"api.simulator.test"}
        assert all(isinstance(event.error, ServerError) for event in outages)
        assert updates.statistics.vehicles == 8


@pytest.mark.unmeasured
async def test_a_single_account_whose_server_is_down_is_an_outage_once() -> None:
    async with (
        a_fleet(
            vehicles=2, accounts=1, faults=during(7_200, ConnectionRefused(), ""), retry=ONCE, token_lifetime=1e6
        ) as fleet,
        watch(fleet.accounts, every=EVERY, what="status") as updates,
    ):
        events = await updates_of(updates, 3 * 3_600)
        assert [type(event) for event in events if not isinstance(event, Update)] == [Outage, Recovered]
        outage, recovered = (event for event in events if isinstance(event, Outage | Recovered))
        assert outage.server == recovered.server == "api.simulator.test"
        assert (outage.account, recovered.account) == (None, None)
        assert updates.statistics.vehicles == 2
        assert fleet.simulator.statistics.by_kind["vehicles"] == 1


# ------------------------------------------------------------------------------------------- vehicles without links


@pytest.mark.unmeasured
@pytest.mark.parametrize("rel", ["status", "trips"])
async def test_a_vehicle_that_gets_its_links_later_is_polled_soon(rel: str) -> None:
    """A new vehicle has no links for its first minutes."""
    vanished = kinds.VanishedFields((rel,))
    async with (
        a_fleet(vehicles=2, accounts=1, faults=during(SEVEN_MINUTES, vanished, "/user/vehicles$")) as fleet,
        watch(fleet.accounts, every=EVERY, what=rel) as updates,
    ):
        unavailable = await until(updates, VehicleUnavailable, within=300)
        assert isinstance(unavailable.error, LinkNotFoundError)
        recovered = await until(updates, Recovered, within=3_600)
        assert recovered.what == rel
        assert elapsed(fleet) <= 2 * SEVEN_MINUTES + 200
        await updates_of(updates, 600)
        assert updates.statistics.unavailable == 0


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_vehicle_that_never_gets_a_link_costs_few_listings() -> None:
    vanished = kinds.VanishedFields(("maintenance",))
    async with (
        a_fleet(vehicles=4, accounts=1, faults=during(1e9, vanished, "/user/vehicles$")) as fleet,
        watch(fleet.accounts, every=3 * EVERY, what=("status", "maintenance")) as updates,
    ):
        events = await updates_of(updates, 3 * 86_400)
        unavailable = [event for event in events if not isinstance(event, Update)]
        assert [type(event) for event in unavailable] == [VehicleUnavailable] * 4
        assert fleet.simulator.statistics.by_kind["vehicles"] <= 80


@pytest.mark.long
async def test_a_listing_with_an_unusable_vehicle_is_repeated() -> None:
    """The vehicle that has neither id nor link is looked for again, at growing intervals."""
    async with (
        a_fleet(vehicles=2, accounts=1, faults=during(3_600, ChangedBody(without_first))) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        await updates_of(updates, 3_500)
        assert updates.statistics.vehicles == 1
        assert 4 <= fleet.simulator.statistics.by_kind["vehicles"] <= 6
        await updates_of(updates, 4 * 3_600)
        assert updates.statistics.vehicles == 2


async def test_a_single_vehicle_without_a_link_is_told_and_not_listed() -> None:
    """No account lists it again; its other kinds of data are polled."""
    vanished = kinds.VanishedFields(("maintenance",))
    async with a_fleet(vehicles=1, accounts=1, faults=during(1e9, vanished, "/user/vehicles$")) as fleet:
        vehicle = await fleet.accounts[0].vehicles().first()
        assert vehicle is not None
        async with watch(vehicle, every=EVERY, what=("maintenance", "status")) as updates:
            events = await updates_of(updates, 3_600)
            assert [event.what for event in events if isinstance(event, Update | VehicleUnavailable)] == [
                "maintenance",
                "status",
            ]
            assert len(events) == 2
            assert fleet.simulator.statistics.by_kind["vehicles"] == 1


async def test_a_missing_link_during_a_listing_starts_no_other() -> None:
    """The listing in progress may bring the link."""
    listing = Faults(
        windows=[
            FaultWindow(fault=kinds.VanishedFields(("status",)), since=0.0, until=1.0, path="/user/vehicles$"),
            FaultWindow(fault=kinds.Delay(25.0), since=1.0, until=1e9, path="/user/vehicles$"),
        ]
    )
    async with (
        a_fleet(vehicles=1, accounts=1, faults=listing) as fleet,
        watch(fleet.accounts, every=EVERY, what="status") as updates,
    ):
        await until(updates, VehicleUnavailable, within=300)
        await updates_of(updates, 20)  # listed again after 15 seconds
        updates.poll_now(*fleet.vehicles)
        recovered = await until(updates, Recovered, within=60)
        assert recovered.what == "status"
        await updates_of(updates, 60)
        assert fleet.simulator.statistics.by_kind["vehicles"] == 2
