"""The running event loop, as its tasks, its callbacks and other threads reach it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import anyio
import anyio.lowlevel

__all__ = ["LoopHandle", "OneShotWakeup", "loop_time", "running_loop"]


def running_loop() -> object:
    """Return the loop of asyncio, or the token of trio; anyio wraps them from 4.11 on.

    Raises:
        RuntimeError: no event loop runs in this thread, or no task of it is the present one.
    """
    token: object = anyio.lowlevel.current_token()
    return getattr(token, "native_token", token)


def loop_time() -> float:
    """Return the time of the running event loop, in tasks and in callbacks, which ``anyio`` does not notice.

    Raises:
        RuntimeError: no event loop runs in this thread.
    """
    try:
        return anyio.current_time()
    except RuntimeError:
        import asyncio  # trio needs it in no callback

        return asyncio.get_running_loop().time()


class OneShotWakeup(Protocol):
    """A task that waits until another one, or a callback of the event loop, wakes it; it waits once.

    A task that was cancelled is not woken any more. Natively cancelled on asyncio, it may be woken and cancelled both.
    """

    def wait(self) -> Awaitable[None]:
        """Wait until woken; called by the task that waits."""
        ...

    def wake(self) -> None:
        """Let the task go on; a second time does nothing."""
        ...


class LoopHandle:
    """The event loop of the task that makes it.

    Attributes:
        native: the loop of asyncio, or the token of trio.
        now: returns the time of the event loop, in any thread.
        is_running: returns whether the present task belongs to the event loop.
        present_task: returns the present task of asyncio or trio.
        park: returns a task of the event loop that is about to wait; called by that task.
    """

    __slots__ = ("_schedule", "is_running", "native", "now", "park", "present_task")

    def __init__(self) -> None:
        native: Any = running_loop()
        self.native: object = native
        self.now: Callable[[], float]
        self.is_running: Callable[[], bool]
        self.present_task: Callable[[], object]
        self.park: Callable[[], OneShotWakeup]
        self._schedule: Callable[[Callable[[], object]], object]
        if hasattr(native, "call_soon_threadsafe"):
            import asyncio  # it is not imported where trio runs

            running, present = asyncio.get_running_loop, asyncio.current_task

            def is_running() -> bool:
                try:  # a loop that runs trio as its guest has no present task meanwhile
                    return running() is native and present() is not None
                except RuntimeError:
                    return False

            own = getattr(native.time, "__func__", None)
            # It returns time.monotonic(), which is called without a frame of its own.
            self.now = time.monotonic if own is asyncio.BaseEventLoop.time else native.time
            self._schedule, self.present_task = native.call_soon_threadsafe, present
            self.is_running, self.park = is_running, lambda: _ParkedByFuture(native.create_future())
        else:
            import trio  # an extra, which is there where its loop runs

            lowlevel = trio.lowlevel
            self.now, self._schedule = lowlevel.current_clock().current_time, native.run_sync_soon
            self.present_task = lowlevel.current_task
            self.is_running = lambda: lowlevel.in_trio_task() and lowlevel.current_trio_token() is native
            self.park = lambda: _ParkedByTrio(lowlevel)

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call a function in the event loop; do nothing once that has ended.

        It may be called in other threads, in callbacks, and in handlers of signals.
        """
        with suppress(RuntimeError):
            self._schedule(function)


class _ParkedByFuture:
    __slots__ = ("_future",)

    def __init__(self, future: Any) -> None:
        self._future = future

    def wait(self) -> Awaitable[None]:
        return self._future  # type: ignore[no-any-return]

    def wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class _ParkedByTrio:
    __slots__ = ("_is_over", "_lowlevel", "_task")

    def __init__(self, lowlevel: Any) -> None:
        self._lowlevel = lowlevel
        self._task: Any = None
        self._is_over = False

    async def wait(self) -> None:
        if self._is_over:
            await self._lowlevel.checkpoint()
            return
        self._task = self._lowlevel.current_task()
        await self._lowlevel.wait_task_rescheduled(self._abort)

    def wake(self) -> None:
        if not self._is_over:
            self._is_over = True
            if self._task is not None:
                self._lowlevel.reschedule(self._task)

    def _abort(self, _: object) -> Any:
        self._is_over = True
        return self._lowlevel.Abort.SUCCEEDED
