"""The command ``fleet``: the fleets of a partner, their cars, and the status of one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import attrs
import click

from stellantis_hal.auth.partner import Partner
from stellantis_hal.cli.account_settings import check_proxy, check_url
from stellantis_hal.cli.common_options import SIMULATED, current, refuse_typed
from stellantis_hal.cli.connection import run_in_time
from stellantis_hal.cli.environment_options import SETTINGS, F, add_options, option
from stellantis_hal.cli.failures import Failure, failure_of
from stellantis_hal.cli.json_rows import to_json
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.client.fleet_owner_client import FleetOwnerClient
from stellantis_hal.errors import ApiError, NotFoundError
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.fleet import Fleet
from stellantis_hal.resources.profile_parameter import Profile
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.vendor.hosts import PARTNER_URL

__all__ = ["fleet"]

_VARIABLES: Final = {
    "client_id": "STELLANTIS_HAL_CLIENT_ID",
    "login": "STELLANTIS_HAL_PARTNER_LOGIN",
    "password": "STELLANTIS_HAL_PARTNER_PASSWORD",
}


@attrs.frozen(kw_only=True)
class _Options:
    """What all commands have in common."""

    client_id: str | None
    login: str | None
    password: str | None = attrs.field(repr=False)
    certificate: str | None
    certificate_key: str | None
    authority: str | None
    base_url: str
    proxy: str | None = attrs.field(repr=False)

    def partner(self) -> Partner:
        """Return the partner.

        Raises:
            Failure: a part of the credentials is missing.
        """
        for name in ("client_id", "login", "password"):
            if not getattr(self, name):
                what, option_ = name.replace("_", " "), f"--{name.replace('_', '-')}"
                raise Failure(f"no {what} of the partner: pass {option_}, or set {_VARIABLES[name]}", 8)
        if self.certificate_key and not self.certificate:
            raise Failure("a certificate key without its certificate: pass --certificate too", 8)
        certificate = None
        if self.certificate is not None:
            certificate = (self.certificate, self.certificate_key or self.certificate)
        return Partner(
            self.client_id or "",
            login=self.login or "",
            password=self.password or "",
            certificate=certificate,
            authority=self.authority,
        )


def _options(function: F) -> F:
    """Add the options that all commands have in common."""
    file = click.Path(exists=True, dir_okay=False)
    options = (
        option("--client-id", help="Client id of the application."),
        option("--login", envvar="STELLANTIS_HAL_PARTNER_LOGIN", help="Login of the partner (MZP…)."),
        option(
            "--password",
            envvar="STELLANTIS_HAL_PARTNER_PASSWORD",
            prompt="Password of the login",
            prompt_required=False,
            hide_input=True,
            show_default=False,
            help="Password of the login; set STELLANTIS_HAL_PARTNER_PASSWORD instead to keep it out of process lists.",
        ),
        option("--certificate", type=file, help="Client certificate for mutual TLS (PEM)."),
        option("--certificate-key", type=file, help="Private key of the certificate (PEM)."),
        option("--authority", type=click.Path(exists=True), help="Authority of the server's certificate (PEM)."),
        option(
            "--base-url",
            envvar="STELLANTIS_HAL_PARTNER_URL",
            default=PARTNER_URL,
            callback=check_url,
            help="Base URL of the API.",
        ),
        option("--proxy", callback=check_proxy, metavar="URL", help="Proxy, or direct.  [default: environment]"),
    )
    return add_options(*options)(function)


@click.group(context_settings=SETTINGS)
def fleet() -> None:
    """Read the fleets of a partner (B2B), and the cars in them.

    The login and its password are the partner's; the client id is another name.
    """


@fleet.command("list", context_settings=SETTINGS)
@_options
def list_(**options: Any) -> None:
    """List the fleets."""
    _run(_list_fleets, options)


@fleet.command(context_settings=SETTINGS)
@option("--fleet", "wanted", metavar="ID|NAME", help="Only the cars of this fleet.")
@_options
def vehicles(*, wanted: str | None, **options: Any) -> None:
    """List the cars of each fleet, with their VINs."""
    _run(partial(_list_vehicles, wanted=wanted), options)


@fleet.command(context_settings=SETTINGS)
@click.argument("vehicle", metavar="VIN|ID")
@option("--fleet", "wanted", metavar="ID|NAME", help="Its fleet.  [default: the first that has it]")
@option(
    "--view",
    type=click.Choice([str(each) for each in Profile]),
    default=Profile.FLEET.value,
    help="Whose view is read.",
)
@_options
def status(*, vehicle: str, wanted: str | None, view: str, **options: Any) -> None:
    """Show the latest status of a car."""
    _run(partial(_show_status, wanted_vehicle=vehicle, wanted=wanted, view=view), options)


def _run(function: Callable[[FleetOwnerClient], Awaitable[None]], options: dict[str, Any]) -> None:
    settings = _Options(**options)
    if current().simulated:
        refuse_typed(options, SIMULATED)

    async def main() -> None:
        try:
            async with _open(settings) as client:
                await function(client)
        except ApiError as error:
            raise failure_of(error, has_account=False) from error

    run_in_time(main)


# ------------------------------------------------------------------------------------------------- commands


async def _list_fleets(client: FleetOwnerClient) -> None:
    found = [each async for each in client.fleets()]
    rows = [{"id": each.id, "name": each.name, "description": each.description} for each in found]
    _print_rows(rows, [f"{each.id}  {each.name or ''}  {each.description or ''}" for each in found], "fleets")


async def _list_vehicles(client: FleetOwnerClient, *, wanted: str | None) -> None:
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for found in await _find_fleets(client, wanted):
        async for vehicle in found.vehicles(extensions=("branding",)):
            kind = None if vehicle.motorization is None else str(vehicle.motorization)
            rows.append({"fleet": found.id, "id": vehicle.id, "vin": vehicle.vin, "motorization": kind})
            name = found.name or found.id
            lines.append(f"{name}  {vehicle.vin or vehicle.id}  {kind or ''}  {vehicle.display_name}")
    _print_rows(rows, lines, "vehicles")


async def _show_status(client: FleetOwnerClient, *, wanted_vehicle: str, wanted: str | None, view: str) -> None:
    vehicle = await _find_vehicle(await _find_fleets(client, wanted), wanted_vehicle)
    found = await vehicle.status(profile=view)
    if found is None:
        raise Failure(f"the car has no status in the profile {view}", 5)
    row = to_json(found.row())
    if current().as_json:
        click.echo(json_text(row))
        return
    for name, value in row.items():
        if value is not None:
            click.echo(one_line(f"{name:<26} {value}"))


def _print_rows(rows: list[dict[str, Any]], lines: list[str], kind: str) -> None:
    """Print rows as an array, or as lines; say on standard error where there are none."""
    if current().as_json:
        click.echo(json_text(rows))
        return
    for line in lines:
        click.echo(one_line(line).rstrip())
    if not lines:
        click.echo(f"The partner has no {kind}.", err=True)


async def _find_fleets(client: FleetOwnerClient, wanted: str | None) -> list[Fleet]:
    fleets = [each async for each in client.fleets()]
    found = [each for each in fleets if wanted is None or wanted in {each.id, each.name}]
    if not found and wanted is not None:
        raise Failure(f"the partner has no fleet {wanted!r}; it has {len(fleets)}", 5)
    return found


async def _find_vehicle(fleets: list[Fleet], wanted: str) -> Vehicle:
    for found in fleets:
        async for vehicle in found.vehicles():
            if wanted.upper() == (vehicle.vin or "").upper() or wanted == vehicle.id:
                return vehicle
    raise NotFoundError(f"none of {len(fleets)} fleets has the car {wanted!r}: check the VIN or id", status=404)


# ------------------------------------------------------------------------------------------------- clients


@asynccontextmanager
async def _open(options: _Options) -> AsyncGenerator[FleetOwnerClient]:
    if current().simulated:
        async with simulated_fleet_owner() as client:
            yield client
        return
    async with FleetOwnerClient(options.partner(), base_url=options.base_url, proxy=options.proxy) as client:
        yield client


@asynccontextmanager
async def simulated_fleet_owner() -> AsyncGenerator[FleetOwnerClient]:
    """Open a fleet owner's client of a simulated API."""
    simulator = Simulator(World(seed=7, accounts=1, vehicles=3, trips=60))
    async with FleetOwnerClient(
        Partner(simulator.client_id, login=simulator.partner_login, password=simulator.partner_password),
        base_url=simulator.partner_url,
        transport=simulator.transport(),
        clock=simulator.now,
    ) as client:
        yield client
