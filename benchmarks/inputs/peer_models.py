"""Models of a body for pydantic and msgspec, made from the body.

An object becomes a class with its keys, a string that looks like an instant a datetime, a number a float, and every
field is optional. Links are left out, as a reader that does not follow them would do; enumerations stay strings,
which saves the peers some work that this package does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import GenericAlias
from typing import Any

from benchmarks.harness.optional import import_optional

__all__ = ["msgspec_type", "pydantic_type"]

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
Make = Callable[[str, dict[str, Any]], Any]


def pydantic_type(body: Mapping[str, Any]) -> Any:
    """Return a pydantic model for bodies like this one."""
    pydantic = import_optional("pydantic")

    def make(name: str, kinds: dict[str, Any]) -> Any:
        fields: dict[str, Any] = {
            f"f{number}": (kind | None, pydantic.Field(default=None, alias=key))
            for number, (key, kind) in enumerate(kinds.items())
        }
        return pydantic.create_model(name, **fields)

    return _kind("Body", body, make)


def msgspec_type(body: Mapping[str, Any]) -> Any:
    """Return a frozen msgspec structure for bodies like this one."""
    msgspec = import_optional("msgspec")

    def make(name: str, kinds: dict[str, Any]) -> Any:
        fields = [(f"f{number}", kind | None, None) for number, kind in enumerate(kinds.values())]
        rename = {f"f{number}": key for number, key in enumerate(kinds)}
        return msgspec.defstruct(name, fields, frozen=True, rename=rename)

    return _kind("Body", body, make)


def _kind(name: str, value: Any, make: Make) -> Any:
    if isinstance(value, dict):
        own = {key: inner for key, inner in value.items() if key != "_links"}
        return make(name, {key: _kind(f"{name}_{key.strip('_')}", inner, make) for key, inner in own.items()})
    if isinstance(value, list):
        if any(isinstance(item, dict) for item in value):
            return GenericAlias(list, _kind(name, _merge(value), make))
        return GenericAlias(list, _kind(name, value[0], make) if value else object)
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    if isinstance(value, str):
        return datetime if _INSTANT.match(value) else str
    return object


def _merge(objects: list[Any]) -> dict[str, Any]:
    """Return one object with the keys of all."""
    merged: dict[str, Any] = {}
    for item in objects:
        for key, value in item.items():
            known = merged.get(key)
            if isinstance(known, dict) and isinstance(value, dict):
                merged[key] = _merge([known, value])
            elif isinstance(known, list) and isinstance(value, list):
                merged[key] = known + value
            else:
                merged[key] = value if known is None else known
    return merged
