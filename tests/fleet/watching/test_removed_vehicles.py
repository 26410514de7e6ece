"""Vehicles that the API lists no more."""

from datetime import timedelta
from typing import Any

import pytest

from stellantis_hal.fleet import AccountEmpty, VehicleRemoved, watch
from stellantis_hal.simulator import Fault
from tests.fleet.fleets import ChangedBody, Fleet, a_fleet, trips_in, updates_of

pytestmark = pytest.mark.anyio
HOUR = 3_600.0
EVERY = timedelta(minutes=5)
RELIST = timedelta(hours=1)


class Listing:
    """Listings that leave out vehicles."""

    def __init__(self) -> None:
        self.hidden = set[str]()
        self.count = 0

    def hide(self, body: Any) -> None:
        self.count += 1
        listed = body["_embedded"]["vehicles"]
        listed[:] = [vehicle for vehicle in listed if vehicle["id"] not in self.hidden]


def listing_of(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Listing:
    listing, draw = Listing(), fleet.simulator.draw_fault

    def draw_fault(request: Any) -> tuple[Fault | None, float]:
        return (ChangedBody(listing.hide), 0.0) if request.path.endswith("/user/vehicles") else draw(request)

    monkeypatch.setattr(fleet.simulator, "draw_fault", draw_fault)
    return listing


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_vehicle_that_is_listed_no_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        a_fleet(vehicles=3, accounts=1) as fleet,
        watch(fleet.accounts, every=EVERY, what="trips", relist=RELIST) as updates,
    ):
        listing = listing_of(fleet, monkeypatch)
        assert await updates_of(updates, HOUR) == []
        gone = fleet.vehicles[1]
        listing.hidden.add(gone)
        [event] = await updates_of(updates, 2 * HOUR)
        assert isinstance(event, VehicleRemoved)
        assert (event.account, event.vehicle.id) == ("account-0000", gone)
        assert updates.statistics.vehicles == 2
        assert gone not in repr(event)
        driven = [fleet.world.add_trip(vehicle).id for vehicle in fleet.vehicles]
        assert set(trips_in(await updates_of(updates, HOUR))) == {driven[0], driven[2]}
        listing.hidden.clear()
        assert trips_in(await updates_of(updates, 2 * HOUR)) == [driven[1]]


@pytest.mark.unmeasured
@pytest.mark.parametrize("short", [1, 4])
@pytest.mark.long
async def test_a_few_short_listings_are_not_believed(short: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        a_fleet(vehicles=3, accounts=1) as fleet,
        watch(fleet.accounts, every=EVERY, what="trips", relist=RELIST) as updates,
    ):
        listing = listing_of(fleet, monkeypatch)
        assert await updates_of(updates, HOUR) == []
        listing.hidden.add(fleet.vehicles[1])
        listing.count = 0
        while listing.count < short:
            assert await updates_of(updates, 30) == []
        listing.hidden.clear()
        assert await updates_of(updates, 2 * HOUR) == []
        assert updates.statistics.vehicles == 3
        driven = [fleet.world.add_trip(vehicle).id for vehicle in fleet.vehicles]
        assert set(trips_in(await updates_of(updates, HOUR))) == set(driven)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_of_an_account_without_vehicles_one_event_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        a_fleet(vehicles=3, accounts=1) as fleet,
        watch(fleet.accounts, every=EVERY, what="trips", relist=RELIST) as updates,
    ):
        listing = listing_of(fleet, monkeypatch)
        assert await updates_of(updates, HOUR) == []
        listing.hidden |= set(fleet.vehicles)
        [event] = await updates_of(updates, 2 * HOUR)
        assert isinstance(event, AccountEmpty)
        assert updates.statistics.vehicles == 0
