"""Raw pages: items, total and next link of a page before its items are converted."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from stellantis_hal.errors import AmbiguousLinkError, HalError
from stellantis_hal.hal.deep_pickle import text_of
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url, shortlist
from stellantis_hal.navigation.link_selection import link_url
from stellantis_hal.navigation.pagination.head_shift import HeadShift
from stellantis_hal.navigation.pagination.item_selection import LinkedItem, identity_of

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = [
    "NEXT",
    "PREVIOUS",
    "RawPage",
    "fingerprint_of",
    "followed_link",
    "has_page_before",
    "has_pages_after",
    "log_invalid_items",
    "page_link",
    "page_url",
    "removal_notice",
    "total_notice",
    "total_of",
    "unlinked",
]

_log = logging.getLogger("stellantis_hal")

_TOTALS = ("total", "total_items", "total_records", "totalItems", "totalRecords", "total_count", "totalCount",
           "total_results", "totalResults", "totalElements")  # fmt: skip
_PAGE_NUMBERS = ("currentPage", "totalPage")
_NESTED_TOTALS = (
    ("page", "totalElements"),
    ("page", "total_elements"),
    ("_meta", "total"),
    ("_meta", "totalCount"),
    ("meta", "total"),
    ("pagination", "total"),
)
_TOTAL_HEADERS = ("x-wp-total", "x-total-count", "x-total")
_MAX_DIGITS = 16
# Of items, as PostgREST and servers for React-admin write it: ``0-24/319``, ``posts 0-24/319``; bytes are no items.
_CONTENT_RANGE = re.compile(
    r"(?!bytes\b)(?:[\w-]{1,80} )?(?:[0-9]{1,15}-[0-9]{1,15}|\*)/([0-9]{1,15})", re.ASCII | re.IGNORECASE
)

_NO_SHIFT = HeadShift()

NEXT = ("next",)
PREVIOUS = ("prev", "previous")


@attrs.frozen(kw_only=True, eq=False)
class RawPage:
    """A page before its items are converted.

    Attributes:
        page: its resource; None for a collection that is absent.
        items: its items, in the order of iteration; those behind links are not read yet.
        next_url: the URL of the page after it; None at the end.
        position: the number of items on the pages up to this one; None where it is unknown.
        first: digests of the first page's URLs, and of contents that a range must not repeat.
        is_read: whether the page at ``next_url`` was returned already: the next one is behind it, or it is a loop, or
            there is no way to it.
        is_linked: whether pages so far had links between them.
        may_repeat: whether items are among these that this iteration has returned before.
        notices: what is to be told of the collection after these items.
        total: the total that is compared with that of the next page; None where it is unknown.
        least_total: the least total of the pages of a reverse iteration; None forwards, or if none states one.
        edge: a digest of the last item of a reverse iteration, without those that had moved; empty where it is unknown.
        shift: the items that were added at the head of a reverse iteration.
    """

    page: HalResource | None
    items: tuple[HalResource | LinkedItem, ...]
    next_url: str | None
    position: int | None = None
    first: tuple[bytes, ...] = ()
    is_read: bool = False
    is_linked: bool = True
    may_repeat: bool = False
    notices: tuple[str, ...] = ()
    total: int | None = None
    least_total: int | None = None
    edge: bytes = b""
    shift: HeadShift = _NO_SHIFT


def fingerprint_of(item: HalResource | LinkedItem) -> str:
    """Return what tells an item from others: its identity, else its content."""
    identity = identity_of(item)
    if identity is not None:
        return identity
    return f"link:{item.link!r}" if isinstance(item, LinkedItem) else f"content:{text_of(item.document.body)}"


def has_pages_after(page: HalResource) -> bool:
    """Return whether the number of a page is less than the number of pages."""
    number, count = (_whole(page.document.outline.get(name)) for name in _PAGE_NUMBERS)
    return isinstance(number, int) and isinstance(count, int) and number < count


def log_invalid_items(page: HalResource, invalid: Mapping[str, Any]) -> None:
    """Log a warning about items that are left out."""
    _log.warning("items left out at %s, because they are not objects: %s", mask_url(page.url), shortlist([*invalid]))


def page_link(page: HalResource, rels: tuple[str, ...] = NEXT) -> Link | None:
    """Return the link to another page, the first of several; None where it is missing or null, or has a null href.

    A value that is not a link is returned as a link without an href, because it must not be taken for the end of the
    collection. The relations are registered ones, so no CURIE gives them another name.
    """
    return next(iter(_page_links(page, rels)), None)


def followed_link(page: HalResource, rels: tuple[str, ...] = NEXT) -> Link | None:
    """Return the link to another page, to be followed; None as for :func:`page_link`.

    Raises:
        AmbiguousLinkError: there are several that lead to different URLs.
    """
    links = _page_links(page, rels)
    if len(links) == 1:
        return links[0]
    targets = {_url_of(link, page.base) for link in links if link.href is not None}
    if len(targets) > 1:
        rel = links[0].rel
        raise AmbiguousLinkError(
            f"{len(targets)} links {rel!r} at {mask_url(page.base)} lead to different pages, and only one can be the "
            f"page to go on with: choose with .follow({rel!r}, index=…) on the page's resource, and iterate from there",
            rel=rel,
            candidates=[link.href for link in links if link.href is not None],
            url=page.base,
        )
    return links[0] if links else None


def _page_links(page: HalResource, rels: tuple[str, ...]) -> list[Link]:
    """Return the links of the first relation that has some: those of the document, else those of its header."""
    document = page.document
    links = document.peek("_links")
    own: Mapping[str, Any] = links if isinstance(links, Mapping) else {}
    for rel in rels:
        entry = own.get(rel)
        found = [
            Link.parse(rel, value) or Link(None, rel)
            for value in (entry if isinstance(entry, list) else [entry])
            if value is not None and not (isinstance(value, Mapping) and value.get("href", "") is None)
        ] or [link for link in document.header_links if link.rel == rel]
        if found:
            return found
    return []


def _url_of(link: Link, base: str) -> str | None:
    """Return the URL that a link leads to, or its href where it cannot be followed."""
    try:
        return link_url(link, base)
    except HalError:
        return link.href


def unlinked(url: str) -> Link:
    """Return a link to a page that no page leads to, such as a range."""
    return Link(url, "item")


def page_url(page: HalResource, *rels: str) -> str | None:
    """Return the URL that a page's link leads to; None where it is missing or cannot be followed."""
    try:
        link = followed_link(page, rels)
        return None if link is None else link_url(link, page.base)
    except HalError:
        return None


def has_page_before(page: HalResource) -> bool:
    """Return whether a page has a link to one before it.

    Foxy's only pages lead to themselves by all links of paging: such a ``prev`` is none.
    """
    if page_link(page, PREVIOUS) is None:
        return False
    own = {page.base, page.self_url} - {None}
    return page_url(page, *PREVIOUS) not in own or any(
        page_url(page, rel) not in {*own, None} for rel in ("first", "last")
    )


def total_of(page: HalResource) -> int | None:
    """Return the number of items in the collection, as its state or a header says; None where neither does."""
    body = page.document.outline
    for name in _TOTALS:
        value = body.get(name)
        if value.__class__ is float and (name != "total" or not body.keys().isdisjoint(_PAGE_NUMBERS)):
            value = _whole(value)
        if value is not None and (count := _count(value)) is not None:
            return count
    for outer, name in _NESTED_TOTALS:
        inner = body.get(outer)
        if isinstance(inner, dict) and (count := _count(_whole(inner.get(name)))) is not None:
            return count
    if page.steps:
        return None
    headers = page.headers
    for name in _TOTAL_HEADERS:
        if (count := _count(headers.get(name))) is not None:
            return count
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    return None if found is None else int(found[1])


def _whole(value: Any) -> Any:
    """Return a float without a fraction as the int that servers write on other days; other values as they are."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _count(value: Any) -> int | None:
    """Return a number of items, which some servers (Foxy) and all headers write as text; None for anything else.

    A number with a fraction is none: a ``total`` of ``30.00`` is the price of an order, unless it is beside the number
    of a page.
    """
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < _MAX_DIGITS else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def total_notice(page: HalResource, total: int, items: int) -> str:
    """Return the notice that a collection's total is not the number of its items."""
    return f"the collection at {mask_url(page.url)} states a total of {total}, but has {items} items"


def removal_notice(page: HalResource) -> str:
    """Return the notice that items may have moved onto pages that were read, because others were removed."""
    return (
        f"items may be missing from the collection at {mask_url(page.url)}: its total decreased while it was read, so "
        "items may have moved to pages that were read before; read it again"
    )
