"""From an account to its trips: the whole client with the simulated vendor."""

from typing import Any, assert_type

import anyio
import pytest

from stellantis_hal import (
    Account,
    HalResource,
    NotFoundError,
    Rel,
    StellantisClient,
    Trip,
    TripState,
    User,
    Vehicle,
)
from stellantis_hal.simulator import BackendVariant, Simulator
from tests.support.simulated import account_of, client_of, world
from tests.support.transports import RewritingTransport, edit_json

pytestmark = pytest.mark.anyio


@pytest.mark.unmeasured
async def test_all_trips_are_read_once_and_in_order() -> None:
    """Of every vehicle of every account."""
    simulator = Simulator(world(accounts=3, vehicles=5, trips=400))
    seen: dict[str, list[str | None]] = {}
    async with client_of(simulator) as client:
        for holder in simulator.world.accounts:
            async for vehicle in account_of(client, simulator, holder).vehicles():
                assert vehicle.id is not None
                seen[vehicle.id] = [trip.id async for trip in vehicle.trips()]
    assert seen == {vehicle.id: list(simulator.world.trip_ids(vehicle.id)) for vehicle in simulator.world.vehicles}


@pytest.mark.unmeasured
@pytest.mark.parametrize("page_size", [None, 1, 7, 2_000])
@pytest.mark.long
async def test_telemetry_is_read_over_all_pages(page_size: int | None) -> None:
    """Its records have no ids, and name the collection as themselves."""
    simulator = Simulator(world(trips=20))
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        walk = vehicle.telemetry(page_size=page_size)
        records = await walk.collect()
        assert len(records) == await walk.total()
        assert len(await vehicle.telemetry(page_size=page_size, newest_first=True).collect()) == len(records)


@pytest.mark.unmeasured
async def test_trips_are_walked_the_newest_first_from_the_last_page() -> None:
    simulator = Simulator(world(trips=150))
    async with client_of(simulator) as client:
        vehicle = await first_vehicle(account_of(client, simulator))
        newest = await vehicle.trips(newest_first=True).first()
        everything = [trip.id async for trip in vehicle.trips(newest_first=True)]
    ids = list(simulator.world.trip_ids(simulator.world.vehicles[0].id))
    assert newest is not None
    assert newest.id == ids[-1]
    assert everything == ids[::-1]


@pytest.mark.unmeasured
async def test_eight_concurrent_ranges_give_the_same_as_pages() -> None:
    simulator = Simulator(world(trips=500), variant=BackendVariant())
    async with client_of(simulator) as client:
        vehicle = await first_vehicle(account_of(client, simulator))
        async with vehicle.trips().concurrent(8) as trips:
            ids = [trip.id async for trip in trips]
    assert ids == list(simulator.world.trip_ids(simulator.world.vehicles[0].id))


async def test_trips_are_filtered_by_the_server() -> None:
    simulator = Simulator(world(trips=100))
    async with client_of(simulator) as client:
        vehicle = await first_vehicle(account_of(client, simulator))
        long = await vehicle.trips(distance=(10, None), states=TripState.NOMINAL).collect()
        everything = await vehicle.trips().collect()
    assert 0 < len(long) < len(everything)
    assert all((trip.distance or 0) >= 10 for trip in long)


async def test_a_status_is_read_with_its_energies() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle = await first_vehicle(account_of(client, simulator))
        status = await vehicle.status()
    assert status is not None
    energy = status.electric or status.fuel
    assert energy is not None
    assert energy.level == simulator.world.levels(vehicle.id or "")[0].level


async def test_a_vehicle_without_data_has_no_status_and_no_trips() -> None:
    simulator = Simulator(world(trips=0))
    simulator.world.hide_status(simulator.world.vehicles[0].id)
    async with client_of(simulator) as client:
        vehicle = await first_vehicle(account_of(client, simulator))
        assert await vehicle.status() is None
        assert await vehicle.trips().collect() == []
        assert await vehicle.trips().total() == 0


async def test_a_vehicle_is_found_by_its_id_below_the_collections_link() -> None:
    simulator = Simulator(world(vehicles=3))
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicle(simulator.world.vehicles[1].id)
    assert vehicle.vin == simulator.world.vehicles[1].vin


async def test_an_unknown_vehicle_is_an_error_with_ids_for_support() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        with pytest.raises(NotFoundError) as caught:
            await account_of(client, simulator).vehicle("no such/../vehicle")
    assert caught.value.code == 40400
    assert caught.value.uuid is not None
    assert caught.value.timestamp is not None
    assert "%2F" in caught.value.url


async def test_a_vehicle_id_never_leaves_the_collections_path() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        with pytest.raises(ValueError, match="an id must name one resource of a collection"):
            await account_of(client, simulator).vehicle("..")


async def test_vehicles_are_asked_for_with_their_extensions() -> None:
    simulator = Simulator(world(vehicles=2))
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        vehicle = await account.vehicles(extensions=["onboardCapabilities"], page_size=1).first()
        assert vehicle is not None
        assert vehicle.capabilities.has("data:trip")
        assert len(await account.vehicles(page_size=1).collect()) == 2
        assert len(await account.vehicles(index_range=(0, 0)).collect()) == 1


async def test_another_client_resumes_the_list_of_vehicles() -> None:
    """Without reading the entry."""
    simulator = Simulator(world(vehicles=3))
    async with client_of(simulator) as client:
        page = await anext(aiter(account_of(client, simulator).vehicles(page_size=1).pages()))
    before = simulator.statistics.by_kind["user"]
    async with client_of(simulator) as client:
        rest = [page async for page in account_of(client, simulator).vehicles().pages(token=page.token)]
    assert [vehicle.id for page in rest for vehicle in page.items] == [
        vehicle.id for vehicle in simulator.world.vehicles[1:]
    ]
    assert simulator.statistics.by_kind["user"] == before


async def test_page_sizes_are_checked_before_anything_is_sent() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        with pytest.raises(ValueError, match="between 1 and 60"):
            account_of(client, simulator).vehicles(page_size=61)
    assert simulator.statistics.requests == 0


async def test_untyped_resources_are_reached_by_their_link() -> None:
    simulator = Simulator(world(trips=70))
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        trips = await account.follow("vehicles").items().first()
        assert trips is not None
        page = await trips.follow("trips")
        assert isinstance(page, HalResource)
        assert page["total"] == 70
        assert len(await page.items("trips").collect()) == 70


async def test_a_typed_relation_gives_a_typed_value() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicles = await account_of(client, simulator).follow("vehicles")
        vehicle = await vehicles.embedded("vehicles")[0].follow(Rel("self", Vehicle))
        trip = await vehicle.trips().first()
    assert isinstance(vehicle, Vehicle)
    assert isinstance(trip, Trip)


async def test_a_typed_value_follows_a_typed_relation() -> None:
    simulator = Simulator(world(vehicles=2))
    async with client_of(simulator) as client:
        vehicle = await first_vehicle(account_of(client, simulator))
        user = assert_type(await vehicle.follow(Rel("user", User)), User)
        raw = assert_type(await vehicle.follow("user"), HalResource)
    assert isinstance(user, User)
    assert raw.can("vehicles")


async def test_the_entry_resource_is_read_once_per_account() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(account.root)
        background = account.with_options(priority="background", max_wait=5)
        await background.root()
        await background.with_options().follow("vehicles")
    assert simulator.statistics.by_kind["user"] == 1
    assert "background" in repr(background)


async def test_an_account_made_before_the_first_read_reads_again() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        await account.with_options(max_wait=5).root()
        await account.root()
    assert simulator.statistics.by_kind["user"] == 2


async def test_the_user_is_read_again_each_time() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        user = await account.user()
        await account.user()
    assert user.document is not None
    assert simulator.statistics.by_kind["user"] == 2


async def test_a_resource_is_dumped_and_resumed_by_another_client() -> None:
    simulator = Simulator(world(trips=130))
    async with client_of(simulator) as client:
        page = await (await first_vehicle(account_of(client, simulator))).follow("trips")
        stored = page.dump()
    async with client_of(simulator) as client:
        resumed = account_of(client, simulator).resume(stored)
        again = account_of(client, simulator).resume(resumed)
        assert len(await resumed.items("trips").collect()) == 130
        assert (await again.refresh()).state == page.state


async def test_the_quota_is_known_after_the_first_response() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        before = client.quota
        await account_of(client, simulator).root()
        after = client.quota
        assert client.limiter.statistics.granted == 1
    assert before.day.remaining is None
    assert after.day.remaining == simulator.remaining[0]
    assert after.burst.remaining is not None


def with_singular_link(body: Any) -> Any:
    """Name the link to vehicles as older back ends do."""
    links = dict(body["_links"])
    links["vehicle"] = links.pop("vehicles")
    return {**body, "_links": links}


async def test_an_older_back_end_links_to_vehicle_in_the_singular() -> None:
    simulator = Simulator(world(vehicles=2))
    transport = RewritingTransport(simulator.transport(), "/user$", edit_json(with_singular_link))
    async with client_of(simulator, transport=transport) as client:
        assert len(await account_of(client, simulator).vehicles().collect()) == 2


async def first_vehicle(account: Account) -> Vehicle:
    """Return the account's first vehicle."""
    vehicle = await account.vehicles().first()
    assert vehicle is not None
    return vehicle


async def test_a_client_may_be_closed_twice() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        assert isinstance(client, StellantisClient)
    await client.aclose()
