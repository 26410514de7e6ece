"""A link as the server wrote it.

Knows the members of a Link Object (draft-kelly-json-hal-11 section 5). Must not know where it leads, nor expand it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["Link"]

_MEMBERS = frozenset(("href", "templated", "name", "title", "type", "profile", "deprecation", "hreflang"))


@attrs.frozen(slots=False)  # made by the hundred, and with slots a frozen object takes half as long again to make
class Link:
    """One Link Object under its relation.

    Attributes:
        href: a URI reference, or a URI template (RFC 6570) where ``templated``; None where the server gave none that
            is a string: such a link can be looked at, not followed.
        rel: the key it stands under.
        templated: true only where the server said exactly ``true``.
        name: a secondary key among links of one relation.
        title: a label for humans.
        type: a hint at the media type behind it.
        profile: the URI of a profile.
        deprecation: where to read why it will go; any value that is set makes it deprecated.
        hreflang: the language behind it.
        extra: members that the draft does not know, as they came.
    """

    href: str | None
    rel: str = ""
    templated: bool = False
    name: str | None = attrs.field(kw_only=True, default=None)
    title: str | None = attrs.field(kw_only=True, default=None)
    type: str | None = attrs.field(kw_only=True, default=None)
    profile: str | None = attrs.field(kw_only=True, default=None)
    deprecation: str | None = attrs.field(kw_only=True, default=None)
    hreflang: str | None = attrs.field(kw_only=True, default=None)
    extra: Mapping[str, Any] = attrs.field(kw_only=True, factory=dict, hash=False)

    @classmethod
    def parse(cls, rel: str, value: Any) -> Link | None:
        """Read what stands under a relation; None where nothing there can be a link (null, a number, a list)."""
        if isinstance(value, str):
            return cls(value, rel=rel)
        if not isinstance(value, dict):
            return None
        given = value.get("href")
        href = given if isinstance(given, str) else None
        if len(value) == 1:
            return cls(href, rel=rel)
        return cls(
            href,
            rel=rel,
            templated=value.get("templated") is True,
            name=_text(value, "name"),
            title=_text(value, "title"),
            type=_text(value, "type"),
            profile=_text(value, "profile"),
            deprecation=_notice(value.get("deprecation")),
            hreflang=_text(value, "hreflang"),
            extra={name: member for name, member in value.items() if name not in _MEMBERS},
        )


def _text(link: Mapping[str, Any], member: str) -> str | None:
    value = link.get(member)
    return value if isinstance(value, str) else None


def _notice(value: Any) -> str | None:
    """Read a deprecation notice, which ought to be a URL but counts whatever it is, unless it says false."""
    if value is None or value is False:
        return None
    return value if isinstance(value, str) else reprlib.repr(value)  # bounded, however deep it is
