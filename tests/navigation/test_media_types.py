"""Media types: the Accept field, and which bodies are documents."""

from typing import Any

import pytest

from stellantis_hal.errors import NotHalError
from stellantis_hal.navigation.fetch_protocol import Response
from stellantis_hal.navigation.media_types import accept, media_type
from stellantis_hal.navigation.resource import HalResource
from tests.navigation.site import HOME, Site
from tests.support.responses import link, make_response

FORMS = "application/prs.hal-forms+json"

pytestmark = pytest.mark.anyio


def _read(**options: Any) -> HalResource:
    return HalResource.of(make_response(url=f"{HOME}/a", **options), Site().context)


@pytest.mark.parametrize(
    "kind",
    [
        "application/hal+json",
        "application/hal+json ",
        " Application/HAL+JSON ; charset = utf-8",
        "application/json",
        "application/vnd.geo+json",
        "application/problem+json",
        "text/json",
        "",
    ],
)
def test_any_kind_of_json_object_is_a_document(kind: str) -> None:
    assert _read(body={"a": 1}, content_type=kind)["a"] == 1


def test_a_document_of_a_wrong_type_is_recognised_by_its_links() -> None:
    assert _read(body={"_links": {}}, content_type="text/plain").rels == ()
    assert _read(body={"_embedded": {}}, content_type="text/html").rels == ()


def test_spaces_before_an_untyped_document_are_ignored() -> None:
    assert _read(body=b' {"a":1}', content_type="")["a"] == 1


def test_a_byte_order_mark_is_ignored() -> None:
    resource = _read(body=b'\xef\xbb\xbf{"a":1}')
    assert resource["a"] == 1
    assert resource.compact()["a"] == 1


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"", "application/hal+json", "an empty body"),
        (b" \n", "application/hal+json", "an empty body"),
        (b"<html>secret", "text/html", "a body that is not JSON"),
        (b"{oops", "text/html", "a body that is not JSON instead of"),
        (b"{oops", "application/json", r"invalid JSON \("),
        (b"[1]", "text/plain", "a body that is not JSON"),
        (b"3", "", "a body that is not JSON"),
        (b'{"a":1}', "text/plain", "an object without links"),
    ],
)
def test_an_invalid_body_names_url_type_and_first_bytes(content: bytes, kind: str, reason: str) -> None:
    with pytest.raises(NotHalError, match=f"https://api.example/v4/a responded 200 with {reason}") as caught:
        _read(body=content, content_type=kind)
    assert caught.value.url == f"{HOME}/a"
    assert caught.value.content_type == kind
    excerpt = content.decode().replace("\n", " ")
    assert caught.value.excerpt == excerpt
    assert repr(excerpt) in str(caught.value)


@pytest.mark.parametrize(("kind", "reported"), [("text/html", "'text/html'"), ("", "'missing'")])
def test_an_invalid_body_names_its_type_or_its_absence(kind: str, reported: str) -> None:
    with pytest.raises(NotHalError, match=f"its content type is {reported}"):
        _read(body=b"<html>", content_type=kind)


def test_the_excerpt_is_short_and_masked() -> None:
    with pytest.raises(NotHalError) as caught:
        _read(body=b"\xff access_token=SECRET " + b"x" * 500, content_type="text/html")
    assert "SECRET" not in str(caught.value)
    assert len(caught.value.excerpt) <= 100


@pytest.mark.parametrize(
    ("preferred", "written"),
    [
        (None, f"{FORMS}, application/hal+json, application/json;q=0.9, application/*+json;q=0.8"),
        (
            "text/x",
            f"text/x, {FORMS};q=0.9, application/hal+json;q=0.9, application/json;q=0.8, application/*+json;q=0.7",
        ),
        (
            "application/hal+json",
            f"application/hal+json, {FORMS};q=0.9, application/json;q=0.8, application/*+json;q=0.7",
        ),
    ],
)
def test_accept_lists_the_preferred_type_first(preferred: str | None, written: str) -> None:
    assert accept(preferred) == written


@pytest.mark.parametrize("hint", ["", " ", "text/x\r\nX-Evil: 1", "text/é", "x" * 300, "a\x00b"])
def test_an_invalid_hint_is_ignored(hint: str) -> None:
    assert accept(hint) == accept()


def test_a_hint_has_256_characters_at_most() -> None:
    assert accept("x" * 256).startswith("x" * 256 + ", ")
    assert accept("x" * 257) == accept()


async def test_the_type_hint_of_a_link_is_asked_for() -> None:
    """Unless the caller names another type."""
    site = Site({"/a": {}})
    resource = site.resource({"_links": {"a": link(f"{HOME}/a", type="application/vnd.geo+json")}})
    await resource.follow("a")
    await resource.follow("a", accept="text/mine")
    await resource.fetch_url(f"{HOME}/a", accept_type="text/other")
    assert [request.headers["Accept"].split(",")[0] for request in site.requests] == [
        "application/vnd.geo+json",
        "text/mine",
        "text/other",
    ]


def test_parameters_of_a_type_are_read() -> None:
    assert media_type('a/b; Profile="https://p" ;x') == ("a/b", {"profile": "https://p", "x": ""})


def test_repr_of_a_response_omits_its_body() -> None:
    assert "secret" not in repr(make_response(b"secret"))
    assert isinstance(make_response(), Response)


def test_long_types_are_not_cached() -> None:
    assert accept("x" * 1_000_000) == accept()
    assert media_type("application/json;" + "x" * 1_000_000)[0] == "application/json"
