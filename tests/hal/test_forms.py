"""HAL-FORMS templates as they are read; the rules F1 to F21 that need no request."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.forms import Choice, FieldOptions, FieldTemplate, FormTemplate, FormTemplates, make_choices
from tests.support.profiles import few_examples

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = re.findall(
    r"\w+",
    "name prompt type value required readOnly templated regex placeholder min max step minLength maxLength cols rows "
    "options inline link promptField valueField minItems maxItems selectedValues",
)
TEMPLATE = st.fixed_dictionaries(
    {},
    optional={
        "method": JSON,
        "target": JSON,
        "contentType": JSON,
        "title": JSON,
        "properties": JSON
        | st.lists(
            st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6)
            | st.fixed_dictionaries(
                {"name": st.text(min_size=1, max_size=3)},
                optional={"options": st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=5), "type": JSON},
            ),
            max_size=4,
        ),
    },
)


def read(template: Any = None, **properties: Any) -> FormTemplate:
    return FormTemplates({"_templates": {"default": template or {}, **properties}})["default"]


def field(**members: Any) -> FieldTemplate:
    (found,) = read({"properties": [{"name": "a", **members}]}).fields
    return found


def reasons(template: Any) -> list[str]:
    return [f"{found.path} {found.reason}" for found in read(template).diagnostics]


@pytest.mark.parametrize("body", [{}, {"_templates": None}, {"_templates": {}}])
def test_documents_without_forms_have_none(body: Any) -> None:
    forms = FormTemplates(body)
    assert (len(forms), list(forms), forms.default_key, forms.diagnostics) == (0, [], None, ())


@pytest.mark.parametrize("value", [[], "x", 5, True])
def test_unreadable_forms_are_none(value: Any) -> None:
    """F2: the document is plain HAL then."""
    forms = FormTemplates({"_templates": value})
    assert (len(forms), "default" in forms, forms.default_key) == (0, False, None)
    (found,) = forms.diagnostics
    assert found.path == "$._templates"
    with pytest.raises(KeyError):
        forms["default"]


def test_the_default_form_is_the_first_without_one() -> None:
    """F3."""
    assert FormTemplates({"_templates": {"a": {}, "default": {}}}).default_key == "default"
    forms = FormTemplates({"_templates": {"x": None, "b": {}, "a": {}}})
    assert (forms.default_key, [*forms], "x" in forms, "b" in forms) == ("b", ["b", "a"], False, True)
    assert [found.path for found in forms.diagnostics] == ["$._templates.x"]
    assert repr(forms) == "FormTemplates(b, a)"


@pytest.mark.parametrize(
    ("stated", "read_as"),
    [({}, "GET"), ({"method": ""}, "GET"), ({"method": 7}, "GET"), ({"method": None}, "GET"), ({"method": " "}, "GET"),
     ({"method": "post"}, "POST"), ({"method": " Put "}, "PUT"), ({"method": "brew"}, "BREW")],
)  # fmt: skip
def test_methods(stated: Any, read_as: str) -> None:
    """F4."""
    assert read(stated).method == read_as


@pytest.mark.parametrize(
    ("stated", "read_as"),
    [(None, "application/json"), ("", "application/json"), (5, "application/json"), ("json", "application/json"),
     ("a b/c", "application/json"), ("/", "application/json"), ("é/x", "application/json"),
     ("Application/JSON; charset=utf-8", "application/json"), ("application/vnd.x+json", "application/vnd.x+json"),
     ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"), ("text/xml", "text/xml")],
)  # fmt: skip
def test_content_types(stated: Any, read_as: str) -> None:
    """F5."""
    assert read({"contentType": stated}).content_type == read_as


@pytest.mark.parametrize("stated", [{}, {"properties": []}, {"properties": None}, {"properties": 5}])
def test_no_properties_are_no_fields(stated: Any) -> None:
    """F6."""
    assert read(stated).fields == ()


def test_properties_that_are_no_list_are_told() -> None:
    """F6."""
    [reason] = reasons({"properties": 5})
    assert reason.startswith("$._templates.default.properties ")
    assert reasons({"properties": None}) == []


@pytest.mark.parametrize("target", [None, "", "  ", 5, {}, []])
def test_unreadable_targets_are_none(target: Any) -> None:
    """F7."""
    assert read({"target": target}).target is None


def test_targets_are_stripped() -> None:
    assert read({"target": " ../a "}).target == "../a"


def test_defaults_of_forms_and_fields() -> None:
    """F9, F11, F13, F15, F16, F20."""
    form = read({"properties": [{"name": "a"}]})
    assert (form.key, form.title) == ("default", "default")
    assert form.fields == (FieldTemplate(name="a", prompt="a"),)
    (found,) = form.fields
    assert (found.cols, found.rows, found.type, found.control, found.value) == (40, 5, "text", "text", None)
    assert (found.required, found.read_only, found.templated, found.hidden) == (False,) * 4


def test_every_member_is_read() -> None:
    found = field(
        prompt="A", type="RANGE", value=0, required=True, readOnly="True", regex="[0-9]+ ", placeholder="0",
        min="10", max=20.5, step=0.5, minLength="2", maxLength=3.0, cols=10, rows="2",
    )  # fmt: skip
    assert found == FieldTemplate(
        name="a", prompt="A", type="range", control="range", value=0, required=True, read_only=True, pattern="[0-9]+ ",
        placeholder="0", min=10, max=20.5, step=0.5, min_length=2, max_length=3, cols=10, rows=2,
    )  # fmt: skip
    assert read({"title": "Add", "properties": []}).title == "Add"


@pytest.mark.parametrize("name", [None, "", " ", 5, ["a"]])
def test_fields_without_a_name_are_left_out(name: Any) -> None:
    """F10."""
    template = {"properties": [{"name": name}, {}, 5, {"name": "b"}]}
    assert [found.name for found in read(template).fields] == ["b"]
    assert [text.split()[0] for text in reasons(template)] == [
        "$._templates.default.properties[0].name",
        "$._templates.default.properties[1].name",
        "$._templates.default.properties[2]",
    ]


def test_the_first_field_of_a_name_counts() -> None:
    """F10."""
    template = {"properties": [{"name": "a", "value": 1}, {"name": "a", "value": 2}]}
    assert [found.value for found in read(template).fields] == [1]
    assert reasons(template) == [
        "$._templates.default.properties[1].name the name of a field before it: the field is left out"
    ]


@pytest.mark.parametrize(
    ("stated", "read_as"), [(True, True), ("true", True), (" TRUE ", True), ("false", False), ("", False), (1, False),
                            ("yes", False), (None, False), ([True], False)],
)  # fmt: skip
def test_flags(stated: Any, read_as: bool) -> None:
    """F11: also as text."""
    assert field(required=stated).required is read_as


@pytest.mark.parametrize(
    ("stated", "kind", "control"),
    [("Email", "email", "email"), ("hidden", "hidden", "hidden"), ("colour", "colour", "text"), (None, "text", "text"),
     (7, "text", "text"), ("", "text", "text")],
)  # fmt: skip
def test_unknown_types_are_text(stated: Any, kind: str, control: str) -> None:
    """F15: the field is never dropped, and its type is kept."""
    found = field(type=stated)
    assert (found.type, found.control, found.hidden) == (kind, control, control == "hidden")


@pytest.mark.parametrize("stated", [True, [], {}, float("inf")])
def test_unreadable_numbers_are_ignored(stated: Any) -> None:
    """F16."""
    members = dict.fromkeys(("min", "max", "step", "minLength", "maxLength", "cols", "rows"), stated)
    assert field(**members) == FieldTemplate(name="a", prompt="a")
    assert len(reasons({"properties": [{"name": "a", **members}]})) == 7


@pytest.mark.parametrize(
    ("members", "expected"),
    [({"min": "2026-01-01"}, {"min": "2026-01-01"}), ({"min": ""}, {}), ({"step": "any"}, {}), ({"step": 0}, {}),
     ({"minLength": -1}, {}), ({"maxLength": 1.5}, {}), ({"maxLength": "x"}, {}), ({"max": "1e3"}, {"max": 1000.0}),
     ({"max": "9" * 500}, {"max": "9" * 500}), ({"max": 10**400}, {})],
)  # fmt: skip
def test_bounds(members: Any, expected: Any) -> None:
    """F16: bounds of dates are texts."""
    assert field(**members) == FieldTemplate(name="a", prompt="a", **expected)


@pytest.mark.parametrize("step", [None, "", "any"])
def test_a_step_that_bounds_nothing_is_no_deviation(step: Any) -> None:
    assert reasons({"properties": [{"name": "a", "step": step}]}) == []


@pytest.mark.parametrize(
    "options",
    [None, {}, [], 5, {"inline": None}, {"inline": 5}, {"link": 5}, {"link": {"title": "x"}},
     {"inline": [{"v": 1}, {}, None, [1]]}, {"inline": [{"value": 1}], "valueField": "no"}],
)  # fmt: skip
def test_unusable_options_are_none(options: Any) -> None:
    """F17, F18: such a field is a text field."""
    found = field(options=options)
    assert (found.options, found.control) == (None, "text")
    assert (options is None) == (reasons({"properties": [{"name": "a", "options": options}]}) == [])


def test_choices_are_scalars_or_objects() -> None:
    """F18: other members are ignored."""
    inline = [
        "a",
        5,
        1.5,
        True,
        False,
        None,
        [1],
        {"value": 2, "prompt": "two", "x": 1},
        {"value": {"k": 1}},
        {"prompt": "no"},
    ]
    found = field(options={"inline": inline, "link": {"href": "/no"}})
    assert found.options is not None
    assert found.options.link is None
    assert found.options.inline is not None
    assert found.options.inline == (
        Choice("a", "a"), Choice("5", 5), Choice("1.5", 1.5), Choice("true", True), Choice("false", False),
        Choice("two", 2), Choice("…", {"k": 1}),
    )  # fmt: skip
    assert [type(choice.value) for choice in found.options.inline][1:4] == [int, float, bool]
    named = make_choices([{"id": 7, "label": "seven"}], "label", "id")
    assert named == (Choice("seven", 7),)
    assert make_choices([2**5000], "prompt", "value")[0].prompt == "…"


def test_a_link_of_choices_is_read() -> None:
    """F19."""
    found = field(options={"link": {"href": "/all", "type": "text/csv"}, "promptField": "p", "valueField": "v"}).options
    assert found is not None
    assert found.link is not None
    assert (found.inline, found.link.href, found.link.type) == (None, "/all", "text/csv")
    assert (found.prompt_field, found.value_field, found.min_items, found.max_items) == ("p", "v", 0, None)


@pytest.mark.parametrize(
    ("members", "default"),
    [({"value": 0}, 0), ({"value": False}, False), ({"value": ""}, ""), ({"value": None}, None), ({}, None),
     ({"options": {"inline": [1, 2], "selectedValues": [1, 2]}}, [1, 2]),
     ({"options": {"inline": [1, 2], "selectedValues": [2], "maxItems": "1"}}, 2),
     ({"options": {"inline": [1], "selectedValues": 1}}, [1]),
     ({"options": {"inline": [1], "selectedValues": [None, [1]]}}, None),
     ({"options": {"inline": [{"value": 1}], "selectedValues": [{"value": 1, "prompt": "x"}]}}, [1]),
     ({"options": {"inline": [1, 2], "selectedValues": [1]}, "value": 2}, 2),
     ({"type": "file", "value": "/etc/passwd"}, None)],
)  # fmt: skip
def test_defaults(members: Any, default: Any) -> None:
    """F13, F21, F27: a stated value wins, also a falsy one; a path is never taken from a document."""
    found = field(**members)
    assert found.default == default
    assert type(found.default) is type(default)


@pytest.mark.unmeasured
def test_a_million_choices_are_bounded() -> None:
    template = {"properties": [{"name": "a", "options": {"inline": [*range(1_000_000)]}},
                               {"name": "b", "options": {"inline": [1]}}]}  # fmt: skip
    first, second = read(template).fields
    assert first.options is not None
    assert first.options.inline is not None
    assert (len(first.options.inline), first.options.is_complete) == (10_000, False)
    assert second.options == FieldOptions(inline=(), is_complete=False)
    assert reasons(template)[0] == (
        "$._templates.default.properties[0].options.inline "
        "1000000 choices: those after 10000 are left out, none is refused"
    )


def test_a_million_fields_are_bounded() -> None:
    template = {"properties": [{"name": str(index)} for index in range(20_000)]}
    assert len(read(template).fields) == 1_000
    assert reasons(template) == ["$._templates.default.properties 20000 fields: those after 1000 are left out"]


@pytest.mark.unmeasured
def test_deep_and_cyclic_values_are_kept() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    cycle: list[Any] = []
    cycle.append(cycle)
    for value in (deep, cycle):
        found = field(value=value, min=value, type=value, options={"inline": value, "selectedValues": value})
        assert found.value is value
        assert "a" in repr(found)
        assert reasons({"target": value, "properties": [{"name": "a", "options": {"inline": [{"value": value}]}}]})


@pytest.mark.unmeasured
@few_examples()
@given(templates=JSON | st.dictionaries(st.text(max_size=3), TEMPLATE, max_size=3))
def test_any_templates_are_read(templates: Any) -> None:
    forms = FormTemplates({"_templates": templates})
    assert len([*forms.values()]) == len(forms)
    assert all(found.reason for found in forms.diagnostics)
    assert (forms.default_key is None) == (len(forms) == 0)
