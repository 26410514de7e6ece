"""Knows what time it is: the backend's clock for spans, and a wall clock that goes with it.

Must not know what time is needed for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio

from stellantis_hal.simulator.api.messages import Moment

__all__ = ["Clock"]


class Clock:
    """Tells the moment: ticks by the running backend's clock, so that jumped time counts; from 0 at the first look.

    The wall clock starts at ``epoch`` and goes with the ticks, or is the callable given. Outside a running loop time
    stands still where it was last seen.
    """

    def __init__(self, wall: Callable[[], datetime] | None = None, *, epoch: datetime | None = None) -> None:
        self._wall = wall
        self._epoch = epoch or datetime.now(UTC)
        self._first: float | None = None
        self._tick = 0.0

    def now(self) -> Moment:
        """Tell the moment."""
        try:
            current = anyio.current_time()
        except RuntimeError:  # no loop is running here
            current = None
        if current is not None:
            if self._first is None:
                self._first = current
            self._tick = max(self._tick, current - self._first)
        wall = self._wall() if self._wall is not None else self._epoch + timedelta(seconds=self._tick)
        return Moment(self._tick, wall)
