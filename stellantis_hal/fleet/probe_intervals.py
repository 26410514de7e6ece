"""Intervals of probes in an outage: doubled from a quarter of a minute to four minutes."""

from __future__ import annotations

__all__ = ["FIRST_PROBE", "LONGEST_PROBE", "bounded_hold", "next_interval"]

FIRST_PROBE = 15.0
LONGEST_PROBE = 240.0
"""Seconds: less than five minutes by the time that a renewal and a poll may take."""
_LONGEST_HOLD = 3_600.0
"""Seconds for which a server may forbid a probe."""


def next_interval(interval: float) -> float:
    """Return the seconds from a probe that failed to the next one, after an interval before it."""
    return min(LONGEST_PROBE, 2 * interval)


def bounded_hold(seconds: float, shortest: float) -> float:
    """Return the seconds for which a server forbids requests, within bounds."""
    return min(max(seconds, shortest), _LONGEST_HOLD)
