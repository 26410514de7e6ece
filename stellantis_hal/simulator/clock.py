"""Simulator clock: monotonic ticks and the wall time that goes with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio
from anyio.lowlevel import current_token

from stellantis_hal.simulator.api.http_messages import ClockReading

__all__ = ["Clock"]

_FASTEST = 100_000.0  # seconds of wall time per second: a day and more
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)  # so that a world can reckon with instants after the wall time


class Clock:
    """A clock that ticks with the running event loop, jumped time included, starting from 0 at its first reading.

    Each event loop counts from an instant of its own: where several read the clock, as a server in a thread and its
    clients, each goes on from the latest tick when it first reads.

    The wall time is ``epoch`` plus the ticks times ``speed``, or the result of the callable ``wall``. Outside a running
    event loop the last reading is returned. A wall time that it makes itself stops at the year 9000.

    Raises:
        ValueError: the speed is not above 0 and at most 100,000, or it or the epoch is given beside ``wall``.
    """

    def __init__(
        self, wall: Callable[[], datetime] | None = None, *, epoch: datetime | None = None, speed: float = 1.0
    ) -> None:
        if wall is not None and epoch is not None:
            raise ValueError("clock= and epoch= both say what time it is: pass one of them")
        self._wall = wall
        self._epoch = epoch or datetime.now(UTC)
        self._origins: dict[object, float] = {}  # of each event loop: its time at tick 0
        self._tick = 0.0
        self._advanced = timedelta()
        self._since = 0.0  # the tick from which the speed holds; the epoch is the wall time then
        self._speed = 1.0
        if speed != 1.0:
            self.set_speed(speed)

    @property
    def speed(self) -> float:
        """How many seconds of wall time pass per second."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Let wall time pass faster or slower from now on; ticks keep their pace. Raises ValueError."""
        if not 0 < speed <= _FASTEST:
            raise ValueError(f"the speed must be above 0 and at most {_FASTEST:,.0f}, not {speed}")
        if self._wall is not None:
            raise ValueError("the clock reads another one: its speed cannot be set")
        self._epoch, self._since = self._local_wall(self._running_tick()), self._tick
        self._speed = speed

    def advance(self, by: timedelta) -> None:
        """Advance ticks and wall time. Raises ValueError for a negative duration, or one beyond the year 9000."""
        if not isinstance(by, timedelta):
            raise TypeError(f"the clock advances by a timedelta, as timedelta(hours=2), not by {by!r}")
        if by < timedelta():
            raise ValueError(f"the clock cannot go back, by {by}")
        if by > _LATEST - self.now().wall:
            raise ValueError(f"the clock cannot go beyond the year {_LATEST.year}, by {by}")
        self._advanced += by

    def now(self) -> ClockReading:
        """Return the current tick and wall time."""
        tick = self._running_tick()
        wall = self._wall() if self._wall is not None else self._local_wall(tick)
        return ClockReading(tick + self._advanced.total_seconds(), wall + self._advanced)

    def _local_wall(self, tick: float) -> datetime:
        left = _LATEST - self._advanced - self._epoch
        return self._epoch + timedelta(seconds=min((tick - self._since) * self._speed, left.total_seconds()))

    def _running_tick(self) -> float:
        try:
            current = anyio.current_time()
        except RuntimeError:  # no event loop is running
            return self._tick
        origin = self._origins.setdefault(current_token(), current - self._tick)
        self._tick = max(self._tick, current - origin)
        return self._tick
