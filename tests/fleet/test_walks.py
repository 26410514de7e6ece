"""Trips of every generation of back ends: each way of reading returns all of them."""

import logging
import re
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import pytest

from stellantis_hal.errors import IncompleteCollectionError, PaginationError, PaginationLoopError
from stellantis_hal.fleet import MemoryCheckpoints, VehicleUnavailable, backfill
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import BackendVariant
from tests.fleet.fleets import Fleet, a_fleet, trips_in
from tests.support.profiles import scenario

pytestmark = pytest.mark.anyio

ALL = {"_links"}
PAGES = {"first", "prev", "next", "last"}
VARIANTS = {
    "links by token": BackendVariant(),
    "links by range": BackendVariant(pages_by_range=True),
    "no links": BackendVariant(omits=ALL),
    "self only": BackendVariant(omits=PAGES),
    "first and last only": BackendVariant(omits={"prev", "next"}),
    "no links, no total": BackendVariant(omits=ALL | {"total"}),
    "no links, no numbers": BackendVariant(omits=ALL | {"total", "totalPage", "currentPage"}),
    "no links, newest first": BackendVariant(omits=ALL, newest_first=True),
    "no links, total too large": BackendVariant(omits=ALL, stated_total=157),
    "no prev": BackendVariant(omits={"prev"}),
    "no prev, newest first": BackendVariant(omits={"prev"}, newest_first=True),
    "no last": BackendVariant(omits={"last"}),
    "no total": BackendVariant(omits={"total"}),
    "next only": BackendVariant(omits={"self", "first", "prev", "last", "total"}),
    "total too small": BackendVariant(stated_total=60),
    "total too small, by range": BackendVariant(stated_total=60, pages_by_range=True),
    "total too small, in the middle": BackendVariant(stated_total=119),
    "total too large": BackendVariant(stated_total=400),
    "last leads to itself": BackendVariant(last_leads_to="self"),
    "last leads to the first": BackendVariant(last_leads_to="first"),
    "last leads to the first, no total": BackendVariant(last_leads_to="first", omits={"total"}),
    "last leads to itself, newest first": BackendVariant(last_leads_to="self", newest_first=True),
    "empty pages": BackendVariant(empty_pages=True),
    "empty pages, by range": BackendVariant(empty_pages=True, pages_by_range=True, omits={"prev"}),
    "ranges ignored": BackendVariant(ignores_ranges=True),
    "ranges ignored, total too small": BackendVariant(ignores_ranges=True, stated_total=60),
}
variants = pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))


async def _ids(trips: AsyncIterable[Any]) -> list[str]:
    return [trip.id async for trip in trips]


async def _append(trips: AsyncIterable[Any], found: list[str | None]) -> None:
    async for trip in trips:
        found.append(trip.id)  # noqa: PERF401 - trips before an error are kept


async def _sequential(vehicle: Vehicle, *, newest_first: bool) -> list[str]:
    return await _ids(vehicle.trips(newest_first=newest_first))


async def _ahead(vehicle: Vehicle, *, newest_first: bool) -> list[str]:
    async with vehicle.trips(newest_first=newest_first).ahead(2) as trips:
        return await _ids(trips)


async def _concurrent(vehicle: Vehicle, *, newest_first: bool) -> list[str]:
    async with vehicle.trips(newest_first=newest_first).concurrent(4) as trips:
        return await _ids(trips)


async def _by_token(vehicle: Vehicle, *, newest_first: bool) -> list[str]:
    found, token = list[str](), None
    while True:
        page = await anext(aiter(vehicle.trips(newest_first=newest_first).pages(token)))
        found += [trip.id or "" for trip in page.items]
        token = page.token
        if token is None:
            return found


WAYS: list[Callable[..., Awaitable[list[str]]]] = [_sequential, _ahead, _concurrent, _by_token]


async def _vehicle_of(fleet: Fleet) -> tuple[Vehicle, list[str]]:
    return await fleet.accounts[0].vehicle(fleet.vehicles[0]), fleet.world.trip_ids(fleet.vehicles[0])


@pytest.mark.long
@pytest.mark.unmeasured
@variants
@pytest.mark.parametrize("newest_first", [False, scenario(True)])
async def test_every_way_returns_all_trips(variant: BackendVariant, newest_first: bool) -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=70, variant=variant) as fleet:
        vehicle, ids = await _vehicle_of(fleet)
        expected = ids[:: -1 if variant.newest_first != newest_first else 1]
        for way in WAYS:
            assert await way(vehicle, newest_first=newest_first) == expected, way


@variants
@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_backfill_delivers_all_trips_in_order(variant: BackendVariant) -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=150, variant=variant) as fleet:
        store = MemoryCheckpoints()
        async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
            assert trips_in([event async for event in trips]) == fleet.world.trip_ids(fleet.vehicles[0])


@variants
@pytest.mark.long
@pytest.mark.unmeasured
async def test_the_newest_trip_comes_first(variant: BackendVariant) -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=150, variant=variant) as fleet:
        vehicle, ids = await _vehicle_of(fleet)
        newest = await vehicle.trips(newest_first=not variant.newest_first).first()
        assert newest is not None
        assert newest.id == ids[-1]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("variant", "requests"),
    [
        (BackendVariant(), (3, 3, 3, 3, 4, 2)),
        (BackendVariant(pages_by_range=True), (3, 3, 3, 3, 4, 2)),
        (BackendVariant(omits=ALL), (3, 3, 3, 3, 4, 2)),
    ],
)
@pytest.mark.long
async def test_reading_costs_no_more_requests_than_pages(variant: BackendVariant, requests: tuple[int, ...]) -> None:
    """Forwards one each, newest first the first page once more."""
    async with a_fleet(vehicles=1, accounts=1, trips=150, variant=variant) as fleet:
        vehicle, _ = await _vehicle_of(fleet)
        counts = list[int]()
        for way in WAYS:
            before = fleet.simulator.statistics.by_kind.get("trips", 0)
            await way(vehicle, newest_first=False)
            counts.append(fleet.simulator.statistics.by_kind["trips"] - before)
        for read in (vehicle.trips(newest_first=True).collect, vehicle.trips(newest_first=True).first):
            before = fleet.simulator.statistics.by_kind["trips"]
            await read()
            counts.append(fleet.simulator.statistics.by_kind["trips"] - before)
        assert tuple(counts) == requests


@pytest.mark.unmeasured
@pytest.mark.parametrize("size", [1, 59, 60])
@pytest.mark.long
async def test_a_single_page_costs_one_request(size: int) -> None:
    for variant in (BackendVariant(), BackendVariant(omits=ALL), BackendVariant(omits=PAGES)):
        async with a_fleet(vehicles=1, accounts=1, trips=size, variant=variant) as fleet:
            vehicle, ids = await _vehicle_of(fleet)
            for way in WAYS:
                assert await way(vehicle, newest_first=True) == ids[::-1]
                assert await way(vehicle, newest_first=False) == ids
            assert fleet.simulator.statistics.by_kind["trips"] == 2 * len(WAYS)


UNREADABLE = BackendVariant(omits=ALL, ignores_ranges=True)


@pytest.mark.unmeasured
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.long
async def test_trips_that_cannot_be_read_are_an_error(way: Any, newest_first: bool) -> None:
    """It says how far the iteration came."""
    async with a_fleet(vehicles=1, accounts=1, trips=150, variant=UNREADABLE) as fleet:
        vehicle, _ = await _vehicle_of(fleet)
        with pytest.raises(
            IncompleteCollectionError, match="the server ignores indexRange; narrow the request"
        ) as caught:
            await way(vehicle, newest_first=newest_first)
        if way is not _by_token and not newest_first:
            assert (caught.value.items, caught.value.total) == (60, 150)
            assert re.search(r"\(returned: 60 items on [14] pages; 150 stated\)$", str(caught.value))


@pytest.mark.unmeasured
async def test_a_backfill_of_unreadable_trips_is_not_complete() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1, trips=150, variant=UNREADABLE) as fleet:
        for _ in range(2):
            async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
                *_, last = [event async for event in trips]
                assert trips.progress.done == 0
            assert isinstance(last, VehicleUnavailable)
            assert isinstance(last.error, IncompleteCollectionError)


async def test_a_loop_without_a_total_is_an_error_after_the_trips() -> None:
    variant = BackendVariant(last_leads_to="first", omits={"total", "last"})
    async with a_fleet(vehicles=1, accounts=1, trips=150, variant=variant) as fleet:
        vehicle, ids = await _vehicle_of(fleet)
        for newest_first in (False, True):
            found = list[str | None]()
            with pytest.raises(PaginationLoopError) as caught:
                await _append(vehicle.trips(newest_first=newest_first), found)
            assert found == ids[:: -1 if newest_first else 1]
            assert (caught.value.items, caught.value.total) == (150, None)
            first = await vehicle.trips(newest_first=newest_first).first()
            assert first is not None
            assert first.id == found[0]


@pytest.mark.long
@pytest.mark.parametrize("total", [60, 400])
@pytest.mark.unmeasured
async def test_a_wrong_total_is_logged(total: int, caplog: pytest.LogCaptureFixture) -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=150, variant=BackendVariant(stated_total=total)) as fleet:
        vehicle, _ = await _vehicle_of(fleet)
        for way in WAYS:
            caplog.clear()
            with caplog.at_level(logging.WARNING, "stellantis_hal"):
                await way(vehicle, newest_first=False)
            assert f"states a total of {total}, but has 150 items" in caplog.text, way


@pytest.mark.unmeasured
@pytest.mark.parametrize("variant", [BackendVariant(), BackendVariant(omits=ALL), BackendVariant(omits={"next"})])
@pytest.mark.parametrize(("bounds", "size"), [((0, 9), None), ((10, 129), None), ((70, None), None), ((3, 90), 7)])
@pytest.mark.long
async def test_an_index_range_is_read_whole(
    variant: BackendVariant, bounds: tuple[int, int | None], size: int | None
) -> None:
    first, last = bounds
    async with a_fleet(vehicles=1, accounts=1, trips=150, variant=variant) as fleet:
        vehicle, ids = await _vehicle_of(fleet)
        expected = ids[first : None if last is None else last + 1]
        trips = vehicle.trips(index_range=bounds, page_size=size)
        assert await _ids(trips) == expected
        async with trips.concurrent(4) as fast:
            assert await _ids(fast) == expected
        assert await _ids(vehicle.trips(index_range=bounds, page_size=size, newest_first=True)) == expected[::-1]


@pytest.mark.unmeasured
@pytest.mark.parametrize("page_size", [1, 2, 7])
async def test_pages_of_any_size_are_read_without_links(page_size: int) -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=20, variant=BackendVariant(omits=ALL)) as fleet:
        vehicle, ids = await _vehicle_of(fleet)
        trips = vehicle.trips(page_size=page_size)
        assert await _ids(trips) == ids
        async with trips.concurrent(2) as fast:
            assert await _ids(fast) == ids
        assert await _ids(vehicle.trips(page_size=page_size, newest_first=True)) == ids[::-1]


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("variant", [BackendVariant(omits=ALL), BackendVariant(last_leads_to="self")])
async def test_vehicles_without_links_are_read_whole(variant: BackendVariant) -> None:
    async with a_fleet(vehicles=130, accounts=1, trips=0, variant=variant) as fleet:
        ids = [vehicle.id async for vehicle in fleet.accounts[0].vehicles()]
        assert ids == fleet.vehicles
        user = await fleet.accounts[0].user()
        assert [vehicle.id async for vehicle in user.vehicles()] == fleet.vehicles


def test_errors_of_pagination_have_one_class() -> None:
    assert issubclass(PaginationLoopError, PaginationError)
    assert issubclass(IncompleteCollectionError, PaginationError)
