"""Requests while the limit binds: 200 tasks wait for 300 tokens a second, compared with the same tasks unlimited.

The server refuses nothing, so the row is what waiting costs: the CPU time of each GET while most tasks wait.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio

from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.crowd import crowd_cost
from benchmarks.measured.clients import open_account
from benchmarks.servers.simulated_api import SimulatedApi, serve_api
from stellantis_hal import RateLimits

__all__ = ["run"]

_LIMIT = 300


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api() as api:
        return anyio.run(_measure, api, scale)


async def _measure(api: SimulatedApi, scale: Scale) -> list[Row]:
    tasks, url = scale.pick(10, 200, 200, 200), f"{api.url}/user"
    each = scale.pick(2, 3, 3, 6)
    async with AsyncExitStack() as stack:
        limited = await stack.enter_async_context(open_account(api, rate_limits=RateLimits(_LIMIT, None)))
        free = await stack.enter_async_context(open_account(api))
        candidates = {
            "limit binds": crowd_cost(lambda: limited.get(url), tasks, each),
            "unlimited": crowd_cost(lambda: free.get(url), tasks, each),
        }
        found = await interleaved(candidates, scale.pick(1, 3, 5, 9))
    what = f"GET, {tasks} tasks, {_LIMIT} per second"
    return [
        relative(what, "µs CPU", found, "limit binds", "unlimited"),
        absolute(f"{what}, calibrated", "µs CPU", found, "limit binds"),
    ]
