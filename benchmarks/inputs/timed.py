"""CPU time of an awaited call."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

__all__ = ["timed"]


def timed(call: Callable[[], Awaitable[object]], times: int) -> Callable[[], Awaitable[float]]:
    """Return a candidate: microseconds of CPU time of a call, the mean of some one after the other."""

    async def measure() -> float:
        start = time.process_time()
        for _ in range(times):
            await call()
        return (time.process_time() - start) / times * 1e6

    return measure
