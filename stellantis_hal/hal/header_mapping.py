"""Header fields: a case-insensitive mapping, and which values can be sent."""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

__all__ = ["Headers", "fits_field", "is_sendable"]

T = TypeVar("T")
_FIELD = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?")


class Headers(Mapping[str, str]):
    """Header fields by name, case-insensitive; repeated fields are joined by a comma (RFC 9110 section 5.3)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        # As dict() tells mappings from pairs: isinstance() is slow for an abstract class.
        given: Any = fields
        pairs: list[tuple[str, str]] = [*(given.items() if hasattr(given, "keys") else given)]
        merged = {name.lower(): value for name, value in pairs}
        if len(merged) < len(pairs):
            merged = _merge(pairs)
        self._fields = merged

    @property
    def by_lower_name(self) -> Mapping[str, str]:
        """The fields by lower-case name: for many look-ups in a row."""
        return self._fields

    @property
    def content_type(self) -> str:
        """The field ``Content-Type``; empty where there is none."""
        return self._fields.get("content-type", "")

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    # The mixins of Mapping are correct, but raise and catch a KeyError for each field that is missing.
    @overload
    def get(self, name: str, default: None = None, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str | T, /) -> str | T: ...
    def get(self, name: str, default: Any = None, /) -> Any:
        """Return the value of a field, or the default."""
        return self._fields.get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def items(self) -> ItemsView[str, str]:
        """Return names, in lower case, and values."""
        return self._fields.items()

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


def _merge(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        merged[key] = f"{merged[key]}, {value}" if key in merged else value
    return merged


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
