"""Typed values made of bodies and of resources, by cattrs.

Knows the converter and how to bind what it makes. Must not know any particular class.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import cattrs

from stellantis_hal.errors import StructureError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.structuring.compiler import reader_of
from stellantis_hal.structuring.links_only import without_document
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import Found, Problem, as_problems, json_type
from stellantis_hal.structuring.source import Provenance
from stellantis_hal.structuring.typed_resource import TypedResource

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["TypedConverter", "make_converter", "read"]

P = TypeVar("P", bound=Model)
R = TypeVar("R", bound=TypedResource)

_set = object.__setattr__  # for frozen values that are not yet handed out
_log = logging.getLogger("stellantis_hal")
_INDEX = re.compile(r"\[\d+\]")
_REMEMBERED = 1_000
_SHOWN = 20


def read(body: Mapping[str, Any], kind: type[P], *, path: str = "$", strict: bool = False) -> P:
    """Read a plain JSON object as a typed value. Nothing in it is changed.

    What cannot be read is None, or missing from its tuple, recorded in ``problems`` and logged once.

    Args:
        body: the object, as decoded from JSON.
        kind: the class to read it as.
        path: where it stands in its document, for the records.
        strict: whether to refuse a body in which anything cannot be read.

    Raises:
        StructureError: in strict mode, naming all paths; sentinels are no reason.

    >>> from stellantis_hal.resources.trip import Trip
    >>> trip = read({"distance": 12, "startedAt": "soon", "mood": "sunny"}, Trip)
    >>> trip.distance, trip.started_at, trip.extra["mood"]
    (12.0, None, 'sunny')
    >>> [(problem.path, problem.reason) for problem in trip.problems]
    [('$.startedAt', 'not an instant')]
    """
    found: list[Found] = []
    part: P = reader_of(kind)(_plain(body), found)
    if found:
        _report(part, found, path, strict=strict)
    return part


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    return body if type(body) is dict else dict(body)


def _report(
    part: Model, found: list[Found], path: str, *, strict: bool, told: set[str] | None = None, url: str = ""
) -> None:
    problems = as_problems(path, found)
    _set(part, "problems", problems)
    _tell(type(part), problems, strict=strict, told=told, url=url)


def _tell(kind: type[Model], problems: Iterable[Problem], *, strict: bool, told: set[str] | None, url: str) -> None:
    refused = [problem for problem in problems if not problem.is_sentinel]
    if strict and refused:
        number = "one value" if len(refused) == 1 else f"{len(refused)} values"
        raise StructureError(
            f"{kind.__name__}{url and f' at {mask_url(url)}'}: {number} cannot be read (strict=False makes them None): "
            f"{', '.join(map(_told, refused[:_SHOWN]))}{', …' if len(refused) > _SHOWN else ''}",
            problems=refused,
        )
    for problem in problems:
        is_news = told is None or _is_news(told, f"{kind.__name__}{_INDEX.sub('[]', problem.path)}")
        level = logging.WARNING if is_news and not problem.is_sentinel else logging.DEBUG
        _log.log(level, "%s: %s", kind.__name__, _told(problem))


def _is_news(told: set[str], place: str) -> bool:
    """Tell whether a place was not told of before, as far as is remembered."""
    if place in told or len(told) >= _REMEMBERED:
        return False
    told.add(place)
    return True


def _told(problem: Problem) -> str:
    return f"{problem.path} ({problem.value_type}): {problem.reason}"


def make_converter(*, strict: bool = False) -> cattrs.Converter:
    """Make a cattrs converter that reads and writes every typed class of this library.

    To be used where a program has a converter of its own; ``converter.structure(body, Trip)`` is :func:`read`.
    """
    converter = cattrs.Converter()
    converter.register_structure_hook_factory(_is_part, functools.partial(_structure_hook, strict=strict))
    converter.register_unstructure_hook_factory(_is_part, _unstructure_hook)
    return converter


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _structure_hook(kind: type[Model], *, strict: bool) -> Callable[[Any, Any], Model]:
    reader_of(kind)  # made once, when cattrs asks for the hook
    return lambda body, _: body if isinstance(body, kind) else read(body, kind, strict=strict)


def _unstructure_hook(_: type[Model]) -> Callable[[Model], dict[str, Any]]:
    return lambda part: part.to_dict()


@attrs.frozen(kw_only=True)
class TypedConverter:
    """How resources become typed values. What a value leads to is read the same way.

    Attributes:
        strict: whether a body in which anything cannot be read is refused.
        keep_document: whether values keep a way to the bytes they were read from; if not, their links are all that
            is left of them.
        clock: the wall clock.

    What cannot be read is logged as a warning once for each path, whatever the index; after that, for debugging.
    """

    strict: bool = False
    keep_document: bool = True
    clock: Callable[[], datetime] = utc_now
    _told: set[str] = attrs.field(factory=set, init=False, eq=False, repr=False)

    def __reduce__(self) -> tuple[Callable[[], TypedConverter], tuple[()]]:
        """Pickle without the clock, which may be anything and is the client's."""
        return functools.partial(TypedConverter, strict=self.strict, keep_document=self.keep_document), ()

    def read(self, resource: HalResource, kind: type[R]) -> R:
        """Read a resource as a typed value, bound to it.

        Raises:
            StructureError: in strict mode, naming all paths.
        """
        found: list[Found] = []
        value: R = reader_of(kind)(_plain(resource.document.body), found)
        if found:
            _report(value, found, "$", strict=self.strict, told=self._told, url=resource.url)
        kept = resource.compact() if self.keep_document else without_document(resource)
        _set(value, "_source", Provenance(kept, self))
        return value

    def lost(self, page: HalResource, strays: Mapping[str, Any], *, kind: type[TypedResource]) -> None:
        """Tell of what a page has in place of items, and that is left out.

        Raises:
            StructureError: in strict mode, naming all paths.
        """
        reason = "no object, so no item: left out"
        problems = [Problem(path=path, value_type=json_type(value), reason=reason) for path, value in strays.items()]
        _tell(kind, problems, strict=self.strict, told=self._told, url=page.url)
