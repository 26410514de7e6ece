"""Values with which the vendor says "none", and the types of the fields in which they occur."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Final

from stellantis_hal.structuring.problems import SentinelValueError
from stellantis_hal.structuring.scalars import DURATION, NUMBER, ScalarCodec, writer_of
from stellantis_hal.structuring.timestamps import write_duration

__all__ = ["MILEAGE", "TEMPERATURE", "TIME_OF_DAY", "Mileage", "Temperature", "TimeOfDay"]

_NO_TEMPERATURE: Final = 215.0
_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = datetime(2000, 1, 1, tzinfo=UTC)


def _read_temperature(value: Any) -> float:
    number: float = NUMBER.read(value)
    if number == _NO_TEMPERATURE:
        raise SentinelValueError("215 degrees stand for no temperature")
    return number


def _read_mileage(value: Any) -> float:
    number: float = NUMBER.read(value)
    if number == 0:
        raise SentinelValueError("an odometer at 0 stands for an unknown one")
    return number


def _read_time_of_day(value: Any) -> time:
    span: timedelta = DURATION.read(value)
    if span >= _DAY:  # PT34H7M
        raise SentinelValueError("a time beyond the day stands for no time of day")
    if span < timedelta():
        raise ValueError("not within a day")
    return (_MIDNIGHT + span).time()


def _write_time_of_day(moment: time) -> str:
    return write_duration(
        timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
    )


TEMPERATURE: Final = ScalarCodec(_read_temperature, NUMBER.write, none=_NO_TEMPERATURE)
MILEAGE: Final = ScalarCodec(_read_mileage, NUMBER.write, none=0.0)
TIME_OF_DAY: Final = ScalarCodec(_read_time_of_day, writer_of(time, _write_time_of_day))

Temperature = Annotated[float, TEMPERATURE]
"""Degrees Celsius; 215 stands for none."""

Mileage = Annotated[float, MILEAGE]
"""Kilometres on the odometer; 0 stands for unknown."""

TimeOfDay = Annotated[time, TIME_OF_DAY]
"""A time of day, written as the duration since midnight: ``PT14H30M``; 24 hours or more stand for none."""
