"""A day of a moving fleet in jumped time: each trip that begins is one event, delivered once."""

from collections import Counter
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal import DataItem, DeliveryRetry, Webhook, data, parse_notification
from stellantis_hal.simulator import Simulator, SubscriptionLimits, World
from stellantis_hal.testing import jumping, simulated_fleet_owner
from tests.support.clocks import BACKENDS

pytestmark = pytest.mark.anyio
DAY = 24 * 3600


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return jumping(request.param)


async def run_a_day(cars: int) -> int:
    """Let a fleet drive for a day; return the number of trips that began, each delivered once."""
    world = World(seed=3, vehicles=cars, trips=cars * 10, moving=True)
    simulator = Simulator(world, rate_limits=SubscriptionLimits(per_second=1_000, per_day=1_000_000))
    delivered = Counter[tuple[str | None, Any]]()

    def receive(request: httpx.Request) -> httpx.Response:
        delivered.update((event.vin, event.at) for event in parse_notification(request.content))
        return httpx.Response(200)

    async with simulated_fleet_owner(simulator) as client:
        fleet = await client.fleets().first()
        assert fleet is not None
        moving = data("moving", DataItem.MOVING).equals(True)
        hook = Webhook("https://hooks.example.org/st", token="s")
        await fleet.monitors.create("moving", when=moving, deliver=hook, retry=DeliveryRetry.bounded(3))
        members = [vehicle.vin async for vehicle in fleet.vehicles()]
    begin = simulator.now()
    async with simulator.delivering(transport=httpx.MockTransport(receive)) as deliveries:
        await anyio.sleep(DAY)
        await deliveries.settle()
        end = simulator.now()
    started = [
        (vehicle.vin, trip.started_at.replace(microsecond=trip.started_at.microsecond // 1000 * 1000))
        for vehicle in world.vehicles
        if vehicle.vin in members
        for trip in world.trips(vehicle.id)
        if begin < trip.started_at <= end
    ]
    assert delivered == Counter(started)
    return len(started)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_day_of_a_few_cars() -> None:
    assert await run_a_day(2) > 0


@pytest.mark.deep
async def test_a_day_of_a_thousand_cars() -> None:
    assert await run_a_day(1_000) > 1_000
