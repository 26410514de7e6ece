"""Data items that triggers watch: their type, the operators that each takes, and where it is offered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

from stellantis_hal.structuring.open_enum import OpenEnum

__all__ = ["DataFacts", "DataItem", "Electric", "Fuel", "Operator", "Stolen", "facts_of"]


class Operator(OpenEnum):
    """How a data item is compared."""

    CHANGES = "onChange"
    EQUALS = "equalsTo"
    GREATER = "greaterThan"
    LOWER = "lowerThan"
    IS_IN = "includedIn"


class DataItem(OpenEnum):
    """A value of the car that a trigger can watch."""

    ALERT = "vehicle.alert"
    ODOMETER = "vehicle.odometer"
    POWERTRAIN_STATUS = "vehicle.powertrain.status"
    OIL_TEMPERATURE = "vehicle.engines.thermic.oil.temp"
    ELECTRIC_LEVEL = "vehicle.energy.electric.level"
    ELECTRIC_AUTONOMY = "vehicle.energy.electric.autonomy"
    FUEL_LEVEL = "vehicle.energy.fuel.level"
    FUEL_AUTONOMY = "vehicle.energy.fuel.autonomy"
    AUTONOMY = "vehicle.autonomy"
    CHARGING_STATUS = "vehicle.energy.charging.status"
    CHARGING_PLUGGED = "vehicle.energy.charging.plugged"
    CHARGING_TYPE = "vehicle.energy.charging.type"
    DOORS_LOCKED = "vehicle.doorsState.lockedState"
    DOORS_OPENING = "vehicle.doorsState.opening"
    MOVING = "vehicle.kinetic.moving"
    SPEED = "vehicle.kinetic.speed"
    TRIP_START = "vehicle.trip.start"
    TRIP_STOP = "vehicle.trip.stop"
    TRIP_DURATION = "vehicle.trip.duration"
    TRIP_DISTANCE = "vehicle.trip.distance"
    TRIP_STATE = "vehicle.trip.state"
    TRIP = "vehicle.trip"
    BELT_WARNING = "vehicle.safety.beltWarning"
    ECALL_TRIGGERING = "vehicle.safety.autoECallTriggering"
    AIR_TEMPERATURE = "environment.air.temp"
    PRIVACY_STATE = "privacy.state"
    DRIVING_MODE = "vehicle.drivingBehavior.mode"
    AIR_CONDITIONING = "vehicle.preconditioning.airConditioning"
    ALARM_TRIGGER = "vehicle.alarm.trigger.type"
    ALARM_ACTIVATION = "vehicle.alarm.status.activation"
    DAYS_BEFORE_MAINTENANCE = "vehicle.maintenance.daysBeforeMaintenance"
    MILEAGE_BEFORE_MAINTENANCE = "vehicle.maintenance.mileageBeforeMaintenance"
    COLLISION_SIDE = "vehicle.collision.side"
    COLLISION_SEVERITY = "vehicle.collision.severity"
    STOLEN_STATE = "stolen.state"


class Electric:
    """Data items of the traction battery."""

    LEVEL: Final = DataItem.ELECTRIC_LEVEL
    AUTONOMY: Final = DataItem.ELECTRIC_AUTONOMY


class Fuel:
    """Data items of the fuel tank."""

    LEVEL: Final = DataItem.FUEL_LEVEL
    AUTONOMY: Final = DataItem.FUEL_AUTONOMY


class Stolen:
    """Data items of a theft; for fleet owners."""

    STATE: Final = DataItem.STOLEN_STATE


DataType = Literal["number", "boolean", "text"]


@attrs.frozen
class DataFacts:
    """What the API takes of a data item.

    Attributes:
        type: the type of its values; they are sent as text.
        operators: how it may be compared.
        for_holders: whether account holders may watch it (B2C).
        for_fleets: whether fleet owners may watch it (B2B).
        previous: how the value before may be compared (B2C); empty where it may not.
    """

    type: DataType
    operators: frozenset[Operator]
    for_holders: bool = True
    for_fleets: bool = True
    previous: frozenset[Operator] = frozenset()


_CHANGES = frozenset({Operator.CHANGES})
_COMPARED = frozenset({Operator.EQUALS, Operator.GREATER, Operator.LOWER})
_CHOSEN = frozenset({Operator.CHANGES, Operator.EQUALS, Operator.IS_IN})
_SWITCHED = frozenset({Operator.CHANGES, Operator.EQUALS})
_LISTED = frozenset({Operator.EQUALS, Operator.IS_IN})
_EQUAL = frozenset({Operator.EQUALS})

_NUMBER = DataFacts("number", _COMPARED)
_FLEET_NUMBER = DataFacts("number", _COMPARED, for_holders=False)
_ENUMERATION = DataFacts("text", _CHOSEN)
_REMEMBERED = DataFacts("text", _CHOSEN, previous=_LISTED)
_CHANGING = DataFacts("text", _CHANGES)
_COLLISION = DataFacts("text", _LISTED, for_holders=False)

_FACTS: Final[Mapping[DataItem, DataFacts]] = {
    DataItem.ALERT: _REMEMBERED,
    DataItem.ODOMETER: _NUMBER,
    DataItem.POWERTRAIN_STATUS: _ENUMERATION,
    DataItem.OIL_TEMPERATURE: _NUMBER,
    DataItem.ELECTRIC_LEVEL: _NUMBER,
    DataItem.ELECTRIC_AUTONOMY: _NUMBER,
    DataItem.FUEL_LEVEL: _NUMBER,
    DataItem.FUEL_AUTONOMY: _NUMBER,
    DataItem.AUTONOMY: _NUMBER,
    DataItem.CHARGING_STATUS: _REMEMBERED,
    DataItem.CHARGING_PLUGGED: DataFacts("boolean", _SWITCHED, previous=_EQUAL),
    DataItem.CHARGING_TYPE: DataFacts("text", _SWITCHED),
    DataItem.DOORS_LOCKED: _CHANGING,
    DataItem.DOORS_OPENING: _CHANGING,
    DataItem.MOVING: DataFacts("boolean", _SWITCHED, previous=_EQUAL),
    DataItem.SPEED: _NUMBER,
    DataItem.TRIP_START: _CHANGING,
    DataItem.TRIP_STOP: _CHANGING,
    DataItem.TRIP_DURATION: _NUMBER,
    DataItem.TRIP_DISTANCE: _NUMBER,
    DataItem.TRIP_STATE: DataFacts("text", frozenset({Operator.IS_IN})),
    DataItem.TRIP: DataFacts("text", _CHANGES, for_holders=False),
    DataItem.BELT_WARNING: DataFacts("text", _SWITCHED, previous=_LISTED),
    DataItem.ECALL_TRIGGERING: _REMEMBERED,
    DataItem.AIR_TEMPERATURE: _NUMBER,
    DataItem.PRIVACY_STATE: _REMEMBERED,
    DataItem.DRIVING_MODE: _REMEMBERED,
    DataItem.AIR_CONDITIONING: _CHANGING,
    DataItem.ALARM_TRIGGER: _ENUMERATION,
    DataItem.ALARM_ACTIVATION: DataFacts("text", _SWITCHED),
    DataItem.DAYS_BEFORE_MAINTENANCE: _FLEET_NUMBER,
    DataItem.MILEAGE_BEFORE_MAINTENANCE: _FLEET_NUMBER,
    DataItem.COLLISION_SIDE: _COLLISION,
    DataItem.COLLISION_SEVERITY: _COLLISION,
    DataItem.STOLEN_STATE: DataFacts("boolean", _SWITCHED, for_holders=False),
}


def facts_of(item: DataItem) -> DataFacts | None:
    """Return what the API takes of a data item; None of one that this library does not list."""
    return _FACTS.get(item)
