"""Structure hooks of model classes: one generated function per class and converter."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import cattrs
from cattrs.errors import StructureHandlerNotFoundError

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.fast_frozen_init import mutable_twin
from stellantis_hal.structuring.extra import NO_EXTRA, Extra
from stellantis_hal.structuring.field_mapping import ClassSchema, FieldSchema, Path, schema_of
from stellantis_hal.structuring.future_limit import FutureLimit
from stellantis_hal.structuring.model_merging import (
    check_merged,
    check_replaced,
    check_replaced_value,
    fill_missing,
    fill_missing_items,
)
from stellantis_hal.structuring.model_reader_codegen import FieldReader, GeneratedCode, ModelReader, generate
from stellantis_hal.structuring.msgspec_reader import MsgspecReader, msgspec_reader
from stellantis_hal.structuring.problems import (
    ProblemList,
    RawProblem,
    nest_problems,
    record_non_object,
    record_problem,
    to_problems,
)
from stellantis_hal.structuring.reporting import report_problems
from stellantis_hal.structuring.scalars import (
    ReadAttempt,
    ScalarCodec,
    ScalarStructureHook,
    attempt_of,
    base_type,
    is_open_enum,
    parent_of,
    unchanged,
)

__all__ = ["PLAIN_HOOK", "CompiledReader", "find_hook", "user_hook"]

_LINKS: Final = frozenset({"_links"})
_PRISTINE: Final = cattrs.Converter()
# How cattrs reads str, int, float and bool where no hook was registered for them.
PLAIN_HOOK: Final = _PRISTINE.get_structure_hook(str)
# Of bodies that are read without a client.
_horizon: Final = FutureLimit(utc_now)


class LazilyCompiledReader:
    """A model reader that is compiled when it is first called: many classes are part of one, and few of a body.

    Args:
        compile_: compiles the function.
    """

    __slots__ = ("_compile", "_function", "_places")

    def __init__(self, compile_: Callable[[], ModelReader]) -> None:
        self._compile = compile_
        self._function: ModelReader | None = None
        self._places: list[tuple[dict[str, Any], str]] = []

    def __call__(self, body: dict[str, Any], problems: ProblemList) -> Any:
        function = self._function
        if function is None:
            function = self._function = self._compile()
            for names, name in self._places:
                names[name] = function
            self._places.clear()
        return function(body, problems)

    def bind(self, names: dict[str, Any], name: str) -> None:
        """Let a name of generated code mean the function itself, as soon as it is compiled."""
        if self._function is None:
            self._places.append((names, name))
        else:
            names[name] = self._function


class _ClassCode:
    """The generated code of one class.

    Args:
        schema: its fields.
        readers: what reads each of them.
        flat: the keys that an older generation has.
    """

    def __init__(self, schema: ClassSchema, readers: Mapping[str, FieldReader], flat: list[_FlatKey]) -> None:
        self._schema = schema
        self._readers = readers
        self._flat = flat
        self._generated: GeneratedCode | None = None

    def generated(self) -> GeneratedCode:
        """Return the source, with all names that it uses but those of :meth:`compile`."""
        if self._generated is None:
            found = generate(self._schema, self._readers)
            found.namespace.update(
                check_merged=check_merged,
                check_replaced=check_replaced,
                check_replaced_value=check_replaced_value,
                fill_missing=fill_missing,
                fill_missing_items=fill_missing_items,
                mutable_kind=mutable_twin(self._schema.kind),
                read_flat=functools.partial(_read_flat, self._flat),
                one_or_more_models=_one_or_more_models,
                one_or_more_values=_one_or_more_values,
                read_models=_read_models,
                read_values=_read_values,
            )
            self._generated = found
        return self._generated

    def compile(self, known: frozenset[str]) -> ModelReader:
        """Return the function, compiled; ``known`` are the keys of a body that are no extra."""
        found, schema = self.generated(), self._schema
        names: dict[str, Any] = {
            **found.namespace,
            "known": known,
            "extra_of": functools.partial(_extra_of, schema, known),
        }
        exec(compile(found.source, f"<reader of {schema.kind.__name__}>", "exec"), names)  # noqa: S102 - of a schema
        for name, reader in self._readers.items():
            if isinstance(reader, LazilyCompiledReader):
                reader.bind(names, f"read_{name}")
        read: ModelReader = names["read"]
        return read


@attrs.frozen(eq=False)
class CompiledReader:
    """The cattrs structure hook of a model class; its functions are compiled when they are first called.

    Attributes:
        kind: the class.
        strict: whether a body in which anything cannot be read is refused.
        read: takes a body and the list to which problems are added, and returns the model. It never raises.
        read_part: the same for a part of another body, which has no resource that would keep its links.
        is_own: whether no hook of the user reads any part.
        wire: reads the bytes of a body by msgspec; None where it is not installed, or a hook of the user reads a part.
    """

    kind: type
    strict: bool
    read: ModelReader
    read_part: ModelReader
    is_own: bool
    wire: MsgspecReader | None = None

    @classmethod
    def compile(cls, kind: type, converter: cattrs.Converter, *, strict: bool) -> CompiledReader:
        """Make the hook of a class, with the converter's hooks for its scalars and nested classes.

        Raises:
            TypeError: a field has a type that no hook reads.
        """
        schema = schema_of(kind)
        readers = {field.name: _reader_of(field, schema, converter) for field in schema.fields}
        code = _ClassCode(schema, readers, [_flat_key(key, schema, converter) for key in schema.flat])
        is_own = all(_is_own(readers[field.name], field, converter) for field in schema.fields)
        return cls(
            kind,
            strict,
            LazilyCompiledReader(functools.partial(code.compile, schema.known)),
            LazilyCompiledReader(functools.partial(code.compile, schema.known - _LINKS)),
            is_own,
            msgspec_reader(kind, code.generated) if is_own else None,
        )

    def __call__(self, body: Any, kind: Any = None, /, *, path: str = "$", strict: bool = False) -> Any:
        """Read a body; a model of the class passes as it is.

        Raises:
            StructureError: in strict mode, naming all paths.
        """
        if isinstance(body, self.kind):
            return body
        problems = ProblemList(_horizon)
        model = self.read(body if type(body) is dict else dict(body), problems)
        if problems:
            records = to_problems(path, problems)
            object.__setattr__(model, "problems", records)  # frozen, but not yet handed out
            report_problems(self.kind, records, strict=strict or self.strict)
        return model


def _reader_of(field: FieldSchema, schema: ClassSchema, converter: cattrs.Converter) -> FieldReader:
    """Choose how a field is read: by our own code, or by a hook that the user registered."""
    if field.model is not None:
        hook = find_hook(field.model, converter)
        return hook.read_part if isinstance(hook, CompiledReader) else _codec_of_hook(hook, field)
    base = base_type(field.type)
    if base is not field.type:
        hook = find_hook(field.type, converter)
        if not isinstance(hook, ScalarStructureHook):
            return _codec_of_hook(hook, field)
    hook = user_hook(base, converter, has_codec=field.codec is not None)
    if hook is not None:
        return _codec_of_hook(hook, field)
    if field.codec is None:
        name = base.__name__ if isinstance(base, type) else base
        raise TypeError(
            f"{schema.kind.__name__}.{field.name}: no JSON value reads as {name}; "
            f"register a hook for it: converter.register_structure_hook({name}, …)"
        )
    return field.codec


def _is_own(reader: FieldReader, field: FieldSchema, converter: cattrs.Converter) -> bool:
    """Return whether a field is read by this library alone, at any depth."""
    if field.model is None:
        return reader is field.codec
    hook = find_hook(field.model, converter)
    return isinstance(hook, CompiledReader) and hook.kind is field.model and hook.is_own


def find_hook(kind: Any, converter: cattrs.Converter) -> Any:
    """Return the structure hook of a type; None where there is none."""
    try:
        return converter.get_structure_hook(kind)
    except StructureHandlerNotFoundError:
        return None


def user_hook(kind: Any, converter: cattrs.Converter, *, has_codec: bool) -> Any:
    """Return the structure hook that the user registered for the type of a single value; None where there is none."""
    hook = find_hook(kind, converter)
    if isinstance(hook, ScalarStructureHook) or hook is PLAIN_HOOK:
        return None
    parent = parent_of(kind)
    if parent is not None and hook is find_hook(parent, converter):
        return None  # cattrs passes hooks on to subclasses: one for str is not meant for enumerations
    is_generated = has_codec and not is_open_enum(kind) and find_hook(kind, _PRISTINE) not in (None, PLAIN_HOOK)
    return None if is_generated else hook  # cattrs generates hooks for tuples and the like


def _codec_of_hook(hook: Callable[[Any, Any], Any], field: FieldSchema) -> ScalarCodec:
    """Wrap a user's hook: what it raises is recorded as a problem, and sentinels of the field stay sentinels."""
    kind = base_type(field.type)
    name = getattr(kind, "__name__", str(kind))
    own = None if field.codec is None else attempt_of(field.codec)

    def attempt(value: Any, path: str, problems: list[RawProblem]) -> Any:
        if own is not None:
            found: list[RawProblem] = []
            own(value, path, found)
            if any(problem_kind == "sentinel" for *_, problem_kind in found):
                problems += found
                return None
        try:
            return hook(value, kind)
        except Exception as error:  # noqa: BLE001 - a user's hook may raise anything; no item costs its page
            reason = f"the structure hook of {name} raised {type(error).__name__}"  # its text may quote the value
            record_problem(problems, path, value, reason)
            return None

    return ScalarCodec(read=lambda value: hook(value, kind), write=unchanged, attempt=attempt)


def _read_models(read: ModelReader, value: Any, path: str, problems: ProblemList) -> tuple[Any, ...]:
    """Read an array of objects."""
    if not isinstance(value, list):
        record_problem(problems, path, value, "not an array")
        return ()
    models: list[Any] = []
    for index, item in enumerate(value):
        place = f"{path}[{index}]"
        if isinstance(item, dict):
            models.append(_read_model(read, item, place, problems))
        else:
            record_problem(problems, place, item, "not an object")
    return tuple(models)


def _one_or_more_models(read: ModelReader, value: Any, path: str, problems: ProblemList) -> tuple[Any, ...]:
    """Read an array of objects, or the only object in place of an array, as older generations have it."""
    if isinstance(value, dict):
        return (_read_model(read, value, path, problems),)
    return _read_models(read, value, path, problems)


def _read_model(read: ModelReader, value: dict[str, Any], path: str, problems: ProblemList) -> Any:
    start = len(problems)
    model = read(value, problems)
    if len(problems) != start:
        nest_problems(problems, start, model, path)
    return model


def _read_values(attempt: ReadAttempt, value: Any, path: str, problems: list[RawProblem]) -> tuple[Any, ...]:
    """Read an array of single values."""
    if not isinstance(value, list):
        record_problem(problems, path, value, "not an array")
        return ()
    values = (attempt(item, f"{path}[{index}]", problems) for index, item in enumerate(value))
    return tuple(item for item in values if item is not None)


def _one_or_more_values(attempt: ReadAttempt, value: Any, path: str, problems: list[RawProblem]) -> tuple[Any, ...]:
    """Read an array of objects by a user's hook, or the only object in place of an array."""
    if isinstance(value, dict):
        only = attempt(value, path, problems)
        return () if only is None else (only,)
    return _read_values(attempt, value, path, problems)


@attrs.frozen
class _FlatKey:
    """A key that an older generation has beside the object that holds it today.

    Attributes:
        key: the key.
        attributes: the attributes that lead to its value.
        models: the classes of all of them but the last.
        read: reads the value.
    """

    key: str
    attributes: Path
    models: tuple[type, ...]
    read: FieldReader


def _flat_key(key: str, schema: ClassSchema, converter: cattrs.Converter) -> _FlatKey:
    attributes = schema.flat[key]
    models: list[type] = []
    for name in attributes[:-1]:
        model = next(field.model for field in schema.fields if field.name == name)
        assert model is not None  # noqa: S101 - the class says so
        models.append(model)
        schema = schema_of(model)
    field = next(field for field in schema.fields if field.name == attributes[-1])
    return _FlatKey(key, attributes, tuple(models), _reader_of(field, schema, converter))


def _read_flat(keys: list[_FlatKey], model: Any, body: dict[str, Any], problems: ProblemList) -> None:
    """Read keys of an older generation into today's places, where these are empty."""
    for flat in keys:
        raw, place = body.get(flat.key), f".{flat.key}"
        if raw is None:
            continue
        if isinstance(flat.read, ScalarCodec):
            value = attempt_of(flat.read)(raw, place, problems)
        elif isinstance(raw, dict):
            value = _read_model(flat.read, raw, place, problems)
        else:
            record_non_object(problems, place, raw)
            continue
        for kind, name in zip(reversed(flat.models), reversed(flat.attributes[1:]), strict=True):
            value = kind(**{name: value})
        first = flat.attributes[0]
        newer = getattr(model, first)
        merged = fill_missing(newer, value)
        check_replaced((newer, value), merged, problems, f".{first}", place)
        setattr(model, first, merged)


def _extra_of(schema: ClassSchema, known: frozenset[str], body: dict[str, Any]) -> Mapping[str, Any]:
    """Collect what no field was read from: unknown keys, those inside containers too, and replaced generations."""
    extra = {key: body[key] for key in body if key not in known and key not in schema.flat}
    for path, inner in schema.containers.items():
        value = _value_at(body, path)
        if isinstance(value, dict):
            if path == ("_embedded",):
                extra.pop("_embedded", None)
            if not inner.issuperset(value):
                _place(extra, path).update({name: value[name] for name in value if name not in inner})
    for path, paths in schema.older.items():
        value = _value_at(body, path)
        if value is not None and any(_value_at(body, newer) for newer in paths[: paths.index(path)]):
            _place(extra, path[:-1])[path[-1]] = value
    if extra.get("_embedded") == {}:
        del extra["_embedded"]
    return Extra(extra) if extra else NO_EXTRA


def _place(extra: dict[str, Any], path: Path) -> dict[str, Any]:
    for key in path:
        extra = extra.setdefault(key, {})
    return extra


def _value_at(body: dict[str, Any], path: Path) -> Any:
    value: Any = body
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
