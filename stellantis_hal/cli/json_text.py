"""JSON text for terminals and programs: control characters are escaped."""

from __future__ import annotations

import codecs
import json
import sys
from typing import Any

__all__ = ["escape_json", "has_all_characters", "json_text"]


def has_all_characters(stream: Any) -> bool:
    """Return whether a stream can encode every character."""
    return codecs.lookup(getattr(stream, "encoding", None) or "ascii").name.startswith("utf")


def json_text(value: Any) -> str:
    """Return a value as indented JSON, with escapes as :func:`escape_json` writes them."""
    return escape_json(json.dumps(value, ensure_ascii=False, indent=2))


def escape_json(text: str) -> str:
    """Return JSON text with escapes of characters that standard output lacks, or that a terminal would not print."""
    has_all = has_all_characters(sys.stdout)
    return "".join([char if _is_plain(char) and (has_all or char.isascii()) else _escape(char) for char in text])


def _is_plain(char: str) -> bool:
    return char.isprintable() or char == "\n"


def _escape(char: str) -> str:
    return "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1]
