"""Two generations of one value in a body: the newer one, with what it lacks from the older one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import attrs

from stellantis_hal.structuring.extra import Extra
from stellantis_hal.structuring.field_mapping import schema_of
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import RawProblem, record_disagreements, to_problems

__all__ = ["check_merged", "fill_missing", "fill_missing_items"]

_INSTANTS: Final = ("created_at", "updated_at")


def fill_missing(newer: Any, older: Any) -> Any:
    """Return a model with the members that it lacks from an older one, at any depth. Neither is changed.

    Where the older one has a later instant and the same values, that instant is the last update.
    """
    if newer is None:
        return older
    if type(newer) is not type(older) or not isinstance(newer, Model):
        return newer
    changes: dict[str, Any] = {}
    is_same = True
    for field in schema_of(type(newer)).fields:
        mine, others = getattr(newer, field.name), getattr(older, field.name)
        if field.many:
            filled = fill_missing_items(mine, others)
        else:
            filled = others if mine is None else fill_missing(mine, others)
        if filled is not mine:
            changes[field.name] = filled
        if field.model is None and field.name not in _INSTANTS:
            is_same = is_same and (mine is None or others is None or mine == others)
    if is_same and hasattr(newer, "updated_at") and (latest := _latest(older)) and latest > (_latest(newer) or latest):
        changes["updated_at"] = latest
    if older.extra:
        changes["extra"] = Extra({**older.extra, **newer.extra})
    return attrs.evolve(newer, **changes) if changes else newer


def _latest(model: Any) -> datetime | None:
    moments = [getattr(model, name, None) for name in _INSTANTS]
    return max((moment for moment in moments if isinstance(moment, datetime)), default=None)


def fill_missing_items(newer: tuple[Any, ...], older: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return models with the members that they lack from the older ones of the same kind, and those of other kinds.

    The names of the members that tell the kind are in ``__kind__`` of their class, the main one first. Others than
    the main one may be missing. Models of a class without it, and single values, are taken from one generation.
    """
    if not newer or not older:
        return newer or older
    names: tuple[str, ...] | None = getattr(type(newer[0]), "__kind__", None)
    if names is None:
        return newer
    left = list(older)
    items = []
    for item in newer:
        match = next((other for other in left if _matches(item, other, names)), None)
        if match is not None:
            left.remove(match)
        items.append(fill_missing(item, match))
    return (*items, *left)


def _matches(item: Any, other: Any, names: tuple[str, ...]) -> bool:
    main, *finer = ((getattr(item, name, None), getattr(other, name, None)) for name in names)
    return main[0] == main[1] and all(None in pair or pair[0] == pair[1] for pair in finer)


def check_merged(newer: Any, merged: Any, problems: list[RawProblem], path: str) -> None:
    """Record what disagrees in models that were merged, and could not disagree in either generation.

    Args:
        newer: the model of the newer generation, or a tuple of them.
        merged: the result of :func:`fill_missing` or :func:`fill_missing_items`.
        problems: what could not be read so far.
        path: where the model stands, or the array of them.
    """
    if not isinstance(merged, tuple):
        _check(newer, merged, problems, path)
        return
    for index, (before, item) in enumerate(zip(newer, merged, strict=False)):
        _check(before, item, problems, f"{path}[{index}]")


def _check(newer: Any, merged: Any, problems: list[RawProblem], path: str) -> None:
    if merged is newer or not isinstance(merged, Model):
        return
    check = schema_of(type(merged)).check
    if check is None or (check.given is not None and getattr(merged, check.given) is None):
        return
    own = list[RawProblem]()
    try:
        record_disagreements(own, check.run(merged))
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return  # a type of a user's hook, which cannot be compared
    known = {problem.path for problem in merged.problems}
    found = [problem for problem in own if f"${problem[0]}" not in known]
    problems.extend((f"{path}{below}", value_type, reason, kind) for below, value_type, reason, kind in found)
    object.__setattr__(merged, "problems", (*merged.problems, *to_problems("$", found)))  # not yet handed out
