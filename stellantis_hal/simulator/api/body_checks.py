"""Checks of request bodies: what is refused, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stellantis_hal.simulator.api.request_context import Refusal

__all__ = ["refusal", "require", "require_object", "require_texts"]


def refusal(reason: str) -> Refusal:
    """Return the 400 of a body that is refused."""
    return Refusal(400, 40000, reason)


def require(condition: bool, reason: str) -> None:
    """Refuse the body unless a condition holds."""
    if not condition:
        raise refusal(reason)


def require_object(value: Any, reason: str) -> Mapping[str, Any]:
    """Return a value that is an object; refuse another one."""
    if not isinstance(value, Mapping):
        raise refusal(reason)
    return value


def require_texts(value: Any, reason: str) -> list[str]:
    """Return a value that is a list of strings; refuse another one."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise refusal(reason)
    return value
