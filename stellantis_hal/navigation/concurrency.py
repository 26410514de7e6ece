"""Bounded concurrency: several jobs at a time, results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.call_site_warnings import call_site, called_from

__all__ = ["OrderedResults", "in_order", "require_one_consumer", "scoped"]

R = TypeVar("R")


def require_one_consumer(is_awaited: bool) -> None:
    """Check that no other task waits for the next item: both would get it, and one item might be lost.

    Raises:
        RuntimeError: another task does.
    """
    if is_awaited:
        raise RuntimeError(
            "another task waits for the next item of this iteration: let one task iterate, and hand the items to the "
            "others"
        )


class _RunningJob(Generic[R]):
    __slots__ = ("done", "results", "scope")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.scope = anyio.CancelScope()
        self.results: list[R | Exception] = []


class OrderedResults(AsyncIterator[R | StellantisError]):
    """The results in the order of the jobs. A ``StellantisError`` is a result; other exceptions are raised.

    At most ``limit`` jobs are ahead of the consumer, so memory is bounded for any number of jobs.
    """

    def __init__(self, tasks: TaskGroup, jobs: Iterable[Callable[[], Awaitable[R]]], limit: int) -> None:
        self._tasks = tasks
        self._jobs = iter(jobs)
        self._limit = limit
        self._running: deque[_RunningJob[R]] = deque()
        self._started_at = call_site()
        self._is_awaited = False

    async def __anext__(self) -> R | StellantisError:
        require_one_consumer(self._is_awaited)
        while len(self._running) < self._limit and (job := next(self._jobs, None)) is not None:
            running: _RunningJob[R] = _RunningJob()
            self._running.append(running)
            with called_from(self._started_at):
                self._tasks.start_soon(self._run, job, running)
        if not self._running:
            raise StopAsyncIteration
        first = self._running[0]
        self._is_awaited = True
        try:
            await first.done.wait()
        finally:
            self._is_awaited = False
        self._running.popleft()
        result = first.results[0]
        if isinstance(result, Exception) and not isinstance(result, StellantisError):
            raise result
        return result

    async def _run(self, job: Callable[[], Awaitable[R]], running: _RunningJob[R]) -> None:
        with running.scope:
            try:
                running.results.append(await job())
            except Exception as error:  # noqa: BLE001 - raised to the consumer in its turn, outside of any group
                running.results.append(error)
            running.done.set()

    def close(self) -> None:
        """Cancel the running jobs and start no more."""
        self._jobs = iter(())
        while self._running:
            self._running.popleft().scope.cancel()


@asynccontextmanager
async def scoped() -> AsyncGenerator[TaskGroup, None]:
    """Open a task group for a block; tasks that still run at its end are cancelled.

    An exception of the block is raised unchanged, not wrapped in an exception group.
    """
    cancelled = anyio.get_cancelled_exc_class()
    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again below, outside of the group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            failure = None  # breaks the reference cycle through the traceback


@asynccontextmanager
async def in_order(jobs: Iterable[Callable[[], Awaitable[R]]], limit: int) -> AsyncGenerator[OrderedResults[R], None]:
    """Run jobs, at most ``limit`` at a time, and iterate over their results inside the block."""
    async with scoped() as tasks:
        yield OrderedResults(tasks, jobs, limit)
