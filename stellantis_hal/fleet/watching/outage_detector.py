"""Outage detection: many failures in a row, and when to probe."""

from __future__ import annotations

import math

import attrs

__all__ = ["OutageDetector"]

_FIRST_PROBE = 15.0
_LONGEST_PROBE = 300.0
_LONGEST_HOLD = 3_600.0


@attrs.frozen
class Failure:
    """A failure: its key and its instant."""

    key: str
    at: float


class OutageDetector:
    """Circuit breaker over all vehicles.

    ``needed`` failures without a success between them are an outage if they concern three different vehicles, or all
    where there are fewer. During an outage one probe at a time is allowed, at growing intervals.

    Args:
        needed: failures in a row that are an outage.
    """

    __slots__ = ("_failures", "_probe", "_probe_at", "_since", "needed")

    def __init__(self, needed: int = 5) -> None:
        self.needed: int = needed
        self._failures: list[Failure] = []
        self._since: float | None = None
        self._probe_at = -math.inf
        self._probe = _FIRST_PROBE

    @property
    def since(self) -> float | None:
        """Start of the outage: the instant of its first failure; None where there is none."""
        return self._since

    @property
    def probe_at(self) -> float:
        """Instant from which the next probe is allowed; in the past where there is no outage."""
        return self._probe_at

    def failed(self, key: str, now: float, *, vehicles: int, hold: float | None = None) -> bool:
        """Record a failure.

        Args:
            key: the vehicle or account that failed.
            now: the present instant.
            vehicles: number of watched vehicles.
            hold: seconds until the budget allows requests again, where it is exhausted; None otherwise.

        Returns:
            Whether an outage begins with this failure.
        """
        if self._since is not None:
            if now >= self._probe_at:
                self._probe = min(_LONGEST_PROBE, self._probe * 2)
                self._probe_at = now + self._wait(hold)
            return False
        self._failures = [*self._failures, Failure(key, now)][-self.needed :]
        distinct = len({failure.key for failure in self._failures})
        if hold is None and (len(self._failures) < self.needed or distinct < min(3, vehicles)):
            return False
        self._since = self._failures[0].at if hold is None else now
        self._probe_at = now + self._wait(hold)
        return True

    def _wait(self, hold: float | None) -> float:
        return self._probe if hold is None else min(max(hold, 1.0), _LONGEST_HOLD)

    def succeeded(self, now: float) -> float | None:
        """Record a success and return the length of the outage in seconds, where it ends one; None otherwise."""
        self._failures.clear()
        if self._since is None:
            return None
        length = now - self._since
        self._since = None
        self._probe_at = -math.inf
        self._probe = _FIRST_PROBE
        return length
