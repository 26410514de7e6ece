"""Records of values that could not be read, and the keys that no field has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import attrs

from stellantis_hal.hal.redaction import redacted_repr, shortlist

__all__ = [
    "NO_EXTRA",
    "Extra",
    "Problem",
    "ProblemKind",
    "RawProblem",
    "Sentinel",
    "json_type",
    "nest_problems",
    "record_non_object",
    "record_problem",
    "to_problems",
]


ProblemKind = Literal["unreadable", "sentinel", "disagreement"]
"""What is wrong with a value: it cannot be read, it stands for "none", or it contradicts another value."""


@attrs.frozen(kw_only=True)
class Problem:
    """One value that could not be read, stands for "none", or contradicts another one.

    An unreadable value and a sentinel are None (or missing from their tuple), and no problem quotes them. Values that
    disagree are both given, and the reason names their figures: levels, distances, consumptions. No problem holds
    personal data, so that it may be logged.

    Attributes:
        path: where it stands, as a JSON path: ``$.energies[0].level``.
        value_type: its JSON type: ``null``, ``boolean``, ``number``, ``string``, ``array``, ``object``.
        reason: why it could not be read, or what it contradicts.
        kind: ``"unreadable"``; ``"sentinel"``: the API means "none" by it, as by ``[]`` for an object;
            ``"disagreement"``: it contradicts another value or the clock.
            Strict reading refuses unreadable values only.
    """

    __repr__ = redacted_repr

    path: str
    value_type: str
    reason: str
    kind: ProblemKind = "unreadable"


class Extra(Mapping[str, Any]):
    """Keys that no field has, with their values as received. Immutable, equal by content."""

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


class Sentinel(ValueError):  # noqa: N818 - not an error: the API's way to say "none"
    """A value that stands for "none"."""


# While a body is read, a problem is (path below the model being read, value's type, reason, kind).
RawProblem = tuple[str, str, str, ProblemKind]

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
    """Return the JSON type of a decoded value."""
    return _JSON_TYPES.get(type(value), type(value).__name__)


def record_problem(
    problems: list[RawProblem], path: str, value: object, reason: str, kind: ProblemKind = "unreadable"
) -> None:
    """Record a problem of the value at a path; returns None, which is how an unreadable value reads."""
    problems.append((path, json_type(value), reason, kind))


def record_non_object(problems: list[RawProblem], path: str, value: object) -> None:
    """Record that the value at a path is no object; an empty array stands for "none"."""
    if value == []:
        record_problem(problems, path, value, "an empty array stands for no object", "sentinel")
    else:
        record_problem(problems, path, value, "not an object")


def nest_problems(problems: list[RawProblem], start: int, model: Any, path: str) -> None:
    """Store a nested model's problems in it, and prefix their paths for the model that holds it."""
    own = problems[start:]
    problems[start:] = [(f"{path}{below}", value_type, reason, kind) for below, value_type, reason, kind in own]
    object.__setattr__(model, "problems", to_problems("$", own))  # frozen, but not yet handed out


def to_problems(root: str, problems: list[RawProblem]) -> tuple[Problem, ...]:
    """Return records of the problems below a path, each path once."""
    by_path = {
        path: Problem(path=f"{root}{path}", value_type=value_type, reason=reason, kind=kind)
        for path, value_type, reason, kind in reversed(problems)
    }
    return tuple(reversed(by_path.values()))
