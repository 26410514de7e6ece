"""Status history: a status alone, or a collection with one status on each page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs

from stellantis_hal.hal.document import HalDocument
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.lazy_body import LazyResponseBody, Step
from stellantis_hal.navigation.link_selection import embedded_keys
from stellantis_hal.navigation.pagination.page_source import InvalidItemsHandler
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.typed_requests import is_absent
from stellantis_hal.structuring.scalars import INSTANT

__all__ = ["STATUS", "find_latest", "paginate_history"]

STATUS = "Status"
_NEVER = datetime.min.replace(tzinfo=UTC)
_COLLECTION = frozenset({"total", "currentPage", "totalPage"})


def _is_collection(page: HalResource) -> bool:
    return bool(embedded_keys(page.document, STATUS)) or not _COLLECTION.isdisjoint(page.state)


def find_latest(page: HalResource) -> HalResource | None:
    """Return the status in a response, of several the one with the latest instant; None in an empty collection."""
    if not _is_collection(page):
        return page
    return max(page.embedded(STATUS), key=_latest_instant, default=None)


def _latest_instant(status: HalResource) -> datetime:
    return max(_instant(status.state.get(name)) for name in ("createdAt", "updatedAt"))


def _instant(value: Any) -> datetime:
    try:
        instant: datetime = INSTANT.read(value)
        return instant
    except ValueError:
        return _NEVER


def paginate_history(follow: Follow[HalResource], on_invalid: InvalidItemsHandler) -> Paginator[HalResource]:
    """Paginate the statuses behind a link, or the only one."""
    return Paginator.over(_SingletonCollection(follow), STATUS, absent=is_absent, on_invalid=on_invalid, typed=True)


class _SingletonCollection:
    """A page source that presents a single status as a collection of one."""

    def __init__(self, follow: Follow[HalResource]) -> None:
        self._first_page = follow.first_page
        self.resolve_url = follow.resolve_url
        self.fetch_url = follow.fetch_url

    async def first_page(self) -> HalResource:
        page = await self._first_page()
        return page if _is_collection(page) else _to_collection(page)


class _SingletonBody(LazyResponseBody):
    """The body of a collection of one status; its bytes stay in the status."""

    __slots__ = ("_status",)

    def __init__(self, status: HalResource) -> None:
        self._status = status.compact()
        self.base = status.snapshot.content.base

    @property
    def raw(self) -> bytes:
        """Empty: the collection was not received."""
        return b""

    def document(self, path: tuple[Step, ...] = ()) -> HalDocument:
        """Return the collection, or the document at a path in it."""
        root = HalDocument({"total": 1, "_embedded": {STATUS: [self._status.document.body]}})
        return LazyResponseBody(b"", root, base=self.base).document(path)


def _to_collection(status: HalResource) -> HalResource:
    return HalResource(attrs.evolve(status.snapshot, content=_SingletonBody(status)), None, status.context)
