"""Tasks of a block."""

from collections.abc import Callable
from functools import partial

import anyio
import pytest

from stellantis_hal.navigation.concurrency import OrderedResults, scoped

pytestmark = pytest.mark.anyio


async def _work(log: list[str], seconds: float = 60) -> None:
    try:
        await anyio.sleep(seconds)
        log.append("done")
    except anyio.get_cancelled_exc_class():
        log.append("cancelled")
        raise


class _Interrupt(BaseException):
    """Stands for KeyboardInterrupt, which would end the test run."""


@pytest.mark.parametrize("kind", [ValueError, StopAsyncIteration, _Interrupt, SystemExit])
async def test_an_exception_of_the_block_is_raised_unchanged(kind: Callable[[], BaseException]) -> None:
    """Its tasks are cancelled."""
    log: list[str] = []
    failure = kind()
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - its identity is what counts
        await _failing(log, failure)
    assert caught.value is failure
    assert log == ["cancelled"]


async def _failing(log: list[str], failure: BaseException) -> None:
    async with scoped() as tasks:
        tasks.start_soon(_work, log)
        await anyio.sleep(1)
        raise failure


async def test_tasks_are_cancelled_at_the_end_of_the_block() -> None:
    log: list[str] = []
    async with scoped() as tasks:
        tasks.start_soon(_work, log)
        await anyio.sleep(1)
    assert log == ["cancelled"]


async def test_a_cancellation_from_outside_is_propagated() -> None:
    log: list[str] = []
    with anyio.move_on_after(5) as scope:
        async with scoped() as tasks:
            tasks.start_soon(_work, log)
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert log == ["cancelled"]


async def test_a_cancelled_block_that_fails_raises_unchanged() -> None:
    with anyio.CancelScope() as scope:
        async with scoped() as tasks:
            tasks.start_soon(_work, [])
            scope.cancel()
            with pytest.raises(anyio.get_cancelled_exc_class()):
                await anyio.sleep(1)
            await anyio.lowlevel.checkpoint_if_cancelled()
    assert scope.cancelled_caught


async def test_an_exception_of_a_background_task_is_not_hidden() -> None:
    async def fail() -> None:
        raise KeyError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        await _with_task(fail)
    assert caught.group_contains(KeyError)


async def _with_task(fail: Callable[[], object]) -> None:
    async with scoped() as tasks:
        tasks.start_soon(fail)  # type: ignore[arg-type]  # pytest's own typing of nested functions
        await anyio.sleep(1)


async def test_closing_cancels_running_jobs_and_starts_no_more() -> None:
    log: list[str] = []
    async with anyio.create_task_group() as tasks:
        results = OrderedResults(tasks, [partial(_work, log, seconds) for seconds in (1, 60, 60, 60)], 2)
        await anext(results)
        await anyio.sleep(1)
        results.close()
        assert [result async for result in results] == []
    assert log == ["done", "cancelled"]


async def test_a_cancelled_consumer_can_continue() -> None:
    log: list[str] = []
    async with anyio.create_task_group() as tasks:
        results = OrderedResults(tasks, [partial(_work, log, 10)], 1)
        with anyio.move_on_after(1):
            await anext(results)
        assert [result async for result in results] == [None]
    assert log == ["done"]
