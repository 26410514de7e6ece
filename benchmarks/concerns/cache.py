"""A GET with and without the cache: in process, and through the whole client over a transport in memory.

In process the server is a function, so that the cost of the cache alone is seen: a hit, a response that is stored, one
that is validated, one that must not be stored, from memory and from an SQLite file. A row "no cache" is the function
itself. A whole GET is compared with a hit and with a validation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx

from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Figure, Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.timed import timed
from benchmarks.servers.simulated_api import serve_api
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal_client import HalClient
from stellantis_hal.navigation.cache.fetch import CachedFetch
from stellantis_hal.navigation.cache.memory import MemoryCache
from stellantis_hal.navigation.cache.partition_responses import PartitionResponses
from stellantis_hal.navigation.cache.sqlite import SQLiteCache
from stellantis_hal.navigation.cache.store import CacheStore
from stellantis_hal.navigation.fetch_protocol import Fetch, Request, Response
from stellantis_hal.navigation.origins import Origins

__all__ = ["run"]

_URL = "https://api.example/things/1"
_FIELDS = {"content-type": "application/hal+json", "etag": '"1"', "date": "Thu, 26 Nov 2026 12:00:00 GMT"}
_CONTROLS = {"hit": "max-age=2147483647", "validated": "no-cache", "not stored": "no-store"}
_ACCEPT = {"Accept": "application/hal+json, application/json;q=0.9"}
Get = Callable[[], Awaitable[object]]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api() as api:
        content = api.body("/user")
    return anyio.run(_in_process, content, scale) + anyio.run(_whole_client, content, scale)


async def _in_process(content: bytes, scale: Scale) -> list[Row]:
    times = scale.pick(3, 100, 300, 1000)
    with TemporaryDirectory() as folder:
        async with SQLiteCache(Path(folder) / "responses.db") as file:
            candidates = {"no cache": timed(_get(_server(content, "no-store"), lambda: _URL), times)}
            for name, control in _CONTROLS.items():
                candidates[name] = timed(_get(_cached(_server(content, control), MemoryCache()), lambda: _URL), times)
            numbers = iter(range(10**9))
            fresh = _cached(_server(content, _CONTROLS["hit"]), MemoryCache())
            candidates["stored"] = timed(_get(fresh, lambda: f"{_URL}?n={next(numbers)}"), times)
            on_disk = _cached(_server(content, _CONTROLS["hit"]), file)
            candidates["hit, SQLite"] = timed(_get(on_disk, lambda: _URL), times)
            candidates["stored, SQLite"] = timed(_get(on_disk, lambda: f"{_URL}?n={next(numbers)}"), times)
            found = await interleaved(candidates, scale.pick(1, 7, 15, 31))
    figures = {"hit": Figure(most=30.0)}
    return [absolute(f"in process: {name}", "µs CPU", found, name, figure=figures.get(name)) for name in candidates]


async def _whole_client(content: bytes, scale: Scale) -> list[Row]:
    times = scale.pick(2, 30, 100, 300)

    async def answer(request: httpx.Request) -> httpx.Response:
        control = _CONTROLS["validated" if request.url.path.endswith("validated") else "hit"]
        is_known = request.headers.get("if-none-match") == _FIELDS["etag"]
        headers = {**_FIELDS, "cache-control": control}
        return httpx.Response(304 if is_known else 200, headers=headers, content=b"" if is_known else content)

    transport = httpx.MockTransport(answer)
    async with (
        HalClient(_URL, transport=transport) as plain,
        HalClient(_URL, transport=transport, cache=MemoryCache()) as cached,
    ):
        gets: dict[str, Get] = {
            "no cache": lambda: plain.get(_URL),
            "hit": lambda: cached.get(_URL),
            "validated": lambda: cached.get(f"{_URL}/validated"),
        }
        found = await interleaved({name: timed(get, times) for name, get in gets.items()}, scale.pick(1, 7, 15, 31))
    what = "whole client, no network"
    return [
        absolute(f"{what}: no cache", "µs CPU", found, "no cache"),
        relative(f"{what}: hit", "µs CPU", found, "hit", "no cache", figure=Figure(most=1.0)),
        relative(f"{what}: validated", "µs CPU", found, "validated", "no cache"),
    ]


def _server(content: bytes, control: str) -> Fetch:
    headers = Headers({**_FIELDS, "cache-control": control})

    async def fetch(request: Request, /) -> Response:
        is_known = request.headers.get("If-None-Match") == _FIELDS["etag"]
        return Response(
            url=request.url,
            status=304 if is_known else 200,
            headers=headers,
            content=b"" if is_known else content,
            received_at=datetime.now(UTC),
            delay=0.0,
        )

    return fetch


def _cached(fetch: Fetch, store: CacheStore) -> CachedFetch:
    return CachedFetch(fetch, PartitionResponses(store, "alice"), Origins(_URL), utc_now)


def _get(fetch: Fetch, url: Callable[[], str]) -> Get:
    return lambda: fetch(Request(url=url(), headers=_ACCEPT))
