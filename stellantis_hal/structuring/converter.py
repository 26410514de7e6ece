"""Typed values read from JSON objects and from resources, by a cattrs converter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary

import attrs
import cattrs
from cattrs.errors import StructureHandlerNotFoundError

from stellantis_hal.errors import StructureError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.structuring.compiler import CompiledReader
from stellantis_hal.structuring.document_removal import without_document
from stellantis_hal.structuring.future_limit import FutureLimit
from stellantis_hal.structuring.hooks import configure_converter, default_converter, is_configured
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import Problem, ProblemList, json_type, to_problems
from stellantis_hal.structuring.reporting import describe, report_problems
from stellantis_hal.structuring.typed_resource import ClockHolder, TypedResource, set_clock
from stellantis_hal.validation import require_flags, require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["TypedConverter", "read"]

M = TypeVar("M", bound=Model)
T = TypeVar("T")

_set: Final = object.__setattr__  # for frozen values that are not yet handed out


def read(body: Mapping[str, Any], kind: type[M], *, path: str = "$", strict: bool = False) -> M:
    """Read a plain JSON object as a typed value. The object is not changed.

    What cannot be read is None, or missing from its tuple, recorded in ``problems`` and logged once.

    Args:
        body: the object, as decoded from JSON.
        kind: the class to read it as.
        path: where it stands in its document, for the records.
        strict: whether to refuse a body in which anything cannot be read.

    Raises:
        StructureError: in strict mode, naming the paths of unreadable values.

    >>> from stellantis_hal.resources.trip import Trip
    >>> trip = read({"distance": 12, "startedAt": "soon", "mood": "sunny"}, Trip)
    >>> trip.distance, trip.started_at, trip.extra["mood"]
    (12.0, None, 'sunny')
    >>> [(problem.path, problem.reason) for problem in trip.problems]
    [('$.startedAt', 'not an instant')]
    """
    hook: Any = default_converter().get_structure_hook(kind)
    value: M = hook(body, path=path, strict=strict)
    return value


def _configured(converter: cattrs.Converter | None) -> cattrs.Converter:
    require_type("converter", converter, cattrs.Converter, None, instead="make_converter()")
    if converter is None:
        return default_converter()
    if not is_configured(converter):
        configure_converter(converter)
    return converter


def _left_out(value: Any) -> str:
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return f"items under another name than expected ({len(value)}): left out"
    return "no object, so no item: left out"


def _reason(error: BaseException, kind: type | None) -> str:
    """Say why cattrs could not read a value, without the value."""
    if isinstance(error, KeyError):
        return "a required field is missing"
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return "a key that the class has no field for"
    expected = "" if kind is None else f", expected {getattr(kind, '__name__', kind)}"
    return f"{type(error).__name__}{expected}"


@attrs.frozen
class TypedConverter:
    """Reads resources as typed values, by a cattrs converter. What a value leads to is read the same way.

    Any class that the converter structures will do: this library's, an attrs class or dataclass of your own, a class
    with a hook of its own. Hooks of your own for single types are honoured inside this library's classes too.

    Attributes:
        converter: the cattrs converter, best made by ``make_converter()``; this library's hooks are registered on one
            that has none. None: one that all clients share.
        strict: whether a body in which anything cannot be read is refused.
        keep_document: whether values keep a way to the bytes they were read from; if not, only their links are kept.
        clock: the wall clock; where it is the system's, that of the resource counts.

    A value that cannot be read is logged as a warning once for each path, at any index; after that, for
    debugging.
    """

    converter: cattrs.Converter = attrs.field(default=None, converter=_configured, repr=False)
    strict: bool = attrs.field(default=False, kw_only=True)
    keep_document: bool = attrs.field(default=True, kw_only=True)
    clock: Callable[[], datetime] = attrs.field(default=utc_now, kw_only=True)
    _horizon: FutureLimit = attrs.field(
        default=attrs.Factory(lambda self: FutureLimit(self.clock), takes_self=True), init=False, eq=False, repr=False
    )
    _reported: set[str] = attrs.field(factory=set, init=False, eq=False, repr=False)
    _contexts: WeakKeyDictionary[ResourceContext, ResourceContext] = attrs.field(
        factory=WeakKeyDictionary, init=False, eq=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        require_flags(strict=self.strict, keep_document=self.keep_document)

    def structure(self, resource: HalResource, kind: type[T]) -> T:
        """Read a resource as a typed value; one that knows its resource is bound to it.

        Raises:
            StructureError: in strict mode, naming all paths; or a class of your own does not fit the body.
            TypeError: the converter has no hook for the class.
        """
        try:
            hook = self.converter.get_structure_hook(kind)
        except StructureHandlerNotFoundError as error:
            raise TypeError(
                f"the client's converter cannot make a {kind.__name__}: register a hook for {error.type_} on a "
                "converter of make_converter() and pass it as converter="
            ) from error
        if not isinstance(hook, CompiledReader):
            return self._structure_by_hook(hook, resource, resource.value, kind)
        own = self._clock_of(resource.context)
        clock = None if own is utc_now else ClockHolder(own)
        wire = hook.wire
        encoded = None if wire is None else resource.document.encoded
        if wire is None or encoded is None:
            value = self._read_tolerantly(hook, resource, clock)
        else:
            value, problems = wire.read(encoded, self._horizon, clock)
            if value is None:
                value = self._read_tolerantly(hook, resource, clock)
                if wire.is_curious:
                    wire.learn(value)
            elif problems:
                self._record(hook, resource, value, problems)
        found: T = value
        if isinstance(value, TypedResource):
            _set(value, "_resource", self._kept(resource))
        return found

    def _read_tolerantly(self, hook: CompiledReader, resource: HalResource, clock: ClockHolder | None) -> Any:
        """Read a body as a model, and report what cannot be read."""
        body = resource.require_object()
        problems = ProblemList(self._horizon, clock)
        value = hook.read(body if type(body) is dict else dict(body), problems)
        if problems:
            self._record(hook, resource, value, problems)
        if clock is not None and not hook.is_own:
            set_clock(value, clock)  # of what hooks of the user made, too
        return value

    def _record(self, hook: CompiledReader, resource: HalResource, value: Any, problems: ProblemList) -> None:
        """Store the problems of a body in its model, and report them."""
        records = to_problems("$", problems)
        _set(value, "problems", records)
        strict = self.strict or hook.strict
        report_problems(hook.kind, records, strict=strict, reported=self._reported, url=lambda: resource.url)

    def record_disagreement(self, value: TypedResource, path: str, reason: str) -> None:
        """Record among the problems of a value that it contradicts what it was read of, and report it."""
        problem = Problem(path=path, value_type="object", reason=reason, kind="disagreement")
        _set(value, "problems", (*value.problems, problem))
        report_problems(type(value), (problem,), strict=False, reported=self._reported)

    def report_invalid_items(self, page: HalResource, values: Mapping[str, Any], kind: type[Any]) -> None:
        """Report what a page has in place of items and is left out, by path.

        Raises:
            StructureError: in strict mode, naming all paths.
        """
        problems = [
            Problem(path=path, value_type=json_type(value), reason=_left_out(value)) for path, value in values.items()
        ]
        report_problems(kind, problems, strict=self.strict, reported=self._reported, url=lambda: page.url)

    def _structure_by_hook(self, hook: Callable[[Any, Any], Any], resource: HalResource, body: Any, kind: type[T]) -> T:
        """Read by the user's hook, or by one that cattrs generates for the user's class."""
        try:
            value: T = hook(body, kind)
        except StructureError as error:
            raise StructureError(f"{error} (at {mask_url(resource.url)})", problems=error.problems) from None
        except cattrs.BaseValidationError as error:
            problems = [
                Problem(path=path, value_type="unknown", reason=reason)
                for reason, _, path in (
                    line.rpartition(" @ ") for line in cattrs.transform_error(error, format_exception=_reason)
                )
            ]
            raise StructureError(
                f"{kind.__name__} at {mask_url(resource.url)}: {describe(problems)}", problems=problems
            ) from None  # its parts quote the values
        except ValueError as error:
            problems = [Problem(path="$", value_type=json_type(body), reason=_reason(error, kind))]
            raise StructureError(
                f"{kind.__name__} at {mask_url(resource.url)}: {describe(problems)}", problems=problems
            ) from None
        if isinstance(value, TypedResource) and value.resource is None:
            return attrs.evolve(value, resource=self._kept(resource))
        return value

    def _clock_of(self, context: ResourceContext | None) -> Callable[[], datetime]:
        """Return this converter's clock; that of the resource where this one has none of its own."""
        return context.clock if context is not None and self.clock is utc_now else self.clock

    def _kept(self, resource: HalResource) -> HalResource:
        """Return the resource as values keep it: small, and leading to values that are read the same way."""
        context = resource.context
        if context is not None and context.converter is not self:
            context = self._context_of(context)
        if self.keep_document:
            return resource.compact(context)
        return without_document(
            resource if context is resource.context or context is None else resource.rebind(context)
        )

    def _context_of(self, context: ResourceContext) -> ResourceContext:
        """Return a context like another one, with this converter."""
        bound = self._contexts.get(context)
        if bound is None:
            bound = self._contexts[context] = attrs.evolve(context, converter=self, clock=self._clock_of(context))
        return bound
