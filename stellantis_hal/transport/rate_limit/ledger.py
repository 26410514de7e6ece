"""Accounting of both rate-limit windows: tokens, reserved shares, pause, state."""

from __future__ import annotations

import math

from stellantis_hal.hal.json import decode, encode
from stellantis_hal.transport.rate_limit.protocol import Capacity, RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota
from stellantis_hal.transport.rate_limit.windows import BurstWindow, DayWindow

__all__ = ["QuotaLedger"]

_FORMAT = 1
_RECENT = 5.0


class QuotaLedger:
    """Tokens used of a subscription.

    Args:
        limits: ceilings; None for the defaults of :class:`RateLimits`, which headers may correct in both directions.
        interactive_share: the part of each window that background requests may not use.
    """

    __slots__ = ("_pause_reason", "_reserves", "_share", "burst", "day", "paused_until")

    def __init__(self, limits: RateLimits | None, *, interactive_share: float) -> None:
        start = RateLimits() if limits is None else limits
        known = limits is not None
        self.burst: BurstWindow = BurstWindow(start.per_second, ceiling=start.per_second if known else None)
        self.day: DayWindow = DayWindow(start.per_day, ceiling=start.per_day if known else None)
        self.paused_until: float = -math.inf
        self._pause_reason = ""
        self._share = interactive_share
        self._reserves = (0, 0)
        self._reserve()

    def _reserve(self) -> None:
        burst, day = self.burst.limit, self.day.limit
        self._reserves = (
            0 if burst == math.inf else int(burst * self._share),
            0 if day == math.inf else int(day * self._share),
        )

    @property
    def limits(self) -> RateLimits:
        """The limits in force."""
        return RateLimits(_finite(self.burst.limit), _finite(self.day.limit))

    def capacity(self, *, background: bool) -> Capacity:
        """Return what requests of a priority may use. Advance first."""
        burst, day = self._reserves if background else (0, 0)
        return Capacity(
            per_second=self.burst.limit - burst,
            per_day=self.day.limit - day,
            free_today=max(0.0, self.day.available() - day),
        )

    def advance(self, now: float, wall: float) -> None:
        """Advance to an instant, by both clocks."""
        self.burst.advance(now)
        self.day.advance(wall)

    def take(self, now: float, *, background: bool) -> int:
        """Take a token of each window; return the minute it is booked under, -1 where there is none. Advance first."""
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
        """Book a request as answered, or as given up after it was sent. Advance first."""
        self.burst.answered(now, round_trip)
        self.day.answered(minute)

    def correct(self, now: float, wall: float, quota: Quota, *, returned_at_sending: int) -> None:
        """Apply the server's headers, as far as each window explains. Advance first."""
        before = self.burst.limit, self.day.limit
        burst, day = quota.burst, quota.day
        self.burst.correct(now, burst.limit, burst.remaining, returned_at_sending=returned_at_sending)
        self.day.correct(wall, day.limit, day.remaining)
        if before != (self.burst.limit, self.day.limit):
            self._reserve()

    def pause(self, now: float, seconds: float, reason: str = "") -> None:
        """Grant nothing for this many seconds; a longer pause in force stays."""
        if now + seconds > self.paused_until:
            self.paused_until = now + seconds
            self._pause_reason = reason
        self.burst.forget_round_trips()

    def available_at(self, now: float, wall: float, *, background: bool) -> float:
        """Return when the next token can be taken; ``inf`` where it depends on a response. Advance first."""
        burst, day = self._reserves if background else (0, 0)
        return max(
            self.paused_until,
            self.burst.available_at(burst + 1, now),
            now + self.day.available_at(day + 1, wall) - wall,
        )

    def estimate(self, now: float, wall: float, *, ahead: int, background: bool) -> float:
        """Estimate when a token can be taken after ``ahead`` others. Advance first."""
        return max(self._estimates(now, wall, ahead=ahead, background=background))

    def _estimates(self, now: float, wall: float, *, ahead: int, background: bool) -> tuple[float, float, float]:
        """Return when the pause, the day window and the burst window allow it."""
        burst, day = self._reserves if background else (0, 0)
        return (
            self.paused_until + (ahead // self.burst.limit) * self.burst.span,
            now + self.day.available_at(day + 1 + ahead, wall) - wall,
            self.burst.estimate(burst + 1 + ahead, now),
        )

    def shortage(self, now: float, wall: float, *, ahead: int, background: bool) -> str:
        """Say in a few words what a request waits for longest. Advance first."""
        pause, day, burst = self._estimates(now, wall, ahead=ahead, background=background)
        if now < self.paused_until and pause >= max(day, burst):
            after = f" after {self._pause_reason}" if self._pause_reason else ""
            return f"paused for {_clock_time(self.paused_until - now)}{after}"
        if day > burst:
            text, reserve = f"daily limit of {self.day.limit:,.0f} reached", self._reserves[1]
        else:
            text, reserve = f"limit of {self.burst.limit:,.0f} requests per second reached", self._reserves[0]
        if background and reserve:
            text += f" ({reserve:,} of it reserved for interactive requests)"
        return f"{text}, {ahead:,} request{'s' if ahead > 1 else ''} queued ahead" if ahead else text

    def dump(self, wall: float) -> bytes:
        """Return the state that outlives the process: the day's minutes."""
        minutes = [[minute, count] for minute, count in self.day.minutes().items()]
        return encode({"format": _FORMAT, "saved": wall, "minutes": minutes})

    def load(self, content: bytes, now: float, wall: float) -> None:
        """Restore what :meth:`dump` returned.

        Raises:
            ValueError: the content is not such state.
        """
        state = decode(content)
        try:
            if state["format"] != _FORMAT:
                raise ValueError(f"state of format {state['format']!r}, expected {_FORMAT}")
            saved = float(state["saved"])
            minutes = {int(minute): int(count) for minute, count in state["minutes"]}
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError("not the state of a limiter") from error
        self.day.restore(minutes, wall)
        if abs(wall - saved) < _RECENT:
            self.burst.hold(now)


def _finite(limit: float) -> int | None:
    return None if limit == math.inf else int(limit)


def _clock_time(seconds: float) -> str:
    """Format a span as ``59:58`` or ``4:10:01``."""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
