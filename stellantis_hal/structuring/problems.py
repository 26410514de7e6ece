"""Problems: records of values that cannot be read, stand for none, or contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import attrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.structuring.future_limit import FutureLimit

__all__ = [
    "ConsistencyCheck",
    "Disagreement",
    "Problem",
    "ProblemKind",
    "ProblemList",
    "RawProblem",
    "SentinelValueError",
    "json_type",
    "nest_problems",
    "record_ahead",
    "record_beyond",
    "record_disagreements",
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


class SentinelValueError(ValueError):
    """A value that stands for "none"."""


# While a body is read, a problem is (path below the model being read, value's type, reason, kind).
RawProblem = tuple[str, str, str, ProblemKind]

# What a check of a model found: (path below the model, the value there, in what it disagrees).
Disagreement = tuple[str, object, str]


@attrs.frozen
class ConsistencyCheck:
    """A comparison of the views of one fact in a model, run once it was read; ``__check__`` of its class.

    Attributes:
        run: takes the model and returns what disagrees.
        given: the field without which nothing can be compared; None where there is no such field.
    """

    run: Callable[[Any], Sequence[Disagreement]]
    given: str | None = None


class ProblemList(list[RawProblem]):
    """The problems of a body that is being read.

    Attributes:
        horizon: the latest instant that can have been measured.
        clock: what models that know their age keep as their clock; None for the system's.
    """

    __slots__ = ("clock", "horizon")
    horizon: FutureLimit
    clock: object

    def __init__(self, horizon: FutureLimit, clock: object = None) -> None:
        super().__init__()
        self.horizon = horizon
        self.clock = clock


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


def record_ahead(problems: ProblemList, path: str, value: object, instant: datetime) -> None:
    """Record an instant that is ahead of the client's clock, if it still is."""
    ahead = problems.horizon.ahead(instant)
    if ahead is not None:
        by = f"{ahead.days} days" if ahead.days else f"{ahead.seconds} s"
        record_problem(problems, path, value, f"an instant {by} ahead of the client's clock", "disagreement")


def record_beyond(problems: list[RawProblem], path: str, value: object, least: float, most: float | None) -> None:
    """Record that a figure is beyond what is plausible."""
    figure = f"{value:.6g}" if isinstance(value, int | float) else "a figure"
    reason = f"{figure} is less than {least:g}" if most is None else f"{figure} is not within {least:g} to {most:g}"
    record_problem(problems, path, value, reason, "disagreement")


def record_disagreements(problems: list[RawProblem], found: Sequence[Disagreement]) -> None:
    """Record what a check found in a model."""
    for path, value, reason in found:
        record_problem(problems, path, value, reason, "disagreement")


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
