"""Requests of typed resources: an optional one, one by its id, a collection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from stellantis_hal.errors import ApiError, NotFoundError
from stellantis_hal.hal.uri import append_query, join_segment
from stellantis_hal.navigation.link_selection import encode_params
from stellantis_hal.navigation.pagination.paginator import IndexRanges, Paginator
from stellantis_hal.resources import filters
from stellantis_hal.structuring.typed_resource import TypedResource

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["OptionalEndpoint", "choose_rel", "fetch_by_id", "index_ranges", "is_absent", "paginate"]

R = TypeVar("R", bound=TypedResource)


def is_absent(error: ApiError) -> bool:
    """Return whether an error means that there are no data (yet): a 404 with an API code 404xx.

    A 404 without such a code means a wrong URL.
    """
    return isinstance(error, NotFoundError) and error.code is not None and 40400 <= error.code <= 40499


def choose_rel(resource: HalResource, *rels: str) -> str:
    """Return the relation under which this generation of the API has a link; the newest where it has none."""
    return next((rel for rel in rels if resource.can(rel)), rels[0])


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

    async def fetch_resource(self, resource: HalResource) -> HalResource | None:
        """Fetch the untyped resource; None where there are no data."""
        try:
            response = await resource.follow(self.rel, accept=self.accept).first_page()
        except NotFoundError as error:
            if is_absent(error):
                return None
            raise
        return response if self.find is None else self.find(response)

    def structure(self, resource: HalResource) -> R:
        """Return a resource of :meth:`fetch_resource` as a typed value."""
        return resource.as_(self.kind)

    async def fetch(self, resource: HalResource) -> R | None:
        """Fetch the resource as a typed value; None where there are no data."""
        found = await self.fetch_resource(resource)
        return None if found is None else self.structure(found)


async def fetch_by_id(resource: HalResource, rel: str, kind: type[R], id_: str, **params: Any) -> R:
    """Fetch one resource of the collection behind a link, by its id.

    Raises:
        ValueError: the id cannot be part of a path.
        NotFoundError: the collection has no such resource.
    """
    url = join_segment(await resource.follow(rel).resolve_url({}), id_)
    found = await resource.fetch_url(append_query(url, encode_params(params)))
    return found.as_(kind)


def index_ranges(index_range: tuple[int, int | None] | None, page_size: int | None) -> IndexRanges:
    """Return the vendor's syntax of index ranges, for a collection that is requested with these options."""
    within = None if index_range is None else (index_range[0], index_range[1])
    return IndexRanges(size=max(2, page_size or filters.PAGE_SIZE), within=within)


def paginate(
    resource: HalResource,
    rel: str,
    kind: type[R],
    *,
    embedded: str | None = None,
    newest_first: bool = False,
    page_size: int | None = None,
    largest_page: int = filters.PAGE_SIZE,
    index_range: tuple[int, int | None] | None = None,
    **params: Any,
) -> Paginator[R]:
    """Paginate the collection behind a link; an absent one is empty.

    Raises:
        ValueError: a filter is out of bounds.
    """
    params = {
        **params,
        "indexRange": filters.index_range(index_range),
        "pageSize": filters.page_size(page_size, most=largest_page),
    }
    follow = resource.follow(rel, params=params, embedded="never")
    converter = resource.require_context().converter
    items = Paginator.over(
        follow,
        embedded or rel,
        reverse=newest_first,
        absent=is_absent,
        ranges=index_ranges(index_range, page_size),
        on_invalid=partial(converter.report_invalid_items, kind=kind),
        typed=True,
    )
    return items.map(partial(converter.structure, kind=kind))
