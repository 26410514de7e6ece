"""Entry points."""

import anyio
import pytest

from stellantis_hal.errors import LinkNotFoundError, ServerError
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.typed_rel import Rel
from tests.navigation.site import HOME, Site
from tests.support.responses import links

pytestmark = pytest.mark.anyio

ROOT = {"n": 1, "_links": links(a=f"{HOME}/a")}


def _entry(site: Site) -> EntryPoint:
    return EntryPoint(HOME, site.context)


async def test_the_entry_is_read_once_by_many_tasks() -> None:
    site = Site({"": ROOT}, delay=1)
    entry = _entry(site)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(entry.root)
    assert (await entry.root())["n"] == 1
    assert site.paths == [""]


async def test_building_a_link_from_the_entry_does_no_io() -> None:
    site = Site({"": ROOT, "/a": {"n": 2}})
    step = _entry(site).follow("a")
    assert site.requests == []
    assert (await step)["n"] == 2
    assert site.paths == ["", "/a"]


async def test_a_failure_to_read_the_entry_is_not_remembered() -> None:
    site = Site({"": ServerError("down", status=500)})
    entry = _entry(site)
    with pytest.raises(ServerError):
        await entry.follow("a")
    site.routes = {"": ROOT, "/a": {}}
    assert (await entry.follow("a")).status == 200


async def test_the_entry_can_be_read_again() -> None:
    site = Site({"": ROOT})
    entry = _entry(site)
    await entry.root()
    site.routes[""] = {"n": 2}
    assert (await entry.reread())["n"] == 2
    assert (await entry.root())["n"] == 2


async def test_a_link_that_the_entry_lacks_is_searched_in_it_again() -> None:
    routes = {"": {"_links": links(b=f"{HOME}/b")}, "/a": {"n": 2}}
    site = Site(routes, structure=lambda resource, kind: kind(resource["n"]))
    entry = _entry(site)
    for paths in ([""], ["", ""]):
        with pytest.raises(LinkNotFoundError):
            await entry.follow("a")
        assert site.paths == paths
    site.routes[""] = ROOT
    assert await entry.follow(Rel("a", int)) == 2
    assert (await entry.follow("a"))["n"] == 2
    assert site.paths == ["", "", "", "/a", "/a"]


async def test_one_of_several_relations_is_enough() -> None:
    site = Site({"": ROOT})
    entry = _entry(site)
    await entry.root()
    assert (await entry.root_with("b", "a"))["n"] == 1
    assert site.paths == [""]


async def test_an_entry_adopts_the_root_of_another() -> None:
    site, other = Site({"": ROOT}), Site({"/a": {"n": 2}})
    first, second, third = _entry(site), _entry(other), _entry(site)
    second.adopt(first)
    await first.root()
    second.adopt(first)
    third.adopt(second)
    assert (await second.follow("a"))["n"] == 2
    assert other.paths == ["/a"]
    assert (await third.root())["n"] == 1
    assert site.paths == [""]


async def test_a_url_can_be_fetched_and_a_dump_resumed() -> None:
    site = Site({"": ROOT, "/a": {"n": 2}})
    entry = _entry(site)
    resource = await entry.get(HOME)
    for dumped in (resource, resource.dump()):
        assert (await entry.resume(dumped).follow("a"))["n"] == 2


async def test_typed_relations_start_at_the_entry_too() -> None:
    site = Site({"": ROOT, "/a": {"n": 2}}, structure=lambda resource, kind: kind(resource["n"]))
    assert await _entry(site).follow(Rel("a", int)) == 2


async def test_a_typed_relation_that_the_entry_has_reads_it_once() -> None:
    site = Site({"": ROOT, "/a": {"n": 2}}, structure=lambda resource, kind: kind(resource["n"]))
    entry = _entry(site)
    assert [await entry.follow(Rel("a", int)) for _ in range(2)] == [2, 2]
    assert site.paths == ["", "/a", "/a"]


async def test_what_a_request_returned_is_read_again_with_its_fields() -> None:
    site = Site({"/a": {"n": 2}})
    answer = await _entry(site).request("GET", f"{HOME}/a", headers={"X-A": "1"})
    await answer.fetch()
    await answer.refresh()
    assert [request.headers.get("X-A") for request in site.requests] == ["1", "1", "1"]
