"""Binary sensors of a car."""

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from . import CarsConfigEntry
from .entity import CarEntity

CHARGING = BinarySensorEntityDescription(
    key="charging", name="Charging", device_class=BinarySensorDeviceClass.BATTERY_CHARGING
)


async def async_setup_entry(hass: HomeAssistant, entry: CarsConfigEntry, add: AddEntitiesCallback) -> None:
    """Add the binary sensor of each car."""
    coordinator = entry.runtime_data
    add(CarChargingSensor(coordinator, vin, CHARGING) for vin in coordinator.data)


class CarChargingSensor(CarEntity, BinarySensorEntity):
    """Whether a car charges."""

    @property
    def is_on(self) -> bool | None:
        return None if self.status is None else self.status.is_charging
