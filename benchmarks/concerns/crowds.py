"""The same GET by 100, 500 and 5,000 tasks: as many GETs for each task of every crowd, their start not counted.

The speed of a crowd is that of the client's CPU: the connections are 100 for all of them, so a task more costs what
waiting costs, and what the memory of more tasks costs the processor's caches. Bare aiohttp, whose connector has as many
connections, shows how much of it any client pays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import anyio

from benchmarks.harness.rounds import Samples, interleaved
from benchmarks.harness.rows import Figure, Row, plain, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.crowd import run_crowd
from benchmarks.inputs.gets import BARE, OURS, Get, open_bare, open_ours
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["run"]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api() as api:
        return anyio.run(_measure, api, scale)


async def _measure(api: SimulatedApi, scale: Scale) -> list[Row]:
    crowds = (2, 4, 6) if scale.size == "tiny" else (100, 500, 5_000)
    each, rates = scale.pick(1, 2, 3, 4), dict[str, list[float]]()
    async with AsyncExitStack() as stack:
        gets = {OURS: await open_ours(stack, api, "/user"), BARE: await open_bare(stack, api, "/user")}
        candidates = {
            f"{name}, {tasks:,} tasks": _turn(get, tasks, each, rates.setdefault(f"{name}, {tasks:,} tasks", []))
            for name, get in gets.items()
            for tasks in crowds
        }
        found = await interleaved(candidates, scale.pick(1, 3, 5, 9))
    rows = _rows(OURS, found, crowds, judged=True) + _rows(BARE, found, crowds, judged=False)
    if not scale.is_brief:
        rows += [plain(f"{name}: of wall time", "GET/s", values[1:]) for name, values in rates.items()]
    return rows


def _turn(get: Get, tasks: int, each: int, rates: list[float]) -> Callable[[], Awaitable[float]]:
    # Few tasks repeat their turn, so that each crowd is measured for a while; what a turn takes is not changed by it.
    repeats = max(1, 900 // (tasks * each)) if tasks > 50 else 1

    async def measure() -> float:
        turns = [await run_crowd(get, tasks, each) for _ in range(repeats)]
        rates.append(sum(turn.rate for turn in turns) / repeats)
        return sum(turn.cpu for turn in turns) / repeats

    return measure


def _rows(name: str, found: Samples, crowds: tuple[int, int, int], *, judged: bool) -> list[Row]:
    few, more, most = (f"{name}, {tasks:,} tasks" for tasks in crowds)
    first = [] if judged else [plain(few, "µs CPU", found[few])]
    figures = (Figure(least=0.97), Figure(least=0.9)) if judged else (None, None)
    floor = Figure(least=0.9) if judged else None
    return [
        *first,
        relative(f"{more}: speed", "µs CPU", found, more, few, inverse=True, figure=figures[0], floor=floor),
        relative(f"{most}: speed", "µs CPU", found, most, few, inverse=True, figure=figures[1]),
    ]
