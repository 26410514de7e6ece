"""Totals of trips and months."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.report.totals import Totals, months
from stellantis_hal.report.trip_facts import TripFacts
from tests.report.cars import facts, fuel_trip, trip


def test_no_trips_have_no_totals() -> None:
    assert Totals.of([]) == Totals(trips=0)
    assert months([], None, None) == []


def test_consumption_counts_trips_that_have_both_values() -> None:
    totals = Totals.of(facts(trip(0), trip(1, distance=None), trip(2, energyConsumptions=[]), fuel_trip(3)))
    assert (totals.trips, totals.km, totals.hours, totals.longest) == (4, 30.0, 1.0, 10.0)
    assert [totals.kwh, totals.kwh_per_100_km] == pytest.approx([4.0, 20.0])
    assert [totals.litres, totals.litres_per_100_km] == pytest.approx([0.5, 5.0])
    assert Totals.of(facts(trip(distance=0))).kwh_per_100_km is None


def test_months_without_trips_are_there() -> None:
    found = months(facts(trip(0), trip(40), trip(startedAt=None, id="b")), None, None)
    assert [(month.name, month.totals.trips) for month in found] == [("2025-11", 1), ("2025-12", 0), ("2026-01", 1)]
    assert [month.is_partial for month in found] == [True, False, True]


def test_a_month_is_partial_by_the_period() -> None:
    found = months(facts(trip(0), trip(40)), datetime(2025, 11, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert [month.is_partial for month in found] == [False, False, False]


def test_a_trip_of_another_century_does_not_stretch_the_axis() -> None:
    found = months(facts(trip(0), trip(1, startedAt="1970-01-01T00:00:00Z")), None, None)
    assert [month.name for month in found] == ["1970-01", "2025-11"]


@pytest.mark.unmeasured
@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_months_add_up_to_the_totals(distances: list[float]) -> None:
    trips = [
        TripFacts(start=datetime(2025, 1 + number % 12, 5, tzinfo=UTC), km=km) for number, km in enumerate(distances)
    ]
    assert sum(month.totals.km or 0.0 for month in months(trips, None, None)) == pytest.approx(
        Totals.of(trips).km or 0.0
    )
    assert sum(month.totals.trips for month in months(trips, None, None)) == len(trips)
