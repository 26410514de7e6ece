"""Limiter of several processes, by exchanges at a ledger that they share."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from stellantis_hal.errors import NetworkError
from stellantis_hal.transport.rate_limit.ledger_client import LedgerClient, LedgerConnection, OnOutage
from stellantis_hal.transport.rate_limit.process_grants import RequestGrant
from stellantis_hal.transport.rate_limit.protocol import Capacity, LimiterStatistics, Priority, RateLimits, Slot
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
from stellantis_hal.validation import is_background

__all__ = ["SharedLimiter"]


class SharedLimiter:
    """Keep the requests of several processes within both windows of one subscription; the base of its kinds.

    Args:
        ledger: where the processes meet.
        limits: ceilings, which the server's headers may lower. Where processes give different ones, the smallest count.
        processes: how many processes share the limits at most: each may use so many parts of them in an outage.
        on_outage: what to do while the ledger is away.
        interactive_share: the part (0 to 1) of each window that background requests may not use.
    """

    def __init__(
        self,
        ledger: LedgerConnection,
        limits: RateLimits | None = None,
        *,
        processes: int,
        on_outage: OnOutage = "share",
        interactive_share: float = 0.1,
    ) -> None:
        self._client = LedgerClient(
            ledger, limits, processes=processes, on_outage=on_outage, interactive_share=interactive_share
        )

    async def __aenter__(self) -> Self:
        """Begin to take part; an idle limiter may be entered again, in another event loop too.

        A store that is away is no error: what ``on_outage`` says applies.

        Raises:
            RuntimeError: it is entered already.
            ConfigurationError: what the store needs is not installed.
        """
        await self._client.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Refuse tasks that wait, and leave the other processes what is free."""
        await self._client.leave()

    def slot(
        self, *, priority: Priority = "interactive", max_wait: float = 60.0
    ) -> AbstractAsyncContextManager[Slot, None]:
        """Wait for the right to send one request; see :class:`RateLimiter`.

        Args:
            priority: "interactive", or "background" for what can wait.
            max_wait: seconds, at most.

        Raises:
            BudgetExhaustedError: the wait would be longer than that, or than the anyio deadline in force.
            ClosedClientError: the limiter was left.
            ValueError: the priority is unknown, or the wait is NaN.
            ConfigurationError: the limiter is not entered.
            WrongLoopError: it was entered in another event loop, thread or process.
        """
        background = is_background(priority, max_wait)
        self._client.check_loop()
        return _SharedSlot(self._client, background, max_wait)

    def pause(self, seconds: float, reason: str = "") -> None:
        """Send nothing in any process for this many seconds; see :class:`RateLimiter`."""
        self._client.pause(seconds, reason)

    @property
    def limits(self) -> RateLimits:
        """The limits known now: the smallest that a process was given, as lowered by the server's headers."""
        return self._client.limits

    def capacity(self, priority: Priority) -> Capacity:
        """Return what requests of a priority may use in this process.

        The day is divided among the processes that use background requests, so that each can plan its part. The burst
        window is not: it is shared as needed.
        """
        return self._client.capacity(priority)

    @property
    def statistics(self) -> LimiterStatistics:
        """Counters and state; free tokens and the pause as the latest exchange has found them."""
        return self._client.statistics

    @property
    def is_away(self) -> bool:
        """Whether the store cannot be reached now, so that what ``on_outage`` says applies."""
        return self._client.is_away


class _SharedSlot:
    """A slot of :class:`SharedLimiter`."""

    __slots__ = ("_background", "_client", "_grant", "_max_wait")

    def __init__(self, exchanges: LedgerClient, background: bool, max_wait: float) -> None:
        self._client = exchanges
        self._background = background
        self._max_wait = max_wait
        self._grant: RequestGrant | None = None

    async def __aenter__(self) -> Self:
        self._grant = await self._client.acquire(self._background, self._max_wait)
        return self

    def sent(self) -> None:
        grant = self._grant
        if grant is not None and grant.sent_at is None:
            self._client.check(grant)
            self._client.sent(grant)

    def answered(self, quota: ReportedQuota | None = None) -> None:
        if self._grant is not None:
            grant, self._grant = self._grant, None
            self._client.answered(grant, quota)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._grant is not None:
            grant, self._grant = self._grant, None
            if grant.sent_at is None or (isinstance(error, NetworkError) and not error.sent):
                self._client.give_back(grant)
            else:
                self._client.give_up(grant)
