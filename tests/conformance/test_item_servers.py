"""Items wherever a server has them, over sockets, with Ketting as a second opinion.

Needs Node and, at ``STELLANTIS_HAL_NODE_MODULES``, a folder ``node_modules`` with ``express``; ``ketting`` for the test
that compares.
"""

import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from stellantis_hal.errors import AmbiguousLinkError, LinkNotFoundError, NotHalError
from stellantis_hal.hal_client import HalClient
from stellantis_hal.navigation.call_site_warnings import IncompleteCollectionWarning
from stellantis_hal.navigation.context import HalDeprecationWarning
from stellantis_hal.navigation.pagination.paginator import Paginator
from tests.conformance.processes import announced

MODULES = os.environ.get("STELLANTIS_HAL_NODE_MODULES", "")
NODE = shutil.which("node")
HERE = Path(__file__).parent / "item-server"
NAMES = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Fay", "Gus"]
COLLECTIONS: dict[str, dict[str, Any]] = {"people": {}, "mixed": {}, "posts": {}, "resources": {"source": "state"}}

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.wall_clock,
    pytest.mark.filterwarnings("ignore::stellantis_hal.HalDeprecationWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if NODE is None:
        pytest.skip("Node is not installed")
    if not (Path(MODULES) / "express").is_dir():
        pytest.skip("STELLANTIS_HAL_NODE_MODULES must be a folder with express (npm install express@5)")
    folder = tmp_path_factory.mktemp("items")
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(Path(MODULES).resolve())
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with announced([str(NODE), "server.mjs"], folder=folder) as address:
        yield f"{address}/"


@pytest.fixture
async def client(address: str) -> AsyncIterator[HalClient]:
    async with HalClient(address) as client:
        yield client


def _items(client: HalClient, rel: str, **options: Any) -> Paginator[Any]:
    return client.follow(rel).items(**COLLECTIONS[rel], **options).map(lambda item: item["name"])


@pytest.mark.parametrize("rel", COLLECTIONS)
async def test_every_way_returns_every_item(client: HalClient, rel: str) -> None:
    assert await _items(client, rel).collect() == NAMES
    assert await _items(client, rel, reverse=True).collect() == NAMES[::-1]
    async with _items(client, rel).ahead(1) as ahead:
        assert [name async for name in ahead] == NAMES
    async with _items(client, rel).concurrent(4) as concurrent:
        assert [name async for name in concurrent] == NAMES
    pages = [page async for page in _items(client, rel).pages()]
    assert [page.items for page in pages] == [tuple(NAMES[:3]), tuple(NAMES[3:6]), tuple(NAMES[6:])]
    assert [page.total for page in pages] == [7, 7, 7]
    rest = [name async for page in _items(client, rel).pages(pages[0].token) for name in page.items]
    assert rest == NAMES[3:]


async def test_ketting_finds_the_same_items(client: HalClient, folder: Path, address: str) -> None:
    if not (Path(MODULES) / "ketting").is_dir():
        pytest.skip("STELLANTIS_HAL_NODE_MODULES must be a folder with ketting (npm install ketting@8)")
    command = [str(NODE), "ketting.mjs", address]
    with anyio.fail_after(60):
        found = json.loads((await anyio.run_process(command, cwd=folder)).stdout)
    assert {rel: await _items(client, rel).collect() for rel in COLLECTIONS} == found


async def test_each_linked_item_is_one_request_at_most(client: HalClient) -> None:
    with pytest.warns(IncompleteCollectionWarning, match="fetched 4 items by their links, which is its limit"):
        assert await _items(client, "people", limit=4).collect() == NAMES[:4]
    assert await _items(client, "mixed", limit=4).collect() == NAMES
    assert await client.follow("people").items(limit=0).total() == 7


async def test_items_of_arrays_have_links_of_their_own(client: HalClient) -> None:
    posts = await client.follow("posts")
    assert (posts.kind, len(posts.value), dict(posts.state)) == ("array", 3, {})
    assert posts.rels == ("self", "last", "next", "https://example.com/rels/more")
    assert (await posts.items().take(1).map(lambda post: post.follow("boss")).collect())[0]["name"] == "Ada"
    again = await posts.refresh()
    assert again.value == posts.value


async def test_deprecated_responses_warn(client: HalClient) -> None:
    with pytest.warns(
        HalDeprecationWarning, match="deprecated as of 2023-06-30T23:59:59Z, and stops responding at 2030"
    ):
        await client.follow("posts")


async def test_what_is_not_there_is_named(client: HalClient) -> None:
    with pytest.raises(LinkNotFoundError, match="did you mean 'item'"):
        await client.follow("people").items("items").collect()
    with pytest.raises(AmbiguousLinkError, match="'_items' is an array of its state"):
        await client.follow("resources").items().collect()


async def test_other_responses_say_what_they_are(client: HalClient) -> None:
    nothing = await client.follow("nothing")
    assert (nothing.kind, nothing.rels) == ("empty", ("people",))
    assert (await nothing.follow("people"))["total"] == 7
    with pytest.raises(NotHalError, match="this is a web page, for people"):
        await client.follow("page")
