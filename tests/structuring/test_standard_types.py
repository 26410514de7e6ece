"""Types of the standard library in classes of a program: dates, times of day, decimal numbers, UUIDs, unions."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import attrs
import cattrs
import freezegun
import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import given

from stellantis_hal import HalClient, Rel, StructureError, make_converter
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
        (Decimal, "1_000"),
        (Decimal, "1e99999999999999999999"),
        (Decimal, " 5 "),
        (Decimal, "\u0665"),
        (Decimal, "12,5"),
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


@pytest.mark.unmeasured
def test_classes_made_while_time_is_frozen_are_read() -> None:
    with freezegun.freeze_time("2026-01-01"):
        from datetime import date as frozen_date
        from datetime import datetime as frozen_datetime

        made = attrs.make_class("Made", {"day": attrs.field(type=frozen_date), "at": attrs.field(type=frozen_datetime)})
        value: Any = CONVERTER.structure({"day": "2026-01-02", "at": "2026-01-02T10:00:00Z"}, made)
    assert value.day == date(2026, 1, 2)
    assert value.at == datetime.fromisoformat("2026-01-02T10:00:00+00:00")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (str, "5", "5"),
        (str, 5, "5"),
        (str, 5.5, "5.5"),
        (int, 5.0, 5),
        (int, "-5", -5),
        (float, "5.5e1", 55.0),
        (float, 5, 5.0),
        (bool, "False", False),
        (bool, "true", True),
        (bool, 0, False),
        (bool, 1, True),
        (bool, True, True),
        (list[str], ["a"], ["a"]),
        (tuple[str, ...], ["a"], ("a",)),
    ],
)
def test_single_values_without_a_doubt_are_read(kind: Any, value: Any, expected: Any) -> None:
    read = CONVERTER.structure(value, kind)
    assert (read, type(read)) == (expected, type(expected))


_NO_TEXTS: list[Any] = [None, True, [], {"a": 1}]
_NO_INTEGERS: list[Any] = [None, True, 5.5, "5.5", "", "1_0", []]
_NO_NUMBERS: list[Any] = [None, False, "nan", "inf", "1e999", " 1", float("inf")]
_NO_BOOLEANS: list[Any] = [None, "no", "", 2, 1.0, []]
_NO_ARRAYS: list[Any] = ["abc", {"a": 1}, None, 5]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *[(str, value) for value in _NO_TEXTS],
        *[(int, value) for value in _NO_INTEGERS],
        *[(float, value) for value in _NO_NUMBERS],
        *[(bool, value) for value in _NO_BOOLEANS],
        *[(list[str], value) for value in _NO_ARRAYS],
        *[(set[str], value) for value in _NO_ARRAYS],
        (tuple[str, ...], "ab"),
        (Invoice, ["number"]),
        (Invoice, "number"),
    ],
)
def test_values_that_would_be_wrong_are_refused(kind: Any, value: Any) -> None:
    """A ``str`` of null was the text "None", an ``int`` of 5.5 was 5, a ``bool`` of "false" was True."""
    with pytest.raises(ValueError, match=r"^(not|a number)"):
        CONVERTER.structure(value, kind)


class Color(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


def test_members_of_enumerations_are_read_by_value() -> None:
    assert CONVERTER.structure("red", Color) is Color.RED
    assert CONVERTER.structure(1, Level) is Level.LOW
    with pytest.raises(ValueError, match="blue"):
        CONVERTER.structure("blue", Color)


def test_hooks_of_a_program_count_more() -> None:
    converter = cattrs.Converter()
    converter.register_structure_hook(str, lambda value, _: f"<{value}>")
    converter.register_structure_hook(Invoice, lambda value, _: value)
    configure_converter(converter)
    assert converter.structure(None, str) == "<None>"
    invoice: Any = converter.structure([1], Invoice)
    assert invoice == [1]


def test_a_class_that_cattrs_reads_from_an_array_is_read_from_it() -> None:
    converter = cattrs.Converter(unstruct_strat=cattrs.UnstructureStrategy.AS_TUPLE)
    configure_converter(converter)
    pair = attrs.make_class("Pair", {"text": attrs.field(type=str), "number": attrs.field(type=int)})
    assert attrs.astuple(converter.structure(["a", 5], pair)) == ("a", 5)


@pytest.mark.anyio
@pytest.mark.parametrize(("body", "kind"), [([1], Invoice), ("soon", date), (5.5, int)])
async def test_a_body_of_another_type_raises_a_structure_error(body: Any, kind: Any) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=body if request.url.path == "/a" else {"_links": {"a": {"href": "/a"}}})

    async with HalClient("https://api.example/", transport=httpx.MockTransport(respond)) as client:
        with pytest.raises(StructureError, match=rf"^{kind.__name__} at https://api.example/a: \$ \("):
            await client.follow(Rel("a", kind))


@pytest.mark.parametrize(("kind", "value", "words"), [(list[str], "abc", "an array"), (Invoice, ["a"], "an object")])
def test_a_value_of_another_json_type_is_told(kind: Any, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^not {words}$"):
        CONVERTER.structure(value, kind)
