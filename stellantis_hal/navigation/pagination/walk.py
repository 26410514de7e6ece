"""Walks: the pages of one iteration, and their items: fetched where they are linked, and converted."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
from anyio.abc import TaskGroup

from stellantis_hal.errors import ApiError, NetworkError, PaginationError, QuotaError, StellantisError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.call_site_warnings import IncompleteCollectionWarning, warn_caller
from stellantis_hal.navigation.concurrency import OrderedResults, scoped
from stellantis_hal.navigation.pagination.concurrent_ranges import concurrent
from stellantis_hal.navigation.pagination.item_selection import LinkedItem, identity_of
from stellantis_hal.navigation.pagination.item_transforms import ItemTransform, StageChain
from stellantis_hal.navigation.pagination.page_source import PageIterationSpec
from stellantis_hal.navigation.pagination.page_token import START, PageToken
from stellantis_hal.navigation.pagination.prefetch import prefetch
from stellantis_hal.navigation.pagination.raw_page import RawPage, total_of
from stellantis_hal.navigation.pagination.recent_ids import RecentIds
from stellantis_hal.navigation.pagination.reverse import ReversePageIterator
from stellantis_hal.navigation.pagination.sequential import RawPageIterator
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Walk", "Walks"]

_log = logging.getLogger("stellantis_hal")


class Walk:
    """One iteration: :meth:`next_page`, then :meth:`next_item` while items are pending.

    It can be abandoned at any point. After an error it can be continued: what failed is tried again, except a linked
    item whose failure is final, which is passed over.

    Args:
        spec: what to paginate.
        raw_pages: the pages.
        stages: what is done with each item.
        position: the position that it started at.
        tasks: a task group in which linked items are fetched ahead; None: each is fetched when it is asked for.
        limit: how many linked items to fetch at a time.
        is_shifting: whether pages may have items that earlier ones had.
    """

    def __init__(
        self,
        spec: PageIterationSpec,
        raw_pages: AsyncIterator[RawPage],
        stages: tuple[ItemTransform, ...],
        position: PageToken = START,
        *,
        tasks: TaskGroup | None = None,
        limit: int = 1,
        is_shifting: bool = False,
    ) -> None:
        self._spec = spec
        self._raw_pages = raw_pages
        self._chain = StageChain(stages)
        self._tasks = tasks
        self._limit = limit
        self._received: RawPage | None = None  # a page whose invalid items could not be reported yet
        self.raw: RawPage | None = None
        """The current page."""
        self.pending: list[HalResource | LinkedItem] = []
        """The items of the current page that :meth:`next_item` has not returned yet, the next one last."""
        self.plain: tuple[Any, ...] = ()
        """The items of the current page, where nothing is to be done with them; then none are pending."""
        self._has_stages = bool(stages)
        self._recent = RecentIds(position.recent)
        self._is_recording = spec.unique or spec.reverse or is_shifting
        # Ranges overlap, so the first page after a token may begin with an item that was returned before.
        self._may_overlap = bool(position.recent)
        self._is_comparing = False
        self._page_ids: list[str | None] = []
        # Items of the current page and of the latest one that had some, by identity: repeats are compared with them.
        self._page_items: dict[str, HalResource] = {}
        self._latest_items: dict[str, HalResource] = {}
        self._is_change_told = False
        # Whether a page had the relation of the items, and the first page, as long as none had it.
        self._is_found = spec.items.optional or position.is_found
        self._first_page: HalResource | None = None
        self._fetched = 0
        self._results: OrderedResults[HalResource] | None = None
        self._failed: LinkedItem | None = None  # to be fetched again, outside of the results
        self._notices: list[str] = []
        self._is_cut = False
        self.number: int = position.number
        """The number of the current page, from 1."""
        self.count: int = 0
        """The number of items returned."""
        self._total: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended before the collection has: no further item can be returned."""
        return self._is_cut or self._chain.is_exhausted

    @property
    def is_found(self) -> bool:
        """Whether a page had the relation of the items."""
        return self._is_found

    def recent(self) -> tuple[str | bytes, ...]:
        """Return the identities of the latest items, for a token."""
        return self._recent.latest()

    # ------------------------------------------------------------------------------------------- pages

    async def next_page(self) -> RawPage:
        """Go to the next page, with its items pending.

        Raises:
            StopAsyncIteration: there is none.
            HalError: no page had the relation of the items.
            StellantisError: fetching failed.
        """
        self.close_page()
        self.tell()
        if self.is_over:
            raise StopAsyncIteration
        spec = self._spec
        try:
            if self._received is None:
                self._received = await anext(self._raw_pages)
            raw = self._received
            page = raw.page
            if page is not None and (invalid := spec.items.invalid(page)):
                spec.on_invalid(page, invalid)
            if not self._is_found:
                self._look_for_relation(page)
        except StopAsyncIteration:
            if not self._is_found and self._first_page is not None:
                raise spec.items.missing(self._first_page) from None
            raise
        except PaginationError as error:
            error.items, error.pages, error.total = self.count, self.number, self._total
            raise
        self.raw, self._received = raw, None
        self.number += 1
        self._is_comparing = spec.unique or raw.may_repeat or self._may_overlap
        self._may_overlap = False
        self._total = self._total if page is None else total_of(page)
        items = raw.items
        if self._has_stages or self._is_recording or self._is_comparing or LinkedItem in set(map(type, items)):
            self.plain, self.pending = (), [*reversed(items)]
        else:
            self.plain = items
            self.count += len(items)
        self._notices += raw.notices
        return raw

    def close_page(self) -> None:
        """Record the items of the current page: those of later pages are compared with them."""
        for id_ in self._page_ids:
            self._recent.add(id_)
        self._page_ids = []
        if self._page_items:
            self._latest_items, self._page_items = self._page_items, {}
        if self._results is not None:
            self._results.close()
            self._results = None

    def tell(self) -> None:
        """Log, and warn of, items that the collection has and this iteration does not return.

        As long as no page had the relation, nothing is told: an error will tell it.
        """
        while self._notices and self._is_found:
            notice = self._notices.pop(0)
            if self._spec.warns:
                warn_caller(notice, IncompleteCollectionWarning)
            else:
                _log.warning(notice)

    def _look_for_relation(self, page: HalResource | None) -> None:
        self._is_found = page is None or self._spec.items.has(page) or total_of(page) == 0
        if self._is_found:
            self._first_page = None
        elif self._first_page is None:
            self._first_page = page

    # ------------------------------------------------------------------------------------------- items

    async def next_item(self) -> Any:
        """Return the next pending item, fetched and converted; None where it is left out.

        Raises:
            StellantisError: fetching failed, or the item cannot be converted.
        """
        entry = self.pending[-1]
        if isinstance(entry, LinkedItem):
            resource = await self._fetch(entry)
            if resource is None:
                return None
            entry = self.pending[-1] = resource
        id_ = identity_of(entry) if self._is_recording or self._is_comparing else None
        if self._is_comparing and self._recent.contains(id_):
            self.pending.pop()
            self._compare(id_, entry)
            return None
        value = self._chain.apply(entry)
        if hasattr(type(value), "__await__"):
            value = await value
        self.pending.pop()
        if self._is_recording:
            self._page_ids.append(id_)
            if id_ is not None:
                self._page_items[id_] = entry
        if value is not None:
            self.count += 1
        if self._chain.is_exhausted:
            self.pending.clear()
        return value

    def _compare(self, id_: str | None, repeated: HalResource) -> None:
        """Log, once, that an item that is left out differs from the one of its identity that was returned."""
        returned = None if id_ is None else self._latest_items.get(id_)
        if returned is None or self._is_change_told or returned.state == repeated.state:
            return
        self._is_change_told = True
        _log.warning(
            "an item at %s differs from the same item of an earlier page, which was returned: read the whole again",
            mask_url(repeated.base),
        )

    async def _fetch(self, entry: LinkedItem) -> HalResource | None:
        """Fetch a linked item; None where the limit is reached."""
        if entry is not self._failed and self._fetched >= self._spec.limit:
            self._cut(entry)
            return None
        try:
            resource = await self._result_of(entry)
        except StellantisError as error:
            self._failed = entry
            if not _may_pass(error):
                self.pending.pop()
            place = mask_url(entry.page.url)
            error.add_note(f"while reading item {self.count + 1} of the iteration, by a link at {place}")
            raise
        self._failed = None
        return resource

    async def _result_of(self, entry: LinkedItem) -> HalResource:
        if entry is self._failed:
            return await entry.fetch()
        if self._tasks is not None and self._results is None:
            linked = [one for one in reversed(self.pending) if isinstance(one, LinkedItem)]
            jobs = [one.fetch for one in linked[: self._spec.limit - self._fetched]]
            self._results = OrderedResults(self._tasks, jobs, self._limit)
        if self._results is None:
            self._failed = entry  # if it is cancelled, it is not counted again
            self._fetched += 1
            return await entry.fetch()
        result = await anext(self._results)
        self._fetched += 1
        if isinstance(result, StellantisError):
            raise result
        return result

    def _cut(self, entry: LinkedItem) -> None:
        """End the iteration at the limit of fetched items."""
        left = sum(isinstance(one, LinkedItem) for one in self.pending)
        self._is_cut = True
        self.pending.clear()
        self._notices.append(
            f"the iteration at {mask_url(entry.page.url)} stopped after {self.count} items: it has fetched "
            f"{self._fetched} items by their links, which is its limit, and {left} more are linked on this page; "
            "pass a larger limit= to go on"
        )


@attrs.frozen(eq=False)
class Walks:
    """The ways to iterate over a collection.

    Attributes:
        spec: what to paginate.
        stages: what is done with each item.
        position: the position to start at.
    """

    spec: PageIterationSpec
    stages: tuple[ItemTransform, ...] = ()
    position: PageToken = START

    def sequential(self) -> Walk:
        """Return an iteration that reads what is asked for."""
        return Walk(self.spec, self._raw_pages(), self.stages, self.position)

    @asynccontextmanager
    async def ahead(self, pages: int, limit: int | None = None) -> AsyncGenerator[Walk, None]:
        """Iterate with prefetched pages, and ``limit`` linked items at a time (None: as many ahead as pages)."""
        require_type("pages", pages, int)
        async with prefetch(self._raw_pages(), pages) as raw_pages, scoped() as tasks:
            yield Walk(self.spec, raw_pages, self.stages, self.position, tasks=tasks, limit=limit or pages + 1)

    @asynccontextmanager
    async def concurrent(self, limit: int) -> AsyncGenerator[Walk, None]:
        """Iterate over ranges and linked items that are read concurrently, or else with a prefetched page."""
        require_type("limit", limit, int)
        if limit < 1:
            raise ValueError(f"limit must be at least 1, as in concurrent(8), not {limit}")
        ranges = self.spec.ranges
        if ranges is None or ranges.within is not None or self.spec.reverse or self.position.url:
            async with self.ahead(1, limit) as walk:
                yield walk
        else:
            async with concurrent(self.spec, ranges, limit) as raw_pages, scoped() as tasks:
                yield Walk(self.spec, raw_pages, self.stages, tasks=tasks, limit=limit, is_shifting=True)

    def _raw_pages(self) -> AsyncIterator[RawPage]:
        kind = ReversePageIterator if self.spec.reverse else RawPageIterator
        return kind(self.spec, self.position)


def _may_pass(error: StellantisError) -> bool:
    """Return whether the same request may succeed later."""
    return isinstance(error, QuotaError) or (isinstance(error, ApiError | NetworkError) and error.is_transient)
