"""JSON Lines of trips."""

from __future__ import annotations

from typing import BinaryIO

from stellantis_hal.fleet.export.lenient_json import decode_or_none, to_json
from stellantis_hal.fleet.export.lines import read_lines
from stellantis_hal.fleet.export.trip_format import ForeignContentError, TripFileScan
from stellantis_hal.fleet.export.trip_row import TripRow, key_of_record

__all__ = ["JsonLinesFormat"]


class JsonLinesFormat:
    """JSON Lines: one object for each trip, with its vehicle and ``trip``, named as in the newest API."""

    name = "jsonl"
    head: bytes = b""
    separator = b""
    tail = b""

    def record(self, row: TripRow) -> str:
        """Return a line."""
        return to_json({**row.identity, "trip": row.trip.to_dict()}) + "\n"

    def scan(self, file: BinaryIO) -> TripFileScan:
        """Read lines; blank ones are passed over."""
        content = TripFileScan()
        for line in read_lines(file):
            if not line.raw.strip():
                content.end = line.end
                continue
            record = decode_or_none(line.raw)
            trip = record.get("trip") if isinstance(record, dict) else None
            if isinstance(record, dict) and isinstance(trip, dict):
                content.add(key_of_record(record.get("vehicle"), trip), line.end)
                content.separator = b"" if line.raw.endswith(b"\n") else b"\n"
            elif record is None and line.is_torn(b'{"account": '):
                content.torn = len(line.raw)
            else:
                raise ForeignContentError(f'line {line.number} is no object with "trip"')
        return content
