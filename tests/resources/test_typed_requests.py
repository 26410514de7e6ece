"""Requests of typed resources: links, missing links, absent data, wrong URLs."""

from __future__ import annotations

import copy
import logging
import pickle
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from stellantis_hal.errors import DetachedResourceError, LinkNotFoundError, NotFoundError, ServerError, StructureError
from stellantis_hal.hal.document import HalDocument, parse_root
from stellantis_hal.hal.link_header import parse_link_header
from stellantis_hal.navigation.lazy_body import LazyResponseBody
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.user import User
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import TypedConverter, read
from tests.resources import bodies
from tests.resources.served import HOST, NOW, Served, no_data
from tests.support.responses import link

pytestmark = pytest.mark.anyio

CAR = "/user/vehicles/v1"
RIDE = f"{CAR}/trips/t1"
SINCE = datetime(2023, 1, 1, tzinfo=UTC)


def a_vehicle(served: Served, *rels: str, converter: TypedConverter | None = None, **hrefs: str) -> Vehicle:
    links = {rel: link(f"{CAR}/{rel}") for rel in rels} | {rel: link(href) for rel, href in hrefs.items()}
    body = bodies.vehicle() | {"_links": {"self": link(CAR), **links}}
    return (converter or TypedConverter()).structure(served.resource(CAR, body), Vehicle)


def a_trip(served: Served, *rels: str) -> Trip:
    body = bodies.trip() | {"_links": {"self": link(RIDE), **{rel: link(f"{RIDE}/{rel}") for rel in rels}}}
    return TypedConverter().structure(served.resource(RIDE, body), Trip)


def page(rel: str, *items: Any) -> dict[str, Any]:
    return {"_links": {}, "total": len(items), "_embedded": {rel: list(items)}}


# ------------------------------------------------------------------------------------------------- single resources


ENDPOINTS: list[tuple[str, Callable[[Vehicle], Awaitable[Any]]]] = [
    ("status", lambda vehicle: vehicle.status()),
    ("maintenance", lambda vehicle: vehicle.maintenance()),
    ("lastPosition", lambda vehicle: vehicle.last_position()),
]
each_endpoint = pytest.mark.parametrize(("rel", "method"), ENDPOINTS)


@each_endpoint
async def test_a_method_reads_the_resource_of_its_link(rel: str, method: Callable[[Vehicle], Awaitable[Any]]) -> None:
    served = Served(
        {f"{CAR}/{rel}": {"status": bodies.status, "maintenance": bodies.maintenance}.get(rel, bodies.position)()}
    )
    value = await method(a_vehicle(served, rel))
    assert (value.created_at, served.asked) == (NOW - timedelta(hours=1), [f"{CAR}/{rel}"])
    assert value.age == pytest.approx((TypedConverter().clock() - value.created_at).total_seconds(), abs=60)


@each_endpoint
@pytest.mark.parametrize("code", [40400, 40410, 40499])
async def test_no_data_yet_is_none(rel: str, method: Callable[[Vehicle], Awaitable[Any]], code: int) -> None:
    assert await method(a_vehicle(Served({f"{CAR}/{rel}": no_data(code)}), rel)) is None


@each_endpoint
@pytest.mark.parametrize("code", [None, 404, 40399, 40500])
async def test_a_wrong_address_stays_an_error(
    rel: str, method: Callable[[Vehicle], Awaitable[Any]], code: int | None
) -> None:
    with pytest.raises(NotFoundError):
        await method(a_vehicle(Served({f"{CAR}/{rel}": no_data(code)}), rel))


@each_endpoint
async def test_a_missing_link_is_an_error(rel: str, method: Callable[[Vehicle], Awaitable[Any]]) -> None:
    served = Served({})
    vehicle = a_vehicle(served, "trips")
    assert (vehicle.can(rel), vehicle.can("trips")) == (False, True)
    with pytest.raises(LinkNotFoundError, match=rel):
        await method(vehicle)
    assert served.requests == []


async def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(ServerError):
        await a_vehicle(Served({f"{CAR}/status": ServerError("broken", status=500)}), "status").status()


async def test_the_last_position_is_requested_as_geojson() -> None:
    served = Served({f"{CAR}/lastPosition": bodies.position()})
    await a_vehicle(served, "lastPosition").last_position()
    assert served.requests[0].headers["Accept"].startswith("application/vnd.geo+json")


async def test_a_vehicle_leads_back_to_its_user() -> None:
    user = await a_vehicle(Served({"/user": bodies.user()}), user="/user").user()
    assert isinstance(user, User)


async def test_a_trip_leads_back_to_its_vehicle() -> None:
    """By either relation."""
    for rel in ("vehicle", "vehicles"):
        vehicle = await a_trip(Served({f"{RIDE}/{rel}": bodies.vehicle()}), rel).vehicle()
        assert vehicle is not None
        assert vehicle.id == "vehicle-1"


# ------------------------------------------------------------------------------------------------- status


@pytest.mark.parametrize("rel", ["Status", "status", "STATUS"])
async def test_a_status_is_read_out_of_a_collection_too(rel: str) -> None:
    served = Served({f"{CAR}/status": page(rel, bodies.status()) | {"total": 32}})
    assert await a_vehicle(served, "status").status() == read(bodies.status(), Status)


@pytest.mark.parametrize("body", [{"total": 0}, {"_embedded": {"Status": []}}, {"total": 0, "_embedded": {}}])
async def test_an_empty_collection_of_statuses_is_no_status(body: dict[str, Any]) -> None:
    vehicle = a_vehicle(Served({f"{CAR}/status": body}), "status")
    assert await vehicle.status() is None
    assert await vehicle.status_history().collect() == []


async def test_the_history_is_the_whole_collection() -> None:
    later = f"{CAR}/status/2"
    served = Served(
        {
            f"{CAR}/status": page("Status", {"createdAt": "2023-09-12T00:00:00Z"}) | {"_links": {"next": link(later)}},
            later: page("Status", {"createdAt": "2023-09-11T00:00:00Z"}),
        }
    )
    found = await a_vehicle(served, "status").status_history().collect()
    assert [status.created_at and status.created_at.day for status in found] == [12, 11]
    assert served.asked == [f"{CAR}/status", later]


async def test_the_history_of_a_single_status_is_that_one() -> None:
    served = Served({f"{CAR}/status": bodies.status() | {"_links": {"self": link(f"{CAR}/status")}}})
    vehicle = a_vehicle(served, "status")
    history = vehicle.status_history()
    assert await history.collect() == [await vehicle.status()]
    assert await history.total() == 1
    async with history.concurrent() as statuses:
        assert len([status async for status in statuses]) == 1


async def test_a_history_of_one_status_has_pages() -> None:
    """It keeps its document."""
    served = Served({f"{CAR}/status": bodies.status() | {"_links": {"self": link(f"{CAR}/status")}}})
    [shown] = [found async for found in a_vehicle(served, "status").status_history().pages()]
    assert (shown.total, shown.token) == (1, None)
    assert shown.items[0].document is not None
    assert shown.items[0].document.body["odometer"] == bodies.status()["odometer"]
    assert shown.items[0].url == f"{HOST}{CAR}/status"
    assert shown.items[0].resource is not None
    assert shown.items[0].resource.snapshot.content.raw == b""  # this collection was not received


async def test_no_history_is_an_empty_collection() -> None:
    assert await a_vehicle(Served({f"{CAR}/status": no_data()}), "status").status_history().collect() == []


# ------------------------------------------------------------------------------------------------- collections


MANY: list[tuple[str, str, Any, Callable[[Vehicle], AsyncIterator[Any]]]] = [
    ("trips", "trips", bodies.trip(), lambda vehicle: aiter(vehicle.trips())),
    ("alerts", "alerts", bodies.alert(), lambda vehicle: aiter(vehicle.alerts())),
    ("alarms", "alarms", bodies.alarm(), lambda vehicle: aiter(vehicle.alarms())),
    ("collisions", "Collisions", bodies.collision(), lambda vehicle: aiter(vehicle.collisions())),
    ("telemetry", "telemetries", bodies.telemetry(), lambda vehicle: aiter(vehicle.telemetry())),
]
each_walk = pytest.mark.parametrize(("rel", "walk"), [(rel, walk) for rel, _, _, walk in MANY])


@pytest.mark.parametrize(("rel", "embedded", "body", "walk"), MANY)
async def test_a_collection_is_paginated_item_by_item(
    rel: str, embedded: str, body: Any, walk: Callable[[Vehicle], AsyncIterator[Any]]
) -> None:
    served = Served({f"{CAR}/{rel}": page(embedded, body)})
    [item] = [item async for item in walk(a_vehicle(served, rel))]
    assert (item.to_dict(), served.asked) == (body, [f"{CAR}/{rel}"])


@each_walk
async def test_a_collection_without_data_is_empty(rel: str, walk: Callable[[Vehicle], AsyncIterator[Any]]) -> None:
    assert [item async for item in walk(a_vehicle(Served({f"{CAR}/{rel}": no_data()}), rel))] == []


@each_walk
async def test_a_collection_at_a_wrong_address_is_an_error(
    rel: str, walk: Callable[[Vehicle], AsyncIterator[Any]]
) -> None:
    with pytest.raises(NotFoundError):
        await anext(walk(a_vehicle(Served({}), rel)))


@each_walk
async def test_a_collection_without_a_link_is_an_error(rel: str, walk: Callable[[Vehicle], AsyncIterator[Any]]) -> None:
    """No request is sent."""
    served = Served({})
    with pytest.raises(LinkNotFoundError, match=rel):
        await anext(walk(a_vehicle(served)))
    assert served.requests == []


async def test_a_bad_item_does_not_affect_its_page() -> None:
    served = Served({f"{CAR}/trips": page("trips", 5, {"id": "a", "distance": "x"}, None, {"id": "b", "distance": 2})})
    trips = await a_vehicle(served, "trips").trips().collect()
    assert [(trip.id, trip.distance, len(trip.problems)) for trip in trips] == [("a", None, 1), ("b", 2.0, 0)]


@pytest.mark.parametrize("rel", ["waypoints", "wayPoints"])
async def test_waypoints_are_positions_by_either_link(rel: str) -> None:
    served = Served({f"{RIDE}/{rel}": page("positions", bodies.position())})
    [position] = await a_trip(served, rel).waypoints(tolerance=0.5, since=SINCE).collect()
    assert position.longitude == 2.25
    assert served.asked == [f"{RIDE}/{rel}?tolerance=0.5&timestamps=2023-01-01T00:00:00Z/"]


async def test_a_trip_has_collections_of_its_own() -> None:
    served = Served(
        {
            f"{RIDE}/alerts": page("alerts", bodies.alert()),
            f"{RIDE}/collisions": page("Collisions", bodies.collision()),
            f"{RIDE}/telemetry": page("telemetries", bodies.telemetry()),
            f"{RIDE}/alerts/a1": bodies.alert(),
            f"{RIDE}/collisions/c1": bodies.collision(),
        }
    )
    trip = a_trip(served, "alerts", "collisions", "telemetry")
    assert [alert.id for alert in await trip.alerts(locale="fr-FR").collect()] == ["alert-1"]
    assert [collision.id for collision in await trip.collisions(page_size=5).collect()] == ["collision-1"]
    assert len(await trip.telemetry(types="vehicle.adas", extensions=["location"], page_size=2000).collect()) == 1
    assert (await trip.alert("a1")).id == "alert-1"
    assert (await trip.collision("c1")).id == "collision-1"
    assert served.asked == [
        f"{RIDE}/alerts?locale=fr-FR",
        f"{RIDE}/collisions?pageSize=5",
        f"{RIDE}/telemetry?type=vehicle.adas&extension=location&pageSize=2000",
        f"{RIDE}/alerts/a1",
        f"{RIDE}/collisions/c1",
    ]


async def test_trips_can_be_paginated_newest_first() -> None:
    last = f"{CAR}/trips/last"
    served = Served(
        {
            f"{CAR}/trips": page("trips", {"id": "1"}) | {"_links": {"next": link(last), "last": link(last)}},
            last: page("trips", {"id": "2"}, {"id": "3"}) | {"_links": {"prev": link(f"{CAR}/trips")}},
        }
    )
    trips = a_vehicle(served, "trips").trips(newest_first=True)
    assert [trip.id async for trip in trips] == ["3", "2", "1"]


# ------------------------------------------------------------------------------------------------- filters


async def test_filters_are_added_to_the_links_own_query() -> None:
    served = Served({f"{CAR}/trips": page("trips")})
    vehicle = a_vehicle(served, trips=f"{CAR}/trips?b=%3D%3D&a=1")
    await vehicle.trips(
        since=SINCE,
        until=SINCE + timedelta(days=1),
        distance=(1, 150),
        duration=(timedelta(minutes=1), None),
        states=["Nominal", "Unfinished"],
        index_range=(0, 9),
        page_size=10,
    ).collect()
    [asked] = served.asked
    assert asked.split("&") == [
        f"{CAR}/trips?b=%3D%3D",
        "a=1",
        "timestamps=2023-01-01T00:00:00Z/2023-01-02T00:00:00Z",
        "distance=1-150",
        "duration=60-",
        "states=Nominal",
        "states=Unfinished",
        "indexRange=0-9",
        "pageSize=10",
    ]


async def test_bounds_are_checked_before_anything_is_sent() -> None:
    served = Served({})
    vehicle = a_vehicle(served, "trips", "telemetry")
    for build in (
        lambda: vehicle.trips(page_size=61),
        lambda: vehicle.trips(page_size=0),
        lambda: vehicle.telemetry(page_size=2001),
        lambda: vehicle.telemetry(types=[str(number) for number in range(16)]),
        lambda: vehicle.trips(since=datetime(2023, 1, 1)),  # noqa: DTZ001
    ):
        with pytest.raises(ValueError, match=r".+"):
            build()
    assert served.requests == []


async def test_vehicles_are_requested_with_extensions() -> None:
    served = Served({"/user/vehicles": page("vehicles", bodies.vehicle()), "/user/vehicles/a%2Fb": bodies.vehicle()})
    user = TypedConverter().structure(
        served.resource("/user", {"_links": {"vehicles": link("/user/vehicles?x=1")}}), User
    )
    options: dict[str, Any] = {"extensions": ["branding", "pictures"], "locale": "fr-FR", "country": "BR"}
    [vehicle] = await user.vehicles(vin_prefix="VR3", page_size=5, **options).collect()
    looked_up = await user.vehicle("a/b", **options)
    assert vehicle == looked_up
    assert served.asked == [
        "/user/vehicles?x=1&extension=branding&extension=pictures&locale=fr-FR&country=BR&vinPrefix=VR3&pageSize=5",
        "/user/vehicles/a%2Fb?extension=branding&extension=pictures&locale=fr-FR&country=BR",
    ]


async def test_a_user_s_vehicle_is_read_by_its_vin() -> None:
    body = bodies.vehicle()
    served = Served({"/user/vehicles": page("vehicles", body)})
    user = TypedConverter().structure(served.resource("/user", {"_links": {"vehicles": link("/user/vehicles")}}), User)
    vehicle = await user.vehicle(vin=body["vin"].lower(), extensions="branding", locale="fr-FR", country="BR")
    assert vehicle.vin == body["vin"]
    assert served.asked == [f"/user/vehicles?extension=branding&locale=fr-FR&country=BR&vinPrefix={body['vin']}"]
    with pytest.raises(ValueError, match="pass the id of a vehicle"):
        await user.vehicle()


# ------------------------------------------------------------------------------------------------- by id


BY_ID: list[tuple[str, Any, Callable[[Vehicle, str], Awaitable[Any]]]] = [
    ("trips", bodies.trip(), lambda vehicle, id_: vehicle.trip(id_)),
    ("alerts", bodies.alert(), lambda vehicle, id_: vehicle.alert(id_)),
    ("alarms", bodies.alarm(), lambda vehicle, id_: vehicle.alarm(id_)),
    ("collisions", bodies.collision(), lambda vehicle, id_: vehicle.collision(id_)),
]


@pytest.mark.parametrize(("rel", "body", "look_up"), BY_ID)
async def test_an_id_is_joined_onto_the_collections_link(
    rel: str, body: Any, look_up: Callable[[Vehicle, str], Awaitable[Any]]
) -> None:
    """The link's own query is left out."""
    served = Served({f"{CAR}/{rel}/a%2Fb%3F": body})
    linked = {"_links": {rel: link(f"{CAR}/{rel}?pageSize=5")}}
    found = await look_up(TypedConverter().structure(served.resource(CAR, linked), Vehicle), "a/b?")
    assert (found.to_dict(), served.asked) == (body, [f"{CAR}/{rel}/a%2Fb%3F"])


@pytest.mark.parametrize(("rel", "look_up"), [(rel, look_up) for rel, _, look_up in BY_ID])
async def test_an_unknown_id_raises(rel: str, look_up: Callable[[Vehicle, str], Awaitable[Any]]) -> None:
    with pytest.raises(NotFoundError):
        await look_up(a_vehicle(Served({f"{CAR}/{rel}/x": no_data()}), rel), "x")


@pytest.mark.parametrize("id_", ["", ".", ".."])
async def test_an_id_cannot_climb(id_: str) -> None:
    served = Served({})
    with pytest.raises(ValueError, match=f"must name one resource of a collection.*not '{re.escape(id_)}'"):
        await a_vehicle(served, "trips").trip(id_)
    assert served.requests == []


# ------------------------------------------------------------------------------------------------- bound values


async def test_a_value_has_its_resource_document_and_links() -> None:
    served = Served({f"{CAR}/trips": page("trips")})
    vehicle = a_vehicle(served, "trips")
    assert vehicle.resource is not None
    assert vehicle.document is not None
    assert vehicle.document.body["vin"] == vehicle.vin
    assert vehicle.url == f"{HOST}{CAR}"
    assert (await vehicle.follow("trips"))["total"] == 0


async def test_the_same_resource_is_the_same_whatever_its_state() -> None:
    served = Served({})
    one = a_vehicle(served, "trips")
    other = TypedConverter().structure(served.resource("/elsewhere", {"id": "vehicle-1"}), Vehicle)
    assert one.same_resource(other)
    assert one != other
    assert not one.same_resource(a_trip(served))
    assert not one.same_resource(Vehicle(id="another"))


async def test_without_an_id_resources_are_compared_by_url() -> None:
    served = Served({})
    one, same = (
        TypedConverter().structure(served.resource(f"{CAR}/status", body), Status) for body in ({}, bodies.status())
    )
    other = TypedConverter().structure(served.resource("/elsewhere/status", {}), Status)
    assert one.same_resource(same)
    assert not one.same_resource(other)
    assert not Status().same_resource(Status())


async def test_a_nested_model_has_no_resource() -> None:
    served = Served({})
    status = TypedConverter().structure(served.resource(f"{CAR}/status", bodies.status()), Status)
    energy = status.energies[0]
    assert (energy.resource, energy.document, energy.url, energy.can("self")) == (None, None, None, False)
    with pytest.raises(DetachedResourceError, match="this Energy is part of another value"):
        energy.follow("self")


async def test_a_document_can_be_dropped_and_links_are_still_followed() -> None:
    served = Served(
        {f"{CAR}/trips": page("trips", bodies.trip() | {"_links": {"self": link(RIDE)}}), RIDE: bodies.trip()}
    )
    vehicle = a_vehicle(served, "trips", converter=TypedConverter(keep_document=False))
    [trip] = await vehicle.trips().collect()
    assert (vehicle.document, trip.document) == (None, None)
    assert (trip.url, trip.distance) == (f"{HOST}{RIDE}", 36.5)
    assert (await trip.follow("self"))["distance"] == 36.5
    assert trip.resource is not None
    assert dict(trip.resource.state) == {}


@pytest.mark.parametrize("keep_document", [True, False])
async def test_a_value_has_the_bytes_of_a_kept_document(keep_document: bool) -> None:
    whole = Served({}).resource("/trip", {"distance": 1.5})
    trip = TypedConverter(keep_document=keep_document).structure(whole, Trip)
    assert bool(trip.content) is keep_document


async def test_a_history_of_one_status_drops_its_document_too() -> None:
    """As every car has it: nothing was read of it."""
    served = Served(
        {f"{CAR}/status": bodies.status() | {"_links": {"self": link(f"{CAR}/status"), "next": link("?x")}}}
    )
    vehicle = a_vehicle(served, "status", converter=TypedConverter(keep_document=False))
    [status] = await vehicle.status_history().collect()
    assert status == await vehicle.status()
    assert (status.document, status.url, status.can("next")) == (None, f"{HOST}{CAR}/status", True)


async def test_items_of_a_page_share_its_packed_links() -> None:
    served = Served({})
    body = {"_embedded": {"trips": [{"_links": {"self": link("/1")}}, 5, {"_links": {"self": link("/2")}}], "x": None}}
    whole = served.resource("/page", body)
    converter = TypedConverter(keep_document=False)
    trips = [converter.structure(copy, Trip) for copy in whole.embedded("trips")]
    assert [trip.url for trip in trips] == [f"{HOST}/1", f"{HOST}/2"]
    assert len({id(trip.resource.snapshot.content) for trip in trips if trip.resource}) == 1


async def test_a_single_embedded_object_keeps_its_links_too() -> None:
    whole = Served({}).resource("/page", {"_embedded": {"trips": {"_links": {"self": link("/1")}}}})
    [copy] = whole.embedded("trips")
    assert TypedConverter(keep_document=False).structure(copy, Trip).url == f"{HOST}/1"


async def test_links_of_the_header_are_kept_too() -> None:
    document = parse_root({"id": "1"}, header_links=parse_link_header("</2>; rel=next", HOST), base=HOST)
    snapshot = attrs.evolve(Served({}).resource("/1", {}).snapshot, content=LazyResponseBody(b"", document, base=HOST))
    trip = TypedConverter(keep_document=False).structure(HalResource(snapshot, None, None), Trip)
    assert trip.resource is not None
    assert [link.href for link in trip.resource.links["next"]] == ["/2"]


async def test_links_that_cannot_be_written_again_are_kept_whole() -> None:
    odd = HalDocument({"_embedded": {"trips": [{"_links": {"self": {"href": "/1", "odd": float("inf")}}}]}})
    snapshot = attrs.evolve(Served({}).resource("/page", {}).snapshot, content=LazyResponseBody(b"", odd))
    [copy] = HalResource(snapshot, odd, None).embedded("trips")
    trip = TypedConverter(keep_document=False).structure(copy, Trip)
    assert (trip.url, trip.document) == (f"{HOST}/1", None)


async def test_what_is_nested_in_a_state_keeps_its_document() -> None:
    nested = Served({}).resource("/page", {"trip": {"distance": 1.5}}).at("trip")
    trip = TypedConverter(keep_document=False).structure(nested, Trip)
    assert trip.document is None
    assert trip.resource is not None
    assert trip.resource["distance"] == 1.5


async def test_embedded_vehicles_need_no_request() -> None:
    served = Served({})
    body = bodies.user() | {"_embedded": {"Vehicles": [bodies.vehicle()]}}
    user = TypedConverter().structure(served.resource("/user", body), User)
    assert [vehicle.id for vehicle in user.embedded_vehicles] == ["vehicle-1"]
    assert served.requests == []
    assert TypedConverter(keep_document=False).structure(served.resource("/user", body), User).embedded_vehicles == ()
    assert User().embedded_vehicles == ()


async def test_strictness_is_passed_on() -> None:
    served = Served({f"{CAR}/trips": page("trips", {"distance": "x"})})
    with pytest.raises(StructureError, match=rf"^Trip at {HOST}{CAR}/trips: one value cannot be read \(strict=False"):
        await a_vehicle(served, "trips", converter=TypedConverter(strict=True)).trips().collect()


@pytest.mark.parametrize(
    ("rel", "key", "kind", "walk"),
    [("trips", "trips", Trip, Vehicle.trips), ("status", "Status", Status, Vehicle.status_history)],
)
async def test_an_item_that_is_no_object_is_reported_once(
    rel: str, key: str, kind: type[Any], walk: Callable[[Vehicle], Paginator[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Strict mode refuses it."""
    served, lenient = Served({f"{CAR}/{rel}": page(key, {"id": "1"}, None, "three", {"id": "4"})}), TypedConverter()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert len(await walk(a_vehicle(served, rel, converter=lenient)).collect()) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"{kind.__name__}: $._embedded.{key}[1] (null): no object, so no item: left out"
    ]
    strict = aiter(walk(a_vehicle(served, rel, converter=TypedConverter(strict=True))))
    for _ in range(2):
        with pytest.raises(StructureError) as caught:
            await anext(strict)
        assert [(problem.path, problem.value_type) for problem in caught.value.problems] == [
            (f"$._embedded.{key}[1]", "null"),
            (f"$._embedded.{key}[2]", "string"),
        ]


def parts_of(status: Status) -> list[Any]:
    assert status.alarm is not None
    assert status.alarm.trigger is not None
    return [*status.energies, status.last_position, status.alarm.trigger.position]


@pytest.mark.parametrize("keep_document", [True, False])
async def test_parts_of_a_value_have_the_age_by_the_clients_clock(keep_document: bool) -> None:
    served = Served({"/status": bodies.status(), "/trip": bodies.trip()})
    converter = TypedConverter(clock=lambda: NOW, keep_document=keep_document)
    status = converter.structure(served.resource("/", bodies.status()), Status)
    assert {part.age for part in parts_of(status)} == {3600.0}
    assert {part.age for part in parts_of(copy.deepcopy(status))} == {3600.0}
    assert attrs.evolve(status.energies[0], level=1.0).age == 3600.0
    assert status == read(bodies.status(), Status)
    trip = converter.structure(served.resource("/", bodies.trip()), Trip)
    assert trip.start_position is not None
    assert trip.start_position.age == trip.age == 3600.0
    assert (read(bodies.position(), Position).age or 0) > 3600.0


async def test_a_converter_without_a_clock_uses_that_of_the_resource() -> None:
    resource = Served({}).resource("/", bodies.status())
    context = attrs.evolve(resource.require_context(), clock=lambda: NOW)
    status = TypedConverter().structure(resource.rebind(context), Status)
    assert {part.age for part in [status, *parts_of(status)]} == {3600.0}
    alone = TypedConverter(clock=lambda: NOW).structure(HalResource.load(resource.dump()), Status)
    assert {part.age for part in [alone, *parts_of(alone)]} == {3600.0}


async def test_a_pickled_value_has_no_clock() -> None:
    converter = TypedConverter(clock=lambda: NOW)
    status = converter.structure(Served({}).resource("/", bodies.status()), Status)
    again = pickle.loads(pickle.dumps(status))
    assert again == status
    assert all(part.age > 3600.0 for part in parts_of(again))


async def test_age_is_computed_by_the_converters_clock() -> None:
    converter = TypedConverter(clock=lambda: NOW)
    served = Served({})
    assert converter.structure(served.resource("/", {"createdAt": bodies.AT}), Status).age == 3600.0
    assert converter.structure(served.resource("/", {"updatedAt": bodies.AT}), Status).age == 3600.0
    assert converter.structure(served.resource("/", {}), Status).age is None
    both = {"createdAt": "2023-06-12T09:41:10Z", "updatedAt": bodies.AT}
    assert converter.structure(served.resource("/", both), Status).age == 3600.0
    assert converter.structure(served.resource("/", {"createdAt": bodies.AT, "updatedAt": None}), Status).age == 3600.0
    future = {"createdAt": bodies.AT, "updatedAt": "2093-06-12T09:41:10Z"}
    assert converter.structure(served.resource("/", future), Status).age == 0.0
    assert (read(bodies.status(), Status).age or 0) > 0


async def test_a_path_is_logged_as_a_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    """However many items have it."""
    broken = {"segments": [{"percent": "x"}, {"percent": "x"}]}
    served = Served({f"{CAR}/trips": page("trips", broken, broken)})
    with caplog.at_level(logging.DEBUG, logger="stellantis_hal"):
        await a_vehicle(served, "trips").trips().collect()
    told = [(record.levelname, record.getMessage().partition(" (")[0]) for record in caplog.records]
    assert told == [
        ("WARNING", "Trip: $.segments[0].percent"),
        ("DEBUG", "Trip: $.segments[1].percent"),
        ("DEBUG", "Trip: $.segments[0].percent"),
        ("DEBUG", "Trip: $.segments[1].percent"),
    ]


async def test_a_bound_value_pickles_without_its_client() -> None:
    vehicle = a_vehicle(Served({}), "trips", converter=TypedConverter(clock=lambda: NOW))
    again: Vehicle = pickle.loads(pickle.dumps(vehicle))
    assert (again, again.url, again.can("trips")) == (vehicle, vehicle.url, True)
    with pytest.raises(DetachedResourceError):
        await again.trips().collect()


async def test_a_value_without_its_document_pickles_too() -> None:
    vehicle = a_vehicle(Served({}), "trips", converter=TypedConverter(keep_document=False))
    again: Vehicle = pickle.loads(pickle.dumps(vehicle))
    assert (again, again.url, again.document) == (vehicle, vehicle.url, None)


@pytest.mark.anyio
async def test_an_account_may_link_vehicles_by_the_older_name() -> None:
    served = Served({"/user/vehicles": page("vehicles", bodies.vehicle()), "/user/vehicles/a": bodies.vehicle()})
    user = TypedConverter().structure(served.resource("/user", {"_links": {"vehicle": link("/user/vehicles")}}), User)
    assert len(await user.vehicles().collect()) == 1
    assert (await user.vehicle("a")).vin


async def test_items_under_their_name_in_another_case_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """The total was taken for a reason to read on, and the error was that the server ignores index ranges."""
    first, other = {**bodies.trip(), "id": "first"}, {**bodies.trip(), "id": "other"}
    served = Served({f"{CAR}/trips": {"_embedded": {"trips": [first], "Trips": [other], "Rides": [other]}, "total": 2}})
    assert [trip.id for trip in await a_vehicle(served, "trips").trips().collect()] == ["first"]
    assert caplog.messages == ["Trip: $._embedded.Trips (array): items under another name than expected (1): left out"]
    strict = a_vehicle(served, "trips", converter=TypedConverter(strict=True))
    with pytest.raises(StructureError, match="under another name"):
        await strict.trips().collect()


@pytest.mark.parametrize("total", [None, 1])
async def test_items_under_another_name_are_told(total: int | None, caplog: pytest.LogCaptureFixture) -> None:
    """Every trip of such a server was left out without a word."""
    body = {"_embedded": {"rides": [bodies.trip()]}} | ({} if total is None else {"total": total})
    vehicle = a_vehicle(Served({f"{CAR}/trips": body}), "trips")
    assert await vehicle.trips().collect() == []
    assert "Trip: $._embedded.rides (array): items under another name than expected (1): left out" in caplog.text
    assert ("states a total of 1, but has 0 items" in caplog.text) == (total is not None)
    strict = a_vehicle(Served({f"{CAR}/trips": body}), "trips", converter=TypedConverter(strict=True))
    with pytest.raises(StructureError, match="rides"):
        await strict.trips().collect()


@pytest.mark.parametrize("embedded", [{"trips": [], "remarks": [{"a": 1}]}, {"remarks": []}, {"remarks": {"a": 1}}, {}])
async def test_an_empty_page_may_embed_other_things(embedded: Any, caplog: pytest.LogCaptureFixture) -> None:
    vehicle = a_vehicle(Served({f"{CAR}/trips": {"_embedded": embedded, "total": 0}}), "trips")
    assert (await vehicle.trips().collect(), caplog.text) == ([], "")


@pytest.mark.parametrize("order", [1, -1])
async def test_of_several_statuses_the_latest_is_returned(order: int) -> None:
    statuses = [
        {"odometer": {"mileage": 1}},
        {"odometer": {"mileage": 2}, "createdAt": "2025-01-01T00:00:00Z", "updatedAt": "soon"},
        {"odometer": {"mileage": 3}, "createdAt": None, "updatedAt": "2025-03-01T00:00:00+0000"},
        {"odometer": {"mileage": 4}, "createdAt": "2025-02-28T23:30:00-00:10"},
    ]
    vehicle = a_vehicle(Served({f"{CAR}/status": page("Status", *statuses[::order])}), "status")
    status = await vehicle.status()
    assert status is not None
    assert status.mileage == 3


@pytest.mark.parametrize("latest", ["2025-03-01T00:00Z", "20250301T000000Z", "Sat Mar 01 00:00:00 GMT 2025"])
async def test_the_latest_status_may_have_any_instant_that_is_read(latest: str) -> None:
    statuses = [
        {"odometer": {"mileage": 1}, "createdAt": "2025-02-01T00:00:00Z"},
        {"odometer": {"mileage": 2}, "createdAt": latest, "updatedAt": 5},
    ]
    vehicle = a_vehicle(Served({f"{CAR}/status": page("Status", *statuses)}), "status")
    status = await vehicle.status()
    assert status is not None
    assert (status.mileage, status.created_at) == (2, datetime(2025, 3, 1, tzinfo=UTC))
