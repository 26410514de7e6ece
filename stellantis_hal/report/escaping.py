"""Texts of a report: with a writing direction of their own, as JSON inside a script element, and counts of things."""

from __future__ import annotations

import json
from typing import Any, Final

from stellantis_hal.hal.html_tables import escape

__all__ = ["isolate", "plural", "script_json"]

_IN_SCRIPTS: Final = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&"})


def isolate(text: str) -> str:
    """Return a text for HTML, in an element that keeps its writing direction to itself."""
    return f"<bdi>{escape(text)}</bdi>"


def script_json(value: Any) -> str:
    """Return a value as JSON in ASCII, without characters that could end a script element or start a comment."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(_IN_SCRIPTS)


def plural(count: int, thing: str) -> str:
    """Return a count of things: "1 trip", "2 trips"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
