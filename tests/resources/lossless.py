"""Where each scalar of a body is found after reading: in an attribute, among the extras, or in a problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.field_mapping import Path, schema_of
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.typed_resource import TypedResource

Place = tuple[str | int, ...]


def scalars(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield each scalar of a JSON value that says something, with its place: null says nothing."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from scalars(item, (*place, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from scalars(item, (*place, index))
    elif value is not None:
        yield place, value


def json_path(place: Place) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


def audit(body: dict[str, Any], kind: type[Model], *, links: bool = True) -> tuple[Counter[str], list[str]]:
    """Read a body, and count where its scalars are; return the counts and the paths of those that are nowhere.

    Links of a body that is a resource are read from the resource, as what :class:`User` embeds is.
    """
    model = read(body, kind)
    problems = [problem.path for problem in model.problems]
    counts, lost = Counter[str](), []
    for place, value in scalars(body):
        path = json_path(place)
        if any(path == told or path.startswith((f"{told}.", f"{told}[")) for told in problems):
            counts["problems"] += 1
        elif links and place[0] == "_links" and issubclass(kind, TypedResource):
            counts["links"] += 1
        else:
            found = _find(model, kind, place, value)
            counts[found or "lost"] += 1
            lost += [] if found else [path]
    counts["scalars"] = sum(counts.values())
    return counts, lost


def _find(model: Any, kind: type[Model], place: Place, value: Any) -> str | None:
    """Return where a scalar is that stands at a place of a body read as a model."""
    if _at(model.extra, place) == value:
        return "extra"
    schema = schema_of(kind)
    keys: Path = tuple(key for key in place if isinstance(key, str))
    if place[0] == "_embedded" and place[1] in getattr(kind, "__embedded__", ()):
        return "embedded"
    if schema.constants.get(keys) == value or (keys in schema.constants and value in schema.constants.values()):
        return "constants"
    if place[0] in schema.flat:  # an older generation, read into another place
        found: Any = model
        for name in schema.flat[str(place[0])]:
            found = getattr(found, name, None)
        if isinstance(found, Model) and len(place) > 1:
            return _find(found, type(found), place[1:], value)
        return "typed" if found == value else None
    for field in schema.fields:
        for path in field.paths:
            if place[: len(path)] != path:
                continue
            rest, found = place[len(path) :], getattr(model, field.name)
            candidates = found if field.many else (found,)
            for candidate in candidates:
                inner = rest[1:] if rest and isinstance(rest[0], int) else rest
                if field.model is None:
                    if candidate is None:
                        continue
                    if rest and not field.many:  # a number of a position
                        if isinstance(rest[0], int) and candidate[rest[0] : rest[0] + 1] == (value,):
                            return "typed"
                    elif _is(field, candidate, value):
                        return "typed"
                elif candidate is not None and inner and (where := _find(candidate, field.model, inner, value)):
                    return where
    return None


def _is(field: Any, attribute: Any, value: Any) -> bool:
    """Return whether an attribute is what a scalar reads as."""
    try:
        return bool(field.codec.read(value) == attribute)
    except ValueError:
        return False


def _at(value: Any, place: Place) -> Any:
    for step in place:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value
