"""The next maintenance."""

from __future__ import annotations

from datetime import datetime

import attrs

from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["Maintenance"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class Maintenance(TypedResource):
    """The next maintenance. Days and kilometres are negative where it is overdue.

    Attributes:
        vin: the vehicle's VIN, where a fleet owner reads it.
        days: days left.
        mileage: kilometres left.
        created_at: when this was computed.
        updated_at: when it was last changed.
    """

    vin: str | None = attrs.field(default=None, repr=False)
    days: int | None = attrs.field(default=None, metadata=names("daysBeforeMaintenance", unit="d"))
    mileage: float | None = attrs.field(default=None, metadata=names("mileageBeforeMaintenance", unit="km"))
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def is_due(self) -> bool | None:
        """Whether no days or no kilometres are left; None where neither is known."""
        left = [value for value in (self.days, self.mileage) if value is not None]
        return any(value <= 0 for value in left) if left else None
