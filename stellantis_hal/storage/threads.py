"""Function in a worker thread that is run to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

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
    await anyio.lowlevel.checkpoint_if_cancelled()
    values: list[T] = []
    errors: list[Exception] = []

    async def run() -> None:
        with anyio.CancelScope(shield=True):  # bounded by the function
            try:
                values.append(await anyio.to_thread.run_sync(function))
            except Exception as error:  # noqa: BLE001 - raised below, outside the task group
                errors.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
    await anyio.lowlevel.checkpoint_if_cancelled()  # on trio, the group itself does not raise the cancellation
    if errors:
        raise errors.pop()
    return values[0]
