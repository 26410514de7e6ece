"""Count of something that is logged rarely when it happens often."""

from __future__ import annotations

__all__ = ["LogThrottle"]


class LogThrottle:
    """Something that may happen thousands of times an hour: it is told at first, and then each time it has doubled.

    Attributes:
        count: how often it has happened since the start, or since :meth:`end`.

    Example:
        >>> failure = LogThrottle()
        >>> [number for number in range(1, 20) if failure.is_told()]
        [1, 2, 4, 8, 16]
        >>> failure.end(), failure.is_told()
        (19, True)
    """

    __slots__ = ("_told", "count")

    def __init__(self) -> None:
        self.count: int = 0
        self._told = 0

    def is_told(self, times: int = 1) -> bool:
        """Count it, once or several times; return whether it is to be told."""
        self.count += times
        if self.count < 2 * self._told:
            return False
        self._told = self.count
        return True

    def end(self) -> int:
        """Begin anew; return how often it had happened."""
        count = self.count
        self.count = self._told = 0
        return count
