"""Leaves of typed values: the same as those of their plain form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet.snapshot_diff import ValueChange, diff
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.values_by_path import plain_by_path, values_by_path
from tests.resources import bodies
from tests.support.profiles import few_examples

KINDS: dict[type[Model], dict[str, Any]] = {
    Maintenance: bodies.maintenance(),
    Position: bodies.position(),
    Status: bodies.status(),
    Trip: bodies.trip(),
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "2023-09-12T09:41:10Z", "PT5M", 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", ""]), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """Return a body in which some values are replaced, left out or added."""

    def change(value: Any) -> Any:
        match draw(st.integers(0, 9)):
            case 0:
                return draw(json_values)
            case 1 if isinstance(value, dict):
                return {**value, draw(st.sampled_from(["mood", "", "a.b"])): draw(json_values)}
            case 2 if isinstance(value, dict) and value:
                left_out = draw(st.sampled_from(sorted(value)))
                return {key: item for key, item in value.items() if key != left_out}
            case _:
                pass
        if isinstance(value, dict):
            return {key: change(item) for key, item in value.items()}
        return [change(item) for item in value] if isinstance(value, list) else value

    return {key: change(item) for key, item in body.items()}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_values_of_a_body_are_those_of_its_plain_form(kind: type[Model]) -> None:
    model = read(KINDS[kind], kind)
    assert list(values_by_path(model).items()) == list(plain_by_path(model.to_dict("python")).items())


@few_examples()
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_values_of_any_body_are_those_of_its_plain_form(kind: type[Model], data: st.DataObject) -> None:
    """In the same order: the changes of an event are in it."""
    model = read(data.draw(mutated(KINDS[kind])), kind)
    assert list(values_by_path(model).items()) == list(plain_by_path(model.to_dict("python")).items())


@pytest.mark.parametrize("days", [Maintenance(days=3), (), [1, {"a": 2}], {"a": {"b": 3}}, (1,)], ids=repr)
def test_values_of_a_users_hook_are_those_of_the_plain_form(days: Any) -> None:
    model = Maintenance(days=days, mileage=4)
    assert list(values_by_path(model).items()) == list(plain_by_path(model.to_dict("python")).items())


def slow_diff(old: dict[str, Any], new: dict[str, Any]) -> tuple[ValueChange, ...]:
    """Return the changes by their definition."""

    def differs(path: str, value: Any) -> bool:
        before = old.get(path)
        return before != value or isinstance(before, bool) != isinstance(value, bool)

    changed = [ValueChange(path, old.get(path), value) for path, value in new.items() if differs(path, value)]
    return (
        *changed,
        *(ValueChange(path, value, None) for path, value in old.items() if path not in new and value is not None),
    )


leaves = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from([None, True, False, 0, 1, 1.0, "", "a", 2**70]), max_size=6
)


@pytest.mark.unmeasured
@given(leaves, leaves)
def test_differences_are_those_of_the_definition(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert [repr(change) for change in diff(old, new)] == [repr(change) for change in slow_diff(old, new)]
    assert diff(old, new) == slow_diff(old, new)
