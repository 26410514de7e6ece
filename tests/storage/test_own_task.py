"""Context managers that are held in a task of their own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from stellantis_hal.storage.own_task import held_in_own_task

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def _answering(events: list[str]) -> AsyncGenerator[anyio.Event]:
    """Answer by a task, as the connections of a client do."""
    question = anyio.Event()

    async def answer() -> None:
        await question.wait()
        events.append("answered")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        yield question
    events.append("left")


async def test_a_cancellation_does_not_reach_its_tasks() -> None:
    events: list[str] = []
    with anyio.CancelScope() as scope:
        async with held_in_own_task(_answering(events)) as question:
            scope.cancel()
            try:
                await anyio.lowlevel.checkpoint()
            finally:
                question.set()
                events.append("asked")
    assert scope.cancelled_caught
    assert events == ["asked", "answered", "left"]


async def test_one_that_is_entered_by_a_cancelled_task_is_left() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def manager() -> AsyncGenerator[None]:
        events.append("entered")
        yield
        events.append("left")

    with anyio.CancelScope() as scope:
        scope.cancel()
        async with held_in_own_task(manager()):
            raise AssertionError
    assert scope.cancelled_caught
    assert events == ["entered", "left"]
