"""Call centres of the vendor."""

from __future__ import annotations

import attrs

from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum

__all__ = ["CallCenter", "CallCenterCountryCode", "StolenCallCenter"]


class CallCenterCountryCode(OpenEnum):
    """A country with a call centre for stolen vehicles, by ISO 3166-1."""

    CHILE = "CL"
    BRAZIL = "BR"
    ARGENTINA = "AR"


@attrs.frozen(kw_only=True, weakref_slot=False)
class StolenCallCenter(Model):
    """The call centre for a stolen vehicle.

    Attributes:
        phone_number: of the call centre.
    """

    country_code: CallCenterCountryCode | None = None
    phone_number: str | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class CallCenter(Model):
    """The call centre."""

    stolen: StolenCallCenter | None = None
