"""Pure parts of the servers that benchmarks send requests to."""

import json
import re

import pytest

from benchmarks.harness.hidden import hide
from benchmarks.inputs.trip_bodies import PAGE, full_page
from benchmarks.servers.changing import Changing
from benchmarks.servers.strict_api import utilisation
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import read

STATUS = json.dumps(
    {
        "createdAt": "2025-12-31T18:52:40.739Z",
        "energies": [{"level": 66.1, "autonomy": 223, "type": "Electric"}],
        "odometer": {"mileage": 60813.8},
        "kinetic": {"speed": 0.0},
        "lastPosition": {"geometry": {"coordinates": [5.52588, 50.6792, 93.8]}},
    },
    separators=(",", ":"),
).encode()


def test_versions_of_a_body_have_new_values_and_one_length() -> None:
    body = Changing(STATUS)
    first, second = body.render(1), body.render(2)
    assert len(first) == len(second)
    one, other = json.loads(first), json.loads(second)
    assert one["energies"][0]["level"] < other["energies"][0]["level"]
    assert one["odometer"]["mileage"] < other["odometer"]["mileage"]
    assert one["lastPosition"]["geometry"]["coordinates"] != other["lastPosition"]["geometry"]["coordinates"]
    assert one["energies"][0]["type"] == "Electric"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["createdAt"])
    assert one["createdAt"] > "2025-12-31T18:52:40.739Z"


@pytest.mark.parametrize("number", [0, 79, 80, 89, 90, 100_000])
def test_versions_of_a_body_are_read_without_problems(number: int) -> None:
    assert read(json.loads(Changing(STATUS).render(number)), Status).problems == ()


@pytest.mark.parametrize("first", [0, 5_000, 9_960])
def test_trips_of_a_full_page_are_read_without_problems(first: int) -> None:
    trips = [read(trip, Trip) for trip in json.loads(full_page(first))["_embedded"]["trips"]]
    assert [trip.problems for trip in trips] == [()] * PAGE


def test_spoiled_page_has_one_bad_value_in_each_trip() -> None:
    good, bad = (json.loads(full_page(spoiled=spoiled))["_embedded"]["trips"] for spoiled in (False, True))
    differences = [[key for key in one if one[key] != other[key]] for one, other in zip(good, bad, strict=True)]
    assert len(differences) == PAGE
    assert all(len(keys) == 1 for keys in differences)
    assert len({keys[0] for keys in differences}) == 5


def test_library_that_is_loaded_cannot_be_hidden() -> None:
    with pytest.raises(RuntimeError, match="json cannot be hidden: already imported"):
        hide("json")


def test_utilisation_is_the_mean_share_of_the_limit() -> None:
    served = [at / 10 for at in range(40)]
    assert utilisation(served, limit=10, window=1.0, seconds=4.0) == pytest.approx(1.0, rel=0.01)
    assert utilisation(served, limit=20, window=1.0, seconds=4.0) == pytest.approx(0.5, rel=0.01)


def test_utilisation_counts_windows_without_requests() -> None:
    """Windows after the last served request count as empty: 52 requests in 901 windows of one."""
    assert utilisation([0.0, 0.5], limit=1, window=1.0, seconds=10.0) == pytest.approx(52 / 901, abs=0.002)


@pytest.mark.parametrize("served", [[], [0.0]])
def test_utilisation_of_few_requests(served: list[float]) -> None:
    assert utilisation(served, limit=100, window=1.0, seconds=3.0) == pytest.approx(0.0, abs=0.01)
