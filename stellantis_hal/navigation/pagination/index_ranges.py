"""Several index ranges of a collection at a time, in order.

Knows collections that say their total and take index ranges. Ranges overlap by one element, so that elements which
arrive at the head between two answers are noticed: on a mismatch the walk goes on with one range at a time.
"""

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
from stellantis_hal.navigation.pagination.cursor import REMEMBERED, identity_of
from stellantis_hal.navigation.pagination.sequential import (
    PaginationSpec,
    RawPage,
    RawPageIterator,
    elements_of,
    total_of,
)

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["IndexRanges", "concurrent"]

_STEPS = 16
_DOUBTS = 2


@attrs.frozen(kw_only=True)
class IndexRanges:
    """How a server takes index ranges: ``first-last``, counted from 0, both inclusive; ``first-`` is open.

    Attributes:
        parameter: the query parameter.
        size: how many elements to ask for at a time; at least 2.
    """

    parameter: str = "indexRange"
    size: int = attrs.field(default=60, validator=attrs.validators.ge(2))

    def at(self, first: int) -> Params:
        """Ask for ``size`` elements from an index on."""
        return {self.parameter: f"{first}-{first + self.size - 1}"}

    def beyond(self, first: int) -> Params:
        """Ask for everything from an index on."""
        return {self.parameter: f"{first}-"}


class RangePageIterator(AsyncIterator[RawPage]):
    """Ranges in order: those read ahead as long as each begins with the last element of the one before.

    The first range decides: where it says no total, has elements without identity, or is not as long as it ought to
    be, the collection is walked page by page.
    """

    def __init__(self, course: PaginationSpec, ranges: IndexRanges, tasks: TaskGroup, limit: int) -> None:
        self._course = course
        self._ranges = ranges
        self._tasks = tasks
        self._limit = limit
        self._ended = False
        # Where the element given last stands, and those of the range that it came in.
        self._position = -1
        self._known: tuple[str | None, ...] = ()
        self._head: str | None = None
        self._takes_ranges = False
        self._doubts = 0
        self._restarts = 0
        self._ahead: OrderedResults[_Range] | None = None
        self._by_links: RawPageIterator | None = None

    async def __anext__(self) -> RawPage:
        if self._by_links is not None:
            return await anext(self._by_links)
        if self._ended:
            raise StopAsyncIteration
        if not self._known:
            return await self._first()
        return await self._next_ahead() or await self._next_alone()

    async def _first(self) -> RawPage:
        found = await self._read(0)
        if found.page is None:
            return self._end(found)
        total = total_of(found.page)
        if total is None or len(found.items) != min(total, self._ranges.size) or None in found.identities:
            return await self._walk_by_links()
        if not found.items:
            return self._end(found)
        self._head = found.identities[0]
        starts = range(len(found.items) - 1, total - 1, self._ranges.size - 1)
        self._ahead = OrderedResults(self._tasks, (partial(self._read, first) for first in starts), self._limit)
        return await self._advance(found, 0)

    async def _next_ahead(self) -> RawPage | None:
        """Take the range that was read ahead; None where none was, or it does not follow on what was given."""
        if self._ahead is None:
            return None
        found = await anext(self._ahead, None)
        if isinstance(found, _Range) and found.identities[:1] == self._known[-1:] and None not in found.identities:
            self._takes_ranges = True
            return await self._advance(found, 1)
        self._ahead.close()
        self._ahead = None
        if isinstance(found, StellantisError):
            raise found
        return None

    async def _next_alone(self) -> RawPage:
        """Look for what follows the elements given last, wherever they stand now."""
        first, size = self._position, self._ranges.size
        for _ in range(_STEPS):
            found = await self._read(first)
            if None in found.identities:
                return await self._walk_by_links()
            if first and not self._takes_ranges and self._head in found.identities:
                self._doubts += 1
                if self._doubts > _DOUBTS:
                    return await self._walk_by_links()  # the first page again and again: no ranges here
                break
            seen = [at for at, identity in enumerate(found.identities) if identity in self._known]
            if seen:
                self._takes_ranges = self._takes_ranges or first > 0
                first = self._position = first + seen[-1]
                if seen[-1] + 1 < len(found.identities):
                    return await self._advance(found, seen[-1] + 1)
                if len(found.identities) < size:
                    return self._end(found)
            elif first == 0:
                break
            else:
                first = max(0, first - size + 1)
        return await self._anew()

    async def _anew(self) -> RawPage:
        """Start over where the elements given last are gone; those given already are not given twice."""
        self._restarts += 1
        if self._position >= REMEMBERED or self._restarts > _STEPS:
            url = await self._address(0)
            raise PaginationLoopError(
                f"the collection at {mask_url(url)} changes faster than it can be walked", url=url
            )
        found = await self._read(0)
        if not found.identities or None in found.identities:
            return await self._walk_by_links()
        self._position, self._head = -1, found.identities[0]
        return await self._advance(found, 0)

    async def _walk_by_links(self) -> RawPage:
        self._by_links = RawPageIterator(self._course)
        return await anext(self._by_links)

    def _end(self, found: _Range) -> RawPage:
        self._ended = True
        return RawPage(page=found.page, items=(), following=None)

    async def _advance(self, found: _Range, skipped: int) -> RawPage:
        """Give a range's elements but for those given already."""
        items = found.items[skipped:]
        total = total_of(found.page) if found.page is not None else None
        self._position += len(items)
        self._known = found.identities
        self._ended = total is not None and self._position + 1 >= total
        following = None if self._ended else await self._course.source.locate(self._ranges.beyond(self._position))
        return RawPage(page=found.page, items=items, following=following)

    async def _read(self, first: int) -> _Range:
        try:
            page = await self._course.source.visit(await self._address(first))
        except ApiError as error:
            if not self._course.is_absent(error):
                raise
            return _Range(None, (), ())
        items = elements_of(page, self._course.rel)
        return _Range(page, items, tuple(map(identity_of, items)))

    async def _address(self, first: int) -> str:
        return await self._course.source.locate(self._ranges.at(first))


class _Range(NamedTuple):
    page: HalResource | None
    items: tuple[HalResource, ...]
    identities: tuple[str | None, ...]


@asynccontextmanager
async def concurrent(
    course: PaginationSpec, ranges: IndexRanges, limit: int
) -> AsyncGenerator[RangePageIterator, None]:
    """Read up to so many ranges at a time, inside the block."""
    async with scoped() as tasks:
        yield RangePageIterator(course, ranges, tasks, limit)
