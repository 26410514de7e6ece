"""Token-bucket limiter for one process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import Self

from stellantis_hal.errors import ConfigurationError, NetworkError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.transport.loop_binding import LoopBinding
from stellantis_hal.transport.loop_handle import LoopHandle
from stellantis_hal.transport.rate_limit.persistence import LimiterStore, StatePersister
from stellantis_hal.transport.rate_limit.protocol import Capacity, LimiterStatistics, Priority, RateLimits, Slot
from stellantis_hal.transport.rate_limit.queue import SentRequest, TokenQueue
from stellantis_hal.transport.rate_limit.quota_headers import LONGEST_PAUSE, ReportedQuota
from stellantis_hal.transport.rate_limit.single_process_ledger import QuotaLedger
from stellantis_hal.validation import is_background, require_clock, require_seconds, require_type

__all__ = ["TokenBucketLimiter"]


class TokenBucketLimiter:
    """Keep requests within both windows of a subscription, first come, first served.

    Interactive requests go before background ones, and a share of both windows is reserved for them. All waiting tasks
    share one timer; a token that returns wakes one task.

    A request under way for longer than 1.1 s no longer holds its token, so that slow responses do not stop others.
    After a response with status 429 one request goes first, then two, four …; where no header states the limit, the
    rate is lowered to what the server serves, and increased again. What a single response states lapses after a quarter
    of an hour.

    Without a store it needs no entering. With a store it loads its state when entered and saves it at the end::

        async with TokenBucketLimiter(RateLimits(10, 10_000), store=FileLimiterStore("limiter.json")) as limiter:
            async with HalClient("https://api.example.com", limiter=limiter) as client:
                ...

    Args:
        limits: ceilings, which the server's headers may lower. None starts with 100 a second and 100,000 a day and
            follows the headers up and down.
        interactive_share: the part (0 to 1) of each window that background requests may not use, in whole requests: a
            tenth of fewer than ten a second is none, and an interactive call then waits for up to a second.
        store: where the day's count survives a restart; None for nowhere.
        save_every: seconds between two saves, at least.
        clock: the wall clock, aware, by which state is saved. When a day is over, the event loop's clock decides.

    Raises:
        ValueError: ``interactive_share`` is less than 0, or 1 or more.
        TypeError: ``clock`` is no function that returns aware instants.
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
        require_type("limits", limits, RateLimits, None, instead="RateLimits(per_second=…, per_day=…)")
        if store is not None and not hasattr(store, "save"):
            raise TypeError(f"store must be a LimiterStore or None, not {type(store).__name__}: FileLimiterStore(path)")
        require_clock(clock)
        require_type("interactive_share", interactive_share, int, float)
        require_seconds("save_every", save_every)
        if not 0 <= interactive_share < 1:
            raise ValueError(
                f"interactive_share must be at least 0 and less than 1, for example 0.1, not {interactive_share}"
            )
        self._ledger = QuotaLedger(limits, interactive_share=interactive_share)
        self._clock = clock
        self._persister = None if store is None else StatePersister(store, save_every)
        self._saving = None if self._persister is None else (self._persister, self._dump)
        self._queue = TokenQueue(self._ledger, clock)
        self._binding = LoopBinding("this limiter")

    async def __aenter__(self) -> Self:
        """Load the state from the store, where there is one; an idle limiter may be entered in another event loop.

        Raises:
            RuntimeError: it has a store and is entered already.
            ConfigurationError: another limiter uses the store, where one at a time may.
            WrongLoopError: requests of another event loop wait for it, or are under way.
        """
        statistics = self._queue.statistics(elsewhere=False)
        if not (statistics.waiting or statistics.in_flight):
            self._binding.release()
        self._binding.check()
        if self._persister is not None:
            await self._persister.open(self._restore)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._persister is not None:
            await self._persister.close(self._dump)

    def slot(
        self, *, priority: Priority = "interactive", max_wait: float = 60.0
    ) -> AbstractAsyncContextManager[Slot, None]:
        """Wait for the right to send one request; see :class:`RateLimiter`.

        Args:
            priority: "interactive", or "background" for what can wait.
            max_wait: seconds, at most.

        Raises:
            BudgetExhaustedError: the wait would be longer than that, or than the anyio deadline in force.
            ValueError: the priority is unknown, or the wait is NaN.
            ConfigurationError: the limiter has a store and was not entered.
            WrongLoopError: it was used before in another event loop, thread or process.
        """
        background = is_background(priority, max_wait)
        loop = self._binding.check()
        return _LimiterSlot(self._queue, loop, background, max_wait, self._saving)

    def pause(self, seconds: float, reason: str = "") -> None:
        """Send nothing for this many seconds; see :class:`RateLimiter`. A day or more is a quarter of an hour."""
        if seconds > 0:
            self._queue.pause(min(seconds, LONGEST_PAUSE), reason)

    @property
    def limits(self) -> RateLimits:
        """The limits known now: those given, as corrected by the server's headers."""
        return self._ledger.limits

    def capacity(self, priority: Priority) -> Capacity:
        """Return what requests of a priority may use; see :attr:`statistics`."""
        self._queue.observe(elsewhere=self._binding.is_elsewhere)
        return self._ledger.capacity(background=priority == "background")

    @property
    def statistics(self) -> LimiterStatistics:
        """Counters and state; in other threads than its own, and where no event loop runs, as of the last request."""
        return self._queue.statistics(elsewhere=self._binding.is_elsewhere)

    async def save(self) -> None:
        """Save the state now; do nothing without a store, or before it was entered.

        A store that fails is logged, and the next save tries again: requests do not depend on it.
        """
        if self._persister is not None:
            await self._persister.save(self._dump)

    def _dump(self) -> bytes:
        return self._ledger.dump(self._queue.advance(), self._clock().timestamp())

    def _restore(self, content: bytes) -> None:
        self._ledger.load(content, self._queue.advance(), self._clock().timestamp())


_Saving = tuple[StatePersister, Callable[[], bytes]]
"""What saves the state, and what returns it."""


class _LimiterSlot:
    """A slot of :class:`TokenBucketLimiter`."""

    __slots__ = ("_background", "_loop", "_max_wait", "_minute", "_queue", "_saving", "_sending")

    def __init__(
        self, queue: TokenQueue, loop: LoopHandle, background: bool, max_wait: float, saving: _Saving | None
    ) -> None:
        self._queue = queue
        self._loop = loop
        self._background = background
        self._max_wait = max_wait
        self._saving = saving
        self._minute = -1
        self._sending: SentRequest | None = None

    async def __aenter__(self) -> Self:
        if self._saving is not None and not self._saving[0].is_open:
            raise ConfigurationError(
                "nothing was sent: this limiter has a store and is not entered, so its count would be lost. Write "
                "`async with TokenBucketLimiter(limits, store=store) as limiter:` around the clients that use it."
            )
        minute = self._queue.try_take(self._loop.now(), self._background)
        self._minute = minute if minute >= 0 else await self._queue.wait(self._background, self._max_wait, self._loop)
        return self

    def sent(self) -> None:
        if self._sending is None and self._minute >= 0:
            self._sending = self._queue.sent(self._loop.now())

    def answered(self, quota: ReportedQuota | None = None) -> None:
        if self._minute >= 0:
            minute, self._minute = self._minute, -1
            now = self._loop.now()
            self._queue.answered(now, minute, self._sending or self._queue.sent(now), quota, self._loop)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._minute >= 0:
            minute, self._minute = self._minute, -1
            sending, now = self._sending, self._loop.now()
            if sending is None:
                self._queue.give_back(now, minute)
            elif isinstance(error, NetworkError) and not error.sent:
                self._queue.give_back(now, minute, sending[0])
            else:
                self._queue.give_up(now, minute, sending[0])
        if error is None and self._saving is not None:
            persister, dump = self._saving
            if persister.is_due():
                await persister.save(dump)
