"""What a limiter promises, whoever keeps the promise: this process, or a service shared by many.

Knows slots, priorities and pauses. Must not know how anything is counted.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import attrs

from stellantis_hal.transport.rate_limit.quota import Quota

__all__ = ["LimiterStatistics", "Priority", "RateLimiter", "Slot"]

Priority = Literal["interactive", "background"]


@attrs.frozen(kw_only=True)
class LimiterStatistics:
    """What a limiter did so far, and how it stands.

    Attributes:
        granted: slots given out, without those given back.
        given_back: slots left before anything was sent.
        refused: slots refused because the wait would have been too long.
        waited: slots that were waited for.
        seconds_waited: the sum of those waits.
        waiting: tasks in the queue now.
        in_flight: slots out now.
        pauses: how often everybody was paused.
        paused_for: seconds until the present pause ends; 0 where there is none.
        free_this_second: tokens of the burst window to be had now; None without such a window.
        free_today: tokens of the day window to be had now; None likewise.
        smallest_round_trip: in seconds; None before the first answer.
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
        """Say that the request goes out now: from here on its token is spent."""
        ...

    def answered(self, quota: Quota | None = None) -> None:
        """Say that the answer's headers are here, and what they tell about the subscription."""
        ...


class RateLimiter(Protocol):
    """What stands between tasks and a subscription; another process-wide or distributed one can take its place.

    A slot left before ``sent()`` gives its token back, and so does one left by a
    :class:`~stellantis_hal.errors.NetworkError` that says ``sent=False``. Cancelled after ``sent()`` it counts.
    """

    def slot(
        self, *, priority: Priority = "interactive", max_wait: float = 60.0
    ) -> AbstractAsyncContextManager[Slot, None]:
        """Wait for the right to send one request.

        Raises:
            BudgetExhaustedError: on entering, at once, where the wait would be longer than ``max_wait`` seconds or
                than the anyio deadline in force.
        """
        ...

    def pause(self, seconds: float) -> None:
        """Let nobody send for so many seconds; whoever cannot wait that long is refused at once."""
        ...

    @property
    def statistics(self) -> LimiterStatistics:
        """What happened so far, as a frozen value."""
        ...
