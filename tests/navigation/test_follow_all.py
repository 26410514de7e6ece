"""Every link of a relation at once, within a bound, in order."""

from typing import Any

import anyio
import pytest

from stellantis_hal.errors import InvalidLinkError, ServerError, TemplateError
from stellantis_hal.navigation import FollowResult, HalResource
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links

pytestmark = pytest.mark.anyio


def _many(number: int) -> tuple[Site, HalResource]:
    site = Site({f"/{n}": {"n": n} for n in range(number)}, delay=1)
    return site, site.resource({"_links": {"item": [link(f"{HOME}/{n}") for n in range(number)]}})


async def _outcomes(here: HalResource, **options: Any) -> list[FollowResult]:
    async with here.follow_all("item", **options) as outcomes:
        return [outcome async for outcome in outcomes]


async def test_results_come_in_the_order_of_the_links() -> None:
    site, here = _many(10)
    assert [outcome.result()["n"] for outcome in await _outcomes(here, limit=3)] == list(range(10))
    assert site.largest == 3


async def test_each_result_has_its_link() -> None:
    _, here = _many(3)
    assert [outcome.link.href for outcome in await _outcomes(here) if outcome.link] == [f"{HOME}/{n}" for n in range(3)]


async def test_at_most_eight_links_are_followed_at_a_time_by_default() -> None:
    site, here = _many(10)
    await _outcomes(here)
    assert site.largest == 8


async def test_one_failure_does_not_affect_the_other_results() -> None:
    site, here = _many(4)
    failure = ServerError("down", status=500)
    site.replies["/1"] = failure
    outcomes = await _outcomes(here)
    assert [outcome.error for outcome in outcomes] == [None, failure, None, None]
    assert outcomes[1].link is not None
    assert outcomes[1].link.href == f"{HOME}/1"
    with pytest.raises(ServerError):
        outcomes[1].result()


async def test_a_link_without_an_href_fails_alone() -> None:
    site = Site({"/1": {}})
    here = site.resource({"_links": {"item": [link(None), link("/{x}", templated=True), link(f"{HOME}/1")]}})
    outcomes = await _outcomes(here)
    assert [type(outcome.error) for outcome in outcomes] == [InvalidLinkError, TemplateError, type(None)]


async def test_embedded_copies_are_used() -> None:
    site, _ = _many(2)
    copies = [{"n": "copy", "_links": links(self=f"{HOME}/1")}]
    here = site.resource({"_links": {"item": [link(f"{HOME}/0"), link(f"{HOME}/1")]}, "_embedded": {"item": copies}})
    assert [outcome.result()["n"] for outcome in await _outcomes(here)] == [0, "copy"]
    alone = site.resource({"_embedded": {"item": [{"n": 1}, {"n": 2}]}})
    outcomes = await _outcomes(alone)
    assert [outcome.result()["n"] for outcome in outcomes] == [1, 2]
    assert [outcome.link for outcome in outcomes] == [None, None]


async def test_without_links_there_are_no_results() -> None:
    assert await _outcomes(Site().resource({})) == []


async def test_leaving_early_stops_what_is_under_way() -> None:
    site, here = _many(10)
    async with here.follow_all("item", limit=2) as outcomes:
        await anext(outcomes)
    await anyio.sleep(60)
    assert len(site.requests) <= 3


async def test_an_error_of_the_block_comes_bare() -> None:
    _, here = _many(3)
    with pytest.raises(KeyError, match="of the block"):
        await _failing(here)


async def _failing(here: HalResource) -> None:
    async with here.follow_all("item") as outcomes:
        await anext(outcomes)
        raise KeyError("of the block")


async def test_other_exceptions_are_raised_unchanged_in_their_turn() -> None:
    site, here = _many(3)
    site.replies["/1"] = KeyError("a bug")
    async with here.follow_all("item") as outcomes:
        assert (await anext(outcomes)).result()["n"] == 0
        with pytest.raises(KeyError):
            await anext(outcomes)
        assert (await anext(outcomes)).result()["n"] == 2  # asked again, it goes on


@pytest.mark.parametrize("limit", [0, -1])
async def test_the_limit_is_at_least_one(limit: int) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1, as in limit=8, not"):
        await _outcomes(_many(1)[1], limit=limit)
