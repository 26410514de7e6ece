"""Write requests and their responses."""

import gc
from typing import Any

import pytest

from stellantis_hal.errors import HalError, InvalidLinkError, LinkNotFoundError
from stellantis_hal.hal.link import Link
from stellantis_hal.navigation.media_types import accept
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links, make_response

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


@pytest.mark.parametrize("status", [201, 202, 303])
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
    await resource.put(json={})
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


@pytest.mark.parametrize("options", [{"content_type": "a/b\r\nx: y"}, {"if_match": '"1"\nx: y'}])
async def test_invalid_header_values_are_not_sent(options: Any) -> None:
    site = _site()
    with pytest.raises(ValueError, match="must be visible ASCII of at most 1,024 characters"):
        await site.resource({"_links": links(self=HOME)}).put(content=b"", **options)
    assert site.requests == []
