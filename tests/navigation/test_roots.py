"""Responses that are no JSON object, and links in headers."""

import json
import pickle
from typing import Any

import pytest

from stellantis_hal.errors import HalError, LinkNotFoundError, NotHalError, StructureError, UntrustedOriginError
from stellantis_hal.navigation.context import HalDeprecationWarning, ResourceContext
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.structuring.model import Model
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links, make_response

pytestmark = pytest.mark.anyio

POSTS = [{"id": 1, "_links": links(self=f"{HOME}/posts/1")}, {"id": 2, "_links": {"self": [f"{HOME}/posts/2"]}}]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"a": 1}, "object"),
        ([], "array"),
        (POSTS, "array"),
        ("text", "string"),
        (1.5, "number"),
        (True, "boolean"),
    ],
)
def test_any_json_value_is_a_resource(value: Any, kind: str) -> None:
    resource = Site().resource(value)
    assert (resource.value, resource.kind) == (value, kind)
    assert dict(resource.state) == (value if kind == "object" else {})
    assert resource.compact().value == value
    assert resource.document != Site().resource({"other": 1}).document
    for again in (HalResource.load(json.loads(json.dumps(resource.dump()))), pickle.loads(pickle.dumps(resource))):
        assert (again.value, again.kind, again.document) == (value, kind, resource.document)
        assert again.compact().value == value


def test_null_is_told_from_no_body() -> None:
    null = Site().resource(b"null", content_type="application/json")
    empty = HalResource.of(make_response(b"", status=204), Site().context)
    assert [(one.value, one.kind) for one in (null, empty)] == [(None, "null"), (None, "empty")]
    assert null.document != empty.document
    for resource in (null, empty):
        assert HalResource.load(resource.dump()).kind == resource.kind
        assert resource.compact().kind == resource.kind
        assert pickle.loads(pickle.dumps(resource.document)) == resource.document


@pytest.mark.parametrize(
    ("value", "shown"), [(POSTS, "200 array×2 rels"), ("text", "200 string rels"), ({}, "200 rels")]
)
def test_repr_tells_the_kind(value: Any, shown: str) -> None:
    assert shown in repr(Site().resource(value))


def test_dict_of_a_resource_is_its_state() -> None:
    resource = Site().resource({"a": 1, "_links": {}})
    assert dict(resource) == {"a": 1}
    assert {**resource} == {"a": 1}


async def test_items_of_an_array_are_its_objects() -> None:
    site = Site({"/posts/1": {"n": "one"}, "/posts/2": {"n": "two"}})
    items = await site.resource([POSTS[0], [POSTS[1], [{"id": 3}]], 4]).items().collect()
    assert [item["id"] for item in items] == [1, 2, 3]
    assert [item.compact()["id"] for item in items] == [1, 2, 3]
    assert [(await item.follow("self"))["n"] for item in items[:2]] == ["one", "two"]
    assert (await items[1].fetch())["n"] == "two"
    with pytest.raises(HalError):
        await items[2].delete()
    assert [item["id"] async for item in site.resource(POSTS).items(source="state", reverse=True)] == [2, 1]


async def test_what_is_no_object_in_an_array_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert await Site().resource([1, ["x", {}]]).items().collect() != []
    assert "items left out" in caplog.text
    assert "$[0], $[1][0]" in caplog.text


@pytest.mark.parametrize("value", [POSTS, "text", 5])
async def test_an_array_has_no_relation(value: Any) -> None:
    resource = Site().resource(value)
    with pytest.raises(LinkNotFoundError):
        await resource.follow("next")
    with pytest.raises(LinkNotFoundError):
        await resource.items("posts").collect()


async def test_an_array_is_refreshed() -> None:
    site = Site({"/posts": make_response(POSTS, url=f"{HOME}/posts", etag='"1"', link='<?page=2>; rel="next"')})
    resource = await site.resource({"_links": links(posts=f"{HOME}/posts")}).follow("posts")
    site.routes["/posts"] = make_response(b"", url=f"{HOME}/posts", status=304)
    again = await resource.refresh()
    assert again.value == POSTS
    assert again.links["next"][0].href == "?page=2"
    site.routes["/posts"] = make_response(b"", url=f"{HOME}/posts", status=304, link='<?page=3>; rel="next"')
    assert (await again.refresh()).links["next"][0].href == "?page=3"
    assert (await again.refresh()).value == POSTS


def _typed(value: Any) -> HalResource:
    context = ResourceContext(fetch=Site(), converter=TypedConverter())
    return HalResource.of(make_response(value), context)


def test_a_class_of_this_library_needs_an_object() -> None:
    with pytest.raises(NotHalError, match=r"JSON that is not an object \(list\) .*; read it untyped") as caught:
        _typed(POSTS).as_(Model)
    assert caught.value.excerpt.startswith("[{")
    with pytest.raises(NotHalError, match="an empty body"):
        HalResource.of(make_response(b"", status=204), _typed({}).context or Site().context).as_(Model)
    assert _typed({"a": 1}).as_(Model).extra == {"a": 1}


def test_an_array_is_read_as_a_list_of_values() -> None:
    assert _typed([1, 2]).as_(list[int]) == [1, 2]
    with pytest.raises(StructureError):
        _typed(["x"]).as_(list[int])


@pytest.mark.parametrize(
    ("content", "content_type", "said"),
    [
        (b"<html><p>Hello", "text/html; charset=utf-8", "this is a web page, for people: .* with download()"),
        (b"<!DOCTYPE HTML><p>", "", "this is a web page"),
        (b"Hello", "text/plain", "this is text"),
        (b"\x89PNG", "image/png", "this is a picture"),
        (b"%PDF", "application/pdf", "this is a PDF document"),
        (b"<a/>", "application/xml", "this is XML"),
        (b"abc", "application/octet-stream", "this is not JSON"),
    ],
)
def test_other_content_says_what_it_is(content: bytes, content_type: str, said: str) -> None:
    with pytest.raises(NotHalError, match=said):
        HalResource.of(make_response(content, content_type=content_type), Site().context)


# --------------------------------------------------------------------------------------------- links in headers


async def test_header_links_are_followed() -> None:
    site = Site({"/posts?page=2": {"n": 2}})
    resource = site.resource(POSTS, f"{HOME}/posts?page=1", link='</v4/posts?page=2>; rel="next"')
    assert resource.rels == ("next",)
    assert resource.can("next")
    assert (await resource.follow("next"))["n"] == 2
    assert (await resource.compact().follow("next"))["n"] == 2
    loaded = HalResource.load(json.loads(json.dumps(resource.dump())), site.context)
    assert (await loaded.follow("next"))["n"] == 2


async def test_links_of_the_document_precede_those_of_the_header() -> None:
    site = Site({"/own": {"n": "own"}, "/header": {"n": "header"}})
    resource = site.resource(
        {"_links": links(next="/v4/own", up="/v4/up")},
        link='</v4/header>; rel="next", <https://api.example/v4/up>; rel=up',
    )
    assert [one.href for one in resource.links["next"]] == ["/v4/own", "/v4/header"]
    assert [one.href for one in resource.links["up"]] == ["/v4/up"]
    assert (await resource.follow("next"))["n"] == "own"
    assert (await resource.follow("next", index=1))["n"] == "header"
    assert [item["n"] async for item in resource.items("next", source="links")] == ["own", "header"]


async def test_header_links_belong_to_the_whole_response() -> None:
    resource = Site().resource({"_embedded": {"a": [{}]}}, link="</v4/x>; rel=x")
    assert resource.can("x")
    assert not resource.embedded("a")[0].can("x")
    assert HalResource.load(resource.embedded("a")[0].dump()).rels == ()


async def test_pages_are_linked_by_headers() -> None:
    site = Site(
        {
            "/posts": make_response(
                [{"id": 1}], url=f"{HOME}/posts", link='<posts?page=2>; rel="next"', x_wp_total="3"
            ),
            "/posts?page=2": make_response([{"id": 2}, {"id": 3}], url=f"{HOME}/posts?page=2", x_wp_total="3"),
        }
    )
    follow = site.resource({"_links": links(posts=f"{HOME}/posts")}).follow("posts")
    assert [item["id"] async for item in follow.items()] == [1, 2, 3]
    assert [page.total async for page in follow.pages()] == [3, 3]
    assert await follow.items().total() == 3
    token = (await anext(aiter(follow.pages()))).token
    assert [item["id"] async for page in follow.pages(token=token) for item in page.items] == [2, 3]


async def test_a_header_that_is_too_long_is_told(caplog: pytest.LogCaptureFixture) -> None:
    resource = Site().resource({}, link="</1>; rel=item, " * 10_000)
    assert len(resource.links["item"]) == 1
    assert "links left out at https://api.example/v4: of its Link header, 160000 characters long" in caplog.text


def test_a_body_without_value_keeps_its_header_links() -> None:
    resource = HalResource.of(make_response(b"", status=204, link="</v4/x>; rel=x"), Site().context)
    assert (resource.kind, resource.rels) == ("empty", ("x",))


async def test_the_result_of_a_write_has_the_links_of_its_header() -> None:
    site = Site({"/a": make_response(b"<p>", url=f"{HOME}/a", content_type="text/html", link="</v4/b>; rel=b")})
    made = await site.resource({"_links": links(a=f"{HOME}/a")}).post("a", json={})
    assert (made.kind, made.rels) == ("empty", ("b",))


# --------------------------------------------------------------------------------------------- deprecated responses


async def test_a_deprecated_response_warns_once() -> None:
    fields: dict[str, Any] = {"deprecation": "@0", "sunset": "Sun, 30 Jun 2024 23:59:59 GMT", "warning": '199 - "old"'}
    site = Site({f"/a/{name}": make_response(url=f"{HOME}/a/{name}", **fields) for name in ("1", "2")})
    root = site.resource({"_links": {"a": [link(f"{HOME}/a/1"), link(f"{HOME}/a/2")]}})
    with pytest.warns(HalDeprecationWarning) as caught:
        followed = [await root.follow("a", index=index) for index in (0, 1, 1)]
    (warning,) = caught
    assert str(warning.message) == (
        f"{HOME}/a/1 is deprecated as of 1970-01-01T00:00:00Z, and stops responding at 2024-06-30T23:59:59Z"
    )
    assert HalResource.load(followed[0].dump()).headers["warning"] == '199 - "old"'


async def test_only_a_sunset_warns_too() -> None:
    site = Site({"/a": make_response(url=f"{HOME}/a", sunset="x"), "/b": make_response(deprecation="false")})
    with pytest.warns(HalDeprecationWarning, match=f"^{HOME}/a stops responding at 'x'$"):
        await site.resource({"_links": links(a=f"{HOME}/a")}).follow("a")
    await site.resource({"_links": links(b=f"{HOME}/b")}).follow("b")


# --------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("href", "said"),
    [
        ("/a b", "a blank at index 21"),
        ("/a\tb", "a tab"),
        ("/a\nb", "a line break"),
        ("/a\\b", "a backslash"),
        ("/\x01", "a control"),
    ],
)
async def test_an_href_with_a_blank_says_so(href: str, said: str) -> None:
    resource = Site().resource({"_links": links(a=href)})
    url = resource.expand("a")
    with pytest.raises(UntrustedOriginError, match=f"it has {said}.*, which no URL may have.* percent-encoded, as %"):
        Origins(HOME).check(url)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"embedded": "nver"}, ValueError),
        ({"params": "a=1"}, TypeError),
        ({"variables": [1]}, TypeError),
    ],
)
async def test_options_of_a_wrong_kind_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        Site().resource({"_links": links(a="/a")}).follow("a", **options)
