"""How single values are read and written: texts, numbers, flags, instants, spans, members of enumerations.

Knows what a JSON value must be to pass as one, and the vendor's sentinels. Must not know where a value stands.
A reader raises ValueError with a reason that quotes nothing, or Sentinel where the vendor means "none".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from math import isfinite
from typing import Any, Final

import attrs

from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import Found, Sentinel, note
from stellantis_hal.structuring.timestamps import (
    read_duration,
    read_instant,
    read_time_of_day,
    write_duration,
    write_instant,
    write_time_of_day,
)

__all__ = [
    "COUNT",
    "DURATION",
    "FLAG",
    "INSTANT",
    "MILEAGE",
    "NUMBER",
    "SECONDS",
    "TEMPERATURE",
    "TEXT",
    "TIME_OF_DAY",
    "ScalarCodec",
    "leaf_of",
    "member_of",
    "tolerant",
]

NO_TEMPERATURE: Final = 215.0
_MANY: Final = 10**9  # seconds, well within a timedelta


Attempt = Callable[[Any, str, list[Found]], Any]


@attrs.frozen
class ScalarCodec:
    """A pair of functions between a JSON value and a Python value.

    Attributes:
        read: gives the Python value, or raises ValueError.
        write: gives the JSON value of what ``read`` gave.
        exact: the type that passes as it is, without a call; None where there is none.
        members: values that stand for one thing each, and what they stand for.
        attempt: reads and records by itself, for values that can be read in part.
    """

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    exact: type | None = None
    members: Mapping[str, Any] | None = None
    attempt: Attempt | None = None


def tolerant(leaf: ScalarCodec) -> Attempt:
    """Make a reader that records instead of raising."""
    if leaf.attempt is not None:
        return leaf.attempt
    read = leaf.read

    def attempt(value: Any, step: str, found: list[Found]) -> Any:
        try:
            return read(value)
        except Sentinel as sentinel:
            note(found, step, value, str(sentinel), is_sentinel=True)
        except ValueError as error:
            note(found, step, value, str(error))
        return None

    return attempt


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("not a string")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("not a boolean")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("a number too large to hold") from None
    if not isfinite(number):
        raise ValueError("not a finite number")
    return number


def _count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(value)
    if number.is_integer():
        return int(number)
    raise ValueError("not a whole number")


def _temperature(value: Any) -> float:
    number = _number(value)
    if number == NO_TEMPERATURE:
        raise Sentinel("215 degrees stand for no temperature")
    return number


def _mileage(value: Any) -> float:
    number = _number(value)
    if number == 0:
        raise Sentinel("an odometer at 0 stands for an unknown one")
    return number


def _instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("not a string")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return read_instant(value)
    return instant if instant.tzinfo is UTC else read_instant(value)


def _duration(value: Any) -> timedelta:
    return read_duration(_text(value))


def _seconds(value: Any) -> timedelta:
    if value.__class__ is int and -_MANY < value < _MANY:
        return timedelta(0, value)
    try:
        return timedelta(seconds=_number(value))
    except OverflowError:
        raise ValueError("a duration too long to hold") from None


def _write_seconds(span: timedelta) -> float | int:
    seconds = span.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _time_of_day(value: Any) -> time:
    return read_time_of_day(_text(value))


TEXT: Final = ScalarCodec(_text, _same, str)
FLAG: Final = ScalarCodec(_flag, _same, bool)
NUMBER: Final = ScalarCodec(_number, _same)
COUNT: Final = ScalarCodec(_count, _same, int)
INSTANT: Final = ScalarCodec(_instant, write_instant)
DURATION: Final = ScalarCodec(_duration, write_duration)
TIME_OF_DAY: Final = ScalarCodec(_time_of_day, write_time_of_day)
SECONDS: Final = ScalarCodec(_seconds, _write_seconds)
TEMPERATURE: Final = ScalarCodec(_temperature, _same)
MILEAGE: Final = ScalarCodec(_mileage, _same)

_BY_TYPE: Final[dict[type, ScalarCodec]] = {
    str: TEXT,
    bool: FLAG,
    float: NUMBER,
    int: COUNT,
    datetime: INSTANT,
    timedelta: DURATION,
    time: TIME_OF_DAY,
}


def leaf_of(kind: type) -> ScalarCodec:
    """Give the leaf that reads values of a Python type.

    Raises:
        TypeError: no leaf reads that type.
    """
    if issubclass(kind, OpenEnum):
        return member_of(kind)
    try:
        return _BY_TYPE[kind]
    except KeyError:
        raise TypeError(f"no JSON value reads as {kind.__name__}") from None


def member_of(enumeration: type[OpenEnum]) -> ScalarCodec:
    """Give the leaf of an open enumeration: known members by dict, the others kept."""
    known: dict[str, OpenEnum] = {str(member.value): member for member in enumeration}

    def read(value: Any) -> OpenEnum:
        if not isinstance(value, str):
            raise ValueError("not a string")
        return known.get(value) or enumeration(value)

    return ScalarCodec(read, str, members=known)
