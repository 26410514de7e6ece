"""Both rate-limit windows slide and are strict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.simulator import SubscriptionLimits
from stellantis_hal.simulator.api.rate_limits import RateLimitLedger


@pytest.mark.unmeasured
@given(st.lists(st.floats(0, 0.4), max_size=200), st.integers(1, 5), st.integers(1, 30))
def test_no_window_exceeds_its_limit(gaps: list[float], per_second: int, per_day: int) -> None:
    books = RateLimitLedger(SubscriptionLimits(per_second=per_second, per_day=per_day))
    tick, admitted = 0.0, []
    for gap in gaps:
        tick += gap
        if books.admit(tick) == 0.0:
            admitted.append(tick)
    assert len(admitted) <= per_day
    for start in admitted:
        assert sum(start <= one < start + 1.0 for one in admitted) <= per_second


def test_returned_wait_is_sufficient() -> None:
    books = RateLimitLedger(SubscriptionLimits(per_second=1, per_day=2))
    assert books.admit(0.25) == 0.0
    assert books.admit(0.5) == pytest.approx(0.75)
    assert books.admit(1.25) == 0.0
    assert books.admit(2.25) == pytest.approx(86_398.0)
    assert books.admit(86_400.25) == 0.0


def test_refused_requests_do_not_count() -> None:
    books = RateLimitLedger(SubscriptionLimits(per_second=1, per_day=10))
    books.admit(0.0)
    for _ in range(50):
        books.admit(0.5)
    assert books.remaining(0.5) == (9, 0)
    assert books.remaining(1.0) == (9, 1)


def test_headers_have_limits_and_remaining_requests() -> None:
    books = RateLimitLedger(SubscriptionLimits(per_second=5, per_day=10))
    books.admit(0.0)
    assert dict(books.headers(0.0)) == {
        "X-RateLimit-Limit-1": "10",
        "X-RateLimit-Remaining-1": "9",
        "X-RateLimit-Limit-2": "5",
        "X-RateLimit-Remaining-2": "4",
    }


def test_refusal_has_whole_seconds_rounded_up() -> None:
    assert dict(RateLimitLedger.refusal_headers(0.2)) == {"Retry-After": "1", "X-RateLimit-Reset": "1"}


def test_limit_of_zero_admits_nothing() -> None:
    assert RateLimitLedger(SubscriptionLimits(per_second=0, per_day=10)).admit(5.0) == 1.0
