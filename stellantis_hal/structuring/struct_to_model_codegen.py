"""Python source made from schemas: straight-line code that makes models of msgspec structs.

It reads what is as it should be, and refuses everything else: values with problems are left to the tolerant reader.
Fields that are doubted are read by lines of the tolerant reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, Final

import attrs

from stellantis_hal.hal.json import decode
from stellantis_hal.structuring.extra import NO_EXTRA, Extra
from stellantis_hal.structuring.field_mapping import ClassSchema, FieldSchema, Path, is_unread, schema_of
from stellantis_hal.structuring.generated_msgspec_structs import GeneratedMsgspecStruct
from stellantis_hal.structuring.model_merging import check_merged, fill_missing, fill_missing_items
from stellantis_hal.structuring.model_reader_codegen import GeneratedCode
from stellantis_hal.structuring.scalars import (
    BOOLEAN,
    INSTANT,
    INTEGER,
    MAX_SECONDS,
    NUMBER,
    SECONDS,
    STRING,
    ScalarCodec,
    attempt_of,
    base_type,
    is_open_enum,
    real_type,
)

__all__ = ["MsgspecMismatchError", "MsgspecModelReader", "generate_msgspec_reader"]

MsgspecModelReader = Callable[..., Any]
"""Takes a struct, the horizon and the clock; where fields are doubted, the recorder of their problems, too."""

_DIRECT: Final = (STRING, BOOLEAN, INTEGER, NUMBER)


class MsgspecMismatchError(ValueError):
    """A body is left to the tolerant reader."""


def generate_msgspec_reader(
    kind: type,
    struct: GeneratedMsgspecStruct,
    parts: Mapping[str, MsgspecModelReader],
    mutable_kind: type,
    tolerant: GeneratedCode | None = None,
) -> MsgspecModelReader:
    """Generate the function that makes a model of a msgspec struct, or raises a ValueError.

    Args:
        kind: the class of the model.
        struct: the class's struct.
        parts: the same functions for nested models, by the attribute's name.
        mutable_kind: a class of the same layout whose attributes may be set.
        tolerant: the code of the tolerant reader, which reads fields that the struct doubts; None where it doubts none.
    """
    return _MsgspecCodeGenerator(schema_of(kind), struct, parts, mutable_kind, tolerant).compile()


def _decoded(raw: Any) -> Any:
    return decode(bytes(raw))


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


class _MsgspecCodeGenerator:
    def __init__(
        self,
        schema: ClassSchema,
        struct: GeneratedMsgspecStruct,
        parts: Mapping[str, MsgspecModelReader],
        mutable_kind: type,
        tolerant: GeneratedCode | None,
    ) -> None:
        self._schema = schema
        self._doubted = (
            {}
            if tolerant is None
            else {field.name: tolerant.read_value(field) for field in schema.fields if field.name in struct.doubted}
        )
        self._names: dict[str, Any] = {
            **({} if tolerant is None else tolerant.namespace),
            "NO_EXTRA": NO_EXTRA,
            "UNSET": import_module("msgspec").UNSET,
            "UTC": UTC,
            "Extra": Extra,
            "Refused": MsgspecMismatchError,
            "allocate": object.__new__,
            "check_merged": check_merged,
            "decoded": _decoded,
            "fill_missing": fill_missing,
            "fill_missing_items": fill_missing_items,
            "fromisoformat": real_type(datetime).fromisoformat,
            "kind": schema.kind,
            "mutable_kind": mutable_kind,
            "timedelta": timedelta,
            **{f"read_{name}": read for name, read in parts.items()},
        }
        self._places: dict[Path, tuple[str, GeneratedMsgspecStruct]] = {(): ("wire", struct)}
        self._opening: list[str] = []
        self._open((), struct)

    def compile(self) -> MsgspecModelReader:
        kind, check = self._schema.kind, self._schema.check
        body = ["new = allocate(mutable_kind)"]
        if any(field.codec is INSTANT for field in self._schema.fields):
            body.append("past = horizon.past")
        if self._doubted:
            body.append("latest = horizon.latest")
        if any(self._may_record(field) for field in self._schema.fields):
            body.append("refused = []")
        body += self._opening
        for field in self._schema.fields:
            body += self._field(field)
        body += self._replaced_generations()
        body.append("new.problems = ()")
        if "_resource" in attrs.fields_dict(kind):
            body += ["new._resource = None", "new._clock = clock"]
        body += [f"new.{field.name} = None" for field in attrs.fields(kind) if is_unread(field)]
        body += [*self._extra(), "new.__class__ = kind"]
        completed_by = getattr(kind, "__completed_by__", None)
        if completed_by is not None:
            self._names["complete"] = vars(kind)["__attrs_post_init__"]
            body += [f"if new.{completed_by} is not None:", "    complete(new)"]
        if check is not None:
            self._names["run_check"] = check.run
            found = "run_check(new)" if check.given is None else f"new.{check.given} is not None and run_check(new)"
            body += [f"if {found}:", "    raise Refused"]
        if "refused = []" in body:
            body += ["if refused:", "    raise Refused"]
        arguments = f"wire, horizon, clock{', problems' if self._doubted else ''}"
        source = "\n".join([f"def read({arguments}):", *_indent([*body, "return new"]), ""])
        exec(compile(source, f"<msgspec reader of {kind.__name__}>", "exec"), self._names)  # noqa: S102 - of a schema
        read: MsgspecModelReader = self._names["read"]
        return read

    # --------------------------------------------------------------------------------------------- places

    def _open(self, path: Path, struct: GeneratedMsgspecStruct) -> None:
        """Look into the objects that only hold others; an empty one stands for one that is missing."""
        for key, holder in struct.holders.items():
            name = f"held{len(self._places)}"
            self._names[f"empty_{name}"] = holder.type()
            self._opening += [
                f"{name} = {self._get((*path, key))}",
                f"if {name} is None:",
                f"    {name} = empty_{name}",
            ]
            self._places[*path, key] = name, holder
            self._open((*path, key), holder)

    def _get(self, path: Path) -> str:
        name, struct = self._places[path[:-1]]
        return f"{name}.{struct.attributes[path[-1]]}"

    def _is_undecoded(self, path: Path) -> bool:
        return path[-1] in self._places[path[:-1]][1].undecoded

    def _given(self, path: Path) -> str:
        """Return an expression for whether a value is given; one that is kept undecoded may be null."""
        return f"{self._get(path)} is not {'UNSET' if self._is_undecoded(path) else 'None'}"

    # --------------------------------------------------------------------------------------------- fields

    def _field(self, field: FieldSchema) -> list[str]:
        if len(field.paths) == 1:
            path = field.paths[0]
            if field.name in self._doubted:
                found = self._get(path)
                raw = f"raw = None if {found} is UNSET else decoded({found})"
                return [raw, *self._doubted[field.name], f"new.{field.name} = value"]
            if not field.many and _is_direct(field):
                return [f"new.{field.name} = {self._get(path)}"]
            return [*self._value(field, path), f"new.{field.name} = value"]
        if field.model is not None:
            return [*self._merged(field), f"new.{field.name} = value"]
        is_empty = "value == ()" if field.many else "value is None"
        lines: list[str] = []
        for age, path in reversed(list(enumerate(field.paths))):
            older = [f"if not raw or {is_empty}:", f"    newer{age} = value", *_indent(lines)] if lines else []
            newer = [f"if {is_empty}:", f"    value = newer{age - 1}"] if age else []
            lines = [*self._value(field, path), *older, *newer]
        return [*lines, f"new.{field.name} = value"]

    def _merged(self, field: FieldSchema) -> list[str]:
        """Read a model of each generation that is given, as the tolerant reader merges them."""
        fill = "fill_missing_items" if field.many else "fill_missing"
        lines = self._value(field, field.paths[0])
        for path in field.paths[1:]:
            merge = [
                "newer = value",
                *self._value(field, path),
                f"value = {fill}(newer, value)",
                "check_merged(newer, value, refused, '')",
            ]
            lines += [f"if {self._given(path)}:", *_indent(merge)]
        return lines

    def _replaced_generations(self) -> list[str]:
        """Refuse a body in which an older generation stands beside a newer one: it is kept as an extra."""
        lines: list[str] = []
        for path, paths in self._schema.older.items():
            if path[-1] in self._places[path[:-1]][1].attributes:
                newer = " or ".join(self._given(one) for one in paths[: paths.index(path)])
                lines += [f"if {self._given(path)} and ({newer}):", "    raise Refused"]
        return lines

    def _extra(self) -> list[str]:
        lines: list[str] = []
        for place, (name, struct) in self._places.items():
            for key in struct.unknown:
                attribute = f"{name}.{struct.attributes[key]}"
                into = "".join(f".setdefault({step!r}, {{}})" for step in place)
                lines += [f"if {attribute} is not UNSET:", f"    extra{into}[{key!r}] = decoded({attribute})"]
        if not lines:
            return ["new.extra = NO_EXTRA"]
        return ["extra = {}", *lines, "new.extra = Extra(extra) if extra else NO_EXTRA"]

    # --------------------------------------------------------------------------------------------- values

    def _may_record(self, field: FieldSchema) -> bool:
        """Return whether reading a field may record a problem: its codec's attempt, or a merge of generations."""
        if field.codec is None:
            return len(field.paths) > 1
        return field.codec.attempt is not None

    def _value(self, field: FieldSchema, path: Path) -> list[str]:
        """Make ``value`` of what stands at a path, and ``raw`` of its JSON."""
        found = self._get(path)
        lines = [f"raw = {found}"]
        if self._is_undecoded(path):
            lines = [f"raw = None if {found} is UNSET else decoded({found})"]
        if field.model is not None:
            read = f"read_{field.name}"
            if field.many:
                return [*lines, f"value = tuple([{read}(item, horizon, clock) for item in raw]) if raw else ()"]
            return [*lines, f"value = None if raw is None else {read}(raw, horizon, clock)"]
        codec = field.codec
        assert codec is not None  # noqa: S101 - the class would have no struct
        if field.many:
            return [*lines, *self._values(field, codec, path)]
        return [*lines, *self._scalar(field, codec)]

    def _scalar(self, field: FieldSchema, codec: ScalarCodec) -> list[str]:
        if _is_direct(field):
            return ["value = raw"]
        if codec.none is not None:
            return ["value = raw", f"if value == {codec.none!r}:", "    raise Refused"]
        read = self._reader(field, codec)
        lines = ["if raw is None:", "    value = None"]
        if codec is SECONDS:
            lines += [f"elif raw.__class__ is int and {-MAX_SECONDS} < raw < {MAX_SECONDS}:"]
            lines += ["    value = timedelta(0, raw)", "elif raw.__class__ is int:", "    raise Refused"]
        lines.append("else:")
        if codec is INSTANT:
            checked = [
                "        if value > horizon.latest and horizon.ahead(value) is not None:",
                "            raise Refused",
                "        horizon.remember(raw, value)",
            ]
            return [
                *lines,
                "    value = past.get(raw)",
                "    if value is None:",
                "        try:",
                "            value = fromisoformat(raw)",
                "        except ValueError:",
                f"            value = {read}",
                "        else:",
                "            if value.tzinfo is not UTC:",
                f"                value = {read}",
                *([] if field.may_be_ahead else checked),
            ]
        lines.append(f"    value = {read}")
        if field.within is not None:
            least, most = field.within
            top = "" if most == float("inf") else f" <= {most!r}"
            lines += [f"    if value is None or not {least!r} <= value{top}:", "        raise Refused"]
        return lines

    def _values(self, field: FieldSchema, codec: ScalarCodec, path: Path) -> list[str]:
        if _is_direct(field):
            return ["value = tuple(raw) if raw else ()"]
        read = self._reader(field, codec, "item")
        lines = [f"value = tuple([value for item in raw if (value := {read}) is not None]) if raw else ()"]
        if self._is_undecoded(path):
            lines = ["if raw is not None and raw.__class__ is not list:", "    raise Refused", *lines]
        return lines

    def _reader(self, field: FieldSchema, codec: ScalarCodec, value: str = "raw") -> str:
        """Return the call that reads a value by the codec, and raises or records a problem."""
        if codec.attempt is not None:
            self._names[f"attempt_{field.name}"] = attempt_of(codec)
            return f"attempt_{field.name}({value}, '', refused)"
        self._names[f"scalar_{field.name}"] = codec.read
        return f"scalar_{field.name}({value})"


def _is_direct(field: FieldSchema) -> bool:
    """Return whether msgspec makes the value itself."""
    codec = field.codec
    return any(codec is one for one in _DIRECT) or (
        codec is not None and codec.members is not None and is_open_enum(base_type(field.type))
    )
