"""Dates as ``java.util.Date`` prints them."""

from datetime import UTC, datetime

import pytest

from stellantis_hal.hal.http_dates import parse_java_date


@pytest.mark.parametrize(
    "text",
    [
        "Mon Jun 03 08:35:36 GMT 2019",
        "Mon Jun 3 08:35:36 UTC 2019",
        "Mon Jun  3 08:35:36 UTC 2019",
        "MON JUN 03 08:35:36 Z 2019",
    ],
)
def test_a_java_date_is_an_instant_in_utc(text: str) -> None:
    instant = parse_java_date(text)
    assert instant == datetime(2019, 6, 3, 8, 35, 36, tzinfo=UTC)
    assert instant is not None
    assert instant.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2019-06-03T08:35:36Z", "Mon Jun 03 08:35:36 CEST 2019", "Mon Jun 0٣ 08:35:36 GMT 2019"]
)
def test_other_texts_are_none(text: str) -> None:
    assert parse_java_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Mon Jon 03 08:35:36 GMT 2019",
        "Mon Jun 31 08:35:36 GMT 2019",
        "Mon Jun 03 25:35:36 GMT 2019",
        "Mon Jun 03 08:35:36 GMT 0000",
    ],
)
def test_an_instant_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|day|hour|year"):
        parse_java_date(text)
