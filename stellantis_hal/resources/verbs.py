"""The few ways in which verbs ask: one thing, one of many by its id, many.

Knows what absent data looks like. Must not know which verbs there are.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from stellantis_hal.errors import ApiError, NotFoundError
from stellantis_hal.hal.uri import append_query, join_segment
from stellantis_hal.navigation.hop import query_of
from stellantis_hal.navigation.paginator import IndexRanges, Paginator
from stellantis_hal.resources import filters
from stellantis_hal.resources.resource import Resource

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource
    from stellantis_hal.resources.source import Source

__all__ = ["by_id", "is_absent", "many", "one", "one_resource", "rel_of"]

R = TypeVar("R", bound=Resource)


def is_absent(error: ApiError) -> bool:
    """Tell whether an error means that there are no data (yet): a 404 with an API code 404xx.

    A 404 without one is a wrong address, which is no such thing.
    """
    return isinstance(error, NotFoundError) and error.code is not None and 40400 <= error.code <= 40499


def rel_of(source: Source, *rels: str) -> str:
    """Choose the name under which this generation of the API has a link; the newest where it has none."""
    return next((rel for rel in rels if source.resource.can(rel)), rels[0])


async def one_resource(source: Source, rel: str, *, accept: str | None = None) -> HalResource | None:
    """Follow a link to one thing, untyped; None where there are no data (yet)."""
    try:
        return await source.resource.follow(rel, accept=accept)
    except NotFoundError as error:
        if is_absent(error):
            return None
        raise


async def one(source: Source, rel: str, kind: type[R], *, accept: str | None = None) -> R | None:
    """Follow a link to one thing; None where there are no data (yet)."""
    resource = await one_resource(source, rel, accept=accept)
    return None if resource is None else source.reader.read(resource, kind)


async def by_id(source: Source, rel: str, kind: type[R], id_: str, **params: Any) -> R:
    """Look one thing up in the collection behind a link.

    Raises:
        ValueError: the id cannot be part of a path.
        NotFoundError: there is none.
    """
    url = join_segment(await source.resource.follow(rel).locate({}), id_)
    resource = await source.resource.visit(append_query(url, query_of(params)))
    return source.reader.read(resource, kind)


def many(
    source: Source,
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
    follow = source.resource.follow(rel, params=params, embedded="never")
    # A range of the caller's own leaves nothing to divide among several requests.
    ranges = IndexRanges(size=max(2, page_size or filters.PAGE_SIZE)) if index_range is None else None
    items = follow.items(embedded or rel, reverse=newest_first, absent=is_absent, ranges=ranges)
    return items.map(partial(source.reader.read, kind=kind))
