"""Endpoints of a vehicle's latest status, maintenance and last position."""

from __future__ import annotations

from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.status_history import find_latest
from stellantis_hal.resources.typed_requests import OptionalEndpoint

__all__ = ["LAST_POSITION", "MAINTENANCE", "STATUS"]

STATUS = OptionalEndpoint("status", Status, find=find_latest)
MAINTENANCE = OptionalEndpoint("maintenance", Maintenance)
LAST_POSITION = OptionalEndpoint("lastPosition", Position, accept="application/vnd.geo+json")
