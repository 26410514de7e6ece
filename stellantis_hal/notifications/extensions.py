"""Extensions of an event, read as the classes of the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from stellantis_hal.resources.alarm import Alarm
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.blocks.equipment import Doors
from stellantis_hal.resources.collision import Collision
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import Problem, json_type

__all__ = ["read_extensions", "read_models"]


class _Kind(NamedTuple):
    """An attribute of an event, how it is read, and the spellings of its key."""

    attribute: str
    model: type[Model] | None
    is_many: bool
    keys: tuple[str, ...]


_KINDS: Final = (
    _Kind("status", Status, False, ("status",)),
    _Kind("position", Position, False, ("position", "lastPosition")),
    _Kind("doors", Doors, False, ("doorState", "doorsState")),
    _Kind("maintenance", Maintenance, False, ("maintenance",)),
    _Kind("alerts", Alert, True, ("alerts", "alert")),
    _Kind("alarm", Alarm, False, ("alarm",)),
    _Kind("trip", Trip, False, ("trip",)),
    _Kind("telemetry", Telemetry, True, ("telemetry",)),
    _Kind("collisions", Collision, True, ("collisions", "collision")),
    _Kind("stolen", None, False, ("stolen",)),
)
_BY_KEY: Final = {key: kind for kind in _KINDS for key in kind.keys}


def read_extensions(value: Any, path: str, problems: list[Problem]) -> dict[str, Any]:
    """Return the attributes of an event that its extensions have.

    Args:
        value: the list of ``{type, body}``; a body is a list of objects with one key (B2C) or one object (B2B).
        path: where it stands.
        problems: gets a record of what cannot be read.
    """
    found: dict[str, Any] = {}
    many: dict[str, list[Any]] = {}  # lists: a body may repeat a kind thousands of times
    for kind, item, place in _entries(value, path, problems):
        if kind.model is None:
            found[kind.attribute] = item
        elif kind.is_many:
            many.setdefault(kind.attribute, []).extend(read_models(kind.model, item, place, problems))
        else:
            models = read_models(kind.model, item, place, problems)
            if models and kind.attribute not in found:
                found[kind.attribute] = models[0]
    return found | {attribute: tuple(models) for attribute, models in many.items()}


def read_models(kind: type[Model], value: Any, path: str, problems: list[Problem]) -> tuple[Any, ...]:
    """Return the objects of a value, a list of them or a single one, as models of a class."""
    if not isinstance(value, list):
        items = [(value, path)]
    else:
        items = [(item, f"{path}[{index}]") for index, item in enumerate(value)]
    models: list[Model] = []
    for item, place in items:
        if not isinstance(item, dict):
            problems.append(Problem(path=place, value_type=json_type(item), reason="not an object"))
            continue
        model = read(item, kind, path=place)
        problems.extend(model.problems)
        models.append(model)
    return tuple(models)


def _entries(value: Any, path: str, problems: list[Problem]) -> Iterator[tuple[_Kind, Any, str]]:
    extensions = value if isinstance(value, list) else [] if value is None else [value]
    for index, extension in enumerate(extensions):
        place = f"{path}[{index}]"
        body = extension.get("body") if isinstance(extension, dict) else None
        parts = body if isinstance(body, list) else [body]
        for position, part in enumerate(parts):
            inner = f"{place}.body[{position}]" if isinstance(body, list) else f"{place}.body"
            if not isinstance(part, dict):
                problems.append(Problem(path=inner, value_type=json_type(part), reason="no object with an extension"))
                continue
            known = [key for key in part if key in _BY_KEY]
            named = _kind_of(extension.get("type"))
            if named is not None and not any(_BY_KEY[key] is named for key in known):
                yield named, part, inner  # the contents themselves, without the key around them
                continue
            for key in known:
                yield _BY_KEY[key], part[key], f"{inner}.{key}"
            if not known:
                problems.append(Problem(path=inner, value_type="object", reason="an extension of an unknown type"))


def _kind_of(name: Any) -> _Kind | None:
    """Return the kind of ``vehicle.status``, or of ``vehicle.telemetry.Position``."""
    return _BY_KEY.get(name.removeprefix("vehicle.").partition(".")[0]) if isinstance(name, str) else None
