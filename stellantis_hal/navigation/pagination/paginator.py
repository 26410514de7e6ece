"""Paginators: the items of a collection, or its pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from stellantis_hal.errors import PaginationError, StellantisError
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.navigation.pagination.cursor import PageToken, RecentIds, identity_of
from stellantis_hal.navigation.pagination.index_ranges import concurrent
from stellantis_hal.navigation.pagination.page_source import Absent, InvalidItemsHandler, PageSource, PaginationSpec
from stellantis_hal.navigation.pagination.prefetch import prefetch
from stellantis_hal.navigation.pagination.range_syntax import IndexRanges
from stellantis_hal.navigation.pagination.raw_page import RawPage, invalid_items_of, log_invalid_items, total_of
from stellantis_hal.navigation.pagination.reverse import ReversePageIterator
from stellantis_hal.navigation.pagination.sequential import RawPageIterator

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Absent", "IndexRanges", "ItemIterator", "Page", "PageIterator", "Pages", "Paginator"]

T = TypeVar("T")
U = TypeVar("U")


@attrs.frozen(kw_only=True, eq=False)
class Page(Generic[T]):
    """One page of a collection.

    Attributes:
        items: its items, without those that this iteration has returned before.
        number: its number in the iteration, from 1; a resumed iteration counts on.
        total: the number of items in the collection; None where the page does not contain it.
        resource: the page itself; None for a collection that is absent.
    """

    __repr__ = redacted_repr

    items: tuple[T, ...]
    number: int
    total: int | None
    resource: HalResource | None = attrs.field(repr=False)
    _spec: PaginationSpec = attrs.field(repr=False, alias="spec")
    _recent: tuple[str | bytes, ...] = attrs.field(repr=False, alias="recent")
    _raw: RawPage = attrs.field(repr=False, alias="raw")

    @property
    def token(self) -> str | None:
        """The token with which ``pages(token=…)`` resumes AFTER this page, in any process; None after the last page.

        Use it for the same collection: the position is the token's, and filters of the paginator do not change it.
        """
        spec, raw = self._spec, self._raw
        if raw.next_url is None:
            return None
        position = PageToken.after(
            self._recent,
            url=raw.next_url,
            number=self.number,
            rel=spec.rel,
            reverse=spec.reverse,
            position=raw.position,
            first=raw.first,
            is_read=raw.is_read,
            is_linked=raw.is_linked,
        )
        return position.to_token()


class PageIterator(AsyncIterator[Page[T]]):
    """Pages one after the other. It can be abandoned at any point, and continued after an error."""

    def __init__(
        self,
        spec: PaginationSpec,
        raw_pages: AsyncIterator[RawPage],
        convert: Callable[[HalResource], T | None],
        position: PageToken | None = None,
    ) -> None:
        self._spec = spec
        self._raw_pages = raw_pages
        self._convert = convert
        self._recent = RecentIds(position.recent if position else ())
        self._raw_page: RawPage | None = None  # a page whose conversion failed
        self._number = position.number if position else 0
        self._count = 0  # of the items returned
        self._total: int | None = None
        # The latest page, or the position that was resumed: the resume token is made from it when it is needed.
        self._position: Page[T] | PageToken | None = position

    async def __anext__(self) -> Page[T]:
        try:
            if self._raw_page is None:
                self._raw_page = await anext(self._raw_pages)
            page = self._convert_page(self._raw_page)
        except StellantisError as error:
            if error.resume_token is None:
                error.resume_token = self._resume_token()
            if isinstance(error, PaginationError):
                error.items, error.pages, error.total = self._count, self._number, self._total
            raise
        self._raw_page = None
        self._position = page
        return page

    def _convert_page(self, raw: RawPage) -> Page[T]:
        if raw.page is not None and (invalid := invalid_items_of(raw.page, self._spec.rel)):
            self._spec.on_invalid(raw.page, invalid)
        items_by_id = [(identity_of(item), item) for item in raw.items]
        # All items are converted before any is recorded: after an error the next call returns the others again.
        converted = [(id_, self._convert(item)) for id_, item in items_by_id if not self._recent.contains(id_)]
        items = [value for id_, value in converted if self._recent.add(id_) and value is not None]
        self._number += 1
        self._count += len(items)
        total = total_of(raw.page) if raw.page is not None else 0
        self._total = total if raw.page is not None else self._total
        return Page(
            items=tuple(items),
            number=self._number,
            total=total,
            resource=raw.page,
            spec=self._spec,
            recent=self._recent.latest(),
            raw=attrs.evolve(raw, page=None, items=()),
        )

    def _resume_token(self) -> str | None:
        position = self._position
        if isinstance(position, PageToken):
            return position.to_token()
        return position.token if position is not None else None


class ItemIterator(AsyncIterator[T]):
    """Items one after the other. It can be abandoned at any point, and continued after an error."""

    def __init__(self, pages: PageIterator[T]) -> None:
        self._pages = pages
        self._items: Iterator[T] = iter(())

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            self._items = iter((await anext(self._pages)).items)


class Pages(Generic[T]):
    """The pages of a collection: iterate over them, or prefetch inside an ``async with``."""

    def __init__(
        self,
        spec: PaginationSpec,
        convert: Callable[[HalResource], T | None],
        position: PageToken | None,
    ) -> None:
        self._spec = spec
        self._convert = convert
        self._position = position

    def __aiter__(self) -> PageIterator[T]:
        return PageIterator(self._spec, self._raw_pages(), self._convert, self._position)

    def _raw_pages(self) -> AsyncIterator[RawPage]:
        position = self._position
        return (
            ReversePageIterator(self._spec, position) if self._spec.reverse else RawPageIterator(self._spec, position)
        )

    @asynccontextmanager
    async def ahead(self, pages: int = 1) -> AsyncGenerator[PageIterator[T], None]:
        """Prefetch pages while the consumer works: ``async with pages.ahead(1) as prefetched: async for …``.

        Args:
            pages: how many pages to read ahead; at least 1.
        """
        async with prefetch(self._raw_pages(), pages) as raw_pages:
            yield PageIterator(self._spec, raw_pages, self._convert, self._position)

    @asynccontextmanager
    async def concurrent(self, limit: int = 8) -> AsyncGenerator[PageIterator[T], None]:
        """Read index ranges concurrently, in order.

        A collection without a total or index ranges, in reverse or from a token, is read one page ahead instead.

        Args:
            limit: how many ranges to read at a time; at least 1.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, as in concurrent(8), not {limit}")
        ranges = self._spec.ranges
        if ranges is None or ranges.within is not None or self._spec.reverse or self._position is not None:
            async with self.ahead(1) as pages:
                yield pages
        else:
            async with concurrent(self._spec, ranges, limit) as raw_pages:
                yield PageIterator(self._spec, raw_pages, self._convert)


class Paginator(Generic[T]):
    """The items of a collection, over all of its pages: ``async for trip in vehicle.trips(): …``.

    Each iteration starts anew. Empty pages are passed over. No item is returned twice, as told by its ``id`` or URL,
    even when new items push others onto the next page.

    The links between pages are followed; a total is a hint. Where a page has no ``next`` and the total says that there
    are more items, they are read by the server's index ranges; without ranges a warning is logged. What can be read
    neither way raises :class:`~stellantis_hal.PaginationError`, which says how far the iteration came.
    """

    def __init__(self, spec: PaginationSpec, convert: Callable[[HalResource], T | None]) -> None:
        self._spec = spec
        self._convert = convert

    @classmethod
    def over(
        cls,
        source: PageSource,
        rel: str | None = None,
        *,
        reverse: bool = False,
        absent: Absent | None = None,
        ranges: IndexRanges | None = None,
        on_invalid: InvalidItemsHandler = log_invalid_items,
    ) -> Paginator[HalResource]:
        """Return a paginator over a collection's items as resources.

        Args:
            source: the collection.
            rel: the key that the items are embedded under; None: the only key there is.
            reverse: go from the last page to the first, and from the last item of each page to its first. Where pages
                have no ``last`` or ``prev`` link, up to 10,000 items are collected forwards first.
            absent: which errors on the first page mean that there are no items; None: none of them.
            ranges: the server's syntax of index ranges, for :meth:`concurrent` and pages without links; None: none.
            on_invalid: receives items that are left out because they are not objects; the default logs a warning.
        """
        spec = PaginationSpec(
            source=source, rel=rel, reverse=reverse, absent=absent, on_invalid=on_invalid, ranges=ranges
        )
        return Paginator(spec, _identity)

    def map(self, convert: Callable[[T], U | None]) -> Paginator[U]:
        """Return a paginator that converts each item; items converted to None are left out."""
        inner = self._convert

        def convert_both(resource: HalResource) -> U | None:
            item = inner(resource)
            return None if item is None else convert(item)

        return Paginator(self._spec, convert_both)

    def __aiter__(self) -> ItemIterator[T]:
        return ItemIterator(aiter(self.pages()))

    def pages(self, token: str | None = None) -> Pages[T]:
        """Return the pages.

        Args:
            token: a :attr:`Page.token` after whose page to resume; None: from the first page.

        Raises:
            ValueError: the token is invalid, or was made for other items or the other direction.
        """
        position = None if token is None else PageToken.from_token(token)
        if position is not None:
            position.check(self._spec.rel, reverse=self._spec.reverse)
        return Pages(self._spec, self._convert, position)

    @asynccontextmanager
    async def ahead(self, pages: int = 1) -> AsyncGenerator[ItemIterator[T], None]:
        """Prefetch pages while the consumer works: ``async with trips.ahead(1) as items: …``.

        Args:
            pages: how many pages to read ahead; at least 1.
        """
        async with self.pages().ahead(pages) as prefetched:
            yield ItemIterator(prefetched)

    @asynccontextmanager
    async def concurrent(self, limit: int = 8) -> AsyncGenerator[ItemIterator[T], None]:
        """Read index ranges concurrently, in order: ``async with trips.concurrent(8) as items: …``.

        Args:
            limit: how many ranges to read at a time; at least 1.
        """
        async with self.pages().concurrent(limit) as pages:
            yield ItemIterator(pages)

    async def first(self) -> T | None:
        """Return the first item; None where there is none."""
        return await anext(aiter(self), None)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Return all items as a list, or at most ``limit`` of them."""
        items: list[T] = []
        if limit is not None and limit <= 0:
            return items
        async for item in self:
            items.append(item)
            if len(items) == limit:
                break
        return items

    async def total(self) -> int | None:
        """Read the first page and return the number of items in the collection; None where it is missing."""
        page = await anext(aiter(self.pages()))
        return page.total


def _identity(resource: HalResource) -> HalResource:
    return resource
