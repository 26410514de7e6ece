"""Msgspec structs of a class's JSON, made from its schema; needs msgspec (extra ``speed``)."""

from __future__ import annotations

import functools
from importlib import import_module
from math import ceil, floor, inf
from types import GenericAlias
from typing import Annotated, Any, Final, Literal, Optional, Union

import attrs

from stellantis_hal.structuring.field_mapping import ClassSchema, FieldSchema, Path, schema_of
from stellantis_hal.structuring.scalars import (
    BOOLEAN,
    DURATION,
    INSTANT,
    INTEGER,
    NUMBER,
    SECONDS,
    STRING,
    ScalarCodec,
    base_type,
    is_open_enum,
)

__all__ = [
    "MAX_LEARNED",
    "GeneratedMsgspecStruct",
    "NoMsgspecStructError",
    "doubtful_fields",
    "forget_unknown_keys",
    "learn_unknown_keys",
    "msgspec_struct",
]

MAX_LEARNED: Final = 32
"""Unknown keys of a class that its structs have fields for."""

_MAX_KEY: Final = 64
# Integers beyond these are left to the tolerant reader.
_LEAST_INTEGER: Final = -(2**63)
_MOST_INTEGER: Final = 2**63 - 1


class NoMsgspecStructError(Exception):
    """A class has no msgspec struct: its JSON does not fit one, as where a key is a value and an object of others."""


@attrs.frozen
class GeneratedMsgspecStruct:
    """The struct of one class, or of the objects in it that only hold others.

    Attributes:
        type: the struct; keys that it has no field for are refused.
        attributes: the names of its fields, by key.
        holders: the structs of the objects in it that only hold others, by key.
        undecoded: the keys whose values it keeps as bytes, UNSET where they are missing.
        unknown: those of them that no field of the class has.
        doubted: the names of fields of the class that are kept as bytes because their values may be anything.
        parts: the classes of nested models of the class and their structs, by the name of the model's attribute.
    """

    type: Any
    attributes: dict[str, str]
    holders: dict[str, GeneratedMsgspecStruct]
    undecoded: frozenset[str]
    unknown: tuple[str, ...]
    doubted: frozenset[str]
    parts: dict[str, tuple[type, GeneratedMsgspecStruct]]


# The keys that no field has, as bodies showed them: by class and whether it is part of another, and by place.
_unknown: Final[dict[tuple[type, bool], dict[Path, list[str]]]] = {}


# By class, whether it is part of another, and the fields that are doubted.
_structs: Final[dict[tuple[type, bool, frozenset[str]], GeneratedMsgspecStruct]] = {}


def forget_unknown_keys() -> None:
    """Forget what bodies have shown."""
    _unknown.clear()
    _structs.clear()


def learn_unknown_keys(model: Any) -> None:
    """Remember the keys that no field of a model's class has, and those of its parts.

    :func:`msgspec_struct` makes new structs of the classes that have them at any depth.
    """
    changed: set[tuple[type, bool]] = set()
    _learn_from(model, changed, is_part=False)
    for key in [key for key, struct in _structs.items() if key[:2] in changed or _has_part(struct, changed)]:
        del _structs[key]


def _has_part(struct: GeneratedMsgspecStruct, kinds: set[tuple[type, bool]]) -> bool:
    return any((kind, True) in kinds or _has_part(part, kinds) for kind, part in struct.parts.values())


def _learn_from(model: Any, changed: set[tuple[type, bool]], *, is_part: bool) -> None:
    schema = schema_of(type(model))
    if model.extra and _learn(_unknown.setdefault((schema.kind, is_part), {}), (), model.extra, schema):
        changed.add((schema.kind, is_part))
    for field in schema.fields:
        if field.model is None:
            continue
        value = getattr(model, field.name)
        for part in value if field.many else (value,):
            if type(part) is field.model:
                _learn_from(part, changed, is_part=True)


def _learn(found: dict[Path, list[str]], place: Path, extra: Any, schema: ClassSchema) -> bool:
    """Remember the keys of an object, in the order in which it has them; return whether any is new."""
    is_new = False
    for key, value in extra.items():
        path = (*place, key)
        if path in schema.containers:
            is_new |= isinstance(value, dict) and _learn(found, path, value, schema)
        elif _may_be_learned(path, schema) and sum(map(len, found.values())) < MAX_LEARNED:
            keys = found.setdefault(place, [])
            if key not in keys:
                keys.append(key)
                is_new = True
    if is_new and (keys := found.get(place, [])):
        keys[:] = [key for key in extra if key in keys] + [key for key in keys if key not in extra]
    return is_new


def _may_be_learned(path: Path, schema: ClassSchema) -> bool:
    """Return whether a key is one that the class does not know in any generation, and that a struct can have."""
    key = path[-1]
    if path == ("_embedded",) or path in schema.older or not 0 < len(key) <= _MAX_KEY:
        return False  # an empty _embedded is no extra
    return key.isprintable() and key.isascii() and not {'"', "\\"} & {*key}


@functools.cache
def doubtful_fields(kind: type) -> dict[str, str]:
    """Return the names of the fields of a class whose values can be kept as bytes, by their keys.

    These are fields with one key, at the top of the body, that no other one reads.
    """
    schema = schema_of(kind)
    first = [path[0] for field in schema.fields for path in field.paths] + [path[0] for path in schema.constants]
    fields = [field for field in schema.fields if len(field.paths) == 1 and len(field.paths[0]) == 1]
    return {key: field.name for field in fields if first.count(key := field.paths[0][0]) == 1}


def msgspec_struct(
    kind: type, *, is_part: bool = False, doubted: frozenset[str] = frozenset()
) -> GeneratedMsgspecStruct:
    """Return the struct of a class; it is made once for what bodies have shown so far.

    Args:
        kind: the class.
        is_part: whether it is part of another body; then its links are kept as an extra.
        doubted: names of fields, of :func:`doubtful_fields`, whose values are kept as bytes.

    Raises:
        NoMsgspecStructError: it has none.
    """
    struct = _structs.get((kind, is_part, doubted))
    if struct is None:
        struct = _structs[kind, is_part, doubted] = _StructMaker(kind, is_part=is_part, doubted=doubted).make(())
    return struct


class _StructMaker:
    def __init__(self, kind: type, *, is_part: bool, doubted: frozenset[str]) -> None:
        self._msgspec = import_module("msgspec")
        self._doubted = doubted
        self._schema = schema_of(kind)
        self._unknown = _unknown.get((kind, is_part), {})
        self._parts: dict[str, tuple[type, GeneratedMsgspecStruct]] = {}
        self._types: dict[Path, Any] = {}
        known: set[str] = set(getattr(kind, "__linked__", ()))
        if is_part:
            known.discard("_links")
        self._ignored: set[Path] = {(key,) for key in known}
        for path, keys in self._schema.containers.items():
            self._ignored |= {(*path, key) for key in keys}
        for path in self._schema.constants:
            self._add(path, Optional[Literal[*self._schema.constants.values()]])  # noqa: UP045 - made of values
        for field in self._schema.fields:
            for path in field.paths:
                self._add(path, self._msgspec.Raw if field.name in doubted else self._type_of(field))
        if any(path in self._schema.containers for path in self._types):
            raise NoMsgspecStructError(kind.__name__)

    def make(self, place: Path) -> GeneratedMsgspecStruct:
        """Make the struct of the object at a place: of the class itself, or of one that only holds others."""
        depth = len(place) + 1
        keys: dict[str, Any] = {}
        holders: dict[str, GeneratedMsgspecStruct] = {}
        for path in (*self._types, *self._schema.containers, *self._ignored):
            if len(path) == depth and path[:-1] == place:
                if path in self._schema.containers:
                    holder = holders[path[-1]] = self.make(path)
                    is_extra = path == ("_embedded",) and path[0] not in self._schema.known  # null is kept, if so
                    keys[path[-1]] = holder.type if is_extra else Optional[holder.type]  # noqa: UP045
                else:
                    keys.setdefault(path[-1], self._types.get(path, self._msgspec.Raw))
        unknown = tuple(key for key in self._unknown.get(place, ()) if key not in keys)
        keys |= dict.fromkeys(unknown, self._msgspec.Raw)
        attributes = {key: f"f{number}" for number, key in enumerate(keys)}
        unset = self._msgspec.UNSET
        made = self._msgspec.defstruct(
            f"{self._schema.kind.__name__}Wire",
            [(attributes[key], kind, unset if kind is self._msgspec.Raw else None) for key, kind in keys.items()],
            rename={name: key for key, name in attributes.items()},
            forbid_unknown_fields=True,
            gc=False,
        )
        undecoded = frozenset(key for key, kind in keys.items() if kind is self._msgspec.Raw)
        return GeneratedMsgspecStruct(
            type=made,
            attributes=attributes,
            holders=holders,
            undecoded=undecoded,
            unknown=unknown,
            doubted=self._doubted,
            parts=self._parts,
        )

    def _add(self, path: Path, kind: Any) -> None:
        if self._types.setdefault(path, kind) != kind:
            raise NoMsgspecStructError(f"{self._schema.kind.__name__}: {'.'.join(path)} is read in two ways")

    def _type_of(self, field: FieldSchema) -> Any:
        if field.model is not None:
            part = msgspec_struct(field.model, is_part=True)
            self._parts[field.name] = field.model, part
            return Optional[GenericAlias(list, (part.type,)) if field.many else part.type]  # noqa: UP045
        assert field.codec is not None  # noqa: S101 - else the class has no hook of this library
        kind = self._scalar(field, field.codec)
        if kind is self._msgspec.Raw:
            return kind
        return Optional[GenericAlias(list, (kind,)) if field.many else kind]  # noqa: UP045

    def _scalar(self, field: FieldSchema, codec: ScalarCodec) -> Any:
        if codec.members is not None and is_open_enum(base_type(field.type)):
            return base_type(field.type)
        if codec in (STRING, INSTANT, DURATION):
            return str
        if codec is BOOLEAN:
            return bool
        if codec is SECONDS:
            return Union[int, float]  # noqa: UP007
        if codec is INTEGER or codec is NUMBER or codec.none is not None:
            return self._bounded(field, int if codec is INTEGER else float)
        return codec.wire or self._msgspec.Raw

    def _bounded(self, field: FieldSchema, kind: type) -> Any:
        least, most = (-inf, inf) if field.within is None or field.many else field.within
        if kind is int:
            least = _LEAST_INTEGER if least == -inf else ceil(least)
            most = _MOST_INTEGER if most == inf else floor(most)
            return Annotated[int, self._msgspec.Meta(ge=least, le=most)]
        if least == -inf:
            return float
        return Annotated[float, self._msgspec.Meta(ge=least, le=None if most == inf else most)]
