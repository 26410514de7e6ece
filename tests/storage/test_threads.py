"""Function in a worker thread that is run to its end."""

import asyncio
import threading

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from stellantis_hal.storage.threads import run_to_end

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


class Slow:
    """A function that ends when its release is set."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.release = threading.Event()
        self.has_ended = False

    def __call__(self) -> None:
        self.started.set()
        assert self.release.wait(5.0)
        self.has_ended = True

    async def wait_for_start(self) -> None:
        await anyio.to_thread.run_sync(self.started.wait, 5.0)


async def test_the_value_of_the_function_is_returned() -> None:
    assert await run_to_end(lambda: 7) == 7


async def test_an_error_of_the_function_is_raised() -> None:
    def fail() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        await run_to_end(fail)


async def test_a_cancelled_caller_never_starts_it() -> None:
    calls: list[int] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await run_to_end(lambda: calls.append(1))
    assert scope.cancelled_caught
    assert not calls


async def test_a_caller_that_is_cancelled_later_waits() -> None:
    slow = Slow()
    ended_in_time: list[bool] = []

    async def call() -> None:
        try:
            await run_to_end(slow)
        finally:
            ended_in_time.append(slow.has_ended)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await slow.wait_for_start()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
            assert not ended_in_time
            slow.release.set()
    assert ended_in_time == [True]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_cancellation_waits_too() -> None:
    slow = Slow()
    task = asyncio.ensure_future(run_to_end(slow))
    await slow.wait_for_start()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    slow.release.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert slow.has_ended
