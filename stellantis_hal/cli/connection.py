"""The account that a command reads: of a profile and options, or of the built-in simulator."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import anyio
import attrs
import click

from stellantis_hal.cli.failures import Failure, run_command
from stellantis_hal.cli.invocation import Invocation, current
from stellantis_hal.cli.login import AccountSettings, account_options, account_settings
from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import simulated_account, simulated_client

__all__ = ["SETTINGS", "Connection", "car_argument", "connected", "find_car", "options_of", "run_connected"]

T = TypeVar("T")

SETTINGS: Final[dict[str, Any]] = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "auto_envvar_prefix": "STELLANTIS_HAL",
}
"""The context settings of every command."""
_SEED: Final = 7
_VEHICLES: Final = 2
_TRIPS: Final = 200
_NAMES: Final = frozenset(field.name for field in attrs.fields(AccountSettings))


@attrs.frozen(kw_only=True)
class Connection:
    """What a command works with.

    Attributes:
        client: the open client.
        account: the account.
        now: returns the current time, aware: of the simulator where it stands for the API.
        options: the common options.
    """

    client: StellantisClient
    account: Account
    now: Callable[[], datetime]
    options: Invocation


def connected(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of application, servers and token file to a command; none of them is required here."""
    for option in reversed(account_options(required=False)):
        function = option(function)
    return function


def run_connected(act: Callable[[Connection], Awaitable[T]], options: Mapping[str, Any]) -> T:
    """Open the account of a command's options, and return what a function makes of it.

    Args:
        act: is called with the open connection, inside an event loop.
        options: those that :func:`connected` added.

    Raises:
        Failure: the command failed.
    """
    invocation = current()
    settings = None if invocation.simulated else options_of(options)

    async def run() -> T:
        try:
            with anyio.fail_after(invocation.timeout):
                async with _open(settings, invocation) as connection:
                    return await act(connection)
        except TimeoutError:
            raise Failure(f"the command did not end within {invocation.timeout:g} s of --timeout", 7) from None

    return run_command(partial(anyio.run, run))


def options_of(options: Mapping[str, Any]) -> AccountSettings:
    """Return the settings that :func:`connected` added to a command, with the profile's.

    Raises:
        Failure: one that is needed is missing (status 8).
    """
    given = {name: options[name] for name in _NAMES}
    if given["client_secret"] is None and (profile := current().profile) is not None:
        given["client_secret"] = profile.secret
    missing = [name for name in ("client_id", "brand") if given[name] is None]
    if missing:
        option = f"--{missing[0].replace('_', '-')}"
        raise Failure(
            f"no {missing[0].replace('_', ' ')}: run `stellantis-hal login` once, pass {option}, or set "
            f"STELLANTIS_HAL_{missing[0].upper()}; --simulate needs none",
            8,
        )
    return account_settings(given)


@asynccontextmanager
async def _open(settings: AccountSettings | None, invocation: Invocation) -> AsyncGenerator[Connection, None]:
    if settings is None:
        epoch = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        simulator = Simulator(World(seed=_SEED, accounts=1, vehicles=_VEHICLES, trips=_TRIPS, epoch=epoch))
        async with simulated_client(simulator) as client:
            account = simulated_account(client, simulator)
            yield Connection(client=client, account=account, now=simulator.now, options=invocation)
        return
    async with settings.client() as client:
        account = settings.open_account(client)
        yield Connection(client=client, account=account, now=lambda: datetime.now(UTC), options=invocation)


async def find_car(connection: Connection, wanted: str | None) -> Vehicle:
    """Return the car that is meant: by alias, label, id or the end of its VIN; without a name the only one.

    Raises:
        Failure: there is no such car (status 5), or more than one (status 2); the message lists those there are.
    """
    profile = connection.options.profile
    wanted = wanted or (profile.car if profile is not None else None)
    meant = profile.aliases.get(wanted, wanted) if profile is not None and wanted is not None else wanted
    vehicles = [vehicle async for vehicle in connection.account.vehicles()]
    found = vehicles if meant is None else [each for each in vehicles if _is_meant(each, meant)]
    if len(found) == 1:
        return found[0]
    names = "; ".join(f"{each.display_name} {each.vin[-4:] if each.vin else each.id}" for each in vehicles) or "none"
    if not found:
        raise Failure(f"no car {wanted!r}: the account has {names}" if wanted else "the account has no cars", 5)
    raise Failure(f"{len(found)} cars: name one by its label, its id or the end of its VIN: {names}", 2)


def _is_meant(vehicle: Vehicle, text: str) -> bool:
    label = (vehicle.label or "").casefold()
    if text.casefold() == label or text == vehicle.id:
        return True
    return len(text) >= 3 and vehicle.vin is not None and vehicle.vin.casefold().endswith(text.casefold())


def car_argument(function: Callable[..., None]) -> Callable[..., None]:
    """Add the argument CAR, which may be left out."""
    return click.argument("car", required=False, metavar="[CAR]")(function)
