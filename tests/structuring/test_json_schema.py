"""JSON Schema of model classes."""

from typing import Any

import attrs
import jsonschema
import pytest

from stellantis_hal import Alarm, Alert, Collision, Maintenance, Model, Position, Status, Telemetry, Trip, User, Vehicle
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.json_schema import json_schema
from tests.resources import bodies

KINDS = [Alarm, Alert, Collision, Maintenance, Position, Status, Telemetry, Trip, User, Vehicle]


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_class_has_a_valid_schema(kind: type[Model]) -> None:
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == kind.__name__
    assert schema["description"]
    assert schema["properties"]


@pytest.mark.unmeasured
@pytest.mark.parametrize("value", [read(bodies.trip(), Trip), read(bodies.status(), Status)], ids=["trip", "status"])
def test_what_is_written_fits_the_schema(value: Model) -> None:
    """The schema names each member that is written, and its type."""
    schema = json_schema(type(value))
    jsonschema.validate(value.to_dict(), schema, cls=jsonschema.Draft202012Validator)
    assert undescribed(value.to_dict(), schema) == []


def undescribed(value: Any, schema: dict[str, Any], path: str = "$") -> list[str]:
    """Return the paths of members that a schema has no type or constant for."""
    if isinstance(value, dict) and schema.get("type") == "object":
        found: list[str] = []
        for key, inner in value.items():
            member = schema["properties"].get(key)
            found += [f"{path}.{key}"] if member is None else undescribed(inner, member, f"{path}.{key}")
        return found
    if isinstance(value, list) and schema.get("type") == "array":
        return [place for item in value for place in undescribed(item, schema["items"], f"{path}[]")]
    return [] if "type" in schema or "const" in schema else [path]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Trip, {"distance": "far"}),
        (Trip, {"startEnergies": {}}),
        (Trip, {"done": "yes"}),
        (Trip, {"duration": "PT1H"}),
        (Maintenance, {"daysBeforeMaintenance": 1.5}),
        (Position, {"type": "Point"}),
    ],
)
def test_what_is_never_written_does_not_fit(kind: type[Model], body: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, json_schema(kind), cls=jsonschema.Draft202012Validator)


@pytest.mark.unmeasured
def test_a_schema_allows_what_the_api_may_add() -> None:
    """Further members, and values of enumerations that are not known yet."""
    jsonschema.validate({"mood": "sunny", "faults": [{"fault": "Lost"}]}, json_schema(Trip))


def test_units_and_known_values_are_shown() -> None:
    properties = json_schema(Trip)["properties"]
    assert properties["distance"] == {"type": "number", "x-unit": "km"}
    assert properties["duration"] == {"type": "number", "x-unit": "s"}
    assert properties["startedAt"] == {"type": "string", "format": "date-time"}
    fault = properties["faults"]["items"]["properties"]["fault"]
    assert fault == {"type": "string", "examples": ["Unstarted", "DataLacking", "Unfinished"]}


def test_a_class_of_a_program_has_a_schema() -> None:
    @attrs.frozen(kw_only=True, weakref_slot=False)
    class Lamp(Model):
        on: bool | None = None
        hours: int | None = attrs.field(default=None, metadata=names(("meter", "hours"), unit="h"))
        anything: object = None

    assert json_schema(Lamp)["properties"] == {
        "on": {"type": "boolean"},
        "meter": {"type": "object", "properties": {"hours": {"type": "integer", "x-unit": "h"}}},
        "anything": {},
    }
