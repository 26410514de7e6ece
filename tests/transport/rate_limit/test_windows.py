"""Burst and day windows, without clocks or tasks."""

import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.rate_limit.burst_window import BurstWindow
from stellantis_hal.transport.rate_limit.day_window import DayWindow

DAY = 86_400
SPANS = st.floats(min_value=0.0, max_value=0.2)


def drive(limit: int, trips: list[tuple[float, float]]) -> tuple[list[float], BurstWindow]:
    """Send a request per trip (seconds out, seconds back) as soon as there is a token; give the server's times."""
    window = BurstWindow(limit)
    in_flight: list[tuple[float, float]] = []
    counted: list[float] = []
    now = 0.0
    waiting = deque(trips)
    while waiting or in_flight:
        window.advance(now)
        while waiting and window.available() >= 1:
            out, back = waiting.popleft()
            window.take()
            counted.append(now + out)
            in_flight.append((now + out + back, out + back))
        events = [arrival for arrival, _ in in_flight]
        if waiting and (free_at := window.available_at(1, now)) < math.inf:
            events.append(free_at)
        now = min(events)
        for arrival in [each for each in in_flight if each[0] <= now]:
            in_flight.remove(arrival)
            window.answered(now, arrival[1])
    return sorted(counted), window


@pytest.mark.unmeasured
@given(st.integers(1, 20), st.lists(st.tuples(SPANS, SPANS), max_size=90))
def test_a_strict_window_is_never_exceeded_with_any_delays(limit: int, trips: list[tuple[float, float]]) -> None:
    counted, _ = drive(limit, trips)
    assert len(counted) == len(trips)
    for earlier, later in zip(counted, counted[limit:], strict=False):
        assert later - earlier > 1.0


@pytest.mark.unmeasured
@given(st.integers(5, 40), st.floats(0.0, 0.3), st.floats(0.0, 0.3))
def test_steady_round_trips_are_subtracted(limit: int, out: float, back: float) -> None:
    """After a hundred samples of steady delays the window is used almost fully."""
    counted, window = drive(limit, [(out, back)] * (100 + 6 * limit))
    for earlier, later in zip(counted, counted[limit:], strict=False):
        assert later - earlier > 1.0
    assert counted[-1] - counted[-1 - 2 * limit] < 2 * (1.0 + 0.002) + 1e-6
    assert window.smallest_round_trip == pytest.approx(out + back, abs=1e-9)


def test_no_round_trip_is_known_before_a_response() -> None:
    assert BurstWindow(3).smallest_round_trip is None


def test_a_token_given_back_can_be_taken_at_once() -> None:
    window = BurstWindow(1)
    window.take()
    assert window.available() == 0
    window.give_back()
    assert window.available() == 1


def test_a_request_given_up_holds_its_token_for_a_window() -> None:
    window = BurstWindow(1)
    window.take()
    window.answered(10.0, None)
    assert window.available_at(1, 10.0) == pytest.approx(11.002)


def test_with_all_tokens_in_flight_the_time_is_unknown() -> None:
    window = BurstWindow(1)
    window.take()
    assert window.available_at(1, 0.0) == math.inf
    assert window.estimate(1, 0.0) == 1.0


def test_the_estimate_counts_rounds_for_a_long_queue() -> None:
    window = BurstWindow(2)
    for _ in range(2):
        window.take()
        window.answered(0.0, None)
    assert window.estimate(1 + 4, 0.0) == pytest.approx(1.002 + 2.0)


@pytest.mark.parametrize(("count", "rounds"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_each_round_of_an_estimate_serves_the_limit(count: int, rounds: int) -> None:
    window = BurstWindow(2, span=10.0)
    window.take()
    window.take()
    assert window.estimate(count, 5.0) == 5.0 + rounds * 10.0


def test_free_tokens_shorten_the_estimate() -> None:
    window = BurstWindow(4)
    window.take()
    window.take()
    assert window.estimate(8, 0.0) == 2.0


def test_external_requests_return_before_a_round_begins() -> None:
    window = BurstWindow(4)
    window.take()
    window.take()
    window.correct(0.0, 4, 0, returned_at_sending=0)
    assert window.estimate(5, 0.0) == 1.0


def test_a_token_given_back_is_not_expected_by_the_server() -> None:
    window = BurstWindow(10)
    for _ in range(3):
        window.take()
    window.give_back()
    window.correct(0.0, 10, 5, returned_at_sending=0)
    assert window.external == 10 - 5 - 2


def answer_at_once(window: BurstWindow, now: float, count: int, round_trip: float = 0.1) -> None:
    window.advance(now)
    for _ in range(count):
        window.take()
        window.answered(now, round_trip)


@pytest.mark.parametrize(("samples", "expected"), [(98, 40.002), (99, 39.902)])
def test_subtraction_begins_with_the_hundredth_sample(samples: int, expected: float) -> None:
    window = BurstWindow(1, span=10.0)
    answer_at_once(window, 0.0, samples)
    answer_at_once(window, 30.0, 1)
    assert window.available_at(1, 30.0) == pytest.approx(expected)


@pytest.mark.parametrize(("now", "expected"), [(15.0, 25.002), (20.0, 29.902)])
def test_samples_of_one_burst_count_two_windows_later(now: float, expected: float) -> None:
    window = BurstWindow(1, span=10.0)
    answer_at_once(window, 0.0, 1)
    answer_at_once(window, 5.0, 99)
    answer_at_once(window, now, 1)
    assert window.available_at(1, now) == pytest.approx(expected)


def test_after_a_429_samples_of_one_burst_wait_again() -> None:
    window = BurstWindow(1, span=10.0)
    answer_at_once(window, 0.0, 100)
    window.forget_round_trips()
    answer_at_once(window, 30.0, 100)
    answer_at_once(window, 45.0, 1)
    assert window.available_at(1, 45.0) == pytest.approx(55.002)


def test_the_previous_generations_minimum_counts_too() -> None:
    window = BurstWindow(1, span=10.0)
    answer_at_once(window, 0.0, 1_999)
    answer_at_once(window, 30.0, 1, 0.3)
    assert window.available_at(1, 30.0) == pytest.approx(39.902)


def test_at_most_a_window_is_subtracted() -> None:
    window = BurstWindow(1)
    answer_at_once(window, 0.0, 100, 5.0)
    answer_at_once(window, 30.0, 1, 5.0)
    assert window.available_at(1, 30.0) == pytest.approx(30.002)


def test_tokens_return_in_order_of_their_responses() -> None:
    window = BurstWindow(2, span=10.0)
    answer_at_once(window, 0.0, 98)
    answer_at_once(window, 20.0, 2)  # the second is the first whose round trip is subtracted
    assert window.available_at(1, 20.0) == window.available_at(2, 20.0) == pytest.approx(30.002)


def test_each_token_returns_in_its_turn() -> None:
    window = BurstWindow(2)
    answer_at_once(window, 0.0, 1)
    answer_at_once(window, 0.5, 1)
    assert window.available_at(1, 0.5) == pytest.approx(1.002)
    assert window.available_at(2, 0.5) == pytest.approx(1.502)


def test_returned_tokens_are_counted() -> None:
    window = BurstWindow(10)
    answer_at_once(window, 0.0, 3)
    assert window.returned == 0
    window.advance(1.5)
    assert window.returned == 3


def test_without_a_limit_answered_tokens_return_at_once() -> None:
    window = BurstWindow(None)
    answer_at_once(window, 0.0, 2)
    assert window.returned == 2


def test_after_a_429_nothing_is_subtracted() -> None:
    window = BurstWindow(1000)
    for _ in range(200):
        window.take()
        window.answered(0.0, 0.5)
    assert window.available_at(1000, 0.0) == pytest.approx(1.002)
    early = BurstWindow(1000)
    for _ in range(200):
        early.take()
        early.answered(0.0, 0.5)
    early.forget_round_trips()
    early.advance(5.0)
    early.take()
    early.answered(5.0, 0.5)
    assert early.available_at(1000, 5.0) == pytest.approx(6.002)


def test_a_longer_path_counts_after_two_generations() -> None:
    window = BurstWindow(10)
    answer_at_once(window, 0.0, 1, 0.1)
    answer_at_once(window, 0.0, 3_998, 0.2)
    assert window.smallest_round_trip == 0.1
    answer_at_once(window, 0.0, 1, 0.2)
    assert window.smallest_round_trip == 0.2


def test_without_a_limit_there_are_always_tokens() -> None:
    window = BurstWindow(None)
    for _ in range(1000):
        window.take()
        window.answered(0.0, 0.1)
    assert window.available() > 1
    assert window.available_at(5, 3.0) == 3.0
    window.correct(0.0, 10, 0, returned_at_sending=0)
    window.hold(0.0)
    assert window.limit == math.inf
    assert window.available() > 1


def test_headers_lower_the_limit() -> None:
    window = BurstWindow(100, ceiling=100)
    window.correct(0.0, 10, None, returned_at_sending=0)
    assert window.available() == 10


def test_headers_do_not_raise_it_above_the_ceiling() -> None:
    window = BurstWindow(100, ceiling=100)
    window.correct(0.0, 500, None, returned_at_sending=0)
    assert window.available() == 100


def test_headers_raise_it_where_there_is_no_ceiling() -> None:
    window = BurstWindow(100)
    window.correct(0.0, 500, 500, returned_at_sending=0)
    assert window.available() == 500


@pytest.mark.parametrize("limit", [None, 0])
def test_headers_without_a_valid_limit_change_nothing(limit: int | None) -> None:
    window = BurstWindow(100)
    assert window.correct(0.0, limit, 0, returned_at_sending=0) is False
    assert window.available() == 100


def test_headers_may_lower_the_limit_to_a_single_request() -> None:
    window = BurstWindow(100)
    window.correct(0.0, 1, None, returned_at_sending=0)
    assert window.available() == 1


def test_external_requests_count_for_one_window() -> None:
    window = BurstWindow(10)
    window.take()
    window.correct(5.0, 10, 4, returned_at_sending=0)
    assert window.available() == 10 - 1 - 5
    assert window.available_at(6, 5.0) == 6.0
    window.advance(6.0)
    assert window.available() == 9


def test_external_requests_within_spare_limit_do_not_count() -> None:
    window = BurstWindow(10, ceiling=10)
    window.correct(0.0, 100, 40, returned_at_sending=0)
    assert window.available() == 10
    window.correct(0.0, 100, 4, returned_at_sending=0)
    assert window.available() == 4


def test_external_requests_within_a_spare_day_do_not_count() -> None:
    window = DayWindow(1000, ceiling=1000)
    window.correct(0.0, 100_000, 50_000)
    assert window.available() == 1000
    window.correct(0.0, 100_000, 40)
    assert window.available() == 40


def test_own_requests_are_not_external() -> None:
    window = BurstWindow(10)
    for _ in range(6):
        window.take()
    window.correct(0.0, 10, 4, returned_at_sending=0)
    assert window.external == 0


def test_tokens_returned_before_sending_are_not_expected() -> None:
    window = BurstWindow(10)
    for _ in range(3):
        window.take()
        window.answered(0.0, None)
    window.advance(5.0)
    window.take()
    window.correct(5.0, 10, 5, returned_at_sending=3)
    assert window.external == 10 - 5 - 1


def test_own_and_external_tokens_return_independently() -> None:
    window = BurstWindow(4)
    window.take()
    window.answered(0.0, None)
    window.correct(0.5, 4, 1, returned_at_sending=0)
    assert window.external == 2
    assert window.available_at(2, 0.5) == pytest.approx(1.002)
    assert window.available_at(4, 0.5) == 1.5


def test_external_tokens_may_return_before_own_ones() -> None:
    window = BurstWindow(4)
    window.take()
    window.correct(0.0, 4, 1, returned_at_sending=0)
    window.answered(0.5, None)
    assert window.external == 2
    assert window.available_at(3, 0.5) == 1.0


def test_a_held_window_grants_nothing_for_its_span() -> None:
    window = BurstWindow(10)
    window.hold(3.0)
    assert window.available() == 0
    assert window.available_at(1, 3.0) == 4.0


# ------------------------------------------------------------------------------------------------- the day


def test_a_day_token_returns_when_its_whole_minute_is_a_day_old() -> None:
    window = DayWindow(1)
    window.advance(59.0)
    window.take()
    window.advance(59.0 + DAY)
    assert window.available() == 0
    window.advance(60.0 + DAY)
    assert window.available() == 1


def test_the_time_of_the_next_day_token_is_known() -> None:
    window = DayWindow(2)
    window.advance(59.0)
    window.take()
    window.advance(130.0)
    window.take()
    assert window.available_at(1, 130.0) == 60.0 + DAY
    assert window.available_at(2, 130.0) == 180.0 + DAY
    assert window.available_at(3, 130.0) == 130.0 + DAY


def test_free_day_tokens_are_available_now() -> None:
    assert DayWindow(2).available_at(2, 77.0) == 77.0


def test_a_token_answered_a_minute_later_is_booked_there() -> None:
    window = DayWindow(1)
    window.advance(59.0)
    minute = window.take()
    window.advance(61.0)
    window.answered(minute)
    assert window.minutes() == {1: 1}


def test_a_token_answered_within_its_minute_stays_there() -> None:
    window = DayWindow(1)
    window.advance(30.0)
    window.answered(window.take())
    assert window.minutes() == {0: 1}


def test_a_day_token_given_back_was_never_spent() -> None:
    window = DayWindow(1)
    window.give_back(window.take())
    assert window.available() == 1


def test_giving_back_after_more_than_a_day_changes_nothing() -> None:
    window = DayWindow(1)
    minute = window.take()
    window.advance(3.0 * DAY)
    window.give_back(minute)
    assert window.available() == 1


def test_giving_back_a_minute_just_expired_changes_nothing() -> None:
    window = DayWindow(1)
    window.advance(6000.0)
    minute = window.take()
    window.advance(6060.0 + DAY)
    window.give_back(minute)
    assert window.available() == 1


@pytest.mark.parametrize("age", [0, 1, 2, 1440])
def test_a_day_token_of_any_age_returns_with_its_minute(age: int) -> None:
    window = DayWindow(1)
    window.advance(6000.0)
    window.take()
    now = 6000.0 + 60 * age
    window.advance(now)
    assert window.available_at(1, now) == 6060.0 + DAY


def nearly_a_day_after_one(limit: int) -> tuple[DayWindow, float]:
    """A window a minute before its only token returns, when the server says that nothing is left; and that instant."""
    window = DayWindow(limit)
    window.advance(6000.0)
    window.take()
    now = 6000.0 + DAY - 60
    window.advance(now)
    window.correct(now, limit, 0)
    return window, now


def test_own_day_tokens_wait_for_external_ones() -> None:
    window, now = nearly_a_day_after_one(2)
    assert window.available_at(2, now) == now + 900


def test_a_later_response_drops_external_day_requests() -> None:
    window, now = nearly_a_day_after_one(1)
    assert window.available_at(1, now) == 6060.0 + DAY


def test_more_day_tokens_than_the_limit_take_a_day() -> None:
    window = DayWindow(1)
    window.advance(6000.0)
    window.take()
    now = 6000.0 + DAY
    window.advance(now)
    assert window.available_at(2, now) == now + DAY


def test_a_clock_set_back_returns_nothing() -> None:
    window = DayWindow(1)
    window.advance(10.0 * DAY)
    window.take()
    window.advance(9.0 * DAY + 60)
    assert window.available() == 0
    window.advance(11.0 * DAY)
    assert window.available() == 0
    window.advance(11.0 * DAY + 60)
    assert window.available() == 1


@pytest.mark.parametrize("back", [DAY + 60, 400 * DAY])
def test_a_clock_far_ahead_holds_nothing_beyond_a_day(back: float) -> None:
    window = DayWindow(3)
    ahead = 500.0 * DAY
    window.advance(ahead)
    minute = window.take()
    window.take()
    window.correct(ahead, 3, 0)
    now = ahead - back
    window.advance(now)
    assert (window.available(), window.available_at(1, now), window.available_at(2, now)) == (
        0,
        now + 900,
        now + DAY + 60,
    )
    window.give_back(minute)  # booked by a clock that was wrong
    window.advance(now + 900)
    assert window.available() == 1
    window.advance(now + DAY + 60)
    assert window.available() == 3


def test_the_days_limit_follows_headers_below_its_ceiling() -> None:
    window = DayWindow(1000, ceiling=1000)
    window.correct(0.0, 500, 500)
    assert window.available() == 500
    window.correct(0.0, 5000, 5000)
    assert window.available() == 1000


def test_the_days_limit_follows_headers_up_without_a_ceiling() -> None:
    window = DayWindow(1000)
    window.correct(0.0, 5000, None)
    assert window.available() == 5000


@pytest.mark.parametrize("limit", [None, 0])
def test_an_invalid_day_limit_in_headers_changes_nothing(limit: int | None) -> None:
    window = DayWindow(1000)
    window.correct(0.0, limit, 0)
    assert window.available() == 1000


def test_the_days_limit_may_be_a_single_request() -> None:
    window = DayWindow(1000)
    window.correct(0.0, 1, None)
    assert window.available() == 1


def test_a_minute_just_a_day_old_is_booked_once() -> None:
    window = DayWindow(10)
    window.advance(6000.0)
    window.take()
    window.advance(6000.0 + DAY)
    assert window.minutes() == {100: 1}


def test_a_minute_counts_all_that_is_booked_under_it() -> None:
    window = DayWindow(10)
    window.advance(6000.0)
    window.take()
    window.take()
    assert window.minutes() == {100: 2}


def test_a_minute_more_than_a_day_old_is_not_restored() -> None:
    window = DayWindow(10)
    window.restore({100: 1, 101: 2}, 6060.0 + DAY)
    assert window.minutes() == {101: 2}


def test_restoring_keeps_what_is_booked() -> None:
    window = DayWindow(10)
    window.advance(6000.0)
    window.take()
    window.restore({100: 2}, 6000.0)
    assert window.minutes() == {100: 3}


def test_a_day_without_a_limit_ignores_headers() -> None:
    window = DayWindow(None)
    window.correct(0.0, 5, 0)
    assert window.available() == math.inf


def test_external_day_requests_count_until_a_response() -> None:
    window = DayWindow(1000)
    window.advance(120.0)
    window.take()
    window.correct(120.0, 1000, 100)
    assert window.available() == 100
    window.correct(121.0, 1000, 700)
    assert window.available() == 700


def test_external_day_requests_count_for_a_quarter_of_an_hour() -> None:
    window = DayWindow(10)
    window.advance(130.0)
    window.correct(130.0, 10, 0)
    assert window.available_at(1, 130.0) == 1030.0
    window.advance(1025.0)
    assert window.available_at(10, 1025.0) == 1030.0
    window.advance(1030.0)
    assert window.available() == 10


def test_beyond_external_requests_own_minutes_return() -> None:
    window = DayWindow(10)
    window.advance(0.0)
    for _ in range(4):
        window.take()
    window.correct(0.0, 10, 0)
    assert window.available_at(7, 0.0) == 60.0 + DAY


@pytest.mark.unmeasured
@given(st.lists(st.tuples(st.integers(0, 4 * DAY), st.integers(1, 50)), max_size=60))
def test_the_ring_never_grants_more_than_exact_timestamps(spends: list[tuple[int, int]]) -> None:
    limit = 100
    window = DayWindow(limit)
    exact: deque[int] = deque()
    for wall, count in sorted(spends):
        window.advance(wall)
        while exact and exact[0] <= wall - DAY:
            exact.popleft()
        assert window.available() <= limit - len(exact)
        for _ in range(min(count, int(window.available()))):
            window.take()
            exact.append(wall)
        assert len(exact) <= limit


@pytest.mark.unmeasured
@given(st.dictionaries(st.integers(-10, 6000), st.integers(-5, 50), max_size=40), st.integers(1500, 5000))
def test_restoring_adds_exactly_the_last_days_minutes(minutes: dict[int, int], minute: int) -> None:
    window = DayWindow(100)
    window.restore(minutes, minute * 60.0)
    fresh = {key: count for key, count in minutes.items() if minute - 1441 < key <= minute and count > 0}
    assert window.minutes() == fresh
    assert window.spent == sum(fresh.values())


def test_a_burst_window_says_when_time_next_changes_it() -> None:
    """Until then nothing is looked at."""
    window = BurstWindow(10)
    assert window.changes_at == math.inf
    window.hold(0.0)
    assert window.changes_at == 1.0
    for _ in range(2):
        window.take()
    first, second = window.sent(0.25), window.sent(0.5)
    window.advance(1.0)
    assert window.changes_at == pytest.approx(0.25 + 1.105), "the first is overdue"
    window.answered(1.0, 0.75, first)
    window.advance(1.4)
    assert window.changes_at == pytest.approx(0.5 + 1.105), "the second is"
    window.advance(1.75)
    assert window.changes_at == pytest.approx(1.0 + 1.002), "the first returns"
    window.answered(1.75, 1.25, second)
    window.advance(2.5)
    assert window.changes_at == math.inf
    window.take()
    window.answered(3.0, 0.0, window.sent(3.0))
    assert window.changes_at == pytest.approx(3.0 + 1.002), "without an advance"
    window.correct(3.5, 9, None, returned_at_sending=0, sent_at=3.5)
    window.advance(5.0)
    assert window.changes_at == 3.5 + 900.0, "the limit lapses"


def test_a_first_sending_is_noted_without_an_advance() -> None:
    window = BurstWindow(10)
    window.take()
    window.sent(5.0)
    assert window.changes_at == pytest.approx(5.0 + 1.105)


def test_tokens_of_slow_requests_return_in_their_turn() -> None:
    window = BurstWindow(3)
    for _ in range(3):
        window.take()
    _, _, last = window.sent(0.0), window.sent(0.5), window.sent(0.6)
    window.answered(0.7, 0.1, last)
    found = [window.available_at(count, 0.7) for count in (1, 2, 3, 4)]
    assert found == pytest.approx([1.105, 1.605, 1.702, math.inf]), "overdue, overdue, answered"


def test_overdue_requests_are_counted_until_they_end() -> None:
    window = BurstWindow(3)
    for _ in range(3):
        window.take()
    first, second, third = (window.sent(0.0) for _ in range(3))
    window.advance(1.2)
    assert (window.in_flight, window.overdue) == (0, 3)
    window.answered(1.3, 1.3, first)
    window.give_back(second)
    assert (window.in_flight, window.overdue) == (0, 1)
    window.answered(1.4, 1.4, third)
    window.take()
    window.give_back(window.sent(1.5))
    assert (window.in_flight, window.overdue, window.taken) == (0, 0, 3)


def test_a_held_window_is_held_until_its_end() -> None:
    window = BurstWindow(3)
    window.hold(0.0)
    window.advance(0.9)
    assert window.available() == 0
    window.advance(1.0)
    assert window.available() == 3


@pytest.mark.parametrize(("remaining", "lapses"), [(0, True), (1, False), (None, False)])
def test_a_limit_that_leaves_nothing_is_not_confirmed(remaining: int | None, *, lapses: bool) -> None:
    window = BurstWindow(100)
    window.correct(1.0, 5, remaining, returned_at_sending=0, sent_at=0.5)
    window.correct(2.0, 5, remaining, returned_at_sending=0, sent_at=1.5)
    assert window.advance(902.0) is lapses
    assert window.limit == (100 if lapses else 5)
