"""Wait queue: any number of waiting tasks that share one timer.

A timer for each waiting task would cost more than all the rest of the wait.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel

__all__ = ["WaitQueueTimer", "Waiter"]


class Waiter:
    """A task in a queue.

    Attributes:
        event: wakes the task.
        done: whether the wait is over, with or without success.
    """

    __slots__ = ("done", "event")

    def __init__(self) -> None:
        self.event: anyio.Event = anyio.Event()
        self.done: bool = False

    def wake(self) -> None:
        """End the wait."""
        self.done = True
        self.event.set()


class WaitQueueTimer:
    """The timer of a queue; one of the waiting tasks runs it.

    Args:
        deadline: returns when something may change by time alone.
        on_timer: called at that instant; wakes the waiters whose wait is over.
    """

    def __init__(self, deadline: Callable[[], float], on_timer: Callable[[], None]) -> None:
        self._deadline = deadline
        self._on_timer = on_timer
        self._running = False
        self._scope: anyio.CancelScope | None = None

    async def wait(self, waiter: Waiter) -> None:
        """Wait until a waiter is done, and run the timer while no other task does."""
        while not waiter.done:
            if not self._running:
                self._running = True
                try:
                    with anyio.CancelScope(deadline=self._deadline()) as self._scope:
                        await waiter.event.wait()
                finally:
                    self._running, self._scope = False, None
                if not waiter.done:
                    await self._fire(waiter)
            else:
                await waiter.event.wait()
                if not waiter.done:  # handed the timer
                    waiter.event = anyio.Event()

    async def _fire(self, waiter: Waiter) -> None:
        self._on_timer()
        if waiter.done:  # others woken with this one came earlier, so they go first
            await anyio.lowlevel.checkpoint()

    @property
    def is_running(self) -> bool:
        """Whether a waiting task runs the timer."""
        return self._running

    def hand_to(self, waiter: Waiter) -> None:
        """Wake a waiter to run the timer from now on."""
        waiter.event.set()

    def reschedule(self) -> None:
        """Bring the timer forward where a change made its deadline earlier."""
        if self._scope is not None:
            self._scope.deadline = min(self._scope.deadline, self._deadline())
