"""The weather: air temperature and daylight by place and time."""

from __future__ import annotations

import math
from datetime import datetime
from functools import lru_cache

from stellantis_hal.simulator.world.entities import GeoPoint
from stellantis_hal.simulator.world.seeded import fraction

__all__ = ["is_day", "temperature"]


@lru_cache(maxsize=4_096)
def _deviation(seed: int, day: int, region: tuple[int, int]) -> float:
    """Return by how many degrees Celsius a day differs from the season, within a region of two degrees."""
    return 9.0 * (fraction(seed, "weather", day, *region) - 0.5)


def temperature(seed: int, spot: GeoPoint, at: datetime) -> float:
    """Return the temperature of the air in degrees Celsius; days pass into each other."""
    region = (int(spot.longitude // 2), int(spot.latitude // 2))
    day, hour = at.toordinal(), at.hour + at.minute / 60
    season = -8.5 * math.cos(math.tau * (at.timetuple().tm_yday - 20) / 365)
    hours = 4.0 * math.sin(math.tau * (hour - 9) / 24)
    today, tomorrow = _deviation(seed, day, region), _deviation(seed, day + 1, region)
    deviation = today + (tomorrow - today) * hour / 24
    return round(12.0 - 0.6 * (spot.latitude - 47) + season + hours + deviation, 1)


def is_day(at: datetime) -> bool:
    """Return whether the sun is up, some 8 hours in winter and 16 in summer."""
    half = 4.0 - 4.0 * math.cos(math.tau * (at.timetuple().tm_yday + 10) / 365) / 2 + 2.0
    return abs(at.hour + at.minute / 60 - 12.0) < half
