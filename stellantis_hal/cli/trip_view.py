"""Trips as lines of text: a table for wide terminals, two lines a trip for narrow ones, tabs for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

import attrs

from stellantis_hal.cli.json_rows import plain
from stellantis_hal.cli.wording import cells, in_zone, tabbed

__all__ = ["TAB_COLUMNS", "tab_line", "trip_lines"]

_NARROW: Final = 60

Row = Mapping[str, Any]


@attrs.frozen
class _Column:
    title: str
    text: Callable[[Row, tzinfo | None], str]
    rank: int
    """The column with the highest rank leaves first where the terminal is too narrow."""


def _number(name: str, digits: int = 0, factor: float = 1.0) -> Callable[[Row, tzinfo | None], str]:
    def text(row: Row, _: tzinfo | None) -> str:
        value = row[name]
        return "" if value is None else f"{value * factor:,.{digits}f}"

    return text


def _instant(name: str) -> Callable[[Row, tzinfo | None], str]:
    def text(row: Row, zone: tzinfo | None) -> str:
        value: datetime | None = row[name]
        return "unknown" if value is None else f"{in_zone(value, zone):%Y-%m-%d %H:%M}"

    return text


def _levels(kind: str) -> Callable[[Row, tzinfo | None], str]:
    def text(row: Row, _: tzinfo | None) -> str:
        start, stop = row[f"start_{kind}_percent"], row[f"stop_{kind}_percent"]
        if start is None and stop is None:
            return ""
        return " → ".join("?" if level is None else f"{level:.0f}" for level in (start, stop))

    return text


_COLUMNS: Final = (
    _Column("Start", _instant("started_at"), 0),
    _Column("km", _number("distance_km", 1), 1),
    _Column("min", _number("duration_s", factor=1 / 60), 2),
    _Column("km/h", _number("average_speed_kmh"), 6),
    _Column("kWh", _number("electricity_wh", 1, 1 / 1000), 3),
    _Column("kWh/100", _number("electricity_kwh_per_100km", 1), 4),
    _Column("litres", _number("fuel_cl", 1, 1 / 100), 3),
    _Column("l/100", _number("fuel_l_per_100km", 1), 4),
    _Column("Battery", _levels("battery"), 5),
    _Column("Fuel", _levels("fuel"), 5),
)
TAB_COLUMNS: Final = (
    "id",
    "started_at",
    "stopped_at",
    "distance_km",
    "duration_s",
    "average_speed_kmh",
    "electricity_wh",
    "fuel_cl",
    "start_battery_percent",
    "stop_battery_percent",
)
"""Columns of the output for programs, as named by ``trip.row()``."""


def trip_lines(rows: Iterable[Row], *, zone: tzinfo | None, width: int) -> list[str]:
    """Return a table of trips. Columns in which no trip has a value are left out; so are those that do not fit.

    Args:
        rows: of ``trip.row()``.
        zone: where times are shown; None: the zone of the machine.
        width: of the terminal, in columns.
    """
    found = list(rows)
    table = [(column, [column.text(row, zone) for row in found]) for column in _COLUMNS]
    table = [(column, texts) for column, texts in table if any(texts)]
    if width < _NARROW:
        return [
            line
            for index in range(len(found))
            for line in _narrow([(column, texts[index]) for column, texts in table], width)
        ]
    widths = {column.title: max(map(len, (column.title, *texts))) for column, texts in table}
    while sum(widths[column.title] for column, _ in table) + 2 * (len(table) - 1) > width:
        table.remove(max(table, key=lambda pair: pair[0].rank))
    sizes = [widths[column.title] for column, _ in table]
    numbers = {index for index, (column, _) in enumerate(table) if column.title != "Start"}
    lines = [cells([column.title for column, _ in table], sizes, numbers)]
    lines += [cells([texts[index] for _, texts in table], sizes, numbers) for index in range(len(found))]
    return lines


def _narrow(values: list[tuple[_Column, str]], width: int) -> list[str]:
    """Return two lines of a trip: the first three values, then the others with their titles, as far as they fit."""
    first = "  ".join(f"{text} {column.title}" if column.rank else text for column, text in values[:3] if text)
    rest = [(column, text) for column, text in values[3:] if text]
    while rest:
        second = "  ".join(f"{text} {column.title}" for column, text in rest)
        if len(second) + 2 <= width:
            return [first, f"  {second}", ""]
        rest.remove(max(rest, key=lambda pair: pair[0].rank))
    return [first, ""]


def tab_line(row: Row) -> str:
    """Return a trip as values between tabs, whole and without units; an unknown one is empty."""
    return tabbed("" if row[name] is None else str(plain(row[name])) for name in TAB_COLUMNS)
