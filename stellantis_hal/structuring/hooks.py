"""Registration of structure and unstructure hooks on cattrs converters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import cattrs

from stellantis_hal.structuring.compiler import CompiledReader, find_hook
from stellantis_hal.structuring.model import Model, unstructure_hook
from stellantis_hal.structuring.pydantic_models import is_pydantic, read_pydantic
from stellantis_hal.structuring.scalars import (
    ScalarCodec,
    ScalarStructureHook,
    base_type,
    codec_of,
    is_open_enum,
    real_type,
)
from stellantis_hal.structuring.standard_types import configure_standard_types
from stellantis_hal.validation import require_flags

__all__ = ["configure_converter", "default_converter", "make_converter"]


def make_converter(*, strict: bool = False) -> cattrs.Converter:
    """Make a cattrs converter that reads and writes every typed class of this library, and classes of your own:
    attrs classes, dataclasses and pydantic models without further ado.

    Hooks registered on it are honoured inside this library's classes: one for ``timedelta`` reads every duration, one
    for ``Energy`` every energy, and one for ``Trip`` every trip. A hook gets the JSON value, and what it returns is
    the attribute's value; where it raises, the attribute is None and has a record in ``problems``. Pass the converter
    to ``StellantisClient(converter=…)`` or ``HalClient(converter=…)``.

    Args:
        strict: whether ``converter.structure(body, Trip)`` refuses a body in which anything cannot be read.

    >>> from datetime import timedelta
    >>> from stellantis_hal.resources.trip import Trip
    >>> converter = make_converter()
    >>> converter.register_structure_hook(timedelta, lambda value, _: timedelta(minutes=value))
    >>> converter.structure({"duration": 90}, Trip).duration
    datetime.timedelta(seconds=5400)
    """
    converter = cattrs.Converter()
    configure_converter(converter, strict=strict)
    return converter


def configure_converter(converter: cattrs.Converter, *, strict: bool = False) -> None:
    """Register this library's hooks on a converter. Hooks for single types that it has already are kept.

    Args:
        converter: the converter to change.
        strict: as in :func:`make_converter`.
    """
    require_flags(strict=strict)
    configure_standard_types(converter)
    for kind in (real_type(datetime), timedelta):
        codec = codec_of(kind)
        if codec is not None and find_hook(kind, converter) is None:
            converter.register_structure_hook_func(functools.partial(_is, kind), ScalarStructureHook(codec))
    converter.register_structure_hook_factory(_has_codec, _codec_hook)
    converter.register_structure_hook_func(is_pydantic, read_pydantic)
    converter.register_structure_hook_factory(_is_model, functools.partial(_model_hook, strict=strict))
    converter.register_unstructure_hook_func(is_open_enum, str)
    converter.register_unstructure_hook_factory(_is_model, unstructure_hook)


def is_configured(converter: cattrs.Converter) -> bool:
    """Return whether a converter has this library's hooks."""
    return isinstance(find_hook(Model, converter), CompiledReader)


@functools.cache
def default_converter() -> cattrs.Converter:
    """Return the converter of clients that were given none; it is made once."""
    return make_converter()


def _is(expected: type, kind: Any) -> bool:
    return real_type(kind) is expected


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _has_codec(kind: Any) -> bool:
    return is_open_enum(kind) or base_type(kind) is not kind


def _codec_hook(kind: Any) -> Callable[[Any, Any], Any]:
    codec = codec_of(kind)
    assert isinstance(codec, ScalarCodec)  # noqa: S101 - _has_codec said so
    return ScalarStructureHook(codec)


def _model_hook(kind: Any, converter: cattrs.Converter, *, strict: bool) -> Callable[[Any, Any], Any]:
    return CompiledReader.compile(kind, converter, strict=strict)
