"""Clocks that jump to the next timer when every task waits, for asyncio and trio."""

import asyncio
import math
import selectors
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

import trio.testing

__all__ = ["BACKENDS", "Autumn", "JumpingEventLoop", "jump", "jumping", "real"]

BACKENDS = ("asyncio", "trio")

_TOLERANCE = 1e-9  # seconds by which asyncio's loop lets a timer be early


class _JumpingSelector(selectors.DefaultSelector):
    """Returns from a timed wait at once, and adds the time to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0  # not 0, so that a sum of instants differs from their difference

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.now += timeout
            if self.now + _TOLERANCE == self.now:  # a year on, the tolerance is lost in rounding
                self.now = math.nextafter(self.now, math.inf)
        return ready


class JumpingEventLoop(asyncio.SelectorEventLoop):
    """A selector loop whose clock stands still while tasks run, and jumps to the next timer when none does."""

    def __init__(self) -> None:
        self._selector_clock = _JumpingSelector()
        super().__init__(self._selector_clock)

    def time(self) -> float:
        return self._selector_clock.now

    def jump(self, seconds: float) -> None:
        """Advance the clock while no task runs."""
        self._selector_clock.now += seconds


def jumping(backend: str) -> tuple[str, Mapping[str, Any]]:
    """Return the backend's name and options for a test in jumped time."""
    if backend == "trio":
        return backend, {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return backend, {"loop_factory": JumpingEventLoop}


def jump(seconds: float) -> None:
    """Advance the clock at once, as when a machine sleeps: no task runs before the caller's next line."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(seconds)
    else:
        assert isinstance(loop, JumpingEventLoop)
        loop.jump(seconds)


def real(backend: str) -> tuple[str, Mapping[str, Any]]:
    """Return the backend's name and options for a test in real time."""
    return backend, {}


class Autumn(tzinfo):
    """A zone in the night when clocks are set back: one hour of local time occurs twice (``fold``)."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        assert moment is not None
        return timedelta(hours=1 if (moment.hour, moment.fold) >= (2, 1) else 2)

    def dst(self, moment: datetime | None) -> timedelta:
        return self.utcoffset(moment) - timedelta(hours=1)

    def tzname(self, moment: datetime | None) -> str:
        return "CEST" if self.dst(moment) else "CET"
