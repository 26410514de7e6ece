"""Structure hooks for types of the standard library in a program's own classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from contextvars import ContextVar
from dataclasses import is_dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any, Final, get_origin
from uuid import UUID

import attrs
import cattrs
from cattrs.strategies import configure_union_passthrough

from stellantis_hal.structuring.compiler import PLAIN_HOOK, find_hook
from stellantis_hal.structuring.scalars import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    ScalarCodec,
    ScalarStructureHook,
    real_type,
    unchanged,
)

__all__ = ["configure_standard_types"]


def _read_text(what: str, parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        text = STRING.read(value)
        try:
            return parse(text)
        except ValueError:
            raise ValueError(f"not {what}") from None

    return read


def _read_decimal(value: Any) -> Decimal:
    """Return a number as it is written, not as the nearest binary one."""
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) is None:  # Decimal takes digits of other scripts, blanks and underscores too
            raise ValueError("not a number")
        try:
            return Decimal(value)
        except ArithmeticError:
            raise ValueError("a number too large to hold") from None
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return Decimal(str(NUMBER.read(value)))


def _read_string(value: Any) -> str:
    """Return a text, or a number as text: ids are numbers in some bodies."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return STRING.read(value)  # type: ignore[no-any-return]


def _read_integer(value: Any) -> int:
    """Return a whole number, also from its decimal digits."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return INTEGER.read(value)  # type: ignore[no-any-return]


def _read_number(value: Any) -> float:
    """Return a finite number, also from its text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    return NUMBER.read(value)  # type: ignore[no-any-return]


def _read_boolean(value: Any) -> bool:
    """Return a boolean, also from 0, 1, "true" and "false"."""
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    if value.__class__ is int and value in (0, 1):
        return value == 1
    return BOOLEAN.read(value)  # type: ignore[no-any-return]


_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,4000}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BOOLEANS: Final = {"true": True, "false": False}
# cattrs calls these types with any value, which makes "None" of null, 5 of 5.7 and True of "false".
_SINGLE_VALUES: Final = tuple(
    (kind, ScalarCodec(read, unchanged))
    for kind, read in ((str, _read_string), (int, _read_integer), (float, _read_number), (bool, _read_boolean))
)

# The constructors are of the standard library's own classes, also under freezegun, which replaces `date`.
_CODECS: Final = tuple(
    (kind, ScalarCodec(read, unchanged))
    for kind, read in (
        (real_type(date), _read_text("a date", real_type(date).fromisoformat)),
        (time, _read_text("a time of day", time.fromisoformat)),
        (UUID, _read_text("a UUID", UUID)),
        (Decimal, _read_decimal),
    )
)


@attrs.frozen(eq=False)
class _SingleValueHook(ScalarStructureHook):
    """The hook of a type and its subclasses, such as enumerations of texts."""

    kind: type

    def __call__(self, value: Any, kind: Any = None, /) -> Any:
        """Read a value.

        Raises:
            ValueError: it cannot be read.
        """
        found = self.codec.read(value)
        return found if kind is None or kind is self.kind else kind(found)


class _ShapeCheck:
    """The predicate and the factory of hooks that check the JSON type of a value, and pass it to the hook behind them.

    Args:
        expected: returns whether a type is read from this JSON type.
        json_types: the JSON type as Python decodes it.
        name: what the value has to be.
    """

    def __init__(self, expected: Callable[[Any], bool], json_types: type | tuple[type, ...], name: str) -> None:
        self._expected = expected
        self._json_types = json_types
        self._name = name
        self._behind: ContextVar[Any] = ContextVar("behind", default=None)

    def applies(self, kind: Any) -> bool:
        """Return whether a hook is to be made, unless the one behind it is looked up."""
        return self._behind.get() is not kind and self._expected(kind)

    def make(self, kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
        """Return the hook."""
        token = self._behind.set(kind)
        try:
            behind = converter.get_structure_hook(kind, cache_result=False)
        finally:
            self._behind.reset(token)

        if self._json_types is Mapping and not hasattr(behind, "overrides"):
            return behind  # not generated by cattrs for keys: it may take anything

        def structure(value: Any, kind: Any) -> Any:
            if not isinstance(value, self._json_types):
                raise ValueError(f"not {self._name}")
            return behind(value, kind)

        return structure


def _is_array(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, _ARRAYS) and not issubclass(origin, _TEXTS)


_ARRAYS: Final = (Sequence, Set)
_TEXTS: Final = (str, bytes, bytearray)


def _is_class(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and (attrs.has(origin) or is_dataclass(origin))


def configure_standard_types(converter: cattrs.Converter) -> None:
    """Register hooks for single values of JSON and their unions, dates, times of day, decimal numbers, UUIDs, arrays
    and classes.

    Hooks that the converter has already are kept.
    """
    plain = [(kind, codec) for kind, codec in _SINGLE_VALUES if find_hook(kind, converter) is PLAIN_HOOK]
    for single, codec in plain:
        converter.register_structure_hook(single, _SingleValueHook(codec, single))
    for check in (_ShapeCheck(_is_array, (list, tuple), "an array"), _ShapeCheck(_is_class, Mapping, "an object")):
        converter.register_structure_hook_factory(check.applies, check.make)
    configure_union_passthrough(str | bool | int | float | None, converter)
    for kind, codec in _CODECS:
        if find_hook(kind, converter) is None:
            converter.register_structure_hook_func(_is_kind(kind), ScalarStructureHook(codec))


def _is_kind(expected: type) -> Callable[[Any], bool]:
    return lambda kind: real_type(kind) is expected
