"""Pairing of the items of two lists by what they are, not by where they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["IDENTIFIES", "pair_items"]

IDENTIFIES: Final = re.compile(r"([^\[]+)\[(\d+)\]\.(?:type|identifier|slot)")
"""The path of a value that tells an item of a list from the others: ``energies[0].type``."""

_INDEX: Final = re.compile(r"([^\[]+)\[(\d+)\]")


def pair_items(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return old values by path, each item of a list at the index that its counterpart has in the new values.

    An item without one is put at an index that no counterpart has. A list with two items of one kind, or with an item
    that does not state its kind, is left as it is.

    >>> pair_items({"a[0].type": "x", "a[0].b": 1, "a[1].type": "y"}, {"a[0].type": "y", "a[1].type": "x"})
    {'a[1].type': 'x', 'a[1].b': 1, 'a[0].type': 'y'}
    """
    before, after = _kinds(old), _kinds(new)
    moves = {name: _moves(before[name], after[name]) for name in before.keys() & after.keys()}
    return {_moved(path, moves): value for path, value in old.items()}


def _kinds(values: Mapping[str, Any]) -> dict[str, dict[int, Any]]:
    """Return by the path of a list the kind of each item by its index, of lists that can be paired."""
    found: dict[str, dict[int, Any]] = {}
    indices: dict[str, set[int]] = {}
    for path, value in values.items():
        if match := _INDEX.match(path):
            indices.setdefault(match[1], set()).add(int(match[2]))
        if match := IDENTIFIES.fullmatch(path):
            found.setdefault(match[1], {})[int(match[2])] = value
    return {
        name: kinds
        for name, kinds in found.items()
        if kinds.keys() == indices[name] and len(set(map(str, kinds.values()))) == len(kinds)
    }


def _moves(before: Mapping[int, Any], after: Mapping[int, Any]) -> dict[int, int]:
    """Return the new index of each old one."""
    index_of = {kind: index for index, kind in after.items()}
    moves = {index: index_of[kind] for index, kind in before.items() if kind in index_of}
    free = iter(sorted(set(range(len(before) + len(after))) - set(moves.values())))
    return moves | {index: next(free) for index in before if index not in moves}


def _moved(path: str, moves: Mapping[str, Mapping[int, int]]) -> str:
    match = _INDEX.match(path)
    if match is None or match[1] not in moves:
        return path
    return f"{match[1]}[{moves[match[1]][int(match[2])]}]{path[match.end() :]}"
