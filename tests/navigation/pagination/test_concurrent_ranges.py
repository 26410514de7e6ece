"""Concurrent index ranges."""

from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal.errors import (
    ApiError,
    IncompleteCollectionError,
    NotFoundError,
    PaginationLoopError,
    ServerError,
)
from stellantis_hal.navigation.call_site_warnings import IncompleteCollectionWarning
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax, Paginator
from stellantis_hal.navigation.pagination.recent_ids import MAX_RECENT_IDS
from tests.navigation.collection import Collection, ids
from tests.navigation.site import HOME, Site

pytestmark = pytest.mark.anyio

RANGES = IndexRangeSyntax(size=3)


def _items(collection: Collection, ranges: IndexRangeSyntax | None = RANGES, **options: Any) -> Paginator[Any]:
    return collection.root.follow("items").items(ranges=ranges, absent=_is_absent, **options)


def _is_absent(error: ApiError) -> bool:
    return error.code == 40400


async def _collect(collection: Collection, limit: int = 4, **options: Any) -> list[Any]:
    async with _items(collection, **options).concurrent(limit) as items:
        return [item["id"] async for item in items]


@pytest.mark.parametrize("length", range(12))
async def test_every_item_is_returned_in_order(length: int) -> None:
    collection = Collection(list(range(length)))
    assert await _collect(collection) == list(range(length))


async def test_at_most_limit_ranges_are_read_at_a_time() -> None:
    collection = Collection(list(range(60)))
    collection.site.delay = 1
    start = anyio.current_time()
    assert await _collect(collection, 4) == list(range(60))
    assert collection.site.max_concurrent == 4
    assert anyio.current_time() - start < 12  # 30 s of the jumping clock one after the other


async def test_ranges_overlap_by_one_item() -> None:
    collection = Collection(list(range(7)))
    await _collect(collection)
    assert sorted(collection.site.paths) == ["/items", "/items?indexRange=2-4", "/items?indexRange=4-"]


def _ranges(collection: Collection) -> list[str]:
    """Return the ranges of the requests, in order."""
    return [paths.rpartition("=")[2] for paths in collection.site.paths if "indexRange" in paths]


async def test_a_server_without_ranges_is_detected_after_three_tries() -> None:
    collection = Collection(list(range(10)), honours_ranges=False)
    await _collect(collection, 1)
    assert _ranges(collection).count("2-4") == 1 + 3


async def test_mapped_items_are_read_by_ranges_too() -> None:
    collection = Collection(list(range(7)))
    async with _items(collection).map(lambda item: item["id"]).concurrent(1) as items:
        assert [item async for item in items] == list(range(7))
    assert _ranges(collection) == ["2-4", "4-"]


async def test_an_empty_collection_has_one_page() -> None:
    async with _items(Collection([])).pages().concurrent() as pages:
        assert [page.resource is not None async for page in pages] == [True]


async def test_the_last_range_has_no_token() -> None:
    async with _items(Collection(list(range(5)))).pages().concurrent() as pages:
        assert [page.token is None async for page in pages] == [False, True]


async def test_pages_of_ranges_have_their_urls() -> None:
    async with _items(Collection(list(range(5)))).pages().concurrent(1) as pages:
        found = [page.resource.url async for page in pages if page.resource]
    assert found == [f"{HOME}/items", f"{HOME}/items?indexRange=2-"]


@pytest.mark.parametrize(
    "changes",
    [
        {"honours_ranges": False},
        {"has_total": False},
        {"has_ids": False},
        {"max_range": 2},
        {"honours_ranges": False, "size": 5},
    ],
)
async def test_a_collection_without_ranges_is_read_by_its_links(changes: dict[str, Any]) -> None:
    collection = Collection(list(range(10)))
    collection = attrs.evolve(collection, **changes)
    async with _items(collection).concurrent(4) as items:
        assert [item.get("id", item.get("name")) async for item in items] == list(range(10))


async def test_a_growing_head_is_not_mistaken_for_a_range() -> None:
    """On a server without ranges."""
    collection = Collection(list(range(10)), honours_ranges=False)
    collection.before_response = lambda responses_sent: (
        collection.elements.insert(0, f"new{responses_sent}") if responses_sent == 1 else None
    )
    items_read = await _collect(collection)
    assert [one for one in items_read if isinstance(one, int)] == list(range(10))


@pytest.mark.unmeasured
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("arriving", [1, 2, 7])
async def test_items_added_at_the_head_displace_no_others(at: int, arriving: int) -> None:
    collection = Collection(list(range(20)))

    def add_items(responses_sent: int) -> None:
        if responses_sent == at:
            collection.elements[:0] = [f"new{n}" for n in range(arriving)]

    collection.before_response = add_items
    items_read = await _collect(collection)
    assert [one for one in items_read if isinstance(one, int)] == list(range(20))
    assert len(items_read) == len(set(items_read))


@pytest.mark.unmeasured
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("leaving", [1, 3, 7])
async def test_items_removed_at_the_head_remove_no_others(at: int, leaving: int) -> None:
    collection = Collection(list(range(20)))

    def remove_items(responses_sent: int) -> None:
        if responses_sent == at:
            del collection.elements[:leaving]

    collection.before_response = remove_items
    items_read = await _collect(collection)
    assert items_read == sorted(set(items_read))
    assert set(range(leaving, 20)) <= set(items_read)


async def test_the_latest_item_may_be_removed() -> None:
    collection = Collection(list(range(20)))
    collection.before_response = lambda responses_sent: collection.elements.remove(2) if responses_sent == 1 else None
    items_read = await _collect(collection, 1)
    assert items_read == list(range(20))


async def test_all_items_returned_so_far_may_be_removed() -> None:
    collection = Collection(list(range(20)))

    def vanish(responses_sent: int) -> None:
        if responses_sent == 1:
            del collection.elements[:3]

    collection.before_response = vanish
    assert await _collect(collection, 1) == list(range(20))


async def test_the_latest_item_is_searched_before_a_restart() -> None:
    """Back to the head."""
    collection = Collection(list(range(9)))

    def vanish(responses_sent: int) -> None:
        if responses_sent == 2:
            collection.elements = ["a", "b", "c", "d", "e"]

    collection.before_response = vanish
    await _collect(collection, 1)
    assert _ranges(collection) == ["2-4", "4-6", "4-6", "2-4", "0-2", "0-2", "2-4"]


async def test_items_that_move_to_the_head_cause_no_restart() -> None:
    collection = Collection(list(range(20)))

    def remove_items(responses_sent: int) -> None:
        if responses_sent == 7:
            collection.elements = ["new", 0, 1, *collection.elements[9:]]

    collection.before_response = remove_items
    assert await _collect(collection, 1) == list(range(20))


@pytest.mark.parametrize("arrivals", [{2: 4}, {1: 1, 3: 4}])
async def test_a_head_shifted_to_the_current_index_causes_no_restart(arrivals: dict[int, int]) -> None:
    collection = Collection(list(range(20)))

    def add_items(responses_sent: int) -> None:
        collection.elements[:0] = [f"new{responses_sent}-{n}" for n in range(arrivals.get(responses_sent, 0))]

    collection.before_response = add_items
    assert await _collect(collection, 1) == list(range(20))


async def test_restarts_are_bounded() -> None:
    """For a collection that changes completely with each response."""
    collection = Collection(list(range(20)))

    def replace(responses_sent: int) -> None:
        collection.elements = [f"{responses_sent}-{n}" for n in range(20)]

    collection.before_response = replace
    received: list[Any] = []
    with pytest.raises(PaginationLoopError, match=r"changes faster than it can be read \(restarts: 16\)") as caught:
        await _append_items(collection, received)
    assert caught.value.url == f"{HOME}/items?indexRange=0-2"
    assert len(received) == 3 + 16 * 3


async def _append_items(collection: Collection, received: list[Any], ranges: IndexRangeSyntax = RANGES) -> None:
    async with _items(collection, ranges).concurrent(1) as items:
        async for item in items:
            received.append(item["id"])  # noqa: PERF401 - items before an error are kept


async def test_the_search_for_old_items_is_bounded() -> None:
    collection = Collection(list(range(60)))

    def replace(responses_sent: int) -> None:
        if responses_sent == 22:
            collection.elements = [f"new{n}" for n in range(60)]

    collection.before_response = replace
    items_read = await _collect(collection, 1)
    assert [one for one in items_read if isinstance(one, str)] == [f"new{n}" for n in range(60)]
    assert len(collection.site.requests) < 70


async def test_a_short_growing_collection_with_a_wrong_total_ends() -> None:
    collection = Collection([0, 1, 2], extra_total=50)
    collection.before_response = lambda responses_sent: (
        collection.elements.insert(0, "new") if responses_sent == 1 else None
    )
    with pytest.warns(IncompleteCollectionWarning, match="states a total of 54, but has 4 items"):
        assert [one for one in await _collect(collection) if one != "new"] == [0, 1, 2]


async def test_a_collection_may_grow_at_its_end() -> None:
    collection = Collection(list(range(7)))
    collection.before_response = lambda responses_sent: (
        collection.elements.extend(range(7, 12)) if responses_sent == 1 else None
    )
    assert await _collect(collection) == list(range(12))


@pytest.mark.parametrize("absent_beyond", [True, False])
async def test_a_collection_may_shrink_at_its_end(*, absent_beyond: bool) -> None:
    collection = Collection(list(range(20)), absent_beyond=absent_beyond)

    def shrink(responses_sent: int) -> None:
        if responses_sent == 2:
            del collection.elements[7:]

    collection.before_response = shrink
    assert await _collect(collection) == list(range(7))


@pytest.mark.unmeasured
@pytest.mark.parametrize("length", [3, 5, 7, 10])
@pytest.mark.parametrize("absent_beyond", [True, False])
async def test_iteration_ends_despite_a_total_that_is_too_large(length: int, *, absent_beyond: bool) -> None:
    collection = Collection(list(range(length)), extra_total=50, absent_beyond=absent_beyond)
    with pytest.warns(IncompleteCollectionWarning, match=f"a total of {length + 50}, but has {length} items"):
        assert await _collect(collection) == list(range(length))


async def test_ranges_that_are_too_short_lose_nothing() -> None:
    collection = Collection(list(range(20)))

    def tighten(responses_sent: int) -> None:
        if responses_sent == 2:
            collection.max_range = 2

    collection.before_response = tighten
    assert await _collect(collection) == list(range(20))


async def test_ranges_of_one_item_at_the_end_lose_nothing() -> None:
    collection = Collection(list(range(9)))

    def tighten(responses_sent: int) -> None:
        collection.max_range = 1 if responses_sent >= 2 else 3

    collection.before_response = tighten
    items_read = await _collect(collection)
    assert items_read[:3] == [0, 1, 2]
    assert items_read == sorted(set(items_read))


async def test_items_that_lose_their_ids_are_read_by_links() -> None:
    collection = Collection(list(range(20)))

    def forget(responses_sent: int) -> None:
        collection.has_ids = responses_sent != 2

    collection.before_response = forget
    assert await _collect(collection) == list(range(20))


async def test_items_that_lose_their_ids_for_good_are_read_by_links() -> None:
    collection = Collection(list(range(7)))

    def forget(responses_sent: int) -> None:
        collection.has_ids = responses_sent < 1

    collection.before_response = forget
    async with _items(collection).concurrent(4) as items:
        received = [item.get("id", item.get("name")) async for item in items]
    assert received == [0, 1, 2, *range(7)]  # without ids, items are repeated


async def test_iteration_ends_when_the_collection_is_emptied() -> None:
    collection = Collection(list(range(7)))
    collection.before_response = lambda responses_sent: collection.elements.clear() if responses_sent == 1 else None
    assert await _collect(collection) == [0, 1, 2]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_more_changes_than_can_be_remembered_are_an_error() -> None:
    length = MAX_RECENT_IDS + 1_500
    collection = Collection(list(range(length)), size=500)

    def replace(responses_sent: int) -> None:
        if responses_sent == 11:
            collection.elements = [f"new{n}" for n in range(length)]

    collection.before_response = replace
    with pytest.raises(PaginationLoopError, match="changes faster than it can be read"):
        await _collect(collection, 1, ranges=IndexRangeSyntax(size=500))


async def test_a_gap_after_more_items_than_are_remembered_fails() -> None:
    collection = Collection(list(range(MAX_RECENT_IDS + 1_500)), size=500)

    def tighten(responses_sent: int) -> None:
        if responses_sent == 11:
            collection.max_range = 1

    collection.before_response = tighten
    received: list[Any] = []
    with pytest.raises(IncompleteCollectionError, match="gaps between its items; read it page by page"):
        await _append_items(collection, received, IndexRangeSyntax(size=500))
    assert len(received) > MAX_RECENT_IDS
    assert received == list(range(len(received)))


async def test_a_total_corrected_at_the_end_needs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    collection = Collection(list(range(5)), extra_total=50)

    def correct(responses_sent: int) -> None:
        collection.extra_total = 50 if responses_sent < 3 else 0

    collection.before_response = correct
    assert await _collect(collection, 1) == list(range(5))
    assert _ranges(collection)[-1] == "4-6"  # nothing beyond the total is searched
    assert caplog.messages == []


async def test_an_absent_collection_is_empty() -> None:
    collection = Collection([])
    collection.site.routes = {"/items": NotFoundError("none", status=404, code=40400)}
    assert await _collect(collection) == []


async def test_an_error_comes_in_its_turn_and_iteration_can_resume() -> None:
    collection = Collection(list(range(9)), range_errors={"4-6": ServerError("down", status=500)})
    collection.site.delay = 1
    received: list[Any] = []
    async with _items(collection).pages().concurrent(4) as pages:
        received += ids((await anext(pages)).items)
        received += ids((await anext(pages)).items)
        with pytest.raises(ServerError) as caught:
            await anext(pages)
        received += [item["id"] async for page in pages for item in page.items]
    assert received == list(range(9))
    token = caught.value.resume_token
    assert token is not None
    rest = [item["id"] async for page in _items(collection).pages(token) for item in page.items]
    assert received == [*received[:5], *rest]


async def test_other_exceptions_are_raised_unchanged() -> None:
    collection = Collection(list(range(9)), range_errors={"2-4": KeyError("a bug")})
    with pytest.raises(KeyError):
        await _collect(collection)


async def test_an_error_of_the_first_page_is_raised() -> None:
    """Unless it means that the collection is empty."""
    collection = Collection([])
    collection.site.routes = {"/items": NotFoundError("wrong", status=404)}
    with pytest.raises(NotFoundError):
        await _collect(collection)


async def test_without_ranges_one_page_is_prefetched() -> None:
    """Also in reverse, and from a token."""
    collection = Collection(list(range(7)))
    assert await _collect(collection, ranges=None) == list(range(7))
    assert await _collect(collection, reverse=True) == list(range(6, -1, -1))
    token = (await anext(aiter(_items(collection).pages()))).token
    async with _items(collection).pages(token).concurrent() as pages:
        assert [item["id"] async for page in pages for item in page.items] == [3, 4, 5, 6]
    assert "indexRange" not in str(collection.site.paths)


async def test_ranges_can_be_read_from_a_resource() -> None:
    collection = Collection(list(range(7)))
    resource = await collection.root.follow("items")
    async with resource.items(ranges=RANGES).concurrent(2) as items:
        assert [item["id"] async for item in items] == list(range(7))
    assert sorted(_ranges(collection)) == ["2-4", "4-"]


async def test_a_resource_without_items_needs_no_request() -> None:
    site = Site()
    async with site.resource({"total": 0}).items(ranges=RANGES, absent=_is_absent).concurrent() as items:
        assert [item async for item in items] == []
    assert site.paths == []


async def test_ranges_read_the_items_of_the_given_rel() -> None:
    def page(*elements: int) -> dict[str, Any]:
        return {"total": 3, "_embedded": {"others": [{}], "items": [{"id": one} for one in elements]}}

    site = Site({"?indexRange=1-": page(1, 2)})
    async with site.resource(page(0, 1)).items("items", ranges=RANGES).concurrent() as items:
        assert [item["id"] async for item in items] == [0, 1, 2]


@pytest.mark.parametrize("following", [[{"href": "/a"}, {"href": "/b"}], {"href": 5}])
async def test_a_next_that_cannot_be_followed_shows_more_items(following: Any) -> None:
    """The range shows that its total is too small, and ranges need no link."""

    def page(*elements: int, **links: Any) -> dict[str, Any]:
        return {"total": 3, "_links": links, "_embedded": {"items": [{"id": one} for one in elements]}}

    site = Site({"?indexRange=1-": page(1, 2, next=following), "?indexRange=2-4": page(2, 3)})
    async with site.resource(page(0, 1)).items(ranges=RANGES).concurrent() as items:
        assert [item["id"] async for item in items] == [0, 1, 2, 3]


@pytest.mark.parametrize("ranges", [RANGES, None])
async def test_the_limit_must_be_at_least_one(ranges: IndexRangeSyntax | None) -> None:
    with pytest.raises(ValueError, match=r"limit must be at least 1, as in concurrent\(8\), not 0"):
        await _collect(Collection([1]), 0, ranges=ranges)


def test_a_range_has_at_least_two_items() -> None:
    with pytest.raises(ValueError, match="size"):
        IndexRangeSyntax(size=1)
    assert IndexRangeSyntax(parameter="range", size=2).at(4) == {"range": "4-5"}


async def test_a_token_of_a_range_tells_removals() -> None:
    """Items before its page have moved to ranges that were read, and the token is read one range at a time."""
    collection = Collection(list(range(9)))
    items = collection.root.follow("items").items(ranges=IndexRangeSyntax(size=3))
    async with items.pages().concurrent(1) as pages:
        token = (await anext(pages)).token
    del collection.elements[:3]
    with pytest.warns(IncompleteCollectionWarning, match="its total decreased while it was read"):
        await anext(aiter(items.pages(token)))
