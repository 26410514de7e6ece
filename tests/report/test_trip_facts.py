"""Facts of trips."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from stellantis_hal import Position, Trip
from stellantis_hal.report.trip_facts import TripFacts, known_point, local, sorted_facts
from tests.report.cars import START, energy, facts, fuel_trip, trip


def test_a_trip_has_local_times_and_usual_units() -> None:
    [found], repeated = sorted_facts([trip()], ZoneInfo("Europe/Paris"))
    assert repeated == 0
    assert found.start is not None
    assert f"{found.start:%Y-%m-%d %H:%M %Z}" == "2025-12-01 00:30 CET"
    assert (found.km, found.minutes, found.kwh, found.litres) == (10.0, 15.0, 2.0, None)
    assert found.speed == pytest.approx(39.996)
    assert found.levels("battery") == (60.0, 55.0)
    assert found.levels("fuel") == (None, None)
    assert (found.origin, found.destination) == ((2.25, 48.75), (2.35, 48.85))
    assert facts(fuel_trip())[0].litres == 0.5


def test_a_trip_without_values_has_none() -> None:
    assert TripFacts.of(Trip(), UTC) == TripFacts()


def test_gaps_and_problems_are_counted() -> None:
    [found] = facts(
        trip(faults=[{"fault": "DataLacking", "cause": "GeoPrivacy"}, {"fault": "Unfinished"}, {}], duration="x")
    )
    assert found.faults == ("GeoPrivacy", "Unfinished")
    assert found.problems > 0
    assert found.minutes is None


def test_trips_are_sorted_and_counted_once() -> None:
    found, repeated = sorted_facts([trip(2), trip(1, startedAt=None), trip(0), trip(2), Trip(), Trip()], UTC)
    assert [each.start for each in found] == [START, START + timedelta(days=2), None, None, None]
    assert repeated == 1


def test_an_instant_beyond_the_calendar_is_unknown() -> None:
    assert local(None, UTC) is None
    assert local(datetime.max.replace(tzinfo=UTC), timezone(timedelta(hours=14))) is None
    assert local(START, UTC) == START


@pytest.mark.parametrize("coordinates", [None, (181.0, 0.5), (1.0, -90.5)])
def test_positions_that_are_on_no_map(coordinates: tuple[float, ...] | None) -> None:
    assert known_point(Position(coordinates=coordinates)) is None


def test_levels_of_another_energy_do_not_count() -> None:
    [found] = facts(trip(startEnergies=[energy("Fuel", 30)]))
    assert found.levels("battery") == (None, 55.0)
    assert found.levels("fuel") == (30.0, None)
