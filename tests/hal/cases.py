"""Calls of the layer of documents whose outcomes stand in ``outcomes.txt``.

``python -m tests.support.outcomes tests.hal.cases`` renews that file.
"""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import datetime as dt
import enum
import io
import json
import pickle
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Final
from unittest import mock

from stellantis_hal.hal import (
    deprecation_headers,
    document,
    encoded,
    error_documents,
    form_patterns,
    form_submission,
    forms,
    header_mapping,
    html_tables,
    http_dates,
    link_header,
    redaction,
    uri,
    uri_templates,
)
from stellantis_hal.hal import json as hal_json
from stellantis_hal.hal.curies import Curies
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.log_throttling import LogThrottle
from tests.support.outcomes import Case

__all__ = ["CASES", "FILE"]

FILE: Final = Path(__file__).with_name("outcomes.txt")
CASES: Final[dict[str, Case]] = {}

_value: Any  # names of loops below
_field: Any
_text: Any
_body: Any


def _call(name: str, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Add a call of a function."""
    name = name.replace("\n", "\\n")
    assert name not in CASES, name
    CASES[name] = lambda _: function(*args, **options)


def _each(label: str, function: Callable[..., Any], values: Any, **options: Any) -> None:
    """Add a call of a function for each value."""
    for index, value in enumerate(values):
        shown = re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:60].encode("ascii", "backslashreplace").decode()
        _call(f"{label} {index} {shown}", function, value, **options)


def _refusal(call: Callable[[], Any]) -> str:
    """Return the error that a call raises."""
    try:
        return f"returned {call()!r}"
    except Exception as error:  # noqa: BLE001 - of any kind
        return f"{type(error).__name__}: {error}"


def _within(module: Any, bound: str, most: int, call: Callable[[], Any]) -> Any:
    """Return the outcomes of a call by a bound of its module, from 0 on, without those that are the same as before."""
    told: list[Any] = []
    before: Any = None
    for value in range(most):
        with mock.patch.object(module, bound, value):
            found = call()
        if found != before:
            told.append((value, before := found))
    return told


# ------------------------------------------------------------------------------------------- URIs

REFERENCES: Final = (
    "g:h",
    "g",
    "./g",
    "g/",
    "/g",
    "//g",
    "?y",
    "g?y",
    "#s",
    "g#s",
    "g?y#s",
    ";x",
    "",
    ".",
    "./",
    "..",
    "../",
    "../g",
    "../..",
    "../../../g",
    "/./g",
    "/../g",
    "g.",
    ".g",
    "..g",
    "./../g",
    "g/./h",
    "g/../h",
    "http:g",
    "http://a/../b",
    "//g/../h",
    "/a/..",
    "/..",
    "a:b:c",
    "1:2",
    "//",
    "//g?x#",
    "?",
    "#",
    "/.hidden",
    "http://x/./y",
    "g?a=/../b",
)
_each("split", lambda text: (uri.split(text), str(uri.split(text))), REFERENCES)
for _base in ("http://a/b/c/d;p?q#f", "http://a", "http://a?x", "a/b/c"):
    _each(f"resolve against {_base}", partial(uri.resolve, _base), REFERENCES)
_each("host", uri.host_of, ("http://A.b:80/x", "http://u:p@H", "x", "//H/p", "http:///p", "http://u@v@W:1"))
_each(
    "append to",
    lambda url: [uri.append_query(url, text) for text in ("", "a=1")],
    ("u", "u?", "u?b", "u?b&", "u#f", "u?b#f?g", "#"),
)
_call("encode a query", uri.encode_query, [("a b", "c&d"), ("é", "x:,/y"), ("", ""), ("a", "=+")])
_each(
    "join a segment",
    lambda segment: [uri.join_segment(url, segment) for url in ("u", "u/", "u//?a#b", "u#f")],
    ("a", "a/b", "é ?", "", ".", "..", "...", 5),
)
_each("to ASCII", uri.to_ascii, ("a", "é", "http://é/é?é#é", "//é:1/ü", "é:é", "/%zz é\x00", "\ud800"))

# ------------------------------------------------------------------------------------------- templates


class _Colour(enum.Enum):
    RED = "red"
    FIVE = 5


class _Text:
    def __str__(self) -> str:
        return "own"


TEMPLATES: Final = (
    "/a/{id}/b",
    "{id}",
    "//{id}/b",
    "/a{/id}",
    "/a{?id,x}",
    "/a{#id}",
    "{+id}/b",
    "/a/{id}{x}",
    "/a/{id}.json",
    "/{x}/{id}?y",
    "/a{?x}/{id}",
    "/{*x}",
    "{",
    "}",
    "/é/{id}",
    "{id:3}",
    "/a{;id*}",
    "{?id*}",
    "{" * 9_000,
    "{!id}",
    "{=id}",
    "",
    "/a/{id}/{x}",
    "http://{id}/",
    "/a#{id}",
)
VALUES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"id": "v/é"},
    {"id": None},
    {"id": []},
    {"id": ["a", None, 1]},
    {"id": {"k": 1, "n": None}},
    {"x": 1, "id": True},
    {"y": 1, "z": 2},
    {"id": ""},
)
for _template in TEMPLATES:
    _each(f"expand {_template[:20]} with", partial(uri_templates.expand, _template), VALUES)
_each("variables of", uri_templates.variables, TEMPLATES)
_each(
    "expand without a value",
    lambda template: uri_templates.expand(template, {}),
    ("/a?q=1/{y}/b", "/a#q/{y}/b", "/a/{y}?b", "{y}/b", "/a{?x}/{y}", "/a/{?x}{y}/b", "{+y}", "/{x}{y}/", "/a{/y}/b"),
)
_call(
    "errors of templates, by their length",
    lambda: _within(
        uri_templates, "_MAX_QUOTED", 24, lambda: _refusal(lambda: uri_templates.expand("/a/{b}/c/{d}", {"e": 1}))
    ),
)
PLAIN: Final = (
    None,
    True,
    False,
    5,
    1.5,
    "t",
    b"b",
    bytearray(b"b"),
    memoryview(b"b"),
    [1, None, [2]],
    (1,),
    {"a": None, "b": [True]},
    {1, 2},
    object(),
    _Colour.RED,
    _Colour.FIVE,
    dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC),
    dt.date(2024, 1, 2),
    dt.time(3, 4),
    Decimal("1.50"),
    uuid.UUID(int=5),
    _Text(),
    range(2),
    float("nan"),
)
_each("plain", uri_templates.plain, PLAIN)

# ------------------------------------------------------------------------------------------- links, CURIEs

LINKS: Final[tuple[Any, ...]] = (
    None,
    5,
    [],
    "/a",
    {},
    {"href": "/a"},
    {"href": None},
    {"href": 5, "name": "n"},
    {"href": "/a", "templated": True},
    {"href": "/a", "templated": "true"},
    {"href": "/a", "templated": 1},
    {"href": "/a", "name": "n", "title": "t", "type": "y", "profile": "p", "hreflang": "de", "x": [1]},
    {"href": "/a", "name": 1, "title": 2, "type": 3, "profile": 4, "hreflang": ["de"]},
    {"href": "/a", "deprecation": True},
    {"href": "/a", "deprecation": False},
    {"href": "/a", "deprecation": None},
    {"href": "/a", "deprecation": ["x"] * 50},
    {"href": "/a", "deprecation": "d"},
    {"templated": True},
)
_each("link", lambda value: (found := Link.parse("r", value)) and (found, found.is_null), LINKS)
_call("a link of the least", Link, "/a")
HEADERS: Final = (
    "<<a>; rel=x",
    "<a<b<c>; rel=x, <d>; rel=y",
    "<>; rel=x",
    "<a>; rel=Xx; title='X, <b>; rel=y; title=X'",
    ",,<a>;;rel=x,,",
    "",
    "<a>",
    "<a>; rel=b",
    '<a>; rel="B c b"',
    "<a>; rel=b, <c>; rel=d",
    "<a> ; rel = b ; title = 't'",
    '<a>; rel=b; title="x\\"y"',
    "<a>; rel=b; title*=UTF-8'en'%c3%a9; title=z",
    "<a>; rel=b; title*=utf-16'en'%c3; title=z",
    "<a>; rel=b; title*=iso-8859-1''%e9",
    "<a>; rel=b; title*=UTF-8''%ff; title=z",
    "<a>; rel=b; anchor=/x",
    '<a>; rel=b; anchor=""',
    "<a>; rel=b; anchor=/v4",
    "<a>; rel=b; hreflang=de; hreflang=en; foo=1; foo=2",
    "<a>; rel=b; hreflang=de",
    "<a>; rel=b; rel=c; type=t; name=n; profile=p; templated",
    "a; rel=b, <c>; rel=d",
    "<a; rel=b, <c>; rel=d",
    "<a<b>; rel=c",
    "<a>; rel=http://X/Y",
    '<a>; rel="b',
    "<a>; ; rel=b;",
    ",,<a>; rel=b,,",
    "<a>; rev=b",
    "<a>; rel",
    "<a>; =x; rel=b",
    "<>; rel=self",
    "< a >; rel=b",
    '<a>; rel=b; title="a,b", <c>; rel=d',
    "<a>;rel=b;title=a=b",
    "x <a>; rel=b",
    "<a>; rel=b; TITLE=T",
    "<a",
    ">",
    "<a>; rel=b <c>; rel=d, <e>; rel=f",
    "\t<a>\t;\trel=b",
)
_each("header", partial(link_header.parse_link_header, base="https://api.example/v4"), HEADERS)
_call("a header with 1,001 links", lambda: len(link_header.parse_link_header("<a>; rel=b, " * 1_001, "u")))
_call(
    "a header with 999 links and two",
    lambda: [
        len(link_header.parse_link_header("<a>; rel=b, " * 999 + '<a>; rel="c d"', "u")),
        link_header.parse_link_header("<a>; rel=b, " * 999 + '<a>; rel="c d"', "u")[-1],
    ],
)
for _length in (65_523, 65_524, 65_525, 65_536):
    _call(
        f"a header whose last link begins at {_length}",
        lambda length: len(link_header.parse_link_header("<a>; rel=b," + " " * (length - 11) + "<c>; rel=self", "u")),
        _length,
    )
CURIES: Final = Curies(
    {"ex": "https://docs.example/{rel}", "oo": "https://other/{rel}", "bad": "{*}", "no": "https://no/"}
)
KEYS: Final = ("ex:a", "oo:b", "https://docs.example/c", "ex:d", "oo:d", "e", "tag:x")
_each("expand a relation", CURIES.expand, ("ex:a", "a", "tag:a", "bad:a", "no:a", "ex:", "ex:a:b", ":a"))
_each(
    "find a relation",
    lambda wanted: [
        CURIES.find(wanted, KEYS),
        Curies({}).find(wanted, KEYS),
        CURIES.find(wanted, ["x"] * 999 + ["ex:a"]),
        CURIES.find(wanted, ["x"] * 1_000 + ["ex:a"]),
    ],
    ("a", "ex:a", "https://docs.example/a", "b", "c", "ex:c", "d", "e", "z", "tag:x"),
)
for _count in (1, 99, 100, 101):
    _call(
        f"{_count} CURIEs beside others",
        lambda count: [
            (len(found), found[:4], found[-1])
            for found in [CURIES.with_links([Link(f"h{n}", name=f"n{n}") for n in range(count)]).prefixes]
        ],
        _count,
    )
_call(
    "CURIEs without names",
    lambda: CURIES.with_links([Link("h"), Link(None, name="n"), Link("x" * 257, name="l")]) is CURIES,
)
_call("CURIEs in place of others", lambda: dict(CURIES.with_links([Link("x" * 256, name="ex")]).templates))

# ------------------------------------------------------------------------------------------- documents

DOCUMENTS: Final[tuple[Any, ...]] = (
    {},
    {"a": 1},
    {"_links": None},
    {"_links": 5, "_embedded": 6},
    {"_links": {"a": {"href": "/a"}, "b": "/b", "c": None, "d": [], "e": [None, {"href": "/e"}, "/f", 5]}},
    {"_links": {"a": {"href": 5, "templated": True}, "b": {"href": "/b", "templated": "x"}, "c": {}}},
    {"_links": {"curies": [{"name": "ex", "href": "d/{rel}"}, {"name": "no"}], "ex:a": {"href": "/a"}}},
    {"_links": {"curies": {"ex": {"href": "d/{rel}"}, "x": 5}, "curie": {"href": "e/{rel}", "name": "f"}}},
    {"_links": {"curies": {"ex": 5}}},
    {"_embedded": {"a": {"id": 1}, "b": [{"id": 2}, 5, None, [{"id": 3}, 6, []]], "c": None, "d": [], "e": "x"}},
    {"_embedded": {"a": [{"_embedded": {"b": {"_links": 5}}, "_links": {"x": 7}}]}},
    {"_embedded": {"a": {"_embedded": 5}}},
    {"_embedded": []},
    {"_embedded": {}},
    {"_links": []},
    {"_links": {"curies": [{"name": "ex", "href": "d/{rel}"}]}, "_embedded": {"ex:a": {"_links": {"ex:b": "/b"}}}},
    [1, {"a": 2}],
    [],
    5,
    True,
    None,
    "t",
)


def _facts(found: document.HalDocument) -> Any:
    again: document.HalDocument = pickle.loads(pickle.dumps(found))
    return {
        "repr": repr(found),
        "kind": found.kind,
        "state": dict(found.state),
        "size": (len(found.state), len(found.links), [*found.links]),
        "rels": found.rels,
        "links": {rel: found.links[rel] for rel in found.links},
        "embedded": {rel: [one.value for one in each] for rel, each in found.embedded.items()},
        "curies": dict(found.curies.templates),
        "inherited": [dict(one.inherited.templates) for each in found.embedded.values() for one in each],
        "outline": dict(found.outline),
        "peek": (
            found.peek("id"),
            found.peek("_links"),
            found.peek("_embedded"),
            found.peek("total"),
            found.peek("zz"),
        ),
        "diagnostics": found.diagnostics,
        "again": (
            again == found,
            again.kind,
            dict(again.links) == dict(found.links),
            again.inherited.templates == found.inherited.templates,
        ),
        "has": [name in found.state for name in ("a", "_links", "_embedded")],
        "at": [found.at(*path) is None for path in ((), ("a",), ("_embedded",), (1,), (-1,), (-3,), (2,), ("a", "b"))],
    }


_each("document", lambda value: _facts(document.parse_root(value)), DOCUMENTS)
_each(
    "document of bytes",
    lambda value: (found := encoded.parse_encoded(json.dumps(value).encode())) and _facts(found),
    DOCUMENTS,
)
_each(
    "document of a header",
    lambda value: _facts(
        document.parse_root(
            value,
            header_links=(Link("/a", "a"), Link("/h", "h"), Link("/h", "h", title="t"), Link(None, "n")),
            base="https://api.example",
        )
    ),
    DOCUMENTS[:6],
)
_call(
    "a document of a header, of other CURIEs",
    lambda: _facts(
        document.parse_root(
            {"_links": {"a": "/a"}, "_embedded": {"a": [{}, [{}]], "b": [{}], "c": {}, "d": [5, {}]}},
            curies=CURIES,
            header_links=(Link("https://api.example/a", "a"), Link("a", "a")),
            base="https://api.example/b/c",
        )
    ),
)
_call(
    "embedded documents of other CURIEs",
    lambda: _facts(
        document.parse_root({"_embedded": {"a": [{}, [{}]], "b": [{}], "c": {}, "d": [5, {}]}}, curies=CURIES)
    ),
)
_call("a document without a value", lambda: _facts(document.parse_root(None, is_empty=True)))
_call("a document without a value, of an object", lambda: _facts(document.parse_root({"a": 1}, is_empty=True)))


def _as_any(*values: Any) -> tuple[Any, ...]:
    return values


_call("the body of a document", document.serialize, document.parse({"a": 1}))
_call(
    "unequal documents",
    lambda: [
        document.parse({}) == other
        for other in _as_any(document.parse({}), document.parse({"a": 1}), document.parse_root(None), {}, 5)
    ],
)
_call(
    "unequal documents of roots",
    lambda: [
        document.parse_root(None) == other
        for other in (document.parse_root(None), document.parse_root(None, is_empty=True), document.parse({}), 5)
    ],
)
_each("flatten", document.flatten, ([], [1], [[1], 2], [[[1, [2]], []], 3]))
PAGES: Final = (
    b"",
    b" ",
    b"{",
    b"{}",
    b"[]",
    b"5",
    b'{"a":1}',
    b'{"_embedded":{"a":[{"id":1},{"id":2}]},"total":2}',
    b'{"_embedded":{"a":[5]}}',
    b'{"_embedded":{"a":{}}}',
    b'{"_embedded":5}',
    b'{"_embedded":{"a":[]}}',
    b'{"x":"\\"_embedded\\""}',
    b'{"id":1,"_links":{"self":{"href":"s"}},"_embedded":{"a":[ {"id":"2","_links":{"b":"/b"}}]},"zeta":5}',
    b'{"_embedded":{"a":[{}]},"_embedded":{"b":[{}]}}',
    b'{"a":"\xff"}',
    b'{"_embedded":{"a":[{"x":"\xc3\xa9"}]}}',
    b'{"_embedded":null}',
    b'{"currentPage":1,"totalPage":2,"total":3,"_embedded":{"a":[{"id":null}]}}',
    b'{"a":1}x',
    b'{"_embedded":{"a":[{}]}} ',
    b'{"_embedded":{"a":[[{}]]}}',
    b"\xef\xbb\xbf{}",
    b'{"total":1,"_links":{"_embedded":{"href":"/a"}}}',
)


def _encoded(content: bytes) -> Any:
    told: list[Any] = []
    for _ in range(2):  # the members of a page are known at the second time
        found = encoded.parse_encoded(content)
        if found is None:
            told.append(None)
            continue
        items = [one for each in found.embedded.values() for one in each]
        told.append(
            [
                found.peek("id"),
                found.peek("_links"),
                found.peek("_embedded"),
                found.peek("total"),
                found.peek("zz"),
                dict(found.outline),
                found.rels,
                [(one.peek("id"), one.peek("_links"), one.peek("x"), one.rels, one.encoded is None) for one in items],
                found.encoded == content,
                found.value,
                found.peek("id"),
            ]
        )
    return told


_each("bytes", _encoded, PAGES)


def _split(contents: tuple[bytes, ...]) -> Any:
    """Return the parts that new decoders find, one after the other: they learn the members of pages."""
    decoders = encoded._Decoders()
    told: list[Any] = []
    for content in contents:
        try:
            found = decoders.split(content)
            is_checked = callable(found)
            members, items = found() if callable(found) else found
            told.append(
                (
                    is_checked,
                    None if members is None else {name: raw and bytes(raw) for name, raw in members.items()},
                    None if items is None else {name: [bytes(raw) for raw in raws] for name, raws in items.items()},
                )
            )
        except decoders.refusals as error:
            told.append(type(error).__name__)
    head = decoders.head(b'{"a": 1, "id": [2], "_links": {"b": 3}}')
    none = decoders.head(b"{}")
    return told, bytes(head.m0), bytes(head.m1), none.m0, none.m1, decoders._known


_call("parts of pages", _split, PAGES)
_call("parts of pages, known before", _split, (*PAGES[-6:], *PAGES[7:9], *PAGES))
_call(
    "parts of many members",
    _split,
    tuple(
        json.dumps({"_embedded": {"a": [{}]}, **{f"n{n}": n for n in range(start, start + 14)}}).encode()
        for start in (0, 14, 10, 0)
    ),
)
_call(
    "parts of as many members as are learnt",
    lambda: [
        _split(
            tuple(
                json.dumps({"_embedded": {"a": [{}]}, **{f"n{n}": n for n in range(start, start + count)}}).encode()
                for start in (0, 100)
            )
        )[-1]
        for count in (0, 27, 28, 29)
    ],
)


def _decodings(content: bytes, *names: str) -> list[bytes]:
    """Return what is decoded while members are looked at, of the document and of those embedded."""
    decoded: list[bytes] = []

    def decode(data: bytes) -> Any:
        decoded.append(data)
        return hal_json.decode(data)

    found = encoded.parse_encoded(content)
    assert found is not None
    with mock.patch.object(encoded, "decode", decode):
        for one in (found, *found.embedded.get("a", ())):
            for name in names:
                one.peek(name)
        decoded.append(b"links")
        assert all(found.links[rel] is found.links[rel] for rel in found.links)
    return decoded


_call(
    "bytes that are decoded",
    lambda: [
        _decodings(content, *names)
        for content in (
            b'{"id": 1, "b": [2], "_links": {"c": "/c"}}',
            b'{"id": 1, "_embedded": {"a": [{"id": 3, "b": 4}]}}',
        )
        for names in (("id",), ("_links",), ("_links", "id"), ("b",), ("x",), ("x", "_embedded", "id"))
    ],
)
_call(
    "parts of odd members",
    _split,
    (b'{"_embedded": {"a": [{}]}, "a b": 1, "class": 2, "_x": 3}', b'{"_embedded": {"a": [{}]}, "_x": 4}') * 2,
)
_call(
    "a page of other CURIEs",
    lambda: [
        (found := encoded.parse_encoded(b'{"_links": {"x:a": "/a"}}', curies=CURIES)) and found.curies.prefixes,
        found and found.inherited is CURIES,
    ],
)
for _count in (19_997, 19_998, 19_999, 20_000, 20_001):
    _call(
        f"{_count} members of any name",
        lambda count: [
            sum(map(len, found.values()))
            for found in [error_documents.read_error_document({f"k{n}": ["m"] for n in range(count)}, "").errors]
        ],
        _count,
    )
    _call(
        f"{_count} texts of one member",
        lambda count: [
            (len(found), sum(map(len, found.values())))
            for found in [error_documents.read_error_document({"k": [5] * count + ["m"]}, "").errors]
        ],
        _count,
    )

# ------------------------------------------------------------------------------------------- JSON

_each(
    "decode",
    hal_json.decode,
    (
        b"",
        b"1",
        b"NaN",
        b"Infinity",
        b"1e999",
        b"-1e999",
        b'"\\ud800"',
        b"\xef\xbb\xbf[1]",
        b"[1",
        b"18446744073709551615",
        b"18446744073709551616",
        b"-9223372036854775808",
        b"-9223372036854775809",
        b"1" * 5_000,
        b"[18446744073709551616, 1e999]",
        b"[18446744073709551615, 1e999]",
        b"[-9223372036854775809, 1e999]",
        b"[-9223372036854775808, 1e999]",
        b"[123456789012345678901, 1e999]",
        b"\xff",
    ),
)
_call("decode what is too deep", hal_json.decode, b"[" * 100_000)
_each(
    "decode by the standard library",
    hal_json.standard_decode,
    (b"1", b"NaN", b"-Infinity", b"18446744073709551616", b"\xff\xfe1\x00", b"{"),
)
_each("encode", hal_json.encode, ({"a": [1, None, True, "é"]}, {1: 2}, float("nan"), "\ud800", object, {1, 2}))
_call("encode what has no type", hal_json.encode, {"a": object}, lambda value: "plain")
_call("encode a value nested too deeply", lambda: hal_json.encode(_in_lists(100_000)))
_each("rewrite a number", hal_json.rewrite, (1e16, 1e-7, [1e16, None], 1.0))
_each("rewrite", hal_json.rewrite, ({"a": [1, None]}, [float("inf")], "\ud800", {"a": "é"}, {1: 2}, [2**70]))
for _count in (199_999, 200_000, 200_001):
    _call(f"count the values of {_count} bytes", hal_json.count_values, b"," * _count)
    _call(
        f"decode a list of {_count} values",
        lambda count: len(hal_json.decode_received(b"[" + b"1," * (count - 2) + b"1]")),
        _count,
    )


def _in_lists(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


_call("count values", hal_json.count_values, b"{" * 100_000 + b"[" * 100_001 + b"," * 2)

# ------------------------------------------------------------------------------------------- header fields, dates


def _fields(given: Any) -> Any:
    found = header_mapping.Headers(given)
    return (
        repr(found),
        dict(found.items()),
        [*found],
        len(found),
        found.get("X-A"),
        found.get("none", "d"),
        "x-a" in found,
        _as_any(5)[0] in found,
        dict(found.replacing("X-B", "r")),
        found.by_lower_name,
    )


_each(
    "header fields",
    _fields,
    ({}, {"X-A": "1"}, [("x-a", "1"), ("X-A", "2"), ("b", "3"), ("X-a", "4")], {"X-A": "1", "x-a": "2"}),
)
_each("sendable", header_mapping.is_sendable, ("a", "", "a b", "é", "!", "~", "\x7f", 5, None, "a\n"))
_each(
    "fits a field",
    header_mapping.fits_field,
    ("a", "", "a b", " a", "a ", "é", "!", "~", "a\tb", "x" * 1_024, "x" * 1_025, "a\x7fb", "a\x1fb"),
)
_each("fits a short field", partial(header_mapping.fits_field, limit=3), ("abc", "abcd"))
DATES: Final = (
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "sun, 06 nov 1994 08:49:37 gmt",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sunday, 06-Nov-79 08:49:37 GMT",
    "Sunday, 06-Nov-80 08:49:37 GMT",
    "Sunday, 06-Nov-00 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "Sun Nov 16 08:49:37 1994",
    "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:60 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 CET",
    "",
    "x",
    " Sun, 06 Nov 1994 08:49:37 GMT ",
    " " * 12 + "Sun, 06 Nov 1994 08:49:37 GMT",
    " " * 11 + "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Fri, 01 Jan 2100 00:00:00 GMT",
    "Fri, 31 Dec 2100 00:00:00 GMT",
    "Mon Jun 03 08:35:36 GMT 2019",
    "Mon Jun  3 08:35:36 UTC 2019",
    "Mon Foo 03 08:35:36 Z 2019",
    "Mon Jun 33 08:35:36 Z 2019",
    "Mon Dec 31 23:59:59 GMT 2019",
    "Mon Jan 1 00:00:00 GMT 2019",
    "Mon Jun 03 08:35:36 CET 2019",
    "0",
)
_each("HTTP date", http_dates.parse_http_date, DATES)
_each("Java date", http_dates.parse_java_date, DATES)
NOTICES: Final[tuple[dict[str, str], ...]] = (
    {},
    {"deprecation": "true"},
    {"deprecation": "?1"},
    {"deprecation": "FALSE"},
    {"deprecation": "?0"},
    {"deprecation": " "},
    {"deprecation": "@1688169599"},
    {"deprecation": "@-5;x=1"},
    {"deprecation": "@" + "9" * 15},
    {"deprecation": "@" + "9" * 16},
    {"deprecation": "Sun, 11 Nov 2018 23:59:59 GMT"},
    {"deprecation": "Sun, 11 Nov 2018 23:59:59 +0200"},
    {"deprecation": "soon\n" * 40},
    {"sunset": "Sun, 30 Jun 2024 23:59:59 GMT"},
    {"sunset": "x"},
    {"deprecation": "true", "sunset": " @0 "},
)
_each("deprecation", deprecation_headers.deprecation_notice, NOTICES)
_each("escape", html_tables.escape, ("a<b>&\"'", "x" * 80, "x" * 81, "a\nb\x00", ""))
_call("escape a long text", html_tables.escape, "abcd", 3)
_call("a table of facts", html_tables.facts_table, "C<", [("a", "1"), ("b", None), ("c" * 90, "<")])


def _throttled(times: int) -> Any:
    throttle = LogThrottle()
    told = [number for number in range(40) if throttle.is_told(times)]
    return (
        told,
        throttle.count,
        throttle.end(),
        throttle.count,
        throttle.is_told(3),
        throttle.is_told(2),
        throttle.is_told(1),
    )


_each("told", _throttled, (1, 2, 5))

# ------------------------------------------------------------------------------------------- redaction

VIN: Final = "VF3" + "ABCDEFGHJKLM" + "12"
SECRETS: Final = (
    "plain",
    f"the VIN {VIN}",
    "VF3ABCDEFGHJKLMNP",
    "mail a.b@c.example now",
    "a%40c.example",
    "Bearer abc.def",
    "basic QWxh",
    "token=abc&x=1",
    'access_token": "abc"',
    "client_id=5",
    "id: 5",
    '"id": 5',
    "'id': 5",
    "12.345,67.891",
    "12.34,67.89",
    "48.8566 , 2.3522",
    "0123456789abcdef",
    "0123456789abcde",
    "abcdefabcdefabcdef",
    "+33 1 23 45 67 89",
    "+33123",
    "https://u:p@h/a/0123456?b=c#d",
    "https://h/short/x?y",
    "see https://h/a?b=c, or",
    "line\nbreak\ttab\x00nul",
    "password: 'a b'",
    "code=xyz",
    "encode=xyz",
    "firstName=Ann",
    "latitude: 5",
    "realm=x",
    "ab " * 2_730 + "cd",
    "ab " * 2_731,
    "y " * 4_100 + VIN,
    "\ud800",
    "a\u202eb",
    f'"vin":"{VIN}"',
    "vin=1}",
    "e-mail=x;y",
)
_each("mask", redaction.mask_text, SECRETS)
_each("mask the repr of", redaction.mask_repr, (None, *SECRETS))
_each("excerpt", redaction.excerpt, (*SECRETS[:4], b"\xff\xc3\xa9", b"xy " * 3_000, "xy " * 101))
_call("a short excerpt", redaction.excerpt, "token=abcdef, more", 9)
URLS: Final = (
    "https://h",
    "https://h/",
    "https://u:p@h/x",
    "https://h:x/y",
    "https://h:80/y",
    "https://[::1]:8/y",
    "https://u:p/q@h/",
    "/vehicles/abc123/x",
    "/vehicles/ab12",
    "/oauth2/x",
    "/" + "a" * 23,
    "/" + "a" * 24,
    "/abcde1",
    "/abcd1",
    "?a=1&b&=c&&d=",
    "?",
    "#f",
    "#",
    "x?y#z",
    "https://h/?" + "p&" * 4_200,
    "https://h/a b",
    "",
)
_each("mask the URL", redaction.mask_url, URLS)
for _name, _text in {
    "a URL": "https://h/vehicles/abc123/x?y=z",
    "a text": f"the VIN {VIN}, token=abc",
    "a short text": "ab",
    "nothing": "",
}.items():
    _call(
        f"mask {_name} within a length",
        lambda text: [
            _within(redaction, "_MAX_READ", 48, partial(mask, text))
            for mask in (
                redaction.mask_text,
                redaction.mask_repr,
                redaction.mask_url,
                redaction.excerpt,
                lambda given: redaction.excerpt(given.encode()),
            )
        ],
        _text,
    )
_each("mask the VIN", redaction.mask_vin, (VIN, "", "ab"))
_each("hide", redaction.hide, (None, "", [], "x", 0, 5, [1], {}))
_each(
    "private",
    redaction.is_private,
    (
        "id",
        "vehicleId",
        "tripId",
        "vin",
        "position.coordinates[0]",
        "a.b",
        "eMail",
        "e-mail",
        "firstName",
        "nickname",
        "name",
        "clientSecret",
        "code_verifier",
        "picture",
        "pictures",
        "zip-code",
        "extra",
        "extras",
        "$['street']",
        "lon",
        "long",
        "identity",
        "phoneNumber",
    ),
)
_each(
    "show",
    redaction.show_value,
    ("token=abc", b"abc", (1,), (1, "a"), (), [1, "id"], {"a": 1}, {}, _Colour.RED, 5, None, Curies({}).templates),
)
_each(
    "list",
    redaction.shortlist,
    ([], ["a"], ["a" * 90], [str(n) for n in range(20)], [str(n) for n in range(21)], {"k": 1}, ["token=abc", 5]),
)
_each("one line", redaction.one_line, ("a", "a\nb", "\x00\u200b", "é\u00a0"))


def _masked(*errors: BaseException) -> Any:
    redaction.mask_error(errors)
    return [(str(error), error.args, getattr(error, "strerror", None)) for error in errors]


_call(
    "mask errors",
    lambda: _masked(
        ValueError("token=abc", 5), OSError(2, "token=abc"), ValueError("plain\ntext"), ValueError("a@b.example\nx")
    ),
)

# ------------------------------------------------------------------------------------------- error documents

ERRORS: Final[tuple[Any, ...]] = (
    None,
    5,
    "text",
    " ",
    "x" * 1_001,
    [],
    {},
    ["a", "b", "c", "d"],
    {"message": "m"},
    {"detail": "d", "title": "t"},
    {"title": "t", "type": "https://p", "status": 400},
    {"type": "x" * 1_001, "title": "t"},
    {"type": "", "title": "t"},
    {"type": 5, "title": "t"},
    {"type": "x"},
    {"error": "e", "error_description": "ed"},
    {"error": {"message": "m", "code": 5}},
    {"_error": {"message": "m"}, "_issues": {"a": "bad", "b": ["x", "y"]}},
    {"errors": [{"field": "a", "message": "m"}, {"message": "n"}, "text", 5, {"code": "c"}]},
    {"errors": {"a": ["x"], "b": {"c": ["y"]}, "": ["w"], "non_field_errors": ["v"], "d": {"__all__": ["u"]}}},
    {"errors": {"0": ["x"], "a": [{"b": ["c"]}, {}]}},
    {"errors": {"a": [{"message": "m"}, "n"]}},
    {"violations": [{"propertyPath": "a.b", "message": "m"}]},
    {"invalid-params": [{"name": "n", "reason": "r"}]},
    {
        "detail": [
            {"loc": ["body", "a", 0], "msg": "m"},
            {"loc": ["query"], "msg": "n"},
            {"loc": [5, "x"], "msg": "o"},
            {"loc": [], "msg": "p"},
            {"loc": ["body", 5], "type": "json_invalid", "msg": "q"},
            {"loc": ["other", True], "msg": "r"},
        ]
    },
    {
        "errors": [
            {"source": {"pointer": "/data/attributes/a/0"}, "detail": "d"},
            {"source": {"parameter": "p"}, "title": "t"},
            {"source": {"header": "h"}, "title": "t"},
            {"pointer": "#/a~1b~0c/1234567890", "detail": "x"},
            {"instancePath": "/data/relationships/r", "message": "m"},
            {"source": 5, "message": "n"},
            {"pointer": "/data/x", "detail": "y"},
        ]
    },
    {
        "errors": [
            {"path": ["a", 1, "b"], "message": "m"},
            {"path": "/user/age", "message": "n"},
            {"location": "body", "path": "p", "msg": "o"},
            {"location": "elsewhere", "msg": "q"},
            {"field": "/a/b", "message": "r"},
            {"field": "*", "message": "s"},
            {"path": [f"x{n}" for n in range(40)], "message": "t"},
            {"field": "y" * 400, "message": "u"},
        ]
    },
    {
        "message": [
            {"property": "a", "constraints": {"k": "v", "l": "w"}},
            {"property": "b", "errors": ["x", "y"]},
            {"property": "c", "messages": "z"},
        ]
    },
    {"message": ["m1", "m2", "m3", "m4"]},
    {"message": ["m1", 5]},
    {"message": {"a": "b"}},
    {"details": {"a": "b"}},
    {"details": [{"fieldViolations": [{"field": "f", "description": "d"}]}]},
    {"error": {"details": [{"field": "f", "issue": "i"}], "message": "m"}},
    {"data": {"params": {"a": "bad"}}},
    {"data": {"params": ["a", 5, "b"]}, "message": "Missing"},
    {"data": {"params": ["a"]}},
    {"_embedded": {"errors": [{"message": "m", "path": "/a"}]}},
    {"_embedded": {"errors": {"message": "m", "_embedded": {"details": {"attribute": "x"}}}}},
    {"message": "m", "_embedded": {"details": {"attribute": "at"}}},
    {"field": "f", "message": "m"},
    {"logref": 5, "path": "/a/b", "message": "m"},
    {"path": "/a", "message": "m"},
    {"name": ["required"], "age": ["too low", "no"]},
    {"name": ["required"], "x": 5},
    {"a": [{}, {"b": ["c"]}]},
    {"a": {"b": ["c"]}},
    {"a": []},
    {"a": [""]},
    {"a": [5]},
    {"a": {}},
    {"a": [{"message": "m"}]},
    [{"name": ["bad"]}, {}, {"name": ["worse"]}],
    [{"field": "f", "message": "m"}],
    [5, None],
    {"detail": {"message": "m"}},
    {"detail": {"a": ["b"]}},
    {"userMessage": "u"},
    {"description": "d"},
    {"error": {"title": "t"}},
    {"errors": [["a"]]},
    {"errors": "text"},
    {"errors": {"a": 5, "b": None, "c": True}},
    {"errors": [{"field": f"f{n}", "message": "m"} for n in range(1_001)]},
    {"errors": {"a": [{"b": {"c": [{"d": ["deep"]}]}}]}},
    {"_error": {"errors": [{"field": "f", "message": "m"}]}},
    {"data": {"params": {"": "m", "base": "n", "a": {"*": "o"}}}},
    {
        "errors": [
            {"loc": ["body", -1, True, 0, "x"], "msg": "m"},
            {"pointer": "#X/a", "msg": "n"},
            {"field": "/", "msg": "o"},
        ]
    },
    {"errors": [{"path": "/a/b", "location": "body", "msg": "m"}, {"path": "/c", "location": "at", "msg": "n"}]},
    {"errors": [{"path": "/a/b", "location": "body", "param": "p", "msg": "m"}, {"field": "/c/d", "msg": "n"}]},
    {
        "fieldErrors": [{"attribute": "a", "defaultMessage": "dm"}],
        "field_errors": [{"param": "p", "msg": "pm"}],
        "validationErrors": [{"parameter": "q", "reason": "qr"}],
        "validation_errors": [{"target": "t", "description": "td"}],
        "issues": [{"location": "l", "issue": "li"}],
        "messages": ["mm"],
    },
)


def _error(body: Any, media_type: str = "") -> Any:
    found = error_documents.read_error_document(body, media_type)
    return (
        found.detail,
        {name: texts[:4] for name, texts in [*found.errors.items()][:12]},
        len(found.errors),
        found.problem_type,
    )


_each("error", _error, ERRORS)


def _pairs(parts: Mapping[str, Any], around: Callable[[dict[str, Any]], Any], media_type: str = "") -> Any:
    """Return what is read of each part, and of each two parts."""
    return {
        " ".join(names): _error(around({name: parts[name] for name in names}), media_type)[:2]
        for count in (1, 2)
        for names in combinations(parts, count)
    }


_call(
    "words of errors, by twos",
    lambda: _pairs(
        {
            **{name: name[::-1] for name in error_documents._WORDS},
            "status": 400,
            "_error": {"title": "t", "x": 1},
            "x": {"message": "y"},
        },
        lambda body: body,
    ),
)
for _name in ("error", "detail", "message", "_error"):
    _call(
        f"words of {_name}, beside others",
        lambda name: _pairs(
            {**{one: one[::-1] for one in error_documents._WORDS if one != name}, "x": 1},
            lambda body: {**body, name: {"message": "inner"} if name != "message" else ["m1", "m2", 5, "m3"]},
        ),
        _name,
    )
_call(
    "kinds of problems",
    lambda: [
        _error({"type": kind, **dict.fromkeys(names, "x")}, media_type)[3]
        for media_type in ("", "application/problem+json")
        for kind in ("", "k", 5, "k" * 1_001)
        for names in ((), ("title",), ("detail",), ("status",), ("message",))
    ],
)
_call(
    "fields of errors, by twos",
    lambda: _pairs(
        {
            "loc": ["body", "l"],
            "pointer": "/p",
            "source": {"parameter": "sp", "header": "sh"},
            "instancePath": "/i",
            "path": "/pa/th",
            "_embedded": {"details": {"attribute": "at"}},
            **{name: name[::-1] for name in error_documents._FIELDS},
        },
        lambda entry: {"errors": [{**entry, "msg": "m"}]},
    ),
)
_call(
    "words of entries, by twos",
    lambda: _pairs(
        {**{name: name[::-1] for name in error_documents._MESSAGES}, "code": "c", "errors": ["e1", "e2"]},
        lambda entry: {"issues": [entry]},
    ),
)


for _bound in ("_MAX_NODES", "_MAX_DEPTH", "_MAX_MESSAGES", "_MAX_TEXT", "_MAX_NAME"):
    for _index, _body in enumerate(
        (
            {"errors": [{"field": " f", "message": " mes"}, "text", {"loc": ["body", "a", 1], "errors": ["x", "yz"]}]},
            {"errors": {"a": ["m", {"b": "n"}], "c": {"d": {"e": " o"}}, "": "p", "z": "q"}},
            {"a": [{"b": ["c"]}, {}, {"d": [{"e": ["f"]}]}], "g": {"h": ["i"]}},
            [{"name": ["bad"]}, {}, {"name": ["worse"], "a": [{"b": ["c"]}]}],
            {"data": {"params": ["a", "b", "c"]}, "message": "Missing"},
            {"details": [{"fieldViolations": [{"field": "f", "description": "d"}]}], "issues": [{"issue": "i"}, "j"]},
            "  words",
        )
    ):
        _call(
            f"error {_index} within {_bound}",
            lambda bound, body: _within(error_documents, bound, 48, lambda: _error(body, "application/problem+json")),
            _bound,
            _body,
        )
_each("problem", partial(_error, media_type="application/problem+json"), ERRORS[:16])


def _nested(depth: int, leaf: Any, *, in_lists: bool = False) -> Any:
    value = leaf
    for _ in range(depth):
        value = [value] if in_lists else {"a": value}
    return value


for _depth in (30, 31, 32, 33, 34):
    _call(f"an error nested {_depth} levels", lambda depth: _error({"errors": _nested(depth, "m")}), _depth)
    _call(
        f"an error nested {_depth} lists",
        lambda depth: _error({"errors": {"x": _nested(depth, "m", in_lists=True)}}),
        _depth,
    )
    _call(f"messages nested {_depth} levels", lambda depth: _error({"x": _nested(depth, ["m"])}), _depth)
for _depth in (99, 100, 101, 102):
    _call(
        f"whether {_depth} levels are deep",
        lambda depth: [
            error_documents.is_deep(_nested(depth, 1)),
            error_documents.is_deep(_nested(depth, 1, in_lists=True)),
        ],
        _depth,
    )
for _count in (999, 1_000, 1_001, 19_998, 20_001):
    _call(
        f"{_count} messages in a list",
        lambda count: sum(
            map(len, error_documents.read_error_document([f"m{n}" for n in range(count)], "").errors.values())
        ),
        _count,
    )
    _call(f"{_count} numbers before a message", lambda count: _error({"errors": [5] * count + ["m"]}), _count)
    _call(
        f"{_count} members without a message before one",
        lambda count: _error({"errors": {**{f"k{n}": 5 for n in range(count)}, "x": "m"}}),
        _count,
    )

# ------------------------------------------------------------------------------------------- patterns

PATTERNS: Final = (
    ("/a{3}", ""),
    ("{1,5}", ""),
    ("({1,5})", ""),
    ("[({3}", ""),
    ("[{3}", ""),
    ("ab{,}", ""),
    ("ab{,7}", ""),
    ("(ab){,7}", ""),
    ("a{0}", ""),
    ("(ab){0}", ""),
    ("(abc){2}{3}", ""),
    ("(a{2}b){3}c", ""),
    ("a(b(c", ""),
    ("a{3}{2}", ""),
    ("aX{3}b*?+X", ""),
    ("[a-z]+", "abc"),
    ("[a-z]+", "abcD"),
    ("a|b", "b"),
    ("(", "x"),
    ("x" * 1_000, "x"),
    ("x" * 1_001, "x"),
    ("(?:(?:a{100}){100})", "a"),
    ("(a{40}){49}", "a"),
    ("(a{40}){50}", "a"),
    (r"(?<n>a)\k<n>", "aa"),
    (r"\\k<n>", "\\k<n>"),
    (r"\p{L}+", "é"),
    (r"[\w--\d]+", "a"),
    ("a{2001}", "a"),
    ("(a){2000}", "a"),
    ("(a){1999}", "a"),
    ("(a){,2500}", "a"),
    ("(a){1,2500}", "a"),
    ("[(]{3000}", "("),
    (r"\({3000}", "("),
    ("[]a]{3}", "]]]"),
    ("[", "x"),
    (")", "x"),
    ("a{", "a{"),
    ("((((a))))", "a"),
    ("(a)(b)(c)" * 100, "x"),
    ("", ""),
    ("(a*)*b", "a" * 30),
    (r"\d{4}-\d{2}", "2024-01"),
)
for _index, (_pattern, _matched) in enumerate(PATTERNS):
    _call(
        f"pattern {_index} {_pattern[:30]}",
        lambda pattern, text: (form_patterns.PatternChecker().check(pattern, text), form_patterns._copies(pattern)),
        _pattern,
        _matched,
    )


def _checked_without_regex() -> Any:
    with mock.patch.object(form_patterns, "_regex", None):
        return form_patterns.PatternChecker().check("a", "a")


_call("a pattern without the extra", _checked_without_regex)

# ------------------------------------------------------------------------------------------- forms

_each(
    "number",
    forms.to_number,
    (
        "1",
        "1.0",
        " +2 ",
        "-3e2",
        "1.",
        ".5",
        "",
        "x",
        "0x1",
        "1_0",
        True,
        None,
        5,
        1.5,
        float("nan"),
        float("inf"),
        10**400,
        "1e999",
        "9" * 40,
        "9" * 4_000,
        [],
        "1e-3",
        "E5",
    ),
)
FORMS: Final[tuple[Any, ...]] = (
    None,
    5,
    [],
    {},
    {"x": 5, "y": None},
    {"default": {}},
    {"a": {"method": 5, "contentType": 6, "title": 7, "target": 8, "properties": 9}},
    {
        "a": {
            "method": " put ",
            "contentType": " Text/X ; charset=y",
            "title": " t ",
            "target": " /t ",
            "properties": None,
        }
    },
    {"a": {"contentType": "nothing"}},
    {"a": {"contentType": "a/"}},
    {"a": {"contentType": "/b"}},
    {"a": {"contentType": "a/b c"}},
    {"a": {"contentType": "é/b"}},
    {"k" * 300: {"method": 5}},
    {
        "a": {
            "properties": [
                5,
                None,
                {},
                {"name": 5},
                {"name": " "},
                {"name": "x"},
                {"name": "x"},
                {"name": "y", "type": 5, "prompt": 6, "regex": 7, "placeholder": 8},
            ]
        }
    },
    {
        "a": {
            "properties": [
                {
                    "name": "x",
                    "type": "Number",
                    "min": "1",
                    "max": 9.5,
                    "step": "0.5",
                    "minLength": "2",
                    "maxLength": 3.0,
                    "cols": 10,
                    "rows": "6",
                    "required": "true",
                    "readOnly": " TRUE ",
                    "templated": True,
                    "value": "v{y}",
                    "prompt": " P ",
                    "regex": " a ",
                    "placeholder": " h ",
                }
            ]
        }
    },
    {
        "a": {
            "properties": [
                {
                    "name": "x",
                    "type": "odd",
                    "min": [],
                    "max": {},
                    "step": 0,
                    "minLength": -1,
                    "maxLength": 1.5,
                    "cols": "x",
                    "rows": 0,
                    "required": "yes",
                    "readOnly": 1,
                    "templated": True,
                    "value": 5,
                }
            ]
        }
    },
    {
        "a": {
            "properties": [
                {
                    "name": "x",
                    "type": "date",
                    "min": " 2024-01-01 ",
                    "max": "",
                    "step": "any",
                    "minLength": "",
                    "required": "",
                    "readOnly": "false",
                    "templated": "x",
                }
            ]
        }
    },
    {"a": {"properties": [{"name": "x", "step": -1, "min": True, "max": "x", "cols": 0, "minLength": True}]}},
    {
        "a": {
            "properties": [
                {"name": "x", "options": 5},
                {"name": "y", "options": {}},
                {"name": "z", "options": {"inline": [], "minItems": 1, "maxItems": 0}},
                {"name": "w", "options": {"inline": [None, {"prompt": "p"}]}},
                {
                    "name": "v",
                    "options": {
                        "inline": [
                            "a",
                            None,
                            {"value": 0, "prompt": 5},
                            {"value": False},
                            [1],
                            True,
                            1.5,
                            10**2_000,
                            {"value": {"o": 1}},
                        ]
                    },
                },
            ]
        }
    },
    {
        "a": {
            "properties": [
                {
                    "name": "x",
                    "options": {
                        "link": {"href": "/l"},
                        "promptField": "p",
                        "valueField": "v",
                        "selectedValues": "a",
                        "minItems": "2",
                        "maxItems": "3",
                    },
                },
                {"name": "y", "options": {"link": {"href": None}}},
                {
                    "name": "z",
                    "options": {
                        "inline": ["a"],
                        "link": {"href": "/l"},
                        "selectedValues": ["a", {"value": "b"}, None],
                        "maxItems": 1,
                        "promptField": 5,
                        "valueField": 6,
                    },
                },
                {"name": "q", "options": {"inline": ["a"], "selectedValues": [{"v": "a"}], "valueField": "v"}},
            ]
        }
    },
    {
        "a": {
            "properties": [
                {"name": "f", "type": "file", "value": "/etc/passwd"},
                {"name": "h", "type": "hidden", "value": 1},
                {"name": "t", "type": "TEXTAREA"},
            ]
        }
    },
)


def _forms(raw: Any) -> Any:
    found = forms.FormTemplates({"_templates": raw})
    again = pickle.loads(pickle.dumps(found))
    return [
        repr(found),
        [*found],
        len(found),
        found.default_key,
        found.diagnostics,
        ["default" in found, _as_any(5)[0] in found, "x" in found],
        [*again],
        [(form, [(field.default, field.hidden) for field in form.fields]) for form in found.values()],
    ]


_each("forms", _forms, FORMS)
_call(
    "no forms",
    lambda: (
        len(forms.FormTemplates({})),
        forms.FormTemplates({}).diagnostics,
        forms.FormTemplates({}).default_key,
        forms.FormTemplates({}).get("x"),
    ),
)
_each("the key of a form", lambda key: forms.FormTemplates({"_templates": {"a": {}, "b": 5}})[key], ("a", "b", "c"))


def _sizes(count: int, choices: int) -> Any:
    raw = {"a": {"properties": [{"name": f"f{n}", "options": {"inline": ["c"] * choices}} for n in range(count)]}}
    (form,) = forms.FormTemplates({"_templates": raw}).values()
    shown = [
        (len(field.options.inline or ()), field.options.is_complete)
        for field in form.fields
        if field.options is not None
    ]
    return len(form.fields), form.diagnostics[:3], shown[:3], shown[-2:]


for _sizes_of in ((1, 10_000), (1, 10_001), (3, 5_000), (2, 7_000), (999, 1), (1_000, 1), (1_001, 1), (1_002, 0)):
    _call(f"forms with fields and choices {_sizes_of}", _sizes, *_sizes_of)
_call("10,001 choices", lambda: len(forms.make_choices(["a"] * 10_001, "prompt", "value")))
_each(
    "a choice",
    lambda item: forms.make_choices([item], "p", "v"),
    (
        None,
        "a",
        True,
        False,
        5,
        1.5,
        1 << 4_095,
        1 << 4_096,
        [],
        {},
        {"v": 1},
        {"v": 1, "p": 2},
        {"p": 1},
        {"v": [1]},
        {"v": None, "p": "x"},
        {"v": 0},
    ),
)

FIELDS: Final[dict[str, dict[str, Any]]] = {
    "text": {},
    "required": {"required": True},
    "stated": {"value": "v"},
    "required and stated": {"required": True, "value": "v"},
    "read-only": {"readOnly": True, "value": "v"},
    "read-only without a value": {"readOnly": True, "required": True},
    "number": {"type": "number", "min": 1, "max": 5, "step": 0.5},
    "number as text": {"type": "number", "value": "7"},
    "range": {"type": "range", "step": 2},
    "date": {"type": "date", "min": "2024-01-01", "max": "2024-12-31"},
    "instant": {"type": "datetime-local", "min": "2024-01-01T00:00:00"},
    "time": {"type": "time", "max": "12:00"},
    "month": {"type": "month", "min": "2024-02", "max": "2024-11"},
    "short": {"minLength": 2, "maxLength": 3},
    "pattern": {"regex": "[a-z]+"},
    "odd pattern": {"regex": "("},
    "file": {"type": "file"},
    "required file": {"type": "file", "required": True},
    "one choice": {"options": {"inline": ["a", "b", 5, True, {"value": {"o": 1}, "prompt": "O"}], "maxItems": 1}},
    "choices": {"options": {"inline": ["a", "b", "5"], "minItems": 2, "maxItems": 2}},
    "selected": {"options": {"inline": ["a", "b"], "selectedValues": ["b"]}},
    "selected one": {"options": {"inline": ["a", "b"], "selectedValues": ["b", "a"], "maxItems": 1}},
    "templated": {"templated": True, "value": "/x/{other}"},
    "templated by itself": {"templated": True, "value": "{x}"},
    "templated wrongly": {"templated": True, "value": "{*}"},
    "templated by nothing": {"templated": True, "value": "/a/{none}"},
}
GIVEN: Final[tuple[Any, ...]] = (
    "missing",
    None,
    "",
    "a",
    "abcd",
    "5",
    5,
    0,
    1.25,
    6,
    True,
    [],
    ["a"],
    ["a", "b"],
    ["a", "b", "c"],
    {"o": 1},
    b"x",
    Path("p"),
    dt.date(2023, 5, 6),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    dt.time(13),
    "2024-12-31",
    "2025-01-01",
    "2024-01",
    "v",
    float("nan"),
    Decimal("2.0"),
    Decimal("2.5"),
    Decimal("NaN"),
    _Colour.RED,
    uuid.UUID(int=1),
    {
        "a",
    },
    object(),
    [None, "a"],
    "é",
)


def _submission(
    field: dict[str, Any],
    value: Any,
    *,
    content_type: str = "application/json",
    method: str = "POST",
    as_file: bool = False,
    extra: Any = None,
    **form: Any,
) -> Any:
    raw = {
        "method": method,
        "contentType": content_type,
        "properties": [{"name": "x", **field}, {"name": "other", "value": "o"}],
        **form,
    }
    (template,) = forms.FormTemplates({"_templates": {"f": raw}}).values()
    given = {} if isinstance(value, str) and value == "missing" else {"x": value}
    return form_submission.fill(
        template, {} if as_file else given, given if as_file else {}, extra or {}, "https://api.example/v4?t=1"
    )


for _label, _field in FIELDS.items():
    _each(f"fill {_label}:", partial(_submission, _field), GIVEN)
for _type in (
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    "application/json-patch+json",
    "application/x+json",
    "text/plain",
    "application/*+json",
    "text/json",
):
    for _method in ("POST", "GET", "DELETE", "OPTIONS"):
        _each(f"fill a {_method} of {_type}:", partial(_submission, {}, content_type=_type, method=_method), ("a",))
        _each(
            f"fill a file of a {_method} of {_type}:",
            partial(_submission, {"type": "file"}, content_type=_type, method=_method, as_file=True),
            (b"x", [b"x", io.BytesIO(b"y")], "x", 5, ("n", b"x"), [], None, [b"x", "y"], Path("p")),
        )
        _call(
            f"encodings of {_method} and {_type}",
            lambda method, kind: (form_submission.has_body(method), form_submission.is_json(kind)),
            _method,
            _type,
        )
_CHOICES = {
    "options": {"inline": ["1", True, 1, 1.0, 2.0, 2, {"value": [1]}, {"value": {"a": 1}}, {"value": {"a": True}}]}
}
_each(
    "fill a choice of the same text:",
    partial(_submission, _CHOICES),
    ("1", True, 1, 1.0, 2, 2.0, Decimal("2.0"), "2", "2.0", "True", "true", [[1]], {"a": 1}, {"a": True}, {"a": 1.0}),
)
_EXACT = Decimal("0.12345678901234567890123")


class _Exact(enum.Enum):
    ONE = _EXACT


for _type in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data"):
    _each(
        f"fill an exact number of {_type}:",
        partial(_submission, {}, content_type=_type),
        (_EXACT, _Exact.ONE, [_EXACT], {"a": _EXACT}, {"a": [{"b": _Exact.ONE}]}, (_EXACT,)),
    )
    _call(
        f"fill an exact number of {_type}, with a field of numbers",
        partial(_submission, {"type": "number", "step": 0.1, "value": str(_EXACT)}, content_type=_type),
        _EXACT,
    )
_call(
    "fill several with several faults",
    lambda: _submission(
        {"type": "number", "min": 3, "step": 2, "minLength": 4},
        2.5,
        properties=[
            {"name": "x", "type": "number", "min": 3, "step": 2, "minLength": 4},
            {"name": "y", "required": True},
        ],
        method="FETCH",
        contentType="text/plain",
        target="/t/{x}",
    ),
)
_call("fill a form of no method", lambda: _submission({}, "a", method="FETCH", contentType="text/plain"))
_call("fill a form with faults of its own", lambda: _submission({}, "a", contentType="text/plain", target="/t/{x}"))
_call("fill a file of another field", lambda: _submission({}, b"x", as_file=True))
_call(
    "fill with more",
    lambda: _submission(
        {"required": True, "templated": True, "value": "{other}"}, "missing", extra={"x": 1, "y": None}
    ),
)
_call(
    "fill a template with more",
    lambda: _submission({"templated": True, "value": "{more}"}, "missing", extra={"more": 1}),
)
_call("fill a form with a template as its target", lambda: _submission({}, "a", target="/t/{x}"))
_call("fill a query with a template as its target", lambda: _submission({}, "a", target="/t/{x}", method="GET"))
_call(
    "fill several that are unknown",
    lambda: form_submission.fill(forms.FormTemplate(key="k", title="t"), {"a": 1, "b": 2}, {"c": b"x"}, {}, "u"),
)
LOOP: Final[list[Any]] = []
LOOP.append(LOOP)
_call("fill by a list that contains itself", _submission, {}, LOOP)
_call(
    "fill templates that need each other",
    lambda: _submission(
        {"templated": True, "value": "{y}{z}"},
        "missing",
        properties=[
            {"name": "x", "templated": True, "value": "{y}"},
            {"name": "y", "templated": True, "value": "{x}"},
            {"name": "z", "value": 1},
        ],
    ),
)
_call(
    "fill templates that need others",
    lambda: _submission(
        {},
        "missing",
        properties=[
            {"name": "x", "templated": True, "value": "{y}!"},
            {"name": "y", "templated": True, "value": "{z}{?q}"},
            {"name": "z", "value": 1},
        ],
    ),
)
PAIRS: Final[tuple[Any, ...]] = (
    {},
    {"a": 1, "b": None, "c": True},
    {"a": [1, [2, 3], {"b": 4}, None]},
    {"a": {"b": {"c": 1}, "d": [5]}, "e": "f"},
    {"a": _Colour.RED},
    {"a": []},
    {"a": {}},
    {"a": _nested(31, 1)},
    {"a": _nested(32, 1)},
    {"a": _nested(33, 1)},
    {"a": _nested(32, 1, in_lists=True)},
    {"a": _nested(33, 1, in_lists=True)},
)
_each("pairs", form_submission.to_pairs, PAIRS)
_each("target", form_submission.expand_target, ("/a", "/a/{x}", "/a{?x}", "{*}", "{}", "/a{b"))
for _keep in (True, False):
    _each(
        f"query, kept: {_keep},",
        lambda target, keep=_keep: form_submission.to_query(target, {"a": [1, 2], "b": "x y"}, keep=keep),
        ("/t", "/t?c=1", "/t?c=1#f", "/t#f"),
    )
