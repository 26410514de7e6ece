"""JSON Schema of model classes, as ``to_dict()`` writes them."""

from __future__ import annotations

import inspect
import typing
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from stellantis_hal.structuring.field_mapping import FieldSchema, schema_of
from stellantis_hal.structuring.scalars import SECONDS, base_type, is_open_enum, real_type

__all__ = ["json_schema"]

_BY_TYPE: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    int: {"type": "integer"},
    real_type(datetime): {"type": "string", "format": "date-time"},
    real_type(date): {"type": "string", "format": "date"},
    time: {"type": "string"},
    timedelta: {"type": "string", "format": "duration"},
    tuple: {"type": "array", "items": {"type": "number"}},
}


def json_schema(kind: type) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a model class, with its parts inline.

    The names are the vendor's, as ``to_dict()`` writes them. No member is required, further members are allowed, and a
    text with known values may have others: the API adds some. A number's unit is in ``x-unit``.

    >>> from stellantis_hal.resources.maintenance import Maintenance
    >>> json_schema(Maintenance)["properties"]["mileageBeforeMaintenance"]
    {'type': 'number', 'x-unit': 'km'}
    """
    schema = schema_of(kind)
    properties: dict[str, Any] = {}
    members = [(field.paths[0], _of_field(field)) for field in schema.fields]
    members += [(path, {"const": constant}) for path, constant in schema.constants.items()]
    for path, member in members:
        place = properties
        for key in path[:-1]:
            place = place.setdefault(key, {"type": "object", "properties": {}})["properties"]
        place[path[-1]] = member
    summary = (inspect.getdoc(kind) or "").partition("\n")[0]
    return {"title": kind.__name__, "description": summary, "type": "object", "properties": properties}


def _of_field(field: FieldSchema) -> dict[str, Any]:
    one = json_schema(field.model) if field.model is not None else _of_value(field)
    return {"type": "array", "items": one} if field.many else one


def _of_value(field: FieldSchema) -> dict[str, Any]:
    kind = base_type(field.type)
    if field.codec is SECONDS:
        found: dict[str, Any] = {"type": "number"}
    elif is_open_enum(kind):
        found = {"type": "string", "examples": [str(member.value) for member in kind]}
    else:
        found = dict(_BY_TYPE.get(typing.get_origin(kind) or kind, {}))
    return found if field.unit is None else {**found, "x-unit": field.unit}
