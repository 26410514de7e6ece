"""Base class of typed values: problems, unknown keys, and writing back to plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import attrs
import cattrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.structuring.extra import NO_EXTRA
from stellantis_hal.structuring.field_mapping import FieldSchema, schema_of
from stellantis_hal.structuring.problems import Problem
from stellantis_hal.structuring.scalars import base_type

__all__ = ["Model", "Names", "unstructure_hook"]

Names = Literal["vendor", "python"]
_Write = Callable[[FieldSchema, Any], Any]

# How cattrs writes single values where no hook was registered for them: as they are.
_PLAIN_HOOK: Final = cattrs.Converter().get_unstructure_hook(str)


@attrs.frozen(kw_only=True, weakref_slot=False)
class Model:
    """A typed value read from a JSON object. Equal by value.

    A missing attribute is None, or an empty tuple where there may be several.

    Attributes:
        problems: what could not be read in it, with paths relative to it; not part of its value.
        extra: the keys that no attribute has.
    """

    __repr__ = redacted_repr

    problems: tuple[Problem, ...] = attrs.field(default=(), eq=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=NO_EXTRA, hash=False, repr=False)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        kind: Any = cls
        if kind.__repr__ is redacted_repr:
            kind.__repr__ = redacted_repr  # attrs keeps the one that it finds in the class itself

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        """Return the schema that pydantic asks for; called by pydantic alone."""
        from stellantis_hal.structuring.pydantic_schema import core_schema_of  # where pydantic is there

        return core_schema_of(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        """Return its JSON Schema, which FastAPI shows; called by pydantic alone."""
        from stellantis_hal.structuring.json_schema import json_schema  # where pydantic is there

        return json_schema(cls)

    def to_dict(self, names: Names = "vendor") -> dict[str, Any]:
        """Return it as plain JSON values, without attributes that are None or empty.

        ``"vendor"`` uses the newest generation of the API's names, units and nesting, with unknown keys in their
        places, so that reading it again gives an equal value. ``"python"`` uses the names of this library, unknown
        keys under ``extra``; values are spelt as the API spells them.

        >>> from stellantis_hal.resources.maintenance import Maintenance
        >>> Maintenance(days=45).to_dict(), Maintenance(days=45).to_dict("python")
        ({'daysBeforeMaintenance': 45}, {'days': 45})
        """
        return _to_dict(self, names, lambda field, value: _write_plain(field, value, names))


def _write_plain(field: FieldSchema, value: Any, names: Names) -> Any:
    if isinstance(value, Model):
        return value.to_dict(names)
    return value if field.codec is None else field.codec.write(value)


def _to_dict(model: Model, names: Names, write: _Write) -> dict[str, Any]:
    schema = schema_of(type(model))
    written: dict[str, Any] = {}
    for field in schema.fields:
        value = getattr(model, field.name)
        if value is None or value == ():
            continue
        plain = [write(field, item) for item in value] if field.many else write(field, value)
        if names == "python":
            written[field.name] = plain
        else:
            place = written
            for key in field.paths[0][:-1]:
                place = place.setdefault(key, {})
            place[field.paths[0][-1]] = plain
    if names == "vendor":
        for path, constant in schema.constants.items():
            place = written if len(path) == 1 else written.get(path[0], {})
            place[path[-1]] = constant
    if model.extra:
        if names == "python":
            written["extra"] = dict(model.extra)
        else:
            _merge_extra(written, model.extra)
    return written


def _merge_extra(written: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Put unknown keys back where they stood, without changing the keys that are there."""
    for key, value in extra.items():
        place = written.get(key)
        if isinstance(place, dict) and isinstance(value, Mapping):
            _merge_extra(place, value)
        else:
            written.setdefault(key, value)


def unstructure_hook(kind: type[Model], converter: cattrs.Converter) -> Callable[[Model], dict[str, Any]]:
    """Return the cattrs unstructure hook of a model class: ``to_dict``, with the converter's hooks for its fields."""
    return lambda model: _to_dict(model, "vendor", lambda field, value: _write_by(converter, field, value))


def _write_by(converter: cattrs.Converter, field: FieldSchema, value: Any) -> Any:
    """Write one value of a field: by a hook that the user registered, else by its codec, else by its own class."""
    if field.codec is None:
        return converter.unstructure(value)
    hook = converter.get_unstructure_hook(base_type(field.type))
    if hook in (_PLAIN_HOOK, str):
        written = field.codec.write(value)
        return converter.unstructure(value) if written is value else written
    return hook(value)
