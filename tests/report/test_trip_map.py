"""The map of trips."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.report.trip_facts import Point, TripFacts
from stellantis_hal.report.trip_map import trip_map
from tests.report.cars import facts, trip

PLACES = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


def coordinates(svg: str) -> list[tuple[float, float]]:
    """Return where lines and dots of a map are."""
    root = ET.fromstring(svg)
    lines = [path.get("d", "") for path in root if path.tag == "path"]
    points = [pair for line in lines for pair in re.findall(r"[ML](\S+) ([^ML\s]+)", line)]
    points += [(dot.get("cx", ""), dot.get("cy", "")) for dot in root.iter("circle")]
    return [(float(x), float(y)) for x, y in points]


def test_a_map_without_positions_says_why() -> None:
    assert trip_map([], [], "Map").note == "No trip in this period."
    found = trip_map(facts(trip(startPosition=None, stopPosition=None)), [], "Map")
    assert found.svg == ""
    assert found.note.startswith("No position of 1 trip: privacy mode")


def test_a_map_has_a_name_a_graticule_and_a_scale() -> None:
    found = trip_map(facts(trip(0), trip(1)), [], "Map of &lt;cars&gt;")
    root = ET.fromstring(found.svg)
    assert (root.get("role"), root.get("aria-label"), root.findtext("title")) == ("img", *["Map of <cars>"] * 2)
    texts = [text.text for text in root.iter("text")]
    assert any(text and text.endswith("° N") for text in texts)
    assert any(text and text.endswith("° E") for text in texts)
    assert any(text and text.endswith(" km") for text in texts)
    assert [dot.findtext("title") for dot in root.iter("circle")] == ["2 starts or stops"] * 2


def test_a_map_tells_what_is_not_on_it() -> None:
    some = facts(trip(0), trip(1, startPosition=None), trip(2, startPosition=None, stopPosition=None))
    found = trip_map(some, [[(2.3, 48.8), (2.31, 48.81), (2.32, 48.8)]], "Map")
    assert "1 route drawn." in found.note
    assert "1 trip without any position is not on it." in found.note
    assert "1 trip with one position only is a dot." in found.note


def test_many_lines_and_places_are_left_out_and_counted() -> None:
    trips = [TripFacts(origin=(number / 100, 0.0), destination=(0.0, number / 100)) for number in range(3_010)]
    found = trip_map(trips, [], "Map")
    assert re.search(r"\d+ lines driven least often left out", found.note)
    assert re.search(r"places visited least often without a dot", found.note)
    assert len(found.svg) < 300_000


def test_a_long_route_keeps_its_end() -> None:
    route = [(2.0 + number / 1_000, 48.0) for number in range(1_001)]
    drawn = coordinates(trip_map([], [route], "Map").svg)
    assert len(drawn) <= 210
    assert drawn[-1][0] == pytest.approx(max(x for x, _ in drawn))


def test_trips_across_the_date_line_stay_together() -> None:
    found = trip_map([TripFacts(origin=(179.9, 0.0), destination=(-179.9, 0.0))], [], "Map")
    assert "20 km" not in found.note
    texts = [text.text for text in ET.fromstring(found.svg).iter("text")]
    assert any(text and text.endswith("° W") for text in texts)
    assert any(text and text.endswith("° E") for text in texts)


def test_the_whole_world_ends_at_its_poles() -> None:
    found = trip_map([TripFacts(origin=(-180.0, -90.0), destination=(179.0, 90.0))], [], "Map")
    parallels = re.findall(r">(\d+)° [NS]<", found.svg)
    assert 0 < max(map(int, parallels)) <= 90
    at_a_pole = trip_map([TripFacts(origin=(0.0, 90.0), destination=(1.0, 90.0))], [], "Map")
    assert float(max(re.findall(r">([\d.]+)° N<", at_a_pole.svg), key=float)) <= 90


def test_a_single_place_has_a_scale_of_metres() -> None:
    found = trip_map([TripFacts(origin=(2.0, 48.0))], [], "Map")
    assert re.search(r">[125]00 m<", found.svg)
    assert "1 start or stop<" in found.svg


@given(st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=8))
def test_everything_is_within_the_picture(places: list[tuple[Point, Point]]) -> None:
    found = trip_map([TripFacts(origin=start, destination=stop) for start, stop in places], [], "Map")
    width, height = map(float, ET.fromstring(found.svg).get("viewBox", "").split()[2:])
    assert 300 <= height <= width
    assert all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in coordinates(found.svg))
