"""Write requests and their responses."""

import gc
import json
import pickle
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import attrs
import pytest

from stellantis_hal.errors import HalError, InvalidLinkError, LinkNotFoundError, NotFoundError
from stellantis_hal.hal.link import Link
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.media_types import accept
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody
from tests.navigation.site import HOME, Site
from tests.support.responses import NOON, link, links, make_response

pytestmark = pytest.mark.anyio


def _site(**routes: Any) -> Site:
    return Site({"": {"done": True}, "/items": {"done": True}, **routes})


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_every_method_can_be_sent_to_the_resource_itself(method: str) -> None:
    site = _site()
    made = await getattr(site.resource({}), method)(json={"a": "é"})
    (request,) = site.requests
    assert (request.method, request.url, request.content) == (method.upper(), HOME, '{"a":"é"}'.encode())
    assert request.headers["Content-Type"] == "application/json"
    assert made["done"] is True


async def test_any_method_can_be_sent_along_a_link() -> None:
    site = _site()
    rels = {"items": [link(f"{HOME}/no", name="no"), link(f"{HOME}/items{{?x}}", name="yes", templated=True)]}
    site.routes["/items?x=1&y=2"] = {}
    await site.resource({"_links": rels}).write(
        "OPTIONS", "items", name="yes", variables={"x": 1}, params={"y": 2}, content=b"raw", content_type="text/plain"
    )
    (request,) = site.requests
    assert (request.method, request.url, request.content) == ("OPTIONS", f"{HOME}/items?x=1&y=2", b"raw")
    assert request.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_every_named_method_can_be_sent_along_a_link(method: str) -> None:
    site = _site()
    await getattr(site.resource({"_links": links(items=f"{HOME}/items")}), method)("items")
    assert site.paths == ["/items"]


def _is_titled(found: Link) -> bool:
    return found.title is not None


@pytest.mark.parametrize("choice", [{"index": 1}, {"where": _is_titled}])
async def test_the_link_to_write_along_can_be_selected(choice: Any) -> None:
    site = _site()
    rels = {"items": [link(f"{HOME}/no"), link(f"{HOME}/items", title="yes")]}
    await site.resource({"_links": rels}).post("items", **choice)
    assert site.paths == ["/items"]


async def test_a_copy_without_self_can_be_written_along_its_links() -> None:
    site = _site()
    (copy,) = site.resource({"_embedded": {"a": {"_links": links(items=f"{HOME}/items")}}}).embedded("a")
    await copy.post("items")
    assert site.paths == ["/items"]


async def test_a_write_accepts_a_document() -> None:
    site = _site()
    await site.resource({}).post(json={})
    assert site.requests[0].headers["Accept"] == accept()


async def test_a_write_without_a_body_has_no_content_type() -> None:
    site = _site()
    site.routes["?a=1"] = make_response(b"", status=204, content_type="")
    gone = await site.resource({}).delete(params={"a": 1, "b": None})
    assert "Content-Type" not in site.requests[0].headers
    assert site.requests[0].content is None
    assert (gone.status, dict(gone.state)) == (204, {})


async def test_a_write_along_a_missing_link_sends_nothing() -> None:
    site = _site()
    resource = site.resource({"_embedded": {"items": {}}})
    with pytest.raises(LinkNotFoundError):
        await resource.post("items")
    assert site.requests == []


@pytest.mark.parametrize("status", [201, 202])
@pytest.mark.parametrize("location", [f"{HOME}/made", "/v4/made", "made"])
async def test_follow_location_reads_what_a_write_created(status: int, location: str) -> None:
    site = _site(
        **{
            "/items/": make_response(url=f"{HOME}/items/", status=status, body=b"", location=location),
            "/made": {"id": 1},
            "/items/made": {"id": 1},
        }
    )
    made = await site.resource({"_links": links(items=f"{HOME}/items/")}).post("items", json={})
    assert made.status == status
    assert made.location is not None
    assert len(site.requests) == 1
    assert (await made.follow_location())["id"] == 1
    assert [request.method for request in site.requests] == ["POST", "GET"]


async def test_a_response_without_location_cannot_be_followed() -> None:
    made = await _site().resource({}).post(json={})
    with pytest.raises(LinkNotFoundError, match=r"the response 200 of .* has no Location header") as caught:
        await made.follow_location()
    assert (caught.value.rel, caught.value.url) == ("Location", HOME)


async def test_the_response_of_a_write_can_be_followed() -> None:
    site = _site(
        **{
            "/items": make_response(url=f"{HOME}/items", body={"_links": links(next=f"{HOME}/n")}, status=202),
            "/n": {"x": 1},
        }
    )
    made = await site.resource({"_links": links(items=f"{HOME}/items")}).post("items", json={})
    assert (await made.follow("next"))["x"] == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize(("content", "kind"), [(b"<html>", "text/html"), (b"[1]", "application/json"), (b"", "")])
async def test_an_invalid_body_of_a_write_is_left_out(content: bytes, kind: str) -> None:
    made = await _site(**{"": make_response(content, content_type=kind)}).resource({}).post(json={})
    assert dict(made.state) == {}
    assert made.status == 200
    compact = made.compact()
    del made
    gc.collect()
    assert dict(compact.state) == {}


async def test_a_write_makes_the_snapshot_stale() -> None:
    resource = _site().resource({"_links": links(items=f"{HOME}/items", self=HOME)})
    await resource.post("items", json={})
    assert not resource.stale
    await resource.put(json={})
    assert resource.stale


async def test_if_match_sends_the_etag_that_was_read() -> None:
    site = _site()
    resource = site.resource({"_links": links(self=HOME)}, etag='"1"')
    await resource.put(json={}, if_match=True)
    await resource.put("self", json={}, if_match=True)
    await resource.put(json={}, if_match='"mine"')
    await resource.put(json={}, if_match=False)
    assert [request.headers.get("If-Match") for request in site.requests] == ['"1"', '"1"', '"mine"', None]


@pytest.mark.parametrize("fields", [{}, {"etag": '"1"'}])
async def test_if_match_never_sends_another_resources_etag(fields: dict[str, str]) -> None:
    site = _site()
    copy = {"_links": links(self=f"{HOME}/items")}
    resource = site.resource({"_links": links(items=f"{HOME}/items"), "_embedded": {"items": copy}}, **fields)
    with pytest.raises(HalError, match=r"^if_match=True needs an ETag, and none is known of https") as caught:
        await resource.put("items", json={}, if_match=True)
    assert caught.value.url == f"{HOME}/items"
    with pytest.raises(HalError, match=r"^if_match=True needs an ETag, and none is known of https"):
        await resource.embedded("items")[0].put(json={}, if_match=True)
    assert site.requests == []


async def test_a_copy_is_written_to_at_its_own_url_only() -> None:
    site = _site()
    resource = site.resource({"_embedded": {"a": [{"_links": links(self=f"{HOME}/items")}, {}]}})
    await resource.embedded("a")[0].patch(json={})
    assert site.paths == ["/items"]
    with pytest.raises(InvalidLinkError):
        await resource.embedded("a")[1].patch(json={})


async def test_an_etag_that_is_not_a_valid_field_is_ignored() -> None:
    site = _site()
    resource = site.resource({"_links": links(self=HOME)}, etag='"1"\r\nx: y')
    with pytest.raises(HalError, match=r"^if_match=True needs an ETag, and none is known of https"):
        await resource.put(json={}, if_match=True)
    assert site.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {"content_type": "a/b\r\nx: y"},
        {"if_match": '"1"\nx: y'},
        {"if_none_match": "é"},
        {"prefer": "a\r\nx: y"},
        {"idempotency_key": "a\nb"},
        {"headers": {"X-A": "a\r\nx: y"}},
    ],
)
async def test_invalid_header_values_are_not_sent(options: Any) -> None:
    site = _site()
    with pytest.raises(ValueError, match="visible ASCII"):
        await site.resource({"_links": links(self=HOME)}).put(content=b"", **options)
    assert site.requests == []


# --------------------------------------------------------------------------------------------- bodies


async def _body_of(**options: Any) -> tuple[Any, str | None]:
    """Return the content and the content type that a POST sends."""
    site = _site()
    await site.resource({}).post(**options)
    (request,) = site.requests
    return request.content, request.headers.get("Content-Type")


class _Colour(Enum):
    RED = "red"


async def test_json_may_hold_states_and_resources() -> None:
    resource = _site().resource({"a": {"b": 1}, "_links": links(self=HOME), "_embedded": {"x": {"y": 2}}})
    assert (await _body_of(json=resource.state))[0] == b'{"a":{"b":1}}'
    assert (await _body_of(json=resource))[0] == b'{"a":{"b":1}}'
    value = {"all": [resource.at("a"), resource.embedded("x")[0].state, MappingProxyType({"c": (1, 2)}), _Colour.RED]}
    assert (await _body_of(json=value))[0] == b'{"all":[{"b":1},{"y":2},{"c":[1,2]},"red"]}'


async def test_a_resource_can_be_made_a_dict() -> None:
    resource = _site().resource({"a": 1, "_links": links(self=HOME)})
    assert dict(resource) == {"a": 1}
    assert list(resource.keys()) == ["a"]


async def test_arrays_that_were_read_are_sent_as_arrays() -> None:
    array = _site().resource([1, {"a": 2}])
    assert (await _body_of(json=array))[0] == b'[1,{"a":2}]'
    assert (await _body_of(json={"all": array}))[0] == b'{"all":[1,{"a":2}]}'


@pytest.mark.parametrize("value", [object(), {1, 2}, NOON, Link("/x"), {"a": b""}])
async def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="json= must be what JSON can hold"):
        await _body_of(json=value)


@pytest.mark.parametrize("empty", [{}, [], 0, False, ""])
async def test_empty_values_are_bodies(empty: Any) -> None:
    content, content_type = await _body_of(json=empty)
    assert (json.loads(content), content_type) == (empty, "application/json")
    assert await _body_of(content=b"") == (b"", "application/json")
    assert await _body_of(form={}) == (b"", "application/x-www-form-urlencoded")
    assert await _body_of(json=None, content=None, form=None, files=None) == (None, None)


async def test_forms_are_urlencoded() -> None:
    content, content_type = await _body_of(form={"a": [1, 2], "b": "x y"})
    assert (content, content_type) == (b"a=1&a=2&b=x+y", "application/x-www-form-urlencoded")


async def test_files_are_sent_as_multipart(tmp_path: Path) -> None:
    content, content_type = await _body_of(form={"a": 1}, files={"f": b"x"})
    assert content_type is not None
    assert content_type.startswith("multipart/form-data; boundary=")
    assert b'name="f"' in content
    path = tmp_path / "a.txt"
    path.write_bytes(b"12345")
    content, _ = await _body_of(files={"f": path})
    assert isinstance(content, StreamedRequestBody)
    content, content_type = await _body_of(content=path, content_type="text/plain")
    assert isinstance(content, StreamedRequestBody)
    assert (content.length, content_type) == (5, "text/plain")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"json": {}, "content": b""}, "a request has one body: leave out json= or content="),
        ({"json": {}, "form": {}}, "a request has one body: leave out json= or form="),
        ({"content": b"", "files": {}}, "a request has one body: leave out content= or files="),
        ({"form": {}, "content_type": "text/plain"}, "content_type= cannot be combined with form= and files="),
        ({"content": "text"}, "content must be bytes, a Path, .*, not str"),
        ({"content": {"a": 1}}, "content must be bytes, .*, not dict"),
        ({"form": [("a", 1)]}, "form must be Mapping or None, not list"),
        ({"files": b""}, "files must be Mapping or None, not bytes"),
        ({"content_type": None}, "content_type must be str, not NoneType"),
    ],
)
async def test_wrong_bodies_are_refused(options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        await _body_of(**options)


# --------------------------------------------------------------------------------------------- options


_VERBS = ["post", "put", "patch", "delete", "write", "request", "follow", "get"]


async def _call(site: Site, verb: str, **options: Any) -> Any:
    resource = site.resource({"_links": links(self=HOME)})
    if verb in {"request", "get"}:
        hal = EntryPoint(HOME, site.context)
        return await (hal.get("/v4/items", **options) if verb == "get" else hal.request("PUT", "/v4/items", **options))
    if verb == "write":
        return await resource.write("PUT", **options)
    if verb == "follow":
        return await resource.follow("self", **options)
    return await getattr(resource, verb)(**options)


@pytest.mark.unmeasured
@pytest.mark.parametrize("verb", _VERBS)
@pytest.mark.parametrize("option", ["ifmatch", "data", "timeout", "jsn"])
async def test_unknown_options_are_type_errors(verb: str, option: str) -> None:
    site = _site()
    with pytest.raises(TypeError, match=rf"{verb}.* {option}|{verb}.*'{option}'"):
        await _call(site, verb, **{option: True})
    assert site.requests == []


async def test_an_unknown_option_is_answered_by_a_suggestion() -> None:
    resource = _site().resource({})
    with pytest.raises(TypeError, match=r"^put\(\) has no option ifmatch=: did you mean if_match=\?$"):
        await resource.put(ifmatch=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"^delete\(\) has no option ifmatch=: did you mean if_match=\?$"):
        await resource.delete(ifmatch=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"^post\(\) has no option zzz=, yyy=; its options are accept, content, "):
        await resource.post(zzz=1, yyy=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@pytest.mark.unmeasured
@pytest.mark.parametrize("verb", _VERBS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"params": "a=1"}, r"params must be Mapping or None, not str: \{'size': 10\}"),
        ({"params": [("a", 1)]}, "params must be Mapping or None, not list"),
        ({"headers": "X: y"}, "headers must be Mapping or None, not str"),
        ({"headers": {"X": 1}}, "the header field 'X' must be str, not int"),
        ({"headers": {1: "x"}}, "the name of a header field must be str, not int"),
        ({"accept": 5}, "accept must be str or None, not int"),
    ],
)
async def test_options_of_another_type_are_refused(verb: str, options: Any, message: str) -> None:
    site = _site()
    with pytest.raises(TypeError, match=message):
        await _call(site, verb, **options)
    assert site.requests == []


@pytest.mark.parametrize("verb", ["put", "follow"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variables": "a"}, "variables must be Mapping or None, not str"),
        ({"name": 5}, "name must be str or None, not int"),
        ({"index": "0"}, "index must be int or None, not str"),
        ({"index": True}, "index must be int or None, not bool"),
        ({"where": "title"}, "where must be a function of a link or None, not str"),
    ],
)
async def test_selectors_of_another_type_are_refused(verb: str, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        await _call(_site(), verb, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"embedded": "nver"}, ValueError, "embedded must be 'prefer', 'never' or 'only', not 'nver'"),
        ({"embedded": None}, TypeError, "embedded must be str, not NoneType"),
    ],
)
async def test_unknown_modes_of_embedding_are_refused(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        await _call(_site(), "follow", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"if_match": None}, "if_match must be bool or str, not NoneType"),
        ({"if_match": 1}, "if_match must be bool or str, not int"),
        ({"if_none_match": True}, "if_none_match must be str or None, not bool"),
        ({"idempotency_key": 5}, "idempotency_key must be bool or str or None, not int"),
        ({"prefer": ["a"]}, "prefer must be str or None, not list"),
        ({"if_match": True, "if_none_match": "*"}, "if_match= and if_none_match= exclude each other"),
        ({"prefer": "a", "headers": {"PREFER": "b"}}, "prefer= and the header field prefer state the same"),
        ({"if_match": "a", "headers": {"If-Match": '"b"'}}, "if_match= and the header field if-match state the same"),
    ],
)
async def test_options_of_writes_are_checked(options: Any, message: str) -> None:
    site = _site()
    with pytest.raises(TypeError, match=message):
        await _call(site, "put", **options)
    assert site.requests == []


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\nX: y", "CONNECT", "trace", "é"])
async def test_what_is_no_method_is_refused(method: str) -> None:
    site = _site()
    with pytest.raises(ValueError, match="is not the method of a request"):
        await site.resource({}).write(method)
    assert site.requests == []


# --------------------------------------------------------------------------------------------- header fields


async def test_header_fields_are_added_to_every_request() -> None:
    site = _site(**{"/items?page=2": {}, "/made": {}})
    site.routes["/items"] = {"_links": links(next=f"{HOME}/items?page=2"), "_embedded": {"x": [{}]}}
    hal = EntryPoint(HOME, site.context)
    resource = site.resource({"_links": links(items=f"{HOME}/items")}, location=f"{HOME}/made")
    given = {"X-Trace": "1", "accept": "text/x"}
    await resource.follow("items", headers=given)
    await resource.follow("items").items(headers=given).collect()
    async with resource.follow_all("items", headers=given) as results:
        assert [result.error async for result in results] == [None]
    await resource.put(headers=given)
    await resource.fetch(headers=given)
    await resource.refresh(headers=given)
    await resource.follow_location(headers=given)
    await hal.get("/v4/items", headers=given)
    await hal.request("DELETE", f"{HOME}/items", headers=given)
    await (await hal.get("/v4/items")).pages(headers=given).__aiter__().__anext__()
    assert [request.method for request in site.requests if request.headers.get("X-Trace") != "1"] == ["GET"]
    assert all("Accept" not in request.headers for request in site.requests[:-1])
    assert len(site.requests) == 11


async def test_pages_after_this_one_are_read_with_the_fields() -> None:
    site = _site(**{"?page=2": {"_embedded": {"x": [{"id": 2}]}}})
    page = site.resource({"_links": links(next=f"{HOME}?page=2"), "_embedded": {"x": [{"id": 1}]}})
    assert len(await page.items(headers={"X-Trace": "1"}).collect()) == 2
    assert site.requests[0].headers["X-Trace"] == "1"


async def test_reading_again_sends_the_same_fields() -> None:
    """Not conditions, and not what belongs to one request."""
    site = _site()
    first = await site.resource({"_links": links(self=HOME)}).follow(
        "self", headers={"Accept-Language": "fr", "If-None-Match": '"x"', "range": "bytes=0-1"}
    )
    await first.refresh(headers={"X": "1"})
    await first.fetch()
    assert [set(request.headers) for request in site.requests[1:]] == [
        {"Accept", "Accept-Language", "X"},
        {"Accept", "Accept-Language"},
    ]


async def test_a_call_replaces_the_clients_fields() -> None:
    site = _site()
    context = attrs.evolve(site.context, headers={"Accept-Language": "fr", "X": "1"}, accept="application/vnd.a+json")
    hal = EntryPoint(HOME, context)
    await hal.get("/v4/items", headers={"accept-language": "de"})
    await hal.request("POST", "/v4/items", accept="text/x")
    first, second = site.requests
    assert first.headers["Accept"].startswith("application/vnd.a+json, application/")
    assert (first.headers["accept-language"], first.headers["X"]) == ("de", "1")
    assert "Accept-Language" not in first.headers
    assert second.headers["Accept"].startswith("text/x, ")


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "AUTHORIZATION", "Transfer-Encoding", "Connection", "Accept-Encoding", "Expect", "TE"],
)
@pytest.mark.parametrize("verb", _VERBS)
async def test_fields_of_the_transport_are_refused(name: str, verb: str) -> None:
    site = _site()
    with pytest.raises(ValueError, match=f"^{name} cannot be given as a header field: "):
        await _call(site, verb, headers={name: "x"})
    assert site.requests == []


@pytest.mark.parametrize("fields", [{"X-A": "a\nb"}, {"X-A": "a\r\nHost: evil"}, {"X-A": " a"}, {"X-A": "é"}])
async def test_invalid_values_of_fields_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="the value of X-A must be visible ASCII of at most 8,192 characters"):
        await _call(_site(), "put", headers=fields)


@pytest.mark.parametrize("name", ["", "a b", "a:", "X\r\nY", "é", "a\0"])
async def test_invalid_names_of_fields_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a header field"):
        await _call(_site(), "put", headers={name: "x"})


async def test_values_of_fields_may_be_long_or_empty() -> None:
    site = _site()
    await _call(site, "put", headers={"X-Long": "x" * 8_192, "X-Empty": ""})
    assert len(site.requests) == 1


# --------------------------------------------------------------------------------------------- urls


@pytest.mark.parametrize(
    ("url", "path"),
    [("/v4/items", "/items"), ("./items", "/items"), (f"{HOME}/items", "/items"), ("/v4/é#x", "/%C3%A9")],
)
async def test_urls_may_be_relative_to_the_entry_url(url: str, path: str) -> None:
    site = _site(**{"/%C3%A9": {}})
    hal = EntryPoint(f"{HOME}/", site.context)
    await hal.get(url)
    await hal.request("patch", url)
    assert site.paths == [path, path]
    assert [request.method for request in site.requests] == ["GET", "PATCH"]


async def test_parameters_are_appended_to_urls() -> None:
    site = _site(**{"/items?x=%2F&a=1": {}})
    hal = EntryPoint(f"{HOME}/", site.context)
    await hal.get("./items?x=%2F", params={"a": 1})
    await hal.request("PUT", "./items?x=%2F", params={"a": 1})
    assert site.paths == ["/items?x=%2F&a=1"] * 2


@pytest.mark.parametrize("url", [None, 5, b"/items"])
async def test_urls_are_texts(url: Any) -> None:
    hal = EntryPoint(HOME, _site().context)
    for call in (hal.get(url), hal.request("PUT", url)):
        with pytest.raises(TypeError, match=r"^url must be str, not "):
            await call


# --------------------------------------------------------------------------------------------- conditions


async def _conditions(*verbs: str, state: Any = None, **fields: str) -> list[dict[str, str]]:
    """Return the conditions that writes to a resource with these header fields are sent with."""
    site = _site()
    resource = site.resource({**(state or {}), "_links": links(self=HOME)}, **fields)
    for verb in verbs:
        answer = await getattr(resource, verb)(json={})
        sent = [f"{name}: {value}" for name, value in site.requests[-1].headers.items() if name.startswith("If-")]
        assert answer.condition == next(iter(sent), None)
    return [
        {name: value for name, value in request.headers.items() if name.startswith("If-")} for request in site.requests
    ]


_DATE = "Sat, 01 Jun 2024 10:00:00 GMT"


async def test_changes_are_conditional_by_default() -> None:
    """Not a POST: it changes the tag of a collection for every other client."""
    found = await _conditions("put", "patch", "delete", "post", etag='"1"', last_modified=_DATE)
    assert found == [{"If-Match": '"1"'}] * 3 + [{}]


@pytest.mark.parametrize("weak", ['W/"1"', "W/1", "1", '"1', '"a", "b"', '"a b"', 'w/"1"', '"é"', ""])
async def test_weak_and_odd_tags_are_never_sent(weak: str) -> None:
    """A weak one never matches; Last-Modified serves instead, and without it nothing, as ``condition`` shows."""
    assert await _conditions("put", etag=weak) == [{}]
    assert await _conditions("put", etag=weak, last_modified=_DATE) == [{"If-Unmodified-Since": _DATE}]
    assert await _conditions("put", last_modified="yesterday") == [{}]


@pytest.mark.parametrize(
    ("member", "sent"),
    [("abc", '"abc"'), ('"abc"', '"abc"'), ('W/"abc"', None), (5, None), ("a b", None), ("", None), ("a\r\nb", None)],
)
async def test_a_member_etag_is_quoted(member: Any, sent: str | None) -> None:
    expected = [{} if sent is None else {"If-Match": sent}]
    assert await _conditions("put", state={"_etag": member}) == expected
    assert await _conditions("put", state={"_etag": member}, etag='W/"x"') == expected
    assert await _conditions("put", state={"_etag": member}, etag='"x"') == [{"If-Match": '"x"'}]


async def test_a_pages_tag_is_not_that_of_its_items() -> None:
    site = _site()
    items = [{"_links": links(self=f"{HOME}/items")}, {"_links": links(self=f"{HOME}/items"), "_etag": "own"}]
    page = site.resource({"_embedded": {"items": items}, "_links": links(self=HOME)}, etag='"page"')
    for item in page.embedded("items"):
        await item.patch(json={})
    assert [request.headers.get("If-Match") for request in site.requests] == [None, '"own"']


async def test_a_tag_is_not_sent_to_another_url() -> None:
    site = _site(**{"?a=1": {}})
    resource = site.resource({"_links": links(items=f"{HOME}/items", self=HOME)}, etag='"1"')
    await resource.put("items", json={})
    await resource.put(json={}, params={"a": 1})
    await resource.put("self", json={})
    assert [request.headers.get("If-Match") for request in site.requests] == [None, None, '"1"']


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        ({"if_match": "*"}, {"If-Match": "*"}),
        ({"if_none_match": "*"}, {"If-None-Match": "*"}),
        ({"if_none_match": 'W/"1", "2"'}, {"If-None-Match": 'W/"1", "2"'}),
        ({"if_match": '"1", "2"'}, {"If-Match": '"1", "2"'}),
        ({"if_match": "bare"}, {"If-Match": '"bare"'}),
        ({"if_match": False}, {}),
        ({"headers": {"if-unmodified-since": _DATE}}, {}),
    ],
)
async def test_a_condition_given_replaces_the_known_one(option: Any, sent: dict[str, str]) -> None:
    site = _site()
    await site.resource({"_links": links(self=HOME)}, etag='"known"').put(json={}, **option)
    fields = site.requests[0].headers
    assert {name: value for name, value in fields.items() if name.startswith("If-")} == sent


@pytest.mark.parametrize("tag", ['W/"1"', '"1", W/"2"'])
async def test_a_weak_tag_cannot_be_asked_for(tag: str) -> None:
    site = _site()
    with pytest.raises(ValueError, match=r"^if_match=.* never matches: a write is compared with strong entity tags"):
        await site.resource({"_links": links(self=HOME)}).put(json={}, if_match=tag)
    with pytest.raises(HalError, match=r"^if_match=True needs an ETag"):
        await site.resource({"_links": links(self=HOME)}, etag=tag).put(json={}, if_match=True)
    assert site.requests == []


@pytest.mark.parametrize(
    ("verb", "reply", "sent"),
    [
        ("put", {"status": 200, "body": {"_links": links(self=HOME)}, "etag": '"2"'}, '"2"'),
        ("patch", {"status": 204, "body": b"", "etag": '"2"'}, '"2"'),
        ("put", {"status": 204, "body": b"", "etag": 'W/"2"'}, None),
        ("put", {"status": 204, "body": b""}, None),
        ("post", {"status": 201, "location": f"{HOME}/items", "etag": '"2"'}, '"2"'),
        ("post", {"status": 200, "body": {"_links": links(self=f"{HOME}/items")}, "etag": '"2"'}, None),
        ("post", {"status": 200, "body": {"_links": links(self=f"{HOME}/items"), "_etag": "2"}}, '"2"'),
        ("post", {"status": 200, "content_location": f"{HOME}/items", "etag": '"2"'}, '"2"'),
        ("put", {"status": 200, "body": {"_links": links(self=f"{HOME}/items")}, "etag": '"2"'}, None),
    ],
)
async def test_the_tag_of_an_answer_serves_the_next_write(verb: str, reply: Any, sent: str | None) -> None:
    site = _site(**{"": make_response(url=HOME, **reply)})
    resource = site.resource({"_links": links(self=HOME)}, etag='"1"')
    answer = await getattr(resource, verb)(json={})
    site.routes[""] = {}
    await answer.put(json={})
    assert site.requests[-1].headers.get("If-Match") == sent


async def test_the_answer_of_a_write_is_read_again_unconditionally() -> None:
    """Its body may be a report of the write, which a 304 would confirm."""
    site = _site(**{"": make_response({"ok": True}, url=HOME, status=204, etag='"2"')})
    answer = await site.resource({"_links": links(self=HOME)}).put(json={})
    site.routes[""] = {"id": 1}
    assert (await answer.refresh())["id"] == 1
    assert "If-None-Match" not in site.requests[-1].headers


# --------------------------------------------------------------------------------------------- keys and preferences


async def test_a_new_key_is_a_quoted_uuid() -> None:
    site = _site()
    for _ in range(2):
        await site.resource({}).post(json={}, idempotency_key=True)
    keys = [request.headers["Idempotency-Key"] for request in site.requests]
    assert all(UUID(key.strip('"')).version == 4 and key == f'"{key[1:-1]}"' for key in keys)
    assert len(set(keys)) == 2
    assert [request.repeatable for request in site.requests] == [True, True]


@pytest.mark.parametrize("options", [{"idempotency_key": "order-7"}, {"headers": {"idempotency-key": "order-7"}}])
async def test_a_key_given_is_sent_as_it_is(options: Any) -> None:
    site = _site()
    await site.resource({}).post(json={}, **options)
    (request,) = site.requests
    assert {name.lower(): value for name, value in request.headers.items()}["idempotency-key"] == "order-7"
    assert request.repeatable is True


@pytest.mark.parametrize("key", [None, False])
async def test_no_key_is_sent_by_default(key: Any) -> None:
    site = _site()
    await site.resource({}).post(json={}, idempotency_key=key)
    (request,) = site.requests
    assert "Idempotency-Key" not in request.headers
    assert request.repeatable is None


async def test_preferences_applied_are_shown() -> None:
    applied = "return=representation , wait=5,"
    site = _site(**{"": make_response({}, url=HOME, preference_applied=applied)})
    answer = await site.resource({}).post(json={}, prefer="return=representation, wait=5")
    assert site.requests[0].headers["Prefer"] == "return=representation, wait=5"
    assert answer.preferences_applied == ("return=representation", "wait=5")
    assert site.resource({}).preferences_applied == ()


# --------------------------------------------------------------------------------------------- 303


async def test_a_303_is_followed_by_a_get() -> None:
    """Without what belonged to the write."""
    site = _site(**{"/made": {"id": 1, "_links": links(self=f"{HOME}/made")}})
    site.routes["/items"] = make_response(b"", url=f"{HOME}/items", status=303, location="made")
    resource = site.resource({"_links": links(items=f"{HOME}/items")})
    answer = await resource.post("items", json={}, headers={"X": "1"}, idempotency_key=True, prefer="a")
    assert (answer.status, answer["id"], answer.url) == (200, 1, f"{HOME}/made")
    second = site.requests[1]
    assert (second.method, second.content, set(second.headers)) == ("GET", None, {"Accept", "X"})


async def test_a_303_back_to_the_collection_is_no_identity() -> None:
    site = _site(**{"/items": _see_other})
    answer = await site.resource({"_links": links(items=f"{HOME}/items")}).post("items", json={})
    with pytest.raises(InvalidLinkError, match=r"which resource the response 200 of .*/items is about is unknown"):
        await answer.delete()
    assert [request.method for request in site.requests] == ["POST", "GET"]


def _see_other(request: Any) -> Any:
    if request.method == "POST":
        return make_response(b"", url=f"{HOME}/items", status=303, location=f"{HOME}/items")
    return {"_links": links(self=f"{HOME}/items")}


async def test_a_failure_after_a_303_says_that_the_write_succeeded() -> None:
    site = _site(**{"/items": make_response(b"", url=f"{HOME}/items", status=303, location="/gone")})
    with pytest.raises(NotFoundError) as caught:
        await site.resource({"_links": links(items=f"{HOME}/items")}).post("items", json={})
    (note,) = caught.value.__notes__
    assert note.startswith("the POST itself succeeded: ")


async def test_a_303_without_a_location_is_the_answer() -> None:
    site = _site(**{"": make_response(b"", url=HOME, status=303)})
    assert (await site.resource({}).post(json={})).status == 303


# --------------------------------------------------------------------------------------------- dumps


async def test_a_dumped_answer_stays_what_it_is() -> None:
    reply = make_response({}, url=HOME, status=201, location=f"{HOME}/items", etag='"2"')
    site = _site(**{"": reply})
    made = await site.resource({}).post(json={}, if_match="x")
    again = HalResource.load(json.loads(json.dumps(made.dump())), site.context)
    assert (again.url, again.condition) == (f"{HOME}/items", 'If-Match: "x"')
    await again.put(json={})
    assert site.paths[-1] == "/items"
    assert site.requests[-1].headers["If-Match"] == '"2"'
    site.routes[""] = {}
    unknown = pickle.loads(pickle.dumps(await site.resource({}).post(json={})))
    with pytest.raises(InvalidLinkError):
        await unknown.rebind(site.context).delete()


@pytest.mark.parametrize(
    "outcome", [5, [1, 2], [1, True, None, []], [None, 1, None, []], [None, True, None, [5]], "abcd"]
)
def test_a_dump_with_an_invalid_outcome_is_refused(outcome: Any) -> None:
    with pytest.raises(ValueError, match="not a dump of a resource"):
        HalResource.load({**_site().resource({}).dump(), "outcome": outcome})
