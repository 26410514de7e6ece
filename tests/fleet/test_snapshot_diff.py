"""Changes between two snapshots."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet import snapshot_diff
from stellantis_hal.fleet.snapshot_diff import SnapshotState, ValueChange, diff
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.status import Status
from stellantis_hal.structuring.converter import TypedConverter, read
from stellantis_hal.structuring.values_by_path import plain_by_path, values_by_path
from tests.support.profiles import few_examples

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 24 * 60
compare = partial(snapshot_diff.compare, now=START.timestamp())
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4)


def status_at(minute: int | None, level: float = 50.0, *, updated: int | None = None, **more: Any) -> Status:
    body: dict[str, Any] = {"energies": [{"type": "Electric", "level": level}], **more}
    for name, moment in (("createdAt", minute), ("updatedAt", updated)):
        if moment is not None:
            body[name] = (START + timedelta(minutes=moment)).isoformat()
    return read(body, Status)


def test_of_a_first_snapshot_every_value_is_a_change() -> None:
    comparison = compare(None, status_at(0))
    assert comparison.outcome == "changed"
    assert ValueChange("energies[0].level", None, 50.0) in comparison.changes


def test_a_change_has_its_path_and_both_values() -> None:
    state = compare(None, status_at(0)).state
    comparison = compare(state, status_at(0, 49.0))
    assert comparison.changes == (ValueChange("energies[0].level", 50.0, 49.0),)
    assert comparison.state.serial == 2


def energy(kind: str | None, level: float) -> dict[str, Any]:
    return {"level": level} if kind is None else {"type": kind, "level": level}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ([("Fuel", 60), ("Electric", 80)], [("Electric", 80), ("Fuel", 60)], []),
        ([("Fuel", 60), ("Electric", 80)], [("Electric", 79), ("Fuel", 60)], [("[0].level", 80.0, 79.0)]),
        ([("Fuel", 60)], [("Electric", 80), ("Fuel", 60)], [("[0].type", None, "Electric"), ("[0].level", None, 80.0)]),
        ([("Fuel", 60), ("Electric", 80)], [("Electric", 80)], [("[1].type", "Fuel", None), ("[1].level", 60.0, None)]),
        (
            [("Fuel", 60)],
            [("Electric", 80)],
            [("[0].type", "Fuel", "Electric"), ("[0].level", 60.0, 80.0)],
        ),
        (
            [("Fuel", 60), ("Fuel", 80)],
            [("Electric", 60), ("Fuel", 80)],
            [("[0].type", "Fuel", "Electric")],
        ),
        (
            [("Fuel", 60), (None, 80)],
            [(None, 80), ("Fuel", 60)],
            [
                ("[0].level", 60.0, 80.0),
                ("[1].type", None, "Fuel"),
                ("[1].level", 80.0, 60.0),
                ("[0].type", "Fuel", None),
            ],
        ),
    ],
)
def test_items_are_compared_with_those_of_their_type(old: Any, new: Any, changes: Any) -> None:
    """Two items of one type, or one without a type, are compared by their index."""
    first, second = (read({"energies": [energy(*each) for each in energies]}, Status) for energies in (old, new))
    found = compare(compare(None, first).state, second).changes
    assert found == tuple(ValueChange(f"energies{path}", before, after) for path, before, after in changes)


def test_doors_are_compared_by_their_names() -> None:
    doors = [{"identifier": "Driver", "state": "Open"}, {"identifier": "Trunk", "state": "Closed"}]
    first, second = (read({"doorsState": {"opening": each}}, Status) for each in (doors, doors[::-1]))
    state = compare(None, first).state
    assert "doors.openings[0].identifier" in values_by_path(first)
    assert compare(state, second).outcome == "unchanged"


def test_a_removed_value_is_a_change() -> None:
    state = compare(None, status_at(0, battery={"voltage": 91})).state
    assert compare(state, status_at(0)).changes == (ValueChange("battery.voltage", 91.0, None),)


def test_an_identical_snapshot_is_unchanged() -> None:
    state = compare(None, status_at(0)).state
    assert compare(state, status_at(0)).outcome == "unchanged"


def test_another_body_with_the_same_values_is_unchanged() -> None:
    state = compare(None, status_at(0, ignition={"type": None})).state
    comparison = compare(state, status_at(0))
    assert comparison.outcome == "unchanged"
    assert compare(comparison.state, status_at(0)).outcome == "unchanged"


def test_an_earlier_timestamp_makes_a_snapshot_older() -> None:
    state = compare(None, status_at(10)).state
    comparison = compare(state, status_at(9, 20.0))
    assert comparison.outcome == "older"
    assert comparison.state is state


def test_an_earlier_update_makes_a_snapshot_older() -> None:
    state = compare(None, status_at(0, updated=10)).state
    assert compare(state, status_at(0, 20.0, updated=9)).outcome == "older"


def test_an_earlier_creation_with_a_later_update_is_newer() -> None:
    """A status without ``createdAt``, then one with that of months ago: each later one was dropped as older."""
    state = compare(None, status_at(None, updated=10)).state
    assert compare(state, status_at(-90 * DAY, 20.0, updated=11)).outcome == "changed"
    assert compare(state, status_at(-90 * DAY, 20.0, updated=10)).outcome == "changed"
    assert compare(state, status_at(-90 * DAY, 20.0, updated=9)).outcome == "older"
    state = compare(None, status_at(5, updated=5)).state
    assert compare(state, status_at(4, 20.0, updated=6)).outcome == "changed"


def test_of_one_update_the_earlier_creation_is_older() -> None:
    state = compare(None, status_at(5, updated=10)).state
    assert compare(state, status_at(4, 20.0, updated=10)).outcome == "older"
    assert compare(state, status_at(6, 20.0, updated=10)).outcome == "changed"


def test_a_snapshot_without_timestamps_counts_as_newer() -> None:
    state = compare(None, status_at(10)).state
    comparison = compare(state, status_at(None, 20.0))
    assert comparison.outcome == "changed"
    assert compare(comparison.state, status_at(9, 30.0)).outcome == "older"


def test_a_snapshot_from_the_future_hides_no_later_ones() -> None:
    state = compare(compare(None, status_at(0)).state, status_at(3_650 * DAY, 20.0)).state
    comparison = compare(state, status_at(1, 30.0))
    assert comparison.outcome == "changed"
    assert compare(comparison.state, status_at(0, 40.0)).outcome == "older"


def test_an_update_in_the_future_hides_no_later_ones() -> None:
    state = compare(None, status_at(0, updated=3_650 * DAY)).state
    assert compare(state, status_at(0, 30.0, updated=1)).outcome == "changed"


def test_clocks_may_differ_by_a_day() -> None:
    state = compare(None, status_at(DAY)).state
    assert compare(state, status_at(0, 30.0)).outcome == "older"


def test_a_slow_clock_delivers_no_older_snapshots() -> None:
    state = compare(None, status_at(50 * DAY)).state
    assert compare(state, status_at(49 * DAY, 30.0)).outcome == "older"


def test_without_timestamps_the_values_are_compared() -> None:
    state = compare(None, status_at(None)).state
    assert state.timestamps is None
    assert compare(state, status_at(None)).outcome == "unchanged"
    assert compare(state, status_at(None, 1.0)).outcome == "changed"


@pytest.mark.unmeasured
@given(st.lists(st.tuples(st.none() | st.integers(0, 20), st.sampled_from([10.0, 20.0, 30.0])), max_size=20))
def test_changed_snapshots_are_neither_older_nor_repeated(
    snapshots: list[tuple[int | None, float]],
) -> None:
    state: SnapshotState | None = None
    newest, before = -1, None
    for minute, level in snapshots:
        snapshot = status_at(minute, level)
        comparison = compare(state, snapshot)
        if comparison.outcome == "changed":
            assert minute is None or minute >= newest
            assert (minute, level) != before
            assert comparison.changes
            newest, before = (newest if minute is None else minute), (minute, level)
        elif comparison.outcome == "older":
            assert minute is not None
            assert minute < newest
        else:
            assert (minute, level) == before
        state = comparison.state


@pytest.mark.unmeasured
@few_examples()
@given(bodies, bodies)
def test_changes_applied_to_the_old_give_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = plain_by_path(old), plain_by_path(new)
    patched = dict(before)
    for change in diff(before, after):
        assert before.get(change.path) == change.old
        patched[change.path] = change.new
    assert {path: value for path, value in patched.items() if value is not None} == {
        path: value for path, value in after.items() if value is not None
    }


@pytest.mark.unmeasured
@few_examples()
@given(bodies)
def test_a_body_has_no_changes_from_itself(body: dict[str, Any]) -> None:
    assert diff(plain_by_path(body), plain_by_path(body)) == ()


@pytest.mark.parametrize(("old", "new"), [(True, 1), (0, False)])
def test_a_boolean_differs_from_the_equal_number(old: Any, new: Any) -> None:
    assert diff({"a": old}, {"a": new}) == (ValueChange("a", old, new),)


def test_numbers_that_are_equal_do_not_differ() -> None:
    assert diff({"a": 1, "b": 2.0}, {"a": 1.0, "b": 2}) == ()


def test_paths_have_names_and_indices() -> None:
    assert plain_by_path({"a": {"b": [1, {"c": 2}]}, "d": [], "e": {}}) == {
        "a.b[0]": 1,
        "a.b[1].c": 2,
    }


class Body(bytes):
    """A body that counts how often it is decoded."""

    decoded = 0

    def removeprefix(self, prefix: Any, /) -> bytes:
        self.decoded += 1
        return bytes(self).removeprefix(prefix)


def status_of(body: Body, converter: TypedConverter) -> Status:
    response = Response(
        url="https://api.example/status", status=200, headers=Headers(), content=body, received_at=START
    )
    return converter.structure(HalResource.of(response, ResourceContext(fetch=never)), Status)


async def never(request: Request, /) -> Response:
    raise AssertionError(request.url)


def test_a_snapshot_in_the_same_bytes_is_decoded_once() -> None:
    content = b'{"createdAt":"2026-01-01T00:00:00Z","energies":[{"type":"Electric","level":50}]}'
    state = compare(None, status_of(Body(content), TypedConverter())).state
    again = Body(content)
    assert compare(state, status_of(again, TypedConverter())).outcome == "unchanged"
    assert again.decoded == 1


def test_the_same_values_in_other_bytes_are_unchanged() -> None:
    state = compare(
        None, status_of(Body(b'{"createdAt":"2026-01-01T00:00:00Z","odometer":{}}'), TypedConverter())
    ).state
    other = status_of(Body(b'{ "odometer": {}, "createdAt": "2026-01-01T00:00:00Z" }'), TypedConverter())
    assert compare(state, other).outcome == "unchanged"


@pytest.mark.parametrize("keep_document", [True, False])
def test_changes_are_found_with_and_without_documents(keep_document: bool) -> None:
    converter = TypedConverter(keep_document=keep_document)
    links = b'"_links":{"self":{"href":"/status"}}'
    state = compare(None, status_of(Body(b'{"odometer":{"mileage":1},%s}' % links), converter)).state
    comparison = compare(state, status_of(Body(b'{"odometer":{"mileage":2},%s}' % links), converter))
    assert comparison.changes == (ValueChange("odometer.mileage", 1.0, 2.0),)
