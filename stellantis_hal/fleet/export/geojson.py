"""GeoJSON of trips (RFC 7946)."""

from __future__ import annotations

from typing import Any, BinaryIO

from stellantis_hal.fleet.export.lenient_json import decode_or_none, first_value, to_json
from stellantis_hal.fleet.export.lines import is_beginning, read_lines
from stellantis_hal.fleet.export.trip_format import ForeignContentError, TripFileScan
from stellantis_hal.fleet.export.trip_row import TripRow, key_of_record

__all__ = ["GeoJsonFormat"]


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
        return to_json(feature)

    def scan(self, file: BinaryIO) -> TripFileScan:
        """Read features, one in a line; a collection of another layout is read whole."""
        if is_beginning(file, self.head.rstrip()):
            return TripFileScan()
        content = self._scan_lines(file)
        if content is None:
            file.seek(0)
            content = TripFileScan(is_foreign=True)
            for feature in features_of(file.read())[1]:
                content.add(_key_of_feature(feature), 0)
        return content

    def _scan_lines(self, file: BinaryIO) -> TripFileScan | None:
        """Read a collection with one feature in a line; None where it has another layout."""
        content = TripFileScan()
        for line in read_lines(file):
            text = line.raw.strip()
            if line.number == 1:
                head = decode_or_none(text + b"]}")
                if not isinstance(head, dict) or head.get("type") != "FeatureCollection" or head.get("features") != []:
                    return None
                content.end = line.end
            elif text == self.tail.strip():
                return content if line.is_last else None
            elif text:
                feature, length = first_value(text)
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
        head = to_json({"type": "FeatureCollection", **others}).removesuffix("}") + ', "features": [\n'
        return head.encode() + self.separator.join(to_json(feature).encode() for feature in features) + self.tail


def features_of(body: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the other members of a collection, and its features.

    Raises:
        ForeignContentError: the body is no collection of features.
    """
    collection = decode_or_none(body)
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
    return key_of_record(properties.get("vehicle"), {**properties, "id": feature.get("id")})
