"""Base class of typed values that know the resource they were read from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack, overload

import attrs

from stellantis_hal.errors import DetachedResourceError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.structuring.document_removal import LinksOnlyResource
from stellantis_hal.structuring.field_mapping import schema_of
from stellantis_hal.structuring.model import Model

if TYPE_CHECKING:
    from stellantis_hal.hal.document import HalDocument
    from stellantis_hal.navigation.follow import Follow
    from stellantis_hal.navigation.link_selection import FollowOptions
    from stellantis_hal.navigation.typed_rel import Rel

__all__ = ["ClockHolder", "TypedResource", "set_clock"]

T = TypeVar("T")


class ClockHolder:
    """The client's clock, as parts of a value keep it. It is no part of a pickled value."""

    __slots__ = ("now",)

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now: Callable[[], datetime] = now

    def __deepcopy__(self, _: object) -> ClockHolder:
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


@attrs.frozen(kw_only=True, weakref_slot=False)
class TypedResource(Model):
    """A typed value that knows the resource it was read from. Equal by value, wherever it was read.

    A value that is part of another (an energy of a status), or that was read from a plain mapping, has no resource of
    its own: its ``resource`` and ``document`` are None.
    """

    # Read by the resource; a part of another value, which has none, keeps its links as an extra.
    __linked__: ClassVar[frozenset[str]] = frozenset({"_links"})

    _resource: HalResource | None = attrs.field(default=None, eq=False, repr=False)
    _clock: ClockHolder | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def resource(self) -> HalResource | None:
        """The untyped resource that it was read from; None where it has none."""
        return self._resource

    @property
    def document(self) -> HalDocument | None:
        """The document that it was read from, as received; None where there is none or it was dropped."""
        resource = self._resource
        return None if resource is None or isinstance(resource, LinksOnlyResource) else resource.document

    @property
    def content(self) -> bytes:
        """The response body that it was read from, whole; empty where there is none or it was dropped."""
        resource = self._resource
        return b"" if resource is None or isinstance(resource, LinksOnlyResource) else resource.snapshot.content.raw

    @property
    def url(self) -> str | None:
        """Its own address; None where it has none."""
        return None if self._resource is None else self._resource.url

    @property
    def age(self) -> float | None:
        """Seconds since the later of ``created_at`` and ``updated_at``, by the client's clock; None if unknown."""
        known: list[datetime] = [
            moment for name in ("created_at", "updated_at") if (moment := getattr(self, name, None)) is not None
        ]
        if not known:
            return None
        moment = max(known)
        context = None if self._resource is None else self._resource.context
        own = utc_now if self._clock is None else self._clock.now
        now = own if context is None else context.clock
        return max(0.0, (now() - moment).total_seconds())

    def require_resource(self) -> HalResource:
        """Return the resource that it was read from.

        Raises:
            DetachedResourceError: it has none.
        """
        if self._resource is None:
            raise DetachedResourceError(
                f"this {type(self).__name__} is part of another value or was read from a plain mapping: "
                "it has no links to follow"
            )
        return self._resource

    def can(self, rel: str) -> bool:
        """Return whether there is a link of this relation; sends nothing."""
        return self._resource is not None and self._resource.can(rel)

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[FollowOptions]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[FollowOptions]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[FollowOptions]) -> Follow[Any]:
        """Build a step along a link, as :meth:`stellantis_hal.navigation.resource.HalResource.follow` does.

        Raises:
            DetachedResourceError: this value has no resource of its own.
        """
        return self.require_resource().follow(rel, **options)

    def same_resource(self, other: object) -> bool:
        """Return whether both are snapshots of the same thing: by id, or else by address."""
        if type(other) is not type(self):
            return False
        mine, others = getattr(self, "id", None), getattr(other, "id", None)
        if mine is not None or others is not None:
            return bool(mine == others)
        return self.url is not None and self.url == other.url


def set_clock(model: Model, clock: ClockHolder) -> None:
    """Set the clock of a value and its parts at any depth, before it is handed out."""
    if isinstance(model, TypedResource):
        object.__setattr__(model, "_clock", clock)
    for field in schema_of(type(model)).fields:
        if field.model is None:
            continue
        value = getattr(model, field.name)
        for part in value if field.many else (value,):
            if isinstance(part, Model):
                set_clock(part, clock)
