"""Python source made from schemas: straight-line code that reads one class.

The usual case of each field is written down without a call; that brings reading within reach of compiled validators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil, inf
from sys import float_info
from typing import Any, Final, NamedTuple

import attrs

from stellantis_hal.structuring.extra import NO_EXTRA
from stellantis_hal.structuring.field_mapping import ClassSchema, FieldSchema, Path, is_unread
from stellantis_hal.structuring.problems import (
    ProblemList,
    nest_problems,
    record_ahead,
    record_beyond,
    record_disagreements,
    record_non_object,
    record_problem,
)
from stellantis_hal.structuring.scalars import (
    INSTANT,
    MAX_SECONDS,
    NUMBER,
    SECONDS,
    ScalarCodec,
    attempt_of,
    real_type,
)

__all__ = ["FieldReader", "GeneratedCode", "ModelReader", "generate"]

ModelReader = Callable[[dict[str, Any], ProblemList], Any]
FieldReader = ScalarCodec | ModelReader

# Below this, every int is a float without loss.
_EXACT: Final = 2**53


class GeneratedCode(NamedTuple):
    """A function ``read(body, problems)`` as source, with the names that it uses.

    Attributes:
        source: the function's source.
        namespace: the values of the names in it.
        read_value: returns the lines of it that make ``value`` of ``raw``, the JSON value of a field.
    """

    source: str
    namespace: dict[str, Any]
    read_value: Callable[[FieldSchema], list[str]]


def generate(schema: ClassSchema, readers: Mapping[str, FieldReader]) -> GeneratedCode:
    """Generate the function that reads a class, from its schema and a codec or a function for each field."""
    return _CodeGenerator(schema, readers).generate()


def _json_path(path: Path) -> str:
    return "".join(f".{name}" for name in path)


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


class _CodeGenerator:
    def __init__(self, schema: ClassSchema, readers: Mapping[str, FieldReader]) -> None:
        self._schema = schema
        self._readers = readers
        self._namespace: dict[str, Any] = {
            "NO_EXTRA": NO_EXTRA,
            "UTC": UTC,
            "timedelta": timedelta,
            "allocate": object.__new__,  # past the __init__ that it inherits
            "empty": {},
            "fromisoformat": real_type(datetime).fromisoformat,
            "inf": inf,
            "constants": frozenset(schema.constants.values()),
            "expected": f"not one of {', '.join(schema.constants.values())}, as which it is read",
            "kind": schema.kind,
            "known": schema.known,
            "run_check": None if schema.check is None else schema.check.run,
            "nest_problems": nest_problems,
            "record_ahead": record_ahead,
            "record_beyond": record_beyond,
            "record_disagreements": record_disagreements,
            "record_non_object": record_non_object,
            "record_problem": record_problem,
        }
        self._getters: dict[Path, str] = {(): "get"}
        self._known = ["known.issuperset(body)"]

    def generate(self) -> GeneratedCode:
        body = ["get = body.get", "new = allocate(mutable_kind)", "latest = problems.horizon.latest"]
        for path in (*(path for field in self._schema.fields for path in field.paths), *self._schema.constants):
            body += self._open(path[:-1])
        for path in self._schema.constants:
            body += [
                f"raw = {self._get(path)}",
                "if raw is not None and raw.__class__ is not str:",
                f"    record_problem(problems, {_json_path(path)!r}, raw, 'not a string')",
                "elif raw is not None and raw not in constants:",
                f"    record_problem(problems, {_json_path(path)!r}, raw, expected, 'disagreement')",
            ]
        self._known += [f"{self._get(path)} is None" for path in self._schema.older]
        for field in self._schema.fields:
            body += [*self._generations(field), f"new.{field.name} = value"]
        body.append("new.problems = ()")
        if "_resource" in attrs.fields_dict(self._schema.kind):
            body += ["new._resource = None", "new._clock = problems.clock"]
        body += [f"new.{field.name} = None" for field in attrs.fields(self._schema.kind) if is_unread(field)]
        body += [
            f"if {' and '.join(self._known)}:",
            "    new.extra = NO_EXTRA",
            "else:",
            "    new.extra = extra_of(body)",
            *(["    read_flat(new, body, problems)"] if self._schema.flat else []),
            "new.__class__ = kind",
        ]
        completed_by = getattr(self._schema.kind, "__completed_by__", None)
        if completed_by is not None:
            self._namespace["complete"] = vars(self._schema.kind)["__attrs_post_init__"]
            body += [f"if new.{completed_by} is not None:", "    complete(new)"]
        if self._schema.check is not None:
            given = self._schema.check.given
            checks = [
                "try:",
                "    found = run_check(new)",
                "except (ArithmeticError, AttributeError, TypeError, ValueError):",
                "    found = ()  # a type of a user's hook, which cannot be compared",
                "if found:",
                "    record_disagreements(problems, found)",
            ]
            body += checks if given is None else [f"if new.{given} is not None:", *_indent(checks)]
        body.append("return new")
        source = "\n".join(["def read(body, problems):", *_indent(body), ""])
        return GeneratedCode(source, self._namespace, self._first_value)

    # --------------------------------------------------------------------------------------------- places

    def _open(self, path: Path) -> list[str]:
        """Look into an object that only holds others, once for all that is read from it."""
        if path in self._getters:
            return []
        lines = self._open(path[:-1])
        number = len(self._getters)
        lines += [
            f"held{number} = {self._get(path)}",
            f"if held{number}.__class__ is not dict:",
            f"    if held{number} is not None:",
            f"        record_non_object(problems, {_json_path(path)!r}, held{number})",
            f"    held{number} = empty",
            f"get{number} = held{number}.get",
        ]
        self._getters[path] = f"get{number}"
        self._namespace[f"known{number}"] = self._schema.containers[path]
        self._known.append(f"known{number}.issuperset(held{number})")
        return lines

    def _get(self, path: Path) -> str:
        return f"{self._getters[path[:-1]]}({path[-1]!r})"

    def _generations(self, field: FieldSchema) -> list[str]:
        """Read the newest name; of older ones what it lacks. Single values are read of the newest that has one."""
        if field.model is not None and not isinstance(self._readers[field.name], ScalarCodec):
            return self._merged_generations(field)
        is_empty = "value == ()" if field.many else "value is None"
        lines: list[str] = []
        for age, path in reversed(list(enumerate(field.paths))):
            read = [f"raw = {self._get(path)}", *self._value(field, path, age)]
            older = [f"if not raw or {is_empty}:", f"    newer{age} = value", *_indent(lines)] if lines else []
            newer = [f"if {is_empty}:", f"    value = newer{age - 1}"] if age else []
            lines = [*read, *older, *newer]
        if self._readers[field.name] is not field.codec:  # a user's hook may make any type
            return lines
        for age, path in enumerate(field.paths):
            if path in self._schema.older:
                replaced = f"{field.unit!r}, problems, {_json_path(field.paths[0])!r}, {_json_path(path)!r}"
                check = [
                    "newer = value",
                    f"raw = {self._get(path)}",
                    *self._value(field, path, age),
                    f"check_replaced_value((newer, value), {replaced})",
                    "value = newer",
                ]
                lines += [f"if {self._get(path)} is not None:", *_indent(check)]
        return lines

    def _merged_generations(self, field: FieldSchema) -> list[str]:
        fill = "fill_missing_items" if field.many else "fill_missing"
        lines: list[str] = []
        for age, path in enumerate(field.paths):
            read = [f"raw = {self._get(path)}", *self._value(field, path, age)]
            place = _json_path(field.paths[0])
            merge = [
                "newer = value",
                *read,
                "older = value",
                f"value = {fill}(newer, older)",
                f"check_merged(newer, value, problems, {place!r})",
                f"check_replaced((newer, older), value, problems, {place!r}, {_json_path(path)!r})",
            ]
            lines += [f"if {self._get(path)} is not None:", *_indent(merge)] if age else read
        return lines

    # --------------------------------------------------------------------------------------------- values

    def _first_value(self, field: FieldSchema) -> list[str]:
        """Make ``value`` of ``raw``, which the first of the field's keys has."""
        return self._value(field, field.paths[0], 0)

    def _value(self, field: FieldSchema, path: Path, age: int) -> list[str]:
        """Make ``value`` of ``raw``."""
        place = _json_path(path)
        reader = self._readers[field.name]
        if not isinstance(reader, ScalarCodec):
            read = f"read_{field.name}"
            self._namespace[read] = reader
            return self._models(read, place, age) if field.many else self._model(read, place)
        attempt = f"attempt_{field.name}"
        self._namespace[attempt] = attempt_of(reader)
        if field.many:
            several = "one_or_more_values" if age and field.model is not None else "read_values"
            return [f"value = () if raw is None else {several}({attempt}, raw, {place!r}, problems)"]
        if field.within is not None and reader is field.codec:  # a user's hook may make any type
            return self._bounded(reader, field.within, place, f"value = {attempt}(raw, {place!r}, problems)")
        return self._scalar(field, reader, place, f"value = {attempt}(raw, {place!r}, problems)")

    def _scalar(self, field: FieldSchema, codec: ScalarCodec, place: str, attempt: str) -> list[str]:
        if codec is NUMBER or codec.none is not None:
            # What is infinite or no number differs from zero when subtracted from itself.
            return self._number(codec, "raw - raw == 0.0", (-_EXACT, _EXACT), attempt)
        if codec is SECONDS:
            return [
                f"if raw.__class__ is int and {-MAX_SECONDS} < raw < {MAX_SECONDS}:",
                "    value = timedelta(0, raw)",
                "elif raw is None:",
                "    value = None",
                "else:",
                f"    {attempt}",
            ]
        if codec is INSTANT:
            ahead = [
                "    if value is not None and value > latest:",
                f"        record_ahead(problems, {place!r}, raw, value)",
            ]
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
                *([] if field.may_be_ahead else ahead),
            ]
        if codec.members is not None:
            self._namespace[f"member_{field.name}"] = codec.members.get
            return [
                f"value = member_{field.name}(raw) if raw.__class__ is str else None",
                "if value is None and raw is not None:",
                f"    {attempt}",
            ]
        if codec.exact is not None:
            return [
                f"if raw is None or raw.__class__ is {codec.exact.__name__}:",
                "    value = raw",
                "else:",
                f"    {attempt}",
            ]
        return ["if raw is None:", "    value = None", "else:", f"    {attempt}"]

    def _number(
        self, codec: ScalarCodec, is_fit: str, exact: tuple[int, int], attempt: str, otherwise: tuple[str, ...] = ()
    ) -> list[str]:
        """Read a number: a float that is fit, or a whole number that is a float without loss, without a call."""
        is_some = "" if codec.none is None else f" and raw != {codec.none!r}"
        return [
            f"if raw.__class__ is float and {is_fit}{is_some}:",
            "    value = raw",
            "elif raw is None:",
            "    value = None",
            f"elif raw.__class__ is int and {exact[0]} <= raw <= {exact[1]}{is_some}:",
            "    value = raw + 0.0",
            "else:",
            f"    {attempt}",
            *otherwise,
        ]

    def _bounded(self, codec: ScalarCodec, within: tuple[float, float], place: str, attempt: str) -> list[str]:
        """Read a number that has a least and a greatest plausible figure; one beyond is read, and recorded."""
        least, most = within
        top = "None" if most == inf else repr(most)
        otherwise = (
            f"    if value is not None and not {least!r} <= value <= {most!r}:",
            f"        record_beyond(problems, {place!r}, raw, {least!r}, {top})",
        )
        if codec is not NUMBER and codec.none is None:
            return ["if raw is None:", "    value = None", "else:", f"    {attempt}", *otherwise]
        is_fit = f"{least!r} <= raw <= {min(most, float_info.max)!r}"
        return self._number(codec, is_fit, (ceil(least), int(min(most, _EXACT))), attempt, otherwise)

    def _model(self, read: str, place: str) -> list[str]:
        return [
            "if raw is None:",
            "    value = None",
            "elif raw.__class__ is dict:",
            "    start = len(problems)",
            f"    value = {read}(raw, problems)",
            "    if len(problems) != start:",
            f"        nest_problems(problems, start, value, {place!r})",
            "else:",
            f"    value = record_non_object(problems, {place!r}, raw)",
        ]

    def _models(self, read: str, place: str, age: int) -> list[str]:
        """Read an array; while it has no problems, no account is kept of where each item stands."""
        slowly = f"value = {'one_or_more_models' if age else 'read_models'}({read}, raw, {place!r}, problems)"
        return [
            "if raw is None:",
            "    value = ()",
            "elif raw.__class__ is list:",
            "    start = len(problems)",
            "    value = []",
            "    for item in raw:",
            "        if item.__class__ is dict:",
            f"            value.append({read}(item, problems))",
            "        else:",
            "            record_problem(problems, '', item, '')",
            "    if len(problems) == start:",
            "        value = tuple(value)",
            "    else:",
            "        del problems[start:]",
            f"        {slowly}",
            "else:",
            f"    {slowly}",
        ]
