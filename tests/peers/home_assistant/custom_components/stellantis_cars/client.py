"""The client, over the HTTP session of Home Assistant."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from stellantis_hal import Application, StellantisClient


def make_client(hass: HomeAssistant, data: Mapping[str, Any]) -> StellantisClient:
    """Return a client of the application of a config entry."""
    application = Application(data["client_id"], data["client_secret"])
    return StellantisClient(application, session=async_get_clientsession(hass))
