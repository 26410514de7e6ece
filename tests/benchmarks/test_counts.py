"""Requests, tokens and decoded bodies of what the benchmarks measure; times are never asserted."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from stellantis_hal import Brand, Token
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.trip import Trip
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.support.simulated import client_of, world

pytestmark = pytest.mark.unmeasured

HOST = "https://api.example"


class Body(bytes):
    """A body that counts its decodings: in parts, which begins with a look for ASCII, and as a whole."""

    decoded = 0

    def isascii(self) -> bool:
        self.decoded += 1
        return bytes(self).isascii()

    def removeprefix(self, prefix: Any, /) -> bytes:
        self.decoded += 1
        return bytes(self).removeprefix(prefix)


class FakeServer:
    """Bodies by URL, over a network without latency."""

    def __init__(self, bodies: dict[str, Any]) -> None:
        self.bodies = {url: Body(json.dumps(body).encode()) for url, body in bodies.items()}
        self.requested: list[str] = []

    async def fetch(self, request: Request, /) -> Response:
        self.requested.append(request.url)
        headers = Headers({"Content-Type": "application/hal+json"})
        content = self.bodies[request.url]
        return Response(url=request.url, status=200, headers=headers, content=content, received_at=datetime.now(UTC))

    async def resource(self, url: str) -> HalResource:
        return await HalResource.from_url(url, ResourceContext(fetch=self.fetch))


def three_pages() -> FakeServer:
    def page(number: int) -> dict[str, Any]:
        items = [
            {"id": f"{number}-{at}", "distance": at, "_links": {"self": {"href": f"/trips/{number}-{at}"}}}
            for at in range(60)
        ]
        following = {"next": {"href": f"/trips?page={number + 1}"}} if number < 3 else {}
        return {"_links": following, "_embedded": {"trips": items}}

    return FakeServer({f"{HOST}/trips?page={number}": page(number) for number in (1, 2, 3)})


@asynccontextmanager
async def a_client() -> AsyncGenerator[tuple[StellantisClient, Simulator]]:
    simulator = Simulator(world(trips=180))
    limiter = TokenBucketLimiter(RateLimits(1_000, 1_000_000), clock=simulator.now)
    async with client_of(simulator, limiter=limiter) as client:
        yield client, simulator


def tokens_spent(client: StellantisClient) -> int:
    limiter = client.limiter
    assert isinstance(limiter, TokenBucketLimiter)
    return limiter.statistics.granted


@pytest.mark.anyio
async def test_page_costs_one_request_and_one_token() -> None:
    async with a_client() as (client, simulator):
        issued = simulator.token_for("account-0000")
        token = Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)
        account = client.account(token, brand=Brand.PEUGEOT)
        vehicle = await account.vehicles().first()
        assert vehicle is not None
        requests, tokens = simulator.statistics.requests, tokens_spent(client)
        trips = [trip async for trip in vehicle.trips()]
        assert len(trips) == 180
        assert simulator.statistics.requests - requests == 3
        assert tokens_spent(client) - tokens == 3


@pytest.mark.anyio
async def test_typed_pagination_of_three_pages_decodes_three_bodies() -> None:
    served, converter = three_pages(), TypedConverter()
    page = await served.resource(f"{HOST}/trips?page=1")
    distances = [trip.distance async for trip in page.items().map(lambda item: converter.structure(item, Trip))]
    assert len(distances) == 180
    assert [body.decoded for body in served.bodies.values()] == [1, 1, 1]
    assert len(served.requested) == 3


@pytest.mark.anyio
async def test_documents_are_decoded_again_once_per_page_on_access() -> None:
    served, converter = three_pages(), TypedConverter()
    page = await served.resource(f"{HOST}/trips?page=3")
    trips = [converter.structure(item, Trip) for item in page.embedded("trips")]
    del page
    [body] = [body for url, body in served.bodies.items() if url.endswith("3")]
    assert body.decoded == 1
    documents = [trip.document for trip in trips]
    assert all(documents)
    assert body.decoded == 2


@pytest.mark.anyio
@pytest.mark.parametrize(("keep_document", "most"), [(True, 700), (False, 1_000)])
async def test_trip_takes_little_memory_besides_its_page(keep_document: bool, most: int) -> None:
    served, converter = three_pages(), TypedConverter(keep_document=keep_document)

    async def held(number: int) -> list[Trip]:
        page = await served.resource(f"{HOST}/trips?page={number}")
        return [converter.structure(item, Trip) for item in page.embedded("trips")]

    await held(1)  # caches are filled here and not counted
    gc.collect()
    tracemalloc.start()
    try:
        trips = await held(2)
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(trips) < most


@pytest.mark.anyio
async def test_following_an_embedded_resource_costs_no_request() -> None:
    status = {"href": f"{HOST}/status"}
    copy = {"level": 80, "_links": {"self": status}}
    served = FakeServer({HOST: {"_links": {"status": status}, "_embedded": {"status": copy}}})
    thing = await served.resource(HOST)
    with pytest.raises(StopIteration) as finished:
        thing.follow("status").__await__().send(None)
    assert finished.value.value["level"] == 80
    assert served.requested == [HOST]
    assert served.bodies[HOST].decoded == 1


@pytest.mark.anyio
async def test_chain_costs_one_request_and_one_decoding_per_step() -> None:
    served = FakeServer(
        {
            f"{HOST}/": {"_links": {"car": {"href": "/car"}}},
            f"{HOST}/car": {"_links": {"status": {"href": "/status"}}},
            f"{HOST}/status": {"level": 80},
        }
    )
    root = await served.resource(f"{HOST}/")
    assert (await root.follow("car").follow("status"))["level"] == 80
    assert served.requested == [f"{HOST}/", f"{HOST}/car", f"{HOST}/status"]
    assert [body.decoded for body in served.bodies.values()] == [1, 1, 1]
