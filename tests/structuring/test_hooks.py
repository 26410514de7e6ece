"""cattrs converters: this library's hooks on them, and hooks of the user inside this library's classes."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

import attrs
import cattrs
import pytest

from stellantis_hal.errors import StructureError
from stellantis_hal.resources.blocks.energy import Charging, Energy, EnergyType
from stellantis_hal.resources.position import Coordinates, Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip, TripKinetic
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring import compiler
from stellantis_hal.structuring.converter import TypedConverter, read
from stellantis_hal.structuring.field_mapping import ClassSchema
from stellantis_hal.structuring.hooks import configure_converter, default_converter, is_configured, make_converter
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.model_reader_codegen import FieldReader, GeneratedCode, generate
from tests.resources import bodies
from tests.resources.served import Served


def minutes(value: Any, _: Any) -> timedelta:
    return timedelta(minutes=value)


@attrs.frozen
class Order:
    name: str
    placed: datetime | None = None


@dataclasses.dataclass(frozen=True)
class Invoice:
    total: float


def read_by(converter: cattrs.Converter, body: dict[str, Any], kind: type[Any]) -> Any:
    return converter.structure(body, kind)


def structure(converter: cattrs.Converter, body: dict[str, Any], kind: type[Any]) -> Any:
    return TypedConverter(converter).structure(Served({}).resource("/x", body), kind)


# ------------------------------------------------------------------------------------------------- the usual


def test_a_converter_reads_and_writes_every_class() -> None:
    converter = make_converter()
    trip = converter.structure(bodies.trip(), Trip)
    assert trip == read(bodies.trip(), Trip)
    assert converter.unstructure(trip) == bodies.trip() == trip.to_dict()
    assert converter.structure([bodies.trip(), trip], list[Trip]) == [trip, trip]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Status, bodies.status()),
        (Position, bodies.position()),
        (Vehicle, bodies.vehicle()),
        (Telemetry, bodies.telemetry()),
    ],
)
def test_a_converter_writes_what_to_dict_writes(kind: type[Model], body: dict[str, Any]) -> None:
    value = read(body | {"unknown": 1}, kind)
    assert make_converter().unstructure(value) == value.to_dict()


def test_a_strict_converter_refuses() -> None:
    strict = make_converter(strict=True)
    with pytest.raises(StructureError):
        strict.structure({"distance": "x"}, Trip)
    with pytest.raises(StructureError):
        structure(strict, {"distance": "x"}, Trip)


def test_clients_without_a_converter_share_one() -> None:
    assert TypedConverter().converter is TypedConverter().converter is default_converter()


def test_a_converter_of_cattrs_gets_our_hooks_once() -> None:
    converter = cattrs.Converter()
    hooks = [TypedConverter(converter).converter.get_structure_hook(Trip) for _ in range(2)]
    assert hooks[0] is hooks[1]
    assert structure(converter, {"distance": 1}, Trip) == Trip(distance=1.0)


def test_scalars_read_in_own_classes_too() -> None:
    placed = datetime(2023, 9, 12, 9, 41, 10, tzinfo=UTC)
    assert make_converter().structure({"name": "a", "placed": "2023-09-12T09:41:10Z"}, Order) == Order("a", placed)
    assert make_converter().structure("Fuel", EnergyType) is EnergyType.FUEL
    with pytest.raises(ValueError, match="not an instant"):
        make_converter().structure("soon", datetime)


def test_coordinates_read_in_own_classes_too() -> None:
    read_coordinates = make_converter().get_structure_hook(Coordinates)
    assert read_coordinates([1.5, 2], Coordinates) == (1.5, 2.0)
    with pytest.raises(ValueError, match="fewer than two numbers"):
        read_coordinates([1.5], Coordinates)


# ------------------------------------------------------------------------------------------------- hooks for scalars


def test_a_hook_for_durations_reads_every_duration() -> None:
    converter = make_converter()
    converter.register_structure_hook(timedelta, minutes)
    assert read_by(converter, {"duration": 90}, Trip).duration == timedelta(minutes=90)
    assert read_by(converter, {"remainingTime": 5}, Charging).remaining_time == timedelta(minutes=5)


def test_a_hook_that_raises_leaves_a_problem_with_its_path() -> None:
    converter = make_converter()
    converter.register_structure_hook(timedelta, minutes)
    trip = read_by(converter, {"duration": "1 Secret Street", "distance": 1}, Trip)
    assert (trip.duration, trip.distance) == (None, 1.0)
    [problem] = trip.problems
    assert (problem.path, problem.value_type) == ("$.duration", "string")
    assert problem.reason == "the structure hook of timedelta raised TypeError"
    assert problem.kind == "unreadable"


def test_a_hook_for_floats_reads_numbers_and_leaves_sentinels() -> None:
    converter = make_converter()
    converter.register_structure_hook(float, lambda value, _: Decimal(str(value)))
    trip = read_by(converter, {"distance": 1.5, "startMileage": 0, "kinetic": {"maxSpeed": 2}}, Trip)
    assert (trip.distance, trip.start_mileage, trip.kinetic) == (Decimal("1.5"), None, TripKinetic(max_speed=2))
    assert [problem.kind for problem in trip.problems] == ["sentinel"]
    assert read_by(converter, {"startMileage": 2.5}, Trip).start_mileage == Decimal("2.5")


def test_a_hook_for_instants_reads_every_instant() -> None:
    converter = make_converter()
    converter.register_structure_hook(datetime, lambda value, _: ("at", value))
    trip = read_by(converter, {"createdAt": "now", "startPosition": {"properties": {"createdAt": "x"}}}, Trip)
    assert (trip.created_at, trip.start_position.created_at) == (("at", "now"), ("at", "x"))


def test_a_hook_for_an_enumeration_reads_its_members() -> None:
    converter = make_converter()
    converter.register_structure_hook(EnergyType, lambda value, _: value.lower())
    assert read_by(converter, {"energies": [{"type": "Fuel"}]}, Status).energies[0].type == "fuel"


def test_hooks_are_not_passed_on_to_other_scalars() -> None:
    """A cattrs hook for str, int or date would be that of enumerations, booleans and instants too."""
    converter = make_converter()
    for kind in (str, int, date):
        converter.register_structure_hook(kind, lambda value, _: ("own", value))
    body = bodies.trip()
    trip = read_by(converter, body, Trip)
    assert (trip.id, trip.done) == (("own", "trip-1"), True)
    assert trip.start_energies[0].type is EnergyType.FUEL
    assert trip.created_at == read(body, Trip).created_at


def test_a_hook_for_coordinates_reads_positions() -> None:
    converter = make_converter()
    converter.register_structure_hook_func(lambda kind: kind == Coordinates, lambda value, _: tuple(value[::-1]))
    assert read_by(converter, {"geometry": {"coordinates": [1.5, 2.5]}}, Position).coordinates == (2.5, 1.5)
    assert read_by(converter, {"geometry": {"coordinates": [0, 0]}}, Position).problems[0].kind == "sentinel"


def test_a_hook_for_strings_reads_arrays_of_them() -> None:
    converter = make_converter()
    converter.register_structure_hook(str, lambda value, _: value.upper())
    vehicle = read_by(converter, {"pictures": ["a", 5, "b"]}, Vehicle)
    assert vehicle.pictures == ("A", "B")
    assert [problem.path for problem in vehicle.problems] == ["$.pictures[1]"]


def test_hooks_that_a_converter_has_already_are_kept() -> None:
    converter = cattrs.Converter()
    converter.register_structure_hook(timedelta, minutes)
    configure_converter(converter)
    assert read_by(converter, {"duration": 90}, Trip).duration == timedelta(minutes=90)


def test_a_hook_registered_later_is_honoured_from_then_on() -> None:
    converter = make_converter()
    assert structure(converter, {"duration": 90}, Trip).duration == timedelta(seconds=90)
    converter.register_structure_hook(timedelta, minutes)
    assert structure(converter, {"duration": 90}, Trip).duration == timedelta(minutes=90)
    assert read({"duration": 90}, Trip).duration == timedelta(seconds=90)


def test_a_copy_of_a_converter_has_hooks_of_its_own() -> None:
    converter = make_converter()
    copy = converter.copy()
    copy.register_structure_hook(timedelta, minutes)
    assert read_by(copy, {"duration": 90}, Trip).duration == timedelta(minutes=90)
    assert read_by(converter, {"duration": 90}, Trip).duration == timedelta(seconds=90)


# ------------------------------------------------------------------------------------------------- hooks for classes


@attrs.frozen
class Tank:
    level: float | None = None


def tank(body: Any, _: Any) -> Tank:
    return Tank(body["level"])


@pytest.mark.parametrize(
    ("body", "energies", "paths"),
    [
        ({"energies": [{"level": 5}, {"level": 6}]}, (Tank(5), Tank(6)), []),
        ({"energies": [{"level": 5}, {}]}, (Tank(5),), ["$.energies[1]"]),
        ({"energy": {"level": 5}}, (Tank(5),), []),
        ({"energy": {}}, (), ["$.energy"]),
        ({"energies": None}, (), []),
        ({"energy": [{"level": 5}]}, (Tank(5),), []),
        ({"energy": [{}, {"level": 5}]}, (Tank(5),), ["$.energy[0]"]),
        ({"energy": 5}, (), ["$.energy"]),
        ({"energies": 5}, (), ["$.energies"]),
    ],
)
def test_a_hook_for_a_class_reads_it_inside_others(
    body: dict[str, Any], energies: tuple[Tank, ...], paths: list[str]
) -> None:
    converter = make_converter()
    converter.register_structure_hook(Energy, tank)
    status = read_by(converter, body, Status)
    assert (status.energies, [problem.path for problem in status.problems]) == (energies, paths)


def test_a_hook_for_one_nested_class_reads_it() -> None:
    converter = make_converter()
    converter.register_structure_hook(TripKinetic, lambda body, _: body["maxSpeed"])
    assert read_by(converter, {"kinetic": {"maxSpeed": 5}}, Trip).kinetic == 5
    assert [problem.path for problem in read_by(converter, {"kinetic": {}}, Trip).problems] == ["$.kinetic"]


def test_a_hook_for_a_whole_class_may_build_on_ours() -> None:
    converter = make_converter()
    ours = converter.get_structure_hook(Trip)
    converter.register_structure_hook(Trip, lambda body, kind: attrs.evolve(ours(body, kind), id="own"))
    trip = structure(converter, {"id": "1", "_links": {"alerts": {"href": "/a"}}}, Trip)
    assert (trip.id, trip.can("alerts")) == ("own", True)


def test_a_resource_that_a_hook_bound_itself_stays_bound() -> None:
    converter = make_converter()
    other = TypedConverter().structure(Served({}).resource("/other", {}), Trip)
    converter.register_structure_hook(Trip, lambda body, kind: other)
    assert structure(converter, {}, Trip) is other


def test_own_classes_are_read_as_cattrs_reads_them() -> None:
    body = {"name": "a", "total": 5, "_links": {"self": {"href": "/x"}}}
    assert structure(make_converter(), body, Order) == Order("a")
    assert structure(make_converter(), body, Invoice) == Invoice(5.0)


def test_a_model_of_ones_own_is_read_by_compiled_code() -> None:
    @attrs.frozen(kw_only=True, weakref_slot=False)
    class Wheel(Model):
        radius: Annotated[float, "centimetres"] | None = None
        spokes: dict[str, int] | None = None
        name: Fraction | None = None
        rim: str = ""

    body = {"radius": 5, "spokes": {"a": "1"}, "name": "front", "rim": "steel"}
    converter = make_converter()
    with pytest.raises(TypeError, match=r"Wheel\.name: .*register_structure_hook\("):
        structure(converter, body, Wheel)
    converter.register_structure_hook(Fraction, lambda value, _: value)
    wheel = structure(converter, body, Wheel)
    name: Any = "front"
    assert wheel == Wheel(radius=5.0, spokes={"a": 1}, name=name, rim="steel")
    assert wheel.to_dict() == converter.unstructure(wheel) == body | {"spokes": {"a": 1}}


def test_keys_that_a_class_forbids_are_a_structure_error() -> None:
    converter = make_converter()
    converter.forbid_extra_keys = True
    with pytest.raises(StructureError, match="a key that the class has no field for"):
        structure(converter, {"name": "a", "secret": 1}, Order)


# ------------------------------------------------------------------------------------------------- writing


def test_an_unstructure_hook_writes_every_value_of_its_type() -> None:
    converter = make_converter()
    converter.register_unstructure_hook(timedelta, lambda span: span.total_seconds() / 60)
    converter.register_unstructure_hook(TripKinetic, lambda kinetic: kinetic.max_speed)
    trip = Trip(duration=timedelta(minutes=5), kinetic=TripKinetic(max_speed=3.0), distance=1.0)
    assert converter.unstructure(trip) == {"duration": 5.0, "kinetic": 3.0, "distance": 1.0}
    assert trip.to_dict()["duration"] == 300


def test_values_that_a_hook_made_are_written_too() -> None:
    converter = make_converter()
    converter.register_structure_hook(Energy, tank)
    converter.register_structure_hook(timedelta, lambda value, _: Tank(value))
    status = read_by(converter, {"energies": [{"level": 5}]}, Status)
    trip = read_by(converter, {"duration": 5}, Trip)
    assert converter.unstructure(status) == {"energies": [{"level": 5}]}
    assert converter.unstructure(trip) == {"duration": {"level": 5}}
    assert (status.to_dict(), trip.to_dict()) == ({"energies": [Tank(5)]}, {"duration": Tank(5)})


def test_classes_are_compiled_when_a_body_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    generated: list[str] = []

    def note(schema: ClassSchema, readers: Mapping[str, FieldReader]) -> GeneratedCode:
        generated.append(schema.kind.__name__)
        return generate(schema, readers)

    monkeypatch.setattr(compiler, "generate", note)
    converter = make_converter()
    for body in ({"distance": 1}, {"distance": 2}, {"kinetic": {"maxSpeed": 90}}, {"kinetic": {"maxSpeed": 80}}):
        assert read_by(converter, body, Trip) == read(body, Trip)
    assert [name for name in generated if name != "Model"] == ["Trip", "TripKinetic"]
    assert read_by(converter, {"startPosition": {}}, Trip).start_position == Position()
    assert read_by(converter, {}, Position) == Position()  # alone: with its links
    assert read_by(converter, {"lastPosition": {"properties": {"heading": 5}}}, Status).last_position.heading == 5
    assert [name for name in generated if name != "Model"] == ["Trip", "TripKinetic", "Position", "Status"]


def test_the_default_converter_is_made_once() -> None:
    assert default_converter() is default_converter()
    assert is_configured(default_converter.__wrapped__())
