"""When an inbox forgets, and by which time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

__all__ = ["CleaningTime"]

_INTERVAL: Final = timedelta(minutes=1)


class CleaningTime:
    """Says once a minute by which time identities are old: one reading of a clock that is far ahead makes none old.

    The first reading is believed; of each later one and the one before it the earlier.
    """

    __slots__ = ("_bound", "_goes_on", "_read_at")

    def __init__(self) -> None:
        self._read_at: datetime | None = None
        self._bound: datetime | None = None
        self._goes_on = False

    def bound(self, now: datetime) -> datetime | None:
        """Return the time by which identities are old; None where nothing is to be cleaned now."""
        before = self._read_at
        if before is None or abs(now - before) >= _INTERVAL:
            self._read_at, self._bound = now, now if before is None else min(before, now)
        elif not self._goes_on:
            return None
        self._goes_on = False
        return self._bound

    def go_on(self) -> None:
        """Clean again with the next events, by the same time: there was more than is removed at once."""
        self._goes_on = True
