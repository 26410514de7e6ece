"""Polling of an account, with the errors that Home Assistant knows."""

import logging
from datetime import timedelta

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from stellantis_hal import Account, ConsentRequiredError, Status, StellantisError, Vehicle

_LOGGER = logging.getLogger(__name__)


class CarsCoordinator(DataUpdateCoordinator[dict[str, tuple[Vehicle, Status | None]]]):
    """The cars of an account and their statuses, by VIN."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, account: Account) -> None:
        super().__init__(
            hass, _LOGGER, config_entry=entry, name="Stellantis cars", update_interval=timedelta(minutes=5)
        )
        self._account = account.with_options(priority="background", max_wait=240)

    async def _async_update_data(self) -> dict[str, tuple[Vehicle, Status | None]]:
        try:
            vehicles = [vehicle async for vehicle in self._account.vehicles()]
            return {vehicle.vin: (vehicle, await vehicle.status()) for vehicle in vehicles if vehicle.vin}
        except ConsentRequiredError as error:  # the holder has withdrawn the consent, or the token is lost
            raise ConfigEntryAuthFailed(str(error)) from error
        except StellantisError as error:  # its text has no secret, VIN or place
            raise UpdateFailed(str(error)) from error
