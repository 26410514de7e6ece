"""Values with which the vendor says "none"."""

from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.resources.blocks.energy import ChargeProgram, Charging
from stellantis_hal.resources.missing_value_codes import TIME_OF_DAY
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.hooks import make_converter
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import SentinelValueError


@pytest.mark.parametrize(
    ("kind", "body", "path"),
    [
        (Status, {"environment": {"air": {"temp": 215}}}, "$.environment.air.temp"),
        (Status, {"environment": {"air": {"temp": 215.0}}}, "$.environment.air.temp"),
        (
            Status,
            {"engines": [{"extension": {"thermic": {"oil": {"temp": 215}}}}]},
            "$.engines[0].extension.thermic.oil.temp",
        ),
        (Status, {"odometer": {"mileage": 0.0}}, "$.odometer.mileage"),
        (Status, {"odometer": {"mileage": 0}}, "$.odometer.mileage"),
        (Trip, {"startMileage": 0.0}, "$.startMileage"),
        (ChargeProgram, {"start": "PT34H7M"}, "$.start"),
        (ChargeProgram, {"start": "PT45H59M"}, "$.start"),
        (Charging, {"schedule": []}, "$.schedule"),
        (Trip, {"kinetic": []}, "$.kinetic"),
        (Status, {"environment": {"air": []}}, "$.environment.air"),
        (Position, {"geometry": {"coordinates": [0, 0]}}, "$.geometry.coordinates"),
        (Position, {"geometry": {"coordinates": [0.0, 0.0, 0.0]}}, "$.geometry.coordinates"),
    ],
)
def test_sentinels_read_as_none_with_a_record(kind: type[Model], body: dict[str, Any], path: str) -> None:
    [record] = read(body, kind, strict=True).problems
    assert (record.path, record.kind) == (path, "sentinel")


def test_sentinels_leave_nothing_behind() -> None:
    assert read({"odometer": {"mileage": 0.0}}, Status).mileage is None
    assert read({"start": "PT34H7M"}, ChargeProgram).start is None
    assert read({"geometry": {"coordinates": [0, 0]}}, Position).coordinates is None
    assert read({"geometry": {"coordinates": [0.0, 0.0, 35.0]}}, Position).coordinates is None


def test_a_time_of_day_is_the_duration_since_midnight() -> None:
    assert TIME_OF_DAY.read("PT14H30M") == time(14, 30)


@pytest.mark.parametrize("text", ["PT24H", "PT34H7M", "PT34H07M", "P2D"])
def test_what_is_beyond_the_day_stands_for_no_time_of_day(text: str) -> None:
    with pytest.raises(SentinelValueError, match="beyond the day"):
        TIME_OF_DAY.read(text)


def test_a_negative_time_of_day_is_none_at_all() -> None:
    with pytest.raises(ValueError, match="not within a day") as caught:
        TIME_OF_DAY.read("-PT1H")
    assert not isinstance(caught.value, SentinelValueError)


@pytest.mark.unmeasured
@given(st.times())
def test_a_time_of_day_written_reads_as_itself(moment: time) -> None:
    assert TIME_OF_DAY.read(TIME_OF_DAY.write(moment)) == moment


def test_a_hook_for_times_reads_times_of_day() -> None:
    converter = make_converter()
    converter.register_structure_hook(time, lambda value, _: time.fromisoformat(value))
    program = converter.structure({"start": "14:30", "end": "PT34H"}, ChargeProgram)
    assert (program.start, program.end) == (time(14, 30), None)
    assert [problem.kind for problem in program.problems] == ["sentinel"]
