"""Raw pages: items, total and next link of a page before its items are converted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from stellantis_hal.errors import AmbiguousLinkError, HalError
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url, shortlist
from stellantis_hal.navigation.link_selection import embedded_keys, link_url
from stellantis_hal.navigation.pagination.cursor import identity_of

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = [
    "NEXT",
    "PREVIOUS",
    "RawPage",
    "entry_count",
    "fingerprint_of",
    "has_pages_after",
    "invalid_items_of",
    "items_of",
    "log_invalid_items",
    "page_link",
    "page_url",
    "total_of",
]

_log = logging.getLogger("stellantis_hal")

NEXT = ("next",)
PREVIOUS = ("prev", "previous")


@attrs.frozen(kw_only=True, eq=False)
class RawPage:
    """A page before its items are converted.

    Attributes:
        page: its resource; None for a collection that is absent.
        items: its items, in the order of iteration.
        next_url: the URL of the page after it; None at the end.
        position: the number of items on the pages up to this one; None where it is unknown.
        first: digests of the first page's URLs, and of contents that a range must not repeat.
        is_read: whether the page at ``next_url`` was returned already: the next one is behind it, or it is a loop.
        is_linked: whether pages so far had links between them.
    """

    page: HalResource | None
    items: tuple[HalResource, ...]
    next_url: str | None
    position: int | None = None
    first: tuple[bytes, ...] = ()
    is_read: bool = False
    is_linked: bool = True


def items_of(page: HalResource, rel: str | None) -> tuple[HalResource, ...]:
    """Return a page's items; empty where nothing is embedded.

    Raises:
        AmbiguousLinkError: several keys are embedded and ``rel`` is None.
    """
    if rel is not None:
        return page.embedded(rel)
    keys = tuple(page.document.embedded)
    if len(keys) > 1:
        raise AmbiguousLinkError(
            f"{mask_url(page.url)} embeds {shortlist([*map(repr, keys)])}: name the items, as in "
            f".items({keys[0][:80]!r})",
            rel="",
            candidates=keys,
            url=page.url,
        )
    return page.embedded(keys[0]) if keys else ()


def entry_count(page: HalResource, rel: str | None) -> int:
    """Return how many indexes a page's items take, those included that are not objects."""
    embedded = page.document.body.get("_embedded")
    if not isinstance(embedded, Mapping):
        return 0
    count = 0
    for key in embedded if rel is None else {rel, *embedded_keys(page.document, rel)}:
        entry = embedded.get(key)
        count += len(entry) if isinstance(entry, list) else bool(entry)
    return count


def fingerprint_of(item: HalResource) -> str:
    """Return what tells an item from others: its identity, else its content."""
    return identity_of(item) or f"content:{item.document.body!r}"


def has_pages_after(page: HalResource) -> bool:
    """Return whether the number of a page is less than the number of pages."""
    number, count = page.state.get("currentPage"), page.state.get("totalPage")
    return isinstance(number, int) and isinstance(count, int) and number < count


def invalid_items_of(page: HalResource, rel: str | None) -> Mapping[str, Any]:
    """Return the values among a page's items that are not objects, by JSON path.

    Null, and an empty array in the place of an object, are valid: they mean that there is nothing.
    """
    document = page.document
    embedded = document.body.get("_embedded") or {}
    if not isinstance(embedded, Mapping):
        return {"$._embedded": embedded}
    invalid: dict[str, Any] = {}
    for key in embedded if rel is None else (rel, *embedded_keys(document, rel)):
        entry = embedded.get(key)
        if isinstance(entry, list):
            items = enumerate(entry)
            invalid |= {f"$._embedded.{key}[{index}]": item for index, item in items if not isinstance(item, dict)}
        elif entry and not isinstance(entry, dict):
            invalid[f"$._embedded.{key}"] = entry
    return invalid


def log_invalid_items(page: HalResource, invalid: Mapping[str, Any]) -> None:
    """Log a warning about items that are left out."""
    _log.warning("items left out at %s, because they are not objects: %s", mask_url(page.url), shortlist([*invalid]))


def page_link(page: HalResource, rels: tuple[str, ...] = NEXT) -> Link | None:
    """Return the link to another page; None where it is missing or null, or has a null href.

    A value that is not a link is returned as a link without an href, because it must not be taken for the end of the
    collection. The relations are registered ones, so no CURIE gives them another name.
    """
    links = page.document.body.get("_links")
    if not isinstance(links, Mapping):
        return None
    for rel in rels:
        found = links.get(rel)
        for value in found if isinstance(found, list) else [found]:
            if value is not None and not (isinstance(value, Mapping) and value.get("href", "") is None):
                return Link.parse(rel, value) or Link(None, rel)
    return None


def page_url(page: HalResource, *rels: str) -> str | None:
    """Return the URL that a page's link leads to; None where it is missing or cannot be followed."""
    link = page_link(page, rels)
    try:
        return None if link is None else link_url(link, page.base)
    except HalError:
        return None


def total_of(page: HalResource) -> int | None:
    """Return the number of items in the collection (``total`` or ``page.totalElements``); None where it is missing."""
    state = page.state
    inner = state.get("page")
    for value in (state.get("total"), inner.get("totalElements") if isinstance(inner, dict) else None):
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None
