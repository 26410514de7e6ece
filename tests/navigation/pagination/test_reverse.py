"""Reverse pagination of collections that change, or whose links are wrong."""

import base64
import json
from typing import Any

import pytest

from stellantis_hal.errors import ApiError, InvalidLinkError, NotFoundError, TemplateError
from stellantis_hal.navigation.call_site_warnings import IncompleteCollectionWarning
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


# --------------------------------------------------------------------------------------------- changes, by token


def _arriving(count: int, at: int = 2, **options: Any) -> Collection:
    """Return nine items to whose head others are added, or removed where negative, before one response."""
    collection = Collection(list(range(9)), **options)

    def change(responses_sent: int) -> None:
        if responses_sent == at and count < 0:
            del collection.elements[:-count]
        elif responses_sent == at:
            collection.elements[:0] = [f"new{number}" for number in range(count)]

    collection.before_response = change
    return collection


def _reading(collection: Collection, **options: Any) -> Paginator[Any]:
    return collection.root.follow("items").items(reverse=True, **options)


async def _token_of_first_page(items: Paginator[Any]) -> str:
    token = (await anext(aiter(items.pages()))).token
    assert token is not None
    return token


def _old(token: str, version: int) -> str:
    """Return a token as older versions made it."""
    _, *fields = json.loads(base64.urlsafe_b64decode(token))
    kept = [1, *fields[:5]] if version == 1 else [2, *fields[:9]]
    return base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()


@pytest.mark.parametrize("has_total", [True, False])
@pytest.mark.parametrize("version", [1, 2])
async def test_an_old_token_reads_items_that_moved(version: int, *, has_total: bool) -> None:
    """The token has no total, so the pages after its own are read up to an item that was returned before."""
    collection = _arriving(4, has_total=has_total)
    token = _old(await _token_of_first_page(_reading(collection)), version)
    collection.site.requests.clear()
    page = await anext(aiter(_reading(collection).pages(token)))
    assert ids(page.items) == [5, 4, 3, 2, 1, 0, "new3"][: len(page.items)]
    assert len(page.items) == 7
    assert collection.site.paths == [f"/items?start={start}" for start in (3, 6, 9)]


@pytest.mark.parametrize("has_ids", [True, False])
async def test_without_totals_a_token_reads_items_that_moved(*, has_ids: bool) -> None:
    collection = _arriving(2, has_total=False, has_ids=has_ids)
    token = await _token_of_first_page(_reading(collection))
    page = await anext(aiter(_reading(collection).pages(token)))
    assert [item.state["id" if has_ids else "name"] for item in page.items] == [5, 4, 3, 2, 1]


async def test_ranges_without_totals_show_items_that_moved() -> None:
    """No link leads from the page of the token to the ranges after it."""
    collection = _arriving(2, at=4, has_total=False, links=frozenset())
    items = _reading(collection, ranges=IndexRangeSyntax(size=3))
    token = await _token_of_first_page(items)
    page = await anext(aiter(items.pages(token)))
    assert ids(page.items) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("at", [3, 4])
async def test_pages_without_prev_are_collected_up_to_known_items(at: int) -> None:
    """Items move to the page that was read before, or beyond it."""
    for count in (2, 4):
        for has_total in (True, False):
            collection = _arriving(count, at=at, has_total=has_total, links=frozenset({"self", "next", "last"}))
            items = _reading(collection, unique=True)
            found = [ids(page.items) async for page in items.pages()]
            stayed = [id_ for page in found for id_ in page if isinstance(id_, int)]
            assert stayed == list(range(8, -1, -1))


async def test_items_that_move_past_a_page_without_next_are_told() -> None:
    collection = _arriving(2, links=frozenset({"self", "prev", "last"}))
    collection.links = frozenset({"self", "prev", "next", "last"})
    token = await _token_of_first_page(_reading(collection))
    collection.links = frozenset({"self", "prev", "last"})
    with pytest.warns(IncompleteCollectionWarning, match="items may be missing .* items may have been added meanwhile"):
        assert ids((await anext(aiter(_reading(collection).pages(token)))).items) == [3, 2, 1]


async def test_a_token_whose_items_were_removed_is_told() -> None:
    collection = _arriving(0, has_total=False)
    token = await _token_of_first_page(_reading(collection))
    collection.elements[:] = [*range(6), *range(20, 23)]
    with pytest.warns(IncompleteCollectionWarning, match="items may be missing"):
        assert ids((await anext(aiter(_reading(collection).pages(token)))).items) == [5, 4, 3]


async def test_a_token_after_an_empty_page_has_nothing_to_find() -> None:
    p1 = {**_page(1, 2, next=link(f"{HOME}/p2"), last=link(f"{HOME}/p2")), "total": None}
    site = Site({"/p1": p1, "/p2": {**_page(prev=link(f"{HOME}/p1")), "total": None}})
    token = await _token_of_first_page(_items(site))
    site.requests.clear()
    assert [ids(page.items) async for page in _items(site).pages(token)] == [[2, 1]]
    assert site.paths == ["/p1"]


async def test_pages_that_lead_back_show_no_items_that_moved() -> None:
    p1 = {**_page(1, 2, next=link(f"{HOME}/p2"), last=link(f"{HOME}/p2")), "total": None}
    p2 = {**_page(3, prev=link(f"{HOME}/p1"), next=link(f"{HOME}/p1")), "total": None}
    token = await _token_of_first_page(_items(Site({"/p1": p1, "/p2": p2})))
    p2["_embedded"] = {"items": [{"id": 4}]}
    with pytest.warns(IncompleteCollectionWarning, match="items may be missing"):
        assert ids((await anext(aiter(_items(Site({"/p1": p1, "/p2": p2})).pages(token)))).items) == [2, 1]


async def test_ranges_that_are_ignored_show_no_items_that_moved() -> None:
    collection = _arriving(0, has_total=False, links=frozenset())
    items = _reading(collection, ranges=IndexRangeSyntax(size=3))
    token = await _token_of_first_page(items)
    collection.honours_ranges = False
    with pytest.warns(IncompleteCollectionWarning, match="items may be missing"):
        assert ids((await anext(aiter(items.pages(token)))).items) == [2, 1, 0]


async def test_a_page_that_was_replaced_is_told_without_prev() -> None:
    """No item that was returned is left to collect up to, and no total says how many have moved."""
    collection = _arriving(0, has_total=False, links=frozenset({"self", "next", "last"}))
    iterator = aiter(_reading(collection).pages())
    assert ids((await anext(iterator)).items) == [8, 7, 6]
    collection.elements[:] = [*range(6), *range(20, 25)]
    with pytest.warns(IncompleteCollectionWarning, match="items may be missing"):
        assert ids((await anext(iterator)).items) == [5, 4, 3]
    assert [ids(page.items) async for page in iterator] == [[2, 1, 0]]


async def test_a_total_that_is_too_large_is_told_by_token() -> None:
    collection = _arriving(0, extra_total=2)
    token = await _token_of_first_page(_reading(collection))
    with pytest.warns(IncompleteCollectionWarning, match="states a total of 11, but has 9 items"):
        assert len([page async for page in _reading(collection).pages(token)]) == 2


async def test_arrivals_without_totals_are_told_at_the_end() -> None:
    with pytest.warns(IncompleteCollectionWarning, match="items may be missing"):
        found = ids(await _reading(_arriving(2, has_total=False)).collect())
    assert found == [8, 7, 6, 3, 2, 1, 0, "new1", "new0"][: len(found)]


@pytest.mark.parametrize("links", [{"self", "prev", "next", "last"}, set[str]()])
async def test_removals_while_moved_items_are_read_are_told(links: set[str]) -> None:
    collection = _arriving(4, links=frozenset(links))
    add = collection.before_response

    def change(responses_sent: int) -> None:
        add(responses_sent)
        if responses_sent == 3:
            del collection.elements[:1]

    collection.before_response = change
    with pytest.warns(IncompleteCollectionWarning, match="its total decreased while it was read"):
        await _reading(collection, unique=True, ranges=IndexRangeSyntax(size=3)).collect()


@pytest.mark.parametrize("by_token", [True, False])
async def test_removals_are_told_forwards(*, by_token: bool) -> None:
    collection = _arriving(-1, at=1)
    items = collection.root.follow("items").items()
    pages = items.pages()
    iterator = aiter(pages)
    first = await anext(iterator)
    if by_token:
        iterator = aiter(items.pages(first.token))
    with pytest.warns(IncompleteCollectionWarning, match="its total decreased while it was read"):
        assert ids((await anext(iterator)).items) == [4, 5, 6]


def _is_absent(error: ApiError) -> bool:
    return error.code == 40400


async def test_an_error_of_the_first_page_is_raised_in_reverse() -> None:
    with pytest.raises(NotFoundError):
        await _items(Site(), absent=_is_absent).collect()


async def test_a_total_beyond_the_end_reads_to_the_end() -> None:
    """Of the items that a larger total announces, those that are there are read."""
    collection = Collection(list(range(9)))

    def announce(responses_sent: int) -> None:
        collection.extra_total = 5 if responses_sent >= 2 else 0

    collection.before_response = announce
    assert ids(await _reading(collection, unique=True).collect()) == list(range(8, -1, -1))
    assert collection.site.paths[1:] == [f"/items?start={start}" for start in (6, 3, 6, 0)]
