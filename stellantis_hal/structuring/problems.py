"""Records of what could not be read, and the keys nobody knows.

Knows paths, types and reasons. Must not know the values themselves: a record quotes none, so that it may be logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from stellantis_hal.hal.redaction import shortlist

__all__ = ["NO_EXTRA", "Extra", "Found", "Problem", "Sentinel", "json_type", "nest", "no_object", "note"]


@attrs.frozen(kw_only=True)
class Problem:
    """One value that could not be read, and so is None (or missing from its tuple).

    Attributes:
        path: where it stands, as a JSON path: ``$.energies[0].level``.
        value_type: its JSON type: ``null``, ``boolean``, ``number``, ``string``, ``array``, ``object``.
        reason: why it could not be read.
        is_sentinel: whether the vendor means "none" by it (215 °C, an odometer of 0.0, a time of day like ``PT34H7M``,
            a position of ``[0, 0]``, ``[]`` for an object): strict reading lets these pass.
    """

    path: str
    value_type: str
    reason: str
    is_sentinel: bool = False


class Extra(Mapping[str, Any]):
    """Keys that this library does not know, with their values as they came. Unchangeable, equal by content."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Extra({shortlist(self._values)})"

    def __reduce__(self) -> tuple[type[Extra], tuple[Mapping[str, Any]]]:
        return Extra, (self._values,)


NO_EXTRA: Final = Extra({})


class Sentinel(ValueError):  # noqa: N818 - not an error: the vendor's way to say "none"
    """A value that the vendor uses to say that there is none."""


# While a body is read, a problem is (path below the part being read, value's type, reason, is_sentinel).
Found = tuple[str, str, str, bool]

_JSON_TYPES: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def json_type(value: object) -> str:
    """Name the JSON type of a decoded value."""
    return _JSON_TYPES.get(type(value), type(value).__name__)


def note(found: list[Found], step: str, value: object, reason: str, *, is_sentinel: bool = False) -> None:
    """Record that the value at this step could not be read; returns None, which is how the value reads."""
    found.append((step, json_type(value), reason, is_sentinel))


def no_object(found: list[Found], step: str, value: object) -> None:
    """Record that what stands at this step is no object; an empty array is how the vendor says that there is none."""
    if value == []:
        note(found, step, value, "an empty array stands for no object", is_sentinel=True)
    else:
        note(found, step, value, "not an object")


def nest(found: list[Found], start: int, part: Any, step: str) -> None:
    """Give a nested part its own records, and move them below its step in the whole's."""
    own = found[start:]
    found[start:] = [(f"{step}{path}", value_type, reason, sentinel) for path, value_type, reason, sentinel in own]
    object.__setattr__(part, "problems", as_problems("$", own))  # frozen, but not yet handed out


def as_problems(root: str, found: list[Found]) -> tuple[Problem, ...]:
    """Make records of what was found below a path, each path once."""
    by_path = {
        path: Problem(path=f"{root}{path}", value_type=value_type, reason=reason, is_sentinel=sentinel)
        for path, value_type, reason, sentinel in reversed(found)
    }
    return tuple(reversed(by_path.values()))
