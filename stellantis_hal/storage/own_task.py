"""Context manager that is held in a task of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import anyio

__all__ = ["held_in_own_task"]

T = TypeVar("T")


@asynccontextmanager
async def held_in_own_task(manager: AbstractAsyncContextManager[T]) -> AsyncGenerator[T]:
    """Enter a context manager in a task of its own, which a cancellation of the caller does not reach; leave it there.

    Tasks that it starts belong to the scope in which it is entered. In the caller's scope a cancellation would end them
    at once, and what the caller has yet to write would not be written.
    """
    values: list[T] = []
    entered, leaving = anyio.Event(), anyio.Event()

    async def hold() -> None:
        with anyio.CancelScope(shield=True):  # until the caller leaves
            async with manager as value:
                values.append(value)
                entered.set()
                await leaving.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold)
        try:
            await entered.wait()
            yield values[0]
        finally:
            leaving.set()
