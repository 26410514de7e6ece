"""Requests of typed resources: an optional one, one by its id, a collection."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from stellantis_hal.errors import ApiError, NotFoundError
from stellantis_hal.hal.uri import append_query, join_segment
from stellantis_hal.navigation.link_selection import Params, encode_params
from stellantis_hal.navigation.pagination.page_source import PageSource
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax, Paginator
from stellantis_hal.resources import filters
from stellantis_hal.resources.vin_checks import check_vin
from stellantis_hal.structuring.typed_resource import TypedResource
from stellantis_hal.validation import require_flags

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = [
    "OptionalEndpoint",
    "UrlPageSource",
    "choose_rel",
    "fetch_by_id",
    "find_collection",
    "index_ranges",
    "is_absent",
    "paginate",
]

R = TypeVar("R", bound=TypedResource)


def is_absent(error: ApiError) -> bool:
    """Return whether an error means that there are no data (yet): a 404 with an API code 404xx.

    A 404 without such a code means a wrong URL.
    """
    return isinstance(error, NotFoundError) and error.code is not None and 40400 <= error.code <= 40499


def choose_rel(resource: HalResource, *rels: str) -> str:
    """Return the relation under which this generation of the API has a link; the newest where it has none."""
    return next((rel for rel in rels if resource.can(rel)), rels[0])


@attrs.frozen(eq=False)
class UrlPageSource:
    """A page source: the collection at a URL that is known without a link.

    Attributes:
        fetch_url: fetches a page by its URL.
        url: of the collection.
        params: query parameters of its first page.
    """

    fetch_url: Callable[[str], Coroutine[Any, Any, HalResource]]
    url: str
    params: Params = attrs.field(factory=dict)

    async def first_page(self) -> HalResource:
        """Fetch the first page."""
        return await self.fetch_url(await self.resolve_url({}))

    async def resolve_url(self, params: Params) -> str:
        """Return the URL with query parameters added."""
        return append_query(self.url, encode_params({**self.params, **params}))


def find_collection(resource: HalResource, *rels: str, params: Params, segment: str | None = None) -> PageSource:
    """Return the collection behind a link of any of these relations, as a source of pages.

    Args:
        resource: the resource that links to it.
        rels: the relations of each generation of the API, the newest first.
        params: query parameters of the collection.
        segment: the documented path below the resource, for one without such a link; None: a link is needed.
    """
    rel = choose_rel(resource, *rels)
    if segment is not None and not resource.can(rel):
        return UrlPageSource(resource.fetch_url, join_segment(resource.url, segment), params)
    return resource.follow(rel, params=params, embedded="never")


@attrs.frozen
class OptionalEndpoint(Generic[R]):
    """A single resource behind a link, of which there may be no data (yet).

    Attributes:
        rel: the relation of the link.
        kind: the class that it is read as.
        accept: the media type to ask for; None: the usual one.
        find: finds the resource in the response; None: the response is the resource.
    """

    rel: str
    kind: type[R]
    accept: str | None = None
    find: Callable[[HalResource], HalResource | None] | None = None

    async def fetch_resource(self, resource: HalResource, **params: Any) -> HalResource | None:
        """Fetch the untyped resource; None where there are no data. An embedded copy has no parameters but its own."""
        given = {name: value for name, value in params.items() if value is not None}
        follow = resource.follow(self.rel, accept=self.accept, params=given, embedded="never" if given else "prefer")
        try:
            response = await follow.first_page()
        except NotFoundError as error:
            if is_absent(error):
                return None
            raise
        return response if self.find is None else self.find(response)

    def structure(self, resource: HalResource) -> R:
        """Return a resource of :meth:`fetch_resource` as a typed value."""
        return resource.as_(self.kind)

    async def fetch(self, resource: HalResource, **params: Any) -> R | None:
        """Fetch the resource as a typed value; None where there are no data."""
        found = await self.fetch_resource(resource, **params)
        return None if found is None else check_vin(self.structure(found), lambda: resource.state.get("vin"))


async def fetch_by_id(
    resource: HalResource, rel: str, kind: type[R], id_: str, *, segment: str | None = None, **params: Any
) -> R:
    """Fetch one resource of the collection behind a link, by its id; ``segment`` as in :func:`find_collection`.

    Raises:
        ValueError: the id cannot be part of a path.
        NotFoundError: the collection has no such resource.
    """
    collection = find_collection(resource, rel, params={}, segment=segment)
    url = join_segment(await collection.resolve_url({}), id_)
    found = await resource.fetch_url(append_query(url, encode_params(params)))
    return found.as_(kind)


def index_ranges(index_range: tuple[int, int | None] | None, page_size: int | None) -> IndexRangeSyntax:
    """Return the vendor's syntax of index ranges, for a collection that is requested with these options."""
    within = None if index_range is None else (index_range[0], index_range[1])
    return IndexRangeSyntax(size=max(2, page_size or filters.PAGE_SIZE), within=within)


def paginate(
    resource: HalResource,
    rel: str | tuple[str, ...],
    kind: type[R],
    *,
    embedded: str | None = None,
    newest_first: bool = False,
    page_size: int | None = None,
    largest_page: int = filters.PAGE_SIZE,
    index_range: tuple[int, int | None] | None = None,
    ranged: bool = True,
    segment: str | None = None,
    **params: Any,
) -> Paginator[R]:
    """Paginate the collection behind a link; an absent one is empty.

    Args:
        resource: the resource that links to it.
        rel: the relation, or those of each generation of the API, the newest first.
        kind: the class of an item.
        embedded: the relation that items are embedded under; None: ``rel``.
        newest_first: whether to start from the last page.
        page_size: items on a page.
        largest_page: the most that the vendor allows.
        index_range: the first and the last index, both included.
        ranged: whether the collection takes index ranges.
        segment: as in :func:`find_collection`.
        params: other query parameters.

    Raises:
        ValueError: a filter is out of bounds.
    """
    require_flags(newest_first=newest_first)
    rels = (rel,) if isinstance(rel, str) else rel
    params = {
        **params,
        "indexRange": filters.index_range(index_range),
        "pageSize": filters.page_size(page_size, most=largest_page),
    }
    converter = resource.require_context().converter
    items = Paginator.over(
        find_collection(resource, *rels, params=params, segment=segment),
        embedded or rels[0],
        reverse=newest_first,
        absent=is_absent,
        ranges=index_ranges(index_range, page_size) if ranged else None,
        on_invalid=partial(converter.report_invalid_items, kind=kind),
        typed=True,
    )
    return items.map(partial(converter.structure, kind=kind))
