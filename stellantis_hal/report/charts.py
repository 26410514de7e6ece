"""Charts of a report as Vega-Lite specifications, each with its numbers and what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

import attrs

from stellantis_hal.report.energy_measurements import LEAST_LEVEL, EnergyMeasurement
from stellantis_hal.report.levels import LEAST_RISE, LevelDay, Rise
from stellantis_hal.report.totals import MonthTotals
from stellantis_hal.report.trip_facts import TripFacts

__all__ = ["Chart", "consumption_chart", "distance_chart", "level_chart", "range_chart", "rise_chart", "speed_chart"]

T = TypeVar("T")

_HEIGHT: Final = 220
_MOST_POINTS: Final = 1_500
_LEAST_KM: Final = 3.0
_FULL, _PALE = 1.0, 0.45
_DAY: Final = 86_400_000
_FEW, _SHORT = 6, 300
"""Days up to which each has a label, and up to which labels have no year."""
_CONFIG: Final[Mapping[str, Any]] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--text)",
        "titleColor": "var(--text)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelOverlap": True,
        "labelSeparation": 8,
    },
}
_COLORS: Final = {"battery": "var(--battery)", "fuel": "var(--fuel)"}
_NAMES: Final = {"battery": "Battery", "fuel": "Fuel"}


@attrs.frozen(kw_only=True)
class Chart:
    """A chart.

    Attributes:
        key: its name in the page.
        title: its heading.
        description: what it shows, its accessible name.
        spec: the Vega-Lite specification; None where there is nothing to show.
        note: how it was made and what it leaves out, or why there is nothing.
        columns: titles of its table of numbers.
        rows: the numbers.
    """

    key: str
    title: str
    description: str
    spec: Mapping[str, Any] | None
    note: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | float, ...], ...] = ()


def distance_chart(months: Sequence[MonthTotals]) -> Chart:
    """Return bars of the kilometres of each month."""
    values = [
        {"month": month.name, "km": round(month.totals.km or 0.0, 1), "trips": month.totals.trips, **_shade(month)}
        for month in months
    ]
    spec = _spec(
        values,
        {"type": "bar", "color": "var(--accent)", "width": {"band": min(0.8, 0.15 + 0.1 * len(values))}},
        x=_months(),
        y=_quantity("km", "km"),
        opacity={"field": "opacity", "type": "quantitative", "scale": None},
        tooltip=[_text("month", "Month"), _text("km", "km"), _text("trips", "Trips"), _text("part", "Covers")],
    )
    return Chart(
        key="distance",
        title="Distance by month",
        description="Bars: kilometres driven in each month",
        spec=spec if values else None,
        note="Pale bars: the period covers a part of the month only." if values else _NO_STARTS,
        columns=("Month", "km", "Trips", "Covers"),
        rows=tuple((each["month"], each["km"], each["trips"], each["part"]) for each in values),
    )


def consumption_chart(months: Sequence[MonthTotals], energy: str) -> Chart:
    """Return a line of the consumption per 100 km of each month."""
    is_electric = energy == "battery"
    unit = "kWh/100 km" if is_electric else "l/100 km"
    found = [
        (month, month.totals.kwh_per_100_km if is_electric else month.totals.litres_per_100_km) for month in months
    ]
    used = [(month, value) for month, value in found if value is not None]
    values = [{"month": month.name, "used": round(value, 2), **_shade(month)} for month, value in used]
    kind = _word(energy)
    return Chart(
        key=f"consumption-{energy}",
        title=f"Consumption by month, {kind}",
        description=f"Line: {unit} in each month",
        spec=_spec(
            values,
            {"type": "line", "point": {"size": 60, "filled": True, "color": _COLORS[energy]}, "color": _COLORS[energy]},
            x=_months(),
            y=_quantity("used", unit),
            tooltip=[_text("month", "Month"), _text("used", unit), _text("part", "Covers")],
        )
        if values
        else None,
        note=f"The {kind} of all trips of the month by their distance; trips without one of both do not count."
        if values
        else f"No trip has both a distance and the {kind} it used.",
        columns=("Month", unit, "Covers"),
        rows=tuple((each["month"], each["used"], each["part"]) for each in values),
    )


def level_chart(days: Sequence[LevelDay], energy: str) -> Chart:
    """Return a bar from the lowest to the highest level of each day."""
    values: list[dict[str, Any]] = [
        {"day": _utc(day.day), "text": f"{day.day}", "low": day.low, "high": day.high} for day in days
    ]
    name = _NAMES[energy]
    width = max(0.5, min(4.0, 500 / max(1, len(values))))  # so that the days of years do not run into one another
    return Chart(
        key=f"level-{energy}",
        title=f"{name} level over time",
        description=f"Bars: lowest to highest {name.lower()} level of each day in percent",
        spec=_spec(
            values,
            {"type": "rule", "strokeWidth": width, "strokeCap": "round", "color": _COLORS[energy], "aria": False},
            x=_days(values),
            y=_quantity("low", "%", domain=(0, 100)),
            y2={"field": "high"},
            tooltip=[_text("text", "Day"), _text("low", "Lowest, %"), _text("high", "Highest, %")],
        )
        if values
        else None,
        note="From the lowest to the highest level of each day, by starts and ends of trips and by what else the car "
        "reported. Days without a level have no bar."
        if values
        else f"No trip and no status has a {name.lower()} level.",
        columns=("Day", "Lowest, %", "Highest, %"),
        rows=tuple((each["text"], each["low"], each["high"]) for each in values),
    )


def rise_chart(rises: Sequence[Rise], energy: str, capacity: float | None) -> Chart:
    """Return a dot for each charge or refuelling: when, up to which level, and by how much.

    Args:
        rises: in order.
        energy: "battery" or "fuel".
        capacity: of the battery in kWh, where it is known.
    """
    kwh = capacity if energy == "battery" else None
    values: list[dict[str, Any]] = [
        {
            "day": _utc(each.before.date()),
            "after": f"{each.after:%Y-%m-%d %H:%M}",
            "before": f"{each.before:%Y-%m-%d %H:%M}",
            "low": each.low,
            "high": each.high,
            "points": round(each.points, 1),
            **({} if kwh is None else {"kwh": round(each.points / 100 * kwh, 1)}),
        }
        for each in rises
    ]
    word = "Charging sessions" if energy == "battery" else "Refuelling"
    titles = {"after": "After", "before": "Before", "low": "From, %", "high": "To, %", "points": "Points"}
    titles |= {} if kwh is None else {"kwh": "About kWh"}
    estimate = "" if kwh is None else f" kWh are estimated by a capacity of {kwh:,.0f} kWh, without losses."
    return Chart(
        key=f"rises-{energy}",
        title=f"{word}, estimated",
        description=f"Dots: day and level reached in percent of each rise of the {_NAMES[energy].lower()} level; "
        "larger dots: more points gained",
        spec=_spec(
            values,
            _points(energy, opacity=0.75),
            x=_days(values),
            y=_quantity("high", "% reached", domain=(0, 100)),
            size={
                "field": "points",
                "type": "quantitative",
                "scale": {"domain": [0, 100], "range": [20, 500]},
                "legend": None,
            },
            tooltip=[_text(field, title) for field, title in titles.items()],
        )
        if values
        else None,
        note=f"Estimated: the API reports no sessions. A level that is {LEAST_RISE:g} points or more higher at the "
        f"next report of a parked car counts as one.{estimate}"
        if values
        else f"No level rose by {LEAST_RISE:g} points or more between two trips.",
        columns=tuple(titles.values()),
        rows=tuple(tuple(each[field] for field in titles) for each in values),
    )


def range_chart(measured: Sequence[EnergyMeasurement], energy: str) -> Chart:
    """Return a point for each measurement: the range of a full battery or tank by the temperature outside."""
    of_energy = [each for each in measured if each.energy == energy]
    known = [(each, each.full_range) for each in of_energy]
    usable = [(each, full) for each, full in known if full is not None and each.temperature is not None]
    shown, thinned = _thin(usable)
    values: list[dict[str, Any]] = [
        {
            "temperature": each.temperature,
            "full": round(full or 0.0),
            "range": each.range,
            "level": each.level,
            "at": f"{each.at:%Y-%m-%d %H:%M}",
        }
        for each, full in shown
    ]
    whole = "battery" if energy == "battery" else "tank"
    left_out = len(of_energy) - len(usable)
    return Chart(
        key=f"range-{energy}",
        title=f"Range against temperature, {_word(energy)}",
        description=f"Points: range of a full {whole} in km by the temperature outside in °C",
        spec=_spec(
            values,
            _points(energy, size=50, opacity=0.7),
            x=_quantity("temperature", "°C outside", zero=False),
            y=_quantity("full", f"km by a full {whole}", zero=False),
            tooltip=[
                _text("at", "At"),
                _text("temperature", "°C"),
                _text("range", "Range, km"),
                _text("level", "Level, %"),
                _text("full", "At 100 %, km"),
            ],
        )
        if values
        else None,
        note=f"The range that the car displayed, in proportion to 100 %. {len(usable):,} of {len(of_energy):,} "
        f"measurements; {left_out:,} have no temperature of that hour, no range or less than {LEAST_LEVEL:g} %."
        f"{_thinned(thinned)}"
        if values
        else f"None of {len(of_energy):,} measurements has a temperature, a range and a level of {LEAST_LEVEL:g} % or "
        "more. Trips have no temperature.",
        columns=("At", "°C", "Range, km", "Level, %", "At 100 %, km"),
        rows=tuple((each["at"], each["temperature"], each["range"], each["level"], each["full"]) for each in values),
    )


def speed_chart(trips: Sequence[TripFacts], energy: str) -> Chart:
    """Return a point for each trip: its consumption per 100 km by its average speed."""
    unit = "kWh/100 km" if energy == "battery" else "l/100 km"
    usable = [
        (trip.speed, 100 * used / trip.km, trip.km)
        for trip in trips
        if (used := trip.kwh if energy == "battery" else trip.litres) is not None
        and trip.speed is not None
        and trip.km is not None
        and trip.km >= _LEAST_KM
    ]
    shown, thinned = _thin(usable)
    values = [{"speed": round(speed, 1), "used": round(used, 2), "km": km} for speed, used, km in shown]
    return Chart(
        key=f"speed-{energy}",
        title=f"Consumption by speed, {_word(energy)}",
        description=f"Points: {unit} of each trip by its average speed in km/h",
        spec=_spec(
            values,
            _points(energy, size=50, opacity=0.6),
            x=_quantity("speed", "km/h on average", zero=False),
            y=_quantity("used", unit),
            tooltip=[_text("speed", "km/h"), _text("used", unit), _text("km", "km")],
        )
        if values
        else None,
        note=f"{len(usable):,} of {len(trips):,} trips: those of {_LEAST_KM:g} km or more with a speed and a "
        f"consumption.{_thinned(thinned)}"
        if values
        else f"No trip of {_LEAST_KM:g} km or more has both a speed and a consumption.",
        columns=("km/h", unit, "km"),
        rows=tuple((each["speed"], each["used"], each["km"]) for each in values),
    )


_NO_STARTS: Final = "No trip with a start in this period."


def _spec(values: Sequence[Mapping[str, Any]], mark: Mapping[str, Any], **encoding: Any) -> dict[str, Any]:
    return {
        "width": "container",
        "height": _HEIGHT,
        "data": {"values": list(values)},
        "mark": mark,
        "encoding": encoding,
        "config": _CONFIG,
    }


def _word(energy: str) -> str:
    return "electricity" if energy == "battery" else "fuel"


def _points(energy: str, **settings: float) -> dict[str, Any]:
    return {"type": "point", "filled": True, **settings, "color": _COLORS[energy], "aria": False}


def _months() -> dict[str, Any]:
    return {"field": "month", "type": "ordinal", "title": None, "axis": {"labelAngle": 0}}


def _days(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an axis of days: instants of UTC stand for them, so that the reader's zone does not shift them."""
    span = (values[-1]["day"] - values[0]["day"]) / _DAY if values else 0
    axis: dict[str, Any] = {
        "format": "%d %b" if span <= _SHORT else "%b %Y",
        "tickCount": {"interval": "day", "step": 1},
    }
    if span > _FEW:
        axis["tickCount"] = 6
    return {"field": "day", "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": axis}


def _quantity(
    field: str, title: str, *, domain: tuple[float, float] | None = None, zero: bool = True
) -> dict[str, Any]:
    scale = {"zero": zero, "nice": True} if domain is None else {"domain": list(domain), "clamp": True}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": {"tickCount": 6}}


def _text(field: str, title: str) -> dict[str, str]:
    return {"field": field, "title": title, "type": "nominal"}


def _shade(month: MonthTotals) -> dict[str, Any]:
    return {
        "opacity": _PALE if month.is_partial else _FULL,
        "part": "a part of it" if month.is_partial else "all of it",
    }


def _utc(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _thin(values: Sequence[T]) -> tuple[Sequence[T], int]:
    """Return at most so many values as a chart shows, evenly taken, and how many were left out."""
    if len(values) <= _MOST_POINTS:
        return values, 0
    shown = [values[index * len(values) // _MOST_POINTS] for index in range(_MOST_POINTS)]
    return shown, len(values) - len(shown)


def _thinned(count: int) -> str:
    return f" {count:,} of them are not drawn, evenly chosen." if count else ""
