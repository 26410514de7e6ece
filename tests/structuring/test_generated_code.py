"""Generated readers: which values they read themselves, and which they leave to the codec of the field."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf, nan
from sys import float_info
from typing import Annotated, Any, ClassVar

import attrs
import pytest

from stellantis_hal.hal.fast_frozen_init import mutable_twin
from stellantis_hal.resources.blocks.energy import EnergyType
from stellantis_hal.resources.missing_value_codes import MILEAGE, TEMPERATURE
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.structuring.extra import Extra
from stellantis_hal.structuring.field_mapping import Path, names, schema_of
from stellantis_hal.structuring.future_limit import FutureLimit
from stellantis_hal.structuring.hooks import make_converter
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.model_reader_codegen import generate
from stellantis_hal.structuring.problems import ConsistencyCheck, Disagreement, Problem, ProblemList
from stellantis_hal.structuring.scalars import NUMBER, ScalarCodec, Seconds
from tests.resources.served import Served

NOW = datetime(2024, 1, 1, tzinfo=UTC)
EXACT = 2**53  # to which each whole number is a float without loss
LONG = 10**9  # seconds that are not counted without a look

Grade = Annotated[float, ScalarCodec(float, str)]
"""A number as a text."""


def every_field() -> type[Model]:
    """Make a class, for which code is generated afresh."""

    @attrs.frozen(kw_only=True)
    class Every(Model):
        number: float | None = None
        warmth: Annotated[float, TEMPERATURE] | None = None
        odometer: Annotated[float, MILEAGE] | None = attrs.field(default=None, metadata=names(minimum=0))
        level: float | None = attrs.field(default=None, metadata=names(unit="percent"))
        height: float | None = attrs.field(default=None, metadata=names(minimum=-0.5))
        count: int | None = attrs.field(default=None, metadata=names(minimum=1))
        grade: Grade | None = attrs.field(default=None, metadata=names(minimum=1, unit="percent"))
        span: Seconds | None = None
        duration: timedelta | None = None
        at: datetime | None = None
        due: datetime | None = attrs.field(default=None, metadata=names(may_be_ahead=True))
        done: bool | None = None
        text: str | None = None
        steps: int | None = None
        kind: EnergyType | None = None

    return Every


def read_noting(body: dict[str, Any]) -> tuple[Any, ProblemList, list[str]]:
    """Return what the generated code reads, its problems, and the paths that it left to codecs."""
    kind = every_field()
    schema = schema_of(kind)
    code = generate(schema, {field.name: field.codec for field in schema.fields if field.codec is not None})
    left: list[str] = []

    def noting(attempt: Callable[..., Any]) -> Callable[..., Any]:
        def read(value: Any, path: str, problems: ProblemList) -> Any:
            left.append(path)
            return attempt(value, path, problems)

        return read

    found = {name: noting(value) if name.startswith("attempt_") else value for name, value in code.namespace.items()}
    found |= {"mutable_kind": mutable_twin(kind), "extra_of": Extra}
    exec(compile(code.source, "<reader>", "exec"), found)
    problems = ProblemList(FutureLimit(lambda: NOW))
    return found["read"](body, problems), problems, left


def each(name: str, value: Callable[[Any], Any], *raws: Any) -> list[tuple[str, Any, Any]]:
    """Return a field, JSON values of it, and what each of them reads as."""
    return [(name, raw, value(raw)) for raw in raws]


def same(raw: Any) -> Any:
    return raw


def nothing(_: Any) -> None:
    return None


def seconds(raw: Any) -> timedelta:
    return timedelta(seconds=raw)


OWN: list[tuple[str, Any, Any]] = [
    *each("number", float, 0, -EXACT, EXACT, 1.5, -0.0, float_info.max, -float_info.max),
    *each("warmth", float, 0, 214.5, -EXACT, EXACT, 1e300),
    *each("odometer", float, 1, 0.5, EXACT, float_info.max),
    *each("level", float, 0, 0.0, 100, 100.0, 55.5),
    *each("height", float, -0.5, 0, 0.0, EXACT, float_info.max),
    *each("span", seconds, 0, 1 - LONG, LONG - 1),
    ("at", "2023-09-12T09:41:10Z", datetime(2023, 9, 12, 9, 41, 10, tzinfo=UTC)),
    ("at", "2023-09-12T09:41:10.911+00:00", datetime(2023, 9, 12, 9, 41, 10, 911_000, UTC)),
    ("due", "2999-09-12T09:41:10Z", datetime(2999, 9, 12, 9, 41, 10, tzinfo=UTC)),
    *each("done", same, True, False),
    *each("text", same, "", "a"),
    *each("steps", same, 0, -5, 2**70),
    ("kind", "Fuel", EnergyType.FUEL),
]
"""Fields, JSON values, and what the generated code reads without a call."""

LEFT: list[tuple[str, Any, Any]] = [
    *each("number", float, -EXACT - 1, EXACT + 1, 2**70),
    *each("number", nothing, inf, -inf, nan, True, "1", []),
    *each("warmth", nothing, 215, 215.0, inf, False),
    ("warmth", -EXACT - 1, -float(EXACT)),
    *each("odometer", nothing, 0, 0.0, inf),
    ("odometer", "1", None),
    *each("level", float, -1, -0.5, 101, 100.5),
    *each("level", nothing, inf, nan, True, "5"),
    *each("height", float, -1, -0.75, EXACT + 1),
    ("height", inf, None),
    *each("count", same, 1, 0),
    *each("grade", float, "1", "0", "100", "101"),
    ("grade", "x", None),
    *each("span", seconds, LONG, -LONG, 1.5),
    *each("span", nothing, True, "1"),
    ("duration", "PT1H", timedelta(hours=1)),
    ("at", "2023-09-12T11:41:10+02:00", datetime(2023, 9, 12, 9, 41, 10, tzinfo=UTC)),
    *each("at", nothing, 5, "soon", "2023-09-12", "2023-09-12T09:41:10"),
    *each("done", nothing, 1, "true"),
    *each("text", nothing, 1, []),
    *each("steps", nothing, True, 1.5),
    ("steps", 2.0, 2),
    ("kind", "Steam", EnergyType("Steam")),
    *each("kind", nothing, 5, []),
]
"""Fields, JSON values that are left to the codec, and what it reads."""


@pytest.mark.unmeasured
@pytest.mark.parametrize(("name", "raw", "value"), OWN)
def test_the_usual_value_is_read_without_a_call(name: str, raw: Any, value: Any) -> None:
    model, problems, left = read_noting({name: raw})
    found = getattr(model, name)
    assert (repr(found), type(found), problems, left) == (repr(value), type(value), [], [])


@pytest.mark.unmeasured
@pytest.mark.parametrize(("name", "raw", "value"), LEFT)
def test_other_values_are_left_to_the_codec(name: str, raw: Any, value: Any) -> None:
    model, problems, left = read_noting({name: raw})
    assert (getattr(model, name), left) == (value, [f".{name}"])
    assert bool(problems) == (value is None or (name, raw) in BEYOND)


BEYOND: dict[tuple[str, Any], str] = {
    ("level", -1): "-1 is not within 0 to 100",
    ("level", -0.5): "-0.5 is not within 0 to 100",
    ("level", 101): "101 is not within 0 to 100",
    ("level", 100.5): "100.5 is not within 0 to 100",
    ("height", -1): "-1 is less than -0.5",
    ("height", -0.75): "-0.75 is less than -0.5",
    ("count", 0): "0 is less than 1",
    ("grade", "0"): "a figure is not within 1 to 100",
    ("grade", "101"): "a figure is not within 1 to 100",
}


@pytest.mark.parametrize(("name", "raw"), BEYOND)
def test_a_figure_beyond_its_bounds_is_told(name: str, raw: Any) -> None:
    _, problems, _ = read_noting({name: raw})
    value_type = "string" if isinstance(raw, str) else "number"
    assert problems == [(f".{name}", value_type, BEYOND[name, raw], "disagreement")]


def test_nothing_is_left_of_what_is_missing() -> None:
    for body in ({}, dict.fromkeys(field.name for field in schema_of(every_field()).fields)):
        model, problems, left = read_noting(body)
        assert [getattr(model, field.name) for field in schema_of(type(model)).fields] == [None] * 15
        assert (problems, left, model.problems, [*model.extra]) == ([], [], (), [])


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [
        (timedelta(minutes=5), None),
        (timedelta(minutes=5, seconds=1), "an instant 301 s ahead of the client's clock"),
        (timedelta(hours=23, minutes=59), "an instant 86340 s ahead of the client's clock"),
        (timedelta(days=1), "an instant 1 days ahead of the client's clock"),
        (timedelta(days=2, hours=5), "an instant 2 days ahead of the client's clock"),
    ],
)
def test_an_instant_ahead_of_the_clock_is_told(ahead: timedelta, reason: str | None) -> None:
    text = (NOW + ahead).isoformat()
    model, problems, _ = read_noting({"at": text, "due": text})
    assert model.at == model.due == NOW + ahead
    assert problems == ([] if reason is None else [(".at", "string", reason, "disagreement")])


# ------------------------------------------------------------------------------------------------- places


@attrs.frozen(kw_only=True)
class Part(Model):
    """A part of another."""

    size: float | None = None


def places() -> type[Model]:
    """Make a class with objects that only hold others, older generations and constants."""

    @attrs.frozen(kw_only=True)
    class Places(Model):
        __constants__: ClassVar[dict[Path, str]] = {("type",): "Feature", ("a", "type"): "Point"}
        __linked__: ClassVar[frozenset[str]] = frozenset({"linked"})
        __embedded__: ClassVar[frozenset[str]] = frozenset({"known"})

        inner: str | None = attrs.field(default=None, metadata=names(("a", "b", "inner"), ("old", "inner"), "flat"))
        beside: str | None = attrs.field(default=None, metadata=names(("a", "b", "beside")))
        texts: tuple[str, ...] = attrs.field(default=(), metadata=names("texts", ("old", "texts")))
        part: Part | None = attrs.field(default=None, metadata=names("part", ("old", "part")))
        parts: tuple[Part, ...] = attrs.field(default=(), metadata=names("parts", ("old", "parts")))
        trailing_: str | None = None
        two_words_more: str | None = None

    return Places


WHOLE: dict[str, Any] = {
    "type": "Feature",
    "a": {"type": "Point", "b": {"inner": "x", "beside": "y"}},
    "texts": ["t"],
    "part": {"size": 1.0},
    "parts": [{"size": 2.0}],
    "trailing": "z",
    "twoWordsMore": "w",
}


def structure(body: dict[str, Any], kind: type[Model]) -> Any:
    return TypedConverter(make_converter()).structure(Served({}).resource("/x", body), kind)


def problems_of(body: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    found = structure(body, places()).problems
    return [(problem.path, problem.value_type, problem.reason, problem.kind) for problem in found]


def test_values_are_read_where_they_stand() -> None:
    value = structure(WHOLE, places())
    assert (value.inner, value.beside, value.texts, value.part, value.parts) == (
        "x",
        "y",
        ("t",),
        Part(size=1.0),
        (Part(size=2.0),),
    )
    assert (value.trailing_, value.two_words_more, value.problems, dict(value.extra)) == ("z", "w", (), {})
    assert value.to_dict() == WHOLE


OLDER: list[tuple[dict[str, Any], str, Any]] = [
    ({"old": {"inner": "x"}}, "inner", "x"),
    ({"flat": "x"}, "inner", "x"),
    ({"old": {"inner": "x"}, "flat": "y"}, "inner", "x"),
    ({"old": {"inner": None}, "flat": "y"}, "inner", "y"),
    ({"a": {"b": {"inner": ""}}, "flat": "y"}, "inner", "y"),
    ({"a": {"b": {"inner": ""}}, "flat": None}, "inner", ""),
    ({"a": {"b": {"inner": 5}}, "old": {"inner": "x"}}, "inner", "x"),
    ({"a": {"b": {"inner": 5}}, "old": 7, "flat": 8}, "inner", None),
    ({"old": {"texts": ["x"]}}, "texts", ("x",)),
    ({"texts": [], "old": {"texts": ["x"]}}, "texts", ("x",)),
    ({"texts": [5], "old": {"texts": ["x"]}}, "texts", ("x",)),
    ({"texts": ["y"], "old": {"texts": ["x"]}}, "texts", ("y",)),
    ({"texts": ["y"], "old": {"texts": []}}, "texts", ("y",)),
    ({"texts": ["y", 5], "old": {"texts": ["x"]}}, "texts", ("y",)),
    ({"old": {"part": {"size": 1}}}, "part", Part(size=1.0)),
    ({"part": {"size": 2}, "old": {"part": {"size": 1}}}, "part", Part(size=2.0)),
    ({"part": {}, "old": {"part": {"size": 1}}}, "part", Part(size=1.0)),
    ({"part": {"size": 2}, "old": {"part": None}}, "part", Part(size=2.0)),
    ({"old": {"parts": [{"size": 1}]}}, "parts", (Part(size=1.0),)),
    ({"old": {"parts": {"size": 1}}}, "parts", (Part(size=1.0),)),
    ({"parts": [], "old": {"parts": {"size": 1}}}, "parts", (Part(size=1.0),)),
    ({"parts": [{"size": 2}], "old": {"parts": {"size": 1}}}, "parts", (Part(size=2.0),)),
    ({"parts": [{"size": 2}, {}], "old": None}, "parts", (Part(size=2.0), Part())),
]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("body", "name", "value"), OLDER)
def test_an_older_place_is_read_where_newer_ones_are_empty(body: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(structure(body, places()), name) == value


EXTRAS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"x": None, "linked": 1}, {"x": None}),
    ({"a": {"x": 1, "b": {"y": 2, "inner": "z"}}}, {"a": {"x": 1, "b": {"y": 2}}}),
    ({"a": {"b": {"y": 2}}}, {"a": {"b": {"y": 2}}}),
    ({"a": 5, "old": "x"}, {}),
    ({"flat": "x"}, {}),
    ({"flat": "x", "a": {"b": {"inner": "y"}}}, {"flat": "x"}),
    ({"flat": "x", "old": {"inner": "y"}}, {"flat": "x"}),
    ({"flat": "x", "old": {"inner": "", "z": 1}}, {"old": {"z": 1}}),
    ({"old": {"inner": "x"}, "a": {"b": {"inner": "y"}}}, {"old": {"inner": "x"}}),
    ({"old": {"part": {}}, "part": {"size": 1}}, {"old": {"part": {}}}),
    ({"_embedded": {}}, {}),
    ({"_embedded": {"known": [1]}}, {}),
    ({"_embedded": {"known": [1], "x": 1}, "y": 2}, {"_embedded": {"x": 1}, "y": 2}),
    ({"_embedded": None}, {"_embedded": None}),
    ({"_embedded": 5}, {"_embedded": 5}),
    ({"_links": {}}, {"_links": {}}),
]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("body", "extra"), EXTRAS)
def test_what_no_field_was_read_from_is_an_extra(body: dict[str, Any], extra: dict[str, Any]) -> None:
    assert dict(structure(body, places()).extra) == extra


def test_what_is_in_the_wrong_place_is_told() -> None:
    assert problems_of({"type": 5, "a": {"type": "Line", "b": "text"}, "old": []}) == [
        ("$.a.b", "string", "not an object", "unreadable"),
        ("$.old", "array", "an empty array stands for no object", "sentinel"),
        ("$.type", "number", "not a string", "unreadable"),
        ("$.a.type", "string", "not one of Feature, Point, as which it is read", "disagreement"),
    ]
    assert problems_of({"type": "Feature", "a": {"type": "Point", "b": None}, "old": {}}) == []
    assert problems_of({"type": None, "a": {"type": 5}}) == [("$.a.type", "number", "not a string", "unreadable")]


def test_problems_of_older_places_have_their_paths() -> None:
    body = {"old": {"inner": 5, "texts": ["x", 5], "part": {"size": "x"}, "parts": {"size": "y"}}, "flat": 6}
    assert [(path, reason) for path, _, reason, _ in problems_of(body)] == [
        ("$.old.inner", "not a string"),
        ("$.flat", "not a string"),
        ("$.old.texts[1]", "not a string"),
        ("$.old.part.size", "not a number"),
        ("$.old.parts.size", "not a number"),
    ]
    body = {"parts": [{}, {"size": "x"}, 7], "part": 5, "texts": {}, "old": {"parts": 8}}
    assert [(path, reason) for path, _, reason, _ in problems_of(body)] == [
        ("$.texts", "not an array"),
        ("$.part", "not an object"),
        ("$.parts[1].size", "not a number"),
        ("$.parts[2]", "not an object"),
        ("$.old.parts", "not an array"),
    ]


def test_problems_of_a_part_are_its_own_too() -> None:
    value = structure({"part": {"size": "x"}, "parts": [{"size": 1}, {"size": "y"}]}, places())
    problem = Problem(path="$.size", value_type="string", reason="not a number")
    assert value.part.problems == value.parts[1].problems == (problem,)
    assert value.parts[0].problems == ()


# ------------------------------------------------------------------------------------------------- checks


def checked(given: str | None, run: Callable[[Any], Any]) -> type[Model]:
    """Make a class with a check."""

    @attrs.frozen(kw_only=True)
    class Checked(Model):
        __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(run, given)

        low: float | None = None
        high: float | None = None

    return Checked


def is_low_above_high(model: Any) -> list[Disagreement]:
    return [(".low", model.low, "above the high one")] if model.low > model.high else []


@pytest.mark.parametrize("given", [None, "high"])
def test_a_check_is_run_on_what_was_read(given: str | None) -> None:
    kind = checked(given, is_low_above_high)
    assert structure({"low": 1, "high": 2}, kind).problems == ()
    found = Problem(path="$.low", value_type="number", reason="above the high one", kind="disagreement")
    assert structure({"low": 3, "high": 2}, kind).problems == (found,)
    assert structure({"low": 3}, kind).problems == ()  # None cannot be compared


def test_a_check_is_not_run_without_what_it_needs() -> None:
    seen: list[Any] = []

    def note(model: Any) -> list[Disagreement]:
        seen.append(model)
        return []

    for body in ({}, {"low": 1}, {"high": 0}, {"high": 2}):
        structure(body, checked("high", note))
    assert [model.high for model in seen] == [0.0, 2.0]


@pytest.mark.parametrize("error", [ZeroDivisionError, AttributeError, TypeError, ValueError])
def test_a_check_that_cannot_compare_finds_nothing(error: type[Exception]) -> None:
    def fail(_: Any) -> list[Disagreement]:
        raise error

    for given in (None, "low"):
        assert structure({"low": 1}, checked(given, fail)).problems == ()


def test_numbers_of_the_codec_are_those_of_the_code() -> None:
    """The code that is generated for numbers reads the same as their codec, at each bound."""
    for raw in (EXACT, -EXACT, float_info.max, 0, -1, 5e-324):
        model, *_ = read_noting({"number": raw})
        assert model.number == NUMBER.read(raw)
