"""Sensors of a car."""

from collections.abc import Callable
from dataclasses import dataclass

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, UnitOfLength
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from stellantis_hal import Status

from . import CarsConfigEntry
from .entity import CarEntity


@dataclass(frozen=True, kw_only=True)
class CarSensorDescription(SensorEntityDescription):
    """A sensor, and how its value is read."""

    read: Callable[[Status], float | None]


SENSORS = (
    CarSensorDescription(
        key="mileage",
        name="Mileage",
        device_class=SensorDeviceClass.DISTANCE,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfLength.KILOMETERS,
        read=lambda status: status.mileage,
    ),
    CarSensorDescription(
        key="battery",
        name="Battery",
        device_class=SensorDeviceClass.BATTERY,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        read=lambda status: status.electric and status.electric.level,
    ),
)


async def async_setup_entry(hass: HomeAssistant, entry: CarsConfigEntry, add: AddEntitiesCallback) -> None:
    """Add the sensors of each car."""
    coordinator = entry.runtime_data
    add(CarSensor(coordinator, vin, sensor) for vin in coordinator.data for sensor in SENSORS)


class CarSensor(CarEntity, SensorEntity):
    """A figure of a car."""

    entity_description: CarSensorDescription

    @property
    def native_value(self) -> float | None:
        return None if self.status is None else self.entity_description.read(self.status)
