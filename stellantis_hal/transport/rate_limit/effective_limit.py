"""Limit of a window: the configured one, as corrected by the server's headers."""

from __future__ import annotations

import math

__all__ = ["LAPSE", "EffectiveLimit"]

LAPSE = 900.0
"""Seconds after which what only one response has stated is no longer believed."""


class EffectiveLimit:
    """A limit that headers may change.

    The first response that states a limit may be wrong, and if it leaves nothing to send, no other response can correct
    it. So it lapses, unless a request sent later is served and states the same limit.

    Args:
        configured: what applies before the first response; None for no limit, which headers do not change.
        ceiling: the highest limit that headers may set; None for any.

    Attributes:
        value: the limit in force.
        confirmed: the limit that applies once an unconfirmed one has lapsed.
        lapses_at: when that is; ``inf`` where the limit in force is confirmed.
    """

    __slots__ = ("_ceiling", "_stated", "_stated_at", "_stated_since", "confirmed", "lapses_at", "value")

    def __init__(self, configured: int | None, ceiling: int | None) -> None:
        self.value: float = math.inf if configured is None else configured
        self._ceiling = ceiling
        self.confirmed: float = self.value
        self.lapses_at: float = math.inf
        self._stated: int | None = None
        self._stated_since: float  # set with it
        self._stated_at = -math.inf

    def state(self, now: float, limit: int, *, sent_at: float, exhausted: bool) -> bool:
        """Apply the limit that a response states; return False where it is confirmed already.

        Args:
            now: the present instant.
            limit: at least 1.
            sent_at: when the request was sent.
            exhausted: whether the response says that nothing is left.
        """
        self._stated_at = now
        if limit == self._stated and self.value == self.confirmed:
            return False
        self.value = limit if self._ceiling is None else min(limit, self._ceiling)
        if limit != self._stated:
            self._stated, self._stated_since = limit, now
        elif sent_at >= self._stated_since and not exhausted:
            self.confirmed = self.value
        self.lapses_at = math.inf if self.value == self.confirmed else now + LAPSE
        return True

    def stated(self, now: float) -> float:
        """Return the limit where a response has stated it lately; ``inf`` where none has."""
        return self.value if now < self._stated_at + LAPSE else math.inf

    def lapse(self) -> None:
        """Drop a limit that is not confirmed."""
        self.value = self.confirmed
        self.lapses_at = math.inf
        self._stated = None
