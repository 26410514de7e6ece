"""Home Assistant in one process: sets up, polls, renews and unloads the integration, and prints what it saw as JSON.

Arguments: a folder for the configuration, then the addresses of the API and the identity server, client id and secret.
"""

import asyncio
import gc
import json
import logging
import sys
import threading
import time
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import stellantis_hal

FOLDER, URL, IDENTITY_URL, CLIENT_ID, CLIENT_SECRET = sys.argv[1:]
REDIRECT = "https://example.org/back"
HERE = Path(__file__).parent
REACHED = {"base_url": URL, "identity_url": IDENTITY_URL}
vendors_client = stellantis_hal.StellantisClient


def simulated_client(*arguments: Any, **options: Any) -> Any:
    """Return a client of the simulator, which stands in for the vendor's addresses."""
    return vendors_client(*arguments, **REACHED, **options)


stellantis_hal.StellantisClient = simulated_client

from homeassistant import block_async_io, bootstrap, config_entries, core, loader, runner  # noqa: E402
from homeassistant.config_entries import ConfigEntryState  # noqa: E402
from homeassistant.helpers.aiohttp_client import async_get_clientsession  # noqa: E402

seen: dict[str, Any] = {"log": [], "warnings": []}


class Collector(logging.Handler):
    """Keeps warnings and errors: the detector of blocking calls warns."""

    def emit(self, record: logging.LogRecord) -> None:
        if "custom integration stellantis_cars which has not been tested" not in record.getMessage():
            seen["log"].append(f"{record.name}: {record.getMessage()[:400]}")


def keep_warning(message: Warning | str, *others: Any) -> None:
    """Keep what was left open: a ResourceWarning."""
    seen["warnings"].append(str(message)[:200])


async def start() -> core.HomeAssistant:
    hass = core.HomeAssistant(FOLDER)
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    block_async_io.enable()
    await bootstrap.async_load_base_functionality(hass)
    await hass.async_start()
    return hass


async def consent(hass: core.HomeAssistant, url: str) -> str:
    """Return the address that a browser shows after the log-in."""
    async with async_get_clientsession(hass).get(url, allow_redirects=False) as answer:
        return answer.headers["Location"]


async def set_up(hass: core.HomeAssistant) -> config_entries.ConfigEntry:
    """Go through the flow as a user does, with one wrong address."""
    flows = hass.config_entries.flow
    form = await flows.async_init("stellantis_cars", context={"source": "user"})
    data = {
        "brand": "peugeot",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": REDIRECT,
    }
    form = await flows.async_configure(form["flow_id"], data)
    url = form["description_placeholders"]["url"]
    wrong = await flows.async_configure(form["flow_id"], {"redirect": "https://example.org/back?state=other&code=1"})
    seen["wrong_redirect"] = wrong["errors"]
    done = await flows.async_configure(form["flow_id"], {"redirect": await consent(hass, url)})
    seen["flow"] = done["type"]
    entry = done["result"]
    await hass.async_block_till_done(wait_background_tasks=True)
    again = await flows.async_init("stellantis_cars", context={"source": "user"})
    again = await flows.async_configure(again["flow_id"], data)
    url = again["description_placeholders"]["url"]
    again = await flows.async_configure(again["flow_id"], {"redirect": await consent(hass, url)})
    seen["second_flow"] = again["reason"]
    return entry


async def renew(hass: core.HomeAssistant, entry: config_entries.ConfigEntry) -> None:
    """Let the token expire: the new one is in the entry."""
    before = entry.data["token"]
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "token": {**before, "expires_at": "2020-01-01T00:00:00+00:00"}}
    )
    await hass.config_entries.async_reload(entry.entry_id)
    seen["renewed"] = before["refresh_token"] != entry.data["token"]["refresh_token"]
    seen["state_after_renewal"] = entry.state.value


async def fail(hass: core.HomeAssistant, entry: config_entries.ConfigEntry) -> None:
    """Set up while the API is away, then without consent."""
    REACHED["base_url"] = "http://127.0.0.1:9"
    await hass.config_entries.async_reload(entry.entry_id)
    seen["state_without_api"] = entry.state.value
    REACHED["base_url"] = URL
    await hass.config_entries.async_reload(entry.entry_id)
    token = stellantis_hal.Token.from_dict(entry.data["token"])
    async with vendors_client(stellantis_hal.Application(CLIENT_ID, CLIENT_SECRET), **REACHED) as client:
        store = stellantis_hal.MemoryTokenStore()
        await store.save("entry", token)
        await client.enrolment(brand="peugeot", store=store).withdraw("entry")
    await entry.runtime_data.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)
    (flow,) = hass.config_entries.flow.async_progress()
    seen["flow_after_withdrawal"] = [flow["context"]["source"], flow["step_id"]]
    flows = hass.config_entries.flow
    url = (await flows.async_configure(flow["flow_id"]))["description_placeholders"]["url"]
    done = await flows.async_configure(flow["flow_id"], {"redirect": await consent(hass, url)})
    seen["reauth"] = done["reason"]
    await hass.async_block_till_done(wait_background_tasks=True)
    seen["state_after_reauth"] = entry.state.value


async def main() -> None:
    hass = await start()
    session = async_get_clientsession(hass)
    entry = await set_up(hass)
    seen["state"] = entry.state.value
    seen["entities"] = {state.entity_id: state.state for state in hass.states.async_all()}
    await renew(hass, entry)
    await fail(hass, entry)
    await entry.runtime_data.async_refresh()
    seen["interval"] = entry.runtime_data.update_interval == timedelta(minutes=5)
    seen["unloaded"] = await hass.config_entries.async_unload(entry.entry_id)
    seen["state_after_unload"] = entry.state.value
    seen["session_open_after_unload"] = not session.closed
    await hass.config_entries.async_setup(entry.entry_id)
    seen["set_up_again"] = entry.state is ConfigEntryState.LOADED
    try:
        time.sleep(0.001)  # noqa: ASYNC251 - the detector must see it
    except RuntimeError as error:
        seen["detector_works"] = "blocking call to sleep" in str(error)
    await hass.async_stop()
    seen["session_closed_after_stop"] = session.closed
    seen["tasks_left"] = [repr(task) for task in asyncio.all_tasks() - {asyncio.current_task()} if not task.done()]


logging.getLogger().addHandler(Collector(logging.WARNING))
warnings.simplefilter("always", ResourceWarning)
warnings.showwarning = keep_warning
(Path(FOLDER) / "custom_components").symlink_to(HERE / "custom_components")
asyncio.set_event_loop_policy(runner.HassEventLoopPolicy(debug=False))
asyncio.run(main())
gc.collect()
seen["threads_left"] = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
print(json.dumps(seen))
