"""An act that, once begun, is finished although its caller is cancelled.

Knows tasks and cancellation. Must not know what the act is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel

from stellantis_hal.errors import NetworkError, StellantisError

__all__ = ["shielded"]

T = TypeVar("T")


async def shielded(act: Callable[[], Awaitable[T]], *, within: float) -> T:
    """Carry out ``act`` to its end; a cancellation is heeded afterwards.

    It runs in a task of its own, for a shield alone does not keep an asyncio task's ``cancel()`` (and so
    ``asyncio.timeout``) away. Where both happen, the cancellation wins over the act's error.

    Args:
        act: what to do.
        within: seconds after which it is cancelled all the same.

    Raises:
        NetworkError: it was not done in time.
    """
    values: list[T] = []
    errors: list[StellantisError] = []

    async def carry_out() -> None:
        try:
            with anyio.fail_after(within, shield=True):
                values.append(await act())
        except TimeoutError:
            errors.append(
                NetworkError(
                    f"the identity server, or the token store after it, took longer than {within:g} s", sent=True
                )
            )
        except StellantisError as error:
            errors.append(error)

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(carry_out)
    except ExceptionGroup as group:
        foreign = group.exceptions[0]  # of a store or a Fetch that is not ours: one task, one exception
        raise foreign from foreign.__cause__
    await anyio.lowlevel.checkpoint_if_cancelled()  # trio's group would end in silence
    if errors:
        raise errors[0]
    return values[0]
