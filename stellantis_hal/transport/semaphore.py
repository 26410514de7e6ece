"""FIFO semaphore with a timeout for each wait."""

from __future__ import annotations

from collections import OrderedDict

from stellantis_hal.transport.loop_binding import LoopBinding
from stellantis_hal.transport.loop_handle import loop_time
from stellantis_hal.transport.shared_timer import SharedWakeUpTimer, Waiter

__all__ = ["TimedSemaphore"]


class _Waiter(Waiter):
    """A task in the queue, and whether it has acquired."""

    __slots__ = ("acquired",)

    def __init__(self) -> None:
        super().__init__()
        self.acquired = False


class TimedSemaphore:
    """A FIFO semaphore whose queue has one timer.

    Args:
        value: how many tasks may hold it at once.
        timeout: seconds that a task waits at most.
    """

    def __init__(self, value: int, timeout: float) -> None:
        self._free = value
        self._timeout = timeout
        self._queue: OrderedDict[_Waiter, float] = OrderedDict()  # the deadlines
        self._binding = LoopBinding("this semaphore")
        self._timer = SharedWakeUpTimer(self._first_deadline, self._expire)

    def try_acquire(self) -> bool:
        """Acquire without waiting, if possible; a waiting task is not overtaken, because releases go to the queue."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def acquire(self) -> bool:
        """Wait in the queue, and return whether this has acquired before the wait timed out.

        Raises:
            WrongLoopError: tasks waited in it before in another event loop, thread or process.
        """
        loop = self._binding.check()
        waiter = _Waiter()
        self._queue[waiter] = loop.now() + self._timeout
        try:
            if self._timer.is_running:  # as nearly always: it needs no more
                await waiter.wait(loop)
            if not waiter.done:
                await self._timer.wait(waiter, loop)
        except BaseException:
            if waiter.acquired:  # cancelled in the very moment of acquiring
                self.release()
            raise
        finally:
            if not waiter.acquired:
                self._queue.pop(waiter, None)
            if self._queue and not self._timer.is_running:
                self._timer.hand_to(next(reversed(self._queue)))  # the newest stays longest
        return waiter.acquired

    def release(self) -> None:
        """Release, and let the first of the queue acquire."""
        if self._queue:
            waiter = self._pop_first()
            waiter.acquired = True
            waiter.wake()
        else:
            self._free += 1

    def _first_deadline(self) -> float:
        return next(iter(self._queue.values()))  # all have the same timeout, so the first is the earliest

    def _pop_first(self) -> _Waiter:
        waiter = next(iter(self._queue))
        del self._queue[waiter]
        return waiter

    def _expire(self) -> None:
        now = loop_time()
        while self._queue and self._first_deadline() <= now:
            self._pop_first().wake()
