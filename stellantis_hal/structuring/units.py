"""Units of numeric fields, and conversion between units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, overload

from stellantis_hal.structuring.field_mapping import schema_of
from stellantis_hal.structuring.model import Model

__all__ = ["convert_unit", "unit_of", "units_of"]

# (from, to): what a value is multiplied by, and then divided by. Whole numbers keep results exact.
_FACTORS: Final[Mapping[tuple[str, str], tuple[float, float]]] = {
    ("Wh", "kWh"): (1, 1000),
    ("kWh", "Wh"): (1000, 1),
    ("Wh/100km", "kWh/100km"): (1, 1000),
    ("cL", "L"): (1, 100),
    ("cL/100km", "L/100km"): (1, 100),
    ("m/s", "km/h"): (3.6, 1),
}


@overload
def convert_unit(value: float, unit: str, to: str) -> float: ...
@overload
def convert_unit(value: None, unit: str, to: str) -> None: ...
@overload
def convert_unit(value: float | None, unit: str, to: str) -> float | None: ...
def convert_unit(value: float | None, unit: str, to: str) -> float | None:
    """Convert a value from one unit to another; None stays None.

    Raises:
        ValueError: there is no conversion between these units.

    >>> convert_unit(2016.0, "Wh", "kWh"), convert_unit(None, "Wh", "kWh")
    (2.016, None)
    """
    factors = _FACTORS.get((unit, to))
    if factors is None:
        if unit == to:
            return value
        raise ValueError(f"no conversion from {unit} to {to}: known are {', '.join(map(' to '.join, _FACTORS))}")
    return None if value is None else value * factors[0] / factors[1]


def unit_of(model: type[Model] | Model, field: str) -> str | None:
    """Return the unit of a numeric field; None where the field has none, as a text or an instant.

    Where the unit depends on the energy, a class has all of them, a value its own:

    >>> from stellantis_hal.resources.blocks.consumption import EnergyConsumption, EnergyType
    >>> unit_of(EnergyConsumption, "consumption")
    'cL|Wh'
    >>> unit_of(EnergyConsumption(type=EnergyType.ELECTRIC), "consumption")
    'Wh'

    Raises:
        AttributeError: the class has no such field.
    """
    kind = model if isinstance(model, type) else type(model)
    for found in schema_of(kind).fields:
        if found.name == field:
            chosen = None if isinstance(model, type) or found.unit_by is None else found.unit_by(model)
            return chosen or found.unit
    raise AttributeError(f"{kind.__name__} has no field {field!r}")


def units_of(model: type[Model] | Model) -> dict[str, str]:
    """Return the units of all numeric fields of a class or a value, by the fields' names.

    >>> from stellantis_hal.resources.maintenance import Maintenance
    >>> units_of(Maintenance)
    {'days': 'd', 'mileage': 'km'}
    """
    kind = model if isinstance(model, type) else type(model)
    units = {field.name: unit_of(model, field.name) for field in schema_of(kind).fields}
    return {name: unit for name, unit in units.items() if unit is not None}
