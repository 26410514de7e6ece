"""Quota headers and Retry-After."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import (
    LONGEST_PAUSE,
    QuotaHeaderNames,
    ReportedQuota,
    ReportedWindow,
    parse_retry_after,
    retry_after,
)
from tests.transport.doubles import CONVENTIONS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = [f"X-RateLimit-{kind}-{number}" for kind in ("Limit", "Remaining") for number in (1, 2)]


def test_all_four_fields_make_a_quota() -> None:
    headers = Headers(
        {
            "X-RateLimit-Limit-1": "100000",
            "X-RateLimit-Remaining-1": "99998",
            "X-RateLimit-Limit-2": "100",
            "X-RateLimit-Remaining-2": "97",
        }
    )
    assert ReportedQuota.from_headers(headers, CONVENTIONS.quota_headers) == ReportedQuota(
        day=ReportedWindow(100_000, 99_998), burst=ReportedWindow(100, 97)
    )


@pytest.mark.parametrize(
    ("name", "window"),
    [("X-RateLimit-Limit-1", ReportedWindow(7, None)), ("X-RateLimit-Remaining-1", ReportedWindow(None, 7))],
)
def test_half_a_window_is_better_than_none(name: str, window: ReportedWindow) -> None:
    assert ReportedQuota.from_headers(Headers({name: "7"}), CONVENTIONS.quota_headers) == ReportedQuota(day=window)


def test_a_response_without_quota_headers_has_none() -> None:
    assert ReportedQuota.from_headers(Headers({"Content-Type": "text/html"}), CONVENTIONS.quota_headers) is None


def test_without_header_names_there_is_no_quota() -> None:
    assert ReportedQuota.from_headers(Headers({"": "7", "X-RateLimit-Limit-1": "7"}), QuotaHeaderNames()) is None


def test_an_unknown_quota_has_no_numbers() -> None:
    assert ReportedQuota().day.remaining is None


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "١٢", "9" * 35, "inf"])
def test_an_invalid_count_is_unknown(text: str) -> None:
    assert ReportedQuota.from_headers(Headers({"X-RateLimit-Remaining-1": text}), CONVENTIONS.quota_headers) is None


@pytest.mark.unmeasured
@given(st.dictionaries(st.sampled_from(NAMES), st.text() | st.integers().map(str)))
def test_reading_headers_never_raises(fields: dict[str, str]) -> None:
    quota = ReportedQuota.from_headers(Headers(fields), CONVENTIONS.quota_headers)
    assert quota is None or all(
        value is None or value >= 0 for window in (quota.day, quota.burst) for value in (window.limit, window.remaining)
    )


def test_a_newer_response_keeps_what_it_does_not_state() -> None:
    older = ReportedQuota(day=ReportedWindow(100, 50), burst=ReportedWindow(10, 5))
    assert older.updated(ReportedQuota(day=ReportedWindow(100, 49))) == ReportedQuota(
        day=ReportedWindow(100, 49), burst=ReportedWindow(10, 5)
    )


@pytest.mark.parametrize("gap", [("day", "limit"), ("day", "remaining"), ("burst", "limit"), ("burst", "remaining")])
def test_a_newer_response_may_lack_one_number(gap: tuple[str, str]) -> None:
    older, newer = (
        ReportedQuota(day=ReportedWindow(100, 50), burst=ReportedWindow(10, 5)),
        ReportedQuota(day=ReportedWindow(90, 40), burst=ReportedWindow(9, 4)),
    )
    window, name = gap

    def with_number(number: int | None) -> ReportedQuota:
        return attrs.evolve(newer, **{window: attrs.evolve(getattr(newer, window), **{name: number})})

    assert older.updated(with_number(None)) == with_number(getattr(getattr(older, window), name))


def test_a_refusal_is_of_its_response_alone() -> None:
    older, newer = ReportedQuota(day=ReportedWindow(100, 50)), ReportedWindow(90, 40)
    assert not older.updated(ReportedQuota(day=newer, burst=newer, refused=True)).refused
    complete = ReportedQuota(day=newer, burst=newer)
    assert older.updated(complete) is complete


def test_a_newer_response_may_state_half_a_window() -> None:
    assert ReportedQuota(day=ReportedWindow(100, 50)).updated(
        ReportedQuota(day=ReportedWindow(None, 49))
    ) == ReportedQuota(day=ReportedWindow(100, 49))
    assert ReportedQuota(day=ReportedWindow(100, 50)).updated(
        ReportedQuota(day=ReportedWindow(90, None))
    ) == ReportedQuota(day=ReportedWindow(90, 50))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("name=rate-limit-1,15001", 15001.0),
        ("name=rate-limit-2, 3", 3.0),
        ("5, 9", 9.0),
        ("9" * 35, LONGEST_PAUSE),
        ("100000", LONGEST_PAUSE),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE),
        ("-5", 1.0),
        ("inf", 1.0),
        ("nan", 1.0),
        ("soon", 1.0),
        ("", 1.0),
        ("Mon, 99 Foo 2026 99:99:99 GMT", 1.0),
        ("1e3", 1.0),
    ],
)
def test_retry_after_is_parsed_in_every_form(text: str, seconds: float) -> None:
    assert parse_retry_after(text, now=NOW) == seconds


@pytest.mark.unmeasured
@given(st.text() | st.floats().map(str) | st.integers().map(str) | st.datetimes().map(format_datetime))
def test_a_wait_is_always_finite_and_bounded(text: str) -> None:
    assert 0.0 <= parse_retry_after(text, now=NOW) <= LONGEST_PAUSE


def test_the_reset_header_replaces_a_missing_retry_after() -> None:
    assert retry_after(Headers({"X-RateLimit-Reset": "12"}), now=NOW) == 12.0


def test_retry_after_goes_before_the_reset_field() -> None:
    assert retry_after(Headers({"X-RateLimit-Reset": "12", "Retry-After": "3"}), now=NOW) == 3.0


def test_without_either_header_the_wait_is_unknown() -> None:
    assert retry_after(Headers(), now=NOW) is None


def test_default_limits_are_100_and_100_000() -> None:
    assert RateLimits() == RateLimits(100, 100_000)


def test_a_limit_may_be_absent() -> None:
    assert RateLimits(None, None).per_day is None


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-3, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_limit_is_a_positive_int(value: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="per_second"):
        RateLimits(per_second=value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1772366430", 30.0),
        ("1772366000", 0.0),
        ("1000000000", 0.0),
        ("9999999999", 86_400.0),
        ("45", 45.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
    ],
)
def test_a_reset_may_be_a_timestamp(text: str, seconds: float) -> None:
    assert retry_after({"x-ratelimit-reset": text}, now=NOW) == seconds


@pytest.mark.parametrize(("text", "count"), [(" 7\t", 7), ("007", 7), ("0", 0), ("9" * 15, 10**15 - 1)])
def test_a_count_may_stand_between_blanks(text: str, count: int) -> None:
    headers = {"x-ratelimit-remaining-1": text}
    assert ReportedQuota.from_headers(headers, CONVENTIONS.quota_headers) == ReportedQuota(
        day=ReportedWindow(None, count)
    )
