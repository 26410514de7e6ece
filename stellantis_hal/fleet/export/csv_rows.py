"""CSV of trips (RFC 4180)."""

from __future__ import annotations

import csv
import io
from typing import BinaryIO, Final

from stellantis_hal.fleet.export.lenient_json import is_encodable
from stellantis_hal.fleet.export.lines import is_beginning, read_lines
from stellantis_hal.fleet.export.spreadsheet_formulas import neutralize, restore
from stellantis_hal.fleet.export.trip_format import ForeignContentError, TripFileScan
from stellantis_hal.fleet.export.trip_row import TripRow, trip_key
from stellantis_hal.hal.redaction import excerpt
from stellantis_hal.resources.blocks.energy import EnergyType
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.rows import used

__all__ = ["CSV_COLUMNS", "CsvFormat"]

CSV_COLUMNS = (
    "account",
    "vehicle",
    "vin",
    "label",
    "id",
    "started_at",
    "stopped_at",
    "duration_s",
    "distance_km",
    "start_mileage_km",
    "start_longitude",
    "start_latitude",
    "stop_longitude",
    "stop_latitude",
    "fuel_cl",
    "electricity_wh",
    "average_speed_kmh",
    "max_speed_kmh",
    "faults",
    "done",
)
"""Columns of the CSV: timestamps in RFC 3339, units in the names, faults joined by ``;``, empty where unknown."""

_LONGEST_ROW: Final = 1_000_000  # bytes; quotes that are never closed must not take the whole file into memory


class CsvFormat:
    """CSV by RFC 4180, with the columns of :data:`CSV_COLUMNS`.

    Args:
        formulas: whether texts that a spreadsheet takes for formulas are written, and read, as they are.
    """

    name = "csv"
    head: bytes = (",".join(CSV_COLUMNS) + "\r\n").encode()
    separator = b""
    tail = b""

    def __init__(self, *, formulas: bool = False) -> None:
        self._formulas = formulas

    def record(self, row: TripRow) -> str:
        """Return a line, which may have line breaks inside quotes."""
        trip = row.trip
        text = io.StringIO(newline="")
        csv.writer(text).writerow(
            neutralize(cell) if isinstance(cell, str) and not self._formulas else cell
            for cell in (
                *row.identity.values(),
                trip.id,
                None if trip.started_at is None else trip.started_at.isoformat(),
                None if trip.stopped_at is None else trip.stopped_at.isoformat(),
                None if trip.duration is None else trip.duration.total_seconds(),
                trip.distance,
                trip.start_mileage,
                *_coordinates(trip.start_position),
                *_coordinates(trip.stop_position),
                used(trip, EnergyType.FUEL),
                used(trip, EnergyType.ELECTRIC),
                trip.average_speed_kmh,
                trip.max_speed_kmh,
                ";".join(str(fault.fault.value) for fault in trip.faults if fault.fault is not None),
                None if trip.done is None else str(trip.done).lower(),
            )
        )
        line = text.getvalue()
        return line if is_encodable(line) else line.encode("utf-8", "replace").decode()

    def scan(self, file: BinaryIO) -> TripFileScan:
        """Read rows; blank lines are passed over.

        A last row without a line break is complete where its last column is.
        """
        content = TripFileScan()
        if is_beginning(file, self.head.rstrip()):
            return content
        started, quotes, has_header = b"", 0, False
        for line in read_lines(file):
            started += line.raw
            quotes += line.raw.count(b'"')
            if quotes % 2 and not line.is_last and len(started) < _LONGEST_ROW:
                continue
            text, started, is_quoted, quotes = started, b"", quotes % 2, 0
            row = _csv_row(text)
            is_terminated = text.endswith(b"\n") and not is_quoted
            end = line.end if is_terminated else line.end - len(text) + len(text.rstrip(b"\r"))
            if not has_header:
                if tuple(row) != CSV_COLUMNS:
                    raise ForeignContentError(
                        f"its columns are {excerpt(', '.join(row))}, not {', '.join(CSV_COLUMNS)}"
                    )
                has_header = True
                content.end, content.separator = end, b"" if is_terminated else b"\r\n"
            elif not text.strip():
                content.end = line.end
            elif len(row) == len(CSV_COLUMNS) and (is_terminated or row[-1] in {"true", "false"}):
                texts = row if self._formulas else map(restore, row)
                cells = dict(zip(CSV_COLUMNS, texts, strict=True))
                done = {"true": True, "false": False}.get(cells["done"])
                content.add(trip_key(cells["vehicle"], cells["id"], done, cells["faults"].split(";")), end)
                content.separator = b"" if is_terminated else b"\r\n"
            elif is_terminated or b"\n" in text:
                raise ForeignContentError(
                    f"the row that ends in line {line.number} has {len(row)} columns, not {len(CSV_COLUMNS)}"
                )
            else:
                content.torn = len(text)
        return content


def _csv_row(text: bytes) -> list[str]:
    try:
        rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig", "replace"), newline="")))
    except csv.Error as error:
        raise ForeignContentError(f"it is no CSV: {error}") from error
    if any(rows[1:]):
        raise ForeignContentError("its rows end with a carriage return alone: save it with line feeds")
    return rows[0] if rows else []


def _coordinates(position: Position | None) -> tuple[float | None, float | None]:
    return (None, None) if position is None else (position.longitude, position.latitude)
