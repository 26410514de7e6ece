"""A GET over a transport in memory: what the layers of this package cost without an HTTP library, on both event loops.

The transport alone, which makes an ``httpx.Response``, is measured in the same rounds and subtracted. The target is
relative to commit e0f4d8e: without ``--against`` of a checkout of it, to what that tree took on the machine of the
targets, by the calibration loop.
"""

from __future__ import annotations

import anyio
import attrs
import httpx

from benchmarks.harness.optional import is_installed
from benchmarks.harness.rounds import Samples, interleaved
from benchmarks.harness.rows import Figure, Row, absolute
from benchmarks.harness.scale import Scale
from benchmarks.inputs.timed import timed
from benchmarks.measured.clients import open_account
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["TODAY", "run"]

TODAY = {"asyncio": 76.0, "trio": 88.0}
"""Microseconds of a GET in the own layers of commit e0f4d8e, calibrated."""
SHARE = 0.77
_FIELDS = {"content-type": "application/hal+json", "x-ratelimit-remaining-2": "99"}


class _Memory(httpx.AsyncBaseTransport):
    """A transport that returns the same body each time."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=_FIELDS, content=self._content, request=request)


def run(scale: Scale) -> list[Row]:
    """Measure."""
    rows: list[Row] = []
    with serve_api() as api:
        content = api.body("/user")
        for backend in TODAY:
            if is_installed(backend):
                found = anyio.run(_measure, api, content, scale, backend=backend)
                rows += _rows(backend, found)
    return rows


async def _measure(api: SimulatedApi, content: bytes, scale: Scale) -> Samples:
    transport, times = _Memory(content), scale.pick(2, 400, 600, 2000)
    url, full, fields = f"{api.url}/user", api.full("/user"), api.fields
    async with open_account(api, transport=transport) as account:

        async def alone() -> object:
            response = await transport.handle_async_request(httpx.Request("GET", full, headers=fields))
            return await response.aread()

        candidates = {"whole": timed(lambda: account.get(url), times), "transport": timed(alone, times)}
        return await interleaved(candidates, scale.pick(1, 9, 11, 21))


def _rows(backend: str, found: Samples) -> list[Row]:
    own = [whole - transport for whole, transport in zip(found["whole"], found["transport"], strict=True)]
    figure = Figure(most=round(SHARE * TODAY[backend], 1))
    row = absolute(f"GET, own layers, {backend}", "µs CPU", {**found, "own": own}, "own", figure=figure)
    return [attrs.evolve(row, change=Figure(most=SHARE))]
