"""Readers made from plans: one generated function per class.

Knows how to run generated code, and what to do in the cases that it leaves to calls. Must not know any particular
class. A reader takes a dict and the list of what was found wrong, and gives the part, whatever the dict holds;
generated, because that brings structuring within reach of compiled validators.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from stellantis_hal.structuring.codegen import write
from stellantis_hal.structuring.problems import Extra, Found, nest, note
from stellantis_hal.structuring.scalars import Attempt
from stellantis_hal.structuring.schema import ClassSchema, plan_of

__all__ = ["StructureFunction", "reader_of"]

StructureFunction = Callable[[dict[str, Any], list[Found]], Any]

_readers: Final[dict[type, StructureFunction]] = {}


def reader_of(kind: type) -> StructureFunction:
    """Make the reader of an attrs class, once; those of its parts come with it."""
    reader = _readers.get(kind)
    if reader is None:
        plan = plan_of(kind)
        source, names, parts = write(plan)
        names |= {name: reader_of(part) for name, part in parts.items()}
        names |= {
            "extra_of": functools.partial(_extra, plan),
            "parts": _parts,
            "parts_or_part": _parts_or_part,
            "twin": _twin(kind),
            "values": _values,
        }
        exec(compile(source, f"<reader of {kind.__name__}>", "exec"), names)  # noqa: S102 - written by us, from a plan
        reader = _readers[kind] = names["read"]
    return reader


def _twin(kind: type) -> type:
    """Make a class of the same layout whose attributes may be set.

    Instances are filled as the twin and then become the frozen class: assigning slots is several times as fast as
    a frozen ``__init__``, which calls ``object.__setattr__`` for each field. (The interpreter only sets slots quickly
    where neither setting nor deleting attributes is written in Python: so both are put back.)
    """
    own = {
        "__slots__": kind.__dict__["__slots__"],
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
        "__module__": __name__,
    }
    return type(kind)(f"{kind.__name__}InTheMaking", kind.__bases__, own)


def _parts(read: StructureFunction, value: Any, step: str, found: list[Found]) -> tuple[Any, ...]:
    """Read an array of objects."""
    if not isinstance(value, list):
        note(found, step, value, "not an array")
        return ()
    parts: list[Any] = []
    for index, item in enumerate(value):
        place = f"{step}[{index}]"
        if isinstance(item, dict):
            parts.append(_part(read, item, place, found))
        else:
            note(found, place, item, "not an object")
    return tuple(parts)


def _parts_or_part(read: StructureFunction, value: Any, step: str, found: list[Found]) -> tuple[Any, ...]:
    """Read what older generations give as an array of objects or as the only one."""
    if isinstance(value, dict):
        return (_part(read, value, step, found),)
    return _parts(read, value, step, found)


def _part(read: StructureFunction, value: dict[str, Any], step: str, found: list[Found]) -> Any:
    start = len(found)
    part = read(value, found)
    if len(found) != start:
        nest(found, start, part, step)
    return part


def _values(attempt: Attempt, value: Any, step: str, found: list[Found]) -> tuple[Any, ...]:
    """Read an array of single values."""
    if not isinstance(value, list):
        note(found, step, value, "not an array")
        return ()
    read = (attempt(item, f"{step}[{index}]", found) for index, item in enumerate(value))
    return tuple(item for item in read if item is not None)


def _extra(plan: ClassSchema, body: dict[str, Any]) -> Extra:
    """Gather the keys that the plan does not know, those inside its containers too."""
    extra = {key: body[key] for key in body if key not in plan.known}
    for key, inner in plan.containers.items():
        value = body.get(key)
        if isinstance(value, dict) and not inner.issuperset(value):
            extra[key] = {name: value[name] for name in value if name not in inner}
    return Extra(extra)
