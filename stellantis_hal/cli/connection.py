"""The account that a command reads: of a profile and options, or of the built-in simulator."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import anyio
import attrs
import click

from stellantis_hal.cli.account_settings import (
    AccountSettings,
    account_options,
    account_settings,
    refuse_beside_simulator,
)
from stellantis_hal.cli.common_options import Invocation, current
from stellantis_hal.cli.environment_options import add_options, option
from stellantis_hal.cli.failures import Failure, run_command
from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.storage.key_value_store import SQLiteState
from stellantis_hal.testing import simulated_account, simulated_client

__all__ = [
    "CAR_VARIABLE",
    "CommandContext",
    "car_argument",
    "car_option",
    "connected",
    "find_car",
    "run_connected",
    "run_in_time",
    "simulated_connection",
]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

CAR_VARIABLE: Final = "STELLANTIS_HAL_CAR"
"""The variable that names the car, where the command does not."""

_SEED: Final = 7
_VEHICLES: Final = 2
_TRIPS: Final = 200


@attrs.frozen(kw_only=True)
class CommandContext:
    """What a command works with.

    Attributes:
        client: the open client.
        account: the account.
        key: the name under which its token is stored.
        brand: the brand of its cars, as "peugeot".
        now: returns the current time, aware: of the simulator where it stands for the API.
        options: the common options.
    """

    client: StellantisClient
    account: Account
    key: str
    brand: str
    now: Callable[[], datetime]
    options: Invocation


def connected(function: F) -> F:
    """Add the options of application, servers and token file to a command; none of them is required here."""
    return add_options(*account_options())(function)


def run_connected(
    act: Callable[[CommandContext], Awaitable[T]], options: Mapping[str, Any], *, is_commanding: bool = False
) -> T:
    """Open the account of a command's options, and return what a function makes of it.

    Args:
        act: is called with the open connection, inside an event loop.
        options: those that :func:`connected` added.
        is_commanding: whether commands are sent to cars: they are kept in a file beside the tokens.

    Raises:
        Failure: the command failed.
    """
    invocation = current()
    if invocation.simulated:
        refuse_beside_simulator()
    settings = None if invocation.simulated else account_settings(options)

    async def run() -> T:
        if settings is None:
            async with simulated_connection(invocation) as connection:
                return await act(connection)
        async with _open(settings, invocation, is_commanding=is_commanding) as connection:
            return await act(connection)

    return run_in_time(run)


def run_in_time(function: Callable[[], Awaitable[T]]) -> T:
    """Return the result of a coroutine function, within the time that ``--timeout`` allows.

    Raises:
        Failure: it failed, or the time is over.
    """
    timeout = current().timeout

    async def run() -> T:
        with anyio.move_on_after(timeout):
            return await function()
        raise Failure(f"the command did not end within {timeout:g} s of --timeout", 7)

    return run_command(partial(anyio.run, run))


@asynccontextmanager
async def simulated_connection(invocation: Invocation) -> AsyncGenerator[CommandContext, None]:
    """Open an account of the built-in simulator; its world is the same each time, and ends now."""
    epoch = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    simulator = Simulator(World(seed=_SEED, accounts=1, vehicles=_VEHICLES, trips=_TRIPS, epoch=epoch))
    async with simulated_client(simulator) as client:
        account = simulated_account(client, simulator)
        holder = simulator.world.accounts[0]
        yield CommandContext(
            client=client,
            account=account,
            key=holder.key,
            brand=holder.brand.lower(),
            now=simulator.now,
            options=invocation,
        )


@asynccontextmanager
async def _open(
    settings: AccountSettings, invocation: Invocation, *, is_commanding: bool
) -> AsyncGenerator[CommandContext, None]:
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(SQLiteState(settings.state_file())) if is_commanding else None
        client = await stack.enter_async_context(settings.client(state=state))
        yield CommandContext(
            client=client,
            account=settings.open_account(client),
            key=settings.account,
            brand=settings.brand,
            now=lambda: datetime.now(UTC),
            options=invocation,
        )


async def find_car(
    connection: CommandContext,
    wanted: str | None,
    *,
    extensions: tuple[str, ...] | None = None,
    is_option: bool = False,
) -> Vehicle:
    """Return the car that is meant: by alias, label, id or the end of its VIN; without a name the only one.

    Args:
        connection: the open account.
        wanted: the name; None: the car of the profile, or the only one.
        extensions: further parts of the car to read.
        is_option: the command takes the name by ``--car``; errors say so.

    Raises:
        Failure: there is no such car (status 5), or more than one (status 2); the message lists those there are.
    """
    profile = connection.options.profile
    wanted = wanted or (profile.car if profile is not None else None)
    meant = profile.aliases.get(wanted, wanted) if profile is not None and wanted is not None else wanted
    account = connection.account
    walk = account.vehicles() if extensions is None else account.vehicles(extensions=extensions)
    vehicles = [vehicle async for vehicle in walk]
    found = vehicles if meant is None else [each for each in vehicles if _is_meant(each, meant)]
    if len(found) == 1:
        return found[0]
    names = "; ".join(f"{each.display_name} {each.vin[-4:] if each.vin else each.id}" for each in vehicles) or "none"
    if not found:
        raise Failure(f"no car {wanted!r}: the account has {names}" if wanted else "the account has no cars", 5)
    if wanted is not None:
        names = "; ".join(f"{each.display_name} {each.vin or each.id}" for each in found)
        raise Failure(f"{wanted!r} means {len(found)} cars: name one by its id or more of its VIN: {names}", 2)
    name_one = "name one with --car, by" if is_option else "name one by"
    raise Failure(f"{len(found)} cars: {name_one} its label, its id or the end of its VIN: {names}", 2)


def _is_meant(vehicle: Vehicle, text: str) -> bool:
    label = (vehicle.label or "").casefold()
    if text.casefold() == label or text == vehicle.id:
        return True
    return len(text) >= 3 and vehicle.vin is not None and vehicle.vin.casefold().endswith(text.casefold())


def car_argument(function: F) -> F:
    """Add the argument CAR, which may be left out."""
    return click.argument("car", required=False, metavar="[CAR]", envvar=CAR_VARIABLE)(function)


def car_option(function: F) -> F:
    """Add the option ``--car`` to a command whose argument is something else."""
    help_ = "The car, by its label, its id or the end of its VIN.  [default: the profile's, or the only one]"
    return option("--car", metavar="CAR", help=help_)(function)
