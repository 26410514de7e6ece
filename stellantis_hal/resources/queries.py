"""The few ways in which verbs ask: one thing, one of many by its id, many.

Knows what absent data looks like. Must not know which verbs there are.
"""

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

__all__ = ["OptionalEndpoint", "by_id", "is_absent", "many", "rel_of"]

R = TypeVar("R", bound=TypedResource)


def is_absent(error: ApiError) -> bool:
    """Tell whether an error means that there are no data (yet): a 404 with an API code 404xx.

    A 404 without one is a wrong address, which is no such thing.
    """
    return isinstance(error, NotFoundError) and error.code is not None and 40400 <= error.code <= 40499


def rel_of(resource: HalResource, *rels: str) -> str:
    """Choose the name under which this generation of the API has a link; the newest where it has none."""
    return next((rel for rel in rels if resource.can(rel)), rels[0])


@attrs.frozen
class OptionalEndpoint(Generic[R]):
    """One thing behind a link, of which there may be no data (yet).

    Attributes:
        rel: of the link.
        kind: what it is read as.
        accept: the media type to ask for; None: the usual.
        find: finds it in the answer; None: it is the answer.
    """

    rel: str
    kind: type[R]
    accept: str | None = None
    find: Callable[[HalResource], HalResource | None] | None = None

    async def look(self, resource: HalResource) -> HalResource | None:
        """Ask for it, and read nothing yet; None where there are no data."""
        try:
            response = await resource.follow(self.rel, accept=self.accept).first_page()
        except NotFoundError as error:
            if is_absent(error):
                return None
            raise
        return response if self.find is None else self.find(response)

    def read(self, found: HalResource) -> R:
        """Read what :meth:`look` found."""
        return found.as_(self.kind)

    async def ask(self, resource: HalResource) -> R | None:
        """Ask for it and read it; None where there are no data."""
        found = await self.look(resource)
        return None if found is None else self.read(found)


async def by_id(resource: HalResource, rel: str, kind: type[R], id_: str, **params: Any) -> R:
    """Look one thing up in the collection behind a link.

    Raises:
        ValueError: the id cannot be part of a path.
        NotFoundError: there is none.
    """
    url = join_segment(await resource.follow(rel).resolve_url({}), id_)
    found = await resource.fetch_url(append_query(url, encode_params(params)))
    return found.as_(kind)


def many(
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
    """Walk the collection behind a link; one that is absent is empty.

    Raises:
        ValueError: a filter is out of bounds.
    """
    params = {
        **params,
        "indexRange": filters.index_range(index_range),
        "pageSize": filters.page_size(page_size, most=largest_page),
    }
    follow = resource.follow(rel, params=params, embedded="never")
    # A range of the caller's own leaves nothing to divide among several requests.
    ranges = IndexRanges(size=max(2, page_size or filters.PAGE_SIZE)) if index_range is None else None
    converter = resource.require_context().converter
    items = Paginator.over(
        follow,
        embedded or rel,
        reverse=newest_first,
        absent=is_absent,
        ranges=ranges,
        on_invalid=partial(converter.report_invalid_items, kind=kind),
    )
    return items.map(partial(converter.structure, kind=kind))
