"""Several tasks that share one iteration: the second one is told, and nothing is returned twice."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from stellantis_hal import HalClient, Vehicle, Webhook
from stellantis_hal.simulator import Faults, Latency, Simulator
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio
MESSAGE = r"^another task waits for the next item of this iteration: let one task iterate, and hand the items to the "


@pytest.fixture
async def vehicle() -> AsyncIterator[Vehicle]:
    simulator = Simulator(world(trips=130), faults=Faults(latency=Latency(fixed=0.1)))
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        yield vehicle


async def _shared(iterator: AsyncIterator[Any]) -> list[Any]:
    """Return what one of two tasks gets, of which the other is refused."""
    items: list[Any] = []
    refusals: list[str] = []

    async def consume() -> None:
        try:
            async for item in iterator:
                items.append(item)
                await anyio.lowlevel.checkpoint()
        except RuntimeError as error:
            refusals.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume)
        tasks.start_soon(consume)
    assert len(refusals) == 1
    assert refusals[0].startswith(MESSAGE[1:])
    return items


@pytest.mark.parametrize("how", ["items", "filtered", "pages", "ahead", "concurrent"])
async def test_a_second_task_is_refused(vehicle: Vehicle, how: str) -> None:
    """Two tasks got the same items, and some of the items were lost."""
    walk = vehicle.trips()
    expected = [trip.id for trip in await walk.collect()]
    if how == "items":
        found = [trip.id for trip in await _shared(aiter(walk))]
    elif how == "filtered":
        found = [trip.id for trip in await _shared(aiter(walk.filter(lambda trip: True)))]
    elif how == "pages":
        found = [trip.id for page in await _shared(aiter(walk.pages())) for trip in page.items]
    elif how == "ahead":
        async with walk.ahead(1) as items:
            found = [trip.id for trip in await _shared(items)]
    else:
        async with walk.concurrent(4) as items:
            found = [trip.id for trip in await _shared(items)]
    assert found == expected


async def test_an_iteration_goes_on_after_a_cancellation(vehicle: Vehicle) -> None:
    items = aiter(vehicle.trips())
    with anyio.move_on_after(0.01):
        await anext(items)
    trips = [trip async for trip in items]
    assert len(trips) == 130


async def test_links_have_one_consumer() -> None:
    links = [{"href": f"/orders/{number}"} for number in range(6)]

    async def respond(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(0.1)
        return httpx.Response(200, json={"_links": {"order": links}}, headers={"Content-Type": "application/hal+json"})

    async with (
        HalClient("https://shop.example/", transport=httpx.MockTransport(respond)) as shop,
        (await shop.root()).follow_all("order") as results,
    ):
        found = await _shared(results)
    assert [result.link.href for result in found] == [link["href"] for link in links]


async def test_steps_of_a_command_have_one_consumer() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        vehicle = await account.vehicles().first()
        assert vehicle is not None
        hook = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t")
        remote = vehicle.remote(await account.callbacks.ensure(hook, label="garage"))
        operation = await remote.horn()
        steps = await _shared(aiter(operation))
        assert steps == [step async for step in operation]
