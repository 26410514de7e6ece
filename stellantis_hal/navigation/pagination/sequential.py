"""Sequential pagination: one page after the other, by the links between them, else by index ranges."""

from __future__ import annotations

import copy
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from stellantis_hal.errors import ApiError, HalError, IncompleteCollectionError, PaginationLoopError
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.link_selection import link_url
from stellantis_hal.navigation.pagination.item_selection import LinkedItem, identity_of
from stellantis_hal.navigation.pagination.page_source import PageIterationSpec
from stellantis_hal.navigation.pagination.page_token import START, PageToken
from stellantis_hal.navigation.pagination.raw_page import (
    RawPage,
    fingerprint_of,
    followed_link,
    has_page_before,
    has_pages_after,
    page_url,
    removal_notice,
    total_notice,
    total_of,
    unlinked,
)
from stellantis_hal.navigation.pagination.visited_pages import VisitedPages

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["RawPageIterator"]

_log = logging.getLogger("stellantis_hal")

# Empty ranges that are read in succession while the total says that there are more items.
_MAX_EMPTY_RANGES = 10
# Pages without items that are read in succession: a hostile server could link new ones without end.
_MAX_EMPTY_PAGES = 1_000


class RawPageIterator(AsyncIterator[RawPage]):
    """Pages one after the other. It can be abandoned at any point, and continued after an error.

    A total is a hint: where a page has a ``next`` it is followed. Where it has none and the total says that there are
    more items, they are read by index ranges, if the server has them; a wrong total is logged as a warning.

    Args:
        spec: what to paginate.
        position: the position to start at.
        first: the first page, where it has been read already.
    """

    def __init__(
        self,
        spec: PageIterationSpec,
        position: PageToken = START,
        *,
        first: HalResource | None = None,
    ) -> None:
        self._spec = spec
        self._next_url = position.url or None
        self._first = first
        # The current page and its link to the next one; None at the start.
        self._current: tuple[HalResource, Link] | None = None
        self._visited = VisitedPages()
        self._ended = False
        self._failure: HalError | None = _no_way_on(position.url) if position.is_read else None
        # The index of the next page's first item; None where it is unknown.
        self._position = position.position
        self._total: int | None = position.total  # of the latest page
        self._least_total: int | None = None
        self._greatest_total: int | None = None
        # Whether pages are linked, and whether the next one is a range that no link leads to.
        ranges = spec.ranges
        index = None if ranges is None else ranges.index_of(position.url)
        self._is_linked = position.is_linked
        self._by_range = index is not None
        self._empty_ranges = 0
        self._empty_pages = 0
        if ranges is not None and index is not None and position.position is not None:
            self._empty_ranges = max(0, index - position.position) // ranges.size
        # Digests of the first page's URLs and of the contents that a range must not repeat; the identity of the first
        # item, and the fingerprints of the latest page: to detect a server that ignores ranges.
        self._first_page = VisitedPages(position.first)
        self._head: str | None = None
        self._latest: frozenset[str] = frozenset()
        self.loops: bool = False
        """Whether the current page's ``next`` leads to a page that was read before."""
        self.is_short: bool = False
        """Whether the total says that there are more items than could be read."""

    async def __anext__(self) -> RawPage:
        if self._failure is not None:
            raise copy.copy(self._failure)
        if self._ended:
            raise StopAsyncIteration
        spec, url = self._spec, self._next_url
        try:
            if url is None:
                page = self._first or await spec.source.first_page()
            else:
                self._visited.check(url)
                if self._current is None:
                    page = await spec.source.fetch_url(url)
                else:
                    page, link = self._current
                    page = await page.fetch_link(link)
        except ApiError as error:
            if not (spec.is_absent(error) if url is None else self._is_beyond_end(error)):
                raise
            return self._end()
        return await self._advance(page, url)

    @property
    def by_range(self) -> bool:
        """Whether the next page is a range that no link leads to."""
        return self._by_range

    def _is_beyond_end(self, error: ApiError) -> bool:
        return self._by_range and self._spec.is_beyond_end(error)

    def _end(self) -> RawPage:
        self._ended = True
        self._position, self._empty_ranges = self._count(self._position), 0
        notices = () if self._current is None else self._report_end(self._current[0])
        return RawPage(page=None, items=(), next_url=None, position=self._position, notices=notices)

    async def _advance(self, page: HalResource, url: str | None) -> RawPage:
        """Return a page, and decide where the next one is."""
        items = self._spec.items.entries(page)
        entries = self._spec.items.count(page, items)
        self._spec = self._spec.after(page)
        self._empty_pages = 0 if entries else self._empty_pages + 1
        if self._empty_pages > _MAX_EMPTY_PAGES:
            self._failure = PaginationLoopError(
                f"the collection at {mask_url(page.url)} does not end: {_MAX_EMPTY_PAGES} pages in a row had no items, "
                "each with a link to another page",
                url=page.url,
            )
            raise self._failure
        if (total := total_of(page)) is not None:
            self._least_total = total if self._least_total is None else min(total, self._least_total)
            self._greatest_total = max(total, self._greatest_total or 0)
        repeated = self._by_range and self._repeats(items)
        if repeated and not self._is_linked and (self._is_short(self._position) or self._has_unread_last(page)):
            self._failure = error = self._incomplete(page)
            raise error
        start = self._start_of(page, url)
        if repeated:
            items, entries = (), 0
        self._position = position = None if start is None else start + entries
        if start == 0 and items:
            self._head = identity_of(items[0])
            self._first_page.add(fingerprint_of(items[0]))
        if url is None:
            self._first_page.add(page.base, page.self_url)
        self._visited.add(url, page.base, page.self_url)
        self._first = None
        self._ended = repeated or not await self._find_next(page, entries)
        notices: tuple[str, ...] = ()
        if total and self._total is not None and total < self._total:
            notices = (removal_notice(page),)
        self._total = total
        if self._ended:
            self._next_url = None
            notices += self._report_end(page)
            if repeated and total is None:
                more = f"the collection at {mask_url(page.url)} may have more than {position} items: "
                notices += (f"{more}its pages state no total and have no 'next'",)
        elif self._by_range and items:
            fingerprints = tuple(map(fingerprint_of, items))
            self._latest = frozenset(fingerprints)
            self._first_page.add(repr(fingerprints))
        return RawPage(
            page=page,
            items=items,
            next_url=self._next_url,
            position=self._count(self._position),
            first=self._first_page.digests,
            is_read=(self.loops or self._failure is not None) and not self._ended,
            is_linked=self._is_linked,
            notices=notices,
            total=total,
        )

    def _start_of(self, page: HalResource, url: str | None) -> int | None:
        """Return the index of a page's first item; None where it is unknown."""
        ranges = self._spec.ranges
        index = None if ranges is None else ranges.index_of(page.base if url is None else url)
        if index is not None:
            return index
        if url is None:  # a page with a page before it is not the collection's first
            return None if has_page_before(page) else 0
        return self._position

    async def _find_next(self, page: HalResource, entries: int) -> bool:
        """Set where the next page is; return whether there is one."""
        try:
            link = followed_link(page)
            url = None if link is None else link_url(link, page.base)
        except HalError as error:  # this page is valid, so its items are returned before the error is raised
            self._next_url, self._failure = page.base, error
            return True
        was_by_range, self._by_range = self._by_range, False
        self.loops = url is not None and (self._visited.contains(url) or self._first_page.contains(url))
        if page_url(page, "last") in {page.base, page.self_url} - {None}:
            self._is_linked = True
        if link is not None and not self.loops:
            self._is_linked = True
        elif self.loops:
            if not self._needs_more(page):
                return False  # the total, or the link 'last', says that this page is the last
        elif (url := await self._next_range(page, entries, was_by_range=was_by_range)) is None:
            return False
        else:
            link, self._by_range = unlinked(url), True
        assert link is not None  # noqa: S101 - each case above has one
        self._next_url, self._current = url, (page, link)
        return True

    def _needs_more(self, page: HalResource) -> bool:
        """Return whether a page after this one is needed, although its ``next`` leads back."""
        if self._position is not None and self._least_total is not None:
            return self._position < self._least_total
        return page_url(page, "last") not in {page.base, page.self_url} - {None}

    async def _next_range(self, page: HalResource, entries: int, *, was_by_range: bool) -> str | None:
        """Return the URL of the range after a page without a ``next``; None where there are no more items."""
        ranges, position = self._spec.ranges, self._position
        if ranges is None or position is None or (ranges.last is not None and position > ranges.last):
            return None
        total = self._end_of_total()
        if total is not None and position <= total:
            more = position < total
        else:
            is_unread = total is None and self._has_unread_last(page)
            is_full = entries >= ranges.size or has_pages_after(page)
            more = is_unread or (is_full and not self._is_linked)
        if not more:
            return None
        self._empty_ranges = 0 if entries else self._empty_ranges + was_by_range
        if was_by_range and not entries:
            position = self._position = position + ranges.size
            if total is None or position >= total or self._empty_ranges > _MAX_EMPTY_RANGES:
                self._position, self._empty_ranges = self._count(position), 0
                return None
        return ranges.url(await self._spec.source.resolve_url({}), ranges.at(position))

    def _count(self, position: int | None) -> int | None:
        """Return the number of items before an index: empty ranges have none."""
        if position is None or self._spec.ranges is None:
            return position
        return position - self._spec.ranges.size * self._empty_ranges

    def _has_unread_last(self, page: HalResource) -> bool:
        last = page_url(page, "last")
        return last is not None and not self._visited.contains(last) and not self._first_page.contains(last)

    def _end_of_total(self) -> int | None:
        """Return the index after the last item as the totals say; None where there is no total.

        Items that are added to a linked collection while it is read are not among the pages that its links lead to.
        """
        total = self._least_total if self._is_linked else self._greatest_total
        last = None if self._spec.ranges is None else self._spec.ranges.last
        return total if total is None or last is None else min(total, last + 1)

    def _is_short(self, position: int | None) -> bool:
        total = self._end_of_total()
        return position is not None and total is not None and position < total

    def _repeats(self, items: tuple[HalResource | LinkedItem, ...]) -> bool:
        """Return whether a range has the items of the first page or of the page before it: it was ignored."""
        found = tuple(map(fingerprint_of, items))
        return bool(found) and (
            self._head in found
            or set(found) <= self._latest
            or self._first_page.contains(found[0] if self._is_linked else repr(found))
        )

    def _incomplete(self, page: HalResource) -> IncompleteCollectionError:
        assert self._spec.ranges is not None  # noqa: S101 - a range was read
        return IncompleteCollectionError(
            f"the collection at {mask_url(page.url)} cannot be read to its end: its pages have no 'next', and the "
            f"server ignores {self._spec.ranges.parameter}; narrow the request, as with since and until",
            url=page.url,
        )

    def _report_end(self, page: HalResource) -> tuple[str, ...]:
        """Return the notice that the total is larger than the number of items; log that it is smaller."""
        position = self._position
        self.is_short = self._is_short(position)
        total = self._end_of_total()
        is_part = self._spec.ranges is not None and self._spec.ranges.within is not None
        if position is None or total is None or is_part:
            return ()
        if self.is_short:
            return (total_notice(page, total, position),)
        if position > (self._greatest_total or 0):
            _log.warning(total_notice(page, total, position))
        return ()


def _no_way_on(url: str) -> PaginationLoopError:
    """Return the error of a token after a page whose ``next`` leads to a URL that was read, or cannot be followed."""
    return PaginationLoopError(
        f"pagination loop: a page leads to {mask_url(url)}, which was read before, or has a link to the next page that "
        "cannot be followed: read the collection without a page token to see which",
        url=url,
    )
