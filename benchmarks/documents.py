"""(d) Documents parsed, links read, steps taken: embedded copies, and cold ones over a network that takes no time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urljoin

import anyio

from benchmarks.bodies import Vendor, answer_of, whole
from benchmarks.measuring import Figure, Row, Samples, Scale, cpu, in_turn, row
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.resource import HalResource

__all__ = ["run"]

_PAGE = "https://api.example/user/vehicles/1/trips"
_PLACE = "https://api.example/things/1"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    vendor = Vendor(trips=120)
    content = vendor.body(f"{vendor.vehicle}/trips?pageSize=60")
    return _parsing(content, scale) + _embedded(scale) + _cold(vendor, scale)


def _parsing(content: bytes, scale: Scale) -> list[Row]:
    def document() -> object:
        document = HalDocument(decode(content))
        return document.links["next"], document.embedded["trips"]

    def resources() -> object:
        page = whole(_PAGE, content)
        return page.links["next"], page.embedded("trips")

    def every_link() -> object:
        page = whole(_PAGE, content)
        return [item.links["self"][0].href for item in page.embedded("trips")]

    acts: dict[str, Callable[[], object]] = {
        "orjson.loads": lambda: decode(content),
        "HalDocument, links, 60 embedded": document,
        "HalResource, links, 60 embedded": resources,
        "HalResource, 60 self links": every_link,
    }
    found = in_turn(_timed(acts, scale.pick(1, 10, 20, 40)), scale.pick(1, 7, 15, 31))
    rows = [row("d", f"page of {len(content) // 1000} kB: orjson.loads", "µs CPU", found["orjson.loads"])]
    for name in list(acts)[1:]:
        figure = Figure(most=1.5) if name.startswith("HalDocument") else None
        against = ("orjson.loads", found["orjson.loads"])
        rows.append(row("d", f"page: {name}", "µs CPU", found[name], against=against, figure=figure))
    return rows


def _embedded(scale: Scale) -> list[Row]:
    status = {"href": f"{_PLACE}/status"}
    copy = {"level": 80, "_links": {"self": status}}
    body = {"_links": {"self": {"href": _PLACE}, "status": status}, "_embedded": {"status": copy}}
    content = encode(body)
    seen = whole(_PLACE, content)
    _finished(_step(seen))
    fresh = iter([whole(_PLACE, content) for _ in range(scale.pick(10, 20_000, 50_000, 200_000))])
    acts: dict[str, Callable[[], object]] = {
        "follow an embedded copy": lambda: _finished(_step(seen)),
        "follow an embedded copy, first look at the document": lambda: _finished(_step(next(fresh))),
    }
    rounds, times = scale.pick(1, 5, 9, 21), scale.pick(2, 1000, 2000, 5000)
    found = in_turn(_timed(acts, times), rounds)
    figure = Figure(most=10.0)
    return [
        row("d", name, "µs CPU", values, figure=figure if name.endswith("copy") else None)
        for name, values in found.items()
    ]


async def _step(resource: HalResource) -> object:
    return await resource.follow("status")


def _cold(vendor: Vendor, scale: Scale) -> list[Row]:
    chain = (f"{vendor.url}/user", vendor.vehicle, f"{vendor.vehicle}/status")
    kept = {url: answer_of(url, vendor.body(url)) for url in (chain[0], f"{chain[0]}/vehicles", *chain[1:])}

    async def fetch(request: Request, /) -> Response:
        return kept[request.url]

    root = HalResource.of(kept[chain[0]], ResourceContext(fetch=fetch))

    async def ours() -> object:
        vehicles = root.follow("vehicles", embedded="never")
        vehicle = (await vehicles).embedded("vehicles")[0]
        return await vehicle.follow("self").follow("status")

    async def by_hand() -> object:
        body = decode(kept[chain[0]].content)
        url = urljoin(chain[0], body["_links"]["vehicles"]["href"])
        body = decode((await fetch(Request(url=url))).content)
        url = urljoin(url, body["_embedded"]["vehicles"][0]["_links"]["self"]["href"])
        body = decode((await fetch(Request(url=url))).content)
        url = urljoin(url, body["_links"]["status"]["href"])
        return decode((await fetch(Request(url=url))).content)

    acts: dict[str, Callable[[], object]] = {
        "chain of three steps, cold": lambda: _finished(ours()),
        "the same by hand (fetch, orjson, urljoin)": lambda: _finished(by_hand()),
    }

    async def measured() -> Samples:  # inside an event loop, for a request knows the deadline in force
        return in_turn(_timed(acts, scale.pick(2, 200, 400, 1000)), scale.pick(1, 5, 9, 21))

    found = anyio.run(measured)
    name, reference = acts
    return [
        row("d", name, "µs CPU", found[name], against=("by hand", found[reference])),
        row("d", reference, "µs CPU", found[reference]),
    ]


def _finished(coroutine: Coroutine[Any, Any, object]) -> object:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


def _timed(acts: dict[str, Callable[[], object]], times: int) -> dict[str, Callable[[], float]]:
    return {name: _cpu_of(act, times) for name, act in acts.items()}


def _cpu_of(act: Callable[[], object], times: int) -> Callable[[], float]:
    return lambda: cpu(act, times)
