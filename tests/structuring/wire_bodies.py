"""Bodies of every model class, made from its schema, and mutations of them as JSON text."""

from __future__ import annotations

import copy
import functools
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from random import Random
from typing import Any

import attrs

import stellantis_hal.notifications
import stellantis_hal.resources
from stellantis_hal.resources.blocks.energy import BatteryLoad, ElectricExtension, EnergyBattery
from stellantis_hal.resources.missing_value_codes import TIME_OF_DAY
from stellantis_hal.resources.position import COORDINATES
from stellantis_hal.resources.trip import Trip, TripKinetic
from stellantis_hal.structuring.field_mapping import FieldSchema, Path, schema_of
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.scalars import BOOLEAN, DURATION, INSTANT, INTEGER, NUMBER, SECONDS, STRING

Pairs = list[tuple[str, Any]]


@attrs.frozen
class Token:
    """JSON that Python has no value for."""

    text: str


@attrs.frozen
class Object:
    """A JSON object as its members in order, in which a key may occur twice."""

    members: Pairs = attrs.field(factory=list)


def model_classes() -> list[type[Model]]:
    """Return every class of the library that is read from JSON, by name."""
    for package in (stellantis_hal.resources, stellantis_hal.notifications):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found = {kind for kind in _below(Model) if kind.__module__.startswith("stellantis_hal.")}
    found = {kind for kind in found if getattr(sys.modules[kind.__module__], kind.__name__, None) is kind}
    return sorted(found, key=lambda kind: kind.__name__)


def _below(kind: type) -> Iterator[type]:
    subclasses: list[type] = kind.__subclasses__()
    for sub in subclasses:
        yield sub
        yield from _below(sub)


# ------------------------------------------------------------------------------------------------- samples

_TEXTS = {STRING: "text", INSTANT: "2023-09-12T09:41:10.911Z", DURATION: "PT1H30M", TIME_OF_DAY: "PT14H30M"}
# Figures that do not contradict each other.
_AGREEING: dict[type[Model], dict[str, Any]] = {
    Trip: {"startedAt": "2023-09-12T08:51:10.911Z", "distance": 100},
    EnergyBattery: {"capacity": 50_000.0},
    TripKinetic: {"avgSpeed": 33.3, "maxSpeed": 150},
    BatteryLoad: {"capacity": 50_000.0, "residual": 6_250.0},
    ElectricExtension: {"residual": {"consumption": 6.25}},
}
_FIGURES = {NUMBER: 12.5, INTEGER: 7, SECONDS: 3000, BOOLEAN: True}


def sample(kind: type[Model]) -> dict[str, Any]:
    """Return a body in which every field of a class has a value, in the newest generation of names."""
    body = _members(kind)
    if "_resource" in attrs.fields_dict(kind):
        body["_links"] = {"self": {"href": "https://api.example/things/1"}}
    return body


def _members(kind: type[Model]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    schema = schema_of(kind)
    for path, constant in schema.constants.items():
        _put(body, path, "Point" if path[0] == "geometry" else constant)
    for field in schema.fields:
        value = _value(field)
        _put(body, field.paths[0], [value] if field.many else value)
    return body | _AGREEING.get(kind, {})


def _put(body: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        body = body.setdefault(key, {})
    body[path[-1]] = value


def _value(field: FieldSchema) -> Any:
    if field.model is not None:
        return _members(field.model)
    codec = field.codec
    if codec is not None and codec.members:
        return next(iter(codec.members))
    if codec is COORDINATES:
        return [2.25, 48.75, 35.5]
    for table in (_TEXTS, _FIGURES):
        for known, value in table.items():
            if codec is known:
                return value
    if codec is not None and codec.attempt is not None:
        return {"boolExp": "a", "triggers": [{"name": "a", "data": {"data": "x", "op": "le", "value": ["20"]}}]}
    return 12.5 if codec is not None and codec.none is not None else "12"


# ------------------------------------------------------------------------------------------------- mutations

_VALUES: tuple[Any, ...] = (
    None, True, False, "", "x", "Feature", "Point", [], Object(), [None], [[]], [Object()], 0, -1, 1, 100, 101, 215,
    1e300, -5.5, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 2**70, -(2**63), -(2**64), Token("-0"), Token("-0.0"),
    Token("1e2"),
    Token("1E400"), Token("-1e999"), Token("1" * 400), Token("0.1234567890123456789"), Token('"\\ud800"'),
    Token('"\\ud83d\\ude00"'), Token('"\\udc00 x"'), "\u00e9\u4e2d", "\U0001f697",
    "2023-09-12T09:41:10Z", "2023-09-12T09:41:10.1234567Z", "2023-09-12T09:41:10.123456789Z",
    "2023-09-12T09:41:10+02:00", "2023-09-12T09:41:10.652+0000", "2023-09-12T23:59:60Z", "2023-09-12t09:41:10z",
    "2023-09-12", "2023-09-12T09:41:10", "Mon Jun 03 08:35:36 GMT 2019", "2999-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999999Z", "PT1H", "PT34H7M", "P1Y", "-PT5M", "P1W", "12.5",
    "NaN", "00000000-0000-0000-0000-000000000000",
    [0, 0], [0.0, 0.0, 5], [2, 48], [2.5], [2.5, 48.5, None], [2.5, 48.5, 1, 2], ["x", 1], [1, [2]],
    ["Mon", "Xyz", None],
)  # fmt: skip


def mutate(body: Any, random: Random, keys: list[str]) -> str:
    """Return a body as JSON text with one to three changes; now and then without any.

    Args:
        body: the body.
        random: the source of chance.
        keys: keys that may be added, such as those of older generations.
    """
    tree = _tree(body)
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 3))):
        _change(tree, random, keys)
    return _text(tree, random)


def keys_of(kind: type[Model]) -> list[str]:
    """Return every key of a class, of older generations too, and some that it does not know."""
    schema = schema_of(kind)
    keys = {key for field in schema.fields for path in field.paths for key in path} | {*schema.flat}
    for field in schema.fields:
        keys |= {*keys_of(field.model)} if field.model is not None else set()
    return [*sorted(keys), "_links", "_embedded", "unknown", "mood", 'a"b', "a\\b", "\u00e9", ""]


def _tree(value: Any) -> Any:
    if isinstance(value, dict):
        return Object([(key, _tree(inner)) for key, inner in value.items()])
    return [_tree(item) for item in value] if isinstance(value, list) else value


def _objects(value: Any) -> Iterator[Any]:
    """Return the objects and arrays at any depth."""
    if isinstance(value, Object):
        yield value
        for _, inner in value.members:
            yield from _objects(inner)
    elif isinstance(value, list):
        yield value
        for item in value:
            yield from _objects(item)


def _change(tree: Any, random: Random, keys: list[str]) -> None:
    places = [*_objects(tree)]
    place = random.choice(places)
    entries: list[Any] = place.members if isinstance(place, Object) else place
    if random.random() < 0.8:
        new = random.choice(_VALUES)
        new = copy.deepcopy(new) if type(new) is list else new  # it may be changed itself
    else:
        new = random.choice(places[1:] or [Object()])
    if any(found is place for found in _objects(new)):
        new = None  # it would contain itself
    if new == [] or (isinstance(new, Object) and not new.members):
        new = type(new)()  # others of it stay as they are
    chance = random.random()
    if not entries or chance < 0.15:
        key = random.choice(keys)
        entries.append((key, new) if isinstance(place, Object) else new)
        return
    index = random.randrange(len(entries))
    if chance < 0.25:
        del entries[index]
    elif chance < 0.3:
        random.shuffle(entries)
    elif not isinstance(place, Object):
        entries[index] = new
    elif chance < 0.4:
        entries.append((entries[index][0], new))  # twice
    elif chance < 0.5:
        entries[index] = (random.choice(keys), entries[index][1])
    elif chance < 0.55:
        entries[index] = (entries[index][0], _nested(random.choice((3, 60)), entries[index][1]))
    elif chance < 0.6:
        entries[index] = (entries[index][0], [entries[index][1]])
    else:
        entries[index] = (entries[index][0], new)


def _nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def _text(tree: Any, random: Random) -> str:
    if isinstance(tree, Token):
        return tree.text
    if isinstance(tree, Object):
        space = random.choice(("", "", " ", "\n"))
        members = ",".join([f"{_key(key, random)}:{space}{_text(value, random)}" for key, value in tree.members])
        return f"{{{space}{members}}}"
    if isinstance(tree, list):
        return f"[{','.join([_text(item, random) for item in tree])}]"
    return _leaf(tree, random.random() < 0.5)


def _key(key: str, random: Random) -> str:
    if key and random.random() < 0.01:
        return f'"\\u{ord(key[0]):04x}{json.dumps(key[1:])[1:]}'
    return _quoted(key)


@functools.lru_cache(maxsize=4_096, typed=True)
def _leaf(value: Any, ensure_ascii: bool) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii)


@functools.cache
def _quoted(key: str) -> str:
    return json.dumps(key)
