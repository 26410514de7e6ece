"""Bounds of the numbers of a fault: what lies outside is a ValueError where the fault is made."""

from __future__ import annotations

import math
from typing import Any, Final

import attrs

__all__ = ["AT_LEAST_ONE", "NOT_NEGATIVE", "SHARE"]


def _within(low: float, high: float, words: str) -> Any:
    def check(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
        if not low <= value <= high or math.isinf(value):
            raise ValueError(f"{attribute.name} must be {words}, not {value}")

    return check


NOT_NEGATIVE: Final = _within(0, math.inf, "a finite number, at least 0")
AT_LEAST_ONE: Final = _within(1, math.inf, "a finite number, at least 1")
SHARE: Final = _within(0, 1, "a share from 0 to 1")
