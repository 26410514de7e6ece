"""Pydantic core schemas of model classes, for programs that use pydantic or FastAPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import CoreSchema, core_schema

from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.model import Model

__all__ = ["core_schema_of"]


def core_schema_of(kind: type[Model]) -> CoreSchema:
    """Return the schema by which pydantic validates and serializes a model class.

    A value of the class passes as it is. A mapping is read as a response of the API is: what cannot be read is None,
    and stands in ``problems``. It is serialized by ``to_dict()``.
    """

    def validate(value: Any) -> Model:
        if isinstance(value, kind):
            return value
        if isinstance(value, Mapping):
            return read(value, kind)
        raise ValueError(f"a {kind.__name__} or a JSON object is needed, not {type(value).__name__}")

    return core_schema.no_info_plain_validator_function(
        validate,
        ref=f"{kind.__module__}.{kind.__qualname__}:{id(kind)}",  # a definition of its own
        serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.to_dict()),
    )
