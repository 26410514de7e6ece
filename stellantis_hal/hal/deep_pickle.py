"""Pickling of JSON values of any depth.

``pickle`` and ``copy.deepcopy`` recurse, and fail at about 300 levels; JSON decoders read a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

__all__ = ["picklable", "reduce_fields", "text_of", "unwrap"]

_MAX_DEPTH = 50
"""Levels that pickle is left to: responses have fewer than ten."""

_Table = list[tuple[bool, list[Any], list[Any]]]


def picklable(value: Any) -> Any:
    """Return a JSON value as it is, or where it is deep an object that is pickled flat, and unpickled to the value."""
    return _Deep(value) if _is_deep(value) else value


def unwrap(value: Any) -> Any:
    """Return the value that `picklable` was called with: ``copy.copy`` passes what it returned on, unpickled or not."""
    return value.value if isinstance(value, _Deep) else value


def text_of(value: Any) -> str:
    """Return the text of a JSON value of any depth: equal for values that are equal and in the same order."""
    try:
        return repr(value)
    except RecursionError:
        return repr(_pack(value))


def reduce_fields(instance: attrs.AttrsInstance) -> tuple[Callable[..., Any], tuple[type, dict[str, Any]]]:
    """Return what ``__reduce__`` of an attrs class with JSON values in its fields returns."""
    fields = {field.name: getattr(instance, field.name) for field in attrs.fields(type(instance))}
    return _restore_fields, (type(instance), {name: _each(picklable, value) for name, value in fields.items()})


def _restore_fields(kind: type[Any], fields: Mapping[str, Any]) -> Any:
    instance: Any = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(instance, name, _each(unwrap, value))  # the class is frozen
    return instance


def _each(function: Callable[[Any], Any], value: Any) -> Any:
    return tuple(map(function, value)) if type(value) is tuple else function(value)


class _Deep:
    """A value that is pickled without recursion."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Callable[[_Table], Any], tuple[_Table]]:
        return _unpack, (_pack(self.value),)


def _is_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level := [member for each in level for member in _members(each)]:
        depth += 1
        if depth > _MAX_DEPTH:
            return True
    return False


def _members(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [*value.values()]
    return value if isinstance(value, list) else []


def _pack(root: Any) -> _Table:
    """Return the containers of a value: whether it is an object, its keys, its members.

    Each container comes before those in it, and in its place among the members stands a list with its number.
    """
    table: _Table = []
    pending: list[tuple[Any, list[Any] | None, int]] = [(root, None, 0)]
    while pending:
        value, parent, position = pending.pop()
        is_object = isinstance(value, Mapping)
        members = _members(value)[:]
        if parent is not None:
            parent[position] = [len(table)]
        table.append((is_object, [*value] if is_object else [], members))
        pending += [
            (member, members, place) for place, member in enumerate(members) if isinstance(member, Mapping | list)
        ]
    return table


def _unpack(table: _Table) -> Any:
    built: list[Any] = [None] * len(table)
    for number in range(len(table) - 1, -1, -1):
        is_object, keys, members = table[number]
        values = [built[member[0]] if isinstance(member, list) else member for member in members]
        built[number] = dict(zip(keys, values, strict=True)) if is_object else values
    return built[0]
