"""How a watch stands.

Knows numbers. Must not know where they come from.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["Counts"]

_REMEMBERED = 4_096


class Counts:
    """What is counted while a watch runs."""

    __slots__ = (
        "acknowledged",
        "delivered",
        "errors",
        "late",
        "most",
        "older",
        "polls",
        "requests",
        "same",
        "updates",
    )

    def __init__(self) -> None:
        self.polls: int = 0
        self.requests: int = 0
        self.updates: int = 0
        self.delivered: int = 0
        self.acknowledged: int = 0
        self.same: int = 0
        self.older: int = 0
        self.errors: Counter[str] = Counter()
        self.late: deque[float] = deque(maxlen=_REMEMBERED)
        self.most: float = 0.0

    def began(self, late: float) -> None:
        """Note by how many seconds a poll began late."""
        late = max(0.0, late)
        self.late.append(late)
        self.most = max(self.most, late)

    def percentile(self, share: float) -> float:
        """Tell what so many of the latest polls were not later than."""
        ordered = sorted(self.late)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0

    def frozen_errors(self) -> Mapping[str, int]:
        """Give the errors as they are now."""
        return MappingProxyType(dict(self.errors))
