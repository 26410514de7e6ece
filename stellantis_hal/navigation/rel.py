"""A relation that knows what lies behind it.

Knows a name and a type. Must not know how the one becomes the other.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

__all__ = ["Rel"]

T = TypeVar("T")


@attrs.frozen
class Rel(Generic[T]):
    """A typed relation: ``TRIP = Rel("trip", Trip)``; ``await vehicle.follow(TRIP)`` is a ``Trip`` to type checkers.

    Attributes:
        name: the relation as in :meth:`~stellantis_hal.navigation.resource.HalResource.follow`.
        type: what the client makes of the resource behind it.
        accept: the media type to ask for; None: what the link hints at.
    """

    name: str
    type: type[T]
    accept: str | None = None
