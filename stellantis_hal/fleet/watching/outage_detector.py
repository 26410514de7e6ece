"""Whether it is one vehicle that fails or everything.

Knows failures, successes and instants in seconds. Must not wait or send anything.
"""

from __future__ import annotations

import math

import attrs

__all__ = ["OutageDetector"]

_FIRST_PROBE = 15.0
_LONGEST_PROBE = 300.0
_LONGEST_HOLD = 3_600.0


@attrs.frozen
class Failure:
    """A failure among others: whose, and when."""

    key: str
    at: float


class OutageDetector:
    """Failures in a row, whoever had them, and the outage that they add up to.

    So many failures without a success between them are an outage, when they concern as many vehicles as there are, or
    three. Within it one probe at a time is allowed, less and less often.
    """

    __slots__ = ("_failures", "_probe", "_since", "_until", "needed")

    def __init__(self, needed: int = 5) -> None:
        self.needed: int = needed
        self._failures: list[Failure] = []
        self._since: float | None = None
        self._until = -math.inf
        self._probe = _FIRST_PROBE

    @property
    def since(self) -> float | None:
        """When the outage began: the instant of its first failure; None where there is none."""
        return self._since

    @property
    def probe_at(self) -> float:
        """When the next probe may be made; in the past where there is no outage."""
        return self._until

    def failed(self, key: str, now: float, *, vehicles: int, hold: float | None = None) -> bool:
        """Note a failure.

        Args:
            key: whose.
            now: when.
            vehicles: how many there are.
            hold: where the budget is at its end: seconds until there is some again.

        Returns:
            Whether this is what makes it an outage.
        """
        if self._since is not None:
            if now >= self._until:
                self._probe = min(_LONGEST_PROBE, self._probe * 2)
                self._until = now + (self._probe if hold is None else min(max(hold, 1.0), _LONGEST_HOLD))
            return False
        self._failures = [*self._failures, Failure(key, now)][-self.needed :]
        distinct = len({failure.key for failure in self._failures})
        if hold is None and (len(self._failures) < self.needed or distinct < min(3, vehicles)):
            return False
        self._since = self._failures[0].at if hold is None else now
        self._until = now + (self._probe if hold is None else min(max(hold, 1.0), _LONGEST_HOLD))
        return True

    def succeeded(self, now: float) -> float | None:
        """Note a success; gives the seconds that the outage lasted, where this is the end of one."""
        self._failures.clear()
        if self._since is None:
            return None
        lasted = now - self._since
        self._since = None
        self._until = -math.inf
        self._probe = _FIRST_PROBE
        return lasted
