"""The two sliding windows, counted so that the server's own count is never exceeded.

Knows numbers and instants that are handed in. Must not wait, read a clock or know that there are tasks.

A token of the one-second window is taken when a request goes out and comes back one window after its ANSWER came: the
server has counted the request by then, so at no instant can it see more requests in a window than there are tokens.
The price is a round trip per token. Most of it is won back: the smallest round trip seen is subtracted, since at least
that much lies between the server's count and the next request's arrival; a guard of some milliseconds stands for what
the smallest sample over-estimates, and nothing is subtracted before there are enough samples.
"""

from __future__ import annotations

import math
from array import array
from collections import deque

__all__ = ["BurstWindow", "DayWindow"]

_GUARD = 0.002
_WARM_UP = 100
_WARM_WINDOWS = 2
_GENERATION = 2_000
_MINUTES = 1_441
"""A day of minutes, and the one that is being filled: a minute's tokens return when all of them are a day old."""
_DAY = 86_400.0
_HEARSAY = 3_600.0
"""Seconds for which requests of other processes, known from headers alone, are held against the day."""


class BurstWindow:
    """Tokens for the window of a second, acknowledged by answers.

    Args:
        limit: requests that fit into the window; None for no window at all.
        ceiling: what headers cannot raise the limit above; None where they may.
        span: the window's length in seconds.
    """

    __slots__ = (
        "_elder",
        "_returned",
        "_returns",
        "_samples",
        "_smallest",
        "_trusted_at",
        "ceiling",
        "foreign",
        "foreign_until",
        "in_flight",
        "limit",
        "span",
        "taken",
    )

    def __init__(self, limit: int | None, *, ceiling: int | None = None, span: float = 1.0) -> None:
        self.limit: float = math.inf if limit is None else limit
        self.ceiling: int | None = ceiling
        self.span: float = span
        self.in_flight: int = 0
        self.taken: int = 0
        self.foreign: int = 0
        self.foreign_until: float = -math.inf
        self._returned = 0
        self._returns: deque[float] = deque()
        self._samples = 0
        self._smallest = math.inf
        self._elder = math.inf
        self._trusted_at = math.inf

    @property
    def smallest_round_trip(self) -> float | None:
        """The smallest of the last some thousand round trips, in seconds; None before the first."""
        smallest = min(self._smallest, self._elder)
        return None if smallest == math.inf else smallest

    @property
    def returned(self) -> int:
        """How many tokens have come back so far; noted at sending, it bounds what the server can have counted."""
        return self._returned

    def settle(self, now: float) -> None:
        """Let the tokens return whose time has come."""
        returns = self._returns
        while returns and returns[0] <= now:
            returns.popleft()
            self._returned += 1
        if self.foreign and self.foreign_until <= now:
            self.foreign = 0

    def available(self) -> float:
        """Tell how many tokens can be taken; negative after the limit was lowered. Settle first."""
        return self.limit - self.in_flight - len(self._returns) - self.foreign

    def take(self) -> None:
        """Take one token; the caller has asked whether there is one."""
        self.in_flight += 1
        self.taken += 1

    def give_back(self) -> None:
        """Return a token at once, because nothing was sent."""
        self.in_flight -= 1
        self.taken -= 1

    def answered(self, now: float, round_trip: float | None) -> None:
        """Note that a request was answered, or given up (then its round trip is None)."""
        self.in_flight -= 1
        if self.limit == math.inf:
            self._returned += 1
            return
        back = now + self.span + _GUARD
        if round_trip is not None:
            self._learn(now, round_trip)
            if self._samples >= _WARM_UP and now >= self._trusted_at:
                back -= min(self._smallest, self._elder, self.span)
        returns = self._returns
        returns.append(max(back, returns[-1]) if returns else back)

    def _learn(self, now: float, round_trip: float) -> None:
        """Keep the smallest of two generations, so that a path that became longer is believed after a while.

        Samples of one burst are late together, so they have to come from several windows before they are believed.
        """
        if self._samples == 0:
            self._trusted_at = now + _WARM_WINDOWS * self.span
        self._samples += 1
        if self._samples % _GENERATION == 0:
            self._elder, self._smallest = self._smallest, math.inf
        self._smallest = min(self._smallest, max(round_trip, 0.0))

    def distrust(self) -> None:
        """Subtract nothing until there are enough new samples: the server has just refused a request."""
        self._samples = 0
        self._smallest = self._elder = math.inf

    def hold(self, now: float) -> None:
        """Start as after a full burst: nobody knows what a former process sent a moment ago."""
        if self.limit < math.inf:
            self.foreign, self.foreign_until = int(self.limit), now + self.span

    def correct(self, now: float, limit: int | None, remaining: int | None, *, returned_at_sending: int) -> None:
        """Believe the server's headers: its limit below our ceiling, and requests that are not ours.

        What it has counted of ours are at most the tokens out now and those that came back since this request was sent.
        Whatever it counts beyond is somebody else's, and leaves its window within one span. It narrows ours only where
        less is left than our own ceiling would allow.
        """
        if self.limit == math.inf or limit is None or limit < 1:
            return
        self.limit = limit if self.ceiling is None else min(limit, self.ceiling)
        if remaining is not None:
            ours = self.taken - returned_at_sending
            self.foreign = max(0, int(self.limit) - remaining - ours)
            self.foreign_until = now + self.span

    def instant(self, count: int, now: float) -> float:
        """Tell when ``count`` tokens will be there at once; ``inf`` where only an answer can tell. Settle first."""
        lacking = count - self.available()
        if lacking <= 0:
            return now
        ours = self._returning(int(lacking), now)
        if not self.foreign:
            return ours
        return min(ours, max(self.foreign_until, self._returning(int(lacking) - self.foreign, now)))

    def _returning(self, count: int, now: float) -> float:
        if count <= 0:
            return now
        return self._returns[count - 1] if count <= len(self._returns) else math.inf

    def estimate(self, count: int, now: float) -> float:
        """Guess when ``count`` tokens will have been there, each of them used at once. Settle first."""
        certain = self.instant(count, now)
        if certain < math.inf:
            return certain
        lacking = int(count - self.available()) - len(self._returns) - self.foreign
        start = self._returns[0] if self._returns else now
        return start + (1 + (lacking - 1) // int(self.limit)) * self.span


class DayWindow:
    """Tokens for the window of 24 hours, in a ring of minutes, by the wall clock.

    Args:
        limit: requests that fit into the window; None for no window at all.
        ceiling: what headers cannot raise the limit above; None where they may.
    """

    __slots__ = ("_minute", "_ring", "ceiling", "foreign", "foreign_until", "limit", "spent")

    def __init__(self, limit: int | None, *, ceiling: int | None = None) -> None:
        self.limit: float = math.inf if limit is None else limit
        self.ceiling: int | None = ceiling
        self.spent: int = 0
        self.foreign: int = 0
        self.foreign_until: float = -math.inf
        self._ring = array("q", bytes(8 * _MINUTES))
        self._minute = 0

    def settle(self, wall: float) -> None:
        """Move on to the minute of ``wall`` (seconds since the epoch).

        A clock put back changes nothing; by more than a day, it was wrong before, and all that was booked counts from
        now on: its own minutes may be years away.
        """
        minute = int(wall // 60)
        if minute > self._minute:
            self._advance(minute)
        elif self._minute - minute >= _MINUTES:
            self._ring = array("q", bytes(8 * _MINUTES))
            self._ring[minute % _MINUTES] = self.spent
            self._minute = minute
            self.foreign_until = min(self.foreign_until, wall + _HEARSAY)
        if self.foreign and self.foreign_until <= wall:
            self.foreign = 0

    def _advance(self, minute: int) -> None:
        if minute - self._minute >= _MINUTES:
            self._ring = array("q", bytes(8 * _MINUTES))
            self.spent = 0
        else:
            for passed in range(self._minute + 1, minute + 1):
                place = passed % _MINUTES
                self.spent -= self._ring[place]
                self._ring[place] = 0
        self._minute = minute

    def available(self) -> float:
        """Tell how many tokens can be taken. Settle first."""
        return self.limit - self.spent - self.foreign

    def take(self) -> int:
        """Take one token, and give the minute that it is booked under. Settle first."""
        self.spent += 1
        self._ring[self._minute % _MINUTES] += 1
        return self._minute

    def give_back(self, minute: int) -> None:
        """Return a token at once, because nothing was sent."""
        if 0 <= self._minute - minute < _MINUTES:
            self._ring[minute % _MINUTES] -= 1
            self.spent -= 1

    def answered(self, minute: int) -> None:
        """Book a token under the present minute: the server may have counted it only now. Settle first."""
        if minute != self._minute:
            self.give_back(minute)
            self.take()

    def correct(self, wall: float, limit: int | None, remaining: int | None) -> None:
        """Believe the server's headers: its limit below our ceiling, and requests that are not ours.

        When those were sent nobody knows, so they count for an hour, or until an answer knows better; and only where
        they leave less than our own ceiling would allow.
        """
        if self.limit == math.inf or limit is None or limit < 1:
            return
        self.limit = limit if self.ceiling is None else min(limit, self.ceiling)
        if remaining is not None:
            self.foreign = max(0, int(self.limit) - remaining - self.spent)
            self.foreign_until = wall + _HEARSAY

    def instant(self, count: int, wall: float) -> float:
        """Tell when, by the wall clock, ``count`` tokens will be there at once. Settle first."""
        lacking = count - self.available()
        if lacking <= 0:
            return wall
        if self.foreign and lacking <= self.foreign:
            return self.foreign_until
        lacking -= self.foreign
        for age in range(_MINUTES - 1, -1, -1):
            minute = self._minute - age
            lacking -= self._ring[minute % _MINUTES]
            if lacking <= 0:
                return max(float((minute + _MINUTES) * 60), self.foreign_until if self.foreign else wall)
        return wall + _DAY  # more than the limit itself: nobody can tell

    def minutes(self) -> dict[int, int]:
        """Give what is booked, by minute since the epoch."""
        first = self._minute - _MINUTES + 1
        return {minute: count for minute in range(first, self._minute + 1) if (count := self._ring[minute % _MINUTES])}

    def restore(self, minutes: dict[int, int], wall: float) -> None:
        """Take over what another process booked; what is older than a day, or yet to come, is dropped."""
        self.settle(wall)
        for minute, count in minutes.items():
            if 0 <= self._minute - minute < _MINUTES and count > 0:
                self._ring[minute % _MINUTES] += count
                self.spent += count
