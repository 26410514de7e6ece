"""(g) A fleet of 10,000 vehicles: CPU time of a poll compared with a bare loop, and memory per vehicle.

The watch polls as fast as it can, within limits that have capacity to spare; the loop awaits ``vehicle.status()`` in
64 tasks over the same session. Both are those of ``benchmarks/fleet_wire.py``; the server runs in its own process.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import anyio

from benchmarks import fleet_wire
from benchmarks.measuring import Figure, Row, Scale, row
from benchmarks.simulated_server import open_client, serve_in_process
from stellantis_hal.client.account import Account
from stellantis_hal.fleet import watch
from stellantis_hal.fleet.watching.intervals import by_activity
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["run"]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    vehicles = scale.pick(20, 1_000, 10_000, 10_000)
    with serve_in_process(accounts=max(1, vehicles // 20), vehicles=vehicles, trips=vehicles) as server:

        async def measure() -> list[Row]:
            async with open_client(server) as (_, accounts):
                return await _measure(accounts, vehicles, scale)

        return anyio.run(measure)


async def _measure(accounts: list[Account], vehicles: int, scale: Scale) -> list[Row]:
    seconds = scale.pick(1, 3, 5, 10) / (4 if scale.size == "tiny" else 1)
    loops: list[float] = []
    polls: list[float] = []
    unadapted: list[float] = []
    held: list[float] = []
    # The loop runs first, long enough for the server to have a copy of every response.
    await fleet_wire.bare_loop(accounts, 0.2 if scale.size == "tiny" else max(2.0, vehicles / 1500))
    for _ in range(scale.pick(1, 1, 3, 5)):
        count, spent = await fleet_wire.bare_loop(accounts, seconds)
        loops.append(spent / count * 1e6)
        gc.collect()
        before = fleet_wire.resident_memory()
        used, memory = await _measure_watch(accounts, vehicles, seconds, adapt=by_activity)
        polls.append(used)
        held.append((memory - before) / vehicles * 1024)
        used, _ = await _measure_watch(accounts, vehicles, seconds, adapt=None)
        unadapted.append(used)
    return [
        row(
            "g",
            f"{vehicles:,} vehicles: a poll",
            "µs CPU",
            polls,
            against=("bare loop", loops),
            figure=Figure(most=1.2),
        ),
        row(
            "g",
            f"{vehicles:,} vehicles: a poll, at even intervals",
            "µs CPU",
            unadapted,
            against=("bare loop", loops),
        ),
        row("g", f"{vehicles:,} vehicles: a bare loop's turn", "µs CPU", loops),
        row("g", f"{vehicles:,} vehicles: memory of one, watched (resident, first)", "KiB", held[:1]),
    ]


async def _measure_watch(
    accounts: list[Account], vehicles: int, seconds: float, *, adapt: Callable[[Vehicle, Status], float] | None
) -> tuple[float, float]:
    """Return CPU microseconds per poll, after a first poll of every vehicle, and the memory in MiB."""
    async with watch(accounts, every=None, what="status", adapt=adapt, concurrency=64) as updates:
        until = time.monotonic() + 60.0
        while (
            updates.statistics.updates < vehicles and time.monotonic() < until
        ):  # the first poll of a vehicle is an update
            with anyio.move_on_after(0.1):
                async for _ in updates:
                    pass
        before, used = updates.statistics.polls, time.process_time()
        with anyio.move_on_after(seconds):
            async for _ in updates:
                pass
        spent, count = time.process_time() - used, updates.statistics.polls - before
        gc.collect()
        return spent / count * 1e6, fleet_wire.resident_memory()
