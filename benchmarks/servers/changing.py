"""Bodies whose values change with each response, as those of a driving car do."""

from __future__ import annotations

import re
from datetime import UTC, datetime

__all__ = ["Changing"]

_CHANGING = re.compile(
    rb'(?<=")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?=")'  # instants
    rb'|(?<="level":)[\d.]+'
    rb'|(?<="autonomy":)\d+'
    rb'|(?<="mileage":)[\d.]+'
    rb'|(?<="speed":)[\d.]+'
    rb'|(?<="coordinates":\[)[\d.-]+,[\d.-]+'
)


class Changing:
    """A body as a template: instants, level, autonomy, mileage, speed and place are new in each response.

    All versions have the same length.
    """

    def __init__(self, body: bytes) -> None:
        self._fixed = _CHANGING.split(body)
        self._kinds = [found[:2] == b"20" and b"T" in found for found in _CHANGING.findall(body)]
        self._places = [b"," in found for found in _CHANGING.findall(body)]

    def render(self, number: int) -> bytes:
        """Return the version of a number, later and further than those of smaller numbers."""
        instant = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
        value = b"%05d.5" % (10_000 + number % 80_000)
        place = b"2.%06d,48.%06d" % (number % 1_000_000, number % 1_000_000)
        parts = [self._fixed[0]]
        for is_instant, is_place, fixed in zip(self._kinds, self._places, self._fixed[1:], strict=True):
            parts += (instant if is_instant else place if is_place else value, fixed)
        return b"".join(parts)
