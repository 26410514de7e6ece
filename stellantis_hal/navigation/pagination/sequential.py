"""Sequential pagination: one page after the other, by the links between them."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from stellantis_hal.errors import ApiError, HalError, LinkNotFoundError
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.link_selection import link_url
from stellantis_hal.navigation.pagination.cursor import VisitedPages
from stellantis_hal.navigation.pagination.growth_guard import GrowthGuard
from stellantis_hal.navigation.pagination.page_source import PaginationSpec
from stellantis_hal.navigation.pagination.raw_page import NEXT, PREVIOUS, RawPage, items_of, page_link, total_of

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["RawPageIterator"]


class RawPageIterator(AsyncIterator[RawPage]):
    """Pages one after the other. It can be abandoned at any point, and continued after an error.

    Args:
        spec: what to paginate.
        next_url: the page to start from; None: the first page.
    """

    def __init__(self, spec: PaginationSpec, next_url: str | None = None) -> None:
        self._spec = spec
        self._next_url = next_url
        # The current page and its link to the next one; None at the start.
        self._current: tuple[HalResource, Link] | None = None
        self._visited = VisitedPages()
        self._total: int | None = None
        self._ended = False
        self._failure: HalError | None = None

    async def __anext__(self) -> RawPage:
        if self._failure is not None:
            raise copy.copy(self._failure)
        if self._ended:
            raise StopAsyncIteration
        spec, url = self._spec, self._next_url
        if url is None:
            try:
                page = await spec.source.first_page()
            except ApiError as error:
                if not spec.is_absent(error):
                    raise
                self._ended = True
                return RawPage(page=None, items=(), next_url=None)
            if spec.reverse:
                page = await _last_page(page)
        else:
            self._visited.check(url)
            if self._current is None:
                page = await spec.source.fetch_url(url)
            else:
                page, link = self._current
                page = await page.fetch_link(link)
        items = items_of(page, spec.rel)
        if spec.reverse:
            items = (*items, *await self._shifted_items(page))[::-1]
        next_link = page_link(page, PREVIOUS if spec.reverse else NEXT)
        try:
            next_url = None if next_link is None else link_url(next_link, page.base)
        except HalError as error:  # this page is valid, so its items are returned before the error is raised
            next_url, self._failure = None, error
        self._visited.add(url, page.base, page.self_url)
        self._next_url = next_url
        self._current = None if next_link is None else (page, next_link)
        self._ended = next_link is None
        self._total = total_of(page)
        return RawPage(page=page, items=items, next_url=next_url)

    async def _shifted_items(self, page: HalResource) -> tuple[HalResource, ...]:
        """Return the items that have moved from this page to the pages after it, in reverse iteration.

        Items that were added at the head have pushed others from this page onto pages that were read before.
        """
        later, guard = page, GrowthGuard()
        items: list[HalResource] = []
        while self._growth(later) > max(guard.pages, len(items)) and (link := page_link(later)) is not None:
            later = await guard.fetch_next(later, link)
            items += items_of(later, self._spec.rel)
        return tuple(items)

    def _growth(self, page: HalResource) -> int:
        total = total_of(page)
        return 0 if total is None or self._total is None else total - self._total


async def _last_page(page: HalResource) -> HalResource:
    """Return the last page of a collection, from its first."""
    if page_link(page) is None:
        return page
    last = page_link(page, ("last",))
    if last is None:
        raise LinkNotFoundError(
            f"no link 'last' at {mask_url(page.url)}: this collection cannot be walked backwards, only forwards",
            rel="last",
            available=page.rels,
            url=page.url,
        )
    page, guard = await page.fetch_link(last), GrowthGuard()
    while (link := page_link(page)) is not None:  # pages that were added after the 'last' link was written
        page = await guard.fetch_next(page, link)
    return page
