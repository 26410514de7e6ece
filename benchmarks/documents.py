"""(d) Parsing documents, reading links, following: embedded resources, and others over a network without latency."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urljoin

import anyio

from benchmarks.bodies import SimulatedApi, make_resource, make_response
from benchmarks.measuring import Figure, Row, Samples, Scale, cpu, row, run_rounds
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
    api = SimulatedApi(trips=120)
    content = api.body(f"{api.vehicle}/trips?pageSize=60")
    return _parsing(content, scale) + _embedded(scale) + _cold(api, scale)


def _parsing(content: bytes, scale: Scale) -> list[Row]:
    def document() -> object:
        document = HalDocument(decode(content))
        return document.links["next"], document.embedded["trips"]

    def resources() -> object:
        page = make_resource(_PAGE, content)
        return page.links["next"], page.embedded("trips")

    def every_link() -> object:
        page = make_resource(_PAGE, content)
        return [item.links["self"][0].href for item in page.embedded("trips")]

    functions: dict[str, Callable[[], object]] = {
        "orjson.loads": lambda: decode(content),
        "HalDocument, links, 60 embedded": document,
        "HalResource, links, 60 embedded": resources,
        "HalResource, 60 self links": every_link,
    }
    found = run_rounds(_timer(functions, scale.pick(1, 10, 20, 40)), scale.pick(1, 7, 15, 31))
    rows = [row("d", f"page of {len(content) // 1000} kB: orjson.loads", "µs CPU", found["orjson.loads"])]
    for name in list(functions)[1:]:
        figure = Figure(most=1.5) if name.startswith("HalDocument") else None
        against = ("orjson.loads", found["orjson.loads"])
        rows.append(row("d", f"page: {name}", "µs CPU", found[name], against=against, figure=figure))
    return rows


def _embedded(scale: Scale) -> list[Row]:
    status = {"href": f"{_PLACE}/status"}
    copy = {"level": 80, "_links": {"self": status}}
    body = {"_links": {"self": {"href": _PLACE}, "status": status}, "_embedded": {"status": copy}}
    content = encode(body)
    known = make_resource(_PLACE, content)
    _run_to_end(_step(known))
    fresh = iter([make_resource(_PLACE, content) for _ in range(scale.pick(10, 20_000, 50_000, 200_000))])
    functions: dict[str, Callable[[], object]] = {
        "follow an embedded copy": lambda: _run_to_end(_step(known)),
        "follow an embedded copy, first look at the document": lambda: _run_to_end(_step(next(fresh))),
    }
    rounds, times = scale.pick(1, 5, 9, 21), scale.pick(2, 1000, 2000, 5000)
    found = run_rounds(_timer(functions, times), rounds)
    figure = Figure(most=10.0)
    return [
        row("d", name, "µs CPU", values, figure=figure if name.endswith("copy") else None)
        for name, values in found.items()
    ]


async def _step(resource: HalResource) -> object:
    return await resource.follow("status")


def _cold(api: SimulatedApi, scale: Scale) -> list[Row]:
    chain = (f"{api.url}/user", api.vehicle, f"{api.vehicle}/status")
    responses = {url: make_response(url, api.body(url)) for url in (chain[0], f"{chain[0]}/vehicles", *chain[1:])}

    async def fetch(request: Request, /) -> Response:
        return responses[request.url]

    root = HalResource.of(responses[chain[0]], ResourceContext(fetch=fetch))

    async def ours() -> object:
        vehicles = root.follow("vehicles", embedded="never")
        vehicle = (await vehicles).embedded("vehicles")[0]
        return await vehicle.follow("self").follow("status")

    async def by_hand() -> object:
        body = decode(responses[chain[0]].content)
        url = urljoin(chain[0], body["_links"]["vehicles"]["href"])
        body = decode((await fetch(Request(url=url))).content)
        url = urljoin(url, body["_embedded"]["vehicles"][0]["_links"]["self"]["href"])
        body = decode((await fetch(Request(url=url))).content)
        url = urljoin(url, body["_links"]["status"]["href"])
        return decode((await fetch(Request(url=url))).content)

    functions: dict[str, Callable[[], object]] = {
        "chain of three steps, cold": lambda: _run_to_end(ours()),
        "the same by hand (fetch, orjson, urljoin)": lambda: _run_to_end(by_hand()),
    }

    async def measure() -> Samples:  # inside an event loop, because a request reads the current deadline
        return run_rounds(_timer(functions, scale.pick(2, 200, 400, 1000)), scale.pick(1, 5, 9, 21))

    found = anyio.run(measure)
    name, reference = functions
    return [
        row("d", name, "µs CPU", found[name], against=("by hand", found[reference])),
        row("d", reference, "µs CPU", found[reference]),
    ]


def _run_to_end(coroutine: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine that never waits to its end."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine waited")


def _timer(functions: dict[str, Callable[[], object]], times: int) -> dict[str, Callable[[], float]]:
    return {name: _cpu_of(function, times) for name, function in functions.items()}


def _cpu_of(function: Callable[[], object], times: int) -> Callable[[], float]:
    return lambda: cpu(function, times)
