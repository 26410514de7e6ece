"""Valid bodies with one part deleted, added, retyped, nulled, nested or duplicated: the rest is read."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.resources.alarm import Alarm
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.collision import Collision
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.user import User
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.model import Model
from tests.resources import bodies
from tests.support.profiles import few_examples

Path = tuple[str | int, ...]

FULL: list[tuple[type[Model], dict[str, Any]]] = [
    (User, bodies.user()),
    (Vehicle, bodies.vehicle()),
    (Status, bodies.status()),
    (Position, bodies.position()),
    (Maintenance, bodies.maintenance()),
    (Alert, bodies.alert()),
    (Alarm, bodies.alarm()),
    (Collision, bodies.collision()),
    (Trip, bodies.trip()),
    (Telemetry, bodies.telemetry()),
]
WRONG: dict[type, list[Any]] = {
    str: [5, 1.5, True, {"a": 1}, [1]],
    float: ["x", True, {}, [], [1]],
    int: ["x", False, {"a": 1}, []],
    bool: ["x", 0, 1, {}, []],
    dict: ["x", 5, True, [], [{}]],
    list: ["x", 5, True, {}, {"a": 1}],
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def paths_of(value: Any, path: Path = ()) -> list[Path]:
    """Return every place but the root and GeoJSON's geometry, which is read as a whole."""
    if path and path[-1] == "geometry":
        return []
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [found for key, item in inner for found in ((*path, key), *paths_of(item, (*path, key)))]


def at(body: Any, path: Path) -> Any:
    for step in path:
        body = body[step]
    return body


def replaced(body: Any, path: Path, value: Any) -> Any:
    changed = copy.deepcopy(body)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def without(body: Any, path: Path) -> Any:
    changed = copy.deepcopy(body)
    del at(changed, path[:-1])[path[-1]]
    return changed


def told(path: Path) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def settled(value: Any) -> Any:
    """Return the body without empty arrays and containers, which a typed value does not keep."""
    if isinstance(value, dict):
        kept = {key: settled(item) for key, item in value.items()}
        held = {"properties", "_embedded"}
        return {key: item for key, item in kept.items() if item != [] and not (key in held and item == {})}
    return [settled(item) for item in value] if isinstance(value, list) else value


def is_constant(body: Any, path: Path) -> bool:
    return path[-1] == "type" and at(body, path) == "Feature"


@st.composite
def places(draw: st.DrawFn) -> tuple[type[Model], Any, Path]:
    kind, body = draw(st.sampled_from(FULL))
    found = [path for path in paths_of(body) if not is_constant(body, path) and path[-1] != "geometry"]
    return kind, body, draw(st.sampled_from(found))


@st.composite
def holders(draw: st.DrawFn) -> tuple[type[Model], Any, Path]:
    kind, body = draw(st.sampled_from(FULL))
    found = [(), *(path for path in paths_of(body) if isinstance(at(body, path), dict))]
    return kind, body, draw(st.sampled_from(found))


@pytest.mark.unmeasured
@given(places(), st.data())
def test_a_retyped_part_is_recorded_and_all_else_is_read(
    place: tuple[type[Model], Any, Path], data: st.DataObject
) -> None:
    kind, body, path = place
    value = read(replaced(body, path, data.draw(st.sampled_from(WRONG[type(at(body, path))]))), kind)
    assert [problem.path for problem in value.problems] == [told(path)]
    assert settled(value.to_dict()) == settled(without(body, path))


@pytest.mark.unmeasured
@given(places())
def test_a_deleted_part_costs_nothing_else(place: tuple[type[Model], Any, Path]) -> None:
    kind, body, path = place
    value = read(without(body, path), kind)
    assert value.problems == ()
    assert settled(value.to_dict()) == settled(without(body, path))


@pytest.mark.unmeasured
@given(places())
def test_a_null_part_costs_nothing_else(place: tuple[type[Model], Any, Path]) -> None:
    kind, body, path = place
    value = read(replaced(body, path, None), kind)
    assert [problem.path for problem in value.problems] == ([told(path)] if isinstance(path[-1], int) else [])
    assert settled(value.to_dict()) == settled(without(body, path))


@pytest.mark.unmeasured
@given(places())
def test_a_part_nested_in_an_array_is_recorded(place: tuple[type[Model], Any, Path]) -> None:
    """A part nested in an array is recorded; everything else is read."""
    kind, body, path = place
    inner = at(body, path)
    value = read(replaced(body, path, [inner]), kind)
    assert [problem.path for problem in value.problems] == [told((*path, 0) if isinstance(inner, list) else path)]
    assert settled(value.to_dict()) == settled(without(body, path))


@pytest.mark.unmeasured
@few_examples()
@given(places())
def test_a_part_nested_in_an_object_is_kept_or_recorded(
    place: tuple[type[Model], Any, Path],
) -> None:
    """A part nested in an object is kept or recorded; everything else is read."""
    kind, body, path = place
    inner = at(body, path)
    changed = replaced(body, path, {"nested": inner})
    value = read(changed, kind)
    if not isinstance(inner, dict):
        assert [problem.path for problem in value.problems] == [told(path)]
        assert settled(value.to_dict()) == settled(without(body, path))
    elif path != ("_embedded",):
        written = value.to_dict()
        assert (value.problems, at(written, path)["nested"]) == ((), inner)
        assert settled(without(written, path)) == settled(without(body, path))


@pytest.mark.unmeasured
@few_examples()
@given(holders(), json_values)
def test_an_added_part_is_kept_and_all_else_is_read(place: tuple[type[Model], Any, Path], new: Any) -> None:
    kind, body, path = place
    changed = replaced(body, (*path, "unheardOf"), new)
    value = read(changed, kind)
    # Other embedded documents are not properties.
    assert (value.problems, value.to_dict()) == ((), changed)


@pytest.mark.unmeasured
@given(places())
def test_a_duplicated_part_is_there_twice(place: tuple[type[Model], Any, Path]) -> None:
    kind, body, path = place
    changed = copy.deepcopy(body)
    holder = at(changed, path[:-1])
    if isinstance(holder, list):
        holder.append(copy.deepcopy(at(body, path)))
    value = read(changed, kind)
    doubled = ["$.segments"] if path[:-1] == ("segments",) else []  # together longer than the trip
    assert ([problem.path for problem in value.problems], value.to_dict()) == (doubled, changed)


@pytest.mark.unmeasured
@few_examples()
@given(places(), json_values)
def test_anything_anywhere_never_raises(place: tuple[type[Model], Any, Path], value: Any) -> None:
    kind, body, path = place
    read(replaced(body, path, value), kind).to_dict()


unknown_keys = st.text(max_size=5).map("~{}".format)  # a few known ones are as short, and Hypothesis finds them


@pytest.mark.unmeasured
@few_examples()
@given(st.sampled_from([kind for kind, _ in FULL]), st.dictionaries(unknown_keys, json_values))
def test_any_object_reads_as_any_kind(kind: type[Model], body: dict[str, Any]) -> None:
    assert dict(read(body, kind).extra).keys() == body.keys()


@pytest.mark.parametrize(
    ("written", "coordinates", "problem"),
    [
        ([2.25, 48.75], (2.25, 48.75), None),
        ([2, 48], (2.0, 48.0), None),
        ([2.25, 48.75, 35], (2.25, 48.75, 35.0), None),
        ([2.25, 48.75, None], (2.25, 48.75), None),
        ([2.25, 48.75, 35.5, 1], (2.25, 48.75, 35.5), None),
        ([0, 48.75], (0.0, 48.75), None),
        ([2.25, 48.75, "high"], (2.25, 48.75), "$.geometry.coordinates[2]"),
        ([2.25, "north"], None, "$.geometry.coordinates[1]"),
        ([None, 48.75], None, "$.geometry.coordinates[0]"),
        ([2.25, float("nan")], None, "$.geometry.coordinates[1]"),
        ([2.25], None, "$.geometry.coordinates"),
        ([], None, "$.geometry.coordinates"),
        ({"lat": 1}, None, "$.geometry.coordinates"),
        ("2.25,48.75", None, "$.geometry.coordinates"),
    ],
)
def test_coordinates_are_read_as_far_as_they_go(
    written: Any, coordinates: tuple[float, ...] | None, problem: str | None
) -> None:
    position = read({"geometry": {"coordinates": written}}, Position)
    assert position.coordinates == coordinates
    told = [record.path for record in position.problems if record.kind == "unreadable"]
    whole = ["$.geometry.coordinates"] if problem is not None and problem.endswith(("[0]", "[1]")) else []
    assert told == ([] if problem is None else [problem, *whole])
