"""Accounting of both windows together, and its state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.rate_limit.ledger import QuotaLedger
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import Quota, Window

UNREADABLE = [
    b"",
    b"\xff",
    b"[]",
    b"null",
    b"{}",
    b'{"format":2}',
    b'{"format":1,"saved":0,"minutes":[1]}',
    b'{"format":1,"saved":[],"minutes":[]}',
    b'{"format":1,"saved":1,"minutes":[["a",1]]}',
]


def test_background_waits_for_the_reserved_burst_share() -> None:
    ledger = QuotaLedger(RateLimits(2, None), interactive_share=0.5)
    ledger.answered(0.0, ledger.take(0.0, background=False), None)
    assert ledger.available_at(0.0, background=False) == 0.0
    assert ledger.available_at(0.0, background=True) == pytest.approx(1.002)


def test_background_waits_for_the_reserved_day_share() -> None:
    ledger = QuotaLedger(RateLimits(None, 2), interactive_share=0.5)
    ledger.advance(0.0)
    ledger.answered(0.0, ledger.take(0.0, background=False), None)
    assert ledger.available_at(0.0, background=False) == 0.0
    assert ledger.available_at(0.0, background=True) == 60 + 86_400


def test_no_token_is_taken_that_congestion_control_refuses() -> None:
    ledger = QuotaLedger(RateLimits(None, None), interactive_share=0.0)
    ledger.advance(0.0)
    ledger.answered(0.0, ledger.take(0.0, background=False), None, refused=True)
    now = ledger.paused_until
    ledger.advance(now)
    taken = [ledger.take(now, background=False) for _ in range(100)]
    assert taken[0] >= 0
    assert taken[-1] == -1


def test_interactive_need_not_wait_while_its_share_is_left() -> None:
    ledger = QuotaLedger(RateLimits(2, None), interactive_share=0.5)
    ledger.answered(0.0, ledger.take(0.0, background=False), None)
    assert ledger.estimate(0.0, ahead=0, background=False) == 0.0
    assert ledger.estimate(0.0, ahead=0, background=True) == pytest.approx(1.002)


@pytest.mark.parametrize(("wall", "free"), [(95.1, False), (95.0, True), (104.9, False), (105.0, True)])
def test_state_saved_just_now_holds_the_burst_window(wall: float, *, free: bool) -> None:
    ledger = QuotaLedger(RateLimits(2, None), interactive_share=0.0)
    ledger.load(b'{"format":1,"saved":100,"minutes":[]}', 0.0, wall)
    assert (ledger.take(0.0, background=False) >= 0) is free


def test_a_pause_is_over_at_its_end() -> None:
    ledger = QuotaLedger(RateLimits(2, None), interactive_share=0.0)
    ledger.pause(0.0, 8.0)
    assert [ledger.take(now, background=False) >= 0 for now in (7.9, 8.0)] == [False, True]


@pytest.mark.parametrize(("seconds", "ahead", "expected"), [(10.0, 0, 10.0), (10.0, 3, 11.0), (0.5, 0, 0.5)])
def test_after_a_pause_the_queue_is_served_in_rounds(seconds: float, ahead: int, expected: float) -> None:
    ledger = QuotaLedger(RateLimits(2, None), interactive_share=0.0)
    ledger.pause(0.0, seconds)
    assert ledger.estimate(0.0, ahead=ahead, background=False) == expected


@pytest.mark.parametrize(("ahead", "expected"), [(0, 6000.0), (1, 6060.0 + 86_400)])
def test_a_place_in_the_queue_may_lie_beyond_the_day(ahead: int, expected: float) -> None:
    ledger = QuotaLedger(RateLimits(None, 2), interactive_share=0.0)
    ledger.advance(6000.0)
    ledger.take(6000.0, background=False)
    assert ledger.estimate(6000.0, ahead=ahead, background=False) == expected


def test_state_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 2"):
        QuotaLedger(None, interactive_share=0.0).load(b'{"format":2}', 0.0, 0.0)


def test_the_reserved_share_follows_a_corrected_limit() -> None:
    ledger = QuotaLedger(None, interactive_share=0.5)
    ledger.correct(0.0, Quota(burst=Window(4, 4)), returned_at_sending=0)
    assert [ledger.take(0.0, background=True) >= 0 for _ in range(3)] == [True, True, False]


@given(st.binary() | st.sampled_from(UNREADABLE))
def test_loading_anything_raises_only_value_errors(content: bytes) -> None:
    ledger = QuotaLedger(None, interactive_share=0.0)
    try:
        ledger.load(content, 0.0, 0.0)
    except ValueError:
        assert ledger.day.spent == 0


@pytest.mark.unmeasured
@given(st.lists(st.floats(0.0, 3600.0), max_size=50))
def test_state_dumped_and_loaded_is_the_same(pauses: list[float]) -> None:
    ledger = QuotaLedger(RateLimits(None, 1000), interactive_share=0.0)
    now, ahead = 1_000.0, 999_000.0
    for pause in pauses:
        now += pause
        ledger.advance(now)
        ledger.take(now, background=False)
    again = QuotaLedger(RateLimits(None, 1000), interactive_share=0.0)
    again.load(ledger.dump(now, now + ahead), now, now + ahead)
    assert again.day.minutes() == ledger.day.minutes()
    assert again.day.spent == ledger.day.spent
