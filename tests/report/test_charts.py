"""Charts, their numbers and what they leave out."""

from datetime import UTC, date, timedelta
from typing import Any

import pytest

from stellantis_hal.report.charts import (
    Chart,
    consumption_chart,
    distance_chart,
    level_chart,
    range_chart,
    rise_chart,
    speed_chart,
)
from stellantis_hal.report.energy_measurements import measurements
from stellantis_hal.report.levels import LevelDay, LevelSample, rises
from stellantis_hal.report.totals import months
from tests.report.cars import NOW, START, energy, facts, fuel_trip, status, telemetry, trip

EMPTY = [
    distance_chart([]),
    consumption_chart([], "battery"),
    consumption_chart([], "fuel"),
    level_chart([], "battery"),
    rise_chart([], "battery", None),
    rise_chart([], "fuel", None),
    range_chart([], "battery"),
    speed_chart([], "fuel"),
]


def values(chart: Chart) -> Any:
    """Return the values that a chart draws."""
    assert chart.spec is not None
    return chart.spec["data"]["values"]


@pytest.mark.parametrize("chart", EMPTY, ids=lambda chart: chart.key)
def test_a_chart_without_values_says_why(chart: Chart) -> None:
    assert (chart.spec, chart.rows) == (None, ())
    assert chart.note.startswith(("No", "None"))


def test_distance_by_month_marks_partial_months() -> None:
    chart = distance_chart(months(facts(trip(0), trip(40), trip(70)), None, None))
    assert list(chart.rows) == [
        ("2025-11", 10.0, 1, "a part of it"),
        ("2025-12", 0.0, 0, "all of it"),
        ("2026-01", 10.0, 1, "all of it"),
        ("2026-02", 10.0, 1, "a part of it"),
    ]
    assert [each["opacity"] < 1 for each in values(chart)] == [True, False, False, True]


@pytest.mark.parametrize(("energy_", "unit", "value"), [("battery", "kWh/100 km", 20.0), ("fuel", "l/100 km", 5.0)])
def test_consumption_by_month_has_its_unit(energy_: str, unit: str, value: float) -> None:
    chart = consumption_chart(
        months(facts(trip(0), fuel_trip(1, id="b", startedAt="2025-11-30T12:00:00Z")), None, None), energy_
    )
    assert chart.rows == (("2025-11", value, "a part of it"),)
    assert unit in chart.columns
    assert unit in chart.description
    assert [each["used"] for each in values(chart)] == [value]


def test_levels_have_an_axis_that_fits_the_period() -> None:
    def axis(*days: int) -> dict[str, Any]:
        shown = level_chart([LevelDay(date(2025, 1, 1) + timedelta(days=day), 20, 80) for day in days], "battery")
        assert shown.spec is not None
        assert [row[1:] for row in shown.rows] == [(20, 80)] * len(days)
        return dict(shown.spec["encoding"]["x"]["axis"])

    assert axis(0, 3) == {"format": "%d %b", "tickCount": {"interval": "day", "step": 1}}
    assert axis(0, 100) == {"format": "%d %b", "tickCount": 6}
    assert axis(0, 900) == {"format": "%b %Y", "tickCount": 6}


def test_days_do_not_depend_on_the_zone_of_the_reader() -> None:
    [drawn] = values(level_chart([LevelDay(date(2025, 12, 1), 20, 80)], "fuel"))
    assert drawn["day"] == 1_764_547_200_000


def test_charges_have_kwh_where_the_capacity_is_known() -> None:
    found = rises(facts(trip(0), trip(1)), LevelSample(NOW, 75.0), "battery")
    chart = rise_chart(found, "battery", 50.0)
    assert chart.rows[0] == ("2025-11-30 23:45", "2025-12-01 23:30", 55.0, 60.0, 5.0, 2.5)
    assert "50 kWh" in chart.note
    assert rise_chart(found, "battery", None).rows[0][-1] == 5.0
    assert "kWh" not in rise_chart(found, "fuel", 50.0).note


def test_range_against_temperature_counts_what_it_leaves_out() -> None:
    cold = telemetry(START, environment={"air": {}})
    empty = telemetry(START, vehicle={"energies": [energy("Electric", 10, 30), energy("Fuel", 50, 400)]})
    chart = range_chart(measurements([status()], [cold, empty], UTC), "battery")
    assert list(chart.rows) == [("2025-12-31 19:00", 12.0, 280.0, 80.0, 350)]
    assert "1 of 3 measurements; 2 have no temperature" in chart.note


def test_consumption_by_speed_needs_both_and_a_distance() -> None:
    chart = speed_chart(facts(trip(0), trip(1, distance=2.9), trip(2, kinetic=None), fuel_trip(3)), "battery")
    assert chart.rows == ((40.0, 20.0, 10.0),)
    assert chart.note.startswith("1 of 4 trips")
    assert speed_chart(facts(fuel_trip(0)), "fuel").rows == ((40.0, 5.0, 10.0),)


def test_clouds_of_points_are_thinned_and_say_so() -> None:
    chart = speed_chart(facts(*map(trip, range(1_600))), "battery")
    assert len(values(chart)) == 1_500
    assert "1,600 of 1,600 trips" in chart.note
    assert "100 of them are not drawn" in chart.note
