"""Cache directives: the fields ``Cache-Control`` and ``Pragma`` (RFC 9111 sections 5.2 and 5.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

__all__ = ["MAX_SECONDS", "Directives", "parse_directives", "request_directives", "seconds_of"]

Directives = Mapping[str, str | None]
"""The argument of each directive by lower-case name: empty without one, None where the directive is repeated."""

MAX_SECONDS: Final = 2**31
"""Larger numbers of seconds are read as this one (RFC 9111 section 1.2.2)."""

_MAX_LENGTH = 8_192
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a grammar's term
_DIRECTIVE: Final = re.compile(
    rf'[\s,]*(?:({_TOKEN})(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?\s*(?:,|$)|[^,]+(?:,|$))'
)
_NONE: Final[Directives] = {}


def parse_directives(field: str | None) -> Directives:
    """Return the directives of a ``Cache-Control`` field; what is not a directive is left out.

    >>> parse_directives("max-age=60, No-Cache, x=1, x=2")
    {'max-age': '60', 'no-cache': '', 'x': None}
    """
    return _NONE if not field else _parse(field[:_MAX_LENGTH])


@lru_cache(maxsize=256)
def _parse(field: str) -> Directives:
    found: dict[str, str | None] = {}
    for match in _DIRECTIVE.finditer(field):
        if match[1] is not None:
            name = match[1].lower()
            argument = match[2] if match[2] is not None else match[3] or ""
            found[name] = None if name in found else argument
    return found


def seconds_of(directives: Directives, name: str) -> int | None:
    """Return the seconds of a directive; None without it, 0 where they are unreadable or stated twice."""
    if name not in directives:
        return None
    argument = directives[name]
    if argument is None or not (argument.isascii() and argument.isdigit()):
        return 0
    return min(int(argument[:12]), MAX_SECONDS)


def request_directives(fields: Mapping[str, str]) -> Directives:
    """Return the directives of a request, by its fields in lower case."""
    if "cache-control" in fields:
        return parse_directives(fields["cache-control"])
    return {"no-cache": ""} if "no-cache" in fields.get("pragma", "").lower() else _NONE
