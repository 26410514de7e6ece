"""Page sources: the collection that is paginated, and the options of pagination."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from stellantis_hal.errors import ApiError
from stellantis_hal.navigation.link_selection import Params
from stellantis_hal.navigation.pagination.item_selection import ItemLocation
from stellantis_hal.navigation.pagination.range_syntax import IndexRangeSyntax

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = [
    "MAX_LINKED_ITEMS",
    "Absent",
    "InvalidItemsHandler",
    "PageIterationSpec",
    "PageSource",
]

_RANGE_NOT_SATISFIABLE = 416

MAX_LINKED_ITEMS: Final = 1_000
"""The number of items that are fetched by their links, by default."""

Absent = Callable[[ApiError], bool]
"""Return whether an error on the first page means that the collection is empty."""
InvalidItemsHandler = Callable[["HalResource", Mapping[str, Any]], None]
"""Receives a page and its items that are not objects, by JSON path."""


class PageSource(Protocol):
    """A collection: a resource, or a link to one."""

    async def first_page(self) -> HalResource:
        """Return the first page, for a new iteration."""
        ...

    async def resolve_url(self, params: Params) -> str:
        """Return the URL of the collection with query parameters added."""
        ...

    def fetch_url(self, url: str, /) -> Coroutine[Any, Any, HalResource]:
        """Fetch a page by its URL."""
        ...


@attrs.frozen(kw_only=True, eq=False)
class PageIterationSpec:
    """What to paginate, and how: shared by sequential, prefetching and concurrent iteration.

    Attributes:
        source: the collection.
        items: which items its pages have.
        limit: how many items are fetched, by links, at most.
        reverse: whether to go from the last page to the first.
        absent: which errors on the first page mean that the collection is empty.
        on_invalid: receives items that are left out because they are not objects.
        ranges: the server's syntax of index ranges; None: it has none.
        unique: whether an item is left out that an earlier page had, as told by its identity.
        warns: whether a warning is issued, besides the log, where items are left out.
    """

    source: PageSource
    items: ItemLocation
    limit: int = MAX_LINKED_ITEMS
    reverse: bool = False
    absent: Absent | None = None
    on_invalid: InvalidItemsHandler
    ranges: IndexRangeSyntax | None = None
    unique: bool = False
    warns: bool = True

    def after(self, page: HalResource) -> PageIterationSpec:
        """Return what to paginate after a page, with the relation that the page shows."""
        items = self.items.after(page)
        return self if items is self.items else attrs.evolve(self, items=items)

    def is_beyond_end(self, error: ApiError) -> bool:
        """Return whether an error on an index range means that it is beyond the end of the collection."""
        return error.status == _RANGE_NOT_SATISFIABLE or self.is_absent(error)

    def is_absent(self, error: ApiError) -> bool:
        """Return whether an error on the first page means that the collection is empty."""
        return self.absent is not None and self.absent(error)
