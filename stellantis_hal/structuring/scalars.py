"""Scalar codecs: strings, numbers, booleans, instants, durations, members of enumerations."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from typing import Annotated, Any, Final

import attrs

from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import RawProblem, SentinelValueError, record_problem
from stellantis_hal.structuring.timestamps import (
    read_duration,
    read_instant,
    write_duration,
    write_instant,
)

__all__ = [
    "BOOLEAN",
    "DURATION",
    "INSTANT",
    "INTEGER",
    "MAX_SECONDS",
    "NUMBER",
    "SECONDS",
    "STRING",
    "ReadAttempt",
    "ScalarCodec",
    "ScalarStructureHook",
    "Seconds",
    "attempt_of",
    "base_type",
    "codec_of",
    "is_open_enum",
    "parent_of",
    "real_type",
    "unchanged",
    "writer_of",
]

MAX_SECONDS: Final = 10**9  # seconds, well within a timedelta


def _of_library(kind: type) -> type[Any]:
    return next(parent for parent in kind.__mro__ if parent.__module__ == "datetime")


_INEXACT: Final = 2.0**53
"""The least float that several integers are decoded as."""
# freezegun replaces these classes by its own in modules that are loaded already or later, but not inside a tuple.
_REAL: Final = tuple((real, real(2000, 1, 1)) for real in map(_of_library, (datetime, date)))


def real_type(kind: Any) -> Any:
    """Return ``datetime`` or ``date`` for a class that freezegun put in its place, and any other type as it is."""
    for real, example in _REAL:
        if isinstance(kind, type) and issubclass(kind, real) and isinstance(example, kind):
            return real
    return kind


_from_iso: Final[Callable[[str], datetime]] = real_type(datetime).fromisoformat

# Takes a value, its path and the list to which problems are added; returns None where the value cannot be read.
ReadAttempt = Callable[[Any, str, list[RawProblem]], Any]


@attrs.frozen
class ScalarCodec:
    """A pair of functions between a JSON value and a Python value.

    As metadata of an ``Annotated`` type it says how a field of that type is read.

    Attributes:
        read: returns the Python value; raises ValueError with a reason that quotes nothing of the value, or
            SentinelValueError where the value stands for "none".
        write: returns the JSON value of what ``read`` returned.
        exact: the type that passes as it is, without a call; None where there is none.
        members: the JSON values that stand for one Python value each.
        none: the figure that stands for "none", of a codec that reads every other number as ``NUMBER`` does.
        attempt: reads and records problems, for values that can be read in part; None: made of ``read``.
        wire: a type of which msgspec reads every value that the codec reads without a problem, as in ``list[float]``,
            where numbers are read as ``NUMBER`` does; None where there is no such type.
    """

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    exact: type | None = None
    members: Mapping[str, Any] | None = None
    none: float | None = None
    attempt: ReadAttempt | None = None
    wire: Any = None


def attempt_of(codec: ScalarCodec) -> ReadAttempt:
    """Return a function that records a problem where the codec's ``read`` raises."""
    if codec.attempt is not None:
        return codec.attempt
    read = codec.read

    def attempt(value: Any, path: str, problems: list[RawProblem]) -> Any:
        try:
            return read(value)
        except SentinelValueError as sentinel:
            record_problem(problems, path, value, str(sentinel), "sentinel")
        except ValueError as error:
            record_problem(problems, path, value, str(error))
        return None

    return attempt


@attrs.frozen(eq=False)
class ScalarStructureHook:
    """The cattrs structure hook of a scalar type: where a converter has it, compiled code reads the type inline."""

    codec: ScalarCodec

    def __call__(self, value: Any, kind: Any = None, /) -> Any:
        """Read a value.

        Raises:
            ValueError: it cannot be read.
        """
        if self.codec.attempt is None:
            return self.codec.read(value)
        problems: list[RawProblem] = []
        result = self.codec.attempt(value, "", problems)
        if problems:
            raise ValueError(problems[0][2])
        return result


def unchanged(value: Any) -> Any:
    """Return the value."""
    return value


def _read_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("not a string")


def _read_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("not a boolean")


def _read_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("a number too large to hold") from None
    if not isfinite(number):
        raise ValueError("not a finite number")
    return number


def _read_integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _read_number(value)
    if not number.is_integer():
        raise ValueError("not a whole number")
    if abs(number) >= _INEXACT:  # the server may have written another one, as 18446744073709551617.0
        raise ValueError("a whole number too large to be read exactly")
    return int(number)


def _read_instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("not a string")
    try:
        instant: datetime = _from_iso(value)
    except ValueError:
        return read_instant(value)
    return instant if instant.tzinfo is UTC else read_instant(value)


def _read_duration(value: Any) -> timedelta:
    return read_duration(_read_string(value))


def _read_seconds(value: Any) -> timedelta:
    try:
        return timedelta(seconds=_read_number(value))
    except OverflowError:
        raise ValueError("a duration too long to hold") from None


def _write_seconds(span: timedelta) -> float | int:
    seconds = span.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def writer_of(kind: type, write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that writes values of a type; others, made by a hook of the user, pass unchanged."""
    return lambda value: write(value) if isinstance(value, kind) else value


STRING: Final = ScalarCodec(_read_string, unchanged, str)
BOOLEAN: Final = ScalarCodec(_read_boolean, unchanged, bool)
NUMBER: Final = ScalarCodec(_read_number, unchanged)
INTEGER: Final = ScalarCodec(_read_integer, unchanged, int)
INSTANT: Final = ScalarCodec(_read_instant, writer_of(datetime, write_instant))
DURATION: Final = ScalarCodec(_read_duration, writer_of(timedelta, write_duration))
SECONDS: Final = ScalarCodec(_read_seconds, writer_of(timedelta, _write_seconds))

Seconds = Annotated[timedelta, SECONDS]
"""A duration that is written as a number of seconds."""


_BY_TYPE: Final[dict[type, ScalarCodec]] = {
    str: STRING,
    bool: BOOLEAN,
    float: NUMBER,
    int: INTEGER,
    real_type(datetime): INSTANT,
    timedelta: DURATION,
}
_PARENTS: Final[dict[type, type]] = {bool: int, real_type(datetime): real_type(date)}


def codec_of(kind: Any) -> ScalarCodec | None:
    """Return the codec of a type: that of its annotation, or the usual one; None where there is none."""
    if (annotated := _annotation(kind)) is not None:
        return annotated
    if is_open_enum(kind):
        return _member_codec(kind)
    return _BY_TYPE.get(kind) if isinstance(kind, type) else None


def base_type(kind: Any) -> Any:
    """Return the type that an ``Annotated`` one with a codec stands for; any other type as it is."""
    return kind if _annotation(kind) is None else kind.__origin__


def parent_of(kind: Any) -> type | None:
    """Return the type whose cattrs hook a type would inherit without one of its own."""
    return str if is_open_enum(kind) else _PARENTS.get(kind)


def _annotation(kind: Any) -> ScalarCodec | None:
    if typing.get_origin(kind) is not Annotated:
        return None
    return next((item for item in kind.__metadata__ if isinstance(item, ScalarCodec)), None)


def is_open_enum(kind: Any) -> bool:
    """Return whether a type is an open enumeration."""
    return isinstance(kind, type) and issubclass(kind, OpenEnum)


def _member_codec(enumeration: type[OpenEnum]) -> ScalarCodec:
    """Return the codec of an open enumeration: known members by dict, the others kept."""
    known: dict[str, OpenEnum] = {str(member.value): member for member in enumeration}

    def read(value: Any) -> OpenEnum:
        if not isinstance(value, str):
            raise ValueError("not a string")
        return known.get(value) or enumeration(value)

    return ScalarCodec(read, str, members=known)
