"""State of a parked vehicle: locks, plug and charge."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from stellantis_hal.simulator.world.entities import Charging, Energy, VehicleState

__all__ = ["KM_PER_PERCENT", "Charge", "Parking"]

KM_PER_PERCENT = 3.5
"""Range of an electric vehicle per percent of its battery, in km."""

_PERCENT_PER_HOUR = 15.0  # 7.5 kW into a battery of 50 kWh
_REPORT = timedelta(minutes=5)  # a vehicle reports its level at this interval while it charges


@attrs.frozen(kw_only=True)
class Charge:
    """A charge that starts at a time, from a level in percent.

    Attributes:
        target: the level at which it ends.
        until: the time at which it ends, full or not.
    """

    since: datetime
    level: float
    target: float = 100.0
    until: datetime | None = None

    @property
    def full_at(self) -> datetime:
        """The time when the battery has the level at which the charge ends."""
        return self.since + timedelta(hours=max(0.0, self.target - self.level) / _PERCENT_PER_HOUR)

    @property
    def ends_at(self) -> datetime:
        """The time when the charge ends."""
        return self.full_at if self.until is None else max(self.since, min(self.full_at, self.until))

    def reported_at(self, now: datetime) -> datetime:
        """Return the time of the last report at ``now``: one at each interval, and one at the end."""
        if now >= self.ends_at:
            return self.ends_at
        return self.since + max(timedelta(), now - self.since) // _REPORT * _REPORT

    def level_at(self, at: datetime) -> float:
        """Return the level at a time, in percent."""
        hours = max(0.0, (min(at, self.ends_at) - self.since) / timedelta(hours=1))
        return max(self.level, min(self.target, round(self.level + hours * _PERCENT_PER_HOUR, 1)))


@attrs.frozen(kw_only=True)
class Parking:
    """What happened to a vehicle since its last trip.

    Attributes:
        at: time of the last of it; None: nothing since the trip.
        levels: the energy levels then; None: those at the end of the trip.
        plugged: whether the cable is in; None: not decided by a test.
        charge: the charge that goes on, has filled the battery, or begins later.
        locked: whether the doors are locked; None: not decided by a test.
    """

    at: datetime | None = None
    levels: tuple[Energy, ...] | None = None
    plugged: bool | None = None
    charge: Charge | None = None
    locked: bool | None = None

    def applied_to(self, state: VehicleState, now: datetime) -> VehicleState:
        """Return the state after the last trip with what happened since, until ``now``."""
        at = max(state.at, self.at or state.at)
        levels = self.levels or state.levels
        if self.charge is not None and now >= self.charge.since:
            at = max(at, self.charge.reported_at(now))
            level = self.charge.level_at(at)
            levels = tuple(attrs.evolve(energy, level=level) if _is_charged(energy) else energy for energy in levels)
        return attrs.evolve(state, at=at, levels=levels, locked=self.locked, charging=self._charging(at))

    def _charging(self, at: datetime) -> Charging | None:
        if self.plugged is None:
            return None
        if not self.plugged:
            return Charging(plugged=False, status="Disconnected", rate=0.0, remaining=timedelta())
        if self.charge is None or at < self.charge.since:
            return Charging(plugged=True, status="Stopped", rate=0.0, remaining=timedelta())
        if at >= self.charge.ends_at:
            status = "Finished" if at >= self.charge.full_at else "Stopped"
            return Charging(plugged=True, status=status, rate=0.0, remaining=timedelta())
        rate = _PERCENT_PER_HOUR * KM_PER_PERCENT
        return Charging(plugged=True, status="InProgress", rate=rate, remaining=self.charge.full_at - at)


def _is_charged(energy: Energy) -> bool:
    return energy.type == "Electric"
