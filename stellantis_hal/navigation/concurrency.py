"""Several jobs at a time, their outcomes in order.

Knows tasks. Must not know what the jobs do. Never more jobs are started than the limit ahead of the consumer, so that
memory is bounded whatever the number of jobs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from stellantis_hal.errors import StellantisError

__all__ = ["OrderedResults", "in_order", "scoped"]

R = TypeVar("R")


class _RunningJob(Generic[R]):
    __slots__ = ("done", "outcomes", "scope")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.scope = anyio.CancelScope()
        self.outcomes: list[R | Exception] = []


class OrderedResults(AsyncIterator[R | StellantisError]):
    """The outcomes, in the order of the jobs; an error of ours is an outcome like any other, others are raised."""

    def __init__(self, tasks: TaskGroup, jobs: Iterable[Callable[[], Awaitable[R]]], limit: int) -> None:
        self._tasks = tasks
        self._jobs = iter(jobs)
        self._limit = limit
        self._started: deque[_RunningJob[R]] = deque()

    async def __anext__(self) -> R | StellantisError:
        while len(self._started) < self._limit and (job := next(self._jobs, None)) is not None:
            started: _RunningJob[R] = _RunningJob()
            self._started.append(started)
            self._tasks.start_soon(self._work, job, started)
        if not self._started:
            raise StopAsyncIteration
        first = self._started[0]
        await first.done.wait()
        self._started.popleft()
        outcome = first.outcomes[0]
        if isinstance(outcome, Exception) and not isinstance(outcome, StellantisError):
            raise outcome
        return outcome

    async def _work(self, job: Callable[[], Awaitable[R]], started: _RunningJob[R]) -> None:
        with started.scope:
            try:
                started.outcomes.append(await job())
            except Exception as error:  # noqa: BLE001 - handed to the consumer, in its turn and in no group
                started.outcomes.append(error)
            started.done.set()

    def close(self) -> None:
        """Give up whatever is under way and start no more."""
        self._jobs = iter(())
        while self._started:
            self._started.popleft().scope.cancel()


@asynccontextmanager
async def scoped() -> AsyncGenerator[TaskGroup, None]:
    """Open a task group for the length of a block; at its end what still runs is cancelled.

    An exception of the block goes on as it is, not wrapped in a group.
    """
    cancelled = anyio.get_cancelled_exc_class()
    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again below, bare
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            failure = None  # no cycle through the traceback


@asynccontextmanager
async def in_order(jobs: Iterable[Callable[[], Awaitable[R]]], limit: int) -> AsyncGenerator[OrderedResults[R], None]:
    """Run jobs, at most ``limit`` at a time; iterate over their outcomes inside the block."""
    async with scoped() as tasks:
        yield OrderedResults(tasks, jobs, limit)
