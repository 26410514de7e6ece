"""What there is one of for each vehicle: its latest status, its maintenance, its last position.

Knows their links and media types. Must not know what vehicles are.
"""

from __future__ import annotations

from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.queries import OptionalEndpoint
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.status_history import latest

__all__ = ["LAST_POSITION", "MAINTENANCE", "STATUS"]

STATUS = OptionalEndpoint("status", Status, find=latest)
MAINTENANCE = OptionalEndpoint("maintenance", Maintenance)
LAST_POSITION = OptionalEndpoint("lastPosition", Position, accept="application/vnd.geo+json")
