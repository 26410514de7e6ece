"""Reverse pagination of collections that change, or whose links are wrong."""

from typing import Any

import pytest

from stellantis_hal.errors import ApiError, InvalidLinkError, NotFoundError, TemplateError
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax, Paginator
from tests.navigation.collection import Collection, ids
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links

pytestmark = pytest.mark.anyio


def _items(site: Site, **options: Any) -> Paginator[Any]:
    return site.resource({"_links": links(items=f"{HOME}/p1")}).follow("items").items(reverse=True, **options)


def _page(*elements: int, total: int = 3, **rels: Any) -> dict[str, Any]:
    return {"_embedded": {"items": [{"id": one} for one in elements]}, "_links": rels, "total": total}


async def test_ranges_that_become_short_lose_nothing_in_reverse() -> None:
    collection = Collection(list(range(9)), links=frozenset())

    def tighten(responses_sent: int) -> None:
        if responses_sent == 2:
            collection.max_range = 2

    collection.before_response = tighten
    items = collection.root.follow("items").items(reverse=True, ranges=IndexRangeSyntax(size=3))
    assert ids(await items.collect()) == list(range(8, -1, -1))
    # After the short range "3-5", items are collected up to its end, not to the end of the collection.
    assert collection.site.paths[1:] == [f"/items?indexRange={one}" for one in ("6-8", "3-5", "3-5", "5-7")]


@pytest.mark.parametrize("before", [{}, {"href": 5}, link("/p{?page", templated=True)])
async def test_an_invalid_prev_fails_after_the_items_of_its_page(before: Any) -> None:
    p1 = _page(1, 2, next=link(f"{HOME}/p2"), last=link(f"{HOME}/p2"))
    iterator = aiter(_items(Site({"/p1": p1, "/p2": _page(3, prev=before)})))
    assert (await anext(iterator))["id"] == 3
    for _ in range(2):
        with pytest.raises((InvalidLinkError, TemplateError)):
            await anext(iterator)


async def test_a_resumed_iteration_ends_at_the_total() -> None:
    """Where the first page has another URL than at the start, and no link says that it is the first."""
    p1 = _page(1, 2, next=link(f"{HOME}/p2"), last=link(f"{HOME}/p2"))
    site = Site({"/p1": p1, "/p2": _page(3, prev=link(f"{HOME}/other")), "/other": _page(1, 2)})
    token = (await anext(aiter(_items(site).pages()))).token
    assert token is not None
    site.requests.clear()
    assert [ids(page.items) async for page in _items(site).pages(token)] == [[2, 1]]
    assert site.paths == ["/other"]


def _is_absent(error: ApiError) -> bool:
    return error.code == 40400


async def test_an_error_of_the_first_page_is_raised_in_reverse() -> None:
    with pytest.raises(NotFoundError):
        await _items(Site(), absent=_is_absent).collect()
