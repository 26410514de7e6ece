"""Forms of resources (HAL-FORMS): targets, requests, choices and the resources that respond."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal.errors import (
    FormError,
    HalError,
    InvalidLinkError,
    LinkNotFoundError,
    NotFoundError,
    UntrustedOriginError,
)
from stellantis_hal.hal.forms import Choice
from stellantis_hal.navigation.forms import Form
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody
from tests.navigation.site import HOME, Site
from tests.support.responses import links, make_response

pytestmark = pytest.mark.anyio

SPRING = {
    "_links": {"self": {"href": f"{HOME}/employees/1"}, "employees": {"href": f"{HOME}/employees"}},
    "name": "Frodo",
    "_templates": {
        "default": {
            "method": "PUT",
            "properties": [
                {"name": "firstName", "required": True, "type": "text", "value": "Frodo"},
                {"name": "role", "options": {"inline": ["ring bearer", "burglar"], "minItems": 1, "maxItems": 1}},
            ],
        },
        "delete": {"method": "DELETE", "properties": []},
        "partially": {"method": "patch", "properties": [{"name": "role", "regex": "[a-z ]+"}]},
    },
}


def form_of(template: dict[str, Any], site: Site | None = None, **document: Any) -> Form:
    return (site or Site()).resource({"_templates": {"add": template}, **document}).forms["add"]


def requested(site: Site) -> list[tuple[str, str, Any]]:
    return [(request.method, request.url.removeprefix(HOME), request.content) for request in site.requests]


async def test_forms_are_found_by_key_and_default() -> None:
    """F3, F9."""
    forms = Site().resource(SPRING).forms
    assert [*forms] == ["default", "delete", "partially"]
    assert (len(forms), "delete" in forms, "no" in forms) == (3, True, False)
    assert forms.default.key == "default"
    assert [(form.title, form.method) for form in forms.values()] == [
        ("default", "PUT"), ("delete", "DELETE"), ("partially", "PATCH"),
    ]  # fmt: skip
    assert [(field.name, field.prompt) for field in forms.default.fields] == [
        ("firstName", "firstName"),
        ("role", "role"),
    ]
    assert forms.default["role"].options is not None
    with pytest.raises(KeyError):
        forms.default["nope"]
    assert forms.diagnostics == forms.default.diagnostics == ()
    assert repr(forms) == "Forms(default, delete, partially)"
    assert repr(forms.default) == "<Form 'default' 'PUT' fields=[firstName, role]>"
    assert "Frodo" not in repr(forms.default["firstName"])


async def test_a_missing_form_names_those_there_are() -> None:
    forms = Site().resource(SPRING).forms
    with pytest.raises(
        LinkNotFoundError, match=r"no form 'add' at .*; its forms are: default, delete, partially"
    ) as caught:
        forms["add"]
    assert (caught.value.rel, caught.value.available) == ("add", ("default", "delete", "partially"))
    assert forms.get("add") is None
    assert forms.get("add", forms.default) is not None
    assert forms.get("delete") is not None
    with pytest.raises(LinkNotFoundError, match="its forms are: none"):
        _ = Site().resource({}).forms.default


async def test_a_form_is_sent_and_answered_by_a_resource() -> None:
    site = Site(
        {"/employees/1": make_response({"_links": links(next=f"{HOME}/n")}, url=f"{HOME}/employees/1"), "/n": {"x": 1}}
    )
    employee = site.resource(SPRING, url=f"{HOME}/employees/1")
    changed = await employee.forms.default.submit(role="burglar")
    assert isinstance(changed, HalResource)
    assert requested(site) == [("PUT", "/employees/1", b'{"firstName":"Frodo","role":"burglar"}')]
    assert site.requests[0].headers["Content-Type"] == "application/json"
    assert employee.stale
    assert (await changed.follow("next"))["x"] == 1


async def test_a_form_without_fields_has_no_body() -> None:
    """F6."""
    site = Site({"/employees/1": make_response(b"", status=204, content_type="")})
    employee = site.resource(SPRING)
    gone = await employee.forms["delete"].submit()
    assert requested(site) == [("DELETE", "/employees/1", None)]
    assert "Content-Type" not in site.requests[0].headers
    assert (gone.status, dict(gone.state)) == (204, {})
    assert form_of({"method": "POST"}).preview().content is None
    assert form_of({"method": "POST"}).preview(extra={"a": 1}).content == b'{"a":1}'
    assert form_of({"method": "POST", "properties": [{"name": "a"}]}).preview().content == b"{}"


async def test_forms_ask_for_documents_with_forms() -> None:
    """F1."""
    assert form_of({}).preview().headers["Accept"].startswith("application/prs.hal-forms+json, application/hal+json")


@pytest.mark.parametrize(
    ("target", "own", "url"),
    [
        (None, f"{HOME}/me", f"{HOME}/me"),
        (" ", "/me", "https://api.example/me"),
        (5, None, HOME),
        ("a?b=1#c", None, "https://api.example/a?b=1"),
        ("/x y", None, "https://api.example/x y"),
        ("/é", None, "https://api.example/%C3%A9"),
        ("//other.example/a", None, "https://other.example/a"),
        ("/a{?b}", None, "https://api.example/a"),
        (None, {"href": "/me{?x}", "templated": True}, "https://api.example/me"),
    ],
)
async def test_targets(target: Any, own: Any, url: str) -> None:
    """F7: itself where the document states none; relative to the response; not necessarily a link."""
    form = form_of({"target": target}, _links={} if own is None else links(self=own))
    assert form.url == form.preview().url == url


async def test_a_form_of_a_copy_is_sent_to_the_copy() -> None:
    """F28."""
    site = Site({"/items/1": {}})
    template = {"_templates": {"default": {"method": "DELETE"}, "x": {"method": "POST", "target": "../x"}}}
    page = site.resource({"_embedded": {"a": [{"_links": links(self=f"{HOME}/items/1"), **template}, template]}})
    first, second = page.embedded("a")
    await first.forms.default.submit()
    assert requested(site) == [("DELETE", "/items/1", None)]
    assert not page.stale
    assert second.forms.default.url is None
    with pytest.raises(InvalidLinkError, match=r"has no target, and the copy .* has no self link: it cannot be sent"):
        await second.forms.default.submit()
    assert second.forms["x"].preview().url == "https://api.example/x"
    assert len(site.requests) == 1
    nested = site.resource({"lines": [{"_links": links(self="/l/1"), **template}]}).at("lines", 0)
    assert nested.forms.default.url == "https://api.example/l/1"


async def test_queries_replace_that_of_the_target() -> None:
    """F22, and F6: without fields nothing is replaced."""
    site = Site({"/s?q=a%20b&n=1&n=2": {"found": 1}})
    form = form_of({"target": f"{HOME}/s?old=1", "properties": [{"name": "q"}, {"name": "n"}, {"name": "none"}]}, site)
    found = await form.submit(q="a b", n=[1, 2], none=None)
    assert found["found"] == 1
    assert requested(site) == [("GET", "/s?q=a%20b&n=1&n=2", None)]
    assert "Content-Type" not in site.requests[0].headers
    assert form.preview(q="x", keep_query=True).url == f"{HOME}/s?old=1&q=x"
    text: Any = "no"
    with pytest.raises(TypeError, match=r"^keep_query must be bool, not str$"):
        form.preview(q="x", keep_query=text)
    assert form.preview().url == f"{HOME}/s"
    assert form_of({"method": "DELETE", "target": "/a?v=1"}).preview().url == "https://api.example/a?v=1"


async def test_urlencoded_forms() -> None:
    """F23."""
    fields = [{"name": "a", "type": "number"}, {"name": "b"}, {"name": "c"}, {"name": "d"}, {"name": "e"}]
    form = form_of({"method": "POST", "contentType": "application/x-www-form-urlencoded; a=b", "properties": fields})
    made = form.preview(a="5", b=True, c=None, d=["x y", "&"], e={"k": {"l": 1}})
    assert made.content == b"a=5&b=true&d=x+y&d=%26&e.k.l=1"
    assert made.headers["Content-Type"] == "application/x-www-form-urlencoded"


async def test_json_forms_keep_types() -> None:
    """F23: under the stated name."""
    form = form_of({"method": "POST", "contentType": "application/vnd.x+json", "properties": [
        {"name": "a", "type": "number"}, {"name": "b"}, {"name": "c"}, {"name": "d", "value": 0}]})  # fmt: skip
    made = form.preview(a="5", b=True, c=None)
    assert made.content == b'{"a":5,"b":true,"c":null,"d":0}'
    assert made.headers["Content-Type"] == "application/vnd.x+json"


async def test_files_are_sent_in_multipart_forms(tmp_path: Path) -> None:
    """F27."""
    (tmp_path / "scan.txt").write_bytes(b"content")
    fields = [
        {"name": "name"},
        {"name": "scan", "type": "file", "value": "/etc/passwd"},
        {"name": "more", "type": "file"},
    ]
    form = form_of({"method": "POST", "contentType": "multipart/form-data", "properties": fields})
    made = form.preview(name="Ann", files={"scan": tmp_path / "scan.txt", "more": [b"1", ("b.bin", b"2")]})
    assert made.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert isinstance(made.content, StreamedRequestBody)
    body = b"".join([chunk async for chunk in made.content.open()])
    assert b'name="name"\r\n\r\nAnn' in body
    assert b'name="scan"; filename="scan.txt"' in body
    assert b"content" in body
    assert body.count(b'name="more"') == 2
    plain = form.preview(name="Ann")
    assert isinstance(plain.content, bytes)
    assert b"passwd" not in plain.content


@pytest.mark.parametrize("template", [{"method": "BREW"}, {"method": "POST", "contentType": "text/xml"},
                                      {"method": "POST", "properties": [{"name": "a", "required": True}]},
                                      {"method": "POST", "target": "/a{?x}"}])  # fmt: skip
async def test_faulty_forms_send_nothing(template: Any) -> None:
    site = Site()
    with pytest.raises(FormError) as caught:
        await form_of(template, site).submit()
    assert (caught.value.url, site.requests) == (HOME, [])


async def test_unknown_and_doubled_fields_are_type_errors() -> None:
    """F25."""
    form = form_of({"properties": [{"name": "a-b"}, {"name": "c"}]})
    assert form.preview({"a-b": 1}, c=2).url == f"{HOME}?a-b=1&c=2"
    with pytest.raises(TypeError, match=r"has no field 'd'; its fields are: a-b, c"):
        form.preview(d=1)
    with pytest.raises(TypeError, match="'c': passed twice"):
        form.preview({"c": 1}, c=2)


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_stated_values_that_cannot_be_sent(method: str, kind: str | None) -> None:
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    for value, reason in (("\ud800", "it is no text of Unicode"), (deep, "nested")):
        template = {"method": method, "contentType": kind, "properties": [{"name": "a", "value": value}]}
        content = json.dumps({"_templates": {"add": template}}).encode()
        form = HalResource.of(make_response(content), Site().context).forms["add"]
        if value is deep and (method, kind) == ("POST", None):
            assert form.preview().content is not None
            continue
        with pytest.raises(FormError, match=reason) as caught:
            form.preview()
        assert list(caught.value.errors) == [""]


async def test_unchecked_patterns_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    form = form_of({"properties": [{"name": "a", "regex": "["}]}, Site({"?a=x": {}}))
    assert form.preview(a="x").unchecked == {"a": "the pattern cannot be read"}
    with caplog.at_level(logging.WARNING, "stellantis_hal"):
        await form.submit(a="x")
    assert caplog.messages == ["the field 'a' of the form 'add' was not checked: the pattern cannot be read"]


async def test_a_detached_form_can_be_read_not_sent() -> None:
    form = HalResource.load(Site().resource(SPRING).dump()).forms.default
    assert (form.preview().method, form.content_type) == ("PUT", "application/json")
    with pytest.raises(HalError, match="has no client"):
        await form.submit()


# ------------------------------------------------------------------------------------------------- choices


def _with_link(site: Site, **link: Any) -> Form:
    options = {"link": {"href": f"{HOME}/all", **link}, "promptField": "label", "valueField": "id"}
    return form_of({"properties": [{"name": "a", "options": options}, {"name": "b"}]}, site)


ANN = {"id": 1, "label": "Ann", "x": 5}
BOB = {"id": 2, "label": "Bob"}


@pytest.mark.parametrize(
    "reply",
    [
        make_response([ANN, BOB, None], url=f"{HOME}/all"),
        make_response({"_embedded": {"people": [ANN, BOB], "other": {}}}, url=f"{HOME}/all"),
        make_response(b"label,id\r\nAnn,1\r\nBob,2\r\n", content_type="text/csv; charset=utf-8"),
        make_response("\ufeffAnn,1\n\nBob,2".encode(), content_type="text/csv"),
    ],
)
async def test_choices_behind_a_link(reply: Any) -> None:
    """F18, F19."""
    site = Site({"/all": reply})
    field = _with_link(site)["a"]
    assert [(choice.prompt, str(choice.value)) for choice in await field.choices()] == [("Ann", "1"), ("Bob", "2")]
    assert requested(site) == [("GET", "/all", None)]
    assert site.requests[0].headers["Accept"].endswith("text/csv;q=0.5")


async def test_values_alone_are_choices_too() -> None:
    site = Site({"/all": make_response(b"x\ny", content_type="text/csv"), "/few?q=x": ["x", 5]})
    assert await _with_link(site)["a"].choices() == (Choice("x", "x"), Choice("y", "y"))
    few = _with_link(site, href=f"{HOME}/few{{?q}}", templated=True, type="text/csv")["a"]
    assert await few.choices(q="x") == (Choice("x", "x"), Choice("5", 5))
    assert site.requests[1].headers["Accept"].startswith("text/csv, ")


async def test_stated_choices_need_no_request() -> None:
    """F17: nor does a field without options."""
    site = Site()
    form = form_of(
        {"properties": [{"name": "a", "options": {"inline": [1], "link": {"href": "/no"}}}, {"name": "b"}]}, site
    )
    assert await form["a"].choices() == (Choice("1", 1),)
    assert await form["b"].choices() == ()
    assert site.requests == []


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"people": [1]}, "something else than a list"),
        ({"_embedded": {"a": [], "b": []}}, "something else than a list"),
        (make_response(b"<html>", content_type="text/html"), "it is 'text/html'"),
        ({"_embedded": 5}, "it begins"),
        (make_response(b"x" * 200_000, content_type="text/csv"), "something else"),
        ([{"label": "Ann"}], "has the member 'id'"),
    ],
)
async def test_unreadable_choices_are_errors(reply: Any, message: str) -> None:
    """F19: the field stays a text field."""
    site = Site({"/all": reply, "?a=any": {}})
    form = _with_link(site)
    with pytest.raises(HalError, match=message):
        await form["a"].choices()
    await form.submit(a="any")


@pytest.mark.parametrize("error", [NotFoundError("no", status=404), UntrustedOriginError("no")])
async def test_choices_that_cannot_be_fetched_are_errors(error: Exception) -> None:
    with pytest.raises(type(error)):
        await _with_link(Site({"/all": error}))["a"].choices()


@pytest.mark.parametrize(
    "reply", [[*range(20_000)], make_response(b"1\n" * 40_000, url=f"{HOME}/all", content_type="text/csv"), [1, [2]]]
)
async def test_choices_are_bounded_and_told(reply: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "stellantis_hal"):
        found = await _with_link(Site({"/all": reply}))["a"].choices()
    assert len(found) in {1, 10_000}
    assert caplog.messages == [f"only {len(found)} of the items at {HOME}/all are read as choices of the field 'a'"]


async def test_a_cycle_of_choices_is_one_request() -> None:
    """The choices' own document has the same form: nothing is followed from there."""
    document = {"_embedded": {"a": [ANN]}, "_links": links(next=HOME), "_templates": {"add": {"properties": [
        {"name": "a", "options": {"link": {"href": HOME}, "valueField": "id"}}]}}}  # fmt: skip
    site = Site({"": document})
    await site.resource(document).forms["add"]["a"].choices()
    assert len(site.requests) == 1
