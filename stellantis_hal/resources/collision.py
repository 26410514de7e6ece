"""Collisions.

Knows how bad they can be. Must not know how they are found.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["Collision", "CollisionDetail", "CollisionSeverity", "CollisionSide"]


class CollisionSide(OpenEnum):
    """Where the vehicle was hit."""

    FRONT = "Front"
    REAR = "Rear"
    LATERAL = "Lateral"


class CollisionSeverity(OpenEnum):
    """How bad it was: no system set off, belts tightened, airbags too."""

    MINIMAL = "Minimal"
    MINOR = "Minor"
    MAJOR = "Major"


@attrs.frozen(kw_only=True, weakref_slot=False)
class CollisionDetail(Model):
    """One side that was hit, and how badly."""

    side: CollisionSide | None = None
    severity: CollisionSeverity | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Collision(TypedResource):
    """One collision.

    Attributes:
        id: the vendor's.
        created_at: when its record was made.
        updated_at: when its record was last changed.
        details: where the vehicle was hit.
        tipped_over: whether it tipped over; not every vehicle can tell.
        pedestrian: whether a pedestrian was hit; not every vehicle can tell.
    """

    id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    details: tuple[CollisionDetail, ...] = ()
    tipped_over: bool | None = None
    pedestrian: bool | None = None
