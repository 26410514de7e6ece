"""Errors and log lines of reading word for word, generations that are merged, and values without their documents."""

import functools
import logging
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import attrs
import pydantic
import pytest

from stellantis_hal.errors import DetachedResourceError, StructureError
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import TypedConverter, read
from stellantis_hal.structuring.document_removal import LinksOnlyResource, without_document
from stellantis_hal.structuring.extra import Extra
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.future_limit import AHEAD, FutureLimit
from stellantis_hal.structuring.hooks import make_converter
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.model_merging import check_merged, fill_missing, fill_missing_items
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import ConsistencyCheck, Disagreement, Problem, RawProblem, to_problems
from stellantis_hal.structuring.reporting import describe, report_problems
from stellantis_hal.structuring.typed_resource import ClockHolder, TypedResource, set_clock
from stellantis_hal.structuring.units import convert_unit, unit_of
from tests.resources.served import HOST, NOW, Served


def problem(path: str = "$.x", reason: str = "not a number", kind: Any = "unreadable") -> Problem:
    return Problem(path=path, value_type="string", reason=reason, kind=kind)


def error_of(call: Callable[[], Any], kind: type[Exception] = StructureError) -> Any:
    with pytest.raises(kind) as caught:
        call()
    return caught.value


# ------------------------------------------------------------------------------------------------- errors


UNREADABLE = "values cannot be read (strict=False makes them None)"


@pytest.mark.parametrize(
    ("count", "url", "message"),
    [
        (1, "", "Trip: one value cannot be read (strict=False makes them None): $.x0 (string): no"),
        (
            2,
            "https://api.example/a?token=x",
            f"Trip at https://api.example/a?token=***: 2 {UNREADABLE}: $.x0 (string): no, $.x1 (string): no",
        ),
    ],
)
def test_a_strict_refusal_names_place_and_values(count: int, url: str, message: str) -> None:
    problems = [problem(f"$.x{number}", "no") for number in range(count)]
    others = [problem(kind="sentinel"), problem(kind="disagreement")]
    error = error_of(lambda: report_problems(Trip, [*others, *problems], strict=True, url=lambda: url))
    assert (str(error), list(error.problems)) == (message, problems)
    report_problems(Trip, others, strict=True, url=lambda: url)
    report_problems(Trip, problems, strict=False, url=lambda: url)


@pytest.mark.parametrize(("count", "end"), [(20, "$.x19 (string): no"), (21, "$.x19 (string): no, …")])
def test_twenty_problems_are_described(count: int, end: str) -> None:
    described = describe([problem(f"$.x{number}", "no") for number in range(count)])
    assert described.startswith("$.x0 (string): no, $.x1 (string): no, ")
    assert described.endswith(end)
    assert describe([]) == ""


def test_a_place_is_a_warning_once_at_any_index(caplog: pytest.LogCaptureFixture) -> None:
    reported: set[str] = set()
    with caplog.at_level(logging.DEBUG, logger="stellantis_hal"):
        for found in (
            problem("$.a[0].x"),
            problem("$.a[1].x"),
            problem("$.a[1].x", kind="disagreement"),
            problem("$.b", "none", "sentinel"),
        ):
            report_problems(Trip, [found], strict=False, reported=reported)
        report_problems(Maintenance, [problem("$.a[0].x")], strict=False, reported=reported)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Trip: $.a[0].x (string): not a number"),
        ("DEBUG", "Trip: $.a[1].x (string): not a number"),
        ("WARNING", "Trip: $.a[1].x (string): not a number"),
        ("DEBUG", "Trip: $.b (string): none"),
        ("WARNING", "Maintenance: $.a[0].x (string): not a number"),
    ]


def test_a_thousand_places_are_remembered(caplog: pytest.LogCaptureFixture) -> None:
    reported: set[str] = set()
    with caplog.at_level(logging.WARNING, logger="stellantis_hal"):
        for number in range(1_001):
            report_problems(Trip, [problem(f"$.x{number}")], strict=False, reported=reported)
    assert (len(reported), len(caplog.records)) == (1_000, 1_000)


class Point(pydantic.BaseModel, extra="forbid"):
    """A pydantic model."""

    x: int
    inner: dict[str, list[int]] = {}


@attrs.frozen
class Order:
    name: str
    size: int = 0


@attrs.frozen
class Parcel:
    size: int | None = None


class Numbered(dict[str, int]):
    """A class that no hook makes."""


def structure(body: Any, kind: type[Any], **options: Any) -> Any:
    return TypedConverter(**options).structure(Served({}).resource("/x?token=y", body), kind)


def test_a_class_that_no_hook_makes_is_named() -> None:
    error = error_of(lambda: structure({}, complex), TypeError)
    assert str(error) == (
        "the client's converter cannot make a complex: register a hook for <class 'complex'> on a "
        "converter of make_converter() and pass it as converter="
    )


def test_what_pydantic_refuses_is_named_without_values() -> None:
    error = error_of(lambda: structure({"x": "a", "inner": {"b": [1, "c"]}, "y": 5}, Point))
    assert str(error) == (
        "Point does not accept the value: $.x: pydantic: int_parsing; $.inner.b[1]: pydantic: int_parsing; "
        "$.y: pydantic: extra_forbidden (at https://api.example/x?token=***)"
    )
    assert [(found.path, found.value_type, found.reason) for found in error.problems] == [
        ("$.x", "string", "pydantic: int_parsing"),
        ("$.inner.b[1]", "string", "pydantic: int_parsing"),
        ("$.y", "number", "pydantic: extra_forbidden"),
    ]
    reserved = {"_links": {"self": {"href": "/"}}, "_embedded": {}}
    assert structure({"x": 1, **reserved}, Point) == Point(x=1)
    assert structure({"x": 1, "_links": {}}, Point) == Point(x=1)
    error = error_of(lambda: structure({"x": 1, "y": 2, **reserved}, Point))
    assert sorted(found.path for found in error.problems) == ["$._embedded", "$._links", "$.y"]
    error = error_of(lambda: make_converter().structure([], Point))
    assert str(error) == "Point does not accept the value: $: pydantic: model_type"


def test_what_cattrs_expects_may_have_no_name() -> None:
    error = error_of(lambda: structure({"size": "big"}, Parcel))
    assert str(error).endswith(": $.size (unknown): ValueError, expected int | None")


def test_what_cattrs_refuses_is_named_without_values() -> None:
    converter = make_converter()
    converter.forbid_extra_keys = True
    error = error_of(lambda: structure({"size": "big", "other": 1}, Order, converter=converter))
    assert str(error) == (
        "Order at https://api.example/x?token=***: $.name (unknown): a required field is missing, "
        "$.size (unknown): ValueError, expected int, $ (unknown): a key that the class has no field for"
    )
    assert {(found.value_type, found.kind) for found in error.problems} == {("unknown", "unreadable")}
    assert [found.path for found in error.problems] == ["$.name", "$.size", "$"]


def test_what_is_no_converter_is_refused() -> None:
    wrong: Any = 5
    error = error_of(lambda: TypedConverter(wrong), TypeError)
    assert str(error) == "converter must be Converter or None, not int: make_converter()"


def test_items_that_are_no_objects_are_told(caplog: pytest.LogCaptureFixture) -> None:
    page = Served({}).resource("/trips?token=y", {})
    values = {"$._embedded.trips[1]": 5, "$._embedded.trips[2]": "x"}
    with caplog.at_level(logging.DEBUG, logger="stellantis_hal"):
        converter = TypedConverter()
        converter.report_invalid_items(page, values, Trip)
        converter.report_invalid_items(page, values, Trip)
    reason = "no object, so no item: left out"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"Trip: $._embedded.trips[1] (number): {reason}"),
        ("DEBUG", f"Trip: $._embedded.trips[2] (string): {reason}"),
        ("DEBUG", f"Trip: $._embedded.trips[1] (number): {reason}"),
        ("DEBUG", f"Trip: $._embedded.trips[2] (string): {reason}"),
    ]
    error = error_of(lambda: TypedConverter(strict=True).report_invalid_items(page, values, Trip))
    assert str(error).startswith("Trip at https://api.example/trips?token=***: 2 values cannot be read")


def test_a_strict_reading_of_a_resource_names_its_address() -> None:
    for options in ({"strict": True}, {"converter": make_converter(strict=True)}):
        error = error_of(functools.partial(structure, {"distance": "x"}, Trip, **options))
        assert str(error) == (
            "Trip at https://api.example/x?token=***: one value cannot be read (strict=False makes them None): "
            "$.distance (string): not a number"
        )


def test_units_without_a_conversion_are_named() -> None:
    error = error_of(lambda: convert_unit(1.0, "km", "h"), ValueError)
    assert str(error) == (
        "no conversion from km to h: known are Wh to kWh, kWh to Wh, Wh/100km to kWh/100km, cL to L, "
        "cL/100km to L/100km, m/s to km/h"
    )
    assert str(error_of(lambda: unit_of(Trip, "colour"), AttributeError)) == "Trip has no field 'colour'"
    assert [convert_unit(value, "km", "km") for value in (5.0, None)] == [5.0, None]
    assert [convert_unit(value, "m/s", "km/h") for value in (10.0, 0.0, None)] == [36.0, 0.0, None]


def test_a_value_without_a_resource_says_so() -> None:
    error = error_of(Trip().require_resource, DetachedResourceError)
    assert str(error) == (
        "this Trip is part of another value or was read from a plain mapping: it has no links to follow"
    )
    assert not Trip().can("self")


# ------------------------------------------------------------------------------------------------- values


def test_values_are_the_same_by_id_or_address() -> None:
    at_x, at_y = (TypedConverter().structure(Served({}).resource(path, {}), Trip) for path in ("/x", "/y"))
    again = TypedConverter().structure(Served({}).resource("/x", {"distance": 1}), Trip)
    assert at_x.same_resource(again)
    assert not at_x.same_resource(at_y)
    assert not at_x.same_resource(Trip())
    assert not Trip().same_resource(Trip())
    assert Trip(id="a").same_resource(Trip(id="a", distance=1.0))
    assert not Trip(id="a").same_resource(Trip(id="b"))
    assert not Trip(id="a").same_resource(Trip())
    assert not Trip().same_resource(Trip(id="a"))
    assert not Trip(id="a").same_resource("a")


class Bulb(OpenEnum):
    """An enumeration."""

    ON = "On"


@attrs.frozen(kw_only=True)
class Lamp(TypedResource):
    """A part that knows its age."""

    created_at: datetime | None = None
    level: float | None = None
    bulb: Bulb | None = None


@attrs.frozen(kw_only=True)
class House(Model):
    """A value with parts."""

    name: str | None = None
    lamp: Lamp | None = None
    lamps: tuple[Lamp, ...] = ()


def test_each_part_has_the_clock_of_the_client() -> None:
    body = {"name": "x", "lamp": {"createdAt": "2023-09-12T09:41:10Z"}, "lamps": [{}, {"createdAt": "soon"}]}
    at = datetime(2023, 9, 12, 9, 41, 12, tzinfo=UTC)
    value = structure(body, House, clock=lambda: at)
    assert value.lamp.age == 2.0
    own = read({"lamp": {"createdAt": "2023-09-12T09:41:10Z"}, "lamps": [{"createdAt": "2023-09-12T09:41:09Z"}]}, House)
    set_clock(own, ClockHolder(lambda: at))
    assert own.lamp is not None
    assert (own.lamp.age, own.lamps[0].age) == (2.0, 3.0)
    odd: Any = House(name="x", lamp=5)  # type: ignore[arg-type]  # as a hook of a user may make it
    set_clock(odd, ClockHolder(lambda: at))
    assert odd.lamp == 5


def test_members_that_are_unknown_are_shown_masked() -> None:
    assert (repr(Bulb("On")), repr(Bulb("Dim"))) == ("<Bulb.ON: 'On'>", "Bulb('Dim')")
    assert (Bulb("Dim").name, Bulb("Dim").value, type(Bulb("Dim"))) == ("Dim", "Dim", Bulb)


def test_items_of_a_page_share_what_is_left_of_it() -> None:
    served = Served({})
    items = [{"id": str(number), "_links": {"self": {"href": f"/t/{number}"}}} for number in range(2)]
    body = {"total": 2, "_links": {"next": {"href": "/p2"}}, "_embedded": {"trips": [*items, 5], "one": items[0]}}
    page = served.resource("/trips", body)
    context = page.context
    copies = [without_document(copy) for copy in page.embedded("trips")]
    assert [type(copy) for copy in copies] == [LinksOnlyResource] * 2
    assert copies[0].snapshot is copies[1].snapshot is not page.snapshot
    assert [copy.url for copy in copies] == [f"{HOST}/t/0", f"{HOST}/t/1"]
    assert [copy.context for copy in copies] == [context, context]
    assert copies[1].steps == page.embedded("trips")[1].steps
    link = {"_links": {"self": {"href": "/t/0"}}}
    assert copies[0].snapshot.content.document().body == {
        "_links": body["_links"],
        "_embedded": {"trips": [link, {"_links": {"self": {"href": "/t/1"}}}], "one": [link]},
    }
    whole = without_document(page)
    assert (whole.url, whole.can("next")) == (f"{HOST}/trips", True)
    assert whole.snapshot is copies[0].snapshot
    again = pickle.loads(pickle.dumps(whole))
    assert (type(again), again.url, again.can("next")) == (LinksOnlyResource, whole.url, True)
    bare = without_document(served.resource("/bare", {"id": "1"}))
    assert bare.snapshot.content.document().body == {}


def test_what_a_value_leads_to_is_read_the_same_way() -> None:
    converter = TypedConverter(clock=lambda: NOW + timedelta(hours=1))
    resource = Served({}).resource("/x", {"id": "a"})
    kept = converter.structure(resource, Trip).require_resource().context
    again = converter.structure(resource, Trip).require_resource().context
    assert kept is again
    assert isinstance(kept, ResourceContext)
    assert (kept.converter, kept.clock()) == (converter, NOW + timedelta(hours=1))
    own = attrs.evolve(resource.require_context(), clock=lambda: NOW)
    usual = TypedConverter()
    value = usual.structure(resource.rebind(own), Trip)
    assert value.require_resource().require_context().clock() == NOW


# ------------------------------------------------------------------------------------------------- problems


def test_instants_are_ahead_beyond_five_minutes() -> None:
    clock = [NOW]
    limit = FutureLimit(lambda: clock[0])
    assert limit.latest == datetime.min.replace(tzinfo=UTC)
    assert limit.ahead(NOW + AHEAD) is None
    assert limit.latest == NOW + AHEAD
    assert limit.ahead(NOW + AHEAD + timedelta(seconds=1)) == AHEAD + timedelta(seconds=1)
    clock[0] += timedelta(seconds=1)
    assert limit.ahead(NOW + AHEAD + timedelta(seconds=1)) is None


def test_so_many_instants_are_remembered() -> None:
    limit = FutureLimit(lambda: NOW)
    for number in range(512):
        limit.remember(str(number), NOW)
    assert (len(limit.past), limit.past["0"]) == (512, NOW)
    limit.remember("512", NOW)
    assert limit.past == {"512": NOW}


def test_the_first_problem_of_a_path_counts() -> None:
    found: list[RawProblem] = [
        (".b", "number", "first", "unreadable"),
        (".a", "string", "other", "sentinel"),
        (".b", "number", "second", "disagreement"),
    ]
    first = Problem(path="$.b", value_type="number", reason="first", kind="unreadable")
    other = Problem(path="$.a", value_type="string", reason="other", kind="sentinel")
    assert to_problems("$", found[:2]) == (first, other)
    assert {*to_problems("$", found)} == {first, other}


def test_extras_pickle_and_show_their_keys() -> None:
    extra = Extra({"a": [1, {"b": None}]})
    assert (pickle.loads(pickle.dumps(extra)), repr(extra), len(extra), [*extra]) == (extra, "Extra(a)", 1, ["a"])


# ------------------------------------------------------------------------------------------------- merging


def is_above(model: Any) -> list[Disagreement]:
    return [(".low", model.low, "above the high one")] if model.low > model.high else []


@attrs.frozen(kw_only=True)
class Range(Model):
    """A model of which there may be two generations."""

    __kind__: ClassVar[tuple[str, ...]] = ("kind", "finer")
    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(is_above, "high")

    kind: str | None = None
    finer: str | None = None
    low: float | None = None
    high: float | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    tags: tuple[str, ...] = ()
    inner: Lamp | None = attrs.field(default=None, metadata=names("inner"))


DAYS = [datetime(2025, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
MERGED: list[tuple[Any, Any, Any]] = [
    (None, Range(low=1.0), Range(low=1.0)),
    (None, None, None),
    (Range(low=1.0), None, Range(low=1.0)),
    (5, Range(low=1.0), 5),
    (5, 6, 5),
    (Range(), Lamp(), Range()),
    (Range(low=1.0), Range(low=2.0, high=3.0), Range(low=1.0, high=3.0)),
    (Range(low=0.0), Range(low=2.0), Range(low=0.0)),
    (Range(tags=("a",)), Range(tags=("b",)), Range(tags=("a",))),
    (Range(), Range(tags=("b",)), Range(tags=("b",))),
    (
        Range(inner=Lamp(level=1.0)),
        Range(inner=Lamp(level=2.0, bulb=Bulb.ON)),
        Range(inner=Lamp(level=1.0, bulb=Bulb.ON)),
    ),
    (Range(extra=Extra({"a": 1})), Range(extra=Extra({"a": 2, "b": 3})), Range(extra=Extra({"a": 1, "b": 3}))),
    (Range(created_at=DAYS[0]), Range(created_at=DAYS[1]), Range(created_at=DAYS[0], updated_at=DAYS[1])),
    (Range(created_at=DAYS[1]), Range(created_at=DAYS[0]), Range(created_at=DAYS[1])),
    (Range(created_at=DAYS[1]), Range(created_at=DAYS[1]), Range(created_at=DAYS[1])),
    (
        Range(low=1.0, created_at=DAYS[0]),
        Range(low=2.0, created_at=DAYS[1]),
        Range(low=1.0, created_at=DAYS[0]),
    ),
    (
        Range(low=1.0, high=2.0, created_at=DAYS[0]),
        Range(low=1.0, high=3.0, created_at=DAYS[1]),
        Range(low=1.0, high=2.0, created_at=DAYS[0]),
    ),
    (
        Range(low=1.0, created_at=DAYS[0], updated_at=DAYS[1]),
        Range(low=1.0, created_at=DAYS[0], updated_at=DAYS[2]),
        Range(low=1.0, created_at=DAYS[0], updated_at=DAYS[2]),
    ),
    (Lamp(created_at=DAYS[0]), Lamp(created_at=DAYS[1]), Lamp(created_at=DAYS[0])),
    (Range(), Range(created_at=DAYS[1]), Range(created_at=DAYS[1])),
]


@pytest.mark.parametrize(("newer", "older", "merged"), MERGED)
def test_a_model_gets_what_it_lacks(newer: Any, older: Any, merged: Any) -> None:
    found = fill_missing(newer, older)
    assert found == merged
    assert getattr(found, "extra", None) == getattr(merged, "extra", None)
    if found == newer and newer is not None:
        assert found is newer


A, B = Range(kind="a"), Range(kind="b")


@pytest.mark.parametrize(
    ("newer", "older", "merged"),
    [
        ((), (A,), (A,)),
        ((A,), (), (A,)),
        ((), (), ()),
        ((1, 2), (3,), (1, 2)),
        ((A,), (Range(kind="b", low=1.0), Range(kind="a", low=2.0)), ("a2", "b1")),
        ((Range(kind="a", finer="x"),), (Range(kind="a", finer="y", low=1.0),), ("ax", "ay1")),
        ((Range(kind="a", finer="x"),), (Range(kind="a", low=1.0),), ("ax1",)),
        ((Range(kind="a"),), (Range(kind="a", finer="y", low=1.0),), ("ay1",)),
        ((A, A), (Range(kind="a", low=1.0), Range(kind="a", low=2.0)), ("a1", "a2")),
        ((Range(),), (Range(low=1.0),), ("1",)),
        ((Range(),), (Range(kind="a", low=1.0),), ("", "a1")),
    ],
)
def test_items_of_the_same_kind_are_merged(newer: Any, older: Any, merged: Any) -> None:
    def short(item: Any) -> Any:
        return f"{item.kind or ''}{item.finer or ''}{'' if item.low is None else f'{item.low:g}'}"

    found = fill_missing_items(newer, older)
    expected = tuple(item if isinstance(item, str | int) else short(item) for item in merged)
    assert tuple(item if isinstance(item, int) else short(item) for item in found) == expected


def test_what_disagrees_only_when_merged_is_told() -> None:
    found = Problem(path="$.low", value_type="number", reason="above the high one", kind="disagreement")
    newer, merged = Range(low=3.0), Range(low=3.0, high=2.0)
    problems: list[RawProblem] = []
    check_merged(newer, merged, problems, ".x")
    assert problems == [(".x.low", "number", "above the high one", "disagreement")]
    assert merged.problems == (found,)
    check_merged(newer, merged, problems, ".x")  # told once
    assert (len(problems), merged.problems) == (1, (found,))
    problems = []
    other = Problem(path="$.high", value_type="number", reason="other", kind="unreadable")
    items = (Range(low=1.0, high=2.0), Range(low=3.0, high=2.0, problems=(other,)), Range(low=5.0, high=2.0))
    check_merged((items[0], newer), items, problems, ".x")
    assert problems == [(".x[1].low", "number", "above the high one", "disagreement")]
    assert [item.problems for item in items] == [(), (other, found), ()]


@pytest.mark.parametrize(
    ("newer", "merged"),
    [
        (Range(), Range(low=1.0)),
        (Range(), Range(high=1.0)),
        (Range(), 5),
        (Lamp(), Lamp(level=1.0)),
    ],
)
def test_what_cannot_be_compared_when_merged_is_no_problem(newer: Any, merged: Any) -> None:
    problems: list[RawProblem] = []
    check_merged(newer, merged, problems, ".x")
    assert problems == []


def test_what_was_not_merged_is_not_checked_again() -> None:
    same, problems = Range(low=3.0, high=2.0), list[RawProblem]()
    check_merged(same, same, problems, ".x")
    assert (problems, same.problems) == ([], ())
