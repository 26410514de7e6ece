"""Boolean expressions of monitors, as the simulated API reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stellantis_hal.simulator.api.body_checks import refusal, require

__all__ = ["evaluate", "names_of", "read_expression"]

Node = tuple[Any, ...]
"""An expression: ("name", n), ("!", node), ("&", node, node), ("|", node, node)."""


def read_expression(text: Any) -> Node:
    """Return the expression of a text: by recursive descent, ``!`` before ``&`` before ``|``."""
    if not isinstance(text, str) or len(text) > 500:
        raise refusal("boolExp is required.")
    tokens = re.findall(r"[&|!()]|[^\s&|!()]+", text)
    node, rest = _read_or(tokens, 0)
    require(rest == len(tokens), "boolExp does not parse.")
    return node


def _read_or(tokens: list[str], at: int) -> tuple[Node, int]:
    node, at = _read_and(tokens, at)
    while at < len(tokens) and tokens[at] == "|":
        right, at = _read_and(tokens, at + 1)
        node = ("|", node, right)
    return node, at


def _read_and(tokens: list[str], at: int) -> tuple[Node, int]:
    node, at = _read_not(tokens, at)
    while at < len(tokens) and tokens[at] == "&":
        right, at = _read_not(tokens, at + 1)
        node = ("&", node, right)
    return node, at


def _read_not(tokens: list[str], at: int) -> tuple[Node, int]:
    sign = tokens[at] if at < len(tokens) else ")"
    if sign == "!":
        node, at = _read_not(tokens, at + 1)
        return ("!", node), at
    if sign == "(":
        node, at = _read_or(tokens, at + 1)
        require(at < len(tokens) and tokens[at] == ")", "boolExp does not parse.")
        return node, at + 1
    require(sign not in ("&", "|", ")"), "boolExp does not parse.")
    return ("name", sign), at + 1


def names_of(node: Node) -> list[str]:
    if node[0] == "name":
        return [node[1]]
    return [name for child in node[1:] for name in names_of(child)]


def evaluate(node: Node, values: Mapping[str, bool]) -> bool:
    """Return the value of an expression where its triggers have these values."""
    kind = node[0]
    if kind == "name":
        return values[node[1]]
    if kind == "!":
        return not evaluate(node[1], values)
    left, right = evaluate(node[1], values), evaluate(node[2], values)
    return left and right if kind == "&" else left or right
