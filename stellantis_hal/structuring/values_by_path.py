"""Plain values of typed values by their paths, without the nested objects between."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from stellantis_hal.structuring.extra import NO_EXTRA
from stellantis_hal.structuring.field_mapping import ClassSchema, FieldSchema, schema_of
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.scalars import INSTANT, real_type, unchanged
from stellantis_hal.structuring.timestamps import write_instant

__all__ = ["plain_by_path", "values_by_path"]

_Write = Callable[[Any], Any]
_AddModel = Callable[[dict[str, Any], str, Model], None]

_SINGLE: Final = frozenset({str, float, int, bool})


def plain_by_path(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of nested objects and arrays by their paths; an empty object or array has none."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        _add(found, str(name), inner)
    return found


def values_by_path(model: Model) -> dict[str, Any]:
    """Return the plain values of a typed value by their paths, as ``plain_by_path(model.to_dict("python"))`` would.

    >>> from stellantis_hal.resources.maintenance import Maintenance
    >>> values_by_path(Maintenance(days=45, extra={"note": {"text": "soon"}}))
    {'days': 45, 'extra.note.text': 'soon'}
    """
    found: dict[str, Any] = {}
    _add_model(found, "", model)
    return found


def _add_model(found: dict[str, Any], prefix: str, model: Model) -> None:
    kind: type = type(model)
    _adder_of(kind)(found, prefix, model)
    if model.extra is not NO_EXTRA:
        for key, value in model.extra.items():
            _add(found, f"{prefix}extra.{key}", value)


def _add_value(found: dict[str, Any], path: str, value: Any, write: _Write | None = None) -> None:
    if isinstance(value, Model):
        _add_model(found, f"{path}.", value)
    elif value != ():
        _add(found, path, value if write is None else write(value))


def _add(found: dict[str, Any], path: str, value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _add(found, f"{path}.{name}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _add(found, f"{path}[{index}]", inner)
    else:
        found[path] = value


# ------------------------------------------------------------------------------------------------- generated code


@functools.cache
def _adder_of(kind: type) -> _AddModel:
    """Return a function that adds the values of all fields of a class: straight-line code, made of its schema."""
    return _generate(schema_of(kind))


def _generate(schema: ClassSchema) -> _AddModel:
    names: dict[str, Any] = {
        "UTC": UTC,
        "add_model": _add_model,
        "add_value": _add_value,
        "datetime": real_type(datetime),
        "instant_text": write_instant,
        "single": _SINGLE,
    }
    lines = ["def add(found, prefix, model):", "    pass"]
    for field in schema.fields:
        if field.codec is not None and field.codec.write is not unchanged:
            names[f"write_{field.name}"] = field.codec.write
        if field.model is not None:
            names[f"kind_{field.name}"] = field.model
        lines += [f"    {line}" for line in _field(field, f"write_{field.name}" in names)]
    source = "\n".join([*lines, ""])
    exec(compile(source, f"<values of {schema.kind.__name__}>", "exec"), names)  # noqa: S102 - of a schema
    add: _AddModel = names["add"]
    return add


def _field(field: FieldSchema, has_write: bool) -> list[str]:
    lines = [f"value = model.{field.name}"]
    if not field.many:
        return [*lines, "if value is not None:", *_indent(_value(field, f"prefix + {field.name!r}", has_write))]
    path = f"f'{{prefix}}{field.name}[{{index}}]'"
    return [
        *lines,
        "if value is not None:",
        "    for index, value in enumerate(value):",
        *_indent(_indent(_value(field, path, has_write))),
    ]


def _value(field: FieldSchema, path: str, has_write: bool) -> list[str]:
    """Add one value; what a user's hook made is of any type."""
    write = f"write_{field.name}"
    otherwise = ["else:", f"    add_value(found, {path}, value{f', {write}' if has_write else ''})"]
    if field.model is not None:
        return [f"if value.__class__ is kind_{field.name}:", f"    add_model(found, {path} + '.', value)", *otherwise]
    if field.codec is INSTANT:
        test, plain = "value.__class__ is datetime and value.tzinfo is UTC", "instant_text(value)"
    elif has_write:
        return [
            f"plain = {write}(value)",
            "if plain.__class__ in single:",
            f"    found[{path}] = plain",
            *otherwise,
        ]
    else:
        test, plain = "value.__class__ in single", "value"
    return [f"if {test}:", f"    found[{path}] = {plain}", *otherwise]


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
