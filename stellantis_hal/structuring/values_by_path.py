"""Plain values of typed values by their paths, without the nested objects between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.schema import schema_of

__all__ = ["plain_by_path", "values_by_path"]

_Write = Callable[[Any], Any]


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
    _add_fields(found, "", model)
    return found


def _add_fields(found: dict[str, Any], prefix: str, model: Model) -> None:
    for field in schema_of(type(model)).fields:
        value = getattr(model, field.name)
        if value is None or value == ():
            continue
        write = None if field.codec is None else field.codec.write
        if field.many:
            for index, item in enumerate(value):
                _add_value(found, f"{prefix}{field.name}[{index}]", item, write)
        else:
            _add_value(found, prefix + field.name, value, write)
    for key, value in model.extra.items():
        _add(found, f"{prefix}extra.{key}", value)


def _add_value(found: dict[str, Any], path: str, value: Any, write: _Write | None) -> None:
    if isinstance(value, Model):
        _add_fields(found, f"{path}.", value)
    else:
        _add(found, path, value if write is None else write(value))


def _add(found: dict[str, Any], path: str, value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _add(found, f"{path}.{name}" if path else str(name), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _add(found, f"{path}[{index}]", inner)
    else:
        found[path] = value
