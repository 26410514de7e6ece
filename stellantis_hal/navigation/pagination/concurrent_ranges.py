"""Index ranges: several parts of a collection read concurrently, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import attrs
from anyio.abc import TaskGroup

from stellantis_hal.errors import ApiError, IncompleteCollectionError, PaginationLoopError, StellantisError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.concurrency import OrderedResults, scoped
from stellantis_hal.navigation.pagination.item_selection import LinkedItem, identity_of
from stellantis_hal.navigation.pagination.page_source import PageIterationSpec
from stellantis_hal.navigation.pagination.range_syntax import IndexRangeSyntax
from stellantis_hal.navigation.pagination.raw_page import (
    RawPage,
    has_page_before,
    page_link,
    page_url,
    total_notice,
    total_of,
)
from stellantis_hal.navigation.pagination.recent_ids import MAX_RECENT_IDS
from stellantis_hal.navigation.pagination.sequential import RawPageIterator

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["concurrent"]

_MAX_STEPS = 16
_MAX_REPEATED_HEADS = 2


class RangePageIterator(AsyncIterator[RawPage]):
    """Ranges in order, read concurrently as long as each begins with the last item of the one before.

    Ranges overlap by one item. Items that are added at the head between two responses shift the others, and the overlap
    shows it; from then on one range at a time is read. The first page decides: where it has no total, has items
    without identity or behind links, or has a ``next`` although its total is reached, the collection is read page by
    page. The last range is open, so that a ``next`` shows items beyond the total.
    """

    def __init__(self, spec: PageIterationSpec, ranges: IndexRangeSyntax, tasks: TaskGroup, limit: int) -> None:
        self._spec = spec
        self._ranges = ranges
        self._tasks = tasks
        self._limit = limit
        self._ended = False
        self._base = ""  # the URL of the collection
        self._first_urls: tuple[str | None, ...] = ()
        # The index of the latest item, and the identities of the range that it was read in.
        self._position = -1
        self._current_ids: tuple[str | None, ...] = ()
        self._head: str | None = None
        # Whether the server is known to honour ranges, and how often it seems to have ignored one.
        self._honours_ranges = False
        self._repeated_heads = 0
        self._restarts = 0
        self._prefetched: OrderedResults[_Range] | None = None
        self._sequential: RawPageIterator | None = None
        # Whether it was begun again, so that items follow that were returned before.
        self._may_repeat = False

    async def __anext__(self) -> RawPage:
        if self._sequential is not None:
            return await self._next_sequential(self._sequential)
        if self._ended:
            raise StopAsyncIteration
        if not self._current_ids:
            return await self._first_range()
        return await self._next_prefetched() or await self._find_next()

    async def _first_range(self) -> RawPage:
        try:
            page = await self._spec.source.first_page()
        except ApiError as error:
            if not self._spec.is_absent(error):
                raise
            return self._end(_BEYOND)
        found = self._range_of(page)
        items, total = found.items, total_of(page)
        is_start = not self._ranges.index_of(page.base) and not has_page_before(page)
        # The next range begins with the last item of this page: both have to be where their indexes say.
        is_exact = self._spec.items.count(page, items) == len(items) and None not in found.ids
        if not is_start or not is_exact or total is None or total <= len(items) or len(items) < 2:
            return await self._read_sequentially(page)
        self._base = await self._spec.source.resolve_url({})
        self._first_urls = (page.base, page.self_url)
        self._head = found.ids[0]
        step = self._ranges.size - 1
        starts = range(len(items) - 1, total - 1, step)
        jobs = (partial(self._fetch, first, is_open=first + step >= total - 1) for first in starts)
        self._prefetched = OrderedResults(self._tasks, jobs, self._limit)
        return self._advance(found)

    async def _next_prefetched(self) -> RawPage | None:
        """Return the next range that was prefetched; None where there is none, or it does not overlap as expected."""
        if self._prefetched is None:
            return None
        found = await anext(self._prefetched, None)
        if isinstance(found, _Range) and found.ids[:1] == self._current_ids[-1:] and None not in found.ids:
            self._honours_ranges = True
            return self._advance(found, 1)
        self._prefetched.close()
        self._prefetched = None
        if isinstance(found, StellantisError):
            raise found
        return None

    async def _find_next(self) -> RawPage:
        """Find the items after the latest ones, which may have moved to another index."""
        first, size = self._position, self._ranges.size
        for _ in range(_MAX_STEPS):
            found = await self._fetch(first)
            if None in found.ids:
                return await self._read_sequentially()
            if first and not self._honours_ranges and self._head in found.ids:
                self._repeated_heads += 1
                if self._repeated_heads > _MAX_REPEATED_HEADS:
                    return await self._read_sequentially()  # the server returns the first page for every range
                break
            known = [index for index, id_ in enumerate(found.ids) if id_ in self._current_ids]
            if known:
                self._honours_ranges = self._honours_ranges or first > 0
                first = self._position = first + known[-1]
                if known[-1] + 1 < len(found.ids):
                    return self._advance(found, known[-1] + 1)
                if len(found.ids) < size:
                    return await self._check_end(found)
            elif first == 0:
                break
            else:
                first = max(0, first - size + 1)
        return await self._restart()

    async def _restart(self) -> RawPage:
        """Read from the head again because the latest items are gone; items that were returned are left out later."""
        self._restarts += 1
        if self._position >= MAX_RECENT_IDS or self._restarts > _MAX_STEPS:
            url = self._range_url(0)
            raise PaginationLoopError(
                f"the collection at {mask_url(url)} changes faster than it can be read (restarts: "
                f"{self._restarts - 1}): try again later, or read it page by page",
                url=url,
            )
        found = await self._fetch(0)
        if not found.ids or None in found.ids:
            return await self._read_sequentially()
        self._position, self._head, self._may_repeat = -1, found.ids[0], True
        return self._advance(found)

    async def _read_sequentially(self, first: HalResource | None = None) -> RawPage:
        """Read the collection page by page, from its start; items that were returned are left out later."""
        self._sequential = RawPageIterator(self._spec, first=first)
        self._may_repeat = first is None
        return await self._next_sequential(self._sequential)

    async def _next_sequential(self, pages: RawPageIterator) -> RawPage:
        raw = await anext(pages)
        return attrs.evolve(raw, may_repeat=True) if self._may_repeat else raw

    def _end(self, found: _Range, *notices: str) -> RawPage:
        self._ended = True
        return RawPage(page=found.page, items=(), next_url=None, notices=notices)

    def _advance(self, found: _Range, skipped: int = 0) -> RawPage:
        """Return a range without its first items, which were returned before."""
        items = found.items[skipped:]
        page = found.page
        assert page is not None  # noqa: S101 - it has items
        total = total_of(page)
        self._position += len(items)
        self._current_ids = found.ids
        self._ended = (
            total is not None and self._position + 1 >= total and not self._shows_more(page, total, len(found.ids))
        )
        next_url = None if self._ended else self._range_url(self._position, is_open=True)
        return RawPage(
            page=page,
            items=items,
            next_url=next_url,
            position=self._position,
            may_repeat=self._may_repeat,
            total=total,
        )

    def _shows_more(self, page: HalResource, total: int, count: int) -> bool:
        """Return whether a range that reaches the total shows that there are items beyond it."""
        own = {page.base, page.self_url, *self._first_urls} - {None}
        has_next = page_link(page) is not None and page_url(page, "next") not in own
        return has_next or (self._position + 1 > total and count >= self._ranges.size)

    async def _check_end(self, found: _Range) -> RawPage:
        """End the iteration after a range without new items, unless there are more items, as the total says."""
        total = total_of(found.page) if found.page is not None else None
        count = self._position + 1
        if found.page is None or total is None or total <= count:
            return self._end(found)
        rest = await self._fetch(max(count, total - self._ranges.size))
        if set(rest.ids) <= set(self._current_ids):
            return self._end(found, total_notice(found.page, total, count))
        if count > MAX_RECENT_IDS:
            raise IncompleteCollectionError(
                f"the collection at {mask_url(found.page.url)} cannot be read by index ranges: there are gaps between "
                "its items; read it page by page",
                url=found.page.url,
            )
        return await self._read_sequentially()

    async def _fetch(self, first: int, *, is_open: bool = False) -> _Range:
        try:
            page = await self._spec.source.fetch_url(self._range_url(first, is_open=is_open))
        except ApiError as error:
            if not self._spec.is_beyond_end(error):
                raise
            return _BEYOND
        return self._range_of(page)

    def _range_of(self, page: HalResource) -> _Range:
        items = self._spec.items.entries(page)
        return _Range(page, items, tuple(map(_identity_of, items)))

    def _range_url(self, first: int, *, is_open: bool = False) -> str:
        ranges = self._ranges
        return ranges.url(self._base, ranges.beyond(first) if is_open else ranges.at(first))


class _Range(NamedTuple):
    page: HalResource | None
    items: tuple[HalResource | LinkedItem, ...]
    ids: tuple[str | None, ...]


_BEYOND = _Range(None, (), ())
"""The range beyond the end of a collection."""


def _identity_of(item: HalResource | LinkedItem) -> str | None:
    """Return what identifies an item; None where it is not read yet: its id may be another than that of its URL."""
    return None if isinstance(item, LinkedItem) else identity_of(item)


@asynccontextmanager
async def concurrent(
    spec: PageIterationSpec, ranges: IndexRangeSyntax, limit: int
) -> AsyncGenerator[RangePageIterator, None]:
    """Read up to ``limit`` ranges at a time, inside the block."""
    async with scoped() as tasks:
        yield RangePageIterator(spec, ranges, tasks, limit)
