"""Calls that run to their end although their caller is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel

from stellantis_hal.errors import NetworkError, StellantisError

__all__ = ["run_shielded"]

T = TypeVar("T")


async def run_shielded(call: Callable[[], Awaitable[T]], *, timeout: float) -> T:
    """Run ``call`` to its end, and raise a cancellation of the caller afterwards.

    It runs in a task of its own, because a shield alone does not keep out ``cancel()`` of an asyncio task (and so
    ``asyncio.timeout``). Where both happen, the cancellation wins over the error of the call.

    Args:
        call: what to run.
        timeout: seconds after which it is cancelled all the same.

    Raises:
        NetworkError: it took longer than ``timeout``.
    """
    values: list[T] = []
    errors: list[StellantisError] = []

    async def run() -> None:
        try:
            with anyio.fail_after(timeout, shield=True):
                values.append(await call())
        except TimeoutError:
            errors.append(
                NetworkError(
                    f"the identity server, or the token store after it, took longer than {timeout:g} s", sent=True
                )
            )
        except StellantisError as error:
            errors.append(error)

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
    except ExceptionGroup as group:
        error = group.exceptions[0]  # of a user's store or Fetch: one task, so one exception
        raise error from error.__cause__
    await anyio.lowlevel.checkpoint_if_cancelled()  # the group itself does not raise it on trio
    if errors:
        raise errors[0]
    return values[0]
