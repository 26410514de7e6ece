"""Trips written as text, one after the other: JSON Lines, CSV, GeoJSON.

Knows three formats. Must not know where trips come from, nor files: anything that takes text will do.
"""

from __future__ import annotations

import csv
import json
import math
from abc import abstractmethod
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from stellantis_hal.fleet.events import Update
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.trip import Trip

__all__ = ["CSV_COLUMNS", "CsvTrips", "GeoJsonTrips", "JsonLinesTrips", "TripWriter", "trip_writer"]

CSV_COLUMNS = (
    "account",
    "vehicle",
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
    "litres",
    "kilowatt_hours",
    "average_speed_kmh",
    "max_speed_kmh",
    "done",
    "faults",
)
"""The columns of the CSV: instants in RFC 3339, units in the names, faults joined by ``;``, empty where unknown."""


class SupportsWrite(Protocol):
    """Anything that text can be written to, as an open file."""

    def write(self, text: str, /) -> object:
        """Take it all."""
        ...


class TripWriter:
    """Writes trips as they come; nothing is held but the one being written.

    Each trip is one call of the file's ``write``, so that no half of one is left where the process ends between two.

    Args:
        file: where to; open it with ``newline=""`` for CSV.
    """

    def __init__(self, file: SupportsWrite) -> None:
        self._file = file
        self.written: int = 0

    def write(self, trip: Update | Trip, *, account: str | None = None, vehicle: str | None = None) -> None:
        """Write a trip; an update says by itself whose it is.

        Raises:
            ValueError: it is an update of something else.
        """
        if isinstance(trip, Update):
            if trip.trip is None:
                raise ValueError(f"an update of {trip.what} is no trip: look at update.trip before")
            account, vehicle, trip = trip.account, trip.vehicle.id, trip.trip
        self._file.write(self._text(trip, account, vehicle))
        self.written += 1

    @abstractmethod
    def _text(self, trip: Trip, account: str | None, vehicle: str | None) -> str: ...

    def close(self) -> None:
        """Write what belongs at the end; the file stays its owner's to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class JsonLinesTrips(TripWriter):
    """One JSON object a line: ``account``, ``vehicle``, and ``trip`` in the vendor's newest words."""

    def _text(self, trip: Trip, account: str | None, vehicle: str | None) -> str:
        return _json({"account": account, "vehicle": vehicle, "trip": trip.to_dict()}) + "\n"


class CsvTrips(TripWriter):
    """The columns of :data:`CSV_COLUMNS`, by RFC 4180.

    Args:
        file: where to, opened with ``newline=""``.
        header: whether the names of the columns come first; False to go on with a file.
    """

    def __init__(self, file: SupportsWrite, *, header: bool = True) -> None:
        super().__init__(file)
        self._lines: list[str] = []
        self._rows = csv.writer(_Lines(self._lines))
        self._header = header

    def _text(self, trip: Trip, account: str | None, vehicle: str | None) -> str:
        if self._header:
            self._header = False
            self._rows.writerow(CSV_COLUMNS)
        self._rows.writerow(
            (
                account,
                vehicle,
                trip.id,
                None if trip.started_at is None else trip.started_at.isoformat(),
                None if trip.stopped_at is None else trip.stopped_at.isoformat(),
                None if trip.duration is None else trip.duration.total_seconds(),
                trip.distance,
                trip.start_mileage,
                *_spot(trip.start_position),
                *_spot(trip.stop_position),
                trip.litres,
                trip.kilowatt_hours,
                trip.average_speed_kmh,
                trip.max_speed_kmh,
                None if trip.done is None else str(trip.done).lower(),
                ";".join(str(fault.fault.value) for fault in trip.faults if fault.fault is not None),
            )
        )
        text = "".join(self._lines)
        self._lines.clear()
        return text if _is_whole(text) else text.encode("utf-8", "replace").decode()

    def close(self) -> None:
        """Write the header where no trip came."""
        if self._header:
            self._header = False
            self._rows.writerow(CSV_COLUMNS)
            self._file.write("".join(self._lines))
            self._lines.clear()


class GeoJsonTrips(TripWriter):
    """A FeatureCollection (RFC 7946): a line from start to stop for each trip; closed by :meth:`close`."""

    def __init__(self, file: SupportsWrite) -> None:
        super().__init__(file)
        self._closed = False

    def _text(self, trip: Trip, account: str | None, vehicle: str | None) -> str:
        if self._closed:
            raise ValueError("the collection is closed")
        feature = trip.geojson()
        feature["properties"] = {"account": account, "vehicle": vehicle, **feature["properties"]}
        return ("," if self.written else _GEOJSON_START) + "\n" + _json(feature)

    def close(self) -> None:
        """Close the collection, so that it is whole."""
        if not self._closed:
            self._closed = True
            self._file.write(("" if self.written else _GEOJSON_START) + "\n]}\n")


_GEOJSON_START = '{"type": "FeatureCollection", "features": ['


class _Lines:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str, /) -> None:
        self._lines.append(text)


def trip_writer(file: SupportsWrite, format_: Literal["jsonl", "csv", "geojson"]) -> TripWriter:
    """Make a writer by the name of its format.

    Raises:
        ValueError: there is no such format.
    """
    writers: dict[str, type[TripWriter]] = {"jsonl": JsonLinesTrips, "csv": CsvTrips, "geojson": GeoJsonTrips}
    if format_ not in writers:
        raise ValueError(f"trips are written as {', '.join(writers)}, not {format_}")
    return writers[format_](file)


def _json(value: Any) -> str:
    """Write JSON that any file takes: a trip may have anything among what is not known of it."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:  # a number that is none
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    return text if _is_whole(text) else text.encode("utf-8", "backslashreplace").decode()  # JSON's own escape


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_whole(text: str) -> bool:
    """Tell whether there is no half of a character in it, which no file takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _spot(position: Position | None) -> tuple[float | None, float | None]:
    return (None, None) if position is None else (position.longitude, position.latitude)
