"""(i) Memory: of 10,000 typed trips, and of a long pagination that keeps nothing.

Trips are measured by tracemalloc, the bytes of their pages included; the pagination by the process's resident memory,
over a network without latency that makes each page anew.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import anyio

from benchmarks.bodies import make_response
from benchmarks.fleet_wire import resident_memory
from benchmarks.measuring import Figure, Row, Scale, import_optional, is_installed, row
from stellantis_hal.hal.json import decode
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import TypedConverter

__all__ = ["run"]

_URL = "https://api.example/trips"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    rows = [_measure_pagination(scale.pick(600, 30_000, 90_000, 1_000_000))]
    if is_installed("pydantic", "msgspec"):
        rows = _measure_trips(scale.pick(120, 2_400, 10_000, 10_000)) + rows
    return rows


# ------------------------------------------------------------------------------------------------- held


def _measure_trips(count: int) -> list[Row]:
    bodies = import_optional("benchmarks.full_trips")
    pages = [bytes(bodies.page(first, min(60, count - first))) for first in range(0, count, 60)]
    keeping, dropping = TypedConverter(), TypedConverter(keep_document=False)
    pydantic_page, msgspec_page = _models(bodies)

    ways: dict[str, tuple[Callable[[bytes], Any], float | None]] = {
        "documents reachable": (lambda content: bodies.structure(content, keeping), 90.0),
        "keep_document=False": (lambda content: bodies.structure(content, dropping), 60.0),
        "raw dictionaries": (decode, None),
        "pydantic": (pydantic_page.model_validate_json, None),
        "msgspec": (msgspec_page.decode, None),
    }
    rows: list[Row] = []
    for name, (read, most) in ways.items():
        read(pages[0])  # caches are filled here and not counted
        # Typed trips keep the bytes of their page, so the bytes are copied inside and counted.
        held = _allocated_mib(lambda read=read: [read(bytes(bytearray(content))) for content in pages])  # type: ignore[misc]
        scaled = held * 10_000 / count
        figure = None if most is None else Figure(most=most)
        rows.append(row("i", f"10,000 trips held: {name}", "MiB", [scaled], figure=figure))
    return rows


def _models(bodies: Any) -> tuple[Any, Any]:
    pydantic, msgspec = import_optional("pydantic"), import_optional("msgspec")
    model = pydantic.create_model("Page", embedded=(bodies.model(bodies.Ignoring), pydantic.Field(alias="_embedded")))
    struct = bodies.model(msgspec.Struct, frozen=True)
    page = msgspec.defstruct("Page", [("embedded", struct)], rename={"embedded": "_embedded"})
    return model, msgspec.json.Decoder(page)


def _allocated_mib(make: Callable[[], Any]) -> float:
    gc.collect()
    tracemalloc.start()
    held = make()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del held
    return size / 2**20


# ------------------------------------------------------------------------------------------------- walked


def _measure_pagination(trips: int) -> Row:
    growth = anyio.run(_memory_growth, trips)
    return row("i", f"a walk over {trips:,} trips: resident memory grown", "MiB", [growth], figure=Figure(most=20.0))


async def _memory_growth(trips: int) -> float:
    from_items = '","distance":12.5,"startedAt":"2023-09-12T08:41:10Z","_links":{"self":{"href":"/trips/'

    async def fetch(request: Request, /) -> Response:
        first = int(request.url.rpartition("=")[2])
        items = ",".join(f'{{"id":"t{at}{from_items}{at}"}}}}}}' for at in range(first, min(first + 60, trips)))
        more = f'"next":{{"href":"{_URL}?first={first + 60}"}}' if first + 60 < trips else ""
        body = f'{{"total":{trips},"_links":{{{more}}},"_embedded":{{"trips":[{items}]}}}}'
        return make_response(request.url, body.encode())

    converter = TypedConverter()
    start = most = 0.0
    page = await HalResource.from_url(f"{_URL}?first=0", ResourceContext(fetch=fetch))
    count = 0
    async for trip in page.items().map(lambda item: converter.structure(item, Trip)):
        count += 1
        assert trip.distance is not None
        if count == min(6_000, trips // 2):  # the set of recent ids has its full size by then
            gc.collect()
            start = most = resident_memory()
        elif count % 3_000 == 0:
            most = max(most, resident_memory())
    assert count == trips
    return most - start
