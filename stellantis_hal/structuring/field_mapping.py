"""Field mapping of a model class, derived from its annotations and its fields' metadata."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from stellantis_hal.structuring.problems import ConsistencyCheck
from stellantis_hal.structuring.scalars import ScalarCodec, codec_of, real_type

__all__ = ["OWN_FIELDS", "ClassSchema", "FieldSchema", "Path", "is_unread", "names", "schema_of", "unread"]

Path = tuple[str, ...]

# Fields that every model has and no body does.
OWN_FIELDS: Final = frozenset({"problems", "extra", "_resource", "_clock"})
_NAMES: Final = "stellantis_hal.names"
_UNREAD: Final = "stellantis_hal.unread"
_UNIT: Final = "stellantis_hal.unit"
_UNIT_BY: Final = "stellantis_hal.unit_by"
_WITHIN: Final = "stellantis_hal.within"
_AHEAD: Final = "stellantis_hal.may_be_ahead"


def names(
    *paths: str | Path,
    unit: str | None = None,
    unit_by: Callable[[Any], str | None] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    may_be_ahead: bool = False,
) -> Mapping[str, Any]:
    """Return a field's ``metadata``: the keys of its value, the newest generation first, and its unit.

    Without paths, the key is the field's name in camel case. A tuple is a path through nested objects.

    Args:
        paths: the keys.
        unit: the unit of a number, as in ``"km"``; ``"cL|Wh"`` where it depends on another field. What is given in
            percent is within 0 to 100; a figure beyond is a problem.
        unit_by: returns the unit for a model where it depends on another field; None where it is unknown.
        minimum: a figure below is a problem.
        maximum: a figure above is a problem, where there is a minimum too.
        may_be_ahead: whether an instant may lie in the future, as one of a plan does; others are problems there.
    """
    metadata: dict[str, Any] = {}
    if paths:
        metadata[_NAMES] = tuple(path if isinstance(path, tuple) else (path,) for path in paths)
    if unit is not None:
        metadata[_UNIT] = unit
    if unit_by is not None:
        metadata[_UNIT_BY] = unit_by
    if minimum is not None or unit == "percent":
        most = 100.0 if unit == "percent" else math.inf if maximum is None else maximum
        metadata[_WITHIN] = (minimum or 0.0, most)
    if may_be_ahead:
        metadata[_AHEAD] = True
    return metadata


def unread() -> Mapping[str, Any]:
    """Return the ``metadata`` of a field that is in no body: None when its value is read, set by the code around it."""
    return {_UNREAD: True}


def is_unread(attribute: attrs.Attribute[Any]) -> bool:
    """Return whether a field is in no body."""
    return _UNREAD in attribute.metadata


@attrs.frozen(kw_only=True)
class FieldSchema:
    """One attribute and where its value is found.

    Attributes:
        name: the attribute's name.
        paths: where the value is looked for, the newest generation first.
        type: the type of a single value, as a cattrs converter is asked for it; ``Annotated`` where the field has a
            codec of its own.
        codec: how a single value is read and written by default; None for a nested model, and for a type that only a
            hook of the user reads.
        model: the class of a nested model; None for a single value.
        many: whether the attribute is a tuple of such values.
        unit: the unit of its numbers; None where it has none.
        unit_by: returns the unit for a model where it depends on another field.
        within: the least and the greatest plausible figure; None where any is.
        may_be_ahead: whether its instant may lie in the future.
    """

    name: str
    paths: tuple[Path, ...]
    type: Any
    codec: ScalarCodec | None = None
    model: type | None = None
    many: bool = False
    unit: str | None = None
    unit_by: Callable[[Any], str | None] | None = None
    within: tuple[float, float] | None = None
    may_be_ahead: bool = False


@attrs.frozen(kw_only=True)
class ClassSchema:
    """The field mapping of one class.

    Attributes:
        kind: the class.
        fields: its attributes, without those that every model has.
        constants: values that are always the same, by their path: GeoJSON's types.
        known: the keys of a body that are no extra.
        containers: paths of objects that only hold others, with the keys in them that are no extra.
        flat: keys that older generations have beside the object that holds them today, with the attributes that lead to
            their value.
        older: the paths of older generations, with all paths of their fields: where a newer one is there too, what the
            older one held is kept as an extra.
        check: what is run on every instance that was read; ``__check__`` of the class.
    """

    kind: type
    fields: tuple[FieldSchema, ...]
    constants: Mapping[Path, str]
    known: frozenset[str]
    containers: Mapping[Path, frozenset[str]]
    flat: Mapping[str, Path]
    older: Mapping[Path, tuple[Path, ...]] = attrs.field(factory=dict)
    check: ConsistencyCheck | None = None


_schemas: Final[dict[type, ClassSchema]] = {}


def schema_of(kind: type) -> ClassSchema:
    """Return the schema of an attrs class; it is derived once."""
    schema = _schemas.get(kind)
    if schema is None:
        schema = _schemas[kind] = _derive(kind)
    return schema


def _derive(kind: type) -> ClassSchema:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = tuple(
        _field(attribute, hints[attribute.name])
        for attribute in attrs.fields(kind)
        if attribute.name not in OWN_FIELDS and not is_unread(attribute)
    )
    constants: Mapping[Path, str] = getattr(kind, "__constants__", {})
    known: set[str] = set(getattr(kind, "__linked__", ()))
    containers: dict[Path, set[str]] = {}
    for path in (*(path for field in fields for path in field.paths), *constants):
        known.add(path[0])
        for depth in range(1, len(path)):
            containers.setdefault(path[:depth], set()).add(path[depth])
    embedded: frozenset[str] | None = getattr(kind, "__embedded__", None)
    if embedded is not None:
        containers.setdefault(("_embedded",), set()).update(embedded)
    newest = {field.paths[0] for field in fields}
    older = {path: field.paths for field in fields for path in field.paths[1:] if path not in newest}
    flat: Mapping[str, Path] = getattr(kind, "__flat__", {})
    today = {field.name: field.paths for field in fields}
    older |= {(key,): (*today[attributes[0]], (key,)) for key, attributes in flat.items()}
    return ClassSchema(
        kind=kind,
        fields=fields,
        constants=constants,
        known=frozenset(known),
        containers={key: frozenset(inner) for key, inner in containers.items()},
        flat=flat,
        older=older,
        check=getattr(kind, "__check__", None),
    )


def _field(attribute: attrs.Attribute[Any], hint: Any) -> FieldSchema:
    paths = attribute.metadata.get(_NAMES) or ((_camel_case(attribute.name),),)
    many = typing.get_origin(hint) is tuple
    kind = typing.get_args(hint)[0] if many else _without_none(hint)
    if typing.get_origin(kind) is typing.Annotated and codec_of(kind) is None:
        kind = typing.get_args(kind)[0]
    kind = real_type(kind)
    model = kind if attrs.has(kind) else None
    return FieldSchema(
        name=attribute.name,
        paths=paths,
        type=kind,
        codec=None if model else codec_of(kind),
        model=model,
        many=many,
        unit=attribute.metadata.get(_UNIT),
        unit_by=attribute.metadata.get(_UNIT_BY),
        within=attribute.metadata.get(_WITHIN),
        may_be_ahead=_AHEAD in attribute.metadata,
    )


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    return kinds[0] if len(kinds) == 1 else typing.Union[tuple(kinds)]  # noqa: UP007 - made of values


def _camel_case(name: str) -> str:
    first, *others = name.rstrip("_").split("_")
    return first + "".join(other.capitalize() for other in others)
