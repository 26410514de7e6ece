"""Both windows spent together, and how the day's survives a restart.

Knows two windows, a reserved share and a pause. Must not wait, and must not know that there are tasks.
"""

from __future__ import annotations

import math
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import anyio.to_thread

from stellantis_hal.hal.json import decode, encode
from stellantis_hal.transport.rate_limit.limits import RateLimits
from stellantis_hal.transport.rate_limit.persistence import LimiterStore
from stellantis_hal.transport.rate_limit.quota import Quota
from stellantis_hal.transport.rate_limit.windows import BurstWindow, DayWindow

__all__ = ["FileLimiterStore", "LimiterStore", "QuotaLedger"]

_FORMAT = 1
_MOMENT = 5.0


class QuotaLedger:
    """What was spent of a subscription.

    Args:
        limits: ceilings; None for the vendor's sample, which headers may correct in both directions.
        interactive_share: the part of each window that background requests leave alone.
    """

    __slots__ = ("_reserves", "_share", "burst", "day", "paused_until")

    def __init__(self, limits: RateLimits | None, *, interactive_share: float) -> None:
        start = RateLimits() if limits is None else limits
        known = limits is not None
        self.burst: BurstWindow = BurstWindow(start.per_second, ceiling=start.per_second if known else None)
        self.day: DayWindow = DayWindow(start.per_day, ceiling=start.per_day if known else None)
        self.paused_until: float = -math.inf
        self._share = interactive_share
        self._reserves = (0, 0)
        self._reserve()

    def _reserve(self) -> None:
        burst, day = self.burst.limit, self.day.limit
        self._reserves = (
            0 if burst == math.inf else int(burst * self._share),
            0 if day == math.inf else int(day * self._share),
        )

    def settle(self, now: float, wall: float) -> None:
        """Move on to an instant, by both clocks."""
        self.burst.settle(now)
        self.day.settle(wall)

    def take(self, now: float, *, background: bool) -> int:
        """Take a token of each window; gives the minute it is booked under, -1 where there is none. Settle first."""
        if now < self.paused_until:
            return -1
        if background:
            burst, day = self._reserves
            if self.burst.available() <= burst or self.day.available() <= day:
                return -1
        elif self.burst.available() < 1 or self.day.available() < 1:
            return -1
        self.burst.take()
        return self.day.take()

    def give_back(self, minute: int) -> None:
        """Return a token of each window, because nothing was sent."""
        self.burst.give_back()
        self.day.give_back(minute)

    def answered(self, now: float, minute: int, round_trip: float | None) -> None:
        """Note that a request was answered, or given up after it was sent. Settle first."""
        self.burst.answered(now, round_trip)
        self.day.answered(minute)

    def correct(self, now: float, wall: float, quota: Quota, *, returned_at_sending: int) -> None:
        """Believe the server's headers, as far as each window explains. Settle first."""
        before = self.burst.limit, self.day.limit
        burst, day = quota.burst, quota.day
        self.burst.correct(now, burst.limit, burst.remaining, returned_at_sending=returned_at_sending)
        self.day.correct(wall, day.limit, day.remaining)
        if before != (self.burst.limit, self.day.limit):
            self._reserve()

    def pause(self, now: float, seconds: float) -> None:
        """Take nothing for so many seconds; a longer pause in force stays."""
        self.paused_until = max(self.paused_until, now + seconds)
        self.burst.distrust()

    def instant(self, now: float, wall: float, *, background: bool) -> float:
        """Tell when the next token can be taken; ``inf`` where only an answer can tell. Settle first."""
        burst, day = self._reserves if background else (0, 0)
        return max(
            self.paused_until,
            self.burst.instant(burst + 1, now),
            now + self.day.instant(day + 1, wall) - wall,
        )

    def estimate(self, now: float, wall: float, *, ahead: int, background: bool) -> float:
        """Guess when a token can be taken after ``ahead`` others. Settle first."""
        burst, day = self._reserves if background else (0, 0)
        return max(
            self.paused_until + (ahead // self.burst.limit) * self.burst.span,
            self.burst.estimate(burst + 1 + ahead, now),
            now + self.day.instant(day + 1 + ahead, wall) - wall,
        )

    def dump(self, wall: float) -> bytes:
        """Write down what outlives the process: the day's minutes."""
        minutes = [[minute, count] for minute, count in self.day.minutes().items()]
        return encode({"format": _FORMAT, "saved": wall, "minutes": minutes})

    def load(self, content: bytes, now: float, wall: float) -> None:
        """Take over what :meth:`dump` wrote.

        Raises:
            ValueError: it did not write this.
        """
        state = decode(content)
        try:
            if state["format"] != _FORMAT:
                raise ValueError(f"books of format {state['format']!r}, expected {_FORMAT}")
            saved = float(state["saved"])
            minutes = {int(minute): int(count) for minute, count in state["minutes"]}
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError("no books of ours") from error
        self.day.restore(minutes, wall)
        if abs(wall - saved) < _MOMENT:
            self.burst.hold(now)


class FileLimiterStore:
    """Books in a file, replaced in one step.

    Args:
        path: the file; its folder has to exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    async def load(self) -> bytes | None:
        """Read the file; None where there is none."""
        return await anyio.to_thread.run_sync(self._read, abandon_on_cancel=True)

    def _read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    async def save(self, content: bytes) -> None:
        """Write beside the file, then take its place."""
        await anyio.to_thread.run_sync(self._write, content)

    def _write(self, content: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except OSError:
            with suppress(OSError):  # the reason to report is the first one
                os.unlink(name)
            raise
