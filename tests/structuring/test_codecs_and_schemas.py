"""Scalar codecs and schemas: each value, message and member of them exactly."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import inf, nan
from typing import Annotated, Any, ClassVar
from uuid import UUID

import attrs
import pytest

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.resources.blocks.energy import EnergyType
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.extra import Extra
from stellantis_hal.structuring.field_mapping import (
    ClassSchema,
    FieldSchema,
    Path,
    is_unread,
    names,
    schema_of,
    unread,
)
from stellantis_hal.structuring.hooks import make_converter
from stellantis_hal.structuring.json_schema import json_schema
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import ConsistencyCheck, RawProblem, SentinelValueError
from stellantis_hal.structuring.scalars import (
    BOOLEAN,
    DURATION,
    INSTANT,
    INTEGER,
    NUMBER,
    SECONDS,
    STRING,
    ScalarCodec,
    Seconds,
    attempt_of,
    base_type,
    codec_of,
    parent_of,
    real_type,
    writer_of,
)
from stellantis_hal.structuring.timestamps import read_duration, read_instant, write_duration, write_instant

AT = datetime(2023, 9, 12, 9, 41, 10, tzinfo=UTC)

READ: list[tuple[ScalarCodec, Any, Any]] = [
    (STRING, "a", "a"),
    (BOOLEAN, False, False),
    (NUMBER, 5, 5.0),
    (NUMBER, -0.5, -0.5),
    (INTEGER, 5, 5),
    (INTEGER, 5.0, 5),
    (INTEGER, -(2**70), -(2**70)),
    (INSTANT, "2023-09-12T09:41:10Z", AT),
    (INSTANT, "2023-09-12T11:41:10+02:00", AT),
    (INSTANT, "Tue Sep 12 09:41:10 GMT 2023", AT),
    (DURATION, "PT1H", timedelta(hours=1)),
    (SECONDS, 90, timedelta(seconds=90)),
    (SECONDS, -1.5, timedelta(seconds=-1.5)),
    (SECONDS, 10**9, timedelta(seconds=10**9)),
]

REFUSED: list[tuple[ScalarCodec, Any, str]] = [
    (STRING, 5, "not a string"),
    (BOOLEAN, 1, "not a boolean"),
    (NUMBER, True, "not a number"),
    (NUMBER, "1", "not a number"),
    (NUMBER, 10**400, "a number too large to hold"),
    (NUMBER, inf, "not a finite number"),
    (NUMBER, nan, "not a finite number"),
    (INTEGER, True, "not a number"),
    (INTEGER, 1.5, "not a whole number"),
    (INTEGER, 1.2345678901234568e29, "a whole number too large to be read exactly"),
    (INTEGER, -(2.0**53), "a whole number too large to be read exactly"),
    (INTEGER, "1", "not a number"),
    (INSTANT, 5, "not a string"),
    (INSTANT, "soon", "not an instant"),
    (INSTANT, "2023-13-12T09:41:10Z", "no such instant"),
    (INSTANT, "Mon Jun 33 08:35:36 GMT 2019", "no such instant"),
    (DURATION, 5, "not a string"),
    (DURATION, "1 hour", "not an ISO 8601 duration"),
    (DURATION, "P1Y", "years and months have no fixed length"),
    (DURATION, "P1M", "years and months have no fixed length"),
    (DURATION, "P1Y1M", "years and months have no fixed length"),
    (DURATION, f"P{'9' * 20}D", "a duration too long to hold"),
    (DURATION, f"P{'9' * 400}D", "a duration too long to hold"),
    (SECONDS, True, "not a number"),
    (SECONDS, 1e300, "a duration too long to hold"),
    (SECONDS, 10**400, "a number too large to hold"),
]


@pytest.mark.parametrize(("codec", "raw", "value"), READ)
def test_a_codec_reads_what_fits(codec: ScalarCodec, raw: Any, value: Any) -> None:
    found, problems = codec.read(raw), list[RawProblem]()
    assert (found, type(found), getattr(found, "tzinfo", UTC)) == (value, type(value), UTC)
    assert attempt_of(codec)(raw, ".x", problems) == value
    assert problems == []


@pytest.mark.parametrize(("codec", "raw", "reason"), REFUSED)
def test_a_codec_refuses_the_rest_with_its_reason(codec: ScalarCodec, raw: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        codec.read(raw)
    assert str(caught.value) == reason
    problems = list[RawProblem]()
    assert attempt_of(codec)(raw, ".x", problems) is None
    kind = {bool: "boolean", str: "string"}.get(type(raw), "number")
    assert problems == [(".x", kind, reason, "unreadable")]


def test_a_sentinel_is_recorded_as_one() -> None:
    def none(_: Any) -> Any:
        raise SentinelValueError("none is meant")

    problems = list[RawProblem]()
    assert attempt_of(ScalarCodec(none, str))([], ".x", problems) is None
    assert problems == [(".x", "array", "none is meant", "sentinel")]


@pytest.mark.parametrize(
    ("codec", "value", "raw"),
    [
        (SECONDS, timedelta(minutes=1), 60),
        (SECONDS, timedelta(seconds=1.5), 1.5),
        (SECONDS, "own", "own"),
        (INSTANT, AT, "2023-09-12T09:41:10Z"),
        (INSTANT, 5, 5),
        (DURATION, timedelta(hours=1), "PT1H"),
        (DURATION, None, None),
        (STRING, "a", "a"),
    ],
)
def test_a_codec_writes_values_of_its_type(codec: ScalarCodec, value: Any, raw: Any) -> None:
    written = codec.write(value)
    assert (written, type(written)) == (raw, type(raw))
    assert writer_of(type(value), lambda found: ("written", found))(value) == ("written", value)
    assert writer_of(bytes, lambda found: ("written", found))(value) == value


def test_codecs_of_types() -> None:
    kinds: list[Any] = [str, bool, float, int, datetime, timedelta, Seconds, object, list[int], Annotated[float, []]]
    found = [STRING, BOOLEAN, NUMBER, INTEGER, INSTANT, DURATION, SECONDS, None, None, None]
    assert [codec_of(kind) for kind in kinds] == found
    assert [base_type(kind) for kind in (Seconds, Annotated[float, "x"], str)] == [
        timedelta,
        Annotated[float, "x"],
        str,
    ]
    assert [parent_of(kind) for kind in (EnergyType, bool, datetime, float, int)] == [str, int, date, None, None]
    assert [real_type(kind) for kind in (datetime, date, object, str, 5)] == [datetime, date, object, str, 5]


def test_the_codec_of_an_enumeration() -> None:
    codec = codec_of(EnergyType)
    assert codec is not None
    assert codec.members == {"Fuel": EnergyType.FUEL, "Electric": EnergyType.ELECTRIC}
    assert codec.read("Fuel") is EnergyType.FUEL
    assert [codec.read("Steam"), codec.write(EnergyType.FUEL)] == ["Steam", "Fuel"]
    assert type(codec.write(EnergyType.FUEL)) is str
    with pytest.raises(ValueError, match=r"^not a string$"):
        codec.read(5)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2016-12-31T23:59:60.75Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31t23:59:60+00:00", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2023-09-12T08:41:10,5-0100", AT.replace(microsecond=500_000)),
        ("2023-09-12 09:41:10Z", AT),
    ],
)
def test_rare_spellings_of_instants(text: str, instant: datetime) -> None:
    assert (read_instant(text), read_instant(text).tzinfo) == (instant, UTC)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(), "PT0S"),
        (timedelta(days=1), "P1D"),
        (timedelta(days=1, seconds=1), "P1DT1S"),
        (timedelta(hours=1, minutes=2, seconds=3), "PT1H2M3S"),
        (timedelta(hours=2), "PT2H"),
        (timedelta(seconds=59), "PT59S"),
        (timedelta(seconds=60), "PT1M"),
        (timedelta(milliseconds=500), "PT0.5S"),
        (timedelta(seconds=10, microseconds=10), "PT10.00001S"),
        (timedelta(microseconds=-1), "-PT0.000001S"),
        (timedelta(hours=-25), "-P1DT1H"),
    ],
)
def test_durations_are_written_as_short_as_they_can_be(span: timedelta, text: str) -> None:
    assert write_duration(span) == text
    assert read_duration(text) == span


def test_instants_are_written_alike_in_any_zone() -> None:
    for microsecond, decimals in [(0, ""), (911_000, ".911"), (911_001, ".911001"), (1_001, ".001001"), (1, ".000001")]:
        moment = AT.replace(microsecond=microsecond)
        for instant in (moment, datetime.fromisoformat(moment.isoformat().replace("09:41", "11:41")[:-6] + "+02:00")):
            assert write_instant(instant) == f"2023-09-12T09:41:10{decimals}Z"


@pytest.mark.parametrize(
    ("kind", "raw", "reason"),
    [
        (Decimal, "ten", "not a number"),
        (Decimal, "NaN", "not a number"),
        (Decimal, inf, "not a finite number"),
        (Decimal, True, "not a number"),
        (date, "soon", "not a date"),
        (time, "25:00", "not a time of day"),
        (UUID, "1", "not a UUID"),
        (UUID, 1, "not a string"),
    ],
)
def test_standard_types_name_what_they_miss(kind: Any, raw: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        make_converter().structure(raw, kind)
    assert str(caught.value) == reason


# ------------------------------------------------------------------------------------------------- schemas


@attrs.frozen(kw_only=True)
class Inner(Model):
    """An inner one.

    With more text.
    """

    own_name: str | None = None


def outer() -> type[Model]:
    """Make a class that uses each part of a schema."""

    @attrs.frozen(kw_only=True)
    class Outer(Model):
        __constants__: ClassVar[dict[Path, str]] = {("type",): "Feature", ("place", "type"): "Point"}
        __linked__: ClassVar[frozenset[str]] = frozenset({"_links"})
        __embedded__: ClassVar[frozenset[str]] = frozenset({"items"})
        __flat__: ClassVar[dict[str, Path]] = {"flatName": ("inner", "own_name")}
        __check__: ClassVar[ConsistencyCheck] = CHECK

        inner: Inner | None = None
        inners: tuple[Inner, ...] = attrs.field(default=(), metadata=names("inners", ("place", "deep", "inners")))
        x: float | None = attrs.field(default=None, metadata=names(("place", "x"), "x", unit="km", minimum=-1.5))
        level: float | None = attrs.field(default=None, metadata=names(unit="percent"))
        share: float | None = attrs.field(default=None, metadata=names(unit="percent", minimum=5))
        used: float | None = attrs.field(default=None, metadata=names("used", unit="a|b", unit_by=unit_by))
        planned_for_: datetime | None = attrs.field(default=None, metadata=names(may_be_ahead=True))
        tags: tuple[Annotated[str, "of the user"], ...] = ()
        either: int | str | None = None
        swapped: str | None = attrs.field(default=None, metadata=names("x_new", "inner"))
        set_later: str | None = attrs.field(default=None, metadata=unread())

    return Outer


CHECK = ConsistencyCheck(lambda model: ())


def unit_by(_: Any) -> str:
    return "a"


def test_the_schema_of_a_class_is_derived_from_it() -> None:
    kind = outer()
    schema = schema_of(kind)
    assert schema is schema_of(kind)
    deep = ("place", "deep", "inners")
    assert schema == ClassSchema(
        kind=kind,
        fields=(
            FieldSchema(name="inner", paths=(("inner",),), type=Inner, model=Inner),
            FieldSchema(name="inners", paths=(("inners",), deep), type=Inner, model=Inner, many=True),
            FieldSchema(
                name="x", paths=(("place", "x"), ("x",)), type=float, codec=NUMBER, unit="km", within=(-1.5, inf)
            ),
            FieldSchema(
                name="level", paths=(("level",),), type=float, codec=NUMBER, unit="percent", within=(0.0, 100.0)
            ),
            FieldSchema(name="share", paths=(("share",),), type=float, codec=NUMBER, unit="percent", within=(5, 100.0)),
            FieldSchema(name="used", paths=(("used",),), type=float, codec=NUMBER, unit="a|b", unit_by=unit_by),
            FieldSchema(name="planned_for_", paths=(("plannedFor",),), type=datetime, codec=INSTANT, may_be_ahead=True),
            FieldSchema(name="tags", paths=(("tags",),), type=str, codec=STRING, many=True),
            FieldSchema(name="either", paths=(("either",),), type=int | str),
            FieldSchema(name="swapped", paths=(("x_new",), ("inner",)), type=str, codec=STRING),
        ),
        constants={("type",): "Feature", ("place", "type"): "Point"},
        known=frozenset(
            {"_links", "inner", "inners", "place", "x", "level", "share", "used", "plannedFor", "tags", "either"}
            | {"x_new", "type"}
        ),
        containers={
            ("place",): frozenset({"deep", "x", "type"}),
            ("place", "deep"): frozenset({"inners"}),
            ("_embedded",): frozenset({"items"}),
        },
        flat={"flatName": ("inner", "own_name")},
        older={
            deep: (("inners",), deep),
            ("x",): (("place", "x"), ("x",)),
            ("flatName",): (("inner",), ("flatName",)),
        },
        check=CHECK,
    )
    assert [field.name for field in attrs.fields(kind) if is_unread(field)] == ["set_later"]


def test_the_schema_of_a_plain_class_has_nothing_more() -> None:
    assert schema_of(Inner) == ClassSchema(
        kind=Inner,
        fields=(FieldSchema(name="own_name", paths=(("ownName",),), type=str, codec=STRING),),
        constants={},
        known=frozenset({"ownName"}),
        containers={},
        flat={},
        older={},
        check=None,
    )


def test_metadata_of_a_field_has_what_was_given_alone() -> None:
    assert dict(names()) == {}
    assert names(minimum=0) == names(minimum=0.0) != {}
    assert [*names("a", ("b", "c")).values()] == [(("a",), ("b", "c"))]
    assert [*names(unit="km").values()] == ["km"]
    assert [*names(unit="percent").values()] == ["percent", (0.0, 100.0)]


def test_the_json_schema_of_a_class_is_whole() -> None:
    @attrs.frozen(kw_only=True)
    class Bare(Model):
        inners: tuple[Inner, ...] = attrs.field(default=(), metadata=names(("a", "b", "inners")))
        kind: EnergyType | None = attrs.field(default=None, metadata=names(("a", "kind")))
        span: Seconds | None = attrs.field(default=None, metadata=names(unit="s"))
        texts: tuple[str, ...] = ()

    Bare.__doc__ = None
    inner = {
        "title": "Inner",
        "description": "An inner one.",
        "type": "object",
        "properties": {"ownName": {"type": "string"}},
    }
    assert json_schema(Bare) == {
        "title": "Bare",
        "description": "A typed value read from a JSON object. Equal by value.",  # of the class above
        "type": "object",
        "properties": {
            "a": {
                "type": "object",
                "properties": {
                    "b": {"type": "object", "properties": {"inners": {"type": "array", "items": inner}}},
                    "kind": {"type": "string", "examples": ["Fuel", "Electric"]},
                },
            },
            "span": {"type": "number", "x-unit": "s"},
            "texts": {"type": "array", "items": {"type": "string"}},
        },
    }
    assert json_schema(outer())["properties"]["place"]["properties"]["type"] == {"const": "Point"}
    assert json_schema(outer())["properties"]["type"] == {"const": "Feature"}


# ------------------------------------------------------------------------------------------------- writing


def unstructured(model: Model) -> dict[str, Any]:
    written: dict[str, Any] = make_converter().unstructure(model)
    return written


@pytest.mark.parametrize("write", [Model.to_dict, unstructured])
def test_values_are_written_in_their_places(write: Callable[[Model], dict[str, Any]]) -> None:
    body = {
        "type": "Feature",
        "place": {"x": 1.5, "type": "Point", "mood": {"deep": [1]}},
        "inners": [{"ownName": "a", "new": 1}, {}],
        "plannedFor": "2023-09-12T09:41:10Z",
        "tags": ["t"],
        "mood": None,
    }
    assert write(read_as(outer(), body)) == body
    assert write(read_as(outer(), {})) == {"type": "Feature"}


def read_as(kind: type[Model], body: dict[str, Any]) -> Any:
    converter = make_converter()
    converter.register_structure_hook(int | str, lambda value, _: value)
    return converter.structure(body, kind)


def test_values_are_written_by_the_names_of_the_library() -> None:
    model = read_as(outer(), {"inners": [{"ownName": "a", "new": 1}], "place": {"x": 1}, "mood": 5})
    assert model.to_dict("python") == {
        "inners": [{"own_name": "a", "extra": {"new": 1}}],
        "x": 1.0,
        "extra": {"mood": 5},
    }


def test_extras_never_replace_what_a_field_has() -> None:
    written = Inner(own_name="a", extra=Extra({"ownName": "b", "c": {"d": 1}})).to_dict()
    assert written == {"ownName": "a", "c": {"d": 1}}
    kind: Any = outer()
    assert kind(x=1.0, extra=Extra({"place": {"x": 2, "y": 3}, "inner": {"a": 1}})).to_dict() == {
        "type": "Feature",
        "place": {"x": 1.0, "y": 3, "type": "Point"},
        "inner": {"a": 1},
    }
    assert kind(x=1.0, extra=Extra({"place": 5})).to_dict()["place"] == {"x": 1.0, "type": "Point"}


def test_a_class_that_is_shown_in_its_own_way_stays_so() -> None:
    @attrs.frozen(kw_only=True, repr=False)
    class Own(Model):
        def __repr__(self) -> str:
            return "own"

    assert repr(Own()) == "own"
    assert vars(Inner)["__repr__"] is redacted_repr


def test_flat_keys_are_read_into_their_places() -> None:
    converter = make_converter()
    converter.register_structure_hook(int | str, lambda value, _: value)
    kind = outer()
    found: Any = converter.structure({"flatName": "a"}, kind)
    assert (found.inner, dict(found.extra)) == (Inner(own_name="a"), {})
    found = converter.structure({"inner": {"ownName": "b"}, "flatName": "a"}, kind)
    assert (found.inner, dict(found.extra)) == (Inner(own_name="b"), {"flatName": "a"})
    found = converter.structure({"flatName": 5}, kind)
    assert [(problem.path, problem.reason) for problem in found.problems] == [("$.flatName", "not a string")]
    assert found.inner == Inner()


def test_a_body_is_not_changed_by_reading() -> None:
    body = {"ownName": "a", "x": {"y": [1]}}
    value = read(body, Inner)
    assert body == {"ownName": "a", "x": {"y": [1]}}
    assert value.extra["x"] is body["x"]
