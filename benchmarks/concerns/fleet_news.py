"""A poll with news beside a poll without, in one watch of 500 vehicles.

With news each status of the server has new instants, charge, range, mileage, speed and place, as that of a driving car.
So the watch reads and compares every body, and gives an update of every poll. A bare loop over the same changing bodies
reads all of them, too, and compares nothing.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Figure, Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.poll_loop import bare_loop
from benchmarks.measured.clients import open_client
from benchmarks.servers.simulated_api import SimulatedApi, serve_api
from stellantis_hal import Watch, watch

__all__ = ["run"]

_SETTLE = 300.0
"""Seconds at most until each vehicle was polled once: a busy machine needs a multiple of the usual second."""
_NEWS, _SLEEPING, _LOOP = "with news", "a poll without news", "a turn of a bare loop with news"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    vehicles = scale.pick(10, 500, 500, 500)
    with serve_api(accounts=max(1, vehicles // 20), vehicles=vehicles, trips=vehicles) as api:
        return anyio.run(_measure, api, vehicles, scale)


async def _measure(api: SimulatedApi, vehicles: int, scale: Scale) -> list[Row]:
    seconds = 0.3 if scale.size == "tiny" else scale.pick(1, 1, 2, 4)
    async with open_client(api) as (_, accounts):

        async def looped() -> float:
            await anyio.to_thread.run_sync(api.set_news, True)
            count, spent = await bare_loop(accounts, seconds)
            return spent / count * 1e6

        async def watched(has_news: bool) -> float:
            await anyio.to_thread.run_sync(api.set_news, has_news)
            async with watch(accounts, every=None, what="status", adapt=None, concurrency=64) as updates:
                until = time.monotonic() + _SETTLE
                while updates.statistics.updates < vehicles and time.monotonic() < until:  # a first poll is an update
                    await _consume(updates, 0.1)
                before, used = updates.statistics.polls, time.process_time()
                await _consume(updates, seconds)
                return (time.process_time() - used) / (updates.statistics.polls - before) * 1e6

        candidates: dict[str, Callable[[], Awaitable[float]]] = {
            _SLEEPING: lambda: watched(False),
            _NEWS: lambda: watched(True),
        }
        if not scale.is_brief:
            candidates[_LOOP] = looped
        found = await interleaved(candidates, scale.pick(1, 5, 5, 9))
    what = f"{vehicles} vehicles: a poll {_NEWS}"
    rows = [relative(what, "µs CPU", found, _NEWS, _SLEEPING, figure=Figure(most=3.0))]
    if scale.is_brief:
        return rows
    return [
        *rows,
        relative(f"{what}, beside a loop", "µs CPU", found, _NEWS, _LOOP),
        absolute(f"{what}, calibrated", "µs CPU", found, _NEWS),
    ]


async def _consume(updates: Watch, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        async for _ in updates:
            pass
