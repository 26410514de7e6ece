"""What is read by msgspec and what is left to the tolerant reader: warmth, unknown keys, pauses, hooks of users."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

import attrs
import pytest

from stellantis_hal.hal.document import parse
from stellantis_hal.hal.encoded import LazilyDecodedDocument, parse_encoded
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.json import decode
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.blocks.energy import Energy, EnergyType
from stellantis_hal.resources.missing_value_codes import TimeOfDay
from stellantis_hal.resources.position import Coordinates
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.user import User
from stellantis_hal.structuring import msgspec_reader as reader_module
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.structuring.extra import Extra
from stellantis_hal.structuring.field_mapping import Path, names
from stellantis_hal.structuring.future_limit import FutureLimit
from stellantis_hal.structuring.generated_msgspec_structs import (
    MAX_LEARNED,
    NoMsgspecStructError,
    forget_unknown_keys,
    msgspec_struct,
)
from stellantis_hal.structuring.hooks import make_converter
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.msgspec_reader import MsgspecReader
from stellantis_hal.structuring.scalars import ScalarCodec, Seconds
from tests.structuring.test_msgspec_reading import resource_of

pytest.importorskip("msgspec")

_NOW = datetime(2024, 1, 1, tzinfo=UTC)
_URL = "https://api.example/trips"


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """Begin without keys that other tests have shown, and leave none."""
    forget_unknown_keys()
    yield
    forget_unknown_keys()


class Reading:
    """A class read from bodies by a reader of its own, and tolerantly for comparison."""

    def __init__(self, kind: type[Model], *, is_warm: bool = True) -> None:
        self.kind = kind
        own = make_converter()
        hook: Any = own.get_structure_hook(kind)
        self.wire = MsgspecReader(kind, hook.wire.tolerant)
        if is_warm:
            assert self.wire.prepare()
        own.register_structure_hook(kind, attrs.evolve(hook, wire=self.wire))
        self.converter = TypedConverter(own)
        self.tolerant = TypedConverter()

    def read(self, body: dict[str, Any] | str) -> Any:
        """Return what a body is read as, the same both ways."""
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        document = parse_encoded(content)
        assert document is not None
        found: Any = self.converter.structure(resource_of(document, content), self.kind)
        expected: Any = self.tolerant.structure(resource_of(parse(decode(content)), content), self.kind)
        assert found == expected
        assert (found.problems, [*found.extra]) == (expected.problems, [*expected.extra])
        return found


def test_a_class_is_read_tolerantly_until_it_is_warm() -> None:
    reading = Reading(Trip, is_warm=False)
    for _ in range(32):
        assert reading.wire.read(b'{"id": "1"}', FutureLimit(lambda: _NOW), None) == (None, None)
    assert reading.wire.read(b'{"id": "1"}', FutureLimit(lambda: _NOW), None) == (Trip(id="1"), None)


def test_unknown_keys_are_learned_once() -> None:
    reading = Reading(Trip)
    position = {"mood": 1, "properties": {"b": None, "a": [1]}, "_links": {}}
    body = {"id": "1", "mood": "x", "startPosition": position, "kinetic": {"z": {"deep": [2**70]}}, "another": None}
    assert reading.read(body).extra == {"mood": "x", "another": None}
    content = json.dumps(body).encode()
    model, _ = reading.wire.read(content, FutureLimit(lambda: _NOW), None)
    assert model.start_position.extra == {"mood": 1, "properties": {"b": None, "a": [1]}, "_links": {}}
    assert model.kinetic.extra == {"z": {"deep": [2.0**70]}}
    assert reading.read(body).extra == {"mood": "x", "another": None}
    assert reading.read({"another": 1}).extra == {"another": 1}
    assert reading.read({}).extra == {}
    assert reading.read({"first": 0, "mood": 1, "id": "2"}).extra == {"first": 0, "mood": 1}
    assert reading.read({"first": 0, "mood": 1, "another": 2}).extra == {"first": 0, "mood": 1, "another": 2}


def test_a_flood_of_unknown_keys_is_read_all_the_same() -> None:
    reading = Reading(Trip)
    for number in range(3 * MAX_LEARNED):
        assert reading.read({"id": "1", f"key{number}": number}).extra == {f"key{number}": number}
    many = {f"other{number}": number for number in range(2 * MAX_LEARNED)}
    assert reading.read(many).extra == many


@pytest.mark.parametrize("key", ['a"b', "a\\b", "é", "", "\x01", "x" * 1_000, "_embedded"])
def test_keys_that_no_struct_can_have_are_extras_too(key: str) -> None:
    reading = Reading(Trip)
    for value in ({}, {"a": 1}, None, {}):
        body = json.dumps({key: value, "id": "1"}, ensure_ascii=False)
        assert reading.read(body).extra == ({} if (key, value) == ("_embedded", {}) else {key: value})


@pytest.mark.parametrize("embedded", [None, {}, [], 5, {"vehicles": []}, {"vehicles": None}, {"mood": 1}])
def test_embedded_is_an_extra_unless_empty_or_known(embedded: Any) -> None:
    reading = Reading(User)
    for _ in range(3):
        reading.read({"email": "a@b.example", "_embedded": embedded})


def test_bodies_with_problems_are_passed_unread_for_a_while() -> None:
    reading = Reading(Trip)
    odd = {"startedAt": "2023-09-12T09:41:10Z", "stoppedAt": "2023-09-12T08:41:10Z"}
    for _ in range(200):
        assert [problem.path for problem in reading.read(odd).problems] == ["$.stoppedAt"]
    states = [reading.wire.is_reading]
    for _ in range(65):
        assert reading.read({"distance": 5}).distance == 5.0
    states.append(reading.wire.is_reading)
    reading.read(odd)
    reading.wire.resume()
    assert [*states, reading.wire.is_reading] == [False, True, False]


_BAD: dict[str, list[Any]] = {
    "distance": ["far", True, -1, 10**400, None, 5],
    "startedAt": ["soon", 5, "2999-01-01T00:00:00Z", "2023-09-12T09:41:10.1234567+02:00", None],
    "startPosition": [[], 7, {}, {"geometry": {"coordinates": "x"}}, {"mood": 1, "properties": {"heading": "x"}}],
    "startEnergies": [{}, [7], [{"level": "x"}, {"level": 200}], [{"level": 5, "mood": 1}], [], None, ["x", {}]],
    "duration": ["x", 10**12, 1.5, -1],
    "done": [1, False],
    "faults": [[{"fault": 5}], "x", [{"fault": "New"}]],
}
"""Values of fields of a trip, most of which are problems."""


def test_fields_that_had_problems_are_doubted_and_read_alike() -> None:
    reading = Reading(Trip)
    for _ in range(4):
        reading.read({"id": "1", "distance": "far"})
    assert reading.wire.is_reading
    for key, values in _BAD.items():
        for value in values * 2:
            reading.read({"id": "1", key: value, "distance": "far", "unknown": [key], "kinetic": {"maxSpeed": 90}})
    reading.wire.resume()
    for value in _BAD["distance"]:
        reading.read({"id": "1", "distance": value, "startedAt": "soon", "faults": "x", "duration": None})
        assert reading.wire.is_reading


def test_problems_of_doubted_fields_are_in_the_order_of_fields() -> None:
    reading = Reading(Trip)
    for _ in range(5):
        body = {"kinetic": 7, "distance": "far", "startEnergies": [{"level": "x"}, 5], "startedAt": "soon", "id": 5}
        found = [problem.path for problem in reading.read(body).problems]
        assert found == [
            "$.id",
            "$.startedAt",
            "$.distance",
            "$.startEnergies[0].level",
            "$.startEnergies[1]",
            "$.kinetic",
        ]
    assert reading.wire.is_reading


def test_no_field_is_doubted_after_many_good_bodies() -> None:
    reading = Reading(Trip)
    for _ in range(2):
        for _ in range(4):
            reading.read({"distance": "far"})
        assert reading.wire.doubted == {"distance"}
        for _ in range(128):
            reading.read({"distance": 5})
        assert reading.wire.doubted == set()
    reading.read({"distance": "far"})
    assert not reading.wire.is_reading


def test_at_most_eight_fields_are_doubted() -> None:
    reading = Reading(Trip)
    keys = ["id", "distance", "done", "startedAt", "stoppedAt", "duration", "kinetic", "faults", "startMileage"]
    for _ in range(4):
        for key in keys:
            assert [problem.path for problem in reading.read({key: {"a": 1}}).problems] == (
                [] if key == "kinetic" else [f"$.{key}"]
            )
        reading.read({"kinetic": 7, "startEnergies": 7, "endEnergies": 7})
        reading.wire.resume()
    assert len(reading.wire.doubted) == 8


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2023-09-12T09:41:10.9119999Z", 911_999),
        ("2023-09-12T09:41:10.123456789Z", 123_456),
        ("2023-09-12T11:41:10.1234567+02:00", 123_456),
        ("2023-09-12T09:41:10.000+0000", 0),
    ],
)
def test_instants_are_exact_to_the_last_decimal(text: str, microsecond: int) -> None:
    trip = Reading(Trip).read({"startedAt": text})
    assert trip.started_at == datetime(2023, 9, 12, 9, 41, 10, microsecond, UTC)


@pytest.mark.unmeasured
def test_instants_beyond_those_remembered_are_read_alike() -> None:
    reading = Reading(Trip)
    first = datetime(2023, 9, 12, tzinfo=UTC)
    for number in range(1_200):
        at = first + timedelta(seconds=number % 700)
        trip = reading.read({"startedAt": at.isoformat(), "stoppedAt": f"{at.replace(tzinfo=None).isoformat()}Z"})
        assert (trip.started_at, trip.stopped_at) == (at, at)


def test_an_instant_that_is_ahead_is_not_remembered() -> None:
    reading = Reading(Trip)
    for _ in range(3):
        found = reading.read({"updatedAt": "2999-01-01T00:00:00Z"})
        assert [problem.path for problem in found.problems] == ["$.updatedAt"]


def _hooks() -> dict[str, Any]:
    def minutes(value: Any, _: Any) -> timedelta:
        return timedelta(minutes=value)

    def level(value: Any, _: Any) -> Any:
        return value["level"]

    def upper(value: Any, _: Any) -> str:
        return str(value).upper()

    def fuel(value: Any, _: Any) -> EnergyType:
        return EnergyType.FUEL

    return {
        "timedelta": (timedelta, minutes, {"duration": 90}, "duration"),
        "class": (Energy, level, {"startEnergies": [{"level": 5}]}, "start_energies"),
        "text": (str, upper, {"id": "abc"}, "id"),
        "enumeration": (EnergyType, fuel, {"startEnergies": [{"type": 1}]}, "faults"),
    }


@pytest.mark.parametrize("name", [*_hooks()])
def test_hooks_of_a_user_switch_it_off_where_they_reach(name: str) -> None:
    kind, hook, body, attribute = _hooks()[name]
    own = make_converter()
    before: Any = own.get_structure_hook(Trip)
    assert before.wire is not None
    own.register_structure_hook(kind, hook)
    touched: Any = own.get_structure_hook(Trip)
    assert touched.wire is None
    content = json.dumps(body).encode()
    document = parse_encoded(content)
    assert document is not None
    converter = TypedConverter(own)
    for _ in range(3):
        found = converter.structure(resource_of(document, content), Trip)
        assert getattr(found, attribute) == getattr(own.structure(body, Trip), attribute)
    untouched: Any = own.get_structure_hook(Alert)
    assert (untouched.wire is None) == (name == "text")


def test_without_msgspec_bodies_are_read_tolerantly(monkeypatch: pytest.MonkeyPatch) -> None:
    @attrs.frozen(kw_only=True)
    class Thing(Model):
        """A class that was not read before."""

        size: float | None = None

    monkeypatch.setattr(reader_module, "_HAS_MSGSPEC", False)
    converter = TypedConverter()
    hook: Any = converter.converter.get_structure_hook(Thing)
    assert hook.wire is None
    content = b'{"size": 5, "mood": 1}'
    document = parse_encoded(content)
    assert document is not None
    assert converter.structure(resource_of(document, content), Thing) == Thing(size=5.0, extra=Extra({"mood": 1}))


async def _refuse(request: Request, /) -> Response:
    raise AssertionError(request.url)


def test_a_page_is_read_item_by_item_with_its_documents() -> None:
    items = [
        {"id": f"t{number}", "distance": number, "mood": [number], "_links": {"self": {"href": f"/trips/t{number}"}}}
        for number in range(60)
    ]
    items[7]["distance"] = "far"
    content = json.dumps({"total": 60, "_links": {}, "_embedded": {"trips": items}}).encode()
    fields = Headers({"content-type": "application/hal+json"})
    converter = TypedConverter()
    for _ in range(2):
        context = ResourceContext(fetch=_refuse, converter=converter)
        response = Response(url=_URL, status=200, headers=fields, content=content, received_at=_NOW)
        page = HalResource.of(response, context)
        assert isinstance(page.document, LazilyDecodedDocument)
        trips = [copy.as_(Trip) for copy in page.embedded("trips")]
        assert [trip.id for trip in trips] == [item["id"] for item in items]
        assert [problem.path for trip in trips for problem in trip.problems] == ["$.distance"]
        trip = trips[30]
        assert (trip.distance, trip.extra) == (30.0, {"mood": [30]})
        assert trip.document is not None
        assert trip.document.body == items[30]
        assert trip.url == "https://api.example/trips/t30"
        assert trip.content == content


# ------------------------------------------------------------------------------------------------- classes of users


Grade = Annotated[float, ScalarCodec(float, str)]
"""A number as a text."""


@attrs.frozen(kw_only=True)
class Wheel(Model):
    """A part."""

    pressure: float | None = None
    kind: str | None = attrs.field(default=None, metadata=names(("make", "name"), "kind"))


@attrs.frozen(kw_only=True)
class Car(Model):
    """A class of a user, with every kind of field."""

    weights: tuple[float, ...] = ()
    spans: tuple[Seconds, ...] = ()
    times: tuple[TimeOfDay, ...] = ()
    time: TimeOfDay | None = None
    lines: tuple[Coordinates, ...] = ()
    moments: tuple[datetime, ...] = attrs.field(default=(), metadata=names("moments", "oldMoments"))
    wheels: tuple[Wheel, ...] = attrs.field(default=(), metadata=names("wheels", ("old", "wheels")))
    spare: Wheel | None = attrs.field(default=None, metadata=names("spare", ("old", "spare")))
    seats: int | None = attrs.field(default=None, metadata=names(minimum=1))
    kinds: tuple[EnergyType, ...] = ()
    grade: Grade | None = attrs.field(default=None, metadata=names(minimum=1, unit="percent"))
    rank: Grade | None = attrs.field(default=None, metadata=names(minimum=1))


@attrs.frozen(kw_only=True)
class Twofold(Model):
    """A class that no struct has: the same key is a value and an object of others."""

    whole: str | None = attrs.field(default=None, metadata=names("a"))
    part: str | None = attrs.field(default=None, metadata=names(("a", "b")))


@attrs.frozen(kw_only=True)
class TwoWays(Model):
    """A class that no struct has: the same value is read in two ways."""

    text: str | None = attrs.field(default=None, metadata=names("a"))
    number: float | None = attrs.field(default=None, metadata=names("a"))


@attrs.frozen(kw_only=True)
class Constant(Model):
    """A class with a constant at some depth."""

    __constants__: ClassVar[dict[Path, str]] = {("geometry", "type"): "Point"}

    name: str | None = None


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "body",
    [
        {"weights": [1, 2.5], "spans": [60, 1.5], "times": ["PT1H"], "time": "PT2H", "lines": [[1, 2], [3, 4, 5]]},
        {"weights": [2**70], "spans": [2**70], "kinds": ["Fuel", "Steam"]},
        {"moments": ["2020-01-01T00:00:00Z"], "oldMoments": ["2021-01-01T00:00:00Z"]},
        {"oldMoments": ["2021-01-01T00:00:00Z"], "wheels": [], "times": None},
        {"moments": ["2999-01-01T00:00:00Z"]},
        {"times": "PT1H"},
        {"times": [None, 5]},
        {"time": "PT34H", "seats": 0},
        {"time": None, "lines": [[0, 0]]},
        {"grade": "5", "rank": "7.5"},
        {"grade": "500"},
        {"grade": "x", "rank": "0"},
        {"seats": 2**63 - 1},
        {"seats": 2**63},
        {"wheels": [{"pressure": 2}], "old": {"wheels": [{"pressure": 3, "kind": "x"}], "spare": {"kind": "y"}}},
        {"spare": {"pressure": 2}, "old": {"spare": {"make": {"name": "x"}}}},
        {"old": {"wheels": {"kind": "one"}}},
        {"old": None, "spare": None},
        {"wheels": [{"make": {"name": "a", "mood": 1}}]},
    ],
)
def test_classes_of_users_are_read_alike(body: dict[str, Any]) -> None:
    reading = Reading(Car)
    for _ in range(2):
        reading.read(body)


def test_classes_that_no_struct_has_say_why() -> None:
    with pytest.raises(NoMsgspecStructError) as caught:
        msgspec_struct(Twofold)
    assert str(caught.value) == "Twofold"
    with pytest.raises(NoMsgspecStructError) as caught:
        msgspec_struct(TwoWays)
    assert str(caught.value) == "TwoWays: a is read in two ways"


@pytest.mark.parametrize("kind", [Twofold, TwoWays])
def test_a_class_that_no_struct_has_is_read_tolerantly(kind: type[Model]) -> None:
    reading = Reading(kind, is_warm=False)
    assert not reading.wire.prepare()
    for body in ({"a": "x"}, {"a": {"b": "y"}}, {"a": 5}):
        reading.read(body)


@pytest.mark.parametrize("geometry", [{"type": "Point"}, {"type": "Line"}, {"type": 5}, {}, None, []])
def test_a_constant_is_compared(geometry: Any) -> None:
    Reading(Constant).read({"geometry": geometry, "name": "x"})
