"""Types as type checkers see them: this file is checked, not run."""

from collections.abc import Callable
from typing import assert_type

import attrs

from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.follow_all import FollowResults
from stellantis_hal.navigation.pagination.paginator import ItemIterator, Page, PageIterator, Pages, Paginator
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.resource_serialization import Dump
from stellantis_hal.navigation.typed_rel import Rel


@attrs.frozen
class Trip:
    """A typed value."""

    distance: float


TRIP = Rel("trip", Trip)
RAW = Rel("raw", HalResource, accept="text/x")


async def _is_long(trip: Trip) -> bool:
    return trip.distance > 100


async def _distance(trip: Trip) -> float | None:
    return trip.distance


def _trip_of(item: HalResource) -> Follow[Trip]:
    return item.follow(TRIP)


async def typed(root: HalResource, entry: EntryPoint, number: Callable[[HalResource], int | None]) -> None:
    """Assert types; never run."""
    assert_type(TRIP, Rel[Trip])
    assert_type(root.follow(TRIP), Follow[Trip])
    assert_type(await root.follow(TRIP), Trip)
    assert_type(await root.follow("vehicles").follow(TRIP), Trip)
    assert_type(await root.follow(TRIP).follow("vehicle"), HalResource)
    assert_type(await root.follow(RAW, name="x", index=1, embedded="never"), HalResource)
    assert_type(await root.follow("trips"), HalResource)
    assert_type(await root.follow("trips").resource(), HalResource)
    assert_type(await entry.follow(TRIP), Trip)
    assert_type(await entry.follow("trips"), HalResource)

    assert_type(root.items(), Paginator[HalResource])
    assert_type(root.items().map(number), Paginator[int])
    assert_type(await root.items().map(number).first(), int | None)
    assert_type(await root.follow("trips").items().collect(limit=5), list[HalResource])
    assert_type(root.pages(), Pages[HalResource])
    async for page in root.follow("trips").pages(token="x"):
        assert_type(page, Page[HalResource])
    async for item in root.items().map(number):
        assert_type(item, int)
    async with root.items().ahead(1) as ahead, root.items().map(number).concurrent(8) as concurrent:
        assert_type(ahead, ItemIterator[HalResource])
        assert_type(concurrent, ItemIterator[int])
    async with root.pages().ahead() as pages:
        assert_type(pages, PageIterator[HalResource])

    assert_type(root.follow(TRIP).items(), Paginator[Trip])
    assert_type(root.follow(TRIP).pages(), Pages[Trip])
    assert_type(root.follow("trips").follow(TRIP).items("x", source="links", limit=5, unique=True), Paginator[Trip])
    assert_type(entry.follow(TRIP).items(), Paginator[Trip])
    assert_type(await root.follow(TRIP).items().first(), Trip | None)
    trips = root.follow(TRIP).items()
    assert_type(trips.filter(_is_long), Paginator[Trip])
    assert_type(trips.filter(lambda trip: trip.distance).take(5), Paginator[Trip])
    assert_type(trips.map(_distance), Paginator[float])
    assert_type(trips.map(lambda trip: trip.distance), Paginator[float])
    assert_type(trips.map(_distance).filter(bool).take(1), Paginator[float])
    assert_type(root.items().map(_trip_of), Paginator[Trip])
    assert_type(root.expand("x", variables={"id": 1}), str)
    assert_type(await root.follow(TRIP).expand(params={"page": 2}), str)
    assert_type(root.kind == "array", bool)

    async with root.follow_all("item", limit=2) as results:
        assert_type(results, FollowResults)
    assert_type(root.embedded("x"), tuple[HalResource, ...])
    assert_type(root.at("x", 0).compact(), HalResource)
    assert_type(root.dump(), Dump)
    assert_type(await root.post("x", json={}, if_match=True), HalResource)


def test_a_relation_has_a_name_a_type_and_a_media_type() -> None:
    assert (TRIP.name, TRIP.type, TRIP.accept) == ("trip", Trip, None)
    assert RAW.accept == "text/x"
