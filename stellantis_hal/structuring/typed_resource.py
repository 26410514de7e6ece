"""A typed value that is a place in the graph: bound to the resource it was read from.

Knows how to get from a value to its resource, document and links. Must not know any particular class, or HTTP.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import attrs

from stellantis_hal.errors import DetachedResourceError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.source import Provenance

if TYPE_CHECKING:
    from stellantis_hal.hal.document import HalDocument
    from stellantis_hal.navigation.follow import Follow
    from stellantis_hal.navigation.link_selection import FollowOptions
    from stellantis_hal.navigation.rel import Rel
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["TypedResource"]

T = TypeVar("T")


@attrs.frozen(kw_only=True, weakref_slot=False)
class TypedResource(Model):
    """A typed value that knows where it came from. Equal by value, whatever the place.

    A value that is part of another (an energy of a status), or that was read from a plain mapping, has no place of
    its own: its ``resource`` and ``document`` are None.
    """

    _source: Provenance | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def resource(self) -> HalResource | None:
        """The untyped resource that it was read from; None where it has none."""
        return None if self._source is None else self._source.resource

    @property
    def document(self) -> HalDocument | None:
        """The document that it was read from, as it came; None where there is none or it was dropped."""
        return None if self._source is None else self._source.document

    @property
    def url(self) -> str | None:
        """Its own address; None where it has none."""
        return None if self._source is None else self._source.resource.url

    @property
    def age(self) -> float | None:
        """Seconds since it was made (``created_at``, else ``updated_at``), by the client's clock; None if unknown."""
        moment: datetime | None = getattr(self, "created_at", None) or getattr(self, "updated_at", None)
        if moment is None:
            return None
        return max(0.0, (self._now() - moment).total_seconds())

    def can(self, rel: str) -> bool:
        """Tell whether there is a link of this relation, without asking anybody."""
        return self._source is not None and self._source.resource.can(rel)

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[FollowOptions]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[FollowOptions]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[FollowOptions]) -> Follow[Any]:
        """Build a step along a link, as :meth:`stellantis_hal.navigation.resource.HalResource.follow` does.

        Raises:
            DetachedResourceError: this value has no place of its own.
        """
        return self._bound().resource.follow(rel, **options)

    def same_resource(self, other: object) -> bool:
        """Tell whether both are snapshots of the same thing: by id, or else by address."""
        if type(other) is not type(self):
            return False
        mine, others = getattr(self, "id", None), getattr(other, "id", None)
        if mine is not None or others is not None:
            return bool(mine == others)
        return self.url is not None and self.url == other.url

    def _now(self) -> datetime:
        return utc_now() if self._source is None else self._source.reader.clock()

    def _bound(self) -> Provenance:
        if self._source is None:
            raise DetachedResourceError(
                f"this {type(self).__name__} is part of another value or was read from a plain mapping: "
                "it has no links to follow"
            )
        return self._source
