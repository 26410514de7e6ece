"""Simulator clock: monotonic ticks and the wall time that goes with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio

from stellantis_hal.simulator.api.messages import Moment

__all__ = ["Clock"]


class Clock:
    """A clock that ticks with the running event loop, jumped time included, starting from 0 at its first reading.

    The wall time is ``epoch`` plus the ticks, or the result of the callable ``wall``. Outside a running event loop the
    last reading is returned.
    """

    def __init__(self, wall: Callable[[], datetime] | None = None, *, epoch: datetime | None = None) -> None:
        self._wall = wall
        self._epoch = epoch or datetime.now(UTC)
        self._first: float | None = None
        self._tick = 0.0

    def now(self) -> Moment:
        """Return the current tick and wall time."""
        try:
            current = anyio.current_time()
        except RuntimeError:  # no event loop is running
            current = None
        if current is not None:
            if self._first is None:
                self._first = current
            self._tick = max(self._tick, current - self._first)
        wall = self._wall() if self._wall is not None else self._epoch + timedelta(seconds=self._tick)
        return Moment(self._tick, wall)
