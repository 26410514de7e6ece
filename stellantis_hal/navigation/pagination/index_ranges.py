"""Index ranges: several parts of a collection read concurrently, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import attrs
from anyio.abc import TaskGroup

from stellantis_hal.errors import ApiError, PaginationLoopError, StellantisError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.concurrency import OrderedResults, scoped
from stellantis_hal.navigation.link_selection import Params
from stellantis_hal.navigation.pagination.cursor import MAX_RECENT_IDS, identity_of
from stellantis_hal.navigation.pagination.page_source import PaginationSpec
from stellantis_hal.navigation.pagination.raw_page import RawPage, items_of, total_of
from stellantis_hal.navigation.pagination.sequential import RawPageIterator

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["IndexRanges", "concurrent"]

_MAX_STEPS = 16
_MAX_REPEATED_HEADS = 2


@attrs.frozen(kw_only=True)
class IndexRanges:
    """The syntax of a server's index ranges: ``first-last``, counted from 0, both inclusive; ``first-`` is open.

    Attributes:
        parameter: the query parameter.
        size: items in a range; at least 2.
    """

    parameter: str = "indexRange"
    size: int = attrs.field(default=60, validator=attrs.validators.ge(2))

    def at(self, first: int) -> Params:
        """Return the parameters of the range that begins at an index."""
        return {self.parameter: f"{first}-{first + self.size - 1}"}

    def beyond(self, first: int) -> Params:
        """Return the parameters of the open range that begins at an index."""
        return {self.parameter: f"{first}-"}


class RangePageIterator(AsyncIterator[RawPage]):
    """Ranges in order, read concurrently as long as each begins with the last item of the one before.

    Ranges overlap by one item. Items that are added at the head between two responses shift the others, and the overlap
    shows it; from then on one range at a time is read. The first range decides: where it has no total, has items
    without identity, or is shorter than expected, the collection is read page by page.
    """

    def __init__(self, spec: PaginationSpec, ranges: IndexRanges, tasks: TaskGroup, limit: int) -> None:
        self._spec = spec
        self._ranges = ranges
        self._tasks = tasks
        self._limit = limit
        self._ended = False
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

    async def __anext__(self) -> RawPage:
        if self._sequential is not None:
            return await anext(self._sequential)
        if self._ended:
            raise StopAsyncIteration
        if not self._current_ids:
            return await self._first_range()
        return await self._next_prefetched() or await self._find_next()

    async def _first_range(self) -> RawPage:
        found = await self._fetch(0)
        if found.page is None:
            return self._end(found)
        total = total_of(found.page)
        if total is None or len(found.items) != min(total, self._ranges.size) or None in found.ids:
            return await self._read_sequentially()
        if not found.items:
            return self._end(found)
        self._head = found.ids[0]
        starts = range(len(found.items) - 1, total - 1, self._ranges.size - 1)
        self._prefetched = OrderedResults(self._tasks, (partial(self._fetch, first) for first in starts), self._limit)
        return await self._advance(found, 0)

    async def _next_prefetched(self) -> RawPage | None:
        """Return the next range that was prefetched; None where there is none, or it does not overlap as expected."""
        if self._prefetched is None:
            return None
        found = await anext(self._prefetched, None)
        if isinstance(found, _Range) and found.ids[:1] == self._current_ids[-1:] and None not in found.ids:
            self._honours_ranges = True
            return await self._advance(found, 1)
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
                    return await self._advance(found, known[-1] + 1)
                if len(found.ids) < size:
                    return self._end(found)
            elif first == 0:
                break
            else:
                first = max(0, first - size + 1)
        return await self._restart()

    async def _restart(self) -> RawPage:
        """Read from the head again because the latest items are gone; items that were returned are left out later."""
        self._restarts += 1
        if self._position >= MAX_RECENT_IDS or self._restarts > _MAX_STEPS:
            url = await self._range_url(0)
            raise PaginationLoopError(
                f"the collection at {mask_url(url)} changes faster than it can be read (restarts: "
                f"{self._restarts - 1}): try again later, or read it page by page",
                url=url,
            )
        found = await self._fetch(0)
        if not found.ids or None in found.ids:
            return await self._read_sequentially()
        self._position, self._head = -1, found.ids[0]
        return await self._advance(found, 0)

    async def _read_sequentially(self) -> RawPage:
        self._sequential = RawPageIterator(self._spec)
        return await anext(self._sequential)

    def _end(self, found: _Range) -> RawPage:
        self._ended = True
        return RawPage(page=found.page, items=(), next_url=None)

    async def _advance(self, found: _Range, skipped: int) -> RawPage:
        """Return a range without its first items, which were returned before."""
        items = found.items[skipped:]
        total = total_of(found.page) if found.page is not None else None
        self._position += len(items)
        self._current_ids = found.ids
        self._ended = total is not None and self._position + 1 >= total
        next_url = None if self._ended else await self._spec.source.resolve_url(self._ranges.beyond(self._position))
        return RawPage(page=found.page, items=items, next_url=next_url)

    async def _fetch(self, first: int) -> _Range:
        try:
            page = await self._spec.source.fetch_url(await self._range_url(first))
        except ApiError as error:
            if not self._spec.is_absent(error):
                raise
            return _Range(None, (), ())
        items = items_of(page, self._spec.rel)
        return _Range(page, items, tuple(map(identity_of, items)))

    async def _range_url(self, first: int) -> str:
        return await self._spec.source.resolve_url(self._ranges.at(first))


class _Range(NamedTuple):
    page: HalResource | None
    items: tuple[HalResource, ...]
    ids: tuple[str | None, ...]


@asynccontextmanager
async def concurrent(spec: PaginationSpec, ranges: IndexRanges, limit: int) -> AsyncGenerator[RangePageIterator, None]:
    """Read up to ``limit`` ranges at a time, inside the block."""
    async with scoped() as tasks:
        yield RangePageIterator(spec, ranges, tasks, limit)
