"""How long a GET takes from its call to its resource: median, and the one in a hundred that takes longest.

Ten tasks send one GET after the other; bare aiohttp does the same in the same rounds. It is wall time, so a busy
machine shows in both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import anyio

from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Row, ratios
from benchmarks.harness.scale import Scale
from benchmarks.inputs.gets import BARE, OURS, Get, open_bare, open_ours
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["run"]

_TASKS = 10


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api() as api:
        return anyio.run(_measure, api, scale)


async def _measure(api: SimulatedApi, scale: Scale) -> list[Row]:
    times = scale.pick(2, 30, 100, 300)
    found: dict[str, list[list[float]]] = {OURS: [], BARE: []}
    async with AsyncExitStack() as stack:
        gets = {OURS: await open_ours(stack, api, "/user"), BARE: await open_bare(stack, api, "/user")}
        candidates = {name: _turn(get, times, found[name]) for name, get in gets.items()}
        await interleaved(candidates, scale.pick(2, 5, 7, 15))
    rows: list[Row] = []
    for label, share in (("median", 50), ("p99", 99)):
        ours, bare = ([_percentile(turn, share) for turn in found[name][1:]] for name in (OURS, BARE))
        what = f"GET, {_TASKS} tasks, {label}"
        rows += [
            Row(what=f"{what}: {OURS}", unit="ms", values=tuple(ours), ratios=ratios(ours, bare), against=BARE),
            Row(what=f"{what}: {BARE}", unit="ms", values=tuple(bare)),
        ]
    return rows


def _percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def _turn(get: Get, times: int, found: list[list[float]]) -> Callable[[], Awaitable[float]]:
    async def measure() -> float:
        taken: list[float] = []

        async def work() -> None:
            for _ in range(times):
                start = time.perf_counter()
                await get()
                taken.append((time.perf_counter() - start) * 1e3)

        async with anyio.create_task_group() as group:
            for _ in range(_TASKS):
                group.start_soon(work)
        found.append(taken)
        return statistics.median(taken)

    return measure
