"""Awaitable call that is completed although its caller is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel

__all__ = ["run_to_completion"]

T = TypeVar("T")


async def run_to_completion(call: Callable[[], Awaitable[T]]) -> T:
    """Return what a call returns; when this ends, the call has ended, so that two calls never run in another order.

    The caller may be cancelled by ``task.cancel()`` or ``asyncio.timeout`` too, from which a shield alone does not
    protect. The call has to bound its own waits.

    Raises:
        Exception: what the call raises, unless the caller was cancelled meanwhile.
    """
    await anyio.lowlevel.checkpoint_if_cancelled()
    values: list[T] = []
    errors: list[Exception] = []

    async def run() -> None:
        with anyio.CancelScope(shield=True):  # bounded by the call
            try:
                values.append(await call())
            except Exception as error:  # noqa: BLE001 - raised below, outside the task group
                errors.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
    await anyio.lowlevel.checkpoint_if_cancelled()  # on trio, the group itself does not raise the cancellation
    if errors:
        raise errors.pop()
    return values[0]
