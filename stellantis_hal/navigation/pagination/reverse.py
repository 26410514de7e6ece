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
from stellantis_hal.navigation.pagination.digests import digest
from stellantis_hal.navigation.pagination.growth_guard import GrowthGuard
from stellantis_hal.navigation.pagination.head_shift import HeadShift
from stellantis_hal.navigation.pagination.item_selection import LinkedItem, identity_of
from stellantis_hal.navigation.pagination.page_source import PageIterationSpec
from stellantis_hal.navigation.pagination.page_token import START, PageToken
from stellantis_hal.navigation.pagination.raw_page import (
    PREVIOUS,
    RawPage,
    fingerprint_of,
    followed_link,
    page_link,
    page_url,
    removal_notice,
    total_notice,
    total_of,
    unlinked,
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

    Items that are added at the head move others onto pages that were read before. As many as the total has grown are
    read there; without totals, after a token, those before the first known item. The first page is read first and
    last: where it shows that more were added than were found to have moved, because others were removed meanwhile, a
    notice says that items may be missing. Not noticed is, while as many others are removed, what is added behind the
    head, is removed from the head again, is added while items that have moved are read, or is added at the head after
    as many were added at the tail before the last page was read. Pages that are collected forwards are as complete as
    those that are read forwards.

    Args:
        spec: what to paginate.
        position: the position to start at.
    """

    def __init__(self, spec: PageIterationSpec, position: PageToken = START) -> None:
        self._spec = spec
        self._resumed = position if position.url else None  # None after the first page
        self._next_url = position.url or None
        # The current page and its link to the one before it; None at the start.
        self._current: tuple[HalResource, Link] | None = None
        self._visited = VisitedPages()
        self._first: HalResource | None = None
        self._first_url = VisitedPages(position.first)
        self._is_read = position.is_read
        # The total that the latest page states, and the least one.
        self._total: int | None = position.total
        self._least_total: int | None = position.least_total
        # Whether the least total is that of the whole iteration and of all items: not after an old token.
        is_part = spec.ranges is not None and spec.ranges.within is not None
        self._is_counted = not is_part and (self._resumed is None or position.least_total is not None)
        self._shift = position.shift
        # Digests of the items of the latest page that has items.
        self._known: Sequence[bytes] = position.known
        # A digest of the first of them.
        self._edge = position.edge
        # The number of items on the pages read; None where it is unknown.
        self._position = position.position
        # Whether pages are read by ranges that no link leads to, and their size.
        self._by_range = bool(position.url) and not position.is_linked
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
            if page_link(first, PREVIOUS) is None:
                self._shift = HeadShift.of(_digests(self._spec.items.entries(first)))
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
        forward = RawPageIterator(self._spec, first=first)
        start = await anext(forward)
        if forward.by_range:
            assert start.position is not None  # noqa: S101 - the next range begins there
            return await self._last_range(first, start.position)
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
        while (following := followed_link(page)) is not None:  # pages that were added after the 'last' link was written
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
            page = await first.fetch_link(unlinked(url))
        except ApiError:
            return None
        found = self._spec.items.count(page)
        if index + found != self._end_of(page) or not set(self._content(page)).isdisjoint(self._content(first)):
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
        shifted, notices = await self._moved_items(page, entries)
        own, behind = _digests(items), _digests(shifted)
        # Those of the page itself have moved after it was read.
        moved = sum(one not in own for one in behind[: _first_known(shifted, self._known)])
        if self._first is not None and url is None:  # what was added before the last page was read moved nothing
            self._shift = attrs.evolve(self._shift, moved=max(0, (total_of(page) or 0) - (total_of(self._first) or 0)))
        self._shift = HeadShift() if notices else self._shift.after(own, behind, moved)  # it is told once
        if items:
            self._known, self._edge = own, own[0]
        items = tuple(_reversed(items, shifted))
        position = None if self._position is None else self._position + entries
        link = None
        try:
            link = await self._link_before(page, position)
            next_url = None if link is None else link_url(link, page.base)
        except HalError as error:  # this page is valid, so its items are returned before the error is raised
            next_url, self._failure = None, error
        if self._collect_before is not None:
            next_url = page.base  # resumed there, the pages before it are collected
        self._visited.add(url, page.base, page.self_url)
        self._next_url, self._resumed = next_url, None
        self._position = position
        self._current = None if link is None else (page, link)
        self._ended = next_url is None and self._failure is None
        if self._failure is not None:
            next_url = page.base  # resumed there, the pages before it are collected
        self._total = total = total_of(page)
        if total is not None:
            self._least_total = total if self._least_total is None else min(total, self._least_total)
        least = self._least_total  # items that were added while others were read are not counted
        if self._ended and self._is_counted and position is not None and least is not None and position < least:
            notices = (*notices, total_notice(page, least, position))
        is_compared = self._ended and bool(items) and (self._first is not None or least is not None)
        if is_compared and not self._shift.is_explained((*own, *behind), has_totals=least is not None):
            notices = (*notices, _head_notice(page))
        return RawPage(
            page=page,
            items=items,
            next_url=next_url,
            position=position,
            first=self._first_url.digests,
            is_read=self._collect_before is not None or self._failure is not None,
            is_linked=not self._by_range,
            may_repeat=bool(shifted),
            notices=notices,
            total=total,
            least_total=self._least_total,
            edge=self._edge,
            shift=self._shift,
        )

    async def _link_before(self, page: HalResource, position: int | None) -> Link | None:
        """Return the link to the page before a page; None where it is the first, or where pages are to be collected."""
        ranges, unlinked_range = self._spec.ranges, self._unlinked_range(page)
        if page_link(page, PREVIOUS) is not None and unlinked_range is None:
            url = page_url(page, *PREVIOUS)
            leads_back = url in {page.base, page.self_url} or self._visited.contains(url)
            return None if leads_back and self._is_first(page) else followed_link(page, PREVIOUS)
        if self._is_first(page):
            return None
        if ranges is not None and unlinked_range is not None:
            index = unlinked_range[0]
            if index <= ranges.first:
                return None
            step = self._step or min(ranges.size, self._spec.items.count(page)) or ranges.size
            before = ranges.at(max(ranges.first, index - step), index - 1)
            return unlinked(ranges.url(await self._spec.source.resolve_url({}), before))
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

    async def _moved_items(
        self, page: HalResource, entries: int
    ) -> tuple[tuple[HalResource | LinkedItem, ...], tuple[str, ...]]:
        """Return the items that have moved from this page to those read before, and notices where that is unknown."""
        resumed = self._resumed
        if resumed is None:
            return await self._shifted_items(page, entries)
        if self._total is None or total_of(page) is None:
            return await self._items_before_known(page, resumed)
        items, notices = await self._shifted_items(page, entries)
        known = _first_known(items, resumed.known)
        # A token has the latest identities only: the items after theirs were returned too.
        return items if known is None else items[: known + len(resumed.recent)], notices

    async def _items_before_known(
        self, page: HalResource, resumed: PageToken
    ) -> tuple[tuple[HalResource | LinkedItem, ...], tuple[str, ...]]:
        """Return the items between a page and the first item after it that was returned before the token was made.

        Without totals, that item alone shows how many items were added at the head.
        """
        later, guard = page, GrowthGuard()
        items: list[HalResource | LinkedItem] = []
        if resumed.position == 0:
            return (), ()
        try:
            while resumed.known and (link := await self._link_after(later)) is not None:
                before, later = later, await guard.fetch_next(later, link)
                if self._is_same(later, before):  # the server ignores ranges
                    break
                found = self._spec.items.entries(later)
                known = _first_known(found, resumed.known)
                items += found[:known]
                if known is not None:
                    return tuple(items), ()
        except PaginationLoopError:  # the pages lead back
            pass
        return (), (_moved_notice(page),)

    async def _link_after(self, page: HalResource) -> Link | None:
        """Return the link to the page after a page, else to the range after it; None where neither is known."""
        link, ranges = followed_link(page), self._spec.ranges
        index = None if ranges is None else ranges.index_of(page.base)
        if index is None and self._first_url.contains(page.base):
            index = 0
        if link is not None or ranges is None or index is None:
            return link
        params = ranges.at(index + (self._spec.items.count(page) or ranges.size))
        return unlinked(ranges.url(await self._spec.source.resolve_url({}), params))

    async def _shifted_items(
        self, page: HalResource, entries: int
    ) -> tuple[tuple[HalResource | LinkedItem, ...], tuple[str, ...]]:
        """Return the items that have moved from this page to the pages after it, as the totals say, and notices.

        Items that were added at the head have pushed others from this page onto pages that were read before.
        """
        later, guard = page, GrowthGuard()
        items: list[HalResource | LinkedItem] = []
        growth = self._growth(page)
        was_reduced = False  # items that were removed since this page was read have moved others onto it
        unlinked_range = self._unlinked_range(page)
        if unlinked_range is not None and self._spec.ranges is not None:
            end = unlinked_range[0] + entries
            index = end
            while index < end + growth:
                params = self._spec.ranges.at(index, end + growth - 1)
                url = self._spec.ranges.url(await self._spec.source.resolve_url({}), params)
                later = await guard.fetch_next(later, unlinked(url))
                items += self._spec.items.entries(later)
                index += self._spec.items.count(later) or growth
                was_reduced = was_reduced or self._growth(later) < growth
                growth = max(growth, self._growth(later))
        else:
            while self._growth(later) > max(guard.pages, len(items)):
                link = await self._link_after(later)
                if link is None and not guard.pages:
                    return (), (_moved_notice(page),)
                if link is None:  # the collection has been read to its end
                    break
                later = await guard.fetch_next(later, link)
                items += self._spec.items.entries(later)
                was_reduced = was_reduced or self._growth(later) < growth
                growth = max(growth, self._growth(later))
        if growth > self._growth(page):  # then these are of several states of the collection
            self._shift = HeadShift()
        return tuple(items), (removal_notice(page),) if was_reduced else ()

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
        rest = None if before is None else _MovedItems(self._known_of(before), self._total)
        is_reached = False
        try:
            async for raw in RawPageIterator(self._spec, first=first):
                if raw.page is None:
                    break
                items = raw.items
                is_reached = is_reached or (before is not None and self._is_same(raw.page, before))
                if rest is not None and is_reached:
                    items = rest.of(raw.page, items)
                    if before is not None and (total_of(raw.page) or 0) < (total_of(before) or 0):
                        notices += (removal_notice(before),)
                stop = None if end is None else end + max(0, self._growth(raw.page))
                if stop is not None and raw.position is not None and raw.position > stop:
                    items = items[: max(0, len(items) - (raw.position - stop))]
                notices += raw.notices
                if items:
                    collected.append(RawPage(page=raw.page, items=items[::-1], next_url=None, may_repeat=is_reached))
                count += len(items)
                if count > MAX_COLLECTED_ITEMS:
                    raise IncompleteCollectionError(
                        f"the collection at {mask_url(first.url)} cannot be read backwards: a page has no 'last' or "
                        f"'prev', and there are more than {MAX_COLLECTED_ITEMS} items before it; read it forwards, or "
                        "narrow the request, as with since and until",
                        url=first.url,
                    )
                if rest is not None and is_reached and rest.is_complete:
                    break
                if stop is not None and raw.position is not None and raw.position >= stop:
                    break
        except PaginationLoopError as error:  # raised after the items
            failure = error
        if before is not None and rest is not None and is_reached and not rest.is_complete:
            del collected[len(collected) - rest.pages :]
            notices += (_moved_notice(before),)
        self._resumed = None
        self._collected, self._collect_before, self._failure, self._ended = collected, None, failure, failure is None
        if not collected:
            return RawPage(page=before or first, items=(), next_url=None, notices=notices)
        return attrs.evolve(self._next_collected(collected), notices=notices)

    def _known_of(self, page: HalResource) -> tuple[bytes, ...]:
        """Return digests of the items on a page that was read, or of those that were returned before a token."""
        if self._resumed is not None:
            return self._resumed.known
        return _digests(self._spec.items.entries(page))

    def _next_collected(self, collected: list[RawPage]) -> RawPage:
        raw = collected.pop()
        before = collected[-1].page if collected else None
        assert raw.page is not None  # noqa: S101 - pages that are absent are not collected
        total = total_of(raw.page)
        return attrs.evolve(
            raw,
            next_url=None if before is None else before.base,
            first=self._first_url.digests,
            total=total,
            least_total=total,
            edge=digest(fingerprint_of(raw.items[-1])),
        )


class _MovedItems:
    """The items that have moved to a page that was returned before, and to those after it.

    Args:
        known: digests of the items that were on the page.
        total: the total when it was read; None where it is unknown.
    """

    def __init__(self, known: Sequence[bytes], total: int | None) -> None:
        self._known = known
        self._total = total
        self._count = 0
        self.pages: int = 0
        """The number of pages with such items."""
        self.is_complete: bool = False
        """Whether all of them were found."""

    def of(
        self, page: HalResource, items: tuple[HalResource | LinkedItem, ...]
    ) -> tuple[HalResource | LinkedItem, ...]:
        """Return those of a page, which is the page that was returned before or one after it."""
        total = total_of(page)
        known = _first_known(items, self._known)
        found = items[:known]
        if known is None and total is not None and self._total is not None:
            left = max(0, total - self._total - self._count)
            found = found[:left]
            self.is_complete = len(found) == left
        self.is_complete = self.is_complete or known is not None
        self._count += len(found)
        self.pages += bool(found)
        return found


def _first_known(items: Sequence[HalResource | LinkedItem], known: Sequence[bytes]) -> int | None:
    """Return the index of the first item that is known, by a digest of its fingerprint; None where there is none."""
    digests = frozenset(known)
    return next((index for index, item in enumerate(items) if digest(fingerprint_of(item)) in digests), None)


def _digests(items: Sequence[HalResource | LinkedItem]) -> tuple[bytes, ...]:
    return tuple(digest(fingerprint_of(item)) for item in items)


def _moved_notice(page: HalResource) -> str:
    return (
        f"items may be missing from the collection at {mask_url(page.url)}: items may have been added meanwhile, and "
        "neither totals nor items that were returned before show how many; read it again without a page token"
    )


def _head_notice(page: HalResource) -> str:
    return (
        f"items may be missing from the collection at {mask_url(page.url)}: its first items changed while it was read, "
        "so others may have moved to pages that were read before; read it again"
    )


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
