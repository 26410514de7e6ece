"""A sleeping fleet of 10,000 vehicles: CPU time of a poll compared with a bare loop, and memory per vehicle.

The watch polls as fast as it can, within limits that have capacity to spare; the loop awaits ``vehicle.status()`` in
64 tasks over the same client. The server's bytes stay the same, so a watch reads nothing where the loop reads all: a
flattering reference. A poll with news is in ``fleet_news``.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import anyio

from benchmarks.harness.resident import resident_memory
from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Figure, Row, absolute, plain, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.poll_loop import bare_loop
from benchmarks.measured.clients import open_client
from benchmarks.servers.simulated_api import serve_api
from stellantis_hal import Account, by_activity, watch

__all__ = ["run"]

_SETTLE = 300.0
"""Seconds at most until each vehicle was polled once: a busy machine needs a multiple of the usual ten."""
_POLL, _EVEN, _LOOP = "a poll", "a poll, at even intervals", "a turn of a bare loop"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    vehicles = scale.pick(20, 10_000, 10_000, 10_000)
    with serve_api(accounts=max(1, vehicles // 20), vehicles=vehicles, trips=vehicles) as api:

        async def measure() -> list[Row]:
            async with open_client(api) as (_, accounts):
                return await _measure(accounts, vehicles, scale)

        return anyio.run(measure)


async def _measure(accounts: Sequence[Account], vehicles: int, scale: Scale) -> list[Row]:
    seconds = 0.25 if scale.size == "tiny" else scale.pick(1, 3, 5, 10)
    held: list[float] = []
    # The loop runs first, long enough for the server to have a copy of every response.
    await bare_loop(accounts, 0.2 if scale.size == "tiny" else max(2.0, vehicles / 1500))

    async def watched(adapt: Callable[[Any, Any], float] | None) -> float:
        gc.collect()
        before = resident_memory()
        used, memory = await _watch(accounts, vehicles, seconds, adapt=adapt)
        held.append((memory - before) / vehicles * 1024)
        return used

    async def looped() -> float:
        count, spent = await bare_loop(accounts, seconds)
        return spent / count * 1e6

    candidates = {_LOOP: looped, _POLL: lambda: watched(by_activity), _EVEN: lambda: watched(None)}
    if scale.is_brief:
        del candidates[_EVEN]
    found = await interleaved(candidates, scale.pick(1, 2, 3, 5), warm_up=False)
    what = f"{vehicles:,} sleeping vehicles"
    rows = [relative(f"{what}: {_POLL}", "µs CPU", found, _POLL, _LOOP, figure=Figure(most=1.2))]
    if scale.is_brief:
        return rows
    return [
        *rows,
        relative(f"{what}: {_EVEN}", "µs CPU", found, _EVEN, _LOOP),
        absolute(f"{what}: {_POLL}, calibrated", "µs CPU", found, _POLL),
        plain(f"{what}: memory of one, watched (resident, first)", "KiB", held[:1]),
    ]


async def _watch(
    accounts: Sequence[Account], vehicles: int, seconds: float, *, adapt: Callable[[Any, Any], float] | None
) -> tuple[float, float]:
    """Return CPU microseconds per poll, after a first poll of every vehicle, and the memory in MiB."""
    async with watch(accounts, every=None, what="status", adapt=adapt, concurrency=64) as updates:
        until = time.monotonic() + _SETTLE
        while updates.statistics.updates < vehicles and time.monotonic() < until:  # a first poll is an update
            with anyio.move_on_after(0.1):
                async for _ in updates:
                    pass
        before, used = updates.statistics.polls, time.process_time()
        with anyio.move_on_after(seconds):
            async for _ in updates:
                pass
        spent, count = time.process_time() - used, updates.statistics.polls - before
        gc.collect()
        return spent / count * 1e6, resident_memory()
