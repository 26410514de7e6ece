"""Sequential, reverse and prefetching pagination."""

import itertools
import weakref
from collections.abc import AsyncIterable
from typing import Any

import anyio
import pytest

from stellantis_hal.errors import (
    AmbiguousLinkError,
    ApiError,
    IncompleteCollectionError,
    InvalidLinkError,
    LinkNotFoundError,
    NotFoundError,
    PaginationLoopError,
    ServerError,
    StructureError,
    TemplateError,
)
from stellantis_hal.navigation.call_site_warnings import IncompleteCollectionWarning
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.pagination.page_token import PageToken
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax, Page, Paginator
from stellantis_hal.navigation.pagination.recent_ids import MAX_RECENT_IDS
from stellantis_hal.navigation.pagination.reverse import MAX_COLLECTED_ITEMS
from tests.navigation.collection import Collection, ids
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links, make_response

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("has_query", [False, True])
async def test_a_self_of_the_collection_identifies_no_item(has_query: bool) -> None:
    """Items without an address of their own, such as measurements, name the collection, or their page of it."""

    def page(query: str, *elements: int, **rels: Any) -> dict[str, Any]:
        own = f"{HOME}/p1{query if has_query else ''}"
        return {"_embedded": {"items": [{"n": one, "_links": links(self=own)} for one in elements]}, "_links": rels}

    site = _site(
        **{
            "p1": page("", 1, 2, next=link(f"{HOME}/p1?from=2")),
            "p1?from=2": page("?from=2", 3, 4, next=link(f"{HOME}/p1?from=4")),
            "p1?from=4": page("?from=4", 5),
        }
    )
    assert [item["n"] async for item in _items(site, unique=True)] == [1, 2, 3, 4, 5]


def _page(*elements: Any, **rels: Any) -> dict[str, Any]:
    return {"_embedded": {"items": [{"id": one} for one in elements]}, "_links": rels}


def _site(**pages: Any) -> Site:
    return Site({f"/{name}": page for name, page in pages.items()}, delay=1)


def _items(site: Site, first: str = "p1", *, unique: bool = True, **options: Any) -> Paginator[Any]:
    options["unique"] = unique
    return site.resource({"_links": links(items=f"{HOME}/{first}")}).follow("items").items(**options)


def _typed(site: Site) -> Paginator[Any]:
    return Paginator.over(site.resource({"_links": links(items=f"{HOME}/p1")}).follow("items"), typed=True)


async def _append_items(iterator: AsyncIterable[Any], received: list[Any]) -> None:
    """Append items until an error is raised."""
    async for item in iterator:
        received.append(item["id"])  # noqa: PERF401 - items before an error are kept


async def _collect(items: Paginator[Any]) -> list[Any]:
    return ids(await items.collect())


async def test_iteration_goes_on_to_the_last_page_over_empty_ones() -> None:
    site = _site(
        p1=_page(1, 2, next=link(f"{HOME}/p2")),
        p2=_page(next=link(f"{HOME}/p3")),
        p3={"_links": {"next": f"{HOME}/p4"}},
        p4=_page(3, next=None),
    )
    assert await _collect(_items(site)) == [1, 2, 3]
    assert site.paths == ["/p1", "/p2", "/p3", "/p4"]


@pytest.mark.parametrize("following", [None, [], link(None), [None, link(None)]])
async def test_a_null_next_is_the_end(following: Any) -> None:
    assert await _collect(_items(_site(p1=_page(1, next=following)))) == [1]


@pytest.mark.parametrize("following", [{}, {"href": 5}, {"name": "no href"}, 5, True, [[]]])
async def test_an_invalid_next_is_an_error(following: Any) -> None:
    iterator = aiter(_items(_site(p1=_page(1, 2, next=following))))
    assert [(await anext(iterator))["id"], (await anext(iterator))["id"]] == [1, 2]
    for _ in range(2):
        with pytest.raises(InvalidLinkError, match="'next'"):
            await anext(iterator)


async def test_two_links_to_the_next_page_are_one() -> None:
    same = [link("p2"), link(f"{HOME}/p2", name="again"), link(f"{HOME}/p2#top")]
    assert await _collect(_items(_site(p1=_page(1, next=same), p2=_page(2)))) == [1, 2]


@pytest.mark.parametrize("second", [link(f"{HOME}/p3"), f"{HOME}/p3", link("{", templated=True)])
async def test_two_different_next_links_are_an_error_after_the_items(second: Any) -> None:
    site = _site(p1=_page(1, next=[link(f"{HOME}/p2"), second]), p2=_page(2), p3=_page(3))
    assert (await _items(site).collect(1))[0]["id"] == 1
    iterator = aiter(_items(site))
    assert (await anext(iterator))["id"] == 1
    for _ in range(2):
        with pytest.raises(AmbiguousLinkError, match=r"2 links 'next' at .*/p1 lead to different pages") as caught:
            await anext(iterator)
        assert caught.value.candidates == (f"{HOME}/p2", second if isinstance(second, str) else second["href"])
    assert site.paths == ["/p1", "/p1"]


async def test_two_different_next_links_of_a_header_are_an_error() -> None:
    header = f'<{HOME}/p2>; rel="next", <{HOME}/p3>; rel="next"'
    site = _site(p1=make_response(_page(1), url=f"{HOME}/p1", link=header))
    with pytest.raises(AmbiguousLinkError, match="2 links 'next'"):
        await _items(site).collect()


async def test_two_different_links_are_an_error_in_reverse() -> None:
    site = _site(
        p1=_page(1, next=link(f"{HOME}/p2"), last=link(f"{HOME}/p3")),
        p3=_page(3, prev=[link(f"{HOME}/p2"), link(f"{HOME}/p1")]),
    )
    iterator = aiter(_items(site, reverse=True))
    assert (await anext(iterator))["id"] == 3
    with pytest.raises(AmbiguousLinkError, match="2 links 'prev'"):
        await anext(iterator)
    site = _site(
        p1=_page(1, next=link(f"{HOME}/p2"), last=link(f"{HOME}/p2")),
        p2=_page(2, next=[link(f"{HOME}/p3"), link(f"{HOME}/p4")]),  # added after 'last' was written
    )
    with pytest.raises(AmbiguousLinkError, match="2 links 'next'"):
        await _items(site, reverse=True).first()


@pytest.mark.parametrize("following", [[link(f"{HOME}/p2"), link(f"{HOME}/p3")], {"href": 5}])
async def test_a_page_whose_next_cannot_be_followed_is_not_the_last(following: Any) -> None:
    """Not for a token, and not in reverse."""
    site = _site(p1=_page(1, next=following, last=link(f"{HOME}/p3")), p3=_page(3, prev=link(f"{HOME}/p1")))
    token = (await anext(aiter(_items(site).pages()))).token
    with pytest.raises(PaginationLoopError, match="or has a link to the next page that cannot be followed"):
        await anext(aiter(_items(site).pages(token)))
    assert await _collect(_items(site, reverse=True)) == [3, 1]
    site = _site(p1=_page(1, next=following))
    with pytest.raises((AmbiguousLinkError, InvalidLinkError)):
        await _items(site, reverse=True).collect()


async def test_a_token_leads_past_a_prev_that_cannot_be_followed() -> None:
    pages = {name: link(f"{HOME}/{name}") for name in ("p1", "p2", "p3")}
    site = _site(
        p1=_page(1, next=pages["p2"], last=pages["p3"]),
        p2=_page(2, next=pages["p3"], prev=pages["p1"]),
        p3=_page(3, prev=[pages["p2"], pages["p1"]]),
    )
    items = _items(site, reverse=True)
    page = await anext(aiter(items.pages()))
    assert [item["id"] async for later in items.pages(page.token) for item in later.items] == [2, 1]


async def test_two_different_last_links_are_not_followed() -> None:
    last = [link(f"{HOME}/p2"), link(f"{HOME}/p3")]
    site = _site(p1=_page(1, next=link(f"{HOME}/p2"), last=last), p2=_page(2))
    assert await _collect(_items(site, reverse=True)) == [2, 1]


async def test_only_the_registered_next_is_followed() -> None:
    curies = [link("https://docs/{rel}", name="ex", templated=True)]
    page = _page(1, curies=curies, **{"ex:next": link(f"{HOME}/p2")})
    assert await _collect(_items(_site(p1=page))) == [1]


async def test_a_templated_next_is_expanded_without_variables() -> None:
    site = _site(p1=_page(1, next=link(f"{HOME}/p2{{?size}}", templated=True)), p2=_page(2))
    assert await _collect(_items(site)) == [1, 2]


async def test_a_server_made_query_is_followed_byte_for_byte() -> None:
    site = Site({"/p1": _page(1, next=link("p1?pageToken=YQ==&r=2&r=1")), "/p1?pageToken=YQ==&r=2&r=1": _page(2)})
    assert await _collect(_items(site)) == [1, 2]


async def test_each_iteration_reads_the_collection_anew() -> None:
    site = _site(p1=_page(1))
    items = _items(site)
    assert await _collect(items) == await _collect(items) == [1]
    assert site.paths == ["/p1", "/p1"]


async def test_iteration_of_a_resource_starts_with_that_page() -> None:
    site = _site(p2=_page(2))
    resource = site.resource(_page(1, next=link(f"{HOME}/p2")))
    assert await _collect(resource.items()) == [1, 2]
    assert site.paths == ["/p2"]
    assert [page.number async for page in resource.pages()] == [1, 2]


@pytest.mark.parametrize("body", [{"total": 0}, {"_embedded": {}}, {"_embedded": []}, {"_embedded": None}])
async def test_a_page_that_says_it_has_nothing_is_empty(body: dict[str, Any]) -> None:
    assert await _collect(Site().resource(body).items()) == []
    assert await Site().resource(body).items().first() is None


@pytest.mark.parametrize("body", [{}, {"_links": links(self=HOME)}, {"name": "x"}])
async def test_a_typed_collection_without_embedded_items_is_empty(body: dict[str, Any]) -> None:
    resource = Site().resource(body)
    assert await _collect(Paginator.over(resource, typed=True)) == []
    assert await _collect(Paginator.over(resource, "items", typed=True)) == []
    with pytest.raises(AmbiguousLinkError):
        await resource.items().first()
    with pytest.raises(LinkNotFoundError):
        await resource.items("items").first()


async def test_several_embedded_keys_need_a_rel() -> None:
    resource = Site().resource({"_embedded": {"a": [{"id": 1}], "b": [{"id": 2}]}})
    with pytest.raises(AmbiguousLinkError, match=r"embeds 'a', 'b': name the items, as in \.items\('a'\)") as caught:
        await resource.items().collect()
    assert (caught.value.rel, caught.value.candidates, caught.value.url) == ("", ("a", "b"), HOME)
    assert await _collect(resource.items("b")) == [2]
    assert await _collect(resource.items("B")) == [2]
    with pytest.raises(LinkNotFoundError, match=r"no items 'c' at .*; available: a, b") as missing:
        await _collect(resource.items("c"))
    assert (missing.value.rel, missing.value.available, missing.value.url) == ("c", ("a", "b"), HOME)
    assert [ids(page.items) async for page in resource.pages("b")] == [[2]]


async def test_pages_behind_a_link_contain_the_items_of_the_given_rel() -> None:
    site = _site(p1={"_embedded": {"a": [{"id": 1}], "b": [{"id": 2}]}})
    pages = site.resource({"_links": links(items=f"{HOME}/p1")}).follow("items").pages("b")
    assert [ids(page.items) async for page in pages] == [[2]]


async def test_a_single_page_can_be_reversed() -> None:
    assert await _collect(Site().resource(_page(1, 2)).items(reverse=True)) == [2, 1]


async def test_iteration_is_forward_by_default() -> None:
    assert await _collect(Paginator.over(Site().resource(_page(1, 2)))) == [1, 2]


async def test_an_embedded_page_without_self_has_a_next() -> None:
    site = _site(p2=_page(2))
    (copy,) = site.resource({"_embedded": {"page": _page(1, next=link(f"{HOME}/p2"))}}).embedded("page")
    assert await _collect(copy.items()) == [1, 2]


async def test_collect_and_first_read_no_further_than_they_must() -> None:
    site = _site(p1=_page(1, 2, next=link(f"{HOME}/p2")), p2=_page(3))
    items = _items(site)
    assert ids(await items.collect(2)) == [1, 2]
    first = await items.first()
    assert first is not None
    assert first["id"] == 1
    assert ids(await items.collect(1)) == [1]
    assert await items.collect(0) == []
    assert site.paths == ["/p1", "/p1", "/p1"]


@pytest.mark.parametrize(
    ("body", "total"),
    [
        ({"total": 5}, 5),
        ({"total": 0}, 0),
        ({"page": {"totalElements": 6}}, 6),
        ({"total": True, "page": {"totalElements": "six"}}, None),
        ({"total": True, "page": {"totalElements": "6"}}, 6),
        ({"total": 30.0}, None),
        ({"total": 30.0, "currentPage": 1}, 30),
        ({"total": 30.5, "totalPage": 1}, None),
        ({"totalItems": 7.0}, 7),
        ({"page": {"totalElements": 8.0}}, 8),
        ({"total": -1, "page": []}, None),
        ({}, None),
    ],
)
async def test_the_total_is_read_from_the_first_page(body: dict[str, Any], total: int | None) -> None:
    assert await _items(_site(p1=body)).total() == total


async def test_mapped_items_are_converted_and_none_is_left_out() -> None:
    site = _site(p1=_page(1, 2, 3))
    deviation = _items(site).map(lambda item: item["id"] if item["id"] % 2 else None)
    assert await deviation.collect() == [1, 3]
    assert await deviation.map(str).collect() == ["1", "3"]


async def test_an_item_shifted_to_the_next_page_is_returned_once() -> None:
    site = _site(p1=_page(1, 2, next=link(f"{HOME}/p2")), p2=_page(2, 3, "2", True, None))
    assert await _collect(_items(site, unique=True)) == [1, 2, 3, True, None]
    assert await _collect(_items(site, unique=False)) == [1, 2, 2, 3, "2", True, None]


async def test_items_of_one_page_are_never_left_out() -> None:
    """Also where they share an id or a URL."""
    own = {"_links": links(self=f"{HOME}/same")}
    site = _site(
        p1={"_embedded": {"items": [{"id": 1, "n": 1}, {"id": 1, "n": 2}]}, "_links": links(next=f"{HOME}/p2")},
        p2={"_embedded": {"items": [{"n": 3, **own}, {"n": 4, **own}, {"n": 5, "id": 1}]}},
    )
    assert [item["n"] async for item in _items(site, unique=False)] == [1, 2, 3, 4, 5]
    assert [item["n"] async for item in _items(site, unique=True)] == [1, 2, 3, 4]
    assert [item["n"] async for item in _typed(site)] == [1, 2, 3, 4]


async def test_an_item_is_not_converted_twice() -> None:
    site = _site(p1=_page(1, 2, next=link(f"{HOME}/p2")), p2=_page(2, 3))
    read: list[Any] = []
    await _items(site, unique=True).map(lambda item: read.append(item["id"])).collect()
    assert read == [1, 2, 3]


async def test_items_without_ids_are_identified_by_their_urls() -> None:
    pages = [[{"n": n, "_links": links(self=f"{HOME}/{n}")} for n in numbers] for numbers in ((1, 2), (2, 3))]
    site = Site({"/p2": {"_embedded": {"items": [*pages[1], {"n": 4}, {"n": 4}]}}})
    resource = site.resource({"_embedded": {"items": pages[0]}, "_links": links(next=f"{HOME}/p2")})
    assert [item["n"] async for item in resource.items(unique=True)] == [1, 2, 3, 4, 4]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("others", "times"), [(MAX_RECENT_IDS - 1, 1), (MAX_RECENT_IDS, 2)])
async def test_an_item_is_remembered_until_so_many_others_follow(others: int, times: int) -> None:
    site = _site(p1=_page("x", *range(others), next=link(f"{HOME}/p2")), p2=_page("x"))
    assert (await _collect(_items(site, unique=True))).count("x") == times


@pytest.mark.parametrize("own", ["self", "url"])
async def test_a_full_page_that_is_the_last_by_its_link_ends(own: str) -> None:
    """It states no total, and no range is asked for behind it."""
    page = _page(1, 2, 3, last=link(f"{HOME}/{'own' if own == 'self' else 'p1'}"), self=link(f"{HOME}/own"))
    site = _site(p1=page)
    assert await _collect(_items(site, unique=False, ranges=IndexRangeSyntax(size=3))) == [1, 2, 3]
    assert site.paths == ["/p1"]


def _in_threes(site: Site) -> Paginator[Any]:
    return _items(site, ranges=IndexRangeSyntax(size=3))


async def test_a_last_page_that_was_not_read_is_a_reason_to_go_on() -> None:
    """Without it, a page that is not full is the last."""
    rest = "p1?indexRange=2-4"
    site = _site(**{"p1": _page(1, 2, last=link(f"{HOME}/p9")), rest: _page(3, last=link(f"{HOME}/{rest}"))})
    assert await _collect(_in_threes(site)) == [1, 2, 3]
    assert site.paths == ["/p1", f"/{rest}"]


@pytest.mark.parametrize("members", [{}, {"total": 2}, {"total": 2, "last": f"{HOME}/p9"}, {"last": f"{HOME}/p1"}])
async def test_a_last_page_that_was_read_or_counted_is_the_end(members: dict[str, Any]) -> None:
    rels = {} if "last" not in members else {"last": link(members["last"])}
    total = {} if "total" not in members else {"total": members["total"]}
    site = _site(p1={**_page(1, 2, **rels), **total})
    assert await _collect(_in_threes(site)) == [1, 2]
    assert site.paths == ["/p1"]


@pytest.mark.parametrize("last", ["p2", "p1"])
async def test_a_last_page_that_is_no_first_or_latest_one_is_known(last: str) -> None:
    """The first one is known from a token too."""
    site = _site(p1=_page(1, 2, next=link(f"{HOME}/p2")), p2=_page(3, last=link(f"{HOME}/{last}")))
    items = _in_threes(site)
    assert await _collect(items) == [1, 2, 3]
    first = await anext(aiter(items.pages()))
    assert [[item["id"] for item in page.items] async for page in items.pages(first.token)] == [[3]]
    assert site.paths == ["/p1", "/p2", "/p1", "/p2"]


async def test_a_last_page_that_ranges_do_not_reach_is_an_error() -> None:
    page = _page(1, 2, 3, last=link(f"{HOME}/p9"))
    received: list[Any] = []
    with pytest.raises(IncompleteCollectionError, match=r"have no 'next', and the server ignores indexRange"):
        await _append_items(_in_threes(_site(**{"p1": page, "p1?indexRange=3-5": page})), received)
    assert received == [1, 2, 3]


async def test_a_range_that_was_ignored_is_told_by_ids_alone() -> None:
    """The contents of its items may have changed since."""
    names = itertools.count()

    def page(_: Request) -> Any:
        return {"_embedded": {"items": [{"id": one, "name": next(names)} for one in (1, 2, 3)]}}

    site = Site({f"/p1{query}": page for query in ("", "?indexRange=3-5", "?indexRange=6-8")})
    assert await _collect(_items(site, unique=False, ranges=IndexRangeSyntax(size=3))) == [1, 2, 3]


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("how", ["sequential", "ahead", "concurrent"])
async def test_iteration_holds_no_more_than_the_current_pages(how: str) -> None:
    collection = Collection(list(range(600)))
    items = collection.root.follow("items").items(ranges=IndexRangeSyntax(size=3))
    alive: list[int] = []
    pages: list[weakref.ref[Any]] = []

    async def iterator(source: AsyncIterable[Page[Any]]) -> None:
        async for page in source:
            pages.append(weakref.ref(page.resource))
            alive.append(sum(ref() is not None for ref in pages))

    if how == "sequential":
        await iterator(items.pages())
    elif how == "ahead":
        async with items.pages().ahead(1) as ahead:
            await iterator(ahead)
    else:
        async with items.pages().concurrent(4) as concurrent:
            await iterator(concurrent)
    assert len(pages) >= 200
    assert max(alive) <= 3


@pytest.mark.parametrize(
    "following", [f"{HOME}/p1", f"{HOME}/p1#x", f"{HOME}/own", f"{HOME}/x/../p1", f"{HOME}/moved", ""]
)
async def test_a_next_that_was_read_before_is_a_loop(following: str) -> None:
    page = _page(1, self=link(f"{HOME}/own"), next=link(following))
    site = _site(p1=make_response(url=f"{HOME}/moved", body=page))
    received: list[Any] = []
    with pytest.raises(PaginationLoopError, match=r"^pagination loop: .* which was read before") as caught:
        await _append_items(_items(site), received)
    assert received == [1]
    assert caught.value.resume_token is not None
    assert len(site.paths) <= 2  # a redirect of the first page delays detection by one request


@pytest.mark.parametrize("first", [{}, {"first": f"{HOME}/p1"}])
@pytest.mark.parametrize("rel", ["prev", "previous"])
async def test_a_prev_to_the_page_itself_hides_no_missing_items(rel: str, first: dict[str, str]) -> None:
    """Foxy writes all links of paging to the page itself: its total counts from the first item nevertheless."""
    rels = links(**{rel: f"{HOME}/p1"}, last=f"{HOME}/p1", **first)
    page = _page(1, **rels) | {"total_items": "5"}
    received: list[Any] = []
    with pytest.warns(IncompleteCollectionWarning, match="states a total of 5, but has 1 items"):
        await _append_items(_items(_site(p1=page)), received)
    page = _page(1, **rels, next=link(f"{HOME}/p1"))
    with pytest.raises(PaginationLoopError):
        await _append_items(_items(_site(p1={**page, "total_items": "5"})), received)
    assert received == [1, 1]
    complete = {**page, "total_items": "1"}
    await _append_items(_items(_site(p1=complete)), received)
    assert received == [1, 1, 1]


async def test_a_page_with_another_first_page_has_items_before() -> None:
    page = _page(1, prev=link(f"{HOME}/p1"), first=link(f"{HOME}/p0"), self=link(f"{HOME}/p1")) | {"total": 5}
    received: list[Any] = []
    await _append_items(_items(_site(p1=page)), received)
    assert received == [1]


async def test_a_longer_loop_is_detected_too() -> None:
    site = _site(p1=_page(1, next=link(f"{HOME}/p2")), p2=_page(2, next=link(f"{HOME}/p1")))
    with pytest.raises(PaginationLoopError) as caught:
        await _items(site).collect()
    assert caught.value.url == f"{HOME}/p1"
    assert site.paths == ["/p1", "/p2"]


# --------------------------------------------------------------------------------------------- absent


def _absent(error: ApiError) -> bool:
    return error.code == 40400


async def test_absent_defines_which_errors_mean_empty() -> None:
    site = _site(p1=NotFoundError("none", status=404, code=40400))
    items = _items(site, absent=_absent)
    assert await _collect(items) == []
    (page,) = [page async for page in items.pages()]
    assert (page.items, page.number, page.total, page.resource, page.token) == ((), 1, 0, None, None)


@pytest.mark.parametrize(("code", "absent"), [(None, _absent), (40400, None)])
async def test_a_wrong_url_is_an_error(code: int | None, absent: Any) -> None:
    with pytest.raises(NotFoundError) as caught:
        await _items(_site(p1=NotFoundError("none", status=404, code=code)), absent=absent).collect()
    assert caught.value.resume_token is None


async def test_a_missing_later_page_is_an_error_of_any_code() -> None:
    site = _site(p1=_page(1, next=link(f"{HOME}/p2")), p2=NotFoundError("none", status=404, code=40400))
    with pytest.raises(NotFoundError):
        await _items(site, absent=_absent).collect()


# --------------------------------------------------------------------------------------------- backwards


@pytest.mark.parametrize("back", ["prev", "previous"])
async def test_reverse_goes_from_the_last_page_to_the_first(back: str) -> None:
    site = _site(
        p1=_page(1, 2, next=link(f"{HOME}/p2"), last=link(f"{HOME}/p3")),
        p2=_page(3, 4, **{back: link(f"{HOME}/p1"), "next": link(f"{HOME}/p3")}),
        p3=_page(5, **{back: link(f"{HOME}/p2")}),
    )
    assert await _collect(_items(site, reverse=True)) == [5, 4, 3, 2, 1]
    assert site.paths == ["/p1", "/p3", "/p2", "/p1"]


async def test_a_token_resumes_reverse_iteration_too() -> None:
    items = Collection(list(range(8))).root.follow("items").items(reverse=True)
    page = await anext(aiter(items.pages()))
    assert ids(page.items) == [7, 6]
    assert [item["id"] async for later in items.pages(page.token) for item in later.items] == [5, 4, 3, 2, 1, 0]


async def test_a_next_of_the_last_page_is_not_followed_in_reverse() -> None:
    page = _page(1, next=link(f"{HOME}/p1"), last=link(f"{HOME}/p1"))
    site = _site(p1=page)
    assert await _collect(_items(site, reverse=True)) == [1]
    assert site.paths == ["/p1"]


async def test_a_single_page_needs_no_last_in_reverse() -> None:
    site = _site(p1=_page(1, 2))
    assert await _collect(_items(site, reverse=True)) == [2, 1]
    assert site.paths == ["/p1"]


async def test_pages_without_a_last_are_collected_forwards() -> None:
    site = _site(p1=_page(1, 2, next=link(f"{HOME}/p2")), p2=_page(3, next=link(f"{HOME}/p3")), p3=_page(4))
    assert await _collect(_items(site, reverse=True)) == [4, 3, 2, 1]
    assert site.paths == ["/p1", "/p2", "/p3"]


async def test_pages_without_a_prev_are_collected_when_needed() -> None:
    last = link(f"{HOME}/p3")
    site = _site(
        p1=_page(1, 2, next=link(f"{HOME}/p2"), last=last),
        p2=_page(3, next=last, last=last),
        p3=_page(4, last=last),
    )
    items = _items(site, reverse=True)
    assert (await items.collect(1))[0]["id"] == 4
    assert site.paths == ["/p1", "/p3"]
    assert await _collect(items) == [4, 3, 2, 1]
    assert site.paths[2:] == ["/p1", "/p3", "/p2", "/p3"]


async def test_an_invalid_last_is_not_followed() -> None:
    site = _site(p1=_page(1, next=link(f"{HOME}/p2"), last={"href": 5}), p2=_page(2))
    iterator = aiter(_items(site, reverse=True))
    assert [item["id"] async for item in iterator] == [2, 1]
    assert await anext(iterator, None) is None


@pytest.mark.long
@pytest.mark.parametrize("more", [0, 1])
async def test_only_so_many_items_are_collected_forwards(more: int) -> None:
    count = MAX_COLLECTED_ITEMS + more
    site = _site(p1=_page(*range(count), next=link(f"{HOME}/p2")), p2=_page())
    items = _items(site, reverse=True)
    if not more:
        assert len(await items.collect()) == count
        return
    with pytest.raises(IncompleteCollectionError, match="more than 10000 items before it; read it forwards") as caught:
        await items.collect()
    assert (caught.value.items, caught.value.pages, caught.value.total) == (0, 0, None)
    assert caught.value.url == f"{HOME}/p1"


@pytest.mark.parametrize("count", [3, 4])
async def test_pages_without_items_end_at_a_bound(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellantis_hal.navigation.pagination.sequential._MAX_EMPTY_PAGES", 3)
    numbers = (1, *[None] * 3, 2, *[None] * count, 3)
    pages = {
        f"p{place}": _page(*([] if number is None else [number]), next=link(f"{HOME}/p{place + 1}"))
        for place, number in enumerate(numbers, 1)
    }
    pages[f"p{len(numbers)}"] = _page(3)
    items = _items(_site(**pages))
    if count == 3:
        assert ids(await items.collect()) == [1, 2, 3]
        return
    with pytest.raises(PaginationLoopError) as caught:
        await items.collect()
    assert str(caught.value) == (
        "the collection at https://api.example/v4/p9 does not end: 3 pages in a row had no items, each with a link to "
        "another page (returned: 2 items on 8 pages; no total stated)"
    )
    assert caught.value.url == f"{HOME}/p9"


async def test_an_absent_collection_is_empty_in_reverse_too() -> None:
    site = _site(p1=NotFoundError("none", status=404, code=40400))
    assert await _collect(_items(site, reverse=True, absent=_absent)) == []


async def test_reverse_loses_nothing_that_new_items_shift() -> None:
    collection = Collection(list("abcdefgh"))

    def add_items(responses_sent: int) -> None:
        if responses_sent in {2, 3}:
            collection.elements[:0] = [f"new{responses_sent}-{n}" for n in range(4)]

    collection.before_response = add_items
    items_read = await _collect(collection.root.follow("items").items(reverse=True, unique=True))
    assert [one for one in items_read if len(one) == 1] == list("hgfedcba")
    assert len(set(items_read)) == len(items_read)


async def test_reverse_finds_shifted_items_of_the_given_rel() -> None:
    def page(total: int, *elements: str, **rels: Any) -> dict[str, Any]:
        embedded = {"others": [{}], **_page(*elements)["_embedded"]}
        return {"total": total, "_embedded": embedded, "_links": rels}

    site = _site(
        p1=page(3, "a", "b", next=link(f"{HOME}/p2"), last=link(f"{HOME}/p2")),
        p2=page(3, "c", prev=link(f"{HOME}/p1")),
    )
    iterator = aiter(_items(site, rel="items", reverse=True))
    assert (await anext(iterator))["id"] == "c"
    site.routes["/p1"] = page(4, "new", "a", next=link(f"{HOME}/p2"))
    site.routes["/p2"] = page(4, "b", "c", prev=link(f"{HOME}/p1"))
    assert [item["id"] async for item in iterator] == ["b", "a", "new"]


async def test_reverse_reads_each_page_once_without_additions() -> None:
    collection = Collection(list(range(7)))
    await _collect(collection.root.follow("items").items(reverse=True))
    assert collection.site.paths == ["/items", "/items?start=6", "/items?start=3", "/items?start=0"]


# --------------------------------------------------------------------------------------------- tokens


def _three() -> Site:
    return _site(p1=_page(1, 2, next=link(f"{HOME}/p2")), p2=_page(next=link(f"{HOME}/p3")), p3=_page(2, 3, next=None))


async def test_pages_have_items_number_total_and_token() -> None:
    site = _three()
    site.routes["/p1"] = {**_page(1, 2, next=link(f"{HOME}/p2")), "total": 3}
    pages: list[Page[Any]] = [page async for page in _items(site).pages()]
    assert [ids(page.items) for page in pages] == [[1, 2], [], [3]]
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.total for page in pages] == [3, None, None]
    assert [page.resource.url for page in pages if page.resource] == [f"{HOME}/p{n}" for n in (1, 2, 3)]
    assert pages[2].token is None
    assert "token" not in repr(pages[0])


@pytest.mark.parametrize("at", [0, 1])
async def test_a_token_resumes_after_its_page(at: int) -> None:
    pages = [page async for page in _items(_three()).pages()]
    site = _three()
    token = pages[at].token
    assert token is not None
    rest = [page async for page in site.resource({}).items(unique=True).pages(token=token)]
    assert [page.number for page in rest] == [page.number for page in pages[at + 1 :]]
    assert [ids(page.items) for page in rest] == [ids(page.items) for page in pages[at + 1 :]]
    assert site.paths[0] == f"/p{at + 2}"


async def test_a_token_of_a_resumed_iteration_keeps_earlier_ids() -> None:
    root = _three().resource({"_links": links(items=f"{HOME}/p1")})
    items = root.follow("items").items(unique=True)
    token = (await anext(aiter(items.pages()))).token
    later = (await anext(aiter(items.pages(token=token)))).token
    (last,) = [page async for page in items.pages(token=later)]
    assert ids(last.items) == [3]


async def test_a_token_accepts_an_id_with_a_lone_surrogate() -> None:
    content = b'{"_embedded": {"items": [{"id": "\\ud83d"}]}, "_links": {"%s": {"href": "/v4/p2"}}}'
    site = _site(
        p1=make_response(url=f"{HOME}/p1", body=content % b"next"),
        p2=make_response(url=f"{HOME}/p2", body=content % b"self"),
    )
    token = (await anext(aiter(_items(site).pages()))).token
    assert [page.items async for page in _items(site).pages(token)] == [()]


async def test_a_resumed_iteration_asks_for_the_given_type() -> None:
    site = _three()
    root = site.resource({"_links": links(items=f"{HOME}/p1")})
    token = (await anext(aiter(_items(_three()).pages()))).token
    await anext(aiter(root.follow("items", accept="text/x").pages(token=token)))
    assert site.requests[0].headers["Accept"].startswith("text/x, ")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "é",
        "W10=",
        "NQ==",
        PageToken(url="/", number=1).to_token()[:-6],
        "WzEsInUiLDEsIiJd",  # [1,"u",1,""]
        "WzIsInUiLDEsIiIsbnVsbCxmYWxzZV0=",  # [2,"u",1,"",null,false]
        "WzEsMSwxLCIiLG51bGwsZmFsc2Vd",  # [1,1,1,"",null,false]
        "WzEsInUiLDEsIkFBIixudWxsLGZhbHNlXQ==",  # [1,"u",1,"AA",null,false]
        "WzEsInUiLDEsIkFBQUEiLG51bGwsZmFsc2Vd",  # [1,"u",1,"AAAA",null,false]
        "WzEsInUiLDEsIj8_Pz8iLG51bGwsZmFsc2Vd",  # [1,"u",1,"????",null,false]
        "WzEsInUiLCIxIiwiIixudWxsLGZhbHNlXQ==",  # [1,"u","1","",null,false]
        "WzEsInUiLDEsIiIsMSxmYWxzZV0=",  # [1,"u",1,"",1,false]
        "WzEsInUiLDEsIiIsbnVsbCwwXQ==",  # [1,"u",1,"",null,0]
    ],
)
async def test_invalid_tokens_are_rejected(token: str) -> None:
    with pytest.raises(ValueError, match=r"^invalid page token: "):
        Site().resource({}).pages(token=token)


async def test_a_token_of_other_items_or_direction_is_rejected() -> None:
    token = (await anext(aiter(_items(_three(), rel="items").pages()))).token
    root = _three().resource({"_links": links(items=f"{HOME}/p1")})
    with pytest.raises(ValueError, match="for the items 'items' cannot be used for 'alerts': pass the same rel"):
        root.follow("items").items("alerts").pages(token)
    with pytest.raises(ValueError, match="of forward iteration cannot be used for reverse iteration"):
        root.follow("items").items("items", reverse=True).pages(token)
    for items in (root.follow("items").items("items", unique=True), root.follow("items").items(unique=True)):
        assert [ids(page.items) async for page in items.pages(token)] == [[], [3]]


async def test_a_token_of_reverse_iteration_resumes_only_in_reverse() -> None:
    follow = Collection(list(range(7))).root.follow("items")
    pages = [page async for page in follow.items(reverse=True).pages()]
    rest = [page async for page in follow.items(reverse=True).pages(pages[0].token)]
    assert [ids(page.items) for page in rest] == [[5, 4, 3], [2, 1, 0]]
    with pytest.raises(ValueError, match="of reverse iteration cannot be used for forward iteration"):
        follow.items().pages(pages[0].token)


@pytest.mark.parametrize(
    ("embedded", "received", "reported"),
    [
        ({"items": [{"id": 1}, None, {"id": 2}, "three"]}, [1, 2], "$._embedded.items[1], $._embedded.items[3]"),
        ({"items": "none today"}, [], "$._embedded.items"),
        ({"ITEMS": [{"id": 1}, 5]}, [1], "$._embedded.ITEMS[1]"),
        (["not", "an object"], [], "$._embedded"),
    ],
)
@pytest.mark.parametrize("rel", [None, "items"])
async def test_items_that_are_not_objects_are_left_out_and_logged(
    embedded: Any, received: list[int], reported: str, rel: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    walk = _collect(_items(_site(p1={"_embedded": embedded}), rel=rel))
    if rel is not None and isinstance(embedded, list):
        with pytest.raises(LinkNotFoundError):
            await walk
    else:
        assert await walk == received
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "WARNING",
        f"items left out at {HOME}/p1, because they are not objects: {reported}",
    )


async def test_on_invalid_receives_the_items_that_are_left_out() -> None:
    reported = list[tuple[str, Any]]()
    site = _site(p1={"_embedded": {"items": [5, {"id": 1}, None], "ITEMS": "none"}})
    follow = site.resource({"_links": links(items=f"{HOME}/p1")}).follow("items")
    iterator = Paginator.over(
        follow, "items", on_invalid=lambda page, invalid: reported.append((page.url, dict(invalid)))
    )
    assert await _collect(iterator) == [1]
    everything = Paginator.over(follow, on_invalid=lambda page, invalid: reported.append((page.url, dict(invalid))))
    assert await _collect(everything) == [1]
    invalid = {"$._embedded.items[0]": 5, "$._embedded.items[2]": None}
    assert reported == [(f"{HOME}/p1", invalid)] * 2


@pytest.mark.parametrize("embedded", [{"items": None}, {"items": []}, {"items": ""}])
async def test_null_and_empty_items_are_not_invalid(embedded: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert await _collect(_items(_site(p1={"_embedded": embedded}), rel="items")) == []
    assert not caplog.records


@pytest.mark.parametrize("embedded", [None, [], {}, {"others": [5]}])
async def test_only_the_typed_layer_takes_a_missing_rel_for_empty(embedded: Any) -> None:
    site = _site(p1={"_embedded": embedded})
    with pytest.raises(LinkNotFoundError):
        await _collect(_items(site, rel="items"))
    follow = site.resource({"_links": links(items=f"{HOME}/p1")}).follow("items")
    assert await _collect(Paginator.over(follow, "items", typed=True)) == []


async def test_an_error_has_the_token_to_resume() -> None:
    site = _three()
    site.routes["/p3"] = ServerError("down", status=500)
    iterator = aiter(_items(site).pages())
    page = await anext(iterator)
    last = await anext(iterator)
    for _ in range(2):  # the next call tries again
        with pytest.raises(ServerError) as caught:
            await anext(iterator)
        assert caught.value.resume_token == last.token != page.token
        caught.value.resume_token = None
    site.routes["/p3"] = _page(2, 3)
    assert ids((await anext(iterator)).items) == [3]


async def test_an_error_before_the_first_resumed_page_keeps_its_token() -> None:
    site = _three()
    token = (await anext(aiter(_items(site).pages()))).token
    site.routes["/p2"] = ServerError("down", status=500)
    with pytest.raises(ServerError) as caught:
        await anext(aiter(_items(site).pages(token)))
    assert caught.value.resume_token == token


async def test_a_conversion_error_has_the_token_before_its_page() -> None:
    site = _three()

    def read(item: Any) -> int:
        if item["id"] == 3:
            raise TemplateError("odd")
        return int(item["id"])

    iterator = aiter(_items(site).map(read).pages())
    pages = [await anext(iterator), await anext(iterator)]
    with pytest.raises(TemplateError) as caught:
        await anext(iterator)
    assert caught.value.resume_token == pages[1].token


async def test_a_resumed_iteration_detects_loops() -> None:
    site = _site(p1=_page(1, next=link(f"{HOME}/p2")), p2=_page(2, next=link(f"{HOME}/p2")))
    token = (await anext(aiter(_items(site).pages()))).token
    with pytest.raises(PaginationLoopError):
        async for _ in _items(site).pages(token):
            pass


# --------------------------------------------------------------------------------------------- media types of pages


async def test_the_next_page_has_the_type_of_its_link_or_page() -> None:
    site = _site(
        p1=make_response(
            url=f"{HOME}/p1", body=_page(1, next=link(f"{HOME}/p2", type="text/x")), content_type="application/a+json"
        ),
        p2=make_response(url=f"{HOME}/p2", body=_page(2, next=link(f"{HOME}/p3")), content_type="application/b+json"),
        p3=_page(3),
    )
    await _items(site).collect()
    assert [request.headers["Accept"].split(",")[0] for request in site.requests] == [
        "application/prs.hal-forms+json",
        "text/x",
        "application/b+json",
    ]


# --------------------------------------------------------------------------------------------- ahead


async def test_the_next_page_is_fetched_while_the_consumer_works() -> None:
    site = _site(**{f"p{n}": _page(n, next=link(f"{HOME}/p{n + 1}") if n < 5 else None) for n in range(1, 6)})
    start = anyio.current_time()
    received: list[int] = []
    async with _items(site).ahead(1) as items:
        async for item in items:
            received.append(item["id"])
            await anyio.sleep(1)
            assert len(site.requests) <= item["id"] + 1
    assert received == [1, 2, 3, 4, 5]
    assert anyio.current_time() - start < 7.5  # one after the other it takes 10 s of the jumping clock


async def test_several_pages_can_be_prefetched() -> None:
    site = _site(**{f"p{n}": _page(n, next=link(f"{HOME}/p{n + 1}")) for n in range(1, 9)})
    async with _items(site).pages().ahead(3) as pages:
        assert ids((await anext(pages)).items) == [1]
        await anyio.sleep(60)
        assert len(site.requests) == 4


async def test_a_prefetched_error_comes_in_its_turn_and_stays() -> None:
    site = _three()
    site.routes["/p3"] = ServerError("down", status=500)
    received: list[Any] = []
    async with _items(site).ahead(1) as items:
        for _ in range(2):
            with pytest.raises(ServerError) as caught:
                await _append_items(items, received)
            assert caught.value.resume_token is not None
    assert received == [1, 2]


async def test_other_exceptions_are_raised_unchanged() -> None:
    site = _site(p1=_page(1, next=link(f"{HOME}/p2")), p2=KeyError("a bug"))
    async with _items(site).ahead(1) as items:
        with pytest.raises(KeyError):
            await _append_items(items, [])


async def test_leaving_early_stops_prefetching() -> None:
    site = _three()
    async with _items(site).ahead(1) as items:
        await anext(items)
    await anyio.sleep(60)
    assert site.paths == ["/p1", "/p2"]


@pytest.mark.parametrize("pages", [0, -1])
async def test_ahead_needs_at_least_one_page(pages: int) -> None:
    with pytest.raises(ValueError, match=rf"^pages must be at least 1, as in ahead\(1\), not {pages}$"):
        async with _items(_three()).ahead(pages):
            pass


# --------------------------------------------------------------------------------------------- without end


def _endless(*, growing: bool) -> Site:
    """Return pages of one more item each, with a next page, and on request a growing total."""
    site = Site()

    def page(request: Request) -> Any:
        paths = len(site.requests)
        number = request.url.rpartition("=")[2]
        rels = {"prev": link("?page=0"), "last": link("?page=1"), "next": link(f"?page={paths + 1}")}
        if growing and number == "1" and paths < 3:
            del rels["next"]
        return {"total": paths**3 * 1_000 if growing else 5, **_page(paths, **rels)}

    site.routes = {f"/p?page={number}": page for number in range(200)}
    return site


async def test_a_last_page_that_is_never_the_last_is_an_error() -> None:
    site = _endless(growing=False)
    with pytest.raises(PaginationLoopError, match="grows faster than it can be read: 100 pages were added"):
        await site.resource({"_links": links(items=f"{HOME}/p?page=0")}).follow("items").items(reverse=True).collect()
    assert len(site.requests) == 102


async def test_endless_growth_is_an_error_in_reverse() -> None:
    site = _endless(growing=True)
    iterator = aiter(site.resource({"_links": links(items=f"{HOME}/p?page=0")}).follow("items").items(reverse=True))
    assert (await anext(iterator))["id"] == 2
    with pytest.raises(PaginationLoopError, match="grows faster than it can be read: 100 pages were added") as caught:
        await anext(iterator)
    assert caught.value.url == f"{HOME}/p?page=103"
    assert len(site.requests) == 103


async def test_shifted_pages_in_a_circle_are_a_loop() -> None:
    site = Site()
    rels = {"prev": link("?page=0"), "last": link("?page=1")}

    def first(_: Any) -> Any:
        reported = len(site.requests)
        return {"total": 1 if reported < 2 else 10**9, **_page(reported, **rels, next=link("?page=0"))}

    site.routes = {"/p?page=0": first, "/p?page=1": {"total": 1, **_page("last", **rels)}}
    root = site.resource({"_links": links(items=f"{HOME}/p?page=0")})
    with pytest.raises(PaginationLoopError, match="loop"):
        await root.follow("items").items(reverse=True).collect()
    assert len(site.requests) < 10


async def test_a_conversion_error_loses_no_other_item() -> None:
    """When the iterator is called again."""
    refused = {2}

    def read(item: Any) -> int:
        if item["id"] in refused:
            raise StructureError("odd", problems=())
        return int(item["id"])

    items = _items(_site(p1=_page(1, 2, 3, next=link(f"{HOME}/p2")), p2=_page(4))).map(read)
    iterator, pages = aiter(items), aiter(items.pages())
    assert await anext(iterator) == 1
    with pytest.raises(StructureError):
        await anext(iterator)
    with pytest.raises(StructureError):
        await anext(pages)
    refused.clear()
    assert [item async for item in iterator] == [2, 3, 4]
    assert [page.items async for page in pages] == [(1, 2, 3), (4,)]
