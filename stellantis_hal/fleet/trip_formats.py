"""File formats of trips: JSON Lines, CSV, GeoJSON; how a row is written, and what a file of rows has."""

from __future__ import annotations

import csv
import io
import json
import math
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, Protocol

import attrs

from stellantis_hal.fleet.spreadsheet_formulas import neutralize, restore
from stellantis_hal.hal.json import decode
from stellantis_hal.hal.redaction import excerpt
from stellantis_hal.resources.blocks.energy import EnergyType
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.rows import used
from stellantis_hal.resources.trip import Trip, TripFaultKind

__all__ = [
    "CSV_COLUMNS",
    "FORMATS",
    "CsvFormat",
    "ForeignContentError",
    "GeoJsonFormat",
    "JsonLinesFormat",
    "TripFileContent",
    "TripFormat",
    "TripRow",
]

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
_UNFINISHED: Final = TripFaultKind.UNFINISHED.value


@attrs.frozen(kw_only=True)
class TripRow:
    """A trip with what identifies its vehicle, as it is written.

    Attributes:
        account: key of the account; None if unknown.
        vehicle: id of the vehicle, likewise.
        vin: its VIN, as far as it is to be written, likewise.
        label: its label, likewise.
        trip: the trip.
    """

    account: str | None
    vehicle: str | None
    vin: str | None = attrs.field(repr=False)
    label: str | None
    trip: Trip

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies the vehicle, as JSON."""
        return {"account": self.account, "vehicle": self.vehicle, "vin": self.vin, "label": self.label}

    @property
    def key(self) -> int | None:
        """Key of the trip in a file; None where its vehicle or its id is unknown.

        A trip that had not finished when it was written has another key when it has.
        """
        faults = [fault.fault.value for fault in self.trip.faults if fault.fault is not None]
        return key_of(self.vehicle, self.trip.id, self.trip.done, faults)


def key_of(vehicle: Any, trip: Any, done: bool | None, faults: list[Any]) -> int | None:
    """Return the key of a trip in a file: a hash, because a file may have millions of them."""
    if not (isinstance(vehicle, str) and vehicle and isinstance(trip, str) and trip):
        return None
    return hash((vehicle, trip, done if done is not None else _UNFINISHED not in faults))


@attrs.define
class TripFileContent:
    """What a file of trips has.

    Attributes:
        end: bytes up to the end of its last complete record, where it is continued.
        separator: what must be written there before the next record.
        trips: number of complete records.
        torn: bytes of a last record that was written in part.
        keys: their keys.
        is_foreign: whether other software wrote it in another layout, so that it must be written anew to be continued.
    """

    end: int = 0
    separator: bytes = b""
    trips: int = 0
    torn: int = 0
    keys: set[int] = attrs.field(factory=set, repr=False)
    is_foreign: bool = False

    def add(self, key: int | None, end: int) -> None:
        """Add a record that ends at this byte."""
        self.trips += 1
        self.end = end
        if key is not None:
            self.keys.add(key)


class ForeignContentError(ValueError):
    """A file has something else than trips in this format; the message says what."""


class TripFormat(Protocol):
    """A file format. A file is the head, records with a separator between them, and the tail.

    Attributes:
        name: its name.
        head: bytes before the first record.
        separator: bytes between two records.
        tail: bytes after the last record.
    """

    name: str
    head: bytes
    separator: bytes
    tail: bytes

    @abstractmethod
    def record(self, row: TripRow) -> str:
        """Return a row as text without its separator. It has no line break but inside quotes and at its end."""
        ...

    @abstractmethod
    def scan(self, file: BinaryIO) -> TripFileContent:
        """Read what a file has, from its beginning. A last record that was written in part is left out.

        Raises:
            ForeignContentError: it has something else.
        """
        ...


# ------------------------------------------------------------------------------------------------- lines


class _Line:
    """A line of a file.

    Attributes:
        number: counted from 1.
        start: byte at which it begins.
        raw: its bytes with its end.
        is_last: whether the file ends with it.
    """

    __slots__ = ("is_last", "number", "raw", "start")

    def __init__(self, number: int, start: int, raw: bytes, *, is_last: bool) -> None:
        self.number = number
        self.start = start
        self.raw = raw
        self.is_last = is_last

    @property
    def end(self) -> int:
        return self.start + len(self.raw)

    def is_torn(self, beginning: bytes) -> bool:
        """Return whether it is the last line and a part of a record that begins so."""
        kept = self.raw.rstrip(b"\0\r\n")  # a power cut may leave zeros
        return self.is_last and kept[: len(beginning)] == beginning[: len(kept)]


def _lines(file: BinaryIO) -> Iterator[_Line]:
    start, number = 0, 1
    raw = file.readline()
    while raw:
        following = file.readline()
        yield _Line(number, start, raw, is_last=not following)
        start, number, raw = start + len(raw), number + 1, following


def _is_beginning(file: BinaryIO, text: bytes) -> bool:
    """Return whether a file has nothing but the beginning of a text, or nothing."""
    file.seek(0)
    begun = file.read(len(text) + 1)
    file.seek(0)
    return text.startswith(begun)


# ------------------------------------------------------------------------------------------------- JSON Lines


class JsonLinesFormat:
    """JSON Lines: one object for each trip, with its vehicle and ``trip``, named as in the newest API."""

    name = "jsonl"
    head: bytes = b""
    separator = b""
    tail = b""

    def record(self, row: TripRow) -> str:
        """Return a line."""
        return _json({**row.identity, "trip": row.trip.to_dict()}) + "\n"

    def scan(self, file: BinaryIO) -> TripFileContent:
        """Read lines; blank ones are passed over."""
        content = TripFileContent()
        for line in _lines(file):
            if not line.raw.strip():
                content.end = line.end
                continue
            record = _decoded(line.raw)
            trip = record.get("trip") if isinstance(record, dict) else None
            if isinstance(record, dict) and isinstance(trip, dict):
                content.add(_key_of_body(record.get("vehicle"), trip), line.end)
                content.separator = b"" if line.raw.endswith(b"\n") else b"\n"
            elif record is None and line.is_torn(b'{"account": '):
                content.torn = len(line.raw)
            else:
                raise ForeignContentError(f'line {line.number} is no object with "trip"')
        return content


# ------------------------------------------------------------------------------------------------- CSV


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
        return line if _is_encodable(line) else line.encode("utf-8", "replace").decode()

    def scan(self, file: BinaryIO) -> TripFileContent:
        """Read rows; blank lines are passed over.

        A last row without a line break is complete where its last column is.
        """
        content = TripFileContent()
        if _is_beginning(file, self.head.rstrip()):
            return content
        started, quotes, has_header = b"", 0, False
        for line in _lines(file):
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
                content.add(key_of(cells["vehicle"], cells["id"], done, cells["faults"].split(";")), end)
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
        return next(csv.reader(io.StringIO(text.decode("utf-8-sig", "replace"), newline="")), [])
    except csv.Error as error:
        raise ForeignContentError(f"it is no CSV: {error}") from error


# ------------------------------------------------------------------------------------------------- GeoJSON


class GeoJsonFormat:
    """GeoJSON (RFC 7946): a FeatureCollection with a line from start to stop of each trip."""

    name = "geojson"
    head: bytes = b'{"type": "FeatureCollection", "features": [\n'
    separator = b",\n"
    tail = b"\n]}\n"

    def record(self, row: TripRow) -> str:
        """Return a feature; a property of the trip that has the name of one of ours is kept under ``trip_…``."""
        feature = row.trip.geojson()
        identity = row.identity
        properties = {
            f"trip_{name}" if name in identity else name: value for name, value in feature["properties"].items()
        }
        feature["properties"] = {**identity, **properties}
        return _json(feature)

    def scan(self, file: BinaryIO) -> TripFileContent:
        """Read features, one in a line; a collection of another layout is read whole."""
        if _is_beginning(file, self.head.rstrip()):
            return TripFileContent()
        content = self._scan_lines(file)
        if content is None:
            file.seek(0)
            content = TripFileContent(is_foreign=True)
            for feature in features_of(file.read())[1]:
                content.add(_key_of_feature(feature), 0)
        return content

    def _scan_lines(self, file: BinaryIO) -> TripFileContent | None:
        """Read a collection with one feature in a line; None where it has another layout."""
        content = TripFileContent()
        for line in _lines(file):
            text = line.raw.strip()
            if line.number == 1:
                head = _decoded(text + b"]}")
                if not isinstance(head, dict) or head.get("type") != "FeatureCollection" or head.get("features") != []:
                    return None
                content.end = line.end
            elif text == self.tail.strip():
                return content if line.is_last else None
            elif text:
                feature, length = _first_value(text)
                if _is_feature(feature) and (text[length:] in {b"", b","} or line.is_last):
                    content.add(_key_of_feature(feature), line.start + line.raw.index(text) + length)
                    content.separator = self.separator
                # A write that was cut after few bytes leaves the rest of the tail that it replaced.
                elif line.is_torn(b'{"type": "Feature", "id": ') or (line.is_last and len(text) < len(self.tail)):
                    content.torn = len(line.raw)
                else:
                    return None
        return content

    def rewritten(self, body: bytes) -> bytes:
        """Return a collection of another layout in ours, with its other members but for its bounding box."""
        others, features = features_of(body)
        head = _json({"type": "FeatureCollection", **others}).removesuffix("}") + ', "features": [\n'
        return head.encode() + self.separator.join(_json(feature).encode() for feature in features) + self.tail


def features_of(body: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the other members of a collection, and its features.

    Raises:
        ForeignContentError: the body is no collection of features.
    """
    collection = _decoded(body)
    features = collection.get("features") if isinstance(collection, dict) else None
    is_collection = isinstance(collection, dict) and collection.get("type") == "FeatureCollection"
    if not is_collection or not isinstance(features, list) or not all(map(_is_feature, features)):
        raise ForeignContentError("it is no GeoJSON FeatureCollection")
    others = {name: value for name, value in collection.items() if name not in {"type", "features", "bbox"}}
    return others, features


def _is_feature(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "Feature"


def _key_of_feature(feature: dict[str, Any]) -> int | None:
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        return None
    return _key_of_body(properties.get("vehicle"), {**properties, "id": feature.get("id")})


# ------------------------------------------------------------------------------------------------- JSON


def _key_of_body(vehicle: Any, trip: dict[str, Any]) -> int | None:
    """Return the key of a trip that was written by its ``to_dict``."""
    done, faults = trip.get("done"), trip.get("faults")
    names = [fault.get("fault") for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
    return key_of(vehicle, trip.get("id"), done if isinstance(done, bool) else None, names)


def _decoded(text: bytes) -> Any:
    """Return a JSON value; None where it is none."""
    try:
        return decode(text)
    except ValueError:
        return None


def _first_value(text: bytes) -> tuple[Any, int]:
    """Return the JSON value with which a text begins, and its length in bytes; None and 0 where there is none."""
    whole = text.removesuffix(b",")
    value = _decoded(whole)
    if value is not None:
        return value, len(whole)
    try:
        characters = text.decode()
        value, length = json.JSONDecoder().raw_decode(characters)
    except (ValueError, RecursionError):
        return None, 0
    return value, len(characters[:length].encode())


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


FORMATS: Final[dict[str, TripFormat]] = {each.name: each for each in (JsonLinesFormat(), CsvFormat(), GeoJsonFormat())}
"""The formats by their names."""
