"""Identity of the answers of writes: which resource a further write would change."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import InvalidLinkError, StellantisError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.resource import HalResource
from tests.navigation.site import HOME, Site
from tests.support.profiles import few_examples
from tests.support.responses import link, links, make_response

pytestmark = pytest.mark.anyio

PEOPLE = f"{HOME}/people"
SEVEN = f"{PEOPLE}/7"
MONITOR = f"{HOME}/jobs/1"


async def _target(
    verb: str, status: int, body: Any = b"", *, to: str = PEOPLE, rel: str | None = None, **fields: Any
) -> str | None:
    """Return the URL that a DELETE of the answer of a write is sent to; None where it is refused."""
    site = Site({to.removeprefix(HOME): make_response(body, url=to, status=status, **fields)})
    context = {"_links": links(go=to)} if rel else {}
    resource = site.resource(context, url=HOME if rel else to)
    answer = await resource.write(verb, rel)
    site.routes = _Everywhere()
    before = len(site.requests)
    try:
        await answer.delete()
    except InvalidLinkError:
        assert len(site.requests) == before
        return None
    assert site.requests[-1].method == "DELETE"
    return site.requests[-1].url


class _Everywhere(dict[str, Any]):
    def __contains__(self, path: object) -> bool:
        return True

    def __getitem__(self, path: str) -> Any:
        return {}


def _self(url: str, **members: Any) -> dict[str, Any]:
    return {"_links": {"self": link(url, **members)}}


@pytest.mark.parametrize(
    ("status", "body", "fields", "expected"),
    [
        (201, _self(SEVEN), {"location": SEVEN}, SEVEN),
        (201, b"", {"location": SEVEN}, SEVEN),
        (201, b"", {"location": "/v4/people/7"}, SEVEN),
        (201, b"", {"location": "people/7"}, SEVEN),
        (201, b"", {"location": f"{SEVEN}{{?projection}}"}, SEVEN),
        (201, _self(SEVEN), {}, SEVEN),
        (201, _self(f"{SEVEN}{{?projection}}", templated=True), {}, SEVEN),
        (200, _self(SEVEN), {}, SEVEN),
        (200, b"", {"content_location": SEVEN}, SEVEN),
        (201, _self("/v4/x"), {"location": "/v4/y", "content_location": SEVEN}, SEVEN),
        (201, _self("/v4/x"), {"location": SEVEN}, SEVEN),
        # of another origin: what another server says of its own resources
        (201, b"", {"location": SEVEN, "content_location": "https://evil.test/people/7"}, SEVEN),
        (200, _self(SEVEN), {"content_location": "http://api.example/v4/x"}, SEVEN),
        (201, b"", {"location": "https://evil.test/people/7"}, "https://evil.test/people/7"),
        # nothing is said
        (201, b"", {}, None),
        (200, {"id": 7}, {}, None),
        (204, b"", {}, None),
        (202, b"", {"location": MONITOR}, None),
        (200, b"", {"location": SEVEN}, None),
        (201, b"", {"location": ""}, None),
        (201, b"", {"location": "urn:people:7"}, None),
        (201, b"", {"location": f"{PEOPLE}/{{id"}, None),
        (200, b"<html>", {}, None),
        # the collection, or one around it
        (201, _self(PEOPLE), {}, None),
        (201, _self(f"{PEOPLE}{{?page}}", templated=True), {}, None),
        (200, _self(f"{PEOPLE}?page=1"), {}, None),
        (201, b"", {"location": PEOPLE}, None),
        (201, b"", {"location": f"{PEOPLE}/"}, None),
        (201, b"", {"location": "/v4/%70eople"}, None),
        (201, b"", {"location": "/"}, None),
        (200, _self(HOME), {}, None),
        (200, b"", {"content_location": PEOPLE}, None),
        (201, _self(SEVEN), {"content_location": PEOPLE, "location": HOME}, SEVEN),
    ],
)
async def test_what_a_post_answers_is_what_is_deleted(
    status: int, body: Any, fields: dict[str, str], expected: str | None
) -> None:
    """Never the collection: that emptied one of a real server."""
    assert await _target("POST", status, body, **fields) == expected
    assert await _target("POST", status, body, rel="go", **fields) == expected


async def test_a_created_resource_may_differ_by_its_query() -> None:
    api = f"{HOME}/api?type=order"
    assert await _target("POST", 201, location="/v4/api?id=7", to=api) == f"{HOME}/api?id=7"
    assert await _target("POST", 201, location="/v4/api?type=order", to=api) is None
    assert await _target("POST", 201, location="/v4/api", to=api) is None
    assert await _target("POST", 200, _self("/v4/api?id=7"), to=api) is None


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("status", "body", "fields", "expected"),
    [
        (201, b"", {}, SEVEN),
        (204, b"", {}, SEVEN),
        (205, b"", {}, SEVEN),
        (200, _self(SEVEN), {}, SEVEN),
        (200, _self(f"{SEVEN}/v2"), {}, f"{SEVEN}/v2"),
        (200, _self("people/7"), {}, SEVEN),  # relative to the root of the API, as Eve has it
        (200, _self("7"), {}, SEVEN),
        (200, _self("8"), {}, f"{PEOPLE}/8"),
        (204, b"", {"content_location": f"{SEVEN}/v2"}, f"{SEVEN}/v2"),
        (201, b"", {"location": f"{HOME}/other"}, f"{HOME}/other"),
        (200, b"", {}, None),
        (200, {"ok": True}, {}, None),
        (202, b"", {"location": MONITOR}, None),
        (200, _self(PEOPLE), {}, None),
        (200, _self(f"{PEOPLE}?page=1"), {}, None),
    ],
)
async def test_what_a_put_answers_is_what_is_deleted(
    verb: str, status: int, body: Any, fields: dict[str, str], expected: str | None
) -> None:
    assert await _target(verb, status, body, to=SEVEN, **fields) == expected


@pytest.mark.parametrize("body", [b"", _self(SEVEN), _self(PEOPLE)])
@pytest.mark.parametrize("status", [200, 204])
async def test_what_was_deleted_is_not_written_to(status: int, body: Any) -> None:
    assert await _target("DELETE", status, body, to=SEVEN) is None


@pytest.mark.parametrize("verb", ["OPTIONS", "REPORT"])
async def test_what_other_methods_answer_is_not_their_target(verb: str) -> None:
    assert await _target(verb, 200, _self(PEOPLE)) is None
    assert await _target(verb, 204) is None


@pytest.mark.parametrize("verb", ["GET", "HEAD"])
async def test_what_was_read_is_its_target(verb: str) -> None:
    assert await _target(verb, 200, {}, to=SEVEN) == SEVEN


async def test_an_unknown_answer_is_not_read_again_either() -> None:
    """The collection would be taken for what was made."""
    site = Site({"/people": make_response({"ok": True}, url=PEOPLE, status=201)})
    made = await site.resource({}, url=PEOPLE).post(json={})
    for read in (made.fetch, made.refresh):
        with pytest.raises(InvalidLinkError, match="name a relation, or use the resource that was written to"):
            await read()
    assert len(site.requests) == 1
    assert (made.url, made["ok"]) == (PEOPLE, True)


async def test_a_known_answer_is_read_again_at_its_own_url() -> None:
    site = Site({"/people": make_response(b"", url=PEOPLE, status=201, location=SEVEN), "/people/7": {"id": 7}})
    made = await site.resource({}, url=PEOPLE).post(json={})
    assert made.url == SEVEN
    assert (await made.fetch())["id"] == (await made.refresh())["id"] == 7


async def test_a_copy_in_an_answer_has_its_own_identity() -> None:
    body = {"_embedded": {"x": [_self(SEVEN), {}]}}
    site = Site({"/people": make_response(body, url=PEOPLE, status=200), "/people/7": {}})
    answer = await site.resource({}, url=PEOPLE).post(json={})
    first, second = answer.embedded("x")
    await first.delete()
    assert site.paths[-1] == "/people/7"
    with pytest.raises(InvalidLinkError, match="has no self link: it cannot be read or written to alone"):
        await second.delete()


# --------------------------------------------------------------------------------------------- a law


_URLS = st.sampled_from((PEOPLE, SEVEN, f"{PEOPLE}/8", f"{PEOPLE}/", f"{PEOPLE}?page=2", HOME, "/", "7", "./", "")) | (
    st.sampled_from((f"{PEOPLE}{{?page}}", f"{PEOPLE}/{{id}}", "https://evil.test/people/7", "/v4/%70eople", MONITOR))
)
_OPTIONAL_URL = st.none() | _URLS


@st.composite
def _replies(draw: st.DrawFn) -> dict[str, Any]:
    """Return what a server may answer to any request."""
    found = draw(_OPTIONAL_URL)
    body = {"_links": {} if found is None else {"self": link(found, templated="{" in found)}}
    fields = {
        # A query in a Location may name what was created.
        "location": draw(_OPTIONAL_URL.filter(lambda url: url is None or "?page=" not in url)),
        "content_location": draw(_OPTIONAL_URL),
        "etag": draw(st.none() | st.just('"1"')),
    }
    status = draw(st.sampled_from([200, 201, 202, 204, 205, 303]))
    given = {name: value for name, value in fields.items() if value is not None}
    return {"body": draw(st.sampled_from([body, b"", b"<html>"])), "status": status, **given}


@attrs.define
class _AnyServer:
    """Answers in turn, whatever is asked."""

    replies: list[dict[str, Any]]
    requests: list[Request] = attrs.field(factory=list)

    def __call__(self, request: Request) -> Any:
        self.requests.append(request)
        return make_response(url=request.url, **self.replies[len(self.requests) % len(self.replies)])


class _AnyRoute(Mapping[str, Any]):
    def __init__(self, server: _AnyServer) -> None:
        self._server = server

    def __contains__(self, path: object) -> bool:
        return True

    def __getitem__(self, path: str) -> Any:
        return self._server

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def _place(url: str) -> list[str]:
    return [unquote(segment) for segment in urlsplit(url).path.split("/") if segment]


_STEPS = st.sampled_from(["post", "put", "patch", "delete", "fetch", "refresh", "follow_location"])


@pytest.mark.unmeasured
@few_examples()
@given(st.lists(_replies(), min_size=1, max_size=6), st.lists(_STEPS, min_size=1, max_size=6))
def test_no_write_reaches_a_url_that_was_not_meant(replies: list[dict[str, Any]], steps: list[str]) -> None:
    """The collection itself is meant once, by its caller; what follows is for what the answers name.

    Each step is done to the answer of the one before. No write that follows a POST to a collection may change it, or
    what is around it; what was read explicitly, by ``fetch``, ``refresh`` or ``follow_location``, is meant, and a new
    start. No write that follows a PUT or PATCH may change what is around their target.
    """
    server = _AnyServer(replies)
    site = Site(_AnyRoute(server))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    async def main() -> None:
        answer: HalResource = site.resource(_self(PEOPLE), url=PEOPLE)
        protected: list[list[str]] = []
        around: list[str] = []
        was_read = True
        for step in ["post", *steps]:
            before = len(server.requests)
            try:
                following = await getattr(answer, step)()
            except StellantisError:
                assert all(request.method == "GET" for request in server.requests[before:])
                return
            sent = [request for request in server.requests[before:] if request.method != "GET"]
            assert len(sent) == (step in {"post", "put", "patch", "delete"})
            for request in sent:
                place = _place(request.url)
                if was_read:
                    protected.clear()
                else:
                    assert all(kept[: len(place)] != place for kept in protected), request.url
                    assert not around or around[: len(place)] != place, request.url
                    assert urlsplit(request.url).query != "page=2"
                if step == "post":
                    protected.append(place)
                around = place[:-1] if step in {"put", "patch"} else []
            was_read = step in {"fetch", "refresh", "follow_location"}
            answer = following

    anyio.run(main)
