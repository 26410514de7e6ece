"""What states the VIN of another vehicle is told."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from stellantis_hal import Update, watch
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import simulated_fleet_owner

pytestmark = pytest.mark.anyio

OTHER = "VF3ABCDE0FG123456"
REASON = "it states the VIN of another vehicle than it was read of"


class Exchanged(httpx.AsyncBaseTransport):
    """A server that states another VIN in what it says of a vehicle."""

    def __init__(self, simulator: Simulator) -> None:
        self._inner = simulator.transport()
        self.vin = OTHER

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        _, _, below = request.url.path.partition("/vehicles/")
        if "/" not in below:
            return response
        body = json.loads(await response.aread())
        for found in [body, *(each for items in body.get("_embedded", {}).values() for each in items)]:
            if "vin" in found:
                found["vin"] = self.vin
        return httpx.Response(response.status_code, json=body)


async def test_another_vin_is_a_problem_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    simulator = Simulator(World(seed=7, vehicles=1, trips=3))
    line = Exchanged(simulator)
    async with simulated_fleet_owner(simulator, transport=line) as client:
        fleet = await client.fleets().first()
        assert fleet is not None
        vehicle = await fleet.vehicles().first()
        assert vehicle is not None
        trip, alert = await vehicle.trips().first(), await vehicle.alerts().first()
        assert trip is not None
        assert alert is not None
        values: list[Any] = [trip, alert, await vehicle.trip(trip.id or ""), await vehicle.alert(alert.id or "")]
        values += [await vehicle.status(), await vehicle.status()]
        for value in values:
            assert value.vin == OTHER
            assert [(each.path, each.reason, each.kind) for each in value.problems] == [("$", REASON, "disagreement")]
        assert len([record for record in caplog.records if REASON in record.message]) == 3
        line.vin = (vehicle.vin or "").lower()
        status = await vehicle.status()
        assert status is not None
        assert status.problems == ()


async def test_a_watch_tells_the_status_of_another_vehicle() -> None:
    simulator = Simulator(World(seed=7, vehicles=1, trips=3))
    async with simulated_fleet_owner(simulator, transport=Exchanged(simulator)) as client:
        fleet = await client.fleets().first()
        assert fleet is not None
        async with watch(fleet, every=timedelta(minutes=5), what="status") as events:
            event = await anext(events)
            assert isinstance(event, Update)
            assert [each.reason for each in event.resource.problems] == [REASON]
