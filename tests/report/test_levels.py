"""Levels over time, and what was charged."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import attrs

from stellantis_hal.report.car_section import car_section
from stellantis_hal.report.levels import LevelDay, LevelSample, days, rises
from stellantis_hal.report.trip_facts import TripFacts
from tests.report.cars import NOW, START, energy, facts, fuel_trip, history, status, trip


def test_a_day_has_its_lowest_and_highest_level() -> None:
    sample = LevelSample(START + timedelta(hours=1), 90.0)
    assert days(facts(trip(0), trip(1, endEnergies=[])), [sample], "battery") == [
        LevelDay(date(2025, 11, 30), 55.0, 60.0),
        LevelDay(date(2025, 12, 1), 60.0, 90.0),
    ]
    assert days(facts(trip(0)), [], "fuel") == []


def test_a_level_that_rose_between_trips_is_a_charge() -> None:
    [charge] = rises(facts(trip(0), trip(1)), None, "battery")
    assert (charge.low, charge.high, charge.points) == (55.0, 60.0, 5.0)
    assert charge.after == (START + timedelta(minutes=15)).astimezone(UTC)
    assert charge.before == START + timedelta(days=1)


def test_a_charge_in_the_night_in_which_summer_time_ends() -> None:
    """From 02:40 to 02:10 by the clock: half an hour."""
    paris = ZoneInfo("Europe/Paris")
    first, second = (datetime(2025, 10, 26, hour, minute, tzinfo=UTC) for hour, minute in ((0, 40), (1, 10)))
    before = TripFacts(start=first.astimezone(paris), stop=first.astimezone(paris), stop_battery=40.0)
    after = TripFacts(start=second.astimezone(paris), start_battery=60.0)
    [charge] = rises([before, after], None, "battery")
    assert (charge.after, charge.before, charge.points) == (before.stop, after.start, 20.0)


def test_small_rises_and_falls_are_none() -> None:
    assert rises(facts(trip(0), trip(1, startEnergies=[energy("Electric", 56.9)])), None, "battery") == []
    assert rises(facts(trip(0), trip(1, startEnergies=[energy("Electric", 20)])), None, "battery") == []
    assert rises(facts(fuel_trip(0), fuel_trip(1, startEnergies=[energy("Fuel", 95)])), None, "fuel")[0].points == 56.0


def test_the_last_known_level_counts_on() -> None:
    gap = trip(1, startEnergies=[], endEnergies=[])
    assert [charge.points for charge in rises(facts(trip(0), gap, trip(2)), None, "battery")] == [5.0]
    no_end = trip(0, endEnergies=[], startEnergies=[energy("Electric", 30)])
    assert [charge.points for charge in rises(facts(no_end, trip(1)), None, "battery")] == [30.0]
    assert rises(facts(trip(0, startedAt=None, stoppedAt=None), trip(1)), None, "battery") == []


def test_the_level_of_now_shows_the_last_charge() -> None:
    now = LevelSample(START + timedelta(days=3), 80.0)
    assert [charge.points for charge in rises(facts(trip(0)), now, "battery")] == [25.0]
    assert rises(facts(trip(0)), LevelSample(START - timedelta(days=3), 80.0), "battery") == []
    assert rises([], now, "battery") == []


def test_a_status_after_the_period_ends_no_charge_of_it() -> None:
    """A report of last year, made today, took the level of today for a charge since the last trip of that year."""
    past = history(trip(), statuses=[status(90, NOW + timedelta(days=300))], until=NOW)
    charts = {chart.key: chart for chart in car_section(past, UTC).charts}
    assert charts["rises-battery"].rows == ()
    assert len(charts["level-battery"].rows) == 1
    now = attrs.evolve(past, until=None)
    assert len({chart.key: chart for chart in car_section(now, UTC).charts}["rises-battery"].rows) == 1
