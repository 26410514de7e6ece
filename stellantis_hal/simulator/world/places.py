"""The places of a vehicle's owner, and the roads between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise

from stellantis_hal.simulator.world.entities import GeoPoint
from stellantis_hal.simulator.world.seeded import draws

__all__ = ["along", "away", "home_of", "places_of", "road_km"]

_TOWNS = {
    "Vauxhall": ((-1.89, 52.48), (-1.13, 52.63), (-1.15, 52.95), (-1.55, 53.80), (-1.26, 51.75), (-0.98, 51.45)),
    "Opel": ((8.24, 50.08), (8.40, 49.98), (6.96, 50.94), (9.48, 51.31), (9.18, 48.78), (7.85, 48.00), (8.53, 52.02)),
    "": (
        (-1.68, 48.11),
        (0.20, 48.00),
        (0.69, 47.39),
        (1.26, 45.83),
        (1.44, 43.60),
        (3.09, 45.78),
        (4.84, 45.76),
        (5.04, 47.32),
        (6.18, 48.69),
        (7.75, 48.57),
        (4.03, 49.26),
        (1.91, 47.90),
        (4.35, 50.85),
        (5.57, 50.64),
    ),
}
_KM_PER_DEGREE = 111.2
_REACH: Mapping[str, tuple[float, float]] = {  # km from home as the crow flies: the nearest, the farthest
    "work": (3.0, 28.0),
    "shop": (0.8, 3.0),
    "market": (3.0, 8.0),
    "leisure": (2.0, 12.0),
    "relatives": (25.0, 90.0),
}
_KM_PER_BEND = 2.5


def home_of(brand: str, *parts: object) -> GeoPoint:
    """Return a home in or near a town where a brand is sold, derived from the parts."""
    which, east, north, up, *_ = draws("home", *parts)
    towns = _TOWNS.get(brand, _TOWNS[""])
    longitude, latitude = towns[int(which * len(towns))]
    return GeoPoint(
        round(longitude + 0.16 * (east - 0.5), 5), round(latitude + 0.12 * (north - 0.5), 5), round(40 + 200 * up, 1)
    )


def places_of(home: GeoPoint, *parts: object) -> Mapping[str, GeoPoint]:
    """Return the places to which an owner drives, by name, derived from the parts."""
    numbers = iter(draws("places", *parts))
    places = {"home": home}
    for name, (near, far) in _REACH.items():
        km = near * (far / near) ** next(numbers)  # as many near ones as far ones
        places[name] = away(home, km, next(numbers), rise=60 * (next(numbers) - 0.5))
    return places


def away(start: GeoPoint, km: float, turn: float, *, rise: float = 0.0) -> GeoPoint:
    """Return a spot some km away, in a direction given as a part of a whole turn, and some metres higher."""
    north, east = km * math.cos(math.tau * turn), km * math.sin(math.tau * turn)
    return GeoPoint(
        round(start.longitude + east / (_KM_PER_DEGREE * math.cos(math.radians(start.latitude))), 6),
        round(start.latitude + north / _KM_PER_DEGREE, 6),
        round(max(0.0, start.altitude + rise), 1),
    )


@lru_cache(maxsize=512)
def _road(start: GeoPoint, stop: GeoPoint) -> tuple[tuple[float, ...], tuple[GeoPoint, ...]]:
    """Return the shares of the way at which a road bends, from 0 to 1, and the spots there; the same both ways."""
    if (stop.longitude, stop.latitude) < (start.longitude, start.latitude):
        back, passed = _road(stop, start)
        return tuple(1.0 - share for share in reversed(back)), passed[::-1]
    east, north = _offset(start, stop)
    numbers = draws("road", start.longitude, start.latitude, stop.longitude, stop.latitude)
    bends = max(2, min(len(numbers) - 2, round(math.hypot(east, north) / _KM_PER_BEND)))
    bow = 0.3 * (numbers[0] - 0.5)  # the road as a whole passes left or right of the straight line
    spots = [start]
    for bend in range(1, bends):
        share = bend / bends
        aside = bow * math.sin(math.pi * share) + 0.3 / bends * (numbers[bend] - 0.5)
        spots.append(
            GeoPoint(
                round(
                    start.longitude + (stop.longitude - start.longitude) * share + _degrees(-north * aside, start), 6
                ),
                round(start.latitude + (stop.latitude - start.latitude) * share + east * aside / _KM_PER_DEGREE, 6),
                round(start.altitude + (stop.altitude - start.altitude) * share, 1),
            )
        )
    spots.append(stop)
    lengths = [0.0]
    for one, other in pairwise(spots):
        lengths.append(lengths[-1] + math.hypot(*_offset(one, other)))
    return (*(length / (lengths[-1] or 1.0) for length in lengths[:-1]), 1.0), tuple(spots)


def _degrees(km: float, near: GeoPoint) -> float:
    return km / (_KM_PER_DEGREE * math.cos(math.radians(near.latitude)))


def _offset(start: GeoPoint, stop: GeoPoint) -> tuple[float, float]:
    east = (stop.longitude - start.longitude) * _KM_PER_DEGREE * math.cos(math.radians(start.latitude))
    return east, (stop.latitude - start.latitude) * _KM_PER_DEGREE


@lru_cache(maxsize=8_192)
def road_km(start: GeoPoint, stop: GeoPoint) -> float:
    """Return the length of the road between two spots in km; it bends more than the points of :func:`along` show."""
    spots = _road(start, stop)[1]
    return 1.08 * sum(math.hypot(*_offset(one, other)) for one, other in pairwise(spots))


def along(start: GeoPoint, stop: GeoPoint, share: float) -> GeoPoint:
    """Return the spot on the road between two spots after a share of the way (0 to 1)."""
    shares, spots = _road(start, stop)
    after = next(number for number, end in enumerate(shares) if number and share <= end)
    before = shares[after - 1]
    part = (share - before) / (shares[after] - before) if shares[after] > before else 0.0
    one, other = spots[after - 1], spots[after]
    return GeoPoint(
        round(one.longitude + part * (other.longitude - one.longitude), 6),
        round(one.latitude + part * (other.latitude - one.latitude), 6),
        round(one.altitude + part * (other.altitude - one.altitude), 1),
    )
