"""Who may send next: a fair queue before the windows of a subscription.

Knows priorities and deadlines. Must not know HTTP, retries or what a request is.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from types import TracebackType

import anyio
import anyio.lowlevel

from stellantis_hal.errors import BudgetExhaustedError, NetworkError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.transport.rate_limit.ledger import QuotaLedger
from stellantis_hal.transport.rate_limit.limits import RateLimits
from stellantis_hal.transport.rate_limit.persistence import LimiterStore, StatePersister
from stellantis_hal.transport.rate_limit.protocol import LimiterStatistics, Priority, RateLimiter, Slot
from stellantis_hal.transport.rate_limit.quota import LONGEST_PAUSE, Quota
from stellantis_hal.transport.wait_queue import Waiter, WaitQueueTimer

__all__ = ["LimiterStatistics", "Priority", "RateLimiter", "Slot", "TokenBucketLimiter"]

_INSTANT = 0.001
_LONG = 600.0


class _Waiter(Waiter):
    """A place in the queue."""

    __slots__ = ("background", "error", "latest", "minute")

    def __init__(self, background: bool, latest: float) -> None:
        super().__init__()
        self.background = background
        self.latest = latest
        self.minute = -1
        self.error: BudgetExhaustedError | None = None

    def __lt__(self, other: _Waiter) -> bool:
        return self.latest < other.latest


class TokenBucketLimiter:
    """Keep both windows of a subscription, first come, first served.

    Interactive requests go before background ones, and a share of both windows is theirs alone. Whoever waits does so
    by one timer in common; a token that comes back wakes one task.

    Args:
        limits: ceilings, which the server's headers may lower. None starts with the vendor's sample (100 a second,
            100,000 a day) and follows the headers up and down.
        interactive_share: the part (0 to 1) of each window that background requests leave alone, in whole requests: a
            tenth of fewer than ten a second is none, and an interactive call then waits for up to a second.
        store: where the day's books survive a restart; None for nowhere.
        save_every: seconds between two savings, at least.
        clock: the wall clock, aware; it decides when a day is over.
    """

    def __init__(
        self,
        limits: RateLimits | None = None,
        *,
        interactive_share: float = 0.1,
        store: LimiterStore | None = None,
        save_every: float = 30.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if not 0 <= interactive_share < 1:
            raise ValueError(f"interactive_share has to be at least 0 and less than 1, not {interactive_share}")
        self._limits = limits
        self._books = QuotaLedger(limits, interactive_share=interactive_share)
        self._clock = clock
        self._keeping = None if store is None else StatePersister(store, save_every)
        self._interactive: OrderedDict[_Waiter, None] = OrderedDict()
        self._background: OrderedDict[_Waiter, None] = OrderedDict()
        self._latest: list[_Waiter] = []
        self._time = WaitQueueTimer(lambda: self._next(*self._settle()), lambda: self._dispatch(*self._settle()))
        self._granted = self._given_back = self._refused = self._waited = self._pauses = 0
        self._seconds_waited = 0.0

    def slot(
        self, *, priority: Priority = "interactive", max_wait: float = 60.0
    ) -> AbstractAsyncContextManager[Slot, None]:
        """Wait for the right to send one request; see :class:`RateLimiter`.

        Args:
            priority: "interactive", or "background" for what can wait.
            max_wait: seconds, at most.

        Raises:
            BudgetExhaustedError: the wait would be longer than that, or than the anyio deadline in force.
        """
        return _LimiterSlot(self, priority == "background", max_wait)

    def pause(self, seconds: float) -> None:
        """Let nobody send for so many seconds, at most 24 hours; whoever cannot wait that long is refused at once."""
        if not seconds > 0:
            return
        now = anyio.current_time()
        self._pauses += 1
        self._books.pause(now, min(seconds, LONGEST_PAUSE))
        until = self._books.paused_until
        for ticket in [ticket for line in (self._interactive, self._background) for ticket in line]:
            if ticket.latest < until:
                self._refuse(ticket, until - now)

    @property
    def limits(self) -> RateLimits | None:
        """The ceilings given; None where the headers rule."""
        return self._limits

    @property
    def statistics(self) -> LimiterStatistics:
        """What happened so far, and how it stands."""
        books = self._books
        now, _ = self._settle()
        burst, day = books.burst.available(), books.day.available()
        return LimiterStatistics(
            granted=self._granted,
            given_back=self._given_back,
            refused=self._refused,
            waited=self._waited,
            seconds_waited=self._seconds_waited,
            waiting=len(self._interactive) + len(self._background),
            in_flight=books.burst.flying,
            pauses=self._pauses,
            paused_for=max(0.0, books.paused_until - now),
            free_this_second=None if burst == math.inf else max(0, int(burst)),
            free_today=None if day == math.inf else max(0, int(day)),
            smallest_round_trip=books.burst.smallest_round_trip,
        )

    async def save(self) -> None:
        """Write the books to the store now; without a store, or where nothing was ever booked, do nothing.

        A store that fails is reported in the log and tried again later: requests do not depend on it.
        """
        if self._keeping is not None:
            await self._keeping.save(lambda: self._books.dump(self._clock().timestamp()))

    # ------------------------------------------------------------------------------------------- for slots

    def _settle(self) -> tuple[float, float]:
        now, wall = anyio.current_time(), self._clock().timestamp()
        self._books.settle(now, wall)
        return now, wall

    def _try(self, background: bool) -> int:
        """Take a token without waiting; -1 where somebody is before us or there is none."""
        if self._interactive or (background and self._background):
            return -1
        now, _ = self._settle()
        minute = self._books.take(now, background=background)
        if minute >= 0:
            self._granted += 1
        return minute

    async def _wait(self, background: bool, max_wait: float) -> int:
        now, wall = self._settle()
        instant = now + self._wait_of(background, now, wall)
        latest = min(now + max_wait, anyio.current_effective_deadline())
        ticket = _Waiter(background, latest)
        if instant > latest:
            self._refused += 1
            await anyio.lowlevel.checkpoint()  # whoever asks again at once must not starve all others
            raise _exhausted(instant - now, latest - now)
        line = self._background if background else self._interactive
        line[ticket] = None
        self._remember(ticket)
        if self._latest and self._latest[0] is ticket:
            self._time.hasten()  # whoever keeps the time knew of nobody this impatient
        try:
            await self._time.wait(ticket)
        except BaseException:
            if ticket.minute >= 0:  # cancelled in the very moment of being granted
                self._give_back(ticket.minute)
            raise
        finally:
            line.pop(ticket, None)
            self._appoint()
        if ticket.error is not None:
            raise ticket.error
        self._waited += 1
        self._seconds_waited += anyio.current_time() - now
        return ticket.minute

    def _give_back(self, minute: int) -> None:
        self._granted -= 1
        self._given_back += 1
        self._books.give_back(minute)
        self._rouse(*self._settle())

    def _answered(self, minute: int, sent_at: float, returned_at_sending: int, quota: Quota | None) -> None:
        now, wall = self._settle()
        self._books.answered(now, minute, now - sent_at)
        if quota is not None:
            self._books.correct(now, wall, quota, returned_at_sending=returned_at_sending)
        self._rouse(now, wall)

    def _given_up(self, minute: int) -> None:
        now, wall = self._settle()
        self._books.answered(now, minute, None)
        self._rouse(now, wall)

    # ------------------------------------------------------------------------------------------- the queue

    def _appoint(self) -> None:
        """Let the newest in the queue keep the time: it stays longest, so that the duty rarely changes hands."""
        if not self._time.is_kept:
            for line in (self._background, self._interactive):
                if line:
                    self._time.appoint(next(reversed(line)))
                    return

    def _rouse(self, now: float, wall: float) -> None:
        """Serve whom a change serves, and see that the timer is early enough for the next."""
        if self._interactive or self._background:
            self._dispatch(now, wall)
            self._time.hasten()

    def _dispatch(self, now: float, wall: float) -> None:
        """Give out what there is, first come, first served; refuse those whose time is over. Settle first."""
        for line, background in ((self._interactive, False), (self._background, True)):
            while line and (minute := self._books.take(now, background=background)) >= 0:
                ticket, _ = line.popitem(last=False)
                ticket.minute = minute
                self._granted += 1
                ticket.settle()
            if line:
                break
        latest = self._latest
        while latest and (latest[0].settled or latest[0].latest <= now):
            ticket = heapq.heappop(latest)
            if not ticket.settled and (ticket in self._interactive or ticket in self._background):
                self._refuse(ticket, self._wait_of(ticket.background, now, wall))

    def _refuse(self, ticket: _Waiter, wait: float) -> None:
        (self._background if ticket.background else self._interactive).pop(ticket, None)
        self._refused += 1
        ticket.error = _exhausted(wait, None)
        ticket.settle()

    def _wait_of(self, background: bool, now: float, wall: float) -> float:
        """Guess for how long somebody who comes now would have to wait. Settle first."""
        ahead = len(self._interactive) + (len(self._background) if background else 0)
        return max(0.0, self._books.estimate(now, wall, ahead=ahead, background=background) - now)

    def _next(self, now: float, wall: float) -> float:
        """Tell when something may change by time alone. Settle first."""
        instant = math.inf
        if self._interactive or self._background:
            instant = self._books.instant(now, wall, background=not self._interactive)
        if self._latest:
            instant = min(instant, self._latest[0].latest)
        return max(instant, now + _INSTANT)

    def _remember(self, ticket: _Waiter) -> None:
        if ticket.latest == math.inf:
            return
        heapq.heappush(self._latest, ticket)
        if len(self._latest) > 64 + 2 * (len(self._interactive) + len(self._background)):
            self._latest = [each for each in self._latest if each in self._interactive or each in self._background]
            heapq.heapify(self._latest)

    def _load(self, content: bytes) -> None:
        now, wall = self._settle()
        self._books.load(content, now, wall)


class _LimiterSlot:
    """A slot of :class:`TokenBucketLimiter`."""

    __slots__ = ("_background", "_limiter", "_max_wait", "_minute", "_returned", "_sent_at")

    def __init__(self, limiter: TokenBucketLimiter, background: bool, max_wait: float) -> None:
        self._limiter = limiter
        self._background = background
        self._max_wait = max_wait
        self._minute = -1
        self._sent_at = -math.inf
        self._returned = 0

    async def __aenter__(self) -> _LimiterSlot:
        limiter = self._limiter
        keeping = limiter._keeping
        if keeping is not None and not keeping.opened:
            await keeping.open(limiter._load)
        minute = limiter._try(self._background)
        self._minute = minute if minute >= 0 else await limiter._wait(self._background, self._max_wait)
        return self

    def sent(self) -> None:
        self._sent_at = anyio.current_time()
        self._returned = self._limiter._books.burst.returned

    def answered(self, quota: Quota | None = None) -> None:
        if self._minute >= 0:
            minute, self._minute = self._minute, -1
            self._limiter._answered(minute, self._sent_at, self._returned, quota)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._minute >= 0:
            minute, self._minute = self._minute, -1
            unsent = self._sent_at == -math.inf or (isinstance(error, NetworkError) and not error.sent)
            if unsent:
                self._limiter._give_back(minute)
            else:
                self._limiter._given_up(minute)
        keeping = self._limiter._keeping
        if keeping is not None and error is None and keeping.is_due():
            await self._limiter.save()


def _exhausted(wait: float, allowed: float | None) -> BudgetExhaustedError:
    span = f"{wait:.3g} s" if wait < _LONG else f"{timedelta(seconds=round(wait))} (h:mm:ss)"
    bound = "" if allowed is None else f", and only {max(allowed, 0.0):.3g} s are allowed"
    return BudgetExhaustedError(
        f"nothing was sent: the next request is possible in about {span}{bound}. Come back then, allow a longer "
        "max_wait (and deadline), or spend less of the subscription.",
        retry_after=wait,
    )
