"""The limiter against a strict server: no 429, and a high utilisation of the window.

1,000 tasks send as much as they may to a server that refuses a request beyond the limit within any second. Several
servers, each with a client in a process of its own, run at a time: a limit of 100 per second leaves the machine idle.
Utilisation is the mean over all sliding windows of 10 s (or of a third of a shorter run).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import anyio
import attrs

from benchmarks.harness.optional import import_optional, is_installed
from benchmarks.harness.rounds import one_round
from benchmarks.harness.rows import Figure, Row, plain
from benchmarks.harness.scale import Scale
from benchmarks.inputs.peer_limiters import PEERS
from benchmarks.measured import package
from benchmarks.servers.strict_api import StrictFigures, read_figures, serve_strict, utilisation
from stellantis_hal import RateLimits, StellantisError, TokenBucketLimiter

__all__ = ["run"]

_TASKS = 1000
_MIN_SECONDS = 12
"""Seconds from which on the utilisation is judged: the start dominates a shorter run."""
Client = Callable[[str, int, float], Awaitable[None]]


@attrs.frozen(kw_only=True)
class _Case:
    """A run of a client against a strict server."""

    profile: str
    limit: int
    client: Client
    least: float | None


def run(scale: Scale) -> list[Row]:
    """Measure."""
    rows = _run_cases(_judged(scale), scale.pick(2, 15, 15, 30))
    if scale.is_brief:
        return rows
    return rows + _run_cases(_slow(scale), scale.pick(2, 15, 15, 30)) + _run_cases(_peers(), scale.pick(2, 10, 10, 10))


def _judged(scale: Scale) -> dict[str, _Case]:
    profiles = ("J1",) if scale.size == "tiny" else ("J1", "J2", "J3")
    return {name: _Case(profile=name, limit=100, client=_ours, least=0.97) for name in profiles}


def _slow(scale: Scale) -> dict[str, _Case]:
    slow = [("S2", 10)] if scale.size == "tiny" else [("S2", 10), ("L2", 10), ("S5", 5), ("L5", 5)]
    return {
        f"slow answers {profile}": _Case(profile=profile, limit=limit, client=_ours, least=0.88)
        for profile, limit in slow
    }


def _peers() -> dict[str, _Case]:
    return {
        f"J1, {name}": _Case(profile="J1", limit=100, client=partial(_peer, name), least=None)
        for name, (module, _) in PEERS.items()
        if is_installed(module)
    }


def _run_cases(cases: Mapping[str, _Case], seconds: float) -> list[Row]:
    # Each client is a process, so that none waits for the event loop of another; forked, it has the same package.
    with one_round(), ProcessPoolExecutor(len(cases), mp_context=get_context("fork")) as processes:
        started = {name: processes.submit(_run_case, case, seconds) for name, case in cases.items()}
        found = {name: future.result() for name, future in started.items()}
    rows: list[Row] = []
    for name, case in cases.items():
        figures = found[name]
        use = utilisation(figures.served, case.limit, min(10.0, seconds / 3), seconds)
        is_judged = case.least is not None
        least = Figure(least=case.least) if is_judged and seconds >= _MIN_SECONDS else None
        rows += [
            plain(f"strict server, {name}: utilisation", "", [use], figure=least),
            plain(f"strict server, {name}: 429s", "", [figures.refused], figure=Figure(most=0) if is_judged else None),
        ]
    return rows


def _run_case(case: _Case, seconds: float) -> StrictFigures:
    with serve_strict(case.profile, case.limit) as url:
        anyio.run(case.client, url, case.limit, seconds)
        return read_figures(url)


async def _send(get: Callable[[], Awaitable[object]], seconds: float) -> None:
    """Send GETs by many tasks for some seconds."""

    async def work() -> None:
        while True:
            try:
                await get()
            except StellantisError:
                return  # a 429 is counted by the server, and one task fewer is no loss

    async with anyio.create_task_group() as group:
        for _ in range(_TASKS):
            group.start_soon(work)
        await anyio.sleep(seconds)
        group.cancel_scope.cancel()


async def _ours(url: str, limit: int, seconds: float) -> None:
    async with package.open_fetch(url, TokenBucketLimiter(RateLimits(limit, None))) as (fetch, _):
        await _send(lambda: fetch(package.Request(url=f"{url}/thing")), seconds)


async def _peer(name: str, url: str, limit: int, seconds: float) -> None:
    aiohttp, acquire = import_optional("aiohttp"), PEERS[name][1](limit)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:

        async def get() -> None:
            await acquire()
            async with session.get(f"{url}/thing") as response:
                await response.read()

        await _send(get, seconds)
