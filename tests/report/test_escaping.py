"""Texts from elsewhere in HTML and in scripts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.html_tables import escape
from stellantis_hal.report.escaping import isolate, script_json
from tests.report.cars import HOSTILE

pytestmark = pytest.mark.unmeasured


def test_no_text_becomes_an_element() -> None:
    shown = escape(HOSTILE)
    assert not set("<>\"'\u2028\u202e") & set(shown)
    assert isolate("a<b") == "<bdi>a&lt;b</bdi>"


def test_long_texts_are_cut() -> None:
    assert escape("x" * 80) == "x" * 80
    assert escape("x" * 10_000) == "x" * 80 + "…"
    assert escape("x" * 81, longest=500) == "x" * 81


@given(st.text())
def test_escaped_texts_are_one_plain_line(text: str) -> None:
    shown = escape(text)
    assert shown.isprintable()
    assert not set("<>\"'") & set(shown)


@given(
    st.recursive(
        st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=16,
    )
)
def test_json_in_scripts_reads_back(value: object) -> None:
    text = script_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&") & set(text)


def test_numbers_that_are_not_finite_are_null_in_scripts() -> None:
    value = {"a": [1.5, float("inf"), (float("nan"), "<")], "b": {"c": -float("inf")}}
    assert script_json(value) == '{"a":[1.5,null,[null,"\\u003c"]],"b":{"c":null}}'
