"""Thefts: from the report that a vehicle is stolen until it is found."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import attrs

from stellantis_hal.resources.cross_checks import check_period
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.typed_requests import paginate
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.problems import ConsistencyCheck
from stellantis_hal.structuring.typed_resource import TypedResource

if TYPE_CHECKING:
    from stellantis_hal.navigation.pagination.paginator import Paginator

__all__ = ["Theft"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class Theft(TypedResource):
    """One theft of a vehicle of a fleet. A status has one while the vehicle is reported stolen.

    Attributes:
        id: the vendor's id.
        active: whether the vehicle is still reported stolen.
        started_at: when it was reported stolen.
        ended_at: when the report ended.
        start_position: the last known position when it was reported stolen.
        end_position: the last known position when the report ended.
        created_at: when its record was created.
        updated_at: when its record was last changed.
    """

    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(check_period, given="ended_at")

    id: str | None = None
    active: bool | None = attrs.field(default=None, metadata=names("state"))
    started_at: datetime | None = None
    ended_at: datetime | None = attrs.field(default=None, metadata=names("endAt"))
    start_position: Position | None = None
    end_position: Position | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def waypoints(self) -> Paginator[Position]:
        """Paginate the positions of the vehicle since it was reported stolen.

        Raises:
            DetachedResourceError: the theft is the block of a status, which has no address: read ``vehicle.thefts()``.
        """
        return paginate(
            self.require_resource(),
            ("waypoints", "wayPoints"),
            Position,
            segment="waypoints",  # the vendor's thefts have no link to it
            embedded="positions",
            ranged=False,
        )
