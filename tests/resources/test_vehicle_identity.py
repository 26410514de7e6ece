"""Trips that know which vehicle they were read of."""

import pickle
from typing import Any

import attrs
import pytest

from stellantis_hal import Rel, StellantisClient, make_converter
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.resources.vehicle_identity import VehicleIdentity
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import TypedConverter, read
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio


def linked(links: dict[str, Any], principal: str | None = None) -> Trip:
    """Return a trip whose links alone tell which vehicle made it."""
    dumped = {
        "url": "https://api.test/trips/t1",
        "status": 200,
        "headers": {},
        "fetched_at": "2026-01-01T00:00:00+00:00",
        "body": {"id": "t1", "_links": links},
    }

    async def fetch(_: Any) -> Any:
        raise AssertionError("nothing is sent")

    converter = TypedConverter()
    return converter.structure(HalResource.load(dumped, ResourceContext(fetch, principal=principal)), Trip)


async def first_vehicle(client: StellantisClient, simulator: Simulator, key: str) -> Vehicle:
    vehicle = await account_of(client, simulator, simulator.world.accounts[0], key=key).vehicles().first()
    assert vehicle is not None
    return vehicle


async def test_a_walked_trip_knows_its_vehicle_and_account() -> None:
    simulator = Simulator(world(vehicles=2, trips=40))
    async with client_of(simulator) as client:
        found = {
            vehicle.id: (vehicle, await vehicle.trips().collect())
            async for vehicle in account_of(client, simulator, key="alice").vehicles()
        }
        assert len(found) == 2
        for id_, (vehicle, trips) in found.items():
            expected = VehicleIdentity(account="alice", id=id_, vin=vehicle.vin, label=vehicle.label)
            assert vehicle.vin
            assert vehicle.label
            assert vehicle.identity == expected
            assert {trip.vehicle_identity for trip in trips} == {expected}
            async with vehicle.with_options(priority="background").trips().concurrent(2) as walk:
                assert (await anext(walk)).vehicle_identity == expected
            assert trips[0].id is not None
            assert (await vehicle.trip(trips[0].id)).vehicle_identity == expected


async def test_the_identity_is_no_part_of_the_value() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        trips = [await (await first_vehicle(client, simulator, key)).trips().first() for key in ("alice", "bob")]
    one, other = trips
    assert one is not None
    assert other is not None
    assert one.vehicle_identity != other.vehicle_identity
    assert one == other == read(one.to_dict(), Trip)
    assert hash(one) == hash(other)
    assert "identity" not in repr(one)
    assert one.vehicle_identity is not None
    assert str(one.vehicle_identity.vin) not in repr(one.vehicle_identity)


async def test_the_identity_survives_pickling_and_evolving() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        trip = await (await first_vehicle(client, simulator, "alice")).trips().first()
    assert trip is not None
    assert trip.vehicle_identity is not None
    assert pickle.loads(pickle.dumps(trip)).vehicle_identity == trip.vehicle_identity
    assert attrs.evolve(trip, id="another").vehicle_identity == trip.vehicle_identity


async def test_a_trip_reached_by_links_knows_the_linked_vehicle() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle = await first_vehicle(client, simulator, "alice")
        items = vehicle.follow("trips").items()
        trip = (await anext(aiter(items))).as_(Trip)
        assert trip.vehicle_identity == VehicleIdentity(account="alice", id=vehicle.id)
        same = await (await anext(aiter(items))).follow(Rel("self", Trip))
        assert same.vehicle_identity == trip.vehicle_identity


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({"vehicle": {"href": "https://api.test/user/vehicles/a%2Fb?locale=fr"}}, "a/b"),
        ({"vehicles": {"href": "/user/vehicles/v1/"}}, "v1"),
        ({"vehicles": {"href": "/user/vehicles"}}, None),
        ({"vehicle": [{"href": "/user/vehicles/v1"}, {"href": "/user/vehicles/v2"}]}, None),
        ({"vehicle": {"href": "/user/vehicles/{id}", "templated": True}}, None),
        ({"vehicle": {"href": 5}}, None),
        ({}, None),
    ],
)
def test_a_link_tells_the_vehicle_or_nothing(links: dict[str, Any], expected: str | None) -> None:
    assert linked(links, "alice").vehicle_identity == VehicleIdentity(account="alice", id=expected)
    unpickled = pickle.loads(pickle.dumps(linked(links, "alice")))
    assert unpickled.vehicle_identity == VehicleIdentity(id=expected)


def test_a_trip_read_from_a_plain_mapping_has_no_vehicle() -> None:
    assert read({"id": "t1"}, Trip).vehicle_identity is None


def test_the_label_is_read_from_either_place() -> None:
    body = {"id": "v1", "_embedded": {"extension": {"branding": {"label": "C5 X"}}}}
    assert read(body, Vehicle).identity == VehicleIdentity(id="v1", label="C5 X")
    assert read(body | {"label": " "}, Vehicle).identity == VehicleIdentity(id="v1", label="C5 X")
    assert read({**body, "label": "208"}, Vehicle).identity.label == "208"


async def test_what_a_hook_of_the_user_returns_is_left_alone() -> None:
    converter = make_converter()
    converter.register_structure_hook(Trip, lambda body, _: body["id"])
    simulator = Simulator(world())
    async with client_of(simulator, converter=converter) as client:
        vehicle = await first_vehicle(client, simulator, "alice")
        assert isinstance(await vehicle.trips().first(), str)
