"""Energy consumption of a trip, in the vendor's units and in usual ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from stellantis_hal.resources.blocks.energy import EnergySubType, EnergyType
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.units import convert_unit

__all__ = ["EnergyConsumption", "TripConsumption"]


_UNITS: Final[Mapping[EnergyType, str]] = {EnergyType.FUEL: "cL", EnergyType.ELECTRIC: "Wh"}


def _unit(used: EnergyConsumption) -> str | None:
    return None if used.type is None else _UNITS.get(used.type)


def _average_unit(used: EnergyConsumption) -> str | None:
    unit = _unit(used)
    return unit and f"{unit}/100km"


@attrs.frozen(kw_only=True, weakref_slot=False)
class EnergyConsumption(Model):
    """Consumption of one energy during a trip.

    Attributes:
        type: fuel or electric.
        sub_type: the precise kind.
        consumption: centilitres of fuel, or Wh of electricity; see ``litres`` and ``kilowatt_hours``. The specification
            for end users says litres and kWh; responses and the one for fleets have centilitres and Wh.
        average: centilitres or Wh per 100 km.
    """

    type: EnergyType | None = None
    sub_type: EnergySubType | None = None
    consumption: float | None = attrs.field(default=None, metadata=names(unit="cL|Wh", unit_by=_unit))
    average: float | None = attrs.field(
        default=None, metadata=names("avgConsumption", unit="cL/100km|Wh/100km", unit_by=_average_unit)
    )

    @property
    def litres(self) -> float | None:
        """Litres of fuel; None for electricity."""
        return convert_unit(self.consumption, "cL", "L") if self.type == EnergyType.FUEL else None

    @property
    def kilowatt_hours(self) -> float | None:
        """kWh of electricity; None for fuel."""
        return convert_unit(self.consumption, "Wh", "kWh") if self.type == EnergyType.ELECTRIC else None

    @property
    def litres_per_100_km(self) -> float | None:
        """Litres of fuel per 100 km; None for electricity."""
        return convert_unit(self.average, "cL/100km", "L/100km") if self.type == EnergyType.FUEL else None

    @property
    def kilowatt_hours_per_100_km(self) -> float | None:
        """kWh per 100 km; None for fuel."""
        return convert_unit(self.average, "Wh/100km", "kWh/100km") if self.type == EnergyType.ELECTRIC else None


@attrs.frozen(kw_only=True)
class TripConsumption:
    """Total consumption of a trip; None where unknown.

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
        """Add up consumptions over a distance in kilometres.

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
    return amount * 100 / distance if amount is not None and distance is not None and distance > 0 else None
