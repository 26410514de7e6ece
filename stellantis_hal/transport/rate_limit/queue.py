"""Fair queue for tokens of both rate-limit windows."""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from weakref import WeakSet

import anyio
import anyio.lowlevel

from stellantis_hal.errors import BudgetExhaustedError
from stellantis_hal.transport.loop_handle import LoopHandle, loop_time
from stellantis_hal.transport.rate_limit.protocol import LimiterStatistics
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
from stellantis_hal.transport.rate_limit.single_process_ledger import QuotaLedger
from stellantis_hal.transport.shared_timer import SharedWakeUpTimer, Waiter

__all__ = ["SentRequest", "TokenQueue"]

_RESOLUTION = 0.001
_LONG = 600.0


class _Waiter(Waiter):
    """A task in the queue.

    Attributes:
        latest: when the task needs its token, by ``max_wait`` and by its deadline.
        expires: when it is refused; a deadline cancels it, which is no refusal.
    """

    __slots__ = ("background", "error", "expires", "latest", "minute")

    def __init__(self, background: bool, latest: float, expires: float) -> None:
        super().__init__()
        self.background = background
        self.latest = latest
        self.expires = expires
        self.minute = -1
        self.error: BudgetExhaustedError | None = None

    def __lt__(self, other: _Waiter) -> bool:
        return self.expires < other.expires


class _Line:
    """Waiters of one priority in order of arrival, those whose requests were refused first."""

    __slots__ = ("_again", "_waiters")

    def __init__(self) -> None:
        self._again: OrderedDict[_Waiter, None] = OrderedDict()
        self._waiters: OrderedDict[_Waiter, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._again) + len(self._waiters)

    def __contains__(self, waiter: _Waiter) -> bool:
        return waiter in self._waiters or waiter in self._again

    def __iter__(self) -> Iterator[_Waiter]:
        yield from self._again
        yield from self._waiters

    def add(self, waiter: _Waiter, *, again: bool) -> None:
        (self._again if again else self._waiters)[waiter] = None

    def pop_first(self) -> _Waiter:
        return (self._again or self._waiters).popitem(last=False)[0]

    def newest(self) -> _Waiter:
        return next(reversed(self._waiters or self._again))

    def discard(self, waiter: _Waiter) -> None:
        self._waiters.pop(waiter, None)
        self._again.pop(waiter, None)


SentRequest = tuple[int, float, int]
"""A request that was sent: its number in the ledger, the instant by the backend's clock, and how many tokens of the
burst window had returned by then."""


class TokenQueue:
    """Grants tokens of a ledger in order of arrival, interactive requests before background ones.

    Args:
        ledger: both windows.
        clock: the wall clock, aware.
    """

    __slots__ = (
        "_advanced_at",
        "_background",
        "_clock",
        "_given_back",
        "_granted",
        "_interactive",
        "_latest",
        "_ledger",
        "_pauses",
        "_refused",
        "_refused_tasks",
        "_seconds_waited",
        "_tasks",
        "_timer",
        "_waited",
    )

    def __init__(self, ledger: QuotaLedger, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._interactive = _Line()
        self._background = _Line()
        self._refused_tasks: WeakSet[object] = WeakSet()
        self._latest: list[_Waiter] = []
        self._timer = SharedWakeUpTimer(
            lambda: self._next_change(self.advance()), lambda: self._dispatch(self.advance())
        )
        self._granted = self._given_back = self._refused = self._waited = self._pauses = 0
        self._tasks = 0  # in wait(): where there are none, no line needs to be looked at
        self._seconds_waited = self._advanced_at = 0.0

    def advance(self) -> float:
        """Advance the ledger to the present; return it by the backend's clock.

        Raises:
            RuntimeError: no event loop runs in this thread.
        """
        now = loop_time()
        self._advance(now)
        return now

    def _advance(self, now: float) -> None:
        self._advanced_at = now
        self._ledger.advance(now)
        if self._ledger.has_restored:
            self._ledger.check_wall(now, self._clock().timestamp())

    def observe(self, *, elsewhere: bool) -> float:
        """Return the instant of what the ledger states: the present, but the last request's outside of the loop.

        Args:
            elsewhere: whether this is another thread than that of the tasks, which alone may change the ledger.
        """
        if not elsewhere:
            with suppress(RuntimeError):  # no event loop runs
                return self.advance()
        return self._advanced_at

    def pause(self, seconds: float, reason: str) -> None:
        """Grant nothing for this many seconds; refuse waiters that cannot wait that long."""
        now = self.advance()
        self._pauses += 1
        self._ledger.pause(now, seconds, reason)
        until = self._ledger.paused_until
        for waiter in [waiter for queue in (self._interactive, self._background) for waiter in queue]:
            if waiter.latest < until:
                self._refuse(waiter, self._exhausted(waiter.background, until - now, now))

    def statistics(self, *, elsewhere: bool) -> LimiterStatistics:
        """Return counters and state; see :meth:`observe`."""
        ledger = self._ledger
        now = self.observe(elsewhere=elsewhere)
        burst, day = ledger.burst.available(), ledger.day.available()
        return LimiterStatistics(
            granted=self._granted,
            given_back=self._given_back,
            refused=self._refused,
            waited=self._waited,
            seconds_waited=self._seconds_waited,
            waiting=len(self._interactive) + len(self._background),
            in_flight=ledger.in_flight,
            pauses=self._pauses,
            paused_for=max(0.0, ledger.paused_until - now),
            free_this_second=None if burst == math.inf else max(0, int(burst)),
            free_today=None if day == math.inf else max(0, int(day)),
            smallest_round_trip=ledger.burst.smallest_round_trip,
        )

    def try_take(self, now: float, background: bool) -> int:
        """Take a token without waiting; return its minute, -1 where there is none or others wait for it."""
        if self._tasks and (self._interactive or (background and self._background)):
            return -1
        self._advance(now)
        minute = self._ledger.take(now, background=background)
        if minute >= 0:
            self._granted += 1
        return minute

    async def wait(self, background: bool, max_wait: float, loop: LoopHandle) -> int:
        """Wait for a token; return its minute.

        Args:
            background: the priority.
            max_wait: seconds, at most.
            loop: the running event loop.

        Raises:
            BudgetExhaustedError: the wait would be longer, or than the anyio deadline in force.
        """
        now = loop.now()
        self._advance(now)
        grant_at = now + self._estimated_wait(background, now)
        latest = min(now + max_wait, anyio.current_effective_deadline())
        if grant_at > max(latest, now):
            self._refused += 1
            error = self._exhausted(background, grant_at - now, now, allowed=latest - now)
            await anyio.lowlevel.checkpoint()  # a task that asks again at once must not starve all others
            raise error
        waiter = _Waiter(background, latest, now + max_wait)
        self._tasks += 1
        queue = self._background if background else self._interactive
        queue.add(waiter, again=self._was_refused(loop))
        self._remember(waiter)
        if self._latest and self._latest[0] is waiter:
            self._timer.reschedule()  # the timer was set for later deadlines
        try:
            await self._timer.wait(waiter, loop)
        except BaseException:
            if waiter.minute >= 0:  # cancelled in the very moment of being granted
                self.give_back(loop.now(), waiter.minute)
            raise
        finally:
            self._tasks -= 1
            queue.discard(waiter)
            self._hand_over_timer()
        if waiter.error is not None:
            raise waiter.error
        self._waited += 1
        self._seconds_waited += loop.now() - now
        return waiter.minute

    def sent(self, now: float) -> SentRequest:
        """Book a request as sent."""
        burst = self._ledger.burst
        sending = burst.sent(now), now, burst.returned
        if self._tasks:
            self._timer.reschedule()  # when this request is overdue was not known before
        return sending

    def give_back(self, now: float, minute: int, sending: int | None = None) -> None:
        """Return a token, because nothing was sent."""
        self._granted -= 1
        self._given_back += 1
        self._advance(now)
        self._ledger.give_back(minute, sending)
        self._wake(now)

    def answered(
        self, now: float, minute: int, sending: SentRequest, quota: ReportedQuota | None, loop: LoopHandle
    ) -> None:
        """Book a request as answered; where it was refused, the present task goes before others when it asks again."""
        number, sent_at, returned = sending
        ledger = self._ledger
        self._advance(now)
        if quota is None:
            ledger.answered(now, minute, now - sent_at, number)
        else:
            if quota.refused:
                self._refused_tasks.add(loop.present_task())
            ledger.answered(now, minute, now - sent_at, number, refused=quota.refused)
            ledger.correct(now, quota, returned_at_sending=returned, sent_at=sent_at)
        if self._tasks:
            self._wake(now)

    def give_up(self, now: float, minute: int, sending: int) -> None:
        """Book a request as sent and never answered."""
        self._advance(now)
        self._ledger.answered(now, minute, None, sending)
        self._wake(now)

    # ------------------------------------------------------------------------------------------- the queue

    def _was_refused(self, loop: LoopHandle) -> bool:
        """Return whether the present task was refused before; it has waited once."""
        if not self._refused_tasks:
            return False
        task = loop.present_task()
        was_refused = task in self._refused_tasks
        self._refused_tasks.discard(task)
        return was_refused

    def _hand_over_timer(self) -> None:
        """Let the newest waiter run the timer: it stays longest, so the timer rarely changes hands."""
        if not self._timer.is_running:
            for queue in (self._background, self._interactive):
                if queue:
                    self._timer.hand_to(queue.newest())
                    return

    def _wake(self, now: float) -> None:
        """Grant what a change has freed, and set the timer early enough for the next waiter."""
        if self._interactive or self._background:
            self._dispatch(now)
            self._timer.reschedule()

    def _dispatch(self, now: float) -> None:
        """Grant free tokens in order of arrival; refuse waiters whose time is over. Advance first."""
        for queue, background in ((self._interactive, False), (self._background, True)):
            while queue and (minute := self._ledger.take(now, background=background)) >= 0:
                waiter = queue.pop_first()
                waiter.minute = minute
                self._granted += 1
                waiter.wake()
            if queue:
                break
        latest = self._latest
        while latest and (latest[0].done or latest[0].expires <= now):
            waiter = heapq.heappop(latest)
            if not waiter.done and (waiter in self._interactive or waiter in self._background):
                if self._ledger.congestion.lift():
                    heapq.heappush(latest, waiter)
                    self._dispatch(now)
                    return
                wait = max(self._estimated_wait(waiter.background, now), self._paced_wait(waiter.background, now))
                self._refuse(waiter, self._exhausted(waiter.background, wait, now))

    def _refuse(self, waiter: _Waiter, error: BudgetExhaustedError) -> None:
        (self._background if waiter.background else self._interactive).discard(waiter)
        self._refused += 1
        waiter.error = error
        waiter.wake()

    def _ahead(self, background: bool) -> int:
        return len(self._interactive) + (len(self._background) if background else 0)

    def _estimated_wait(self, background: bool, now: float) -> float:
        """Estimate how long a request made now would wait. Advance first."""
        return max(0.0, self._ledger.estimate(now, ahead=self._ahead(background), background=background) - now)

    def _paced_wait(self, background: bool, now: float) -> float:
        return self._ledger.congestion.estimate(now, self._ahead(background)) - now

    def _exhausted(
        self, background: bool, wait: float, now: float, *, allowed: float | None = None
    ) -> BudgetExhaustedError:
        """Make the error of a request that cannot wait. Advance first."""
        cause = self._ledger.shortage(now, ahead=self._ahead(background), background=background)
        span = f"{wait:.3g} s" if wait < _LONG else f"{wait:.0f} s ({timedelta(seconds=round(wait))} h:mm:ss)"
        bound = "" if allowed is None else f"; {max(allowed, 0.0):.3g} s are allowed"
        return BudgetExhaustedError(
            f"nothing was sent: {cause}. Retry after {span}, or raise max_wait and the deadline{bound}.",
            retry_after=wait,
        )

    def _next_change(self, now: float) -> float:
        """Return when something may change by time alone. Advance first."""
        change_at = math.inf
        if self._interactive or self._background:
            change_at = self._ledger.available_at(now, background=not self._interactive)
        if self._latest:
            change_at = min(change_at, self._latest[0].expires)
        return max(change_at, now + _RESOLUTION)

    def _remember(self, waiter: _Waiter) -> None:
        """Keep a waiter's deadline; those of waiters that left are dropped now and then."""
        if waiter.expires == math.inf:
            return
        heapq.heappush(self._latest, waiter)
        if len(self._latest) > 64 + 2 * (len(self._interactive) + len(self._background)):
            self._latest = [each for each in self._latest if each in self._interactive or each in self._background]
            heapq.heapify(self._latest)
