"""Resources: state, age, dumps."""

import datetime as dt
import gc
import json
import pickle
import weakref
from typing import Any

import attrs
import pytest

from stellantis_hal.errors import DetachedResourceError
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.lazy_body import EmbeddedPathStep
from stellantis_hal.navigation.media_types import accept
from stellantis_hal.navigation.resource import HalResource
from tests.navigation.site import HOME, Site
from tests.support.responses import NOON, link, links, make_response

pytestmark = pytest.mark.anyio

VIN = "VF3ABCDEF12345678"


def test_a_resource_reads_like_its_state() -> None:
    resource = Site().resource({"vin": "x", "_links": links(self="/"), "_embedded": {}})
    assert resource["vin"] == "x"
    assert "vin" in resource
    assert "_links" not in resource
    assert list(resource) == ["vin"]
    assert resource.get("vin") == "x"
    assert resource.get("nothing", 5) == 5
    with pytest.raises(KeyError):
        resource["nothing"]


def test_a_resource_has_the_url_of_its_response() -> None:
    resource = Site().resource({"_links": links(self="/own")}, f"{HOME}/asked", etag='"1"')
    assert resource.url == resource.base == f"{HOME}/asked"
    assert resource.self_url == "https://api.example/own"
    assert (resource.status, resource.fetched_at, resource.headers["ETag"], resource.is_embedded) == (
        200,
        NOON,
        '"1"',
        False,
    )
    assert resource.links["self"][0].href == "/own"
    assert resource.location is None


def test_rebinding_changes_the_context_and_nothing_else() -> None:
    first, second = Site(), Site()
    copy = first.resource({"_embedded": {"trip": [{"id": "a", "_links": links(self="/a")}]}}).embedded("trip")[0]
    bound = copy.rebind(other := second.context)
    assert bound.context is bound.require_context() is other
    assert copy.context is not other
    assert bound.snapshot is copy.snapshot
    assert bound.document is copy.document
    assert bound.steps == copy.steps == (EmbeddedPathStep("trip", 0),)
    assert type(bound) is HalResource


async def test_a_rebound_resource_is_stale_as_before() -> None:
    resource = Site({"": {}}).resource({})
    assert not resource.rebind(Site().context).stale
    await resource.put(json={})
    assert resource.rebind(Site().context).stale


def test_an_error_without_a_context_names_client_resume() -> None:
    dumped = HalResource.load(Site().resource({}).dump())
    assert dumped.context is None
    with pytest.raises(DetachedResourceError, match=r"client\.resume\(dump\)") as caught:
        dumped.require_context()
    assert caught.value.url == HOME
    assert dumped.rebind(context := Site().context).require_context() is context


def test_a_resource_without_a_usable_self_has_none() -> None:
    assert Site().resource({}).self_url is None
    assert Site().resource({"_links": {"self": [link(None), link("/{", templated=True), "/x"]}}).self_url is not None


@pytest.mark.parametrize(
    ("kind", "rels", "profile"),
    [
        ('application/hal+json; profile="https://p"', {}, "https://p"),
        ("application/hal+json", {"profile": link("/p")}, "/p"),
        ("application/hal+json", {}, None),
    ],
)
def test_a_profile_is_read_from_the_type_or_the_link(kind: str, rels: dict[str, Any], profile: str | None) -> None:
    site = Site()
    assert (
        HalResource.of(make_response(url=HOME, body={"_links": rels}, content_type=kind), site.context).profile
        == profile
    )


def test_repr_shows_path_relations_and_counts() -> None:
    """Everything else is masked."""
    body = {"_links": links(self="/x", trips="/t"), "_embedded": {"trips": [{}, {}]}}
    resource = Site().resource(body, f"{HOME}/vehicles/{VIN}?client_id=abc")
    assert repr(resource) == "<HalResource /v4/vehicles/***?client_id=*** 200 rels=[self, trips] embedded=[trips×2]>"
    assert repr(resource.embedded("trips")[0]).startswith("<HalResource /v4/vehicles/***?client_id=*** embedded ")


def test_repr_omits_the_fragment() -> None:
    assert repr(Site().resource({}, f"{HOME}/a#b")).startswith("<HalResource /v4/a 200 ")


async def test_links_nested_in_the_state_can_be_followed() -> None:
    site = Site({"/l": {"x": 1}})
    resource = site.resource({"lines": [{"_links": links(a=f"{HOME}/l"), "n": 7}]})
    line = resource.at("lines", 0)
    assert line["n"] == 7
    assert (await line.follow("a"))["x"] == 1
    assert line.compact()["n"] == 7
    assert resource["lines"][0]["n"] == 7


@pytest.mark.parametrize("path", [("lines", 1), ("lines",), ("nothing",)])
def test_a_path_without_an_object_is_a_key_error(path: tuple[str | int, ...]) -> None:
    with pytest.raises(KeyError) as caught:
        Site().resource({"lines": [{}]}).at(*path)
    assert caught.value.args == (path,)


# --------------------------------------------------------------------------------------------- compact


@pytest.mark.unmeasured
def test_a_compact_copy_decodes_the_shared_bytes_again() -> None:
    body = {"_embedded": {"a": [{"n": 0}, {"n": 1, "_embedded": {"b": {"deep": {"k": [{"m": 5}]}}}}]}}
    resource = Site().resource(body)
    inner = resource.embedded("a")[1].embedded("b")[0].at("deep").at("k", 0).compact()
    assert inner.document is not None
    del resource
    gc.collect()
    assert inner["m"] == 5
    assert inner.compact()["m"] == 5


def test_the_raw_body_is_kept_unchanged() -> None:
    resource = HalResource.of(make_response(b'{ "n" :1}'), Site().context)
    assert resource.compact().snapshot.content.raw == b'{ "n" :1}'
    assert HalResource.load(resource.dump()).snapshot.content.raw == b""


def test_compact_copies_share_a_document_that_is_in_use() -> None:
    resource = Site().resource({"_embedded": {"a": [{"n": 0}]}})
    assert resource.embedded("a")[0].compact().document is resource.document.embedded["a"][0]


@pytest.mark.unmeasured
def test_a_compact_copy_of_a_loaded_resource_keeps_its_document() -> None:
    compact = HalResource.load(Site().resource({"n": 1}).dump()).compact()
    gc.collect()
    assert compact["n"] == 1


async def test_a_compact_copy_can_be_followed() -> None:
    resource = Site({"/a": {"n": 1}}).resource({"_links": links(a=f"{HOME}/a")})
    assert (await resource.compact().follow("a"))["n"] == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize(("length", "is_held"), [(10, True), (1_000_000, False)])
def test_a_document_decoded_again_is_kept_unless_large(length: int, is_held: bool) -> None:
    resource = Site().resource({"x": "x" * length, "_embedded": {"a": [{"n": 0}, {"n": 1}]}})
    first, second = (copy.compact() for copy in resource.embedded("a"))
    del resource
    gc.collect()
    decoded = weakref.ref(first.document)
    gc.collect()
    assert (decoded() is not None) is is_held
    assert second["n"] == 1


@pytest.mark.unmeasured
def test_few_documents_decoded_again_are_kept() -> None:
    compact = [Site().resource({"n": number}).compact() for number in range(6)]
    gc.collect()
    decoded = [weakref.ref(copy.document) for copy in compact]
    gc.collect()
    assert [document() is not None for document in decoded] == [False, False, True, True, True, True]


@pytest.mark.unmeasured
def test_a_compact_copy_keeps_the_curies_that_it_inherited() -> None:
    curies = [link("https://docs/{rel}", name="ex", templated=True)]
    resource = Site().resource({"_links": {"curies": curies}, "_embedded": {"a": {"_links": links(**{"ex:b": "/b"})}}})
    compact = resource.embedded("a")[0].compact()
    del resource
    gc.collect()
    assert compact.can("b")


@pytest.mark.unmeasured
def test_a_link_is_not_repeated_by_a_header_once_decoded_again() -> None:
    """References of the header are relative to the URL of the response."""
    body = {"_links": links(a=f"{HOME}/a", b="/v4/b")}
    resource = Site().resource(body, f"{HOME}/x", link="</v4/a>; rel=a, <b>; rel=b, <c>; rel=c")
    counts = {rel: len(found) for rel, found in resource.links.items()}
    compact = resource.compact()
    del resource
    gc.collect()
    assert {rel: len(found) for rel, found in compact.links.items()} == counts == {"a": 1, "b": 1, "c": 1}


# --------------------------------------------------------------------------------------------- age


def test_age_is_the_time_since_it_was_received() -> None:
    site = Site()
    resource = site.resource({})
    site.now += dt.timedelta(seconds=90)
    assert resource.age == 90.0
    site.now = NOON - dt.timedelta(hours=1)
    assert resource.age == 0.0


@pytest.mark.parametrize(
    ("control", "stale"),
    [
        (None, False),
        ("max-age=60", True),
        ('public, MAX-AGE="600"', False),
        ("max-age=0", True),
        ("no-cache", True),
        ("no-store, max-age=600", True),
        ("private", False),
        ("max-age=99999999999999", False),
    ],
)
def test_a_resource_older_than_max_age_is_stale(control: str | None, *, stale: bool) -> None:
    site = Site()
    resource = site.resource({}, **({} if control is None else {"cache-control": control}))
    site.now += dt.timedelta(seconds=90)
    assert resource.stale is stale


# --------------------------------------------------------------------------------------------- reading again


async def test_refresh_keeps_the_state_on_304() -> None:
    site = Site({"": make_response(b"", status=304, content_type="", etag='"2"', cache_control="max-age=5")})
    resource = site.resource({"a": 1}, etag='"1"', last_modified="Mon, 03 Jun 2024 08:35:36 GMT", x="kept")
    site.now += dt.timedelta(seconds=60)
    again = await resource.refresh()
    headers = site.requests[0].headers
    assert headers["If-None-Match"] == '"1"'
    assert headers["If-Modified-Since"] == "Mon, 03 Jun 2024 08:35:36 GMT"
    assert again is not resource
    assert again["a"] == 1
    assert (again.age, resource.age) == (0.0, 60.0)
    assert (again.headers["etag"], again.headers["x"], again.status) == ('"2"', "kept", 200)
    assert again.compact()["a"] == 1


async def test_refresh_returns_the_new_state_if_it_has_changed() -> None:
    site = Site({"": {"a": 2}})
    assert (await site.resource({"a": 1}, etag='"1"').refresh())["a"] == 2


async def test_a_refreshed_resource_can_be_followed() -> None:
    site = Site({"": {"_links": links(a=f"{HOME}/a")}, "/a": {"n": 1}})
    assert (await (await site.resource({}).refresh()).follow("a"))["n"] == 1


async def test_without_validators_refresh_just_reads_again() -> None:
    site = Site({"": {"a": 2}})
    assert (await site.resource({"a": 1}).refresh())["a"] == 2
    assert set(site.requests[0].headers) == {"Accept"}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ("X: y", "^headers must be Mapping or None, not str"),
        ({"X": 1}, "^the header field 'X' must be str, not int"),
        ({1: "x"}, "^the name of a header field must be str, not int"),
    ],
)
async def test_header_fields_of_another_type_are_refused(headers: Any, message: str) -> None:
    site = Site({"": {}})
    resource = site.resource({}, location=HOME)
    for call in (resource.fetch, resource.refresh, resource.follow_location):
        with pytest.raises(TypeError, match=message):
            await call(headers=headers)
    for start in (resource, resource.follow("a")):
        with pytest.raises(TypeError, match=message):
            start.pages(headers=headers)
    assert site.requests == []


async def test_an_embedded_copy_is_refreshed_from_its_own_url() -> None:
    site = Site({"/a": {"a": 2}})
    (copy,) = site.resource({"_embedded": {"a": {"_links": links(self=f"{HOME}/a")}}}, etag='"1"').embedded("a")
    assert (await copy.refresh())["a"] == 2
    assert "If-None-Match" not in site.requests[0].headers


async def test_a_resource_is_fetched_again_in_its_own_type() -> None:
    site = Site({"": {}})
    resource = HalResource.of(make_response(content_type="application/vnd.geo+json; charset=utf-8"), site.context)
    await resource.fetch()
    await resource.refresh()
    assert {request.headers["Accept"].split(",")[0] for request in site.requests} == {"application/vnd.geo+json"}


async def test_an_untyped_resource_is_fetched_again_in_any_type() -> None:
    site = Site({"": {}})
    await HalResource.of(attrs.evolve(make_response(), headers=Headers()), site.context).fetch()
    assert site.requests[0].headers["Accept"] == accept()


# --------------------------------------------------------------------------------------------- keeping

BODY = {
    "a": [1, {"b": "é"}],
    "_links": links(self=f"{HOME}/x", next=f"{HOME}/n"),
    "_embedded": {"c": [{"n": 1, "_links": {"ex:d": link(f"{HOME}/d")}}]},
}


def _pickled(resource: HalResource) -> HalResource:
    dumped: HalResource = pickle.loads(pickle.dumps(resource))
    return dumped


def _dumped(resource: HalResource) -> HalResource:
    return HalResource.load(json.loads(json.dumps(resource.dump())))


@pytest.mark.parametrize("keep", [_pickled, _dumped])
async def test_a_dump_does_not_contain_the_client(keep: Any) -> None:
    resource = Site().resource(BODY, f"{HOME}/x", etag='"1"', set_cookie="secret")
    dumped = keep(resource)
    assert dumped.document == resource.document
    assert (dumped.url, dumped.status, dumped.fetched_at, dumped.headers["etag"]) == (f"{HOME}/x", 200, NOON, '"1"')
    assert "set-cookie" not in dumped.headers
    assert dumped.compact()["a"] == [1, {"b": "é"}]
    assert dumped.age > 0
    assert repr(dumped) == repr(resource)
    assert (await dumped.follow("c"))["n"] == 1
    for act in (dumped.follow("next"), dumped.fetch(), dumped.refresh(), dumped.post(json={})):
        with pytest.raises(DetachedResourceError, match=r"bind it with client\.resume\(dump\)") as caught:
            await act
        assert caught.value.url == f"{HOME}/x"


async def test_a_loaded_resource_can_be_bound_and_followed() -> None:
    site = Site({"/n": {"x": 1}, "/d": {"x": 2}})
    curies = {"curies": [link("https://docs/{rel}", name="ex", templated=True)]}
    resource = site.resource({**BODY, "_links": {**BODY["_links"], **curies}})  # type: ignore[dict-item]  # a mixed dict
    dumped = HalResource.load(pickle.loads(pickle.dumps(resource)).dump(), site.context)
    assert (await dumped.follow("next"))["x"] == 1
    copy = HalResource.load(json.loads(json.dumps(resource.embedded("c")[0].dump())), site.context)
    assert copy.is_embedded
    assert (await copy.follow("https://docs/d"))["x"] == 2
    assert copy.compact()["n"] == 1


def test_a_dump_without_curies_inherits_none() -> None:
    dumped = {name: value for name, value in Site().resource({"n": 1}).dump().items() if name != "curies"}
    assert HalResource.load(dumped)["n"] == 1


def test_a_time_in_a_dump_of_any_offset_is_read_as_utc() -> None:
    dumped = HalResource.load({**Site().resource({}).dump(), "fetched_at": "2024-06-01T14:00:00+02:00"})
    assert dumped.fetched_at.isoformat() == "2024-06-01T12:00:00+00:00"
    assert dumped.fetched_at.tzinfo is dt.UTC


@pytest.mark.parametrize(
    "dumped",
    [
        {},
        {"url": HOME},
        [],
        5,
        {**Site().resource({}).dump(), "body": 5},
        {**Site().resource({}).dump(), "fetched_at": 5},
        {**Site().resource({}).dump(), "fetched_at": "0001-01-01T00:00:00+14:00"},
        {**Site().resource({}).dump(), "status": float("inf")},
        {**Site().resource({}).dump(), "headers": {"etag": 5}},
        {**Site().resource({}).dump(), "headers": {5: "etag"}},
        {**Site().resource({}).dump(), "curies": {"a": None}},
    ],
)
def test_invalid_dumps_are_rejected(dumped: Any) -> None:
    with pytest.raises(ValueError, match=r"^not a dump of a resource: .*; pass the result of resource\.dump\(\)$"):
        HalResource.load(dumped)


@pytest.mark.parametrize("etag", ['"1"\r\nAuthorization: mine', "1\x00", '"é"', " 1", "x" * 2_000, ""])
async def test_a_validator_that_is_not_a_valid_field_is_ignored(etag: str) -> None:
    site = Site({"": {"a": 2}})
    dumped = HalResource.load({**site.resource({"a": 1}).dump(), "headers": {"etag": etag}}, site.context)
    assert (await dumped.refresh())["a"] == 2
    assert set(site.requests[0].headers) == {"Accept"}


def test_repr_of_a_resource_with_many_links_is_short() -> None:
    text = repr(Site().resource({"_links": {f"rel{at}\n": link("/") for at in range(10_000)}}))
    assert "(10000 in all)" in text
    assert text.isprintable()
    assert len(text) < 500
