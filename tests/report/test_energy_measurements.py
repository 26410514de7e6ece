"""Measurements of statuses and telemetry."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stellantis_hal import Status, Telemetry
from stellantis_hal.report.energy_measurements import EnergyMeasurement, measurements
from tests.report.cars import NOW, energy, status, telemetry


def test_measurements_are_in_order() -> None:
    older = telemetry(NOW - timedelta(hours=1))
    [first, second] = measurements([status()], [older], UTC)
    assert (first.at, first.level, first.range, first.temperature) == (NOW - timedelta(hours=1), 50, 150, 2)
    assert (second.at, second.energy, second.temperature) == (NOW, "battery", 12)
    assert (first.full_range, second.full_range) == (300, 350)


def test_measurements_are_in_order_where_summer_time_ends() -> None:
    at = [datetime(2025, 10, 26, hour, minute, tzinfo=UTC) for hour, minute in ((0, 40), (1, 10))]
    found = measurements([], [telemetry(at[1]), telemetry(at[0])], ZoneInfo("Europe/Paris"))
    assert [each.at.astimezone(UTC) for each in found] == at


def test_values_without_an_instant_or_an_energy_are_left_out() -> None:
    assert measurements([Status()], [Telemetry(), telemetry(createdAt=None)], UTC) == []
    assert measurements([status(energies=[energy("Steam", 50)])], [], UTC) == []
    assert measurements([status(environment=None)], [], UTC)[0].temperature is None


def test_a_level_counts_from_its_later_instant() -> None:
    """Every car has had energies with a ``createdAt`` of months ago since July 2025."""
    dated = energy("Electric", 50) | {"createdAt": (NOW - timedelta(days=90)).isoformat(), "updatedAt": NOW.isoformat()}
    assert [each.at for each in measurements([status(energies=[dated])], [], UTC)] == [NOW]


@pytest.mark.parametrize(("apart", "temperature"), [(59, 12), (60, None), (-60, None), (60 * 24 * 200, None)])
def test_a_temperature_of_another_time_is_left_out(apart: int, temperature: float | None) -> None:
    air = {"temp": 12, "createdAt": (NOW - timedelta(minutes=apart)).isoformat()}
    dated = energy("Electric", 50, 200) | {"createdAt": NOW.isoformat()}
    [found] = measurements([status(energies=[dated], environment={"air": air})], [], UTC)
    assert (found.level, found.temperature) == (50, temperature)


@pytest.mark.parametrize(("level", "range_"), [(None, 100.0), (50.0, None), (19.9, 60.0)])
def test_the_range_of_a_full_battery_needs_both(level: float | None, range_: float | None) -> None:
    measured = EnergyMeasurement(at=NOW, energy="battery", level=level, range=range_, temperature=1.0)
    assert measured.full_range is None
