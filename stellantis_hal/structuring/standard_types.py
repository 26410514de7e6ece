"""Structure hooks for types of the standard library in a program's own classes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import cattrs
from cattrs.strategies import configure_union_passthrough

from stellantis_hal.structuring.compiler import find_hook
from stellantis_hal.structuring.scalars import NUMBER, STRING, ScalarCodec, ScalarStructureHook, real_type, unchanged

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
        try:
            number = Decimal(value)
        except ArithmeticError:
            raise ValueError("not a number") from None
        if not number.is_finite():
            raise ValueError("not a finite number")
        return number
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return Decimal(str(NUMBER.read(value)))


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


def configure_standard_types(converter: cattrs.Converter) -> None:
    """Register hooks for dates, times of day, decimal numbers, UUIDs, and unions of JSON's single values.

    Hooks that the converter has already are kept.
    """
    configure_union_passthrough(str | bool | int | float | None, converter)
    for kind, codec in _CODECS:
        if find_hook(kind, converter) is None:
            converter.register_structure_hook_func(_is_kind(kind), ScalarStructureHook(codec))


def _is_kind(expected: type) -> Callable[[Any], bool]:
    return lambda kind: real_type(kind) is expected
