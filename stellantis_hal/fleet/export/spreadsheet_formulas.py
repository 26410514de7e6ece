"""Texts that a spreadsheet would take for formulas: made harmless in CSV, and read back unchanged."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["neutralize", "restore"]

# What begins a formula, also after a character at which a spreadsheet may split a cell: many countries' split at ";".
_BEGINNING: Final = r"(?:(?<=[;\t\r\n])|(?<![\s\S]))"
# Programs trim cells, some of them characters that are not shown, too.
_TRIMMED: Final = r"[\x00-\x08\x0b\x0c\x0e-\x20\x85\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]*"
_FORMULA: Final = rf"(?='*(?:[\t\r\n]|{_TRIMMED}[=+\-@＝＋－＠﹦﹢﹣﹫]))"
_UNSAFE: Final = re.compile(_BEGINNING + _FORMULA)
_NEUTRALIZED: Final = re.compile(_BEGINNING + "'" + _FORMULA)
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def neutralize(text: str) -> str:
    """Put an apostrophe before each part of a cell that a spreadsheet would take for a formula; numbers stay numbers.

    >>> neutralize("=1+1"), neutralize("-5.5"), neutralize("a;@b")
    ("'=1+1", '-5.5', "a;'@b")
    """
    return text if _NUMBER.fullmatch(text) else _UNSAFE.sub("'", text)


def restore(text: str) -> str:
    """Return the text of which :func:`neutralize` made this one."""
    return _NEUTRALIZED.sub("", text)
