"""Cars of a Stellantis account."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback

from stellantis_hal import CallbackTokenStore, Token

from .client import make_client
from .coordinator import CarsCoordinator

PLATFORMS = [Platform.BINARY_SENSOR, Platform.SENSOR]

CarsConfigEntry = ConfigEntry[CarsCoordinator]


async def async_setup_entry(hass: HomeAssistant, entry: CarsConfigEntry) -> bool:
    """Set up an account."""

    @callback
    def load(key: str) -> dict[str, Any] | None:
        return entry.data.get("token")

    @callback
    def save(key: str, token: Token | None) -> None:
        hass.config_entries.async_update_entry(entry, data={**entry.data, "token": token and token.to_dict()})

    client = await make_client(hass, entry.data)
    entry.async_on_unload(client.aclose)  # also when the set-up fails; it leaves the session of Home Assistant open
    store = CallbackTokenStore(load, save)
    account = client.account(store, brand=entry.data["brand"], key=entry.entry_id)
    coordinator = CarsCoordinator(hass, entry, account)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: CarsConfigEntry) -> bool:
    """Unload an account."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
