"""Collisions."""

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
    """Severity: no system triggered, belts tightened, or airbags too."""

    MINIMAL = "Minimal"
    MINOR = "Minor"
    MAJOR = "Major"


@attrs.frozen(kw_only=True, weakref_slot=False)
class CollisionDetail(Model):
    """A side that was hit, and the severity."""

    side: CollisionSide | None = None
    severity: CollisionSeverity | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Collision(TypedResource):
    """One collision.

    Attributes:
        id: the vendor's id.
        vin: the vehicle's VIN, where a fleet owner reads it.
        created_at: when its record was created.
        updated_at: when its record was last changed.
        details: where the vehicle was hit.
        tipped_over: whether the vehicle tipped over; not every vehicle detects it.
        pedestrian: whether a pedestrian was hit; not every vehicle detects it.
    """

    id: str | None = None
    vin: str | None = attrs.field(default=None, repr=False)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    details: tuple[CollisionDetail, ...] = ()
    tipped_over: bool | None = None
    pedestrian: bool | None = None
