"""JSON values of any depth are pickled and copied."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import HalResource, Trip
from stellantis_hal.hal.deep_pickle import picklable, text_of, unwrap
from stellantis_hal.hal.document import HalDocument, parse, parse_root
from stellantis_hal.hal.forms import FormTemplates
from stellantis_hal.hal.json import decode
from stellantis_hal.hal.link import Link
from stellantis_hal.navigation.media_types import read_document
from stellantis_hal.navigation.resource_serialization import picklable_dump
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.structuring.extra import Extra
from tests.support.profiles import few_examples
from tests.support.responses import make_response

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)
DEPTH = 900
SHAPES = {
    "objects": '{"a":' * DEPTH + "1" + "}" * DEPTH,
    "arrays": '{"a":' + "[" * DEPTH + "]" * DEPTH + "}",
    "embedded": '{"_embedded":{"item":[' * (DEPTH // 3) + "{}" + "]}}" * (DEPTH // 3),
}
COPIES: list[Callable[[Any], Any]] = [
    lambda value: pickle.loads(pickle.dumps(value)),
    lambda value: pickle.loads(pickle.dumps(value, 2)),
    copy.copy,
    copy.deepcopy,
]


def make_resource(body: Any) -> HalResource:
    response = make_response(body)
    document = read_document(response)
    return HalResource(ResponseSnapshot.of(response, document), document, None)


def deepened(value: Any) -> Any:
    for _ in range(60):
        value = {"in": [value]}
    return value


@pytest.mark.unmeasured
@few_examples()
@given(VALUES)
def test_a_value_comes_back_whole(value: Any) -> None:
    for each in (value, deepened(value)):
        assert pickle.loads(pickle.dumps(picklable(each))) == each


def test_a_shallow_value_is_pickled_as_it_is() -> None:
    value = {"a": [{"b": 1}], "c": "d"}
    assert picklable(value) is value


@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: [inner]])
def test_a_value_of_fifty_levels_is_pickled_as_it_is(wrap: Callable[[Any], Any]) -> None:
    value: Any = 1
    for _ in range(50):
        value = wrap(value)
    assert picklable(value) is value
    deeper = wrap(value)
    assert picklable(deeper) is not deeper
    assert unwrap(picklable(deeper)) is deeper


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("body", [{}, {"a": [{"b": 1}], "_links": {}, "c": None}])
def test_a_state_comes_back_whole(body: dict[str, Any], duplicate: Callable[[Any], Any]) -> None:
    state = parse(body).state
    again = duplicate(state)
    assert (type(again), again, [*again]) == (type(state), state, [*state])


def test_a_picklable_dump_differs_in_a_deep_body_alone() -> None:
    for shape in SHAPES.values():
        dump = make_resource(decode(shape.encode())).dump()
        before = dict(dump)
        after = picklable_dump(dump)
        assert {**after, "body": None} == {**before, "body": None}
        again = pickle.loads(pickle.dumps(after))
        assert text_of(unwrap(again["body"])) == text_of(before["body"])


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_deep_bodies_are_pickled_and_copied(shape: str, duplicate: Callable[[Any], Any]) -> None:
    body = decode(SHAPES[shape].encode())
    for document in (parse(body), parse_root([body])):
        assert duplicate(document) == document
        assert duplicate(document.state) == document.state
    assert duplicate(Extra(body)) == body
    resource = make_resource(body)
    assert duplicate(resource).document == resource.document
    trip = TypedConverter().structure(resource, Trip)
    assert duplicate(trip).extra == trip.extra
    without = TypedConverter(keep_document=False).structure(resource, Trip)
    assert duplicate(without).extra == without.extra


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_deep_parts_are_pickled_and_copied(shape: str, duplicate: Callable[[Any], Any]) -> None:
    body = decode(SHAPES[shape].encode())
    link = Link.parse("item", {"href": "/a", "x": body})
    assert link is not None
    assert duplicate(link) == link
    assert duplicate(link).extra == {"x": body}
    options = {"inline": [{"prompt": "a", "value": body}], "selectedValues": [{"value": body}]}
    templates = FormTemplates({"_templates": {"a": {"properties": [{"name": "n", "value": body, "options": options}]}}})
    assert duplicate(templates)["a"] == templates["a"]
    for part in (templates["a"], templates["a"].fields[0], templates["a"].fields[0].options):
        assert duplicate(part) == part


@pytest.mark.parametrize("shape", SHAPES)
def test_deep_bodies_are_compared_shown_and_dumped(shape: str) -> None:
    body = decode(SHAPES[shape].encode())
    resource = make_resource(body)
    assert repr(resource)
    assert repr(resource.document)
    assert hash(resource) == hash(resource)
    assert isinstance(resource.document.diagnostics, tuple)
    assert HalResource.load(resource.dump()).document == HalDocument(body)


def test_the_text_of_a_value_has_no_bound() -> None:
    """Fourteen thousand levels: more than ``repr()`` shows, whose bound is about 10,000 in Python 3.13."""
    value: Any = 1
    for _ in range(7_000):
        value = {"a": [value]}
    assert text_of(value) == text_of({**value})
    assert text_of(value) != text_of({"a": [value]})
    assert text_of({"a": 1}) == "{'a': 1}"
