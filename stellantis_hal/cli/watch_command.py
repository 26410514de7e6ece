"""The command ``watch``: the cars of an account as they change, in a table, in lines, or as JSON."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, Final

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from stellantis_hal.cli.cars import columns
from stellantis_hal.cli.connection import CommandContext, connected, find_car, run_connected
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.json_rows import to_json, utc
from stellantis_hal.cli.json_text import escape_json
from stellantis_hal.cli.status_view import reported_at
from stellantis_hal.cli.wording import age, amount, cells, ending, tabbed
from stellantis_hal.fleet.events import Update, WatchEvent
from stellantis_hal.fleet.watching.watch import watch as watch_fleet
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["watch"]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


def _interval(_: click.Context, option: click.Parameter, value: str) -> timedelta:
    unit = value[-1:]
    if unit in _UNITS and value[:-1].isdigit() and int(value[:-1]) > 0:
        return timedelta(seconds=int(value[:-1]) * _UNITS[unit])
    raise click.BadParameter("an interval must look like 30s, 5m or 1h", param=option)


@click.command(context_settings=SETTINGS)
@click.argument("cars", nargs=-1, metavar="[CAR…]")
@option("--every", default="5m", callback=_interval, metavar="SPAN", help="How often each car is polled.")
@option("--events", type=click.IntRange(1), help="End after so many events.")
@connected
def watch(*, cars: tuple[str, ...], every: timedelta, events: int | None, **options: Any) -> None:
    """Watch cars, all of the account by default: a live table, or a line for each event.

    With --json each event is a JSON object on a line. Ctrl+C ends it.
    """

    async def act(connection: CommandContext) -> None:
        source: Any = [await find_car(connection, car) for car in cars] or connection.account
        async with watch_fleet(source, every=every, what=("status", "trips")) as updates:
            with ExitStack() as stack:
                screen = _Screen(stack, connection)
                count = 0
                async for event in updates:
                    screen.show(event)
                    count += 1
                    if count == events:
                        break

    run_connected(act, options)


class _Screen:
    """Shows events as the output asks for."""

    def __init__(self, stack: ExitStack, connection: CommandContext) -> None:
        self._connection = connection
        self._cars: dict[str, tuple[Vehicle, Status]] = {}
        self._live: Live | None = None
        if not connection.options.as_json and sys.stdout.isatty():
            self._live = stack.enter_context(Live(console=Console(highlight=False), auto_refresh=False))

    def show(self, event: WatchEvent) -> None:
        """Show an event."""
        if self._connection.options.as_json:
            click.echo(escape_json(json.dumps(_facts(event, self._connection.now()), ensure_ascii=False)))
        elif self._live is None:
            click.echo(_line(event, self._connection.now()))
        elif isinstance(event, Update) and event.status is not None:
            self._cars[str(event.vehicle.id)] = (event.vehicle, event.status)
            self._refresh(self._live)
        else:
            self._live.console.print(Text(_line(event, self._connection.now())))

    def _refresh(self, live: Live) -> None:
        quota = self._connection.client.quota.day.remaining
        lines = [f"{amount(quota)} requests left today", *_table(list(self._cars.values()), self._connection.now())]
        live.update(Text("\n".join(lines)), refresh=True)


def _table(cars: list[tuple[Vehicle, Status]], now: datetime) -> list[str]:
    """Return the lines of the table; columns that do not fit leave from the right."""
    rows = [["Car", "Battery", "Fuel", "State", "Odometer", "Told"]]
    for vehicle, status in cars:
        state = "moving" if status.is_moving else "charging" if status.is_charging else "parked"
        levels = [
            "" if energy is None or energy.level is None else f"{energy.level:.0f} %"
            for energy in (status.electric, status.fuel)
        ]
        name = one_line(f"{vehicle.display_name} {ending(vehicle.vin)}")
        rows.append([name, *levels, state, amount(status.mileage), age(reported_at(status), now)])
    while True:
        widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
        if len(widths) == 1 or sum(widths) + 2 * (len(widths) - 1) <= columns():
            return [cells(row, widths, {1, 2, 4}) for row in rows]
        rows = [row[:-1] for row in rows]


def _facts(event: WatchEvent, now: datetime) -> dict[str, Any]:
    """Return an event as an object; an update has the row of its status or trip."""
    facts: dict[str, Any] = {"event": type(event).__name__, "at": utc(now)}
    if isinstance(event, Update):
        facts |= {"id": event.id, "vehicle": event.vehicle.id, "vin": event.vehicle.vin, "what": event.what}
        resource = event.status or event.trip
        facts["row"] = None if resource is None else to_json(resource.row())
    else:
        facts["text"] = one_line(str(event))
    return facts


def _line(event: WatchEvent, now: datetime) -> str:
    """Return an event as texts between tabs."""
    parts = [utc(now), type(event).__name__, str(event)]
    if isinstance(event, Update):
        changes = f"{len(event.changes)} changes"
        detail = changes if event.trip is None else amount(event.trip.distance, "km", 1)
        parts = [utc(now), event.vehicle.display_name, event.what, detail]
    return tabbed(parts)
