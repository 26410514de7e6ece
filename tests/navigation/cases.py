"""Calls of navigation whose outcomes stand in ``outcomes.txt``.

``python -m tests.support.outcomes tests.navigation.cases`` renews that file.
"""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs

from stellantis_hal.errors import ApiError, NetworkError
from stellantis_hal.hal import link_header
from stellantis_hal.hal.document import parse
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation import (
    conditions,
    link_selection,
    media_types,
    multipart,
    option_checks,
    origins,
    request_headers,
    streamed_request_bodies,
    written_resource,
)
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.download import Download
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.fetch_protocol import Request, Response, StreamedResponse
from stellantis_hal.navigation.link_selection import LinkQuery
from stellantis_hal.navigation.pagination.item_selection import ItemLocation
from stellantis_hal.navigation.pagination.page_token import PageToken
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax
from stellantis_hal.navigation.pagination.raw_page import page_url, total_of
from stellantis_hal.navigation.pagination.recent_ids import RecentIds
from stellantis_hal.navigation.pagination.visited_pages import VisitedPages
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.typed_rel import Rel
from stellantis_hal.navigation.writes import read_outcome
from tests.navigation.site import HOME, Site
from tests.support.outcomes import Case
from tests.support.responses import HAL, link, make_response

__all__ = ["CASES", "FILE"]

FILE: Final = Path(__file__).with_name("outcomes.txt")
CASES: Final[dict[str, Case]] = {}

_value: Any  # names of loops below
_found: Any
_fields: Any
_options: Any
_option: Any
_at: Any
_own: Any
_source: Any
_file: Any
_text: Any
_huge: Any
_key: Any

LONG: Final = "l" * 100
MANY: Final = [link("/v4/m1", name="one"), link("/v4/m2", name="two", title="T"), link("/v4/m3", name="two")]
RICH: Final[dict[str, Any]] = {
    "id": 7,
    "name": "rich",
    "nested": {"_links": {"self": link("/v4/nested"), "one": link("n/one")}, "x": 1},
    "none": [],
    "_links": {
        "self": link("/v4/rich", type="application/vnd.rich+json"),
        "curies": [link("https://docs.example/{rel}", name="ex", templated=True)],
        "one": link("/v4/one", type="application/vnd.one+json"),
        "many": MANY,
        "same": [link("/v4/same"), link("/v4/same", title="again")],
        "ex:thing": link("/v4/thing"),
        "template": link("/v4/t{?page,size}", templated=True),
        "needs": link("/v4/{id}/n", templated=True),
        "broken": link("/{*x}", templated=True),
        "null": link(None),
        "bad": link(5),
        "nulls": [link(None), link("/v4/notnull")],
        "old": link("/v4/old", deprecation="https://docs.example/gone"),
        "foreign": link("https://elsewhere.example/x"),
        "fragment": link("/v4/f?a=1#part"),
        "copied": link("/v4/copied"),
        "moved": link("/v4/moved"),
        "absent": link("/v4/absent"),
        "profile": link("/v4/profile"),
        "empty": [],
    },
    "_embedded": {
        "copied": {"id": 1, "_links": {"self": link("/v4/copied", type="application/vnd.copied+json")}},
        "moved": {"id": 2, "_links": {"self": link("/v4/elsewhere")}},
        "copies": [{"id": 3, "_links": {"self": link("/v4/c3", name="three")}}, {"id": 4}],
        "bare": {"id": 5},
        "Cased": {"id": 6},
        "none": [],
    },
}


class _Everywhere(dict[str, Any]):
    """Routes that answer each path with a document of the path, unless one is given."""

    def __contains__(self, path: object) -> bool:
        return super().__contains__(path) or path != "/absent"

    def __missing__(self, path: str) -> Any:
        return {"at": path, "_links": {"self": link(f"/v4{path}"), "next": link("/v4/next")}}


def _site(requests: list[Request], **routes: Any) -> Site:
    return Site(_Everywhere({f"/{name}": reply for name, reply in routes.items()}), requests=requests)


def _rich(requests: list[Request], body: Any = RICH, **fields: Any) -> HalResource:
    if body is FORMS:
        body = json.dumps(body).encode()  # it has half a character, which is no UTF-8
    return _site(requests).resource(body, f"{HOME}/here", **fields)


def _add(name: str, case: Case) -> None:
    assert name not in CASES, name
    CASES[name] = case


def _call(name: str, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Add a call of a function that sends nothing."""
    _add(name, lambda _: function(*args, **options))


def _on(name: str, use: Callable[[Any], Any], body: Any = RICH, **fields: Any) -> None:
    """Add a use of a resource."""
    _add(name, lambda requests: use(_rich(requests, body, **fields)))


def _method(rel: str | None, method: str = "follow", /, **options: Any) -> Callable[[HalResource], Any]:
    def use(resource: HalResource) -> Any:
        return getattr(resource, method)(*([] if rel is None else [rel]), **options)

    return use


# ------------------------------------------------------------------------------------------- links


def _is_titled(found: Any) -> bool:
    return found.title is not None


OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "": {},
    " by name": {"name": "two"},
    " by a name that is absent": {"name": "nobody"},
    " by index": {"index": 1},
    " by index from the end": {"index": -1},
    " by an index too large": {"index": 3},
    " by an index too small": {"index": -4},
    " by a predicate": {"where": _is_titled},
    " with variables": {"variables": {"page": 2, "id": "a b"}},
    " with parameters": {"params": {"p": [1, None, "x y"], "q": True, "r": None}},
    " never embedded": {"embedded": "never"},
    " only embedded": {"embedded": "only"},
    " with a media type": {"accept": "text/csv"},
    " with header fields": {"headers": {"X-A": "1", "accept": "text/plain"}},
}
RELS: Final = [
    "one",
    "many",
    "same",
    "ex:thing",
    "thing",
    "https://docs.example/thing",
    "template",
    "needs",
    "broken",
    "null",
    "bad",
    "nulls",
    "old",
    "foreign",
    "fragment",
    "copied",
    "moved",
    "absent",
    "copies",
    "bare",
    "Cased",
    "CASED",
    "none",
    "empty",
    "one2",
    "zzz",
]
for _rel in RELS:
    for _label, _options in OPTIONS.items():
        if not _label or _rel in {
            "one",
            "many",
            "same",
            "template",
            "nulls",
            "copied",
            "moved",
            "copies",
            "bare",
            "zzz",
        }:
            _on(f"follow {_rel}{_label}", _method(_rel, "follow", **_options))
    _on(f"expand {_rel}", _method(_rel, "expand", params={"p": 1}))
    _on(f"can {_rel}", _method(_rel, "can"))
    _on(f"embedded {_rel}", _method(_rel, "embedded"))
    _on(f"docs of {_rel}", _method(_rel, "docs_url"))

CURIED: Final = {
    "_links": {
        "curies": [link(f"https://docs.example/{name}/{{rel}}", name=name, templated=True) for name in "ab"],
        "a:x": link("/v4/ax"),
        "b:x": link("/v4/bx", name="b"),
        "a:y": link("/v4/ay"),
    },
    "_embedded": {"a:z": {"id": 1}, "b:z": {"id": 2}},
}
for _rel in ("x", "y", "z", "a:x", "https://docs.example/b/x"):
    _on(f"follow a relation with two prefixes: {_rel}", _method(_rel), CURIED)

HEADED: Final = '</v4/h1>; rel="one"; title="h", </v4/h2>; rel="other", </v4/h3>; rel="other"; title="t"'
_on("follow a link of the body before that of the header", _method("one"), link=HEADED)
_on("follow links of the header", _method("other"), link=HEADED)
_on("links of a header", lambda found: dict(found.links), {"_links": {}}, link=HEADED)
_on("follow a relation of a nested object", lambda found: found.at("nested").follow("one"))
_on("follow a missing relation of a nested object", lambda found: found.at("nested").follow("two"))
_on("follow a missing relation of a copy", lambda found: found.embedded("copied")[0].follow("on"))
_on("follow a missing relation of an empty document", _method("one"), {})
_on("a nested object that is absent", lambda found: found.at("nested", "no"))
_on("a nested object", lambda found: found.at("nested"))


async def _chain(resource: HalResource, *rels: str, **options: Any) -> Any:
    found: Any = resource
    for rel in rels:
        found = found.follow(rel, **options)
    return repr(found), found.path, await found


_on("a chain", lambda found: _chain(found, "one", "next", "next"))
_on("a chain whose second link is absent", lambda found: _chain(found, "one", "no", "next"))
_on("a chain whose first link fails", lambda found: _chain(found, "absent", "next"))
_on("a chain with a note of three links", lambda found: _chain(found, "one", "next", "zzz"))


async def _expand_chain(found: HalResource, rel: str, **options: Any) -> Any:
    first = found.follow(rel, variables={"page": 1}, params={"a": 1})
    return await first.expand(**options), await first.expand(), await first.resolve_url({"b": 2})


_on("expand a chain with variables", lambda found: _expand_chain(found, "template", variables={"size": 3}))
_on("expand a chain with parameters", lambda found: _expand_chain(found, "template", params={"b": 2, "a": 3}))
_on("expand a chain without a link", lambda found: _expand_chain(found, "no"))
_on("fetch a URL from a chain", lambda found: found.follow("one", accept="text/a").fetch_url(f"{HOME}/x"))
_on(
    "fetch a URL from a chain with fields", lambda found: found.follow("one", headers={"X": "1"}).fetch_url(f"{HOME}/x")
)
_on("follow a typed relation", lambda found: found.follow(Rel("one", HalResource, accept="text/one")))
_on("follow a typed relation with a media type", lambda found: found.follow(Rel("one", HalResource), accept="text/2"))
_on("follow a typed relation without a converter", lambda found: found.follow(Rel("one", int)))
_on("follow something else than a relation", lambda found: found.follow(5))
_on("a follow of a chain that is resumed", lambda found: found.follow("one").follow("next").previous.resource())


async def _all(found: HalResource, rel: str, **options: Any) -> list[Any]:
    async with found.follow_all(rel, **options) as results:
        return [(one.link, one.error, one.resource) async for one in results]


for _rel in (
    "many",
    "one",
    "copies",
    "copied",
    "moved",
    "absent",
    "null",
    "bad",
    "nulls",
    "zzz",
    "empty",
    "none",
    "same",
):
    _on(f"follow all {_rel}", partial(lambda rel, found: _all(found, rel), _rel))
_on("follow all with header fields", lambda found: _all(found, "many", headers={"X-A": "1"}, limit=1))
_on("follow all with a header field that is none", lambda found: _all(found, "many", headers={"X A": "1"}))
_on("follow all at a limit of 0", lambda found: _all(found, "many", limit=0))

for _call_name in ("follow", "post", "put", "fetch", "get", "no"):
    for _option, _value in (
        ("nam", "x"),
        ("pag", 1),
        ("name", 1),
        ("index", "1"),
        ("index", True),
        ("where", 5),
        ("variables", "x"),
        ("params", [1]),
        ("embedded", "x" * 90),
        ("accept", 5),
        ("headers", "X"),
        ("headers", {"a b": "c"}),
        ("json", 1),
        ("if_match", 5),
        ("prefer", 1),
        ("files", 1),
        ("idempotency_key", 5),
        ("content_type", None),
    ):
        if _call_name in {"follow", "put"} or _option in {"nam", "pag"}:
            _allowed = option_checks.FOLLOW_OPTIONS if _call_name == "follow" else option_checks.WRITE_OPTIONS
            _call(
                f"options of {_call_name}: {_option}={str(_value)[:9]!r}",
                option_checks.check_options,
                _call_name,
                {_option: _value},
                _allowed,
            )
_call(
    "options: several that are unknown",
    option_checks.check_options,
    "get",
    dict.fromkeys(["nmae", "b" * 300], 1),
    option_checks.REQUEST_OPTIONS,
)
for _mode in ("prefer", "never", "only", "x"):
    _call(f"a query with embedded={_mode}", LinkQuery, rel="a", embedded=_mode)
_call("a query with variables of another type", LinkQuery, rel="a", variables=[1])
_call("a query with parameters of another type", LinkQuery, rel="a", params="x")
_call("parameters", link_selection.encode_params, {"a": [1, None, True], "b": None, "c d": "e&f", "g": 1.5, "h": ()})

# ------------------------------------------------------------------------------------------- resources


async def _pages(found: Any, *args: Any, **options: Any) -> list[Any]:
    return [(page.number, page.total, page.items, page.token is None) async for page in found.pages(*args, **options)]


VIEWS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "repr": repr,
    "state": dict,
    "kind": lambda found: found.kind,
    "object": lambda found: dict(found.require_object()),
    "rels": lambda found: found.rels,
    "profile": lambda found: found.profile,
    "preferences": lambda found: found.preferences_applied,
    "location": lambda found: found.location,
    "age": lambda found: (found.age, found.stale, found.from_cache, found.fetched_at),
    "dump": lambda found: found.dump(),
    "fetch": lambda found: found.fetch(headers={"X-A": "2"}),
    "refresh": lambda found: found.refresh(),
    "refresh with fields": lambda found: found.refresh(headers={"X-A": "2"}),
    "own": lambda found: (found.url, found.base, found.self_url, found.is_embedded, found.status),
    "follow its location": lambda found: found.follow_location(headers={"X-A": "1"}),
    "pages": _pages,
    "loaded": lambda found: HalResource.load(found.dump()),
    "loaded, followed": lambda found: HalResource.load(found.dump()).follow("one"),
    "compact": lambda found: found.compact(),
    "as itself": lambda found: found.as_(HalResource) is found,
    "as a number": lambda found: found.as_(int),
    "a property": lambda found: (found.get("name"), found.get("no", 1), "name" in found, found["name"]),
}
TAGGED: Final = {
    "etag": '"v1"',
    "last_modified": "Sat, 01 Jun 2024 10:00:00 GMT",
    "cache_control": "max-age=0",
    "content_type": "application/hal+json; profile=p",
    "preference_applied": "return=minimal, , wait=1",
    "location": "/v4/new{?x}#f",
    "age": "5",
}
BODIES: Final[Mapping[str, tuple[Any, dict[str, Any]]]] = {
    "a document": (RICH, {}),
    "a document with fields": (RICH, TAGGED),
    "an array": ([1, {"a": 2}, [3]], {"content_type": "application/json"}),
    "a number": (5, {"content_type": "application/json"}),
    "no body": (b"", {"status": 204}),
}


for _body, (_value, _fields) in BODIES.items():
    for _view, _use in VIEWS.items():
        _on(f"{_body}: {_view}", _use, _value, **_fields)
for _view in ("repr", "fetch", "refresh", "own", "dump", "profile", "loaded", "compact"):
    _on(f"a copy: {_view}", partial(lambda use, found: use(found.embedded("copied")[0]), VIEWS[_view]))
    _on(f"a copy without self: {_view}", partial(lambda use, found: use(found.embedded("bare")[0]), VIEWS[_view]))
    _on(f"a nested one: {_view}", partial(lambda use, found: use(found.at("nested")), VIEWS[_view]))


async def _refreshed(requests: list[Request], reply: Any, body: Any = RICH, **fields: Any) -> Any:
    site = _site(requests, here=reply)
    found = site.resource(body, f"{HOME}/here", **(fields or TAGGED))
    renewed = await found.refresh()
    return renewed, dict(renewed.headers), renewed.links.get("later"), renewed.age


def _reply(status: int, body: Any = b"", **fields: Any) -> Response:
    return make_response(body, url=f"{HOME}/here", status=status, **fields)


_add("refresh: unchanged", lambda requests: _refreshed(requests, _reply(304, etag='"v1"', cache_control="max-age=9")))
_add("refresh: unchanged, new links", lambda requests: _refreshed(requests, _reply(304, link='</l>; rel="later"')))
_add(
    "refresh: unchanged without a body, new links",
    lambda requests: _refreshed(requests, _reply(304, link='<l>; rel="later"'), b"", status=204, etag='"v1"'),
)
_add("refresh: changed", lambda requests: _refreshed(requests, _reply(200, {"b": 1}, etag='"v2"')))
_add("refresh: not found", lambda requests: _refreshed(requests, ApiError("no", status=404, url=f"{HOME}/here")))
_add("refresh: 304 to no condition", lambda requests: _refreshed(requests, _reply(304), status=200))


async def _error_resource(requests: list[Request], error: ApiError, method: str = "get") -> Any:
    site = _site(requests, fails=error)
    entry = EntryPoint(HOME, site.context)
    try:
        await (entry.get(f"{HOME}/fails") if method == "get" else entry.request(method, f"{HOME}/fails"))
    except ApiError as caught:
        found: Any = caught.resource
        return None if found is None else (found, found.rels, found.dump(), found.fetched_at)


for _label, _error in {
    "with a document": ApiError("no", status=409, url=f"{HOME}/fails", document={"a": 1, "_links": {"b": link("c")}}),
    "with links": ApiError("no", status=409, url=f"{HOME}/fails", headers={"link": '<d>; rel="e"', "x": "y"}),
    "with neither": ApiError("no", status=409, url=f"{HOME}/fails"),
    "without a URL": ApiError("no", status=409, document={"a": 1}, headers={"link": '<d>; rel="e"'}),
}.items():
    for _verb in ("get", "PUT"):
        _add(
            f"an error {_label}: {_verb}",
            partial(lambda error, verb, requests: _error_resource(requests, error, verb), _error, _verb),
        )

for _label, _value in {
    "nothing": {},
    "no mapping": {"body": 1},
    "another kind": {"body": {}, "headers": {}, "url": "u", "kind": "array", "status": 200, "fetched_at": "2024-06-01"},
    "a wrong status": {"body": {}, "headers": {}, "url": "u", "status": "x", "fetched_at": "2024-06-01T00:00:00Z"},
    "a wrong time": {"body": {}, "headers": {}, "url": "u", "status": 200, "fetched_at": "yesterday"},
    "a wrong field": {"body": {}, "headers": {"a": 1}, "url": "u", "status": 200, "fetched_at": "2024-06-01T00:00:00Z"},
    "a wrong CURIE": {"body": {}, "headers": {}, "curies": {1: "a"}, "url": "u"},
    "the least": {
        "body": {"a": 1},
        "headers": {},
        "url": "u",
        "status": 200,
        "fetched_at": "2024-06-01T02:00:00+02:00",
    },
    "an outcome": {
        "body": None,
        "kind": "empty",
        "headers": {"link": "<a>; rel=b"},
        "url": HOME,
        "status": "204",
        "fetched_at": "2024-06-01T00:00:00Z",
        "outcome": (f"{HOME}/x", True, "If-Match: 1", ("p",)),
    },
    "an outcome of nothing": {
        "body": None,
        "headers": {},
        "url": HOME,
        "status": 200,
        "kind": "null",
        "fetched_at": "2024-06-01T00:00:00Z",
        "outcome": (None, False, None, []),
    },
    "an outcome with a number": {
        "body": None,
        "headers": {},
        "url": HOME,
        "status": 200,
        "kind": "null",
        "fetched_at": "2024-06-01T00:00:00Z",
        "outcome": (1, False, None, []),
    },
    "an outcome with a zero": {
        "body": None,
        "headers": {},
        "url": HOME,
        "status": 200,
        "kind": "null",
        "fetched_at": "2024-06-01T00:00:00Z",
        "outcome": (0, False, None, []),
    },
    "an outcome with a word": {
        "body": None,
        "headers": {},
        "url": HOME,
        "status": 200,
        "kind": "null",
        "fetched_at": "2024-06-01T00:00:00Z",
        "outcome": (None, "no", None, []),
    },
    "an outcome with numbers": {
        "body": None,
        "headers": {},
        "url": HOME,
        "status": 200,
        "kind": "null",
        "fetched_at": "2024-06-01T00:00:00Z",
        "outcome": (None, False, None, [1]),
    },
    "an outcome with a numeric condition": {
        "body": None,
        "headers": {},
        "url": HOME,
        "status": 200,
        "kind": "null",
        "fetched_at": "2024-06-01T00:00:00Z",
        "outcome": (None, False, 1, []),
    },
}.items():
    _call(f"load {_label}", lambda dumped: (HalResource.load(dumped), HalResource.load(dumped).dump()), _value)
_call(
    "load a copy",
    HalResource.load,
    {
        **HalResource.load(
            {
                "body": {"a": 1, "_links": {"self": link("s")}},
                "headers": {"link": "<a>; rel=b"},
                "url": HOME,
                "status": 200,
                "fetched_at": "2024-06-01T00:00:00Z",
            }
        ).dump(),
        "embedded": True,
    },
)

# ------------------------------------------------------------------------------------------- entry points


def _entry(name: str, use: Callable[[Any], Any], **routes: Any) -> None:
    def case(requests: list[Request]) -> Any:
        site = _site(requests, **routes)
        context = attrs.evolve(site.context, headers={"X-Client": "c", "Accept-Language": "fr"}, accept="text/client")
        return use(EntryPoint(f"{HOME}/root", context))

    _add(f"entry: {name}", case)


for _url in ("/a", "./a", "../a", "?page=2#f", "a", f"{HOME}/b", "/é", "https://api.example/x#y", ""):
    _entry(f"get {_url}", partial(lambda url, entry: entry.get(url), _url))
_entry(
    "get with options",
    lambda entry: entry.get("/a?b=1", accept="text/a", headers={"x-client": "d"}, params={"p": [1, 2], "q": None}),
)
_entry("get with parameters alone", lambda entry: entry.get(f"{HOME}/a", params={"p": 1}))
for _option in ({"accept": 5}, {"headers": 5}, {"params": 5}, {"headers": {"Host": "x"}}):
    _entry(f"get with {_option}", partial(lambda option, entry: entry.get("/a", **option), _option))
_entry("get something else than a URL", lambda entry: entry.get(5))
_entry(
    "request",
    lambda entry: entry.request("put", "/a", json={"a": 1}, params={"p": 1}, headers={"X-A": "1"}, accept="text/a"),
)
_entry("request without options", lambda entry: entry.request("DELETE", f"{HOME}/a"))
_entry("request with a wrong option", lambda entry: entry.request("PUT", "/a", name="x"))
_entry("follow", lambda entry: entry.follow("next", params={"a": 1}))
_entry("follow what is absent", lambda entry: entry.follow("zzz"))
_entry("follow a typed relation", lambda entry: entry.follow(Rel("next", HalResource, accept="text/x")))


async def _reads(entry: EntryPoint) -> Any:
    known = entry.known_root
    first, second = await entry.root(), await entry.root()
    third = await entry.root_with("zzz", "next")
    fourth = await entry.root_with("zzz")
    fifth = await entry.root()
    return known, first is second, first is third, first is fourth, fourth is fifth, entry.known_root is fifth


_entry("its root", _reads)
_entry("its root, looked for a relation first", lambda entry: entry.root_with("zzz"))
_entry(
    "resume",
    lambda entry: entry.resume(
        HalResource.load(
            {
                "body": {"_links": {"a": link("b")}},
                "headers": {},
                "url": HOME,
                "status": 200,
                "fetched_at": "2024-06-01T00:00:00Z",
            }
        )
    ).follow("a"),
)
_entry(
    "follow a deprecated response",
    lambda entry: entry.get("/gone"),
    **{"../gone": make_response({}, deprecation="@1", sunset="Sat, 01 Jun 2030 10:00:00 GMT")},
)

# ------------------------------------------------------------------------------------------- writes


class _Colour(Enum):
    RED = "red"


WRITES: Final[Mapping[str, dict[str, Any]]] = {
    "nothing": {},
    "JSON": {"json": {"a": "é", "b": [1, None]}},
    "JSON of mappings and members": {"json": MappingProxyType({"a": MappingProxyType({"b": _Colour.RED})})},
    "JSON of an object that it cannot hold": {"json": {"a": object}},
    "content": {"content": b"raw", "content_type": "text/plain"},
    "content without a type": {"content": bytearray(b"raw")},
    "content of text": {"content": "text"},
    "a form": {"form": {"a": [1, None, "x y"], "b": True, "c": None, "é": "ü"}},
    "a form with a mapping": {"form": {"a": {"b": 1}}},
    "a form with a type": {"form": {"a": 1}, "content_type": "text/plain"},
    "files with a type": {"files": {"a": b"1"}, "content_type": "text/plain"},
    "files": {"files": {"a": b"1", "b": [("n.txt", b"2"), ("m", b"3", "text/x")]}, "form": {"c": ["1", "2"]}},
    "files alone": {"files": {}},
    "two bodies": {"json": 1, "content": b"x"},
    "three bodies": {"json": 1, "content": b"x", "form": {}},
    "two bodies with files": {"json": 1, "files": {}},
    "if unchanged": {"if_match": True},
    "if a tag matches": {"if_match": "abc"},
    "if any matches": {"if_match": "*"},
    "unconditionally": {"if_match": False},
    "if none matches": {"if_none_match": "*"},
    "if no weak tag matches": {"if_none_match": 'W/"a"'},
    "if none of what is no tag matches": {"if_none_match": "a b"},
    "if what is no tag matches": {"if_match": "a b"},
    "if a weak tag matches": {"if_match": 'W/"a"'},
    "if no tag": {"if_match": "a b"},
    "both conditions": {"if_match": True, "if_none_match": "*"},
    "a condition that is off and another": {"if_match": False, "if_none_match": "*"},
    "a new key": {"idempotency_key": True},
    "a key": {"idempotency_key": "k1"},
    "a key that is no field value": {"idempotency_key": "é" * 100},
    "a preference": {"prefer": "return=representation"},
    "a preference and a field": {"prefer": "a", "headers": {"Prefer": "b"}},
    "fields": {"headers": {"X-A": "1", "accept": "text/b", "Idempotency-Key": "k2"}},
    "fields with a condition": {"headers": {"If-Match": '"z"'}},
    "an option and its field": {"if_match": "a", "headers": {"If-Match": '"z"'}},
    "a media type": {"accept": "text/a"},
    "parameters": {"params": {"p": [1, 2], "q": None}},
}
for _label, _options in WRITES.items():
    for _verb in ("post", "put"):
        _on(f"{_verb} {_label}", _method(None, _verb, **_options), RICH, **TAGGED)
for _verb in ("post", "put", "patch", "delete"):
    _on(
        f"{_verb} along a link",
        _method("template", _verb, variables={"page": 1}, params={"q": 2}, json=1),
        RICH,
        **TAGGED,
    )
    _on(f"{_verb} to a copy", partial(lambda verb, found: getattr(found.embedded("copied")[0], verb)(json=1), _verb))
    _on(
        f"{_verb} to a copy without self",
        partial(lambda verb, found: getattr(found.embedded("bare")[0], verb)(), _verb),
    )
    _on(f"{_verb} without validators", _method(None, _verb, json=1), {"_etag": "e1"} if _verb == "put" else {})
    _on(f"{_verb} with a weak tag", _method(None, _verb), {}, etag='W/"a"', last_modified=TAGGED["last_modified"])
    _on(f"{_verb} if unchanged, without a tag", _method(None, _verb, if_match=True), {})
    _on(f"{_verb} along a missing link", _method("zzz", _verb))
    _on(f"{_verb} along several links", _method("many", _verb))
    _on(f"{_verb} along one of several links", _method("many", _verb, name="two", index=1))
    _on(f"{_verb} along a link that is deprecated", _method("old", _verb))
for _verb in ("get", "HEAD", "options", "X" * 70, "a b", "connect", "TRACE", "", "pro*pfind"):
    _on(f"write by {_verb[:12]!r}", lambda found, verb=_verb: found.write(verb, "one"), RICH, **TAGGED)  # type: ignore[misc]

ANSWERS: Final[Mapping[str, Response | dict[str, Any]]] = {
    "200 with self": {"body": {"_links": {"self": link("/v4/made")}}},
    "200 with a self below": {"body": {"_links": {"self": link("here")}}},
    "200 without self": {"body": {"done": True}},
    "201 with Location": {"status": 201, "body": {"a": 1}, "location": "/v4/here/1", "etag": '"n"'},
    "201 with Location and content": {
        "status": 201,
        "location": "/v4/here/1",
        "content_location": "/v4/here/2",
        "etag": '"n"',
    },
    "201 without Location": {"status": 201, "body": {}, "etag": '"n"'},
    "201 at the collection": {"status": 201, "location": "/v4"},
    "202 with Location": {"status": 202, "location": "/v4/job"},
    "204": {"status": 204, "body": b"", "etag": '"n"'},
    "205": {"status": 205, "body": b"", "content_location": "https://foreign.example/x"},
    "200 without JSON": {"body": b"<html>", "content_type": "text/html", "link": '</v4/l>; rel="l"'},
    "303": {"status": 303, "body": b"", "location": "/v4/outcome"},
    "303 to what is absent": {"status": 303, "body": b"", "location": "/v4/absent"},
    "303 without Location": {"status": 303, "body": b""},
    "deprecated": {"body": {}, "sunset": "Sat, 01 Jun 2030 10:00:00 GMT"},
}


async def _answered(requests: list[Request], verb: str, fields: dict[str, Any]) -> Any:
    fields = dict(fields)
    reply = make_response(fields.pop("body", None), url=f"{HOME}/here", **fields)
    found = _site(requests, here=reply).resource({"a": 1}, f"{HOME}/here", **TAGGED)
    answer = await found.write(verb, json=1, headers={"X-A": "1", "If-None-Match": '"o"', "Prefer": "p"})
    outcome = answer.snapshot.outcome
    again: Any
    try:
        again = await answer.put(json=2)
    except Exception as error:  # noqa: BLE001 - told
        again = error
    return answer, outcome, answer.snapshot.asked, answer.rels, found.stale, again


for _label, _fields in ANSWERS.items():
    for _verb in ("POST", "PUT", "DELETE"):
        _add(
            f"answer to {_verb}: {_label}",
            partial(lambda verb, fields, requests: _answered(requests, verb, fields), _verb, _fields),
        )


async def _chained(requests: list[Request]) -> Any:
    """POST to the answer of a POST, several times."""
    site = _site(
        requests,
        **{f"p{n}": make_response({"_links": {"self": link(f"/v4/p{n + 1}")}}, url=f"{HOME}/p{n}") for n in range(19)},
    )
    found = site.resource({}, f"{HOME}/p0")
    for _ in range(18):
        found = await found.post()
    assert found.snapshot.outcome is not None
    return found, len(found.snapshot.outcome.posted_to), found.snapshot.outcome.posted_to[0]


_add("a chain of POSTs", _chained)
for _verb, _target, _found, _own, _before in (
    ("POST", "/v4/items", {"status": 201, "location": "/v4/items?id=7"}, None, ()),
    ("POST", "/v4/items?type=a", {"status": 201, "location": "/v4/items?type=a"}, None, ()),
    ("POST", "/v4/items", {"status": 200}, f"{HOME}/items/7", ()),
    ("POST", "/v4/items/7", {"status": 200}, f"{HOME}/items", ()),
    ("POST", "/v4/items", {"status": 200}, f"{HOME}/items/7", (f"{HOME}/items/7",)),
    ("POST", "/v4/items", {"status": 200}, f"{HOME}/items/7", (f"{HOME}/items/7/8",)),
    ("PUT", "/v4/items/7", {"status": 201}, None, ()),
    ("PUT", "/v4/items/7", {"status": 200}, None, ()),
    ("PATCH", "/v4/items/7", {"status": 204}, None, ()),
    ("PATCH", "/v4/items/7", {"status": 205}, f"{HOME}/x", ()),
    ("PUT", "/v4/items/7", {"status": 200}, f"{HOME}/items/7", ()),
    ("PUT", "/v4/items/7", {"status": 200}, f"{HOME}/items/%37", ()),
    ("PUT", "/v4/items/7", {"status": 200, "content_location": "/v4/items/7"}, f"{HOME}/x", ()),
    ("PUT", "/v4/items/7", {"status": 200, "content_location": "/v4/items"}, None, ()),
    ("PUT", "/v4/items/7", {"status": 202, "location": "/v4/items/8"}, None, ()),
    ("HEAD", "/v4/items/7", {"status": 200}, None, ()),
    ("DELETE", "/v4/items/7", {"status": 200}, f"{HOME}/items/7", ()),
    ("OPTIONS", "/v4/items/7", {"status": 200}, f"{HOME}/items/7", ()),
):
    for _at in (_target, "/v4/elsewhere"):
        _call(
            f"what {_verb} {_target} is about: {_found} {_own} {_before} at {_at}",
            written_resource.identify,
            _verb,
            f"https://api.example{_target}",
            make_response(url=f"https://api.example{_at}", **_found),
            _own,
            _before,
        )
for _text in ("", " ", "/a", "a b", "{+x}", "/t{?x}", "/{*x}", "{", "mailto:a@b", "ftp://a/b", "#f", "//other/x"):
    _call(
        f"URL of a header field {_text!r}",
        written_resource.header_url,
        Headers({"location": _text}),
        "location",
        HOME,
    )
for _href in (
    None,
    "",
    "items/7",
    "v4/items/7",
    "7",
    "ms/7",
    "./items/7",
    "?a",
    "#b",
    "/items/7",
    "{?x}",
    ".hidden/items/7",
):
    _call(
        f"stated self {_href!r}",
        written_resource.stated_self,
        parse({"_links": {"self": link(_href)}}),
        make_response(url=f"{HOME}/other"),
        f"{HOME}/.hidden/items/7",
    )

# ------------------------------------------------------------------------------------------- header fields, conditions

for _name, _value in (
    ("X", "v"),
    ("X Y", "v"),
    ("", "v"),
    ("x" * 257, "v"),
    ("X", "a\nb"),
    ("X", " a"),
    ("X", "é"),
    ("X", "v" * 8_193),
    ("X", "v" * 8_192),
    ("X", ""),
    ("Authorization", "v"),
    ("host", "v"),
    ("TE", "v"),
    ("Content-Length", "1"),
    ("Proxy-Authorization", "v"),
    ("Accept-Encoding", "v"),
    ("x" * 256, "v"),
    (5, "v"),
    ("n" * 100, 5),
    ("Accept", "a"),
    ("If-Match", "a"),
    ("range", "a"),
    ("Content-Type", "a"),
    ("PREFER", "a"),
):
    _call(
        f"field {str(_name)[:20]}={str(_value)[:6]!r} {len(str(_name))} {len(str(_value))}",
        request_headers.default_headers,
        {_name: _value},
    )
_call("no fields", request_headers.default_headers, None)
_call("fields of another type", request_headers.default_headers, [])
_call(
    "repeated fields", request_headers.repeated_headers, {"If-X": "1", "A": "2", "Range": "3", "Idempotency-Key": "4"}
)
_call("overridden fields", request_headers.override_headers, {"A": "1", "b": "2"}, {"B": "3", "c": "4"})
for _text in (
    '"a"',
    "a",
    "*",
    " * ",
    '"a", "b"',
    '"a" "b"',
    'W/"a"',
    '"a", W/"b"',
    'W/"a", x',
    "a,b",
    "a b",
    "",
    "é",
    "x" * 1_023,
    "w" * 100 + " ",
):
    for _weak in (True, False):
        _call(f"tag {_text[:20]!r} {len(_text)} weak={_weak}", conditions.as_etags, "if_match", _text, weak=_weak)
for _tag in ('"a"', ' "a" ', 'W/"a"', "a", "", '"' + "x" * 1_022 + '"', '"' + "x" * 1_023 + '"'):
    for _state in ({}, {"_etag": "b"}, {"_etag": '"c"'}, {"_etag": 5}, {"_etag": 'x"y'}, {"_etag": "x" * 1_023}):
        _call(
            f"condition of {_tag[:9]!r} {len(_tag)} {str(_state)[:20]}",
            conditions.find_condition,
            {"etag": _tag, "last-modified": " Sat, 01 Jun 2024 10:00:00 GMT"},
            _state,
        )
_call("condition of an odd date", conditions.find_condition, {"last-modified": "Sat, 1 Jun 2024 10:00:00 GMT"}, {})
_call("condition of no fields", conditions.find_condition, None, {})
_call(
    "which fields are conditions",
    lambda names: [conditions.is_condition(name) for name in names],
    ["If-Match", "if-none-match", "IF-MODIFIED-SINCE", "If-Unmodified-Since", "If-Range", "etag"],
)

# ------------------------------------------------------------------------------------------- media types

for _text in (None, "text/a", "application/json", "application/hal+json", "a\nb", "x" * 256, "x" * 257):
    _call(f"accept {str(_text)[:20]!r} {len(str(_text))}", media_types.accept, _text)
for _text in ("", "a/B; c=d", 'A/b ; C = "d" ; e', "a" * 2_000):
    _call(f"media type {_text[:20]!r}", media_types.media_type, _text)


def _document(content: bytes, kind: str) -> Any:
    found = media_types.read_document(make_response(content, content_type=kind))
    return found.kind, found.value


for _type in (
    "",
    "application/json",
    "text/json",
    "text/html",
    "TEXT/PLAIN; charset=x",
    "image/png",
    "audio/a",
    "video/a",
    "application/xml",
    "application/pdf",
    "application/x",
    "application/a+json",
):
    for _content in (
        b"",
        b" ",
        b"{",
        b"[1]",
        b"5",
        b"{}",
        b'{"_links": {}}',
        b' {"_embedded": {}} ',
        b"<html>",
        b" <!DOCTYPE html>",
        b"x" * 200,
    ):
        _call(
            f"read {_content[:20]!r} of {_type!r}",
            _document,
            _content,
            _type,
        )
for _status in (200, 204, 205, 206):
    _call(
        f"read no body of {_status}",
        lambda status: media_types.read_document(make_response(b"", status=status, link="<a>; rel=b")).links,
        _status,
    )
_call(
    "read too many values",
    lambda: media_types.read_document(make_response(b"[" + b"1," * 200_001 + b"1]", content_type="application/json")),
)
_call(
    "read a document with links of the header",
    lambda: media_types.read_document(make_response({"a": 1}, link="<b>; rel=c")).links,
)
_call(
    "links of a header that is too long",
    lambda: len(media_types.links_of_header(Headers({"link": "<a>; rel=b, " * 9_000}), HOME)),
)
_call("links of no header", media_types.links_of_header, Headers(), HOME)
_call(
    "the outcome of a write without JSON",
    lambda: [
        (response.content, document.kind, document.links)
        for response, document in [read_outcome(make_response(b"x", content_type="text/x", link="<a>; rel=b"))]
    ],
)

# ------------------------------------------------------------------------------------------- origins

API: Final = origins.Origins("https://api.example/v4", "http://other.example:8080", "https://[2001:db8::1]")
URLS: Final = (
    "https://api.example",
    "https://api.example/",
    "HTTPS://API.example:443/a?b#c",
    "http://api.example/",
    "https://api.example:444",
    "https://user@api.example/",
    "https://api.example.evil/",
    "https://api.example\\@evil/",
    "https://api.example/ a",
    "https://api.example/é",
    "https://api.example/\x00",
    "https://api.example/\x7f",
    "https://api.example/~",
    "https://api.example/\t",
    "https://api.example/\x80",
    "/v4",
    "api.example/v4",
    "",
    "ftp://api.example",
    "http://other.example:8080/x",
    "https://[2001:db8::1]/x",
    "https://api.example./",
    "//api.example/",
    "https:api.example",
    "https://api.example:/",
    "https://api.example:0443/",
    "https:///x",
    "https://api.example/" + "p" * 400,
    "https://api.example/\ud800",
    "https://api.example/\n",
)
for _url in URLS:
    _call(f"origin of {_url[:40]!r}", origins.origin_of, _url)
    for _who, _origins in {"the API": API, "any": origins.ANY_ORIGIN}.items():
        _call(f"check {_url[:40]!r} for {_who}", _origins.check, _url)
for _source, _target in (
    ("https://api.example/a", "http://api.example/a"),
    ("https://api.example/a", "http://api.example:80/a?b"),
    ("HTTPS://api.example/a", "HTTP://other.example:8080/a"),
    ("https://api.example/a", "https://api.example/b"),
    ("http://other.example:8080/a", "https://api.example/b"),
    ("https://api.example/a", "https://evil.example/b"),
    ("http://other.example:8080/a", "http://other.example:8080/b"),
    ("https://a.example/", "https://localhost/"),
    ("https://a.example/", "https://x.localhost./"),
    ("https://localhost/", "https://127.0.0.1/"),
    ("https://a.example/", "https://10.0.0.1/"),
    ("https://a.example/", "https://8.8.8.8/"),
    ("https://a.example/", "https://2130706433/"),
    ("https://a.example/", "https://1.2.3/"),
    ("https://a.example/", "https://[::1]/"),
    ("https://a.example/", "https://[fd00::1]/"),
    ("https://a.example/", "https://[2606:4700::1111]/"),
    ("https://10.0.0.1/", "https://10.0.0.2/"),
    ("https://a.example/", "https://notlocalhost/"),
    ("http://10.0.0.1/", "http://a.example/"),
):
    for _who, _origins in {"the API": API, "any": origins.ANY_ORIGIN}.items():
        _call(f"redirect {_source} to {_target} for {_who}", _origins.check_redirect, _source, _target)
for _url in ("", "api.example", "ftp://a", "https://", "https://u:secret@"):
    _call(f"origins of {_url!r}", origins.Origins, _url)
_call("origins", lambda: repr(API))
_call("any origin", lambda: repr(origins.ANY_ORIGIN))

# ------------------------------------------------------------------------------------------- bodies of requests


async def _read(source: Any) -> Any:
    content = streamed_request_bodies.to_stream(source, "content")
    if isinstance(content, bytes):
        return content
    told: list[Any] = [repr(content), content.length, content.is_spent]
    for _ in range(2):
        reader = content.open()
        try:
            told.append(b"".join([chunk async for chunk in reader]))
        except Exception as error:  # noqa: BLE001 - told
            told += [error, type(reader.failure)]
        told.append(content.is_spent)
        reader.close()
    return told


async def _chunks(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


class _Pipe:
    """A file that cannot be sought in."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int) -> bytes:
        return self._file.read(size)


class _Growing(io.BytesIO):
    """A file that has other bytes than it announces."""

    def __init__(self, content: bytes, more: bytes | None) -> None:
        super().__init__(content)
        self._more = more

    def read(self, size: int | None = -1, /) -> bytes:
        if self._more is None:
            return b""
        found = super().read(size)
        more, self._more = self._more, b""
        return found + more


def _file_at(position: int) -> io.BytesIO:
    file = io.BytesIO(b"0123456789")
    file.seek(position)
    return file


for _label, _make in {
    "bytes": lambda: b"b",
    "a view": lambda: memoryview(b"b"),
    "text": lambda: "text",
    "a number": lambda: 5,
    "a text file": lambda: io.StringIO("x"),
    "chunks": lambda: _chunks(b"a", b"", bytearray(b"b"), memoryview(b"c")),
    "chunks of text": lambda: _chunks("a"),
    "a file": lambda: _file_at(0),
    "a file that was read in part": lambda: _file_at(4),
    "a file at its end": lambda: _file_at(10),
    "an empty file": io.BytesIO,
    "a pipe": lambda: _Pipe(b"abc"),
    "a file that grows": lambda: _Growing(b"abc", b"de"),
    "a file that shrinks": lambda: _Growing(b"abc", None),
    "a folder": lambda: Path(__file__).parent,
    "a path": lambda: Path(__file__).with_name("__init__.py"),
    "no file": lambda: Path("no such file"),
}.items():
    _add(f"body of {_label}", lambda _, make=_make: _read(make()))  # type: ignore[misc]
_call(
    "an empty stream",
    lambda: (
        repr(streamed_request_bodies.StreamedRequestBody([b""])),
        streamed_request_bodies.StreamedRequestBody([b"", b"a"]).length,
    ),
)
for _label, _file in {
    "bytes": b"x",
    "a name": ("a.png", b"x"),
    "a name that is quoted": ('a"\r\n\x7f.txt', b"x"),
    "a type": ("a", b"x", "text/x"),
    "an empty type": ("a", b"x", ""),
    "a wrong type": ("a", b"x", "é" * 90),
    "a number": ("a", b"x", 5),
    "one part": ("a",),
    "four parts": ("a", b"x", "b", "c"),
    "a number for a name": (5, b"x"),
    "text": "x",
    "a text file": io.StringIO("x"),
    "a list": [b"x", b"y"],
}.items():
    _call(
        f"multipart: {_label}",
        multipart.encode_multipart,
        {"f": [1, None, "é"], "g": None},
        {'n"': _file},
        boundary="B",
    )
_call(
    "multipart: a path",
    lambda: repr(multipart.encode_multipart({}, {"f": Path(__file__).with_name("__init__.py")}, boundary="B")),
)
_call("multipart: nothing", multipart.encode_multipart, {}, {}, boundary="B")
_call(
    "multipart: a random boundary",
    lambda: [(found, len(found.content_type)) for found in [multipart.encode_multipart({"a": 1}, {})]],
)
_call("urlencoded", multipart.encode_urlencoded, {"a b": ["1", None], "é": True, 5: 1.5, "n": None})
_call("urlencoded: a mapping", multipart.encode_urlencoded, {"a": {"b": 1}})

# ------------------------------------------------------------------------------------------- downloads


class _Streaming(Site):
    """A site whose answers can be streamed."""

    @asynccontextmanager
    async def stream(
        self, request: Request, /, *, limit: int, credentials: bool = True
    ) -> AsyncGenerator[StreamedResponse]:
        response = await self(request)
        headers = Headers({**response.headers, "x-limit": str(limit), "x-credentials": str(credentials)})
        yield StreamedResponse(
            url=response.url,
            status=response.status,
            headers=headers,
            received_at=response.received_at,
            chunks=_chunks(response.content[:5], response.content[5:]),
        )


async def _download(requests: list[Request], start: Callable[[HalResource], Any], **routes: Any) -> Any:
    site = _Streaming(_Everywhere({f"/{name}": reply for name, reply in routes.items()}), requests=requests)
    context = attrs.evolve(site.context, headers={"X-Client": "c"})
    resource = HalResource.of(make_response(RICH, url=f"{HOME}/here"), context)
    async with start(resource) as chunks:
        told = [repr(chunks), chunks.url, chunks.status, chunks.media_type, chunks.charset, chunks.received_at]
        return [*told, dict(chunks.headers), await chunks.read_text()]


for _label, _start in {
    "itself": lambda found: found.download(),
    "itself with parameters": lambda found: found.download(params={"p": 1}),
    "a link": lambda found: found.download("one"),
    "a typed link": lambda found: found.download(Rel("one", HalResource)),
    "one of several": lambda found: found.download("many", name="two", index=1, params={"q": 1}),
    "one by a predicate": lambda found: found.download("many", where=_is_titled, accept="text/x"),
    "a template": lambda found: found.download("template", variables={"page": 1}, limit=9, credentials=False),
    "a URL": lambda found: found.download(url="/x#f", accept="text/x", limit=5),
    "a URL with parameters": lambda found: found.download(url="x?a=1", params={"b": 2}),
    "a link and a URL": lambda found: found.download("one", url="/x"),
    "a missing link": lambda found: found.download("zzz"),
    "a deprecated link": lambda found: found.download("old"),
    "with a limit below 0": lambda found: found.download("one", limit=-1),
    "with a limit of 0": lambda found: found.download("one", limit=0),
    "with a limit that is a text": lambda found: found.download("one", limit="5"),
    "with a wrong type": lambda found: found.download("one", accept="é" * 90),
    "a chain": lambda found: (
        found.follow("one").follow("next", params={"a": 1}, accept="text/n").download(limit=7, credentials=False)
    ),
    "a chain with a type": lambda found: found.follow("next2").download(accept="text/y"),
    "a chain of one": lambda found: found.follow("many", name="two", index=-1).download(accept="text/y"),
    "what is absent": lambda found: found.follow("absent").download(),
    "a copy without self": lambda found: found.embedded("bare")[0].download(),
}.items():
    _add(f"download {_label}", partial(lambda start, requests: _download(requests, start), _start))
for _charset in ("utf-8", "UTF8", "latin-1", "windows-1252", "zip", "unicode_escape", "cp99999", "utf-16", "gbk", ""):
    _add(
        f"download text of {_charset!r}",
        lambda requests, charset=_charset: _download(  # type: ignore[misc]
            requests,
            lambda found: found.download("one"),
            one=make_response(b"\xef\xbb\xbfa\xe9\xff", content_type=f'Text/X; charset="{charset}"'),
        ),
    )
_on("download from a client that cannot stream", lambda found: found.download("one").__aenter__())

# ------------------------------------------------------------------------------------------- forms

FORMS: Final[dict[str, Any]] = {
    "_links": {"self": link("/v4/here")},
    "_templates": {
        "default": {
            "method": "PUT",
            "title": "Change",
            "properties": [
                {"name": "first", "required": True, "value": "Frodo", "regex": "[A-Z][a-z]+"},
                {"name": "age", "type": "number", "min": 1, "max": 9},
                {"name": "role", "options": {"inline": ["a", {"prompt": "B", "value": "b"}], "maxItems": 1}},
            ],
        },
        "search": {"target": "/v4/search?old=1#f", "properties": [{"name": "q"}, {"name": "tags"}]},
        "upload": {
            "method": "post",
            "contentType": "multipart/form-data",
            "target": "up{?x}",
            "properties": [{"name": "f", "type": "file"}, {"name": "n"}],
        },
        "urlencoded": {
            "method": "POST",
            "contentType": "application/x-www-form-urlencoded",
            "properties": [{"name": "a"}],
        },
        "delete": {"method": "DELETE"},
        "plain upload": {
            "method": "post",
            "contentType": "multipart/form-data",
            "target": "up#f",
            "properties": [{"name": "f", "type": "file"}, {"name": "n"}],
        },
        "unchecked": {
            "method": "POST",
            "target": "/v4/un",
            "properties": [{"name": "x", "regex": "("}, {"name": "y", "regex": "["}, {"name": "z"}],
        },
        "odd": {"method": 5, "title": 6, "properties": [{"name": "x", "regex": "(?=a)b", "type": "hidden"}, {}, 7]},
        "stated": {
            "method": "POST",
            "properties": [{"name": "x", "value": "\ud800"}],
            "contentType": "application/x-www-form-urlencoded",
        },
    },
}


def _form(key: str, verb: str, /, *args: Any, **options: Any) -> Callable[[HalResource], Any]:
    return lambda found: getattr(found.forms[key], verb)(*args, **options)


def _of_copy(verb: str, found: HalResource) -> Any:
    return getattr(found.embedded("e")[0].forms["x"], verb)()


for _verb in ("preview", "submit"):
    _on(f"{_verb} a form", _form("default", _verb, first="Sam", age=3), FORMS, **TAGGED)
    _on(f"{_verb} a form by a mapping", _form("default", _verb, {"first": "Sam"}, role=["a"]), FORMS, **TAGGED)
    _on(f"{_verb} a form twice filled", _form("default", _verb, {"first": "Sam"}, first="A"), FORMS)
    _on(f"{_verb} a form wrongly filled", _form("default", _verb, first="sam", age=10, role="c"), FORMS)
    _on(f"{_verb} a form with an unknown field", _form("default", _verb, frist="Sam"), FORMS)
    _on(f"{_verb} a form with more", _form("default", _verb, extra={"x": 1, "first": None}), FORMS, **TAGGED)
    _on(
        f"{_verb} a form with options",
        _form("default", _verb, options={"headers": {"X": "1"}, "if_match": "t", "accept": "text/a", "prefer": "p"}),
        FORMS,
    )
    _on(f"{_verb} a form with a wrong option", _form("default", _verb, options={"json": 1}), FORMS)
    _on(f"{_verb} a search", _form("search", _verb, q="a b", tags=["x", "y"]), FORMS)
    _on(f"{_verb} a search that keeps its query", _form("search", _verb, q="a", keep_query=True), FORMS)
    _on(f"{_verb} an upload", _form("upload", _verb, n="é", files={"f": ("a.txt", b"x")}), FORMS)
    _on(f"{_verb} a plain upload", _form("plain upload", _verb, n="é", files={"f": ("a.txt", b"x")}), FORMS)
    _on(f"{_verb} a form with patterns that are none", _form("unchecked", _verb, x="b", y="c"), FORMS)
    _on(f"{_verb} an urlencoded form", _form("urlencoded", _verb, a=["1", "2"]), FORMS)
    _on(f"{_verb} a form without fields", _form("delete", _verb), FORMS, **TAGGED)
    _on(f"{_verb} a form without fields, with more", _form("delete", _verb, extra={"a": 1}), FORMS)
    _on(f"{_verb} a form with an odd pattern", _form("odd", _verb, x="b"), FORMS)
    _on(f"{_verb} a form with a value that is no text", _form("stated", _verb), FORMS)
    _on(f"{_verb} a form with a file too many", _form("urlencoded", _verb, files={"a": b"x"}), FORMS)
    _on(f"{_verb} a form without a target", partial(_of_copy, _verb), {"_embedded": {"e": {"_templates": {"x": {}}}}})
    _on(f"{_verb} a form without a target or self", _form("x", _verb), {"_templates": {"x": {"method": "POST"}}})
    _on(f"{_verb} a form with more that is no text", _form("urlencoded", _verb, extra={"a": "\ud800"}), FORMS)
    _on(f"{_verb} a form with more that is no JSON", _form("default", _verb, extra={"x": float("nan")}), FORMS)
    _on(
        f"{_verb} a form of an error with a self link",
        _form("x", _verb),
        {"_links": {"self": link("/v4/else")}, "_templates": {"x": {"method": "POST"}}},
        status=422,
    )
    _on(f"{_verb} a form of an error", _form("x", _verb), {"_templates": {"x": {"method": "POST"}}}, status=422)
for _key in FORMS["_templates"]:
    _on(
        f"form {_key}",
        lambda found, key=_key: (
            (form := found.forms[key])
            and (
                repr(form),
                form.key,
                form.title,
                form.method,
                form.content_type,
                form.url,
                form.diagnostics,
                form.fields,
            )
        ),  # type: ignore[misc]
        FORMS,
    )
_on(
    "forms",
    lambda found: (
        repr(found.forms),
        [*found.forms],
        len(found.forms),
        found.forms.default,
        found.forms.diagnostics,
        "x" in found.forms,
        found.forms.get("x"),
        found.forms.get("x", 1),
    ),
    FORMS,
)
_on("a form that is absent", lambda found: found.forms["defualt"], FORMS)
_on("no form", lambda found: found.forms["x"], {})
_on("no default form", lambda found: found.forms.default, {})
_on("a field that is absent", lambda found: found.forms["default"]["x"], FORMS)


async def _after_write(found: HalResource) -> Any:
    site: Any = found.require_context().fetch
    site.routes["/here"] = make_response({"_templates": {"x": {}}}, url=f"{HOME}/here")
    answer = await found.post(json=1)
    return answer.forms["x"].url, answer.forms["x"].preview()


_on("a form of an answer", _after_write, {"_templates": {"x": {}}})


async def _choices(requests: list[Request], reply: Any, **options: Any) -> Any:
    field = {
        "name": "n",
        "options": {"link": {"href": "/v4/list{?q}", "templated": True, "type": "text/list"}, **options},
    }
    site = _site(requests, **{"list": reply, "list?q=1": reply})
    found = site.resource({"_templates": {"x": {"properties": [field]}}}, f"{HOME}/here")
    return await found.forms["x"]["n"].choices(), await found.forms["x"]["n"].choices(q=1)


for _label, _reply_of in {
    "values": make_response(["a", 1, None, {"value": "b", "prompt": "B"}], content_type="application/json"),
    "a document": make_response({"_embedded": {"x": [{"value": 1, "prompt": "one"}]}}),
    "two lists": make_response({"_embedded": {"x": [], "y": []}}),
    "one list and an object": make_response({"_embedded": {"x": [{"value": 1}], "y": {}}}),
    "no list": make_response({"a": 1}),
    "a list embedded": make_response({"_embedded": [1]}),
    "an empty array": make_response([], content_type="application/json"),
    "other members": make_response([{"x": 1}], content_type="application/json"),
    "some other members": make_response([{"x": 1}, {"value": 2}], content_type="application/json"),
    "CSV": make_response(
        b"\xef\xbb\xbfprompt,value\r\nOne,1\r\n\r\nTwo,2,3\r\n", content_type="text/csv; charset=utf-8"
    ),
    "CSV of old lines": make_response(b'prompt,value\rOne,1\r"Two\rlines",2', content_type="text/csv"),
    "CSV without names": make_response(b"One,1\nTwo\n", content_type="TEXT/CSV"),
    "CSV of another encoding": make_response(b"\xff,1\n", content_type="text/csv"),
    "CSV that is wrong": make_response(b'"' + b"a" * 200_000, content_type="text/csv"),
    "CSV with many rows": make_response(b"a\n" * 10_005, content_type="text/csv"),
    "text": make_response(b"hello " * 30, content_type="text/plain"),
    "text of a long type": make_response(b"hello", content_type=f"text/{'x' * 100}"),
    "text of no type": make_response(b"hello", content_type=""),
}.items():
    _add(f"choices: {_label}", partial(lambda reply, requests: _choices(requests, reply), _reply_of))
_add(
    "choices by other fields",
    lambda requests: _choices(
        requests, make_response([{"v": 1, "p": "P"}], content_type="application/json"), valueField="v", promptField="p"
    ),
)
_add(
    "choices of a deprecated link",
    lambda requests: _choices(
        requests,
        make_response(["a"], content_type="application/json"),
        link={"href": "/v4/list", "deprecation": "gone"},
    ),
)
_on("choices that are stated", lambda found: found.forms["default"]["role"].choices(), FORMS)
_on("no choices", lambda found: found.forms["default"]["age"].choices(), FORMS)

# ------------------------------------------------------------------------------------------- contexts


def _context(**options: Any) -> ResourceContext:
    return attrs.evolve(Site().context, **options)


_call(
    "fields of a request",
    lambda: _context(headers={"A": "1"}, accept="text/c").request_headers("text/x", {"a": "2", "Accept": "t"}),
)
_call("fields of a request without options", lambda: _context().request_headers())
_call("fields of a request of a client", lambda: _context(headers={"A": "1"}, accept="text/c").request_headers())
_call("fields to reload", lambda: _context().reload_fields)
for _label, _fields in {
    "deprecated": {"deprecation": "@1"},
    "sunset": {"sunset": "Sat, 01 Jun 2030 10:00:00 GMT"},
    "both": {"deprecation": "@1", "sunset": "Sat, 01 Jun 2030 10:00:00 GMT"},
    "neither": {},
    "odd": {"deprecation": "x" * 400},
}.items():

    def _notify(fields: dict[str, str] = _fields) -> None:
        context = _context()
        for url in (f"{HOME}/a/1?x", f"{HOME}/a/2", f"{HOME}/b/1"):
            context.notify_response(fields, url)

    _call(f"warnings of responses: {_label}", _notify)

# ------------------------------------------------------------------------------------------- items

ITEMS: Final[Mapping[str, Any]] = {
    "a list": {"_embedded": {"x": [{"id": 1}, {"id": 2}]}},
    "two lists": {"_embedded": {"x": [{"id": 1}], "y": [{"id": 2}]}},
    "a list and an object": {"_embedded": {"x": [{"id": 1}], "y": {"id": 2}}},
    "two objects": {"_embedded": {"x": {"id": 1}, "y": {"id": 2}}},
    "two objects, one item": {"_embedded": {"x": {"id": 1}, "item": {"id": 2}}},
    "an object": {"_embedded": {"x": {"id": 1}}},
    "items linked": {"_links": {"item": [link("/v4/a"), link("/v4/b"), link(None)]}},
    "one item linked": {"_links": {"item": link("/v4/a")}},
    "no item linked": {"_links": {"item": []}},
    "links of another relation": {"_links": {"x": [link("/v4/a"), link("/v4/b")], "next": [link("/v4/n")]}},
    "items linked and embedded": {
        "_links": {"item": [link("/v4/a"), link("/v4/b")]},
        "_embedded": {"item": [{"id": 9, "_links": {"self": link("/v4/b")}}, {"id": 8}]},
    },
    "a link beside a list": {"_links": {"x": link("/v4/a")}, "_embedded": {"x": [{"id": 1}]}},
    "a link beside a copy": {
        "_links": {"x": link("/v4/a")},
        "_embedded": {"x": {"id": 1, "_links": {"self": link("/v4/a")}}},
    },
    "twice the same link": {
        "_links": {"item": [link("/v4/a"), link("/v4/a")]},
        "_embedded": {
            "item": [{"id": 1, "_links": {"self": link("/v4/a")}}, {"id": 2, "_links": {"self": link("/v4/a")}}]
        },
    },
    "the state": {"x": [{"id": 1}, 5, None, [{"id": 2}]], "y": [1]},
    "two arrays in the state": {"x": [{"id": 1}], "y": [{"id": 2}]},
    "Eve": {"_items": [{"id": 1}], "y": [{"id": 2}]},
    "an empty array in the state": {"x": [], "y": 5},
    "two empty arrays in the state": {"x": [], "y": []},
    "invalid items": {"_embedded": {"x": [{"id": 1}, 5, None, [6, {"id": 2}], []], "y": 7, "z": [], "w": None}},
    "no list at all": {"_embedded": 5, "_links": {"a": link("/v4/a")}},
    "an empty list": {"_embedded": {"x": []}},
    "nothing embedded": {"_embedded": {}},
    "nothing": {},
    "an array": [{"id": 1}, 5, [{"id": 2}, None]],
    "a number": 5,
    "invalid links": {"_links": {"item": [link("/v4/a"), 5, None, "/v4/s", {}]}},
    "a link and an array": {"_links": {"x": link("/v4/a", name="n")}, "o": [1]},
    "lists of long names": {"_embedded": {LONG: [{}], "y": [{}]}, LONG: [{}], "y": [{}]},
}
SELECTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "": {},
    " of x": {"rel": "x"},
    " of x embedded": {"rel": "x", "source": "embedded"},
    " of x linked": {"rel": "x", "source": "links"},
    " of x in the state": {"rel": "x", "source": "state"},
    " embedded": {"source": "embedded"},
    " linked": {"source": "links"},
    " in the state": {"source": "state"},
    " where optional": {"rel": "x", "source": "embedded", "optional": True},
    " known": {"known": "x"},
}


def _selected(found: HalResource, options: dict[str, Any]) -> Any:
    selection = ItemLocation(**options)
    told: list[Any] = []
    for ask in (
        lambda: [one if isinstance(one, HalResource) else (one.link, one.self_url) for one in selection.entries(found)],
        lambda: selection.count(found),
        lambda: dict(selection.invalid(found)),
        lambda: selection.has(found),
        lambda: selection.after(found),
        lambda: selection.missing(found),
    ):
        try:
            told.append(ask())
        except Exception as error:  # noqa: BLE001 - told once
            told.append("the same error" if str(error) in map(str, told) else error)
    return told


for _label, _value in ITEMS.items():
    for _chosen, _options in SELECTIONS.items():
        _on(
            f"items of {_label}:{_chosen}",
            partial(lambda options, found: _selected(found, options), _options),
            _value,
            content_type=HAL,
        )
for _part in ("_embedded", "_links", "state"):
    _huge = (
        {"_embedded": {"x": [{}] * 20_001}}
        if _part == "_embedded"
        else {"_links": {"item": [link("/a")] * 20_001}}
        if _part == "_links"
        else {"x": [{}] * 20_001}
    )
    _on(f"too many items in {_part}", lambda found: found.items("x", source="state").collect(), _huge)
_on("as many items as there may be", lambda found: ItemLocation("x").count(found), {"_embedded": {"x": [{}] * 20_000}})


async def _collected(found: Any, *args: Any, **options: Any) -> Any:
    return await found.items(*args, **options).collect()


for _label, _args in {
    "without options": {},
    "at a limit": {"source": "links", "limit": 1},
    "with fields": {"headers": {"X-A": "1"}},
    "in reverse": {"reverse": True},
    "of another source": {"source": "links"},
    "of no source": {"source": "x"},
    "of a negative limit": {"limit": -1},
    "of a limit that is a text": {"limit": "5"},
}.items():
    _on(
        f"collect {_label}",
        partial(lambda args, found: _collected(found, "item", **args), _args),
        ITEMS["items linked and embedded"],
    )
    _on(
        f"collect behind a link {_label}",
        lambda found, args=_args: _collected_behind(found, args),  # type: ignore[misc]
        {"_links": {"list": link("/v4/list")}},
    )


async def _collected_behind(found: HalResource, args: dict[str, Any]) -> Any:
    site: Any = found.require_context().fetch
    site.routes["/list"] = ITEMS["items linked and embedded"]
    return await found.follow("list", headers={"X-B": "1"}).items("item", **args).collect()


_on("collect a relation that is absent", lambda found: _collected(found, "zzz"), ITEMS["a list"])
_on("collect what shows no items", _collected, ITEMS["links of another relation"])
_on(
    "collect a failing link",
    lambda found: _collected(found, "x"),
    {"_links": {"x": [link("/v4/a"), link("/v4/absent")]}},
)
_on(
    "collect at the limit of a page",
    lambda found: _collected(found, "x", limit=1),
    {"_links": {"x": [link("/v4/a"), link("/v4/b"), link("/v4/c")]}},
)

# ------------------------------------------------------------------------------------------- cursors, ranges, totals

TOKEN: Final = PageToken(
    url=f"{HOME}/n",
    number=3,
    recent=(b"12345678", b"abcdefgh"),
    rel="r" * 90,
    reverse=True,
    position=5,
    first=(b"87654321",),
    is_read=True,
    is_linked=False,
    is_found=False,
)
_call("a token", lambda: PageToken.from_token(TOKEN.to_token()))
_call("the text of a token", TOKEN.to_token)
_call("a token of the least", lambda: PageToken.from_token(PageToken(url="u", number=0).to_token()))
_call("a token after items", PageToken, recent=["id:1", b"12345678"], url="u", number=1)
_call("a token without a URL", lambda: PageToken.from_token(PageToken(url="", number=0).to_token()))
for _rel2, _reverse in (("r" * 90, True), ("s" * 90, True), (None, True), ("r" * 90, False)):
    _call(f"a token checked for {str(_rel2)[:2]} {_reverse}", TOKEN.check, _rel2, reverse=_reverse)
_call("a forward token checked for reverse", lambda: PageToken(url="u", number=0).check("x", reverse=True))


def _token(*fields: Any) -> PageToken:
    import base64

    return PageToken.from_token(base64.urlsafe_b64encode(json.dumps(fields).encode()).decode())


GOOD: Final = (2, "u", 1, "", None, False, None, "", False, True)
for _index, _others in enumerate(
    ((1, 3, "2", True), (5,), ("1", None), (5, "YQ==", "!"), (5, "x"), (0, None), ("1",), ("YQ==", 1), (1,), (1,))
):
    for _other in _others:
        _call(f"a token whose field {_index} is {_other!r}", _token, *GOOD[:_index], _other, *GOOD[_index + 1 :])
_call("a token with another flag", _token, *GOOD, True)
for _added in ([8, 7, "ZWRnZV9lZGc="], [None, 7, ""], ["8", 7, ""], [8, "7", ""], [8, 7, "!"], [8, 7, "YQ=="], [8, 7]):
    _call(f"a token with totals and an edge {_added}", _token, *GOOD, _added)
_call("a token with an edge of two digests", _token, *GOOD, [8, 7, "ZWRnZV9lZGdlZGdlX2VkZw=="])
_call("a token with two flags more", _token, *GOOD, True, True)
_call("a token with a flag less", _token, *GOOD[:-1])
_call("a token of version 1", _token, 1, "u", 1, "", "rel", True)
_call("a text that is no token", PageToken.from_token, "é")
_call("a text that is no base64", PageToken.from_token, "a")
_call("an empty token", PageToken.from_token, "")


def _visited() -> Any:
    visited = VisitedPages([b"12345678"])
    visited.add("a", None, "b")
    return (
        visited.contains("a"),
        visited.contains(None, "b"),
        visited.contains("c", None),
        len(visited.digests),
    )


_call("visited pages", _visited)


def _visited_twice() -> None:
    visited = VisitedPages()
    visited.add("https://api.example/a?b=1")
    visited.check("https://api.example/a?b=2")
    visited.check("https://api.example/a?b=1")


_call("a page that was visited", _visited_twice)


def _recent(count: int) -> Any:
    recent = RecentIds([b"12345678"])
    new = [recent.add(f"id:{number}") for number in range(count)]
    again = recent.add("id:0"), recent.add(None), recent.add(None), recent.contains(None), recent.contains("id:1")
    latest = recent.latest()
    return sum(new), again, len(latest), latest[0], latest[-1]


for _number in (1, 2, 63, 64, 65, 5_000, 5_001, 5_002):
    _call(f"{_number} recent items", _recent, _number)

for _label, _ranges in {
    "all": IndexRangeSyntax(),
    "by three": IndexRangeSyntax(size=3, parameter="r"),
    "a part": IndexRangeSyntax(size=3, within=(2, 6)),
    "an open part": IndexRangeSyntax(size=3, within=(2, None)),
}.items():
    _call(
        f"ranges: {_label}",
        lambda ranges: (
            repr(ranges),
            ranges.first,
            ranges.last,
            ranges.at(2),
            ranges.at(2, 9),
            ranges.at(5),
            ranges.beyond(4),
            [
                ranges.url(url, ranges.at(2))
                for url in ("u", "u?a=1", "u?r=1&a=2#f", "u?indexRange=0-1", "u?%72=1&b", "u?r=1=2&c=d=e", "u?")
            ],
            [
                ranges.index_of(url)
                for url in (
                    "u",
                    "u?r=1-2",
                    "u?indexRange=3-",
                    "u?a&indexRange=4-5#f",
                    "u?indexRange=x",
                    "u?index%52ange=6%2D7",
                    "u?indexRange=1234567890123456-",
                )
            ],
            [
                ranges.bounds_of(url)
                for url in (
                    "u",
                    "u?r=1-2",
                    "u?indexRange=3-",
                    "u?indexRange=4-5&indexRange=6-7",
                    "u?indexRange=4-5=6",
                    "u?indexRange=4-5#?indexRange=6-7",
                )
            ],
        ),
        _ranges,
    )
for _size in (1, 2):
    _call(f"ranges of {_size}", lambda size: repr(IndexRangeSyntax(size=size)), _size)
for _body2 in (
    {},
    {"total": 5},
    {"total": "7"},
    {"total": " 8 "},
    {"total": "x"},
    {"total": None, "totalItems": 4},
    {"total": True},
    {"total": -1},
    {"total": 1.5},
    {"total": "9" * 15},
    {"total": "9" * 16},
    {"total": "٣"},
    {"page": {"totalElements": 3}},
    {"page": 5, "meta": {"total": 2}},
    {"page": {"totalElements": "x"}, "_meta": {"totalCount": 6}},
    {"pagination": {"total": 0}},
    *(
        {name: 5}
        for name in (
            "total_items",
            "total_records",
            "totalRecords",
            "total_count",
            "totalCount",
            "total_results",
            "totalResults",
            "totalElements",
        )
    ),
    {"page": {"total_elements": 1}},
    {"_meta": {"total": 1}},
):
    _on(f"total of {_body2}", total_of, _body2)
for _field in ("x_wp_total", "x_total_count", "x_total", "x_other"):
    _on(f"total of the field {_field}", total_of, {}, **{_field: "12"})
_on("total of a copy", lambda found: total_of(found.embedded("x")[0]), {"_embedded": {"x": {}}}, x_total="12")
for _value2 in (
    None,
    link("/v4/n"),
    [link("/v4/n")],
    [None, link("/v4/m")],
    link(None),
    5,
    [],
    "/v4/s",
    link("/{x}", templated=True),
    link(5),
):
    _on(
        f"next page of {_value2}",
        lambda found: (page_url(found, "next"), page_url(found, "zzz", "next")),
        {"_links": {"next": _value2}},
    )
_on(
    "next page of a header",
    lambda found: (page_url(found, "next"), page_url(found, "prev", "previous")),
    {},
    link='<n>; rel="next", <p>; rel="previous"',
)
_on("next page of no links", lambda found: page_url(found, "next"), {"_links": 5})


class _Once:
    """Fails once with an error, then answers."""

    def __init__(self, error: Exception, reply: Any) -> None:
        self._error: Exception | None = error
        self._reply = reply

    def __call__(self, request: Request) -> Any:
        error, self._error = self._error, None
        return self._reply if error is None else error


async def _retried(requests: list[Request], error: Exception) -> Any:
    site = _site(requests, two=_Once(error, {"_embedded": {"x": [{"id": 2}]}}))
    first = site.resource({"_embedded": {"x": [{"id": 1}]}, "_links": {"next": link("/v4/two")}}, f"{HOME}/one")
    told: list[Any] = []
    iterator = aiter(first.items("x"))
    for _ in range(4):
        try:
            told.append(await anext(iterator))
        except StopAsyncIteration:
            told.append("end")
        except Exception as caught:  # noqa: BLE001 - told
            told.append(caught)
    return told


_add("a page that fails once", lambda requests: _retried(requests, ApiError("no", status=503, url=f"{HOME}/two")))
_add("a page that the network loses once", lambda requests: _retried(requests, NetworkError("lost")))

# ------------------------------------------------------------------------------------------- paginators


async def _paged(found: Any, reply: Any = None, *args: Any, **options: Any) -> Any:
    """Return the pages of a collection behind a link, then those after the first one's token."""
    site = found.require_context().fetch
    site.routes["/list"] = {"_embedded": {"item": [{"id": 1}, {"id": 2}]}, "_links": {"next": link("/v4/two")}}
    site.routes["/two"] = {"_embedded": {"item": [{"id": 2}, {"id": 3}]}, "total": 3}
    start = found.follow("list", headers={"X-B": "1"}, accept="text/l")
    first = [page async for page in start.pages(*args, **options)]
    rest = [page async for page in start.pages(*args, token=first[0].token, **options)]
    return [(page.number, page.total, page.items) for page in (*first, *rest)]


LISTED: Final = {"_links": {"list": link("/v4/list")}}
_on("pages behind a link", _paged, LISTED)
_on("pages behind a link of a relation", lambda found: _paged(found, None, "item"), LISTED)
_on("pages behind a link with fields", lambda found: _paged(found, headers={"X-A": "1", "If-None-Match": "x"}), LISTED)
_on(
    "pages with fields",
    lambda found: _pages(found, "item", headers={"X-A": "1"}),
    {"_embedded": {"item": [{"id": 1}]}, "_links": {"next": link("/v4/n")}},
)
_on("pages after a token that is none", lambda found: _pages(found, token="x"), ITEMS["a list"])

LINKED: Final = {"_links": {"item": [link(f"/v4/i{number}") for number in range(5)]}}
FAILING: Final = {"_links": {"item": [link("/v4/i0"), link("/v4/absent"), link("/v4/i2")]}}


async def _walked(found: Any, way: str, count: int, **options: Any) -> Any:
    """Return the items that one way of reading returns, and what it raises, as often as it goes on."""
    told: list[Any] = []
    items = found.items("item", **options)
    async with getattr(items, way)(count) if way else _itself(items) as each:
        iterator = aiter(each)
        for _ in range(8):
            try:
                told.append((await anext(iterator)).url)
            except StopAsyncIteration:
                told.append("end")
                break
            except Exception as error:  # noqa: BLE001 - told
                told += [error, *getattr(error, "__notes__", ())]
    return told


@asynccontextmanager
async def _itself(items: Any) -> AsyncGenerator[Any]:
    yield items


for _way in ("", "ahead", "concurrent"):
    for _limit in (1, 2, 4, 5, 6):
        _on(
            f"walk {_way} over linked items, at most {_limit}",
            partial(lambda way, limit, found: _walked(found, way, 2, limit=limit), _way, _limit),
            LINKED,
        )
    _on(f"walk {_way} over a link that fails", partial(lambda way, found: _walked(found, way, 2), _way), FAILING)
    _on(
        f"walk {_way} over what is absent",
        partial(lambda way, found: _walked(found, way, 2), _way),
        {"_embedded": {"x": []}},
    )
for _way, _count in (("ahead", 0), ("ahead", -1), ("concurrent", 0), ("ahead", 1), ("concurrent", 1)):
    _on(f"walk {_way}({_count})", partial(lambda way, count, found: _walked(found, way, count), _way, _count), LINKED)


async def _staged(found: Any, *stages: tuple[str, Any], count: int = 0) -> Any:
    items = found.items("x")
    for name, argument in stages:
        items = getattr(items, name)(argument)
    return await items.collect(count) if count else await items.collect()


async def _awaited(value: Any) -> Any:
    return value


EIGHT: Final = {"_embedded": {"x": [{"id": number} for number in range(8)]}, "total": 8}
for _label, _stages in {
    "map": [("map", lambda one: one["id"])],
    "map to nothing": [("map", lambda one: one["id"] if one["id"] % 2 else None)],
    "filter": [("filter", lambda one: one["id"] % 2), ("map", lambda one: one["id"])],
    "take": [("take", 3), ("map", lambda one: one["id"])],
    "take nothing": [("take", 0)],
    "take less than nothing": [("take", -1)],
    "map, filter, take": [("map", lambda one: one["id"]), ("filter", lambda one: one > 2), ("take", 2), ("map", str)],
    "take, then filter": [("map", lambda one: one["id"]), ("take", 4), ("filter", lambda one: one > 1), ("take", 5)],
    "awaited": [
        ("map", lambda one: _awaited(one["id"])),
        ("filter", lambda one: _awaited(one % 3)),
        ("take", 3),
        ("map", lambda one: _awaited(None if one == 2 else one)),
    ],
    "map by a number": [("map", 5)],
    "filter by a text": [("filter", "x")],
}.items():
    _on(f"stages: {_label}", partial(lambda stages, found: _staged(found, *stages), _stages), EIGHT)
for _count in (-1, 0, 1, 7, 8, 9):
    _on(f"collect {_count} items", partial(lambda count, found: found.items("x").collect(count), _count), EIGHT)
_on("the first item", lambda found: found.items("x").first(), EIGHT)
_on("the first item of none", lambda found: found.items("x").first(), ITEMS["an empty list"])
_on("the total of a collection", lambda found: found.items("x").total(), EIGHT)
_on("the total of a collection that states none", lambda found: found.items("x").total(), ITEMS["a list"])
_on("items that are no objects", lambda found: found.items("x").collect(), ITEMS["invalid items"])

# ------------------------------------------------------------------------------------------- more of resources

EMBEDDED_TWICE: Final = {
    "_links": {"x": [link("/v4/a"), link("/v4/b"), link("/v4/c"), 5]},
    "_embedded": {"x": [{"id": 1, "_links": {"self": link("/v4/a")}}, 6]},
}
for _chosen, _options in {"embedded": {"source": "embedded"}, "linked": {"source": "links"}, "": {}}.items():
    _on(
        f"items of links and copies {_chosen}",
        partial(lambda options, found: _selected(found, {"rel": "x", **options}), _options),
        EMBEDDED_TWICE,
    )


def _without_type(requests: list[Request], body: Any, use: Callable[[Any], Any]) -> Any:
    response = attrs.evolve(make_response(body, url=f"{HOME}/here"), headers=Headers({}))
    return use(HalResource.of(response, _site(requests).context))


for _view in ("repr", "object", "profile", "fetch", "refresh", "dump", "preferences", "location"):
    _add(
        f"an array without a media type: {_view}",
        partial(lambda view, requests: _without_type(requests, [1], VIEWS[view]), _view),
    )


async def _compact_error(requests: list[Request]) -> Any:
    error = ApiError("no", status=409, url=f"{HOME}/fails", document={"a": 1, "_embedded": {"b": {"c": 2}}})
    entry = EntryPoint(HOME, _site(requests, fails=error).context)
    try:
        await entry.get(f"{HOME}/fails")
    except ApiError as caught:
        found: Any = caught.resource
        return found.compact().value, found.compact().embedded("b")[0].compact().value, found.forms
    return None


_add("an error of which the document is let go", _compact_error)
_on(
    "a document that is let go",
    lambda found: (
        found.compact().value == RICH,
        found.embedded("copied")[0].compact().value,
        found.at("nested").compact().value,
    ),
)
_on(
    "a document with links of a header that is let go",
    lambda found: found.compact().links["h"],
    {"a": 1},
    link='</h>; rel="h"',
)
_on("a document bound anew", lambda found: found.rebind(Site().context).follow("absent"), RICH)
_on("links of a document with an anchor", lambda found: dict(found.links), {}, link='</h>; rel="h"; anchor="/v4/here"')


async def _warned(found: Any) -> Any:
    await found.follow("old")
    await found.follow("old")
    await found.post("old")


_on("a deprecated link, followed twice", _warned)
_on(
    "a page of a deprecated link",
    lambda found: found.items("x").collect(),
    {"_embedded": {"x": []}, "_links": {"next": link("/v4/n", deprecation=True)}},
)


async def _superseded(found: Any) -> Any:
    await found.embedded("copied")[0].put(json=1)
    one = found.stale
    await found.put(json=1)
    return one, found.stale, found.rebind(found.context).stale


_on("a resource that was written to", _superseded)


async def _copy_written(found: Any) -> Any:
    (copy,) = found.embedded("copied")
    await copy.post("next") if copy.can("next") else await copy.delete()
    return copy.stale, found.stale


_on("a copy that was written to", _copy_written)


for _seconds, _control in (
    (59, "max-age=60"),
    (60, "max-age=60"),
    (61, "max-age=60"),
    (61, ""),
    (1, "no-cache"),
    (-5, "max-age=60"),
):
    _add(
        f"age after {_seconds} s of {_control}",
        partial(lambda seconds, control, requests: _aged(requests, seconds, control), _seconds, _control),
    )


def _aged(requests: list[Request], seconds: float, control: str) -> Any:
    site = _site(requests)
    found = site.resource({}, cache_control=control)
    site.now += timedelta(seconds=seconds)
    return found.age, found.stale


_on("a long array as an object", lambda found: found.require_object(), list(range(100)))
_on("the total of what is absent", lambda found: found.follow("absent").items(absent=lambda _: True).total())
_on("the items of what is absent", lambda found: found.follow("absent").items(absent=lambda _: True).collect())

_on("too many items in an array", lambda found: found.items().collect(), [{}] * 20_001)
for _template in (False, True):
    _href = "/v4/q{?p}" if _template else "/v4/q"
    _copied = {
        "_links": {"q": link(_href, templated=_template)},
        "_embedded": {"q": {"_links": {"self": link("/v4/q?p=1")}}},
    }
    for _options in ({"params": {"p": 1}}, {"variables": {"p": 1}}):
        for _verb in ("follow", "expand"):
            _on(f"{_verb} a copy of template {_template} by {[*_options]}", _method("q", _verb, **_options), _copied)


async def _asked_again(found: HalResource) -> Any:
    answer = await found.forms["search"].submit(q="a", options={"headers": {"X": "1"}})
    return await answer.fetch()


_on("fields of a form that are asked for again", _asked_again, FORMS)
_call(
    "a document of a long media type",
    lambda: media_types.read_document(make_response(b"hello " * 40, content_type=f"text/{'x' * 100}")),
)
_call(
    "a download of a long media type",
    lambda: repr(
        Download(
            StreamedResponse(
                url=HOME,
                status=200,
                headers=Headers({"content-type": f"text/{'x' * 100}"}),
                received_at=Site().now,
                chunks=_chunks(),
            )
        )
    ),
)


def _page_at(path: str, ids: list[int], **rels: str) -> Response:
    """Return a page whose URL is another one than that which was asked for."""
    body = {"_embedded": {"x": [{"id": id_} for id_ in ids]}, "_links": {rel: link(url) for rel, url in rels.items()}}
    return make_response(body, url=f"{HOME}{path}")


async def _redirected(requests: list[Request], pages: Mapping[str, Response], *, reverse: bool, **body: Any) -> Any:
    site = _site(requests, **pages)
    first = site.resource({"_links": {"list": link("/v4/one")}, **body}, f"{HOME}/here")
    told: list[Any] = []
    try:
        async for page in first.follow("list").items("x", reverse=reverse).pages():
            told.append([item["id"] for item in page.items])  # noqa: PERF401 - pages before an error are kept
    except Exception as error:  # noqa: BLE001 - told
        told.append(error)
    return told


for _label, _pages_of in {
    "that lead to the first": {
        "one": _page_at("/uno", [1], next="/v4/two", last="/v4/two"),
        "two": _page_at("/dos", [2], next="/v4/uno", prev="/v4/one"),
    },
    "that lead to the second": {
        "one": _page_at("/uno", [1], next="/v4/two"),
        "two": _page_at("/dos", [2], next="/v4/three"),
        "three": _page_at("/tres", [3], next="/v4/dos"),
    },
    "that lead back to the third": {
        "one": _page_at("/uno", [1], next="/v4/two", last="/v4/four"),
        "two": _page_at("/dos", [2], next="/v4/three", prev="/v4/tres"),
        "three": _page_at("/tres", [3], next="/v4/four", prev="/v4/two"),
        "four": _page_at("/cuatro", [4], prev="/v4/three"),
    },
    "with self links that lead to the third": {
        "one": _page_at("/uno", [1], next="/v4/two", last="/v4/four", self="/v4/un"),
        "two": _page_at("/dos", [2], next="/v4/three", prev="/v4/trois", self="/v4/deux"),
        "three": _page_at("/tres", [3], next="/v4/deux", prev="/v4/two", self="/v4/trois"),
        "four": _page_at("/cuatro", [4], prev="/v4/three"),
    },
    "that are asked for twice": {
        "one": _page_at("/uno", [1], next="/v4/two", last="/v4/three"),
        "two": _page_at("/dos", [2], next="/v4/three", prev="/v4/three"),
        "three": _page_at("/tres", [3], next="/v4/two", prev="/v4/two"),
    },
}.items():
    for _back in (False, True):
        _add(
            f"redirected pages {_label}{' in reverse' if _back else ''}",
            partial(lambda pages, back, requests: _redirected(requests, pages, reverse=back), _pages_of, _back),
        )
for _next, _total in (([5], 9), ([5], 1), ([link("{")], 9)):
    _on(
        f"pages before a link that is none, of {_total}: {_next}",
        partial(lambda found: _walked(found, "", 2)),
        {"_embedded": {"item": [{"id": 1}]}, "_links": {"next": _next}, "total": _total},
    )
for _at, _of in ((1, 1), (1, 2), (2, 1), ("1", 2), (1, "2")):
    _on(
        f"pages of numbers, {_at!r} of {_of!r}",
        lambda found: found.items("x", ranges=IndexRangeSyntax(size=5)).collect(),
        {"_embedded": {"x": [{"id": 1}]}, "currentPage": _at, "totalPage": _of},
    )
_on("how a walk is shown in a notebook", lambda found: found.items("x")._repr_html_())


async def _forms_of_error(requests: list[Request]) -> Any:
    """Return the URLs of the forms of an error, of its copy, and of an error with a self link."""
    templates = {"_templates": {"x": {"method": "POST"}}}
    stated = {"_links": {"self": link("/v4/self")}, **templates}
    entry = EntryPoint(
        HOME,
        _site(
            requests,
            one=ApiError("no", status=422, url=f"{HOME}/one", document={**templates, "_embedded": {"e": templates}}),
            two=ApiError("no", status=422, url=f"{HOME}/two", document=stated),
        ).context,
    )
    told: list[Any] = []
    for name in ("one", "two"):
        try:
            await entry.get(f"{HOME}/{name}")
        except ApiError as error:
            found: Any = error.resource
            told += [one.forms["x"].url for one in (found, *found.embedded("e"))]
    return told


_add("forms of errors and of their copies", _forms_of_error)


def _after_token(found: HalResource, **place: Any) -> Any:
    token = PageToken(url=f"{HOME}/last", number=1, reverse=True, **place).to_token()
    return _pages_after(found.follow("list").items("x", reverse=True).pages(token))


async def _pages_after(pages: Any) -> Any:
    return [[item["id"] for item in page.items] async for page in pages]


async def _with_page(found: HalResource, body: Any, use: Callable[[HalResource], Any]) -> Any:
    site: Any = found.require_context().fetch
    site.routes["/last"] = body
    site.routes["/list"] = {"_embedded": {"x": [{"id": 0}]}, "_links": {"next": link("/v4/last")}}
    return await use(found)


for _label, _rels in {
    "first": {"first": link("/v4/last")},
    "first, and prev": {"first": link("/v4/last"), "prev": link("/v4/last")},
    "first of another page": {"first": link("/v4/list")},
    "self of the first page": {"self": link("/v4/list"), "first": link("/v4/list")},
    "none": {},
}.items():
    for _place in ({}, {"position": 1}, {"position": 1, "is_linked": False}):
        _on(
            f"a page after a token {_place} with the links {_label}",
            partial(
                lambda rels, place, found: _with_page(
                    found,
                    {"_embedded": {"x": [{"id": 1}]}, "_links": rels, "total": 2},
                    lambda one: _after_token(one, **place),
                ),
                _rels,
                _place,
            ),
            LISTED,
        )

for _verb in ("follow", "post", "write"):
    _on(
        f"{_verb} with an option that it does not have",
        lambda found, verb=_verb: getattr(found, verb)("one", nmae="x"),  # type: ignore[misc]
    )
_on("follow a chain with an option that it does not have", lambda found: found.follow("one").follow("two", nmae="x"))
_on("follow a number", lambda found: found.follow(5))
_on("expand with an option that is none", lambda found: found.expand("one", embedded="x"))
for _more in (0, 1):
    _field = '<a>; rel="x"; title="'.ljust(link_header.MAX_LENGTH - 1 + _more, "t") + '"'
    _call(
        f"links of a header {_more} longer than is read",
        lambda field: len(media_types.links_of_header(Headers({"link": field}), HOME)),
        _field,
    )


async def _stale_page(found: Any) -> Any:
    await found.put(json=1)
    pages = [page async for page in found.items("copied", headers={"X": "1"}).pages()]
    return [(page.resource.stale, page.resource.snapshot.asked) for page in pages]


_on("pages of a resource that was written to", _stale_page)
