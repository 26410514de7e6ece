"""Derive the tables of facts from the vendor's specifications: the attribute for each property of each schema.

Run as ``python -m tests.resources.derive_facts accounts SPECIFICATION > tests/resources/facts.json`` (B2C), and with
``fleets`` for ``facts_fleets.json`` (B2B), when the vendor publishes a new one. Takes over names, types, units,
requiredness and enumerations, no prose. Needs PyYAML.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import yaml

from stellantis_hal.resources.alarm import Alarm
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.collision import Collision
from stellantis_hal.resources.fleet import Fleet
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.theft import Theft
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.user import User
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.resources.vehicle_capabilities import VehicleCapabilities
from stellantis_hal.structuring.field_mapping import ClassSchema, schema_of

ROOTS = {
    "User": User,
    "Vehicle": Vehicle,
    "Status": Status,
    "Position": Position,
    "Maintenance": Maintenance,
    "Alert": Alert,
    "AlarmDetails": Alarm,
    "Collision": Collision,
    "Trip": Trip,
    "Telemetry": Telemetry,
}
FLEET_ROOTS = {
    "Fleet": Fleet,
    "VehicleCapabilities": VehicleCapabilities,
    "Vehicle": Vehicle,
    "VehicleItem": Vehicle,
    "Status": Status,
    "Position": Position,
    "Maintenance": Maintenance,
    "Alert": Alert,
    "AlarmDetails": Alarm,
    "Collision": Collision,
    "Trip": Trip,
    "Telemetry": Telemetry,
    "Stolen": Theft,
}
COLLECTIONS = ("Vehicles", "Telemetries", "Collisions", "Alerts", "Alarms", "Trips", "WayPoints")
FLEET_COLLECTIONS = (*COLLECTIONS, "Fleets", "StatusList", "MaintenanceList", "StolenCollection")
# How the texts of the specification name units; the first that is found counts.
UNITS = {
    r"Wh/100km or for fuel in terms of cl/100km": "cL/100km|Wh/100km",
    r"\bkm/h\b": "km/h",
    r"\bin Wh\b": "Wh",
    r"\bCelsius\b": "degC",
    r"in percentage|_Unit: %_": "percent",
    r"expressed in km\b|\bin km\b|_Unit: Km_": "km",
    r"\bin seconds?\b": "s",
}
# Properties that are not attributes of a model.
ELSEWHERE = {
    "User._embedded.Vehicles": "User.embedded_vehicles",
    "total": "Page.total",
    "totalPage": "Page.resource",
    "currentPage": "Page.resource",
    "xError.code": "ApiError.code",
    "xError.message": "ApiError.args",
    "xError.debug": "ApiError.args",
    "xError.uuid": "ApiError.uuid",
    "xError.timestamp": "ApiError.timestamp",
}


class _Yaml12(yaml.SafeLoader):
    """A loader with the booleans of YAML 1.2: On and Off are words."""


_Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":bool", ":timestamp"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def load(path: str) -> dict[str, Any]:
    """Load a specification."""
    with open(path, encoding="utf-8") as file:
        document: dict[str, Any] = yaml.load(file, _Yaml12)
    return document


def derive(document: dict[str, Any], *, fleets: bool = False) -> list[dict[str, Any]]:
    """Derive the rows, in the order of the specification."""
    schemas = document["components"]["schemas"]
    rows = _Rows(schemas)
    for name, kind in (FLEET_ROOTS if fleets else ROOTS).items():
        rows.walk({"$ref": f"#/components/schemas/{name}"}, schema_of(kind), name)
    for name in FLEET_COLLECTIONS if fleets else COLLECTIONS:
        rows.collection(name)
    rows.errors()
    return list(rows.found.values())


def unit_in(text: str) -> str | None:
    """Return the unit that a description names; None where it names none."""
    return next((unit for pattern, unit in UNITS.items() if re.search(pattern, text)), None)


class _Rows:
    def __init__(self, schemas: dict[str, Any]) -> None:
        self._schemas = schemas
        self._walked: set[tuple[str, type]] = set()
        self.found: dict[tuple[str, str], dict[str, Any]] = {}

    def merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema with references resolved and ``allOf`` merged."""
        merged: dict[str, Any] = {"properties": {}, "required": set()}
        for part in self._parts(schema):
            merged["required"].update(part.get("required") or ())
            merged.update({key: part[key] for key in ("type", "enum", "format", "items", "description") if key in part})
            for name, value in (part.get("properties") or {}).items():
                known = merged["properties"].get(name, value)
                merged["properties"][name] = value if known == value else {"allOf": [known, value]}
        return merged

    def _parts(self, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        yield schema
        for part in schema.get("allOf", ()):
            yield from self._parts(part)

    def _add(self, schema: str, place: str, merged: dict[str, Any], *, required: bool = False) -> None:
        row: dict[str, Any] = {"property": schema, "type": merged.get("type", "object"), "place": place}
        items = self.merged(merged["items"]) if "items" in merged else {}
        if "items" in merged:
            row["items"] = items.get("type", "object")
        if "enum" in (items or merged):
            row["enum"] = (items or merged)["enum"]
        if "format" in merged:
            row["format"] = merged["format"]
        if row["type"] in {"number", "integer"} and (unit := unit_in(merged.get("description", ""))):
            row["unit"] = unit
        if required:
            row["required"] = True
        self.found[schema, place] = row

    def walk(self, schema: dict[str, Any], model_schema: ClassSchema, name: str, prefix: tuple[str, ...] = ()) -> None:
        """Add a row for each property of a schema."""
        name = schema["$ref"].rpartition("/")[2] if "$ref" in schema else name
        if (name, model_schema.kind) in self._walked:
            return
        self._walked.add((name, model_schema.kind))
        whole = self.merged(schema)
        for key, value in whole["properties"].items():
            path, merged, required = (*prefix, key), self.merged(value), key in whole["required"]
            place = f"{name}.{key}"
            field = next((field for field in model_schema.fields if path in field.paths), None)
            if key == "_links":
                for rel in merged["properties"]:
                    row = {"type": "link"}
                    is_required = rel in merged["required"]
                    self._add(f"{place}.{rel}", f"{model_schema.kind.__name__}.follow", row, required=is_required)
            elif place in ELSEWHERE:
                self._add(place, ELSEWHERE[place], merged, required=required)
            elif path in model_schema.constants:
                self._add(place, f"{model_schema.kind.__name__}.to_dict", merged, required=required)
            elif field is None:
                if not merged["properties"]:
                    raise LookupError(f"{place} has no place")
                self.walk(value, model_schema, place, path)
            else:
                self._add(place, f"{model_schema.kind.__name__}.{field.name}", merged, required=required)
                if field.model is not None:
                    inner = merged.get("items", value)
                    self.walk(inner, schema_of(field.model), place)

    def collection(self, name: str) -> None:
        """Add rows for the properties of a collection; its items are walked apart."""
        for key, value in self.merged({"$ref": f"#/components/schemas/{name}"})["properties"].items():
            merged = self.merged(value)
            if key == "_links":
                for rel in merged["properties"]:
                    self._add(f"{name}._links.{rel}", "Paginator.pages", {"type": "link"})
            elif key == "_embedded":
                for inner, items in merged["properties"].items():
                    self._add(f"{name}._embedded.{inner}", "Page.items", self.merged(items))
            else:
                self._add(f"{name}.{key}", ELSEWHERE[key], merged)

    def errors(self) -> None:
        """Add rows for the properties of an error."""
        for key, value in self.merged({"$ref": "#/components/schemas/xError"})["properties"].items():
            self._add(f"xError.{key}", ELSEWHERE[f"xError.{key}"], self.merged(value))


if __name__ == "__main__":
    facts = derive(load(sys.argv[2]), fleets=sys.argv[1] == "fleets")
    print("[", ",\n ".join(json.dumps(row) for row in facts), "]", sep="")
