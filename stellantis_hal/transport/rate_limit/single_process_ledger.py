"""Accounting of both rate-limit windows: tokens, reserved shares, pause, state."""

from __future__ import annotations

import math

from stellantis_hal.hal.json import decode, encode
from stellantis_hal.transport.rate_limit.burst_window import BurstWindow
from stellantis_hal.transport.rate_limit.congestion import INITIAL_WINDOW, CongestionControl
from stellantis_hal.transport.rate_limit.day_window import DayWindow
from stellantis_hal.transport.rate_limit.effective_limit import LAPSE
from stellantis_hal.transport.rate_limit.protocol import REFUSAL, Capacity, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import LONGEST_PAUSE, ReportedQuota

__all__ = ["QuotaLedger"]

_FORMAT = 1
_RECENT = 5.0
_DAY = 86_400.0
_MOST = 10**12
_WRONG_CLOCK = 60.0
_ROUNDING = 1e-4
_NOTHING = (0, 0)
_UNTIL_PAUSED = 0.1
"""Seconds without a grant after a refusal, until the caller has read how long to pause."""


class QuotaLedger:
    """Tokens used of a subscription.

    Args:
        limits: ceilings; None for the defaults of :class:`RateLimits`, which headers may correct in both directions.
        interactive_share: the part of each window that background requests may not use.
    """

    __slots__ = (
        "_has_limit",
        "_pause_reason",
        "_reserves",
        "_restored",
        "_share",
        "burst",
        "congestion",
        "day",
        "has_restored",
        "paused_until",
    )

    def __init__(self, limits: RateLimits | None, *, interactive_share: float) -> None:
        start = RateLimits() if limits is None else limits
        known = limits is not None
        self.burst: BurstWindow = BurstWindow(start.per_second, ceiling=start.per_second if known else None)
        self.day: DayWindow = DayWindow(start.per_day, ceiling=start.per_day if known else None)
        is_stated = known and start.per_second is not None
        self._has_limit = is_stated
        self.congestion: CongestionControl = CongestionControl(math.inf if is_stated else INITIAL_WINDOW)
        self.paused_until: float = -math.inf
        self._pause_reason = ""
        self._share = interactive_share
        self._reserves: tuple[int, int]
        self._restored: _RestoredMinutes | None = None
        self.has_restored: bool = False
        """Whether minutes booked by another process may still have to move, see :meth:`check_wall`."""
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
            per_second=min(self.burst.limit - burst, self.congestion.rate),
            per_day=self.day.limit - day,
            free_today=max(0.0, self.day.available() - day),
        )

    @property
    def in_flight(self) -> int:
        """Requests sent and not yet answered, and slots held."""
        return self.burst.in_flight + self.burst.overdue

    def advance(self, now: float) -> None:
        """Advance to an instant of the backend's clock."""
        burst, day = self.burst, self.day
        if now >= burst.changes_at:
            overdue = burst.overdue
            if burst.advance(now):
                self._reserve()
            if burst.overdue > overdue:
                self.congestion.widen(burst.overdue - overdue)
        if not day.current_from <= now < day.current_until and day.advance(now):
            self.congestion.restart(now)
            self._reserve()

    def check_wall(self, now: float, wall: float) -> None:
        """Move restored minutes where the wall clock turns out to have been ahead when they were loaded. Advance first.

        A wall clock that jumps ahead moves nothing: it may be wrong for a moment.
        """
        restored = self._restored
        if restored is None:
            return
        before = restored.minutes()
        if restored.is_old(now):
            self._restored, self.has_restored = None, False
        elif restored.set_wall(now, wall):
            self.day.withdraw(before)
            self.day.restore(restored.minutes(), now)

    def take(self, now: float, *, background: bool) -> int:
        """Take a token of each window; return the minute it is booked under, -1 where there is none. Advance first."""
        burst, day = self.burst, self.day
        if now < self.paused_until:
            return -1
        reserved = self._reserves if background else _NOTHING
        if burst.available() <= reserved[0] or day.available() <= reserved[1]:
            return -1
        if not self.congestion.try_take(now, burst.in_flight):
            return -1
        burst.take()
        return day.take()

    def give_back(self, minute: int, sending: int | None = None) -> None:
        """Return a token of each window, because nothing was sent."""
        self.congestion.give_back()
        self.burst.give_back(sending)
        self.day.give_back(minute)

    def answered(
        self, now: float, minute: int, round_trip: float | None, sending: int | None = None, *, refused: bool = False
    ) -> None:
        """Book a request as answered, or as given up after it was sent (without a round trip). Advance first."""
        self.burst.answered(now, round_trip, sending)
        if minute != self.day.minute:
            self.day.answered(minute)
        if refused:
            if now >= self.paused_until:  # else it was granted before the pause, and belongs to what caused that
                self.congestion.refused(now, now if round_trip is None else now - round_trip)
            self.paused_until = max(self.paused_until, now + _UNTIL_PAUSED)
        elif round_trip is not None:
            if self.congestion.is_refused:
                limit = self.burst.limit if self._has_limit else math.inf
                stated = self.burst.stated_limit(now)
                self.congestion.succeeded(now, now - round_trip, stated=stated, limit=limit)
            else:
                self.congestion.succeeded(now, now - round_trip)

    def correct(
        self, now: float, quota: ReportedQuota, *, returned_at_sending: int, sent_at: float = -math.inf
    ) -> None:
        """Apply the server's headers, as far as each window explains. Advance first."""
        has_changed = False
        stated = quota.burst
        if stated.limit is not None:
            has_changed = self.burst.correct(
                now, stated.limit, stated.remaining, returned_at_sending=returned_at_sending, sent_at=sent_at
            )
        stated = quota.day
        if stated.limit is not None and self.day.correct(
            now, stated.limit, stated.remaining, sent_at=sent_at, in_flight=self.burst.in_flight + self.burst.overdue
        ):
            has_changed = True
        if has_changed:
            self._reserve()

    def pause(self, now: float, seconds: float, reason: str = "") -> None:
        """Grant nothing for this many seconds; a longer pause in force stays.

        After a refusal one request goes first, and refusals in a row double the pause. A pause of a day or more is
        absurd: it is tried again as soon as a limit that lapses.
        """
        if reason == REFUSAL:
            self.congestion.ensure_refused(now)
            seconds = self.congestion.back_off(seconds)
        if seconds >= LONGEST_PAUSE:
            seconds = LAPSE
        if now + seconds > self.paused_until:
            self.paused_until = now + seconds
            self._pause_reason = reason
        self.burst.forget_round_trips()

    def available_at(self, now: float, *, background: bool) -> float:
        """Return when the next token can be taken; ``inf`` where it depends on a response. Advance first."""
        burst, day = self._reserves if background else (0, 0)
        congestion = self.congestion.available_at(now, self.burst.in_flight)
        return max(
            self.paused_until,
            min(congestion, self.burst.next_overdue()) if congestion == math.inf else congestion,
            self.burst.available_at(burst + 1, now),
            self.day.available_at(day + 1, now),
        )

    def estimate(self, now: float, *, ahead: int, background: bool) -> float:
        """Estimate when a token can be taken after ``ahead`` others. Advance first.

        A rate lowered after a refusal does not count: it is a guess that may be too low by far.
        """
        return max(self._estimates(now, ahead=ahead, background=background))

    def _estimates(self, now: float, *, ahead: int, background: bool) -> tuple[float, float, float]:
        """Return when the pause, the day window and the burst window allow it."""
        burst, day = self._reserves if background else (0, 0)
        return (
            self.paused_until + (ahead // self.burst.limit) * self.burst.span,
            self.day.available_at(day + 1 + ahead, now),
            self.burst.estimate(burst + 1 + ahead, now),
        )

    def shortage(self, now: float, *, ahead: int, background: bool) -> str:
        """Say in a few words what a request waits for longest. Advance first."""
        pause, day, burst = self._estimates(now, ahead=ahead, background=background)
        reserve = 0
        if now < self.paused_until and pause >= max(day, burst):
            after = f" after {self._pause_reason}" if self._pause_reason else ""
            return f"paused for {_clock_time(self.paused_until - now)}{after}"
        if day > burst:
            text, reserve = f"daily limit of {self.day.limit:,.0f} reached", self._reserves[1]
        elif self.congestion.rate < self.burst.limit:
            text = f"the rate is {self.congestion.rate:.3g} requests per second since {REFUSAL}"
        else:
            text, reserve = f"limit of {self.burst.limit:,.0f} requests per second reached", self._reserves[0]
        if background and reserve:
            text += f" ({reserve:,} of it reserved for interactive requests)"
        return f"{text}, {ahead:,} request{'s' if ahead > 1 else ''} queued ahead" if ahead else text

    def dump(self, now: float, wall: float) -> bytes:
        """Return the state that outlives the process: the day's minutes, by the wall clock. Advance first."""
        shift = (wall - now) / 60
        minutes = [[round(minute + shift, 6), count] for minute, count in self.day.minutes().items()]
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
            minutes = [(float(minute), int(count)) for minute, count in state["minutes"]]
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError("not the state of a limiter") from error
        if not all(math.isfinite(value) for value in (saved, *(minute for minute, _ in minutes))):
            raise ValueError("not the state of a limiter")
        self._restored, self.has_restored = _RestoredMinutes(minutes, saved, now, wall), True
        self.day.restore(self._restored.minutes(), now)
        if abs(wall - saved) < _RECENT:
            self.burst.hold(now)


class _RestoredMinutes:
    """Minutes booked by another process, which wrote them by the wall clock.

    None of them is younger than the moment of saving, and a wall clock that is behind that moment is wrong.
    """

    __slots__ = ("_least_shift", "_loaded_at", "_minutes", "_shift")

    def __init__(self, minutes: list[tuple[float, int]], saved: float, now: float, wall: float) -> None:
        self._minutes = [(minute, min(count, _MOST)) for minute, count in minutes if minute * 60 <= saved]
        self._loaded_at = now
        self._least_shift = saved - now
        self._shift = max(self._least_shift, wall - now)

    def minutes(self) -> dict[int, int]:
        """Return them by the minutes of the backend's clock."""
        minutes: dict[int, int] = {}
        for minute, count in self._minutes:
            at = math.ceil(minute - self._shift / 60 - _ROUNDING)
            minutes[at] = minutes.get(at, 0) + count
        return minutes

    def is_old(self, now: float) -> bool:
        """Return whether all of them are a day old."""
        return now - self._loaded_at > _DAY

    def set_wall(self, now: float, wall: float) -> bool:
        """Take the wall clock as it is now; return whether that makes them younger."""
        shift = max(self._least_shift, wall - now)
        if shift >= self._shift - _WRONG_CLOCK:
            return False
        self._shift = shift
        return True


def _finite(limit: float) -> int | None:
    return None if limit == math.inf else int(limit)


def _clock_time(seconds: float) -> str:
    """Format a span as ``59:58`` or ``4:10:01``."""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
