"""Fair queue for tokens of both rate-limit windows."""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

import anyio
import anyio.lowlevel

from stellantis_hal.errors import BudgetExhaustedError
from stellantis_hal.transport.rate_limit.ledger import QuotaLedger
from stellantis_hal.transport.rate_limit.protocol import LimiterStatistics
from stellantis_hal.transport.rate_limit.quota import Quota
from stellantis_hal.transport.wait_queue import Waiter, WaitQueueTimer

__all__ = ["TokenQueue"]

_RESOLUTION = 0.001
_LONG = 600.0


class _Waiter(Waiter):
    """A task in the queue."""

    __slots__ = ("background", "error", "latest", "minute")

    def __init__(self, background: bool, latest: float) -> None:
        super().__init__()
        self.background = background
        self.latest = latest
        self.minute = -1
        self.error: BudgetExhaustedError | None = None

    def __lt__(self, other: _Waiter) -> bool:
        return self.latest < other.latest


class TokenQueue:
    """Grants tokens of a ledger in order of arrival, interactive requests before background ones.

    Args:
        ledger: both windows.
        clock: the wall clock, aware.
    """

    __slots__ = (
        "_background",
        "_clock",
        "_given_back",
        "_granted",
        "_interactive",
        "_latest",
        "_ledger",
        "_pauses",
        "_refused",
        "_seconds_waited",
        "_timer",
        "_waited",
    )

    def __init__(self, ledger: QuotaLedger, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._interactive: OrderedDict[_Waiter, None] = OrderedDict()
        self._background: OrderedDict[_Waiter, None] = OrderedDict()
        self._latest: list[_Waiter] = []
        self._timer = WaitQueueTimer(
            lambda: self._next_change(*self.advance()), lambda: self._dispatch(*self.advance())
        )
        self._granted = self._given_back = self._refused = self._waited = self._pauses = 0
        self._seconds_waited = 0.0

    def advance(self) -> tuple[float, float]:
        """Advance the ledger to the present; return it by both clocks."""
        now, wall = anyio.current_time(), self._clock().timestamp()
        self._ledger.advance(now, wall)
        return now, wall

    def pause(self, seconds: float, reason: str) -> None:
        """Grant nothing for this many seconds; refuse waiters that cannot wait that long."""
        now, wall = self.advance()
        self._pauses += 1
        self._ledger.pause(now, seconds, reason)
        until = self._ledger.paused_until
        for waiter in [waiter for queue in (self._interactive, self._background) for waiter in queue]:
            if waiter.latest < until:
                self._refuse(waiter, self._exhausted(waiter.background, until - now, now, wall))

    @property
    def statistics(self) -> LimiterStatistics:
        """Counters and state."""
        ledger = self._ledger
        now, _ = self.advance()
        burst, day = ledger.burst.available(), ledger.day.available()
        return LimiterStatistics(
            granted=self._granted,
            given_back=self._given_back,
            refused=self._refused,
            waited=self._waited,
            seconds_waited=self._seconds_waited,
            waiting=len(self._interactive) + len(self._background),
            in_flight=ledger.burst.in_flight,
            pauses=self._pauses,
            paused_for=max(0.0, ledger.paused_until - now),
            free_this_second=None if burst == math.inf else max(0, int(burst)),
            free_today=None if day == math.inf else max(0, int(day)),
            smallest_round_trip=ledger.burst.smallest_round_trip,
        )

    def try_take(self, background: bool) -> int:
        """Take a token without waiting; return its minute, -1 where there is none or others wait for it."""
        if self._interactive or (background and self._background):
            return -1
        now, _ = self.advance()
        minute = self._ledger.take(now, background=background)
        if minute >= 0:
            self._granted += 1
        return minute

    async def wait(self, background: bool, max_wait: float) -> int:
        """Wait for a token; return its minute."""
        now, wall = self.advance()
        grant_at = now + self._estimated_wait(background, now, wall)
        latest = min(now + max_wait, anyio.current_effective_deadline())
        if grant_at > latest:
            self._refused += 1
            error = self._exhausted(background, grant_at - now, now, wall, allowed=latest - now)
            await anyio.lowlevel.checkpoint()  # a task that asks again at once must not starve all others
            raise error
        waiter = _Waiter(background, latest)
        queue = self._background if background else self._interactive
        queue[waiter] = None
        self._remember(waiter)
        if self._latest and self._latest[0] is waiter:
            self._timer.reschedule()  # the timer was set for later deadlines
        try:
            await self._timer.wait(waiter)
        except BaseException:
            if waiter.minute >= 0:  # cancelled in the very moment of being granted
                self.give_back(waiter.minute)
            raise
        finally:
            queue.pop(waiter, None)
            self._hand_over_timer()
        if waiter.error is not None:
            raise waiter.error
        self._waited += 1
        self._seconds_waited += anyio.current_time() - now
        return waiter.minute

    @property
    def returned(self) -> int:
        """Tokens of the burst window that have returned so far."""
        return self._ledger.burst.returned

    def give_back(self, minute: int) -> None:
        """Return a token, because nothing was sent."""
        self._granted -= 1
        self._given_back += 1
        self._ledger.give_back(minute)
        self._wake(*self.advance())

    def answered(self, minute: int, sent_at: float, returned_at_sending: int, quota: Quota | None) -> None:
        """Book a request as answered."""
        now, wall = self.advance()
        self._ledger.answered(now, minute, now - sent_at)
        if quota is not None:
            self._ledger.correct(now, wall, quota, returned_at_sending=returned_at_sending)
        self._wake(now, wall)

    def give_up(self, minute: int) -> None:
        """Book a request as sent and never answered."""
        now, wall = self.advance()
        self._ledger.answered(now, minute, None)
        self._wake(now, wall)

    # ------------------------------------------------------------------------------------------- the queue

    def _hand_over_timer(self) -> None:
        """Let the newest waiter run the timer: it stays longest, so the timer rarely changes hands."""
        if not self._timer.is_running:
            for queue in (self._background, self._interactive):
                if queue:
                    self._timer.hand_to(next(reversed(queue)))
                    return

    def _wake(self, now: float, wall: float) -> None:
        """Grant what a change has freed, and set the timer early enough for the next waiter."""
        if self._interactive or self._background:
            self._dispatch(now, wall)
            self._timer.reschedule()

    def _dispatch(self, now: float, wall: float) -> None:
        """Grant free tokens in order of arrival; refuse waiters whose time is over. Advance first."""
        for queue, background in ((self._interactive, False), (self._background, True)):
            while queue and (minute := self._ledger.take(now, background=background)) >= 0:
                waiter, _ = queue.popitem(last=False)
                waiter.minute = minute
                self._granted += 1
                waiter.wake()
            if queue:
                break
        latest = self._latest
        while latest and (latest[0].done or latest[0].latest <= now):
            waiter = heapq.heappop(latest)
            if not waiter.done and (waiter in self._interactive or waiter in self._background):
                wait = self._estimated_wait(waiter.background, now, wall)
                self._refuse(waiter, self._exhausted(waiter.background, wait, now, wall))

    def _refuse(self, waiter: _Waiter, error: BudgetExhaustedError) -> None:
        (self._background if waiter.background else self._interactive).pop(waiter, None)
        self._refused += 1
        waiter.error = error
        waiter.wake()

    def _ahead(self, background: bool) -> int:
        return len(self._interactive) + (len(self._background) if background else 0)

    def _estimated_wait(self, background: bool, now: float, wall: float) -> float:
        """Estimate how long a request made now would wait. Advance first."""
        return max(0.0, self._ledger.estimate(now, wall, ahead=self._ahead(background), background=background) - now)

    def _exhausted(
        self, background: bool, wait: float, now: float, wall: float, *, allowed: float | None = None
    ) -> BudgetExhaustedError:
        """Make the error of a request that cannot wait. Advance first."""
        cause = self._ledger.shortage(now, wall, ahead=self._ahead(background), background=background)
        span = f"{wait:.3g} s" if wait < _LONG else f"{wait:.0f} s ({timedelta(seconds=round(wait))} h:mm:ss)"
        bound = "" if allowed is None else f"; {max(allowed, 0.0):.3g} s are allowed"
        return BudgetExhaustedError(
            f"nothing was sent: {cause}. Retry after {span}, or raise max_wait and the deadline{bound}.",
            retry_after=wait,
        )

    def _next_change(self, now: float, wall: float) -> float:
        """Return when something may change by time alone. Advance first."""
        change_at = math.inf
        if self._interactive or self._background:
            change_at = self._ledger.available_at(now, wall, background=not self._interactive)
        if self._latest:
            change_at = min(change_at, self._latest[0].latest)
        return max(change_at, now + _RESOLUTION)

    def _remember(self, waiter: _Waiter) -> None:
        """Keep a waiter's deadline; those of waiters that left are dropped now and then."""
        if waiter.latest == math.inf:
            return
        heapq.heappush(self._latest, waiter)
        if len(self._latest) > 64 + 2 * (len(self._interactive) + len(self._background)):
            self._latest = [each for each in self._latest if each in self._interactive or each in self._background]
            heapq.heapify(self._latest)
