"""Positions: GeoJSON Features and Points (RFC 7946), longitude first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

import attrs

from stellantis_hal.resources.rows import POSITION_COLUMNS, Cell, to_row
from stellantis_hal.structuring.field_mapping import Path, names
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import RawProblem, record_problem
from stellantis_hal.structuring.scalars import NUMBER, ScalarCodec
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["FixStatus", "Position", "PositionType"]


class PositionType(OpenEnum):
    """How a position was determined."""

    ESTIMATED = "Estimated"
    ACQUIRE = "Acquire"

    @classmethod
    def _spellings(cls) -> dict[str, str]:
        return {"Aquire": "Acquire"}


class FixStatus(OpenEnum):
    """Quality of the satellite fix; the altitude of a 2D fix is unreliable."""

    TWO_D = "2D"
    THREE_D = "3D"


_FARTHEST: Final = (180.0, 90.0)  # degrees of longitude, of latitude


def _read_coordinates(value: Any, path: str, problems: list[RawProblem]) -> tuple[float, ...] | None:
    if value.__class__ is list and len(value) == 3:  # the usual case
        east, north, up = value
        if (
            east.__class__ is north.__class__ is up.__class__ is float
            and east - east == north - north == up - up == 0.0
            and (east or north)
            and -180.0 <= east <= 180.0
            and -90.0 <= north <= 90.0
        ):
            return east, north, up
    if not isinstance(value, list):
        record_problem(problems, path, value, "not an array")
        return None
    if len(value) < 2:
        record_problem(problems, path, value, "fewer than two numbers")
        return None
    numbers: list[float] = []
    for index, item in enumerate(value[:3]):
        if index == 2 and item is None:
            break
        try:
            numbers.append(NUMBER.read(item))
        except ValueError as error:
            record_problem(problems, f"{path}[{index}]", item, str(error))
            if index < 2:
                record_problem(problems, path, value, "a position without both numbers is left out")
                return None
    if not any(numbers[:2]):
        record_problem(problems, path, value, "[0, 0] stands for an unknown position", "sentinel")
        return None
    for index, most in enumerate(_FARTHEST):
        if not -most <= numbers[index] <= most:
            reason = f"not within {-most:g} to {most:g} degrees"  # without the figure: it is part of a place
            record_problem(problems, f"{path}[{index}]", numbers[index], reason, "disagreement")
    for index, number in enumerate(value[3:], 3):
        record_problem(problems, f"{path}[{index}]", number, "numbers beyond the altitude have no meaning", "sentinel")
    return tuple(numbers)


COORDINATES: Final = ScalarCodec(tuple, list, attempt=_read_coordinates, wire=list[float])

Coordinates = Annotated[tuple[float, ...], COORDINATES]
"""Longitude, latitude and, where known, altitude, in GeoJSON's order."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class Position(TypedResource):
    """A position, and how it was determined.

    Read from a GeoJSON Feature or from a bare Point. ``[0, 0]`` stands for an unknown position.

    Attributes:
        coordinates: longitude, latitude and, where known, altitude, in GeoJSON's order; None where unknown.
        created_at: when it was measured; older responses have ``updatedAt`` alone.
        updated_at: when it was last updated, where a response says so.
        heading: the course in degrees, 0 to 360, clockwise from north.
        signal_quality: as the receiver rates it; the vendor documents no scale.
        type: estimated or acquired.
        fix_status: 2D or 3D.
        vin: the vehicle's VIN, where a fleet owner reads it.

    >>> here = Position(coordinates=(2.25, 48.75))
    >>> here.longitude, here.latitude, here.altitude
    (2.25, 48.75, None)
    >>> here.__geo_interface__["geometry"]
    {'coordinates': [2.25, 48.75], 'type': 'Point'}
    """

    __constants__: ClassVar[Mapping[Path, str]] = {("type",): "Feature", ("geometry", "type"): "Point"}

    coordinates: Coordinates | None = attrs.field(
        default=None, repr=False, metadata=names(("geometry", "coordinates"), "coordinates", unit="deg,deg,m")
    )
    created_at: datetime | None = attrs.field(
        default=None, metadata=names(("properties", "createdAt"), ("properties", "updatedAt"))
    )
    updated_at: datetime | None = attrs.field(default=None, metadata=names(("properties", "updatedAt")))
    heading: float | None = attrs.field(
        default=None, metadata=names(("properties", "heading"), unit="deg", minimum=0, maximum=360)
    )
    signal_quality: int | None = attrs.field(default=None, metadata=names(("properties", "signalQuality"), unit="1"))
    type: PositionType | None = attrs.field(default=None, metadata=names(("properties", "type")))
    fix_status: FixStatus | None = attrs.field(default=None, metadata=names(("properties", "fixStatus")))
    vin: str | None = attrs.field(default=None, repr=False, metadata=names(("properties", "vin")))

    @property
    def longitude(self) -> float | None:
        """Degrees east of Greenwich, WGS 84."""
        return None if self.coordinates is None else self.coordinates[0]

    @property
    def latitude(self) -> float | None:
        """Degrees north of the equator, WGS 84."""
        return None if self.coordinates is None else self.coordinates[1]

    @property
    def altitude(self) -> float | None:
        """Metres, where the position has a third number."""
        return None if self.coordinates is None or len(self.coordinates) < 3 else self.coordinates[2]

    def row(self) -> dict[str, Cell]:
        """Return it as a flat row, for a table: degrees, metres, aware instants in UTC; None where unknown."""
        return to_row(self, POSITION_COLUMNS)

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """The position as a GeoJSON Feature, the interface of shapely, geopandas and others."""
        return {"geometry": None, "properties": {}} | self.to_dict()
