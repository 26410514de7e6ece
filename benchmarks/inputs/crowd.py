"""A crowd: tasks that each send some GETs, measured from the moment that all of them have started."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio
import attrs

from benchmarks.inputs.gets import Get

__all__ = ["Turn", "crowd_cost", "run_crowd"]


@attrs.frozen(kw_only=True)
class Turn:
    """What the GETs of a crowd took.

    Attributes:
        cpu: microseconds of CPU time of a GET.
        rate: GETs per second of wall time.
    """

    cpu: float
    rate: float


async def run_crowd(get: Get, tasks: int, each: int) -> Turn:
    """Run ``tasks`` tasks that send ``each`` GETs one after the other; neither start nor end of the tasks counts."""
    begin = anyio.Event()

    async def work() -> None:
        await begin.wait()
        for _ in range(each):
            await get()

    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(work)
        await anyio.wait_all_tasks_blocked()
        used, start = time.process_time(), time.perf_counter()
        begin.set()
    spent, wall = time.process_time() - used, time.perf_counter() - start
    return Turn(cpu=spent / (tasks * each) * 1e6, rate=tasks * each / wall)


def crowd_cost(get: Get, tasks: int, each: int) -> Callable[[], Awaitable[float]]:
    """Return a candidate: microseconds of CPU time of a GET by a crowd."""

    async def measure() -> float:
        return (await run_crowd(get, tasks, each)).cpu

    return measure
