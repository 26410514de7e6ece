"""Link selection and resolution."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from stellantis_hal.errors import AmbiguousLinkError, InvalidLinkError, LinkNotFoundError, TemplateError
from stellantis_hal.hal.link import Link
from stellantis_hal.navigation.context import HalDeprecationWarning
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links, make_response

pytestmark = pytest.mark.anyio


async def _reached(rels: dict[str, Any], rel: str, *, base: str = HOME, **options: Any) -> str:
    """Return the URL of a link."""
    resource = Site().resource({"_links": rels}, base)
    return await resource.follow(rel, **options).resolve_url({})


@pytest.mark.parametrize("one", [link("/a"), [link("/a")], "/a", [link("/a"), link("/a")], [None, link("/a")]])
async def test_a_single_link_is_followed_in_every_shape(one: Any) -> None:
    assert await _reached({"a": one}, "a") == "https://api.example/a"


def _titled(*titles: str) -> Callable[[Link], bool]:
    return lambda found: found.title in titles


MANY = [link("/1", name="one", title="A"), link("/2", name="two", title="B"), link("/3", name="two", title="C")]


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"name": "one"}, "/1"),
        ({"index": 1}, "/2"),
        ({"index": -1}, "/3"),
        ({"index": -3}, "/1"),
        ({"where": _titled("C")}, "/3"),
        ({"name": "two", "index": 1}, "/3"),
        ({"name": "two", "where": _titled("B")}, "/2"),
    ],
)
async def test_one_of_many_links_is_chosen(options: dict[str, Any], place: str) -> None:
    assert await _reached({"a": MANY}, "a", **options) == f"https://api.example{place}"


@pytest.mark.parametrize("options", [{}, {"name": "two"}, {"where": _titled("B", "C")}])
async def test_several_links_without_options_are_ambiguous(options: dict[str, Any]) -> None:
    with pytest.raises(AmbiguousLinkError, match="choose with name=, index= or where=") as caught:
        await _reached({"a": MANY}, "a", **options)
    assert caught.value.rel == "a"
    assert set(caught.value.candidates) <= {"/1", "/2", "/3"}
    assert caught.value.url == HOME


async def test_the_same_href_as_a_template_and_not_is_ambiguous() -> None:
    with pytest.raises(AmbiguousLinkError) as caught:
        await _reached({"a": [link("/a"), link("/a", templated=True), link(None)]}, "a")
    assert caught.value.candidates == ("/a", "/a")


async def test_ambiguous_links_are_listed() -> None:
    with pytest.raises(AmbiguousLinkError, match=r"their names are \['one', 'two', 'two'\]\n"):
        await _reached({"a": MANY}, "a")


async def test_links_of_several_prefixes_are_listed_by_relation() -> None:
    curies = [link(f"https://docs/{name}/{{rel}}", name=name, templated=True) for name in ("a", "b")]
    with pytest.raises(AmbiguousLinkError, match=r"2 links 'x' match.*, their relations \['a:x', 'b:x'\]"):
        await _reached({"curies": curies, "a:x": link("/1"), "b:x": link("/2")}, "x")


@pytest.mark.parametrize("options", [{"name": "nobody"}, {"index": 3}, {"index": -4}, {"where": _titled()}])
async def test_options_that_no_link_matches_find_none(options: dict[str, Any]) -> None:
    with pytest.raises(LinkNotFoundError, match=r"links of that relation: 3, named \['one', 'two', 'two'\]"):
        await _reached({"a": MANY}, "a", **options)


@pytest.mark.parametrize(
    ("options", "expected"), [({"name": "nobody"}, "'a' with name='nobody' at"), ({"index": 3}, "'a' with index=3 at")]
)
async def test_options_that_no_link_matches_are_named(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(LinkNotFoundError, match=expected):
        await _reached({"a": MANY}, "a", **options)


@pytest.mark.parametrize("options", [{"name": "nobody"}, {"index": 1}, {"where": _titled()}])
async def test_options_that_the_only_link_does_not_match_find_none(options: dict[str, Any]) -> None:
    with pytest.raises(LinkNotFoundError):
        await _reached({"a": link("/a")}, "a", **options)


async def test_a_missing_link_lists_the_others_and_suggests_one() -> None:
    resource = Site().resource({"_links": links(vehicles="/v", status="/s"), "_embedded": {"trips": []}})
    with pytest.raises(
        LinkNotFoundError, match="available: vehicles, status, trips; did you mean 'vehicles'"
    ) as caught:
        await resource.follow("vehicle")
    assert caught.value.rel == "vehicle"
    assert caught.value.available == ("vehicles", "status", "trips")
    assert caught.value.url == HOME


async def test_a_missing_link_without_others_lists_none() -> None:
    with pytest.raises(LinkNotFoundError, match=r"no link 'zzz' at .*; available: none\n"):
        await Site().resource({}).follow("zzz")


async def test_an_error_names_a_relation_that_is_only_embedded() -> None:
    """With ``embedded="never"``."""
    resource = Site().resource({"_embedded": {"a": {"x": 1}}})
    with pytest.raises(LinkNotFoundError, match="'a' is embedded here, without a link"):
        await resource.follow("a", embedded="never")


@pytest.mark.parametrize("href", [None, 5, {}, ["/a"]])
async def test_a_link_without_an_href_cannot_be_followed(href: Any) -> None:
    resource = Site().resource({"_links": {"a": link(href)}})
    assert not resource.can("a")
    with pytest.raises(InvalidLinkError, match="its href must be a string, as in") as caught:
        await resource.follow("a")
    assert caught.value.url == HOME


# --------------------------------------------------------------------------------------------- curies

CURIES = {"curies": [link("https://docs.example/{rel}", name="ex", templated=True)]}


@pytest.mark.parametrize("rel", ["ex:a", "a", "https://docs.example/a"])
async def test_a_curied_link_is_found_by_its_key_its_uri_and_its_name(rel: str) -> None:
    assert await _reached({**CURIES, "ex:a": link("/a")}, rel) == "https://api.example/a"


async def test_a_bare_name_under_two_prefixes_is_ambiguous() -> None:
    curies = {"curies": [*CURIES["curies"], link("https://other/{rel}", name="oo", templated=True)]}
    with pytest.raises(AmbiguousLinkError):
        await _reached({**curies, "ex:a": link("/a"), "oo:a": link("/b")}, "a")


async def test_curies_do_not_change_hrefs() -> None:
    assert await _reached({**CURIES, "a": link("ex:a")}, "a") == "ex:a"


async def test_docs_url_returns_the_url_of_a_relation() -> None:
    resource = Site().resource({"_links": {**CURIES, "ex:a": link("/a")}})
    assert resource.docs_url("ex:a") == "https://docs.example/a"
    assert resource.docs_url("a") is None
    assert resource.rels == ("ex:a",)


async def test_embedded_copies_are_found_through_curies_too() -> None:
    resource = Site().resource({"_links": CURIES, "_embedded": {"ex:a": {"x": 1}}})
    assert (await resource.follow("a"))["x"] == 1


# --------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("base", "href", "expected"),
    [
        (HOME, "/a", "https://api.example/a"),
        (f"{HOME}/", "a", f"{HOME}/a"),
        (HOME, "oper", "https://api.example/oper"),
        (HOME, "?x=1", f"{HOME}?x=1"),
        (HOME, "//cdn.example/p", "https://cdn.example/p"),
        (HOME, "/a#here", "https://api.example/a"),
        (HOME, "/é", "https://api.example/%C3%A9"),
        (HOME, '/a?filters=[{"project":{}}]', 'https://api.example/a?filters=[{"project":{}}]'),
        (HOME, "/a?t=YQ==&r=1&r=2&e=%2f", "https://api.example/a?t=YQ==&r=1&r=2&e=%2f"),
    ],
)
async def test_references_are_resolved_against_the_document_url(base: str, href: str, expected: str) -> None:
    assert await _reached({"a": link(href)}, "a", base=base) == expected


async def test_references_are_resolved_against_the_last_redirect() -> None:
    site = Site(
        {"/old": make_response(url=f"{HOME}/moved/here", body={"_links": links(a="next")}), "/moved/next": {"x": 1}}
    )
    resource = await site.resource({"_links": links(old=f"{HOME}/old")}).follow("old")
    assert resource.url == f"{HOME}/moved/here"
    assert (await resource.follow("a"))["x"] == 1


async def test_parameters_are_appended_to_the_query_of_the_server() -> None:
    params = {"p": [1, None, "b c"], "q": None, "r": True, "s": ["x"]}
    resources = await _reached({"a": link("/a?t=YQ==#f")}, "a", params=params)
    assert resources == "https://api.example/a?t=YQ==&p=1&p=b%20c&r=true&s=x"


# --------------------------------------------------------------------------------------------- templates


async def test_a_template_is_expanded_before_it_is_resolved() -> None:
    rels = {"a": link("{+place}{?page,size}", templated=True)}
    resources = await _reached(rels, "a", variables={"place": "/x/../y", "size": 5}, params={"profile": "endUser"})
    assert resources == "https://api.example/y?size=5&profile=endUser"


async def test_a_template_of_query_variables_needs_no_values() -> None:
    assert await _reached({"a": link("/trips{?page}", templated=True)}, "a") == "https://api.example/trips"


async def test_an_invalid_template_fails_only_when_followed() -> None:
    rels = {"bad": link("/{*path}", templated=True), "good": link("/a")}
    assert await _reached(rels, "good") == "https://api.example/a"
    with pytest.raises(TemplateError, match="is not a URI template") as caught:
        await _reached(rels, "bad")
    assert caught.value.url == HOME


@pytest.mark.parametrize("variables", [{}, {"cbid": None}, {"cbid": []}, {"other": 1}])
async def test_wrong_variables_are_rejected_before_a_request(variables: dict[str, Any]) -> None:
    site = Site()
    resource = site.resource({"_links": {"a": link("/{cbid}/remotes", templated=True)}})
    with pytest.raises(TemplateError):
        await resource.follow("a", variables=variables)
    assert site.requests == []


async def test_a_link_that_is_no_template_takes_no_variables() -> None:
    with pytest.raises(TemplateError, match="is not a template, so it takes no variables; use params=") as caught:
        await _reached({"a": link("/{x}", templated="true")}, "a", variables={"x": 1})
    assert caught.value.url == HOME


# --------------------------------------------------------------------------------------------- deprecation


async def test_a_deprecated_link_warns_once_with_its_notice(caplog: pytest.LogCaptureFixture) -> None:
    site = Site({"/a": {}})
    resource = site.resource({"_links": {"a": link(f"{HOME}/a", deprecation="https://docs.example/gone")}})
    with pytest.warns(HalDeprecationWarning, match="'a' at .* is deprecated: https://docs.example/gone") as reported:
        await resource.follow("a")
    await resource.follow("a")
    assert caplog.messages == [str(reported[0].message)]


async def test_a_page_that_a_deprecated_link_leads_to_warns_too() -> None:
    site = Site({"/2": {}})
    resource = site.resource({"total": 0, "_links": {"next": link(f"{HOME}/2", deprecation=True)}})
    with pytest.warns(HalDeprecationWarning):
        await resource.items().collect()


async def test_a_write_along_a_deprecated_link_warns_too() -> None:
    site = Site({"/a": {}})
    resource = site.resource({"_links": {"a": link(f"{HOME}/a", deprecation="gone")}})
    with pytest.warns(HalDeprecationWarning):
        await resource.post("a")


async def test_reading_a_deprecated_link_does_not_warn() -> None:
    resource = Site().resource({"_links": {"a": link("/a", deprecation="gone")}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resource.links["a"][0].deprecation == "gone"


async def test_a_server_that_deprecates_everything_fills_no_memory() -> None:
    site = Site({"/a": {}})
    rels = {f"r{number}": link(f"{HOME}/a", deprecation="gone") for number in range(1_002)}
    resource = site.resource({"_links": rels})
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        for rel in (*rels, "r1001"):
            await resource.follow(rel)
    assert len(reported) == 1_003


@pytest.mark.unmeasured
async def test_many_relations_make_a_short_error_quickly() -> None:
    resource = Site().resource({"_links": {f"relation\n{at:07}": link("/") for at in range(90_000)}})
    with pytest.raises(LinkNotFoundError, match="90000 in all") as caught:
        await resource.follow("relation_0000001")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2_000
    assert len(caught.value.available) == 90_000


async def test_a_notice_of_deprecation_is_one_short_line() -> None:
    notice = "gone\nERROR root: all is lost" * 1_000
    site = Site({"/a": {}})
    resource = site.resource({"_links": {"a": link(f"{HOME}/a", deprecation=notice)}})
    with pytest.warns(HalDeprecationWarning, match="gone ERROR") as reported:
        await resource.follow("a")
    assert str(reported[0].message).isprintable()
    assert len(str(reported[0].message)) < 500


async def test_a_null_href_beside_another_is_no_link() -> None:
    assert await _reached({"x": [{"href": None}, link("/a")]}, "x") == "https://api.example/a"


async def test_a_null_href_does_not_hide_an_embedded_copy() -> None:
    place = Site().resource({"_links": {"x": {"href": None}}, "_embedded": {"x": {"id": 2}}})
    assert (await place.follow("x"))["id"] == 2


async def test_a_copy_beside_a_null_href_obeys_embedded_never() -> None:
    place = Site().resource({"_links": {"x": {"href": None}}, "_embedded": {"x": {"id": 2}}})
    with pytest.raises(InvalidLinkError):
        await place.follow("x", embedded="never")


async def test_several_copies_beside_a_null_href_are_ambiguous() -> None:
    copies = [{"_links": links(self="/1")}, {"_links": links(self="/2")}]
    place = Site().resource({"_links": {"x": {"href": None}}, "_embedded": {"x": copies}})
    with pytest.raises(AmbiguousLinkError) as caught:
        await place.follow("x")
    assert caught.value.candidates == ("https://api.example/1", "https://api.example/2")
