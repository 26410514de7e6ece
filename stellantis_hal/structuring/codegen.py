"""Python source made from plans: straight-line code that reads one class.

Knows how each kind of field is written down as code, the usual case without a call. Must not know any particular
class, nor run what it writes. The names that the code uses come with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import attrs

from stellantis_hal.structuring.problems import NO_EXTRA, nest, no_object, note
from stellantis_hal.structuring.scalars import INSTANT, NUMBER, ScalarCodec, tolerant
from stellantis_hal.structuring.schema import ClassSchema, FieldSchema, Path

__all__ = ["GeneratedCode", "write"]

# Below this, every int is a float without loss.
_EXACT: Final = 2**53


class GeneratedCode(NamedTuple):
    """A function ``read(body, found)`` as source, with the names that it uses but for the readers of its parts.

    Attributes:
        source: the function's source.
        names: what it refers to.
        parts: the classes whose readers it calls, by the name it calls them under.
    """

    source: str
    names: dict[str, Any]
    parts: dict[str, type]


def write(plan: ClassSchema) -> GeneratedCode:
    """Write the reader of a class."""
    return _CodeGenerator(plan).code()


def _step(path: Path) -> str:
    return "".join(f".{name}" for name in path)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


class _CodeGenerator:
    def __init__(self, plan: ClassSchema) -> None:
        self._plan = plan
        self._parts: dict[str, type] = {}
        self._names: dict[str, Any] = {
            "NO_EXTRA": NO_EXTRA,
            "UTC": UTC,
            "allocate": object.__new__,  # past the __init__ that it inherits
            "fromisoformat": datetime.fromisoformat,
            "kind": plan.kind,
            "known": plan.known,
            "nest": nest,
            "no_object": no_object,
            "note": note,
            "nothing": {},
        }
        self._getters: dict[Path, str] = {(): "get"}
        self._known = ["known.issuperset(body)"]

    def code(self) -> GeneratedCode:
        body = ["get = body.get", "new = allocate(twin)"]
        for path in (*(path for field in self._plan.fields for path in field.paths), *self._plan.constants):
            body += self._opened(path[:-1])
        for path in self._plan.constants:
            body += [
                f"raw = {self._get(path)}",
                "if raw is not None and raw.__class__ is not str:",
                f"    note(found, {_step(path)!r}, raw, 'not a string')",
            ]
        for field in self._plan.fields:
            body += [*self._generations(field), f"new.{field.name} = value"]
        body.append("new.problems = ()")
        if "_source" in attrs.fields_dict(self._plan.kind):
            body.append("new._source = None")
        body += [
            f"new.extra = NO_EXTRA if {' and '.join(self._known)} else extra_of(body)",
            "new.__class__ = kind",
            "return new",
        ]
        source = "\n".join(["def read(body, found):", *_indented(body), ""])
        return GeneratedCode(source, self._names, self._parts)

    # --------------------------------------------------------------------------------------------- where

    def _opened(self, path: Path) -> list[str]:
        """Look into an object that only holds others, once for all that is read from it."""
        if path in self._getters:
            return []
        lines = self._opened(path[:-1])
        number = len(self._getters)
        lines += [
            f"held{number} = {self._get(path)}",
            f"if held{number}.__class__ is not dict:",
            f"    if held{number} is not None:",
            f"        no_object(found, {_step(path)!r}, held{number})",
            f"    held{number} = nothing",
            f"get{number} = held{number}.get",
        ]
        self._getters[path] = f"get{number}"
        inner = self._plan.containers.get(path[0])
        if inner is not None and len(path) == 1:
            self._names[f"known{number}"] = inner
            self._known.append(f"known{number}.issuperset(held{number})")
        return lines

    def _get(self, path: Path) -> str:
        return f"{self._getters[path[:-1]]}({path[-1]!r})"

    def _generations(self, field: FieldSchema) -> list[str]:
        """Read the newest name; an older one only where all newer ones are empty or cannot be read."""
        empty = "value == ()" if field.many else "value is None"
        lines: list[str] = []
        for age, path in reversed(list(enumerate(field.paths))):
            read = [f"raw = {self._get(path)}", *self._value(field, path, age)]
            older = [f"if not raw or {empty}:", "    newer = value", *_indented(lines)] if lines else []
            newer = [f"if {empty}:", "    value = newer"] if age else []
            lines = [*read, *older, *newer]
        return lines

    # --------------------------------------------------------------------------------------------- what

    def _value(self, field: FieldSchema, path: Path, age: int) -> list[str]:
        """Make ``value`` of ``raw``."""
        step = _step(path)
        if field.part is not None:
            read = f"read_{field.name}"
            self._parts[read] = field.part
            return self._several(read, step, age) if field.many else self._part(read, step)
        assert field.leaf is not None  # noqa: S101 - a field is a part or a leaf
        attempt = f"attempt_{field.name}"
        self._names[attempt] = tolerant(field.leaf)
        if field.many:
            return [f"value = () if raw is None else values({attempt}, raw, {step!r}, found)"]
        return self._leaf(field, field.leaf, f"value = {attempt}(raw, {step!r}, found)")

    def _leaf(self, field: FieldSchema, leaf: ScalarCodec, attempt: str) -> list[str]:
        if leaf is NUMBER:  # what is infinite or no number differs from zero when subtracted from itself
            return [
                "if raw.__class__ is float and raw - raw == 0.0:",
                "    value = raw",
                "elif raw is None:",
                "    value = None",
                f"elif raw.__class__ is int and {-_EXACT} < raw < {_EXACT}:",
                "    value = raw + 0.0",
                "else:",
                f"    {attempt}",
            ]
        if leaf is INSTANT:
            return [
                "if raw is None:",
                "    value = None",
                "else:",
                "    try:",
                "        value = fromisoformat(raw)",
                "    except (TypeError, ValueError):",
                f"        {attempt}",
                "    else:",
                "        if value.tzinfo is not UTC:",
                f"            {attempt}",
            ]
        if leaf.members is not None:
            self._names[f"member_{field.name}"] = leaf.members.get
            return [
                f"value = member_{field.name}(raw) if raw.__class__ is str else None",
                "if value is None and raw is not None:",
                f"    {attempt}",
            ]
        if leaf.exact is not None:
            return [
                f"if raw is None or raw.__class__ is {leaf.exact.__name__}:",
                "    value = raw",
                "else:",
                f"    {attempt}",
            ]
        return ["if raw is None:", "    value = None", "else:", f"    {attempt}"]

    def _part(self, read: str, step: str) -> list[str]:
        return [
            "if raw is None:",
            "    value = None",
            "elif raw.__class__ is dict:",
            "    start = len(found)",
            f"    value = {read}(raw, found)",
            "    if len(found) != start:",
            f"        nest(found, start, value, {step!r})",
            "else:",
            f"    value = no_object(found, {step!r}, raw)",
        ]

    def _several(self, read: str, step: str, age: int) -> list[str]:
        """Read an array; as long as nothing is wrong, no account is needed of where each item stands."""
        slowly = f"value = {'parts_or_part' if age else 'parts'}({read}, raw, {step!r}, found)"
        return [
            "if raw is None:",
            "    value = ()",
            "elif raw.__class__ is list:",
            "    start = len(found)",
            "    value = []",
            "    for item in raw:",
            "        if item.__class__ is dict:",
            f"            value.append({read}(item, found))",
            "        else:",
            "            note(found, '', item, '')",
            "    if len(found) == start:",
            "        value = tuple(value)",
            "    else:",
            "        del found[start:]",
            f"        {slowly}",
            "else:",
            f"    {slowly}",
        ]
