"""Function in a worker thread that is run to its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio.to_thread

from stellantis_hal.storage.run_to_completion import run_to_completion

__all__ = ["run_to_end"]

T = TypeVar("T")


async def run_to_end(function: Callable[[], T]) -> T:
    """Return what the function returns, called in a worker thread; when this ends, the thread has ended its call.

    So two calls made one after the other never run in another order. A cancelled caller waits for the thread, also one
    that is cancelled by ``task.cancel()`` or ``asyncio.timeout``, from which a shield alone does not protect: the
    thread would go on, and replace what a later call had written. The function has to bound its own waits.

    Raises:
        Exception: what the function raises, unless the caller was cancelled meanwhile.
    """
    return await run_to_completion(partial(anyio.to_thread.run_sync, function))
