"""Link objects (draft-kelly-json-hal section 5)."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from stellantis_hal.hal.deep_pickle import reduce_fields
from stellantis_hal.hal.redaction import redacted_repr

__all__ = ["Link"]

_MEMBERS = frozenset(("href", "templated", "name", "title", "type", "profile", "deprecation", "hreflang"))


@attrs.frozen(slots=False)  # links are created by the hundred, and with slots creation takes 50 % longer
class Link:
    """A link object of a relation.

    Attributes:
        href: a URI reference, or a URI template (RFC 6570) where ``templated``; None where the server sent no string:
            such a link can be read, not followed.
        rel: its key in ``_links``.
        templated: True only where the server sent exactly ``true``.
        name: a secondary key among links of one relation.
        title: a label for humans.
        type: a hint at the media type of the target.
        profile: the URI of a profile.
        deprecation: a URL with information about the deprecation; any value except false means that it is deprecated.
        hreflang: the language of the target.
        extra: members that the draft does not define, unchanged; ``href`` too where it is no string.
    """

    __repr__ = redacted_repr

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

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return reduce_fields(self)

    @classmethod
    def parse(cls, rel: str, value: Any) -> Link | None:
        """Read a value of a relation; None where it cannot be a link (null, a number, a list)."""
        if isinstance(value, str):
            return cls(value, rel=rel)
        if not isinstance(value, dict):
            return None
        href = value.get("href")
        if not isinstance(href, str):
            return cls._without_href(rel, value)
        if len(value) == 1:
            return cls(href, rel=rel)
        return cls._of(href, rel, value)

    @classmethod
    def _without_href(cls, rel: str, value: Mapping[str, Any]) -> Link:
        """Read an object without an href that can be followed; what stands in its place is kept as an extra."""
        link = cls._of(None, rel, value)
        return attrs.evolve(link, extra={**link.extra, "href": value["href"]}) if "href" in value else link

    @property
    def is_null(self) -> bool:
        """Whether the server sent null in the place of its href: then there is no link."""
        return self.href is None and "href" in self.extra and self.extra["href"] is None

    @classmethod
    def _of(cls, href: str | None, rel: str, value: Mapping[str, Any]) -> Link:
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
    """Read a deprecation notice: it should be a URL, but any value except null and false counts."""
    if value is None or value is False:
        return None
    return value if isinstance(value, str) else reprlib.repr(value)  # bounded at any depth
