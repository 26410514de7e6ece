"""Future limit: instants that are ahead of the client's clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["AHEAD", "FutureLimit"]


# Clocks differ: only instants that are further ahead of the client's clock are recorded.
AHEAD: Final = timedelta(minutes=5)
_MOST_REMEMBERED: Final = 512


class FutureLimit:
    """The latest instant that can have been measured already, by a clock that is read only when it matters.

    Attributes:
        latest: by the last reading of the clock. What is earlier is not ahead now either.
        clock: the wall clock.
        past: instants read last that are not ahead, by their texts. A body states few of them, again and again.
    """

    __slots__ = ("clock", "latest", "past")

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock: Callable[[], datetime] = clock
        self.latest: datetime = datetime.min.replace(tzinfo=UTC)
        self.past: dict[str, datetime] = {}

    def remember(self, text: str, instant: datetime) -> None:
        """Remember an instant that is not ahead; of earlier ones some hundred are remembered."""
        if len(self.past) >= _MOST_REMEMBERED:
            self.past.clear()
        self.past[text] = instant

    def ahead(self, instant: datetime) -> timedelta | None:
        """Return by how much an instant is ahead of the clock; None where it is not, within :data:`AHEAD`."""
        now = self.clock()
        self.latest = now + AHEAD
        return instant - now if instant > self.latest else None
