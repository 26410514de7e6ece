"""Knows one subscription's two rate-limit windows, both sliding and strict, with exact instants.

Must not know what a request is for.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

import attrs

__all__ = ["HasRateLimits", "RateLimitLedger", "Subscription"]

DAY = 86_400.0
SECOND = 1.0


class HasRateLimits(Protocol):
    """Anything that says how many requests are allowed per second and per day."""

    @property
    def per_second(self) -> int: ...
    @property
    def per_day(self) -> int: ...


@attrs.frozen
class Subscription:
    """How many requests an application may make: the vendor's sample by default."""

    per_second: int = 100
    per_day: int = 100_000


class _Window:
    """Counts what was admitted within the last ``span`` seconds."""

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
        """Seconds until one more would be admitted; 0 when it would be now."""
        if self.remaining(tick) > 0:
            return 0.0
        return self._admitted[0] + self._span - tick if self._admitted else self._span


class RateLimitLedger:
    """Admits or refuses requests, and words the header fields. What is refused does not count."""

    def __init__(self, limits: HasRateLimits) -> None:
        self._day = _Window(limits.per_day, DAY)
        self._burst = _Window(limits.per_second, SECOND)

    def admit(self, tick: float) -> float:
        """Count a request and give 0, or refuse it and give the seconds until one is admitted again."""
        wait = max(self._day.wait(tick), self._burst.wait(tick))
        if wait == 0.0:
            self._day.admit(tick)
            self._burst.admit(tick)
        return wait

    def remaining(self, tick: float) -> tuple[int, int]:
        """Say what is left of the day and of the second."""
        return self._day.remaining(tick), self._burst.remaining(tick)

    def fields(self, tick: float) -> tuple[tuple[str, str], ...]:
        """Word what every answer carries."""
        day, burst = self.remaining(tick)
        return (
            ("X-RateLimit-Limit-1", str(self._day.limit)),
            ("X-RateLimit-Remaining-1", str(day)),
            ("X-RateLimit-Limit-2", str(self._burst.limit)),
            ("X-RateLimit-Remaining-2", str(burst)),
        )

    @staticmethod
    def refusal_fields(wait: float) -> tuple[tuple[str, str], ...]:
        """Word what a refusal carries besides: whole seconds, rounded up."""
        seconds = str(math.ceil(wait))
        return (("Retry-After", seconds), ("X-RateLimit-Reset", seconds))
