"""The types in the signatures of public names."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from types import ModuleType
from typing import Any

import attrs

import stellantis_hal

_ELSEWHERE = {"cli", "integrations", "simulator", "testing"}
"""Subpackages with public names of their own, or with none."""


@cache
def modules() -> list[ModuleType]:
    """Return the modules behind the face of the package."""
    names = [module.name for module in pkgutil.walk_packages(stellantis_hal.__path__, "stellantis_hal.")]
    return [importlib.import_module(name) for name in names if name.split(".")[1] not in _ELSEWHERE]


@cache
def _fallback() -> dict[str, Any]:
    """Return names that modules import for type checkers only."""
    return {name: value for module in modules() for name, value in vars(module).items() if not name.startswith("__")}


def _evaluate(annotation: Any, names: dict[str, Any]) -> Any:
    return eval(annotation, {**_fallback(), **names}) if isinstance(annotation, str) else annotation


def _classes(annotation: Any, names: dict[str, Any]) -> Iterator[type]:
    """Yield the classes of this package in an annotation."""
    annotation = _evaluate(annotation, names)
    if isinstance(annotation, typing.ForwardRef):
        yield from _classes(annotation.__forward_arg__, names)
    elif isinstance(annotation, typing.TypeVar):
        yield from _classes(annotation.__bound__, names)
    elif isinstance(annotation, list | tuple):  # the parameters of a Callable
        for part in annotation:
            yield from _classes(part, names)
    elif typing.get_origin(annotation) is typing.Literal:
        return
    elif typing.get_origin(annotation) is not None:
        yield from _classes(typing.get_origin(annotation), names)
        yield from _classes(typing.get_args(annotation), names)
    elif isinstance(annotation, type) and annotation.__module__.startswith("stellantis_hal."):
        yield annotation


def _functions(value: Any) -> Iterator[Callable[..., Any]]:
    if isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif isinstance(value, cached_property):
        yield value.func
    elif isinstance(value, property) and value.fget is not None:
        yield value.fget
    elif inspect.isfunction(value):
        yield inspect.unwrap(value)


_PUBLIC_METHODS = {"__init__", "__call__", "__aenter__", "__aiter__", "__anext__", "__iter__", "__getitem__"}


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name in _PUBLIC_METHODS


def _annotations(value: Any) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield what is annotated in a public name: where, the annotation, and the names of its module."""
    if inspect.isclass(value):
        overridden: set[str] = set()
        for base in value.__mro__:
            if not base.__module__.startswith("stellantis_hal."):
                continue
            names = vars(importlib.import_module(base.__module__))
            for name, annotation in vars(base).get("__annotations__", {}).items():
                if _is_public(name):
                    yield f"{value.__name__}.{name}", annotation, names
            for name, member in vars(base).items():
                if name == "__init__" and attrs.has(base):  # its parameters are the fields
                    continue
                if _is_public(name) and name not in overridden:
                    overridden.add(name)
                    for function in _functions(member):
                        for annotation in function.__annotations__.values():
                            yield f"{value.__name__}.{name}()", annotation, function.__globals__
    elif inspect.isfunction(value):
        for annotation in value.__annotations__.values():
            yield f"{value.__name__}()", annotation, value.__globals__
    else:  # an alias of types
        yield "", value, {}


@cache
def types_in(value: Any) -> dict[type, list[str]]:
    """Return the classes of this package in the signature of a public name, each with the places where it stands."""
    found: dict[type, list[str]] = {}
    for place, annotation, names in _annotations(value):
        for kind in _classes(annotation, names):
            found.setdefault(kind, []).append(place)
    return found
