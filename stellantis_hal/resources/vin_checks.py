"""Checks that what was read of a vehicle is not that of another one: bodies of fleets state a VIN."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["check_vin"]

T = TypeVar("T")


def check_vin(value: T, vin: Callable[[], object]) -> T:
    """Return a value that was read of a vehicle; where it states another VIN, its problems and the log say so.

    Args:
        value: what was read.
        vin: returns the VIN of the vehicle; called where the value states one.
    """
    stated = getattr(value, "vin", None)
    if isinstance(stated, str) and isinstance(value, TypedResource):
        expected, resource = vin(), value.resource
        is_other = isinstance(expected, str) and expected.upper() != stated.upper()
        if is_other and resource is not None:
            converter = resource.require_context().converter
            assert isinstance(converter, TypedConverter)  # noqa: S101 - of the clients that read vehicles
            converter.record_disagreement(value, "$", "it states the VIN of another vehicle than it was read of")
    return value
