"""Embedded copies."""

from typing import Any

import pytest

from stellantis_hal.errors import AmbiguousLinkError, InvalidLinkError, LinkNotFoundError, TemplateError
from stellantis_hal.hal.document import parse
from stellantis_hal.hal.link import Link
from stellantis_hal.navigation.link_selection import LinkQuery, LinkTarget, select_link
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links

pytestmark = pytest.mark.anyio

FULL = {"full": True, "_links": links(self=f"{HOME}/a")}


def _copy(href: Any = f"{HOME}/a", **members: Any) -> dict[str, Any]:
    return {"full": False, "_links": {"self": link(href, **members)}}


def _site() -> Site:
    return Site({"/a": FULL, "/a?p=1": FULL, "/b": FULL})


@pytest.mark.parametrize("own", [f"{HOME}/a", "/v4/a", "v4/a", f"{HOME}/a#part", f"{HOME}/x/../a"])
async def test_a_copy_of_the_link_target_is_used_without_a_request(own: str) -> None:
    site = _site()
    resource = site.resource({"_links": links(a=f"{HOME}/a"), "_embedded": {"a": _copy(own)}})
    found = await resource.follow("a")
    assert found["full"] is False
    assert found.is_embedded
    assert found.url == f"{HOME}/a"
    assert site.requests == []


@pytest.mark.parametrize(
    "embedded",
    [
        _copy(f"{HOME}/b"),
        {"full": False},
        {"_links": {"self": None}},
        _copy(None),
        _copy("/{x}", templated=True),
        [],
        None,
    ],
)
async def test_a_copy_of_another_url_is_not_used(embedded: Any) -> None:
    site = _site()
    resource = site.resource({"_links": links(a=f"{HOME}/a"), "_embedded": {"a": embedded}})
    assert (await resource.follow("a"))["full"] is True
    assert site.paths == ["/a"]


async def test_a_templated_self_is_expanded_before_comparison() -> None:
    site = _site()
    rels = {"a": link(f"{HOME}/a{{?p}}", templated=True)}
    resource = site.resource({"_links": rels, "_embedded": {"a": _copy(f"{HOME}/a{{?p}}", templated=True)}})
    assert (await resource.follow("a")).is_embedded
    assert not (await resource.follow("a", variables={"p": 1})).is_embedded
    assert site.paths == ["/a?p=1"]


async def test_a_template_does_not_equal_a_link_of_the_same_text() -> None:
    site = Site({"/{x}": FULL})
    resource = site.resource(
        {"_links": links(a=f"{HOME}/{{x}}"), "_embedded": {"a": _copy(f"{HOME}/{{x}}", templated=True)}}
    )
    assert (await resource.follow("a"))["full"] is True


async def test_a_selected_link_without_href_has_no_copy() -> None:
    resource = _site().resource({"_links": {"a": link(None)}, "_embedded": {"a": _copy(None)}})
    with pytest.raises(InvalidLinkError):
        await resource.follow("a", index=0)


@pytest.mark.parametrize("own", [f"{HOME}/a", "/v4/a"])
def test_the_target_of_a_copy_has_its_link(own: str) -> None:
    document = parse({"_links": links(a=f"{HOME}/a"), "_embedded": {"a": _copy(own)}})
    choice = select_link(document, HOME, LinkQuery(rel="a"))
    assert choice == LinkTarget(Link(f"{HOME}/a", "a"), None, ("a", 0))


async def test_parameters_select_another_resource_than_the_copy() -> None:
    site = _site()
    resource = site.resource({"_links": links(a=f"{HOME}/a"), "_embedded": {"a": _copy()}})
    assert not (await resource.follow("a", params={"p": 1})).is_embedded


async def test_the_matching_one_of_many_copies_is_used() -> None:
    site = _site()
    copies = [_copy(f"{HOME}/{name}") | {"name": name} for name in "xab"]
    resource = site.resource({"_links": links(a=f"{HOME}/a"), "_embedded": {"a": copies}})
    assert (await resource.follow("a"))["name"] == "a"


async def test_never_sends_a_request_despite_a_copy() -> None:
    site = _site()
    resource = site.resource({"_links": links(a=f"{HOME}/a"), "_embedded": {"a": _copy()}})
    assert (await resource.follow("a", embedded="never"))["full"] is True
    assert (await resource.follow("a"))["full"] is False


async def test_only_uses_a_copy_or_fails() -> None:
    site = _site()
    resource = site.resource({"_links": links(a=f"{HOME}/a", b=f"{HOME}/b"), "_embedded": {"a": _copy()}})
    assert (await resource.follow("a", embedded="only"))["full"] is False
    with pytest.raises(LinkNotFoundError, match="leads to another URL, which embedded='only' does not fetch") as caught:
        await resource.follow("b", embedded="only")
    assert (caught.value.rel, caught.value.available, caught.value.url) == ("b", ("a",), HOME)
    assert site.requests == []


async def test_a_copy_without_a_link_can_be_followed() -> None:
    resource = _site().resource({"_embedded": {"a": {"full": False}}})
    assert (await resource.follow("a"))["full"] is False
    assert resource.can("a")
    assert not resource.can("b")


async def test_an_empty_list_of_copies_is_nothing_to_follow() -> None:
    resource = _site().resource({"_embedded": {"a": []}})
    assert not resource.can("a")
    with pytest.raises(LinkNotFoundError):
        await resource.follow("a")


async def test_several_copies_without_a_link_are_ambiguous() -> None:
    copies = [{"n": 1}, {"n": 2, "_links": {"self": link("/v4/2", name="two")}}]
    resource = _site().resource({"_embedded": {"a": copies}})
    with pytest.raises(AmbiguousLinkError, match="2 documents are embedded as 'a'") as caught:
        await resource.follow("a")
    assert (caught.value.rel, caught.value.url) == ("a", HOME)
    assert caught.value.candidates == ("", f"{HOME}/2")
    assert (await resource.follow("a", index=0))["n"] == 1
    assert (await resource.follow("a", index=-1))["n"] == 2
    assert (await resource.follow("a", name="two"))["n"] == 2
    assert (await resource.follow("a", where=lambda own: own.href == "/v4/2"))["n"] == 2
    assert (await resource.follow("a", index=-2))["n"] == 1
    for step in (resource.follow("a", index=2), resource.follow("a", index=-3), resource.follow("a", name="three")):
        with pytest.raises(LinkNotFoundError):
            await step


async def test_a_template_needs_its_variables_despite_a_copy() -> None:
    resource = _site().resource({"_links": {"a": link("/{x}", templated=True)}, "_embedded": {"a": _copy()}})
    with pytest.raises(TemplateError):
        await resource.follow("a")


async def test_embedded_is_case_insensitive_and_sends_no_request() -> None:
    site = _site()
    resource = site.resource({"_embedded": {"Collisions": [{"n": 1}, {"n": 2}], "none": None, "one": {}}})
    assert [item["n"] for item in resource.embedded("collisions")] == [1, 2]
    assert resource.embedded("none") == resource.embedded("missing") == ()
    assert len(resource.embedded("one")) == 1
    assert site.resource({}).embedded("a") == ()
    assert site.requests == []


async def test_fetch_reads_the_full_resource_and_keeps_the_copy() -> None:
    site = _site()
    resource = site.resource({"_embedded": {"a": [_copy()]}})
    (copy,) = resource.embedded("a")
    full = await copy.fetch()
    assert full["full"] is True
    assert not full.is_embedded
    assert copy["full"] is False
    assert resource.embedded("a")[0]["full"] is False


@pytest.mark.parametrize("act", ["fetch", "refresh"])
async def test_a_copy_without_self_cannot_be_fetched(act: str) -> None:
    (copy,) = _site().resource({"_embedded": {"a": {}}}).embedded("a")
    with pytest.raises(InvalidLinkError, match="has no self link") as caught:
        await getattr(copy, act)()
    assert caught.value.url == HOME


async def test_a_copy_is_fetched_in_the_type_that_its_self_hints_at() -> None:
    site = _site()
    (copy,) = site.resource({"_embedded": {"a": _copy(type="text/x")}}).embedded("a")
    await copy.fetch()
    assert site.requests[0].headers["Accept"].startswith("text/x, application/prs.hal-forms+json;q=0.9")


async def test_links_in_a_copy_are_relative_to_its_response() -> None:
    site = Site({"/up/b": {"x": 1}})
    resource = site.resource({"_embedded": {"a": {"_links": links(self="/elsewhere/a", b="b")}}}, f"{HOME}/up/here")
    (copy,) = resource.embedded("a")
    assert copy.base == f"{HOME}/up/here"
    assert (await copy.follow("b"))["x"] == 1


async def test_copies_nest() -> None:
    resource = _site().resource({"_embedded": {"a": [{}, {"_embedded": {"b": {"n": 1}}}]}})
    found = await resource.follow("a", index=1).follow("b")
    assert found["n"] == 1
    assert found.compact()["n"] == 1


def test_an_unknown_mode_of_embedded_copies_is_refused() -> None:
    mode: Any = "nver"
    with pytest.raises(ValueError, match="must be 'prefer', 'never' or 'only', not 'nver'"):
        LinkQuery(rel="a", embedded=mode)
