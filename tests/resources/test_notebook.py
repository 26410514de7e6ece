"""Trips, statuses and walks as a notebook shows them."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import Status, Trip, Vehicle
from stellantis_hal.hal.html_tables import escape, facts_table
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import read
from stellantis_hal.testing import simulated_account, simulated_client, small_world

HOSTILE = "</td><script>alert(1)</script>\u2028\u202e"
PLACE = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.251234, 48.751234]}}
TRIP: dict[str, Any] = {
    "id": "0123456789abcdef",
    "vin": "VF3AAAAAAAAAA4711",
    "startedAt": "2025-12-31T20:55:00+01:00",
    "stoppedAt": "2025-12-31T20:17:00Z",
    "distance": 20.3,
    "duration": 1_320,
    "kinetic": {"avgSpeed": 15.5},
    "energyConsumptions": [{"type": "Electric", "consumption": 4_500}, {"type": "Fuel", "consumption": 120}],
    "startEnergies": [{"type": "Electric", "level": 52}],
    "endEnergies": [{"type": "Electric", "level": 43}],
    "startPosition": PLACE,
}
STATUS: dict[str, Any] = {
    "vin": "VF3AAAAAAAAAA4711",
    "updatedAt": "2025-12-31T18:57:00Z",
    "energies": [
        {
            "type": "Electric",
            "level": 66,
            "autonomy": 232,
            "extension": {"electric": {"charging": {"status": "InProgress"}}},
        },
        {"type": "Fuel", "level": 40},
    ],
    "odometer": {"mileage": 60_849},
    "kinetic": {"moving": False},
    "doorsState": {"lockedStates": ["Locked"]},
    "environment": {"air": {"temp": 12}},
    "lastPosition": PLACE,
}


class Cells(HTMLParser):
    """The cells of a table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def facts(value: Any) -> dict[str, str]:
    """Return what a value shows, by name."""
    _, *texts = Cells(value._repr_html_()).texts
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_a_trip_shows_its_figures_and_hides_its_places() -> None:
    assert facts(read(TRIP, Trip)) == {
        "Start": "2025-12-31 19:55 UTC",
        "Stop": "2025-12-31 20:17 UTC",
        "Distance": "20.3 km",
        "Duration": "22 min",
        "Average speed": "56 km/h",
        "Electricity": "4.5 kWh, 22.2 kWh/100 km",
        "Fuel": "1.2 l, 5.9 l/100 km",
        "Battery at start, stop": "52 %, 43 %",
        "Positions": "known, not shown here",
    }


@pytest.mark.parametrize("value", [read(TRIP, Trip), read(STATUS, Status)], ids=["trip", "status"])
def test_no_vin_id_or_place_is_shown(value: Trip | Status) -> None:
    shown = value._repr_html_()
    assert not any(secret in shown for secret in ("4711", "VF3", "0123456789", "2.25", "48.75"))


def test_an_empty_trip_is_unknown() -> None:
    assert set(facts(Trip()).values()) == {"unknown"}
    assert facts(read({"startEnergies": [{"type": "Fuel"}]}, Trip))["Fuel level at start, stop"] == "unknown, unknown"
    assert facts(read({"energyConsumptions": TRIP["energyConsumptions"]}, Trip))["Electricity"] == "4.5 kWh"


def test_gaps_problems_and_open_ends_are_told() -> None:
    found = facts(read({"done": False, "distance": "x", "faults": [{"fault": HOSTILE}, {"cause": "GeoPrivacy"}]}, Trip))
    assert found["State"] == "not over yet"
    assert found["Problems"] == "1, see .problems"
    assert found["Gaps"].startswith("</td><script>")
    assert found["Gaps"].endswith(", GeoPrivacy")


def test_hostile_texts_make_no_elements() -> None:
    value = read({"faults": [{"fault": HOSTILE}]}, Trip)
    assert set(Cells(value._repr_html_()).tags) == {"table", "caption", "tbody", "tr", "th", "td"}
    assert "\u202e" not in value._repr_html_()


def test_a_status_shows_its_levels_and_state() -> None:
    assert facts(read(STATUS, Status)) == {
        "Told": "2025-12-31 18:57 UTC",
        "Battery": "66 %, 232 km",
        "Fuel": "40 %, unknown",
        "Charging": "yes",
        "Odometer": "60,849 km",
        "Moving": "no",
        "Doors": "locked",
        "Air outside": "12 °C",
        "Position": "known, not shown here",
    }
    assert set(facts(Status()).values()) == {"unknown"}


@pytest.mark.anyio
async def test_a_walk_shows_how_to_read_it_and_sends_nothing() -> None:
    simulator = Simulator(small_world())
    async with simulated_client(simulator) as client:
        vehicle = await simulated_account(client, simulator).vehicles().first()
        assert isinstance(vehicle, Vehicle)
        left = simulator.remaining
        assert "await walk.collect(20)" in vehicle.trips()._repr_html_()
        assert simulator.remaining == left


def test_long_spans_and_instants_stay_short() -> None:
    value = Trip(duration=timedelta(days=400), started_at=datetime(1, 1, 1, tzinfo=UTC))
    assert facts(value)["Duration"] == "576,000 min"
    assert len(facts(value)["Start"]) < 21


@pytest.mark.unmeasured
@given(st.text())
def test_any_text_stays_within_its_cell(text: str) -> None:
    cells = Cells(facts_table("x", [(text, text)]))
    assert cells.tags == ["table", "caption", "tbody", "tr", "th", "td"]
    assert escape(text).isprintable()
