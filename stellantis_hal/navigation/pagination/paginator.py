"""Paginators: the items of a collection, or its pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import anyio.lowlevel
import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.navigation.concurrency import require_one_consumer
from stellantis_hal.navigation.no_truth_value import NoTruthValue
from stellantis_hal.navigation.pagination.item_selection import ITEM_SOURCES, ItemLocation, ItemSource
from stellantis_hal.navigation.pagination.item_transforms import ItemTransform
from stellantis_hal.navigation.pagination.page_source import (
    MAX_LINKED_ITEMS,
    Absent,
    InvalidItemsHandler,
    PageIterationSpec,
    PageSource,
)
from stellantis_hal.navigation.pagination.page_token import START, PageToken
from stellantis_hal.navigation.pagination.range_syntax import IndexRangeSyntax
from stellantis_hal.navigation.pagination.raw_page import RawPage, log_invalid_items, total_of
from stellantis_hal.navigation.pagination.walk import Walk, Walks
from stellantis_hal.validation import require_flags, require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Absent", "IndexRangeSyntax", "ItemIterator", "Page", "PageIterator", "Pages", "Paginator"]

_MAX_WITHOUT_PAUSE = 100
"""Items after which other tasks run, where the next ones are there already."""

T = TypeVar("T")
U = TypeVar("U")


@attrs.frozen(kw_only=True, eq=False)
class Page(Generic[T]):
    """One page of a collection.

    Attributes:
        items: its items; where repeats are dropped, without those of earlier pages.
        number: its number in the iteration, from 1; a resumed iteration counts on.
        total: the number of items in the collection; None where the page does not contain it.
        resource: the page itself; None for a collection that is absent.
    """

    __repr__ = redacted_repr

    items: tuple[T, ...]
    number: int
    total: int | None
    resource: HalResource | None = attrs.field(repr=False)
    _spec: PageIterationSpec = attrs.field(repr=False, alias="spec")
    _recent: tuple[str | bytes, ...] = attrs.field(repr=False, alias="recent")
    _raw: RawPage = attrs.field(repr=False, alias="raw")
    _is_found: bool = attrs.field(repr=False, alias="is_found")

    @property
    def token(self) -> str | None:
        """The token with which ``pages(token=…)`` resumes AFTER this page, in any process; None after the last page.

        Use it for the same collection: the position is the token's, and filters of the paginator do not change it.
        In reverse, items that others, added meanwhile, have pushed onto pages before it are returned; where neither
        totals nor items show how many, or where the first page shows more than they do, at the end,
        :class:`~stellantis_hal.IncompleteCollectionWarning` is issued (a typed collection logs it).
        """
        spec, raw = self._spec, self._raw
        if raw.next_url is None:
            return None
        position = PageToken(
            url=raw.next_url,
            number=self.number,
            recent=self._recent,
            rel=spec.items.rel,
            reverse=spec.reverse,
            position=raw.position,
            first=raw.first,
            is_read=raw.is_read,
            is_linked=raw.is_linked,
            is_found=self._is_found,
            total=raw.total,
            least_total=raw.least_total,
            edge=raw.edge,
            shift=raw.shift,
        )
        return position.to_token()


class PageIterator(NoTruthValue, AsyncIterator[Page[T]]):
    """Pages one after the other. It can be abandoned at any point, and continued after an error."""

    def __init__(self, spec: PageIterationSpec, walk: Walk, position: PageToken = START) -> None:
        self._spec = spec
        self._walk = walk
        self._raw: RawPage | None = None  # a page that is not complete yet, and its items so far
        self._items: list[T] = []
        # The latest page, or the position before the first one: the page token is made from it when it is needed.
        self._position: Page[T] | PageToken = position
        self._is_awaited = False

    async def __anext__(self) -> Page[T]:
        require_one_consumer(self._is_awaited)
        self._is_awaited = True
        walk = self._walk
        try:
            if self._raw is None:
                self._raw = await walk.next_page()
                self._items = [*walk.plain]
            while walk.pending:
                item = await walk.next_item()
                if item is not None:
                    self._items.append(item)
            page = self._page_of(self._raw)
            self._raw = None
            walk.tell()
        except StellantisError as error:
            error.resume_token = error.resume_token or _resume_token(self._position)
            raise
        finally:
            self._is_awaited = False
        self._position = page
        return page

    def _page_of(self, raw: RawPage) -> Page[T]:
        walk = self._walk
        walk.close_page()
        return Page(
            items=tuple(self._items),
            number=walk.number,
            total=total_of(raw.page) if raw.page is not None else 0,
            resource=raw.page,
            spec=self._spec,
            recent=walk.recent(),
            raw=attrs.evolve(raw, page=None, items=(), next_url=None if walk.is_over else raw.next_url),
            is_found=walk.is_found,
        )


class ItemIterator(NoTruthValue, AsyncIterator[T]):
    """Items one after the other. It can be abandoned at any point, and continued after an error."""

    def __init__(self, spec: PageIterationSpec, walk: Walk) -> None:
        self._spec = spec
        self._walk = walk
        self._plain: Iterator[T] = iter(())
        self._without_pause = 0
        # The latest page whose items were all returned, with its number and the identities up to it, for a token.
        self._done: tuple[RawPage, int, tuple[str | bytes, ...]] | None = None
        self._is_awaited = False

    async def __anext__(self) -> T:
        self._without_pause += 1
        if self._without_pause > _MAX_WITHOUT_PAUSE:  # before an item is taken: a cancellation loses none
            self._without_pause = 0
            await anyio.lowlevel.checkpoint()
        for item in self._plain:
            return item
        require_one_consumer(self._is_awaited)
        self._is_awaited = True
        walk = self._walk
        try:
            while True:
                while walk.pending:
                    found: T | None = await walk.next_item()
                    if found is not None:
                        return found
                if walk.raw is not None:
                    walk.close_page()
                    self._done = walk.raw, walk.number, walk.recent()
                await walk.next_page()
                self._plain = iter(walk.plain)
                for item in self._plain:
                    return item
        except StellantisError as error:
            if error.resume_token is None and self._done is not None:
                error.resume_token = self._page_of(*self._done).token
            raise
        finally:
            self._is_awaited = False

    def _page_of(self, raw: RawPage, number: int, recent: tuple[str | bytes, ...]) -> Page[T]:
        return Page(
            items=(),
            number=number,
            total=None,
            resource=None,
            spec=self._spec,
            recent=recent,
            raw=raw,
            is_found=self._walk.is_found,
        )


def _resume_token(position: Page[Any] | PageToken) -> str | None:
    if isinstance(position, Page):
        return position.token
    return position.to_token() if position.url else None


class Pages(NoTruthValue, Generic[T]):
    """The pages of a collection: iterate over them, or prefetch inside an ``async with``."""

    def __init__(self, spec: PageIterationSpec, stages: tuple[ItemTransform, ...], position: PageToken) -> None:
        self._spec = spec
        self._walks = Walks(spec, stages, position)
        self._position = position

    def __aiter__(self) -> PageIterator[T]:
        return PageIterator(self._spec, self._walks.sequential(), self._position)

    @asynccontextmanager
    async def ahead(self, pages: int = 1) -> AsyncGenerator[PageIterator[T], None]:
        """Prefetch pages while the consumer works: ``async with pages.ahead(1) as prefetched: async for …``.

        Args:
            pages: how many pages to read ahead, and how many items that are linked; at least 1.
        """
        async with self._walks.ahead(pages) as walk:
            yield PageIterator(self._spec, walk, self._position)

    @asynccontextmanager
    async def concurrent(self, limit: int = 8) -> AsyncGenerator[PageIterator[T], None]:
        """Read index ranges, and items that are linked, concurrently, in order.

        A collection without a total or index ranges, in reverse or from a token, is read one page ahead instead.

        Args:
            limit: how many ranges or items to read at a time; at least 1.
        """
        async with self._walks.concurrent(limit) as walk:
            yield PageIterator(self._spec, walk, self._position)


class Paginator(NoTruthValue, Generic[T]):
    """The items of a collection, over all of its pages: ``async for trip in vehicle.trips(): …``.

    Each iteration starts anew. Empty pages are passed over. Items that are linked, not embedded, are fetched, one when
    it is asked for; inside :meth:`ahead` and :meth:`concurrent` several at a time.

    The links between pages are followed; a total is a hint. Where a page has no ``next`` and the total says that there
    are more items, they are read by the server's index ranges; without ranges
    :class:`~stellantis_hal.IncompleteCollectionWarning` is issued. What can be read neither way raises
    :class:`~stellantis_hal.PaginationError`, which says how far the iteration came. A page with several ``next`` that
    lead to different URLs raises :class:`~stellantis_hal.AmbiguousLinkError` after its items. A relation that no page
    has raises :class:`~stellantis_hal.LinkNotFoundError` at the end.

    A typed collection of this library (``vehicle.trips()``) returns no item twice, as told by its ``id`` or URL, even
    when new items push others onto the next page; others do so on request. Items of one page are never left out.
    """

    _instead = "use await it.first() or await it.collect()"

    def __init__(self, spec: PageIterationSpec, stages: tuple[ItemTransform, ...] = ()) -> None:
        self._spec = spec
        self._stages = stages

    @classmethod
    def over(
        cls,
        source: PageSource,
        rel: str | None = None,
        *,
        items_from: ItemSource = "auto",
        limit: int = MAX_LINKED_ITEMS,
        unique: bool = False,
        reverse: bool = False,
        absent: Absent | None = None,
        ranges: IndexRangeSyntax | None = None,
        on_invalid: InvalidItemsHandler = log_invalid_items,
        typed: bool = False,
    ) -> Paginator[HalResource]:
        """Return a paginator over a collection's items as resources.

        Args:
            source: the collection.
            rel: the relation that the items are embedded under or linked by; None: the only list that is embedded, else
                ``item``.
            items_from: what is read: "embedded", "links", "state" or, for what is embedded and linked, "auto".
            limit: how many linked items are fetched at most; beyond it the iteration stops with a warning.
            unique: leave out items that an earlier page had, as told by their identities.
            reverse: go from the last page to the first, and from the last item of each page to its first. Where pages
                have no ``last`` or ``prev`` link, up to 10,000 items are collected forwards first.
            absent: which errors on the first page mean that there are no items; None: none of them.
            ranges: the server's syntax of index ranges, for :meth:`concurrent` and pages without links; None: none.
            on_invalid: receives items that are left out because they are not objects; the default logs a warning.
            typed: whether the API is known: items are embedded, a page without them is one without items, repeats are
                left out, and what is missing is logged without a warning.

        Raises:
            ValueError: ``items_from`` is none of these, or ``limit`` is less than 0.
            TypeError: ``rel`` is no text, or ``limit`` no whole number.
        """
        require_type("rel", rel, str, None, instead="'orders'")
        require_type("limit", limit, int)
        require_flags(unique=unique, reverse=reverse)
        if items_from not in ITEM_SOURCES:
            raise ValueError(f"source must be {', '.join(map(repr, ITEM_SOURCES))}, not {items_from!r}")
        if limit < 0:
            raise ValueError(f"limit must be at least 0, as in limit=1000, not {limit}")
        items = ItemLocation(rel, "embedded", optional=True) if typed else ItemLocation(rel, items_from)
        spec = PageIterationSpec(
            source=source,
            items=items,
            limit=limit,
            reverse=reverse,
            absent=absent,
            on_invalid=on_invalid,
            ranges=ranges,
            unique=unique or typed,
            warns=not typed,
        )
        return Paginator(spec)

    @overload
    def map(self, convert: Callable[[T], Awaitable[U | None]]) -> Paginator[U]: ...
    @overload
    def map(self, convert: Callable[[T], U | None]) -> Paginator[U]: ...
    def map(self, convert: Callable[[T], Any]) -> Paginator[Any]:
        """Return a paginator that converts each item when it is asked for; items converted to None are left out.

        Args:
            convert: a function, plain or async; the result of a plain one is awaited too where it is awaitable, such as
                ``lambda order: order.follow("customer")``.
        """
        return Paginator(self._spec, (*self._stages, ItemTransform("map", _checked("convert", convert))))

    def filter(self, keep: Callable[[T], Awaitable[object]] | Callable[[T], object]) -> Paginator[T]:
        """Return a paginator without the items for which a function, plain or async, returns nothing true.

        Args:
            keep: the function; it is called for each item when it is asked for.
        """
        return Paginator(self._spec, (*self._stages, ItemTransform("filter", _checked("keep", keep))))

    def take(self, count: int) -> Paginator[T]:
        """Return a paginator that ends after so many items, and reads no further than they need.

        Each iteration counts anew, also one that a token resumes.

        Args:
            count: how many items; 0: none, and nothing is sent.

        Raises:
            ValueError: it is negative.
            TypeError: it is no whole number.
        """
        require_type("count", count, int)
        if count < 0:
            raise ValueError(f"take needs at least 0 items, not {count}")
        return Paginator(self._spec, (*self._stages, ItemTransform("take", count=count)))

    def __aiter__(self) -> ItemIterator[T]:
        return ItemIterator(self._spec, self._walks().sequential())

    def pages(self, token: str | None = None) -> Pages[T]:
        """Return the pages.

        Args:
            token: a :attr:`Page.token` after whose page to resume; None: from the first page.

        Raises:
            ValueError: the token is invalid, or was made for other items or the other direction.
        """
        require_type("token", token, str, None, instead="page.token")
        if token is None:
            return Pages(self._spec, self._stages, START)
        position = PageToken.from_token(token)
        position.check(self._spec.items.rel, reverse=self._spec.reverse)
        return Pages(self._spec, self._stages, position)

    @asynccontextmanager
    async def ahead(self, pages: int = 1) -> AsyncGenerator[ItemIterator[T], None]:
        """Prefetch pages while the consumer works: ``async with trips.ahead(1) as items: …``.

        Args:
            pages: how many pages to read ahead, and how many items that are linked; at least 1.
        """
        async with self._walks().ahead(pages) as walk:
            yield ItemIterator(self._spec, walk)

    @asynccontextmanager
    async def concurrent(self, limit: int = 8) -> AsyncGenerator[ItemIterator[T], None]:
        """Read index ranges, and items that are linked, concurrently: ``async with trips.concurrent(8) as items: …``.

        Args:
            limit: how many ranges or items to read at a time; at least 1.
        """
        async with self._walks().concurrent(limit) as walk:
            yield ItemIterator(self._spec, walk)

    def _repr_html_(self) -> str:
        """Return how to read it, as a notebook shows it: nothing is read for a look."""
        return (
            "<p>A walk over a collection, not read yet: <code>await walk.collect(20)</code>, "
            "<code>async for item in walk</code>.</p>"
        )

    async def first(self) -> T | None:
        """Return the first item; None where there is none."""
        return await anext(aiter(self), None)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Return all items as a list, or at most ``limit`` of them.

        Raises:
            ValueError: ``limit`` is negative.
            TypeError: it is no whole number.
        """
        require_type("limit", limit, int, None)
        items: list[T] = []
        if limit is not None and limit < 0:
            raise ValueError(f"limit must be at least 0, or None for all items, not {limit}")
        if limit == 0:
            return items
        async for item in self:
            items.append(item)
            if len(items) == limit:
                break
        return items

    def _walks(self) -> Walks:
        return Walks(self._spec, self._stages)

    async def total(self) -> int | None:
        """Read the first page and return the number of items in the collection; None where it is missing."""
        raw = await self._walks().sequential().next_page()
        return 0 if raw.page is None else total_of(raw.page)


def _checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function.

    Raises:
        TypeError: it is none.
    """
    if not callable(function):
        raise TypeError(f"{name} must be a function, not {type(function).__name__}")
    return function
