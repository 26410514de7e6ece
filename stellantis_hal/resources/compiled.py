"""Readers made from plans: one generated function per class.

Knows how to turn a plan into straight-line Python, which is what keeps structuring within reach of compiled
validators. Must not know any particular class.

A generated reader takes a dict and the list of what was found wrong, and returns the part, whatever the dict holds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs

from stellantis_hal.resources.leaves import NUMBER, tolerant
from stellantis_hal.resources.plan import Field, Plan, plan_of
from stellantis_hal.resources.problems import NO_EXTRA, Extra, Found, nest, note

__all__ = ["Reader", "reader_of"]

Reader = Callable[[dict[str, Any], list[Found]], Any]


_readers: dict[type, Reader] = {}


def reader_of(kind: type) -> Reader:
    """Make the reader of an attrs class, once; those of its parts come with it."""
    reader = _readers.get(kind)
    if reader is None:
        code = _Code(plan_of(kind))
        source = "\n".join(code.lines)
        exec(compile(source, f"<reader of {kind.__name__}>", "exec"), code.namespace)  # noqa: S102 - our own source
        reader = _readers[kind] = code.namespace["read"]
    return reader


def _twin(kind: type) -> type:
    """Make a class of the same layout whose attributes may be set.

    Instances are filled as the twin and then become the frozen class: assigning slots is several times as fast as
    a frozen ``__init__``, which calls ``object.__setattr__`` for each field.
    """
    slots = tuple(name for name in kind.__dict__.get("__slots__", ()) if name != "__weakref__")
    return type(kind)(
        f"{kind.__name__}InTheMaking",
        kind.__bases__,
        {"__slots__": slots, "__setattr__": object.__setattr__, "__module__": __name__},
    )


class _Code:
    """The source of one reader, and the names it uses."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.namespace: dict[str, Any] = {
            "kind": plan.kind,
            "twin": _twin(plan.kind),
            "known": plan.known,
            "NO_EXTRA": NO_EXTRA,
            "extra_of": functools.partial(_extra, plan),
            "parts": _parts,
            "parts_or_part": _parts_or_part,
            "values": _values,
            "nest": nest,
            "note": note,
            "nothing": {}.get,
        }
        self.lines = ["def read(body, found):", "    get = body.get", "    new = twin()"]
        self.containers: dict[tuple[str, ...], str] = {(): "get"}
        for path in (*(path for field in plan.fields for path in field.paths), *plan.constants):
            self._open(path[:-1])
        for path in plan.constants:
            self.lines += [
                f"    value = {self._get(path)}",
                "    if value is not None and value.__class__ is not str:",
                f"        note(found, {_step(path)!r}, value, 'not a string')",
            ]
        for field in plan.fields:
            self._read(field)
        self.lines.append("    new.problems = ()")
        if "_source" in attrs.fields_dict(plan.kind):
            self.lines.append("    new._source = None")
        self.lines += [
            "    new.extra = NO_EXTRA if known.issuperset(body) else extra_of(body)",
            "    new.__class__ = kind",
            "    return new",
        ]

    def _open(self, path: tuple[str, ...]) -> None:
        """Look into an object that only holds others, once for all that is read from it."""
        if path in self.containers:
            return
        self._open(path[:-1])
        name = f"get{len(self.containers)}"
        self.lines += [
            f"    {name} = {self._get(path)}",
            f"    if {name}.__class__ is dict:",
            f"        {name} = {name}.get",
            "    else:",
            f"        if {name} is not None:",
            f"            note(found, {_step(path)!r}, {name}, 'not an object')",
            f"        {name} = nothing",
        ]
        self.containers[path] = name

    def _get(self, path: tuple[str, ...]) -> str:
        return f"{self.containers[path[:-1]]}({path[-1]!r})"

    def _read(self, field: Field) -> None:
        empty = "== ()" if field.many else "is None"
        self._attempt(field, 0, "value", "    ")
        for number in range(1, len(field.paths)):
            # An older generation speaks only where all newer ones are empty or cannot be read.
            indent = "    " * (number + 1)
            self.lines.append(f"{indent[4:]}if not raw or value {empty}:")
            self._attempt(field, number, "older", indent)
            self.lines.append(f"{indent}if not older {empty} and (raw or value {empty}):")
            self.lines.append(f"{indent}    value = older")
        self.lines.append(f"    new.{field.name} = value")

    def _attempt(self, field: Field, number: int, target: str, indent: str) -> None:
        path = field.paths[number]
        step = _step(path)
        raw = self._get(path)
        add = self.lines.append
        several = len(field.paths) > 1
        source = "raw" if several else target
        add(f"{indent}{source} = {raw}")
        if field.many:
            self._many(field, step, source, target, indent, single=number > 0)
        else:
            self._one(field, step, source, target, indent)

    def _one(self, field: Field, step: str, source: str, target: str, indent: str) -> None:
        add = self.lines.append
        if source != target:
            add(f"{indent}{target} = {source}")
        add(f"{indent}if {target} is not None:")
        if field.part is not None:
            reader = self._name(field, reader_of(field.part))
            add(f"{indent}    if {target}.__class__ is dict:")
            add(f"{indent}        start = len(found)")
            add(f"{indent}        {target} = {reader}({target}, found)")
            add(f"{indent}        if len(found) != start:")
            add(f"{indent}            nest(found, start, {target}, {step!r})")
            add(f"{indent}    else:")
            add(f"{indent}        {target} = note(found, {step!r}, {target}, 'not an object')")
            return
        assert field.leaf is not None  # noqa: S101 - a field is a part or a leaf
        leaf = field.leaf
        attempt = self._name(field, tolerant(leaf))
        if leaf is NUMBER:  # infinite and not-a-number differ from themselves when subtracted
            add(f"{indent}    if {target}.__class__ is not float or {target} - {target} != 0.0:")
            indent += "    "
        elif leaf.exact is not None:
            add(f"{indent}    if {target}.__class__ is not {leaf.exact.__name__}:")
            indent += "    "
        add(f"{indent}    {target} = {attempt}({target}, {step!r}, found)")

    def _many(self, field: Field, step: str, source: str, target: str, indent: str, *, single: bool) -> None:
        add = self.lines.append
        if field.part is not None:
            function, reader = "parts_or_part" if single else "parts", self._name(field, reader_of(field.part))
        else:
            assert field.leaf is not None  # noqa: S101 - a field is a part or a leaf
            function, reader = "values", self._name(field, tolerant(field.leaf))
        add(f"{indent}{target} = () if {source} is None else {function}({reader}, {source}, {step!r}, found)")

    def _name(self, field: Field, function: Any) -> str:
        name = f"read_{field.name}"
        self.namespace[name] = function
        return name


def _parts(read: Reader, value: Any, step: str, found: list[Found]) -> tuple[Any, ...]:
    """Read an array of objects."""
    if not isinstance(value, list):
        note(found, step, value, "not an array")
        return ()
    parts: list[Any] = []
    for index, item in enumerate(value):
        if item.__class__ is dict:
            start = len(found)
            part = read(item, found)
            if len(found) != start:
                nest(found, start, part, f"{step}[{index}]")
            parts.append(part)
        else:
            note(found, f"{step}[{index}]", item, "not an object")
    return tuple(parts)


def _parts_or_part(read: Reader, value: Any, step: str, found: list[Found]) -> tuple[Any, ...]:
    """Read what an older generation gives as one object or as an array of them."""
    if not isinstance(value, dict):
        return _parts(read, value, step, found)
    start = len(found)
    part = read(value, found)
    if len(found) != start:
        nest(found, start, part, step)
    return (part,)


def _values(
    attempt: Callable[[Any, str, list[Found]], Any], value: Any, step: str, found: list[Found]
) -> tuple[Any, ...]:
    """Read an array of single values."""
    if not isinstance(value, list):
        note(found, step, value, "not an array")
        return ()
    read = (attempt(item, f"{step}[{index}]", found) for index, item in enumerate(value))
    return tuple(item for item in read if item is not None)


def _step(path: tuple[str, ...]) -> str:
    return "".join(f".{name}" for name in path)


def _extra(plan: Plan, body: dict[str, Any]) -> Extra:
    """Gather the keys that no plan knows, those inside containers too."""
    extra: dict[str, Any] = {}
    for key, value in body.items():
        if key in plan.known:
            continue
        inner = plan.containers.get(key)
        if inner is None:
            extra[key] = value
        elif isinstance(value, dict) and (left := {name: value[name] for name in value if name not in inner}):
            extra[key] = left
    return Extra(extra) if extra else NO_EXTRA
