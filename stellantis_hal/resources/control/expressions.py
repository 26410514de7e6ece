"""Boolean expressions over triggers: built by ``& | ~``, printed, parsed, and checked by their truth table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Final

import attrs

__all__ = [
    "And",
    "Expression",
    "ExpressionError",
    "Not",
    "Or",
    "TriggerReference",
    "constant_value",
    "parse_expression",
]

_MAX_TEXT: Final = 4_096
_MAX_DEPTH: Final = 64
_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(r'(?P<operator>&&?|\|\|?|[!()])|"(?P<quoted>[^\s&|!()"]+)"|(?P<name>[^\s&|!()"]+)')
_PRECEDENCE: Final[Mapping[str, int]] = {"|": 1, "&": 2, "!": 3}


class ExpressionError(ValueError):
    """A text is no boolean expression, or one that is too long or nested too deep."""


class Expression:
    """A condition: a trigger, or several joined by ``&``, ``|`` and ``~``. Equal by value, never changed.

    ``str()`` is the text that the API takes, with parentheses around each operation.
    """

    __slots__ = ()

    def __and__(self, other: Expression) -> Expression:
        return _join(And, self, other)

    def __or__(self, other: Expression) -> Expression:
        return _join(Or, self, other)

    def __invert__(self) -> Expression:
        return self.operand if isinstance(self, Not) else Not(self)

    def __bool__(self) -> bool:
        """Refuse ``and``, ``or`` and ``not``, which would leave a part of the condition out.

        Raises:
            TypeError: always.
        """
        raise TypeError("a condition has no truth value here: use & | ~ instead of and, or, not")

    def leaves(self) -> Iterator[Expression]:
        """Iterate over its triggers from left to right, as often as they stand in it."""
        yield self

    def value(self, values: Mapping[str, bool]) -> bool:
        """Return its value where its triggers have these values, by name.

        Raises:
            KeyError: a trigger has no value.
        """
        return values[str(self)]

    def bind(self, leaf_of: Callable[[str], Expression]) -> Expression:
        """Return it with other leaves in place of its names."""
        return leaf_of(str(self))


@attrs.frozen(repr=False)
class TriggerReference(Expression):
    """The name of a trigger."""

    name: str

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"TriggerReference({self.name!r})"


@attrs.frozen(repr=False)
class Not(Expression):
    """The opposite of a condition."""

    operand: Expression

    def __str__(self) -> str:
        return f"!{self.operand}"

    def __repr__(self) -> str:
        return f"~{self.operand!r}"

    def leaves(self) -> Iterator[Expression]:
        """Iterate over its triggers."""
        return self.operand.leaves()

    def value(self, values: Mapping[str, bool]) -> bool:
        """Return its value."""
        return not self.operand.value(values)

    def bind(self, leaf_of: Callable[[str], Expression]) -> Expression:
        """Return it with other leaves."""
        return ~self.operand.bind(leaf_of)


@attrs.frozen(repr=False)
class _Joined(Expression):
    """Two or more conditions, joined by one operator."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"({f' {_sign(self)} '.join(map(str, self.operands))})"

    def __repr__(self) -> str:
        return f"({f' {_sign(self)} '.join(map(repr, self.operands))})"

    def leaves(self) -> Iterator[Expression]:
        """Iterate over its triggers."""
        for operand in self.operands:
            yield from operand.leaves()

    def bind(self, leaf_of: Callable[[str], Expression]) -> Expression:
        """Return it with other leaves."""
        return _join(type(self), *(operand.bind(leaf_of) for operand in self.operands))


class And(_Joined):
    """Conditions that all have to be true."""

    __slots__ = ()

    def value(self, values: Mapping[str, bool]) -> bool:
        """Return its value."""
        return all(operand.value(values) for operand in self.operands)


class Or(_Joined):
    """Conditions of which one has to be true."""

    __slots__ = ()

    def value(self, values: Mapping[str, bool]) -> bool:
        """Return its value."""
        return any(operand.value(values) for operand in self.operands)


def _sign(joined: _Joined) -> str:
    return "&" if isinstance(joined, And) else "|"


def _join(kind: type[_Joined], *operands: Expression) -> Expression:
    """Join conditions; those of the same operator become one."""
    found: list[Expression] = []
    for operand in operands:
        if not isinstance(operand, Expression):
            raise TypeError(f"a condition can be joined with conditions only, not with {type(operand).__name__}")
        found += operand.operands if type(operand) is kind else (operand,)
    return kind(tuple(found))


def constant_value(expression: Expression) -> bool | None:
    """Return the value of an expression that is always true or always false, by its truth table; else None.

    Its triggers are taken to be independent. There are 32 rows for five triggers, the most that the API takes: check
    their number before, because each further one doubles the rows.
    """
    names = list(dict.fromkeys(map(str, expression.leaves())))
    values = (expression.value(dict(zip(names, row, strict=True))) for row in product((False, True), repeat=len(names)))
    first = next(values)
    return None if any(value is not first for value in values) else first


# ------------------------------------------------------------------------------------------------- parsing


def parse_expression(text: str) -> Expression:
    """Parse the text of an expression; its leaves are names. ``!`` binds more than ``&``, and ``&`` more than ``|``.

    Names may be quoted, operators doubled.

    Raises:
        ExpressionError: it does not parse; the message says where.

    >>> str(parse_expression("home & (low | !night)")), str(parse_expression("a | b & c"))
    ('(home & (low | !night))', '(a | (b & c))')
    """
    if len(text) > _MAX_TEXT:
        raise ExpressionError(f"an expression has at most {_MAX_TEXT} characters, not {len(text)}")
    return _Parser(text).parse()


class _Parser:
    """Dijkstra's shunting-yard algorithm: operands and operators on stacks, no recursion."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._operands: list[Expression] = []
        self._operators: list[str] = []

    def parse(self) -> Expression:
        expects_operand = True
        for at, sign, name in self._tokens():
            if expects_operand:
                if name:
                    self._operands.append(TriggerReference(name))
                    expects_operand = False
                elif sign in {"!", "("}:
                    self._operators.append(sign)
                    if len(self._operators) > _MAX_DEPTH:
                        raise ExpressionError(f"nested more than {_MAX_DEPTH} levels deep at character {at + 1}")
                else:
                    raise ExpressionError(f"a trigger is missing at character {at + 1}")
            elif sign == ")":
                self._close(at)
            elif sign in {"&", "|"}:
                self._apply_above(_PRECEDENCE[sign])
                self._operators.append(sign)
                expects_operand = True
            else:
                raise ExpressionError(f"& or | is missing at character {at + 1}")
        if expects_operand:
            raise ExpressionError("a trigger is missing at the end")
        self._apply_above(0)
        if self._operators:
            raise ExpressionError("a parenthesis is not closed")
        return self._operands[0]

    def _tokens(self) -> Iterator[tuple[int, str, str | None]]:
        at = _end(_SPACE.match(self._text))
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise ExpressionError(f"a quote that holds no name begins at character {at + 1}")
            yield at, (found["operator"] or "")[:1], found["quoted"] or found["name"]
            at = _end(_SPACE.match(self._text, found.end()))

    def _apply_above(self, precedence: int) -> None:
        """Apply the operators on the stack down to a parenthesis, or to one that binds less."""
        while self._operators and self._operators[-1] != "(" and _PRECEDENCE[self._operators[-1]] >= max(1, precedence):
            sign = self._operators.pop()
            operand = self._operands.pop()
            if sign == "!":
                self._operands.append(~operand)
            else:
                before = self._operands.pop()
                self._operands.append(before & operand if sign == "&" else before | operand)

    def _close(self, at: int) -> None:
        self._apply_above(0)
        if not self._operators:
            raise ExpressionError(f"a parenthesis is closed that is not open, at character {at + 1}")
        self._operators.pop()


def _end(found: re.Match[str] | None) -> int:
    return 0 if found is None else found.end()
