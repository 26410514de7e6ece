"""Instants and durations: read, and written back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.structuring.timestamps import (
    read_duration,
    read_instant,
    write_duration,
    write_instant,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
aware = st.timedeltas(timedelta(days=-700_000), timedelta(days=2_900_000)).map(lambda span: EPOCH + span)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2023-09-12T09:41:10.911Z", datetime(2023, 9, 12, 9, 41, 10, 911000, UTC)),
        ("2017-08-10T13:46:39.652+0000", datetime(2017, 8, 10, 13, 46, 39, 652000, UTC)),
        ("Mon Jun 03 08:35:36 GMT 2019", datetime(2019, 6, 3, 8, 35, 36, tzinfo=UTC)),
        ("Mon Jun 3 08:35:36 UTC 2019", datetime(2019, 6, 3, 8, 35, 36, tzinfo=UTC)),
        ("2023-09-12T11:41:10+02:00", datetime(2023, 9, 12, 9, 41, 10, tzinfo=UTC)),
        ("2023-09-12t09:41:10z", datetime(2023, 9, 12, 9, 41, 10, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.5Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2023-09-12T09:41:10.911123456Z", datetime(2023, 9, 12, 9, 41, 10, 911123, UTC)),
    ],
)
def test_every_spelling_of_an_instant_reads_as_utc(text: str, instant: datetime) -> None:
    read = read_instant(text)
    assert (read, read.tzinfo) == (instant, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2023-09-12",
        "2023-09-12T09:41:10",
        "2023-13-12T09:41:10Z",
        "2023-09-12T09:41:61Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:60Z",
        "Mon Jon 03 08:35:36 GMT 2019",
        "Mon Jun 33 08:35:36 GMT 2019",
        "Mon Jun 03 08:35:36 CEST 2019",
        "٢٠٢٣-09-12T09:41:10Z",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="instant"):
        read_instant(text)


@pytest.mark.unmeasured
@given(aware)
def test_an_instant_written_reads_as_itself(instant: datetime) -> None:
    assert read_instant(write_instant(instant)) == instant


@given(aware, st.integers(-1439, 1439))
def test_an_instant_is_written_in_utc(instant: datetime, minutes: int) -> None:
    abroad = instant.astimezone(timezone(timedelta(minutes=minutes)))
    assert write_instant(abroad) == write_instant(instant)


def test_an_instant_is_written_with_the_decimals_it_needs() -> None:
    moment = datetime(2023, 9, 12, 9, 41, 10, tzinfo=UTC)
    assert write_instant(moment) == "2023-09-12T09:41:10Z"
    assert write_instant(moment.replace(microsecond=911000)) == "2023-09-12T09:41:10.911Z"
    assert write_instant(moment.replace(microsecond=911001)) == "2023-09-12T09:41:10.911001Z"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("PT14H30M", timedelta(hours=14, minutes=30)),
        ("P2DT12H", timedelta(days=2, hours=12)),
        ("P1W", timedelta(weeks=1)),
        ("-PT5M", timedelta(minutes=-5)),
        ("+PT5M", timedelta(minutes=5)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("PT1,5H", timedelta(minutes=90)),
        ("P0Y0M1DT0S", timedelta(days=1)),
        ("PT0S", timedelta()),
    ],
)
def test_iso_durations_read_as_timedeltas(text: str, span: timedelta) -> None:
    assert read_duration(text) == span


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "14:30", "PT1X", "P1M", "P1Y", f"P{'9' * 400}D", "P٣D"])
def test_what_is_no_duration_of_fixed_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|length"):
        read_duration(text)


@given(st.timedeltas(min_value=timedelta(days=-9_000), max_value=timedelta(days=9_000)))
def test_a_duration_written_reads_as_itself(span: timedelta) -> None:
    assert read_duration(write_duration(span)) == span
