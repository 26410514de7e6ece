"""Conditions as they are sent and read: inverse to each other, and what the API refuses is not sent."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import DataItem, Electric, Expression, Stolen, data, times, zone
from stellantis_hal.resources.control.conditions import CONDITION, MonitorCondition, condition_body, read_condition
from stellantis_hal.resources.control.data_triggers import DataTrigger
from stellantis_hal.resources.control.expressions import TriggerReference, constant_value
from stellantis_hal.resources.control.time_triggers import TimeEntry, TimeTrigger
from stellantis_hal.resources.control.trigger import Trigger, UnknownTrigger
from stellantis_hal.resources.control.zone_triggers import ZoneTrigger
from stellantis_hal.structuring.problems import RawProblem
from tests.support.profiles import few_examples

home = zone("home", 48.8667, 2.3333, km=1)
low = data("low", Electric.LEVEL) < 20
night = times("night", daily=time(22), lasting=timedelta(hours=8), days="Mon-Fri", zone="Europe/London")


def read(value: Any) -> tuple[MonitorCondition, list[str]]:
    problems: list[RawProblem] = []
    condition = read_condition(value, "", problems)
    assert condition is not None
    return condition, [f"{path}: {reason}" for path, _, reason, _ in problems]


def a_zone(name: str, latitude: float, longitude: float, km: int, enters: bool) -> Expression:
    found = zone(name, latitude, longitude, km=km)
    return found.enters if enters else found.exits


def a_mode(name: str, mode: str) -> Expression:
    return data(name, DataItem.DRIVING_MODE, previous=mode).is_in("Sport", mode)


def a_level(name: str, value: int) -> Expression:
    return data(name, Electric.LEVEL) < value


def a_time(start: time, minutes: int, days: set[str] | None, weeks: set[int] | None) -> Expression:
    daily, lasting = start.replace(second=0, microsecond=0), timedelta(minutes=minutes)
    found = times("t1", daily=daily, lasting=lasting, days=days, weeks=weeks, zone="Europe/London")
    return found.also(start=datetime(2026, 1, 1, 12, tzinfo=UTC))


triggers: st.SearchStrategy[Expression] = st.one_of(
    st.builds(
        a_zone,
        st.sampled_from(["z1", "z2"]),
        st.floats(-90, 90),
        st.floats(-180, 180),
        st.integers(1, 100),
        st.booleans(),
    ),
    st.builds(a_level, st.sampled_from(["d1", "d2"]), st.integers(0, 100)),
    st.builds(a_mode, st.sampled_from(["m1", "m2"]), st.text(min_size=1, max_size=5)),
    st.builds(
        a_time,
        st.times(),
        st.integers(1, 3000),
        st.none() | st.sets(st.sampled_from(["Mon", "Sat", "Sun"]), min_size=1),
        st.none() | st.sets(st.integers(1, 52), min_size=1),
    ),
)
conditions: st.SearchStrategy[Expression] = st.recursive(
    triggers,
    lambda inner: st.one_of(
        inner.map(lambda one: ~one),
        st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
    ),
    max_leaves=5,
)


@few_examples()
@given(conditions)
def test_reading_inverts_sending(when: Expression) -> None:
    by_name: dict[str, Any] = {}
    for leaf in when.leaves():
        if by_name.setdefault(str(leaf), leaf) != leaf:
            with pytest.raises(ValueError, match="two different triggers"):
                condition_body(when)
            return
    if constant_value(when) is not None:
        with pytest.raises(ValueError, match="for any values"):
            condition_body(when)
        return
    body = condition_body(when)
    condition, problems = read(body)
    assert problems == []
    assert (condition.expression, condition.triggers) == (when, tuple(by_name.values()))
    assert CONDITION.write(condition) == body
    assert condition.expression is not None
    assert condition_body(condition.expression) == body


def test_a_condition_is_sent_with_all_parentheses() -> None:
    assert condition_body(home.exits & (low | ~night)) == {
        "triggers": [
            {
                "name": "home",
                "zone": {
                    "transition": "Out",
                    "place": {"radius": 1, "center": {"longitude": 2.3333, "latitude": 48.8667}},
                },
            },
            {"name": "low", "data": {"data": "vehicle.energy.electric.level", "op": "lowerThan", "value": ["20"]}},
            {
                "name": "night",
                "time": {
                    "times": [
                        {
                            "recurrence": "Daily",
                            "start": "PT22H",
                            "duration": "PT8H",
                            "occurence": {"day": ["Mon", "Tue", "Wed", "Thu", "Fri"]},
                        }
                    ],
                    "timeZone": "Europe/London",
                },
            },
        ],
        "boolExp": "(home & (low | !night))",
    }


def many(number: int) -> Expression:
    when: Expression = zone("z1", 1, 1).exits
    for index in range(2, number + 1):
        when |= zone(f"z{index}", index, 1).exits
    return when


def test_five_triggers_are_sent() -> None:
    assert len(condition_body(many(5))["triggers"]) == 5


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        (lambda: many(6), "at most 5 triggers, not 6: make several monitors"),
        (lambda: home.exits | home.enters, "two different triggers are named 'home': give one another name"),
        (lambda: low | ~low, "always true for any values"),
        (lambda: low & ~low, "always false for any values"),
        (lambda: data("s", Stolen.STATE).changes(), "only fleets can watch stolen.state"),
        (lambda: ZoneTrigger("z", "In", None, 1.0, 1.0), "could not be read: build it again by zone()"),
        (lambda: TimeTrigger("t", (TimeEntry("Daily", None),)), "could not be read: build it again by times()"),
        (lambda: TimeTrigger("t", (TimeEntry("Daily", time(1)),)), "needs its length"),
        (lambda: ZoneTrigger("z-1", "In", 1.0, 1.0, 1.0), "letters, then at most one of"),
    ],
)
def test_what_the_api_refuses_is_not_sent(when: Callable[[], Expression], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        condition_body(when())


def test_fleets_have_no_previous_state() -> None:
    with pytest.raises(ValueError, match="monitors of fleets have no previous state"):
        condition_body(data("m", DataItem.MOVING, previous=False).equals(True), for_fleets=True)
    assert condition_body(data("s", Stolen.STATE).changes(), for_fleets=True)["boolExp"] == "s"
    assert condition_body(data("a", DataItem.ALARM_ACTIVATION).changes(), for_fleets=True)


def test_what_is_no_condition_is_refused() -> None:
    for other in ("home", None, True, zone("home", 1, 1), data("low", Electric.LEVEL)):
        value: Any = other
        with pytest.raises(TypeError, match="when must be Expression"):
            condition_body(value)
    with pytest.raises(TypeError, match="home is a name, not a trigger"):
        condition_body(TriggerReference("home"))


def test_a_trigger_of_another_class_is_refused() -> None:
    class Other(Trigger):
        name = "x"

    with pytest.raises(TypeError, match="Other is no trigger"):
        condition_body(Other())


def test_a_fraction_of_a_kilometre_that_was_read_is_sent_back() -> None:
    body = condition_body(ZoneTrigger("z", "In", 1.0, 2.0, 1.5))
    assert body["triggers"][0]["zone"]["place"]["radius"] == 1.5


def test_an_unknown_trigger_is_kept_and_sent_back() -> None:
    body = {"triggers": [{"name": "u", "weather": {"rain": True}}, {"name": "z1"}], "boolExp": "(u | z1)"}
    condition, problems = read(body)
    assert problems == [
        ".triggers[0]: a trigger without zone, data and time",
        ".triggers[1]: a trigger without zone, data and time",
    ]
    assert isinstance(condition.triggers[0], UnknownTrigger)
    assert condition.expression is not None
    assert condition_body(condition.expression) == body
    assert CONDITION.write(condition) == body


def test_a_condition_of_fleets_is_written_too() -> None:
    body = condition_body(data("s", Stolen.STATE).changes(), for_fleets=True)
    condition, _ = read(body)
    assert CONDITION.write(condition)["boolExp"] == "s"
    assert CONDITION.read(body) == condition


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({}, [".triggers: not an array", ".boolExp: not a string"]),
        ({"triggers": [3, {"name": 4}], "boolExp": 5}, None),
        ({"triggers": [{"name": "z", "zone": {}}], "boolExp": "z"}, None),
        ({"triggers": [{"name": "d", "data": {"previous": 3, "value": [{}]}}], "boolExp": "d"}, None),
        ({"triggers": [{"name": "t", "time": {"times": 3, "timeZone": 4}}], "boolExp": "t"}, None),
        ({"triggers": [{"name": "t", "time": {"times": [3, {"start": 4, "duration": 5}]}}], "boolExp": "t"}, None),
        (
            {
                "triggers": [
                    {
                        "name": "t",
                        "time": {
                            "times": [
                                {"recurrence": "Daily", "start": "P3D", "occurence": "Mon"},
                                {"recurrence": "Daily", "start": "soon", "occurence": {"day": "Mon", "week": [0]}},
                                {"recurrence": "None", "start": "soon", "occurence": {"day": [1], "week": "w1"}},
                                {"start": "PT3H"},
                            ]
                        },
                    }
                ],
                "boolExp": "t",
            },
            None,
        ),
    ],
)
def test_what_cannot_be_read_is_a_problem(value: Any, problems: list[str] | None) -> None:
    _, found = read(value)
    assert found
    assert problems is None or found == problems


LEVEL = {"data": "vehicle.odometer", "op": "greaterThan", "value": ["20"]}
PLACE = {"center": {"latitude": 48.5, "longitude": 2.5}, "radius": 1}


@pytest.mark.parametrize(
    ("trigger", "beside", "found"),
    [
        ({"data": LEVEL}, {"mood": 1}, [": unknown keys, left out: 1"]),
        ({"data": LEVEL, "x": 1, "y": 2}, {}, [".triggers[0]: unknown keys, left out: 2"]),
        ({"data": LEVEL | {"unit": "%"}}, {}, [".triggers[0].data: unknown keys, left out: 1"]),
        (
            {"data": LEVEL | {"previous": {"op": "equals", "value": ["1"], "x": 1}}},
            {},
            [".triggers[0].data.previous: unknown keys, left out: 1"],
        ),
        (
            {"zone": {"transition": "in", "place": PLACE | {"x": 1}, "y": 1}},
            {},
            [".triggers[0].zone: unknown keys, left out: 1", ".triggers[0].zone.place: unknown keys, left out: 1"],
        ),
        (
            {"zone": {"transition": "in", "place": {"center": {"altitude": 5} | PLACE["center"], "radius": 1}}},  # type: ignore[operator]
            {},
            [".triggers[0].zone.place.center: unknown keys, left out: 1"],
        ),
        (
            {"time": {"times": [{"start": "PT3H", "x": 1, "occurence": {"day": ["Mon"], "month": 1}}], "y": 1}},
            {},
            [
                ".triggers[0].time: unknown keys, left out: 1",
                ".triggers[0].time.times[0]: unknown keys, left out: 1",
                ".triggers[0].time.times[0].occurence: unknown keys, left out: 1",
            ],
        ),
        (
            {"time": {"times": [{"start": "PT3H", "recurrence": 5}, {"start": "PT3H", "recurrence": None}]}},
            {},
            [".triggers[0].time.times[0].recurrence: not a string"],
        ),
        (
            {"data": LEVEL, "time": {"times": []}},
            {},
            [".triggers[0].time: a second condition of one trigger, beside its data: left out"],
        ),
        ({"data": LEVEL}, {"bool.exp": "b"}, [".boolExp: another value than under an older name"]),
        ({"data": LEVEL}, {"bool.exp": "a"}, []),
    ],
)
def test_what_a_condition_leaves_out_is_told(trigger: dict[str, Any], beside: dict[str, Any], found: list[str]) -> None:
    condition, problems = read({"triggers": [{"name": "a", **trigger}], "boolExp": "a", **beside})
    assert (problems, len(condition.triggers)) == (found, 1)


def test_triggers_of_one_name_are_told() -> None:
    triggers = [{"name": "a", "data": LEVEL}, {"name": "a", "data": LEVEL | {"value": ["90"]}}, 5]
    assert read({"triggers": triggers, "boolExp": "a"})[1] == [
        ".triggers[2]: not an object",
        ".triggers[1].name: another trigger has the same name: the last one counts",
    ]
    assert read({"triggers": triggers[:1] * 2, "boolExp": "a"})[1] == []


@pytest.mark.parametrize(
    ("figure", "text"),
    [(1234567.0, "1234567"), (1234567, "1234567"), (123456.7, "123456.7"), (20.5, "20.5"), (1e16, "1" + "0" * 16)],
)
def test_figures_of_a_condition_keep_their_value(figure: float, text: str) -> None:
    trigger = {"name": "d", "data": {"data": "vehicle.odometer", "op": "greaterThan", "value": [figure]}}
    condition, problems = read({"triggers": [trigger], "boolExp": "d"})
    assert (condition.expression, problems) == (data("d", DataItem.ODOMETER) > figure, [])
    assert condition.expression is not None
    assert condition_body(condition.expression)["triggers"][0]["data"]["value"] == [text]


def test_a_figure_without_bounds_is_a_problem() -> None:
    trigger = {"name": "d", "data": {"data": "vehicle.odometer", "op": "greaterThan", "value": [math.inf]}}
    condition, problems = read({"triggers": [trigger], "boolExp": "d"})
    assert [each.values for each in condition.triggers if isinstance(each, DataTrigger)] == [()]
    assert problems == [".triggers[0].data.value: not a text"]


def test_what_is_no_object_is_none() -> None:
    found: list[RawProblem] = []
    assert read_condition([], ".t", found) is None
    assert found == [(".t", "array", "not an object", "unreadable")]


KEYS = (
    *("triggers", "boolExp", "bool.exp", "name", "zone", "time", "data", "place", "circle", "center", "radius"),
    *("latitude", "longitude", "transition", "times", "timeZone", "recurrence", "start", "duration", "occurence"),
    *("day", "week", "op", "value", "previous"),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=30,
)


@pytest.mark.unmeasured
@few_examples()
@given(st.dictionaries(st.sampled_from(["triggers", "boolExp"]), values))
def test_any_value_is_read(value: Any) -> None:
    condition, _ = read(value)
    CONDITION.write(condition)
    repr(condition)
    for trigger in condition.triggers:
        assert isinstance(trigger.describe(), str)
