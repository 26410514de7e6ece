"""Which values msgspec reads, which it leaves to the tolerant reader, and for how long it pauses after these."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time
from math import isfinite
from typing import Annotated, Any

import attrs
import pytest

from stellantis_hal.resources.blocks.energy import EnergyType
from stellantis_hal.resources.missing_value_codes import TimeOfDay
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.future_limit import FutureLimit
from stellantis_hal.structuring.generated_msgspec_structs import MAX_LEARNED, forget_unknown_keys, msgspec_struct
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.scalars import ScalarCodec
from tests.structuring.test_generated_code import EXTRAS, LEFT, OLDER, OWN, WHOLE, every_field, places
from tests.structuring.test_msgspec_reader import Car, Reading

pytest.importorskip("msgspec")

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """Begin without keys that other tests have shown, and leave none."""
    forget_unknown_keys()
    yield
    forget_unknown_keys()


def is_read(reading: Reading, body: dict[str, Any]) -> bool:
    """Read a body, the same both ways; return whether msgspec read it."""
    assert reading.wire.prepare()
    reading.read(body)
    return reading.wire.is_reading


# Of the values that generated code leaves to codecs, those that msgspec reads.
_READ: list[tuple[str, list[Any]]] = [
    ("number", [-(2**53) - 1, 2**53 + 1, 2**70]),
    ("warmth", [-(2**53) - 1]),
    ("height", [2**53 + 1]),
    ("count", [1]),
    ("grade", ["1", "100"]),
    ("span", [1.5]),
    ("duration", ["PT1H"]),
    ("at", ["2023-09-12T11:41:10+02:00"]),
    ("kind", ["Steam"]),
]
_BEYOND_INTEGERS = ("steps", 2**70)  # what the JSON decoder reads as a float


def test_msgspec_reads_every_value_without_a_problem() -> None:
    reading = Reading(every_field())
    left = [(name, raw) for name, raw, _ in OWN if not is_read(reading, {name: raw})]
    assert left == [_BEYOND_INTEGERS]
    found = [(name, raw) for name, raw, _ in LEFT if not isinstance(raw, float) or isfinite(raw)]
    read = [(name, raw) for name, raw in found if is_read(reading, {name: raw})]
    assert read == [(name, raw) for name, values in _READ for raw in values]
    assert is_read(reading, dict.fromkeys(name for name, *_ in OWN))


@pytest.mark.parametrize(
    ("name", "inside", "beyond"),
    [
        ("steps", [-(2**63), 2**63 - 1, 0], [-(2**63) - 1, 2**63]),
        ("count", [1, 2**63 - 1], [0, -1, -(2**63), 2**63]),
        ("level", [0, 100, 0.0, 100.0], [-0.001, 100.001, -1, 101]),
        ("height", [-0.5, 1e308], [-0.501, -1]),
        ("odometer", [0.001, 1e308], [0, -0.0, -0.001, -1]),
        ("number", [-1e308, 1e308, -(2**64), 2**64], []),
    ],
)
def test_bounds_of_numbers_are_those_of_the_field(name: str, inside: list[Any], beyond: list[Any]) -> None:
    reading = Reading(every_field())
    assert [is_read(reading, {name: raw}) for raw in inside] == [True] * len(inside)
    assert [is_read(reading, {name: raw}) for raw in beyond] == [False] * len(beyond)


ONE_GENERATION: list[dict[str, Any]] = [
    WHOLE,
    {"old": {"inner": "x"}},
    {"flat": "x"},
    {"old": {"inner": None}, "flat": "y"},
    {"a": {"b": {"inner": ""}}, "flat": None},
    {"old": {"texts": ["x"]}},
    {"old": {"part": {"size": 1}}},
    {"part": {"size": 2}, "old": {"part": None}},
    {"old": {"parts": [{"size": 1}]}},
    {"parts": [{"size": 2}, {}], "old": None},
]


def test_bodies_of_one_generation_are_read_by_msgspec() -> None:
    reading = Reading(places())
    bodies = [WHOLE, *(body for body, *_ in OLDER)]
    assert [body for body in bodies if is_read(reading, body)] == ONE_GENERATION


NEVER_EXTRA: list[dict[str, Any]] = [
    {"a": 5, "old": "x"},
    {"flat": "x", "a": {"b": {"inner": "y"}}},
    {"flat": "x", "old": {"inner": "y"}},
    {"flat": "x", "old": {"inner": "", "z": 1}},
    {"old": {"inner": "x"}, "a": {"b": {"inner": "y"}}},
    {"old": {"part": {}}, "part": {"size": 1}},
    {"_embedded": None},
    {"_embedded": 5},
]
"""Bodies that are always left to the tolerant reader."""


def test_bodies_are_read_once_their_keys_are_learned() -> None:
    reading = Reading(places())
    for body, _ in EXTRAS:
        is_read(reading, body)
    assert [body for body, _ in EXTRAS if not is_read(reading, body)] == NEVER_EXTRA


@pytest.mark.parametrize(
    ("key", "read", "left"),
    [
        ("weights", [[], None, [1, 2.5], [2**70]], [["x"], 5, [None], [True], {}]),
        ("spans", [[], None, [60, 1.5], [10**9]], [["x"], 5, [None], [1e300], {}]),
        ("times", [[], None, ["PT1H", "PT2H"]], [["x"], "PT1H", [None], ["PT34H"], {}]),
        ("time", [None, "PT1H"], ["PT34H", 5, "x", []]),
        ("lines", [[], None, [[1, 2], [3, 4, 5]]], [[[0, 0]], [[1, 2, 3, 4]], [[1]], [None], {}]),
        ("kinds", [[], None, ["Fuel", "Steam"]], [[5], "Fuel", [None]]),
        ("moments", [[], None, ["2020-01-01T00:00:00+02:00"]], [["soon"], "2020-01-01T00:00:00Z", [None]]),
        ("oldMoments", [[], None, ["2020-01-01T00:00:00Z"]], [["soon"], [5]]),
        ("wheels", [[], None, [{}], [{"pressure": 2, "kind": "x"}]], [[None], {}, [{"pressure": "x"}]]),
        ("spare", [None, {}, {"make": {"name": "x"}}, {"make": None}], [[], 5, {"make": 5}]),
        ("old", [None, {}, {"wheels": []}, {"spare": {}}, {"spare": None}], [[], {"wheels": {}}, {"spare": []}]),
        ("grade", [None, 5, "5", 100, 1], ["500", "x", "0", 101]),
        ("rank", [None, "1", 1e308], ["0.5", "x"]),
        ("mood", [None, 1, {"a": []}], []),
        ("x" * 64, [1], []),
        ("x" * 65, [], [1]),
    ],
)
def test_values_of_each_kind_of_field(key: str, read: list[Any], left: list[Any]) -> None:
    reading = Reading(Car)
    assert [value for value in read if not is_read(reading, {key: value})] == []
    assert [value for value in left if is_read(reading, {key: value})] == []


class Words(dict[str, str]):
    """Members that a codec in an annotation can have."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # dictionaries have none


WORDS = Words(on="1")


def _at(value: int) -> EnergyType:
    return list[EnergyType](EnergyType)[value]


@attrs.frozen(kw_only=True)
class OwnCodecs(Model):
    """A class of a user, with codecs that read enumerations and texts in their own way."""

    kind: Annotated[EnergyType, ScalarCodec(lambda value: EnergyType(value.title()), str)] | None = None
    word: Annotated[str, ScalarCodec(lambda value: WORDS.get(value, value[::-1]), str, members=WORDS)] | None = None
    figure: Annotated[float, ScalarCodec(float, str, wire=str)] | None = None
    opens: TimeOfDay | None = attrs.field(default=None, metadata=names("opens", ("old", "opens"), "oldest"))
    code: Annotated[EnergyType, ScalarCodec(_at, str)] | None = None
    share: int | None = attrs.field(default=None, metadata=names(unit="percent"))
    least: int | None = attrs.field(default=None, metadata=names(minimum=0.5))
    levels: tuple[float, ...] = attrs.field(default=(), metadata=names(unit="percent"))
    ranks: tuple[int, ...] = attrs.field(default=(), metadata=names(minimum=1))


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("body", "value"),
    [
        ({"kind": "fuel"}, OwnCodecs(kind=EnergyType.FUEL)),
        ({"word": "abc"}, OwnCodecs(word="cba")),
        ({"word": "on"}, OwnCodecs(word="1")),
        ({"figure": "1.5"}, OwnCodecs(figure=1.5)),
        ({"code": 1}, OwnCodecs(code=EnergyType.ELECTRIC)),
        ({"share": 0}, OwnCodecs(share=0)),
        ({"share": 100}, OwnCodecs(share=100)),
        ({"least": 1}, OwnCodecs(least=1)),
        ({"levels": [-5, 200.5]}, OwnCodecs(levels=(-5.0, 200.5))),
        ({"ranks": [-5, 0]}, OwnCodecs(ranks=(-5, 0))),
        ({"opens": "PT1H"}, OwnCodecs(opens=time(1))),
        ({"old": {"opens": "PT2H"}}, OwnCodecs(opens=time(2))),
        ({"oldest": "PT3H"}, OwnCodecs(opens=time(3))),
        ({"opens": None, "old": {"opens": None}, "oldest": None}, OwnCodecs()),
    ],
)
def test_codecs_of_a_user_are_read_from_bytes_too(body: dict[str, Any], value: OwnCodecs) -> None:
    reading = Reading(OwnCodecs)
    null = {key for key, raw in body.items() if raw is None}
    assert is_read(reading, body) == (len(null) < 2)
    assert reading.read(body) == value


@pytest.mark.parametrize("body", [{"share": -1}, {"share": 101}, {"least": 0}, {"ranks": [2**63]}])
def test_whole_numbers_beyond_their_bounds_are_left(body: dict[str, Any]) -> None:
    assert not is_read(Reading(OwnCodecs), body)


def test_two_generations_are_left_to_the_tolerant_reader() -> None:
    reading = Reading(Car)
    at = ["2020-01-01T00:00:00Z"]
    for body in (
        {"moments": at, "oldMoments": at},
        {"moments": [], "oldMoments": at},
        {"wheels": [], "old": {"wheels": []}},
        {"spare": {"pressure": 2}, "old": {"spare": {}}},
        {"spare": {"make": {"name": "x"}, "kind": "y"}},
    ):
        assert not is_read(reading, body)


# ------------------------------------------------------------------------------------------------- pauses


def skipped(reading: Reading) -> int:
    """Return how many good bodies pass unread until one is read."""
    for count in range(100):
        model, problems = reading.wire.read(b"{}", FutureLimit(lambda: NOW), None)
        if model is not None:
            assert (type(model), problems) == (reading.kind, None)
            return count
    raise AssertionError("no body was read")


is_warm = pytest.mark.parametrize("is_warm", [True, False], ids=["prepared", "cold"])


@pytest.mark.unmeasured
@is_warm
@pytest.mark.parametrize(
    ("refused", "unread"), [(0, 0), (1, 0), (2, 0), (3, 2), (4, 4), (5, 8), (6, 16), (7, 32), (8, 64), (9, 64)]
)
def test_pauses_grow_with_bodies_refused_in_a_row(refused: int, unread: int, is_warm: bool) -> None:
    reading = Reading(every_field(), is_warm=is_warm)
    reading.wire.resume()
    assert (reading.wire.is_curious, reading.wire.is_reading) == (False, True)
    for _ in range(refused):
        reading.wire.resume()
        assert reading.wire.read(b'{"text": 5}', FutureLimit(lambda: NOW), None) == (None, None)
        assert (reading.wire.is_curious, reading.wire.is_reading) == (True, False)
    assert skipped(reading) == unread
    assert reading.wire.read(b'{"text": 5}', FutureLimit(lambda: NOW), None) == (None, None)
    assert skipped(reading) == 0  # they are no longer in a row


def test_a_class_is_read_after_thirty_two_bodies() -> None:
    assert skipped(Reading(every_field(), is_warm=False)) == 32


# ------------------------------------------------------------------------------------------------- doubts


@is_warm
def test_fields_are_doubted_after_three_bodies_with_problems(is_warm: bool) -> None:
    reading = Reading(every_field(), is_warm=is_warm)
    found = []
    for body in ({"text": 5}, {"number": "x"}, {}, {"text": 6}, {"done": 7}, {"done": 7}):
        reading.wire.resume()
        reading.read(body)
        found.append(set(reading.wire.doubted))
    doubted = {"text", "number"}
    assert found == [set(), set(), set(), doubted, doubted, doubted]
    reading.wire.resume()
    reading.read({"done": 7})
    assert reading.wire.doubted == {"text", "number", "done"}
    assert reading.wire.is_reading


def test_doubt_ends_after_so_many_good_bodies_in_a_row() -> None:
    reading = Reading(every_field())
    for _ in range(3):
        reading.read({"text": 5})
    for count in (127, 127):
        for _ in range(count):
            reading.read({"text": "x"})
        assert reading.wire.doubted == {"text"}
        assert [problem.path for problem in reading.read({"text": 5}).problems] == ["$.text"]
    for _ in range(128):
        assert reading.wire.doubted == {"text"}
        reading.read({"text": "x"})
    assert reading.wire.doubted == set()
    assert reading.read({"text": "x", "number": 1}).number == 1.0


def test_at_most_eight_fields_are_doubted_in_one_body() -> None:
    reading = Reading(every_field())
    keys = ("number", "warmth", "odometer", "level", "height", "span", "at", "due", "done")
    body: dict[str, Any] = {key: [] for key in keys}
    for _ in range(3):
        reading.wire.resume()
        reading.read(body)
    assert reading.wire.doubted == {*body} - {"done"}
    assert not reading.wire.is_reading or reading.read(body).problems
    reading.wire.resume()
    reading.read({key: value for key, value in body.items() if key != "done"})
    assert reading.wire.is_reading


def test_fields_that_share_keys_are_never_doubted() -> None:
    reading = Reading(places())
    for _ in range(5):
        reading.wire.resume()
        reading.read({"a": {"b": {"inner": 5}}, "texts": 6, "old": 7, "type": 8, "trailing": 9})
    assert reading.wire.doubted == {"trailing_"}


# ------------------------------------------------------------------------------------------------- unknown keys


def test_so_many_unknown_keys_are_learned() -> None:
    reading = Reading(Car)
    many = {f"key{number}": number for number in range(MAX_LEARNED)}
    reading.read(many)
    assert msgspec_struct(Car).unknown == tuple(many)
    assert is_read(reading, many)
    reading.read({"one more": 1})
    assert msgspec_struct(Car).unknown == tuple(many)
    assert not is_read(reading, {"one more": 1})


def test_unknown_keys_of_parts_and_places_are_learned() -> None:
    reading = Reading(Car)
    body = {"spare": {"mood": 1}, "old": {"x": 2}, "wheels": [{}, {"make": {"y": 3}}]}
    reading.read(body)
    assert is_read(reading, body)
    reading.read({"b": 1, "a": 2})
    assert msgspec_struct(Car).unknown == ("b", "a")
    reading.read({"c": 0, "a": 2, "b": 1})  # in the order of the latest body that had a new one
    assert msgspec_struct(Car).unknown == ("c", "a", "b")
    reading.read({"new": 1, "old": {"x": 2}})  # a place after it that has nothing new
    assert msgspec_struct(Car).unknown == ("new", "c", "a", "b")


@pytest.mark.unmeasured
@is_warm
def test_structs_are_made_so_often_for_unknown_keys(is_warm: bool) -> None:
    reading = Reading(places(), is_warm=is_warm)
    reading.wire.resume()
    reading.read({})
    learned = []
    for number in range(20):
        body = {f"key{number}": 1}
        reading.wire.resume()
        reading.read(body)
        reading.wire.resume()
        reading.read(body)
        learned.append(reading.wire.is_reading)
    assert learned == [True] * 15 + [False] * 5
    for _ in range(5):  # nor for fields that have problems
        reading.wire.resume()
        reading.read({"trailing": 9})
    assert reading.wire.doubted == set()


def test_a_body_that_is_no_json_is_left() -> None:
    reading = Reading(Car)
    for content in (b"", b"[]", b"null", b"{", b'{"seats": 1} x', b'"text"', json.dumps([{}]).encode()):
        reading.wire.resume()
        assert reading.wire.read(content, FutureLimit(lambda: NOW), None) == (None, None)
