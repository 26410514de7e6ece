"""A GET of a page that the server compresses, compared with bare aiohttp, which decompresses it too."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio

from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.crowd import crowd_cost
from benchmarks.inputs.gets import BARE, OURS, open_bare, open_ours
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["run"]

_TASKS = 10


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api(trips=60, gzip=True) as api:
        return anyio.run(_measure, api, scale)


async def _measure(api: SimulatedApi, scale: Scale) -> list[Row]:
    each, path = scale.pick(1, 20, 30, 100), f"/user/vehicles/{api.vehicle}/trips?pageSize=60"
    async with AsyncExitStack() as stack:
        gets = {OURS: await open_ours(stack, api, path), BARE: await open_bare(stack, api, path)}
        found = await interleaved(
            {name: crowd_cost(get, _TASKS, each) for name, get in gets.items()}, scale.pick(1, 3, 5, 9)
        )
    case = f"GET of a page of 60 trips, gzip, {_TASKS} tasks: {OURS}"
    return [
        relative(case, "µs CPU", found, OURS, BARE),
        absolute(f"{case}, calibrated", "µs CPU", found, OURS),
    ]
