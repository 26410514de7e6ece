"""Smallest round trip of a process, once there are enough samples."""

from __future__ import annotations

import math

__all__ = ["MinRoundTrip"]

_WARM_UP = 100
_WARM_SECONDS = 2.0
_GENERATION = 2_000


class MinRoundTrip:
    """The smallest of the last some thousand round trips, of two generations: a path that became longer counts later.

    Samples of one burst are late together, so they count only once they come from several windows.

    Attributes:
        smallest: in seconds; ``inf`` before the first.
    """

    __slots__ = ("_former", "_samples", "_trusted_at", "_youngest")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start again, because the server refused a request."""
        self._samples = 0
        self._youngest = self._former = self._trusted_at = math.inf

    def record(self, now: float, seconds: float) -> None:
        """Record a round trip."""
        if self._samples == 0:
            self._trusted_at = now + _WARM_SECONDS
        self._samples += 1
        if self._samples % _GENERATION == 0:
            self._former, self._youngest = self._youngest, math.inf
        self._youngest = min(self._youngest, max(seconds, 0.0))

    @property
    def smallest(self) -> float:
        return min(self._youngest, self._former)

    def trusted(self, now: float) -> float:
        """Return the smallest in seconds; 0 while there are too few samples."""
        return self.smallest if self._samples >= _WARM_UP and now >= self._trusted_at else 0.0
