"""File formats of trips by their names."""

from __future__ import annotations

from typing import Final

from stellantis_hal.fleet.export.csv_rows import CsvFormat
from stellantis_hal.fleet.export.geojson import GeoJsonFormat
from stellantis_hal.fleet.export.json_lines import JsonLinesFormat
from stellantis_hal.fleet.export.trip_format import TripFormat

__all__ = ["FORMATS"]

FORMATS: Final[dict[str, TripFormat]] = {each.name: each for each in (JsonLinesFormat(), CsvFormat(), GeoJsonFormat())}
"""The formats by their names."""
