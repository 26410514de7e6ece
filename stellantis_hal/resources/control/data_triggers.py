"""Data triggers of monitors: a value of the car changes, or is as wanted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

import attrs

from stellantis_hal.hal.redaction import mask_repr, mask_text, redacted_repr
from stellantis_hal.resources.control.data_items import DataItem, DataType, Operator, facts_of
from stellantis_hal.resources.control.trigger import Trigger, require_name
from stellantis_hal.validation import require_type

__all__ = ["DataOperand", "DataTrigger", "Previous", "data", "number_text"]

Scalar: TypeAlias = str | int | float | bool


@attrs.frozen(repr=False)
class Previous:
    """What a value must have been before.

    Attributes:
        operator: how it is compared.
        values: what with, as text.
    """

    operator: Operator
    values: tuple[str, ...]

    __repr__ = redacted_repr


@attrs.frozen(repr=False)
class DataTrigger(Trigger):
    """A value of the car changes, or is as wanted.

    Attributes:
        name: its name in the condition.
        item: the value.
        operator: how it is compared.
        values: what with, as text.
        previous: what it must have been before; None: anything.
    """

    name: str
    item: DataItem
    operator: Operator
    values: tuple[str, ...] = ()
    previous: Previous | None = None

    def __repr__(self) -> str:
        return f"<{mask_text(self.name)}: {self.describe()}>"

    def describe(self) -> str:
        """Return what it waits for."""
        sign = _SIGNS.get(self.operator, self.operator)
        values = ", ".join(map(mask_text, self.values))
        before = f" after {', '.join(map(mask_text, self.previous.values))}" if self.previous else ""
        return f"{mask_text(self.item)} {mask_text(sign)} {values}".rstrip() + before


_SIGNS: Final[Mapping[str, str]] = {
    Operator.CHANGES: "changes",
    Operator.EQUALS: "=",
    Operator.GREATER: ">",
    Operator.LOWER: "<",
    Operator.IS_IN: "in",
}


class DataOperand:
    """A value of the car under a name, to be compared. Made by :func:`data`."""

    __slots__ = ("_item", "_name", "_previous")
    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __init__(self, name: str, item: DataItem, previous: Previous | None) -> None:
        self._name = name
        self._item = item
        self._previous = previous

    def __repr__(self) -> str:
        return f"data({mask_repr(self._name)}, {self._item!r})"

    def __lt__(self, value: float) -> DataTrigger:
        return self._trigger(Operator.LOWER, value)

    def __gt__(self, value: float) -> DataTrigger:
        return self._trigger(Operator.GREATER, value)

    def __le__(self, value: object) -> Any:
        raise TypeError("the API compares by lowerThan and greaterThan only: use < instead of <=")

    def __ge__(self, value: object) -> Any:
        raise TypeError("the API compares by lowerThan and greaterThan only: use > instead of >=")

    def __eq__(self, value: object) -> bool:
        raise TypeError("use .equals(value) instead of ==, and .is_in(…) for several values")

    def __ne__(self, value: object) -> bool:
        raise TypeError("use ~data(…).equals(value) instead of !=")

    def __bool__(self) -> bool:
        raise TypeError("compare it: < > .equals(…) .is_in(…) .changes()")

    def changes(self) -> DataTrigger:
        """Return the trigger that is true when the value changes."""
        return self._trigger(Operator.CHANGES)

    def equals(self, value: Scalar) -> DataTrigger:
        """Return the trigger that is true while the value is this one."""
        return self._trigger(Operator.EQUALS, value)

    def is_in(self, *values: Scalar) -> DataTrigger:
        """Return the trigger that is true while the value is one of these."""
        return self._trigger(Operator.IS_IN, *values)

    def _trigger(self, operator: Operator, *values: Scalar) -> DataTrigger:
        facts = facts_of(self._item)
        if facts is not None and operator not in facts.operators:
            taken = " or ".join(sorted(_HOW[each] for each in facts.operators))
            raise ValueError(f"{self._item} does not take {operator}: use {taken}")
        if operator is Operator.IS_IN and not values:
            raise ValueError("is_in() needs one or more values")
        kind: DataType = "text" if facts is None else facts.type
        texts = tuple(dict.fromkeys(_as_text(self._item, value, kind) for value in values))
        return DataTrigger(self._name, self._item, operator, texts, self._previous)


_HOW: Final[Mapping[Operator, str]] = {
    Operator.CHANGES: ".changes()",
    Operator.EQUALS: ".equals(value)",
    Operator.GREATER: ">",
    Operator.LOWER: "<",
    Operator.IS_IN: ".is_in(value, …)",
}


def data(name: str, item: DataItem | str, *, previous: Scalar | Iterable[Scalar] | None = None) -> DataOperand:
    """Return a value of the car to compare: ``data("low", Electric.LEVEL) < 20``.

    Args:
        name: its name in the condition: letters, then digits.
        item: the value.
        previous: what it must have been before: a value, or several; for a few items, and not for fleets.

    Raises:
        ValueError: a value is out of its bounds, or the item has no previous state.
        TypeError: a value has another type.
    """
    require_type("item", item, str)
    found = DataItem(item)
    return DataOperand(require_name(name), found, None if previous is None else _previous(found, previous))


def _previous(item: DataItem, given: Scalar | Iterable[Scalar]) -> Previous:
    values = (given,) if isinstance(given, str | int | float) else tuple(given)
    operator = Operator.EQUALS if len(values) == 1 else Operator.IS_IN
    facts = facts_of(item)
    if facts is not None and operator not in facts.previous:
        what = "several previous values" if facts.previous else "a previous value"
        raise ValueError(
            f"{item} does not take {what}: leave previous out" + (" or pass one" if facts.previous else "")
        )
    if not values:
        raise ValueError("previous must be one or more values")
    return Previous(operator, tuple(_as_text(item, value, "text" if facts is None else facts.type) for value in values))


def _as_text(item: DataItem, value: Scalar, kind: DataType) -> str:
    """Return a value as the API takes it: everything is text."""
    require_type(f"a value of {item}", value, str, int, float, bool)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise TypeError(f"a value of {item} must be True or False, not {type(value).__name__}")
        return "true" if value else "false"
    if isinstance(value, bool) or (kind == "text") is not isinstance(value, str):
        wanted = "text" if kind == "text" else "a number"
        raise TypeError(f"a value of {item} must be {wanted}, not {type(value).__name__}")
    if isinstance(value, str):
        if not value:
            raise ValueError(f"a value of {item} must not be empty")
        return str(value)
    if not math.isfinite(value):
        raise ValueError(f"a value of {item} must be finite")
    return number_text(value)


def number_text(value: float) -> str:
    """Return a finite number as the API takes it, whole, without a fraction that is zero."""
    return str(int(value)) if value == int(value) else repr(float(value))
