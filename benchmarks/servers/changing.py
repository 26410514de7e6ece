"""Bodies whose values change with each response, as those of a driving car do."""

from __future__ import annotations

import re
from datetime import UTC, datetime

__all__ = ["Changing"]

_CHANGING = re.compile(
    rb'(?P<instant>(?<=")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?="))'
    rb'|(?P<tenth>(?<="level":\d\d\.)\d)(?!\d)'
    rb'|(?P<autonomy>(?<="autonomy":)\d+)'
    rb'|(?P<mileage>(?<="mileage":)[\d.]+)'
    rb'|(?P<speed>(?<="speed":)[\d.]+)'
    rb'|(?P<place>(?<="coordinates":\[)[\d.-]+,[\d.-]+)'
)


class Changing:
    """A body as a template: instants, mileage, speed, place and the tenths of levels are new in each response.

    All versions have the same length. No value contradicts another one: that would be a problem of each body, which
    has to be recorded.
    """

    def __init__(self, body: bytes) -> None:
        found = list(_CHANGING.finditer(body))
        ends = [0, *(match.end() for match in found)]
        starts = [*(match.start() for match in found), len(body)]
        self._fixed = [body[end:start] for end, start in zip(ends, starts, strict=True)]
        self._kinds = [match.lastgroup or "" for match in found]

    def render(self, number: int) -> bytes:
        """Return the version of a number, later and further than those of smaller numbers."""
        instant = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
        values = {
            "instant": instant,
            "tenth": b"%d" % (number % 10),
            "autonomy": b"%03d" % (100 + number % 400),
            "mileage": b"%05d.5" % (10_000 + number % 80_000),
            "speed": b"%02d.5" % (10 + number % 90),
            "place": b"2.%06d,48.%06d" % (number % 1_000_000, number % 1_000_000),
        }
        parts = [self._fixed[0]]
        for kind, fixed in zip(self._kinds, self._fixed[1:], strict=True):
            parts += (values[kind], fixed)
        return b"".join(parts)
