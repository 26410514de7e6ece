"""Every benchmark runs, and what is done is counted: requests, tokens, bodies decoded. Times are never asserted."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.concerns import CONCERNS, MODULES, measured
from benchmarks.imports import HEAVY, imported
from benchmarks.measuring import Figure, Row
from benchmarks.report import as_json, in_brief
from stellantis_hal import Brand, Token
from stellantis_hal.client import StellantisClient
from stellantis_hal.hal.headers import Headers
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.trip import Trip
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.support.simulated import client_of, world

ROOT = Path(__file__).parent.parent.parent
HOST = "https://api.example"


# ------------------------------------------------------------------------------------------------- that they run


def test_every_concern_has_a_module() -> None:
    assert set(MODULES) == set(CONCERNS) == set("abcdefghi")


@pytest.mark.wall_clock
@pytest.mark.parametrize("letter", CONCERNS)
def test_a_benchmark_gives_rows_of_its_concern(letter: str) -> None:
    rows = measured(letter, "tiny")
    assert {row.concern for row in rows} == {letter}
    assert len({row.what for row in rows}) == len(rows)
    assert all(row.values for row in rows)
    assert all(len(row.ratios) in {0, len(row.values)} for row in rows)
    assert any(row.figure is not None or row.ratios for row in rows)


def test_a_figure_is_met_on_its_own_side() -> None:
    assert Figure(least=0.85).is_met(0.9)
    assert not Figure(least=0.85).is_met(0.8)
    assert Figure(most=10.0).is_met(10.0)
    assert not Figure(most=10.0).is_met(10.1)


def test_the_readmes_table_has_the_ratios_that_are_judged() -> None:
    judged = Row(concern="b", what="a page", unit="µs", values=(5.0,), ratios=(1.5,), figure=Figure(most=1.6))
    rows = [judged, Row(concern="b", what="a peer", unit="µs", values=(5.0,), ratios=(2.0,))]
    table = in_brief(as_json(rows, size="tiny", seconds=1.0))
    assert "| a page |  | 1.50 | ≤ 1.6 |" in table
    assert "a peer" not in table


def test_a_figure_is_held_against_the_ratio_where_there_is_a_reference() -> None:
    row = Row(concern="b", what="", unit="µs", values=(5.0, 7.0, 9.0), ratios=(1.0, 1.5, 9.0), figure=Figure(most=1.6))
    assert (row.reached, row.is_met) == (1.5, True)


@pytest.mark.wall_clock
def test_one_command_prints_a_table_writes_a_file_and_compares_with_an_earlier_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--only", "c", "--results", str(tmp_path)]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    [file] = tmp_path.glob("*.json")
    run = json.loads(file.read_text(encoding="utf-8"))
    assert "Telemetry: ours" in first.stdout
    assert {row["concern"] for row in run["rows"]} == {"c"}
    assert "Python" in run["machine"]
    second = subprocess.run([*command, "--compare", str(file)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "was" in second.stdout


# ------------------------------------------------------------------------------------------------- what is counted


class Body(bytes):
    """A body that counts how often it is decoded."""

    decoded = 0

    def removeprefix(self, prefix: Any, /) -> bytes:
        self.decoded += 1
        return bytes(self).removeprefix(prefix)


class Served:
    """Bodies by address, over a network that takes no time."""

    def __init__(self, bodies: dict[str, Any]) -> None:
        self.bodies = {url: Body(json.dumps(body).encode()) for url, body in bodies.items()}
        self.asked: list[str] = []

    async def fetch(self, request: Request, /) -> Response:
        self.asked.append(request.url)
        headers = Headers({"Content-Type": "application/hal+json"})
        content = self.bodies[request.url]
        return Response(url=request.url, status=200, headers=headers, content=content, received_at=datetime.now(UTC))

    async def reach(self, url: str) -> HalResource:
        return await HalResource.from_url(url, ResourceContext(fetch=self.fetch))


def three_pages() -> Served:
    def page(number: int) -> dict[str, Any]:
        items = [
            {"id": f"{number}-{at}", "distance": at, "_links": {"self": {"href": f"/trips/{number}-{at}"}}}
            for at in range(60)
        ]
        following = {"next": {"href": f"/trips?page={number + 1}"}} if number < 3 else {}
        return {"_links": following, "_embedded": {"trips": items}}

    return Served({f"{HOST}/trips?page={number}": page(number) for number in (1, 2, 3)})


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
async def test_a_page_costs_one_request_and_one_token() -> None:
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
async def test_a_typed_walk_of_three_pages_decodes_three_bodies() -> None:
    served, reader = three_pages(), TypedConverter()
    page = await served.reach(f"{HOST}/trips?page=1")
    distances = [trip.distance async for trip in page.items().map(lambda item: reader.structure(item, Trip))]
    assert len(distances) == 180
    assert [body.decoded for body in served.bodies.values()] == [1, 1, 1]
    assert len(served.asked) == 3


@pytest.mark.anyio
async def test_documents_of_held_trips_are_decoded_again_once_for_a_page_and_only_when_asked_for() -> None:
    served, reader = three_pages(), TypedConverter()
    page = await served.reach(f"{HOST}/trips?page=3")
    trips = [reader.structure(item, Trip) for item in page.embedded("trips")]
    del page
    [body] = [body for url, body in served.bodies.items() if url.endswith("3")]
    assert body.decoded == 1
    documents = [trip.document for trip in trips]
    assert all(documents)
    assert body.decoded == 2


@pytest.mark.anyio
@pytest.mark.parametrize(("keep_document", "most"), [(True, 700), (False, 1_000)])
async def test_a_held_trip_takes_little_memory_beside_the_bytes_of_its_page(keep_document: bool, most: int) -> None:
    served, reader = three_pages(), TypedConverter(keep_document=keep_document)

    async def held(number: int) -> list[Trip]:
        page = await served.reach(f"{HOST}/trips?page={number}")
        return [reader.structure(item, Trip) for item in page.embedded("trips")]

    await held(1)  # what is made once is no trip's
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
async def test_following_an_embedded_copy_costs_no_request_and_does_not_wait() -> None:
    status = {"href": f"{HOST}/status"}
    copy = {"level": 80, "_links": {"self": status}}
    served = Served({HOST: {"_links": {"status": status}, "_embedded": {"status": copy}}})
    place = await served.reach(HOST)
    with pytest.raises(StopIteration) as finished:
        place.follow("status").__await__().send(None)
    assert finished.value.value["level"] == 80
    assert served.asked == [HOST]
    assert served.bodies[HOST].decoded == 1


@pytest.mark.anyio
async def test_a_chain_costs_one_request_and_one_decoding_for_each_step() -> None:
    served = Served(
        {
            f"{HOST}/": {"_links": {"car": {"href": "/car"}}},
            f"{HOST}/car": {"_links": {"status": {"href": "/status"}}},
            f"{HOST}/status": {"level": 80},
        }
    )
    root = await served.reach(f"{HOST}/")
    assert (await root.follow("car").follow("status"))["level"] == 80
    assert served.asked == [f"{HOST}/", f"{HOST}/car", f"{HOST}/status"]
    assert [body.decoded for body in served.bodies.values()] == [1, 1, 1]


@pytest.mark.wall_clock
def test_importing_the_package_loads_nothing_but_its_face() -> None:
    modules = set(imported("import stellantis_hal")["modules"])
    assert [name for name in modules if name.startswith("stellantis_hal")] == ["stellantis_hal"]
    assert not modules & set(HEAVY)


@pytest.mark.wall_clock
def test_importing_the_client_loads_no_command_line_no_simulator_and_no_extra() -> None:
    modules = set(imported("from stellantis_hal import StellantisClient")["modules"])
    modules -= set(imported("import httpx")["modules"])  # which loads click and rich where they are
    assert not {"stellantis_hal.cli", "stellantis_hal.simulator"} & modules
    assert not {"aiohttp", "click", "rich", "trio", "uvicorn"} & modules
