"""Burst window of a rate limit.

A token returns one window after its request was ANSWERED: the server has counted the request by
then, so it never sees more requests in a window than there are tokens. The price is a round trip per token. Most of it
is won back: the smallest round trip seen is subtracted, because at least that much lies between the server's count and
the arrival of the next request. A guard of some milliseconds covers the error of the smallest sample, and nothing is
subtracted before there are enough samples.

A request under way for longer than the window is slow work at the server, which has counted it on arrival: its token
returns a window and a bound on late arrivals after it was SENT, so that slow responses do not stop other requests.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from itertools import islice

from stellantis_hal.transport.rate_limit.effective_limit import EffectiveLimit

__all__ = ["BurstWindow"]

_GUARD = 0.002
_WARM_UP = 100
_WARM_WINDOWS = 2
_GENERATION = 2_000
_LATE = 0.105
"""Seconds: how late the server counts a request that is under way for longer than the window, at most."""


class BurstWindow:
    """Tokens of the one-second window; responses acknowledge them.

    Attributes:
        in_flight: tokens taken and not returned or about to return: slots held, and requests the server may count yet.
        overdue: requests under way whose tokens have returned, because they take longer than the window.
        changes_at: before this instant :meth:`advance` changes nothing.

    Args:
        limit: requests that fit into the window; None for no window at all.
        ceiling: the highest limit that headers may set; None for any.
        span: the window's length in seconds.
    """

    __slots__ = (
        "_limit",
        "_overdue_at",
        "_previous_smallest",
        "_returned",
        "_returns",
        "_samples",
        "_saved",
        "_sendings",
        "_sent",
        "_smallest",
        "_trusted_at",
        "changes_at",
        "external",
        "external_until",
        "in_flight",
        "limit",
        "overdue",
        "span",
        "taken",
    )

    def __init__(self, limit: int | None, *, ceiling: int | None = None, span: float = 1.0) -> None:
        self._limit = EffectiveLimit(limit, ceiling)
        self.limit: float = self._limit.value
        self.span: float = span
        self.in_flight: int = 0
        self.overdue: int = 0
        self.taken: int = 0
        self.external: int = 0
        self.external_until: float = -math.inf
        self._returned = 0
        self._returns: deque[float] = deque()
        self._sendings: OrderedDict[int, float] = OrderedDict()
        self._sent = 0
        self._overdue_at = math.inf
        self._samples = 0
        self._smallest = math.inf
        self._previous_smallest = math.inf
        self._saved: float  # the smaller of both, at most the window; set with the first sample, as the next one
        self._trusted_at: float
        self.changes_at: float = math.inf

    @property
    def smallest_round_trip(self) -> float | None:
        """The smallest of the last some thousand round trips, in seconds; None before the first."""
        smallest = min(self._smallest, self._previous_smallest)
        return None if smallest == math.inf else smallest

    @property
    def returned(self) -> int:
        """Tokens returned so far; its value at sending bounds what the server can have counted."""
        return self._returned

    def advance(self, now: float) -> bool:
        """Return the tokens that are due to the window; return whether a limit that a response stated has lapsed."""
        returns, returned = self._returns, self._returned
        drop = returns.popleft
        while returns and returns[0] <= now:
            drop()
            returned += 1
        self._returned = returned
        if now >= self._overdue_at:
            self._return_overdue(now)
        if self.external and self.external_until <= now:
            self.external = 0
        has_lapsed = now >= self._limit.lapses_at
        if has_lapsed:
            self._limit.lapse()
            self.limit = self._limit.value
        self._set_change()
        return has_lapsed

    def _set_change(self) -> None:
        """Note the earliest instant at which time alone changes something."""
        change = self._overdue_at
        if self._returns and self._returns[0] < change:
            change = self._returns[0]
        change = min(change, self._limit.lapses_at)
        if self.external and self.external_until < change:
            change = self.external_until
        self.changes_at = change

    def _return_overdue(self, now: float) -> None:
        sendings = self._sendings
        while sendings and self.next_overdue() <= now:
            sendings.popitem(last=False)
            self.in_flight -= 1
            self.overdue += 1
            self._returned += 1
        self._overdue_at = self.next_overdue()

    def available(self) -> float:
        """Return how many tokens can be taken; negative after the limit was lowered. Advance first."""
        return self.limit - self.in_flight - len(self._returns) - self.external

    def take(self) -> None:
        """Take one token; the caller has checked that there is one."""
        self.in_flight += 1
        self.taken += 1

    def sent(self, now: float) -> int:
        """Book a token's request as sent; return the number that :meth:`answered` and :meth:`give_back` take."""
        number = self._sent = self._sent + 1
        if not self._sendings:
            self._overdue_at = now + self.span + _LATE
            self.changes_at = min(self.changes_at, self._overdue_at)
        self._sendings[number] = now
        return number

    def give_back(self, sending: int | None = None) -> None:
        """Return a token at once, because nothing was sent."""
        if sending is not None and self._has_returned(sending):
            self.overdue -= 1
            return
        self.in_flight -= 1
        self.taken -= 1

    def _has_returned(self, sending: int) -> bool:
        """Forget a request under way; return whether its token has returned already."""
        return self._sendings.pop(sending, None) is None

    def answered(self, now: float, round_trip: float | None, sending: int | None = None) -> None:
        """Book a request as answered, or as given up (then its round trip is None). Advance first."""
        sent_at = now if sending is None else self._sendings.pop(sending, None)
        if round_trip is not None and self.limit < math.inf:
            if round_trip < self._smallest or (self._samples + 1) % _GENERATION == 0:
                self._record_round_trip(now, round_trip)
            else:
                self._samples += 1
        if sent_at is None:
            self.overdue -= 1
            return
        self.in_flight -= 1
        if self.limit == math.inf:
            self._returned += 1
            return
        back = now + self.span + _GUARD
        if round_trip is not None and self._samples >= _WARM_UP and now >= self._trusted_at:
            back -= self._saved
        returns = self._returns
        if not returns:
            self.changes_at = min(self.changes_at, back)
        elif returns[-1] > back:
            back = returns[-1]
        returns.append(back)

    def _record_round_trip(self, now: float, round_trip: float) -> None:
        """Record the smallest of two generations, so that a path that became longer counts after a while.

        Samples of one burst are late together, so they count only once they come from several windows.
        """
        if self._samples == 0:
            self._trusted_at = now + _WARM_WINDOWS * self.span
        self._samples += 1
        if self._samples % _GENERATION == 0:
            self._previous_smallest, self._smallest = self._smallest, math.inf
        self._smallest = max(round_trip, 0.0)
        self._saved = min(self._smallest, self._previous_smallest, self.span)

    def forget_round_trips(self) -> None:
        """Subtract nothing until there are enough new samples; used after the server refused a request."""
        self._samples = 0
        self._smallest = self._previous_smallest = self._saved = math.inf

    def hold(self, now: float) -> None:
        """Start as after a full burst, because a former process may have sent one a moment ago."""
        if self.limit < math.inf:
            self.external, self.external_until = int(self.limit), now + self.span
            self._set_change()

    def correct(
        self,
        now: float,
        limit: int | None,
        remaining: int | None,
        *,
        returned_at_sending: int,
        sent_at: float = -math.inf,
    ) -> bool:
        """Apply the server's headers: its limit, at most the ceiling, and requests of other processes.

        Return whether the limit may have changed.

        Of this process's requests it has counted at most the tokens in flight and those returned since this request was
        sent. All it has counted beyond belongs to other processes and leaves the server's window within one span.
        """
        if limit is None or limit < 1 or self.limit == math.inf:
            return False
        is_new = self._limit.state(now, limit, sent_at=sent_at, exhausted=remaining == 0)
        if is_new:
            self.limit = self._limit.value
            self._set_change()
        if remaining is not None:
            external = int(self.limit) - remaining - self.taken + returned_at_sending
            if external > 0 or self.external:
                self.external = max(0, external)
                self.external_until = now + self.span
                self._set_change()
        return is_new

    def stated_limit(self, now: float) -> float:
        """Return the limit that responses have stated lately; ``inf`` where none has."""
        return self._limit.stated(now)

    def next_overdue(self) -> float:
        """Return when the next request under way will be overdue; ``inf`` where there is none. Advance first."""
        return next(iter(self._sendings.values()), math.inf) + self.span + _LATE

    def available_at(self, count: int, now: float) -> float:
        """Return when ``count`` tokens will be free at the latest; ``inf`` where that is unknown. Advance first."""
        lacking = count - self.available()
        if lacking <= 0:
            return now
        ours = self._return_time(int(lacking), now)
        if not self.external:
            return ours
        return min(ours, max(self.external_until, self._return_time(int(lacking) - self.external, now)))

    def _return_time(self, count: int, now: float) -> float:
        """Return when the last of the next ``count`` tokens returns, if no response comes before."""
        if count <= 0:
            return now
        answered, under_way = len(self._returns), len(self._sendings)
        if count > answered + under_way:
            return math.inf
        late = self.span + _LATE
        if not under_way:
            return self._returns[count - 1]
        if count == 1:
            return min(self._returns[0] if answered else math.inf, self.next_overdue())
        if count == answered + under_way:
            latest = next(reversed(self._sendings.values())) + late
            return max(self._returns[-1], latest) if answered else latest
        overdue = (sent_at + late for sent_at in islice(self._sendings.values(), count))
        return sorted([*islice(self._returns, count), *overdue])[count - 1]

    def estimate(self, count: int, now: float) -> float:
        """Estimate when ``count`` tokens will have been free, each used at once. Advance first."""
        certain = self.available_at(count, now)
        if certain < math.inf:
            return certain
        lacking = int(count - self.available()) - len(self._returns) - len(self._sendings) - self.external
        start = self._return_time(1, now)
        return (start if start < math.inf else now) + (1 + (lacking - 1) // int(self.limit)) * self.span
