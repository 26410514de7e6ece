"""Capabilities of a vehicle by its VIN, before its owner is asked for consent."""

from __future__ import annotations

from datetime import datetime

import attrs

from stellantis_hal.resources.blocks.capabilities import Capabilities, VehicleExtension
from stellantis_hal.resources.vehicle import Motorization
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["VehicleCapabilities"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class VehicleCapabilities(TypedResource):
    """What a vehicle supports, of any fleet or none.

    Attributes:
        vin: the vehicle identification number.
        motorization: the kind of drive.
        extension: the capabilities, and where asked for brand and pictures.
        created_at: when its record was made.
    """

    vin: str | None = attrs.field(default=None, repr=False)
    motorization: Motorization | None = None
    extension: VehicleExtension | None = attrs.field(default=None, metadata=names(("_embedded", "extension")))
    created_at: datetime | None = None

    @property
    def onboard(self) -> Capabilities:
        """The capabilities; empty where the response has none."""
        found = None if self.extension is None else self.extension.onboard_capabilities
        return Capabilities() if found is None else found

    def has(self, name: str) -> bool:
        """Return whether the vehicle has a capability; see :meth:`Capabilities.has`."""
        return self.onboard.has(name)
