"""Expressions: printed, parsed, and valued as boolean.py does."""

from collections.abc import Callable
from itertools import product
from typing import Any

import boolean
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.resources.control.expressions import (
    Expression,
    ExpressionError,
    TriggerReference,
    constant_value,
    parse_expression,
)
from tests.support.profiles import few_examples

NAMES = ("home", "low", "t1", "z_2", "a.3")
names = st.sampled_from(NAMES).map(TriggerReference)
expressions: st.SearchStrategy[Expression] = st.recursive(
    names,
    lambda inner: st.one_of(
        inner.map(lambda one: ~one),
        st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
    ),
    max_leaves=12,
)
a, b, c = TriggerReference("a"), TriggerReference("b"), TriggerReference("c")


@pytest.mark.unmeasured
@given(expressions)
def test_parsing_inverts_printing(expression: Expression) -> None:
    assert parse_expression(str(expression)) == expression
    assert str(parse_expression(str(expression))) == str(expression)
    assert hash(parse_expression(str(expression))) == hash(expression)


@pytest.mark.unmeasured
@given(expressions)
def test_values_are_those_of_another_library(expression: Expression) -> None:
    algebra = boolean.BooleanAlgebra()
    other = algebra.parse(str(expression).replace(".", "_"))
    used = list(dict.fromkeys(map(str, expression.leaves())))
    rows: list[bool] = []
    for row in product((False, True), repeat=len(used)):
        values = dict(zip(used, row, strict=True))
        symbols = {
            algebra.Symbol(name.replace(".", "_")): algebra.TRUE if value else algebra.FALSE
            for name, value in values.items()
        }
        expected = other.subs(symbols, simplify=True) == algebra.TRUE
        assert expression.value(values) is expected
        rows.append(expected)
    assert constant_value(expression) is (rows[0] if len(set(rows)) == 1 else None)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a", "a"),
        (" ( a ) ", "a"),
        ("!a & b | c", "((!a & b) | c)"),
        ("a | b & c", "(a | (b & c))"),
        ("a && b || !!c", "((a & b) | c)"),
        ("!(a|b)&c", "(!(a | b) & c)"),
        ('"a" & "b"', "(a & b)"),
        ("(a & b) & c", "(a & b & c)"),
        (
            "((z1 & t1) | (z2 & !t1) | (f & z1) | (a & (z1|t)) | (o & (z1 | z2)))",
            "((z1 & t1) | (z2 & !t1) | (f & z1) | (a & (z1 | t)) | (o & (z1 | z2)))",
        ),
    ],
)
def test_texts_in_use_are_parsed(text: str, printed: str) -> None:
    assert str(parse_expression(text)) == printed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing at the end"),
        ("a &", "missing at the end"),
        ("& a", "missing at character 1"),
        ("a b", "& or | is missing at character 3"),
        ("a (b)", "& or | is missing at character 3"),
        ("a ! b", "& or | is missing at character 3"),
        ("(a", "is not closed"),
        ("a)", "closed that is not open, at character 2"),
        ("()", "missing at character 2"),
        ('"a', "a quote that holds no name begins at character 1"),
        ('a & "b)"', "begins at character 5"),
        ("(" * 65 + "a", "64 levels deep"),
        ("a" * 5_000, "at most 4096 characters"),
    ],
)
def test_a_text_that_does_not_parse_says_where(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert reason in str(caught.value)


@pytest.mark.unmeasured
@given(st.text(alphabet='ab&|!()" \n\x00é', max_size=40))
def test_any_text_parses_or_is_an_error(text: str) -> None:
    try:
        parsed = parse_expression(text)
    except ExpressionError:
        return
    assert parse_expression(str(parsed)) == parsed


@pytest.mark.unmeasured
@few_examples()
@given(expressions, expressions, expressions)
def test_joining_is_associative(one: Expression, other: Expression, third: Expression) -> None:
    assert str((one & other) & third) == str(one & (other & third))
    assert str((one | other) | third) == str(one | (other | third))
    assert ~~one == one


def test_python_s_own_operators_are_refused() -> None:
    uses: tuple[Callable[[], object], ...] = (lambda: a and b, lambda: not a, lambda: bool(a & b))
    for use in uses:
        with pytest.raises(TypeError, match=r"use & \| ~"):
            use()
    wrong: Any = "b"
    joins: tuple[Callable[[], object], ...] = (lambda: a & wrong, lambda: a | wrong)
    for join in joins:
        with pytest.raises(TypeError, match="conditions only, not with str"):
            join()


def test_conditions_show_their_operators() -> None:
    assert repr(a & ~(b | c)) == "(TriggerReference('a') & ~(TriggerReference('b') | TriggerReference('c')))"
    assert (a & b) != (a | b)


@pytest.mark.parametrize(
    ("expression", "value"), [(a | ~a, True), (a & ~a, False), ((a & b) | ~a | ~b, True), (a & b, None), (a, None)]
)
def test_constant_expressions_are_found(expression: Expression, value: bool | None) -> None:
    assert constant_value(expression) is value


def test_long_chains_do_not_exhaust_the_stack() -> None:
    text = " & ".join(["abc"] * 600) + " | " + "!" * 60 + "b"
    assert str(parse_expression(text)).endswith("| b)")
