"""Bodies of errors of every family, in words of our own."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.error_documents import ErrorDocument, is_deep, read_error_document

_Read = tuple[str | None, dict[str, tuple[str, ...]]]


def _read(body: Any) -> _Read:
    found = read_error_document(body, "")
    return found.detail, dict(found.errors)


@pytest.mark.parametrize(
    ("family", "body", "detail", "errors"),
    [
        (
            "P1 RFC 9457 with a list",
            {
                "type": "https://e.test/p",
                "title": "Not valid",
                "detail": "two fields",
                "errors": [
                    {"detail": "must be positive", "pointer": "#/age"},
                    {"detail": "no colour", "pointer": "#/profile/a~1b~0/0"},
                ],
            },
            "two fields",
            {"age": ("must be positive",), "profile.a/b~[0]": ("no colour",)},
        ),
        (
            "P9 a list of values, as Django REST framework has it",
            {"name": ["bad"], "items": [{}, {"price": ["low"]}]},
            "name: bad; items[1].price: low",
            {"name": ("bad",), "items[1].price": ("low",)},
        ),
        (
            "P9 messages that are objects, as Django has them",
            {"name": [{"message": "bad", "code": "required"}]},
            "name: bad",
            {"name": ("bad",)},
        ),
        ("P10 a place that is no text", {"detail": [{"loc": [[]], "msg": "bad"}]}, "[]: bad", {"[]": ("bad",)}),
        (
            "express-validator",
            {"errors": [{"type": "field", "msg": "bad", "path": "name", "location": "body"}]},
            "name: bad",
            {"name": ("bad",)},
        ),
        (
            "class-validator",
            {"message": [{"property": "name", "constraints": {"isNotEmpty": "empty", "maxLength": "long"}}]},
            "name: empty; name: long",
            {"name": ("empty", "long")},
        ),
        ("messages", {"errors": [{"name": "a", "errors": ["x", "y"]}]}, "a: x; a: y", {"a": ("x", "y")}),
        ("no messages", {"errors": [{"name": "a", "errors": 3}]}, None, {}),
        ("ajv", {"errors": [{"instancePath": "/a/0", "message": "bad"}]}, "a[0]: bad", {"a[0]": ("bad",)}),
        (
            "Azure",
            {"error": {"message": "two", "details": [{"target": "name", "message": "bad"}]}},
            "two",
            {"name": ("bad",)},
        ),
        ("P1 invalid-params", {"invalid-params": [{"name": "age", "reason": "low"}]}, "age: low", {"age": ("low",)}),
        ("P2 title only", {"type": "about:blank", "title": "Gone", "status": 410}, "Gone", {}),
        ("P3 vnd.error", {"message": "bad name", "path": "/name", "logref": "7"}, "bad name", {"name": ("bad name",)}),
        (
            "P3 Foxy, by a compact URI",
            {"total": 2, "_embedded": {"fx:errors": [{"logref": "id-1", "message": "no code"}, {"message": "low"}]}},
            "no code; low",
            {"": ("no code", "low")},
        ),
        (
            "P3 by a full URI",
            {
                "_embedded": {
                    "https://e.test/rels/errors": {"message": "x", "path": "/name"},
                    "myerrors": [{"message": "y"}],
                }
            },
            "name: x",
            {"name": ("x",)},
        ),
        ("AWS", {"__type": "ValidationException", "Message": "low"}, "low", {}),
        (
            "ASP.NET Web API 2",
            {"Message": "The request is invalid.", "ModelState": {"user.Age": ["low", "odd"]}},
            "The request is invalid.",
            {"user.Age": ("low", "odd")},
        ),
        (
            "P3 several",
            {
                "total": 2,
                "message": "two",
                "_embedded": {"errors": [{"message": "a", "path": "/user/age"}, {"message": "b"}]},
            },
            "two",
            {"user.age": ("a",), "": ("b",)},
        ),
        ("P3 one embedded", {"_embedded": {"errors": {"message": "a", "path": "/n"}}}, "n: a", {"n": ("a",)}),
        (
            "P4 JSON:API",
            {
                "errors": [
                    {
                        "status": "422",
                        "title": "Invalid",
                        "detail": "short",
                        "source": {"pointer": "/data/attributes/x"},
                    },
                    {"detail": "unknown", "source": {"parameter": "include"}},
                    {"title": "odd", "source": {"header": "Accept"}},
                ]
            },
            "x: short; include: unknown; Accept: odd",
            {"x": ("short",), "include": ("unknown",), "Accept": ("odd",)},
        ),
        (
            "P5 Spring Boot",
            {
                "status": 400,
                "error": "Bad Request",
                "message": "Validation failed",
                "path": "/o",
                "errors": [
                    {"objectName": "o", "field": "amount", "defaultMessage": "low"},
                    {"defaultMessage": "crossed"},
                ],
            },
            "Validation failed",
            {"amount": ("low",), "": ("crossed",)},
        ),
        (
            "P6 Spring Data REST",
            {"errors": [{"entity": "Person", "property": "age", "message": "negative"}]},
            "age: negative",
            {"age": ("negative",)},
        ),
        (
            "P6 Zalando",
            {"title": "Violation", "violations": [{"field": "items[2].name", "message": "blank"}]},
            "Violation",
            {"items[2].name": ("blank",)},
        ),
        (
            "P6 API Platform",
            {"title": "An error", "detail": "price: low", "violations": [{"propertyPath": "price", "message": "low"}]},
            "price: low",
            {"price": ("low",)},
        ),
        (
            "P7 WordPress",
            {
                "code": "rest_invalid_param",
                "message": "Invalid: x",
                "data": {"params": {"x": "no number"}, "details": {"x": {"code": "t", "message": "no number"}}},
            },
            "Invalid: x",
            {"x": ("no number",)},
        ),
        (
            "P7 missing ones",
            {"message": "Missing: slug", "data": {"params": ["slug", 5]}},
            "Missing: slug",
            {"slug": ("Missing: slug",)},
        ),
        ("P7 without words", {"data": {"params": ["slug"]}}, "slug: missing", {"slug": ("missing",)}),
        (
            "P8 Eve",
            {
                "_status": "ERR",
                "_issues": {
                    "name": "required field",
                    "tags": ["a", "b"],
                    "address": {"zip": "long"},
                    "many": {"0": {"a": "x"}},
                },
                "_error": {"code": 422, "message": "1 error(s)"},
            },
            "1 error(s)",
            {"name": ("required field",), "tags": ("a", "b"), "address.zip": ("long",), "many[0].a": ("x",)},
        ),
        (
            "P9 DRF",
            {"email": ["bad"], "non_field_errors": ["x"], "many": {"1": {"age": ["y"]}}},
            "email: bad; x; many[1].age: y",
            {"email": ("bad",), "": ("x",), "many[1].age": ("y",)},
        ),
        ("P9 nested whole", {"a": {"non_field_errors": ["x"]}}, "a: x", {"a": ("x",)}),
        ("P9 a list", [{}, {"age": ["low"]}], "[1].age: low", {"[1].age": ("low",)}),
        ("P9 a list by index", {"1": {"age": ["low"]}}, "[1].age: low", {"[1].age": ("low",)}),
        ("P9 any other", {"email": ["bad"], "count": 5}, None, {}),
        ("P9 not only texts", {"email": ["bad", 5]}, None, {}),
        ("P9 text", {"detail": "Not found."}, "Not found.", {}),
        (
            "P10 FastAPI",
            {
                "detail": [
                    {"loc": ["body", "items", 0, "price"], "msg": "no number", "type": "float"},
                    {"loc": ["query", "limit"], "msg": "big"},
                    {"loc": ["body"], "msg": "missing"},
                    {"loc": [], "msg": "empty"},
                ]
            },
            "items[0].price: no number; limit: big; missing",
            {"items[0].price": ("no number",), "limit": ("big",), "": ("missing", "empty")},
        ),
        (
            "P10 invalid JSON",
            {"detail": [{"type": "json_invalid", "loc": ["body", 17], "msg": "JSON decode error"}]},
            "JSON decode error",
            {"": ("JSON decode error",)},
        ),
        ("P11 object", {"detail": {"code": "X", "message": "no"}}, "no", {}),
        ("P11 messages by field", {"detail": {"age": ["low"]}}, "age: low", {"age": ("low",)}),
        (
            "P12 Rails",
            {"errors": {"name": ["blank", "short"], "base": ["all of it"]}},
            "name: blank; name: short; all of it",
            {"name": ("blank", "short"), "": ("all of it",)},
        ),
        ("P12 ASP.NET", {"title": "Errors", "errors": {"Name": ["needed"]}}, "Errors", {"Name": ("needed",)}),
        ("P12 texts", {"errors": ["a", "b"]}, "a; b", {"": ("a", "b")}),
        ("P13 Mollie", {"title": "T", "detail": "high", "field": "amount"}, "high", {"amount": ("high",)}),
        (
            "P13 OpenProject",
            {
                "_type": "Error",
                "message": "two",
                "_embedded": {"errors": [{"message": "blank", "_embedded": {"details": {"attribute": "subject"}}}]},
            },
            "two",
            {"subject": ("blank",)},
        ),
        (
            "P13 one of OpenProject",
            {"message": "blank", "_embedded": {"details": {"attribute": "subject"}}},
            "blank",
            {"subject": ("blank",)},
        ),
        ("P14 OAuth", {"error": "invalid_grant", "error_description": "expired"}, "expired", {}),
        (
            "P14 Google",
            {
                "error": {
                    "code": 400,
                    "message": "bad",
                    "details": [{"fieldViolations": [{"field": "a.b", "description": "x"}]}],
                }
            },
            "bad",
            {"a.b": ("x",)},
        ),
        ("PayPal", {"message": "m", "details": [{"field": "/a/0", "issue": "NEEDED"}]}, "m", {"a[0]": ("NEEDED",)}),
        ("GraphQL", {"errors": [{"message": "m", "path": ["a", 0, "b"]}]}, "a[0].b: m", {"a[0].b": ("m",)}),
        ("NestJS", {"message": ["a", "b"], "error": "Bad Request"}, "a; b", {"": ("a", "b")}),
        ("codes", {"errors": [{"code": "E1"}, {"field": "base", "message": "x"}]}, "E1; x", {"": ("E1", "x")}),
        ("old HAL", {"errorCode": 17, "userMessage": "no such car"}, "no such car", {}),
        ("P15 text", "no", "no", {}),
        ("P15 list", ["a", "b", 5, None], "a; b", {"": ("a", "b")}),
        ("P15 empty", {}, None, {}),
        ("P15 null", None, None, {}),
        ("P15 number", 5, None, {}),
        ("P15 blank words", {"detail": " ", "message": "", "title": None}, None, {}),
        (
            "P15 hostile",
            {
                "errors": [[[]], None, 3, {"field": {"a": 1}, "message": ["x"]}, {"source": 5, "pointer": 7}],
                "_embedded": [],
            },
            None,
            {},
        ),
        ("P15 odd members", {"data": {"params": 5}, "_embedded": {"errors": 5, "details": 5}, "error": []}, None, {}),
    ],
)
def test_each_family_is_read_by_its_shape(family: str, body: Any, detail: str | None, errors: Any) -> None:
    assert _read(body) == (detail, errors), family


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        ({"type": "https://e.test/p", "title": "x"}, "application/json", "https://e.test/p"),
        ({"type": "https://e.test/p"}, "application/problem+json", "https://e.test/p"),
        ({"title": "x"}, "application/problem+json", "about:blank"),
        ({"type": 5}, "application/problem+json", "about:blank"),
        ({"title": "x"}, "application/json", None),
        ({"type": "car"}, "application/json", None),
        (["x"], "application/problem+json", None),
    ],
)
def test_the_type_of_a_problem(body: Any, media_type: str, expected: str | None) -> None:
    assert read_error_document(body, media_type).problem_type == expected


def _nested(levels: int, key: str | None = None) -> Any:
    value: Any = ["x"]
    for _ in range(levels):
        value = [value] if key is None else {key: value}
    return value


@pytest.mark.parametrize(
    "body",
    [
        {"errors": ["x"] * 1_000_000},
        {"errors": [{"field": f"f{n}", "message": "m"} for n in range(100_000)]},
        {"errors": {f"f{n}": ["m"] for n in range(100_000)}},
        {"errors": {"a": ["m"] * 100_000}},
        {f"f{n}": ["m"] for n in range(100_000)},
        {"data": {"params": [f"f{n}" for n in range(100_000)]}},
        [{"a": ["m"]}] * 100_000,
        {"a": ["x"] * 1_000_000},
        {"errors": [[]] * 1_000_000},
        {"detail": _nested(3_000, "a")},
        _nested(3_000, "a"),
        {"errors": {"a": _nested(3_000)}},
        _nested(3_000),
        {"errors": [{"loc": ["body", *"a" * 100_000], "msg": "m"}]},
    ],
)
def test_hostile_bodies_are_bounded(body: Any) -> None:
    found = read_error_document(body, "")
    assert sum(map(len, found.errors.values())) <= 1_000
    assert all(len(field) <= 300 for field in found.errors)


def test_texts_are_cut() -> None:
    found = read_error_document({"detail": "x" * 10_000, "errors": {"y" * 10_000: ["z" * 10_000]}}, "")
    assert found.detail == "x" * 1_000
    assert found.errors == {"y" * 300: ("z" * 1_000,)}
    assert read_error_document("x" * 10_000, "").detail == "x" * 1_000


@pytest.mark.parametrize(("levels", "expected"), [(0, False), (50, False), (98, False), (100, True), (3_000, True)])
def test_deep_values_are_told(levels: int, expected: bool) -> None:
    assert is_deep(_nested(levels)) is expected
    assert is_deep(_nested(levels, "a")) is expected


def test_a_wide_value_is_not_deep() -> None:
    assert not is_deep([{"a": [1]}] * 1_000)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "errors",
                    "detail",
                    "message",
                    "field",
                    "loc",
                    "source",
                    "pointer",
                    "path",
                    "_issues",
                    "_embedded",
                    "details",
                    "data",
                    "params",
                    "error",
                    "title",
                    "type",
                    "violations",
                    "attribute",
                    "logref",
                    "base",
                    "non_field_errors",
                    "a",
                    "0",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@pytest.mark.unmeasured
@given(_JSON)
def test_any_json_is_read_without_an_error(body: Any) -> None:
    found = read_error_document(json.loads(json.dumps(body)), "")
    assert isinstance(found, ErrorDocument)
    assert all(messages and all(type(text) is str and text for text in messages) for messages in found.errors.values())
    assert found.detail is None or found.detail
