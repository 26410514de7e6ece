"""The limiter without a network: cost of a token, compared with aiolimiter and pyrate-limiter while tokens are free."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio

from benchmarks.harness.optional import is_installed
from benchmarks.harness.rounds import run_rounds
from benchmarks.harness.rows import Figure, Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.peer_limiters import PEERS
from benchmarks.measured import package
from stellantis_hal import RateLimits, TokenBucketLimiter

__all__ = ["run"]

_SLOT = "a whole slot(), free"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    turns, waiting = scale.pick(100, 20_000, 20_000, 50_000), scale.pick(100, 10_000, 10_000, 10_000)
    ours: dict[str, tuple[Callable[[], float], Figure | None]] = {
        "synchronous core, free": (partial(package.take_tokens, turns), Figure(most=3.0)),
        "synchronous core, 10,000 waiting": (partial(anyio.run, _dispatch, waiting), Figure(most=15.0)),
        _SLOT: (partial(anyio.run, _slot, turns), Figure(most=10.0)),
    }
    candidates = {name: measure for name, (measure, _) in ours.items()}
    if not scale.is_brief:
        candidates["the day's window alone"] = partial(package.take_day_tokens, turns)
        for name, (module, make) in PEERS.items():
            if is_installed(module):
                candidates[f"{name}, free"] = partial(anyio.run, _acquire, make, min(turns, 5_000))
    found = run_rounds(candidates, scale.pick(1, 5, 5, 9))
    unit = "µs CPU"
    rows = [absolute(f"limiter, {name}", unit, found, name, figure=figure) for name, (_, figure) in ours.items()]
    return rows + [relative(f"limiter, {name}", unit, found, name, _SLOT) for name in candidates if name not in ours]


async def _slot(turns: int) -> float:
    """Return the CPU time of a whole ``slot()``, with response headers, in microseconds."""
    limiter = TokenBucketLimiter(RateLimits(1_000_000, 100_000_000))
    day, burst = package.ReportedWindow(100_000_000, 50_000_000), package.ReportedWindow(1_000_000, 900_000)
    quota = package.ReportedQuota(day=day, burst=burst)
    start = time.process_time()
    for _ in range(turns):
        async with limiter.slot() as granted:
            granted.sent()
            granted.answered(quota)
    return (time.process_time() - start) / turns * 1e6


async def _dispatch(waiting: int) -> float:
    """Return the CPU time of a token to let waiting tasks go, in microseconds."""
    limiter = TokenBucketLimiter(RateLimits(waiting * 2, None))

    async def wait() -> None:
        async with limiter.slot(max_wait=1e6) as granted:
            granted.sent()
            granted.answered()

    limiter.pause(3600.0)
    async with anyio.create_task_group() as group:
        for _ in range(waiting):
            group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        spent: float = package.dispatch_all(limiter)
    return spent / waiting * 1e6


async def _acquire(make: Callable[[int], Callable[[], Awaitable[Any]]], turns: int) -> float:
    """Return the CPU time of a token of a peer, in microseconds."""
    acquire = make(1_000_000)
    await acquire()
    start = time.process_time()
    for _ in range(turns):
        await acquire()
    return (time.process_time() - start) / turns * 1e6
