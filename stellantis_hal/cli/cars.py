"""Commands that show cars: ``vehicles``, ``status``, ``maintenance``, ``alerts``."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Awaitable
from typing import Any, TypeVar

import click

from stellantis_hal.cli.connection import CommandContext, car_argument, connected, find_car, run_connected
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.json_rows import to_json
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.status_view import CarState, status_lines
from stellantis_hal.cli.wording import UNKNOWN, age, amount, cells, clock, tabbed
from stellantis_hal.errors import ForbiddenError, NotFoundError
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.blocks.measured import latest_instant
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["alerts", "columns", "maintenance", "show", "status", "vehicles"]

T = TypeVar("T")


def columns() -> int:
    """Return the width of the terminal in columns, at least 20."""
    return max(20, shutil.get_terminal_size().columns)


def show(text: str) -> None:
    """Print a text; on a terminal its lines end between words."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    lines = textwrap.wrap(text, columns(), subsequent_indent=indent) if _is_terminal() else [text]
    click.echo("\n".join(lines))


@click.command(context_settings=SETTINGS)
@connected
def vehicles(**options: Any) -> None:
    """List the cars of the account."""

    async def act(connection: CommandContext) -> None:
        found = [vehicle async for vehicle in connection.account.vehicles()]
        if connection.options.as_json:
            click.echo(json_text([_facts(vehicle) for vehicle in found]))
            return
        rows = [
            [vehicle.display_name, str(vehicle.brand or ""), vehicle.vin or "", vehicle.id or ""] for vehicle in found
        ]
        if not rows:
            click.echo("The account has no cars.", err=True)
        elif not _is_terminal():
            for row in rows:
                click.echo(tabbed(row))
        else:
            titles = ["Car", "Brand", "VIN", "Id"]
            table = [titles, *([one_line(text) for text in row] for row in rows)]
            while len(table[0]) > 1 and sum(widths := _widths(table)) + 2 * (len(widths) - 1) > columns():
                table = [row[:-1] for row in table]  # the id leaves first, then the VIN
            for row in table:
                click.echo(cells(row, _widths(table), set()))

    run_connected(act, options)


def _widths(table: list[list[str]]) -> list[int]:
    return [max(len(row[index]) for row in table) for index in range(len(table[0]))]


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _facts(vehicle: Vehicle) -> dict[str, Any]:
    return {
        "id": vehicle.id,
        "vin": vehicle.vin,
        "label": vehicle.label,
        "brand": None if vehicle.brand is None else str(vehicle.brand),
        "motorization": None if vehicle.motorization is None else str(vehicle.motorization),
    }


async def optional(reading: Awaitable[T]) -> T | None:
    """Return what an endpoint says; None where a car does not have it."""
    try:
        return await reading
    except (NotFoundError, ForbiddenError):
        return None


async def active_alerts(vehicle: Vehicle) -> tuple[Alert, ...]:
    """Return the alerts of a car that are active, among its last fifty."""
    found = await optional(vehicle.alerts().collect(limit=50))
    return tuple(alert for alert in found or () if alert.active)


@click.command(context_settings=SETTINGS)
@car_argument
@connected
def status(*, car: str | None, **options: Any) -> None:
    """Show the last known state of a car."""

    async def act(connection: CommandContext) -> None:
        vehicle = await find_car(connection, car)
        found = await vehicle.status()
        if connection.options.as_json:
            click.echo(
                json_text({"vehicle": _facts(vehicle), "status": None if found is None else to_json(found.row())})
            )
            return
        state = CarState(
            vehicle=vehicle,
            status=found,
            maintenance=await optional(vehicle.maintenance()),
            alerts=await active_alerts(vehicle),
        )
        for line in status_lines(state, now=connection.now(), zone=connection.options.zone, width=columns()):
            click.echo(line)

    run_connected(act, options)


@click.command(context_settings=SETTINGS)
@car_argument
@connected
def maintenance(*, car: str | None, **options: Any) -> None:
    """Show when a car's next service is due."""

    async def act(connection: CommandContext) -> None:
        vehicle = await find_car(connection, car)
        found = await vehicle.maintenance()
        if connection.options.as_json:
            days, mileage = (None, None) if found is None else (found.days, found.mileage)
            click.echo(json_text({"vehicle": _facts(vehicle), "days": days, "mileage_km": mileage}))
        elif found is None:
            click.echo("The API has no service plan of this car.", err=True)
        else:
            reported = age(latest_instant(found), connection.now())
            show(f"Service in {amount(found.days)} days or {amount(found.mileage, 'km')}, reported {reported}")

    run_connected(act, options)


@click.command(context_settings=SETTINGS)
@car_argument
@option("--all", "is_complete", is_flag=True, help="List all alerts, not only those that are active.")
@connected
def alerts(*, car: str | None, is_complete: bool, **options: Any) -> None:
    """List the alerts of a car."""

    async def act(connection: CommandContext) -> None:
        vehicle = await find_car(connection, car)
        found = await vehicle.alerts().collect() if is_complete else await active_alerts(vehicle)
        if connection.options.as_json:
            names = ("id", "type", "active", "severity", "started_at", "ended_at")
            click.echo(json_text([to_json({name: getattr(each, name) for name in names}) for each in found]))
        elif not found:
            click.echo("No alerts." if is_complete else "No active alerts.", err=True)
        else:
            for alert in found:
                since = clock(alert.started_at, connection.now(), connection.options.zone)
                end = (
                    "" if alert.active else f" until {clock(alert.ended_at, connection.now(), connection.options.zone)}"
                )
                show(f"{one_line(str(alert.type or UNKNOWN))} since {since}{end}")

    run_connected(act, options)
