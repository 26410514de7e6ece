"""Values of forms: what is sent, and every fault by field."""

import datetime as dt
import io
import uuid
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import FormError
from stellantis_hal.hal.form_submission import (
    MULTIPART,
    URLENCODED,
    FormValues,
    expand_target,
    fill,
    has_body,
    is_json,
    to_pairs,
    to_query,
)
from stellantis_hal.hal.forms import FormTemplates
from stellantis_hal.hal.uri import encode_query
from tests.support.profiles import few_examples

URL = "https://api.example/v4"


def submit(
    *properties: Any, files: dict[str, Any] | None = None, extra: dict[str, Any] | None = None, method: str = "POST",
    form: dict[str, Any] | None = None, **values: Any,
) -> FormValues:  # fmt: skip
    template = {"method": method, "properties": [*properties], **(form or {})}
    return fill(FormTemplates({"_templates": {"add": template}})["add"], values, files or {}, extra or {}, URL)


def faults(*properties: Any, **options: Any) -> dict[str, tuple[str, ...]]:
    with pytest.raises(FormError) as caught:
        submit(*properties, **options)
    return dict(caught.value.errors)


def one(value: Any, /, **members: Any) -> Any:
    """Return what is sent for a value of a single field."""
    return submit({"name": "a", **members}, a=value).values["a"]


def fault(value: Any, /, **members: Any) -> tuple[str, ...]:
    """Return the faults of a value of a single field."""
    return faults({"name": "a", **members}, a=value)["a"]


class Colour(Enum):
    RED = "red"


# ------------------------------------------------------------------------------------------------- values


def test_values_are_sent_in_the_order_of_the_fields() -> None:
    sent = submit({"name": "b"}, {"name": "a"}, {"name": "c"}, a=1, b=2, extra={"z": 3})
    assert [*sent.values.items()] == [("b", 2), ("a", 1), ("z", 3)]
    assert (sent.files, sent.unchecked) == ({}, {})


@pytest.mark.parametrize("stated", ["", 0, False, "x", [1], {"k": 1}])
def test_stated_values_are_sent_as_stated(stated: Any) -> None:
    """F13, F24: falsy ones, hidden and read-only ones too."""
    for members in ({}, {"type": "hidden"}, {"readOnly": True}):
        sent = submit({"name": "a", "value": stated, **members}).values["a"]
        assert (sent, type(sent)) == (stated, type(stated))


@pytest.mark.parametrize("members", [{}, {"type": "hidden"}, {"readOnly": True, "required": True}, {"value": None}])
def test_fields_without_a_value_are_left_out(members: Any) -> None:
    """F13."""
    assert submit({"name": "a", **members}).values == {}


def test_none_replaces_a_stated_value() -> None:
    assert submit({"name": "a", "value": "x"}, a=None).values == {"a": None}


def test_read_only_values_cannot_be_changed() -> None:
    """F24."""
    read_only = {"name": "a", "readOnly": True}
    assert submit({**read_only, "value": 1}, a=1).values == {"a": 1}
    assert submit(read_only, a=None).values == {}
    for stated, passed in ((1, 2), (1, True), (None, "x"), ("1", 1), ("\ud800", "x")):
        assert faults({**read_only, "value": stated}, a=passed) == {
            "a": ("is read-only: only the value that the form states can be sent",)
        }
    assert submit({**read_only, "value": 1}, extra={"a": 2}).values == {"a": 2}


def test_hidden_values_can_be_changed() -> None:
    assert one("y", type="hidden", value="x") == "y"


def test_unknown_fields_are_type_errors() -> None:
    """F25."""
    with pytest.raises(TypeError, match=r"^the form 'add' has no field 'nmae'; its fields are: name, age\. Members"):
        submit({"name": "name"}, {"name": "age"}, nmae="Ann")
    with pytest.raises(TypeError, match=r"has no field 'scan'; its fields are: none"):
        submit(files={"scan": b""})


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (Colour.RED, "red"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00+00:00"),
        (dt.time(1, 2), "01:02:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.50"), 1.5),
        (Decimal(3), 3),
        ((1, 2), [1, 2]),
        ({"k": Colour.RED}, {"k": "red"}),
        ({1}, [1]),
        (True, True),
        (1.5, 1.5),
    ],
)
def test_values_of_python_are_sent_as_json_has_them(value: Any, sent: Any) -> None:
    assert one(value) == sent


def test_values_that_json_does_not_have_are_faults() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    assert fault(object()) == ("must be a value that JSON has, not object",)
    assert fault(cycle) == ("contains itself, or is nested too deeply",)
    for value in (Decimal("NaN"), float("inf")):
        assert fault([value]) == ("must be a finite number",)


@pytest.mark.parametrize("text", ["12345678901234567.89", "0.12345678901234567890", "1e-400"])
def test_numbers_that_no_float_has_are_exact_or_faults(text: str) -> None:
    """JSON would get another number, in silence; a query and the other encodings are texts."""
    for kind, value in (
        ("number", text),
        ("number", Decimal(text)),
        ("text", Decimal(text)),
        ("text", [Decimal(text)]),
    ):
        assert fault(value, type=kind)[0].startswith("has more digits, or another size, than a number in JSON keeps")
        for members in ({"method": "GET"}, {"contentType": URLENCODED}):
            sent = submit({"name": "a", "type": kind, "min": 0}, form=members, a=value).values
            assert [Decimal(found) for _, found in to_pairs(sent)] == [Decimal(text)]
    assert one(text) == text
    assert submit({"name": "a", "type": "number", "value": text}).values == {"a": text}
    assert submit({"name": "a", "type": "number", "value": "2.5"}).values == {"a": 2.5}


def test_exact_numbers_are_compared_with_bounds() -> None:
    found = faults({"name": "a", "type": "number", "max": 1}, method="GET", a="1.00000000000000000001")
    assert found == {"a": ("must be at most 1",)}


# ------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("value", [None, "", [], [""], [None, ""], [[]]])
def test_required_values(value: Any) -> None:
    """F26: none, an empty text, an empty list and a list of only these are no value."""
    assert faults({"name": "a", "required": True, "value": value}) == {"a": ("is required",)}
    assert fault(value, required=True, value="stated") == ("is required",)
    assert one(value) == value


@pytest.mark.parametrize("value", [0, False, "x"])
def test_falsy_values_are_values(value: Any) -> None:
    assert one(value, required=True) == value


def test_all_faults_are_told_at_once() -> None:
    """F26."""
    with pytest.raises(FormError) as caught:
        submit(
            {"name": "a", "required": True},
            {"name": "b", "maxLength": 2, "regex": "[0-9]+"},
            {"name": "c"},
            {"name": "d", "type": "number"},
            b="abc", d="x", form={"contentType": "text/xml"},
        )  # fmt: skip
    assert caught.value.url == URL
    assert caught.value.errors == {
        "": ("a body of the type 'text/xml' cannot be written",),
        "a": ("is required",),
        "b": ("must have at most 2 characters, not 3", "must match the pattern '[0-9]+'"),
        "d": ("must be a number",),
    }
    assert str(caught.value) == (
        "nothing was sent for the form 'add' of https://api.example/v4: a body of the type 'text/xml' cannot be "
        "written; a: is required; b: must have at most 2 characters, not 3, must match the pattern '[0-9]+'; "
        "d: must be a number"
    )


@pytest.mark.parametrize("method", ["BREW", "OPTIONS", "POST\r\nX", "CONNECT"])
def test_unknown_methods_are_refused(method: str) -> None:
    """F4: no write is sent as a read."""
    assert "method" in faults(method=method)[""][0]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/xml", "application/json-patch+json", "application/*+json", "application/x-ndjson"],
)
def test_bodies_that_cannot_be_written_are_refused(kind: str) -> None:
    """F5: JSON is never sent under another name."""
    assert faults(form={"contentType": kind}) == {"": (f"a body of the type '{kind}' cannot be written",)}
    assert submit(form={"contentType": kind, "method": "GET"}).values == {}


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.x+json", "text/json"])
def test_json_types(kind: str) -> None:
    assert is_json(kind)
    assert has_body("PATCH")
    assert not has_body("DELETE")


@pytest.mark.parametrize(("target", "expanded"), [("/a{?x}", "/a"), ('/a?f={"b":1}', '/a?f={"b":1}'), ("/a", "/a")])
def test_target_templates_are_expanded_or_refused(target: str, expanded: str) -> None:
    """F7: bare for reads, refused for writes; braces alone make no template."""
    assert expand_target(target) == expanded
    if target != expanded:
        assert "URI template" in faults(form={"target": target})[""][0]
    else:
        assert submit(form={"target": target}).values == {}


# ------------------------------------------------------------------------------------------------- constraints


@pytest.mark.parametrize("kind", ["number", "range"])
@pytest.mark.parametrize(("value", "sent"), [("5", 5), ("1.5", 1.5), (" -2 ", -2), ("1e2", 100.0), (7, 7), ("", "")])
def test_numbers_are_sent_as_numbers(kind: str, value: Any, sent: Any) -> None:
    """F23; stated values too, unless they are read-only."""
    result = one(value, type=kind)
    assert (result, type(result)) == (sent, type(sent))
    result = submit({"name": "a", "type": kind, "value": value}).values["a"]
    assert (result, type(result)) == (sent, type(sent))
    assert submit({"name": "a", "type": kind, "value": "x"}).values == {"a": "x"}
    assert submit({"name": "a", "type": kind, "value": "5", "readOnly": True}).values == {"a": "5"}


@pytest.mark.parametrize("value", ["x", "1,5", True, "1e999", {}, "٣", "1_0", 10**400])
def test_other_values_are_no_numbers(value: Any) -> None:
    assert fault(value, type="number") == ("must be a number",)


@pytest.mark.parametrize(
    ("members", "right", "wrong"),
    [
        ({"minLength": 2}, "ab", "a"),
        ({"maxLength": "2"}, "ab", "abc"),
        ({"min": 10}, 10, 9),
        ({"max": "10"}, "10", "10.5"),
        ({"min": 1, "type": "number"}, "2", 0.5),
        ({"step": 0.1}, 0.3, 0.35),
        ({"step": 2, "min": 1}, 3, 2),
        ({"step": 3, "min": 1}, 4, 5),
        ({"regex": "a+"}, "aa", "ab"),
        ({"min": "2026-01-02", "type": "date"}, dt.date(2026, 1, 2), "2026-01-01"),
        ({"max": "2026-01-01T10:00", "type": "datetime-local"}, "2026-01-01T10:00:00", "2026-01-01T10:00:01"),
        ({"max": "10:00", "type": "time"}, "09:59", dt.time(10, 1)),
        ({"min": "2026-W02", "type": "week"}, "2026-W03", "2026-W01"),
        ({"max": "2026-02", "type": "month"}, "2026-02", "2026-03"),
    ],
)
def test_constraints(members: Any, right: Any, wrong: Any) -> None:
    """F12, F16."""
    one(right, **members)
    assert len(fault(wrong, **members)) == 1
    assert len(fault([right, wrong], **members)) == 1
    one("", **members)


@pytest.mark.parametrize(
    ("members", "value"),
    [({"min": "2026-01-02", "type": "date"}, "tomorrow"), ({"min": 5}, "x"), ({"min": 5}, True), ({"min": 5}, {}),
     ({"min": "2026-01-01T00:00Z", "type": "datetime-local"}, "2025-01-01T00:00"), ({"step": 1e-300}, 1e300),
     ({"min": "soon"}, 1), ({"regex": "["}, "x"), ({"regex": "x", "maxLength": 0}, {"k": 1})],
)  # fmt: skip
def test_what_cannot_be_compared_is_not_refused(members: Any, value: Any) -> None:
    one(value, **members)


def test_stated_values_are_not_checked() -> None:
    """A server may state what its own constraints refuse; the caller is not asked about it."""
    assert submit({"name": "a", "value": "x", "regex": "y", "maxLength": 0}).values == {"a": "x"}


def test_unchecked_patterns_are_told() -> None:
    """F12."""
    assert submit({"name": "a", "regex": "["}, a="x").unchecked == {"a": "the pattern cannot be read"}


# ------------------------------------------------------------------------------------------------- options


def test_only_choices_can_be_sent() -> None:
    options = {"inline": [5, "x", True, {"value": {"k": 1}}]}
    for value, sent in ((5, 5), ("5", 5), ("x", "x"), (True, True), ("true", True), ({"k": 1}, {"k": 1})):
        result = one(value, options=options)
        assert (result, type(result)) == (sent, type(sent))
    for value in (1, "no", {"k": 2}):
        assert fault(value, options=options) == ("must be one of the 4 choices of the field",)
    assert one(["x", "5"], options=options) == ["x", 5]
    assert fault(["x", "no", "nor"], options=options) == ("must be one of the 4 choices of the field",)


@pytest.mark.parametrize("options", [{"inline": []}, {"link": {"href": "/all"}}, {"inline": [*range(20_000)]}, {}])
def test_unknown_choices_are_not_refused(options: Any) -> None:
    """F17, F19: of a link, which was not fetched, and of those beyond the bound."""
    assert one("any", options=options) == "any"


def test_the_callers_shape_decides() -> None:
    """F20."""
    options: dict[str, Any] = {"inline": [1, 2, 3], "minItems": 2}
    assert one([1, 2], options=options) == [1, 2]
    assert fault([1], options=options) == ("must have at least 2 values, not 1",)
    assert fault(1, options=options) == ("must have at least 2 values, not 1",)
    assert one(1, options={**options, "minItems": 0}) == 1
    assert fault([1, 2, 3], options={**options, "maxItems": 2}) == ("must have at most 2 values, not 3",)
    assert fault([1], options={"inline": [1], "maxItems": 1}) == ("must be one value, not a list",)
    assert one([1, 2]) == [1, 2]


# ------------------------------------------------------------------------------------------------- templates


def test_templated_values_are_expanded_from_the_others() -> None:
    """F14."""
    c = {"name": "c", "templated": True, "value": "/{b}"}
    b = {"name": "b", "templated": "true", "value": "{a}!{?x}"}
    assert submit(c, b, {"name": "a"}, a="é").values == {"a": "é", "b": "%C3%A9!", "c": "/%25C3%25A9%21"}
    assert submit(c, b, {"name": "a"}, a="é", b="own").values == {"a": "é", "b": "own", "c": "/own"}
    assert submit(c, {"name": "b"}, extra={"b": 1}).values == {"b": 1, "c": "/1"}
    assert submit(c, extra={"c": 1}).values == {"c": 1}


def test_cyclic_templates_are_faults() -> None:
    a, b = ({"name": name, "templated": True, "value": f"{{{other}}}"} for name, other in ("ab", "ba"))
    assert faults(a, b) == dict.fromkeys("ab", ("has a template that needs its own value: pass a value",))
    assert submit(a, b, a=1).values == {"a": 1, "b": "1"}


def test_unreadable_templates_are_faults() -> None:
    template = {"name": "a", "templated": True, "value": "{a"}
    assert faults(template) == {"a": ("has a template that cannot be read: pass a value",)}
    nested = {"name": "a", "templated": True, "value": "{b:1}"}
    assert faults(nested, {"name": "b"}, b=[1, 2])["a"][0].startswith("has a template that cannot be expanded")


# ------------------------------------------------------------------------------------------------- files


MULTIPART_FORM = {"contentType": MULTIPART}


@pytest.mark.parametrize("file", [Path("x"), b"x", io.BytesIO(b"x"), ("x.txt", b"x"), [Path("x"), b"y"]])
def test_files_are_the_callers(file: Any) -> None:
    """F27."""
    scan = {"name": "scan", "type": "file", "value": "/etc/passwd"}
    assert submit(scan, form=MULTIPART_FORM, files={"scan": file}).files == {"scan": file}
    assert submit(scan, form=MULTIPART_FORM, scan=file).files == {"scan": file}
    assert submit(scan, form=MULTIPART_FORM).files == {}


def test_faults_of_files() -> None:
    scan = {"name": "scan", "type": "file", "required": True}
    assert faults(scan, form=MULTIPART_FORM) == {"scan": ("is required",)}
    wrong = ("must be a Path, bytes, or a file opened in binary mode",)
    assert faults(scan, form=MULTIPART_FORM, scan="/etc/passwd") == {"scan": wrong}
    assert faults(scan, files={"scan": b""}) == {"scan": ("is a file, and the form sends application/json",)}
    assert faults(scan, files={"scan": b""}, form=MULTIPART_FORM, method="GET") == {
        "scan": ("is a file, and the form sends the query of a GET",)
    }
    assert faults({"name": "a"}, files={"a": b""}, form=MULTIPART_FORM) == {"a": ("is not a field for files",)}
    for value in (b"x", Path("x"), io.BytesIO()):
        assert fault(value) == (f"must be a value that JSON has, not {type(value).__name__}",)


# ------------------------------------------------------------------------------------------------- encodings


def test_pairs() -> None:
    """Names of nested values are those of the specification's example."""
    values = {
        "title": "a b", "done": False, "contact": {"name": "A", "none": None}, "lines": [{"sku": 1}, {"sku": 2}],
        "tags": ["x", None, "y"], "deep": [[1, 2]], "gone": None,
    }  # fmt: skip
    assert to_pairs(values) == [
        ("title", "a b"), ("done", "false"), ("contact.name", "A"), ("lines[0].sku", "1"), ("lines[1].sku", "2"),
        ("tags", "x"), ("tags", "y"), ("deep[0]", "1"), ("deep[0]", "2"),
    ]  # fmt: skip


def test_pairs_of_values_at_the_deepest_level_are_sent() -> None:
    deep: Any = "x"
    for _ in range(32):
        deep = {"a": deep}
    assert to_pairs({"n": deep}) == [("n" + ".a" * 32, "x")]
    with pytest.raises(ValueError, match=r"^it is nested more than 32 levels$"):
        to_pairs({"n": {"a": deep}})


def test_pairs_of_deep_values_are_refused() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [{"a": deep}]
    with pytest.raises(ValueError, match="nested more than 32 levels"):
        to_pairs({"a": deep})


def test_queries_replace_that_of_the_target() -> None:
    """F22."""
    assert to_query("/a?b=1#c", {"d": "e f"}, keep=False) == "/a?d=e%20f"
    assert to_query("/a?b=1#c", {"d": True, "e": None}, keep=True) == "/a?b=1&d=true"
    assert to_query("/a?b=1", {}, keep=False) == "/a"


@pytest.mark.unmeasured
@given(values=st.dictionaries(st.text(), st.text() | st.lists(st.text(), min_size=1)))
def test_pairs_of_texts_are_kept(values: dict[str, str | list[str]]) -> None:
    expected = [
        (name, text) for name, found in values.items() for text in (found if isinstance(found, list) else [found])
    ]
    pairs = to_pairs(values)
    assert pairs == expected
    if all(text.isascii() for pair in pairs for text in pair):
        assert parse_qsl(encode_query(pairs), keep_blank_values=True) == expected


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.sampled_from(["5", "{a}", "{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = (
    "type",
    "value",
    "required",
    "readOnly",
    "templated",
    "regex",
    "min",
    "max",
    "step",
    "minLength",
    "maxLength",
)
FIELD = st.fixed_dictionaries(
    {"name": st.sampled_from("abc")},
    optional={
        **dict.fromkeys(MEMBERS, JSON),
        "type": st.sampled_from(["number", "date", "time", "week", "file", "hidden", "x"]),
        "templated": st.booleans(),
        "options": st.fixed_dictionaries({}, optional={"inline": JSON, "selectedValues": JSON, "maxItems": JSON}),
    },
)


@pytest.mark.unmeasured
@few_examples()
@given(
    properties=st.lists(FIELD, max_size=3),
    method=st.sampled_from(["GET", "POST", "DELETE", "PATCH", "BREW"]),
    kind=st.sampled_from([None, URLENCODED, MULTIPART, "text/xml"]),
    values=st.dictionaries(st.sampled_from("abcd"), JSON, max_size=3),
)
def test_any_submission_is_sent_or_refused(
    properties: list[Any], method: str, kind: str | None, values: dict[str, Any]
) -> None:
    """What is not refused has no member beyond the fields, and can be encoded."""
    names = {field["name"] for field in properties}
    try:
        sent = submit(*properties, method=method, form={"contentType": kind}, **values)
    except FormError as error:
        faults_found = error.errors
        assert all(faults_found.values())
    except TypeError:
        assert set(values) - names
    else:
        assert set(sent.values) <= names
        assert to_query("/a", sent.values, keep=False).startswith("/a")
