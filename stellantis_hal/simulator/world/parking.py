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
    """A charge that started at a time, from a level in percent."""

    since: datetime
    level: float

    @property
    def full_at(self) -> datetime:
        """The time when the battery is full."""
        return self.since + timedelta(hours=(100.0 - self.level) / _PERCENT_PER_HOUR)

    def reported_at(self, now: datetime) -> datetime:
        """Return the time of the last report at ``now``: one at each interval, and one when the battery is full."""
        if now >= self.full_at:
            return self.full_at
        return self.since + max(timedelta(), now - self.since) // _REPORT * _REPORT

    def level_at(self, at: datetime) -> float:
        """Return the level at a time, in percent."""
        hours = (at - self.since) / timedelta(hours=1)
        return min(100.0, round(self.level + hours * _PERCENT_PER_HOUR, 1))


@attrs.frozen(kw_only=True)
class Parking:
    """What happened to a vehicle since its last trip.

    Attributes:
        at: time of the last of it; None: nothing since the trip.
        levels: the energy levels then; None: those at the end of the trip.
        plugged: whether the cable is in; None: not decided by a test.
        charge: the charge that goes on, or has filled the battery.
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
        if self.charge is not None:
            at = max(at, self.charge.reported_at(now))
            level = self.charge.level_at(at)
            levels = tuple(attrs.evolve(energy, level=level) if _is_charged(energy) else energy for energy in levels)
        return attrs.evolve(state, at=at, levels=levels, locked=self.locked, charging=self._charging(at))

    def _charging(self, at: datetime) -> Charging | None:
        if self.plugged is None:
            return None
        if not self.plugged:
            return Charging(plugged=False, status="Disconnected", rate=0.0, remaining=timedelta())
        if self.charge is None:
            return Charging(plugged=True, status="Stopped", rate=0.0, remaining=timedelta())
        remaining = max(timedelta(), self.charge.full_at - at)
        if not remaining:
            return Charging(plugged=True, status="Finished", rate=0.0, remaining=remaining)
        rate = _PERCENT_PER_HOUR * KM_PER_PERCENT
        return Charging(plugged=True, status="InProgress", rate=rate, remaining=remaining)


def _is_charged(energy: Energy) -> bool:
    return energy.type == "Electric"
