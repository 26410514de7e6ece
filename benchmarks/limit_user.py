"""One process that sends as much as it may by a limit that processes share: a part of ``benchmarks.shared_limiter``."""

from __future__ import annotations

import argparse
import json
import time

import anyio

from stellantis_hal import (
    HalClient,
    RateLimiter,
    RateLimits,
    RedisLimiter,
    SQLiteLimiter,
    StellantisError,
    TokenBucketLimiter,
)

__all__: list[str] = []


def _make_limiter(ledger: str, place: str, processes: int, limits: RateLimits) -> RateLimiter:
    """Return the limiter of a process."""
    if ledger == "redis":
        return RedisLimiter(place, "benchmark", limits, processes=processes)
    if ledger == "sqlite":
        return SQLiteLimiter(place, "benchmark", limits, processes=processes)
    return TokenBucketLimiter(limits)


async def _work(options: argparse.Namespace) -> None:
    """Send requests until the time is over; print what happened."""
    limits = RateLimits(options.limit, options.per_day)
    limiter = _make_limiter(options.ledger, options.place, options.processes, limits)
    errors: list[str] = []
    answers = 0
    async with limiter, HalClient(options.url, limiter=limiter, max_wait=30.0) as client:

        async def ask(pause: float) -> None:
            nonlocal answers
            while True:
                try:
                    await client.get(f"{options.url}/thing")
                    answers += 1
                except StellantisError as error:
                    errors.append(f"{type(error).__name__}: {error}")
                    await anyio.sleep(0.5)
                await anyio.sleep(pause)

        started = time.process_time()
        async with anyio.create_task_group() as group:
            for _ in range(options.tasks):
                group.start_soon(ask, options.pause)
            await anyio.sleep(options.seconds)
            group.cancel_scope.cancel()
        used = time.process_time() - started
    print(json.dumps({"answers": answers, "errors": errors[:3], "error_count": len(errors), "cpu": used}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, kind in (
        ("url", str),
        ("ledger", str),
        ("place", str),
        ("processes", int),
        ("seconds", float),
        ("limit", int),
        ("per-day", int),
        ("tasks", int),
        ("pause", float),
    ):
        parser.add_argument(f"--{name}", type=kind)
    anyio.run(_work, parser.parse_args())
