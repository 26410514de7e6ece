"""A status, as the two kinds of back ends answer it: itself, or wrapped in a collection of one per page.

Knows how to tell one from the other. Must not know what a status holds.
"""

from __future__ import annotations

import attrs

from stellantis_hal.hal.document import HalDocument
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.link_selection import embedded_keys
from stellantis_hal.navigation.pagination.page_source import InvalidItemsHandler
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.snapshot import LazyBody, Step
from stellantis_hal.resources.queries import is_absent

__all__ = ["STATUS", "history", "latest"]

STATUS = "Status"
_COLLECTION = frozenset({"total", "currentPage", "totalPage"})


def _is_collection(page: HalResource) -> bool:
    return bool(embedded_keys(page.document, STATUS)) or not _COLLECTION.isdisjoint(page.state)


def latest(page: HalResource) -> HalResource | None:
    """Find the status in an answer; None in a collection that is empty."""
    if not _is_collection(page):
        return page
    return next(iter(page.embedded(STATUS)), None)


def history(follow: Follow[HalResource], on_invalid: InvalidItemsHandler) -> Paginator[HalResource]:
    """Walk every status behind a link, be it one alone."""
    return Paginator.over(_SingletonCollection(follow), STATUS, absent=is_absent, on_invalid=on_invalid)


class _SingletonCollection:
    """A step to a collection; a status that comes alone is shown as a collection of one."""

    def __init__(self, follow: Follow[HalResource]) -> None:
        self._first_page = follow.first_page
        self.resolve_url = follow.resolve_url
        self.fetch_url = follow.fetch_url

    async def first_page(self) -> HalResource:
        page = await self._first_page()
        return page if _is_collection(page) else _wrapped(page)


class _SingletonBody(LazyBody):
    """A status shown as the only one of a collection; its bytes stay where they are."""

    __slots__ = ("_status",)

    def __init__(self, status: HalResource) -> None:
        self._status = status.compact()

    @property
    def raw(self) -> bytes:
        """Nothing: there are no bytes of the collection."""
        return b""

    def document(self, path: tuple[Step, ...] = ()) -> HalDocument:
        """Give the collection, or the document at a path in it."""
        root = HalDocument({"total": 1, "_embedded": {STATUS: [self._status.document.body]}})
        return LazyBody(b"", root).document(path)


def _wrapped(status: HalResource) -> HalResource:
    return HalResource(attrs.evolve(status.snapshot, content=_SingletonBody(status)), None, status.context)
