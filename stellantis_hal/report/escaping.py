"""Texts of a report: with a writing direction of their own, as JSON inside a script element, and counts of things."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from stellantis_hal.hal.html_tables import escape

__all__ = ["isolate", "plural", "script_json"]

_IN_SCRIPTS: Final = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&"})


def isolate(text: str) -> str:
    """Return a text for HTML, in an element that keeps its writing direction to itself."""
    return f"<bdi>{escape(text)}</bdi>"


def script_json(value: Any) -> str:
    """Return a value as JSON in ASCII, without characters that could end a script element or start a comment.

    Numbers that are not finite, as figures beyond all bounds have them in a sum or a quotient, become null.
    """
    try:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPTS)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plural(count: int, thing: str) -> str:
    """Return a count of things: "1 trip", "2 trips"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
