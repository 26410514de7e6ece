"""Documents in every shape that servers send."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given

from stellantis_hal.hal.document import Diagnostic, HalDocument, parse, serialize
from tests.hal.values import JSON, OBJECTS, nested
from tests.support.profiles import few_examples


@pytest.mark.unmeasured
@few_examples()
@given(OBJECTS)
def test_any_parsed_body_is_serialized_unchanged(body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    document = parse(body)
    _touch(document)
    assert serialize(document) == before


@pytest.mark.unmeasured
@few_examples()
@given(OBJECTS)
def test_no_json_object_makes_parsing_or_diagnosing_fail(body: dict[str, Any]) -> None:
    _touch(parse(body))


@pytest.mark.unmeasured
@few_examples()
@given(JSON, JSON)
def test_no_links_and_no_embeds_make_parsing_or_diagnosing_fail(links: Any, embedded: Any) -> None:
    _touch(parse({"_links": links, "_embedded": embedded}))


@few_examples()
@given(JSON)
def test_no_link_object_makes_parsing_or_diagnosing_fail(value: Any) -> None:
    _touch(parse({"_links": {"a": value, "b": [value], "curies": value, "curie": [value, value]}}))


@pytest.mark.unmeasured
@pytest.mark.parametrize("key", ["_embedded", "_links", "state"])
def test_documents_nested_very_deeply_can_be_read(key: str) -> None:
    document = parse(nested(20_000, key))
    _touch(document)
    assert serialize(document) is document.body


@pytest.mark.unmeasured
def test_a_deprecation_notice_nested_very_deeply_can_be_read() -> None:
    deep = nested(20_000, "a")
    (link,) = parse({"_links": {"a": {"href": "/a", "deprecation": deep}}}).links["a"]
    assert link.deprecation


def _touch(document: HalDocument) -> None:
    for reading in (document.links, document.rels, document.curies.prefixes, document.state, document.diagnostics):
        assert len(reading) >= 0
    assert len(dict(document.links)) == len(document.links)
    for key in (*document.links, "ex:a"):
        document.curies.expand(key)
        document.curies.find("a", (*document.links, key))
    for found in document.embedded.values():
        for inner in found:
            assert inner.links is not None
    assert repr(document)


def test_the_state_is_the_body_without_links_and_embeds() -> None:
    document = parse({"id": 1, "_links": {}, "_embedded": {}, "_meta": {"_links": {"a": 1}}})
    assert document.state == {"id": 1, "_meta": {"_links": {"a": 1}}}
    assert list(document.state) == ["id", "_meta"]
    assert len(document.state) == 2
    assert "_links" not in document.state
    assert "id" in document.state
    assert repr(document.state) == "State(id, _meta)"


def test_the_state_does_not_contain_links() -> None:
    with pytest.raises(KeyError, match="_links"):
        parse({"_links": {}}).state["_links"]


@pytest.mark.parametrize("links", [None, {}, [], "x", 3])
def test_links_that_are_absent_null_or_of_another_kind_are_none(links: Any) -> None:
    assert parse({"_links": links}).rels == ()
    assert parse({}).rels == ()


@pytest.mark.parametrize("value", [None, [], [None, 3], 5, True])
def test_a_relation_without_any_link_object_is_absent(value: Any) -> None:
    assert parse({"_links": {"next": value}}).rels == ()


def test_a_link_and_a_list_of_links_are_read_alike() -> None:
    document = parse({"_links": {"one": {"href": "/1"}, "many": [{"href": "/1"}, None, "/2"]}})
    assert [link.href for link in document.links["one"]] == ["/1"]
    assert [link.href for link in document.links["many"]] == ["/1", "/2"]


def test_each_link_has_its_relation() -> None:
    document = parse({"_links": {"one": {"href": "/1"}, "many": [{"href": "/1"}, "/2"]}})
    assert [link.rel for found in document.links.values() for link in found] == ["one", "many", "many"]


def test_a_relation_without_links_is_named_by_the_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        parse({"_links": {"one": "/1"}}).links["nothing"]


def test_curies_are_among_the_links() -> None:
    assert "curies" in parse({"_links": {"curies": {"ex": "/{rel}"}}}).links


@pytest.mark.parametrize("embedded", [None, {}, [], "x", 3])
def test_embeds_that_are_absent_null_or_of_another_kind_are_none(embedded: Any) -> None:
    assert parse({"_embedded": embedded}).embedded == {}


def test_embedded_objects_and_lists_are_read_alike() -> None:
    """Null is absent."""
    embedded = parse({"_embedded": {"one": {"a": 1}, "many": [{"a": 2}, None, 3], "none": None, "empty": []}}).embedded
    assert {rel: [dict(inner.state) for inner in found] for rel, found in embedded.items()} == {
        "one": [{"a": 1}],
        "many": [{"a": 2}],
        "empty": [],
    }


def test_a_nested_object_is_read_as_a_document() -> None:
    """The state stays plain."""
    document = parse({"lines": [{"_links": {"self": {"href": "/1"}}}], "n": {"m": {"k": 1}}})
    line = document.at("lines", 0)
    assert line is not None
    assert line.rels == ("self",)
    assert document.state["lines"] == [{"_links": {"self": {"href": "/1"}}}]
    inner = document.at("n", "m")
    assert inner is not None
    assert inner.state["k"] == 1


def test_a_nested_object_is_found_by_a_negative_index() -> None:
    first = parse({"lines": [{"n": 1}, {"n": 2}]}).at("lines", -2)
    assert first is not None
    assert first.state["n"] == 1


@pytest.mark.parametrize(
    "path", [("lines",), ("lines", 1), ("lines", -2), ("lines", 5), ("lines", "a"), ("missing",), (0,), ("n", "x", "y")]
)
def test_a_path_without_an_object_has_no_document(path: tuple[str | int, ...]) -> None:
    assert parse({"lines": [{}], "n": {}}).at(*path) is None


def test_documents_are_equal_by_their_bodies() -> None:
    assert parse({"a": 1}) == parse({"a": 1})
    assert parse({"a": 1}) != parse({"a": 2})
    assert parse({"a": 1}) != {"a": 1}


def test_a_pickled_document_keeps_the_curies_that_it_inherited() -> None:
    outer = parse(
        {
            "_links": {"curies": [{"name": "ex", "href": "https://docs/{rel}", "templated": True}]},
            "_embedded": {"a": {"_links": {"ex:b": {"href": "/b"}}}},
        }
    )
    inner = pickle.loads(pickle.dumps(outer.embedded["a"][0]))
    assert inner == outer.embedded["a"][0]
    assert inner.curies.expand("ex:b") == "https://docs/b"


def test_repr_of_a_document_shows_its_relations() -> None:
    document = parse({"_links": {"self": "/"}, "_embedded": {"a": [{}, {}]}})
    assert repr(document) == "<HalDocument rels=[self] embedded=[a×2]>"


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        ({"_links": []}, "$._links", "list instead of an object: there are no links"),
        ({"_embedded": []}, "$._embedded", "list instead of an object: nothing is embedded"),
        ({"_embedded": {"a": [None]}}, "$._embedded.a[0]", "null instead of an object: left out"),
        ({"_embedded": {"a": 3}}, "$._embedded.a", "int instead of an object: left out"),
        ({"_links": {"a": None}}, "$._links.a", "null instead of a link object: left out"),
        ({"_links": {"a": ["/x"]}}, "$._links.a[0]", "a string instead of a link object: read as its href"),
        (
            {"_links": {"a": {"href": None}}},
            "$._links.a.href",
            "null instead of a string: the link cannot be followed",
        ),
        ({"_links": {"a": {"href": 5}}}, "$._links.a.href", "int instead of a string: the link cannot be followed"),
        (
            {"_links": {"a": {"href": "/a", "templated": "true"}}},
            "$._links.a.templated",
            "str instead of true or false: read as false",
        ),
        (
            {"_links": {"curies": {"ex": {"href": "/{rel}"}}}},
            "$._links.curies",
            "an object of prefixes instead of a list of links: read as a list",
        ),
        (
            {"_embedded": {"a": {"_links": {"b": 5}}}},
            "$._embedded.a._links.b",
            "int instead of a link object: left out",
        ),
    ],
)
def test_deviations_are_reported_as_diagnostics(body: dict[str, Any], path: str, reason: str) -> None:
    assert parse(body).diagnostics == (Diagnostic(path, reason),)


def test_a_valid_document_has_no_diagnostics() -> None:
    body = {"_links": {"self": {"href": "/", "templated": False}}, "_embedded": {"a": [{"_links": {}}], "b": {}}}
    assert parse(body).diagnostics == ()


@pytest.mark.parametrize("links", [{"a": {"href": "/{x}", "templated": True}}, {"curies": {"href": "/{rel}"}}])
def test_a_template_and_a_single_curie_are_valid(links: dict[str, Any]) -> None:
    assert parse({"_links": links}).diagnostics == ()


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (
            {"_embedded": {"a": [{"_links": []}, {"_embedded": []}]}},
            {"$._embedded.a[0]._links", "$._embedded.a[1]._embedded"},
        ),
        ({"_links": {"curies": {"ex": "/{rel}"}, "a": None}}, {"$._links.curies", "$._links.a"}),
    ],
)
def test_each_deviation_is_reported(body: dict[str, Any], paths: set[str]) -> None:
    assert {deviation.path for deviation in parse(body).diagnostics} == paths


def test_repr_of_a_document_with_many_keys_is_short() -> None:
    many = {f"key\n{at}": {"href": "/"} for at in range(10_000)}
    for text in (repr(parse({"_links": many, "_embedded": many})), repr(parse(many).state)):
        assert "(10000 in all)" in text
        assert text.isprintable()
        assert len(text) < 1_000
