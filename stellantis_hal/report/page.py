"""The report as HTML: one page that loads nothing, with every text escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from importlib.resources import files
from math import isfinite
from typing import Any, Final

import attrs

from stellantis_hal.__version__ import __version__
from stellantis_hal.hal.html_tables import escape
from stellantis_hal.report.car_section import CarSection
from stellantis_hal.report.charts import Chart
from stellantis_hal.report.escaping import isolate, plural, script_json
from stellantis_hal.report.trip_facts import TripFacts, local
from stellantis_hal.report.trip_map import trip_map
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["ReportPage"]

_LONGEST_REMARK: Final = 500

_TRIP_COLUMNS: Final = (
    ("start", "Start", None),
    ("km", "km", 1),
    ("minutes", "min", 0),
    ("speed", "km/h", 0),
    ("kwh", "kWh", 1),
    ("kwh_per_100_km", "kWh/100 km", 1),
    ("litres", "l", 1),
    ("litres_per_100_km", "l/100 km", 1),
    ("start_battery", "Battery from, %", 0),
    ("stop_battery", "Battery to, %", 0),
    ("start_fuel", "Fuel from, %", 0),
    ("stop_fuel", "Fuel to, %", 0),
)
"""Key, title, and digits; None: a text."""


@attrs.frozen(kw_only=True)
class ReportPage:
    """A page.

    Attributes:
        sections: one of each car.
        made_at: when it was made.
        zone: of its times; None: that of the machine.
        show_vins: whether VINs are shown as a whole.
        show_places: whether the maps are shown.
        remarks: sentences about all of it.
        runtime: the script that draws the charts.
    """

    sections: tuple[CarSection, ...]
    made_at: datetime
    zone: tzinfo | None
    show_vins: bool
    show_places: bool
    remarks: tuple[str, ...]
    runtime: str

    def html(self) -> str:
        """Return the whole page."""
        style, script = _resource("page.css"), _resource("page.js")
        names = ", ".join(section.history.vehicle.display_name for section in self.sections)
        title = f"Report: {names}" if self.sections else "Report without cars"
        cars = "".join(self._car(number, section) for number, section in enumerate(self.sections, 1))
        policy = (
            f"default-src 'none'; script-src {_hash(self.runtime)} {_hash(script)}; style-src {_hash(style)}; "
            "base-uri 'none'; form-action 'none'"
        )
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="stellantis-hal {__version__}">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{self._heading()}</h1>
<p>Made {self._instant(self.made_at)}. Times, days and months are of the zone {escape(self._zone_name())}.</p>
{_paragraphs(self.remarks)}
{"<p>Its maps show where the car was: send this file only to people who may know.</p>" if self._has_places() else ""}
</header>
<main>
{self._overview()}
{cars}
</main>
<footer><p>Made by stellantis-hal {__version__}. This page loads nothing from the network. Its charts are drawn by Vega,
Vega-Lite and Vega-Embed (BSD 3-Clause License, University of Washington Interactive Data Lab).</p></footer>
<script type="application/json" id="data">{script_json(self._data())}</script>
<script>{self.runtime}</script>
<script>{script}</script>
</body>
</html>
"""

    def _heading(self) -> str:
        if len(self.sections) == 1:
            return f"{isolate(self.sections[0].history.vehicle.display_name)}"
        return f"Report of {len(self.sections)} cars" if self.sections else "No cars"

    def _has_places(self) -> bool:
        return self.show_places and any(
            section.routes or any(trip.origin or trip.destination for trip in section.trips)
            for section in self.sections
        )

    def _zone_name(self) -> str:
        made_at = self.made_at.astimezone(self.zone)
        offset = f"UTC{made_at:%z}"
        offset = f"{offset[:-2]}:{offset[-2:]}" if len(offset) == 8 else offset
        name = getattr(self.zone, "key", None) or (made_at.tzname() or offset)
        if self.zone is None:
            return f"{name} of the machine that made it (then {offset})"
        return name if name == "UTC" else f"{name} (then {offset})"

    def _instant(self, instant: datetime) -> str:
        shown = local(instant, self.zone) or instant
        return f'<time datetime="{shown:%Y-%m-%dT%H:%M%z}">{shown:%Y-%m-%d %H:%M}</time>'

    def _overview(self) -> str:
        """Return the table of cars; nothing for a single one."""
        if not self.sections:
            return "<p>The account has no cars, so there is nothing to show.</p>"
        if len(self.sections) == 1:
            return ""
        rows = [
            f'<tr><th scope="row"><a href="#car-{number}">{isolate(section.history.vehicle.display_name)}</a></th>'
            f"<td>{self._vin(section.history.vehicle)}</td>{_cells(_overview_row(section))}</tr>"
            for number, section in enumerate(self.sections, 1)
        ]
        titles = ("Car", "VIN", "Trips", "km", "kWh", "kWh/100 km", "l", "l/100 km")
        return _table("Cars and totals of the period", titles, rows)

    def _vin(self, vehicle: Vehicle) -> str:
        if not vehicle.vin:
            return "unknown"
        return escape(vehicle.vin) if self.show_vins else f"…{escape(vehicle.vin[-4:])}"

    def _car(self, number: int, section: CarSection) -> str:
        vehicle = section.history.vehicle
        heading = "" if len(self.sections) == 1 else f"<h2>{isolate(vehicle.display_name)}</h2>"
        facts = [
            ("Brand", isolate(vehicle.brand) if vehicle.brand else "unknown"),
            ("Drive", escape(str(vehicle.motorization)) if vehicle.motorization else "unknown"),
            ("VIN", self._vin(vehicle)),
            ("Period", self._period(section)),
            ("Trips in it", self._span(section)),
        ]
        listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
        remarks = (
            f"<ul>{''.join(f'<li>{escape(each, longest=_LONGEST_REMARK)}</li>' for each in section.remarks)}</ul>"
            if section.remarks
            else "<p>Nothing: every trip has a start, a distance, a consumption and a position.</p>"
        )
        charts = "".join(_chart(f"car-{number}", chart) for chart in section.charts)
        return f"""<section id="car-{number}" class="car" aria-label="{escape(vehicle.display_name)}">
{heading}
<dl class="facts">{listed}</dl>
<h3>Figures</h3>
<dl class="tiles">{"".join(_tile(*tile) for tile in self._tiles(section))}</dl>
<h3>Missing or left out</h3>
{remarks}
{self._map(section)}
<div class="charts">{charts}</div>
{_trips(f"car-{number}", section)}
</section>
"""

    def _period(self, section: CarSection) -> str:
        since, until = section.history.since, section.history.until
        start = self._instant(since) if since is not None else "the first trip that the API has"
        end = self._instant(until) if until is not None else "when this was made"
        return f"from {start} until {end}"

    def _span(self, section: CarSection) -> str:
        if section.first is None or section.last is None:
            return f"{section.totals.trips:,}"
        return f"{section.totals.trips:,}, from {self._instant(section.first)} to {self._instant(section.last)}"

    def _tiles(self, section: CarSection) -> Iterable[tuple[str, str, str]]:
        totals, status = section.totals, section.status
        yield "trips", "Trips", f"{totals.trips:,}"
        yield "km", "Distance", _amount(totals.km, "km", 1)
        yield "hours", "Time driven", _amount(totals.hours, "h", 1)
        yield "longest", "Longest trip", _amount(totals.longest, "km", 1)
        if totals.kwh is not None:
            yield "kwh", "Electricity", _amount(totals.kwh, "kWh", 1)
            yield "kwh-per-100-km", "Electricity by distance", _amount(totals.kwh_per_100_km, "kWh/100 km", 1)
        if totals.litres is not None:
            yield "litres", "Fuel", _amount(totals.litres, "l", 1)
            yield "litres-per-100-km", "Fuel by distance", _amount(totals.litres_per_100_km, "l/100 km", 1)
        told = "" if section.told is None else f", told {section.told:%Y-%m-%d %H:%M}"
        if status is not None:
            yield "odometer", f"Odometer{told}", _amount(status.mileage, "km", 0)
            for name, energy in (("Battery", status.electric), ("Fuel level", status.fuel)):
                if energy is not None:
                    value = f"{_amount(energy.level, '%', 0)}, {_amount(energy.autonomy, 'km', 0)}"
                    yield f"{name.split()[0].lower()}-now", f"{name}{told}", value

    def _map(self, section: CarSection) -> str:
        if not self.show_places:
            return "<h3>Map</h3><p>Left out on request, like every position.</p>"
        label = escape(f"Map of {plural(section.totals.trips, 'trip')} of {section.history.vehicle.display_name}")
        drawn = trip_map(section.trips, section.routes, label)
        return f"<h3>Map</h3><figure>{drawn.svg}<figcaption>{drawn.note}</figcaption></figure>"

    def _data(self) -> dict[str, Any]:
        """Return what the script draws: charts, and the rows of the tables of trips."""
        return {
            "charts": [
                {"id": f"car-{number}-{chart.key}", "spec": {**chart.spec, "description": chart.description}}
                for number, section in enumerate(self.sections, 1)
                for chart in section.charts
                if chart.spec is not None
            ],
            "tables": [
                {"id": f"car-{number}-trips", "columns": _columns(section.trips), "rows": _rows(section.trips)}
                for number, section in enumerate(self.sections, 1)
            ],
        }


def _resource(name: str) -> str:
    return files("stellantis_hal.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _paragraphs(texts: Iterable[str]) -> str:
    return "".join(f"<p>{escape(text, longest=_LONGEST_REMARK)}</p>" for text in texts)


def _amount(value: float | None, unit: str, digits: int) -> str:
    return "unknown" if value is None or not isfinite(value) else f"{_number(value, digits)} {unit}"


def _number(value: float, digits: int) -> str:
    if not isfinite(value):
        return "unknown"  # a sum or quotient of figures beyond all bounds
    return f"{value:,.{digits}f}" if abs(value) < 1e12 else f"{value:.3g}"


def _tile(key: str, name: str, value: str) -> str:
    return f'<div><dt>{name}</dt><dd data-figure="{key}">{value}</dd></div>'


def _overview_row(section: CarSection) -> list[str]:
    totals = section.totals
    values = (totals.km, totals.kwh, totals.kwh_per_100_km, totals.litres, totals.litres_per_100_km)
    return [f"{totals.trips:,}", *("–" if value is None else _number(value, 1) for value in values)]


def _cells(values: Iterable[str | float]) -> str:
    return "".join(f"<td>{_cell(value)}</td>" for value in values)


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return escape(value)
    return _number(value, 2) if abs(value) >= 1e12 or not isfinite(value) else f"{round(value, 2):,}"


def _table(caption: str, titles: Iterable[str], rows: Iterable[str]) -> str:
    heads = "".join(f'<th scope="col">{title}</th>' for title in titles)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}"><table><caption>{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _chart(prefix: str, chart: Chart) -> str:
    key = f"{prefix}-{chart.key}"
    drawn = f'<div class="chart" id="{key}"></div>' if chart.spec is not None else ""
    numbers = ""
    if chart.rows:
        table = _table(chart.title, chart.columns, (f"<tr>{_cells(row)}</tr>" for row in chart.rows))
        numbers = f"<details><summary>Numbers of: {chart.title}</summary>{table}</details>"
    return f"<figure><h3>{chart.title}</h3>{drawn}<figcaption>{chart.note}</figcaption>{numbers}</figure>"


def _columns(trips: Sequence[TripFacts]) -> list[dict[str, Any]]:
    """Return the columns of the table: those in which a trip has a value."""
    return [
        {"key": key, "title": title, "digits": digits}
        for key, title, digits in _TRIP_COLUMNS
        if digits is None or any(_value(trip, key) is not None for trip in trips)
    ]


def _rows(trips: Sequence[TripFacts]) -> list[list[str | float | None]]:
    columns = [(column["key"], column["digits"]) for column in _columns(trips)]
    return [[_round(_value(trip, key), digits) for key, digits in columns] for trip in sorted(trips, key=_latest_first)]


def _latest_first(trip: TripFacts) -> float:
    return 0.0 if trip.start is None else -trip.start.timestamp()


def _round(value: str | float | None, digits: int | None) -> str | float | None:
    return round(value, 3) if isinstance(value, float) and digits is not None else value


def _value(trip: TripFacts, key: str) -> str | float | None:
    if key == "start":
        return None if trip.start is None else f"{trip.start:%Y-%m-%d %H:%M}"
    if key in {"kwh_per_100_km", "litres_per_100_km"}:
        used = trip.kwh if key.startswith("kwh") else trip.litres
        return None if used is None or not trip.km else 100 * used / trip.km
    value: float | None = getattr(trip, key)
    return value


def _trips(prefix: str, section: CarSection) -> str:
    if not section.trips:
        return "<h3>Trips</h3><p>No trip in this period.</p>"
    key = f"{prefix}-trips"
    return f"""<h3 id="{key}-title">Trips</h3>
<form class="filters" id="{key}-filters" aria-labelledby="{key}-title">
<label>From <input type="date" name="from"></label>
<label>Until <input type="date" name="until"></label>
<label>At least, km <input type="number" name="least" min="0" step="any" inputmode="decimal"></label>
<label>At most, km <input type="number" name="most" min="0" step="any" inputmode="decimal"></label>
<button type="reset">All trips</button>
<button type="button" name="csv">Save as CSV</button>
</form>
<p class="status" id="{key}-status" role="status"></p>
<noscript><p>The charts and this table need scripts. Their numbers are under “Numbers of”.</p></noscript>
<div class="scroll" role="region" tabindex="0" aria-labelledby="{key}-title"><table id="{key}">
<caption>Trips, the latest first; a heading sorts</caption><thead></thead><tbody></tbody></table></div>
<p><button type="button" id="{key}-more" hidden>Show more trips</button></p>"""
