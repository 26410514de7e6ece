"""The same GET by 100, 500 and 5,000 tasks: as many GETs for each task of every crowd, their start not counted.

The speed of a crowd is that of the client's CPU: the connections are 100 for all of them, so a task more costs what
waiting costs, and what the memory of more tasks costs the processor's caches. Bare aiohttp, whose connector has as many
connections, shows how much of it any client pays. Each turn has thousands of GETs, so that a small crowd, too, pays for
its full garbage collections, which are few and long.

Without ``--brief`` a crowd of 500 has 500 connections as well, which is the client's default with such a limit: each
request under way is some 70 objects, which Python's garbage collector visits again and again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import anyio

from benchmarks.harness.rounds import Samples, interleaved
from benchmarks.harness.rows import Figure, Row, plain, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.crowd import run_crowd
from benchmarks.inputs.gets import BARE, CONNECTIONS, OURS, Get, open_bare, open_ours
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["run"]

_GETS = 6_000
"""Of a turn, at least."""
_MANY_CONNECTIONS = 500


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api() as api:
        return anyio.run(_measure, api, scale)


async def _measure(api: SimulatedApi, scale: Scale) -> list[Row]:
    crowds = (2, 4, 6) if scale.size == "tiny" else (100, 500, 5_000)
    each, rates = scale.pick(1, 2, 3, 4), dict[str, list[float]]()
    candidates = dict[str, Callable[[], Awaitable[float]]]()

    def add(name: str, get: Get, tasks: int) -> None:
        candidates[name] = _turn(get, tasks, each, rates.setdefault(name, []))

    async with AsyncExitStack() as stack:
        for client, open_client in ((OURS, open_ours), (BARE, open_bare)):
            get = await open_client(stack, api, "/user", connections=CONNECTIONS)
            for tasks in crowds:
                add(_name(client, tasks), get, tasks)
            if not scale.is_brief:
                get = await open_client(stack, api, "/user", connections=_MANY_CONNECTIONS)
                add(_name(client, crowds[1], _MANY_CONNECTIONS), get, crowds[1])
        found = await interleaved(candidates, scale.pick(1, 3, 5, 9))
    rows = _rows(OURS, found, crowds, judged=True) + _rows(BARE, found, crowds, judged=False)
    if not scale.is_brief:
        for client in (OURS, BARE):
            many, few = _name(client, crowds[1], _MANY_CONNECTIONS), _name(client, crowds[0])
            rows.append(relative(f"{many}: speed", "µs CPU", found, many, few, inverse=True))
        rows += [plain(f"{name}: of wall time", "GET/s", values[1:]) for name, values in rates.items()]
    return rows


def _name(client: str, tasks: int, connections: int = CONNECTIONS) -> str:
    name = f"{client}, {tasks:,} tasks"
    return name if connections == CONNECTIONS else f"{name}, {connections} connections"


def _turn(get: Get, tasks: int, each: int, rates: list[float]) -> Callable[[], Awaitable[float]]:
    # Few tasks repeat their turn, so that each crowd is measured for a while; what a turn takes is not changed by it.
    repeats = max(1, _GETS // (tasks * each)) if tasks > 50 else 1

    async def measure() -> float:
        turns = [await run_crowd(get, tasks, each) for _ in range(repeats)]
        rates.append(sum(turn.rate for turn in turns) / repeats)
        return sum(turn.cpu for turn in turns) / repeats

    return measure


def _rows(name: str, found: Samples, crowds: tuple[int, int, int], *, judged: bool) -> list[Row]:
    few, more, most = (_name(name, tasks) for tasks in crowds)
    first = [] if judged else [plain(few, "µs CPU", found[few])]
    figures = (Figure(least=0.97), Figure(least=0.9)) if judged else (None, None)
    floor = Figure(least=0.9) if judged else None
    return [
        *first,
        relative(f"{more}: speed", "µs CPU", found, more, few, inverse=True, figure=figures[0], floor=floor),
        relative(f"{most}: speed", "µs CPU", found, most, few, inverse=True, figure=figures[1]),
    ]
