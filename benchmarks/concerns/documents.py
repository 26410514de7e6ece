"""Parsing documents, reading links, following: embedded resources, and others over a network without latency."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urljoin

import anyio

from benchmarks.harness.rounds import Samples, cpu, run_rounds
from benchmarks.harness.rows import Figure, Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.measured import package
from benchmarks.servers.simulated_api import SimulatedApi, serve_api
from stellantis_hal import HalDocument, HalResource

__all__ = ["run"]

_PAGE = "https://api.example/user/vehicles/1/trips"
_PLACE = "https://api.example/things/1"
_LOADS = "orjson.loads"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api(trips=120) as api:
        content = api.body(f"/user/vehicles/{api.vehicle}/trips?pageSize=60")
        bodies = _chain_bodies(api)
    rows = _parsing(content, scale) + _embedded(scale)
    return rows if scale.is_brief else rows + _cold(bodies, scale)


def _parsing(content: bytes, scale: Scale) -> list[Row]:
    def document() -> object:
        document = HalDocument(package.decode(content))
        return document.links["next"], document.embedded["trips"]

    def resources() -> object:
        page = package.make_resource(_PAGE, content)
        return page.links["next"], page.embedded("trips")

    def every_link() -> object:
        page = package.make_resource(_PAGE, content)
        return [item.links["self"][0].href for item in page.embedded("trips")]

    functions: dict[str, Callable[[], object]] = {
        _LOADS: lambda: package.decode(content),
        "HalDocument, links, 60 embedded": document,
        "HalResource, links, 60 embedded": resources,
        "HalResource, 60 self links": every_link,
    }
    if scale.is_brief:
        functions = dict(list(functions.items())[:2])
    found = run_rounds(_timers(functions, scale.pick(1, 20, 20, 40)), scale.pick(1, 15, 15, 31))
    names = list(functions)[1:]
    figures = {names[0]: Figure(most=1.5)}
    return [
        relative(f"page of {len(content) // 1000} kB: {name}", "µs CPU", found, name, _LOADS, figure=figures.get(name))
        for name in names
    ]


def _embedded(scale: Scale) -> list[Row]:
    status = {"href": f"{_PLACE}/status"}
    copy = {"level": 80, "_links": {"self": status}}
    body = {"_links": {"self": {"href": _PLACE}, "status": status}, "_embedded": {"status": copy}}
    content = package.encode(body)
    known = package.make_resource(_PLACE, content)
    _run_to_end(_step(known))
    times, rounds = scale.pick(2, 2000, 2000, 5000), scale.pick(1, 9, 9, 21)
    fresh = iter([package.make_resource(_PLACE, content) for _ in range(times * (rounds + 1))])
    names = ("follow an embedded copy", "follow an embedded copy, first look at the document")
    functions: dict[str, Callable[[], object]] = {
        names[0]: lambda: _run_to_end(_step(known)),
        names[1]: lambda: _run_to_end(_step(next(fresh))),
    }
    if scale.is_brief:
        del functions[names[1]]
    found = run_rounds(_timers(functions, times), rounds)
    figures = {names[0]: Figure(most=10.0)}
    return [absolute(name, "µs CPU", found, name, figure=figures.get(name)) for name in functions]


async def _step(resource: HalResource) -> object:
    return await resource.follow("status")


def _chain_bodies(api: SimulatedApi) -> dict[str, bytes]:
    vehicle = f"/user/vehicles/{api.vehicle}"
    paths = ("/user", "/user/vehicles", vehicle, f"{vehicle}/status")
    return {api.url + path: api.body(path) for path in paths}


def _cold(bodies: dict[str, bytes], scale: Scale) -> list[Row]:
    responses = {url: package.make_response(url, content) for url, content in bodies.items()}
    start = next(iter(responses))

    async def fetch(request: package.Request, /) -> package.Response:
        return responses[request.url]

    root = package.make_resource(start, bodies[start], fetch)

    async def ours() -> object:
        vehicles = root.follow("vehicles", embedded="never")
        vehicle = (await vehicles).embedded("vehicles")[0]
        return await vehicle.follow("self").follow("status")

    async def by_hand() -> object:
        body = package.decode(responses[start].content)
        url = urljoin(start, body["_links"]["vehicles"]["href"])
        body = package.decode((await fetch(package.Request(url=url))).content)
        url = urljoin(url, body["_embedded"]["vehicles"][0]["_links"]["self"]["href"])
        body = package.decode((await fetch(package.Request(url=url))).content)
        url = urljoin(url, body["_links"]["status"]["href"])
        return package.decode((await fetch(package.Request(url=url))).content)

    names = ("chain of three steps, cold", "the same by hand (fetch, orjson, urljoin)")
    functions: dict[str, Callable[[], object]] = {
        names[0]: lambda: _run_to_end(ours()),
        names[1]: lambda: _run_to_end(by_hand()),
    }

    async def measure() -> Samples:  # inside an event loop, because a request reads the current deadline
        return run_rounds(_timers(functions, scale.pick(2, 200, 400, 1000)), scale.pick(1, 5, 9, 21))

    found = anyio.run(measure)
    return [relative(names[0], "µs CPU", found, *names), absolute(f"{names[0]}, calibrated", "µs CPU", found, names[0])]


def _run_to_end(coroutine: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine that never waits to its end."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine waited")


def _timers(functions: dict[str, Callable[[], object]], times: int) -> dict[str, Callable[[], float]]:
    return {name: _cpu_of(function, times) for name, function in functions.items()}


def _cpu_of(function: Callable[[], object], times: int) -> Callable[[], float]:
    return lambda: cpu(function, times)
