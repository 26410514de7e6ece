"""A GET through the whole client on trio, compared with ``httpx.AsyncClient`` on trio.

aiohttp needs asyncio, so the client uses httpcore here, as the reference does.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio

from benchmarks.harness.optional import import_optional, is_installed
from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.crowd import crowd_cost
from benchmarks.inputs.gets import HTTPX, OURS, open_httpx, open_ours
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["run"]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    if not is_installed("trio"):
        return []
    with serve_api() as api:
        return anyio.run(_measure, api, scale, backend="trio")


async def _measure(api: SimulatedApi, scale: Scale) -> list[Row]:
    rows: list[Row] = []
    for tasks in (1, scale.pick(2, 100, 100, 100)):
        async with AsyncExitStack() as stack:
            loads = import_optional("orjson").loads
            gets = {OURS: await open_ours(stack, api, "/user"), HTTPX: await open_httpx(stack, api, "/user", loads)}
            each = max(1, scale.pick(2, 100, 200, 600) // tasks)
            candidates = {name: crowd_cost(get, tasks, each) for name, get in gets.items()}
            found = await interleaved(candidates, scale.pick(1, 3, 5, 9))
        what = f"GET, {tasks} task{'s' if tasks > 1 else ''}, trio: {OURS}"
        rows += [
            relative(what, "µs CPU", found, OURS, HTTPX),
            absolute(f"{what}, calibrated", "µs CPU", found, OURS),
        ]
    return rows
