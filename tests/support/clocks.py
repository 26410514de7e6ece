"""Clocks that jump: when every task waits, time leaps to the next timer, on asyncio as on trio."""

import asyncio
import math
import selectors
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

import trio.testing

__all__ = ["BACKENDS", "Autumn", "JumpingEventLoop", "jumping", "leap", "real"]

BACKENDS = ("asyncio", "trio")

_TOLERANCE = 1e-9  # seconds by which asyncio's loop lets a timer be early


class _JumpingSelector(selectors.DefaultSelector):
    """Answers a timed wait at once, and notes how far the clock has to leap for it."""

    def __init__(self) -> None:
        super().__init__()
        self.leapt = 1_000.0  # not 0, where adding instants looks like subtracting them

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.leapt += timeout
            if self.leapt + _TOLERANCE == self.leapt:  # after a year the loop would never see that it is time
                self.leapt = math.nextafter(self.leapt, math.inf)
        return ready


class JumpingEventLoop(asyncio.SelectorEventLoop):
    """A selector loop whose clock stands still while there is work, and leaps to its next timer when there is none."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.leapt

    def leap(self, seconds: float) -> None:
        """Let time go by while no task runs."""
        self._jumping.leapt += seconds


def jumping(backend: str) -> tuple[str, Mapping[str, Any]]:
    """The backend's name and options for a test in jumped time."""
    if backend == "trio":
        return backend, {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return backend, {"loop_factory": JumpingEventLoop}


def leap(seconds: float) -> None:
    """Let time go by at once, as where a machine sleeps: no task has run when the caller's next line does."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(seconds)
    else:
        assert isinstance(loop, JumpingEventLoop)
        loop.leap(seconds)


def real(backend: str) -> tuple[str, Mapping[str, Any]]:
    """The backend's name and options for a test in real time."""
    return backend, {}


class Autumn(tzinfo):
    """A zone on the night when its clocks are put back: what they show comes twice, an hour apart (``fold``)."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        assert moment is not None
        return timedelta(hours=1 if (moment.hour, moment.fold) >= (2, 1) else 2)

    def dst(self, moment: datetime | None) -> timedelta:
        return self.utcoffset(moment) - timedelta(hours=1)

    def tzname(self, moment: datetime | None) -> str:
        return "CEST" if self.dst(moment) else "CET"
