"""Ranges as a car displays them, by level, temperature and what its driver uses."""

from __future__ import annotations

from stellantis_hal.simulator.world.consumption_model import BATTERY_WH, TANK_CL, fuel_cl, range_km
from stellantis_hal.simulator.world.driver import usual_wh
from stellantis_hal.simulator.world.entities import Energy, Trip

__all__ = ["displayed_range", "expected_wh", "range_in_trip"]

_USUAL_KM = 15.0


def displayed_range(energy: Energy, motorization: str, temperature: float, load: float) -> int:
    """Return the range by an energy in km.

    Args:
        energy: its level.
        motorization: ``Electric``, ``Hybrid`` or ``Thermic``.
        temperature: of the air, in degrees Celsius.
        load: the driver's use of electricity by the usual one.
    """
    if energy.type == "Fuel":
        return round(range_km(energy.level, TANK_CL, fuel_cl(_USUAL_KM, 50.0, temperature) / _USUAL_KM))
    return round(range_km(energy.level, BATTERY_WH[motorization], expected_wh(temperature, load)))


def expected_wh(temperature: float, load: float) -> float:
    """Return the electricity in Wh that the car expects to use for a km: partly the usual, partly the driver's."""
    return usual_wh(temperature) * (0.6 + 0.4 * load)


def range_in_trip(trip: Trip, energy: Energy) -> int:
    """Return the range by an energy in km, at the start, the end or in the middle of a trip."""
    kinds = {each.type for each in trip.before}
    motorization = "Thermic" if "Electric" not in kinds else "Hybrid" if "Fuel" in kinds else "Electric"
    used = sum(used for each, used in zip(trip.before, trip.used, strict=False) if each.type == "Electric")
    load = used / trip.electric_km / usual_wh(trip.temperature) if trip.electric_km > 0 and used > 0 else 1.0
    return displayed_range(energy, motorization, trip.temperature, min(1.6, max(0.6, load)))
