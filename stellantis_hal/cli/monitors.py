"""Command ``monitors``: what the vendor watches."""

from __future__ import annotations

from typing import Any, Final

import click

from stellantis_hal.cli.callbacks import find_callback
from stellantis_hal.cli.connection import CommandContext, car_option, connected, find_car
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.row_output import ambiguous, run_for_rows
from stellantis_hal.resources.control.data_items import DataItem, Operator, facts_of
from stellantis_hal.resources.control.data_triggers import DataOperand, data
from stellantis_hal.resources.control.expressions import Expression
from stellantis_hal.resources.control.monitor import Monitor
from stellantis_hal.resources.control.zone_triggers import Zone, zone

__all__ = ["monitors"]

_SIGNS: Final = {"<": Operator.LOWER, ">": Operator.GREATER, "=": Operator.EQUALS}


@click.group(context_settings=SETTINGS)
def monitors() -> None:
    """List and change what the vendor watches."""


@monitors.command("list", context_settings=SETTINGS)
@car_option
@connected
def list_monitors(*, car: str | None, **options: Any) -> None:
    """List the monitors of a car; places are not shown."""

    async def work(connection: CommandContext) -> list[dict[str, Any]]:
        found = await find_car(connection, car, is_option=True)
        return [_monitor_row(each) async for each in found.monitors()]

    run_for_rows(work, options, is_list=True)


@monitors.command("create", context_settings=SETTINGS)
@click.argument("label")
@option("--callback", required=True, metavar="ID|LABEL", help="The callback that its events go to.")
@option("--leaves", metavar="LAT,LON,KM", help="When the car leaves a circle.")
@option("--enters", metavar="LAT,LON,KM", help="When the car enters a circle.")
@option(
    "--when",
    "values",
    multiple=True,
    metavar="ITEM<VALUE",
    help="When a value is < > = another, as vehicle.odometer>9000.",
)
@option("--changes", multiple=True, metavar="ITEM", help="When a value changes.")
@option("--any", "is_any", is_flag=True, help="One condition is enough.  [default: all of them]")
@option("--include", multiple=True, help="Data of the car in each event, as status or position.")
@option("--refresh", type=click.IntRange(60), help="Seconds between events while the condition holds.")
@car_option
@connected
def create_monitor(
    *,
    label: str,
    callback: str,
    leaves: str | None,
    enters: str | None,
    values: tuple[str, ...],
    changes: tuple[str, ...],
    is_any: bool,
    include: tuple[str, ...],
    refresh: int | None,
    car: str | None,
    **options: Any,
) -> None:
    """Create a monitor, or bring the one of this label up to date."""
    conditions: list[Expression] = []
    try:
        if leaves is not None:
            conditions.append(_zone("left", leaves).exits)
        if enters is not None:
            conditions.append(_zone("entered", enters).enters)
        conditions += [_comparison(f"value{number}", text) for number, text in enumerate(values, 1)]
        conditions += [data(f"change{number}", text).changes() for number, text in enumerate(changes, 1)]
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    if not conditions:
        raise click.UsageError("name a condition: --leaves, --enters, --when or --changes")
    when = conditions[0]
    for each in conditions[1:]:
        when = when | each if is_any else when & each

    async def work(connection: CommandContext) -> list[dict[str, Any]]:
        found = await find_car(connection, car, is_option=True)
        target = await find_callback(connection.account, callback)
        made = await found.monitors(target).ensure(label, when=when, include=include, refresh=refresh)
        return [_monitor_row(made)]

    run_for_rows(work, options)


@monitors.command("delete", context_settings=SETTINGS)
@click.argument("monitor", metavar="ID|LABEL")
@car_option
@connected
def delete_monitor(*, monitor: str, car: str | None, **options: Any) -> None:
    """Delete a monitor."""

    async def work(connection: CommandContext) -> list[dict[str, Any]]:
        found = await find_car(connection, car, is_option=True)
        known = [each async for each in found.monitors() if monitor in {each.id, each.label}]
        if len(known) != 1:
            raise ambiguous("the car", "monitor", monitor, len(known))
        await known[0].delete()
        return [{**_monitor_row(known[0]), "status": "Deleted"}]

    run_for_rows(work, options)


def _zone(name: str, text: str) -> Zone:
    try:
        latitude, longitude, km = text.split(",")
        place = float(latitude), float(longitude), int(km)
    except ValueError:
        raise ValueError("a circle is LAT,LON,KM with whole kilometres, as 48.86,2.33,1") from None
    return zone(name, *place[:2], km=place[2])


def _comparison(name: str, text: str) -> Expression:
    for sign, operator in _SIGNS.items():
        item, found, value = text.partition(sign)
        if found:
            observed: DataOperand = data(name, item.strip())
            facts = facts_of(DataItem(item.strip()))
            kind = "text" if facts is None else facts.type
            wanted: Any = value.strip()
            if kind == "number":
                wanted = _number(item.strip(), wanted)
            elif kind == "boolean":
                wanted = {"true": True, "false": False}.get(wanted.lower(), wanted)
            if operator is Operator.EQUALS:
                return observed.equals(wanted)
            if facts is None:
                known = ", ".join(each for each in DataItem if _is_number(each))
                raise ValueError(f"{item.strip()} is no number that is known: those are {known}")
            number = _number(item.strip(), wanted)
            return (observed < number) if operator is Operator.LOWER else (observed > number)
    raise ValueError("a comparison is ITEM<VALUE, ITEM>VALUE or ITEM=VALUE, as vehicle.energy.electric.level<20")


def _is_number(item: DataItem) -> bool:
    facts = facts_of(item)
    return facts is not None and facts.type == "number"


def _number(item: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"a value of {item} must be a number, not {text!r}") from None


def _monitor_row(monitor: Monitor) -> dict[str, Any]:
    return {
        "id": monitor.id,
        "label": monitor.label,
        "status": monitor.status,
        "when": monitor.when_text if monitor.when is None else str(monitor.when),
        "triggers": [each.describe() for each in monitor.triggers],
        "include": list(monitor.include),
        "refresh": monitor.refresh,
    }
