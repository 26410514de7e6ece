"""Query parameters of collections: within the vendor's bounds, in the vendor's form."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.resources import filters
from stellantis_hal.resources.time_range import TimeRange

SINCE = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("write", "written"),
    [
        (lambda: filters.page_size(None), None),
        (lambda: filters.page_size(1), 1),
        (lambda: filters.page_size(60), 60),
        (lambda: filters.page_size(2000, most=2000), 2000),
        (lambda: filters.index_range(None), None),
        (lambda: filters.index_range((0, 9)), "0-9"),
        (lambda: filters.index_range((5, None)), "5-"),
        (lambda: filters.span("distance", None), None),
        (lambda: filters.span("distance", (1, 150)), "1-150"),
        (lambda: filters.span("distance", (0.1, None)), "0.1-"),
        (lambda: filters.span("distance", (None, 5)), "0-5"),
        (lambda: filters.span("distance", (1e-7, 1e10)), "0-10000000000"),
        (lambda: filters.seconds_range("duration", None), None),
        (lambda: filters.seconds_range("duration", (timedelta(minutes=1), 120)), "60-120"),
        (lambda: filters.seconds_range("duration", (30, None)), "30-"),
        (lambda: filters.timestamps(None, None, None), None),
        (lambda: filters.timestamps(SINCE, None, None), ["2023-01-01T00:00:00Z/"]),
        (lambda: filters.timestamps(None, SINCE, None), ["/2023-01-01T00:00:00Z"]),
        (lambda: filters.timestamps(None, None, TimeRange(SINCE)), ["2023-01-01T00:00:00Z/"]),
        (
            lambda: filters.timestamps(None, None, [TimeRange(SINCE), TimeRange(None, SINCE)]),
            ["2023-01-01T00:00:00Z/", "/2023-01-01T00:00:00Z"],
        ),
        (lambda: filters.choices("states", None), None),
        (lambda: filters.choices("states", "Nominal"), ["Nominal"]),
        (lambda: filters.choices("states", [filters.TripState.NOMINAL, "Nominal", "New"]), ["Nominal", "New"]),
        (lambda: filters.text("locale", None), None),
        (lambda: filters.text("locale", "fr-FR"), "fr-FR"),
        (lambda: filters.tolerance(None), None),
        (lambda: filters.tolerance(0.5), 0.5),
    ],
)
def test_what_is_in_bounds_is_written(write: Callable[[], Any], written: Any) -> None:
    assert write() == written


@pytest.mark.parametrize(
    "write",
    [
        lambda: filters.page_size(0),
        lambda: filters.page_size(61),
        lambda: filters.page_size(2001, most=2000),
        lambda: filters.index_range((-1, None)),
        lambda: filters.index_range((5, 4)),
        lambda: filters.span("distance", (-1, None)),
        lambda: filters.span("distance", (5, 4)),
        lambda: filters.span("distance", (float("nan"), None)),
        lambda: filters.span("distance", (0, float("inf"))),
        lambda: filters.seconds_range("duration", (timedelta(seconds=-1), None)),
        lambda: filters.timestamps(SINCE, None, [TimeRange(SINCE)]),
        lambda: filters.timestamps(None, None, []),
        lambda: filters.timestamps(None, None, [TimeRange(SINCE)] * 11),
        lambda: filters.timestamps(SINCE, SINCE - timedelta(days=1), None),
        lambda: filters.choices("states", []),
        lambda: filters.choices("states", [""]),
        lambda: filters.choices("types", ["a", "b"], most=1),
        lambda: filters.text("locale", ""),
        lambda: filters.text("locale", "fr FR"),
        lambda: filters.tolerance(-0.1),
        lambda: filters.tolerance(float("nan")),
    ],
)
def test_what_is_out_of_bounds_is_refused(write: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        write()


@pytest.mark.parametrize("bounds", [(), (1,), (1, 2, 3)])
def test_a_range_is_a_pair(bounds: Any) -> None:
    """One bound was an error of its index."""
    writers: list[Callable[[], Any]] = [
        lambda: filters.index_range(bounds),
        lambda: filters.span("distance", bounds),
        lambda: filters.seconds_range("duration", bounds),
    ]
    for write in writers:
        with pytest.raises(
            ValueError, match=rf" must be a pair, as \(1, 5\) or \(1, None\), not {len(bounds)} values$"
        ):
            write()


@pytest.mark.unmeasured
@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_range_has_one_dash_and_two_decimals(one: float, other: float) -> None:
    low, high = sorted((one, other))
    written = (filters.span("distance", (low, high)) or "").split("-")
    assert [float(number) for number in written] == pytest.approx([low, high], abs=1e-6)
