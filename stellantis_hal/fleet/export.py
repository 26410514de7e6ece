"""Writers for trips: JSON Lines, CSV, GeoJSON."""

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
"""Columns of the CSV: timestamps in RFC 3339, units in the names, faults joined by ``;``, empty where unknown."""


class SupportsWrite(Protocol):
    """Text sink, such as an open file."""

    def write(self, text: str, /) -> object:
        """Write the whole text."""
        ...


class TripWriter:
    """Writes trips one by one, without keeping them.

    Each trip is one call of the file's ``write``, so that a process that ends between two calls leaves no partial trip.

    Args:
        file: the text sink; for CSV a file opened with ``newline=""``.

    Attributes:
        written: number of trips written.
    """

    def __init__(self, file: SupportsWrite) -> None:
        self._file = file
        self.written: int = 0

    def write(self, trip: Update | Trip, *, account: str | None = None, vehicle: str | None = None) -> None:
        """Write a trip.

        Args:
            trip: the trip, or an update with one.
            account: key of its account, None if unknown; an update has its own. Default None.
            vehicle: id of its vehicle, None if unknown; an update has its own. Default None.

        Raises:
            ValueError: the update has no trip.
        """
        if isinstance(trip, Update):
            if trip.trip is None:
                raise ValueError(f"an update of {trip.what} has no trip: check `update.trip is not None` first")
            account, vehicle, trip = trip.account, trip.vehicle.id, trip.trip
        self._file.write(self._format(trip, account, vehicle))
        self.written += 1

    @abstractmethod
    def _format(self, trip: Trip, account: str | None, vehicle: str | None) -> str: ...

    def close(self) -> None:
        """Write the end of the format; the file stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class JsonLinesTrips(TripWriter):
    """JSON Lines: one object for each trip, with ``account``, ``vehicle`` and ``trip``, named as in the newest API."""

    def _format(self, trip: Trip, account: str | None, vehicle: str | None) -> str:
        return _json({"account": account, "vehicle": vehicle, "trip": trip.to_dict()}) + "\n"


class CsvTrips(TripWriter):
    """CSV by RFC 4180, with the columns of :data:`CSV_COLUMNS`.

    Args:
        file: the text sink; a file must be opened with ``newline=""``.
        header: whether to write the names of the columns first; False to append to a file. Default True.
    """

    def __init__(self, file: SupportsWrite, *, header: bool = True) -> None:
        super().__init__(file)
        self._lines: list[str] = []
        self._rows = csv.writer(_Lines(self._lines))
        self._header = header

    def _format(self, trip: Trip, account: str | None, vehicle: str | None) -> str:
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
                *_coordinates(trip.start_position),
                *_coordinates(trip.stop_position),
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
        return text if _is_encodable(text) else text.encode("utf-8", "replace").decode()

    def close(self) -> None:
        """Write the header if no trip was written."""
        if self._header:
            self._header = False
            self._rows.writerow(CSV_COLUMNS)
            self._file.write("".join(self._lines))
            self._lines.clear()


class GeoJsonTrips(TripWriter):
    """GeoJSON (RFC 7946): a FeatureCollection with a line from start to stop of each trip, ended by :meth:`close`."""

    def __init__(self, file: SupportsWrite) -> None:
        super().__init__(file)
        self._closed = False

    def _format(self, trip: Trip, account: str | None, vehicle: str | None) -> str:
        if self._closed:
            raise ValueError("the GeoJSON collection is closed: write every trip before close()")
        feature = trip.geojson()
        feature["properties"] = {"account": account, "vehicle": vehicle, **feature["properties"]}
        return ("," if self.written else _GEOJSON_START) + "\n" + _json(feature)

    def close(self) -> None:
        """Write the end of the collection."""
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
    """Return a writer for a format.

    ::

        with open("trips.csv", "w", encoding="utf-8", newline="") as file, trip_writer(file, "csv") as writer:
            writer.write(update)

    Args:
        file: the text sink; for CSV a file opened with ``newline=""``. It stays open.
        format_: ``"jsonl"``: JSON Lines, one object for each trip. ``"csv"``: the columns of :data:`CSV_COLUMNS`, with
            a header. ``"geojson"``: a FeatureCollection, completed when the writer is closed. No default.

    Raises:
        ValueError: the format is unknown.
    """
    writers: dict[str, type[TripWriter]] = {"jsonl": JsonLinesTrips, "csv": CsvTrips, "geojson": GeoJsonTrips}
    if format_ not in writers:
        raise ValueError(f"the format must be one of {', '.join(writers)}, not {format_!r}")
    return writers[format_](file)


def _json(value: Any) -> str:
    """Return JSON that can be encoded in UTF-8, with any values under unknown keys."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:  # NaN or an infinity
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    return text if _is_encodable(text) else text.encode("utf-8", "backslashreplace").decode()  # JSON's own escape


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_encodable(text: str) -> bool:
    """Return whether a text can be encoded in UTF-8: it has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _coordinates(position: Position | None) -> tuple[float | None, float | None]:
    return (None, None) if position is None else (position.longitude, position.latitude)
