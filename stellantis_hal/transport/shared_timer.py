"""One timer that any number of waiting tasks share.

A timer for each waiting task would cost more than all the rest of the wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

from stellantis_hal.transport.loop_handle import LoopHandle, OneShotWakeup

__all__ = ["SharedWakeUpTimer", "Waiter"]


class Waiter:
    """A task in a queue.

    Attributes:
        done: whether the wait is over, with or without success.
    """

    __slots__ = ("_parked", "done")

    def __init__(self) -> None:
        self._parked: OneShotWakeup | None = None
        self.done: bool = False

    def wait(self, loop: LoopHandle) -> Awaitable[None]:
        """Wait until this is done, or until the task is to run the timer."""
        parked = self._parked = loop.park()
        return parked.wait()

    def wake(self) -> None:
        """End the wait."""
        self.done = True
        parked = self._parked
        if parked is not None:
            parked.wake()

    def go_on(self) -> None:
        """Let the task look what has changed."""
        if self._parked is not None:
            self._parked.wake()


class SharedWakeUpTimer:
    """The timer of a queue; one of the waiting tasks runs it.

    Args:
        deadline: returns when something may change by time alone.
        on_timer: called at that instant; wakes the waiters whose wait is over.
    """

    def __init__(self, deadline: Callable[[], float], on_timer: Callable[[], None]) -> None:
        self._deadline = deadline
        self._on_timer = on_timer
        self._scope: anyio.CancelScope | None = None

    @property
    def is_running(self) -> bool:
        """Whether a waiting task runs the timer."""
        return self._scope is not None

    async def wait(self, waiter: Waiter, loop: LoopHandle) -> None:
        """Wait until a waiter is done, and run the timer while no other task does.

        Args:
            waiter: of the present task.
            loop: the running event loop.
        """
        while not waiter.done:
            if self.is_running:
                await waiter.wait(loop)
                continue
            try:
                with anyio.CancelScope(deadline=self._deadline()) as self._scope:
                    await waiter.wait(loop)
            finally:
                self._scope = None
            if not waiter.done:
                await self._fire(waiter)

    async def _fire(self, waiter: Waiter) -> None:
        self._on_timer()
        if waiter.done:  # others woken with this one came earlier, so they go first
            await anyio.lowlevel.checkpoint()

    def hand_to(self, waiter: Waiter) -> None:
        """Let a waiter run the timer from now on."""
        waiter.go_on()

    def reschedule(self) -> None:
        """Bring the timer forward where a change made its deadline earlier."""
        if self._scope is not None:
            self._scope.deadline = min(self._scope.deadline, self._deadline())
