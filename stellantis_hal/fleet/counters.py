"""Counters of a running watch."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["Counts"]

_MAX_DELAYS = 4_096


class Counts:
    """Counters of a running watch or backfill.

    Attributes:
        polls: polls started.
        requests: requests of these polls.
        updates: updates put into the buffer.
        delivered: events taken out of it.
        acknowledged: updates acknowledged.
        unchanged: snapshots without changes.
        older: snapshots that arrived after newer ones.
        pushed: notifications that concerned a watched vehicle.
        errors: failures by the name of their class.
        delays: delays of the latest 4,096 polls, in seconds.
        longest_delay: the longest delay of all polls, in seconds.
        read_at: instant at which data were last read, or else of the start; None before that.
    """

    __slots__ = (
        "acknowledged",
        "delays",
        "delivered",
        "errors",
        "longest_delay",
        "older",
        "polls",
        "pushed",
        "read_at",
        "requests",
        "unchanged",
        "updates",
    )

    def __init__(self) -> None:
        self.polls: int = 0
        self.requests: int = 0
        self.updates: int = 0
        self.delivered: int = 0
        self.acknowledged: int = 0
        self.unchanged: int = 0
        self.older: int = 0
        self.pushed: int = 0
        self.errors: Counter[str] = Counter()
        self.delays: deque[float] = deque(maxlen=_MAX_DELAYS)
        self.longest_delay: float = 0.0
        self.read_at: float | None = None

    def record_delay(self, delay: float) -> None:
        """Add the seconds by which a poll started late; a negative delay counts as 0."""
        delay = max(0.0, delay)
        self.delays.append(delay)
        self.longest_delay = max(self.longest_delay, delay)

    def delay_percentile(self, fraction: float) -> float:
        """Return the delay that a fraction of the latest polls did not exceed; 0 before the first poll."""
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))] if ordered else 0.0

    def copy_errors(self) -> Mapping[str, int]:
        """Return a read-only copy of the failures."""
        return MappingProxyType(dict(self.errors))
