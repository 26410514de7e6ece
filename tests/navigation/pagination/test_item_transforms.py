"""Mapping, filtering and taking items, in every way to iterate."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from stellantis_hal.errors import InvalidLinkError, LinkNotFoundError
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.resource import HalResource
from tests.navigation.collection import Collection
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links

pytestmark = pytest.mark.anyio

WAYS = ["sequential", "ahead", "concurrent", "pages", "pages ahead", "by token", "reverse"]


async def _read(items: Callable[[], Paginator[Any]], how: str) -> list[Any]:
    if how == "pages":
        return [item async for page in items().pages() for item in page.items]
    if how == "ahead":
        async with items().ahead(2) as ahead:
            return [item async for item in ahead]
    if how == "concurrent":
        async with items().concurrent(3) as concurrent:
            return [item async for item in concurrent]
    if how == "pages ahead":
        async with items().pages().ahead() as pages:
            return [item async for page in pages for item in page.items]
    if how == "by token":
        received: list[Any] = []
        token: str | None = None
        while True:
            page = await anext(aiter(items().pages(token)))
            received += page.items
            if (token := page.token) is None:
                return received
    return await items().collect()


async def _is_odd(number: int) -> bool:
    await anyio.sleep(1)
    return number % 2 == 1


async def _twice(number: int) -> int | None:
    await anyio.sleep(1)
    return None if number == 5 else number * 2


@pytest.mark.parametrize("how", WAYS)
async def test_stages_work_in_every_way(how: str) -> None:
    def numbers() -> Paginator[int]:
        items = Collection(list(range(10))).root.follow("items").items(reverse=how == "reverse")
        return items.map(lambda item: int(item["id"]))

    order = -1 if how == "reverse" else 1
    assert await _read(lambda: numbers().filter(_is_odd).map(_twice), how) == [2, 6, 14, 18][::order]
    assert (
        await _read(lambda: numbers().filter(lambda number: number > 3).map(_twice).map(str), how)
        == [
            "8",
            "12",
            "14",
            "16",
            "18",
        ][::order]
    )


@pytest.mark.unmeasured
@pytest.mark.parametrize("how", [way for way in WAYS if way != "by token"])
async def test_take_ends_the_iteration(how: str) -> None:
    collection = Collection(list(range(10)))

    def numbers() -> Paginator[int]:
        items = collection.root.follow("items").items(reverse=how == "reverse")
        return items.map(lambda item: int(item["id"]))

    expected = list(range(10))[:: -1 if how == "reverse" else 1]
    assert await _read(lambda: numbers().take(4), how) == expected[:4]
    odd = [number for number in expected if number % 2]
    assert await _read(lambda: numbers().filter(_is_odd).take(2), how) == odd[:2]
    assert (
        await _read(lambda: numbers().take(5).filter(_is_odd).take(3), how)
        == [one for one in expected[:5] if one % 2][:3]
    )
    assert await _read(lambda: numbers().take(5).map(lambda one: None), how) == []
    assert await _read(lambda: numbers().take(5).filter(lambda _: _nothing()), how) == []
    assert await _read(lambda: numbers().take(5).map(lambda _: _nothing()), how) == []
    assert await _read(lambda: numbers().take(100), how) == expected


async def _nothing() -> None:
    """Return nothing true."""


async def test_take_reads_no_further_than_it_needs() -> None:
    collection = Collection(list(range(10)))
    items = collection.root.follow("items").items()
    assert await items.take(0).collect() == []
    assert collection.site.paths == []
    assert len(await items.take(3).collect()) == 3
    assert collection.site.paths == ["/items"]
    pages = [page async for page in items.take(4).pages()]
    assert [len(page.items) for page in pages] == [3, 1]
    assert pages[-1].token is None
    assert len(collection.site.paths) == 3


async def test_a_paginator_with_stages_begins_anew() -> None:
    items = Collection(list(range(5))).root.follow("items").items().take(2)
    assert len(await items.collect()) == len(await items.collect()) == 2


@pytest.mark.parametrize("count", [-1, -9])
async def test_take_needs_no_negative_count(count: int) -> None:
    with pytest.raises(ValueError, match=f"take needs at least 0 items, not {count}"):
        Collection([]).root.follow("items").items().take(count)


async def test_functions_are_called_when_an_item_is_asked_for() -> None:
    called: list[int] = []

    async def record(item: HalResource) -> int:
        called.append(item["id"])
        return int(item["id"])

    items = Collection(list(range(5)), size=5).root.follow("items").items()
    assert await items.map(record).first() == 0
    assert await items.map(record).filter(lambda number: number > 1).first() == 2
    assert called == [0, 0, 1, 2]


async def test_a_function_may_return_a_link_to_follow() -> None:
    site = Site({"/a": {"n": "a"}, "/b": {"n": "b"}})
    copies = [{"_links": links(customer=f"{HOME}/{name}")} for name in "ab"]
    resource = site.resource({"_embedded": {"orders": [*copies, {}]}})
    customers = resource.items().filter(lambda order: order.can("customer")).map(lambda order: order.follow("customer"))
    assert [customer["n"] async for customer in customers] == ["a", "b"]
    assert await resource.items().map(lambda order: order.follow("customer")).first() is not None


async def test_an_error_of_a_function_costs_no_item_and_no_count() -> None:
    refused = {1}

    async def refuse(number: int) -> int:
        if number in refused:
            raise KeyError(number)
        return number

    items = (
        Collection(list(range(6))).root.follow("items").items().map(lambda item: int(item["id"])).take(3).map(refuse)
    )
    iterator, pages = aiter(items), aiter(items.pages())
    assert await anext(iterator) == 0
    for _ in range(2):
        with pytest.raises(KeyError):
            await anext(iterator)
    with pytest.raises(KeyError):
        await anext(pages)
    refused.clear()
    assert [number async for number in iterator] == [1, 2]
    assert [page.items async for page in pages] == [(0, 1, 2)]


# --------------------------------------------------------------------------------------------- the URL of a link


async def test_the_url_of_a_link_is_expanded_without_fetching_it() -> None:
    site = Site({"/a": {"_links": {"b": link("b{?page,size}", templated=True)}}})
    resource = site.resource({"_links": {**links(a=f"{HOME}/a"), "c": link("/c/{id}", templated=True)}})
    assert resource.expand("a", params={"x": 1}) == f"{HOME}/a?x=1"
    assert resource.expand("c", variables={"id": "1/2"}) == "https://api.example/c/1%2F2"
    assert await resource.follow("c", variables={"id": 1}).expand(params={"p": 2}) == "https://api.example/c/1?p=2"
    step = resource.follow("a").follow("b", variables={"page": 2}, params={"q": "x"})
    assert await step.expand(variables={"size": 5}, params={"q": "y"}) == f"{HOME}/b?page=2&size=5&q=y"
    assert site.paths == ["/a"]


async def test_the_url_of_an_embedded_copy_is_its_own() -> None:
    copy = {"_links": links(self=f"{HOME}/1")}
    resource = Site().resource({"_links": links(a=f"{HOME}/1"), "_embedded": {"a": copy, "b": copy, "c": {}}})
    assert resource.expand("a") == resource.expand("b", embedded="prefer") == f"{HOME}/1"
    assert resource.expand("b", params={"x": 1}) == f"{HOME}/1?x=1"
    with pytest.raises(InvalidLinkError, match=r"'c' at .* is embedded without a link, and its copy has no self link"):
        resource.expand("c")
    with pytest.raises(LinkNotFoundError, match="no link 'd'") as caught:
        await resource.follow("d").expand()
    assert "while following d" in caught.value.__notes__[0]


async def test_awaiting_a_stage_is_bounded_by_its_caller() -> None:
    async def forever(_: HalResource) -> Awaitable[None] | None:
        await anyio.sleep(10_000)
        return None

    with anyio.move_on_after(5) as scope:
        await Collection([1]).root.follow("items").items().map(forever).first()
    assert scope.cancelled_caught


@pytest.mark.parametrize("method", ["map", "filter"])
def test_a_stage_needs_a_function(method: str) -> None:
    with pytest.raises(TypeError, match="must be a function, not NoneType"):
        getattr(Site().resource({}).items(), method)(None)
