"""Units of numeric fields: each has one, as the vendor's specification or the field tells it."""

from typing import Any, get_args

import pytest

from stellantis_hal.resources.blocks.consumption import EnergyConsumption
from stellantis_hal.resources.blocks.energy import EnergyType
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.field_mapping import FieldSchema, schema_of
from stellantis_hal.structuring.scalars import SECONDS, base_type
from stellantis_hal.structuring.units import convert_unit, unit_of, units_of
from tests.resources.test_facts import FACTS, KINDS


def is_numeric(field: FieldSchema) -> bool:
    base = base_type(field.type)
    return base in (float, int) or float in get_args(base) or field.codec is SECONDS


def test_every_numeric_field_has_a_unit() -> None:
    missing = [
        f"{kind.__name__}.{field.name}"
        for kind in KINDS.values()
        for field in schema_of(kind).fields
        if is_numeric(field) and not field.unit
    ]
    assert missing == []


# As the specification's text says, or the table of FACTS where it says nothing.
DOCUMENTED = {
    "Trip.distance": "km",
    "Trip.duration": "s",
    "Trip.start_mileage": "km",
    "TripSegment.percent": "percent",
    "TripSegment.distance": "km",
    "TripKinetic.average_speed": "m/s",  # no unit in the specification: reports from the field
    "TripKinetic.max_speed": "km/h",  # the same
    "EnergyConsumption.average": "cL/100km|Wh/100km",
    "EnergyConsumption.consumption": "cL|Wh",  # exception: litres and kWh for end users, cl and Wh for fleets
    "BatteryLoad.capacity": "Wh",
    "BatteryLoad.residual": "Wh",
    "EnergyBattery.capacity": "Wh",
    "BatteryHealth.capacity": "percent",
    "BatteryHealth.resistance": "percent",
    "FuelConsumptions.total": "cL",
    "FuelConsumptions.instant": "L/100km|kg/100km",
    "FuelExtension.consumption": "L/100km",
    "ElectricExtension.residual": "kWh",
    "ElectricExtension.consumption": "kW",  # the text says KW/H
    "Charging.charging_rate": "km/h",
    "Energy.level": "percent",
    "Energy.autonomy": "km",
    "Odometer.mileage": "km",
    "Kinetic.speed": "km/h",
    "Kinetic.acceleration": "m/s2",
    "StarterBattery.voltage": "percent",  # named voltage, described as health in percent
    "EngineLiquid.level": "percent",
    "EngineLiquid.temperature": "degC",
    "Air.temperature": "degC",
    "Engine.speed": "rpm",
    "Adas.sli": "km/h",
    "Position.heading": "deg",
    "Maintenance.days": "d",
    "Maintenance.mileage": "km",
}


@pytest.mark.parametrize(("place", "unit"), DOCUMENTED.items())
def test_the_unit_is_the_documented_one(place: str, unit: str) -> None:
    kind, _, field = place.partition(".")
    assert unit_of(KINDS.get(kind, EnergyConsumption), field) == unit


@pytest.mark.parametrize("fact", [fact for fact in FACTS if "unit" in fact], ids=lambda fact: fact["property"])
def test_units_are_those_of_the_specification_s_text(fact: dict[str, str]) -> None:
    kind, _, field = fact["place"].partition(".")
    assert unit_of(KINDS.get(kind, EnergyConsumption), field) == fact["unit"]


def test_the_unit_of_a_consumption_depends_on_its_energy() -> None:
    def unit(kind: EnergyType | None) -> tuple[str | None, str | None]:
        used = EnergyConsumption(type=kind)
        return unit_of(used, "consumption"), unit_of(used, "average")

    assert unit(EnergyType.FUEL) == ("cL", "cL/100km")
    assert unit(EnergyType.ELECTRIC) == ("Wh", "Wh/100km")
    assert unit(EnergyType("Steam")) == unit(None) == ("cL|Wh", "cL/100km|Wh/100km")


def test_units_of_a_class_and_of_a_value() -> None:
    assert units_of(Trip) == units_of(Trip()) == {"duration": "s", "distance": "km", "start_mileage": "km"}
    assert unit_of(Trip, "id") is None
    with pytest.raises(AttributeError, match="Trip has no field 'mood'"):
        unit_of(Trip, "mood")


@pytest.mark.parametrize(
    ("value", "unit", "to", "converted"),
    [
        (2016.0, "Wh", "kWh", 2.016),
        (25.5, "kWh", "Wh", 25500.0),
        (250.0, "cL", "L", 2.5),
        (10.0, "m/s", "km/h", 36.0),
        (5.0, "km", "km", 5.0),
        (None, "Wh", "kWh", None),
        (None, "km", "km", None),
    ],
)
def test_values_are_converted_by_unit(value: Any, unit: str, to: str, converted: Any) -> None:
    assert convert_unit(value, unit, to) == converted


def test_units_without_a_conversion_are_refused() -> None:
    with pytest.raises(ValueError, match="no conversion from km to Wh"):
        convert_unit(1.0, "km", "Wh")
