"""Following every link of a relation."""

from typing import Any

import anyio
import pytest

from stellantis_hal.errors import InvalidLinkError, LinkNotFoundError, ServerError, TemplateError
from stellantis_hal.navigation.follow_all import FollowResult
from stellantis_hal.navigation.resource import HalResource
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links

pytestmark = pytest.mark.anyio


def _many(number: int) -> tuple[Site, HalResource]:
    site = Site({f"/{n}": {"n": n} for n in range(number)}, delay=1)
    return site, site.resource({"_links": {"item": [link(f"{HOME}/{n}") for n in range(number)]}})


async def _outcomes(resource: HalResource, **options: Any) -> list[FollowResult]:
    async with resource.follow_all("item", **options) as results:
        return [result async for result in results]


async def test_results_come_in_the_order_of_the_links() -> None:
    site, resource = _many(10)
    assert [result.result()["n"] for result in await _outcomes(resource, limit=3)] == list(range(10))
    assert site.max_concurrent == 3


async def test_each_result_has_its_link() -> None:
    _, resource = _many(3)
    assert [result.link.href for result in await _outcomes(resource) if result.link] == [
        f"{HOME}/{n}" for n in range(3)
    ]


async def test_at_most_eight_links_are_followed_at_a_time_by_default() -> None:
    site, resource = _many(10)
    await _outcomes(resource)
    assert site.max_concurrent == 8


async def test_one_failure_does_not_affect_the_other_results() -> None:
    site, resource = _many(4)
    failure = ServerError("down", status=500)
    site.routes["/1"] = failure
    results = await _outcomes(resource)
    assert [result.error for result in results] == [None, failure, None, None]
    assert results[1].link is not None
    assert results[1].link.href == f"{HOME}/1"
    with pytest.raises(ServerError):
        results[1].result()


async def test_a_link_without_an_href_fails_alone() -> None:
    site = Site({"/1": {}})
    resource = site.resource({"_links": {"item": [link(None), link("/{x}", templated=True), link(f"{HOME}/1")]}})
    results = await _outcomes(resource)
    assert [type(result.error) for result in results] == [InvalidLinkError, TemplateError, type(None)]


async def test_embedded_copies_are_used() -> None:
    site, _ = _many(2)
    copies = [{"n": "copy", "_links": links(self=f"{HOME}/1")}]
    resource = site.resource(
        {"_links": {"item": [link(f"{HOME}/0"), link(f"{HOME}/1")]}, "_embedded": {"item": copies}}
    )
    assert [result.result()["n"] for result in await _outcomes(resource)] == [0, "copy"]
    alone = site.resource({"_embedded": {"item": [{"n": 1}, {"n": 2}]}})
    results = await _outcomes(alone)
    assert [result.result()["n"] for result in results] == [1, 2]
    assert [result.link for result in results] == [None, None]


@pytest.mark.parametrize("body", [{"_links": {"item": []}}, {"_embedded": {"item": []}}, {"_links": {"item": None}}])
async def test_without_links_there_are_no_results(body: Any) -> None:
    assert await _outcomes(Site().resource(body)) == []


async def test_a_relation_that_is_not_there_is_named() -> None:
    resource = Site().resource({"_links": {"items": [link("/1")]}})
    with pytest.raises(LinkNotFoundError, match=r"no link 'item' at .*; available: items; did you mean 'items'"):
        await _outcomes(resource)


async def test_copies_without_a_link_come_after_the_links() -> None:
    site, _ = _many(3)
    copies = [
        {"n": "alone"},
        {"n": "copy", "_links": links(self="/v4/1")},
        {"n": "other", "_links": links(self="/v4/9")},
    ]
    resource = site.resource(
        {"_links": {"item": [link(f"{HOME}/{n}") for n in range(3)]}, "_embedded": {"item": copies}}
    )
    results = await _outcomes(resource)
    assert [result.result()["n"] for result in results] == [0, "copy", 2, "alone", "other"]
    assert [result.link is None for result in results] == [False, False, False, True, True]


async def test_a_link_to_the_collection_is_followed_alone() -> None:
    site = Site({"/all": {"n": "all"}})
    resource = site.resource({"_links": links(item=f"{HOME}/all"), "_embedded": {"item": [{"n": 1}]}})
    assert [result.result()["n"] for result in await _outcomes(resource)] == ["all"]


async def test_leaving_early_stops_what_is_under_way() -> None:
    site, resource = _many(10)
    async with resource.follow_all("item", limit=2) as results:
        await anext(results)
    await anyio.sleep(60)
    assert len(site.requests) <= 3


async def test_an_error_of_the_block_comes_bare() -> None:
    _, resource = _many(3)
    with pytest.raises(KeyError, match="of the block"):
        await _failing(resource)


async def _failing(resource: HalResource) -> None:
    async with resource.follow_all("item") as results:
        await anext(results)
        raise KeyError("of the block")


async def test_other_exceptions_are_raised_unchanged_in_their_turn() -> None:
    site, resource = _many(3)
    site.routes["/1"] = KeyError("a bug")
    async with resource.follow_all("item") as results:
        assert (await anext(results)).result()["n"] == 0
        with pytest.raises(KeyError):
            await anext(results)
        assert (await anext(results)).result()["n"] == 2  # the iterator goes on after an error


@pytest.mark.parametrize("limit", [0, -1])
async def test_the_limit_is_at_least_one(limit: int) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1, as in limit=8, not"):
        await _outcomes(_many(1)[1], limit=limit)
