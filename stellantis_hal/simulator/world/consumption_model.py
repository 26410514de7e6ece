"""How fast a vehicle drives, what it uses, and how far it gets."""

from __future__ import annotations

import math

__all__ = ["BATTERY_WH", "TANK_CL", "average_speed", "electric_wh", "fuel_cl", "range_km"]

BATTERY_WH = {"Electric": 50_000.0, "Hybrid": 12_400.0}
"""Capacity of the traction battery by motorization, in Wh."""

TANK_CL = 4_500.0
"""Capacity of the tank in centilitres."""

_RUSH_HOURS = (7, 8, 16, 17)  # local time


def average_speed(km: float, hour: int, chance: float) -> float:
    """Return the average speed of a trip in km/h: towns are slow, long trips use motorways, rush hours are slower.

    Args:
        km: its distance.
        hour: the local hour of its start.
        chance: a number from 0 to 1 that makes it slower or faster by up to 20 %.
    """
    flowing = 18.0 + 78.0 * (1.0 - math.exp(-km / 38.0))
    return flowing * (0.85 if hour in _RUSH_HOURS else 1.0) * (0.8 + 0.4 * chance)


def electric_wh(km: float, speed: float, temperature: float) -> float:
    """Return the electricity that a trip uses in Wh.

    The air resists with the square of the speed; heating and cooling take power for as long as the trip lasts; a cold
    cabin is heated up first.
    """
    climate = 200.0 + 45.0 * max(0.0, 19.0 - temperature) + 60.0 * max(0.0, temperature - 24.0)  # W
    warming = 8.0 * max(0.0, 15.0 - temperature) * min(1.0, km / 4.0)  # Wh
    return km * (82.0 + 0.0115 * speed**2) + climate * km / speed + warming


def fuel_cl(km: float, speed: float, temperature: float) -> float:
    """Return the fuel that a trip uses in centilitres: much in towns, least at some 60 km/h, more when it is cold."""
    return km * (3.1 + 45.0 / speed + 0.00026 * speed**2) * (1.0 + 0.006 * max(0.0, 16.0 - temperature))


def range_km(level: float, capacity: float, per_km: float) -> float:
    """Return the displayed range in km: the last of a battery or tank is counted for less, it is a reserve.

    Args:
        level: percent.
        capacity: Wh or centilitres.
        per_km: the expected consumption, in the same unit per km.
    """
    reserve = 1.0 - 0.22 * math.exp(-level / 18.0)
    return level / 100.0 * capacity * reserve / per_km
