"""Documents that are decoded in parts are equal to those decoded as a whole, and decode no more than is asked for."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal import encoded
from stellantis_hal.hal.document import HalDocument, parse
from stellantis_hal.hal.encoded import LazilyDecodedDocument, parse_encoded
from stellantis_hal.hal.json import decode
from tests.support.profiles import few_examples

pytest.importorskip("msgspec")

_KEYS = st.sampled_from(["_links", "_embedded", "id", "total", "items", "é", 'a"b', ""])
_LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    _LEAVES | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
_OBJECTS = st.dictionaries(_KEYS, _JSON, max_size=4)


def _page(links: dict[str, Any], embedded: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    return {"_links": links, "_embedded": embedded, **rest}


_PAGES = st.builds(
    _page,
    _OBJECTS,
    st.dictionaries(st.sampled_from(["trips", "a:b"]), st.lists(_OBJECTS, max_size=3), max_size=2),
    st.dictionaries(st.sampled_from(["total", "x", "page"]), _JSON, max_size=2),
)

PAGE = b"""{"total": 2, "_links": {"self": {"href": "/trips"}, "curies": [{"name": "a", "href": "/{rel}"}]},
"_embedded": {"trips": [{"id": "1", "_links": {"self": {"href": "/trips/1"}}, "far": {"a": [1.5]}}, {"id": 2}],
"none": []}, "newest": true}"""


def encoded_document(content: bytes) -> LazilyDecodedDocument:
    """Return a document that is not decoded yet."""
    document = parse_encoded(content)
    assert isinstance(document, LazilyDecodedDocument)
    return document


def facts(document: HalDocument) -> Any:
    """Return all that a document says of itself and of those embedded in it."""
    return (
        repr(document.body),
        repr(document.state),
        document.kind,
        dict(document.links),
        document.rels,
        dict(document.curies.templates),
        document.peek("id"),
        document.peek("_links"),
        document.peek("total"),
        document.peek("nothing"),
        document.diagnostics,
        {rel: [facts(one) for one in documents] for rel, documents in document.embedded.items()},
    )


@few_examples()
@given(_PAGES | _OBJECTS, st.booleans(), st.sampled_from([None, 1]))
def test_every_part_is_that_of_the_whole(body: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    content = json.dumps(body, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    try:
        document = parse_encoded(content)
    except UnicodeDecodeError:
        document = None
    if document is not None:
        whole = parse(decode(content))
        assert facts(document) == facts(whole)
        assert document == whole


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode) | _JSON.map(json.dumps).map(str.encode))
def test_nothing_is_taken_that_decoding_refuses(content: bytes) -> None:
    if parse_encoded(content) is not None:
        assert isinstance(decode(content), dict)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"a": NaN}',
        b'{"a": 01}',
        b'{"a": 1,}',
        b'{"a": "\x01"}',
        b'{"a": "\\x"}',
        b'{"a": 1} {}',
        b'{"a": 1',
        b"[1]",
        b'"a"',
        b"",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_plain_object_is_left_to_decoding(content: bytes) -> None:
    assert parse_encoded(content) is None


def test_only_what_is_asked_for_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def record(content: bytes) -> Any:
        decoded.append(content)
        return decode(content)

    monkeypatch.setattr(encoded, "decode", record)
    document = encoded_document(PAGE)
    first, second = document.embedded["trips"]
    assert (first.peek("id"), second.peek("id")) == ("1", 2)
    assert first.links["self"][0].href == "/trips/1"
    assert document.outline["total"] == 2
    assert [*map(len, document.outline["_embedded"].values())] == [2, 0]
    assert max(map(len, decoded)) < 100
    assert first.body == {"id": "1", "_links": {"self": {"href": "/trips/1"}}, "far": {"a": [1.5]}}
    assert first.peek("far") == {"a": [1.5]}
    assert (second.peek("far"), second.outline) == (None, {"id": 2})


@pytest.mark.parametrize(
    "embedded",
    ['{"trip": {"id": 1}}', '{"trips": [{"id": 1}, 5]}', '{"trips": [[{"id": 1}]]}', "[]", "null", "5"],
)
def test_embedded_values_of_other_shapes_are_decoded(embedded: str) -> None:
    content = f'{{"_embedded": {embedded}, "total": 1}}'.encode()
    document = encoded_document(content)
    assert facts(document) == facts(parse(decode(content)))
    assert document.outline == decode(content)
    assert document.peek("_embedded") == decode(content)["_embedded"]


def test_pages_with_many_members_are_split_too() -> None:
    for names in (["p0"], [f"q{number}" for number in range(100)], ["p0", "p1"]):
        body = {name: [1] for name in names} | {"_embedded": {"trips": [{"id": 1}]}}
        document = encoded_document(json.dumps(body).encode())
        assert document.outline == {name: [1] for name in names} | {"_embedded": {"trips": [{}]}}
        assert document == parse(body)


def test_a_pickled_one_is_decoded() -> None:
    document = encoded_document(PAGE)
    restored = pickle.loads(pickle.dumps(document))
    assert restored == document
    assert restored.encoded is None
    assert document.encoded == PAGE


def test_without_msgspec_nothing_is_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded, "_HAS_MSGSPEC", False)
    monkeypatch.setattr(encoded, "_decoders", None)  # not called
    encoded.load_decoders()
    assert parse_encoded(PAGE) is None


@pytest.mark.parametrize("neighbour", ['"\\ud800"', "1e999"])
def test_a_number_does_not_depend_on_the_values_beside_it(neighbour: str) -> None:
    for number in ("5", str(2**64 - 1), str(2**64), str(-(2**63)), str(-(2**63) - 1), "9" * 5_000):
        found = decode(f"[{number}, {neighbour}]".encode())[0]
        alone: Callable[[bytes], Any] = decode
        assert repr(found) == repr(alone(f"[{number}]".encode())[0])


def test_decoders_are_made_once() -> None:
    assert encoded._decoders() is encoded._decoders()
    assert isinstance(encoded._decoders.__wrapped__(), type(encoded._decoders()))
