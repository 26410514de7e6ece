"""Blocks that one task enters and leaves."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from stellantis_hal import SQLiteCheckpoints, SQLiteLimiter, watch
from stellantis_hal.storage.entering_task import EnteringTask

pytestmark = pytest.mark.anyio


async def test_an_error_of_another_task_is_explained() -> None:
    task = EnteringTask("this thing")

    async def leave() -> None:
        with pytest.raises(RuntimeError, match="this thing was entered by another task") as caught, task.leaving():
            raise RuntimeError("a scope of another task")
        assert str(caught.value.__cause__) == "a scope of another task"

    task.enter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
    with pytest.raises(RuntimeError, match=r"^another mistake$"), task.leaving():
        raise RuntimeError("another mistake")


THINGS: dict[str, Callable[[Path], Any]] = {
    "limiter": lambda folder: SQLiteLimiter(folder / "limiter", "a client id", processes=1),
    "lease": lambda folder: SQLiteCheckpoints(folder / "fleet").lease("fleet"),
    "stream": lambda _: watch([], every=timedelta(minutes=5)),
}


@pytest.mark.wall_clock
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("name", THINGS)
async def test_what_another_task_entered_is_left_and_told(name: str, tmp_path: Path) -> None:
    """As by hooks of arq and fixtures of pytest-asyncio."""
    thing = THINGS[name](tmp_path)

    async def enter() -> None:
        await thing.__aenter__()

    async def leave() -> None:
        await thing.__aexit__(None, None, None)

    await asyncio.create_task(enter())
    with pytest.raises(RuntimeError, match=f"this {name} was entered by another task than the one that leaves it"):
        await asyncio.create_task(leave())
