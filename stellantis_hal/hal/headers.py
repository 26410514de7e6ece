"""Header fields: a case-insensitive mapping, and which values can be sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

__all__ = ["Headers", "fits_field", "is_sendable"]

_FIELD = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?")


class Headers(Mapping[str, str]):
    """Header fields by name, case-insensitive; repeated fields are joined by a comma (RFC 9110 section 5.3)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = cast("Iterable[tuple[str, str]]", fields.items() if isinstance(fields, Mapping) else fields)
        merged: dict[str, str] = {}
        for name, value in pairs:
            key = name.lower()
            merged[key] = f"{merged[key]}, {value}" if key in merged else value
        self._fields = merged

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def replacing(self, name: str, value: str) -> Headers:
        """Return the fields with one of them replaced, or added."""
        other = Headers.__new__(Headers)
        other._fields = {**self._fields, name.lower(): value}
        return other

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._fields)})"


def is_sendable(value: Any) -> bool:
    """Return whether a value is a non-empty string of visible ASCII, without spaces, line breaks or controls.

    Such a string can be sent in a header field and cannot be read as more than one field (RFC 9110 section 5.5).
    """
    return isinstance(value, str) and bool(value) and all("!" <= char <= "~" for char in value)


def fits_field(value: str, limit: int = 1_024) -> bool:
    """Return whether a string can be sent unchanged as the value of one header field (RFC 9110 section 5.5).

    That is visible ASCII, spaces allowed inside, at most ``limit`` characters (1,024 at most).
    """
    return len(value) <= limit and _FIELD.fullmatch(value) is not None
