"""Rate-limit windows: burst and day.

A token of the burst window returns one window after its request was ANSWERED: the server has counted the request by
then, so it never sees more requests in a window than there are tokens. The price is a round trip per token. Most of it
is won back: the smallest round trip seen is subtracted, because at least that much lies between the server's count and
the arrival of the next request. A guard of some milliseconds covers the error of the smallest sample, and nothing is
subtracted before there are enough samples.
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
"""A day of minutes, and the present one: a minute's tokens return when all of them are a day old."""
_DAY = 86_400.0
_EXTERNAL_LIFETIME = 3_600.0
"""Seconds for which requests of other processes, known from headers only, count against the day."""


class BurstWindow:
    """Tokens of the one-second window; responses acknowledge them.

    Args:
        limit: requests that fit into the window; None for no window at all.
        ceiling: the highest limit that headers may set; None for any.
        span: the window's length in seconds.
    """

    __slots__ = (
        "_previous_smallest",
        "_returned",
        "_returns",
        "_samples",
        "_smallest",
        "_trusted_at",
        "ceiling",
        "external",
        "external_until",
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
        self.external: int = 0
        self.external_until: float = -math.inf
        self._returned = 0
        self._returns: deque[float] = deque()
        self._samples = 0
        self._smallest = math.inf
        self._previous_smallest = math.inf
        self._trusted_at = math.inf

    @property
    def smallest_round_trip(self) -> float | None:
        """The smallest of the last some thousand round trips, in seconds; None before the first."""
        smallest = min(self._smallest, self._previous_smallest)
        return None if smallest == math.inf else smallest

    @property
    def returned(self) -> int:
        """Tokens returned so far; its value at sending bounds what the server can have counted."""
        return self._returned

    def advance(self, now: float) -> None:
        """Return the tokens that are due."""
        returns = self._returns
        while returns and returns[0] <= now:
            returns.popleft()
            self._returned += 1
        if self.external and self.external_until <= now:
            self.external = 0

    def available(self) -> float:
        """Return how many tokens can be taken; negative after the limit was lowered. Advance first."""
        return self.limit - self.in_flight - len(self._returns) - self.external

    def take(self) -> None:
        """Take one token; the caller has checked that there is one."""
        self.in_flight += 1
        self.taken += 1

    def give_back(self) -> None:
        """Return a token at once, because nothing was sent."""
        self.in_flight -= 1
        self.taken -= 1

    def answered(self, now: float, round_trip: float | None) -> None:
        """Book a request as answered, or as given up (then its round trip is None)."""
        self.in_flight -= 1
        if self.limit == math.inf:
            self._returned += 1
            return
        back = now + self.span + _GUARD
        if round_trip is not None:
            self._record_round_trip(now, round_trip)
            if self._samples >= _WARM_UP and now >= self._trusted_at:
                back -= min(self._smallest, self._previous_smallest, self.span)
        returns = self._returns
        returns.append(max(back, returns[-1]) if returns else back)

    def _record_round_trip(self, now: float, round_trip: float) -> None:
        """Record the smallest of two generations, so that a path that became longer counts after a while.

        Samples of one burst are late together, so they count only once they come from several windows.
        """
        if self._samples == 0:
            self._trusted_at = now + _WARM_WINDOWS * self.span
        self._samples += 1
        if self._samples % _GENERATION == 0:
            self._previous_smallest, self._smallest = self._smallest, math.inf
        self._smallest = min(self._smallest, max(round_trip, 0.0))

    def forget_round_trips(self) -> None:
        """Subtract nothing until there are enough new samples; used after the server refused a request."""
        self._samples = 0
        self._smallest = self._previous_smallest = math.inf

    def hold(self, now: float) -> None:
        """Start as after a full burst, because a former process may have sent one a moment ago."""
        if self.limit < math.inf:
            self.external, self.external_until = int(self.limit), now + self.span

    def correct(self, now: float, limit: int | None, remaining: int | None, *, returned_at_sending: int) -> None:
        """Apply the server's headers: its limit, at most the ceiling, and requests of other processes.

        Of this process's requests it has counted at most the tokens in flight and those returned since this request was
        sent. All it has counted beyond belongs to other processes and leaves the server's window within one span.
        """
        if self.limit == math.inf or limit is None or limit < 1:
            return
        self.limit = limit if self.ceiling is None else min(limit, self.ceiling)
        if remaining is not None:
            ours = self.taken - returned_at_sending
            self.external = max(0, int(self.limit) - remaining - ours)
            self.external_until = now + self.span

    def available_at(self, count: int, now: float) -> float:
        """Return when ``count`` tokens will be free; ``inf`` where that depends on a response. Advance first."""
        lacking = count - self.available()
        if lacking <= 0:
            return now
        ours = self._return_time(int(lacking), now)
        if not self.external:
            return ours
        return min(ours, max(self.external_until, self._return_time(int(lacking) - self.external, now)))

    def _return_time(self, count: int, now: float) -> float:
        if count <= 0:
            return now
        return self._returns[count - 1] if count <= len(self._returns) else math.inf

    def estimate(self, count: int, now: float) -> float:
        """Estimate when ``count`` tokens will have been free, each used at once. Advance first."""
        certain = self.available_at(count, now)
        if certain < math.inf:
            return certain
        lacking = int(count - self.available()) - len(self._returns) - self.external
        start = self._returns[0] if self._returns else now
        return start + (1 + (lacking - 1) // int(self.limit)) * self.span


class DayWindow:
    """Tokens of the 24-hour window, in a ring of minutes, by the wall clock.

    Args:
        limit: requests that fit into the window; None for no window at all.
        ceiling: the highest limit that headers may set; None for any.
    """

    __slots__ = ("_minute", "_ring", "ceiling", "external", "external_until", "limit", "spent")

    def __init__(self, limit: int | None, *, ceiling: int | None = None) -> None:
        self.limit: float = math.inf if limit is None else limit
        self.ceiling: int | None = ceiling
        self.spent: int = 0
        self.external: int = 0
        self.external_until: float = -math.inf
        self._ring = array("q", bytes(8 * _MINUTES))
        self._minute = 0

    def advance(self, wall: float) -> None:
        """Advance to the minute of ``wall`` (seconds since the epoch).

        A clock set back changes nothing. If it is set back by more than a day, it was wrong before, and all that is
        booked counts from now on, because its minutes may be years away.
        """
        minute = int(wall // 60)
        if minute > self._minute:
            self._advance(minute)
        elif self._minute - minute >= _MINUTES:
            self._ring = array("q", bytes(8 * _MINUTES))
            self._ring[minute % _MINUTES] = self.spent
            self._minute = minute
            self.external_until = min(self.external_until, wall + _EXTERNAL_LIFETIME)
        if self.external and self.external_until <= wall:
            self.external = 0

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
        """Return how many tokens can be taken. Advance first."""
        return self.limit - self.spent - self.external

    def take(self) -> int:
        """Take one token; return the minute that it is booked under. Advance first."""
        self.spent += 1
        self._ring[self._minute % _MINUTES] += 1
        return self._minute

    def give_back(self, minute: int) -> None:
        """Return a token at once, because nothing was sent."""
        if 0 <= self._minute - minute < _MINUTES:
            self._ring[minute % _MINUTES] -= 1
            self.spent -= 1

    def answered(self, minute: int) -> None:
        """Book a token under the present minute, because the server may have counted it only now. Advance first."""
        if minute != self._minute:
            self.give_back(minute)
            self.take()

    def correct(self, wall: float, limit: int | None, remaining: int | None) -> None:
        """Apply the server's headers: its limit, at most the ceiling, and requests of other processes.

        When those were sent is unknown, so they count for an hour, or until the next response.
        """
        if self.limit == math.inf or limit is None or limit < 1:
            return
        self.limit = limit if self.ceiling is None else min(limit, self.ceiling)
        if remaining is not None:
            self.external = max(0, int(self.limit) - remaining - self.spent)
            self.external_until = wall + _EXTERNAL_LIFETIME

    def available_at(self, count: int, wall: float) -> float:
        """Return when, by the wall clock, ``count`` tokens will be free. Advance first."""
        lacking = count - self.available()
        if lacking <= 0:
            return wall
        if self.external and lacking <= self.external:
            return self.external_until
        lacking -= self.external
        for age in range(_MINUTES - 1, -1, -1):
            minute = self._minute - age
            lacking -= self._ring[minute % _MINUTES]
            if lacking <= 0:
                return max(float((minute + _MINUTES) * 60), self.external_until if self.external else wall)
        return wall + _DAY  # more than the limit itself

    def minutes(self) -> dict[int, int]:
        """Return what is booked, by minute since the epoch."""
        first = self._minute - _MINUTES + 1
        return {minute: count for minute in range(first, self._minute + 1) if (count := self._ring[minute % _MINUTES])}

    def restore(self, minutes: dict[int, int], wall: float) -> None:
        """Add what another process booked; drop what is older than a day, or in the future."""
        self.advance(wall)
        for minute, count in minutes.items():
            if 0 <= self._minute - minute < _MINUTES and count > 0:
                self._ring[minute % _MINUTES] += count
                self.spent += count
