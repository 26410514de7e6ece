"""Cost of the limiter without a network: ``python benchmarks/limiter_core.py [--rounds 5]``.

Prints medians in microseconds: the synchronous core per token (taken and answered) while tokens are free, the same
while 10,000 tasks wait, a whole ``slot()`` while tokens are free, and a token of the day window alone.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import anyio

from stellantis_hal.transport.rate_limit.ledger import QuotaLedger
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota, Window
from stellantis_hal.transport.rate_limit.windows import DayWindow

TURNS = 20_000
WAITING = 10_000


def core() -> float:
    """Return the time to take and account for a token of both windows, in microseconds."""
    ledger = QuotaLedger(RateLimits(1_000_000, 100_000_000), interactive_share=0.1)
    start = time.perf_counter()
    for turn in range(TURNS):
        now = turn * 0.001
        ledger.advance(now)
        minute = ledger.take(now, background=False)
        sending = ledger.sent(now)
        ledger.advance(now)
        ledger.answered(now, minute, 0.01, sending)
    return (time.perf_counter() - start) / TURNS * 1e6


def day() -> float:
    """Return the time to take a token of the day window, in microseconds."""
    window = DayWindow(100_000_000)
    start = time.perf_counter()
    for turn in range(TURNS):
        window.advance(turn * 0.01)
        if window.available() >= 1:
            window.take()
    return (time.perf_counter() - start) / TURNS * 1e6


async def slot() -> float:
    """Return the time of a whole ``slot()``, with response headers, in microseconds."""
    limiter = TokenBucketLimiter(RateLimits(1_000_000, 100_000_000))
    quota = Quota(day=Window(100_000_000, 50_000_000), burst=Window(1_000_000, 900_000))
    start = time.perf_counter()
    for _ in range(TURNS):
        async with limiter.slot() as granted:
            granted.sent()
            granted.answered(quota)
    return (time.perf_counter() - start) / TURNS * 1e6


async def dispatch_waiting() -> float:
    """Return the time per token to dispatch 10,000 waiting tasks, in microseconds."""
    limiter = TokenBucketLimiter(RateLimits(WAITING * 2, None))
    spent = 0.0

    async def wait() -> None:
        async with limiter.slot(max_wait=1e6) as granted:
            granted.sent()
            granted.answered()

    limiter.pause(3600.0)
    async with anyio.create_task_group() as group:
        for _ in range(WAITING):
            group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        limiter._ledger.paused_until = 0.0
        now = limiter._queue.advance()
        start = time.perf_counter()
        limiter._queue._dispatch(now)
        spent = time.perf_counter() - start
    return spent / WAITING * 1e6


def median(rounds: int, measure: Callable[[], float]) -> float:
    """Return the median of some rounds."""
    return statistics.median(measure() for _ in range(rounds))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"core, free:              {median(rounds, core):6.2f} us per token")
    print(f"core, {WAITING:,} waiting:   {median(rounds, lambda: anyio.run(dispatch_waiting)):6.2f} us per token")
    print(f"whole slot(), free:      {median(rounds, lambda: anyio.run(slot)):6.2f} us")
    print(f"day window alone:        {median(rounds, day):6.2f} us per token")


if __name__ == "__main__":
    main()
