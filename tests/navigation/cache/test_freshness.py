"""Freshness: directives, dates, ages, lifetimes."""

import string
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.http_dates import parse_http_date
from stellantis_hal.navigation.cache.cache_control import parse_directives, request_directives, seconds_of
from stellantis_hal.navigation.cache.freshness import freshness_lifetime, initial_age, is_storable
from tests.navigation.cache.origin_server import NOON

IN_AN_HOUR = format_datetime(NOON + timedelta(hours=1), usegmt=True)
AT_NOON = format_datetime(NOON, usegmt=True)


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (None, {}),
        ("", {}),
        ("max-age=60", {"max-age": "60"}),
        (" , Max-Age = 60 ,,NO-CACHE,", {"max-age": "60", "no-cache": ""}),
        ('max-age="60"', {"max-age": "60"}),
        ('x="a, b\\"c", no-store', {"x": 'a, b\\"c', "no-store": ""}),
        ("max-age=60, max-age=60", {"max-age": None}),
        ("max-age=60 seconds, no-store", {"no-store": ""}),
        ("öö, no-store", {"no-store": ""}),
        ('"unclosed, no-store', {"no-store": ""}),
    ],
)
def test_directives_are_read(field: str | None, found: dict[str, str | None]) -> None:
    assert parse_directives(field) == found


@pytest.mark.unmeasured
@given(st.text(alphabet=string.printable + "é", max_size=60))
def test_directives_of_any_text_are_tokens(text: str) -> None:
    assert all(name == name.lower() and " " not in name for name in parse_directives(text))


@pytest.mark.unmeasured
def test_a_field_of_megabytes_has_few_directives() -> None:
    for flood in (",", "a,", 'a="', "=", "a =", '"'):
        assert len(parse_directives(flood * 1_000_000)) < 10


def test_requests_have_directives_or_an_old_pragma() -> None:
    assert request_directives({"cache-control": "max-age=0", "pragma": "no-cache"}) == {"max-age": "0"}
    assert request_directives({"pragma": "No-Cache"}) == {"no-cache": ""}
    assert request_directives({"pragma": "x"}) == request_directives({}) == {}


@pytest.mark.parametrize("number", ["", "-1", "1.5", "0x10", "²", "1 0", "abc"])
def test_unreadable_seconds_are_zero(number: str) -> None:
    assert seconds_of({"max-age": number}, "max-age") == 0


def test_seconds_have_a_bound() -> None:
    assert seconds_of({"max-age": "9" * 400}, "max-age") == 2**31
    assert seconds_of({}, "max-age") is None


# ------------------------------------------------------------------------------------------------- dates


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_each_form_of_a_date_is_read(text: str) -> None:
    assert parse_http_date(text) == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


def test_years_of_two_digits_and_leap_seconds_are_read() -> None:
    assert parse_http_date("Thursday, 26-Nov-26 12:00:60 GMT") == datetime(2026, 11, 26, 12, 0, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "x" * 1_000_000,
    ],
)
def test_other_dates_are_unreadable(text: str) -> None:
    assert parse_http_date(text) is None


@pytest.mark.unmeasured
@given(
    st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    )
)
def test_a_date_that_is_written_is_read(instant: datetime) -> None:
    assert parse_http_date(format_datetime(instant, usegmt=True)) == instant.replace(microsecond=0)


# ------------------------------------------------------------------------------------------------- lifetimes


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, None),
        ({"cache-control": "public, s-maxage=60"}, None),
        ({"cache-control": "private, max-age=60", "expires": "0"}, 60.0),
        ({"cache-control": "max-age=60, max-age=3600"}, 0.0),
        ({"cache-control": "max-age=x"}, 0.0),
        ({"cache-control": "max-age=60, no-cache"}, 0.0),
        ({"cache-control": 'max-age=60, no-cache="set-cookie"'}, 0.0),
        ({"cache-control": "max-age=60, no-store"}, 0.0),
        ({"expires": IN_AN_HOUR, "date": AT_NOON}, 3600.0),
        ({"expires": IN_AN_HOUR}, 3600.0),
        ({"expires": IN_AN_HOUR, "date": "yesterday"}, 3600.0),
        ({"expires": AT_NOON, "date": IN_AN_HOUR}, 0.0),
        ({"expires": f"{IN_AN_HOUR}, {IN_AN_HOUR}"}, 0.0),
        ({"expires": IN_AN_HOUR.replace("GMT", "CET")}, 0.0),
        ({"last-modified": "Sun, 06 Nov 1994 08:49:37 GMT"}, None),
    ],
)
def test_the_lifetime_is_what_the_server_says(fields: dict[str, str], seconds: float | None) -> None:
    assert freshness_lifetime(Headers(fields), NOON) == seconds


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 2.0),
        ({"age": "100"}, 102.0),
        ({"age": "7200, 0"}, 7202.0),
        ({"age": "0, 7200"}, 2.0),
        ({"age": "7200;x=1"}, 7202.0),
        ({"age": "-7200"}, 2.0),
        ({"age": "7200.5"}, 2.0),
        ({"age": "9" * 50}, 2.0**31 + 2),
        ({"age": "1", "date": format_datetime(NOON - timedelta(seconds=50), usegmt=True)}, 50.0),
        ({"age": "70", "date": format_datetime(NOON - timedelta(seconds=50), usegmt=True)}, 72.0),
        ({"date": IN_AN_HOUR}, 2.0),
    ],
)
def test_the_age_on_arrival_is_the_worst_that_is_known(fields: dict[str, str], seconds: float) -> None:
    """Of Date and Age with the delay; a Date ahead counts as now."""
    assert initial_age(Headers(fields), NOON, 2.0) == seconds


@pytest.mark.unmeasured
@given(st.text(max_size=30), st.text(max_size=30), st.floats(-100, 100))
def test_no_age_is_negative(age: str, date: str, delay: float) -> None:
    assert initial_age(Headers({"age": age, "date": date}), NOON, delay) >= 0


@pytest.mark.parametrize(
    ("status", "control", "storable"),
    [
        (200, "", True),
        (203, "", True),
        (204, "", False),
        (204, "max-age=5", True),
        (299, "max-age=5", True),
        (299, "max-age=5, must-understand", False),
        (200, "must-understand", True),
        (206, "max-age=5", False),
        (304, "max-age=5", False),
        (404, "max-age=5", False),
        (200, "no-store", False),
        (200, "no-store, must-understand", False),
    ],
)
def test_what_may_be_stored_is_by_status_and_directives(status: int, control: str, storable: bool) -> None:
    assert is_storable(status, Headers({"cache-control": control})) is storable


def test_expires_is_explicit_freshness() -> None:
    assert is_storable(204, Headers({"expires": IN_AN_HOUR}))
