"""Reverse pagination: from the last page to the first, by the links between them, else by index ranges."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from stellantis_hal.errors import ApiError, HalError, IncompleteCollectionError, PaginationLoopError
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.link_selection import link_url
from stellantis_hal.navigation.pagination.growth_guard import GrowthGuard
from stellantis_hal.navigation.pagination.item_selection import LinkedItem, identity_of
from stellantis_hal.navigation.pagination.page_source import PaginationSpec
from stellantis_hal.navigation.pagination.page_token import PageToken
from stellantis_hal.navigation.pagination.raw_page import (
    PREVIOUS,
    RawPage,
    fingerprint_of,
    page_link,
    page_url,
    total_notice,
    total_of,
)
from stellantis_hal.navigation.pagination.sequential import RawPageIterator
from stellantis_hal.navigation.pagination.visited_pages import VisitedPages

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["MAX_COLLECTED_ITEMS", "ReversePageIterator"]

MAX_COLLECTED_ITEMS = 10_000
"""The number of items that are collected forwards, where a collection has no links to go backwards."""


class ReversePageIterator(AsyncIterator[RawPage]):
    """Pages from the last to the first. It can be abandoned at any point, and continued after an error.

    Where pages have no ``last`` or ``prev``, they are collected forwards, at most :data:`MAX_COLLECTED_ITEMS` items.

    Args:
        spec: what to paginate.
        position: the position to resume at; None: the last page.
    """

    def __init__(self, spec: PaginationSpec, position: PageToken | None = None) -> None:
        self._spec = spec
        self._next_url = None if position is None else position.url
        # The current page and its link to the one before it; None at the start.
        self._current: tuple[HalResource, Link] | None = None
        self._visited = VisitedPages()
        self._first: HalResource | None = None
        self._first_url = VisitedPages(() if position is None else position.first)
        self._is_read = position is not None and position.is_read
        self._total: int | None = None
        self._least_total: int | None = None
        # The number of items on the pages read; None where it is unknown.
        self._position = 0 if position is None else position.position
        # Whether pages are read by ranges that no link leads to, and their size.
        self._by_range = position is not None and not position.is_linked
        self._step = 0
        # The page before which pages are to be collected, and the pages collected, the next one last.
        self._collect_before: HalResource | None = None
        self._collected: list[RawPage] | None = None
        self._ended = False
        self._failure: HalError | None = None

    async def __anext__(self) -> RawPage:
        if self._collected:
            return self._next_collected(self._collected)
        if self._failure is not None:
            raise copy.copy(self._failure)
        if self._ended:
            raise StopAsyncIteration
        if self._collect_before is not None:
            return await self._collect(self._collect_before)
        url = self._next_url
        if url is None:
            try:
                first = await self._spec.source.first_page()
            except ApiError as error:
                if not self._spec.is_absent(error):
                    raise
                self._ended = True
                return RawPage(page=None, items=(), next_url=None)
            self._first = first
            self._spec = self._spec.after(first)
            self._first_url.add(first.base, first.self_url)
            page = await self._last_page(first)
            if page is None:
                return await self._collect(None)
        else:
            self._visited.check(url)
            if self._current is None:
                page = await self._spec.source.fetch_url(url)
            else:
                page, link = self._current
                page = await page.fetch_link(link)
        if self._is_read:
            return await self._collect(page)
        return await self._advance(page, url)

    # ------------------------------------------------------------------------------------------- the last page

    async def _last_page(self, first: HalResource) -> HalResource | None:
        """Return the last page of the collection; None where pages have to be collected forwards."""
        forward = RawPageIterator(self._forward_spec(), first=first)
        start = await anext(forward)
        if forward.by_range:
            return await self._last_range(first, start.position or 0)
        if start.next_url is None:
            if forward.is_short:
                raise IncompleteCollectionError(
                    f"the collection at {mask_url(first.url)} cannot be read backwards: the total says that there are "
                    "more items, but there is no link 'next' or 'last'; read it forwards, or narrow the request",
                    url=first.url,
                )
            return first
        last = page_url(first, "last")
        link = page_link(first, ("last",))
        if last is None or link is None or self._first_url.contains(last):
            return None
        page, guard = await first.fetch_link(link), GrowthGuard()
        while (following := page_link(page)) is not None:  # pages that were added after the 'last' link was written
            if self._leads_back(page, following):
                break
            page = await guard.fetch_next(page, following)
        return page

    def _leads_back(self, page: HalResource, link: Link) -> bool:
        url = page_url(page, "next")
        return url is not None and (url in {page.base, page.self_url} or self._first_url.contains(url))

    async def _last_range(self, first: HalResource, position: int) -> HalResource | None:
        """Return the last range of a collection whose pages have no links; None where it is not known."""
        ranges = self._spec.ranges
        entries = self._spec.items.count(first)
        assert ranges is not None  # noqa: S101 - the next page is a range
        end = self._end_of(first)
        if end is None or end <= position or not entries or page_link(first) is not None:
            return None
        step = min(entries, ranges.size)
        index = position + (end - 1 - position) // step * step
        url = ranges.url(await self._spec.source.resolve_url({}), ranges.at(index))
        try:
            page = await first.fetch_link(Link(url, "last"))
        except ApiError:
            return None
        found = self._spec.items.count(page)
        if index + found != self._end_of(page) or set(self._content(page)) <= set(self._content(first)):
            return None
        self._step, self._by_range = step, True
        return page

    def _end_of(self, page: HalResource) -> int | None:
        """Return the index after the last item, as the total of a page says; None where it has none."""
        total = total_of(page)
        last = None if self._spec.ranges is None else self._spec.ranges.last
        return total if total is None or last is None else min(total, last + 1)

    # ------------------------------------------------------------------------------------------- one page

    async def _advance(self, page: HalResource, url: str | None) -> RawPage:
        """Return a page, and decide where the one before it is."""
        entries = self._spec.items.count(page)
        unlinked_range = self._unlinked_range(page)
        if url is not None and unlinked_range is not None and entries < unlinked_range[1] - unlinked_range[0] + 1:
            return await self._collect(None, end=unlinked_range[1] + 1)
        items = self._spec.items.entries(page)
        shifted = await self._shifted_items(page, entries)
        items = tuple(_reversed(items, shifted))
        position = None if self._position is None else self._position + entries
        link = await self._link_before(page, position)
        try:
            next_url = None if link is None else link_url(link, page.base)
        except HalError as error:  # this page is valid, so its items are returned before the error is raised
            next_url, self._failure = None, error
        if self._collect_before is not None:
            next_url = page.base  # resumed there, the pages before it are collected
        self._visited.add(url, page.base, page.self_url)
        self._next_url = next_url
        self._position = position
        self._current = None if link is None else (page, link)
        self._ended = next_url is None and self._failure is None
        self._total = total = total_of(page)
        if total is not None:
            self._least_total = total if self._least_total is None else min(total, self._least_total)
        notices: tuple[str, ...] = ()
        least = self._least_total  # items that were added while others were read are not counted
        if self._ended and self._first is not None and position is not None and least is not None and position < least:
            notices = (total_notice(page, least, position),)
        return RawPage(
            page=page,
            items=items,
            next_url=next_url,
            position=position,
            first=self._first_url.digests,
            is_read=self._collect_before is not None,
            is_linked=not self._by_range,
            may_repeat=bool(shifted),
            notices=notices,
        )

    async def _link_before(self, page: HalResource, position: int | None) -> Link | None:
        """Return the link to the page before a page; None where it is the first, or where pages are to be collected."""
        ranges, unlinked_range = self._spec.ranges, self._unlinked_range(page)
        link, url = page_link(page, PREVIOUS), page_url(page, *PREVIOUS)
        if link is not None and unlinked_range is None:
            leads_back = url in {page.base, page.self_url} or self._visited.contains(url)
            return None if leads_back and self._is_first(page) else link
        if self._is_first(page):
            return None
        if ranges is not None and unlinked_range is not None:
            index = unlinked_range[0]
            if index <= ranges.first:
                return None
            step = self._step or min(ranges.size, self._spec.items.count(page)) or ranges.size
            before = ranges.at(max(ranges.first, index - step), index - 1)
            return Link(ranges.url(await self._spec.source.resolve_url({}), before), "prev")
        total = total_of(page)
        if self._first is None and position is not None and total is not None and position >= total:
            return None
        self._collect_before = page
        return None

    def _unlinked_range(self, page: HalResource) -> tuple[int, int] | None:
        """Return the first and the last index of a range that was requested without a link; None for other pages."""
        return self._spec.ranges.bounds_of(page.base) if self._by_range and self._spec.ranges is not None else None

    def _is_first(self, page: HalResource) -> bool:
        """Return whether a page is the collection's first."""
        own = (page.base, page.self_url)
        first = None if self._by_range else page_url(page, "first")  # that of a range is the range itself
        if page is self._first or self._first_url.contains(*own) or (first is not None and first in own):
            return True
        return self._first is not None and self._is_same(page, self._first)

    def _is_same(self, page: HalResource, other: HalResource) -> bool:
        own = {page.base, page.self_url} - {None}
        if own & {other.base, other.self_url}:
            return True
        content = self._content(page)
        return bool(content) and content == self._content(other)

    def _content(self, page: HalResource) -> tuple[str, ...]:
        return tuple(map(fingerprint_of, self._spec.items.entries(page)))

    async def _shifted_items(self, page: HalResource, entries: int) -> tuple[HalResource | LinkedItem, ...]:
        """Return the items that have moved from this page to the pages after it.

        Items that were added at the head have pushed others from this page onto pages that were read before.
        """
        later, guard = page, GrowthGuard()
        items: list[HalResource | LinkedItem] = []
        unlinked_range = self._unlinked_range(page)
        if unlinked_range is not None and self._spec.ranges is not None:
            end = unlinked_range[0] + entries
            index, growth = end, self._growth(page)
            while index < end + growth:
                params = self._spec.ranges.at(index, end + growth - 1)
                url = self._spec.ranges.url(await self._spec.source.resolve_url({}), params)
                later = await guard.fetch_next(later, Link(url, "next"))
                items += self._spec.items.entries(later)
                index += self._spec.items.count(later) or growth
                growth = max(growth, self._growth(later))
            return tuple(items)
        while self._growth(later) > max(guard.pages, len(items)) and (link := page_link(later)) is not None:
            later = await guard.fetch_next(later, link)
            items += self._spec.items.entries(later)
        return tuple(items)

    def _growth(self, page: HalResource) -> int:
        total = total_of(page)
        return 0 if total is None or self._total is None else total - self._total

    # ------------------------------------------------------------------------------------------- collecting forwards

    async def _collect(self, before: HalResource | None, end: int | None = None) -> RawPage:
        """Collect pages forwards, up to a page or an index, and return the last of them."""
        first = self._first or await self._spec.source.first_page()
        self._first_url.add(first.base, first.self_url)
        collected: list[RawPage] = []
        count, failure = 0, None
        notices: tuple[str, ...] = ()
        try:
            async for raw in RawPageIterator(self._forward_spec(), first=first):
                if raw.page is None or (before is not None and self._is_same(raw.page, before)):
                    break
                items = raw.items
                if end is not None and raw.position is not None and raw.position > end:
                    items = items[: max(0, len(items) - (raw.position - end))]
                notices += raw.notices
                if items:
                    collected.append(RawPage(page=raw.page, items=items[::-1], next_url=None))
                count += len(items)
                if count > MAX_COLLECTED_ITEMS:
                    raise IncompleteCollectionError(
                        f"the collection at {mask_url(first.url)} cannot be read backwards: a page has no 'last' or "
                        f"'prev', and there are more than {MAX_COLLECTED_ITEMS} items before it; read it forwards, or "
                        "narrow the request, as with since and until",
                        url=first.url,
                    )
                if end is not None and raw.position is not None and raw.position >= end:
                    break
        except PaginationLoopError as error:  # raised after the items
            failure = error
        self._collected, self._collect_before, self._failure, self._ended = collected, None, failure, failure is None
        if not collected:
            return RawPage(page=before or first, items=(), next_url=None, notices=notices)
        collected[0] = attrs.evolve(collected[0], notices=notices)  # the last one to be returned
        return self._next_collected(collected)

    def _next_collected(self, collected: list[RawPage]) -> RawPage:
        raw = collected.pop()
        before = collected[-1].page if collected else None
        return attrs.evolve(raw, next_url=None if before is None else before.base, first=self._first_url.digests)

    def _forward_spec(self) -> PaginationSpec:
        return attrs.evolve(self._spec, reverse=False)


def _reversed(
    items: Sequence[HalResource | LinkedItem], shifted: Sequence[HalResource | LinkedItem]
) -> Iterator[HalResource | LinkedItem]:
    """Return the items of a page and those that have moved from it, the last one first; the moved ones once."""
    known: set[str] = set()
    for item in reversed(shifted):
        identity = identity_of(item)
        if identity is None or identity not in known:
            yield item
        if identity is not None:
            known.add(identity)
    for item in reversed(items):
        if not known or identity_of(item) not in known:
            yield item
