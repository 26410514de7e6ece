"""The client, over the HTTP session of Home Assistant."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from stellantis_hal import Application, StellantisClient


async def make_client(hass: HomeAssistant, data: Mapping[str, Any]) -> StellantisClient:
    """Return a client of the application of a config entry, made in a thread: the first one takes a while."""
    application = Application(data["client_id"], data["client_secret"])
    make = partial(StellantisClient, application, session=async_get_clientsession(hass))
    return await hass.async_add_executor_job(make)
