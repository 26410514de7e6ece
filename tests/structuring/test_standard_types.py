"""Types of the standard library in classes of a program: dates, times of day, decimal numbers, UUIDs, unions."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import cattrs
import freezegun
import hypothesis.strategies as st
import pytest
from hypothesis import given

from stellantis_hal import make_converter
from stellantis_hal.structuring.hooks import configure_converter

CONVERTER = make_converter()


@dataclass
class Invoice:
    number: UUID
    due: date
    opens: time
    total: Decimal
    reference: int | str
    paid: date | None = None


BODY = {
    "number": "9f3a1c5e-0000-4000-8000-000000000001",
    "due": "2026-02-28",
    "opens": "08:30",
    "total": "19.90",
    "reference": "A-7",
}


def test_a_dataclass_of_such_types_is_read_without_hooks() -> None:
    expected = Invoice(UUID(BODY["number"]), date(2026, 2, 28), time(8, 30), Decimal("19.90"), "A-7")
    assert CONVERTER.structure(BODY, Invoice) == expected
    assert CONVERTER.structure(BODY, attrs.define(Invoice)).reference == "A-7"


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimal_numbers_are_as_written(number: Decimal) -> None:
    assert CONVERTER.structure(str(number), Decimal) == number


@pytest.mark.parametrize(("value", "expected"), [(0.1, "0.1"), (7, "7"), (10**400, str(10**400)), (1e3, "1000.0")])
def test_numbers_of_json_become_decimal_ones(value: float, expected: str) -> None:
    assert str(CONVERTER.structure(value, Decimal)) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Decimal, True),
        (Decimal, "ten"),
        (Decimal, "NaN"),
        (Decimal, None),
        (Decimal, float("inf")),
        (date, "soon"),
        (date, 5),
        (time, "25:00"),
        (UUID, "1"),
        (UUID, 1),
    ],
)
def test_other_values_are_refused_without_being_quoted(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^(not|a number)") as failure:
        CONVERTER.structure(value, kind)
    assert repr(value) not in str(failure.value)


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_a_union_takes_only_its_own_values(value: Any) -> None:
    kind: Any = int | str
    with pytest.raises(TypeError):
        CONVERTER.structure(value, kind)


def test_a_hook_of_the_program_is_kept() -> None:
    own = cattrs.Converter()
    own.register_structure_hook(Decimal, lambda value, _: Decimal(1))
    configure_converter(own)
    assert own.structure("5", Decimal) == 1


def test_classes_made_while_time_is_frozen_are_read() -> None:
    with freezegun.freeze_time("2026-01-01"):
        from datetime import date as frozen_date
        from datetime import datetime as frozen_datetime

        made = attrs.make_class("Made", {"day": attrs.field(type=frozen_date), "at": attrs.field(type=frozen_datetime)})
        value: Any = CONVERTER.structure({"day": "2026-01-02", "at": "2026-01-02T10:00:00Z"}, made)
    assert value.day == date(2026, 1, 2)
    assert value.at == datetime.fromisoformat("2026-01-02T10:00:00+00:00")
