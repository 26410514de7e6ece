"""Day window of a rate limit."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping

from stellantis_hal.transport.rate_limit.effective_limit import LAPSE, EffectiveLimit

__all__ = ["DayWindow"]

_MINUTES = 1_441
"""A day of minutes, and the present one: a minute's tokens return when all of them are a day old."""

_DAY = 86_400.0


class DayWindow:
    """Tokens of the 24-hour window, in a ring of minutes, by the backend's clock: a wall clock may be set.

    What only one response has stated about it lapses, see :class:`EffectiveLimit`.

    Args:
        limit: requests that fit into the window; None for no window at all.
        ceiling: the highest limit that headers may set; None for any.

    Attributes:
        minute: the present one, of the backend's clock.
        current_from: from this instant on, and before the next one, :meth:`advance` changes nothing.
        current_until: when it may change something again.
    """

    __slots__ = (
        "_lapses_at",
        "_limit",
        "_ring",
        "current_from",
        "current_until",
        "external",
        "external_until",
        "limit",
        "minute",
        "spent",
    )

    def __init__(self, limit: int | None, *, ceiling: int | None = None) -> None:
        self._limit = EffectiveLimit(limit, ceiling)
        self.limit: float = self._limit.value
        self.spent: int = 0
        self.external: int = 0
        self.external_until: float = -math.inf
        self._lapses_at = math.inf
        self._ring = array("q", bytes(8 * _MINUTES))
        self.minute: int = 0
        self.current_from: float = 0.0
        self.current_until: float = 60.0

    def advance(self, now: float) -> bool:
        """Advance to the minute of ``now``; return whether something that responses stated has lapsed.

        A clock set back changes nothing. If it is set back by more than a day, it is another clock, and all that is
        booked counts from now on, because its minutes may be years away.
        """
        if self.current_from <= now < self.current_until:
            return False
        minute = int(now // 60)
        if minute > self.minute:
            self._advance(minute)
        elif self.minute - minute >= _MINUTES:
            self._ring = array("q", bytes(8 * _MINUTES))
            self._ring[minute % _MINUTES] = self.spent
            self._set_minute(minute)
            self.external_until = min(self.external_until, now + LAPSE)
            self._set_lapse()
        if now < self._lapses_at:
            return False
        self.external = 0  # never stated later than the limit
        if self._limit.lapses_at <= now:
            self._limit.lapse()
            self.limit = self._limit.value
        self._set_lapse()
        return True

    def _set_lapse(self) -> None:
        self._lapses_at = min(self._limit.lapses_at, self.external_until if self.external else math.inf)
        self.current_until = min(60.0 * (self.minute + 1), self._lapses_at)

    def _advance(self, minute: int) -> None:
        if minute - self.minute >= _MINUTES:
            self._ring = array("q", bytes(8 * _MINUTES))
            self.spent = 0
        else:
            for passed in range(self.minute + 1, minute + 1):
                place = passed % _MINUTES
                self.spent -= self._ring[place]
                self._ring[place] = 0
        self._set_minute(minute)

    def _set_minute(self, minute: int) -> None:
        self.minute = minute
        self.current_from = 60.0 * minute
        self.current_until = min(self.current_from + 60.0, self._lapses_at)

    def available(self) -> float:
        """Return how many tokens can be taken. Advance first."""
        return self.limit - self.spent - self.external

    def take(self) -> int:
        """Take one token; return the minute that it is booked under. Advance first."""
        self.spent += 1
        minute = self.minute
        self._ring[minute % _MINUTES] += 1
        return minute

    def give_back(self, minute: int) -> None:
        """Return a token at once, because nothing was sent."""
        if 0 <= self.minute - minute < _MINUTES:
            self._ring[minute % _MINUTES] -= 1
            self.spent -= 1

    def answered(self, minute: int) -> None:
        """Book a token under the present minute, because the server may have counted it only now. Advance first."""
        if minute != self.minute:
            self.give_back(minute)
            self.take()

    def correct(
        self,
        now: float,
        limit: int | None,
        remaining: int | None,
        *,
        sent_at: float = -math.inf,
        in_flight: int = 0,
    ) -> bool:
        """Apply the server's headers: its limit, at most the ceiling, and requests of other processes.

        Return whether the limit may have changed.

        A limit below the number of requests answered today is not believed. When others sent theirs is unknown:
        those count until the next response, or until what it stated lapses. Advance first.
        """
        if limit is None or limit < 1 or self.limit == math.inf or limit < self.spent - in_flight:
            return False
        is_new = self._limit.state(now, limit, sent_at=sent_at, exhausted=remaining == 0)
        if is_new:
            self.limit = self._limit.value
            self._set_lapse()
        if remaining is not None:
            external = int(self.limit) - remaining - self.spent
            if external > 0 or self.external:
                self.external = max(0, external)
                self.external_until = now + LAPSE
                self._set_lapse()
        return is_new

    def available_at(self, count: int, now: float) -> float:
        """Return when ``count`` tokens will be free. Advance first."""
        stated = self._available_at(count - self.limit, now)
        if self._limit.lapses_at >= stated:
            return stated
        return min(stated, max(self._limit.lapses_at, self._available_at(count - self._limit.confirmed, now)))

    def _available_at(self, excess: float, now: float) -> float:
        """Return when what is spent will be at most ``-excess``."""
        lacking = excess + self.spent + self.external
        if lacking <= 0:
            return now
        if self.external and lacking <= self.external:
            return self.external_until
        lacking -= self.external
        for age in range(_MINUTES - 1, -1, -1):
            minute = self.minute - age
            lacking -= self._ring[minute % _MINUTES]
            if lacking <= 0:
                return max(float((minute + _MINUTES) * 60), self.external_until if self.external else now)
        return now + _DAY  # more than the limit itself

    def minutes(self) -> dict[int, int]:
        """Return what is booked, by minute of the clock."""
        first = self.minute - _MINUTES + 1
        return {minute: count for minute in range(first, self.minute + 1) if (count := self._ring[minute % _MINUTES])}

    def restore(self, minutes: Mapping[int, int], now: float) -> None:
        """Add what another process booked; drop what is older than a day, or in the future."""
        self.advance(now)
        self._add(minutes, 1)

    def withdraw(self, minutes: Mapping[int, int]) -> None:
        """Undo :meth:`restore`, as far as its minutes are not a day old. Advance first."""
        self._add(minutes, -1)

    def _add(self, minutes: Mapping[int, int], sign: int) -> None:
        for minute, count in minutes.items():
            if 0 <= self.minute - minute < _MINUTES and count > 0:
                self._ring[minute % _MINUTES] += sign * count
                self.spent += sign * count
