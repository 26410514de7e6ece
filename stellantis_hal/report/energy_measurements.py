"""Measurements that a car reported besides its trips: level, range and temperature at one instant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Final

import attrs

from stellantis_hal.report.trip_facts import local
from stellantis_hal.resources.blocks.energy import Energy
from stellantis_hal.resources.blocks.environment import Environment
from stellantis_hal.resources.blocks.measured import latest_instant
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry

__all__ = ["LEAST_LEVEL", "EnergyMeasurement", "measurements"]

LEAST_LEVEL: Final = 20.0
"""Percent below which the range of a full battery is not estimated."""
_APART: Final = timedelta(hours=1)
"""How far the temperature of a status may be from the level: its blocks may be months old."""


@attrs.frozen(kw_only=True)
class EnergyMeasurement:
    """Values of one energy.

    Attributes:
        at: the instant, in the zone of the report.
        energy: "battery" or "fuel".
        level: percent.
        range: kilometres.
        temperature: outside, °C; None where it was measured an hour or more before or after.
    """

    at: datetime
    energy: str
    level: float | None
    range: float | None
    temperature: float | None

    @property
    def full_range(self) -> float | None:
        """The range at 100 percent in km, in proportion; None where level or range is unknown, or the level low."""
        if self.level is None or self.range is None or self.level < LEAST_LEVEL:
            return None
        return self.range / self.level * 100


def measurements(
    statuses: Iterable[Status], telemetry: Iterable[Telemetry], zone: tzinfo | None
) -> list[EnergyMeasurement]:
    """Return the measurements of statuses and telemetry, in order; those without an instant are left out."""
    found: list[EnergyMeasurement] = []
    for status in statuses:
        found += _measured(status.energies, status.environment, latest_instant(status), zone)
    for record in telemetry:
        energies = () if record.vehicle is None else record.vehicle.energies
        found += _measured(energies, record.environment, record.created_at, zone)
    return sorted(found, key=lambda each: each.at.timestamp())


def _measured(
    energies: Iterable[Energy], environment: Environment | None, at: datetime | None, zone: tzinfo | None
) -> Iterable[EnergyMeasurement]:
    air = None if environment is None else environment.air
    air_at = latest_instant(air)
    for energy in energies:
        moment = local(latest_instant(energy) or at, zone)
        name = {"Electric": "battery", "Fuel": "fuel"}.get(str(energy.type))
        if moment is not None and name is not None:
            yield EnergyMeasurement(
                at=moment,
                energy=name,
                level=energy.level,
                range=energy.autonomy,
                temperature=None
                if air is None or (air_at is not None and abs(moment - air_at) >= _APART)
                else air.temperature,
            )
