"""Accounting of both windows together, and its state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.rate_limit.protocol import Capacity, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.rate_limit.single_process_ledger import QuotaLedger

pytestmark = pytest.mark.unmeasured

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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"format":2}', "state of format 2, expected 1"),
        (b'{"format":"1"}', "state of format '1', expected 1"),
        (b'{"format":1}', "not the state of a limiter"),
        (b'{"format":1,"saved":1e999,"minutes":[]}', None),
        (b'{"format":1,"saved":"nan","minutes":[]}', "not the state of a limiter"),
        (b'{"format":1,"saved":1,"minutes":[["inf",1]]}', "not the state of a limiter"),
        (b'{"format":1,"saved":1,"minutes":[[1,"inf"]]}', None),
    ],
)
def test_state_that_cannot_be_read_is_refused(content: bytes, message: str | None) -> None:
    ledger = QuotaLedger(None, interactive_share=0.0)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        ledger.load(content, 0.0, 0.0)
    assert message is None or str(caught.value) == message
    assert (ledger.day.spent, ledger.has_restored) == (0, False)


def test_state_is_the_days_minutes_by_the_wall_clock() -> None:
    ledger = QuotaLedger(RateLimits(10, 100), interactive_share=0.0)
    for now in (61.0, 61.0, 125.0):
        ledger.advance(now)
        ledger.take(now, background=False)
    assert ledger.has_restored is False
    assert ledger.dump(125.0, 725.0) == b'{"format":1,"saved":725.0,"minutes":[[11.0,2],[12.0,1]]}'
    ledger.load(b'{"format":1,"saved":725.0,"minutes":[[11.0,2],[12.0,1],[13.0,7]]}', 125.0, 725.0)
    assert (ledger.day.minutes(), ledger.has_restored) == ({1: 4, 2: 2}, True)


@pytest.mark.parametrize(
    ("seconds", "reason", "ahead", "expected"),
    [
        (3.2, "", 0, "paused for 0:03"),
        (0.2, "a fault", 1, "paused for 0:01 after a fault"),
        (61.0, "", 0, "paused for 1:01"),
        (3_600.0, "", 0, "paused for 1:00:00"),
        (15_001.0, "", 0, "paused for 4:10:01"),
        (86_400.0, "", 0, "paused for 15:00"),
        (86_399.0, "", 0, "paused for 23:59:59"),
    ],
)
def test_a_pause_is_said_with_its_length(seconds: float, reason: str, ahead: int, expected: str) -> None:
    ledger = QuotaLedger(RateLimits(2, None), interactive_share=0.0)
    ledger.pause(0.0, seconds, reason)
    ledger.pause(0.0, min(seconds / 2, 1.0), "another")
    assert ledger.shortage(0.0, ahead=ahead, background=False) == expected


def test_a_pause_of_no_more_than_the_window_is_not_what_is_short() -> None:
    ledger = QuotaLedger(RateLimits(2, None), interactive_share=0.0)
    for _ in range(2):
        ledger.take(0.0, background=False)
    ledger.pause(0.0, 0.5)
    assert ledger.shortage(0.0, ahead=0, background=False) == "limit of 2 requests per second reached"


@pytest.mark.parametrize(
    ("limits", "ahead", "background", "expected"),
    [
        (RateLimits(1_000, None), 0, False, "limit of 1,000 requests per second reached"),
        (RateLimits(1_000, None), 1, False, "limit of 1,000 requests per second reached, 1 request queued ahead"),
        (
            RateLimits(1_000, None),
            1_200,
            True,
            (
                "limit of 1,000 requests per second reached (500 of it reserved for interactive requests), "
                "1,200 requests queued ahead"
            ),
        ),
        (RateLimits(None, 3), 3, False, "daily limit of 3 reached, 3 requests queued ahead"),
        (
            RateLimits(None, 3_000),
            2_000,
            True,
            "daily limit of 3,000 reached (1,500 of it reserved for interactive requests), 2,000 requests queued ahead",
        ),
        (RateLimits(1, 1), 1, True, "daily limit of 1 reached, 1 request queued ahead"),
    ],
)
def test_what_is_short_is_said_with_its_numbers(
    limits: RateLimits, ahead: int, expected: str, *, background: bool
) -> None:
    ledger = QuotaLedger(limits, interactive_share=0.5)
    ledger.advance(0.0)
    assert ledger.shortage(0.0, ahead=ahead, background=background) == expected


def test_a_lowered_rate_is_said() -> None:
    ledger = QuotaLedger(RateLimits(100, None), interactive_share=0.5)
    for turn in range(10):
        ledger.advance(turn / 2)
        ledger.answered(turn / 2, ledger.take(turn / 2, background=False), 0.01)
    ledger.answered(5.0, ledger.take(5.0, background=False), 0.01, refused=True)
    ledger.advance(6.0)
    ledger.answered(6.0, ledger.take(6.0, background=False), 0.01)
    rate = ledger.congestion.rate
    assert ledger.shortage(6.0, ahead=0, background=True) == (f"the rate is {rate:.3g} requests per second since a 429")
    assert ledger.capacity(background=True) == Capacity(per_second=rate)
    assert ledger.in_flight == 0
    ledger.answered(6.1, ledger.take(6.1 + 1 / rate, background=False), 0.01)
    assert ledger.congestion.rate == pytest.approx(rate + 0.3 * (100 - rate)), "the limit given is the aim"


@pytest.mark.parametrize(("stated_at", "is_aim"), [(0.0, True), (-893.9, True), (-894.0, False)])
def test_a_limit_stated_lately_is_the_aim_after_a_429(stated_at: float, *, is_aim: bool) -> None:
    ledger = QuotaLedger(None, interactive_share=0.0)
    for at in (-1_000.0, stated_at):
        ledger.correct(at, ReportedQuota(burst=ReportedWindow(40)), returned_at_sending=0, sent_at=at)
    for now, refused in ((0.0, False), (1.0, False), (2.0, False), (3.0, False), (4.0, True), (6.0, False)):
        ledger.advance(now)
        ledger.answered(now, ledger.take(now, background=False), 0.0, refused=refused)
    rate = ledger.congestion.rate
    ledger.answered(7.0, ledger.take(7.0, background=False), 0.0)
    assert (ledger.congestion.rate == pytest.approx(rate + 0.3 * (40 - rate))) is is_aim


def test_capacity_is_what_the_share_leaves() -> None:
    ledger = QuotaLedger(RateLimits(10, 100), interactive_share=0.25)
    ledger.advance(0.0)
    for _ in range(7):
        ledger.take(0.0, background=False)
    assert ledger.capacity(background=False) == Capacity(per_second=10, per_day=100, free_today=93)
    assert ledger.capacity(background=True) == Capacity(per_second=8, per_day=75, free_today=68)
    assert (ledger.in_flight, ledger.limits) == (7, RateLimits(10, 100))


def test_the_reserved_share_follows_a_corrected_limit() -> None:
    ledger = QuotaLedger(None, interactive_share=0.5)
    ledger.correct(0.0, ReportedQuota(burst=ReportedWindow(4, 4)), returned_at_sending=0)
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


@pytest.mark.parametrize(
    ("seconds", "cause"), [(0.999, "limit of 1 requests per second reached"), (1.0, "paused for 0:01")]
)
def test_a_pause_as_long_as_the_window_is_what_is_waited_for(seconds: float, cause: str) -> None:
    ledger = QuotaLedger(RateLimits(1, None), interactive_share=0.0)
    ledger.burst.hold(1_000.0)
    ledger.pause(1_000.0, seconds)
    assert ledger.burst.available_at(1, 1_000.0) == 1_001.0
    assert ledger.shortage(1_000.0, ahead=0, background=False) == cause
