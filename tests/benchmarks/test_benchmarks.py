"""Every benchmark runs; requests, tokens and decoded bodies are counted, times never asserted."""

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

from benchmarks.concerns import CONCERNS, MODULES, run_concern
from benchmarks.imports import HEAVY, measure_import
from benchmarks.limiter_wire import utilisation
from benchmarks.measuring import Figure, Row
from benchmarks.report import readme_table, to_json
from stellantis_hal import Brand, Token
from stellantis_hal.client.stellantis_client import StellantisClient
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


# ------------------------------------------------------------------------------------------------- runs


def test_every_concern_has_a_module() -> None:
    assert set(MODULES) == set(CONCERNS) == set("abcdefghij")


@pytest.mark.bench_smoke
@pytest.mark.wall_clock
@pytest.mark.parametrize("letter", CONCERNS)
def test_benchmark_returns_rows_of_its_concern(letter: str) -> None:
    rows = run_concern(letter, "tiny")
    assert {row.concern for row in rows} == {letter}
    assert len({row.what for row in rows}) == len(rows)
    assert all(row.values for row in rows)
    assert all(len(row.ratios) in {0, len(row.values)} for row in rows)
    assert any(row.figure is not None or row.ratios for row in rows)


def test_utilisation_is_the_mean_share_of_the_limit() -> None:
    served = [at / 10 for at in range(40)]
    assert utilisation(served, limit=10, window=1.0, seconds=4.0) == pytest.approx(1.0, rel=0.01)
    assert utilisation(served, limit=20, window=1.0, seconds=4.0) == pytest.approx(0.5, rel=0.01)


def test_utilisation_counts_windows_without_requests() -> None:
    """Windows after the last served request count as empty: 52 requests in 901 windows of one."""
    assert utilisation([0.0, 0.5], limit=1, window=1.0, seconds=10.0) == pytest.approx(52 / 901, abs=0.002)


@pytest.mark.parametrize("served", [[], [0.0]])
def test_utilisation_of_few_requests(served: list[float]) -> None:
    assert utilisation(served, limit=100, window=1.0, seconds=3.0) == pytest.approx(0.0, abs=0.01)


def test_target_is_met_on_its_side() -> None:
    assert Figure(least=0.85).is_met(0.9)
    assert not Figure(least=0.85).is_met(0.8)
    assert Figure(most=10.0).is_met(10.0)
    assert not Figure(most=10.0).is_met(10.1)


def test_readme_table_has_the_ratios_with_a_target() -> None:
    judged = Row(concern="b", what="a page", unit="µs", values=(5.0,), ratios=(1.5,), figure=Figure(most=1.6))
    rows = [judged, Row(concern="b", what="a peer", unit="µs", values=(5.0,), ratios=(2.0,))]
    table = readme_table(to_json(rows, size="tiny", seconds=1.0))
    assert "| a page |  | 1.50 | ≤ 1.6 |" in table
    assert "a peer" not in table


def test_target_applies_to_the_ratio_if_there_is_a_reference() -> None:
    row = Row(concern="b", what="", unit="µs", values=(5.0, 7.0, 9.0), ratios=(1.0, 1.5, 9.0), figure=Figure(most=1.6))
    assert (row.reached, row.is_met) == (1.5, True)


@pytest.mark.wall_clock
def test_command_prints_a_table_and_compares_with_a_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--only", "c", "--results", str(tmp_path)]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    [file] = tmp_path.glob("*.json")
    run = json.loads(file.read_text(encoding="utf-8"))
    assert "Telemetry: ours" in first.stdout
    assert {row["concern"] for row in run["rows"]} == {"c"}
    assert "Python" in run["machine"]
    second = subprocess.run([*command, "--compare", str(file)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "was" in second.stdout


# ------------------------------------------------------------------------------------------------- counts


class Body(bytes):
    """A body that counts its decodings."""

    decoded = 0

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


@pytest.mark.wall_clock
def test_importing_the_package_loads_only_its_module() -> None:
    modules = set(measure_import("import stellantis_hal")["modules"])
    assert {name for name in modules if name.startswith("stellantis_hal")} <= {
        "stellantis_hal",
        "stellantis_hal.__version__",
    }
    assert not modules & set(HEAVY)


@pytest.mark.wall_clock
def test_importing_the_client_loads_no_cli_simulator_or_extra() -> None:
    modules = set(measure_import("from stellantis_hal import StellantisClient")["modules"])
    modules -= set(measure_import("import httpx")["modules"])  # which loads click and rich if they are installed
    assert not {"stellantis_hal.cli", "stellantis_hal.simulator"} & modules
    assert not {"aiohttp", "click", "rich", "trio", "uvicorn"} & modules
