"""Conditions of writes (RFC 9110 section 13): only if the resource is as it was read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from stellantis_hal.hal.redaction import quoted

__all__ = ["CONDITIONAL", "Condition", "as_etags", "find_condition", "is_condition", "strong_etag"]

CONDITIONAL = frozenset({"PUT", "PATCH", "DELETE"})
"""Methods that are conditional by default. A POST changes the tag of a collection for every other client."""

_STRONG = re.compile(r'"[\x21\x23-\x7e]{0,1022}"')
_OPAQUE = re.compile(r"[\x21\x23-\x7e]{1,1022}")
_TAG = r'"[\x21\x23-\x7e]*"'
_STRONG_TAGS = re.compile(rf"{_TAG}(?:\s*,\s*{_TAG})*")
# The format of RFC 9110 section 5.6.7 that servers must send.
_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
_WEAK = re.compile(rf"(?:^|,)\s*W/{_TAG}")


_FIELDS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})


class Condition(NamedTuple):
    """A header field that makes a write conditional."""

    name: str
    value: str


def strong_etag(headers: Mapping[str, str] | None, state: Mapping[str, Any]) -> str | None:
    """Return the strong entity tag of a resource: that of its header, else its member ``_etag``, quoted.

    Weak tags are left out, because If-Match compares strongly and they never match (RFC 9110 section 13.1.1); so are
    texts that are no entity tag.

    Args:
        headers: of its response; None where they are not those of this resource.
        state: its properties.
    """
    tag = (headers or {}).get("etag", "").strip()
    if _STRONG.fullmatch(tag):
        return tag
    member = state.get("_etag")
    if not isinstance(member, str):
        return None
    if _STRONG.fullmatch(member):
        return member
    return f'"{member}"' if _OPAQUE.fullmatch(member) else None


def find_condition(headers: Mapping[str, str] | None, state: Mapping[str, Any]) -> Condition | None:
    """Return the condition that a resource is unchanged: by its strong tag, else by its Last-Modified, else none."""
    tag = strong_etag(headers, state)
    if tag is not None:
        return Condition("If-Match", tag)
    modified = (headers or {}).get("last-modified", "").strip()
    return Condition("If-Unmodified-Since", modified) if _DATE.fullmatch(modified) else None


def is_condition(name: str) -> bool:
    """Return whether a header field makes a request conditional."""
    return name.lower() in _FIELDS


def as_etags(option: str, text: str, *, weak: bool = False) -> str:
    """Return the value of If-Match or If-None-Match from what a caller passed; a bare tag is quoted.

    Raises:
        ValueError: it is no entity tag, or a weak one that never matches.
    """
    text = text.strip()
    if text == "*" or _STRONG_TAGS.fullmatch(text):
        return text
    if _WEAK.search(text):
        if weak and _STRONG_TAGS.fullmatch(re.sub(rf"W/(?={_TAG})", "", text)):
            return text
        raise ValueError(f"{option}={quoted(text)} never matches: a write is compared with strong entity tags only")
    if _OPAQUE.fullmatch(text) and "," not in text:
        return f'"{text}"'
    raise ValueError(f"{option} must be an entity tag or '*', as in '\"abc\"', in visible ASCII, not {quoted(text)}")
