"""Rate-limiter protocol: limits, capacity, slots, statistics."""

from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import attrs

from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota

__all__ = ["REFUSAL", "Capacity", "LimiterStatistics", "Priority", "RateLimiter", "RateLimits", "Slot"]

REFUSAL = "a 429"
"""The reason of a pause after a response that refused a request for its limits."""

Priority = Literal["interactive", "background"]


def _positive(limits: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{attribute.name} must be an int or None, for example 100, not {value!r}")
    if value < 1:
        raise ValueError(f"{attribute.name} must be at least 1, or None for no limit, not {value}")


@attrs.frozen
class RateLimits:
    """The two windows of a subscription: one second and 24 hours.

    Given explicitly they are ceilings: the server's headers may lower them, never raise them.

    Attributes:
        per_second: requests within any second; None for no such window.
        per_day: requests within any 24 hours; None for no such window.

    Raises:
        TypeError, ValueError: a limit is not an int, or less than 1.
    """

    per_second: int | None = attrs.field(default=100, validator=_positive)
    per_day: int | None = attrs.field(default=100_000, validator=_positive)


@attrs.frozen(kw_only=True)
class Capacity:
    """What requests of one priority may use, the share reserved for the other priority taken off.

    Attributes:
        per_second: requests within any second; ``inf`` where unlimited.
        per_day: requests within any 24 hours; ``inf`` where unlimited.
        free_today: requests left of the day window now; ``inf`` where unlimited.
    """

    per_second: float = math.inf
    per_day: float = math.inf
    free_today: float = math.inf


@attrs.frozen(kw_only=True)
class LimiterStatistics:
    """Counters and state of a limiter.

    ``free_this_second``, ``free_today`` and ``paused_for`` describe the subscription, as far as the limiter knows it;
    a limiter shared by several processes states them for all of these. All others are this process's alone.

    Attributes:
        granted: slots granted, without those given back.
        given_back: slots left before anything was sent.
        refused: slots refused because the wait would have been too long.
        waited: slots granted after a wait.
        seconds_waited: the sum of those waits.
        waiting: tasks in the queue now.
        in_flight: requests sent and not yet answered, and slots held.
        pauses: number of calls of ``pause``.
        paused_for: seconds until the present pause ends; 0 where there is none.
        free_this_second: tokens of the burst window that are free now; None without such a window.
        free_today: tokens of the day window that are free now; None without such a window.
        smallest_round_trip: in seconds; None before the first response.
    """

    granted: int
    given_back: int
    refused: int
    waited: int
    seconds_waited: float
    waiting: int
    in_flight: int
    pauses: int
    paused_for: float
    free_this_second: int | None
    free_today: int | None
    smallest_round_trip: float | None


class Slot(Protocol):
    """The right to send one request."""

    def sent(self) -> None:
        """Mark the request as sent: from here on its token is spent.

        Raises:
            LimiterSlotExpiredError: the slot has expired (a shared limiter has given its token to another process while
                this one was stopped). Nothing may be sent; the caller takes a new slot.
        """
        ...

    def answered(self, quota: ReportedQuota | None = None) -> None:
        """Mark the request as answered; its headers' quota corrects the limiter."""
        ...


class RateLimiter(Protocol):
    """What requests wait for before they are sent; share one among all clients of a subscription.

    The caller enters it (``async with limiter:``) around the clients that use it. Clients never enter or close it. An
    implementation that keeps nothing outside the process may work without being entered.

    A slot left before ``sent()`` gives its token back, and so does one left by a
    :class:`~stellantis_hal.errors.NetworkError` with ``sent=False``. Cancelled after ``sent()`` its token is spent.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def slot(
        self, *, priority: Priority = "interactive", max_wait: float = 60.0
    ) -> AbstractAsyncContextManager[Slot, bool | None]:
        """Wait for the right to send one request.

        Raises:
            BudgetExhaustedError: on entering, at once, where the wait would be longer than ``max_wait`` seconds or
                than the anyio deadline in force.
        """
        ...

    def pause(self, seconds: float, reason: str = "") -> None:
        """Send nothing for this many seconds; waiting requests that cannot wait that long are refused at once.

        Args:
            seconds: the length of the pause; a longer one in force stays.
            reason: a noun phrase for error messages: ``"a 429"``, which is :data:`REFUSAL`, after a refusal.
        """
        ...

    @property
    def limits(self) -> RateLimits:
        """The limits known now: those given, as corrected by the server's headers."""
        ...

    def capacity(self, priority: Priority) -> Capacity:
        """Return what requests of a priority may use; pacing is computed from it."""
        ...

    @property
    def statistics(self) -> LimiterStatistics:
        """Counters and state, as a frozen value; its class says which are this process's alone."""
        ...
