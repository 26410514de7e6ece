"""Collections as what they are walked for: items, or pages of them.

Knows how items are read and told apart. Must not know the ways from page to page: :mod:`.walks` and :mod:`.ranges` do.
A paginator is a recipe: each iteration is a walk of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.pagination.cursor import PageToken, RecentIds, identity_of
from stellantis_hal.navigation.pagination.index_ranges import IndexRanges, concurrent
from stellantis_hal.navigation.pagination.sequential import (
    Absent,
    Lost,
    PageSource,
    PaginationSpec,
    RawPage,
    RawPageIterator,
    ahead,
    strays_of,
    total_of,
    warn_of,
)

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Absent", "IndexRanges", "ItemIterator", "Page", "PageIterator", "Pages", "Paginator"]

T = TypeVar("T")
U = TypeVar("U")


@attrs.frozen(kw_only=True, eq=False)
class Page(Generic[T]):
    """One page of a walk.

    Attributes:
        items: its elements, without those that the walk has given already.
        number: its place in the walk, from 1; a walk that was taken up again counts on.
        total: how many elements the collection has; None where the page does not say.
        resource: the page itself; None for a collection that is absent.
    """

    items: tuple[T, ...]
    number: int
    total: int | None
    resource: HalResource | None = attrs.field(repr=False)
    _course: PaginationSpec = attrs.field(repr=False, alias="course")
    _following: str | None = attrs.field(repr=False, alias="following")
    _given: tuple[str | bytes, ...] = attrs.field(repr=False, alias="given")

    @property
    def token(self) -> str | None:
        """Where ``pages(token=…)`` takes up the walk AFTER this page, in any process; None after the last.

        To be given to a walk of the same collection: the place is the token's, whatever filters the walk has.
        """
        if self._following is None:
            return None
        course = self._course
        mark = PageToken.after(
            self._given, url=self._following, number=self.number, rel=course.rel, reverse=course.reverse
        )
        return mark.to_token()


class PageIterator(AsyncIterator[Page[T]]):
    """Pages, one after the other."""

    def __init__(
        self,
        course: PaginationSpec,
        readings: AsyncIterator[RawPage],
        read: Callable[[HalResource], T | None],
        mark: PageToken | None = None,
    ) -> None:
        self._course = course
        self._readings = readings
        self._read = read
        self._recent = RecentIds(mark.given if mark else ())
        self._reading: RawPage | None = None  # one that could not be made a page of yet
        self._number = mark.number if mark else 0
        # The page given last, or where the walk was taken up: what a token is made of, where one is needed.
        self._behind: Page[T] | PageToken | None = mark

    async def __anext__(self) -> Page[T]:
        try:
            if self._reading is None:
                self._reading = await anext(self._readings)
            page = self._made(self._reading)
        except StellantisError as error:
            if error.resume_token is None:
                error.resume_token = self._token()
            raise
        self._reading = None
        self._behind = page
        return page

    def _made(self, reading: RawPage) -> Page[T]:
        if reading.page is not None and (lost := strays_of(reading.page, self._course.rel)):
            self._course.lost(reading.page, lost)
        named = [(identity_of(element), element) for element in reading.items]
        # All are read before any counts as given: one that cannot be read must not cost the others when asked again.
        read = [(name, self._read(element)) for name, element in named if not self._recent.knows(name)]
        items = [item for name, item in read if self._recent.admit(name) and item is not None]
        self._number += 1
        return Page(
            items=tuple(items),
            number=self._number,
            total=total_of(reading.page) if reading.page is not None else 0,
            resource=reading.page,
            course=self._course,
            following=reading.following,
            given=self._recent.last(),
        )

    def _token(self) -> str | None:
        behind = self._behind
        return behind.to_token() if isinstance(behind, PageToken) else behind.token if behind is not None else None


class ItemIterator(AsyncIterator[T]):
    """Items, one after the other; safe to leave at any point."""

    def __init__(self, pages: PageIterator[T]) -> None:
        self._pages = pages
        self._items: Iterator[T] = iter(())

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            self._items = iter((await anext(self._pages)).items)


class Pages(Generic[T]):
    """The pages of a collection: iterate, or read ahead inside an ``async with``."""

    def __init__(
        self,
        course: PaginationSpec,
        read: Callable[[HalResource], T | None],
        ranges: IndexRanges | None,
        mark: PageToken | None,
    ) -> None:
        self._course = course
        self._read = read
        self._ranges = ranges
        self._mark = mark

    def __aiter__(self) -> PageIterator[T]:
        return PageIterator(self._course, self._walk(), self._read, self._mark)

    def _walk(self) -> RawPageIterator:
        return RawPageIterator(self._course, self._mark.url if self._mark is not None else None)

    @asynccontextmanager
    async def ahead(self, pages: int = 1) -> AsyncGenerator[PageIterator[T], None]:
        """Read so many pages ahead while the consumer works: ``async with pages.ahead(1) as walk: async for …``."""
        async with ahead(self._walk(), pages) as readings:
            yield PageIterator(self._course, readings, self._read, self._mark)

    @asynccontextmanager
    async def concurrent(self, limit: int = 8) -> AsyncGenerator[PageIterator[T], None]:
        """Read up to so many index ranges at a time, in order.

        Where the collection says no total, takes no index ranges, is walked backwards or from a token, it is read one
        page ahead instead.
        """
        if limit < 1:
            raise ValueError(f"at least one range at a time, not {limit}")
        if self._ranges is None or self._course.reverse or self._mark is not None:
            async with self.ahead(1) as walk:
                yield walk
        else:
            async with concurrent(self._course, self._ranges, limit) as readings:
                yield PageIterator(self._course, readings, self._read)


class Paginator(Generic[T]):
    """The items of a collection, on however many pages: ``async for trip in vehicle.trips(): …``.

    A walk ends where a page has no ``next``; empty pages go on. No element is given twice, told by its ``id`` or its
    address, though new ones push others onto the next page meanwhile.
    """

    def __init__(
        self, course: PaginationSpec, read: Callable[[HalResource], T | None], ranges: IndexRanges | None = None
    ) -> None:
        self._course = course
        self._read = read
        self._ranges = ranges

    @classmethod
    def over(
        cls,
        source: PageSource,
        rel: str | None = None,
        *,
        reverse: bool = False,
        absent: Absent | None = None,
        ranges: IndexRanges | None = None,
        lost: Lost = warn_of,
    ) -> Paginator[HalResource]:
        """Walk the items as resources.

        Args:
            source: where the collection is.
            rel: the key that they are embedded under; None: the only one there is.
            reverse: from the last page to the first, and so in each page.
            absent: which errors on the first page mean that there are no items.
            ranges: how the server takes index ranges, for :meth:`concurrent`.
            lost: is told what a page has in place of items that is no object; the usual is a warning in the log.
        """
        return Paginator(
            PaginationSpec(source=source, rel=rel, reverse=reverse, absent=absent, lost=lost), _itself, ranges
        )

    def map(self, read: Callable[[T], U | None]) -> Paginator[U]:
        """Make something of each item; one of which None is made is left out."""
        inner = self._read

        def both(resource: HalResource) -> U | None:
            item = inner(resource)
            return None if item is None else read(item)

        return Paginator(self._course, both, self._ranges)

    def __aiter__(self) -> ItemIterator[T]:
        return ItemIterator(aiter(self.pages()))

    def pages(self, token: str | None = None) -> Pages[T]:
        """Walk page by page, from the first or from where a token was given out.

        Raises:
            ValueError: it is no token, or one of a walk over other items or the other way.
        """
        mark = None if token is None else PageToken.from_token(token)
        if mark is not None:
            mark.check(self._course.rel, reverse=self._course.reverse)
        return Pages(self._course, self._read, self._ranges, mark)

    @asynccontextmanager
    async def ahead(self, pages: int = 1) -> AsyncGenerator[ItemIterator[T], None]:
        """Read so many pages ahead while the consumer works: ``async with trips.ahead(1) as items: …``."""
        async with self.pages().ahead(pages) as walk:
            yield ItemIterator(walk)

    @asynccontextmanager
    async def concurrent(self, limit: int = 8) -> AsyncGenerator[ItemIterator[T], None]:
        """Read up to so many index ranges at a time, in order: ``async with trips.concurrent(8) as items: …``."""
        async with self.pages().concurrent(limit) as walk:
            yield ItemIterator(walk)

    async def first(self) -> T | None:
        """Give the first item; None where there is none."""
        return await anext(aiter(self), None)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Give all items, or so many at most."""
        items: list[T] = []
        if limit is not None and limit <= 0:
            return items
        async for item in self:
            items.append(item)
            if len(items) == limit:
                break
        return items

    async def total(self) -> int | None:
        """Read the first page for how many elements there are; None where it does not say."""
        page = await anext(aiter(self.pages()))
        return page.total


def _itself(resource: HalResource) -> HalResource:
    return resource
