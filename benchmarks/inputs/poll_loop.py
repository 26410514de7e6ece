"""A bare loop that polls vehicles, without the layers of a watch."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import anyio

from stellantis_hal import Account

__all__ = ["bare_loop"]


async def bare_loop(accounts: Sequence[Account], seconds: float) -> tuple[int, float]:
    """Poll without the fleet's layers; return polls and CPU seconds."""
    vehicles = [vehicle for account in accounts for vehicle in await account.vehicles().collect()]
    turns = itertools.cycle(vehicles)
    polls = 0
    cpu = time.process_time()

    async def work() -> None:
        nonlocal polls
        while time.monotonic() < until:
            await next(turns).status()
            polls += 1

    until = time.monotonic() + seconds
    async with anyio.create_task_group() as tasks:
        for _ in range(64):
            tasks.start_soon(work)
    return polls, time.process_time() - cpu
