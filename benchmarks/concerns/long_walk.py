"""Resident memory that a walk over many trips adds, where nothing is kept.

Each page is made anew, without a network.
"""

from __future__ import annotations

import gc

import anyio

from benchmarks.harness.resident import resident_memory
from benchmarks.harness.rounds import one_round
from benchmarks.harness.rows import Figure, Row, plain
from benchmarks.harness.scale import Scale
from benchmarks.measured import package
from stellantis_hal import Trip

__all__ = ["run"]

_URL = "https://api.example/trips"
_FIELDS = '","distance":12.5,"startedAt":"2023-09-12T08:41:10Z","_links":{"self":{"href":"/trips/'


def run(scale: Scale) -> list[Row]:
    """Measure."""
    trips = scale.pick(600, 90_000, 200_000, 1_000_000)
    with one_round():
        growth = anyio.run(_memory_growth, trips)
    figure = Figure(most=20.0)
    return [plain(f"a walk over {trips:,} trips: resident memory grown", "MiB", [growth], figure=figure)]


async def _memory_growth(trips: int) -> float:
    async def fetch(request: package.Request, /) -> package.Response:
        first = int(request.url.rpartition("=")[2])
        items = ",".join(f'{{"id":"t{at}{_FIELDS}{at}"}}}}}}' for at in range(first, min(first + 60, trips)))
        more = f'"next":{{"href":"{_URL}?first={first + 60}"}}' if first + 60 < trips else ""
        body = f'{{"total":{trips},"_links":{{{more}}},"_embedded":{{"trips":[{items}]}}}}'
        return package.make_response(request.url, body.encode())

    read = package.make_reader()
    start = most = 0.0
    page = await package.from_url(f"{_URL}?first=0", fetch)
    count = 0
    async for trip in page.items().map(lambda item: read(item, Trip)):
        count += 1
        assert trip.distance is not None
        if count == min(6_000, trips // 2):  # the set of recent ids has its full size by then
            gc.collect()
            start = most = resident_memory()
        elif count % 3_000 == 0:
            most = max(most, resident_memory())
    assert count == trips
    return most - start
