"""Texts as HTML: escaped, and tables of facts as notebooks show them."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final

from stellantis_hal.hal.redaction import one_line

__all__ = ["escape", "facts_table"]

_LONGEST: Final = 80


def escape(text: str, longest: int = _LONGEST) -> str:
    """Return a text for HTML, in an element or a quoted attribute: one line without control and format characters.

    A text of more characters than the longest is cut, and ends in "…".
    """
    line = one_line(text[: longest + 1])
    return html.escape(line if len(line) <= longest else f"{line[:longest]}…")


def facts_table(caption: str, facts: Iterable[tuple[str, str | None]]) -> str:
    """Return a table with a row for each fact, its name and its value; a None is "unknown"."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape("unknown" if value is None else value)}</td></tr>'
        for name, value in facts
    )
    return f'<table><caption style="text-align:left">{escape(caption)}</caption><tbody>{rows}</tbody></table>'
