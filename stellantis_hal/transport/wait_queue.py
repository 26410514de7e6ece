"""Waiting in a line by one timer in common.

Knows who keeps the time for everybody in a line. Must not know what they wait for, nor who is served first. A timer of
its own for each who waits would cost more than all the rest of the wait.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel

__all__ = ["WaitQueueTimer", "Waiter"]


class Waiter:
    """A place in a line.

    Attributes:
        event: wakes who waits here.
        settled: whether the wait is over, one way or the other.
    """

    __slots__ = ("event", "settled")

    def __init__(self) -> None:
        self.event: anyio.Event = anyio.Event()
        self.settled: bool = False

    def settle(self) -> None:
        """End the wait."""
        self.settled = True
        self.event.set()


class WaitQueueTimer:
    """The timer of a line.

    Args:
        instant: tells when something may change by time alone.
        serve: is called at that instant, and settles whom the time has settled.
    """

    def __init__(self, instant: Callable[[], float], serve: Callable[[], None]) -> None:
        self._instant = instant
        self._serve = serve
        self._kept = False
        self._alarm: anyio.CancelScope | None = None

    async def wait(self, ticket: Waiter) -> None:
        """Wait until a ticket is settled; whoever waits while nobody keeps the time does it for all."""
        while not ticket.settled:
            if not self._kept:
                self._kept = True
                try:
                    with anyio.CancelScope(deadline=self._instant()) as self._alarm:
                        await ticket.event.wait()
                finally:
                    self._kept, self._alarm = False, None
                if not ticket.settled:
                    await self._serve_with(ticket)
            else:
                await ticket.event.wait()
                if not ticket.settled:  # appointed to keep the time
                    ticket.event = anyio.Event()

    @property
    def is_kept(self) -> bool:
        """Whether somebody keeps the time."""
        return self._kept

    def appoint(self, ticket: Waiter) -> None:
        """Wake somebody who waits, to keep the time from now on."""
        ticket.event.set()

    def hasten(self) -> None:
        """See that the timer is early enough, after something has changed."""
        if self._alarm is not None:
            self._alarm.deadline = min(self._alarm.deadline, self._instant())

    async def _serve_with(self, keeper: Waiter) -> None:
        self._serve()
        if keeper.settled:  # those served together with the timekeeper came earlier, so they go first
            await anyio.lowlevel.checkpoint()
