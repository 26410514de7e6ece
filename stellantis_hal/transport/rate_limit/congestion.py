"""Congestion control: slow start after a refusal, and an AIMD rate where the server's limit is not known.

Where the limit is not known, the first requests go in rounds: ten, and twice as many after all of them are answered.
After a refusal one request goes first. Each success lets one more be under way, so their number doubles each round
trip: one, two, four. The rate of requests is lowered to what the server is known to serve, and then increased
additively: quickly while it is well below the rate that was refused, slowly near it, and faster again beyond it, so
that a limit that was raised is found. Growth counts successes and seconds, whichever are slower, because both a
refusal and the pause after it must stay rare.
"""

from __future__ import annotations

import math

__all__ = ["CongestionControl"]

INITIAL_WINDOW = 10
"""Requests that may be under way before a server whose limit is not known has answered any, as in RFC 6928."""

_WIDEST = 64
_DECREASE = 0.9
_APPROACH = 0.3
"""Part of the distance to the refused rate that a success adds."""
_NEAR = 0.93
"""Part of the refused rate from which on it is increased slowly."""
_PROBE = 0.15
"""Part of the refused rate that a period of slow increase adds."""
_PERIOD_SUCCESSES = 45.0
_PERIOD_SECONDS = 15.0
_PERIOD_PAUSES = 6.0
"""Length of a period in pauses, so that these stay a small part of the time."""
_SEARCH = 8.0
"""How much faster the first rate is increased: it is derived from a single burst."""
_START_AND_AIM = 1.5, 2.0
"""The first rate and the one it is soon increased to, as multiples of what was served."""
_START_AND_AIM_IN_A_ROW = 1.3, 1.6
"""The same after refusals in a row, which tell how long the server's window takes to empty."""
_LONG_ROW = 6
"""Refusals in a row after which the server seems to count what it refuses, so that it allows more than it served."""
_NEARLY = 0.5
"""Part of a limit that was given, from which on what was served speaks for it."""
_LASTING = 2.0
"""Seconds of successes before a refusal that do so, too: no burst has caused it."""
_FORGET = 900.0
"""Seconds without a refusal after which the rate is no longer bounded."""
_SLOWEST = 0.05
_SLACK = 0.05
"""Seconds by which a late request does not delay the next one."""
_IN_A_ROW = 6
"""Successes between two refusals, below which they are in a row."""
_EVIDENCE = 4
"""Successes from which a first rate is derived; with fewer only the requests under way are bounded."""
_FIRST_RATE = 2.0
"""Requests per second where there is no such evidence, and requests under way are refused again."""
_LONGEST_BACKOFF = 4.0
_BACKOFF_FROM = 1.0
"""A server that asks for a shorter pause than this is believed."""
_IDLE = 1.0


class CongestionControl:
    """Requests under way, and their rate, as far as refusals bound them.

    Args:
        window: requests that may be under way at first; ``inf`` for any number.

    Attributes:
        rate: requests per second; ``inf`` where no refusal bounds them.
        window: requests that may be under way; ``inf`` for any number.
        is_refused: whether no request sent since the latest refusal has succeeded.
    """

    __slots__ = (
        "_active_at",
        "_first_pause",
        "_increase",
        "_next_at",
        "_peak",
        "_period",
        "_refusals",
        "_refused_at",
        "_room",
        "_served",
        "_since",
        "_was_patient",
        "is_refused",
        "rate",
        "window",
    )

    def __init__(self, window: float = math.inf) -> None:
        self.rate: float = math.inf
        self.window: float = window
        self._peak: float  # these three are set together with the first rate
        self._increase: float
        self._period: float
        self._next_at = -math.inf
        self.is_refused: bool = False
        self._was_patient = False
        self._first_pause = 0.0
        self._refused_at = -math.inf
        self._room = window
        self._refusals = 0
        self._served = 0
        self._since = -math.inf
        self._active_at = -math.inf

    def allows(self, now: float, in_flight: int) -> bool:
        """Return whether one more request may be sent."""
        return self._has_room(in_flight) and self._next_at <= now

    def available_at(self, now: float, in_flight: int) -> float:
        """Return when one more request may be sent; ``inf`` where that depends on a response."""
        return max(now, self._next_at) if self._has_room(in_flight) else math.inf

    def _has_room(self, in_flight: int) -> bool:
        """Return whether the window has room.

        Before the first refusal the window is opened by whole rounds, each answered before the next one: the successes
        of a round come a moment before its refusals, and must not let more go at once.
        """
        return in_flight < self.window and (self._room >= 1 or in_flight == 0 or self._refused_at > -math.inf)

    def estimate(self, now: float, ahead: int) -> float:
        """Estimate when a request may be sent after ``ahead`` others."""
        return max(now, self._next_at) + ahead / self.rate

    def try_take(self, now: float, in_flight: int) -> bool:
        """Book a request that is about to be sent, besides those in flight; return whether it may be."""
        if self._next_at > now or not (self.window == math.inf or self._has_room(in_flight)):
            return False
        self.take(now, in_flight)
        return True

    def take(self, now: float, in_flight: int = 0) -> None:
        """Book a request that is about to be sent, besides those in flight."""
        if self.window < math.inf:
            self._room = (self._room if in_flight else self.window) - 1
        if now - self._active_at > _IDLE + 2 / self.rate and not self.is_refused:
            self._since, self._served = now, 0
        self._active_at = now
        if self.rate < math.inf:
            self._next_at = max(self._next_at, now - _SLACK) + 1 / self.rate

    def give_back(self) -> None:
        """Take back the latest booking, because nothing was sent."""
        self._room += 1
        if self.rate < math.inf:
            self._next_at -= 1 / self.rate

    def restart(self, now: float) -> None:
        """Let one request go first, because it is not known whether the server serves any."""
        self.window = 1
        self._refused_at = math.nextafter(now, -math.inf)  # the first one may be sent at this very instant

    def refused(self, now: float, sent_at: float) -> None:
        """Book a refusal; those of requests sent before the latest one belong to it."""
        if sent_at <= self._refused_at:
            return
        self._refusals += 1
        self.is_refused = True
        self._refused_at = now
        self.window = 1

    def ensure_refused(self, now: float) -> None:
        """Book a refusal that no response has told, where the latest one is over."""
        if not self.is_refused:
            self.refused(now, math.inf)

    def back_off(self, seconds: float) -> float:
        """Return how long to pause where a response asks for ``seconds``: refusals in a row double the pause."""
        if self._refusals < 2:
            self._first_pause = seconds
        if self._first_pause < _BACKOFF_FROM:
            return seconds
        doublings = max(0, self._refusals - 1) + self._was_patient
        return max(seconds, min(_BACKOFF_FROM * 2.0**doublings, _LONGEST_BACKOFF))

    def widen(self, count: int = 1) -> None:
        """Let more requests be under way, because the server has not refused this many."""
        if self.window < math.inf:
            self.window = self.window + count if self.window < _WIDEST else math.inf
            if self.window == math.inf:
                self._room = math.inf

    def lift(self) -> bool:
        """Drop the bound on requests under way if no refusal has set it; return whether that was so."""
        if self._refused_at > -math.inf or self.window == math.inf:
            return False
        self.window = self._room = math.inf
        return True

    def succeeded(self, now: float, sent_at: float, *, stated: float = math.inf, limit: float = math.inf) -> None:
        """Book a success.

        Args:
            now: the present instant.
            sent_at: when the request was sent.
            stated: requests per second that the server's headers allow; ``inf`` where they state none.
            limit: requests per second that the caller has given as the limit; ``inf`` where there is none.
        """
        if sent_at > self._refused_at:
            if self.is_refused:
                self._recover(now, stated, limit)
            elif self.rate < math.inf:
                self._grow(now)
            if self.window < math.inf:
                self.widen()
        self._served += 1
        self._active_at = now

    def _recover(self, now: float, stated: float, limit: float) -> None:
        """Lower the rate, because requests are served again.

        What was served since requests began, the pause included, is what the server allows at least; without the pause,
        what it allows at most. A refusal soon after another one says that the server's window is still full, not that
        the rate is too high. A limit that was given is the aim where what was served does not speak against it.
        """
        active, paused = self._refused_at - self._since, now - self._refused_at
        least = self._served / max(active + paused, 1.0)
        most = self._served / max(active, paused, 1.0)
        if self.rate == math.inf and self._served < _EVIDENCE and self._refusals == 1:
            self.is_refused = False
            return
        if self.rate == math.inf:
            first = max(least, _SLOWEST) if self._served >= _EVIDENCE else _FIRST_RATE
            is_single = self._refusals == 1
            if stated == math.inf and is_single and (most >= _NEARLY * limit or active >= _LASTING):
                stated = limit
            start, aim = _START_AND_AIM
            if 1 < self._refusals < _LONG_ROW and self._served >= _EVIDENCE:
                start, aim = _START_AND_AIM_IN_A_ROW
            self._peak = stated if stated < math.inf else aim * first
            self.rate = min(start * first, self._peak)
            self._increase = _SEARCH
        elif self._served >= _IN_A_ROW or self._refusals > 3:
            lowered = _DECREASE * self.rate
            self._peak = max(least, min(lowered, most), _SLOWEST)
            self.rate = max(min(lowered, least), self._peak / 2, _SLOWEST)
            self._increase = min(max(1.0, paused / max(active, 1.0)), _SEARCH)  # a long pause says little of the rate
        self._next_at = now + 1 / self.rate
        self._period = max(_PERIOD_SECONDS, _PERIOD_PAUSES * paused)
        self._was_patient = self._refusals > 1
        self.is_refused = False
        self._since, self._served = now, 0

    def _grow(self, now: float) -> None:
        if self._served >= _IN_A_ROW:
            self._refusals = 0
        if now - self._refused_at >= _FORGET:
            self.rate, self._next_at = math.inf, -math.inf
        elif self.rate < _NEAR * self._peak:
            self.rate += _APPROACH * (self._peak - self.rate)
        else:
            successes = max(_PERIOD_SUCCESSES, self.rate * self._period)
            self.rate += _PROBE * self._increase * self._peak / successes
            if self.rate > self._peak:
                self._increase *= 2 ** (1 / successes)
