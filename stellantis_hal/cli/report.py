"""Command that writes a report: ``report``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import click

from stellantis_hal.cli.common_options import refuse_typed
from stellantis_hal.cli.connection import CommandContext, car_argument, connected, find_car, run_connected
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.failures import SOME_FAILED, Failure
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.period import period_of
from stellantis_hal.errors import (
    ApiError,
    ConfigurationError,
    HalError,
    QuotaError,
    StructureError,
    UnauthorizedError,
)
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.report.car_history import CarHistory
from stellantis_hal.report.escaping import plural
from stellantis_hal.report.history_reader import read_car_history
from stellantis_hal.report.report import Report
from stellantis_hal.report.vega_runtime import runtime
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["report"]

_option = partial(option, command="report")  # so that a variable for the file of `trips` is not taken
_SIMULATED: Final = "Data of the built-in simulator, not of a real car."


@click.command(context_settings=SETTINGS)
@car_argument
@option("--since", metavar="WHEN", help="Trips from then on: 30d, 2025-12, 2025-12-31.  [default: all]")
@option("--until", metavar="WHEN", help="Trips until then.")
@_option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    help="The file; one that is there is replaced.",
)
@_option(
    "--routes", type=click.IntRange(0), default=20, help="Draw the routes of so many latest trips; a request for each."
)
@_option("--no-places", is_flag=True, help="Leave out the map and every position.")
@_option("--show-vin", is_flag=True, help="Show VINs as a whole.")
@connected
def report(
    *,
    car: str | None,
    since: str | None,
    until: str | None,
    output: Path,
    routes: int,
    no_places: bool,
    show_vin: bool,
    **options: Any,
) -> None:
    """Write trips, consumption, levels and charging as one HTML file, which needs no network.

    Without CAR it has all cars of the account, unless the profile names one.
    """

    if no_places:
        refuse_typed(("routes",), "--no-places leaves out the map on which they are drawn")

    async def act(connection: CommandContext) -> int:
        start, end = period_of(connection, since, until)
        if not output.parent.is_dir():
            raise click.UsageError(f"there is no folder {output.parent}: create it, or pass another --output")
        await anyio.to_thread.run_sync(_require_runtime)  # before many requests are spent
        vehicles = await _wanted(connection, car)
        cars: list[CarHistory] = []
        failures: list[str] = []
        for vehicle in vehicles:
            try:
                history = await read_car_history(
                    vehicle,
                    since=start,
                    until=end,
                    routes=0 if no_places else routes,
                    progress=_progress(connection, vehicle),
                )
            except (ApiError, HalError, StructureError) as error:
                if len(vehicles) == 1 or isinstance(error, UnauthorizedError | QuotaError):
                    raise
                failures.append(
                    f"Left out {vehicle.display_name}: its trips could not be read ({type(error).__name__})."
                )
            else:
                cars.append(history)
        if not connection.options.quiet and sys.stderr.isatty():
            click.echo(err=True)
        made = Report(
            cars=cars,
            made_at=connection.now(),
            zone=connection.options.zone,
            show_vins=show_vin,
            show_places=not no_places,
            remarks=[*((_SIMULATED,) if connection.options.simulated else ()), *failures],
        )
        size = await anyio.to_thread.run_sync(made.write, output)
        _tell(connection, output, made, size, failures)
        return SOME_FAILED if failures else 0

    sys.exit(run_connected(act, options))


async def _wanted(connection: CommandContext, car: str | None) -> list[Vehicle]:
    profile = connection.options.profile
    if car is None and (profile is None or profile.car is None):
        return [vehicle async for vehicle in connection.account.vehicles()]
    return [await find_car(connection, car)]


def _require_runtime() -> None:
    try:
        runtime()
    except ConfigurationError as error:
        raise Failure(str(error), 8) from None


def _progress(connection: CommandContext, vehicle: Vehicle) -> Callable[[int], None] | None:
    if connection.options.quiet or not sys.stderr.isatty():
        return None
    return partial(_show, one_line(vehicle.display_name))


def _show(name: str, trips: int) -> None:
    click.echo(f"\r{name}: {trips:,} trips", nl=False, err=True)


def _tell(connection: CommandContext, output: Path, made: Report, size: int, failures: list[str]) -> None:
    trips = sum(len(car.trips) for car in made.cars)
    is_piped = not output.is_file()  # into standard output, which has the report alone then
    if connection.options.as_json:
        facts = {"file": str(output), "cars": len(made.cars), "trips": trips, "bytes": size, "failed": len(failures)}
        click.echo(json_text(facts), err=is_piped)
    else:
        cars = plural(len(made.cars), "car")
        click.echo(f"{cars}, {plural(trips, 'trip')}, {size / 1e6:.1f} MB in {output}", err=is_piped)
    for remark in (*failures, *dict.fromkeys(remark for car in made.cars for remark in car.remarks)):
        connection.options.warn(one_line(remark))
