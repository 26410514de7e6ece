"""What is read from where: the plan of one attrs class, derived from its annotations and its fields' metadata.

Knows names, their generations and the kinds of value. Must not know how a plan is carried out.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, Final

import attrs

from stellantis_hal.structuring.scalars import ScalarCodec, leaf_of

__all__ = ["OWN_FIELDS", "ClassSchema", "FieldSchema", "Path", "names", "plan_of"]

Path = tuple[str, ...]

# Fields that every part has and no body does.
OWN_FIELDS: Final = frozenset({"problems", "extra", "_source"})
_NAMES: Final = "stellantis_hal.names"
_LEAF: Final = "stellantis_hal.leaf"


def names(*paths: str | Path, leaf: ScalarCodec | None = None) -> Mapping[str, Any]:
    """Say, as a field's ``metadata``, under which keys its value comes, the newest generation first.

    Without it, the key is the field's name in camel case. A tuple is a path through nested objects. ``leaf`` reads
    the value differently from what its type says.
    """
    return {_NAMES: tuple(path if isinstance(path, tuple) else (path,) for path in paths), _LEAF: leaf}


@attrs.frozen(kw_only=True)
class FieldSchema:
    """One attribute and where it comes from.

    Attributes:
        name: the attribute's.
        paths: where the value is looked for, the newest generation first.
        leaf: how a single value is read; None for a nested part.
        part: the class of a nested part; None for a single value.
        many: whether the attribute is a tuple of them.
    """

    name: str
    paths: tuple[Path, ...]
    leaf: ScalarCodec | None = None
    part: type | None = None
    many: bool = False


@attrs.frozen(kw_only=True)
class ClassSchema:
    """How one class is read.

    Attributes:
        fields: its attributes, without those that every part has.
        constants: values that are always the same, by their path: GeoJSON's types.
        known: the keys of a body that are no extra.
        containers: keys that only hold others, with the keys in them that are no extra.
    """

    kind: type
    fields: tuple[FieldSchema, ...]
    constants: Mapping[Path, str]
    known: frozenset[str]
    containers: Mapping[str, frozenset[str]]


_plans: Final[dict[type, ClassSchema]] = {}


def plan_of(kind: type) -> ClassSchema:
    """Derive the plan of an attrs class, once.

    Raises:
        TypeError: an annotation that no JSON value fits.
    """
    plan = _plans.get(kind)
    if plan is None:
        plan = _plans[kind] = _derived(kind)
    return plan


def _derived(kind: type) -> ClassSchema:
    hints = typing.get_type_hints(kind)
    fields = tuple(
        _field(attribute, hints[attribute.name]) for attribute in attrs.fields(kind) if attribute.name not in OWN_FIELDS
    )
    constants: Mapping[Path, str] = getattr(kind, "__constants__", {})
    known = {"_links", "_embedded"}
    containers: dict[str, set[str]] = {}
    for path in (*(path for field in fields for path in field.paths), *constants):
        known.add(path[0])
        if len(path) > 1 and path[0] != "_embedded":
            containers.setdefault(path[0], set()).add(path[1])
    return ClassSchema(
        kind=kind,
        fields=fields,
        constants=constants,
        known=frozenset(known),
        containers={key: frozenset(inner) for key, inner in containers.items()},
    )


def _field(attribute: attrs.Attribute[Any], hint: Any) -> FieldSchema:
    paths = attribute.metadata.get(_NAMES) or ((_camel(attribute.name),),)
    leaf = attribute.metadata.get(_LEAF)
    many = typing.get_origin(hint) is tuple
    kind = typing.get_args(hint)[0] if many else _without_none(hint)
    if leaf is None and attrs.has(kind):
        return FieldSchema(name=attribute.name, paths=paths, part=kind, many=many)
    return FieldSchema(name=attribute.name, paths=paths, leaf=leaf or leaf_of(kind), many=many)


def _without_none(hint: Any) -> Any:
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    return kinds[0] if kinds else hint


def _camel(name: str) -> str:
    first, *others = name.rstrip("_").split("_")
    return first + "".join(other.capitalize() for other in others)
