"""Strict rate limiter: two sliding windows, a second and a day."""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

import attrs

__all__ = ["HasRateLimits", "RateLimitLedger", "SubscriptionLimits"]

DAY = 86_400.0
SECOND = 1.0


class HasRateLimits(Protocol):
    """Limits of a subscription: requests per second and per day."""

    @property
    def per_second(self) -> int: ...
    @property
    def per_day(self) -> int: ...


@attrs.frozen
class SubscriptionLimits:
    """A subscription's rate limits; the defaults are the vendor's sample."""

    per_second: int = 100
    per_day: int = 100_000


class _Window:
    """Counts the requests admitted within the last ``span`` seconds."""

    def __init__(self, limit: int, span: float) -> None:
        self.limit = limit
        self._span = span
        self._admitted: deque[float] = deque()

    def remaining(self, tick: float) -> int:
        while self._admitted and self._admitted[0] <= tick - self._span:
            self._admitted.popleft()
        return self.limit - len(self._admitted)

    def admit(self, tick: float) -> None:
        self._admitted.append(tick)

    def wait(self, tick: float) -> float:
        """Return the seconds until one more request is admitted; 0 if it is admitted now."""
        if self.remaining(tick) > 0:
            return 0.0
        return self._admitted[0] + self._span - tick if self._admitted else self._span


class RateLimitLedger:
    """Admits or refuses requests and writes the rate-limit headers. Refused requests do not count."""

    def __init__(self, limits: HasRateLimits) -> None:
        self._day = _Window(limits.per_day, DAY)
        self._burst = _Window(limits.per_second, SECOND)

    def admit(self, tick: float) -> float:
        """Count a request and return 0, or refuse it and return the seconds until one is admitted."""
        wait = max(self._day.wait(tick), self._burst.wait(tick))
        if wait == 0.0:
            self._day.admit(tick)
            self._burst.admit(tick)
        return wait

    def remaining(self, tick: float) -> tuple[int, int]:
        """Return the requests left in the day window and in the second window."""
        return self._day.remaining(tick), self._burst.remaining(tick)

    def headers(self, tick: float) -> tuple[tuple[str, str], ...]:
        """Return the rate-limit headers of every response."""
        day, burst = self.remaining(tick)
        return (
            ("X-RateLimit-Limit-1", str(self._day.limit)),
            ("X-RateLimit-Remaining-1", str(day)),
            ("X-RateLimit-Limit-2", str(self._burst.limit)),
            ("X-RateLimit-Remaining-2", str(burst)),
        )

    @staticmethod
    def refusal_headers(wait: float) -> tuple[tuple[str, str], ...]:
        """Return the additional headers of a refusal, in whole seconds rounded up."""
        seconds = str(math.ceil(wait))
        return (("Retry-After", seconds), ("X-RateLimit-Reset", seconds))
