"""What a trip used, in the vendor's odd units and in usual ones.

Knows litres from centilitres and kWh from Wh. Must not know the trip around it.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from stellantis_hal.resources.blocks.energy import EnergySubType, EnergyType
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.schema import names

__all__ = ["EnergyConsumption", "TripConsumption"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class EnergyConsumption(Model):
    """What a trip used of one energy.

    Attributes:
        type: fuel or electric.
        sub_type: more precisely.
        consumption: centilitres of fuel, or kWh; see ``litres`` and ``kilowatt_hours``.
        average: centilitres or Wh per 100 km.
    """

    type: EnergyType | None = None
    sub_type: EnergySubType | None = None
    consumption: float | None = None
    average: float | None = attrs.field(default=None, metadata=names("avgConsumption"))

    @property
    def litres(self) -> float | None:
        """Litres of fuel; None for electricity."""
        return self.consumption / 100 if self.consumption is not None and self.type == EnergyType.FUEL else None

    @property
    def kilowatt_hours(self) -> float | None:
        """KWh of electricity; None for fuel."""
        return self.consumption if self.type == EnergyType.ELECTRIC else None

    @property
    def litres_per_100_km(self) -> float | None:
        """Litres of fuel per 100 km; None for electricity."""
        return self.average / 100 if self.average is not None and self.type == EnergyType.FUEL else None

    @property
    def kilowatt_hours_per_100_km(self) -> float | None:
        """KWh per 100 km; None for fuel."""
        return self.average / 1000 if self.average is not None and self.type == EnergyType.ELECTRIC else None


@attrs.frozen(kw_only=True)
class TripConsumption:
    """What a trip used in all; None where nothing is said of that energy.

    Attributes:
        litres: of fuel.
        kilowatt_hours: of electricity.
        litres_per_100_km: of fuel, by the distance of the whole trip.
        kilowatt_hours_per_100_km: of electricity, by the distance of the whole trip.
    """

    litres: float | None = None
    kilowatt_hours: float | None = None
    litres_per_100_km: float | None = None
    kilowatt_hours_per_100_km: float | None = None

    @classmethod
    def of(cls, consumptions: Iterable[EnergyConsumption], distance: float | None) -> TripConsumption:
        """Add up what was used over a distance in kilometres.

        >>> fuel = EnergyConsumption(type=EnergyType.FUEL, consumption=250.0)
        >>> TripConsumption.of([fuel], 50.0).litres_per_100_km
        5.0
        """
        used = tuple(consumptions)
        litres = _sum(consumption.litres for consumption in used)
        kilowatt_hours = _sum(consumption.kilowatt_hours for consumption in used)
        return cls(
            litres=litres,
            kilowatt_hours=kilowatt_hours,
            litres_per_100_km=_per_100_km(litres, distance),
            kilowatt_hours_per_100_km=_per_100_km(kilowatt_hours, distance),
        )


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def _per_100_km(amount: float | None, distance: float | None) -> float | None:
    return amount * 100 / distance if amount is not None and distance else None
