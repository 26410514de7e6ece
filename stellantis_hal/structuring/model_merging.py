"""Two generations of one value in a body: the newer one, with what it lacks from the older one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import attrs

from stellantis_hal.structuring.extra import Extra
from stellantis_hal.structuring.field_mapping import schema_of
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import Disagreement, RawProblem, record_disagreements, to_problems

__all__ = ["check_merged", "check_replaced", "check_replaced_value", "fill_missing", "fill_missing_items"]

_INSTANTS: Final = ("created_at", "updated_at")
_ROUNDING: Final = 1.0
"""Figures of two generations that differ by less agree: some generations round them."""


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
    matches, left = _matched(newer, older, names)
    return (*map(fill_missing, newer, matches), *left)


def _matched(newer: tuple[Any, ...], older: tuple[Any, ...], names: tuple[str, ...]) -> tuple[list[Any], list[Any]]:
    """Return the older item of each newer one, None where there is none, and the older items that are left."""
    left, matches = list(older), list[Any]()
    for item in newer:
        match = next((other for other in left if _matches(item, other, names)), None)
        if match is not None:
            left.remove(match)
        matches.append(match)
    return matches, left


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
    _add(merged, own, problems, path)


def _add(merged: Model, own: list[RawProblem], problems: list[RawProblem], path: str) -> None:
    """Add problems of a model that is not yet handed out, but those of paths that have one."""
    known = {problem.path for problem in merged.problems}
    found = [problem for problem in own if f"${problem[0]}" not in known]
    problems.extend((f"{path}{below}", value_type, reason, kind) for below, value_type, reason, kind in found)
    object.__setattr__(merged, "problems", (*merged.problems, *to_problems("$", found)))


# ------------------------------------------------------------------------------------------------- replaced values


def check_replaced(
    generations: tuple[Any, Any], merged: Any, problems: list[RawProblem], path: str, replaced: str
) -> None:
    """Record the values of a newer generation that an older one has otherwise; the instants of blocks are none.

    Args:
        generations: the model of the newer and of the older generation, or tuples of them.
        merged: the result of :func:`fill_missing` or :func:`fill_missing_items`.
        problems: what could not be read so far.
        path: where the newer one stands.
        replaced: where the older one stands.
    """
    newer, older = generations
    if not isinstance(newer, tuple):
        _record_differences(generations, merged, problems, path, replaced)
        return
    names: tuple[str, ...] | None = getattr(type(newer[0]), "__kind__", None) if newer else None
    if names is None:
        check_replaced_value(generations, None, problems, path, replaced)
        return
    for index, pair in enumerate(zip(newer, _matched(newer, older, names)[0], strict=True)):
        _record_differences(pair, merged[index], problems, f"{path}[{index}]", replaced)


def check_replaced_value(
    generations: tuple[Any, Any], unit: str | None, problems: list[RawProblem], path: str, replaced: str
) -> None:
    """Record a single value, or an array of them, that an older generation has otherwise."""
    record_disagreements(problems, [*_difference(*generations, unit, path, replaced)])


def _record_differences(
    generations: tuple[Any, Any], merged: Any, problems: list[RawProblem], path: str, replaced: str
) -> None:
    own = list[RawProblem]()
    record_disagreements(own, [*_differences(*generations, "", replaced)])
    if own:
        _add(merged, own, problems, path)


def _differences(newer: Any, older: Any, place: str, replaced: str) -> Iterator[Disagreement]:
    if not isinstance(newer, Model) or type(newer) is not type(older):
        return
    for field in schema_of(type(newer)).fields:
        mine, others = getattr(newer, field.name), getattr(older, field.name)
        where = place + "".join(f".{name}" for name in field.paths[0])
        if field.model is not None and not field.many:
            yield from _differences(mine, others, where, replaced)
        elif field.name not in _INSTANTS:
            yield from _difference(mine, others, field.unit, where, replaced)


def _difference(newer: Any, older: Any, unit: str | None, path: str, replaced: str) -> Iterator[Disagreement]:
    """Yield how two values differ; figures are named, other values may be personal."""
    if newer in (None, ()) or older in (None, ()) or newer == older:
        return
    name = replaced.removeprefix(".")
    if isinstance(newer, float) and isinstance(older, float):
        if abs(newer - older) >= _ROUNDING:
            measured = f"{newer:.6g} {unit}" if unit else f"{newer:.6g}"
            yield path, newer, f"{measured}, but {older:.6g} in the older {name}"
    else:
        value = newer if isinstance(newer, bool | int) else [] if isinstance(newer, tuple) else ""
        yield path, value, f"another value than in the older {name}"
