"""What the entities of a car have in common."""

from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from stellantis_hal import Status

from .coordinator import CarsCoordinator


class CarEntity(CoordinatorEntity[CarsCoordinator]):
    """One value of a car; unavailable while the API has no data of it."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: CarsCoordinator, vin: str, description: EntityDescription) -> None:
        super().__init__(coordinator)
        vehicle, _ = coordinator.data[vin]
        self.entity_description = description
        self._vin = vin
        self._attr_unique_id = f"{vin}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={("stellantis_cars", vin)}, name=vehicle.display_name, manufacturer=vehicle.brand
        )

    @property
    def status(self) -> Status | None:
        """The latest status."""
        return self.coordinator.data.get(self._vin, (None, None))[1]

    @property
    def available(self) -> bool:
        return super().available and self.status is not None
