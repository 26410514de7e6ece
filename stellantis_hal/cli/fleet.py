"""The command ``fleet``: the fleets of a partner, their vehicles, and the status of one."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import anyio
import attrs
import click

from stellantis_hal.auth.partner import Partner
from stellantis_hal.cli.login import check_proxy, check_url, run_command
from stellantis_hal.cli.output import escape_json
from stellantis_hal.client.fleet_owner import FleetOwnerClient
from stellantis_hal.errors import NotFoundError
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.fleet import Fleet
from stellantis_hal.resources.profile import Profile
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.vendor.hosts import PARTNER_URL

__all__ = ["fleet"]

_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "auto_envvar_prefix": "STELLANTIS_HAL"}

T = TypeVar("T")


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
    simulated: bool
    as_json: bool

    def partner(self) -> Partner:
        """Return the partner.

        Raises:
            UsageError: a part of the credentials is missing.
        """
        for name in ("client_id", "login", "password"):
            if not getattr(self, name):
                raise click.UsageError(f"Missing option '--{name.replace('_', '-')}'.")
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


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all commands have in common."""
    file = click.Path(exists=True, dir_okay=False)
    options = (
        click.option("--client-id", help="Client id of the application."),
        click.option("--login", envvar="STELLANTIS_HAL_PARTNER_LOGIN", help="Login of the partner (MZP…)."),
        click.option(
            "--password",
            envvar="STELLANTIS_HAL_PARTNER_PASSWORD",
            prompt="Password of the login",
            prompt_required=False,
            hide_input=True,
            show_default=False,
            help="Password of the login; set STELLANTIS_HAL_PARTNER_PASSWORD instead to keep it out of process lists.",
        ),
        click.option("--certificate", type=file, help="Client certificate for mutual TLS (PEM)."),
        click.option("--certificate-key", type=file, help="Private key of the certificate (PEM)."),
        click.option("--authority", type=click.Path(exists=True), help="Authority of the server's certificate (PEM)."),
        click.option("--base-url", default=PARTNER_URL, callback=check_url, help="Base URL of the API."),
        click.option("--proxy", callback=check_proxy, metavar="URL", help="Proxy, or direct.  [default: environment]"),
        click.option("--simulate", "simulated", is_flag=True, help="Read a simulated fleet in this process."),
        click.option("--json", "as_json", is_flag=True, help="Print each item as a line of JSON."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(context_settings=_SETTINGS)
def fleet() -> None:
    """Read the fleets of a partner (B2B), and the vehicles in them.

    The login and its password are the partner's; the client id is another name.
    """


@fleet.command("list", context_settings=_SETTINGS)
@_options
def list_(**options: Any) -> None:
    """List the fleets."""
    _run(_list_fleets, options)


@fleet.command(context_settings=_SETTINGS)
@click.option("--fleet", "wanted", metavar="ID|NAME", help="Only the vehicles of this fleet.")
@_options
def vehicles(*, wanted: str | None, **options: Any) -> None:
    """List the vehicles of each fleet, with their VINs."""
    _run(partial(_list_vehicles, wanted=wanted), options)


@fleet.command(context_settings=_SETTINGS)
@click.argument("vehicle", metavar="VIN|ID")
@click.option("--fleet", "wanted", metavar="ID|NAME", help="Its fleet.  [default: the first that has it]")
@click.option(
    "--profile",
    type=click.Choice([str(each) for each in Profile]),
    default=Profile.FLEET.value,
    help="Whose view is read.",
)
@_options
def status(*, vehicle: str, wanted: str | None, profile: str, **options: Any) -> None:
    """Show the latest status of a vehicle."""
    _run(partial(_show_status, wanted_vehicle=vehicle, wanted=wanted, profile=profile), options)


def _run(function: Callable[[FleetOwnerClient, bool], Awaitable[None]], options: dict[str, Any]) -> None:
    settings = _Options(**options)

    async def main() -> None:
        async with _open(settings) as client:
            await function(client, settings.as_json)

    run_command(anyio.run, main)


# ------------------------------------------------------------------------------------------------- commands


async def _list_fleets(client: FleetOwnerClient, as_json: bool) -> None:
    async for found in client.fleets():
        facts = {"id": found.id, "name": found.name, "description": found.description}
        _print(facts, f"{found.id}  {found.name or ''}  {found.description or ''}", as_json=as_json)


async def _list_vehicles(client: FleetOwnerClient, as_json: bool, *, wanted: str | None) -> None:
    for found in await _find_fleets(client, wanted):
        async for vehicle in found.vehicles(extensions=("branding",)):
            kind = None if vehicle.motorization is None else str(vehicle.motorization)
            facts = {"fleet": found.id, "id": vehicle.id, "vin": vehicle.vin, "motorization": kind}
            text = f"{found.name or found.id}  {vehicle.vin or vehicle.id}  {kind or ''}  {vehicle.display_name}"
            _print(facts, text, as_json=as_json)


async def _show_status(
    client: FleetOwnerClient, as_json: bool, *, wanted_vehicle: str, wanted: str | None, profile: str
) -> None:
    vehicle = await _find_vehicle(await _find_fleets(client, wanted), wanted_vehicle)
    found = await vehicle.status(profile=profile)
    if found is None:
        raise click.ClickException(f"the vehicle has no status in the profile {profile}")
    row = {name: _plain(value) for name, value in found.row().items() if value is not None}
    if as_json:
        _print(row, "", as_json=True)
        return
    for name, value in row.items():
        _print({}, f"{name:<24}{value}", as_json=False)


async def _find_fleets(client: FleetOwnerClient, wanted: str | None) -> list[Fleet]:
    fleets = [each async for each in client.fleets()]
    found = [each for each in fleets if wanted is None or wanted in {each.id, each.name}]
    if not found and wanted is not None:
        raise click.ClickException(f"the partner has no fleet {wanted!r}; it has {len(fleets)}")
    return found


async def _find_vehicle(fleets: list[Fleet], wanted: str) -> Vehicle:
    for found in fleets:
        async for vehicle in found.vehicles():
            if wanted.upper() == (vehicle.vin or "").upper() or wanted == vehicle.id:
                return vehicle
    raise NotFoundError(f"none of {len(fleets)} fleets has the vehicle {wanted!r}: check the VIN or id", status=404)


def _print(facts: dict[str, Any], text: str, *, as_json: bool) -> None:
    click.echo(escape_json(json.dumps(facts, ensure_ascii=False)) if as_json else one_line(text).rstrip())


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


# ------------------------------------------------------------------------------------------------- clients


@asynccontextmanager
async def _open(options: _Options) -> AsyncGenerator[FleetOwnerClient]:
    if options.simulated:
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
