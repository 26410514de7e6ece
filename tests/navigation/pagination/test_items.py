"""Items wherever a server has them: embedded, behind links, in the state."""

import warnings
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from stellantis_hal.errors import (
    AmbiguousLinkError,
    HalError,
    InvalidLinkError,
    LinkNotFoundError,
    NotFoundError,
    NotHalError,
    ServerError,
    UntrustedOriginError,
)
from stellantis_hal.navigation.call_site_warnings import IncompleteCollectionWarning
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.pagination.reverse import _reversed
from stellantis_hal.navigation.resource import HalResource
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links, make_response

pytestmark = pytest.mark.anyio


def _linked(*names: Any) -> list[dict[str, Any]]:
    return [link(f"{HOME}/{name}") for name in names]


def _copy(name: Any, **members: Any) -> dict[str, Any]:
    return {"n": f"copy {name}", "_links": links(self=f"{HOME}/{name}"), **members}


def _site(count: int = 9) -> Site:
    return Site({f"/{n}": {"n": n, "_links": links(self=f"{HOME}/{n}")} for n in range(count)}, delay=1)


async def _names(resource: HalResource, *args: Any, **options: Any) -> list[Any]:
    return [item["n"] async for item in resource.items(*args, **options)]


# --------------------------------------------------------------------------------------------- embedded and linked


async def test_linked_items_are_fetched_in_the_links_order() -> None:
    site = _site()
    resource = site.resource({"_links": {"item": _linked(2, 0, 1)}})
    assert await _names(resource) == [2, 0, 1]
    assert await _names(resource, "item", reverse=True) == [1, 0, 2]
    assert site.paths == ["/2", "/0", "/1", "/1", "/0", "/2"]


async def test_a_copy_serves_where_it_is_the_links_target() -> None:
    site = _site()
    copies = [_copy("alone"), _copy(1), {"n": "without self"}]
    resource = site.resource({"_links": {"item": [*_linked(0, 1), "/v4/2"]}, "_embedded": {"item": copies}})
    assert await _names(resource) == [0, "copy 1", 2, "copy alone", "without self"]
    assert site.paths == ["/0", "/2"]


async def test_each_source_has_its_items() -> None:
    site = _site()
    body = {"item": [{"n": "state"}], "_links": {"item": _linked(0, 1)}, "_embedded": {"item": [_copy(1), _copy(5)]}}
    resource = site.resource(body)
    assert await _names(resource, "item") == [0, "copy 1", "copy 5"]
    assert await _names(resource, "item", source="embedded") == ["copy 1", "copy 5"]
    assert await _names(resource, "item", source="links") == [0, 1]
    assert await _names(resource, "item", source="state") == ["state"]
    with pytest.raises(ValueError, match="source"):
        resource.items(source="embeded")  # type: ignore[arg-type]


async def test_different_items_with_one_url_are_all_returned() -> None:
    site = _site()
    copies = [_copy(1, n="a"), _copy(1, n="b"), _copy(1, n="c")]
    two_links = site.resource({"_links": {"item": _linked(1, 1)}, "_embedded": {"item": copies}})
    assert await _names(two_links) == ["a", "b", "c"]
    more_links = site.resource({"_links": {"item": _linked(1, 1, 1, 1)}, "_embedded": {"item": copies[:2]}})
    assert await _names(more_links) == ["a", "b", "a", "a"]
    assert site.paths == []


async def test_a_single_link_is_an_item_or_leads_to_the_collection() -> None:
    site = _site()
    assert await _names(site.resource({"_links": {"item": link(f"{HOME}/1")}})) == [1]
    assert await _names(site.resource({"_links": {"item": f"{HOME}/1"}})) == [1]
    collection = {"_links": links(cars="/v4/cars"), "_embedded": {"cars": [_copy(1), _copy(2)]}}
    assert await _names(site.resource(collection), "cars") == ["copy 1", "copy 2"]
    templated = {"_links": {"cars": link("/v4/cars{?page}", templated=True)}, "_embedded": {"cars": [_copy(1)]}}
    assert await _names(site.resource(templated), "cars") == ["copy 1"]
    single = {"_links": links(item="/v4/1"), "_embedded": {"item": [_copy(1), _copy(2)]}}
    assert await _names(site.resource(single)) == ["copy 1", "copy 2"]
    both_single = {"_links": links(item="/v4/1"), "_embedded": {"item": _copy(2)}}
    assert await _names(site.resource(both_single)) == [1, "copy 2"]
    assert site.paths == ["/1", "/1", "/1"]


async def test_arrays_in_arrays_are_flattened() -> None:
    site = _site()
    embedded = site.resource({"_embedded": {"item": [[_copy(1), [_copy(2)]], [], _copy(3)]}})
    assert await _names(embedded) == ["copy 1", "copy 2", "copy 3"]
    assert [item.compact()["n"] for item in await embedded.items().collect()] == ["copy 1", "copy 2", "copy 3"]
    assert await _names(site.resource({"_links": {"item": [_linked(0, 1), [_linked(2)]]}})) == [0, 1, 2]
    assert await _names(site.resource({"_items": [[{"n": 1}], [[{"n": 2}]]]}), source="state") == [1, 2]
    assert "[0]" in embedded.document.diagnostics[0].path


async def test_null_links_are_no_items_and_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    resource = _site().resource({"_links": {"item": [None, link(None), 5, *_linked(0), {"name": "x"}]}})
    iterator = aiter(resource.items())
    assert (await anext(iterator))["n"] == 0
    with pytest.raises(InvalidLinkError):
        await anext(iterator)
    assert await anext(iterator, None) is None
    assert "$._links.item[2]" in caplog.text


async def test_a_link_without_an_href_has_no_copy() -> None:
    body = {"_links": {"item": [{"name": "x"}, *_linked(0)]}, "_embedded": {"item": [{"n": "without self"}, _copy(0)]}}
    iterator = aiter(_site().resource(body).items(reverse=True))
    assert [(await anext(iterator))["n"] for _ in range(2)] == ["without self", "copy 0"]
    with pytest.raises(InvalidLinkError):
        await anext(iterator)
    assert await anext(iterator, None) is None


# --------------------------------------------------------------------------------------------- which relation


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"_embedded": {"cars": [{"n": 1}]}}, [1]),
        ({"_embedded": {"cars": {"n": 1}}}, [1]),
        ({"_embedded": {"cars": [{"n": 1}], "author": {"n": 2}}}, [1]),
        ({"_embedded": {"cars": [{"n": 1}]}, "_links": {"item": _linked(0)}}, [1]),
        ({"_embedded": {"author": {"n": 2}}, "_links": {"item": _linked(0)}}, [0]),
        ({"_embedded": {"cars": [], "item": [{"n": 3}]}}, [3]),
        ({"_links": {"item": _linked(0, 1), "cars": _linked(2)}}, [0, 1]),
        ({"_embedded": {"cars": []}}, []),
        ({"_links": {"item": []}}, []),
        ({"total": 0}, []),
        ({"page": {"totalElements": 0}}, []),
    ],
)
async def test_without_a_rel_the_only_list_or_item_is_read(body: Any, expected: list[int]) -> None:
    assert await _names(_site().resource(body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"_embedded": {"a": [{}], "b": [{}]}},
        {"_embedded": {"a": {}, "b": {}}},
        {"_links": {"a": _linked(0), "b": _linked(1)}},
        {"_links": {"a": _linked(0)}},
        {"name": "x"},
        {},
    ],
)
async def test_without_a_rel_other_pages_are_ambiguous(body: Any) -> None:
    with pytest.raises(AmbiguousLinkError) as caught:
        await _names(_site().resource(body))
    assert set(caught.value.candidates) == {*body.get("_embedded", {}), *body.get("_links", {})}


@pytest.mark.parametrize("source", ["auto", "embedded", "links", "state"])
async def test_a_rel_that_no_page_has_is_named_at_the_end(source: Any) -> None:
    pages = {"/1": {"_links": {"users": _linked(3), "next": None}, "_embedded": {"users": [{}]}, "users": [{}]}}
    resource = Site(pages).resource({"_links": links(next=f"{HOME}/1"), "_embedded": {"users": []}})
    with pytest.raises(LinkNotFoundError, match=r"no items 'user' at .*; available: next, users.*did you mean 'users'"):
        await _names(resource, "user", source=source)
    iterator = aiter(resource.pages("user"))
    assert (await anext(iterator)).items == (await anext(iterator)).items == ()
    for _ in range(2):
        with pytest.raises(LinkNotFoundError):
            await anext(iterator)


async def test_a_missing_rel_is_told_by_the_error_alone(caplog: pytest.LogCaptureFixture) -> None:
    resource = Site().resource({"total": 7, "_embedded": {"users": [{}]}})
    with pytest.raises(LinkNotFoundError):
        await _names(resource, "user")
    assert (await anext(aiter(resource.pages("user")))).items == ()
    assert not caplog.records


async def test_a_token_remembers_that_no_page_had_the_rel() -> None:
    site = Site({"/1": {"_links": {}}})
    resource = site.resource({"_links": links(next=f"{HOME}/1")})
    page = await anext(aiter(resource.pages("user")))
    with pytest.raises(LinkNotFoundError):
        _ = [one async for one in resource.pages("user", token=page.token)]
    found = await anext(
        aiter(site.resource({"_links": links(next=f"{HOME}/1"), "_embedded": {"user": []}}).pages("user"))
    )
    assert [one.items async for one in resource.pages("user", token=found.token)] == [()]


async def test_linked_items_need_no_rel() -> None:
    site = _site()
    resource = site.resource({"_links": {"item": _linked(1)}, "_embedded": {"cars": [{"n": "embedded"}]}})
    assert await _names(resource, source="links") == [1]
    with pytest.raises(AmbiguousLinkError):
        await _names(site.resource({"_embedded": {"cars": []}}), source="links")


async def test_a_rel_is_missing_on_some_pages_only() -> None:
    site = Site({"/1": {"_embedded": {"item": [{"n": 1}]}, "_links": links(next=f"{HOME}/2")}, "/2": {}})
    assert await _names(site.resource({"_links": links(next=f"{HOME}/1")}), "item") == [1]


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_later_page_links_what_the_first_embeds(reverse: bool) -> None:
    """Some servers (ripozo) send an empty ``_embedded`` where there are links only."""
    routes = {**_site().routes, "/p2": {"_embedded": {}, "_links": {"cars": _linked(3), **links(prev=HOME)}}}
    first = {
        "_embedded": {"cars": []},
        "_links": {"cars": _linked(1, 2), **links(next=f"{HOME}/p2", last=f"{HOME}/p2")},
    }
    site = Site({**routes, "": first})
    found = await _names(site.resource(first), reverse=reverse)
    assert found == ([3, 2, 1] if reverse else [1, 2, 3])


async def test_an_empty_embedded_does_not_hide_lists_of_links() -> None:
    body = {"_embedded": {}, "_links": {"self": [link(HOME)], "cars": _linked(1, 2)}}
    with pytest.raises(AmbiguousLinkError, match=r"as in \.items\('cars'\); available: self, cars"):
        await _names(_site().resource(body))
    assert await _names(_site().resource(body), source="embedded") == []
    assert await _names(_site().resource({**body, "total": 0})) == []


@pytest.mark.parametrize(
    ("body", "rel", "expected"),
    [
        ({"_items": [{"n": 1}], "others": [{"n": 2}]}, None, [1]),
        ({"orders": [{"n": 1}], "tags": ["a"], "count": 1}, None, [1]),
        ({"orders": []}, None, []),
        ({"a": [{"n": 1}], "b": [{"n": 2}]}, "b", [2]),
    ],
)
async def test_items_are_in_the_state(body: Any, rel: str | None, expected: list[int]) -> None:
    assert await _names(Site().resource(body), rel, source="state") == expected


async def test_items_in_the_state_have_links_of_their_own() -> None:
    site = _site()
    body = {"_items": [{"n": "a", "_links": links(self=f"{HOME}/3")}, 7]}
    (item,) = await site.resource(body).items(source="state").collect()
    assert (await item.fetch())["n"] == 3


async def test_the_error_names_an_array_of_the_state() -> None:
    resource = Site().resource({"_items": [{}]})
    for rel, error in ((None, AmbiguousLinkError), ("item", LinkNotFoundError)):
        with pytest.raises(error, match="'_items' is an array of its state: pass source='state'"):
            await _names(resource, rel)
    with pytest.raises(AmbiguousLinkError, match=r"several arrays, 'a', 'b'.* \.items\('a', source='state'\)"):
        await _names(Site().resource({"a": [{}], "b": [{}]}), source="state")
    with pytest.raises(HalError):
        await _names(Site().resource({"n": 1}), source="state")


# --------------------------------------------------------------------------------------------- how much is fetched


async def test_no_more_is_fetched_than_is_asked_for() -> None:
    site = _site()
    items = site.resource({"_links": {"item": _linked(*range(9))}}).items()
    first = await items.first()
    assert first is not None
    assert first["n"] == 0
    assert len(await items.collect(2)) == 2
    assert site.paths == ["/0", "/0", "/1"]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(0, ["copy 0"]), (2, ["copy 0", 1, 2]), (3, ["copy 0", 1, 2, 3]), (4, ["copy 0", 1, 2, 3, 4])],
)
async def test_so_many_items_are_fetched_and_told_of(limit: int, expected: list[Any]) -> None:
    body = {"_links": {"item": _linked(0, 1, 2, 3, 4)}, "_embedded": {"item": [_copy(0)]}}
    for how in ("sequential", "ahead", "concurrent", "pages"):
        site = _site()
        items = site.resource(body).items(limit=limit)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if how == "sequential":
                received = await items.collect()
            elif how == "pages":
                pages = [page async for page in items.pages()]
                assert pages[-1].token is None
                received = [item for page in pages for item in page.items]
            elif how == "ahead":
                async with items.ahead(2) as ahead:
                    received = [item async for item in ahead]
            else:
                async with items.concurrent(4) as concurrent:
                    received = [item async for item in concurrent]
        assert [item["n"] for item in received] == expected, how
        assert len(site.paths) == min(limit, 4), how
        if limit < 4:
            assert f"fetched {limit} items by their links, which is its limit, and {4 - limit} more" in str(
                caught[0].message
            )
            assert caught[0].category is IncompleteCollectionWarning
            assert caught[0].filename == __file__
        assert len(caught) == (limit < 4), how


async def test_the_limit_is_one_for_all_pages() -> None:
    site = _site()
    site.routes["/second"] = {"_links": {"item": _linked(2, 3, 4, 5)}}
    resource = site.resource({"_links": {"item": _linked(0, 1), **links(next=f"{HOME}/second")}})
    with pytest.warns(IncompleteCollectionWarning, match="fetched 3 items by their links"):
        async with resource.items(limit=3).concurrent(4) as items:
            received = [item["n"] async for item in items]
    assert received == [0, 1, 2]
    assert sorted(site.paths) == ["/0", "/1", "/2", "/second"]


@pytest.mark.warnings_as_errors
async def test_no_walk_ends_by_a_warning_that_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with the level ERROR instead."""
    resource = _site().resource({"total": 7, "_embedded": {"item": [{"n": 1}]}})
    assert [item["n"] for item in await resource.items().collect()] == [1]
    assert [len(page.items) async for page in resource.pages()] == [1]
    assert {(record.levelname, record.message.partition(",")[0].rpartition(" ")[2]) for record in caplog.records} == {
        ("ERROR", "7")
    }
    assert len(caplog.records) == 2


async def test_a_typed_collection_logs_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    resource = Site().resource({"total": 7, "_embedded": {"item": [{"n": 1}]}})
    assert len(await Paginator.over(resource, typed=True).collect()) == 1
    assert "states a total of 7, but has 1 items" in caplog.text


async def test_invalid_items_that_are_refused_cost_no_other() -> None:
    refused = [KeyError("strict")]

    def refuse(_page: HalResource, _invalid: Any) -> None:
        if refused:
            raise refused.pop()

    items = Paginator.over(Site().resource({"_embedded": {"item": [5, {"n": 1}]}}), on_invalid=refuse)
    iterator = aiter(items)
    with pytest.raises(KeyError):
        await anext(iterator)
    assert [item["n"] async for item in iterator] == [1]


@pytest.mark.parametrize("limit", [-1, -5])
async def test_the_limit_is_not_negative(limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit must be at least 0, as in limit=1000, not {limit}"):
        Site().resource({}).items(limit=limit)


@pytest.mark.parametrize(("how", "most"), [("ahead", 2), ("concurrent", 4)])
async def test_linked_items_are_fetched_ahead(how: str, most: int) -> None:
    site = _site()
    items = site.resource({"_links": {"item": _linked(*range(9))}}).items()
    start = anyio.current_time()
    async with items.ahead() if how == "ahead" else items.concurrent(4) as received:
        async for _ in received:
            await anyio.sleep(1)
    assert site.max_concurrent == most
    assert anyio.current_time() - start < 11.5  # one after the other it takes 18 s of the jumping clock


async def test_leaving_early_stops_what_is_being_fetched() -> None:
    site = _site()
    async with site.resource({"_links": {"item": _linked(*range(9))}}).items().concurrent(2) as items:
        await anext(items)
    await anyio.sleep(60)
    assert len(site.requests) <= 4


# --------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("how", ["sequential", "ahead", "pages"])
async def test_a_passing_failure_is_tried_again(how: str) -> None:
    site = _site(3)
    site.routes["/1"] = ServerError("down", status=503, is_transient=True)
    items = site.resource({"_links": {"item": _linked(0, 1, 2)}}).items()
    received: list[Any] = []

    async def read(iterator: Any) -> None:
        with pytest.raises(ServerError) as caught:
            await _append(iterator, received)
        assert "while reading item 2 of the iteration" in caught.value.__notes__[0]
        site.routes["/1"] = {"n": 1}
        await _append(iterator, received)

    if how == "ahead":
        async with items.ahead(2) as ahead:
            await read(ahead)
    else:
        await read(aiter(items) if how == "sequential" else aiter(items.pages()))
    assert received == [0, 1, 2]


async def _append(iterator: Any, received: list[Any]) -> None:
    async for one in iterator:
        received += [item["n"] for item in ([one] if isinstance(one, HalResource) else one.items)]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (NotFoundError("gone", status=404), NotFoundError),
        (make_response(b"<p>", content_type="text/html"), NotHalError),
        (UntrustedOriginError("elsewhere"), UntrustedOriginError),
    ],
)
@pytest.mark.parametrize("how", ["sequential", "concurrent", "pages"])
async def test_a_final_failure_costs_no_other_item(how: str, reply: Any, error: type[Exception]) -> None:
    site = _site(3)
    site.routes["/1"] = reply
    items = site.resource({"_links": {"item": _linked(0, 1, 2)}}).items()
    received: list[Any] = []

    async def read(iterator: Any) -> None:
        with pytest.raises(error):
            await _append(iterator, received)
        await _append(iterator, received)

    if how == "concurrent":
        async with items.concurrent(3) as concurrent:
            await read(concurrent)
    else:
        await read(aiter(items) if how == "sequential" else aiter(items.pages()))
    assert received == [0, 2]


async def test_repeats_of_linked_items_are_left_out_on_request() -> None:
    site = _site()
    site.routes["/p2"] = {"_links": {"item": _linked(1, 2)}}
    resource = site.resource({"_links": {"item": _linked(0, 1, 1), "next": link(f"{HOME}/p2")}})
    assert await _names(resource) == [0, 1, 1, 1, 2]
    assert await _names(resource, unique=True) == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("body", "fields", "total"),
    [
        ({"total_items": 5}, {}, 5),
        ({"total_records": 5}, {}, 5),
        ({"totalItems": 5}, {}, 5),
        ({"total_items": "5"}, {}, 5),
        ({"totalResults": 5}, {}, 5),
        ({"pagination": {"total": 5}}, {}, 5),
        ({}, {"x_total": "5"}, 5),
        ({"_meta": {"total": 5}}, {}, 5),
        ({"page": {"totalElements": 5}}, {}, 5),
        ({}, {"x_wp_total": " 5 "}, 5),
        ({}, {"x_total_count": "5"}, 5),
        ({}, {"content_range": "0-3/5"}, 5),
        ({}, {"content_range": " posts 0-3/5 "}, 5),
        ({}, {"content_range": "*/5"}, 5),
        ({}, {"content_range": "bytes 0-3/5"}, None),
        ({}, {"content_range": "0-3/*"}, None),
        ({"total": 3}, {"x_wp_total": "5"}, 3),
        ({"total": None, "total_items": 5}, {}, 5),
        ({}, {"x_wp_total": "many"}, None),
        ({}, {"x_wp_total": "9" * 30}, None),
        ({}, {"x_wp_total": "٥"}, None),
    ],
)
async def test_a_total_is_read_wherever_it_is(body: Any, fields: Any, total: int | None) -> None:
    resource = Site().resource({"_embedded": {"item": [{"n": 1}] * 4}, **body}, **fields)
    assert await resource.items().total() == total
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(await resource.items().collect()) == 4
    assert [one.category for one in caught] == ([IncompleteCollectionWarning] if total == 5 else [])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rel": 5}, TypeError, "rel must be str or None, not int: 'orders'"),
        ({"limit": "3"}, TypeError, "limit must be int, not str"),
        ({"source": "link"}, ValueError, "source must be 'auto', 'embedded', 'links', 'state', not 'link'"),
    ],
)
def test_options_of_items_are_checked(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Site().resource({}).items(**options)


def test_items_that_moved_are_returned_once_if_they_have_an_id() -> None:
    page = Site().resource({"_embedded": {"item": [{"id": 1}, {"n": 2}, {"id": 3}, {"n": 2}]}})
    one, unnamed, three, twin = page.embedded("item")
    assert list(_reversed([one, three], [unnamed, three, three, twin])) == [twin, three, unnamed, one]


def test_a_resource_as_a_resource_is_itself() -> None:
    resource = Site().resource({})
    assert resource.as_(HalResource) is resource


async def test_other_tasks_run_after_each_hundred_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the next items are there already; the pause comes before an item is taken."""
    found: list[Any] = []
    pauses: list[int] = []
    checkpoint = anyio.lowlevel.checkpoint

    async def count() -> None:
        pauses.append(len(found))
        await checkpoint()

    monkeypatch.setattr(anyio.lowlevel, "checkpoint", count)
    items = _site().resource({"_embedded": {"x": [{"n": number} for number in range(250)]}}).items("x")
    async for item in items:
        found.append(item["n"])  # noqa: PERF401 - how many there are is counted meanwhile
    assert (len(found), pauses) == (250, [100, 201])


READS: list[tuple[Callable[[HalResource], Any], int]] = [
    (lambda found: found.follow_all("item"), 8),
    (lambda found: found.items("item").concurrent(), 8),
    (lambda found: found.items("item").pages().concurrent(), 8),
    (lambda found: found.items("item").ahead(), 2),
    (lambda found: found.items("item").pages().ahead(), 2),
]


@pytest.mark.parametrize(("read", "count"), READS)
async def test_linked_items_are_read_some_at_a_time_by_default(read: Callable[[Any], Any], count: int) -> None:
    site = _site(20)
    async with read(site.resource({"_links": {"item": _linked(*range(20))}})) as each:
        assert [one async for one in each]
    assert site.max_concurrent == count


@pytest.mark.parametrize("method", ["collect", "pages"])
async def test_a_repeated_item_that_differs_is_told_once(method: str, caplog: pytest.LogCaptureFixture) -> None:
    """The newer content was left out without a word."""

    def page(*items: dict[str, Any], following: str | None = None) -> dict[str, Any]:
        rels = {} if following is None else links(next=f"{HOME}/{following}")
        return {"_embedded": {"orders": [*items]}, "_links": rels}

    first, second, third = ({"id": name, "done": False, "_links": links(self=f"{HOME}/{name}")} for name in "abc")
    moved = {"id": "b", "done": False, "_links": links(self=f"{HOME}/elsewhere")}
    routes = {
        "/2": page(moved, third, {"done": None}, following="3"),
        "/3": page(third, following="4"),  # repeats alone
        "/4": page({**third, "done": True}, {**second, "done": True}, following="5"),
        "/5": page({**third, "done": None}),
    }
    site = Site(routes)
    orders = site.resource(page(first, second, following="2")).items("orders", unique=True)
    if method == "collect":
        items = await orders.collect()
    else:
        items = [item async for found in orders.pages() for item in found.items]
    assert [(item.state.get("id"), item["done"]) for item in items] == [
        ("a", False),
        ("b", False),
        ("c", False),
        (None, None),
    ]
    told = "differs from the same item of an earlier page, which was returned: read the whole again"
    assert caplog.messages == [f"an item at {HOME}/4 {told}"]
