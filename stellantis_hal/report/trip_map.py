"""A map of trips as SVG: an equirectangular projection with a graticule and a scale, without tiles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from stellantis_hal.report.escaping import plural
from stellantis_hal.report.trip_facts import Point, TripFacts

__all__ = ["TripMap", "trip_map"]

_WIDTH: Final = 800.0
_MARGIN: Final = 48.0
_LABEL: Final = 110.0
_KM_PER_DEGREE: Final = 111.32
_LEAST_KM: Final = 1.0
_MOST_LINES: Final = 3_000
_MOST_PLACES: Final = 300
_MOST_POINTS: Final = 200
_STEPS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 45)
_LENGTHS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


@attrs.frozen(kw_only=True)
class TripMap:
    """A map.

    Attributes:
        svg: the picture; empty where no position is known.
        note: what it shows and leaves out.
    """

    svg: str
    note: str


@attrs.frozen(kw_only=True)
class _Projection:
    """Degrees to units of the picture; longitudes count from the meridian of the first point."""

    meridian: float
    west: float
    north: float
    scale: float
    """Units for a degree of latitude."""
    squeeze: float
    """The width of a degree of longitude by that of latitude."""
    height: float

    @classmethod
    def over(cls, points: Sequence[Point]) -> _Projection:
        meridian = points[0][0]
        longitudes = [_unwrap(longitude, meridian) for longitude, _ in points]
        latitudes = [latitude for _, latitude in points]
        middle = (min(latitudes) + max(latitudes)) / 2
        squeeze = max(0.05, math.cos(math.radians(middle)))
        least = _LEAST_KM / _KM_PER_DEGREE
        wide = max(max(longitudes) - min(longitudes), least / squeeze) * squeeze
        tall = max(max(latitudes) - min(latitudes), least)
        inner = _WIDTH - 2 * _MARGIN
        height = min(max(tall / wide * inner, 0.3 * inner), 0.55 * inner)
        scale = min(inner / wide, height / tall)
        center = (min(longitudes) + max(longitudes)) / 2
        return cls(
            meridian=meridian,
            west=center - _WIDTH / 2 / scale / squeeze,
            north=middle + (height / 2 + _MARGIN) / scale,
            scale=scale,
            squeeze=squeeze,
            height=height + 2 * _MARGIN,
        )

    def xy(self, point: Point) -> tuple[float, float]:
        longitude = _unwrap(point[0], self.meridian)
        return (longitude - self.west) * self.scale * self.squeeze, (self.north - point[1]) * self.scale


def trip_map(trips: Sequence[TripFacts], paths: Sequence[Sequence[Point]], label: str) -> TripMap:
    """Return the map of trips: the routes that are known, straight lines of the others, and where they start and stop.

    Args:
        trips: all of the report.
        paths: routes that were read, as points.
        label: the accessible name, escaped.
    """
    lines = [(trip.origin, trip.destination) for trip in trips]
    straight = [
        (origin, destination) for origin, destination in lines if origin is not None and destination is not None
    ]
    ends = [point for pair in lines for point in pair if point is not None]
    everything = [*ends, *(point for path in paths for point in path)]
    without = sum(origin is None and destination is None for origin, destination in lines)
    half = len(lines) - len(straight) - without
    if not everything:
        reason = "No trip in this period." if not trips else f"No position of {plural(len(trips), 'trip')}: "
        reason += "" if not trips else "privacy mode, or a contract without positions."
        return TripMap(svg="", note=reason)
    projection = _Projection.over(everything)
    segments = Counter(
        (_round(projection.xy(origin)), _round(projection.xy(destination))) for origin, destination in straight
    )
    places = Counter(_round(projection.xy(point), 0) for point in ends)
    drawn, left_out = segments.most_common(_MOST_LINES), max(0, len(segments) - _MOST_LINES)
    parts = [
        f'<svg class="map" viewBox="0 0 {_WIDTH:g} {projection.height:.0f}" role="img" aria-label="{label}">',
        f"<title>{label}</title>",
        f'<g class="grid">{"".join(_graticule(projection))}</g>',
        f'<path class="straight" d="{"".join(_line([start, stop]) for (start, stop), _ in drawn)}"/>',
        f'<path class="route" d="{"".join(_line(_route(projection, path)) for path in paths)}"/>',
        "".join(_circle(place, count) for place, count in places.most_common(_MOST_PLACES)),
        _scale_bar(projection),
        "</svg>",
    ]
    notes = [
        "Thin lines join start and stop of a trip, thick ones are routes.",
        "Larger dots: more starts and stops there. North is up.",
    ]
    counts = (
        (len(paths), "route", "drawn"),
        (without, "trip", f"without any position {'is' if without == 1 else 'are'} not on it"),
        (half, "trip", f"with one position only {'is a dot' if half == 1 else 'are dots'}"),
        (left_out, "line", "driven least often left out"),
        (max(0, len(places) - _MOST_PLACES), "place", "visited least often without a dot"),
    )
    notes += [f"{plural(count, thing)} {text}." for count, thing, text in counts if count]
    return TripMap(svg="".join(parts), note=" ".join(notes))


def _unwrap(longitude: float, meridian: float) -> float:
    """Return a longitude within 180 degrees of a meridian, so that trips across the date line stay together."""
    return meridian + (longitude - meridian + 180) % 360 - 180


def _round(point: tuple[float, float], digits: int = 1) -> tuple[float, float]:
    return round(point[0], digits), round(point[1], digits)


def _route(projection: _Projection, path: Sequence[Point]) -> list[tuple[float, float]]:
    """Return a route as at most so many points; the last one stays."""
    step = max(1, math.ceil(len(path) / _MOST_POINTS))
    return [_round(projection.xy(point)) for point in (*path[:-1:step], *path[-1:])]


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if index else 'M'}{x:g} {y:g}" for index, (x, y) in enumerate(points))


def _circle(place: tuple[float, float], count: int) -> str:
    radius = min(9.0, 2.0 + math.sqrt(count))
    ends = f"{plural(count, 'start')} or stop{'' if count == 1 else 's'}"
    return f'<circle cx="{place[0]:g}" cy="{place[1]:g}" r="{radius:.1f}"><title>{ends}</title></circle>'


def _graticule(projection: _Projection) -> Iterable[str]:
    """Return meridians and parallels, with their degrees at the left and lower edge."""
    width = _WIDTH / projection.scale / projection.squeeze
    height = projection.height / projection.scale
    step = _step(width)
    for meridian in _multiples(step, projection.west, width):
        x = (meridian - projection.west) * projection.scale * projection.squeeze
        yield f'<path d="M{x:.1f} 0V{projection.height:.0f}"/>'
        if x < _WIDTH - _LABEL:
            text = _degrees((meridian + 180) % 360 - 180, "E", "W", step)
            yield f'<text x="{x + 3:.1f}" y="{projection.height - 5:.0f}">{text}</text>'
    step = _step(height)
    for parallel in _multiples(step, projection.north - height, height):
        y = (projection.north - parallel) * projection.scale
        if abs(parallel) <= 90:
            yield f'<path d="M0 {y:.1f}H{_WIDTH:g}"/>'
            yield f'<text x="4" y="{y - 3:.1f}">{_degrees(parallel, "N", "S", step)}</text>'


def _multiples(step: float, start: float, span: float) -> Iterable[float]:
    return (index * step for index in range(math.ceil(start / step), math.floor((start + span) / step) + 1))


def _step(span: float) -> float:
    return next((step for step in _STEPS if span / step <= 6), _STEPS[-1])


def _degrees(value: float, positive: str, negative: str, step: float) -> str:
    digits = max(0, -math.floor(math.log10(step)))
    return f"{abs(value):.{digits}f}° {positive if value >= 0 else negative}"


def _scale_bar(projection: _Projection) -> str:
    per_km = projection.scale / _KM_PER_DEGREE
    length = next((length for length in reversed(_LENGTHS) if length * per_km <= _WIDTH / 4), _LENGTHS[0])
    text = f"{length:g} km" if length >= 1 else f"{length * 1000:g} m"
    right = _WIDTH - 12
    return (
        f'<g class="scale"><path d="M{right - length * per_km:.1f} 14v8H{right:g}v-8"/>'
        f'<text x="{right - length * per_km - 8:.1f}" y="24" text-anchor="end">{text}</text></g>'
    )
