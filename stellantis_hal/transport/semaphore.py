"""So many may be inside at once; the others wait outside, first come, first served, and not for ever.

Knows places and whose turn it is. Must not know what is behind the gate.
"""

from __future__ import annotations

from collections import OrderedDict

import anyio

from stellantis_hal.transport.wait_queue import Waiter, WaitQueueTimer

__all__ = ["TimedSemaphore"]


class _Waiter(Waiter):
    """Who waits, until when, and whether it was let in."""

    __slots__ = ("admitted", "latest")

    def __init__(self, latest: float) -> None:
        super().__init__()
        self.latest = latest
        self.admitted = False


class TimedSemaphore:
    """A semaphore whose line is cheap.

    Args:
        places: how many may be inside.
        longest: seconds that anybody waits.
    """

    def __init__(self, places: int, longest: float) -> None:
        self._free = places
        self._longest = longest
        self._line: OrderedDict[_Waiter, None] = OrderedDict()
        self._time = WaitQueueTimer(self._instant, self._serve)

    def try_enter(self) -> bool:
        """Go in, if there is a place; nobody is overtaken, for a place that comes free is given on at once."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def enter(self) -> None:
        """Wait for a place and go in.

        Raises:
            TimeoutError: there was none in time.
        """
        waiting = _Waiter(anyio.current_time() + self._longest)
        self._line[waiting] = None
        try:
            await self._time.wait(waiting)
        except BaseException:
            if waiting.admitted:  # cancelled in the very moment of being let in
                self.leave()
            raise
        finally:
            self._line.pop(waiting, None)
            if self._line and not self._time.is_kept:
                self._time.appoint(next(reversed(self._line)))  # the newest stays longest
        if not waiting.admitted:
            raise TimeoutError

    def leave(self) -> None:
        """Go out, and let in who is next."""
        if self._line:
            waiting, _ = self._line.popitem(last=False)
            waiting.admitted = True
            waiting.settle()
        else:
            self._free += 1

    def _instant(self) -> float:
        return next(iter(self._line)).latest  # all wait equally long, so the first is the first to be late

    def _serve(self) -> None:
        """Send away those who have waited long enough."""
        now = anyio.current_time()
        while self._line and self._instant() <= now:
            waiting, _ = self._line.popitem(last=False)
            waiting.settle()
