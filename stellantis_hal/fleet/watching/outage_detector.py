"""Outage detection: many failures in a row, and when to probe."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from stellantis_hal.fleet.probe_intervals import FIRST_PROBE, bounded_hold, next_interval

__all__ = ["OutageDetector"]


@attrs.frozen
class ObservedFailure:
    """A failure: its key, its instant, and the kind of data that was read; None for a listing."""

    key: str
    at: float
    what: str | None


class OutageDetector:
    """Circuit breaker over all vehicles.

    ``needed`` failures without a success between them are an outage if they concern three different vehicles, or all
    where there are fewer, and two kinds of data, where that many are read. During an outage one probe at a time is
    allowed, at growing intervals.

    Args:
        needed: failures in a row that are an outage.

    Attributes:
        is_suspected: whether there are enough failures, but of one kind of data only: reads of others decide.
    """

    __slots__ = ("_failures", "_probe", "_probe_at", "_probes", "_since", "is_suspected", "needed")

    def __init__(self, needed: int = 5) -> None:
        self.needed: int = needed
        self.is_suspected: bool = False
        self._failures: list[ObservedFailure] = []
        self._since: float | None = None
        self._probe_at = -math.inf
        self._probe = FIRST_PROBE
        self._probes = 0

    @property
    def since(self) -> float | None:
        """Start of the outage: the instant of its first failure; None where there is none."""
        return self._since

    @property
    def probe_at(self) -> float:
        """Instant from which the next probe is allowed; in the past where there is no outage."""
        return self._probe_at

    def failed(
        self,
        key: str,
        now: float,
        *,
        vehicles: int,
        what: str | None = None,
        kinds: int = 0,
        hold: float | None = None,
    ) -> bool:
        """Record a failure.

        Args:
            key: the vehicle or account that failed.
            now: the present instant.
            vehicles: number of watched vehicles.
            what: the kind of data that was read; None for a listing.
            kinds: number of kinds of data that are read.
            hold: seconds until the budget allows requests again, where it is exhausted; None otherwise.

        Returns:
            Whether an outage begins with this failure.
        """
        if self._since is not None:
            if now >= self._probe_at:
                self._probes += 1
                self._probe = next_interval(self._probe)
                self._probe_at = now + self._wait(hold)
            return False
        self._failures = [*self._failures, ObservedFailure(key, now, what)][-self.needed :]
        distinct = len({failure.key for failure in self._failures})
        if hold is None and (len(self._failures) < self.needed or distinct < min(3, vehicles)):
            return False
        failing = {failure.what for failure in self._failures if failure.what is not None}
        self.is_suspected = hold is None and len(failing) < min(2, kinds)
        if self.is_suspected:
            return False
        self._since = self._failures[0].at if hold is None else now
        self._probe_at = now + self._wait(hold)
        return True

    def in_turn(self, kinds: Sequence[str]) -> Sequence[str]:
        """Return the kinds of data in the order in which to read them: each is the first of a probe in its turn."""
        first = self._probes % len(kinds) if self._since is not None else 0
        return (*kinds[first:], *kinds[:first]) if first else kinds

    def _wait(self, hold: float | None) -> float:
        return self._probe if hold is None else bounded_hold(hold, 1.0)

    def succeeded(self, now: float) -> float | None:
        """Record a success and return the length of the outage in seconds, where it ends one; None otherwise."""
        self._failures.clear()
        self.is_suspected = False
        if self._since is None:
            return None
        length = now - self._since
        self._since = None
        self._probe_at = -math.inf
        self._probe = FIRST_PROBE
        return length

    def ignore(self, what: str) -> None:
        """Forget the failures of a kind of data that alone is out."""
        self._failures = [failure for failure in self._failures if failure.what != what]
        self.is_suspected = False
