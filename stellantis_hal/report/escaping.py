"""Texts of a report: escaped in HTML and in JSON inside a script element, and counts of things."""

from __future__ import annotations

import html
import json
from typing import Any, Final

from stellantis_hal.hal.redaction import one_line

__all__ = ["escape", "isolate", "plural", "script_json"]

_LONGEST: Final = 80
_IN_SCRIPTS: Final = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&"})


def escape(text: str, longest: int = _LONGEST) -> str:
    """Return a text for HTML, in an element or a quoted attribute: one line without control and format characters.

    A text of more characters than the longest is cut, and ends in "…".
    """
    line = one_line(text[: longest + 1])
    return html.escape(line if len(line) <= longest else f"{line[:longest]}…")


def isolate(text: str) -> str:
    """Return a text for HTML, in an element that keeps its writing direction to itself."""
    return f"<bdi>{escape(text)}</bdi>"


def script_json(value: Any) -> str:
    """Return a value as JSON in ASCII, without characters that could end a script element or start a comment."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(_IN_SCRIPTS)


def plural(count: int, thing: str) -> str:
    """Return a count of things: "1 trip", "2 trips"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
