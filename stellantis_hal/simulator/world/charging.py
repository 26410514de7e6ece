"""A charge of a battery: how its level grows with time."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import attrs

__all__ = ["HOME_POWER", "QUICK_POWER", "REPORT_INTERVAL", "Charge"]

HOME_POWER = 7_500.0
"""Power of a charging point at home, in W."""

QUICK_POWER = 50_000.0
"""Power of a public charging point, in W."""

REPORT_INTERVAL = timedelta(minutes=5)
"""How often a vehicle reports its level while it charges."""

_KNEE = 80.0  # percent, from which the power falls
_FALL = 0.04  # share of the power that each percent above takes away: a fifth is left of it at 100 %


@attrs.frozen(kw_only=True)
class Charge:
    """A charge that starts at a time, from a level in percent.

    Attributes:
        rate: percent per hour up to 80 %, from where it falls to a fifth.
        target: the level at which it ends.
        until: the time at which it ends, full or not.
        quick: whether the power is that of a public charging point.
    """

    since: datetime
    level: float
    rate: float
    target: float = 100.0
    until: datetime | None = None
    quick: bool = False

    @property
    def full_at(self) -> datetime:
        """The time when the battery has the level at which the charge ends."""
        return self.since + timedelta(hours=self._hours(self.target) - self._hours(min(self.level, self.target)))

    @property
    def ends_at(self) -> datetime:
        """The time when the charge ends."""
        return self.full_at if self.until is None else max(self.since, min(self.full_at, self.until))

    def reported_at(self, now: datetime) -> datetime:
        """Return the time of the last report at ``now``: one at each interval, and one at the end."""
        if now >= self.ends_at:
            return self.ends_at
        return self.since + max(timedelta(), now - self.since) // REPORT_INTERVAL * REPORT_INTERVAL

    def level_at(self, at: datetime) -> float:
        """Return the level at a time, in percent."""
        end = self.ends_at
        if at >= end == self.full_at:
            return max(self.level, self.target)
        hours = max(0.0, (min(at, end) - self.since) / timedelta(hours=1)) + self._hours(self.level)
        knee = _KNEE / self.rate
        level = hours * self.rate
        if hours > knee:
            level = _KNEE + (1.0 - math.exp(-_FALL * self.rate * (hours - knee))) / _FALL
        return max(self.level, min(self.target, level))

    def rate_at(self, level: float) -> float:
        """Return the percent per hour that it gains at a level."""
        return self.rate * (1.0 - _FALL * max(0.0, level - _KNEE))

    def _hours(self, level: float) -> float:
        """Return the hours from an empty battery to a level."""
        above = max(0.0, level - _KNEE)
        return (min(level, _KNEE) - math.log(1.0 - _FALL * above) / _FALL) / self.rate
